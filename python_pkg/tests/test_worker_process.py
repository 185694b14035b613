"""Whatever a script does to its worker process, the others go on and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from poh_holdmetrics import AsyncTracker, HoldEvent
from poh_holdmetrics.clock import LoopClock
from poh_holdmetrics.errors import HoldMetricsError, InputError, Refused
from poh_holdmetrics.pipeline.calling.breaker import Backoff
from poh_holdmetrics.pipeline.loading.specs import Spec
from poh_holdmetrics.pipeline.offline.local import LocalHost
from poh_holdmetrics.pipeline.worker.process import WorkerSettings
from poh_holdmetrics.pipeline.worker.runner import WorkerRunner

pytestmark = pytest.mark.skipif(
    os.name == "nt",
    reason="the scripts use os.fork, os.closerange, signals, sh, setsid and sleep; /proc shows what is left. "
    "On Windows, tests/windows/test_service.py runs a pipeline in a process of its own",
)

SETTINGS = WorkerSettings(soft_seconds=0.3, hard_seconds=0.3, memory_bytes_max=256 << 20)

HEAD = '''
from poh_holdmetrics import Pipeline
import os, pathlib, time

pipeline = Pipeline("culprit", isolation="process", start="beginning")
first = pathlib.Path(__file__).with_name("first")

def is_first():
    """Whether this is the first call of all processes."""
    try:
        first.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

@pipeline.sink("archive", batch=3, flush="20ms", start="beginning")
def archive(batch, ctx):
    bad = is_first()
    if bad:
        misbehave()
    with pathlib.Path(__file__).with_name("archived").open("a") as file:
        file.write("".join(f"{each}\\n" for each in batch.event_id))
'''


class Place:
    """A host over a tracker, and the file of a pipeline."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tracker = AsyncTracker()
        self.host = LocalHost(self.tracker)
        self._events = 0

    async def record(self, count: int) -> None:
        """Record so many events more."""
        events = [
            HoldEvent.model_validate(
                {"token_id": "punk/1", "holder_id": "ada", "start": 1000, "event_id": f"event {number}"}
            )
            for number in range(self._events, self._events + count)
        ]
        self._events += count
        await self.tracker.record_batch(events)

    @asynccontextmanager
    async def running(
        self, source: str, settings: WorkerSettings = SETTINGS, *, head: str = HEAD
    ) -> AsyncIterator[WorkerRunner]:
        """The file in a worker process of its own."""
        file = self.folder / "culprit.py"
        file.write_text(head + textwrap.dedent(source), "utf-8")
        runner = WorkerRunner(
            Spec(file=file),
            1,
            host=self.host,
            clock=LoopClock(),
            settings=settings,
            backoff=Backoff(random=Random(1), first_seconds=0.05, longest_seconds=0.2),  # noqa: S311
        )
        try:
            await runner.stage()
            await runner.start()
            yield runner
        finally:
            await runner.drop()
            self.host.close()

    def archived(self) -> list[str]:
        path = self.folder / "archived"
        return path.read_text("utf-8").splitlines() if path.exists() else []

    async def until(self, is_so: Callable[[], bool], seconds: float = 20) -> None:
        ends = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < ends, (self.host.pipelines, self.host.meters)
            await asyncio.sleep(0.02)

    def failures(self) -> str:
        return self.host.meters["culprit", "archive"].last_traceback


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


DEATHS = {
    "os._exit": ("def misbehave():\n    print('last words')\n    os._exit(7)\n", "exit code 7"),
    "a segmentation fault": ("def misbehave():\n    import ctypes\n    ctypes.string_at(0)\n", "SIGSEGV"),
    "a catastrophic regular expression": (
        "def misbehave():\n    import re\n    re.match('(a+)+$', 'a' * 60 + 'b')\n",
        "hangs: its loop has not run",
    ),
    "sys.exit in a callback of the loop": (
        "def misbehave():\n    import asyncio, sys\n    asyncio.get_running_loop().call_soon(sys.exit, 9)\n",
        "",
    ),
    "its own kill": ("def misbehave():\n    os.kill(os.getpid(), 9)\n", "killed by SIGKILL"),
    "closing its descriptors": ("def misbehave():\n    os.closerange(0, 256)\n    time.sleep(1)\n", ""),
}


