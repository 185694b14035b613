"""Notices that a pipeline file or one of its helpers has changed, by polling; needs no library and no signal.

Times and sizes are compared first, and the texts only if those differ: an editor that writes a file anew, or
a file beside it that comes and goes, does not count as a change. Starts nothing; see `service`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from poh_holdmetrics.pipeline.loading.sources import read_sources

_Stamp = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A pipeline file as it was at one moment."""

    file: Path
    digest: str | None
    """None if the file could not be read."""
    stamps: tuple[tuple[Path, _Stamp | None], ...]

    def has_stamps(self) -> bool:
        """Whether all times and sizes are still those of that moment."""
        return self.stamps == _stamps(path for path, _ in self.stamps)


def seen(file: Path) -> Seen:
    """The file, its helpers and their folders as they are now."""
    before = _stamps([file, file.parent])
    try:
        sources = read_sources(file)
    except (OSError, SyntaxError):
        # Stamps from before the file was read: what changes meanwhile is noticed at the next look.
        return Seen(file=file, digest=None, stamps=before)
    folders = dict.fromkeys(path.parent for path in sources.paths)
    stamps = dict(_stamps([*sources.paths, *folders])) | dict(before)
    return Seen(file=file, digest=sources.digest, stamps=tuple(stamps.items()))


def _stamps(paths: Iterable[Path]) -> tuple[tuple[Path, _Stamp | None], ...]:
    return tuple((path, _stamp(path)) for path in paths)


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
