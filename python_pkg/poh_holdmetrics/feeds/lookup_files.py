"""The files of `--blocks` and `--decimals-file`: JSON or CSV, with the columns of any known export."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from poh_holdmetrics.errors import InputError, Refused, excerpt
from poh_holdmetrics.feeds.json_rows import row_from_json
from poh_holdmetrics.feeds.layout import FeedLayout, FeedRow
from poh_holdmetrics.feeds.lookups import NO_LOOKUPS, BlockTimes, Lookups, TokenDecimals, token_key
from poh_holdmetrics.feeds.quantities import DECIMALS_MAX, decimals, small_number
from poh_holdmetrics.feeds.tables import BLOCKS, DECIMALS, Role, Table
from poh_holdmetrics.feeds.transfers import time_of
from poh_holdmetrics.file_reader import CsvBatch, batches_of
from poh_holdmetrics.input_options import OWN
from poh_holdmetrics.instants import text_from_us

if TYPE_CHECKING:
    from poh_holdmetrics.input_options import InputOptions


def lookups_of(options: InputOptions) -> Lookups:
    """The files that the options name, read; raises `InputError`."""
    if options.blocks is None and options.decimals_file is None:
        return NO_LOOKUPS
    option = "blocks"
    try:
        blocks = None if options.blocks is None else _block_times(options.blocks)
        option = "decimals_file"
        listed = None if options.decimals_file is None else _token_decimals(options.decimals_file)
    except InputError as error:
        raise InputError(option, str(error)) from error
    return Lookups(blocks, listed)


def _block_times(file: str) -> BlockTimes:
    times: dict[int, int] = {}
    for line, layout, row in _rows(file, BLOCKS):
        text = layout.text(row, Role.BLOCK) or ""
        block = small_number(text)
        if block is None:
            raise _refused(file, line, f"block: {excerpt(text)} is not the number of a block")
        value = layout.time(row, Role.TIME)
        if value is None:
            raise _refused(file, line, f"time: missing for block {block}")
        try:
            at_us = time_of(value)
        except Refused as refused:
            raise _refused(file, line, f"time: of block {block}: {refused.reason.for_files}") from refused
        if times.setdefault(block, at_us) != at_us:
            first, second = map(text_from_us, sorted((times[block], at_us)))
            raise InputError(
                file,
                f"read as {BLOCKS.name}: block {block} has two times, {first} and {second}; keep one of them",
            )
    return BlockTimes(file, times)


def _token_decimals(file: str) -> TokenDecimals:
    found: dict[str, int] = {}
    for line, layout, row in _rows(file, DECIMALS):
        token = layout.text(row, Role.CONTRACT)
        if token is None:
            raise _refused(file, line, "token: missing")
        text = layout.text(row, Role.DECIMALS) or ""
        number = decimals(text)
        if number is None:
            raise _refused(file, line, f"decimals: {excerpt(text)} is not from 0 to {DECIMALS_MAX}")
        other = found.setdefault(token_key(token), number)
        if other != number:
            raise _refused(
                file, line, f"decimals: {other} and {number} for token {excerpt(token)}; keep one of them"
            )
    return TokenDecimals(file, found)


def _rows(file: str, table: Table) -> Iterator[tuple[int, FeedLayout, FeedRow]]:
    layout: FeedLayout | None = None
    for batch in batches_of(file, OWN):
        rows: Iterable[tuple[int, FeedRow | Refused]]
        if isinstance(batch, CsvBatch):
            layout = layout or FeedLayout(file, table, OWN, NO_LOOKUPS, batch.header)
            rows = batch.feed_rows()
        else:
            layout = layout or FeedLayout(file, table, OWN, NO_LOOKUPS, None)
            columns = layout.columns
            rows = ((line, row_from_json(text, columns)) for line, text in batch.rows())
        for line, row in rows:
            if isinstance(row, Refused):
                raise _refused(file, line, str(row))
            yield line, layout, row


def _refused(file: str, line: int, reason: str) -> InputError:
    return InputError(f"{file}: line {line}", reason)
