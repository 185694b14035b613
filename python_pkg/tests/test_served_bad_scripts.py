"""The bad scripts against the real binary under load: runs where pytest runs inside of it.

In each case every event is acknowledged, another pipeline goes on, both sinks are given every event, and
`/admin/pipelines` names the culprit.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from poh_holdmetrics import native
from served import AT_ONCE, Service, serving, workers_of

pytestmark = [
    pytest.mark.skipif(not native.inside_host(), reason="needs to run inside main_holdmetrics"),
    pytest.mark.skipif(os.name == "nt", reason="needs Unix"),
]

#: The events of a case.
EVENTS = 300

HEALTHY = '''
import pathlib
from poh_holdmetrics import Pipeline
from poh_holdmetrics.pipeline import Batch, Context

pipeline = Pipeline("{name}", start="beginning", isolation="{isolation}")
folder = pathlib.Path(__file__).parent

def is_first() -> bool:
    """Whether this is the first bad call of all processes."""
    try:
        (folder / "first").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

@pipeline.sink("archive", batch=50, flush="20ms")
def archive(batch: Batch, ctx: Context) -> None:
    with (folder / "{name}.archived").open("a") as file:
        file.write("".join(f"{{each}}\\n" for each in batch.event_id))
'''

BAD = """
@pipeline.on_batch("bad")
{function}
    if is_first():
{body}
"""


@contextmanager
def beside_a_good_one(folder: Path, culprit: str, **environment: str) -> Iterator[Service]:
    """A service with a good pipeline and a bad one."""
    files = [folder / "culprit.py", folder / "healthy.py"]
    files[0].write_text(culprit, "utf-8")
    files[1].write_text(HEALTHY.format(name="healthy", isolation="none"), "utf-8")
    limits = {"SOFT_LIMIT": "300ms", "HARD_LIMIT": "300ms", "FATAL_LIMIT": "0s", "MEMORY_MAX": "256MiB"}
    variables = {f"HOLDMETRICS_PIPELINES_{name}": text for name, text in {**limits, **environment}.items()}
    with serving(folder, files, variables) as service:
        yield service


def source(body: str, *, isolation: str = "none", is_async: bool = False) -> str:
    function = f"{'async ' * is_async}def bad(batch: Batch, ctx: Context) -> None:"
    return HEALTHY.format(name="culprit", isolation=isolation) + BAD.format(
        function=function, body=textwrap.indent(textwrap.dedent(body).strip("\n"), " " * 8)
    )


def run_case(folder: Path, culprit: str, is_named: Callable[[Service], bool]) -> Service:
    with beside_a_good_one(folder, culprit) as service:
        for first in range(0, EVENTS, AT_ONCE):
            service.send(first)
            time.sleep(0.02)
        everything = {f"event {number}" for number in range(EVENTS)}
        service.until(lambda: service.archived("healthy") == everything)
        service.until(lambda: service.archived("culprit") == everything)
        service.until(lambda: is_named(service))
        others = [service.handler("healthy", "archive"), service.handler("culprit", "archive")]
        assert [each["failures"] for each in others] == [0, 0]
    # Acknowledgements do not wait for Python. Far below the hard limit, on a busy machine.
    assert service.slowest_seconds < 1.0
    return service


def failed_in(text: str) -> Callable[[Service], bool]:
    def is_named(service: Service) -> bool:
        return text in json.dumps(service.handler("culprit", "bad")["last_failure"])

    return is_named


def counted(outcome: str, logged: str = "") -> Callable[[Service], bool]:
    def is_named(service: Service) -> bool:
        outcomes = service.handler("culprit", "bad")["outcomes"]
        return outcomes.get(outcome, 0) > 0 and logged in service.log()

    return is_named


def logged(text: str) -> Callable[[Service], bool]:
    return lambda service: text in service.log()


IN_PROCESS = {
    "an endless loop that swallows exceptions": (
        """
        times = 0
        while times < 3:
            try:
                while True:
                    pass
            except BaseException:
                times += 1
        """,
        counted("timed_out", "culprit/bad took longer than its limit"),
    ),
    "a long sleep": ("import time\ntime.sleep(1.8)", logged("culprit/bad has run for")),
    "a catastrophic regular expression": (
        "import re\nre.match('(a+)+$', 'a' * 26 + 'b')",
        counted("timed_out"),
    ),
    "deep recursion": ("def again(): again()\nagain()", failed_in("RecursionError")),
    "sys.exit": ("import sys\nsys.exit(3)", failed_in("SystemExit: 3")),
    "raising BaseException": ("raise BaseException('rude')", failed_in("BaseException: rude")),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", failed_in("KeyboardInterrupt")),
    "a thread left behind": (
        """
        import threading, time
        threading.Thread(target=time.sleep, args=(60,), name="stowaway").start()
        """,
        counted("left_behind", "thread stowaway"),
    ),
    "closed standard streams": (
        "import sys\nsys.stdout.close()\nsys.stderr.close()",
        logged("culprit/bad has closed sys.stderr"),
    ),
    "a batch that is changed": ("batch.start_us[0] = 0", failed_in("TypeError")),
    "nonsense returned": ("return (each for each in 'nonsense')", failed_in("NonsenseReturned")),
    "a wrong call of native code": ("ctx.leaderboard(-5, as_of='nonsense')", failed_in("as_of")),
}


@pytest.mark.parametrize("case", IN_PROCESS)
def test_a_bad_script_in_the_process_of_the_service(case: str, tmp_path: Path) -> None:
    body, is_named = IN_PROCESS[case]
    run_case(tmp_path, source(body), is_named)


def test_a_task_left_behind(tmp_path: Path) -> None:
    body = """
        import asyncio
        held = asyncio.create_task(asyncio.sleep(60), name="stowaway")
        held.add_done_callback(print)
    """
    run_case(tmp_path, source(body, is_async=True), counted("left_behind", "task stowaway"))


@pytest.mark.parametrize("text", ["def broken(:\n", "import no_such_module\n"])
def test_a_file_that_does_not_load(text: str, tmp_path: Path) -> None:
    with beside_a_good_one(tmp_path, text) as service:
        service.send(0)
        service.until(lambda: len(service.archived("healthy")) == AT_ONCE)
        states = {each["name"]: each["state"] for each in service.ask("/admin/pipelines")["pipelines"]}
        assert states == {"culprit": "failed", "healthy": "running"}


OWN_PROCESS = {
    "os._exit": ("import os\nos._exit(7)", failed_in("exit code 7")),
    "a segmentation fault": ("import ctypes\nctypes.string_at(0)", failed_in("SIGSEGV")),
    "1 GB of memory": ("bytearray(1 << 30)", failed_in("MemoryError")),
    "a catastrophic regular expression": (
        "import re\nre.match('(a+)+$', 'a' * 60 + 'b')",
        failed_in("hangs: its loop has not run"),
    ),
    "a fork bomb": (
        """
        import os, time
        for _ in range(200):
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
        time.sleep(60)
        """,
        failed_in("of at most 32 processes" if os.getuid() == 0 else ""),
    ),
}


@pytest.mark.parametrize("case", OWN_PROCESS)
def test_a_bad_script_in_a_process_of_its_own(case: str, tmp_path: Path) -> None:
    body, is_named = OWN_PROCESS[case]
    run_case(tmp_path, source(body, isolation="process"), is_named)


def test_a_service_that_is_killed_takes_its_workers_along_and_loses_nothing(tmp_path: Path) -> None:
    culprit = source("raise ValueError", isolation="process")
    with beside_a_good_one(tmp_path, culprit) as service:
        for first in range(0, EVENTS // 2, AT_ONCE):
            service.send(first)
        service.until(lambda: bool(service.archived("culprit")))
        pids = workers_of(service.process.pid)
        assert len(pids) == 1
        service.kill()
    ends = time.monotonic() + 5
    while not all(is_zombie(pid) for pid in pids):
        assert time.monotonic() < ends
        time.sleep(0.02)
    with beside_a_good_one(tmp_path, culprit) as service:
        for first in range(EVENTS // 2, EVENTS, AT_ONCE):
            service.send(first)
        everything = {f"event {number}" for number in range(EVENTS)}
        service.until(lambda: service.archived("culprit") == everything)
        service.until(lambda: service.archived("healthy") == everything)


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux gives a process those that lose their parents"
)
def test_a_service_that_is_killed_takes_along_what_its_workers_have_started(tmp_path: Path) -> None:
    body = """
        import subprocess
        script = "sleep 60 & echo $! > {folder}/PLACE; wait".replace("{folder}", str(folder))
        subprocess.Popen(["setsid", "sh", "-c", script.replace("PLACE", "session")])
        subprocess.Popen(["sh", "-c", script.replace("PLACE", "group")])
    """
    files = [tmp_path / "session", tmp_path / "group"]
    with beside_a_good_one(tmp_path, source(body, isolation="process")) as service:
        service.send(0)
        service.until(lambda: all(file.exists() and file.read_text("utf-8").strip() for file in files))
        pids = [int(file.read_text("utf-8")) for file in files] + workers_of(service.process.pid)
        assert not any(map(is_zombie, pids))
        service.kill()
    ends = time.monotonic() + 5
    while not all(map(is_zombie, pids)):
        assert time.monotonic() < ends
        time.sleep(0.02)


def is_zombie(pid: int) -> bool:
    """Whether the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