@pytest.mark.parametrize("way", DEATHS)
def test_a_process_that_dies_is_replaced_and_loses_nothing(
    place: Place, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    source, reason = DEATHS[way]

    async def run() -> None:
        await place.record(3)
        async with place.running(source) as runner:
            pid = runner.pid
            await place.record(4)
            await place.until(lambda: len(set(place.archived())) == 7)
            assert sorted(set(place.archived())) == [f"event {number}" for number in range(7)]
            if reason:
                assert runner.pid != pid
                assert reason in place.failures()
                await place.until(lambda: place.host.pipelines["culprit"] == ("running", ""))
            await place.until(lambda: place.host.position("culprit", "archive") == 7)

    with caplog.at_level("INFO"):
        asyncio.run(run())
    assert place.failures() or "culprit.py: worker process: has ended" in caplog.text
    assert ("culprit.py: last words" in caplog.text) == (way == "os._exit")


def test_a_process_that_has_used_its_processor_time_is_replaced(place: Place) -> None:
    settings = WorkerSettings(soft_seconds=20.0, hard_seconds=20.0, processor_seconds_max=2.0)

    async def run() -> None:
        await place.record(3)
        async with place.running("def misbehave():\n    while True:\n        pass\n", settings):
            await place.until(lambda: len(place.archived()) == 3)
            assert "SIGXCPU" in place.failures() or "SIGKILL" in place.failures()

    asyncio.run(run())


def test_a_process_that_uses_more_memory_than_it_may_is_replaced(place: Place) -> None:
    settings = WorkerSettings(soft_seconds=20.0, hard_seconds=20.0, memory_bytes_max=256 << 20)
    source = "def misbehave():\n    kept = b'x' * (230 << 20)\n    time.sleep(10)\n    del kept\n"

    async def run() -> None:
        await place.record(3)
        async with place.running(source, settings):
            await place.until(lambda: len(place.archived()) == 3)
            assert "MiB of at most 256 MiB of memory" in place.failures()

    asyncio.run(run())


def test_a_large_allocation_is_a_failure_of_the_call(place: Place) -> None:
    async def run() -> None:
        await place.record(3)
        async with place.running("def misbehave():\n    bytearray(1 << 30)\n") as runner:
            pid = runner.pid
            await place.until(lambda: len(place.archived()) == 3)
            assert runner.pid == pid
            assert "MemoryError" in place.failures()

    asyncio.run(run())


def test_a_fork_bomb_is_bounded_and_killed(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    source = """
        def misbehave():
            for _ in range(200):
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
            time.sleep(60)
    """

    async def run() -> None:
        await place.record(3)
        async with place.running(source):
            await place.until(lambda: len(place.archived()) == 3)
            # The system does not bound the processes of root, so there the parent does.
            assert (
                "of at most 32 processes; killed by SIGKILL, in culprit/archive" in caplog.text or os.getuid()
            )

    asyncio.run(run())
    assert not workers()


def workers() -> list[str]:
    """Command lines of workers of this process that still run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"poh_holdmetrics.pipeline.worker\0{os.getpid()}\0" in command:
            found.append(command)
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_other_pipelines_go_on_while_a_worker_hangs(place: Place) -> None:
    source = "def misbehave():\n    while True:\n        pass\n"

    async def run() -> None:
        await place.record(3)
        async with place.running(source):
            longest, last = 0.0, time.monotonic()
            while not place.archived():
                await asyncio.sleep(0.005)
                longest, last = max(longest, time.monotonic() - last), time.monotonic()
            # Its own hard limit ended the call, and its retry delivered.
            assert "HardLimitExceeded" in place.failures()
            assert longest < 0.5

    asyncio.run(run())


def test_what_a_worker_prints_is_logged_and_bounded(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    source = """
        import sys, logging
        def misbehave():
            print("to the log")
            logging.getLogger("elsewhere").warning("a record")
            sys.stdout.write("x" * 1_000_000)
            for number in range(5000):
                print("flood", number)
            sys.stdout.close()
            sys.stderr.close()
    """

    async def run() -> None:
        await place.record(3)
        async with place.running(source):
            await place.until(lambda: len(place.archived()) == 3)
            await place.until(lambda: "closed sys.stdout" in caplog.text)

    with caplog.at_level("INFO"):
        asyncio.run(run())
    assert "culprit.py: to the log" in caplog.text
    assert "a record" in caplog.text
    assert 0 < caplog.text.count("flood") <= 1000
    assert max(len(record.getMessage()) for record in caplog.records) < 20_000


def test_a_file_that_does_not_load_says_why(place: Place) -> None:
    async def run() -> None:
        with pytest.raises(HoldMetricsError, match=r"culprit\.py: line 2: ZeroDivisionError") as caught:
            async with place.running("1 / 0\n", head="\n"):
                pass
        assert "1 / 0" in getattr(caught.value, "traceback", "")

    asyncio.run(run())
    assert not workers()


def test_the_time_for_loading_does_not_include_a_slow_start_of_the_interpreter(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter = place.folder / "slow-python"
    interpreter.write_text(f'#!/bin/sh\nsleep 3\nexec {shlex.quote(sys.executable)} "$@"\n', "utf-8")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))

    async def run() -> None:
        async with place.running("", WorkerSettings(start_seconds=2.0)) as runner:
            assert runner.names == ("culprit",)

    asyncio.run(run())


@pytest.mark.parametrize("text", ["import os\nos._exit(3)\n", "while True:\n    pass\n"])
def test_a_file_that_kills_or_hangs_its_process_when_loaded_is_refused(place: Place, text: str) -> None:
    settings = WorkerSettings(start_seconds=3.0)

    async def run() -> None:
        with pytest.raises(
            HoldMetricsError, match=r".*(exit code 3|loading it took longer|has not answered load)"
        ):
            async with place.running(text, settings, head="\n"):
                pass

    asyncio.run(run())


def test_the_context_answers_emits_and_keeps_state(place: Place) -> None:
    source = """
        from poh_holdmetrics import HoldEvent
        def misbehave():
            pass

        @pipeline.on_batch()
        def follow(batch, ctx):
            top = ctx.leaderboard(10)
            ctx.state["rows"] = len(top)
            ctx.metrics.counter("seen", len(batch))
            if "more" not in batch.holder_id:
                ctx.emit(HoldEvent(token_id="punk/9", holder_id="more", start=5, event_id="of its own"))
            ctx.log.warning("has seen %d", len(batch))
    """

    async def run() -> None:
        await place.record(3)
        async with place.running(source) as runner:
            await place.until(lambda: place.host.position("culprit", "events") == 4)
            assert await place.host.state("culprit") == {"rows": "2"}
            await place.until(lambda: place.host.meters["culprit", "follow"].events == 4)
            assert sum(place.host.metrics.values()) == 4
            assert place.host.meters["culprit", "follow"].counts["emitted"] == 1
            # A generation is stopped and started again, where it was.
            await runner.stop(5.0)
            await place.record(1)
            await asyncio.sleep(0.1)
            assert place.host.position("culprit", "events") == 4
            await runner.start()
            await place.until(lambda: place.host.position("culprit", "events") == 6)
        assert place.host.meters["culprit", "follow"].status == "stopped"

    asyncio.run(run())


def test_dead_letters_of_a_worker_are_replayed(place: Place, tmp_path: Path) -> None:
    source = """
        def misbehave():
            pass

        @pipeline.sink("webhook", retries=0)
        def webhook(batch, ctx):
            if not first.with_name("up").exists():
                raise ConnectionError("down")
    """
    settings = WorkerSettings(dead_letters=tmp_path / "dead")

    async def run() -> None:
        await place.record(3)
        async with place.running(source, settings) as runner:
            await place.until(lambda: place.host.position("culprit", "webhook") == 3)
            assert len(list((tmp_path / "dead").rglob("*.jsonl"))) == 1
            (tmp_path / "up").touch()
            assert (await runner.replay("culprit", None))["webhook"].events == 3
            assert not list((tmp_path / "dead").rglob("*.jsonl"))
            with pytest.raises(InputError, match="unknown handler"):
                await runner.replay("culprit", "other")

    asyncio.run(run())


def test_the_jobs_of_a_worker_are_listed_and_steered(place: Place) -> None:
    source = """
        def misbehave():
            pass

        @pipeline.every("1h")
        async def publish(ctx):
            ctx.metrics.counter("published")
    """

    async def run() -> None:
        async with place.running(source) as runner:
            (job,) = await runner.jobs.report(place.host.now_us())
            assert (job["name"], job["runs"], job["paused"]) == ("culprit/publish", 0, False)
            await runner.jobs.pause("culprit/publish")
            assert (await runner.jobs.report(0))[0]["paused"]
            await runner.jobs.resume("culprit/publish")
            assert await runner.jobs.run_now("culprit/publish")
            await place.until(lambda: sum(place.host.metrics.values()) == 1)
            assert not (await runner.jobs.report(0))[0]["paused"]
            with pytest.raises(InputError, match=r"unknown .*culprit/publish"):
                await runner.jobs.run_now("culprit/other")

    asyncio.run(run())


def test_a_refusal_of_the_host_reaches_the_worker_as_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
        from poh_holdmetrics import HoldEvent
        def misbehave():
            pass

        @pipeline.on_batch()
        def follow(batch, ctx):
            ctx.emit(HoldEvent(token_id="punk/9", holder_id="more", start=5, event_id="of its own"))
    """

    async def refuse(_pipeline: str, _events: Any) -> list[str]:
        """A coroutine, as the port asks."""
        raise Refused("token_id", "not sold here")

    monkeypatch.setattr(place.host, "submit", refuse)

    async def run() -> None:
        await place.record(1)
        async with place.running(source):
            await place.until(lambda: place.host.position("culprit", "events") == 1)
            await place.until(lambda: place.host.meters["culprit", "follow"].counts["refused"] == 1)

    asyncio.run(run())


PARENT = """
import asyncio, os, sys
from pathlib import Path
from poh_holdmetrics import AsyncTracker
from poh_holdmetrics.clock import LoopClock
from poh_holdmetrics.pipeline.offline.local import LocalHost
from poh_holdmetrics.pipeline.loading.specs import Spec
from poh_holdmetrics.pipeline.worker.runner import stage_worker

async def main():
    tracker = AsyncTracker()
    host = LocalHost(tracker)
    await tracker.record_start("punk/1", "ada", 1000, event_id="event")
    file = Path(sys.argv[1])
    runner = await stage_worker(Spec(file=file), 1, host=host, clock=LoopClock())
    await runner.start()
    # A stuck worker may not have told that the call began, so that its meter says nothing.
    while not file.with_name("first").exists():
        await asyncio.sleep(0.02)
    print(runner.pid, flush=True)
    {end}

asyncio.run(main())
"""


def pid_printed_by_parent(file: Path, end: str) -> int:
    """The worker's process id, printed by a parent of its own that ends by the statement `end`."""
    command = [sys.executable, "-c", PARENT.replace("{end}", end), str(file)]
    return int(subprocess.run(command, stdout=subprocess.PIPE, check=False, timeout=20).stdout)


def wait_for_end(pid: int) -> None:
    ends = time.monotonic() + 5
    while is_running(pid):
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_worker_dies_with_its_parent(place: Place) -> None:
    """The parent is killed, so that it tells nobody, and the worker is stuck, so that it hears nothing."""
    file = place.folder / "culprit.py"
    file.write_text(HEAD + "def misbehave():\n    time.sleep(20)\n", "utf-8")
    wait_for_end(pid_printed_by_parent(file, "os.kill(os.getpid(), 9)"))


ESCAPED = """
    def misbehave():
        import subprocess
        script = "sleep 60 & echo $! > {folder}/grandchild; wait"
        subprocess.Popen(["setsid", "sh", "-c", script])
        subprocess.Popen(["sh", "-c", "sleep 60 & echo $! > {folder}/orphan"]).wait()
        files = [pathlib.Path("{folder}/grandchild"), pathlib.Path("{folder}/orphan")]
        while not all(file.exists() and file.read_text().strip() for file in files):
            time.sleep(0.01)
        {end}
"""


def started_by(folder: Path) -> list[int]:
    """The processes of `ESCAPED`: one in a session of its own, and one that has lost its parent."""
    ends = time.monotonic() + 10
    files = [folder / "grandchild", folder / "orphan"]
    while not all(file.exists() and file.read_text("utf-8").strip() for file in files):
        assert time.monotonic() < ends
        time.sleep(0.02)
    return [int(file.read_text("utf-8")) for file in files]


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux gives a process those that lose their parents"
)
@pytest.mark.parametrize("end", ["os._exit(7)", "time.sleep(60)", "os.kill(0, 15)\n        time.sleep(60)"])
def test_nothing_that_a_worker_has_started_escapes_its_end(place: Place, end: str) -> None:
    """It exits, is killed as it hangs, or ends its whole group."""
    source = ESCAPED.replace("{folder}", str(place.folder)).replace("{end}", end)

    async def run() -> None:
        await place.record(3)
        async with place.running(source):
            await place.until(lambda: len(place.archived()) == 3)
            for pid in started_by(place.folder):
                await place.until(lambda pid=pid: not is_running(pid))  # type: ignore[misc]

    asyncio.run(run())
    assert not workers()


def test_what_a_worker_has_started_ends_also_if_nobody_waits_for_its_end(place: Place) -> None:
    """As at the end of a shutdown that has no time left."""
    source = """
        def misbehave():
            import subprocess
            child = subprocess.Popen(["sleep", "60"])
            first.with_name("child").write_text(str(child.pid))
            time.sleep(20)
    """
    file = place.folder / "culprit.py"
    file.write_text(HEAD + textwrap.dedent(source), "utf-8")
    wait_for_end(pid_printed_by_parent(file, "await asyncio.sleep(0.5)"))
    wait_for_end(int((place.folder / "child").read_text("utf-8")))
