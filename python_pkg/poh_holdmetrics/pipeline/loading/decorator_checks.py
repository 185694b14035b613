"""Defects of decorators, found in the text of a file: unknown ones, and options that they refuse.

The decorators themselves check the options that are literals, on a pipeline made for that, so that all
defects of a file are found at once and not only the first one, at which loading it ends. Executes nothing of
the file.
"""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pipeline.definition import Pipeline
from poh_holdmetrics.pipeline.handlers import Kind
from poh_holdmetrics.pipeline.loading.declarations import Declaration, declarations
from poh_holdmetrics.pipeline.loading.defects import Defect

_KINDS: tuple[str, ...] = get_args(Kind)
#: What a decorator cannot be without.
_FIRST = {"every": '"10s"'}
#: What a pipeline has besides decorators.
_OTHERS = {name for name in vars(Pipeline) if not name.startswith("_")} - set(_KINDS)


def decorator_defects(file: Path, text: str) -> Iterator[Defect]:
    """The defects of a file that can be parsed."""
    found = {each.variable: each for each in declarations(text) if each.variable}
    probes = {variable: _Probe(file, declaration) for variable, declaration in found.items()}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
                    probe = probes.get(called.value.id)
                    if probe is not None:
                        yield from probe.defects(decorator, called, node.name)
    for declaration in found.values():
        yield from _isolation_defects(file, declaration)
    isolations = {each.isolation for each in found.values()}
    if len(isolations) > 1 and None not in isolations:
        line = next(each.line for each in found.values() if each.isolation == "none")
        yield Defect(
            name="mixed-isolation",
            file=file,
            line=line,
            problem="some pipelines of this file are isolated and others are not",
            cure="move them into files of their own: a file is executed either in the service or outside",
        )


def decorator_lines(text: str) -> list[range]:
    """The lines of each decorator of a file that can be parsed."""
    return [
        range(decorator.lineno, (decorator.end_lineno or decorator.lineno) + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in node.decorator_list
    ]


class _Probe:
    """A pipeline that takes the decorators of one of the file's."""

    def __init__(self, file: Path, declaration: Declaration) -> None:
        self._file = file
        self._variable = declaration.variable
        self._pipeline = Pipeline("check")

    def defects(self, decorator: ast.expr, attribute: ast.Attribute, function_name: str) -> Iterator[Defect]:
        kind = attribute.attr
        if kind not in _KINDS:
            if kind not in _OTHERS:
                near = difflib.get_close_matches(kind, _KINDS, n=1)
                cure = f"write @{self._variable}.{near[0]}" if near else f"known are {', '.join(_KINDS)}"
                problem = f"{self._variable}.{kind} is not a decorator of pipelines"
                yield self._defect("unknown-decorator", decorator.lineno, problem, cure)
            return
        if not isinstance(decorator, ast.Call):
            problem = f"@{self._variable}.{kind} has no parentheses"
            cure = f"write @{self._variable}.{kind}({_FIRST.get(kind, '')})"
            yield self._defect("no-parentheses", decorator.lineno, problem, cure)
            return
        yield from self._refusals(decorator, kind, function_name)

    def _refusals(self, call: ast.Call, kind: str, function_name: str) -> Iterator[Defect]:
        method = getattr(self._pipeline, kind)
        signature = inspect.signature(method)
        known = list(signature.parameters)
        values: dict[str, object] = {}
        for keyword in call.keywords:
            if keyword.arg is None:
                return  # **options are known only when the file is executed
            if keyword.arg not in known:
                near = difflib.get_close_matches(keyword.arg, known, n=1)
                cure = f"write {near[0]}" if near else f"known are {', '.join(known)}"
                problem = f"{kind} has no option {keyword.arg}"
                yield self._defect("unknown-option", keyword.value.lineno, problem, cure)
                return
            values[keyword.arg] = keyword.value
        try:
            bound = signature.bind(*call.args, **values)
        except TypeError as error:
            cure = f"{kind} takes {', '.join(known)}"
            yield self._defect("unknown-option", call.lineno, f"{kind}: {error}", cure)
            return
        lines = {name: node.lineno for name, node in bound.arguments.items()}
        try:
            for name, node in bound.arguments.items():
                bound.arguments[name] = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return  # no literal: known only when the file is executed
        try:
            method(*bound.args, **bound.kwargs)(_named(function_name))
        except InputError as error:
            problem, cure = _parts(str(error))
            yield self._defect("option", lines.get(error.where, call.lineno), problem, cure)

    def _defect(self, name: str, line: int, problem: str, cure: str) -> Defect:
        return Defect(name=name, file=self._file, line=line, problem=problem, cure=cure)


def _named(name: str) -> Callable[..., None]:
    def function(*_arguments: object) -> None:
        """Stands for the function of the file."""

    function.__name__ = name
    return function


def _parts(refusal: str) -> tuple[str, str]:
    """What is wrong, and the cure that follows it."""
    problem, semicolon, cure = refusal.rpartition("; ")
    return (problem, cure) if semicolon else (refusal, "correct the value")


def _isolation_defects(file: Path, declaration: Declaration) -> Iterator[Defect]:
    if declaration.isolation is None:
        yield Defect(
            name="isolation-not-literal",
            file=file,
            line=declaration.line,
            problem="isolation is read before the file is executed, and here it is not a text",
            cure='write isolation="process" or isolation="none"',
        )
