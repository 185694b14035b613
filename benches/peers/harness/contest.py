"""One workload, all contenders: first that they agree, then rounds of fresh processes, then warm repeats.

The untimed pass also reads the file into the page cache, so that no contender waits for the disk. A contender
that fails or exceeds the time or memory allowed is left out afterwards, and its record says why; a different
answer ends the whole run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness import process
from harness.agreement import Disagreement, compare, top_problem
from harness.contenders import Answer, Contender, Setting, TopRow
from harness.machine import load_average
from harness.workloads import Workload, size_text


@dataclass(kw_only=True)
class Record:
    """The samples of one contender on one workload."""

    contender: Contender
    #: Wall and CPU seconds and peak bytes of whole fresh processes.
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)
    #: The work alone, without starting the process: the first time in a fresh one, and repeated.
    cold_seconds: list[float] = field(default_factory=list)
    warm_seconds: list[float] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    holders_compared: int | None = None
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class Contest:
    """The finished records of one workload."""

    workload: Workload
    records: list[Record]
    load_before: float


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The options of a contest. `say` is called with each line of progress."""

    setting: Setting
    limits: process.Limits
    rounds: int
    warm_repeats: int
    scratch: Path
    say: Callable[[str], None]


def hold(workload: Workload, contenders: Sequence[Contender], rules: Rules) -> Contest:
    """Measure `contenders` on `workload`; raises `Disagreement` if answers differ."""
    load = load_average()
    records = [Record(contender=contender) for contender in contenders]
    for record in records:
        most = record.contender.events_max
        if most is not None and workload.events > most:
            record.failure = f"not run beyond {size_text(most)} events"
    expected = _agreed_top(workload, records, rules)
    for turn in range(1, rules.rounds + 1):
        for record in _standing(records):
            answer = _ask(workload, record, rules, expected, repeat=1)
            if answer:
                record.cold_seconds += answer.seconds
                rules.say(
                    f"{workload.label} round {turn} of {rules.rounds}: {record.contender.title} "
                    f"{record.seconds[-1]:.2f} s, {record.peak_bytes[-1] / 1e6:.0f} MB"
                )
    for record in _standing(records):
        if record.contender.is_warmed and rules.warm_repeats:
            kept = len(record.seconds)
            answer = _ask(workload, record, rules, expected, repeat=rules.warm_repeats + 1)
            # This process did more work than the fresh ones: its totals are not comparable.
            del record.seconds[kept:], record.cpu_seconds[kept:], record.peak_bytes[kept:]
            if answer:
                record.warm_seconds += answer.seconds[1:]
    return Contest(workload=workload, records=records, load_before=load)


def _standing(records: list[Record]) -> list[Record]:
    return [record for record in records if record.failure is None]


def _agreed_top(workload: Workload, records: list[Record], rules: Rules) -> list[TopRow]:
    """Have every contender write its scores, compare each file with the first one, return the top list."""
    reference: Path | None = None
    top: list[TopRow] = []
    files: list[Path] = []
    # The reference is an exact contender.
    for record in sorted(_standing(records), key=lambda record: not record.contender.is_exact):
        name = record.contender.name
        scores = rules.scratch / f"scores-{workload.path.stem}-{name}.parquet"
        files.append(scores)
        command = record.contender.command(rules.setting, workload, scores=scores)
        ran = process.run(command, rules.limits, record.contender.environment)
        if ran.failure:
            record.failure = ran.failure
            rules.say(f"{workload.label}: {record.contender.title} is out: {ran.failure}")
            continue
        reference = reference or scores
        record.holders_compared, problem, top = compare(
            reference, scores, python=rules.setting.python, top=rules.setting.top
        )
        if problem:
            raise Disagreement(f"{workload.label}: {name} against {reference.stem}: {problem}")
        rules.say(f"{workload.label}: {record.contender.title} agrees on {record.holders_compared} holders")
    for file in files:
        file.unlink(missing_ok=True)
    return top


def _ask(
    workload: Workload, record: Record, rules: Rules, expected: list[TopRow], *, repeat: int
) -> Answer | None:
    """One fresh process; None if it gave no answer, with the failure in the record."""
    contender = record.contender
    command = contender.command(rules.setting, workload, repeat=repeat)
    ran = process.run(command, rules.limits, contender.environment)
    if ran.failure:
        record.failure = ran.failure
        rules.say(f"{workload.label}: {contender.title} is out: {ran.failure}")
        return None
    answer = contender.answer(ran.output)
    problem = top_problem(expected, answer.top)
    if problem:
        raise Disagreement(f"{workload.label}: {contender.name} in a timed run: {problem}")
    record.seconds.append(ran.seconds)
    record.cpu_seconds.append(ran.cpu_seconds)
    record.peak_bytes.append(ran.peak_bytes)
    record.versions.update(answer.versions)
    return answer
