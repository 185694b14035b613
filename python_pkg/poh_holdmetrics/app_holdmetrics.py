"""`python -m poh_holdmetrics.app_holdmetrics grpc | http | all`: the service in Python alone.

Keeps events in memory: a restart begins empty, and acknowledgements say so. The durable service is
`main_holdmetrics serve`. Each command imports only what it serves. SIGTERM or Ctrl-C stops it: calls in
progress may finish for a limited time, a second signal ends them at once.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

from poh_holdmetrics.api.access import Access
from poh_holdmetrics.api.addresses import Address
from poh_holdmetrics.api.tls import Tls
from poh_holdmetrics.commands.parser import BINARY, EXIT_BAD_INPUT, EXIT_INTERRUPTED, Parser
from poh_holdmetrics.errors import HoldMetricsError, InputError
from poh_holdmetrics.version import __version__

if TYPE_CHECKING:
    import argparse

    from poh_holdmetrics.api.hold_service import HoldService

_log = logging.getLogger(__name__)

PROGRAM = "python -m poh_holdmetrics.app_holdmetrics"
_GRPC_ADDRESS = "127.0.0.1:60051"
_HTTP_HOST = "127.0.0.1"
_HTTP_PORT = "8000"
_LEVELS = {
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": logging.DEBUG,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the service and return its exit code; errors are one sentence on standard error."""
    try:
        arguments = _parser(os.environ).parse_args(argv)
        _start_log(arguments.log_level)
        asyncio.run(_serve(arguments))
    except HoldMetricsError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def _parser(environ: Mapping[str, str]) -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description="Serve hold scores from memory, in Python alone: a restart begins empty.",
        epilog=f"The durable service is {BINARY} serve. POH_DISABLE_RUST=1 computes without native code.",
    )
    parser.add_argument("--version", action="version", version=f"poh_holdmetrics {__version__}")
    parser.add_argument("command", choices=["grpc", "http", "all"], help="what to serve")
    parser.add_argument(
        "--grpc-address",
        metavar="HOST:PORT",
        default=environ.get("GRPC_ADDRESS", _GRPC_ADDRESS),
        help=f"where gRPC listens; variable GRPC_ADDRESS [default: {_GRPC_ADDRESS}]",
    )
    parser.add_argument(
        "--http-host",
        metavar="HOST",
        default=environ.get("HTTP_HOST", _HTTP_HOST),
        help=f"where HTTP listens; variable HTTP_HOST [default: {_HTTP_HOST}]",
    )
    parser.add_argument(
        "--http-port",
        metavar="PORT",
        default=environ.get("HTTP_PORT", _HTTP_PORT),
        help=f"its port; variable HTTP_PORT [default: {_HTTP_PORT}]",
    )
    parser.add_argument(
        "--insecure-bind",
        action="store_true",
        help="allow addresses outside loopback without TLS",
    )
    for flag, variable, text in (
        ("--tls-cert", "HOLDMETRICS_TLS_CERT", "certificate chain in PEM; enables TLS and needs --tls-key"),
        ("--tls-key", "HOLDMETRICS_TLS_KEY", "private key of the certificate in PEM"),
        (
            "--tls-client-ca",
            "HOLDMETRICS_TLS_CLIENT_CA",
            "authorities in PEM, one of which must have signed the certificate of a client",
        ),
        (
            "--api-key-file",
            "HOLDMETRICS_KEYS_FILE",
            "file of API keys, as main_holdmetrics keys makes it; with one, callers must send a key",
        ),
    ):
        default = environ.get(variable) or None
        parser.add_argument(flag, metavar="FILE", default=default, help=f"{text}; variable {variable}")
    parser.add_argument(
        "--log-level",
        metavar="LEVEL",
        default=environ.get("LOG_LEVEL", "info"),
        help="error, warn, info or debug; variable LOG_LEVEL [default: info]",
    )
    return parser


def _start_log(text: str) -> None:
    level = _LEVELS.get(text.lower())
    if level is None:
        raise InputError("LOG_LEVEL", f"expected error, warn, info or debug, not {text[:40]!r}")
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)


async def _serve(arguments: argparse.Namespace) -> None:
    wanted = ("grpc", "http") if arguments.command == "all" else (arguments.command,)
    addresses = {
        "grpc": Address.parse("GRPC_ADDRESS", arguments.grpc_address),
        "http": Address.of("HTTP_HOST, HTTP_PORT", arguments.http_host, arguments.http_port),
    }
    tls = Tls.of(arguments.tls_cert, arguments.tls_key, arguments.tls_client_ca)
    access = Access(arguments.api_key_file)
    for name in wanted:
        addresses[name].check_reach(has_tls=tls is not None, insecure_bind=arguments.insecure_bind)
    servers = {name: _server_class(name) for name in wanted}
    service: HoldService = importlib.import_module("poh_holdmetrics.api.hold_service").HoldService()
    stop = asyncio.Event()
    with _Signals(stop) as signals:
        async with AsyncExitStack() as stack:
            for name, server_class in servers.items():
                address = addresses[name]
                server = await stack.enter_async_context(
                    server_class(service, address, tls=tls, access=access)
                )
                listening = Address(address.host, server.port)
                _log.info("Listening for %s on %s; events are kept in memory only.", name, listening)
            await stop.wait()
            _log.info("Stopping: calls in progress may finish.")
            signals.end_on_second(asyncio.current_task())
    _log.info("Stopped after %d events.", service.sequence)


def _server_class(name: str) -> Any:
    """The class of a server, whose packages are imported for it alone."""
    try:
        module = importlib.import_module(f"poh_holdmetrics.api.{name}_server")
    except ModuleNotFoundError as missing:
        cure = f"pip install 'poh-holdmetrics[{name}]'"
        raise InputError(name, f"the package {missing.name} is not installed; {cure}") from missing
    return module.GrpcServer if name == "grpc" else module.HttpServer


class _Signals:
    """SIGTERM and Ctrl-C set an event; once that is handled, a second one cancels the task."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._numbers = []
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._loop.add_signal_handler(number, self._received)
            except (NotImplementedError, RuntimeError, ValueError) as refusal:
                _log.debug("Signal %s is not handled here: %s.", number.name, refusal)
            else:
                self._numbers.append(number)
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._numbers:
            self._loop.remove_signal_handler(number)

    def end_on_second(self, task: asyncio.Task[Any] | None) -> None:
        """From now on a signal cancels `task`."""
        self._task = task

    def _received(self) -> None:
        self._stop.set()
        if self._task is not None:
            self._task.cancel()


if __name__ == "__main__":
    sys.exit(main())
