"""What `py ps` and `py stack` make of a process; that they reach one is tested with the binary."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from poh_holdmetrics.attachment import report, stacks

STACKS = """\
Thread 0x00007f01ee6fe6c0 [py-work-1] (most recent call first):
  File "/usr/lib/python3.14/threading.py", line 359 in wait
  File "/srv/a b.py", line ??? in <lambda>

Current thread 0x00007f01c7fff6c0 (most recent call first):
  File "/srv/p.py", line 7 in spin
"""


def test_stacks_are_read_with_their_threads() -> None:
    first, second = stacks.parsed(STACKS)["threads"]
    assert first["name"] == "py-work-1"
    assert first["frames"][0] == {"function": "wait", "file": "/usr/lib/python3.14/threading.py", "line": 359}
    assert first["frames"][1] == {"function": "<lambda>", "file": "/srv/a b.py", "line": None}
    assert second["id"] == "0x00007f01c7fff6c0"
    assert second["frames"] == [{"function": "spin", "file": "/srv/p.py", "line": 7}]


async def _innermost(forever: asyncio.Event) -> None:
    await forever.wait()


async def _outer(forever: asyncio.Event) -> None:
    await _innermost(forever)


def test_tasks_are_reported_with_the_line_that_each_has_come_to(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    # As the remote debugging of Python runs it: between two lines of the program.
    script = compile(f"from {report.__name__} import write\nwrite({str(file)!r})\n", "script.py", "exec")

    async def running() -> None:
        forever = asyncio.Event()
        waiting = asyncio.create_task(_outer(forever), name="spinner/slow")
        await asyncio.sleep(0)
        exec(script, {})  # noqa: S102 - our own text
        forever.set()
        await waiting

    asyncio.run(running())
    found: list[dict[str, Any]] = json.loads(file.read_text())["running"]
    current, *others = found
    assert (current["kind"], current["state"]) == ("task", "running")
    assert current["place"]["function"].endswith("running")
    assert current["place"]["file"] == __file__
    slow = next(each for each in others if each["name"] == "spinner/slow")
    assert (slow["state"], slow["place"]["function"]) == ("waiting", "_innermost")
    # Innermost first; the place is the innermost one outside the standard library.
    assert [frame["function"] for frame in slow["frames"]] == ["Event.wait", "_innermost", "_outer"]
