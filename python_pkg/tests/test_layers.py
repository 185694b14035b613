"""Who may import whom, held against the source.

A module imports modules of lower layers, or of its own layer without a cycle. The layers are those of
docs/architecture.md, with the pure algorithm, the plain values and the errors below the models.
"""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from conftest import PACKAGE

NAME = "poh_holdmetrics"
#: Ready policies: values and integers.
POLICIES = ("caps", "links", "lists", "periods", "pieces", "policy", "segments", "streaks", "values")
COMMANDS = (
    "audit",
    "audit_verify",
    "parser",
    "pipeline",
    "pipeline_check",
    "pipeline_new",
    "pipeline_service",
    "pipeline_test",
    "score",
)
API = (
    "access",
    "addresses",
    "answers",
    "decimals",
    "grpc_access",
    "grpc_acks",
    "grpc_answers",
    "grpc_decoding",
    "grpc_events",
    "grpc_handlers",
    "grpc_metrics",
    "grpc_reflection",
    "grpc_server",
    "grpc_status",
    "grpc_types",
    "grpc_watch",
    "hold_lines",
    "hold_service",
    "http_answers",
    "http_intake",
    "http_metrics",
    "http_parameters",
    "http_problem",
    "http_request_ids",
    "http_server",
    "intake",
    "page_tokens",
    "published_counts",
    "report_limit",
    "tls",
    "turns",
    "unknown_policy",
)
CLIENT = (
    "async_client",
    "batches",
    "delivery",
    "errors",
    "grpc_messages",
    "grpc_transport",
    "http_answers",
    "http_transport",
    "patience",
    "results",
    "sync_client",
    "target",
    "transport",
)
#: Highest first.
AIRDROP = ["allocation", "keccak", "selection", "trees", "units"]

LAYERS: list[set[str]] = [
    {
        "__main__",
        "app_holdmetrics",
        "cli",
        "pipeline.offline.cases",
        "pipeline.offline.trial",
        "testing",
        *(f"api.{name}" for name in API),
        *(f"client.{name}" for name in CLIENT),
        *(f"commands.{name}" for name in COMMANDS),
    },
    {
        "admin_client",
        "attachment.__main__",
        "attachment.remote",
        "attachment.report",
        "attachment.stacks",
        "attachment.target",
        "audit.comparison",
        "audit.difference",
        "audit.history",
        "clock",
        "environments.__main__",
        "environments.folder",
        "environments.install",
        "environments.pip",
        "event_lines",
        "exporter.figures",
        "exporter.instruments",
        "exporter.meter",
        "exporter.otlp",
        "exporter.prometheus",
        "exporter.reporting_sender",
        "file_scorer",
        "frames.calendar",
        "frames.events",
        "frames.explained_segment",
        "frames.explanation",
        "frames.export",
        "frames.plots",
        "frames.result",
        "frames.scoring",
        "frames.sources",
        "jobs",
        "pipeline.running.acceptance",
        "pipeline.serving.administration",
        "pipeline.arrow_stream",
        "pipeline.batch",
        "pipeline.worker.batch_frames",
        "pipeline.calling.breaker",
        "pipeline.calling.called",
        "pipeline.calling.calls",
        "pipeline.loading.checks",
        "pipeline.running.commits",
        "pipeline.context",
        "pipeline.running.dead_letters",
        "pipeline.loading.declarations",
        "pipeline.loading.decorator_checks",
        "pipeline.loading.defects",
        "pipeline.definition",
        "pipeline.running.delivery",
        "pipeline.serving.embedded",
        "pipeline.serving.embedded_host",
        "pipeline.running.event_follower",
        "pipeline.calling.failure_log",
        "pipeline.loading.file_watch",
        "pipeline.running.follower",
        "pipeline.loading.functions",
        "pipeline.running.gate",
        "pipeline.calling.guard",
        "pipeline.loading.handler_checks",
        "pipeline.handlers",
        "pipeline.worker.host_server",
        "pipeline.serving.in_process",
        "pipeline.loading.inspection",
        "pipeline.running.job_runner",
        "pipeline.calling.invocation",
        "pipeline.calling.limits",
        "pipeline.calling.slots",
        "pipeline.worker.link",
        "pipeline.loading.loader",
        "pipeline.offline.local",
        "pipeline.loading.module_space",
        "pipeline.listed_rows",
        "pipeline.port",
        "pipeline.worker.process_output",
        "pipeline.running.policy",
        "pipeline.running.publishing",
        "pipeline.loading.purity",
        "pipeline.worker.remote_host",
        "pipeline.running.run_once",
        "pipeline.running.running_handler",
        "pipeline.running.runtime",
        "pipeline.serving.served_file",
        "pipeline.serving.service",
        "pipeline.running.sink_follower",
        "pipeline.running.source_reader",
        "pipeline.loading.sources",
        "pipeline.serving.staging",
        "pipeline.loading.specs",
        "pipeline.loading.starter",
        "pipeline.serving.store_reports",
        "pipeline.serving.stores",
        "pipeline.state",
        "pipeline.calling.strays",
        "pipeline.running.submission",
        "pipeline.verdicts",
        "pipeline.offline.virtual_time",
        "pipeline.worker.__main__",
        "pipeline.worker.guardian",
        "pipeline.worker.functions",
        "pipeline.worker.limits",
        "pipeline.worker.page",
        "pipeline.worker.process",
        "pipeline.worker.runner",
        "pipeline.worker.segment_frames",
        "pipeline.worker.unix_child",
        "pipeline.worker.windows_child",
        "pipeline.calling.worker_threads",
        "policy_files",
        "row_mapping",
        "scheduler",
        "storage.flush",
        "storage.immudb",
        "storage.immudb_client",
        "storage.immudb_entries",
        "storage.immudb_ledger",
        "storage.immudb_proofs",
        "storage.kept_events",
        "storage.memory",
        "storage.mongodb",
        "storage.pipeline_sink",
        "storage.port",
        "storage.rows",
        "storage.scoring",
        "storage.sqlite_scores",
        "storage.sqlite",
        "storage.urls",
        "table",
    },
    {"tracker", "calculator", "policies.published", "policies.document", "policies.moves", "airdrop.rounds"},
    {
        "native",
        "recording",
        *(f"airdrop.{name}" for name in AIRDROP),
        *(f"policies.{name}" for name in POLICIES),
    },
    {"data_models", "config", "hold_warnings", "windows"},
    {
        "pure.aggregator",
        "pure.balance",
        "pure.columns",
        "pure.curve",
        "pure.envelope",
        "pure.facts",
        "pure.findings",
        "pure.ranking",
        "pure.row_scorer",
        "pure.statement",
    },
    {
        "column_types",
        "durations",
        "event_table",
        "feeds.columns",
        "feeds.json_rows",
        "feeds.layout",
        "feeds.logs",
        "feeds.lookup_files",
        "feeds.lookups",
        "feeds.quantities",
        "feeds.tables",
        "feeds.transfers",
        "field_parsers",
        "file_reader",
        "foreign_files",
        "input_options",
        "instants",
        "integers",
        "json_documents",
        "likely_causes",
        "protocols.hold_pb2",
        "protocols.hold_pb2_grpc",
        "protocols.immudb_pb2",
        "row_reader",
        "table_records",
        "type_words",
        "unknown_columns",
        "validation",
        "value_forms",
        "wads",
    },
    {"errors", "healthcheck", "lazy_names", "libraries", "version"},
]
#: Empty, or lazy: they import nothing of ours when they are imported.
PACKAGES = {
    "__init__",
    "feeds.__init__",
    "airdrop.__init__",
    "api.__init__",
    "attachment.__init__",
    "audit.__init__",
    "client.__init__",
    "commands.__init__",
    "environments.__init__",
    "exporter.__init__",
    "frames.__init__",
    "pipeline.__init__",
    "pipeline.calling.__init__",
    "pipeline.running.__init__",
    "pipeline.loading.__init__",
    "pipeline.serving.__init__",
    "pipeline.worker.__init__",
    "pipeline.offline.__init__",
    "policies.__init__",
    "pure.__init__",
    "storage.__init__",
    "protocols.__init__",
}
#: Only `native` names them.
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
            assert node.level == 0, "relative imports hide which layer they reach"
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


