"""Scores every case in a folder with a built binary and compares each value exactly.

    check_cases.py BINARY FOLDER [--engine native|python]

A case is a folder with events.jsonl, query.json and expected.json; docs/development.md describes them.
Prints a line for each case that differs, then the counts; exit 1 where one differs or there is none.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HOLDER_FIELDS = ("rank", "holder_id", "held_us", "score", "weighted_score")
EVENT_FIELDS = (
    *("token_id", "holder_id", "start", "end", "weight", "event_id", "revision", "retract"),
    *("at", "delta", "seq", "from_id", "to_id", "amount"),
)
TIMEOUT_SECONDS = 60


def question(binary: str, case: Path, engine: str) -> list[str]:
    """The command line that asks what the case asks."""
    query = json.loads((case / "query.json").read_text(encoding="utf-8"))
    command = [binary, "score", str(case / "events.jsonl"), "--as-of", str(query["as_of"])]
    command += ["--format", "json", "--on-error", "skip", "--engine", engine]
    if query["from"] is not None:
        command += ["--from", str(query["from"])]
    if query["closed_only"]:
        command.append("--closed-only")
    return command


def names_other_field(found: str, expected: str) -> bool:
    """Whether a refusal misses the field that is expected first; its wording is free."""
    field = expected.replace(":", " ").split(maxsplit=1)[0]
    return field in EVENT_FIELDS and field not in found


def difference(found: dict[str, Any], expected: dict[str, Any]) -> str | None:
    """The first value that differs, or None."""
    # The first cases have no number of deficits.
    for name in ("read", "accepted", "deficits"):
        if name in expected and found[name] != expected[name]:
            return f"{name} is {found[name]}, expected {expected[name]}"
    refused = [each["line"] for each in found["rejected"]]
    wanted = [each["line"] for each in expected["rejected"]]
    if refused != wanted:
        return f"refused lines {refused}, expected {wanted}"
    for each, other in zip(found["rejected"], expected["rejected"], strict=True):
        if names_other_field(each["reason"], other["reason"]):
            return f"line {other['line']}: {each['reason']!r}, expected {other['reason']!r}"
    holders = [{name: holder.get(name) for name in HOLDER_FIELDS} for holder in found["holders"]]
    for place, (holder, other) in enumerate(zip(holders, expected["holders"], strict=False), start=1):
        if holder != other:
            return f"holder {place} is {holder}, expected {other}"
    if len(holders) != len(expected["holders"]):
        return f"{len(holders)} holders, expected {len(expected['holders'])}"
    return None


def verdict(binary: str, case: Path, engine: str) -> str | None:
    """Why the case fails, or None where it holds."""
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    run = subprocess.run(  # noqa: S603 - the binary is the one under test
        question(binary, case, engine), capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    if run.returncode != 0:
        return f"exit {run.returncode}: {run.stderr.strip()}"
    return difference(json.loads(run.stdout), expected)


def main() -> int:
    """Run the cases."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("binary")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", choices=["native", "python"], default="native")
    arguments = parser.parse_args()
    cases = sorted(path.parent for path in arguments.folder.glob("*/query.json"))
    failures = 0
    for case in cases:
        why = verdict(arguments.binary, case, arguments.engine)
        if why is not None:
            failures += 1
            print(f"{case.name}: {why}")
    print(f"{arguments.folder}, engine {arguments.engine}: {len(cases) - failures} passed, {failures} failed")
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
