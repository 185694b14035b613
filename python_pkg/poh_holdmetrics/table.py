"""Tables for people: aligned columns, digits grouped by thousands, durations in words.

Takes values and returns text; JSON output is in `commands`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from poh_holdmetrics import instants

if TYPE_CHECKING:
    from poh_holdmetrics.file_scorer import ComparedFiles, ScoredFiles
    from poh_holdmetrics.policies.moves import Move
    from poh_holdmetrics.policies.published import NamedPolicy
    from poh_holdmetrics.windows import Window

_HEADER = ("rank", "holder", "held", "score")
_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
#: Largest units shown of a duration: days and hours, or hours and minutes.
_UNITS_SHOWN = 2


def text_table(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> str:
    """Rows under their header, each column as wide as needed; those in `right` end at its right edge."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def table_from_scores(scores: ScoredFiles) -> str:
    """The rows under a header, then one line with the counts and the window."""
    lines = [_HEADER]
    lines += [
        (f"{rank:,}", holder, duration(held_us), _grouped(score))
        for rank, holder, held_us, score, _ in scores.rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADER))]
    text = "".join(
        f"{rank:>{widths[0]}}  {holder:<{widths[1]}}  {held:>{widths[2]}}  {score:>{widths[3]}}\n"
        for rank, holder, held, score in lines
    )
    return f"{text}\n{_summary(scores)}\n{_policy_line(scores.policy)}"


def table_from_moves(compared: ComparedFiles) -> str:
    """Who moves, under a header, then how many do, and the two policies."""
    lines = [("holder", "rank", "score")]
    lines += [
        (move.holder_id, _change(move.rank_before, move.rank_after), _change_of_score(move))
        for move in compared.moves
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    text = "".join(
        f"{holder:<{widths[0]}}  {rank:>{widths[1]}}  {score:>{widths[2]}}\n" for holder, rank, score in lines
    )
    shown = f" ({len(compared.moves):,} shown)" if len(compared.moves) < compared.moved else ""
    return (
        f"{text}\n"
        f"{compared.moved:,} of {compared.holders:,} holders move{shown}; {_window(compared.window)}\n"
        f"before: {_named(compared.before)}\nafter: {_named(compared.after)}\n"
    )


def _change(before: int | None, after: int | None) -> str:
    old, new = ("-" if rank is None else f"{rank:,}" for rank in (before, after))
    return f"{old} -> {new}"


def _change_of_score(move: Move) -> str:
    old, new = ("-" if score is None else _grouped(score) for score in (move.score_before, move.score_after))
    return f"{old} -> {new}"


def _policy_line(policy: NamedPolicy | None) -> str:
    return "" if policy is None else f"policy {_named(policy)}\n"


def _named(policy: NamedPolicy | None) -> str:
    return "no policy" if policy is None else f"{policy.name}, version {policy.version}"


def duration(held_us: int) -> str:
    """A duration in its two largest units: `3 d 4 h`; under a second in seconds with decimals."""
    seconds, micros = divmod(held_us, instants.MICROS_PER_SECOND)
    if seconds == 0:
        return f"0.{micros:06d} s".replace("0.000000 s", "0 s")
    parts: list[str] = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts[:_UNITS_SHOWN])


def _grouped(score: str) -> str:
    whole, point, part = score.partition(".")
    return f"{int(whole):,}{point}{part}"


def _summary(scores: ScoredFiles) -> str:
    count = len(scores.deficits)
    deficits = f"; {count:,} balance{'s' if count > 1 else ''} fell below 0" if count else ""
    return (
        f"{scores.holders:,} holders, {scores.accepted:,} of {scores.read:,} events accepted, "
        f"{len(scores.rejected):,} refused; {_window(scores.window)}{deficits}"
    )


def _window(window: Window) -> str:
    since = "" if window.from_us is None else f"from {instants.text_from_us(window.from_us)} "
    closed = ", closed holds only" if window.closed_only else ""
    return f"{since}as of {instants.text_from_us(window.as_of_us)}{closed}"
