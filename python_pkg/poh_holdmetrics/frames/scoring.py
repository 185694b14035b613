"""`score`: a data frame, files or a list of events to scores, in one synchronous call.

Uses no event loop and runs inside one. The result is in `result`, what may be given is in `sources`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from warnings import warn

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.frames.result import HoldScores
from poh_holdmetrics.frames.sources import events_from
from poh_holdmetrics.hold_warnings import DataWarning, check_window, refuse
from poh_holdmetrics.input_options import InputOptions
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from poh_holdmetrics.column_types import Arrow
    from poh_holdmetrics.data_models import HoldEvent, Transfer
    from poh_holdmetrics.input_options import BinaryIds, InputFormat, TimeUnit, TokenKind
    from poh_holdmetrics.instants import Instant

    Path = str | os.PathLike[str]
    #: A lazy frame of polars has no type of its own here.
    Source = Path | Arrow | Iterable[HoldEvent | Transfer | Path] | object


def score(
    frame_or_path: Source,
    as_of: Instant | None = None,
    from_: Instant | None = None,
    *,
    exclude: Collection[str] = (),
    closed_only: bool = False,
    columns: Mapping[str, str] | None = None,
    token: str | None = None,
    time_unit: TimeUnit | None = None,
    assume_utc: bool = False,
    decimals: int | None = None,
    null: Collection[str] = (),
    fold_hex_ids: bool = False,
    binary_ids: BinaryIds | None = None,
    delimiter: str | None = None,
    input_format: InputFormat | None = None,
    token_kind: TokenKind | None = None,
    blocks: Path | None = None,
    decimals_file: Path | None = None,
    mapping: Path | None = None,
    strict: bool = False,
) -> HoldScores:
    """The exact scores of all holders over [from_, as_of); without `as_of` until now.

    Takes a frame of polars (also lazy), pandas, pyarrow or duckdb, the path of a file, several paths, or a
    list of `HoldEvent` and `Transfer`. Holders in `exclude` are left out before ranking.

    The other arguments are the options of `main_holdmetrics score`: `columns` maps fields to the names of the
    frame or file, as in `{"holder_id": "user"}`, or to a text in double quotes; `token` is the token of every
    row; `time_unit` is that of integer times (`s`, `ms`, the default, `us` or `ns`); with `assume_utc` text
    without an offset is UTC and a date its midnight; amounts are counts of 10^-`decimals`; `null` are texts
    that mean an absent value; `mapping` is a TOML file with such options. Raises `InputError` that names the
    column, the row or the line.

    What is valid and probably not meant is warned about as `DataWarning`, and is listed in `warnings` of the
    result; with `strict` it is raised as `InputError`.
    """
    if isinstance(exclude, str):
        raise InputError("exclude", f'expected a list of holders; write exclude=["{exclude}"]')
    window = Window.of(datetime.now(UTC) if as_of is None else as_of, from_, closed_only=closed_only)
    check_window(window, is_now=as_of is None)
    options = InputOptions.of(
        {
            "mapping": mapping,
            "input_format": input_format,
            "columns": columns,
            "token": token,
            "time_unit": time_unit,
            "assume_utc": assume_utc,
            "decimals": decimals,
            "null": null,
            "delimiter": delimiter,
            "token_kind": token_kind,
            "blocks": blocks,
            "decimals_file": decimals_file,
            "fold_hex_ids": fold_hex_ids,
            "binary_ids": binary_ids,
        }
    )
    events = events_from(frame_or_path, options)
    scores = HoldScores.with_warnings(events, window, frozenset(exclude), options.time_unit)
    if strict:
        refuse(scores.warnings)
    for warning in scores.warnings:
        warn(str(warning), DataWarning, stacklevel=2)
    return scores
