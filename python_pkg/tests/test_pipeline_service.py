from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from poh_holdmetrics.clock import LoopClock
from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pipeline.calling.guard import Guard
from poh_holdmetrics.pipeline.loading.sources import read_sources
from poh_holdmetrics.pipeline.loading.specs import Spec
from poh_holdmetrics.pipeline.offline.local import LocalHost
from poh_holdmetrics.pipeline.running.delivery import Replayed
from poh_holdmetrics.pipeline.serving.in_process import Surroundings
from poh_holdmetrics.pipeline.serving.served_file import ServedFile
from poh_holdmetrics.pipeline.serving.service import Service, ServiceSettings
from poh_holdmetrics.pipeline.serving.staging import stage_for
from poh_holdmetrics.scheduler import AsyncScheduler
from poh_holdmetrics.tracker import AsyncTracker

HEAD = "from poh_holdmetrics import Pipeline\n"


def counting_file(name: str, word: str = "one") -> str:
    """A pipeline that keeps every sequence it sees, under a word of its generation."""
    return (
        HEAD
        + f'pipeline = Pipeline("{name}", start="beginning")\n'
        + "@pipeline.on_batch()\nasync def follow(batch, ctx):\n"
        + "    seen = ctx.state.get('seen', [])\n"
        + f"    ctx.state['seen'] = seen + [(each, '{word}', ctx.generation) for each in batch.sequence]\n"
        + '@pipeline.every("1h")\ndef hourly(ctx): ...\n'
    )


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


