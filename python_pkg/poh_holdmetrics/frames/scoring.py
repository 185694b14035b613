"""`score`: a data frame, files or a list of events to scores, in one synchronous call.

Uses no event loop and runs inside one. The result is in `result`, what may be given is in `sources`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.frames.result import HoldScores
from poh_holdmetrics.frames.sources import events_from
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from poh_holdmetrics.column_types import Arrow
    from poh_holdmetrics.data_models import HoldEvent, Transfer
    from poh_holdmetrics.frames.columns import TimeUnit
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
    columns: Mapping[str, str] | None = None,
    time_unit: TimeUnit | None = None,
    closed_only: bool = False,
) -> HoldScores:
    """The exact scores of all holders over [from_, as_of); without `as_of` until now.

    Takes a frame of polars (also lazy), pandas, pyarrow or duckdb, the path of a file, several paths, or a
    list of `HoldEvent` and `Transfer`. Holders in `exclude` are left out before ranking. `columns` maps
    fields to the names of the frame, as in `{"holder_id": "user"}`; `time_unit` is that of integer times:
    `s`, `ms` (the default), `us` or `ns`. A frame's times have a zone. Raises `InputError` naming the column
    or the row.
    """
    if isinstance(exclude, str):
        raise InputError("exclude", f'expected a list of holders; write exclude=["{exclude}"]')
    window = Window.of(datetime.now(UTC) if as_of is None else as_of, from_, closed_only=closed_only)
    return HoldScores.of(events_from(frame_or_path, columns, time_unit), window, frozenset(exclude))
