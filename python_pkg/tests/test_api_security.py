"""The file of API keys, and TLS, of the servers in Python alone; `test_api_parity` has who may call what."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from certificates import issue_for_localhost
from poh_holdmetrics.api.access import Access
from poh_holdmetrics.api.addresses import Address
from poh_holdmetrics.api.hold_service import HoldService
from poh_holdmetrics.api.tls import Tls
from poh_holdmetrics.errors import InputError

ENTRY = f'[[key]]\nname = "a"\nscopes = ["read"]\nsha256 = "{"0" * 64}"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "contains no [[key]]; make one with main_holdmetrics keys new"),
        ("key = 1", "expected entries under [[key]] and nothing else"),
        ("colour = 1", "expected entries under [[key]] and nothing else"),
        (f"{ENTRY}colour = 1\n", "each [[key]] has name, scopes and sha256, and nothing else"),
        (ENTRY + ENTRY, "key 'a': its name or its sha256 is used twice"),
        (ENTRY + ENTRY.replace('"a"', '"b"'), "key 'b': its name or its sha256 is used twice"),
        (
            ENTRY.replace("read", "reed"),
            "key 'a': scopes are not some of read, write, metrics, rounds and admin",
        ),
        (ENTRY.replace('["read"]', "[]"), "key 'a': scopes are not some of"),
        (ENTRY.replace("000", "00x"), "key 'a': sha256 is not 64 hexadecimal digits"),
        (ENTRY.replace('"a"', '""'), "key '': name is empty"),
        ("[[key", "Expected"),
    ],
)
def test_an_invalid_file_of_keys_is_refused_with_the_reason(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        Access(file)
    assert str(caught.value).startswith(f"{file}: {problem}")
    with pytest.raises(InputError, match=r"the API keys cannot be read"):
        Access(tmp_path / "absent")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that has signed itself, and its key."""
    return issue_for_localhost(tmp_path_factory.mktemp("tls"))


def test_files_that_are_no_pair_are_refused(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    chain, key = map(str, certificate)
    assert Tls.of(None, None, None) is None
    assert Tls.of(chain, key, chain) == Tls(*certificate, certificate[0])
    for files, problem in (
        ((chain, None, None), "--tls-cert, --tls-key: one is missing"),
        ((None, None, chain), "--tls-cert, --tls-key: one is missing"),
        ((key, chain, None), f"{key}, {chain}: not a certificate and its private key in PEM"),
        ((chain, key, key), f"{key}: contains no certificate in PEM"),
        ((chain, str(tmp_path / "absent"), None), f"{tmp_path / 'absent'}: cannot be read"),
    ):
        with pytest.raises(InputError) as caught:
            Tls.of(*files)
        assert str(caught.value).startswith(problem)


def test_https_accepts_clients_that_trust_the_certificate_and_demands_theirs(
    certificate: tuple[Path, Path],
) -> None:
    pytest.importorskip("fastapi", reason="fastapi is not installed (extra http)")
    from poh_holdmetrics.api.http_server import HttpServer  # noqa: PLC0415

    chain, key = certificate

    async def ask(tls: Tls, *, sends_certificate: bool) -> str:
        context = ssl.create_default_context(cafile=str(chain))
        if sends_certificate:
            context.load_cert_chain(chain, key)

        async with HttpServer(HoldService(), Address("127.0.0.1", 0), tls=tls) as server:

            def request() -> str:
                url = f"https://localhost:{server.port}/stats"
                with urlopen(url, timeout=30, context=context) as answer:
                    return str(json.load(answer)["holders_total"])

            return await asyncio.to_thread(request)

    assert asyncio.run(ask(Tls(chain, key), sends_certificate=False)) == "0"
    assert asyncio.run(ask(Tls(chain, key, chain), sends_certificate=True)) == "0"
    with pytest.raises((URLError, ssl.SSLError, ConnectionError)):
        asyncio.run(ask(Tls(chain, key, chain), sends_certificate=False))


def test_grpc_accepts_clients_that_trust_the_certificate_and_demands_theirs(
    certificate: tuple[Path, Path],
) -> None:
    grpc = pytest.importorskip("grpc", reason="grpcio is not installed (extra grpc)")
    from google.protobuf.empty_pb2 import Empty  # noqa: PLC0415

    from poh_holdmetrics.api.grpc_server import GrpcServer  # noqa: PLC0415
    from poh_holdmetrics.protocols import hold_pb2_grpc  # noqa: PLC0415

    chain, key = certificate

    async def ask(tls: Tls, *own: bytes) -> int:
        credentials = grpc.ssl_channel_credentials(chain.read_bytes(), *own)
        async with (
            GrpcServer(HoldService(), Address("127.0.0.1", 0), tls=tls, drain_seconds=0.1) as server,
            grpc.aio.secure_channel(f"localhost:{server.port}", credentials) as channel,
        ):
            stub = hold_pb2_grpc.HoldMetricsStub(channel)  # type: ignore[no-untyped-call]
            return len([stat async for stat in stub.Stats(Empty(), timeout=20)])

    assert asyncio.run(ask(Tls(chain, key))) == 1
    assert asyncio.run(ask(Tls(chain, key, chain), key.read_bytes(), chain.read_bytes())) == 1
    with pytest.raises(grpc.aio.AioRpcError):
        asyncio.run(ask(Tls(chain, key, chain)))
