"""`pipeline test FILE --events EVENTS`: runs a pipeline over events, and shows what it did."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from poh_holdmetrics import instants
from poh_holdmetrics.commands.parser import EXIT_FAILED, EXIT_INTERRUPTED
from poh_holdmetrics.commands.pipeline_check import (
    add_arguments_of_pipelines,
    arguments_of_pipelines,
    check_names,
    specs_from_words,
)
from poh_holdmetrics.durations import us_from_duration
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.file_scorer import records_from_file
from poh_holdmetrics.input_options import InputOptions
from poh_holdmetrics.pipeline.loading.loader import Loaded, load
from poh_holdmetrics.pipeline.offline.cases import CaseResult, cases_of, run_case
from poh_holdmetrics.pipeline.offline.trial import OfflineOptions, OfflineReport, try_pipeline
from poh_holdmetrics.table import text_table

if TYPE_CHECKING:
    import argparse

    from poh_holdmetrics.commands.parser import Commands
    from poh_holdmetrics.data_models import HoldEvent, Transfer
    from poh_holdmetrics.pipeline.loading.specs import Spec

_DESCRIPTION = """\
Run a pipeline over the events of a file, without a service: what each handler did, what it would write, its
state and its log. The clock follows the times of the events, so jobs run as often as they would have, in no
time, and two runs give the same report.

