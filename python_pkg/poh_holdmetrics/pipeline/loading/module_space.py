"""The modules of one generation of a pipeline file, executed from text in namespaces of their own.

`import` in such a module finds the helpers of its own generation first: the builtins of the modules have an
`__import__` of this space, so that two pipelines with a helper of the same name, or two generations of one,
do not see each other's. Bytecode files are neither read nor written. `importlib.import_module` is not
redirected.

The names of the modules do not change from one generation to the next: `logging` keeps a logger for each name
forever. In `sys.modules`, where dataclasses and type hints look names up, the latest generation stands.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib.util
import linecache
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from poh_holdmetrics.pipeline.loading.sources import Sources

#: Attribute of the spec of a module that import errors read to say "partially initialized module".
_EXECUTING = "_initializing"


@dataclass(slots=True)
class _Before:
    """What stood where this generation now stands, while it may still fail."""

    modules: dict[str, ModuleType | None] = field(default_factory=dict)
    lines: dict[str, Any] = field(default_factory=dict)


class ModuleSpace:
    """Executes the modules of `sources` when they are first imported."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        place = hashlib.sha256(str(sources.file).encode("utf-8", "surrogateescape")).hexdigest()[:6]
        self.name = f"pipeline_{place}"
        """The name of the folder as a package, in which the names of all modules begin."""
        self._lock = threading.RLock()
        self._builtins = {**builtins.__dict__, "__import__": self._import}
        self._modules: dict[str, ModuleType] = {}
        self._before: _Before | None = _Before()
        self._is_dropped = False

    def execute(self) -> ModuleType:
        """Execute the file itself; whatever it raises is passed on. `keep` or `withdraw` comes after it."""
        self._cache_lines()
        root = ModuleType(self.name, "The folder of a pipeline file.")
        root.__path__ = []
        root.__package__ = self.name
        self._modules[""] = root
        self._publish(root)
        return self._module(self._sources.main)

    def keep(self) -> None:
        """Forget the generation before, which is replaced."""
        self._before = None

    def withdraw(self) -> None:
        """Let names and source lines be those of the generation before, which stays."""
        before, self._before = self._before, None
        self._is_dropped = True
        if before is None:
            return
        for name, module in before.modules.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
        for path, entry in before.lines.items():
            if entry is None:
                linecache.cache.pop(path, None)
            else:
                linecache.cache[path] = entry

    def drop(self) -> None:
        """Release the modules. Functions that still run keep what they use alive until they end."""
        self._is_dropped = True
        for module in self._modules.values():
            if sys.modules.get(module.__name__) is module:
                del sys.modules[module.__name__]

    def _cache_lines(self) -> None:
        """Let tracebacks show the lines that were executed, also after the file has been edited."""
        for source in self._sources.modules.values():
            path = str(source.path)
            if self._before is not None:
                self._before.lines[path] = linecache.cache.get(path)
            # Without a time of modification the entry is never compared with the file.
            linecache.cache[path] = (len(source.text), None, source.text.splitlines(keepends=True), path)

    def _publish(self, module: ModuleType) -> None:
        if self._before is not None:
            self._before.modules.setdefault(module.__name__, sys.modules.get(module.__name__))
        if not self._is_dropped:
            sys.modules[module.__name__] = module

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - the names of builtins.__import__
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        inner = name
        if level:
            package = str((globals or {}).get("__package__") or "")
            absolute = importlib.util.resolve_name("." * level + name, package)
            inner = absolute.removeprefix(self.name).removeprefix(".")
        top = inner.partition(".")[0]
        if not level and top not in self._sources.modules:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        module = self._module(inner)
        if not fromlist:
            return self._modules[top]
        names = getattr(module, "__all__", ()) if "*" in fromlist else fromlist
        for each in names:
            submodule = f"{inner}.{each}".removeprefix(".")
            if not hasattr(module, each) and submodule in self._sources.modules:
                self._module(submodule)
        return module

    def _module(self, name: str) -> ModuleType:
        found = self._modules.get(name)
        if found is not None and not getattr(found.__spec__, _EXECUTING, False):
            return found
        with self._lock:
            parent_name, _, last = name.rpartition(".")
            # A package may import its modules when it is executed.
            parent = self._module(parent_name) if name not in self._modules else None
            if parent is None or name in self._modules:
                return self._modules[name]
            source = self._sources.modules.get(name)
            if source is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            module = self._created(name)
            self._modules[name] = module
            self._publish(module)
            try:
                code = compile(source.text, str(source.path), "exec", dont_inherit=True)
                exec(code, module.__dict__)  # noqa: S102 - operators' code is what this is for
            except BaseException:
                del self._modules[name]
                raise
            finally:
                _mark(module, is_executing=False)
            setattr(parent, last, module)
            return module

    def _created(self, name: str) -> ModuleType:
        source = self._sources.modules[name]
        full = f"{self.name}.{name}"
        module = ModuleType(full)
        module.__file__ = str(source.path)
        module.__package__ = full if source.is_package else full.rpartition(".")[0]
        if source.is_package:
            module.__path__ = []
        module.__spec__ = ModuleSpec(full, None, origin=str(source.path), is_package=source.is_package)
        _mark(module, is_executing=True)
        module.__dict__["__builtins__"] = self._builtins
        return module


def _mark(module: ModuleType, *, is_executing: bool) -> None:
    setattr(module.__spec__, _EXECUTING, is_executing)
