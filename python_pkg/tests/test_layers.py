"""Who may import whom, held against the source.

A module imports only modules of lower rooms. The rooms are those of the architecture, with the plain values
and the pure algorithm below the models.
"""

from __future__ import annotations

import ast
from pathlib import Path

from conftest import PACKAGE

NAME = "poh_holdmetrics"
#: Highest first. A module may import from rooms below its own, never from its own or above.
ROOMS: list[set[str]] = [
    {"__main__"},
    {"cli"},
    {"protocols.hold_pb2_grpc"},
    {"protocols.hold_pb2"},
    {"table"},
    {"scheduler", "storage.memory", "pipeline", "reading", "audit"},
    {"storage.port", "intake", "clock"},
    {"tracker", "calculator"},
    {"native"},
    {"data_models", "config", "windows", "ingest"},
    {"pure.aggregator"},
    {"pure.columns", "pure.envelope", "pure.ranking"},
    {"pure.curve"},
    {"pure.facts"},
    {"records"},
    {"instants", "wads"},
    {"errors"},
]
#: Empty or lazy: they import nothing of ours when they are imported.
DOORSTEPS = {"__init__", "pure.__init__", "storage.__init__", "protocols.__init__"}
#: What needs native code to exist is told through `native`, never by name.
NATIVE_NAMES = {"poh_holdmetrics_rust", "_holdmetrics_host"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = {module_name(path): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}


def imported(tree: ast.AST) -> set[str]:
    """Full dotted names, of submodules and attributes alike."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the room that they reach into"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def own(names: set[str]) -> set[str]:
    found = set()
    for name in names:
        parts = name.split(".")
        if parts[0] == NAME:
            inner = parts[1:]
            while inner and ".".join(inner) not in MODULES:
                inner = inner[:-1]
            assert inner, f"{name}: the package root is for users, not for its own modules"
            found.add(".".join(inner))
    return found


def test_every_module_has_one_room() -> None:
    placed = [name for room in ROOMS for name in room] + sorted(DOORSTEPS)
    assert sorted(placed) == sorted(MODULES)


def test_imports_go_downwards_only() -> None:
    floor = {name: -height for height, room in enumerate(ROOMS) for name in room}
    wrong = [
        f"{name} imports {other}"
        for name, tree in MODULES.items()
        if name not in DOORSTEPS
        for other in own(imported(tree))
        if other in DOORSTEPS or floor[other] >= floor[name]
    ]
    assert not wrong


def test_the_audit_and_the_pure_algorithm_cannot_reach_native_code() -> None:
    reached: set[str] = set()
    waiting = ["audit", *(name for name in MODULES if name.startswith("pure."))]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += own(imported(MODULES[name]))
    assert not reached & {"native", "tracker", "calculator"}


def test_native_code_is_named_in_native_alone() -> None:
    for name, tree in MODULES.items():
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert name == "native" or not texts & NATIVE_NAMES
        assert not {top.split(".")[0] for top in imported(tree)} & NATIVE_NAMES


def test_every_module_says_what_it_is_for() -> None:
    for name, tree in MODULES.items():
        assert ast.get_docstring(tree), name
