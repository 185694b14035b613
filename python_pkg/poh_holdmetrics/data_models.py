"""The values of the package: `HoldEvent` and `Transfer` are messages, `HoldStat` is one holder's result.

Frozen Pydantic models. An event that exists is valid and exact: times are UTC to the microsecond, decimals
are in steps of 1e-18. Scores nothing; see `calculator` and `tracker`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from poh_holdmetrics import field_parsers, instants, validation, wads
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.validation import Record

if TYPE_CHECKING:
    from poh_holdmetrics.instants import Instant

    #: What a weight, a delta and an amount take.
    Number = Decimal | float | str

#: The weight of an event without one. A weight that was given is another object, even if it is 1.
_ONE = Decimal(1)


_EPOCH = instants.EPOCH
_set = object.__setattr__
#: Few weights are different.
_decimal = lru_cache(maxsize=4096)(wads.decimal_from_wad)


def _optional_time(field: str) -> Callable[[object], datetime | None]:
    return lambda value: (
        None if value is None else instants.datetime_from_us(instants.us_from_instant(field, value))
    )


def _weight(value: object) -> Decimal:
    return (
        _ONE
        if value is None or value is _ONE
        else wads.decimal_from_wad(wads.wad_from_value("weight", value))
    )


def _delta(value: object) -> Decimal | None:
    if value is None:
        return None
    return wads.decimal_from_wad(wads.wad_from_value("delta", value, signed=True))


def _amount(value: object) -> Decimal | None:
    return None if value is None else wads.decimal_from_wad(wads.wad_from_value("amount", value))


def _event_id(value: object) -> str | None:
    return None if value is None else validation.checked_event_id(value)


_TokenId = Annotated[str, BeforeValidator(lambda value: validation.checked_id("token_id", value))]
_HolderId = Annotated[str, BeforeValidator(lambda value: validation.checked_id("holder_id", value))]
_FromId = Annotated[str | None, BeforeValidator(lambda value: validation.checked_party("from_id", value))]
_ToId = Annotated[str | None, BeforeValidator(lambda value: validation.checked_party("to_id", value))]
_EventId = Annotated[str | None, BeforeValidator(_event_id)]
_Revision = Annotated[int, BeforeValidator(lambda value: field_parsers.checked_integer("revision", value))]
_Retract = Annotated[bool, BeforeValidator(lambda value: field_parsers.checked_flag("retract", value))]
_Seq = Annotated[int, BeforeValidator(lambda value: field_parsers.checked_integer("seq", value))]
_At = Annotated[datetime | None, BeforeValidator(_optional_time("at"))]


class HoldEvent(BaseModel):
    """One hold event: a closed hold, a mark, or a change of balance.

    `start` and `end` make a closed hold, `start` alone is a start mark, `end` alone a stop mark; `seq` orders
    marks of one instant. `at` and `delta` make a change of balance, which needs an `event_id`.

    Times take an aware datetime, text (`2025-07-21T00:00:00Z`) or milliseconds and are kept as UTC datetimes,
    floored to the microsecond. `weight` and `delta` take a Decimal, int, float (read as the shortest decimal
    that prints back to it) or text and are kept as a Decimal of at most 18 places, rounded half to even.
    `event_id` with a larger `revision` corrects the fact of that id; with `retract` it withdraws it.

    Raises `pydantic.ValidationError`, whose messages begin with the name of the field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_id: _TokenId
    holder_id: _HolderId
    start: Annotated[datetime | None, BeforeValidator(_optional_time("start"))] = None
    end: Annotated[datetime | None, BeforeValidator(_optional_time("end"))] = None
    weight: Annotated[Decimal, BeforeValidator(_weight)] = _ONE
    event_id: _EventId = None
    revision: _Revision = 0
    retract: _Retract = False
    at: _At = None
    delta: Annotated[Decimal | None, BeforeValidator(_delta)] = None
    seq: _Seq = 0

    if TYPE_CHECKING:
        # What the fields take, which is more than what they keep.
        def __init__(
            self,
            *,
            token_id: str | int,
            holder_id: str | int,
            start: Instant | None = None,
            end: Instant | None = None,
            weight: Number = 1,
            event_id: str | None = None,
            revision: int = 0,
            retract: bool = False,
            at: Instant | None = None,
            delta: Number | None = None,
            seq: int = 0,
        ) -> None: ...

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        start, end = self.start, self.end
        is_plain = start is not None and end is not None and end >= start
        if not is_plain or self.revision or self.retract or self.at is not None or self.delta is not None:
            validation.check_together(self.record(), self.weight is not _ONE)
        return self

    @model_serializer(mode="wrap")
    def _without_the_weight_of_a_change(self, serialize: SerializerFunctionWrapHandler) -> dict[str, object]:
        fields: dict[str, object] = serialize(self)
        if self.is_change:
            fields.pop("weight", None)
        return fields

    @property
    def is_change(self) -> bool:
        """Whether this is a change of balance."""
        return self.at is not None or self.delta is not None

    @property
    def start_us(self) -> int | None:
        """`start` in microseconds since 1970, or None."""
        return None if self.start is None else instants.us_from_datetime("start", self.start)

    @property
    def end_us(self) -> int | None:
        """`end` in microseconds since 1970, or None."""
        return None if self.end is None else instants.us_from_datetime("end", self.end)

    @property
    def wad(self) -> int:
        """`weight` in steps of 1e-18."""
        return wads.wad_from_decimal(self.weight)

    def record(self) -> Record:
        """The event as plain integers and text."""
        return Record(
            self.token_id,
            self.holder_id,
            self.start_us,
            self.end_us,
            self.wad,
            self.event_id,
            self.revision,
            self.retract,
            None if self.at is None else instants.us_from_datetime("at", self.at),
            None if self.delta is None else wads.wad_from_decimal(self.delta),
            self.seq,
        )

    def records(self) -> tuple[Record, ...]:
        """The one record of the event, as `Transfer` has one for each party."""
        return (self.record(),)

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """The model of a record, which is not checked again."""
        token_id, holder_id, start_us, end_us, wad, event_id, revision, retract, at_us, delta, seq = record
        event = cls.__new__(cls)
        # What `model_construct` does, which takes three times as long; a feed makes a model of every event.
        _set(
            event,
            "__dict__",
            {
                "token_id": token_id,
                "holder_id": holder_id,
                "start": None if start_us is None else _EPOCH + timedelta(microseconds=start_us),
                "end": None if end_us is None else _EPOCH + timedelta(microseconds=end_us),
                "weight": _decimal(wad),
                "event_id": event_id,
                "revision": revision,
                "retract": retract,
                "at": None if at_us is None else _EPOCH + timedelta(microseconds=at_us),
                "delta": None if delta is None else _decimal(delta),
                "seq": seq,
            },
        )
        _set(event, "__pydantic_fields_set__", _FIELDS.copy())
        _set(event, "__pydantic_extra__", None)
        _set(event, "__pydantic_private__", None)
        return event


