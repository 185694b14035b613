"""`python -m poh_holdmetrics score FILE...`: files of hold events to a leaderboard.

Chooses the parts and prints; reading is in `ingest`, scoring in `pure` or native code. Reads JSONL and CSV,
plain or gzip; Parquet, Arrow and zstd are read by the tool `main_holdmetrics`.
Exit codes: 0 done, 2 for a bad argument, file or event, 130 on Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TextIO

from poh_holdmetrics import instants, native
from poh_holdmetrics.config import Settings, load_configuration
from poh_holdmetrics.errors import HoldMetricsError, InputError
from poh_holdmetrics.reading import Reading, score_files
from poh_holdmetrics.table import table_from_reading
from poh_holdmetrics.windows import Window

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; errors are one sentence on standard error."""
    arguments = _parser().parse_args(argv)
    try:
        configuration = load_configuration(arguments.config, overrides=_overrides(arguments))
        return _score(arguments, configuration.settings, sys.stdout)
    except HoldMetricsError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except BrokenPipeError:
        # The reader of our output has seen enough; what is left goes nowhere, also at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="poh_holdmetrics", description="Exact hold scores.")
    commands = parser.add_subparsers(dest="command", required=True)
    score = commands.add_parser(
        "score", help="score files of hold events", description="Score files of hold events."
    )
    score.add_argument(
        "files", nargs="+", metavar="FILE", help="JSONL or CSV, plain or .gz; - is standard input"
    )
    score.add_argument("--as-of", metavar="T", help="RFC 3339 or milliseconds; default: now")
    score.add_argument(
        "--from", dest="from_", metavar="T", help="start of the window; default: the beginning of time"
    )
    score.add_argument(
        "--closed-only", action="store_true", default=None, help="count no time that is not yet closed"
    )
    score.add_argument("--input-format", choices=["auto", "jsonl", "csv"], default="auto")
    score.add_argument("--top", type=int, metavar="N", help="print the first N holders only")
    score.add_argument("--format", choices=["json", "table"], help="default: table")
    score.add_argument("--on-error", choices=["fail", "skip"], help="at a bad line: end, or count and go on")
    score.add_argument("--engine", choices=["native", "python"], help="default: native where there is any")
    score.add_argument("--config", metavar="FILE", help="settings in TOML or YAML")
    return parser


def _overrides(arguments: argparse.Namespace) -> dict[str, object]:
    given = {name: getattr(arguments, name) for name in ("closed_only", "format", "on_error", "engine")}
    return {name: value for name, value in given.items() if value is not None}


def _score(arguments: argparse.Namespace, settings: Settings, out: TextIO) -> int:
    if arguments.top is not None and arguments.top < 0:
        raise InputError("--top", "a number of 0 or more is wanted")
    window = Window(
        _us_from_now() if arguments.as_of is None else instants.us_from_cell("--as-of", arguments.as_of),
        None if arguments.from_ is None else instants.us_from_cell("--from", arguments.from_),
        settings.closed_only,
    )
    namespace = None if settings.engine == "python" else native.namespace()
    if settings.engine == "native" and namespace is None:
        raise InputError(
            "--engine native", "no native code is here; install poh_holdmetrics_rust or use --engine python"
        )
    reading = score_files(
        arguments.files,
        window,
        namespace=namespace,
        input_format=arguments.input_format,
        stop_at_refusal=settings.on_error == "fail",
        n=arguments.top,
    )
    if settings.format == "json":
        json.dump(_json(reading), out, ensure_ascii=False, indent=1)
        out.write("\n")
    else:
        out.write(table_from_reading(reading))
    out.flush()
    return 0


def _us_from_now() -> int:
    return instants.us_from_datetime("--as-of", datetime.now(UTC))


def _json(reading: Reading) -> dict[str, object]:
    window = reading.window
    names = ("rank", "holder_id", "held_us", "score", "weighted_score")
    return {
        "as_of": instants.text_from_us(window.as_of_us),
        "from": None if window.from_us is None else instants.text_from_us(window.from_us),
        "closed_only": window.closed_only,
        "read": reading.read,
        "accepted": reading.accepted,
        "rejected": [
            {"file": file, "line": line, "reason": reason} for file, line, reason in reading.rejected
        ],
        "holders": [dict(zip(names, row, strict=True)) for row in reading.rows],
    }
