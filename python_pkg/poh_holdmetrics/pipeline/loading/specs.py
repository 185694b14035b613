"""Which pipelines are meant: `FILE[:NAME]`, or a folder, into one value for each file.

A folder means each file in it that calls `Pipeline(...)` at its top level, or cannot be parsed, in the order
of names; the others are helpers. Files whose name begins with `_`, `.` or `test_` are left out. NAME is the
name of a pipeline; without it, all pipelines of the file are meant. Executes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pipeline.loading.declarations import declarations
from poh_holdmetrics.pipeline.loading.file_watch import Seen, seen
from poh_holdmetrics.pipeline.loading.sources import read_text

_SUFFIX = ".py"
_NOT_PIPELINES = ("_", ".", "test_")


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """A pipeline file, and the one pipeline of it that is meant; None means all."""

    file: Path
    """Absolute. It need not exist."""
    name: str | None = None

    def __str__(self) -> str:
        return str(self.file) if self.name is None else f"{self.file}:{self.name}"

    @property
    def label(self) -> str:
        """The file, as operators see it."""
        return str(self.file)

    @property
    def short_label(self) -> str:
        """The file without its folder."""
        return self.file.name

    def declared(self) -> list[str]:
        """The pipelines that are meant, as far as the file can be read."""
        if self.name is not None:
            return [self.name]
        try:
            return [each.name for each in declarations(read_text(self.file)) if each.name]
        except (OSError, SyntaxError, ValueError):
            return []

    def seen(self) -> Seen:
        """The file and its helpers as they are now."""
        return seen(self.file)


def specs_from_text(text: str) -> list[Spec]:
    """The files that `FILE[:NAME]` or a folder means; none if the folder has no pipeline.

    A file that does not exist is a spec as well, so that a service can wait for it. Raises `InputError` if
    the text names something that is no Python file.
    """
    if not text:
        raise InputError("pipeline", "empty; write FILE.py, FILE.py:NAME or a folder of such files")
    path, name = _split(text)
    if path.is_dir():
        if name is not None:
            raise InputError(text, f"{path} is a folder; write the file, as in {path / 'tiers.py'}:{name}")
        return [Spec(file=file) for file in _files(path)]
    if path.suffix != _SUFFIX:
        raise InputError(text, "not a pipeline; write FILE.py, FILE.py:NAME or a folder of such files")
    return [Spec(file=path, name=name)]


def _split(text: str) -> tuple[Path, str | None]:
    path, colon, name = text.rpartition(":")
    if colon and not Path(text).exists() and (path.endswith(_SUFFIX) or Path(path).is_dir()):
        if not name:
            raise InputError(
                text, f"no name after the colon; write {path}:NAME, or {path} for all of its pipelines"
            )
        return Path(path).absolute(), name
    return Path(text).absolute(), None


def _files(folder: Path) -> list[Path]:
    return [
        file
        for file in sorted(folder.glob(f"*{_SUFFIX}"))
        if file.is_file() and not file.name.startswith(_NOT_PIPELINES) and _is_pipeline(file)
    ]


def _is_pipeline(file: Path) -> bool:
    try:
        return bool(declarations(read_text(file)))
    except (OSError, SyntaxError, ValueError):
        return True  # loading it says what is wrong
