"""A real Prometheus that scrapes one address every second, and the check of `promtool`.

Both are on the PATH where Debian's package prometheus is installed.
"""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from servers.process import ServerProcess, answers_ok, free_port
from servers.programs import find_program

_CURE = "install Debian's package prometheus"


def promtool_complaints(page: str) -> str:
    """What `promtool check metrics` says about a page; empty if it accepts it."""
    promtool = find_program("promtool", variable="POH_PROMTOOL", cure=_CURE)
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=page, capture_output=True, check=False, text=True
    )
    return (checked.stdout + checked.stderr).strip()


class Prometheus:
    """One server on a free port of loopback, with its data in a folder."""

    def __init__(self, folder: Path, target: str) -> None:
        """`target` is HOST:PORT."""
        self._program = find_program("prometheus", variable="POH_PROMETHEUS", cure=_CURE)
        self._folder = folder
        self._target = target
        self._process = ServerProcess(folder / "prometheus.log")
        self._url = f"http://127.0.0.1:{free_port()}"
        self.end = self._process.end

    def start(self) -> None:
        """Start, and return when it answers questions."""
        configuration = self._folder / "prometheus.yml"
        job = f"  - job_name: holdmetrics\n    static_configs: [{{targets: ['{self._target}']}}]\n"
        configuration.write_text(f"global: {{scrape_interval: 1s}}\nscrape_configs:\n{job}", "utf-8")
        command = [
            *(
                self._program,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={self._folder / 'data'}",
            ),
            f"--web.listen-address={self._url.removeprefix('http://')}",
        ]
        self._process.start(command, lambda: answers_ok(f"{self._url}/-/ready"))

    def values(self, query: str) -> list[float]:
        """The values of the series that a query finds now."""
        given = urllib.parse.urlencode({"query": query})
        found = self._get(f"/api/v1/query?{given}")
        return [float(each["value"][1]) for each in found["result"]]

    def metadata(self, name: str) -> list[dict[str, str]]:
        """Type and help text of a metric, as it was scraped."""
        found: list[dict[str, str]] = self._get(f"/api/v1/metadata?metric={name}").get(name, [])
        return found

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self._url + path, timeout=10) as answer:  # noqa: S310 - our own server
            return json.load(answer)["data"]
