"""Events of any form in batches of bounded size: models, transfers, and dicts, which the models validate.

An invalid dict is refused here, with the sentence of the service, and is not sent. Sends nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from poh_holdmetrics.client.results import RefusedEvent
from poh_holdmetrics.data_models import HoldEvent, Transfer
from poh_holdmetrics.errors import InputError, Refused, excerpt

#: What `send` takes.
Event = HoldEvent | Transfer | Mapping[str, Any]

#: A service reads messages of 4 MiB; a character has at most 6 bytes in JSON.
_CHARACTERS_MAX = 512 * 1024
_PARTIES = ("from_id", "to_id", "amount")


@dataclass
class Batch:
    """Events of one kind with their indexes in what is sent, and those that were refused meanwhile."""

    events: list[HoldEvent | Transfer] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    refused: list[RefusedEvent] = field(default_factory=list)

    @property
    def is_of_transfers(self) -> bool:
        """Whether the events are transfers."""
        return isinstance(self.events[0], Transfer)

    def halves(self) -> tuple[Batch, Batch]:
        """The same events as two batches."""
        middle = len(self.events) // 2
        first, second = slice(None, middle), slice(middle, None)
        return (
            Batch(self.events[first], self.indexes[first]),
            Batch(self.events[second], self.indexes[second]),
        )


class Batcher:
    """Collects events until a batch is full; a batch has events of one kind, because gRPC sends columns."""

    def __init__(self, events_max: int) -> None:
        self._events_max = events_max
        self._next_index = 0
        self._characters = 0
        self._batch = Batch()

    def add(self, item: Event) -> Iterator[Batch]:
        """Add an event; yields the batch that it fills, if any. Raises `InputError` for other objects."""
        index = self._next_index
        self._next_index += 1
        try:
            event = _event_from(item)
        except ValidationError as error:
            self._batch.refused.append(_refusal(index, error))
            if len(self._batch.refused) >= self._events_max:
                yield from self.rest()
            return
        if self._batch.events and type(event) is not type(self._batch.events[0]):
            yield from self.rest()
        self._batch.events.append(event)
        self._batch.indexes.append(index)
        self._characters += _characters(event)
        if len(self._batch.events) >= self._events_max or self._characters >= _CHARACTERS_MAX:
            yield from self.rest()

    def rest(self) -> Iterator[Batch]:
        """What is not full yet."""
        batch, self._batch, self._characters = self._batch, Batch(), 0
        if batch.events or batch.refused:
            yield batch


def batches(events: Iterable[Event], events_max: int) -> Iterator[Batch]:
    """All events in batches; an event is taken from `events` when the batches before are consumed."""
    batcher = Batcher(events_max)
    for event in events:
        yield from batcher.add(event)
    yield from batcher.rest()


async def async_batches(
    events: Iterable[Event] | AsyncIterable[Event], events_max: int
) -> AsyncGenerator[Batch, None]:
    """The same for what may be an asynchronous iterable."""
    if not isinstance(events, AsyncIterable):
        for batch in batches(events, events_max):
            yield batch
        return
    batcher = Batcher(events_max)
    async for event in events:
        for batch in batcher.add(event):
            yield batch
    for batch in batcher.rest():
        yield batch


def _event_from(item: Event) -> HoldEvent | Transfer:
    if isinstance(item, HoldEvent | Transfer):
        return item
    if isinstance(item, Mapping):
        is_transfer = any(item.get(name) is not None for name in _PARTIES)
        return (Transfer if is_transfer else HoldEvent).model_validate(item)
    raise InputError("events", f"expected HoldEvent, Transfer or dict; found {excerpt(item)}")


def _refusal(index: int, error: ValidationError) -> RefusedEvent:
    first = error.errors(include_url=False)[0]
    refused = first.get("ctx", {}).get("error")
    if isinstance(refused, Refused):
        return RefusedEvent(index, refused.blamed, str(refused))
    name = ".".join(map(str, first["loc"]))
    return RefusedEvent(index, name, f"{name}: {first['msg']}")


def _characters(event: HoldEvent | Transfer) -> int:
    """About how long an event is, as text."""
    parties = f"{event.from_id}{event.to_id}" if isinstance(event, Transfer) else event.holder_id
    return 100 + len(event.token_id) + len(parties) + len(event.event_id or "")
