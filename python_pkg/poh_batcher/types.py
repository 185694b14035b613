"""The values of the package: an acknowledgement, the header of a batch, and a packed batch.

Frozen, and made by keywords. An acknowledgement is kept as it is given: its texts are not interpreted.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

Codec: TypeAlias = Literal["gzip", "zstd", "none"]

#: The format that this version writes, and the only one that it reads.
FORMAT_VERSION = 1


class AckItem(BaseModel):
    """One acknowledgement of a proof of history, as a producer has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    timestamp: str
    signature: str
    pubkey: str


class AckRequest(AckItem):
    """One acknowledgement as it is requested and read back; the fields are those of `AckItem`."""


class BatchHeader(BaseModel):
    """What is known of a payload without opening it; `unpack_batch` holds the payload against it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[int, Field(description="Format of the batch")] = FORMAT_VERSION
    count: Annotated[int, Field(ge=0, description="Number of items")]
    compression: Annotated[Codec, Field(description="Codec of the payload")]
    size: Annotated[int | None, Field(ge=0, description="Bytes of the JSON array before compression")] = None
    sha256: Annotated[
        str | None,
        Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the JSON array before compression, in hex"),
    ] = None

    @field_validator("version")
    @classmethod
    def _is_known(cls, version: int) -> int:
        if version != FORMAT_VERSION:
            raise ValueError(
                f"the batch has format {version} and this version of poh-batcher reads format "
                f"{FORMAT_VERSION}; upgrade poh-batcher"
            )
        return version


class PackedBatch(BaseModel):
    """A header, and the compressed JSON array of the items; in JSON the payload is Base64."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    header: BatchHeader
    payload: bytes
