"""The storages and the store: created once, whole or not at all, numbered over restarts and over writers."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from batch_support import FAST, acks, stored_ids, until

from poh_batcher import AsyncBatcher, BatchDamaged, BatchStore, KeyMissing, KeyTaken, StorageError, pack_acks
from poh_batcher.storage import LocalStorage, StorageBackend, storage_from_url
from poh_batcher.types import Codec

NOON = datetime(2026, 1, 2, 12, 59, tzinfo=UTC)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", os.fspath(folder)],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield folder
    subprocess.run(["umount", os.fspath(folder)], check=True)  # noqa: S607


def test_an_object_is_created_once_and_read_back(tmp_path: Path) -> None:
    async def run() -> None:
        storage: StorageBackend = LocalStorage(tmp_path / "a" / "b")
        assert await storage.names("x") == []
        with pytest.raises(KeyMissing, match=r"x/y\.json: does not exist"):
            await storage.read_bytes("x/y.json")
        await storage.save_json("x/y.json", "[1]")
        with pytest.raises(KeyTaken, match="exists already"):
            await storage.save_bytes("x/y.json", b"[2]")
        assert await storage.read_bytes("x/y.json") == b"[1]"
        assert await storage.exists("x/y.json")
        assert not await storage.exists("x/z.json")
        assert await storage.names("x") == ["y.json"]
        assert storage.get_url("x/y.json") == f"file://{tmp_path}/a/b/x/y.json"
        for key in ("", "/etc/x", "../x", "a//b", "a/./b", "a\\b"):
            with pytest.raises(ValueError, match="key: expected a relative path"):
                await storage.save_bytes(key, b"")

    asyncio.run(run())
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "x", "y.json"]


@pytest.mark.parametrize("name", ["links", "no links"])
def test_of_many_writers_of_one_key_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "no links":

        def refuse(self: Path, target: Path) -> None:
            raise OSError(errno.EPERM, "no hard links here", str(self), None, str(target))

        monkeypatch.setattr(Path, "hardlink_to", refuse)

    async def run() -> None:
        storage = LocalStorage(tmp_path)
        tries = [storage.save_bytes("k", str(number).encode()) for number in range(20)]
        ended = await asyncio.gather(*tries, return_exceptions=True)
        won = [number for number, error in enumerate(ended) if error is None]
        assert len(won) == 1
        assert all(isinstance(error, KeyTaken) for error in ended if error is not None)
        assert await storage.read_bytes("k") == str(won[0]).encode()

    asyncio.run(run())
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("file://./batches", "batches", f"file://{tmp_path}/batches", f"file://{tmp_path}/b%61tches"):
        found = storage_from_url(url)
        assert isinstance(found, LocalStorage)
        assert found.root == tmp_path / "batches"
    for url, says in {
        "": "url: empty",
        "file://": "nothing follows file://",
        "s3:///x": "the bucket is missing",
        "s3:/x": "url: two slashes are missing; write s3://; found 's3:/x'",
        "ftp://x/y": "url: unknown storage; expected file://, s3://, gs:// or az://; found 'ftp://x/y'",
    }.items():
        with pytest.raises(ValueError, match=says):
            storage_from_url(url)


@pytest.mark.parametrize(
    ("codec", "suffix"), [("gzip", ".json.gz"), ("none", ".json"), ("zstd", ".json.zst")]
)
def test_the_published_layout(tmp_path: Path, codec: Codec, suffix: str) -> None:
    async def run() -> None:
        store = BatchStore(LocalStorage(tmp_path), clock=lambda: NOON)
        batch = pack_acks(acks(2), codec=codec)
        stored = await store(batch)
        assert stored.key == f"20260102/12/ack_batch_000000000{suffix}"
        assert (tmp_path / stored.key).read_bytes() == batch.payload
        assert await store.read(stored) == batch

    asyncio.run(run())


def test_a_number_is_never_used_again_after_a_restart(tmp_path: Path) -> None:
    async def one() -> int:
        return (await BatchStore(LocalStorage(tmp_path))(pack_acks(acks(1)))).sequence

    assert [asyncio.run(one()) for _ in range(3)] == [0, 1, 2]
    # Payloads that were moved to an archive, and numbers of the past, do not matter.
    for path in tmp_path.rglob("ack_batch_*"):
        path.unlink()
    (tmp_path / "sequences/000/000/000000000.json").unlink()
    # As a writer leaves it that ended before the first file of a folder.
    (tmp_path / "sequences/000/001").mkdir()
    assert asyncio.run(one()) == 3


def test_numbers_go_on_beyond_a_folder(tmp_path: Path) -> None:
    async def run() -> None:
        storage = LocalStorage(tmp_path)
        await storage.save_bytes("sequences/000/999/000999999.json", b"{}")
        store = BatchStore(storage)
        assert (await store(pack_acks(acks(1)))).sequence == 1_000_000
        found = [each async for each in store.batches()]
        assert isinstance(found[0], BatchDamaged)
        assert [each async for each in store.batches(first=1_000_000)] == found[1:]
        assert [each async for each in store.batches(last=5)] == []

    asyncio.run(run())


def test_two_writers_share_a_storage(tmp_path: Path) -> None:
    async def run() -> None:
        stores = [BatchStore(LocalStorage(tmp_path)) for _ in range(2)]
        async with (
            AsyncBatcher(max_items=5, timeout=60, sink=stores[0]) as one,
            AsyncBatcher(max_items=5, timeout=60, sink=stores[1]) as other,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(one.enqueue_many(acks(200)))
            group.create_task(other.enqueue_many(acks(200, first=200)))
        found = [each async for each in stores[0].batches()]
        assert [each.sequence for each in found if not isinstance(each, BatchDamaged)] == list(range(80))
        assert sorted(await stored_ids(stores[0])) == sorted(f"tx{number}" for number in range(400))

    asyncio.run(run())


class LosesAnswers(LocalStorage):
    """Stores, and then says that it did not: a connection that breaks before the answer."""

    calls = 0

    async def save_bytes(self, key: str, data: bytes) -> None:
        await super().save_bytes(key, data)
        self.calls += 1
        if self.calls % 3:
            raise StorageError(self.get_url(key), "the connection was closed")


def test_a_batch_whose_answer_was_lost_is_stored_once(tmp_path: Path) -> None:
    async def run() -> None:
        store = BatchStore(LosesAnswers(tmp_path))
        async with AsyncBatcher(max_items=5, timeout=60, sink=store, backoff=FAST) as batcher:
            await batcher.enqueue_many(acks(23))
        assert batcher.retries > 0
        assert await stored_ids(store) == [f"tx{number}" for number in range(23)]
        assert len([each async for each in store.batches()]) == 5

    asyncio.run(run())


def test_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(full_disk: Path) -> None:
    async def run() -> None:
        ballast = full_disk / "ballast"
        ballast.write_bytes(bytes(900 * 1024))
        store = BatchStore(LocalStorage(full_disk / "batches"))
        batcher = AsyncBatcher(max_items=500, timeout=0.05, sink=store, codec="none", backoff=FAST)
        await batcher.start()
        await batcher.enqueue_many(acks(3000))
        await until(lambda: batcher.retries >= 5)
        assert "tmp" not in str(await asyncio.to_thread(lambda: list(full_disk.rglob(".*"))))
        ballast.unlink()
        await batcher.stop()
        assert await stored_ids(store) == [f"tx{number}" for number in range(3000)]

    asyncio.run(run())


def test_a_full_disk_is_named(full_disk: Path) -> None:
    with pytest.raises(StorageError, match=r"file://.*: No space left on device"):
        asyncio.run(LocalStorage(full_disk).save_bytes("a/b", bytes(2 * 1024 * 1024)))
    assert [path.name for path in full_disk.rglob("*")] == ["a"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match=r"file://.*/file/a: File exists"):
        asyncio.run(LocalStorage(tmp_path / "file").save_bytes("a", b""))
    read_only = Path("/proc/sys") if os.geteuid() == 0 else tmp_path / "closed"
    if os.geteuid() != 0:
        read_only.mkdir(mode=0o500)
    with pytest.raises(StorageError, match=r"file://.*: "):
        asyncio.run(LocalStorage(read_only).save_bytes("a/b", b""))
