"""`score FILE...`: files of hold events to a leaderboard, as a table or JSON.

Chooses the parts and prints; files are read in `file_scorer`, scores are computed in `pure` or native code.
Reads JSONL and CSV, plain or gzip; the binary `main_holdmetrics` also reads Parquet, Arrow and zstd.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypedDict, cast, get_args

from poh_holdmetrics import instants, native, wads
from poh_holdmetrics.config import Settings, load_configuration
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.file_scorer import ComparedFiles, ScoredFiles, compare_files, score_files
from poh_holdmetrics.hold_warnings import check_window, refuse
from poh_holdmetrics.input_options import Feed, InputOptions, TimeUnit, TokenKind
from poh_holdmetrics.policy_files import policy_from_spec
from poh_holdmetrics.pure.ranking import document_from_row
from poh_holdmetrics.table import table_from_moves, table_from_scores
from poh_holdmetrics.unknown_columns import ignored_columns_line
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    import argparse

    from poh_holdmetrics.commands.parser import Commands
    from poh_holdmetrics.input_options import GivenOptions
    from poh_holdmetrics.policies.published import NamedPolicy
    from poh_holdmetrics.pure.statement import Deficit


def add_score(commands: Commands) -> None:
    """Add the command to a command line."""
    score = commands.add_parser(
        "score",
        help="score files of hold events",
        description="Score files of hold events into a leaderboard.",
    )
    score.add_argument("files", nargs="+", metavar="FILE", help="JSONL or CSV, plain or .gz; - is stdin")
    score.add_argument(
        "--as-of", metavar="T", help="time counts up to here: RFC 3339 or milliseconds [default: now]"
    )
    score.add_argument(
        "--from",
        dest="from_",
        metavar="T",
        help="time counts from here [default: the beginning of time]",
    )
    score.add_argument(
        "--closed-only", action="store_true", default=None, help="count only time that is already closed"
    )
    _add_input(score)
    score.add_argument(
        "--limit",
        "--top",
        dest="limit",
        type=int,
        metavar="N",
        help="print the first N holders [default: all]",
    )
    score.add_argument("--format", choices=["json", "table"], help="output format [default: table]")
    score.add_argument(
        "--on-error",
        choices=["fail", "skip"],
        help="at a refused line: end, or count it and go on [default: fail]",
    )
    score.add_argument(
        "--engine",
        choices=["auto", "native", "python"],
        help="what computes the scores [default: auto, native if there is native code]",
    )
    score.add_argument(
        "--deficits",
        metavar="FILE",
        help="write each balance that fell below 0 to FILE: .csv, else JSON lines",
    )
    score.add_argument(
        "--strict",
        action="store_true",
        help="make errors of warnings, which are about what is valid and probably not meant",
    )
    policies = score.add_mutually_exclusive_group()
    policies.add_argument(
        "--policy",
        metavar="FILE[:NAME]",
        help="publish scores under a policy: a JSON document of ready steps, or a function of a pipeline",
    )
    policies.add_argument(
        "--compare-policy",
        nargs=2,
        metavar=("A", "B"),
        help="list the holders whose rank or score differs between policies A and B; the word none means "
        "plain scores",
    )
    score.add_argument("--config", metavar="FILE", help="settings in TOML or YAML")
    score.set_defaults(run=_run)


def _add_input(score: argparse.ArgumentParser) -> None:
    """The options of files that are not written as ours are; a mapping file has the same."""
    files = score.add_argument_group("input")
    files.add_argument(
        "--input-format",
        choices=["auto", "jsonl", "csv", *get_args(Feed)],
        help="format of the files, or the known feed that exported them [default: by extension and header]",
    )
    files.add_argument(
        "--mapping", metavar="FILE", help="read these options from a TOML file with a table [input]"
    )
    files.add_argument(
        "--columns",
        action="append",
        metavar="FIELD=COLUMN,...",
        help="read a field from another column or key; a text in double quotes is its value in every row",
    )
    files.add_argument("--token", metavar="NAME", help="the token of every row")
    files.add_argument("--token-kind", choices=get_args(TokenKind), help="what the tokens of a feed are")
    files.add_argument(
        "--time-unit", choices=get_args(TimeUnit), help="the unit of times that are numbers [default: ms]"
    )
    files.add_argument(
        "--assume-utc", action="store_true", help="times without an offset are UTC, dates are their midnight"
    )
    files.add_argument("--decimals", type=int, metavar="N", help="amounts are whole units of 10^-N")
    files.add_argument("--decimals-file", metavar="FILE", help="the decimals of each token")
    files.add_argument("--blocks", metavar="FILE", help="the times of blocks, where rows have their numbers")
    files.add_argument("--null", action="append", metavar="TEXT", help="a text that means an absent value")
    files.add_argument(
        "--delimiter", metavar="CHARACTER", help="what separates the cells of CSV: , ; | or tab"
    )
    files.add_argument(
        "--fold-hex-ids", action="store_true", help="ids of 0x and hexadecimal digits count in lower case"
    )


def _input_options(arguments: argparse.Namespace) -> InputOptions:
    given: dict[str, object] = {
        name: getattr(arguments, name)
        for name in (
            *("mapping", "input_format", "token", "token_kind", "time_unit", "assume_utc", "decimals"),
            *("decimals_file", "blocks", "delimiter", "fold_hex_ids"),
        )
    }
    columns: dict[str, str] = {}
    for assignment in (part for text in arguments.columns or () for part in text.split(",")):
        field, separator, column = assignment.partition("=")
        if not separator:
            raise InputError("--columns", f"expected FIELD=COLUMN, not {excerpt(assignment)}")
        columns[field.strip()] = column
    return InputOptions.of(
        cast("GivenOptions", {**given, "null": arguments.null or (), "columns": columns or None})
    )


class _Reading(TypedDict):
    """How files are read, whatever is computed from them."""

    namespace: native.Namespace | None
    options: InputOptions
    stop_at_refusal: bool
    limit: int | None


def _run(arguments: argparse.Namespace) -> int:
    configuration = load_configuration(arguments.config, overrides=_overrides(arguments))
    return _score(arguments, configuration.settings, sys.stdout)


def _overrides(arguments: argparse.Namespace) -> dict[str, object]:
    given = {name: getattr(arguments, name) for name in ("closed_only", "format", "on_error", "engine")}
    return {name: value for name, value in given.items() if value is not None}


def _score(arguments: argparse.Namespace, settings: Settings, out: TextIO) -> int:
    if arguments.limit is not None and arguments.limit < 0:
        raise InputError("--limit", f"expected 0 or more, not {arguments.limit}")
    window = Window(
        _now_us() if arguments.as_of is None else instants.us_from_argument("--as-of", arguments.as_of),
        None if arguments.from_ is None else instants.us_from_argument("--from", arguments.from_),
        settings.closed_only,
    )
    check_window(window, is_now=arguments.as_of is None)
    namespace = None if settings.engine == "python" else native.namespace()
    if settings.engine == "native" and namespace is None:
        raise InputError(
            "--engine native", "no native code was found; install poh_holdmetrics_rust or use --engine python"
        )
    policies = [
        None if spec == "none" else policy_from_spec(spec)
        for spec in arguments.compare_policy or ([arguments.policy] if arguments.policy else [])
    ]
    reading: _Reading = {
        "namespace": namespace,
        "options": _input_options(arguments),
        "stop_at_refusal": settings.on_error == "fail",
        "limit": arguments.limit,
    }
    scores: ScoredFiles | ComparedFiles
    if arguments.compare_policy:
        before, after = policies
        scores = compare_files(arguments.files, window, before, after, **reading)
    else:
        scores = score_files(arguments.files, window, policy=policies[0] if policies else None, **reading)
    for note in filter(lambda note: note.is_worth_saying, scores.recognised):
        print(note.sentence(), file=sys.stderr)
    if ignored := ignored_columns_line(scores.ignored_columns):
        print(ignored, file=sys.stderr)
    if arguments.deficits is not None:
        _write_deficits(Path(arguments.deficits), scores.deficits)
    if arguments.strict:
        refuse(scores.warnings)
    for warning in scores.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if settings.format == "json":
        document = _json(scores) if isinstance(scores, ScoredFiles) else _json_of_moves(scores)
        json.dump(document, out, ensure_ascii=False, indent=1)
        out.write("\n")
    elif isinstance(scores, ScoredFiles):
        out.write(table_from_scores(scores))
    else:
        out.write(table_from_moves(scores))
    out.flush()
    return 0


def _write_deficits(path: Path, deficits: Sequence[Deficit]) -> None:
    rows = [
        {
            "token_id": deficit.token_id,
            "holder_id": deficit.holder_id,
            "at": instants.text_from_us(deficit.at_us),
            "balance": f"{wads.decimal_from_wad(deficit.balance):f}",
            "event_ids": deficit.event_ids,
        }
        for deficit in deficits
    ]
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            if path.suffix == ".csv":
                table = csv.DictWriter(file, ["token_id", "holder_id", "at", "balance", "event_ids"])
                table.writeheader()
                table.writerows({**row, "event_ids": " ".join(row["event_ids"])} for row in rows)
            else:
                file.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error


def _now_us() -> int:
    return instants.us_from_datetime("--as-of", datetime.now(UTC))


def _json(scores: ScoredFiles) -> dict[str, object]:
    policy = {} if scores.policy is None else {"policy": _json_of_policy(scores.policy)}
    return {
        **_json_of_reading(scores),
        **policy,
        "holders": [document_from_row(row) for row in scores.rows],
    }


def _json_of_moves(compared: ComparedFiles) -> dict[str, object]:
    return {
        **_json_of_reading(compared),
        "before": compared.before and _json_of_policy(compared.before),
        "after": compared.after and _json_of_policy(compared.after),
        "holders_total": compared.holders,
        "moved": compared.moved,
        "moves": [move._asdict() for move in compared.moves],
    }


def _json_of_policy(policy: NamedPolicy) -> dict[str, str]:
    return {"name": policy.name, "version": policy.version}


def _json_of_reading(scores: ScoredFiles | ComparedFiles) -> dict[str, object]:
    window = scores.window
    recognised = [note.note for note in scores.recognised]
    return {
        "as_of": instants.text_from_us(window.as_of_us),
        "from": None if window.from_us is None else instants.text_from_us(window.from_us),
        "closed_only": window.closed_only,
        "read": scores.read,
        "accepted": scores.accepted,
        "deficits": len(scores.deficits),
        "rejected": [
            {"file": file, "line": line, "reason": reason} for file, line, reason in scores.rejected
        ],
        **({"recognised": recognised} if recognised else {}),
        "ignored_columns": scores.ignored_columns,
        "warnings": [warning._asdict() for warning in scores.warnings],
    }
