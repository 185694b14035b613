"""Finds the syntax tree of a loaded function in the text of its file, and what the names in it stand for.

Of the files of one generation only (`sources`); a function of an installed library has no tree here.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from poh_holdmetrics.pipeline.loading.sources import Sources

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Functions:
    """All functions of the files of a generation."""

    def __init__(self, sources: Sources) -> None:
        self.trees = {source.path: ast.parse(source.text) for source in sources.modules.values()}
        self.files = {name: source.path for name, source in sources.modules.items()}
        self._imports = {path: _imports(tree) for path, tree in self.trees.items()}
        self._nodes: dict[tuple[str, int], FunctionNode] = {}
        for path, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, FunctionNode):
                    self._nodes[str(path), _first_line(node)] = node

    def node(self, function: Callable[..., Any]) -> FunctionNode | None:
        """The tree of a function, or None if it is not of these files."""
        code = getattr(function, "__code__", None)
        return None if code is None else self._nodes.get((code.co_filename, code.co_firstlineno))

    def place(self, function: Callable[..., Any]) -> tuple[Path, int] | None:
        """The file of a function, and the line of its `def`."""
        node = self.node(function)
        return None if node is None else (Path(function.__code__.co_filename), node.lineno)

    def resolved(self, file: Path, name: str) -> str:
        """A dotted name of `file` with its import written out: `dt.now` is `datetime.datetime.now`."""
        first, dot, rest = name.partition(".")
        return f"{self._imports.get(file, {}).get(first, first)}{dot}{rest}"


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The parameters of a function, whose annotations since Python 3.14 may name what nobody imports."""
    if sys.version_info >= (3, 14):
        import annotationlib  # noqa: PLC0415 - older versions do not have it

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def _first_line(node: FunctionNode) -> int:
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return min([node.lineno, *(each.lineno for each in decorators)])


def _imports(tree: ast.Module) -> dict[str, str]:
    """The names that import statements of a file bind, wherever they stand, and what they stand for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}"
    return names
