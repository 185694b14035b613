"""`pipeline check`: everything that can be found wrong with a pipeline file without a server and its events.

The file is loaded, which executes its top level, and no handler is called. Defects have names; each says
where it is and how to repair it. What a handler does with events is tested by `offline` and `testing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from poh_holdmetrics.pipeline.loading.declarations import declarations
from poh_holdmetrics.pipeline.loading.decorator_checks import decorator_defects, decorator_lines
from poh_holdmetrics.pipeline.loading.defects import Defect
from poh_holdmetrics.pipeline.loading.functions import Functions
from poh_holdmetrics.pipeline.loading.handler_checks import pipeline_defects
from poh_holdmetrics.pipeline.loading.loader import Arguments, Loaded, LoadError, load
from poh_holdmetrics.pipeline.loading.purity import policy_defects
from poh_holdmetrics.pipeline.loading.sources import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from poh_holdmetrics.pipeline.loading.specs import Spec

#: Defects with which a pipeline can run all the same.
ADVICE = {"blocks-the-loop", "helper-ignored", "no-handlers", "pattern", "transform-without-source"}
_CURES = {
    "duplicate-name": "give each pipeline a name of its own",
    "import": "install the package, or put the module beside the file",
    "no-pipeline": 'write pipeline = Pipeline("name") at the top level',
    "option": "correct the value",
    "raised": "let the file define its handlers and do nothing else at the top level",
    "syntax": "correct the line",
    "unknown-argument": 'declare it in Pipeline(..., arguments={"key": "default"}), or do not give it',
    "unknown-pipeline": "write a name that the file declares",
    "unreadable": "write the name of a Python file that can be read",
}


def defects(spec: Spec, arguments: Arguments | None = None) -> list[Defect]:
    """The defects of the file of `spec`, in the order of their lines; none if it is in order."""
    found: list[Defect] = []
    decorators: list[range] = []
    try:
        text = read_text(spec.file)
        found += decorator_defects(spec.file, text)
        decorators = [lines for lines in decorator_lines(text) if any(each.line in lines for each in found)]
    except (OSError, SyntaxError):
        pass  # loading it says so
    try:
        loaded = load(spec, arguments)
    except LoadError as error:
        # A decorator that refuses its options has been found in the text already.
        if error.file != spec.file or not any(error.line in lines for lines in decorators):
            found.append(_of_load(error))
    else:
        found += defects_of_loaded(loaded)
        loaded.drop()
    return sorted(dict.fromkeys(found), key=lambda each: (str(each.file), each.line or 0, each.name))


def defects_between(specs: Sequence[Spec]) -> list[Defect]:
    """The names that a pipeline of an earlier file has as well: a service runs the first one alone."""
    found: list[Defect] = []
    owners: dict[str, Path] = {}
    for spec in specs:
        try:
            declared = declarations(read_text(spec.file))
        except (OSError, SyntaxError):
            continue  # loading it says so
        for each in declared:
            if each.name is None or spec.name not in (None, each.name):
                continue
            owner = owners.setdefault(each.name, spec.file)
            if owner != spec.file:
                problem = f"the name {each.name} is that of a pipeline in {owner}"
                cure = "choose another name"
                found.append(
                    Defect(name="name-taken", file=spec.file, line=each.line, problem=problem, cure=cure)
                )
    return found


def _of_load(error: LoadError) -> Defect:
    problem, cure = error.problem, _CURES[error.name]
    if problem.endswith(cure):
        problem = problem.removesuffix(cure).removesuffix("; ")
    return Defect(name=error.name, file=error.file, line=error.line, problem=problem, cure=cure)


def defects_of_loaded(loaded: Loaded) -> list[Defect]:
    """The defects of a generation that has been loaded."""
    return list(_of_loaded(loaded))


def _of_loaded(loaded: Loaded) -> Iterator[Defect]:
    file = loaded.spec.file
    functions = Functions(loaded.sources)
    lines = {each.name: each.line for each in declarations(loaded.sources.modules[loaded.sources.main].text)}
    for path in loaded.sources.ignored:
        yield Defect(
            name="helper-ignored",
            file=path,
            line=None,
            problem=f"import {path.stem} finds the standard library's module, not this file",
            cure="rename the file",
        )
    for pipeline in loaded.pipelines:
        yield from pipeline_defects(pipeline, file, lines.get(pipeline.name), functions)
        for handler in pipeline.handlers:
            if handler.kind == "policy":
                yield from policy_defects(handler.name, handler.function, functions)
