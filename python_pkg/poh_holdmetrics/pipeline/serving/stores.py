"""Storages that a service delivers its feed to without a pipeline file: `serve --store ADDRESS`.

Each is a pipeline with one sink and a durable cursor. Its name is made of the address without its secrets, so
that it is the same after a restart and with another password. A storage that is away is tried again for ever.
What a storage is and what its sink does is written in `poh_holdmetrics.storage`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.pipeline.definition import Pipeline
from poh_holdmetrics.pipeline.loading.file_watch import Seen
from poh_holdmetrics.pipeline.running.runtime import Runtime
from poh_holdmetrics.storage.pipeline_sink import sink
from poh_holdmetrics.storage.urls import default_url, storage_from_url

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.running.delivery import Replayed
    from poh_holdmetrics.pipeline.serving.in_process import Surroundings
    from poh_holdmetrics.storage.port import Storage

_SETTING = "serve.store"
_MONGODB = "mongodb://"
#: Events of one call of a storage, and how long it may take. SQLite writes them in one transaction, in which
#: events in no order change most pages of an index: the more at once, the less is written for each.
_BATCH = {"sqlite": 50_000}
_BATCH_OF_SERVERS = 10_000
_CALL_SECONDS = 60
_TITLE_CHARACTERS_MAX = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreSpec:
    """One store."""

    address: str = field(repr=False)
    """With the password that it may have."""
    name: str
    """That of its pipeline."""
    label: str
    """The address without user, password and options."""
    kind: str
    """`sqlite`, `mongodb` or `immudb`."""

    def __str__(self) -> str:
        return self.label

    @property
    def short_label(self) -> str:
        """As `label`."""
        return self.label

    def declared(self) -> list[str]:
        """The name of its pipeline."""
        return [self.name]

    def seen(self) -> Seen:
        """An address is made of no file that could change."""
        return Seen(file=Path(), digest="", stamps=())


class StoreRunner:
    """The delivery to one store."""

    def __init__(self, spec: StoreSpec, generation: int, surroundings: Surroundings) -> None:
        self._spec = spec
        self._generation = generation
        self._surroundings = surroundings
        self._runtime: Runtime | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The one pipeline."""
        return (self._spec.name,)

    @property
    def digest(self) -> str:
        """Empty: there is no file."""
        return ""

    @property
    def jobs(self) -> None:
        """None: it has no jobs."""

    async def start(self) -> None:
        """Deliver from where the cursor is. The storage need not be there yet."""
        pipeline = Pipeline(self._spec.name)
        batch = _BATCH.get(self._spec.kind, _BATCH_OF_SERVERS)
        registering = pipeline.sink("save", batch=batch, timeout=_CALL_SECONDS, retries=sys.maxsize)
        registering(sink(partial(opened, self._spec)))
        around = self._surroundings
        self._runtime = Runtime(
            pipeline,
            around.host,
            clock=around.clock,
            scheduler=around.scheduler,
            guard=around.guard,
            generation=self._generation,
        )
        try:
            await self._runtime.start()
        except BaseException:
            await self.stop(0)
            raise

    async def stop(self, drain_seconds: float) -> None:
        """Let the current call end, commit, and close the connections."""
        if self._runtime is not None:
            runtime, self._runtime = self._runtime, None
            await runtime.stop(drain_seconds)

    async def drop(self) -> None:
        """Nothing is held after `stop`; a coroutine, as that of every runner is."""

    async def replay(self, pipeline: str, handler: str | None) -> dict[str, Replayed]:
        """Refused; a coroutine, as that of every runner is."""
        del handler
        raise InputError(
            "handler",
            f"{pipeline} is a store, which has no dead letters: it is tried until it has the events",
        )

    async def enable(self, pipeline: str) -> None:
        """Try again at once; a coroutine, as that of every runner is."""
        del pipeline
        if self._runtime is not None:
            self._runtime.enable()


def check(addresses: Sequence[str]) -> None:
    """Raise `InputError` at an address that nothing can be delivered to; connects to nothing."""
    for spec in specs_from_addresses(addresses):
        opened(spec)


def opened(spec: StoreSpec) -> Storage:
    """The storage, which connects when it is used; raises `InputError` without the secrets of the address."""
    try:
        return storage_from_url(spec.address, fallback=False)
    except InputError as error:
        problem = str(error).removeprefix(f"{error.where}: ")
        raise InputError(_SETTING, f"{spec.label}: {problem}") from error


def specs_from_addresses(addresses: Sequence[str]) -> tuple[StoreSpec, ...]:
    """The stores at some addresses; raises `InputError` if two of them are the same."""
    specs: dict[str, StoreSpec] = {}
    for address in addresses:
        spec = _spec(address)
        if spec.name in specs:
            raise InputError(_SETTING, f"{spec.label} is named twice; remove one of the two")
        specs[spec.name] = spec
    return tuple(specs.values())


def _spec(text: str) -> StoreSpec:
    address = _default_address() if text == _MONGODB else text
    scheme, separator, rest = address.partition("://")
    if not separator:
        raise InputError(_SETTING, f"expected an address as in sqlite:///events.db; found {excerpt(address)}")
    if scheme == "memory":
        raise InputError(
            _SETTING,
            "memory:// would keep a second copy in the memory of the service, which nobody can read; "
            "remove it, or name a file as in sqlite:///events.db",
        )
    if scheme == "sqlite":
        path = Path(unquote(rest.removeprefix("/"))).absolute()
        place, title = f"/{path}", path.stem
    else:
        # Options say how to connect, and may contain secrets as well.
        place = rest.rpartition("@")[2].partition("?")[0].rstrip("/")
        title = place.rpartition("/")[2]
        if "@" in "".join(re.split("([/?#])", rest, maxsplit=1)[1:]):
            raise InputError(
                _SETTING,
                f"{scheme}://{place}: a user or password has a character with a meaning of its own; "
                "write / ? # and @ in it as %2F %3F %23 and %40",
            )
    kind = scheme.partition("+")[0]
    title = re.sub(r"[^A-Za-z0-9_.-]", "_", title)[:_TITLE_CHARACTERS_MAX]
    digest = blake2b(f"{scheme}://{place}".encode(), digest_size=4).hexdigest()
    return StoreSpec(
        address=address,
        name=f"store-{kind}-{title}-{digest}",
        label=f"{scheme}://{place}",
        kind=kind,
    )


def _default_address() -> str:
    try:
        address = default_url()
    except InputError as error:
        raise InputError(
            _SETTING, f"{_MONGODB} means the address in MONGODB_URL, which is not set"
        ) from error
    if not address.startswith(("mongodb://", "mongodb+srv://")) or address == _MONGODB:
        raise InputError(_SETTING, "MONGODB_URL: expected an address as in mongodb://127.0.0.1/scores")
    return address
