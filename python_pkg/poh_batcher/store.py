"""Numbered batches at a storage: a sink for `AsyncBatcher`, and their reader.

A batch takes the next free number by creating `sequences/.../<number>.json`, which holds its header and key,
and then creates its payload under `YYYYMMDD/HH/ack_batch_<number>.json(.gz|.zst)`, in UTC. Both are created
once, so several writers never share a number, and a number is never used again. A writer that is killed in
between leaves a number without a batch, which was never reported as stored.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from poh_batcher.errors import BatchDamaged, KeyTaken
from poh_batcher.types import BatchHeader, PackedBatch

if TYPE_CHECKING:
    from poh_batcher.storage.port import StorageBackend

#: The folder of the files that say which numbers are taken.
SEQUENCES = "sequences"
_SUFFIXES = {"gzip": ".json.gz", "zstd": ".json.zst", "none": ".json"}


class StoredBatch(BaseModel):
    """Where a batch lies, and its header."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence: int
    key: str
    #: Tells two claims of one number apart.
    claim: str
    header: BatchHeader


class BatchStore:
    """Stores batches under numbers that rise; call it, or give it to `AsyncBatcher` as its sink."""

    def __init__(
        self, storage: StorageBackend, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.storage = storage
        self._clock = clock
        self._next: int | None = None
        self._claiming = asyncio.Lock()
        # Of batches whose storing failed: a repeated call goes on with the same number.
        self._unfinished: dict[int, tuple[PackedBatch, StoredBatch]] = {}

    async def __call__(self, batch: PackedBatch) -> StoredBatch:
        """Store a batch; raises `StorageError` if it may not be stored.

        Called again with the same object, it goes on where it failed, and stores the batch once.
        """
        async with self._claiming:
            stored = await self._claimed(batch)
        await self._create(stored.key, batch.payload)
        del self._unfinished[id(batch)]
        return stored

    async def batches(
        self, first: int = 0, last: int | None = None
    ) -> AsyncIterator[StoredBatch | BatchDamaged]:
        """Numbers from `first` through `last`, in order; an error in place of one that cannot be read."""
        for millions in await self._numbers(SEQUENCES):
            for thousands in await self._numbers(f"{SEQUENCES}/{millions:03d}"):
                begin = (millions * 1000 + thousands) * 1000
                if begin + 999 < first or (last is not None and begin > last):
                    continue
                for sequence in await self._numbers(f"{SEQUENCES}/{millions:03d}/{thousands:03d}"):
                    if sequence >= first and (last is None or sequence <= last):
                        yield await self._claim(sequence)

    async def read(self, stored: StoredBatch) -> PackedBatch:
        """The batch; raises `KeyMissing` if its writer ended before it was stored, or if it was removed."""
        return PackedBatch(header=stored.header, payload=await self.storage.read_bytes(stored.key))

    async def _claim(self, sequence: int) -> StoredBatch | BatchDamaged:
        key = _claim_key(sequence)
        found = await self.storage.read_bytes(key)
        try:
            return StoredBatch.model_validate_json(found)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            return BatchDamaged(f"{self.storage.get_url(key)}: {where}: {first['msg']}")

    async def _claimed(self, batch: PackedBatch) -> StoredBatch:
        """Take a number for the batch."""
        _, stored = self._unfinished.get(id(batch), (batch, None))
        while True:
            if stored is None:
                if self._next is None:
                    self._next = await self._first_free()
                stored = self._new_claim(batch, self._next)
                # Before the number is taken: if it fails, it may be taken.
                self._unfinished[id(batch)] = (batch, stored)
            self._next = max(self._next or 0, stored.sequence + 1)
            try:
                await self._create(_claim_key(stored.sequence), stored.model_dump_json().encode())
            except KeyTaken:
                stored = None
            else:
                return stored

    def _new_claim(self, batch: PackedBatch, sequence: int) -> StoredBatch:
        name = f"ack_batch_{sequence:09d}{_SUFFIXES[batch.header.compression]}"
        key = f"{self._clock().astimezone(UTC):%Y%m%d/%H}/{name}"
        return StoredBatch(sequence=sequence, key=key, claim=uuid.uuid4().hex, header=batch.header)

    async def _create(self, key: str, data: bytes) -> None:
        """Create an object, or find that an earlier call did; raises `KeyTaken` if it is another one."""
        try:
            await self.storage.save_bytes(key, data)
        except KeyTaken:
            if await self.storage.read_bytes(key) != data:
                raise

    async def _first_free(self) -> int:
        """The number after the highest that was ever taken."""
        # A folder may be empty: its writer ended, or the disk was full, before the first file.
        for millions in reversed(await self._numbers(SEQUENCES)):
            folder = f"{SEQUENCES}/{millions:03d}"
            for thousands in reversed(await self._numbers(folder)):
                if numbers := await self._numbers(f"{folder}/{thousands:03d}"):
                    return numbers[-1] + 1
        return 0

    async def _numbers(self, folder: str) -> list[int]:
        names = (name.removesuffix(".json") for name in await self.storage.names(folder))
        return sorted(int(name) for name in names if name.isdecimal())


def _claim_key(sequence: int) -> str:
    millions, rest = divmod(sequence, 1_000_000)
    return f"{SEQUENCES}/{millions:03d}/{rest // 1000:03d}/{sequence:09d}.json"
