"""`pipeline check FILE`: finds mistakes in pipeline files, without a server and without events."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from poh_holdmetrics.commands.parser import EXIT_FAILED
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.pipeline.loading.checks import defects, defects_between
from poh_holdmetrics.pipeline.loading.declarations import declarations
from poh_holdmetrics.pipeline.loading.sources import read_text
from poh_holdmetrics.pipeline.loading.specs import Spec, specs_from_text

if TYPE_CHECKING:
    import argparse

    from poh_holdmetrics.commands.parser import Commands

_DESCRIPTION = """\
Find mistakes in pipeline files: names, intervals, options, patterns, the parameters of each function, calls
that would block the service, policies that are not pure. Each has a name, a line and a cure.

The file is loaded, which executes its top level; no handler is called.
"""
_EPILOG = """\
Exit code: 0 if everything is in order, 1 if there is a defect, 2 if an argument is wrong.

  pipeline check tiers.py
  pipeline check tiers.py:tiers --pipeline-arg tiers.url=http://localhost:9000
  pipeline check pipelines/ --json
"""


def add_check(words: Commands) -> None:
    """Add the command."""
    parser = words.add_parser(
        "check", help="find mistakes in pipeline files", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE[:NAME]", help="pipeline file, or a folder of pipeline files"
    )
    add_arguments_of_pipelines(parser)
    parser.add_argument("--json", action="store_true", help="print a list of defects for a machine")
    parser.set_defaults(run=_run)


def add_arguments_of_pipelines(parser: argparse.ArgumentParser) -> None:
    """Add `--pipeline-arg`."""
    parser.add_argument(
        "--pipeline-arg",
        action="append",
        default=[],
        metavar="NAME.KEY=VALUE",
        help="value of an argument that the pipeline NAME declares; may be repeated",
    )


def arguments_of_pipelines(given: Sequence[str]) -> dict[str, dict[str, str]]:
    """The values of `--pipeline-arg` by argument and pipeline."""
    found: dict[str, dict[str, str]] = {}
    for text in given:
        name, dot, rest = text.partition(".")
        key, equals, value = rest.partition("=")
        if not (name and dot and key and equals):
            raise InputError("--pipeline-arg", f"{text[:40]!r} is not NAME.KEY=VALUE, as in tiers.top=10")
        found.setdefault(name, {})[key] = value
    return found


def specs_from_words(files: Sequence[str]) -> list[Spec]:
    """The files that are meant; raises `InputError` if a folder has none."""
    specs: list[Spec] = []
    for text in files:
        found = specs_from_text(text)
        if not found:
            raise InputError(text, "no file in this folder declares a pipeline")
        specs += found
    return specs


def check_names(given: Mapping[str, object], specs: Sequence[Spec]) -> None:
    """Raise `InputError` if an argument is given to a pipeline that none of the files declares."""
    declared: list[str] = []
    for spec in specs:
        try:
            found = [each.name for each in declarations(read_text(spec.file))]
        except (OSError, SyntaxError):
            return  # loading it says what is wrong
        if None in found:
            return  # not every name is written as text
        declared += [name for name in found if name is not None]
    for name in given:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(declared) or 'none'}"
            raise InputError("--pipeline-arg", f"no pipeline is named {excerpt(name)}; {hint}")


def _from_here(path: Path) -> Path:
    """A path below the current folder as one would write it there."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def _run(arguments: argparse.Namespace) -> int:
    given = arguments_of_pipelines(arguments.pipeline_arg)
    specs = specs_from_words(arguments.files)
    check_names(given, specs)
    found = [defect for spec in specs for defect in defects(spec, given)] + defects_between(specs)
    if arguments.json:
        print(json.dumps([defect.as_json() for defect in found], ensure_ascii=False, indent=1))
    else:
        for defect in found:
            print(replace(defect, file=_from_here(defect.file)))
        count = len(found)
        files = "1 file" if len(specs) == 1 else f"{len(specs)} files"
        print(f"{files}: {'no defect' if not count else f'{count} defect' + 's' * (count > 1)}")
    return EXIT_FAILED if found else 0
