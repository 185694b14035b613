"""Events in immudb, whose history cannot be changed unnoticed: the audit trail (extra `immudb`).

Every transaction is verified when it is written (`immudb_ledger`), and the server syncs it before it answers.
Calls run in one thread. Scores are computed from the facts, see `scoring`. Several processes may use a
database. That nothing was changed afterwards is proved by `audit verify`, not by reading.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.errors import StorageError
from poh_holdmetrics.storage.immudb_client import COLLECTION, Address, ImmudbClient
from poh_holdmetrics.storage.immudb_entries import (
    key_from_record,
    key_prefix,
    record_from_entry,
    value_from_record,
)
from poh_holdmetrics.storage.immudb_ledger import Ledger
from poh_holdmetrics.storage.port import Storage
from poh_holdmetrics.storage.scoring import Scorer
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from poh_holdmetrics.instants import Instant
    from poh_holdmetrics.pure.aggregator import Recorded
    from poh_holdmetrics.tracker import HoldSnapshot
    from poh_holdmetrics.validation import Record

_Answer = TypeVar("_Answer")

#: Entries of one answer, which a server refuses to exceed by default.
_PAGE = 2_500


class ImmudbStorage(Storage):
    """A `Storage` in a database of immudb, which is created if it is missing."""

    def __init__(
        self,
        url: str,
        *,
        collection: str | None = None,
        state_file: str | Path | None = None,
        timeout_seconds: float = 10.0,
    ) -> None:
        """`collection` is what the keys begin with, by default that of the address, else `hold_events`.

        `state_file` (by default that of the address) remembers the last verified state between processes:
        without it, the state of the first call is trusted. `timeout_seconds` limits each call to the server.
        """
        address = Address.of(url)
        self._prefix = key_prefix(collection or address.options.get("collection", COLLECTION))
        found = state_file or address.options.get("state")
        client = ImmudbClient(address, timeout_seconds)
        self._name = client.name
        self._ledger = Ledger(client, None if found is None else Path(found))
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="holdmetrics-immudb")
        self._is_closed = False

    @property
    def is_fallback(self) -> bool:
        """What is not in immudb is not proved: saving raises while the server is away."""
        return False

    @property
    def has_fallback(self) -> bool:
        """As `is_fallback`."""
        return False

    async def start(self) -> None:
        """Log in, create the database if it is missing, and verify its state against the last one."""
        await self._call(Ledger.verified_state)

    async def ping(self) -> None:
        """Verify the present state."""
        await self._call(Ledger.verify_present)

    async def version(self) -> str:
        """That of the server, after a log-in; verifies nothing."""
        version = await self._in_thread(self._ledger.client.version)
        # What a server says that was built without one.
        return "immudb without a version" if version == "-" else f"immudb {version}"

    async def save_events(self, events: Iterable[Recorded]) -> int:
        """Save events in verified transactions of at most 1,024."""
        records = dict.fromkeys(record for event in events for record in event.records())

        def write(ledger: Ledger) -> int:
            return ledger.write(
                [(key_from_record(self._prefix, record), value_from_record(record)) for record in records]
            )

        return await self._call(write)

    async def snapshot(
        self,
        as_of: Instant | None = None,
        from_: Instant | None = None,
        *,
        closed_only: bool | None = None,
    ) -> HoldSnapshot:
        """The scores of the events in the collection, computed in a worker thread."""
        window = Window.of(as_of, from_, closed_only=closed_only)
        scorer = Scorer()
        async for page in self._pages():
            await asyncio.to_thread(scorer.add, [record for _, record in page])
        return await asyncio.to_thread(scorer.snapshot, window)

    async def scan(self) -> AsyncIterator[HoldEvent]:
        """The events in the order of their ids."""
        async for page in self._pages():
            for _, record in page:
                yield HoldEvent.from_record(record)

    async def count(self) -> int:
        """How many events are in the collection; reads them, because the server counts deleted ones."""
        found = 0
        async for page in self._pages():
            found += len(page)
        return found

    async def purge(self, *, token_id: str | None = None, holder_id: str | None = None) -> int:
        """Delete events logically: they are read no more, and stay in the history, with their deletion."""
        removed = 0
        async for page in self._pages():
            keys = [
                key
                for key, record in page
                if token_id in (None, record.token_id) and holder_id in (None, record.holder_id)
            ]
            if keys:
                await self._call(partial(Ledger.delete, keys=keys))
                removed += len(keys)
        return removed

    async def close(self) -> None:
        """End the session after what is running has ended."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.get_running_loop().run_in_executor(self._executor, self._ledger.client.close)
            self._executor.shutdown(wait=False)

    async def _call(self, question: Callable[[Ledger], _Answer]) -> _Answer:
        return await self._in_thread(partial(self._ledger.call, question))

    async def _in_thread(self, function: Callable[[], _Answer]) -> _Answer:
        if self._is_closed:
            raise StorageError(self._name, "closed")
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    async def _pages(self) -> AsyncIterator[list[tuple[bytes, Record]]]:
        after = b""
        while page := await self._call(partial(self._page, after)):
            yield page
            after = page[-1][0]

    def _page(self, after: bytes, ledger: Ledger) -> list[tuple[bytes, Record]]:
        page = []
        for entry in ledger.client.page(self._prefix, after, _PAGE):
            record = record_from_entry(entry.key, self._prefix, entry.value)
            if record is None:
                raise StorageError(
                    self._name,
                    f"{entry.key.decode(errors='replace')}: not the event of this key; run audit verify",
                )
            page.append((entry.key, record))
        return page
