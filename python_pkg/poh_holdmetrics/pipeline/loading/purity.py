"""Defects of policies: what could give another score for the same segments.

A policy is published under the hash of its source, so it may read its segments and constants and nothing
else: no clock, no random numbers, no file, no network, no global that changes. Found in the text, of the
policy and of the functions of the same files that it calls. What is reached through libraries is not seen.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poh_holdmetrics.pipeline.loading.declarations import dotted_name
from poh_holdmetrics.pipeline.loading.defects import Defect
from poh_holdmetrics.pipeline.loading.functions import FunctionNode, Functions

#: Modules by what a policy would read through them.
_IMPURE_MODULES = {
    "the clock": ("time", "sched"),
    "random numbers": ("random", "secrets", "uuid", "numpy.random"),
    "files or the system": (
        *("os", "sys", "io", "pathlib", "shutil", "tempfile", "glob", "subprocess", "sqlite3", "platform"),
        *("open", "input", "threading", "multiprocessing", "asyncio", "gc"),
    ),
    "the network": ("socket", "ssl", "http", "urllib", "requests", "httpx", "aiohttp", "grpc"),
    "code that is not in the file": ("eval", "exec", "compile", "__import__", "importlib", "globals", "vars"),
    "a number that differs between processes": ("hash", "id"),
}
_CLOCK_METHODS = {"now", "utcnow", "today"}
_CURES = {
    "the clock": "use the times of the segments",
    "random numbers": "derive the value from the holder's id with hashlib",
}
#: Methods that change a list, dictionary or set.
_CHANGING = {
    *("append", "add", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "reverse"),
    *("setdefault", "sort", "update", "appendleft", "popleft"),
}


@dataclass(frozen=True, slots=True)
class _Function:
    file: Path
    node: FunctionNode


def policy_defects(name: str, function: Callable[..., Any], functions: Functions) -> Iterator[Defect]:
    """Why the policy `name` is not pure."""
    node, place = functions.node(function), functions.place(function)
    if node is None or place is None:
        return
    waiting = [_Function(place[0], node)]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if id(each.node) not in seen:
            seen.add(id(each.node))
            yield from _Purity(name, each, functions).defects()
            waiting += _called(each, functions)


def _called(function: _Function, functions: Functions) -> Iterator[_Function]:
    """The functions of the same files that a function names."""
    for node in ast.walk(function.node):
        if isinstance(node, ast.Name | ast.Attribute) and (name := dotted_name(node)):
            module, _, last = functions.resolved(function.file, name).rpartition(".")
            file = functions.files.get(module) if module else function.file
            if file is not None:
                for statement in functions.trees[file].body:
                    if isinstance(statement, ast.FunctionDef) and statement.name == last:
                        yield _Function(file, statement)


class _Purity:
    """The checks of one function that a policy consists of."""

    def __init__(self, policy: str, function: _Function, functions: Functions) -> None:
        self._policy = policy
        self._file = function.file
        self._node = function.node
        self._functions = functions
        self._local = _bound_in(function.node)

    def defects(self) -> Iterator[Defect]:
        seen: set[tuple[int, str]] = set()
        inner = {id(node.value) for node in ast.walk(self._node) if isinstance(node, ast.Attribute)}
        for node in ast.walk(self._node):
            if id(node) in inner:
                continue  # `random` of `random.random`
            for line, what, cure in self._found(node):
                if (line, what) not in seen:
                    seen.add((line, what))
                    yield Defect(
                        name="policy-not-pure",
                        file=self._file,
                        line=line,
                        problem=f"the policy {self._policy} {what}, so its scores are not certain",
                        cure=cure,
                    )

    def _found(self, node: ast.AST) -> Iterator[tuple[int, str, str]]:
        if isinstance(node, ast.Global | ast.Nonlocal):
            names = ", ".join(node.names)
            yield node.lineno, f"changes {names}, which stays from one call to the next", "return the value"
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            name = dotted_name(node)
            if name and name.partition(".")[0] not in self._local:
                yield from self._name(node.lineno, name)

    def _name(self, line: int, name: str) -> Iterator[tuple[int, str, str]]:
        full = self._functions.resolved(self._file, name)
        parts = full.split(".")
        if parts[0] == "datetime" and parts[-1] in _CLOCK_METHODS:
            yield line, f"reads the clock by {name}", _CURES["the clock"]
        for what, modules in _IMPURE_MODULES.items():
            for module in modules:
                is_builtin = hasattr(builtins, module)
                if full == module if is_builtin else full == module or full.startswith(f"{module}."):
                    verb = "uses" if what.startswith("a ") or "code" in what else "reads"
                    yield line, f"{verb} {what} by {name}", _CURES.get(what, "move the value into a constant")
        module, _, last = full.rpartition(".")
        owner = self._functions.files.get(module) if module else self._file
        if owner is not None and last in _changing_globals(self._functions.trees[owner]):
            yield line, f"reads {name}, which the file changes", "use a constant that nothing changes"


def _bound_in(node: FunctionNode) -> set[str]:
    """Names that are local to the function."""
    declared = {
        name for each in ast.walk(node) if isinstance(each, ast.Global | ast.Nonlocal) for name in each.names
    }
    bound = {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)
    }
    parameters = {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    return (bound | parameters) - declared


def _changing_globals(tree: ast.Module) -> set[str]:
    """Names of the top level that a function binds again, or whose list, dictionary or set it changes.

    What is changed while the file is loaded is a constant afterwards.
    """
    changed: set[str] = set()
    for function in ast.walk(tree):
        if isinstance(function, FunctionNode):
            changed |= set(_changed_in(function)) - _bound_in(function)
    return changed


def _changed_in(function: FunctionNode) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield dotted_name(node.value)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _CHANGING
        ):
            yield dotted_name(node.func.value)
