"""The object storage against a real S3 server that is killed in the middle and comes back."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("obstore", reason="no obstore: pip install 'poh-batcher[s3]'")

from batch_support import FAST, acks, json_lines, lines, stored_ids, until

from poh_batcher import AsyncBatcher, BatchDamaged, BatchStore, KeyMissing, KeyTaken, S3Storage, StorageError
from poh_batcher.storage import ObjectStorage, storage_from_url
from servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server, weed_program

pytestmark = pytest.mark.services

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A server of the test's own, which may kill it; the environment points to it."""
    started = S3Server(weed_program(), tmp_path)
    started.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", started.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    yield started
    started.kill()


def test_an_object_is_created_once_and_read_back(server: S3Server) -> None:
    async def run() -> None:
        storage = S3Storage(
            "acks", "a/b/", region_name="us-east-1", endpoint=server.url, access_key_id=ACCESS_KEY
        )
        await storage.save_json("x/y.json", "[1]")
        with pytest.raises(KeyTaken, match=r"s3://acks/a/b/x/y\.json: exists already"):
            await storage.save_bytes("x/y.json", b"[2]")
        assert await storage.read_bytes("x/y.json") == b"[1]"
        with pytest.raises(KeyMissing, match=r"s3://acks/a/b/x/z\.json: does not exist"):
            await storage.read_bytes("x/z.json")
        assert await storage.exists("x/y.json")
        assert not await storage.exists("x/z.json")
        await storage.save_bytes("x/deep/k", b"")
        assert await storage.names("x") == ["deep", "y.json"]
        assert await storage.names("nothing") == []
        same = storage_from_url("s3://acks/a/b")
        assert await same.read_bytes("x/y.json") == b"[1]"
        tries = [storage.save_bytes("k", str(number).encode()) for number in range(20)]
        ended = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(error is None for error in ended) == 1
        assert sum(isinstance(error, KeyTaken) for error in ended) == 19

    asyncio.run(run())


def test_a_server_that_is_killed_twice_loses_nothing_and_stores_nothing_twice(server: S3Server) -> None:
    async def run() -> None:
        store = BatchStore(storage_from_url("s3://acks/kill"))
        async with AsyncBatcher(max_items=10, timeout=0.05, sink=store, backoff=FAST) as batcher:
            producer = asyncio.create_task(batcher.enqueue_many(acks(3000)))
            for round_ in (1, 2):
                await until(lambda round_=round_: batcher.stored >= 300 * round_)  # type: ignore[misc]
                failed = batcher.retries
                await asyncio.to_thread(server.kill)
                await until(lambda failed=failed: batcher.retries > failed)  # type: ignore[misc]
                await asyncio.to_thread(server.start)
            await producer
        assert batcher.stored == 3000
        assert await stored_ids(store) == [f"tx{number}" for number in range(3000)]
        found = [each async for each in store.batches()]
        sequences = [each.sequence for each in found if not isinstance(each, BatchDamaged)]
        assert sequences == sorted(set(sequences))
        assert len(sequences) == len(found)

    asyncio.run(run())


def test_a_bucket_that_does_not_exist_is_named(server: S3Server) -> None:
    del server
    with pytest.raises(StorageError, match="s3://nothing/sequences: The specified bucket does not exist"):
        asyncio.run(storage_from_url("s3://nothing").names("sequences"))


def test_two_writers_share_a_prefix(server: S3Server) -> None:
    del server

    async def run() -> None:
        stores = [BatchStore(storage_from_url("s3://acks/shared")) for _ in range(2)]
        async with (
            AsyncBatcher(max_items=5, timeout=60, sink=stores[0]) as one,
            AsyncBatcher(max_items=5, timeout=60, sink=stores[1]) as other,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(one.enqueue_many(acks(100)))
            group.create_task(other.enqueue_many(acks(100, first=100)))
        found = [each async for each in stores[0].batches()]
        assert [each.sequence for each in found if not isinstance(each, BatchDamaged)] == list(range(40))
        assert sorted(await stored_ids(stores[0])) == sorted(f"tx{number}" for number in range(200))

    asyncio.run(run())


def test_the_command_killed_in_the_middle_keeps_what_it_reported(server: S3Server, python: str) -> None:
    del server
    url = "s3://acks/command"
    command = [python, "-c", "from poh_batcher.cli import main; main()"]
    environment = {**os.environ, "PYTHONPATH": os.fspath(ROOT)}
    reported = []
    for kill_after in (1, 4):
        with subprocess.Popen(
            [*command, "-n", "3", "-o", url, "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(lines(300).encode())
            process.stdin.flush()
            reported += [json.loads(process.stdout.readline()) for _ in range(kill_after)]
            process.kill()
            reported += [json.loads(line) for line in process.stdout if line.endswith(b"\n")]
    sequences = [each["sequence"] for each in reported]
    assert sequences == sorted(set(sequences))
    verified = subprocess.run(
        [*command, "verify", url, "--json"], env=environment, capture_output=True, check=True, text=True
    )
    *missing, sums = json_lines(verified.stdout)
    assert sums["damaged"] == 0
    assert not {each["url"] for each in reported} & {each["url"] for each in missing}


def test_a_server_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    storage = S3Storage("b", access_key_id="a", secret_access_key="b", region="us-east-1")
    with pytest.raises(StorageError, match="s3://b/k: "):
        asyncio.run(storage.save_bytes("k", b""))


@pytest.mark.parametrize("url", ["gs://bucket/prefix", "az://container/prefix"])
def test_the_other_clouds_are_addressed(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    found = storage_from_url(url)
    assert isinstance(found, ObjectStorage)
    assert found.get_url("k") == f"{url}/k"
