"""Expected results beside a pipeline's file: `tiers.cases/*.json` for `tiers.py`, run by `pipeline test`.

A case is one object:

    {"about": "two holders, a restart", "now": "2026-01-01T00:00:00Z", "arguments": {"limit": "3"},
     "steps": [{"feed": [{"token_id": "punk/1", "holder_id": "ann", "start": "2026-01-01T00:00:00Z"}]},
               {"advance": "10s"}, {"restart": "crash"}, {"fail": "commit"}, {"enable": "archive"},
               {"expect": {"state": {"seen": 1}}}],
     "expect": {"emitted": [], "delivered": {"archive": []}, "metrics": {"seen_total": 1}, "failures": {},
                "leaderboard": [{"rank": 1, "holder_id": "ann", "score": "10"}],
                "published": {"tiers": [{"rank": 1, "holder_id": "ann", "score": "15"}]}}}

What is not named under `expect` is not compared, except that a handler that raises fails the case unless
`failures` has its name. Events are written as in a JSONL file. Steps run on `testing.PipelineHarness`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.errors import HoldMetricsError, InputError, excerpt
from poh_holdmetrics.testing import PipelineHarness, event_from

if TYPE_CHECKING:
    from poh_holdmetrics import native
    from poh_holdmetrics.pipeline.handlers import Definition

_KEYS = ("about", "now", "arguments", "steps", "expect")
#: Characters of a value that a difference shows.
_SHOWN_MAX = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One file of steps and expected results."""

    path: Path
    about: str
    now: str
    arguments: dict[str, str]
    steps: list[dict[str, Any]]
    expect: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of the file without its ending."""
        return self.path.stem


@dataclass(kw_only=True, slots=True)
class CaseResult:
    """What came of a case."""

    case: Case
    differences: list[str] = field(default_factory=list)
    """One line for each expectation that was not met, such as `step 3: state: expected 1, found 2`."""
    tracebacks: dict[str, str] = field(default_factory=dict)
    """The last traceback of each handler that raised."""

    @property
    def has_passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.differences


def cases_of(file: Path) -> list[Case]:
    """The cases beside a pipeline's file, by name. Raises `InputError` that names an invalid one."""
    return [case_from_file(path) for path in sorted(file.with_suffix(".cases").glob("*.json"))]


def case_from_file(path: Path) -> Case:
    """Read one case. Raises `InputError` if it is invalid."""
    try:
        fields = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error
    except ValueError as error:
        raise InputError(str(path), f"not JSON ({error})") from None
    if not isinstance(fields, dict):
        raise InputError(str(path), f"expected an object with steps, not {excerpt(fields)}")
    _check_keys(str(path), fields, _KEYS)
    steps = fields.get("steps", [])
    if not isinstance(steps, list):
        raise InputError(f"{path}: steps", f"expected a list, not {excerpt(steps)}")
    for number, step in enumerate(steps, start=1):
        where = f"{path}: step {number}"
        if not isinstance(step, dict) or len(step) != 1:
            raise InputError(where, f"expected an object of one of {', '.join(_STEPS)}, not {excerpt(step)}")
        _check_keys(where, step, _STEPS)
        if "expect" in step:
            _check_keys(where, step["expect"], _FOUND)
    expect = fields.get("expect", {})
    _check_keys(f"{path}: expect", expect, _FOUND)
    return Case(
        path=path,
        about=fields.get("about", ""),
        now=fields.get("now", "2026-01-01T00:00:00Z"),
        arguments=fields.get("arguments", {}),
        steps=steps,
        expect=expect,
    )


