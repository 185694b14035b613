"""A real OpenTelemetry collector that receives OTLP over gRPC and HTTP, and writes what it got to its log.

Built from the parts that it needs by the collector's own builder, with Go, into the cache folder.
"""

from __future__ import annotations

from pathlib import Path

from servers.process import ServerProcess, free_port
from servers.programs import cache_folder, find_program, run_installer

_VERSION = "v0.150.0"
_PROVIDERS = "v1.56.0"
_MODULE = "go.opentelemetry.io/collector"
_PARTS = f"""\
dist: {{name: otelcol, output_path: .}}
receivers: [{{gomod: {_MODULE}/receiver/otlpreceiver {_VERSION}}}]
processors: [{{gomod: {_MODULE}/processor/batchprocessor {_VERSION}}}]
exporters: [{{gomod: {_MODULE}/exporter/debugexporter {_VERSION}}}]
providers:
  - gomod: {_MODULE}/confmap/provider/fileprovider {_PROVIDERS}
  - gomod: {_MODULE}/confmap/provider/envprovider {_PROVIDERS}
"""
_CONFIGURATION = """\
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:GRPC"}, http: {endpoint: "127.0.0.1:HTTP"}}}
processors: {batch: {timeout: 50ms}}
exporters: {debug: {verbosity: detailed}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {metrics: {receivers: [otlp], processors: [batch], exporters: [debug]}}
"""


def _program() -> str:
    folder = cache_folder() / "collector"
    return find_program(
        "otelcol",
        variable="POH_COLLECTOR",
        cure="build one with Go by setting HOLDMETRICS_CACHE to a folder",
        cached=folder / "otelcol",
        install=lambda: _build(folder),
        version="components",
    )


def _build(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "parts.yaml").write_text(_PARTS, "utf-8")
    builder = f"{_MODULE}/cmd/builder@{_VERSION}"
    run_installer(["go", "install", builder], environment={"GOBIN": str(folder)})
    run_installer([str(folder / "builder"), "--config", "parts.yaml"], folder=folder)


class Collector:
    """One collector on free ports of loopback."""

    def __init__(self, folder: Path) -> None:
        self._program = _program()
        self._folder = folder
        self._grpc, self._http = free_port(), free_port()
        self._process = ServerProcess(folder / "collector.log")
        self.log = self._process.log
        self.end = self._process.end

    def endpoint(self, protocol: str) -> str:
        """The address for `grpc` or `http/protobuf`."""
        return f"http://127.0.0.1:{self._grpc if protocol == 'grpc' else self._http}"

    def start(self) -> None:
        """Start, and return when it takes metrics."""
        configuration = self._folder / "collector.yaml"
        text = _CONFIGURATION.replace("GRPC", str(self._grpc)).replace("HTTP", str(self._http))
        configuration.write_text(text, "utf-8")
        command = [self._program, "--config", f"file:{configuration}"]
        self._process.start(command, lambda: "Everything is ready" in self.log())
