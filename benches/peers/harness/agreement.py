"""Whether the contenders give the same scores. Without that, a table of speeds is worth nothing.

All holders are compared by the program `comparison` in an untimed pass; the top list of every timed run is
then compared with the list of that pass, so that the timed results are the compared ones.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from harness.contenders import TopRow
from harness.paths import Unusable

#: A sum of up to 10^7 doubles of one sign strays by less than this; a wrong hold shows far above it.
TOLERANCE = 1e-10


class Disagreement(Exception):
    """Two contenders give different scores; the text names both, the workload and the first such holder."""


def compare(reference: Path, other: Path, *, python: Path, top: int) -> tuple[int, str | None, list[TopRow]]:
    """How many holders were compared, the problem if any, and the reference's top list."""
    program = Path(__file__).with_name("comparison.py")
    command = [str(python), str(program), str(reference), str(other)]
    command += ["--tolerance", str(TOLERANCE), "--top", str(top)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Unusable(f"{reference} and {other} could not be compared: {done.stderr.strip()[-300:]}")
    found = json.loads(done.stdout)
    return found["holders"], found["problem"], [(h, u, s) for h, u, s in found["top"]]


def top_problem(expected: list[TopRow], found: list[TopRow]) -> str | None:
    """How a top list differs from the expected one, or None. Holders that tie within tolerance may swap."""
    if len(expected) != len(found):
        return f"the top list has {len(found)} rows, not {len(expected)}"
    held = {holder: held_us for holder, held_us, _ in expected}
    for rank, ((wanted, _, score), (holder, held_us, other)) in enumerate(
        zip(expected, found, strict=True), start=1
    ):
        if abs(score - other) > TOLERANCE * max(score, other):
            return f"rank {rank}: {holder} with score {other!r}, expected {wanted} with {score!r}"
        # The last rank may be shared with a holder past the end of the list.
        if held.get(holder, held_us) != held_us:
            return f"rank {rank}: {holder} with held_us {held_us}, not {held[holder]}"
    return None
