"""All pipelines of a process over one host: started, reloaded, watched and stopped.

A file that is missing or broken does not stop the service: it is reported as failed with its traceback, and
runs when it has been repaired and reloaded. The order of a reload is in `served_file`, what operators may ask
is in `administration`. Reads no settings file and handles no signal; its caller does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pipeline.loading.specs import Spec, specs_from_text
from poh_holdmetrics.pipeline.serving.administration import Administration, Answer
from poh_holdmetrics.pipeline.serving.served_file import Served, ServedFile, Stage
from poh_holdmetrics.pipeline.serving.stores import StoreSpec

if TYPE_CHECKING:
    from poh_holdmetrics.clock import Clock
    from poh_holdmetrics.pipeline.port import Host
    from poh_holdmetrics.scheduler import AsyncScheduler

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceSettings:
    """Which pipelines a service runs, and how it treats their files."""

    files: tuple[str, ...]
    """`FILE[:NAME]`, or folders."""
    stores: tuple[StoreSpec, ...] = ()
    """Storages that the feed is delivered to."""
    watch_seconds: float | None = None
    """How often the files are looked at; None means only when a reload is asked for."""
    drain_seconds: float = 5.0
    """How long current calls of a generation may take to end."""


class Service:
    """Runs the pipelines of all files until `stop`."""

    def __init__(
        self,
        host: Host,
        settings: ServiceSettings,
        *,
        stage: Stage,
        scheduler: AsyncScheduler,
        clock: Clock,
        quarantined: Mapping[str, str] | None = None,
    ) -> None:
        """`stage` loads a generation of a file; `clock` times the looks at files.

        `scheduler` has the jobs of all pipelines; the caller runs it. `quarantined` has the pipelines
        that are not executed until they are enabled, each with its file.
        """
        self._host = host
        self._settings = settings
        self._stage = stage
        self._clock = clock
        self._quarantined = quarantined or {}
        self._files: dict[Served, ServedFile] = {}
        self._names: dict[str, ServedFile] = {}
        self._administration = Administration(self, scheduler, host)
        self._watch: asyncio.Task[None] | None = None
        self._is_stopped = False

    @property
    def files(self) -> tuple[ServedFile, ...]:
        """The files that should run."""
        return tuple(self._files.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The pipelines of all files, those that do not run included."""
        return tuple(self._names)

    async def start(self) -> None:
        """Start the pipelines of all files, in their order; a file that does not load is logged."""
        self._add_new_files()
        for text in self._settings.files:
            if not _specs(text):
                _log.warning("%s: no file in this folder declares a pipeline.", text)
        for file in self.files:
            await file.reload()
        if self._settings.watch_seconds is not None and not self._is_stopped:
            self._watch = asyncio.create_task(
                self._watching(self._settings.watch_seconds), name="watch of files"
            )

    async def stop(self) -> None:
        """Stop looking at files and stop all pipelines, each when its current calls have ended."""
        self._is_stopped = True
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await asyncio.gather(*(file.stop() for file in self.files))

    async def reload(self, name: str | None = None) -> list[ServedFile]:
        """Load the file of a pipeline again, or all files, new ones of a folder included.

        Returns the files, of which each that has a `problem` runs no new version. Raises `InputError` for an
        unknown name.
        """
        if name is not None:
            files = [self.file_of(name)]
        else:
            await self._remove_files()
            self._add_new_files()
            files = list(self.files)
        await asyncio.gather(*(file.reload() for file in files))
        return files

    async def handle(self, verb: str, arguments: Mapping[str, str]) -> Answer:
        """The answer to a request of an operator, errors included; see `administration`."""
        return await self._administration.handle(verb, arguments)

    def file_of(self, name: str) -> ServedFile:
        """The file of a pipeline. Raises `InputError` for an unknown name."""
        file = self._names.get(name)
        if file is None:
            known = ", ".join(sorted(self._names)) or "none"
            raise InputError("name", f"no pipeline is named {name[:40]!r}; known are {known}")
        return file

    async def _watching(self, seconds: float) -> None:
        while True:
            await self._clock.sleep_until(self._clock.now() + seconds)
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - a look that fails must not be the last one
                _log.exception(
                    "Looking at the files of the pipelines failed; the next look is in %g s.", seconds
                )

    async def _look(self) -> None:
        await self._remove_files()
        new = self._add_new_files()
        changed = [file for file in self.files if file not in new and file.has_changed()]
        for file in changed:
            _log.info("%s has changed.", file.spec.label)
        await asyncio.gather(*(file.reload() for file in [*new, *changed]))

    def _specs(self) -> list[Served]:
        """What should run, each once: a file as a whole includes those of its pipelines that are named."""
        specs = dict.fromkeys(spec for text in self._settings.files for spec in _specs(text))
        files = [spec for spec in specs if spec.name is None or Spec(file=spec.file) not in specs]
        return [*files, *self._settings.stores]

    def _add_new_files(self) -> list[ServedFile]:
        new = []
        for spec in self._specs():
            if spec not in self._files and not self._is_stopped:
                self._files[spec] = file = ServedFile(
                    spec,
                    host=self._host,
                    stage=self._stage,
                    names=self._names,
                    quarantined=self._quarantined,
                    drain_seconds=self._settings.drain_seconds,
                )
                new.append(file)
        return new

    async def _remove_files(self) -> None:
        """Stop the files that are no longer in their folder.

        One that is named itself keeps running, and so do all if the folder itself is missing.
        """
        specs = self._specs()
        for spec in [each for each in self._files if isinstance(each, Spec) and each not in specs]:
            if not spec.file.parent.is_dir():
                continue
            file = self._files.pop(spec)
            _log.info("%s is not a pipeline file any more; its pipelines are stopped.", spec.file)
            await file.stop()
            file.forget()


def _specs(text: str) -> list[Spec]:
    try:
        return specs_from_text(text)
    except InputError:
        # Reported as a file that cannot be loaded, until there is a folder of this name.
        return [Spec(file=Path(text).absolute())]
