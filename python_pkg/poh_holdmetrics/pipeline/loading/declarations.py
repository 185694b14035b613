"""What a pipeline file says of its pipelines, read from its text by `ast`: their names and their isolation.

The service must know before it executes a file whether the file may be executed in this process. So the names
and isolations are literals here; `checks` says so where they are not. Executes nothing.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

#: The modules from which a file can import the class.
_HOMES = {"poh_holdmetrics", "poh_holdmetrics.pipeline", "poh_holdmetrics.pipeline.definition"}
_CLASS = "Pipeline"


@dataclass(frozen=True, kw_only=True, slots=True)
class Declaration:
    """One call of `Pipeline(...)` at the top level of a file."""

    variable: str
    """The name that it is assigned to; empty if none."""
    name: str | None
    """The name of the pipeline; None if it is not written as text."""
    isolation: str | None
    """`none` if nothing is said; None if it is not written as text."""
    line: int


def declarations(text: str) -> list[Declaration]:
    """The pipelines that the text declares. Raises `SyntaxError`."""
    tree = ast.parse(text)
    names = _names_of_the_class(tree)
    return [
        _declaration(node, _variable(statement, node))
        for statement in tree.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and dotted_name(node.func) in names
    ]


def dotted_name(node: ast.expr) -> str:
    """`a.b.c` of an expression that is one, else an empty text."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _declaration(call: ast.Call, variable: str) -> Declaration:
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    name = call.args[0] if call.args else keywords.get("name")
    isolation = keywords.get("isolation")
    spread = None in keywords or any(isinstance(each, ast.Starred) for each in call.args)
    return Declaration(
        variable=variable,
        name=_text(name),
        isolation=_text(isolation) if isolation is not None else None if spread else "none",
        line=call.lineno,
    )


def _names_of_the_class(tree: ast.Module) -> set[str]:
    """How the text may write the class: `Pipeline`, an alias, `poh_holdmetrics.Pipeline`."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in _HOMES and not node.level:
            names |= {alias.asname or alias.name for alias in node.names if alias.name == _CLASS}
            names |= {
                f"{alias.asname or alias.name}.{_CLASS}"
                for alias in node.names
                if f"{node.module}.{alias.name}" in _HOMES
            }
        elif isinstance(node, ast.Import):
            names |= {
                f"{alias.asname or alias.name}.{_CLASS}" for alias in node.names if alias.name in _HOMES
            }
    return names


def _variable(statement: ast.stmt, call: ast.Call) -> str:
    if isinstance(statement, ast.AnnAssign | ast.Assign) and statement.value is call:
        target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
        if isinstance(target, ast.Name):
            return target.id
    return ""


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