def run_case(pipeline: Definition, case: Case) -> CaseResult:
    """Run the steps over a fresh harness and compare. Raises `InputError` for a step that cannot be done."""
    result = CaseResult(case=case)
    with PipelineHarness(pipeline, now=case.now, arguments=case.arguments, raise_failures=False) as harness:
        for number, step in enumerate(case.steps, start=1):
            ((verb, value),) = step.items()
            if verb == "expect":
                result.differences += _differences(f"step {number}: ", value, harness)
                continue
            try:
                _STEPS[verb](harness, value)
            except (HoldMetricsError, ValueError, KeyError) as error:
                raise InputError(f"{case.path}: step {number}", str(error)) from error
        expected = {"failures": _last_failures(case), **case.expect}
        result.differences += _differences("", expected, harness)
        result.tracebacks = {
            name: meter.last_traceback for name, meter in harness.meters().items() if meter.failures
        }
    return result


def _last_failures(case: Case) -> dict[str, int]:
    """What the last step that names failures expects; none if no step does."""
    named = [step["expect"]["failures"] for step in case.steps if "failures" in step.get("expect", {})]
    return named[-1] if named else {}


def _feed(harness: PipelineHarness, events: Any) -> None:
    harness.feed(*events)


def _restart(harness: PipelineHarness, how: Any) -> None:
    if how not in ("reload", "crash"):
        raise InputError("restart", f"unknown word {excerpt(how)}; known are reload, crash")
    harness.restart(crash=how == "crash")


def _fail(harness: PipelineHarness, what: Any) -> None:
    if what == "commit":
        harness.fail_commits()
    elif what == "submission":
        harness.fail_submissions()
    else:
        raise InputError("fail", f"unknown word {excerpt(what)}; known are commit, submission")


_STEPS: dict[str, Callable[[PipelineHarness, Any], None]] = {
    "feed": _feed,
    "advance": lambda harness, duration: harness.advance(duration),
    "restart": _restart,
    "fail": _fail,
    "enable": lambda harness, handler: harness.enable(handler),
    "expect": lambda _harness, _expected: None,
}

#: What can be expected, and how it is found.
_FOUND: dict[str, Callable[[PipelineHarness], Any]] = {
    "emitted": lambda harness: [_fields(each) for each in harness.emitted],
    "delivered": lambda harness: {
        sink: [_fields(each) for each in events] for sink, events in harness.all_delivered().items()
    },
    "state": lambda harness: harness.state,
    "metrics": lambda harness: harness.metrics,
    "observations": lambda harness: harness.observations,
    "failures": lambda harness: {
        name: meter.failures for name, meter in harness.meters().items() if meter.failures
    },
    "log": lambda harness: harness.log,
    "leaderboard": lambda harness: _ranks(harness.tracker.engine.snapshot(harness.now_us).rows()),
    "published": lambda harness: {name: _ranks(harness.published(name).rows()) for name in harness.policies},
}
#: Whose values are compared by the names that are expected.
_BY_NAME = ("delivered", "metrics", "observations", "published")


def _differences(where: str, expected: Mapping[str, Any], harness: PipelineHarness) -> list[str]:
    lines = []
    for what, wanted in expected.items():
        found = _FOUND[what](harness)
        pairs = [("", wanted, found)]
        if what in _BY_NAME:
            pairs = [(f" {name}", value, found.get(name)) for name, value in wanted.items()]
        for name, value, own in pairs:
            normal = [_fields(event_from(each)) for each in value] if what in _EVENTS else value
            if normal != own:
                lines.append(f"{where}{what}{name}: expected {_shown(normal)}, found {_shown(own)}")
    return lines


_EVENTS = ("emitted", "delivered")


def _ranks(rows: Sequence[native.Row]) -> list[dict[str, Any]]:
    return [{"rank": rank, "holder_id": holder_id, "score": score} for rank, holder_id, _, score, _ in rows]


def _fields(event: Any) -> dict[str, Any]:
    """The fields of an event that are not at their defaults, as JSON."""
    fields: dict[str, Any] = event.model_dump(mode="json", exclude_defaults=True)
    return fields


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def _check_keys(where: str, fields: object, known: Any) -> None:
    if not isinstance(fields, Mapping):
        raise InputError(where, f"expected an object, not {excerpt(fields)}")
    for key in fields:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise InputError(where, f"unknown key {excerpt(key)}; {hint}")
