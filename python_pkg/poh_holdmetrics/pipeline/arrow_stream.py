"""A batch of plain Python as an Arrow stream, as native batches have it, for sinks that write tables.

Made with pyarrow, which is imported when a stream is asked for; columns and types are those of a native
batch, so that `score` reads a Parquet file of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from poh_holdmetrics import wads
from poh_holdmetrics.pipeline.port import ABSENT_US

if TYPE_CHECKING:
    from collections.abc import Iterable

    from poh_holdmetrics.pipeline.port import Batch


def arrow_stream(batch: Batch, requested_schema: object) -> object:
    """The stream of the batch. Raises `ImportError` with one sentence if pyarrow is not installed."""
    try:
        arrow: Any = importlib.import_module("pyarrow")
    except ImportError as error:
        raise ImportError(
            "a batch outside of main_holdmetrics is read as Arrow by pyarrow, which is not installed; "
            "run pip install pyarrow"
        ) from error
    time = arrow.timestamp("us", tz="UTC")
    columns = {
        "token_id": (batch.token_id, arrow.string(), False),
        "holder_id": (batch.holder_id, arrow.string(), False),
        "start": (_times(batch.start_us), time, True),
        "end": (_times(batch.end_us), time, True),
        "weight": (_decimals(batch.weight_wads), arrow.string(), True),
        "event_id": (batch.event_id, arrow.string(), True),
        "revision": (batch.revision.tolist(), arrow.int64(), False),
        "retract": (map(bool, batch.retract), arrow.bool_(), False),
        "at": (_times(batch.at_us), time, True),
        "delta": (_decimals(batch.delta_wads), arrow.string(), True),
        "seq": (batch.seq.tolist(), arrow.int64(), False),
        "sequence": (batch.sequence.tolist(), arrow.int64(), False),
    }
    schema = arrow.schema([arrow.field(name, kind, nulls) for name, (_, kind, nulls) in columns.items()])
    arrays = [arrow.array(list(values), kind) for values, kind, _ in columns.values()]
    return arrow.Table.from_arrays(arrays, schema=schema).__arrow_c_stream__(requested_schema)


def _times(column: Iterable[int]) -> list[int | None]:
    return [None if us == ABSENT_US else us for us in column]


def _decimals(column: Iterable[int | None]) -> list[str | None]:
    return [None if steps is None else f"{wads.decimal_from_wad(steps):f}" for steps in column]
