"""The bytes of a batch: a JSON array of its items, compressed, with a header that describes it.

The same items give the same bytes under the same codec, level and library. Items are Pydantic models,
dataclasses, dictionaries, and messages of Protocol Buffers, whose package is needed only for them.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from poh_batcher.compression import DECOMPRESSED_BYTES_MAX, compress, decompress
from poh_batcher.errors import BatchDamaged
from poh_batcher.types import AckRequest, BatchHeader, PackedBatch

if TYPE_CHECKING:
    from poh_batcher.types import Codec

Model = TypeVar("Model")


def pack_acks(
    acks: Sequence[object], *, codec: Codec | None = "gzip", level: int | None = None
) -> PackedBatch:
    """The batch of these items, in gzip, which every reader has, unless another codec is asked for.

    With None as `codec` it is the one that `compress` chooses, which also defines `level`. The header has
    their number, and the size and SHA-256 of the JSON array before compression.
    """
    raw = json_from_items(acks)
    found, payload = compress(raw, level, codec=codec)
    header = BatchHeader(
        count=len(acks), compression=found, size=len(raw), sha256=hashlib.sha256(raw).hexdigest()
    )
    return PackedBatch(header=header, payload=payload)


@overload
def unpack_batch(batch: PackedBatch, *, max_bytes: int = ...) -> list[AckRequest]: ...
@overload
def unpack_batch(batch: PackedBatch, model: type[Model], *, max_bytes: int = ...) -> list[Model]: ...
def unpack_batch(
    batch: PackedBatch, model: type[Any] = AckRequest, *, max_bytes: int = DECOMPRESSED_BYTES_MAX
) -> list[Any]:
    """The items of a batch as instances of `model`: a Pydantic model, a dataclass, `dict`, or a message type.

    Raises `BatchDamaged` if the payload is not what the header describes, is larger than `max_bytes`, or
    holds something else than `model`.
    """
    raw = checked_json(batch, max_bytes=max_bytes)
    if hasattr(model, "DESCRIPTOR"):
        protobuf = importlib.import_module("google.protobuf.json_format")
        return [protobuf.ParseDict(each, model()) for each in from_json(raw)]
    try:
        return _list_of(cast("Hashable", model)).validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BatchDamaged(
            f"item {where}: {first['msg']}; pass the model that was batched as the second argument"
        ) from error


def checked_json(batch: PackedBatch, *, max_bytes: int = DECOMPRESSED_BYTES_MAX) -> bytes:
    """The JSON array of a batch, held against every field of its header."""
    header = batch.header
    raw = decompress(header.compression, batch.payload, max_bytes=max_bytes)
    if header.size is not None and len(raw) != header.size:
        raise BatchDamaged(f"size: the header says {header.size} bytes; found {len(raw)}")
    if header.sha256 is not None:
        found = hashlib.sha256(raw).hexdigest()
        if found != header.sha256:
            raise BatchDamaged(f"sha256: the header says {header.sha256}; found {found}")
    try:
        items = from_json(raw)
    except ValueError as error:
        raise BatchDamaged(f"payload: damaged JSON: {error}") from error
    if not isinstance(items, list) or len(items) != header.count:
        found_items = len(items) if isinstance(items, list) else "no JSON array"
        raise BatchDamaged(f"count: the header says {header.count} items; found {found_items}")
    return raw


def json_from_items(items: Sequence[object]) -> bytes:
    """The compact JSON array of items. NaN and infinity become texts, unless a model says otherwise."""
    return to_json(list(items), bytes_mode="base64", inf_nan_mode="strings", fallback=_plain)


def _plain(item: Any) -> object:
    if hasattr(item, "DESCRIPTOR"):
        protobuf = importlib.import_module("google.protobuf.json_format")
        return cast("object", protobuf.MessageToDict(item, preserving_proto_field_name=True))
    raise TypeError(
        f"item: {type(item).__name__} has no JSON form; batch Pydantic models, dataclasses, dictionaries or "
        "messages of Protocol Buffers"
    )


@lru_cache(maxsize=32)
def _list_of(model: Hashable) -> TypeAdapter[list[Any]]:
    return TypeAdapter(list[model])  # type: ignore[valid-type]
