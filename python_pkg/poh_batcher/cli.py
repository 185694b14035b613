"""The command `poh-batcher`: lines of JSON from standard input into batches, and batches read back.

Standard output has what was stored, or what was read; everything else goes to standard error. Exit codes: 0
all is well; 1 something is not stored, is damaged, or cannot be read; 2 wrong arguments; 3 all is stored but
lines were refused; 130 ended by Ctrl-C or SIGTERM, and everything that was read is stored.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Any

import click
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from poh_batcher.batcher import AsyncBatcher, Backoff
from poh_batcher.errors import BatcherError, NotStored
from poh_batcher.feeding import LineFeed, RefusedLine, chunks_of
from poh_batcher.reading import FAILED, print_items, report_batches
from poh_batcher.storage import storage_from_url
from poh_batcher.store import BatchStore
from poh_batcher.types import AckItem, PackedBatch
from poh_batcher.version import __version__

if TYPE_CHECKING:
    from poh_batcher.types import Codec

_REFUSED, _INTERRUPTED = 3, 130
#: Refused lines that are shown; all are counted.
_SHOWN_MAX = 10


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="poh-batcher")
@click.option(
    "-n",
    "--batch-size",
    default=500,
    show_default=True,
    type=click.IntRange(1),
    help="Most items in a batch.",
)
@click.option(
    "-t",
    "--batch-timeout",
    default=1.5,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Seconds after its first item at which a batch is stored.",
)
@click.option(
    "-o",
    "--output-dir",
    default="file://./batches",
    show_default=True,
    help="Where: file:///path, s3://bucket/prefix, gs:// or az://.",
)
@click.option(
    "--model",
    default="ack",
    show_default=True,
    help="What a line is: ack (id, timestamp, signature, pubkey), json (any object), or module:Class.",
)
@click.option(
    "--codec", type=click.Choice(["zstd", "gzip", "none"]), help="Without it zstd if installed, else gzip."
)
@click.option("--level", type=int, help="Level of the codec: gzip 0 to 9, zstd 1 to 22.")
@click.option(
    "--rejects", type=click.File("wb", lazy=True), help="File for refused lines, as they were read."
)
@click.option(
    "--attempts",
    default=10,
    show_default=True,
    type=click.IntRange(0),
    help="Attempts to store a batch before giving up; 0 tries for ever.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Report each stored batch and the end as lines of JSON."
)
@click.pass_context
def main(
    context: click.Context,
    *,
    batch_size: int,
    batch_timeout: float,
    output_dir: str,
    model: str,
    codec: Codec | None,
    level: int | None,
    rejects: IO[bytes] | None,
    attempts: int,
    as_json: bool,
) -> None:
    r"""Store lines of JSON from standard input in compressed batches.

    \b
    cat acks.jsonl | poh-batcher -n 500 -t 2.0 -o file:///tmp/batches --rejects bad.jsonl
    poh-batcher cat file:///tmp/batches | jq .id
    poh-batcher verify file:///tmp/batches

    Each stored batch is reported once it is safe. The end of input and Ctrl-C store what was read; a second
    Ctrl-C gives up. Exit codes: 0 all stored, 1 not all stored, 2 wrong arguments, 3 lines were refused, 130
    interrupted with everything that was read stored.
    """
    if context.invoked_subcommand is not None:
        return
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    run = _Run(_store(output_dir), as_json=as_json, rejects=rejects)
    feed = LineFeed(_model(model), run.refuse)
    run.feed = feed
    try:
        batcher = AsyncBatcher(
            max_items=batch_size,
            timeout=batch_timeout,
            sink=run.sink,
            codec=codec,
            level=level,
            backoff=Backoff(attempts=attempts or None),
        )
    except (ValueError, RuntimeError) as error:
        raise click.UsageError(str(error)) from error
    context.exit(asyncio.run(run.all(batcher)))


class _Run:
    """One run: what it reports while it stores, and its exit code."""

    def __init__(self, store: BatchStore, *, as_json: bool, rejects: IO[bytes] | None) -> None:
        self._store = store
        self._as_json = as_json
        self._rejects = rejects
        self._stored = 0
        self._batches = 0
        self._through = 0
        self._console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[stored]} items in {task.fields[batches]} batches stored"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None, stored=0, batches=0)
        self.feed: LineFeed

    async def sink(self, batch: PackedBatch) -> None:
        """Store a batch, then report it."""
        stored = await self._store(batch)
        self._stored += batch.header.count
        self._batches += 1
        self._through = self.feed.stored_through(batch.header.count)
        url = self._store.storage.get_url(stored.key)
        self._progress.update(self._task, stored=self._stored, batches=self._batches)
        fields = {"sequence": stored.sequence, "url": url, "count": batch.header.count, "line": self._through}
        click.echo(json.dumps(fields) if self._as_json else url)

    def refuse(self, refused: RefusedLine) -> None:
        """Keep a refused line, and show the first ones."""
        if self._rejects is not None:
            self._rejects.write(refused.line + b"\n")
            self._rejects.flush()
        if self.feed.refused <= _SHOWN_MAX:
            self._say(f"line {refused.number}: {refused.reason}")

    async def all(self, batcher: AsyncBatcher) -> int:
        """Feed, drain, and report the end."""
        stopped = asyncio.Event()
        failure: BatcherError | None = None
        stdin = sys.stdin.buffer
        if stdin.isatty():
            self._say("reading lines of JSON from the terminal; Ctrl-D ends them")
        main_task = asyncio.current_task()

        def interrupt() -> None:
            if stopped.is_set() and main_task is not None:
                main_task.cancel()
            stopped.set()

        with _interruptions(interrupt), self._progress:
            await batcher.start()
            try:
                try:
                    await self.feed.feed(chunks_of(stdin, stopped), batcher)
                except NotStored:
                    # Raised again, with all items, by `stop`.
                    stopped.clear()
                await batcher.stop()
            except BatcherError as error:
                failure = error
            except asyncio.CancelledError:
                failure = BatcherError(
                    f"{batcher.enqueued - self._stored} items are not stored: interrupted twice"
                )
        return self._end(failure, interrupted=stopped.is_set())

    def _end(self, failure: BatcherError | None, *, interrupted: bool) -> int:
        refused = self.feed.refused
        self._through = max(self._through, self.feed.stored_through(0))
        if self._as_json:
            fields = {
                "stored": self._stored,
                "batches": self._batches,
                "refused": refused,
                "line": self._through,
            }
            click.echo(json.dumps({**fields, "error": str(failure) if failure else None}))
        if refused > _SHOWN_MAX:
            self._say(f"{refused - _SHOWN_MAX} more lines were refused")
        self._say(f"{self._stored} items in {self._batches} batches stored, {refused} lines refused")
        if failure is not None:
            self._say(f"error: {failure}; everything through line {self._through} is stored or refused")
            return FAILED
        if interrupted:
            return _INTERRUPTED
        return _REFUSED if refused else 0

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _interruptions(interrupt: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM call `interrupt` in the running loop.

    The loop takes them itself where it can: a handler of `signal` alone does not wake a loop that a signal
    reaches just before it begins to wait. On Windows it cannot, and its loop wakes at every signal.
    """
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM):
            stack.callback(signal.signal, number, signal.getsignal(number))
            try:
                loop.add_signal_handler(number, interrupt)
            except NotImplementedError:
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(interrupt))
            else:
                stack.callback(loop.remove_signal_handler, number)
        yield


