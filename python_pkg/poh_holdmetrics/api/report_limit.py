"""Limits how much an answer lists, so that every client accepts its size, as the binary limits it.

Both protocols list the same: tokens, segments and changes of one holder, and the keys of a page of deficits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poh_holdmetrics.api.answers import DeficitPage, KeyReport
    from poh_holdmetrics.pure.statement import Deficit

_SEGMENTS_MAX = 20_000
_CHANGES_MAX = 20_000
_TOKEN_BYTES_MAX = 1 << 20
#: With its tokens, a report stays below 4 MiB, the default maximum of gRPC clients.
_ROW_BYTES_MAX = 3 * (1 << 20) - (1 << 16)
#: The largest size of each, besides its ids.
_TOKEN_BYTES = 16
_SEGMENT_BYTES = 105
_CHANGE_BYTES = 130
_DEFICIT_BYTES = 128
_ID_BYTES = 3
_EVENT_IDS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKeys:
    """The keys of a holder that are listed, and how much is not."""

    keys: Sequence[KeyReport]
    keys_left_out: int
    segments_left_out: int
    changes_left_out: int


def listed_keys(keys: Sequence[KeyReport]) -> ListedKeys:
    """List keys in order until a limit is reached; of the last one perhaps only a first part."""
    segments_left, changes_left = _SEGMENTS_MAX, _CHANGES_MAX
    token_bytes_left, row_bytes_left = _TOKEN_BYTES_MAX, _ROW_BYTES_MAX
    listed: list[KeyReport] = []
    keys_left_out = segments_left_out = changes_left_out = 0
    for key in keys:
        known = key.changes[:changes_left]
        changes_left -= len(known)
        token_bytes = _TOKEN_BYTES + len(key.token_id.encode())
        deficit_bytes = 0 if key.deficit is None else _deficit_bytes(key.deficit)
        is_full = keys_left_out > 0 or segments_left == 0
        if is_full or token_bytes > token_bytes_left or deficit_bytes > row_bytes_left:
            keys_left_out += 1
            segments_left_out += len(key.segments)
            changes_left_out += len(key.changes)
            continue
        token_bytes_left -= token_bytes
        row_bytes_left -= deficit_bytes
        segments = key.segments[: min(segments_left, row_bytes_left // _SEGMENT_BYTES)]
        segments_left -= len(segments)
        row_bytes_left -= len(segments) * _SEGMENT_BYTES
        fitting, row_bytes_left = _fitting(
            (_CHANGE_BYTES + len(change.event_id.encode()) for change in known), row_bytes_left
        )
        segments_left_out += len(key.segments) - len(segments)
        changes_left_out += len(key.changes) - fitting
        listed.append(replace(key, segments=segments, changes=known[:fitting]))
    return ListedKeys(
        keys=listed,
        keys_left_out=keys_left_out,
        segments_left_out=segments_left_out,
        changes_left_out=changes_left_out,
    )


def listed_deficits(page: DeficitPage) -> DeficitPage:
    """The page cut to what fits into one answer."""
    fitting, _ = _fitting(map(_deficit_bytes, page.deficits), _ROW_BYTES_MAX)
    if fitting == len(page.deficits):
        return page
    last = page.deficits[fitting - 1]
    return replace(page, deficits=page.deficits[:fitting], next=(last.token_id, last.holder_id))


def listed_event_ids(deficit: Deficit) -> tuple[list[str], int]:
    """The event ids that are listed, and the number of the others."""
    return deficit.event_ids[:_EVENT_IDS_MAX], max(0, len(deficit.event_ids) - _EVENT_IDS_MAX)


def _deficit_bytes(deficit: Deficit) -> int:
    event_ids, _ = listed_event_ids(deficit)
    ids = len(deficit.token_id.encode()) + len(deficit.holder_id.encode())
    return _DEFICIT_BYTES + ids + sum(_ID_BYTES + len(each.encode()) for each in event_ids)


def _fitting(sizes: Iterable[int], bytes_left: int) -> tuple[int, int]:
    """How many rows fit one after the other, and the bytes that are left then."""
    count = 0
    for size in sizes:
        if size > bytes_left:
            break
        bytes_left -= size
        count += 1
    return count, bytes_left
