"""A batch as the frame of a `link`: its columns as raw bytes, its texts as JSON.

For two processes of one machine and one version of the package: nothing that is kept on disk is written so.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.pipeline.batch import ColumnBatch
from poh_holdmetrics.pipeline.port import ABSENT_US
from poh_holdmetrics.validation import Record
from poh_holdmetrics.wads import WAD

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.port import Batch

_NUMBERS = ("sequence", "start_us", "end_us", "at_us", "revision", "seq")


def frame_from_batch(batch: Batch) -> tuple[dict[str, Any], bytes]:
    """The JSON value and the bytes of a batch."""
    about = {
        "rows": len(batch),
        "first": batch.first_sequence,
        "last": batch.last_sequence,
        "is_from_facts": batch.is_from_facts,
    }
    texts = [batch.token_id, batch.holder_id, batch.event_id, batch.weight_wads, batch.delta_wads]
    columns = [getattr(batch, name).tobytes() for name in _NUMBERS]
    text = json.dumps(texts, ensure_ascii=False, separators=(",", ":")).encode()
    return about, b"".join([*columns, batch.retract.tobytes(), text])


def batch_from_frame(about: dict[str, Any], body: bytes) -> ColumnBatch:
    """The batch of a frame."""
    rows = about["rows"]
    numbers = [struct.unpack_from(f"={rows}q", body, index * 8 * rows) for index in range(len(_NUMBERS))]
    sequence, start, end, at, revision, seq = numbers
    begin = len(_NUMBERS) * 8 * rows
    retract = body[begin : begin + rows]
    token, holder, event_id, weight, delta = json.loads(body[begin + rows :])
    records = [
        Record(token_id, holder_id, begin_us, end_us, WAD if wad is None else wad, *rest)
        for token_id, holder_id, begin_us, end_us, wad, *rest in zip(
            *(token, holder, _times(start), _times(end), weight, event_id, revision),
            *(map(bool, retract), _times(at), delta, seq),
            strict=True,
        )
    ]
    return ColumnBatch(
        records,
        about["first"],
        about["last"],
        sequences=sequence,
        is_from_facts=about["is_from_facts"],
    )


def _times(column: Sequence[int]) -> list[int | None]:
    return [None if each == ABSENT_US else each for each in column]