@main.command("cat")
@click.argument("url")
@click.option("--first", default=0, type=click.IntRange(0), help="Number of the first batch.")
@click.option("--last", type=click.IntRange(0), help="Number of the last batch.")
def cat_command(url: str, first: int, last: int | None) -> None:
    """Print the items of the batches at URL as lines of JSON, in the order of their numbers.

    Every batch is verified before it is printed; a damaged one is named on standard error, and the exit code
    is then 1.
    """
    sys.exit(asyncio.run(print_items(_store(url), first, last)))


@main.command("verify")
@click.argument("url")
@click.option(
    "--json", "as_json", is_flag=True, help="Report each batch that is not whole, and the sums, as JSON."
)
@click.option("--strict", is_flag=True, help="Exit with 1 also if a number has no batch.")
def verify_command(url: str, *, as_json: bool, strict: bool) -> None:
    """Read every batch at URL and recompute its SHA-256.

    A number without a batch is listed: its writer was killed before the batch was stored, or the file was
    removed. Exit codes: 0 all batches are whole, 1 one is damaged, or there is none.
    """
    sys.exit(asyncio.run(report_batches(_store(url), as_json=as_json, strict=strict)))


def _store(url: str) -> BatchStore:
    try:
        return BatchStore(storage_from_url(url))
    except (ValueError, RuntimeError) as error:
        raise click.UsageError(str(error)) from error


def _model(name: str) -> TypeAdapter[Any]:
    if name == "ack":
        return TypeAdapter(AckItem)
    if name == "json":
        return TypeAdapter(dict[str, Any])
    module, separator, attribute = name.partition(":")
    if not separator:
        raise click.UsageError(f"--model {name}: expected ack, json or module:Class")
    try:
        return TypeAdapter(getattr(importlib.import_module(module), attribute))
    except (ImportError, AttributeError) as error:
        raise click.UsageError(f"--model {name}: {error}") from error
