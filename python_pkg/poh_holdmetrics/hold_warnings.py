"""What is valid and probably not meant: the codes and sentences of `docs/warnings.md`.

The binary says the same of the same events. Changes no score; what is counted is in `pure.findings`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.instants import UNIT_NAMES, text_from_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from poh_holdmetrics.input_options import TimeUnit
    from poh_holdmetrics.pure.findings import Findings, Spellings
    from poh_holdmetrics.windows import Window

EPOCH_SECONDS = "W01", "epoch-seconds"
IDS_DIFFER_BY_CASE = "W02", "ids-differ-by-case"
TIES = "W03", "ties"
CONFLICTING_FACTS = "W04", "conflicting-facts"
DEFICITS = "W05", "deficits"
AS_OF_BEFORE_EVENTS = "W06", "as-of-before-events"
#: An error.
FROM_AFTER_AS_OF = "W07", "from-after-as-of"
#: An error.
NO_EVENT = "W08", "no-event"

_FEBRUARY_1970_US = 31 * 86_400 * 1_000_000


class DataWarning(UserWarning):
    """The category of what `score` warns about."""


class HoldWarning(NamedTuple):
    """One warning; its text is its code, its name and a sentence with the cure."""

    code: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.name}: {self.text}"


def hold_warnings(
    findings: Findings, window: Window, *, time_unit: TimeUnit, deficits: int
) -> list[HoldWarning]:
    """The warnings about some events, by code: numbers were read as times in `time_unit`."""
    found = (
        _epoch_seconds(findings.between_us, UNIT_NAMES[time_unit]),
        _differ_by_case("holder", findings.holders),
        _differ_by_case("token", findings.tokens),
        _ties(findings.ties),
        _conflicts(findings.conflicts),
        _deficits(deficits),
        _before_every_event(findings.between_us, window.as_of_us),
    )
    return [warning for warning in found if warning is not None]


def warning_names(findings: Findings) -> list[str]:
    """What a service answers about events that came together: the codes and their names."""
    found = (
        (EPOCH_SECONDS, _is_january_1970(findings.between_us)),
        (IDS_DIFFER_BY_CASE, findings.holders[0] or findings.tokens[0]),
        (TIES, findings.ties),
        (CONFLICTING_FACTS, findings.conflicts),
    )
    return [" ".join(code) for code, is_found in found if is_found]


def refuse(found: Sequence[HoldWarning]) -> None:
    """Raise `InputError` with all of the warnings, if there are any: what `strict` means."""
    if found:
        raise InputError("--strict", "; ".join(map(str, found)))


def check_window(window: Window, *, is_now: bool = False) -> None:
    """Raise `InputError` if the window ends before it begins; `is_now` says that it ends now."""
    if window.from_us is not None and window.from_us > window.as_of_us:
        as_of = text_from_us(window.as_of_us) + (" (now)" if is_now else "")
        raise InputError(
            "--from",
            f"{text_from_us(window.from_us)} is after --as-of, {as_of}; give an earlier --from "
            f"({' '.join(FROM_AFTER_AS_OF)})",
        )


def no_event(files: Sequence[str], read: int, rejected: Iterable[tuple[str, int, str]]) -> InputError:
    """The error of files without an accepted event: an empty leaderboard would look like an answer."""
    where = files[0] if len(files) == 1 else f"{len(files)} files"
    first = next(iter(rejected), None)
    if first is None:
        problem = "no event in it; name a file that has rows"
    else:
        _, line, reason = first
        problem = f"none of {read} lines is an event, the first refused is line {line}: {reason}"
    return InputError(where, f"{problem} ({' '.join(NO_EVENT)})")


def _is_january_1970(between_us: tuple[int, int] | None) -> bool:
    return between_us is not None and between_us[0] >= 0 and between_us[1] < _FEBRUARY_1970_US


def _epoch_seconds(between_us: tuple[int, int] | None, unit: str) -> HoldWarning | None:
    if between_us is None or not _is_january_1970(between_us):
        return None
    first, last = map(text_from_us, between_us)
    return HoldWarning(
        *EPOCH_SECONDS,
        f"every time is in January 1970, from {first} to {last}, as if seconds had been taken for "
        f"milliseconds; numbers were read as {unit}: if that is wrong, name their unit with --time-unit",
    )


def _differ_by_case(what: str, spellings: Spellings) -> HoldWarning | None:
    count, example = spellings
    if example is None:
        return None
    one, other = map(excerpt, example)
    those = (
        f"1 {what} differs from another by case alone: {one} and {other}"
        if count == 1
        else f"{count:,} {what}s differ from others by case alone, such as {one} and {other}"
    )
    return HoldWarning(
        *IDS_DIFFER_BY_CASE,
        f"{those}; if they are one, write them alike, or read hexadecimal ids with --fold-hex-ids",
    )


def _ties(count: int) -> HoldWarning | None:
    if not count:
        return None
    those = (
        "1 instant of a key has different levels"
        if count == 1
        else f"{count:,} instants of keys have different levels"
    )
    return HoldWarning(
        *TIES,
        f"{those} without an order: a stop counts, else the largest; give the order with seq, such as a log "
        "index",
    )


def _conflicts(count: int) -> HoldWarning | None:
    if not count:
        return None
    those = (
        "1 event_id states different facts at its last revision"
        if count == 1
        else f"{count:,} event_ids state different facts at their last revision"
    )
    return HoldWarning(
        *CONFLICTING_FACTS, f"{those}: the largest counts; correct an event with a higher revision"
    )


def _deficits(count: int) -> HoldWarning | None:
    if not count:
        return None
    keys, them = ("1 key has", "it") if count == 1 else (f"{count:,} keys have", "them")
    return HoldWarning(
        *DEFICITS,
        f"{keys} a balance below 0 at some time: something is missing from the input; list {them} with "
        "--deficits FILE",
    )


def _before_every_event(between_us: tuple[int, int] | None, as_of_us: int) -> HoldWarning | None:
    if between_us is None or as_of_us > between_us[0]:
        return None
    as_of, first = text_from_us(as_of_us), text_from_us(between_us[0])
    return HoldWarning(
        *AS_OF_BEFORE_EVENTS,
        f"--as-of is {as_of}, and the first event is at {first}: nothing counts; give a later --as-of",
    )
