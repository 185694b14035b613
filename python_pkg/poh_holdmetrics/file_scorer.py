"""Files of hold events to one scored set: counted, scored, refused lines listed.

Several files are one set. Prints nothing and reads no clock; the command line is `cli`, files are read in
`file_reader`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from poh_holdmetrics import native, wads
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.feeds.lookup_files import lookups_of
from poh_holdmetrics.file_reader import batches_read
from poh_holdmetrics.hold_warnings import hold_warnings, no_event
from poh_holdmetrics.input_options import OWN, InputOptions
from poh_holdmetrics.policies.moves import Move, moves_between
from poh_holdmetrics.policies.published import published
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.findings import Finder
from poh_holdmetrics.pure.statement import Deficit
from poh_holdmetrics.row_reader import RowReader

if TYPE_CHECKING:
    from poh_holdmetrics.feeds.layout import FeedLayout
    from poh_holdmetrics.hold_warnings import HoldWarning
    from poh_holdmetrics.policies.published import NamedPolicy
    from poh_holdmetrics.pure.findings import Findings
    from poh_holdmetrics.validation import Record
    from poh_holdmetrics.windows import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredFiles:
    """The counts, refusals and leaderboard of a set of files."""

    window: Window
    read: int
    accepted: int
    rejected: list[tuple[str, int, str]]
    recognised: list[FeedLayout]
    """The files that were read as known feeds."""
    ignored_columns: list[str]
    """The columns and keys that no field was read from."""
    rows: list[native.Row]
    holders: int
    deficits: list[Deficit]
    warnings: list[HoldWarning]
    """What is valid and probably not meant."""
    policy: NamedPolicy | None = None
    """The policy under which the scores are published."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedFiles:
    """The same set of files under two policies; None means the scores themselves."""

    window: Window
    read: int
    accepted: int
    rejected: list[tuple[str, int, str]]
    recognised: list[FeedLayout]
    """The files that were read as known feeds."""
    ignored_columns: list[str]
    before: NamedPolicy | None
    after: NamedPolicy | None
    moves: list[Move]
    """The first of those who move."""
    moved: int
    holders: int
    """How many are published by at least one of the two."""
    deficits: list[Deficit]
    warnings: list[HoldWarning]


def score_files(
    files: Sequence[str],
    window: Window,
    *,
    namespace: native.Namespace | None,
    options: InputOptions = OWN,
    stop_at_refusal: bool = True,
    limit: int | None = None,
    policy: NamedPolicy | None = None,
) -> ScoredFiles:
    """Read `files` and score them over `window`, natively if `namespace` is given, and under `policy`.

    `limit` is the number of rows returned. Raises `InputError` if a file cannot be read, if no event is
    accepted and, with `stop_at_refusal`, at the first refused line.
    """
    engine, reader, findings = _recorded(files, namespace, options, stop_at_refusal=stop_at_refusal)
    snapshot = _snapshot(engine, policy, window)
    deficits = [Deficit(*row) for row in engine.deficits(window.as_of_us)]
    return ScoredFiles(
        window=window,
        read=reader.read,
        accepted=reader.accepted,
        rejected=reader.rejected,
        recognised=reader.notes,
        ignored_columns=reader.ignored_columns(),
        rows=snapshot.rows(limit),
        holders=len(snapshot),
        deficits=deficits,
        warnings=hold_warnings(findings, window, time_unit=options.time_unit, deficits=len(deficits)),
        policy=policy,
    )


def compare_files(
    files: Sequence[str],
    window: Window,
    before: NamedPolicy | None,
    after: NamedPolicy | None,
    *,
    namespace: native.Namespace | None,
    options: InputOptions = OWN,
    stop_at_refusal: bool = True,
    limit: int | None = None,
) -> ComparedFiles:
    """Read `files` once and compare two leaderboards of them; arguments as for `score_files`."""
    engine, reader, findings = _recorded(files, namespace, options, stop_at_refusal=stop_at_refusal)
    deficits = [Deficit(*row) for row in engine.deficits(window.as_of_us)]
    rows = [_snapshot(engine, policy, window).rows() for policy in (before, after)]
    moves, holders = moves_between(*rows)
    return ComparedFiles(
        window=window,
        read=reader.read,
        accepted=reader.accepted,
        rejected=reader.rejected,
        recognised=reader.notes,
        ignored_columns=reader.ignored_columns(),
        before=before,
        after=after,
        moves=moves[:limit],
        moved=len(moves),
        holders=holders,
        deficits=deficits,
        warnings=hold_warnings(findings, window, time_unit=options.time_unit, deficits=len(deficits)),
    )


def records_from_file(file: str, options: InputOptions = OWN) -> list[Record]:
    """All records of a file in their order, a transfer as its changes. Raises `InputError`."""
    records: list[Record] = []
    reader = RowReader(records.append, options, lookups_of(options))
    for _ in batches_read(reader, file, options):
        if reader.rejected:
            name, line, reason = reader.rejected[0]
            raise InputError(f"{name}: line {line}", reason)
    return records


def _snapshot(
    engine: native.Aggregator | Aggregator, policy: NamedPolicy | None, window: Window
) -> native.Snapshot:
    return engine.snapshot(*window) if policy is None else published(policy.function, engine, window)


def _recorded(
    files: Sequence[str],
    namespace: native.Namespace | None,
    options: InputOptions,
    *,
    stop_at_refusal: bool,
) -> tuple[native.Aggregator | Aggregator, RowReader, Findings]:
    engine: native.Aggregator | Aggregator
    if namespace is None:
        engine = pure = Aggregator()
        record_into: Callable[[Record], None] = pure.add
    else:
        engine = natively = namespace.Aggregator()
        record_into = _recorder(natively)
    finder = Finder()

    def accept(record: Record) -> None:
        record_into(record)
        finder.see(record)

    reader = RowReader(accept, options, lookups_of(options))
    for file in files:
        for _ in batches_read(reader, file, options):
            if stop_at_refusal and reader.rejected:
                name, line, reason = reader.rejected[0]
                raise InputError(f"{name}: line {line}", reason)
    if not reader.accepted:
        raise no_event(files, reader.read, reader.rejected)
    return engine, reader, finder.findings()


def _recorder(engine: native.Aggregator) -> Callable[[Record], None]:
    def record_natively(record: Record) -> None:
        token_id, holder_id, start_us, end_us, wad, event_id, revision, retract, at_us, delta, seq = record
        is_change = at_us is not None or delta is not None
        engine.record(
            token_id,
            holder_id,
            start_us,
            end_us,
            None if is_change else wads.decimal_from_wad(wad),
            event_id,
            revision,
            retract,
            at_us,
            None if delta is None else wads.decimal_from_wad(delta),
            seq,
        )

    return record_natively
