"""Segments and published scores as frames of a `link`: integers as raw bytes, the rest as lines of JSON.

A line has a bounded number of rows, because one call of `json` lets no other thread run. For two processes of
one machine and one version of the package, as `batch_frames`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.policies.segments import Segments
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poh_holdmetrics.pipeline.port import PublishedRow

_ROWS_OF_LINE = 4096
_INT64_BYTES = 8


def frame_from_segments(segments: Segments) -> tuple[dict[str, Any], bytes]:
    """The JSON value and the bytes of segments."""
    about = {
        "rows": len(segments),
        "as_of_us": segments.as_of_us,
        "from_us": segments.from_us,
        "closed_only": segments.closed_only,
    }
    texts = list(zip(segments.holder_id, segments.token_id, segments.weight_wads, strict=True))
    return about, segments.start_us.tobytes() + segments.end_us.tobytes() + _lines(texts)


def segments_from_frame(about: Mapping[str, Any], body: bytes) -> Segments:
    """The segments of a frame."""
    column_bytes = int(about["rows"]) * _INT64_BYTES
    starts, ends = body[:column_bytes], body[column_bytes : 2 * column_bytes]
    texts = _rows(body[2 * column_bytes :])
    return Segments(
        holder_id=tuple([row[0] for row in texts]),
        token_id=tuple([row[1] for row in texts]),
        start_us=memoryview(starts).cast("q"),
        end_us=memoryview(ends).cast("q"),
        weight_wads=tuple([row[2] for row in texts]),
        **Window(about["as_of_us"], about["from_us"], about["closed_only"])._asdict(),
    )


def body_from_scores(rows: Sequence[PublishedRow]) -> bytes:
    """The bytes of published scores."""
    return _lines(rows)


def scores_from_body(body: bytes) -> list[PublishedRow]:
    """The scores of a body. Raises `ValueError` or `TypeError` for anything else."""
    return [(str(holder_id), int(held_us), str(steps)) for holder_id, held_us, steps in _rows(body)]


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    parts = (rows[begin : begin + _ROWS_OF_LINE] for begin in range(0, len(rows), _ROWS_OF_LINE))
    return b"\n".join(json.dumps(part, separators=(",", ":")).encode() for part in parts)


def _rows(body: bytes) -> list[list[Any]]:
    return [row for line in body.splitlines() for row in json.loads(line)]
