"""`python -m poh_holdmetrics.app_holdmetrics grpc | http | worker | all`: the service in Python alone.

Keeps events in memory; with a storage, loads those that it has and flushes new ones to it at an interval,
which acknowledgements do not wait for. `worker` reads JSON lines from standard input instead of serving. The
durable service is `main_holdmetrics serve`. Each command imports only what it needs. SIGTERM or Ctrl-C stops
it: calls in progress may finish for a limited time, a second signal ends them at once.
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
from poh_holdmetrics.commands.parser import BINARY, EXIT_BAD_INPUT, EXIT_FAILED, EXIT_INTERRUPTED, Parser
from poh_holdmetrics.errors import HoldMetricsError, InputError
from poh_holdmetrics.version import __version__

if TYPE_CHECKING:
    import argparse

    from poh_holdmetrics.api.hold_service import HoldService
    from poh_holdmetrics.event_lines import EventLines
    from poh_holdmetrics.storage.flush import StorageFlush
    from poh_holdmetrics.tracker import AsyncTracker

_log = logging.getLogger(__name__)

PROGRAM = "python -m poh_holdmetrics.app_holdmetrics"
_GRPC_ADDRESS = "127.0.0.1:60051"
_HTTP_HOST = "127.0.0.1"
_HTTP_PORT = "8000"
_FLUSH_INTERVAL = "1s"
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
        return asyncio.run(_run(arguments))
    except HoldMetricsError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _parser(environ: Mapping[str, str]) -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description="Serve hold scores in Python alone, from memory or with a storage behind it.",
        epilog="With a storage, events are loaded at the start and flushed at an interval; if the process is "
        f"killed, those accepted since the last flush are lost. The durable service is {BINARY} serve. "
        "POH_DISABLE_RUST=1 computes without native code.",
    )
    parser.add_argument("--version", action="version", version=f"poh_holdmetrics {__version__}")
    parser.add_argument(
        "command",
        choices=["grpc", "http", "worker", "all"],
        help="what to serve: gRPC, HTTP, or all; worker reads events as JSON lines from standard input "
        "and needs a storage",
    )
    parser.add_argument(
        "--store",
        metavar="URL",
        help="storage of events: sqlite:///PATH, mongodb://HOST/DATABASE or immudb://USER:PASSWORD@HOST/DATABASE"
        "; variable MONGODB_URL, also in .env",
    )
    parser.add_argument(
        "--flush-interval",
        metavar="DURATION",
        default=_FLUSH_INTERVAL,
        help=f"time between two flushes to the storage, as 500ms or 1m [default: {_FLUSH_INTERVAL}]",
    )
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


async def _run(arguments: argparse.Namespace) -> int:
    tracker: AsyncTracker = importlib.import_module("poh_holdmetrics.tracker").AsyncTracker()
    flush = _storage_flush(arguments, tracker)
    stop = asyncio.Event()
    with _Signals(stop) as signals:
        if arguments.command != "worker":
            await _serve(arguments, tracker, flush, signals)
            return 0
        if flush is None:
            raise InputError("--store", "missing; give the storage of the worker, or set MONGODB_URL")
        return await _work(tracker, flush, signals)


async def _serve(
    arguments: argparse.Namespace, tracker: AsyncTracker, flush: StorageFlush | None, signals: _Signals
) -> None:
    """Serve until a signal."""
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
    limits = {} if flush is None else {"check_room": flush.check_room}
    service: HoldService = importlib.import_module("poh_holdmetrics.api.hold_service").HoldService(
        tracker, **limits
    )
    service.figures.flush = flush
    kept = "in memory only" if flush is None else f"in the storage every {arguments.flush_interval}"
    async with AsyncExitStack() as stack:
        if flush is not None:
            # First, so that it ends last and flushes what the servers accepted until then.
            await stack.enter_async_context(flush)
        for name, server_class in servers.items():
            address = addresses[name]
            server = await stack.enter_async_context(server_class(service, address, tls=tls, access=access))
            listening = Address(address.host, server.port)
            _log.info("Listening for %s on %s; events are kept %s.", name, listening, kept)
        await signals.stop.wait()
        _log.info("Stopping: calls in progress may finish.")
        signals.end_on_second(asyncio.current_task())
    _log.info("Stopped after %d events.", service.sequence)


async def _work(tracker: AsyncTracker, flush: StorageFlush, signals: _Signals) -> int:
    """Record lines of standard input until its end or a signal; the exit code, 1 if some were refused."""
    module = importlib.import_module("poh_holdmetrics.event_lines")
    lines: EventLines = module.EventLines(tracker, flush.room, name="standard input")
    async with flush:
        _log.info("Reading events as JSON lines from standard input.")
        reading = asyncio.create_task(lines.read(sys.stdin.fileno()))
        stopped = asyncio.create_task(signals.stop.wait())
        await asyncio.wait([reading, stopped], return_when=asyncio.FIRST_COMPLETED)
        signals.end_on_second(asyncio.current_task())
        stopped.cancel()
        if reading.done():
            reading.result()
        reading.cancel()
    _log.info("Stopped: %d lines recorded, %d refused.", lines.accepted, lines.refused)
    return EXIT_FAILED if lines.refused else 0


def _storage_flush(arguments: argparse.Namespace, tracker: AsyncTracker) -> StorageFlush | None:
    """The flush to the storage that was given, whose packages are imported for it alone."""
    urls = importlib.import_module("poh_holdmetrics.storage.urls")
    url = arguments.store or urls.configured_url()
    if url is None:
        return None
    storage = urls.storage_from_url(url, fallback=False)
    module = importlib.import_module("poh_holdmetrics.storage.flush")
    flush: StorageFlush = module.StorageFlush(tracker, storage, interval=arguments.flush_interval)
    return flush


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
        self.stop = stop
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
        self.stop.set()
        if self._task is not None:
            self._task.cancel()


if __name__ == "__main__":
    sys.exit(main())
