"""Compression, and the bytes and headers of batches."""

from __future__ import annotations

import dataclasses
import gzip
import json
import subprocess
import zlib

import pytest
from batch_support import acks
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from poh_batcher import compression
from poh_batcher.compression import compress, decompress, zstd_available
from poh_batcher.errors import BatchDamaged
from poh_batcher.packing import pack_acks, unpack_batch
from poh_batcher.types import AckItem, AckRequest, BatchHeader, Codec, PackedBatch

CODECS: list[Codec] = ["gzip", "none", *(["zstd"] if zstd_available() else [])]  # type: ignore[list-item]


@pytest.fixture(params=CODECS)
def codec(request: pytest.FixtureRequest) -> Codec:
    found: Codec = request.param
    return found


@given(data=st.binary(max_size=5000), level=st.sampled_from([None, 1, 9]))
def test_every_codec_gives_the_bytes_back(data: bytes, level: int | None) -> None:
    for codec in CODECS:
        found, blob = compress(data, None if codec == "none" else level, codec=codec)
        assert found == codec
        assert decompress(found, blob) == data
        assert compress(data, None if codec == "none" else level, codec=codec)[1] == blob


def test_compress_takes_zstd_where_it_is_installed_and_packing_where_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if zstd_available():
        assert compress(b"x")[0] == "zstd"
        assert pack_acks(acks(1), codec=None).header.compression == "zstd"
    assert pack_acks(acks(1)).header.compression == "gzip"
    monkeypatch.setattr(compression, "_zstd", lambda: None)
    assert compress(b"x")[0] == "gzip"
    assert pack_acks(acks(1), codec=None).header.compression == "gzip"
    with pytest.raises(RuntimeError, match=r"pip install 'poh-batcher\[zstd\]'"):
        decompress("zstd", b"x")


def test_gzip_has_no_time_in_it() -> None:
    assert compress(b"x", codec="gzip")[1][4:8] == bytes(4)


def test_levels_and_codecs_outside_of_what_there_is_are_refused() -> None:
    with pytest.raises(ValueError, match="level: gzip takes 0 to 9; found 10"):
        compress(b"x", 10, codec="gzip")
    with pytest.raises(ValueError, match="level: codec none has no levels; found 1"):
        compress(b"x", 1, codec="none")
    with pytest.raises(ValueError, match="codec: expected gzip, zstd or none; found 'lzma'"):
        decompress("lzma", b"x")


def test_a_bomb_stops_at_the_bound(codec: Codec) -> None:
    blob = compress(bytes(10_000_000), codec=codec)[1]
    with pytest.raises(BatchDamaged, match="more than 1000 bytes"):
        decompress(codec, blob, max_bytes=1000)
    assert len(decompress(codec, blob, max_bytes=10_000_000)) == 10_000_000


def test_members_that_follow_each_other_are_one_payload_with_one_bound(codec: Codec) -> None:
    blob = compress(b"a" * 600, codec=codec)[1] * 2
    assert decompress(codec, blob) == b"a" * 1200
    with pytest.raises(BatchDamaged, match="more than 1199 bytes"):
        decompress(codec, blob, max_bytes=1199)


def test_data_that_end_early_or_are_changed_are_damaged() -> None:
    for codec in CODECS:
        if codec == "none":
            continue
        blob = compress(b"hello " * 100, codec=codec)[1]
        with pytest.raises(BatchDamaged, match="end early"):
            decompress(codec, blob[:-3])
        with pytest.raises(BatchDamaged, match="damaged"):
            decompress(codec, b"no" + blob)


def test_the_same_items_give_the_same_bytes_in_every_process(codec: Codec, python: str) -> None:
    here = pack_acks(acks(50), codec=codec)
    code = (
        "from poh_batcher import AckItem, pack_acks; import sys\n"
        "acks = [AckItem(id=f'tx{i}', timestamp='2099-01-01T00:00:00Z', signature='1' * 88, pubkey='1' * 44)"
        " for i in range(50)]\n"
        f"sys.stdout.write(pack_acks(acks, codec={codec!r}).model_dump_json())"
    )
    there = subprocess.run([python, "-c", code], capture_output=True, check=True, text=True).stdout
    assert PackedBatch.model_validate_json(there) == here


