"""`pipeline new FILE`: writes a commented starter, which passes `check` and `test` as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from poh_holdmetrics.commands.parser import program
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pipeline.loading.starter import starter

if TYPE_CHECKING:
    import argparse

    from poh_holdmetrics.commands.parser import Commands

_DESCRIPTION = """\
Write a pipeline file to begin with: a few handlers with comments that say what each is for. It passes
`check`, `test` and `mypy --strict` as it is. A file that exists is never overwritten.
"""


def add_new(words: Commands) -> None:
    """Add the command."""
    parser = words.add_parser("new", help="write a commented starter", description=_DESCRIPTION)
    parser.add_argument("file", metavar="FILE", help="file to write; its name is that of the pipeline")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    path = Path(arguments.file)
    if path.suffix != ".py":
        raise InputError(arguments.file, f"not a Python file; write {path.with_suffix('.py')}")
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem)[:64]
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter(name))
    except FileExistsError as error:
        raise InputError(
            arguments.file, "exists already, and is not overwritten; choose another name"
        ) from error
    except OSError as error:
        raise InputError(arguments.file, error.strerror or str(error)) from error
    print(f"Wrote {path}. Next: {program()} pipeline check {path}")
    return 0