def wrong_imports(imports: dict[str, set[str]]) -> list[str]:
    """Imports that go upwards, and one cycle within a layer."""
    layer = {name: number for number, names in enumerate(LAYERS) for name in names}
    wrong = [
        f"{name} imports {other}"
        for name, others in imports.items()
        for other in others
        if other in PACKAGES or layer[other] < layer[name]
    ]
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as cycle:
        wrong.append(" imports ".join(cycle.args[1]))
    return wrong


IMPORTS = {name: own(imported(tree)) for name, tree in MODULES.items() if name not in PACKAGES}


def test_every_module_has_one_layer() -> None:
    placed = [name for names in LAYERS for name in names] + sorted(PACKAGES)
    assert sorted(placed) == sorted(MODULES)


def test_imports_go_downwards_or_sideways_without_a_cycle() -> None:
    assert not wrong_imports(IMPORTS)


@pytest.mark.parametrize(
    ("name", "other"),
    [("errors", "instants"), ("native", "tracker"), ("pure.facts", "data_models"), ("wads", "validation")],
)
def test_a_planted_violation_is_found(name: str, other: str) -> None:
    planted = {**IMPORTS, name: IMPORTS[name] | {other}}
    assert wrong_imports(planted)


def test_the_pure_algorithm_cannot_reach_native_code() -> None:
    reached: set[str] = set()
    waiting = [name for name in MODULES if name.startswith("pure.")]
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


def idle_coroutines(tree: ast.AST) -> list[ast.AsyncFunctionDef]:
    """Functions declared `async` that await nothing, without those of a Protocol."""
    protocols = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(getattr(base, "id", "") == "Protocol" for base in node.bases)
    ]
    declared = {id(each) for protocol in protocols for each in ast.walk(protocol)}
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield)
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef)
        and id(node) not in declared
        and not any(isinstance(each, waits) for each in ast.walk(node))
    ]


def test_a_coroutine_that_never_awaits_says_why() -> None:
    found = [(name, each) for name, tree in MODULES.items() for each in idle_coroutines(tree)]
    assert found
    silent = [
        f"{name}.{each.name}" for name, each in found if "coroutine" not in (ast.get_docstring(each) or "")
    ]
    assert not silent