def test_acknowledgements_come_back_as_requests() -> None:
    batch = pack_acks(acks(3))
    assert batch.header.count == 3
    found = unpack_batch(batch)
    assert all(type(each) is AckRequest for each in found)
    assert [each.model_dump() for each in found] == [each.model_dump() for each in acks(3)]
    assert unpack_batch(batch, AckItem) == acks(3)


def test_a_payload_is_a_compressed_json_array_for_every_tool() -> None:
    batch = pack_acks(acks(2), codec="gzip")
    assert json.loads(gzip.decompress(batch.payload)) == [each.model_dump() for each in acks(2)]


class Reading(BaseModel):
    sensor: str
    value: float
    raw: bytes = b""


@dataclasses.dataclass
class Point:
    x: int
    y: int


def test_any_json_model_may_be_batched() -> None:
    readings = [Reading(sensor="é", value=0.1), Reading(sensor="b", value=1e300, raw=b"text")]
    assert unpack_batch(pack_acks(readings), Reading) == readings
    assert unpack_batch(pack_acks([Point(1, 2)]), Point) == [Point(1, 2)]
    assert unpack_batch(pack_acks([{"a": [1, None]}]), dict) == [{"a": [1, None]}]
    assert unpack_batch(pack_acks([])) == []
    with pytest.raises(ValueError, match="item: object has no JSON form"):
        pack_acks([object()])


def test_acknowledgements_of_the_service_may_be_batched() -> None:
    pytest.importorskip("google.protobuf", reason="no protobuf: pip install 'poh-holdmetrics[grpc]'")
    from poh_holdmetrics.protocols import hold_pb2 as pb  # noqa: PLC0415 - needs protobuf

    sent = [pb.HoldAck(sequence=2**63, durability=pb.DURABLE, index=3, accepted=4)]
    assert unpack_batch(pack_acks(sent), pb.HoldAck) == sent


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("count", 4, "count: the header says 4 items; found 3"),
        ("size", 1, "size: the header says 1 bytes"),
        ("sha256", "0" * 64, "sha256: the header says 0000"),
    ],
)
def test_a_payload_that_its_header_does_not_describe_is_damaged(field: str, value: object, says: str) -> None:
    batch = pack_acks(acks(3))
    header = batch.header.model_copy(update={field: value})
    with pytest.raises(BatchDamaged, match=says):
        unpack_batch(PackedBatch(header=header, payload=batch.payload))


def test_every_changed_byte_of_a_payload_is_found() -> None:
    batch = pack_acks(acks(1))
    for index in range(len(batch.payload)):
        changed = bytearray(batch.payload)
        changed[index] ^= 0x10
        try:
            found = unpack_batch(PackedBatch(header=batch.header, payload=bytes(changed)))
        except BatchDamaged:
            continue
        # A byte of the container that means nothing, such as the system in a gzip header.
        assert [each.id for each in found] == ["tx0"]


def test_a_header_of_two_fields_as_published_is_read() -> None:
    raw = b'[{"id":"a","timestamp":"t","signature":"s","pubkey":"p"}]'
    header = BatchHeader(count=1, compression="gzip")
    (found,) = unpack_batch(PackedBatch(header=header, payload=zlib.compress(raw, wbits=31)))
    assert found.id == "a"


def test_a_version_that_is_not_known_is_refused_with_a_sentence() -> None:
    with pytest.raises(
        ValidationError, match="the batch has format 2 and this version of poh-batcher reads format 1"
    ):
        BatchHeader.model_validate({"version": 2, "count": 0, "compression": "gzip"})


def test_a_wrong_model_names_the_item_and_the_cure() -> None:
    with pytest.raises(
        BatchDamaged, match=r"item 0\.sensor: Field required; pass the model that was batched"
    ):
        unpack_batch(pack_acks(acks(1)), Reading)