_FIELDS = set(HoldEvent.model_fields)


class Transfer(BaseModel):
    """`amount` of a token from one holder to another at an instant: a change of balance for each of them.

    A party that is None, empty or the null address (`0x` and 40 zeros) does not count as a holder: a mint
    has no `from_id`, a burn no `to_id`. A transfer to oneself is a change of 0. `event_id`, `revision` and
    `retract` are those of both changes; a retraction names the parties and needs neither `at` nor `amount`.

    Values and errors are those of `HoldEvent`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_id: _TokenId
    from_id: _FromId = None
    to_id: _ToId = None
    at: _At = None
    amount: Annotated[Decimal | None, BeforeValidator(_amount)] = None
    event_id: _EventId = None
    revision: _Revision = 0
    retract: _Retract = False
    seq: _Seq = 0

    if TYPE_CHECKING:
        # What the fields take, which is more than what they keep.
        def __init__(
            self,
            *,
            token_id: str | int,
            from_id: str | int | None = None,
            to_id: str | int | None = None,
            at: Instant | None = None,
            amount: Number | None = None,
            event_id: str | None = None,
            revision: int = 0,
            retract: bool = False,
            seq: int = 0,
        ) -> None: ...

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        self.records()
        return self

    def records(self) -> tuple[Record, ...]:
        """The changes as plain integers and text, one for each party that is a holder."""
        return validation.transfer_records(
            self.token_id,
            self.from_id,
            self.to_id,
            self.event_id,
            self.revision,
            self.retract,
            None if self.at is None else instants.us_from_datetime("at", self.at),
            None if self.amount is None else wads.wad_from_decimal(self.amount),
            self.seq,
        )

    def changes(self) -> list[HoldEvent]:
        """The changes as events."""
        return [HoldEvent.from_record(record) for record in self.records()]


def _signature(model: type[BaseModel]) -> Signature:
    """The names and defaults of the fields, without the validators that `help` would list."""
    return Signature(
        [
            Parameter(
                name,
                Parameter.KEYWORD_ONLY,
                default=Parameter.empty if field.is_required() else field.default,
            )
            for name, field in model.model_fields.items()
        ]
    )


HoldEvent.__signature__ = _signature(HoldEvent)
Transfer.__signature__ = _signature(Transfer)


def expanded(events: Iterable[HoldEvent | Transfer]) -> list[HoldEvent]:
    """All events, each transfer as its changes."""
    found: list[HoldEvent] = []
    for event in events:
        if isinstance(event, Transfer):
            found += event.changes()
        else:
            found.append(event)
    return found


class HoldStat(BaseModel):
    """One holder's result over a window.

    `held_us` and `score` (weight-seconds as decimal text) are exact; `total_seconds` is `held_us` floored to
    seconds and `weighted_score` the double nearest to `score`. `rank` is the place among all holders, equal
    scores sharing one; None if no order was computed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    holder_id: str
    total_seconds: int = Field(ge=0)
    weighted_score: float = Field(ge=0, allow_inf_nan=False)
    held_us: int = Field(ge=0)
    score: str = Field(pattern=r"^(0|[1-9][0-9]*)(\.[0-9]*[1-9])?$")
    rank: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _figures_agree(self) -> Self:
        if self.total_seconds != self.held_us // instants.MICROS_PER_SECOND:
            raise Refused("total_seconds", "not held_us floored to seconds")
        if self.weighted_score != float(self.score):
            raise Refused("weighted_score", "not the double nearest to score")
        return self

    @classmethod
    def from_row(cls, row: tuple[int, str, int, str, float]) -> Self:
        """The model of a leaderboard row (rank, holder_id, held_us, score, weighted_score)."""
        rank, holder_id, held_us, score, weighted_score = row
        return cls.model_construct(
            holder_id=holder_id,
            total_seconds=held_us // instants.MICROS_PER_SECOND,
            weighted_score=weighted_score,
            held_us=held_us,
            score=score,
            rank=rank,
        )
