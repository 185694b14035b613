"""Does what `main_holdmetrics py ps|stack|pdb` asks for; its one argument is a JSON object.

The words and the help are those of the binary, in `src/cli/py.rs`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from poh_holdmetrics.attachment import remote, stacks
from poh_holdmetrics.attachment.target import Target, TargetError

_FAILED = 1
_INTERRUPTED = 130


def main(asked: dict[str, Any]) -> int:
    """Do it and return the exit code; errors are one sentence on standard error."""
    verb = asked["verb"]
    try:
        target = Target(asked["pid"])
        match verb:
            case "stack":
                text = stacks.ask(target)
                print(json.dumps(stacks.parsed(text), indent=1) if asked["json"] else text.rstrip())
            case "ps":
                report = remote.report(target)
                print(json.dumps(report, indent=1) if asked["json"] else _table(report))
            case _:
                remote.debug(target)
    except TargetError as error:
        print(f"error: py {verb}: {error}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _table(report: dict[str, Any]) -> str:
    rows = [("kind", "name", "state", "function", "line")]
    below: list[list[str]] = [[]]
    for each in report["running"]:
        place = each["place"]
        at = (place["function"], _line(place)) if place else ("", "")
        rows.append((each["kind"], each["name"], each["state"], *at))
        others = each["frames"][1:] if each["state"] == "running" else []
        below.append([f"    {frame['function']}  {_line(frame)}" for frame in others])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row, others in zip(rows, below, strict=True):
        lines.append("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())
        lines += others
    return "\n".join(lines)


def _line(frame: dict[str, Any]) -> str:
    return f"{frame['file']}:{frame['line']}"


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
