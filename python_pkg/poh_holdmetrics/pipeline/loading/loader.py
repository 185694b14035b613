"""Loads a pipeline file: its text is executed in a fresh namespace, and its `Pipeline` objects are returned.

Each load is a generation of its own (`module_space`), of the text of one moment (`sources`), never of a
`.pyc`. A file with several pipelines loads all of them, unless one is named. Whatever the file raises becomes
one `LoadError`. Starts nothing; see `service`, and `checks` for everything else that can be wrong.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from poh_holdmetrics.errors import HoldMetricsError, InputError, excerpt
from poh_holdmetrics.pipeline.definition import Pipeline
from poh_holdmetrics.pipeline.loading.module_space import ModuleSpace
from poh_holdmetrics.pipeline.loading.sources import Sources, read_sources

if TYPE_CHECKING:
    from types import ModuleType

    from poh_holdmetrics.pipeline.loading.specs import Spec

#: Arguments by name, by name of the pipeline.
Arguments = Mapping[str, Mapping[str, str]]

_OWN_FILES = {__file__, ModuleSpace.execute.__code__.co_filename, read_sources.__code__.co_filename}


class LoadError(HoldMetricsError):
    """A pipeline file cannot be loaded. The text is one sentence that begins with the file."""

    def __init__(self, file: Path, line: int | None, problem: str, *, name: str, traceback: str = "") -> None:
        """`name` is that of the defect, `traceback` the whole chain with the lines of the file, if any."""
        super().__init__(f"{file}: {problem}" if line is None else f"{file}: line {line}: {problem}")
        self.file = file
        self.line = line
        self.problem = problem
        self.name = name
        self.traceback = traceback


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """The pipelines of one generation of a file."""

    spec: Spec
    generation: int
    sources: Sources
    pipelines: tuple[Pipeline, ...]
    space: ModuleSpace

    @property
    def digest(self) -> str:
        """SHA-256 of the file and its helpers."""
        return self.sources.digest

    def drop(self) -> None:
        """Release the modules of this generation, when its last call has ended."""
        self.space.drop()


def load(spec: Spec, arguments: Arguments | None = None, *, generation: int = 1) -> Loaded:
    """Execute the file of `spec` and give its pipelines their arguments. Raises `LoadError`.

    A Ctrl-C is passed on; everything else that the file raises, `SystemExit` included, is a `LoadError`,
    after which the generation before is as it was.
    """
    try:
        sources = read_sources(spec.file)
    except OSError as error:
        raise LoadError(spec.file, None, error.strerror or str(error), name="unreadable") from error
    except SyntaxError as error:
        raise _syntax_error(spec.file, error) from error
    space = ModuleSpace(sources)
    try:
        module = space.execute()
        pipelines = _chosen(spec, module)
        for pipeline in pipelines:
            _give(pipeline, arguments or {}, spec.file)
    except KeyboardInterrupt:
        space.withdraw()
        raise
    except LoadError:
        space.withdraw()
        raise
    except SyntaxError as error:
        refusal = _syntax_error(spec.file, error)
        space.withdraw()
        raise refusal from error
    except BaseException as error:
        refusal = _raised(sources, error)
        space.withdraw()
        raise refusal from error
    space.keep()
    return Loaded(spec=spec, generation=generation, sources=sources, pipelines=pipelines, space=space)


def _chosen(spec: Spec, module: ModuleType) -> tuple[Pipeline, ...]:
    found = {id(value): value for value in vars(module).values() if isinstance(value, Pipeline)}
    pipelines = tuple(found.values())
    if not pipelines:
        problem = 'no Pipeline; write pipeline = Pipeline("name") at the top level'
        raise LoadError(spec.file, None, problem, name="no-pipeline")
    names = [each.name for each in pipelines]
    for name in names:
        if names.count(name) > 1:
            problem = f"{names.count(name)} pipelines are named {name}; give each a name of its own"
            raise LoadError(spec.file, None, problem, name="duplicate-name")
    if spec.name is None:
        return pipelines
    if spec.name not in names:
        problem = f"no pipeline is named {excerpt(spec.name)}; there are {', '.join(names)}"
        raise LoadError(spec.file, None, problem, name="unknown-pipeline")
    return (pipelines[names.index(spec.name)],)


def _give(pipeline: Pipeline, arguments: Arguments, file: Path) -> None:
    try:
        pipeline.set_arguments(arguments.get(pipeline.name, {}))
    except InputError as error:
        raise LoadError(file, None, str(error), name="unknown-argument") from error


def _syntax_error(file: Path, error: SyntaxError) -> LoadError:
    where = Path(error.filename) if error.filename else file
    problem = f"{type(error).__name__}: {error.msg}"
    return LoadError(where, error.lineno, problem, name="syntax", traceback=text_of_traceback(error))


def _raised(sources: Sources, error: BaseException) -> LoadError:
    own = {str(path) for path in sources.paths}
    frames = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if frame.filename in own), None)
    name = (
        "import"
        if isinstance(error, ImportError)
        else "option"
        if isinstance(error, InputError)
        else "raised"
    )
    return LoadError(
        sources.file if last is None else Path(last.filename),
        None if last is None else last.lineno,
        _sentence(error),
        name=name,
        traceback=text_of_traceback(error),
    )


def _sentence(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return (
            f"the file ends the process when it is loaded (exit code {error.code}); remove the call of exit"
        )
    if isinstance(error, HoldMetricsError):
        return str(error)
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def text_of_traceback(error: BaseException) -> str:
    """The whole chain of exceptions as Python prints it, without the frames of the loader."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = _without_own(each.__traceback__)
            waiting += [each.__cause__, each.__context__]
    return "".join(traceback.format_exception(error))


def _without_own(entry: TracebackType | None) -> TracebackType | None:
    entries = []
    while entry is not None:
        if entry.tb_frame.f_code.co_filename not in _OWN_FILES:
            entries.append(entry)
        entry = entry.tb_next
    kept: TracebackType | None = None
    for each in reversed(entries):
        kept = TracebackType(kept, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return kept
