"""The immudb storage over TLS, against a real server with the certificate of an authority of this test."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("grpc", reason="no grpcio: pip install 'poh-holdmetrics[immudb]'")

from certificates import issue
from conftest import PRESENT
from poh_holdmetrics import HoldEvent
from poh_holdmetrics.errors import InputError, StorageUnavailable
from poh_holdmetrics.storage import storage_from_url
from poh_holdmetrics.storage.immudb_client import Address
from servers.immudb import Immudb, immudb_program

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(PRESENT != "none", reason="no scores here: runs where there is no native code"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    issue(folder, "authority")
    issue(folder, "stranger")
    signed = ("-CA", str(folder / "authority.pem"), "-CAkey", str(folder / "authority.key"))
    for name in ("server", "client"):
        issue(folder, name, *signed, "-addext", "subjectAltName=IP:127.0.0.1")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Immudb]:
    """A server that checks the certificates of its clients."""
    immudb = Immudb(
        immudb_program(),
        folder,
        *("--mtls", "--clientcas", str(folder / "authority.pem")),
        *("--certificate", str(folder / "server.pem"), "--pkey", str(folder / "server.key")),
    )
    immudb.url_options = {
        "ca": folder / "authority.pem",
        "cert": folder / "client.pem",
        "key": folder / "client.key",
    }
    immudb.start()
    yield immudb
    immudb.kill()


async def saved(url: str) -> int:
    async with storage_from_url(url) as storage:
        await storage.save_event(HoldEvent(token_id="T", holder_id="ann", start=0, end=1_000))
        return await storage.count()


def test_events_are_saved_over_tls_with_a_certificate_of_the_client(server: Immudb) -> None:
    assert asyncio.run(saved(server.url())) == 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tls": 1},
        {"ca": "authority.pem", "cert": "stranger.pem", "key": "stranger.key"},
        {"ca": "stranger.pem", "cert": "client.pem", "key": "client.key"},
    ],
    ids=["no TLS", "authorities of the system", "a stranger as client", "another authority"],
)
def test_a_connection_that_cannot_be_trusted_is_refused(
    server: Immudb, folder: Path, options: dict[str, object]
) -> None:
    query = "&".join(
        f"{name}={value if name == 'tls' else folder / str(value)}" for name, value in options.items()
    )
    url = f"immudb://immudb:immudb@127.0.0.1:{server.port}/audit?{query}".rstrip("?")
    with pytest.raises(StorageUnavailable):
        asyncio.run(saved(url))


def test_options_of_tls_that_cannot_be_used_are_named(folder: Path) -> None:
    for query, problem in (
        ("tls=yes", "tls: expected tls=1"),
        (f"cert={folder / 'client.pem'}", "cert, key: one is missing"),
        (f"ca={folder / 'absent'}", f"ca: {folder / 'absent'} cannot be read"),
    ):
        with pytest.raises(InputError, match=problem):
            Address.of(f"immudb://127.0.0.1/audit?{query}").credentials()
