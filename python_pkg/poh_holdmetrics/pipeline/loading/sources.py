"""The source text of one generation of a pipeline file: the file and the helper modules beside it, read once.

Imports are followed by `ast`, wherever they stand, so that a helper that a handler imports late is of the
same generation as the file, and the digest covers it. A helper is a module (`rules.py`) or a package (a
folder with `__init__.py`) in the folder of the file; the standard library and `poh_holdmetrics` cannot be
replaced by one. Executes nothing; see `loader`.
"""

from __future__ import annotations

import ast
import errno
import hashlib
import importlib.util
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

#: Names that a file beside the pipeline does not replace.
_PROTECTED = sys.stdlib_module_names | {"poh_holdmetrics"}


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """One module as it was read."""

    path: Path
    text: str
    is_package: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """A pipeline file and its helpers."""

    main: str
    """Name of the module of the file itself, a key of `modules`."""
    modules: Mapping[str, SourceFile]
    """By dotted name, as the file imports them."""
    ignored: tuple[Path, ...]
    """Files beside the pipeline that it seems to import, but whose name is one of the standard library."""
    digest: str
    """SHA-256, in hexadecimal, of all names and texts."""

    @property
    def file(self) -> Path:
        """The pipeline file."""
        return self.modules[self.main].path

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files that were read, the pipeline's first."""
        return tuple(each.path for each in self.modules.values())


def read_sources(file: Path) -> Sources:
    """Read `file` and, repeatedly, the helpers that the files name.

    Raises `OSError` if the file cannot be read, and `SyntaxError` if a file is not text in its declared
    encoding. A file that cannot be parsed has no helpers here; it fails when it is compiled.
    """
    folder, main = file.parent, file.stem
    modules = {main: _read(file, is_package=False)}
    ignored: dict[Path, None] = {}
    waiting = [main]
    while waiting:
        name = waiting.pop()
        for imported in _imported(name, modules[name]):
            for each in _with_parents(imported):
                if each in modules:
                    continue
                found = _located(folder, each)
                if found is None:
                    break
                if each.partition(".")[0] in _PROTECTED:
                    ignored[found] = None
                    break
                modules[each] = _read(found, is_package=found.name == "__init__.py")
                waiting.append(each)
    return Sources(main=main, modules=modules, ignored=tuple(ignored), digest=_digest(modules))


def read_text(path: Path) -> str:
    """The text of a file in its declared encoding; raises `OSError`, or `SyntaxError` if it is not text.

    Only a file is read: a pipe or a device may never end, and the loop of the service waits here.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "is not a file", str(path))
    data = path.read_bytes()
    try:
        return importlib.util.decode_source(data)
    except (SyntaxError, UnicodeDecodeError) as error:
        # Python says neither in which file, nor where.
        line, problem = _not_text(data, error)
        raise SyntaxError(problem, (str(path), line, None, None)) from error


def _not_text(data: bytes, error: Exception) -> tuple[int, str]:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as found:
        return data.count(b"\n", 0, found.start) + 1, f"not UTF-8 text (byte {data[found.start]:#04x})"
    return 1, str(error)


def _read(path: Path, *, is_package: bool) -> SourceFile:
    return SourceFile(path=path, text=read_text(path), is_package=is_package)


def _located(folder: Path, name: str) -> Path | None:
    place = folder.joinpath(*name.split("."))
    for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
        if path.is_file():
            return path
    return None


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])


def _imported(name: str, source: SourceFile) -> Iterator[str]:
    """Every dotted name that an import statement of a module may mean, those of submodules included."""
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    package = name.split(".") if source.is_package else name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - (node.level - 1)] if node.level else []
            if node.level > len(package) + 1:
                continue
            full = [*base, *(node.module.split(".") if node.module else ())]
            if full:
                yield ".".join(full)
            for alias in node.names:
                if alias.name != "*":
                    yield ".".join([*full, alias.name])


def _digest(modules: Mapping[str, SourceFile]) -> str:
    digest = hashlib.sha256()
    for name, source in sorted(modules.items()):
        for text in (name, source.text):
            data = text.encode("utf-8", "surrogatepass")
            digest.update(f"{len(data)} ".encode())
            digest.update(data)
    return digest.hexdigest()
