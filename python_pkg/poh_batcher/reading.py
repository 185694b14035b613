"""Batches read back for the command line: their items as lines of JSON, and a report on each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import click

from poh_batcher.errors import BatchDamaged, BatcherError, KeyMissing
from poh_batcher.packing import checked_json
from poh_batcher.store import SEQUENCES

if TYPE_CHECKING:
    from poh_batcher.store import BatchStore

#: The exit code if something is damaged.
FAILED = 1


async def print_items(store: BatchStore, first: int, last: int | None) -> int:
    """Print the items of every batch that is whole; returns the exit code."""
    code = 0
    async for report, raw in _read_all(store, first, last):
        if report["state"] == "damaged":
            code = FAILED
            click.echo(f"error: {report['url']}: {report['problem']}", err=True)
        for item in json.loads(raw):
            click.echo(json.dumps(item, ensure_ascii=False, separators=(",", ":")))
    return code


async def report_batches(store: BatchStore, *, as_json: bool, strict: bool) -> int:
    """Print a line for each batch that is not whole, and the sums; returns the exit code."""
    counts = {"whole": 0, "missing": 0, "damaged": 0}
    items = 0
    async for report, _ in _read_all(store, 0, None):
        counts[report["state"]] += 1
        items += report["count"]
        if report["state"] != "whole":
            click.echo(json.dumps(report) if as_json else "{state}: {url}: {problem}".format(**report))
    if as_json:
        click.echo(json.dumps({**counts, "items": items}))
    else:
        click.echo("{whole} batches are whole, {missing} are missing, {damaged} are damaged".format(**counts))
    return FAILED if counts["damaged"] or (strict and counts["missing"]) else 0


async def _read_all(
    store: BatchStore, first: int, last: int | None
) -> AsyncIterator[tuple[dict[str, Any], bytes]]:
    """A report on each number, and the JSON array of its items, empty if it is not whole.

    Raises an error if there is no number at all, because the address may be mistyped.
    """
    found = False
    try:
        async for stored in store.batches(first, last):
            found = True
            if isinstance(stored, BatchDamaged):
                yield {"state": "damaged", "url": "", "problem": str(stored), "count": 0}, b"[]"
                continue
            url = store.storage.get_url(stored.key)
            try:
                raw = checked_json(await store.read(stored))
            except KeyMissing:
                problem = "its writer ended before it was stored, or it was removed"
                yield {"state": "missing", "url": url, "problem": problem, "count": 0}, b"[]"
            except (BatchDamaged, RuntimeError) as error:
                yield {"state": "damaged", "url": url, "problem": str(error), "count": 0}, b"[]"
            else:
                yield {"state": "whole", "url": url, "problem": "", "count": stored.header.count}, raw
    except BatcherError as error:
        raise click.ClickException(str(error)) from error
    if not found:
        address = store.storage.get_url(SEQUENCES)
        raise click.ClickException(f"{address}: there is no such batch; check the address and the numbers")