class Place:
    """A service over a `LocalHost`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tracker = AsyncTracker()
        self.host = LocalHost(self.tracker)
        self.guard = Guard()
        self.scheduler = AsyncScheduler(handle_signals=False)
        self.clock = LoopClock()
        self.recorded = 0

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.write_text(text, encoding="utf-8")
        return file

    def service(
        self,
        *files: str,
        watch_seconds: float | None = None,
        load_seconds: float = 5.0,
        quarantined: dict[str, str] | None = None,
    ) -> Service:
        surroundings = Surroundings(
            host=self.host,
            guard=self.guard,
            clock=self.clock,
            scheduler=self.scheduler,
            load_seconds=load_seconds,
        )
        return Service(
            self.host,
            ServiceSettings(files=files or (str(self.folder),), watch_seconds=watch_seconds),
            stage=stage_for(surroundings),
            scheduler=self.scheduler,
            clock=self.clock,
            quarantined=quarantined,
        )

    async def record(self, events: int) -> None:
        for _ in range(events):
            self.recorded += 1
            event = HoldEvent.model_validate(
                {"token_id": "T", "holder_id": "ada", "start": self.recorded, "end": self.recorded + 1}
            )
            await self.tracker.record(event)

    async def seen(self, pipeline: str) -> list[tuple[int, str, int]]:
        state = await self.host.state(pipeline)
        return [tuple(each) for each in json.loads(state.get("seen", "[]"))]

    async def caught_up(self, pipeline: str) -> list[tuple[int, str, int]]:
        await until(lambda: self.host.position(pipeline, "events") == self.recorded)
        return await self.seen(pipeline)


@contextlib.asynccontextmanager
async def running(place: Place, service: Service) -> AsyncIterator[Service]:
    jobs = asyncio.create_task(place.scheduler.run_forever())
    await service.start()
    try:
        yield service
    finally:
        await service.stop()
        place.scheduler.stop()
        await jobs
        place.guard.close()


def answered(answer: dict[str, object]) -> dict[str, str]:
    """The error of an answer."""
    found = answer["error"]
    assert isinstance(found, dict), answer
    return found


def listed(answer: dict[str, object], key: str) -> list[dict[str, object]]:
    found = answer[key]
    assert isinstance(found, list)
    return found


def test_a_missing_or_broken_file_does_not_stop_the_others(tmp_path: Path) -> None:
    async def run() -> None:
        place = Place(tmp_path)
        place.write("broken.py", HEAD + "p = Pipeline('broken')\ndef parse():\n    1 / 0\nparse()\n")
        place.write("good.py", counting_file("good"))
        missing = str(tmp_path / "later.py")
        async with running(
            place, place.service(missing, str(tmp_path / "no_folder"), str(tmp_path))
        ) as service:
            states = {name: state for name, (state, _) in place.host.pipelines.items()}
            assert states == {"later": "failed", "no_folder": "failed", "broken": "failed", "good": "running"}
            assert "1 / 0" in place.host.pipelines["broken"][1]
            assert "ZeroDivisionError" in place.host.pipelines["broken"][1]
            assert "No such file" in place.host.pipelines["later"][1]
            place.write("later.py", counting_file("other"))
            place.write("broken.py", counting_file("broken"))
            assert "error" not in await service.handle("reload", {"name": "later"})
            assert answered(await service.handle("reload", {}))["kind"] == "conflict"  # no_folder
            states = {name: state for name, (state, _) in place.host.pipelines.items()}
            assert states["other"] == states["broken"] == "running"
            assert states["later"] == "removed"

    asyncio.run(run())


def test_a_folder_without_pipelines_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        place = Place(tmp_path)
        place.write("helper.py", "LIMIT = 1\n")
        async with running(place, place.service(str(tmp_path))) as service:
            assert service.files == ()
            place.write("tiers.py", counting_file("tiers"))
            await service.reload()
            assert place.host.pipelines["tiers"] == ("running", "")

    asyncio.run(run())
    assert caplog.messages[0] == f"{tmp_path}: no file in this folder declares a pipeline."


def test_a_file_that_is_named_twice_runs_once(tmp_path: Path) -> None:
    async def run() -> None:
        place = Place(tmp_path)
        place.write("two.py", counting_file("one") + "other = Pipeline('other')\n")
        file = tmp_path / "two.py"
        files = (f"{file}:one", str(file), f"{file}:other", str(file))
        async with running(place, place.service(*files)) as service:
            assert len(service.files) == 1
            states = {name: state for name, (state, _) in place.host.pipelines.items()}
            assert states == {"one": "running", "other": "running"}

    asyncio.run(run())


def test_a_folder_that_is_missing_for_a_while_stops_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        place = Place(tmp_path)
        folder, elsewhere = tmp_path / "live", tmp_path / "elsewhere"
        folder.mkdir()
        (folder / "tiers.py").write_text(counting_file("tiers"), encoding="utf-8")
        (folder / "sales.py").write_text(counting_file("sales"), encoding="utf-8")
        async with running(place, place.service(str(folder))) as service:
            folder.rename(elsewhere)
            assert "No such file" in answered(await service.handle("reload", {}))["detail"]
            states = {name: state for name, (state, _) in place.host.pipelines.items()}
            assert states == {"tiers": "running", "sales": "running", "live": "failed"}
            (elsewhere / "sales.py").unlink()
            elsewhere.rename(folder)
            assert "error" not in await service.handle("reload", {})
            assert place.host.pipelines["tiers"] == ("running", "")
            assert service.names == ("tiers",)

    asyncio.run(run())


def test_a_reload_under_feed_loses_and_repeats_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        place = Place(tmp_path)
        file = place.write("tiers.py", counting_file("tiers"))
        async with running(place, place.service(str(file))) as service:
            for generation in range(2, 12):
                feeding = asyncio.create_task(place.record(50))
                await asyncio.sleep(0)
                place.write("tiers.py", counting_file("tiers", f"word {generation}"))
                answer = await service.handle("reload", {"name": "tiers"})
                assert "error" not in answer, answer
                await feeding
            seen = await place.caught_up("tiers")
            assert [sequence for sequence, _, _ in seen] == list(range(1, 501))
            assert place.host.meters["tiers", "follow"].status == "running"
            generations = [generation for _, _, generation in seen]
            assert generations == sorted(generations)
            assert len(set(generations)) > 5
            assert {word for _, word, generation in seen if generation > 1} <= {
                f"word {generation}" for generation in generations
            }

    asyncio.run(run())


def test_a_broken_version_leaves_the_old_one_running_and_says_so(tmp_path: Path) -> None:
    async def run() -> None:
        place = Place(tmp_path)
        file = place.write("tiers.py", counting_file("tiers"))
        async with running(place, place.service(str(file))) as service:
            for broken, words in (
                ("x = = 1\n", "SyntaxError: invalid syntax"),
                (HEAD + "def late():\n    raise ValueError('no')\nlate()\n", "raise ValueError('no')"),
                (HEAD + 'p = Pipeline("tiers")\n@p.on_batch()\ndef f(ctx, batch): ...\n', "signature"),
                (HEAD + 'p = Pipeline("other")\n@p.on_batch()\ndef f(batch): ...\n', "signature"),
            ):
                place.write("tiers.py", broken)
                error = answered(await service.handle("reload", {"name": "tiers"}))
                assert error["kind"] == "conflict"
                assert "generation 1 goes on" in error["detail"]
                assert words in error["detail"] + error.get("traceback", "")
                state, detail = place.host.pipelines["tiers"]
                assert state == "running"
                assert words in detail
                await place.record(1)
                assert (await place.caught_up("tiers"))[-1][1:] == ("one", 1)
            assert "other" not in place.host.pipelines
            place.write("tiers.py", counting_file("tiers", "two"))
            answer = await service.handle("reload", {"name": "tiers"})
            assert answer["reloaded"] == [
                {
                    "file": str(file),
                    "pipelines": ["tiers"],
                    "generation": 2,
                    "digest": read_sources(file).digest,
                }
            ]
            assert place.host.pipelines["tiers"] == ("running", "")

    asyncio.run(run())


def test_a_version_that_does_not_start_gives_way_to_the_old_one(tmp_path: Path) -> None:
    async def run() -> None:
        place = Place(tmp_path)
        file = place.write("tiers.py", counting_file("tiers"))
        async with running(place, place.service(str(file))) as service:
            # Somebody else has the consumer of the second pipeline.
            taken = await place.host.consumer("more", "events", start="now", when_full="lag")
            place.write(
                "tiers.py", counting_file("tiers", "two") + counting_file("more").replace("pipeline", "b")
            )
            assert "open already" in answered(await service.handle("reload", {}))["detail"]
            await place.record(1)
            assert (await place.caught_up("tiers"))[-1][1:] == ("one", 1)
            await taken.close()
            assert "error" not in await service.handle("reload", {})
            assert service.files[0].names == ("tiers", "more")

    asyncio.run(run())


def test_two_files_cannot_have_pipelines_of_one_name(tmp_path: Path) -> None:
    async def run() -> None:
        place = Place(tmp_path)
        place.write("a.py", counting_file("tiers"))
        second = place.write("b.py", counting_file("tiers"))
        async with running(place, place.service()) as service:
            assert place.host.pipelines["tiers"] == ("running", "")
            state, detail = place.host.pipelines["b"]
            assert state == "failed"
            assert f"the name tiers is that of a pipeline in {tmp_path / 'a.py'}" in detail
            second.write_text(counting_file("other"), encoding="utf-8")
            assert "error" not in await service.handle("reload", {"name": "b"})
            assert place.host.pipelines["other"] == ("running", "")

    asyncio.run(run())


class FakeRunner:
    """Runs nothing, and remembers what is asked of it."""

    def __init__(self, log: list[str], generation: int) -> None:
        self.names = ("tiers",)
        self.digest = f"digest {generation}"
        self.jobs = None
        self._log = log
        self._generation = generation

    async def start(self) -> None:
        self._log.append(f"start {self._generation}")

    async def stop(self, drain_seconds: float) -> None:
        self._log.append(f"stop {self._generation} within {drain_seconds:g}")

    async def drop(self) -> None:
        self._log.append(f"drop {self._generation}")

    async def replay(self, pipeline: str, handler: str | None) -> dict[str, Replayed]:
        raise NotImplementedError

    async def enable(self, pipeline: str) -> None:
        raise NotImplementedError


def test_reloads_asked_for_during_a_reload_are_answered_by_one_more(tmp_path: Path) -> None:
    async def run() -> None:
        log: list[str] = []
        begun: list[int] = []
        go_on = asyncio.Event()

        async def stage(_spec: Spec, generation: int) -> FakeRunner:
            begun.append(generation)
            await go_on.wait()
            return FakeRunner(log, generation)

        host = LocalHost(AsyncTracker())
        file = ServedFile(
            Spec(file=tmp_path / "a.py"), host=host, stage=stage, names={}, quarantined={}, drain_seconds=2
        )
        first = asyncio.create_task(file.reload())
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(file.reload()) for _ in range(20)]
        await asyncio.sleep(0.01)
        assert begun == [1]
        go_on.set()
        await asyncio.gather(first, *others)
        assert begun == [1, 2]
        assert log == ["start 1", "stop 1 within 2", "start 2", "drop 1"]
        await file.stop()
        await file.reload()
        assert begun == [1, 2]
        assert log[-2:] == ["stop 2 within 2", "drop 2"]
        assert host.pipelines["tiers"] == ("stopped", "")

    asyncio.run(run())


def test_a_file_that_never_ends_is_interrupted_and_the_loop_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        place = Place(tmp_path)
        place.write("stuck.py", HEAD + 'p = Pipeline("stuck")\nwhile True:\n    pass\n')
        turns = 0

        async def turning() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.01)

        task = asyncio.create_task(turning())
        async with running(place, place.service(load_seconds=0.3)):
            state, detail = place.host.pipelines["stuck"]
            assert state == "failed"
            assert "took longer than 0.3 s" in detail
            assert turns > 5
        task.cancel()

    asyncio.run(run())


def test_a_quarantined_file_is_not_executed_until_it_is_enabled(tmp_path: Path) -> None:
    async def run() -> None:
        place = Place(tmp_path)
        file = place.write(
            "tiers.py", counting_file("tiers") + f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
        )
        async with running(place, place.service(quarantined={"tiers": str(file)})) as service:
            assert place.host.pipelines["tiers"][0] == "quarantined"
            refused = answered(await service.handle("reload", {}))
            assert (
                "is not executed; repair the file and enable the pipeline (nothing of it runs)"
                in (refused["detail"])
            )
            assert not (tmp_path / "ran").exists()
            text = file.read_text("utf-8")
            file.write_text("x = = 1\n", encoding="utf-8")
            assert "SyntaxError" in answered(await service.handle("enable", {"name": "tiers"}))["detail"]
            file.write_text(text, encoding="utf-8")
            assert "error" not in await service.handle("reload", {"name": "tiers"})
            assert await service.handle("enable", {"name": "tiers"}) == {"enabled": "tiers"}
            assert (tmp_path / "ran").exists()
            assert place.host.pipelines["tiers"] == ("running", "")

    asyncio.run(run())


def test_watched_files_are_reloaded_when_their_text_changes(tmp_path: Path) -> None:
    async def run() -> None:
        place = Place(tmp_path)
        place.write("rules.py", "X = 1\n")
        place.write("tiers.py", "import rules\n" + counting_file("tiers"))

        async with running(place, place.service(watch_seconds=0.02)) as service:
            place.write("rules.py", "X = 2\n")
            await until(lambda: service.file_of("tiers").generation == 2)
            place.write("unrelated.txt", "x")
            place.write("rules.py", "X = 2\n")
            await asyncio.sleep(0.2)
            assert service.file_of("tiers").generation == 2
            place.write("new.py", counting_file("new"))
            await until(lambda: place.host.pipelines.get("new") == ("running", ""))
            (tmp_path / "new.py").unlink()
            await until(lambda: place.host.pipelines["new"][0] == "removed")
            (tmp_path / "tiers.py").write_text("x = = 1\n", encoding="utf-8")
            await until(lambda: "SyntaxError" in place.host.pipelines["tiers"][1])
            place.write("tiers.py", counting_file("tiers"))
            await until(lambda: service.file_of("tiers").generation == 3)
            assert place.host.pipelines["tiers"] == ("running", "")

    asyncio.run(run())


def test_operators_see_and_steer_jobs_and_pipelines(tmp_path: Path) -> None:
    async def run() -> None:
        place = Place(tmp_path)
        text = counting_file("tiers")
        place.write("tiers.py", text + "@pipeline.sink()\ndef archive(batch, ctx): ...\n")
        async with running(place, place.service()) as service:
            jobs = listed(await service.handle("jobs", {}), "jobs")
            assert [job["name"] for job in jobs] == ["tiers/hourly"]
            assert await service.handle("job_pause", {"name": "tiers/hourly"}) == {"paused": "tiers/hourly"}
            assert listed(await service.handle("jobs", {}), "jobs")[0]["paused"]
            assert await service.handle("job_resume", {"name": "tiers/hourly"}) == {"resumed": "tiers/hourly"}
            assert await service.handle("job_run", {"name": "tiers/hourly"}) == {"started": "tiers/hourly"}
            await asyncio.sleep(0.05)
            assert place.host.meters["tiers", "hourly"].calls == 1
            assert await service.handle("replay", {"name": "tiers"}) == {
                "name": "tiers",
                "sinks": [{"handler": "archive", "events": 0, "files_left": 0, "reason": ""}],
            }
            assert await service.handle("enable", {"name": "tiers"}) == {"enabled": "tiers"}
            tasks = await service.handle("tasks", {})
            assert any(each["name"] == "tiers/events" for each in listed(tasks, "tasks"))
            assert any("inspection.py" in str(each["stack"]) for each in listed(tasks, "threads"))
            for verb, arguments, kind in (
                ("reload", {"name": "none"}, "not_found"),
                ("job_run", {"name": "none"}, "not_found"),
                ("job_run", {}, "invalid"),
                ("explode", {}, "invalid"),
                ("replay", {"name": "tiers", "handler": "none"}, "not_found"),
                ("replay", {"name": "tiers", "handler": "follow"}, "not_found"),
            ):
                assert answered(await service.handle(verb, arguments))["kind"] == kind, verb
            with pytest.raises(InputError, match="no pipeline is named 'none'; known are tiers"):
                service.file_of("none")

    asyncio.run(run())


@pytest.mark.skipif(os.name == "nt", reason="worker processes need Unix")
def test_an_isolated_file_is_reloaded_and_steered_like_others(tmp_path: Path) -> None:
    async def run() -> None:
        place = Place(tmp_path)

        def isolated(word: str) -> str:
            return counting_file("apart", word).replace('"apart", ', '"apart", isolation="process", ')

        place.write("apart.py", isolated("one"))
        place.write("tiers.py", counting_file("tiers"))
        async with running(place, place.service()) as service:
            jobs = listed(await service.handle("jobs", {}), "jobs")
            assert sorted(str(job["name"]) for job in jobs) == ["apart/hourly", "tiers/hourly"]
            assert await service.handle("job_pause", {"name": "apart/hourly"}) == {"paused": "apart/hourly"}
            jobs = listed(await service.handle("jobs", {}), "jobs")
            assert [job["name"] for job in jobs if job["paused"]] == ["apart/hourly"]
            assert await service.handle("job_resume", {"name": "apart/hourly"}) == {"resumed": "apart/hourly"}
            assert await service.handle("job_run", {"name": "apart/hourly"}) == {"started": "apart/hourly"}
            await until(lambda: place.host.meters["apart", "hourly"].calls == 1)
            assert answered(await service.handle("job_run", {"name": "apart/none"}))["kind"] == "not_found"
            await place.record(5)
            await place.caught_up("apart")
            place.write("apart.py", isolated("two"))
            await service.reload("apart")
            await place.record(5)
            expected = [(number, "one", 1) for number in range(1, 6)]
            assert await place.caught_up("apart") == expected + [
                (number, "two", 2) for number in range(6, 11)
            ]
            place.write("apart.py", isolated("three") + "1 / 0\n")
            error = answered(await service.handle("reload", {"name": "apart"}))
            assert error["kind"] == "conflict"
            assert "ZeroDivisionError" in error["detail"]
            assert "1 / 0" in error["traceback"]
            await place.record(1)
            assert (await place.caught_up("apart"))[-1] == (11, "two", 2)
            assert len(await place.caught_up("tiers")) == 11

    asyncio.run(run())


def test_a_defect_of_the_service_is_an_answer_with_its_traceback(tmp_path: Path) -> None:
    async def run() -> None:
        place = Place(tmp_path)
        place.write("tiers.py", counting_file("tiers"))
        async with running(place, place.service()) as service:
            place.host.now_us = lambda: 1 // 0
            error = answered(await service.handle("jobs", {}))
            assert error["kind"] == "defect"
            assert "ZeroDivisionError" in error["traceback"]

    asyncio.run(run())
