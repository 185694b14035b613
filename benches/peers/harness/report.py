"""The table in `docs/benchmarks.md` and the file of raw samples.

The table is written between two marker lines, so that the text around it stays; if the file has no markers,
they are appended.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from harness.agreement import TOLERANCE
from harness.contest import Contest, Record
from harness.machine import Machine
from harness.paths import Unusable
from harness.workloads import NOTES, TITLES, size_text

OURS = "holdmetrics"
_HEADER = (
    "| contender | process, s | min to max | ÷ ours | first query, s | warm query, s | min to max | ÷ ours "
    "| CPU, s | peak, MB | ÷ ours |",
    "| --- | ---: | :---: | ---: | ---: | ---: | :---: | ---: | ---: | ---: | ---: |",
)


def markdown(
    contests: Sequence[Contest], *, machine: Machine, versions: dict[str, str], command: str, rounds: int
) -> str:
    """The whole text between the markers."""
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [
        f"Measured on {machine.sentence()}.",
        f"Versions: {named}.",
        "",
        f"    {command}",
        "",
        f"Medians of {rounds} interleaved rounds of fresh processes. *process* is the whole process, from "
        "start to exit; *first query* and *warm query* are the work inside a peer's process alone, the first "
        "time and repeated. Both *÷ ours* of time are against our whole process. *CPU* counts all threads. "
        "Peak is the largest resident set, 1 MB = 10^6 bytes. All contenders gave the same scores, holder by "
        "holder: held time equal to the microsecond, scores exact among exact contenders (✓) and within a "
        f"relative {TOLERANCE:g} for those that compute in doubles.",
    ]
    for contest in contests:
        lines += ["", *_section(contest)]
    lines += _scaling(contests)
    return "\n".join(lines) + "\n"


def write_between_markers(path: Path, name: str, text: str) -> None:
    """Write `text` between the markers `name` of `path`, which is created if it does not exist."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    old = path.read_text(encoding="utf-8") if path.exists() else "# Benchmarks\n"
    if old.count(begin) != old.count(end) or old.count(begin) > 1:
        raise Unusable(f"{path}: the markers {begin} and {end} must occur once each: repair them by hand")
    if begin not in old:
        old = f"{old.rstrip()}\n\n{begin}\n{end}\n"
    head, rest = old.split(begin)
    tail = rest.split(end)[1]
    new = path.with_name(f".{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    new.write_text(f"{head}{begin}\n{text}{end}{tail}", encoding="utf-8")
    new.replace(path)


def write_samples(path: Path, contests: Sequence[Contest], **about: object) -> None:
    """Every sample as JSON, with the machine and the versions."""
    measured = [
        {
            "workload": contest.workload.label,
            "file": contest.workload.path.name,
            "holders": contest.workload.holders,
            "as_of": contest.workload.as_of,
            "load_before": contest.load_before,
            "records": [{**asdict(record), "contender": record.contender.name} for record in contest.records],
        }
        for contest in contests
    ]
    path.write_text(json.dumps({**about, "contests": measured}, indent=1) + "\n", encoding="utf-8")


def _section(contest: Contest) -> list[str]:
    workload = contest.workload
    ours = next((record for record in contest.records if record.contender.name == OURS), None)
    lines = [
        f"### {workload.name}, {TITLES[workload.name]}: {size_text(workload.events)} events",
        "",
        f"{workload.holders:,} holders, as of {workload.as_of}; load average before: "
        f"{contest.load_before:.1f}. {NOTES.get(workload.name, '')}".rstrip(),
        "",
        *_HEADER,
    ]
    return lines + [_row(record, ours) for record in contest.records]


def _row(record: Record, ours: Record | None) -> str:
    title = record.contender.title + (" ✓" if record.contender.is_exact else "")
    if record.failure or not record.seconds:
        return f"| {title} | {record.failure or 'not measured'} |" + " |" * 9
    ours_seconds = ours.seconds if ours and not ours.failure else []
    ours_peak = ours.peak_bytes if ours and not ours.failure else []
    cells = [
        title,
        _median(record.seconds),
        _spread(record.seconds),
        _ratio(record.seconds, ours_seconds),
        _median(record.cold_seconds),
        _median(record.warm_seconds),
        _spread(record.warm_seconds),
        _ratio(record.warm_seconds, ours_seconds),
        _median(record.cpu_seconds),
        f"{median(record.peak_bytes) / 1e6:,.0f}",
        _ratio(record.peak_bytes, ours_peak),
    ]
    return f"| {' | '.join(cells)} |"


def _scaling(contests: Sequence[Contest]) -> list[str]:
    """Our cost per event by size, for workloads measured in several sizes."""
    lines: list[str] = []
    for name in dict.fromkeys(contest.workload.name for contest in contests):
        costs = [
            (contest.workload.events, median(record.seconds) / contest.workload.events * 1e9)
            for contest in contests
            for record in contest.records
            if contest.workload.name == name and record.contender.name == OURS and record.seconds
        ]
        if len(costs) > 1:
            least = min(costs)[1]
            parts = (f"{size_text(events)} {cost:.0f} ({cost / least:.2f})" for events, cost in sorted(costs))
            lines.append(f"- {name}: {', '.join(parts)}")
    if not lines:
        return []
    head = "Our nanoseconds per event, whole process, and the ratio to the smallest size:"
    return ["", "### Cost per event", "", head, "", *lines]


def _median(samples: Sequence[float]) -> str:
    return f"{median(samples):.2f}" if samples else ""


def _spread(samples: Sequence[float]) -> str:
    return f"{min(samples):.2f} to {max(samples):.2f}" if len(samples) > 1 else ""


def _ratio(samples: Sequence[float], ours: Sequence[float]) -> str:
    return f"{median(samples) / median(ours):.2f}" if samples and ours else ""
