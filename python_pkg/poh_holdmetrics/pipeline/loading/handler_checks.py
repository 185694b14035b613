"""Defects of the functions of a loaded pipeline: their parameters, whether they may wait, and their patterns.

Looks at functions and their text, and calls none of them.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from poh_holdmetrics.errors import excerpt
from poh_holdmetrics.pipeline.definition import Pipeline
from poh_holdmetrics.pipeline.handlers import FilterOptions, GateOptions, Handler, Kind, SinkOptions
from poh_holdmetrics.pipeline.loading.declarations import dotted_name
from poh_holdmetrics.pipeline.loading.defects import Defect
from poh_holdmetrics.pipeline.loading.functions import FunctionNode, Functions, signature_of

#: What each kind of handler is called with.
PARAMETERS: Mapping[Kind, tuple[str, ...]] = {
    "on_batch": ("batch", "ctx"),
    "on_event": ("event", "ctx"),
    "every": ("ctx",),
    "sink": ("batch", "ctx"),
    "source": ("ctx", "position"),
    "transform": ("item",),
    "before_accept": ("batch", "ctx"),
    "policy": ("segments",),
}
#: Kinds whose function may not be `async`: it is called where nothing waits for it.
_SYNCHRONOUS: tuple[Kind, ...] = ("transform", "policy")
#: Signs of regular expressions and of patterns of file names, which mean nothing here; and blanks at an end.
_OTHER_PATTERN = re.compile(r"\[.+\]|\{.+\}|^\^|\$$|\.\*|\*\*|^\s|\s$")
#: Calls that block the loop on which every handler of the service runs.
_BLOCKING = {
    "input": "read the data from a file or an argument",
    "time.sleep": "write await asyncio.sleep(...)",
    "urllib.request.urlopen": "",
    "subprocess.run": "",
    "subprocess.call": "",
    "subprocess.check_call": "",
    "subprocess.check_output": "",
    "os.system": "",
    **{
        f"{module}.{verb}": ""
        for module in ("requests", "httpx")
        for verb in ("get", "post", "put", "request")
    },
}


def pipeline_defects(
    pipeline: Pipeline, file: Path, line: int | None, functions: Functions
) -> Iterator[Defect]:
    """The defects of all handlers of `pipeline`, which `file` declares in `line`."""
    if not pipeline.handlers:
        yield Defect(
            name="no-handlers",
            file=file,
            line=line,
            problem=f"no function is registered on the pipeline {pipeline.name}",
            cure='write one under a decorator such as @pipeline.every("10s")',
        )
    kinds = {handler.kind for handler in pipeline.handlers}
    if "transform" in kinds and "source" not in kinds:
        yield Defect(
            name="transform-without-source",
            file=file,
            line=line,
            problem=f"the pipeline {pipeline.name} has a transform, and no source whose items pass it",
            cure="add a source, or use on_batch for events that others send",
        )
    for handler in pipeline.handlers:
        yield from _Checks(handler, file, functions).defects()


class _Checks:
    """The checks of one handler."""

    def __init__(self, handler: Handler, file: Path, functions: Functions) -> None:
        self._handler = handler
        self._functions = functions
        self._function = inspect.unwrap(handler.function)
        place = functions.place(self._function)
        self._file: Path = file if place is None else place[0]
        self._line: int | None = None if place is None else place[1]

    def defects(self) -> Iterator[Defect]:
        yield from self._signature()
        yield from self._waiting()
        yield from self._patterns()
        node = self._functions.node(self._function)
        if node is not None:
            yield from self._blocking(node)

    def _signature(self) -> Iterator[Defect]:
        handler, expected = self._handler, PARAMETERS[self._handler.kind]
        given = ", ".join(expected)
        cure = f"write {'async ' if _is_async(self._function) else ''}def {handler.name}({given})"
        try:
            signature = signature_of(handler.function)
        except (TypeError, ValueError):
            return  # a callable of C code without a signature
        try:
            signature.bind(*expected)
        except TypeError:
            problem = f"{handler.name}{_shown(signature)} is called with ({given})"
            yield self._defect("signature", problem, cure)
            return
        names = [each.name for each in signature.parameters.values()]
        for position, name in enumerate(names[: len(expected)]):
            if name in expected and expected[position] != name:
                problem = f"{handler.name}{_shown(signature)} is called with ({given}), in this order"
                yield self._defect("signature", problem, cure)
                return

    def _waiting(self) -> Iterator[Defect]:
        handler, function = self._handler, self._function
        is_generator = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
        if handler.kind == "source":
            node = self._functions.node(function)
            if node is not None and not is_generator and not _returns(node):
                problem = f"the source {handler.name} yields nothing"
                yield self._defect(
                    "source-yields-nothing", problem, "write yield item, position for each item"
                )
        elif is_generator:
            problem = f"{handler.name} contains yield, so calling it runs none of its lines"
            yield self._defect("yield-in-handler", problem, "remove yield; a transform returns a list")
        if _is_async(function):
            if handler.kind in _SYNCHRONOUS:
                problem = f"{handler.name} is async, and a {handler.kind} is called where nothing waits"
                yield self._defect("async-not-possible", problem, "write def")
            elif handler.options.blocking:
                problem = f"{handler.name} is async, and blocking=True calls it in a worker thread"
                yield self._defect("async-and-blocking", problem, "write def, or remove blocking=True")

    def _patterns(self) -> Iterator[Defect]:
        options = self._handler.options
        if isinstance(options, FilterOptions | SinkOptions | GateOptions):
            for field, pattern in (("token", options.token), ("holder", options.holder)):
                if pattern is not None and _OTHER_PATTERN.search(pattern):
                    problem = f"{field}={excerpt(pattern)} has signs that stand for themselves"
                    cure = "write an id in which * stands for any text and ? for one character"
                    yield self._defect("pattern", problem, cure)

    def _blocking(self, node: FunctionNode) -> Iterator[Defect]:
        if self._handler.options.blocking or self._handler.kind == "policy":
            return
        for call in ast.walk(node):
            if isinstance(call, ast.Call):
                name = self._functions.resolved(self._file, dotted_name(call.func))
                if name in _BLOCKING:
                    cure = _BLOCKING[name] or "add blocking=True to the decorator"
                    if name == "time.sleep" and not _is_async(self._function):
                        cure = (
                            "add blocking=True to the decorator, or write async def and await asyncio.sleep"
                        )
                    problem = (
                        f"{self._handler.name} calls {name}, and every handler of the service waits for it"
                    )
                    yield self._defect("blocks-the-loop", problem, cure, call.lineno)

    def _defect(self, name: str, problem: str, cure: str, line: int | None = None) -> Defect:
        return Defect(name=name, file=self._file, line=line or self._line, problem=problem, cure=cure)


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function)


def _returns(node: FunctionNode) -> bool:
    """Whether the function returns something, which may be a generator made elsewhere."""
    return any(isinstance(each, ast.Return) and each.value is not None for each in ast.walk(node))


def _shown(signature: inspect.Signature) -> str:
    parameters = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