Cases beside the file, as tiers.cases/*.json for tiers.py, are run as well; with them --events is optional.

Sinks are called as they are live, which may send something to another system: --dry-run calls none, and shows
what each would be given.
"""
_EPILOG = """\
Exit code: 0 if all went well, 1 if a handler raised or a case failed, 2 if a file or an argument is wrong,
130 on Ctrl-C.

  pipeline test tiers.py --events events.jsonl
  pipeline test tiers.py --events events.csv.gz --as-of 2026-01-31 --dry-run --json
"""
#: Lines that a table shows of a list; --json has all.
_LINES_MAX = 20


def add_test(words: Commands) -> None:
    """Add the command."""
    parser = words.add_parser(
        "test", help="run a pipeline over events, without a service", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument("file", metavar="FILE[:NAME]", help="pipeline file")
    parser.add_argument("--events", metavar="EVENTS", help="events as JSONL or CSV, plain or .gz; - is stdin")
    parser.add_argument(
        "--as-of",
        metavar="T",
        help="end here, and leave later events out: RFC 3339 or milliseconds [default: the last event]",
    )
    parser.add_argument(
        "--input-format", choices=["auto", "jsonl", "csv"], default="auto", help="[default: by extension]"
    )
    parser.add_argument(
        "--mapping", metavar="FILE", help="how the events are written: a TOML file with a table [input]"
    )
    parser.add_argument(
        "--step",
        default="1s",
        metavar="DURATION",
        help="events that lie closer together are one batch [default: 1s]",
    )
    parser.add_argument(
        "--runs-max",
        type=int,
        default=1000,
        metavar="N",
        help="run no job more than N times, but at a longer interval [default: 1000]",
    )
    parser.add_argument("--dry-run", action="store_true", help="call no sink; show what each would be given")
    parser.add_argument("--read-sources", action="store_true", help="read the sources, too")
    add_arguments_of_pipelines(parser)
    parser.add_argument("--json", action="store_true", help="print the whole report for a machine")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    specs = specs_from_words([arguments.file])
    cases = [case for spec in specs for case in cases_of(spec.file)]
    if arguments.events is None and not cases:
        folder = specs[0].file.with_suffix(".cases").name
        raise InputError("--events", f"missing; name a file of events, or write cases into {folder}/*.json")
    if arguments.runs_max < 1:
        raise InputError("--runs-max", f"expected 1 or more, not {arguments.runs_max}")
    options = OfflineOptions(
        as_of_us=None if arguments.as_of is None else instants.us_from_argument("--as-of", arguments.as_of),
        step_us=us_from_duration("--step", arguments.step, least_us=0),
        runs_max=arguments.runs_max,
        calls_sinks=not arguments.dry_run,
        reads_sources=arguments.read_sources,
    )
    given = arguments_of_pipelines(arguments.pipeline_arg)
    check_names(given, specs)
    records = None
    if arguments.events is not None:
        given_format = None if arguments.input_format == "auto" else arguments.input_format
        how = InputOptions.of({"mapping": arguments.mapping, "input_format": given_format})
        records = records_from_file(arguments.events, how)
    reports: list[OfflineReport] = []
    results: list[CaseResult] = []
    with _ended_by_interrupt():
        for spec in specs:
            loaded = load(spec, given)
            if records is not None:
                reports += [try_pipeline(each, loaded.digest, records, options) for each in loaded.pipelines]
            results += _run_cases(spec, loaded)
    if arguments.json:
        document = {"pipelines": list(map(_json, reports)), "cases": list(map(_json_of_case, results))}
        print(json.dumps(document, ensure_ascii=False, indent=1))
    else:
        print("\n\n".join([*map(_text, reports), *_text_of_cases(results)]))
    is_good = not any(each.has_failed for each in reports) and all(each.has_passed for each in results)
    return 0 if is_good else EXIT_FAILED


@contextmanager
def _ended_by_interrupt() -> Iterator[None]:
    """Let Ctrl-C end the process: as an exception it would be a failure of the handler that runs."""

    def end(_number: int, _frame: object) -> None:
        os._exit(EXIT_INTERRUPTED)

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run_cases(spec: Spec, loaded: Loaded) -> list[CaseResult]:
    cases = cases_of(spec.file)
    if cases and len(loaded.pipelines) > 1:
        names = ", ".join(each.name for each in loaded.pipelines)
        raise InputError(str(spec.file), f"its cases are of one pipeline; write FILE:NAME, one of {names}")
    return [run_case(loaded.pipelines[0], case) for case in cases]


def _json_of_case(result: CaseResult) -> dict[str, Any]:
    return {
        "case": result.case.name,
        "about": result.case.about,
        "file": str(result.case.path),
        "has_passed": result.has_passed,
        "differences": result.differences,
        "tracebacks": result.tracebacks,
    }


def _text_of_cases(results: Sequence[CaseResult]) -> list[str]:
    """A line for each case, what differs below it, and a last line with the count; nothing without cases."""
    if not results:
        return []
    lines = []
    for result in results:
        about = f": {result.case.about}" if result.case.about else ""
        lines.append(f"case {result.case.name} {'passed' if result.has_passed else 'failed'}{about}")
        lines += [f"  {difference}" for difference in result.differences]
        if not result.has_passed:
            lines += [f"  {name} raised:\n{text.rstrip()}" for name, text in result.tracebacks.items()]
    passed = sum(result.has_passed for result in results)
    return ["\n".join([*lines, f"{passed} passed, {len(results) - passed} failed"])]


def _json(report: OfflineReport) -> dict[str, Any]:
    handlers = [
        {
            **{name: value for name, value in asdict(each).items() if name != "delivered"},
            **({} if each.delivered is None else {"delivered": _events(each.delivered)}),
        }
        for each in report.handlers
    ]
    return {
        **asdict(report),
        "began": instants.text_from_us(report.began_us),
        "ended": instants.text_from_us(report.ended_us),
        "handlers": handlers,
        "emitted": _events(report.emitted),
    }


def _events(events: Sequence[HoldEvent | Transfer]) -> list[dict[str, Any]]:
    return [each.model_dump(mode="json", exclude_defaults=True) for each in events]


def _text(report: OfflineReport) -> str:
    span = f" from {instants.text_from_us(report.began_us)} to {instants.text_from_us(report.ended_us)}"
    left_out = f", {report.left_out:,} later ones left out" if report.left_out else ""
    refused = f", {report.refused:,} refused by before_accept" if report.refused else ""
    parts = [
        f"{report.pipeline}: {report.events:,} events{span}{left_out}{refused}",
        _handlers(report),
    ]
    for policy in report.policies:
        lines = [f"{rank:,}. {holder}: {score}" for rank, holder, _, score, _ in policy.rows]
        parts.append(_list(f"policy {policy.name}, version {policy.version[:12]}", policy.holders, lines))
    parts.append(_list("would write", len(report.emitted), _lines(report.emitted)))
    for handler in report.handlers:
        if handler.delivered:
            title = f"given to {handler.name}"
            parts.append(_list(title, len(handler.delivered), _lines(handler.delivered)))
    state = [f"{key} = {json.dumps(value)}" for key, value in report.state.items()]
    metrics = [f"{key} = {value:g}" for key, value in report.metrics.items()]
    parts += [
        _list("state", len(state), state),
        _list("metrics", len(metrics), metrics),
        _list("log", len(report.log), report.log),
    ]
    tracebacks = [(each.name, each.traceback) for each in report.handlers]
    tracebacks += [(each.name, each.traceback) for each in report.policies]
    parts += [f"{name} raised:\n{text.rstrip()}" for name, text in tracebacks if text]
    parts.append(report.error.rstrip())
    return "\n\n".join(part for part in parts if part)


def _lines(events: Sequence[HoldEvent | Transfer]) -> list[str]:
    return [json.dumps(each) for each in _events(events[:_LINES_MAX])]


def _handlers(report: OfflineReport) -> str:
    rows = [("handler", "kind", "calls", "events", "failures", "")]
    for each in report.handlers:
        counts = [f"{count:,} {name.replace('_', ' ')}" for name, count in each.counts.items()]
        notes = ", ".join([*counts, *([each.note] if each.note else [])])
        rows.append(
            (each.name, each.kind, f"{each.calls:,}", f"{each.events:,}", f"{each.failures:,}", notes)
        )
    return text_table(rows, right=(2, 3, 4))


def _list(title: str, count: int, lines: Sequence[str]) -> str:
    if not count:
        return ""
    more = f"\n  and {count - _LINES_MAX:,} more; --json has all" if count > _LINES_MAX else ""
    return "\n".join([f"{title}: {count:,}", *(f"  {line}" for line in lines[:_LINES_MAX])]) + more
