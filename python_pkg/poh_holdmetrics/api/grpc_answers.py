"""Answers of the service as messages, and the windows and limits of requests back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_holdmetrics import instants
from poh_holdmetrics.api.decimals import text_from_wad
from poh_holdmetrics.api.grpc_events import timestamp_from_us, us_from_timestamp
from poh_holdmetrics.api.page_tokens import deficit_page_token, page_token
from poh_holdmetrics.api.report_limit import listed_deficits, listed_event_ids, listed_keys
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.protocols import hold_pb2 as pb
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from poh_holdmetrics.api.answers import DeficitPage, HolderAnswer, KeyReport, Page, Question
    from poh_holdmetrics.native import Row
    from poh_holdmetrics.pure.statement import Deficit

_INT64_MAX = 2**63 - 1


def window_from_wire(message: Message, now_us: int) -> Window:
    """The `window` of a request; an absent `as_of` is `now_us`. Raises `Refused`."""
    if not message.HasField("window"):
        return Window(now_us, None, closed_only=False)
    window: pb.Window = getattr(message, "window")  # noqa: B009 - of several messages
    from_us = us_from_timestamp("window.from", getattr(window, "from")) if window.HasField("from") else None
    as_of_us = us_from_timestamp("window.as_of", window.as_of) if window.HasField("as_of") else now_us
    return Window(as_of_us, from_us, window.closed_only)


def count_from_wire(field: str, count: int, default: int, count_max: int) -> int:
    """How many rows: `default` for 0. Raises `Refused` for more than `count_max`."""
    if count > count_max:
        raise Refused(field, f"must be at most {count_max}, not {count}")
    return count or default


def wire_from_window(window: Window) -> pb.Window:
    """The window as it was applied."""
    wire = pb.Window(as_of=timestamp_from_us(window.as_of_us), closed_only=window.closed_only)
    if window.from_us is not None:
        getattr(wire, "from").CopyFrom(timestamp_from_us(window.from_us))
    return wire


def stat_from_row(row: Row, updated_at_us: int) -> pb.HoldStat:
    """The published statistic of one holder."""
    _, holder_id, held_us, _, weighted_score = row
    return pb.HoldStat(
        holder_id=holder_id,
        total_seconds=_seconds(held_us),
        weighted_score=weighted_score,
        updated_at=timestamp_from_us(updated_at_us),
    )


def leaderboard_from_page(question: Question, page: Page) -> pb.Leaderboard:
    """The first holders."""
    return pb.Leaderboard(
        window=wire_from_window(question.window),
        holders=map(wire_from_row, page.rows),
        sequence=page.sequence,
        holders_total=page.known,
        deficits=page.deficits,
    )


def snapshot_from_page(question: Question, page: Page) -> pb.Snapshot:
    """One page of all holders."""
    return pb.Snapshot(
        window=wire_from_window(question.window),
        holders=map(wire_from_row, page.rows),
        next_page_token="" if page.next is None else page_token(question, page.next),
        holders_total=page.known,
        sequence=page.sequence,
        deficits=page.deficits,
    )


def snapshot_from_holder(question: Question, answer: HolderAnswer | None, sequence: int) -> pb.Snapshot:
    """One holder as a snapshot; `sequence` is that of the answer that it is unknown."""
    if answer is None:
        return pb.Snapshot(window=wire_from_window(question.window), sequence=sequence)
    return pb.Snapshot(
        window=wire_from_window(question.window),
        holders=[wire_from_row(answer.row)],
        holders_total=1,
        sequence=answer.sequence,
        deficits=answer.deficits,
    )


def report_from_answer(question: Question, answer: HolderAnswer) -> pb.HolderReport:
    """One holder, explained."""
    listed = listed_keys(answer.keys)
    return pb.HolderReport(
        window=wire_from_window(question.window),
        holder=wire_from_row(answer.row),
        keys=map(_key_segments, listed.keys),
        sequence=answer.sequence,
        segments_left_out=listed.segments_left_out,
        keys_left_out=listed.keys_left_out,
        deficits=answer.deficits,
        changes_left_out=listed.changes_left_out,
    )


def deficits_from_page(question: Question, page: DeficitPage) -> pb.Deficits:
    """One page of the keys below 0."""
    listed = listed_deficits(page)
    return pb.Deficits(
        as_of=timestamp_from_us(question.window.as_of_us),
        deficits=map(_deficit, listed.deficits),
        next_page_token="" if listed.next is None else deficit_page_token(question, listed.next),
        deficits_total=listed.known,
        sequence=listed.sequence,
    )


def wire_from_row(row: Row) -> pb.HolderScore:
    """One holder over the window."""
    rank, holder_id, held_us, score, weighted_score = row
    return pb.HolderScore(
        rank=rank,
        holder_id=holder_id,
        held_us=str(held_us),
        score=score,
        weighted_score=weighted_score,
        total_seconds=_seconds(held_us),
    )


def _seconds(held_us: int) -> int:
    return min(held_us // instants.MICROS_PER_SECOND, _INT64_MAX)


def _key_segments(key: KeyReport) -> pb.KeySegments:
    return pb.KeySegments(
        token_id=key.token_id,
        segments=[
            pb.Segment(
                start=timestamp_from_us(segment.start_us),
                end=None if segment.end_us is None else timestamp_from_us(segment.end_us),
                weight=text_from_wad(segment.wad),
            )
            for segment in key.segments
        ],
        changes=[
            pb.BalanceChange(
                at=timestamp_from_us(change.at_us),
                event_id=change.event_id,
                delta=text_from_wad(change.delta),
                balance=text_from_wad(change.balance),
            )
            for change in key.changes
        ],
        deficit=None if key.deficit is None else _deficit(key.deficit),
    )


def _deficit(deficit: Deficit) -> pb.Deficit:
    event_ids, left_out = listed_event_ids(deficit)
    return pb.Deficit(
        token_id=deficit.token_id,
        holder_id=deficit.holder_id,
        at=timestamp_from_us(deficit.at_us),
        balance=text_from_wad(deficit.balance),
        event_ids=event_ids,
        event_ids_left_out=left_out,
    )
