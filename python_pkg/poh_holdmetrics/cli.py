"""`python -m poh_holdmetrics COMMAND`: the command line of the package alone, without the binary.

Each command is a file in `commands`. Exit codes: 0 done, 1 if what was checked, tested or asked for failed, 2
for a bad argument, file or event, 130 on Ctrl-C.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from poh_holdmetrics.commands.audit import add_audit
from poh_holdmetrics.commands.parser import BINARY, EXIT_BAD_INPUT, EXIT_INTERRUPTED, PROGRAM, Parser
from poh_holdmetrics.commands.pipeline import add_pipeline
from poh_holdmetrics.commands.score import add_score
from poh_holdmetrics.errors import HoldMetricsError, InputError
from poh_holdmetrics.version import __version__

if TYPE_CHECKING:
    import argparse

COMMANDS = ("score", "pipeline", "audit")
#: What only the binary does.
BINARY_COMMANDS = (
    "inspect",
    "convert",
    "serve",
    "send",
    "load",
    "keys",
    "config",
    "airdrop",
    "journal",
    "feed",
    "generate",
    "run",
    "python",
    "py",
    "doctor",
    "self",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; errors are one sentence on standard error."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        _check_command(words)
        arguments = _parser().parse_args(words)
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except HoldMetricsError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except BrokenPipeError:
        # The reader of our output has closed it; the rest is discarded, also at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _check_command(words: Sequence[str]) -> None:
    """Raise `InputError` if the first word is a command that this package does not have."""
    command = words[0] if words else ""
    if not command or command.startswith("-") or command in COMMANDS:
        return
    if command in BINARY_COMMANDS:
        raise InputError(
            command,
            f"that is a command of {BINARY}; {PROGRAM} alone has {', '.join(COMMANDS)}",
        )
    near = difflib.get_close_matches(command, COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(COMMANDS)}"
    raise InputError(f"{command[:40]!r}", f"unknown command; {hint}")


def _parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description="Exact hold scores from files, and pipelines, without the binary.",
        epilog=f"The service, scripts, Parquet and Arrow need {BINARY}: {BINARY} --help.",
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"poh_holdmetrics {__version__}",
        help="print the version and exit",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_score(commands)
    add_pipeline(commands)
    add_audit(commands)
    return parser
