"""Events in a collection of MongoDB, with `pymongo.AsyncMongoClient` (extra `mongodb`).

Writes are acknowledged by a majority and journaled there. If the server cannot be reached in time, events are
kept in memory and handed over, in order, when it is back; see `MongoStorage`. Scores are computed from the
facts, see `scoring`. Several processes may use one collection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pymongo
from bson.int64 import Int64
from pymongo import ASCENDING, AsyncMongoClient
from pymongo.errors import BulkWriteError, ConnectionFailure, InvalidURI, PyMongoError
from pymongo.errors import ConfigurationError as MongoConfigurationError
from pymongo.write_concern import WriteConcern

from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.errors import InputError, StorageError, StorageUnavailable
from poh_holdmetrics.storage.kept_events import KeptEvents, WhenFull
from poh_holdmetrics.storage.port import Storage
from poh_holdmetrics.storage.rows import COLUMNS, record_from_row, rows_with_ids
from poh_holdmetrics.storage.scoring import Scorer
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from pymongo.asynchronous.collection import AsyncCollection

    from poh_holdmetrics.instants import Instant
    from poh_holdmetrics.pure.aggregator import Recorded
    from poh_holdmetrics.storage.rows import Row, StoredRow
    from poh_holdmetrics.tracker import HoldSnapshot
    from poh_holdmetrics.validation import Record

_LOG = logging.getLogger(__name__)

_Document = Mapping[str, Any]

#: Documents of one bulk write, which has the time limit for itself, and how many are in flight together: the
#: next is encoded while the server works on the last.
_BULK = 2_500
_IN_FLIGHT = 3
_READ = 10_000
_INDEX = "holder_token"
_INDEX_KEYS = {"holder_id": 1, "token_id": 1}
_DUPLICATE_KEY = 11_000
#: An absent value is an absent field; earlier versions stored null.
_FIELDS = ("_id", *COLUMNS)
_INTEGERS = ("start_us", "end_us", "revision", "at_us", "seq")
_OPTIONAL_TEXTS = ("event_id", "delta_wads")
_INT32 = 1 << 31
#: Codes of a write that a server which stops, or is no longer the primary, did not do.
_SERVER_AWAY = frozenset({6, 7, 89, 91, 189, 9001, 10_107, 11_600, 11_602, 13_435, 13_436})


class MongoStorage(Storage):
    """A `Storage` in MongoDB.

    With `fallback`, `start` and `save_events` do not fail when the server cannot be reached: events are kept
    in memory (`is_fallback`, `kept`), with a warning in the log, and a task hands them over when the server
    is back. They are lost if the process ends before that; `close` makes a last attempt, and raises if it
    fails. If the server was never reached, questions are answered from what is kept; once it was, they raise
    `StorageUnavailable` while it is away, because an answer without the events there would be wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        database: str | None = None,
        collection: str = "hold_events",
        timeout_seconds: float = 5.0,
        fallback: bool = True,
        retry_seconds: float = 1.0,
        kept_max: int = 1_000_000,
        when_full: WhenFull = "refuse",
    ) -> None:
        """`database` is by default that of the address, else `poh_holdmetrics`.

        `timeout_seconds` limits each request to the server, with all its retries. `kept_max` is how many
        events are kept in memory; `when_full` says whether more are refused (`StoreFull`) or replace the
        oldest ones, which are then lost and counted in `dropped`.
        """
        self._kept = KeptEvents(kept_max, when_full)
        self._timeout_seconds = timeout_seconds
        self._retry_seconds = retry_seconds
        self._has_fallback = fallback
        try:
            self._client: AsyncMongoClient[_Document] = AsyncMongoClient(
                url, serverSelectionTimeoutMS=int(timeout_seconds * 1000), tz_aware=True
            )
            found = self._client.get_default_database("poh_holdmetrics" if database is None else database)
        except (InvalidURI, MongoConfigurationError, ValueError) as invalid:
            raise InputError("url", f"not an address of MongoDB: {invalid}") from invalid
        if database is not None:
            found = self._client[database]
        self._events: AsyncCollection[_Document] = found.get_collection(
            collection, write_concern=WriteConcern(w="majority", j=True)
        )
        self._name = f"mongodb {found.name}.{collection}"
        self._is_started = self._was_reached = self._is_closed = False
        self._recovery: asyncio.Task[None] | None = None
        self._indexing: asyncio.Task[None] | None = None

    @property
    def is_fallback(self) -> bool:
        """Whether events are kept in memory because the server cannot be reached."""
        return self._recovery is not None

    @property
    def _is_mock(self) -> bool:
        """The published name of `is_fallback`."""
        return self.is_fallback

    @property
    def has_fallback(self) -> bool:
        """Whether `save_events` may return although events are in memory only."""
        return self._has_fallback

    @property
    def kept(self) -> int:
        """How many events are kept in memory now."""
        return len(self._kept)

    @property
    def dropped(self) -> int:
        """How many events were lost because more than `kept_max` were to be kept."""
        return self._kept.dropped

    async def start(self) -> None:
        """Connect, check the indexes and create the missing one in the background.

        Refuses a collection with an index that would refuse events.
        """
        self._check_open()
        if self._is_started or self.is_fallback:
            return
        try:
            await self._connect()
        except StorageUnavailable as away:
            if not self._has_fallback:
                raise
            self._fall_back(away)

    async def ping(self) -> None:
        """Ask the server, also while events are kept in memory."""
        self._check_open()
        with self._asking():
            await self._client.admin.command("ping")

    async def version(self) -> str:
        """That of the server; refuses a collection as `start` does."""
        self._check_open()
        await self._has_index()
        with self._asking():
            return f"MongoDB {(await self._client.server_info())['version']}"

    async def save_events(self, events: Iterable[Recorded]) -> int:
        """Save events in bulk writes, which the server may end in the middle: then the rest is kept."""
        records = list(dict.fromkeys(record for event in events for record in event.records()))
        await self.start()
        fresh = 0
        window = _BULK * _IN_FLIGHT
        for begin in range(0, len(records), window):
            if self.is_fallback:
                return fresh + self._kept.add(records[begin:])
            inserted, left, away = await self._insert_bulks(records[begin : begin + window])
            fresh += inserted
            if away is not None:
                if not self._has_fallback:
                    raise away
                self._check_open()
                self._fall_back(away)
                return fresh + self._kept.add([*left, *records[begin + window :]])
        return fresh

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
        async for records in self._pages():
            await asyncio.to_thread(scorer.add, records)
        return await asyncio.to_thread(scorer.snapshot, window)

    async def scan(self) -> AsyncIterator[HoldEvent]:
        """The events in the order of the collection."""
        async for records in self._pages():
            for record in records:
                yield HoldEvent.from_record(record)

    async def count(self) -> int:
        """How many events are in the collection."""
        if await self._answers_from_memory():
            return len(self._kept)
        with self._asking():
            return await self._events.count_documents({})

    async def purge(self, *, token_id: str | None = None, holder_id: str | None = None) -> int:
        """Remove events; raises `StorageUnavailable` while events are kept in memory."""
        await self.start()
        if self.is_fallback:
            raise StorageUnavailable(self._name, "the server cannot be reached; purge when it is back")
        chosen = {
            name: value
            for name, value in (("token_id", token_id), ("holder_id", holder_id))
            if value is not None
        }
        with self._asking():
            return (await self._events.delete_many(chosen)).deleted_count

    async def close(self) -> None:
        """Hand over what is kept, at the last attempt, and close the connections.

        Raises `StorageUnavailable` if events are lost by it.
        """
        if self._is_closed:
            return
        self._is_closed = True
        for task in (self._recovery, self._indexing):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        try:
            await self._hand_over()
        except StorageError as away:
            raise StorageUnavailable(
                self._name, f"closed with {len(self._kept)} events in memory, which are lost"
            ) from away
        finally:
            await self._client.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise StorageError(self._name, "closed")

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Limit the time of requests, and translate their errors: the server is away, or it refuses."""
        try:
            with pymongo.timeout(self._timeout_seconds):
                yield
        except BulkWriteError as error:
            details: Mapping[str, Any] = error.details or {}
            codes = {each["code"] for each in details.get("writeErrors", ())}
            if details.get("writeConcernErrors") or error.timeout or codes & _SERVER_AWAY:
                raise StorageUnavailable(self._name, _first_line(error)) from error
            raise StorageError(self._name, _first_line(error)) from error
        except PyMongoError as error:
            code = getattr(error, "code", None)
            if isinstance(error, ConnectionFailure) or error.timeout or code in _SERVER_AWAY:
                raise StorageUnavailable(self._name, _first_line(error)) from error
            raise StorageError(self._name, _first_line(error)) from error

    async def _connect(self) -> None:
        is_indexed = await self._has_index()
        self._is_started = self._was_reached = True
        if not is_indexed:
            self._indexing = asyncio.create_task(self._create_index())

    async def _has_index(self) -> bool:
        """Whether the index is there; raises `StorageError` at one that would refuse events."""
        is_indexed = False
        with self._asking():
            async for index in await self._events.list_indexes():
                name, keys = index["name"], dict(index["key"])
                if index.get("unique") and keys != {"_id": 1}:
                    raise StorageError(
                        self._name, f"index {name} is unique, so events would be refused; {_CURE}"
                    )
                if name == _INDEX and keys != _INDEX_KEYS:
                    raise StorageError(self._name, f"index {name} has other fields than expected; {_CURE}")
                is_indexed = is_indexed or keys == _INDEX_KEYS
        return is_indexed

    async def _create_index(self) -> None:
        # Without a time limit: on a large collection it takes long, and nothing waits for it.
        try:
            await self._events.create_index([(field, ASCENDING) for field in _INDEX_KEYS], name=_INDEX)
        except ConnectionFailure:
            _LOG.info("%s: index %s is created when the storage connects again", self._name, _INDEX)
        except PyMongoError as error:
            _LOG.warning("%s: index %s was not created: %s", self._name, _INDEX, _first_line(error))

    async def _insert_bulks(
        self, records: Sequence[Record]
    ) -> tuple[int, list[Record], StorageUnavailable | None]:
        """Insert in bulks that are in flight together, and wait for the end of all.

        Returns how many events were new, those of bulks that did not arrive, and why. Raises a refusal.
        """
        bulks = [records[begin : begin + _BULK] for begin in range(0, len(records), _BULK)]
        ended = await asyncio.gather(*map(self._insert, bulks), return_exceptions=True)
        fresh = 0
        left: list[Record] = []
        away: StorageUnavailable | None = None
        for bulk, end in zip(bulks, ended, strict=True):
            if isinstance(end, StorageUnavailable):
                left += bulk
                away = away or end
            elif isinstance(end, BaseException):
                raise end
            else:
                fresh += end
        return fresh, left, away

    async def _insert(self, records: Sequence[Record]) -> int:
        documents = [_document(row) for row in rows_with_ids(records)]
        with self._asking():
            try:
                await self._events.insert_many(documents, ordered=False)
            except BulkWriteError as error:
                details: Mapping[str, Any] = error.details or {}
                codes = {each["code"] for each in details.get("writeErrors", ())}
                if codes != {_DUPLICATE_KEY} or details.get("writeConcernErrors") or error.timeout:
                    raise
                # The others are there already: an id is a hash of the content.
                return int(details["nInserted"])
        return len(records)

    def _fall_back(self, away: StorageUnavailable) -> None:
        if self._recovery is None:
            _LOG.warning("%s; events are kept in memory until the server is back", away)
            self._recovery = asyncio.create_task(self._recover())

    async def _recover(self) -> None:
        refusal = ""
        while True:
            await asyncio.sleep(self._retry_seconds)
            try:
                await self._connect()
                handed_over = await self._hand_over()
            except StorageUnavailable:
                continue
            except StorageError as refused:
                if str(refused) != refusal:
                    refusal = str(refused)
                    _LOG.error("%s; events are kept in memory", refused)
                continue
            # Nothing is awaited between the last look at what is kept and this line.
            self._recovery = None
            _LOG.warning("%s: the server is back; %d events handed over", self._name, handed_over)
            return

    async def _hand_over(self) -> int:
        handed_over = 0
        while records := self._kept.first(_BULK):
            await self._insert(records)
            self._kept.remove(records)
            handed_over += len(records)
        return handed_over

    async def _answers_from_memory(self) -> bool:
        await self.start()
        if self.is_fallback and self._was_reached:
            raise StorageUnavailable(
                self._name, f"the server cannot be reached; {len(self._kept)} events wait in memory"
            )
        return self.is_fallback

    async def _pages(self) -> AsyncIterator[list[Record]]:
        if await self._answers_from_memory():
            yield self._kept.first()
            return
        with self._asking():
            cursor = self._events.find({}, {"_id": False}, batch_size=_READ)
        try:
            while True:
                # Each part has the time limit for itself.
                with self._asking():
                    documents = await cursor.to_list(_READ)
                if not documents:
                    return
                yield [_record(document) for document in documents]
        finally:
            await cursor.close()


_CURE = "drop the index, or give another collection"


def _document(row: StoredRow) -> dict[str, Any]:
    document: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    for name in _INTEGERS:
        value = document[name]
        if value is None:
            del document[name]
        elif -_INT32 <= value < _INT32:
            # It would be stored with 32 bits; one type makes the fields comparable for every reader.
            document[name] = Int64(value)
    for name in _OPTIONAL_TEXTS:
        if document[name] is None:
            del document[name]
    return document


def _record(document: _Document) -> Record:
    return record_from_row(cast("Row", tuple(map(document.get, COLUMNS))))


def _first_line(error: PyMongoError) -> str:
    """What went wrong, without the description of the whole topology."""
    return str(error).partition("\n")[0].partition(", full error:")[0].partition(", Timeout:")[0]
