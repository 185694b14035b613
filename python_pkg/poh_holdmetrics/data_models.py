"""The two values of the package: `HoldEvent`, one message about a hold, and `HoldStat`, one holder's result.

Frozen Pydantic models. A `HoldEvent` that exists is valid and exact: times are UTC to the microsecond,
the weight is a decimal in steps of 1e-18. Scores nothing; see `calculator` and `tracker`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from poh_holdmetrics import instants, validation, wads
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.validation import Record


def _start(value: object) -> datetime | None:
    return None if value is None else instants.datetime_from_us(instants.us_from_instant("start", value))


def _end(value: object) -> datetime | None:
    return None if value is None else instants.datetime_from_us(instants.us_from_instant("end", value))


def _weight(value: object) -> Decimal:
    return _ONE if value is None else wads.decimal_from_wad(wads.wad_from_value("weight", value))


def _event_id(value: object) -> str | None:
    return None if value is None else validation.checked_event_id(value)


_ONE = Decimal(1)
_TokenId = Annotated[str, BeforeValidator(lambda value: validation.checked_id("token_id", value))]
_HolderId = Annotated[str, BeforeValidator(lambda value: validation.checked_id("holder_id", value))]
_Revision = Annotated[int, BeforeValidator(validation.checked_revision)]
_Retract = Annotated[bool, BeforeValidator(validation.checked_retract)]


class HoldEvent(BaseModel):
    """One hold event; both times make a closed hold, `start` alone a start mark, `end` alone a stop mark.

    `start` and `end` take an aware datetime, RFC 3339 text or integer milliseconds and are kept as UTC
    datetimes, floored to the microsecond. `weight` takes a Decimal, int, float (read as the shortest decimal
    that prints back to it) or text and is kept as a Decimal of at most 18 places, rounded half to even.
    `event_id` with a larger `revision` corrects, with `retract` withdraws, the fact of that id.

    Raises `pydantic.ValidationError`, whose messages begin with the name of the field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_id: _TokenId
    holder_id: _HolderId
    start: Annotated[datetime | None, BeforeValidator(_start)] = None
    end: Annotated[datetime | None, BeforeValidator(_end)] = None
    weight: Annotated[Decimal, BeforeValidator(_weight)] = _ONE
    event_id: Annotated[str | None, BeforeValidator(_event_id)] = None
    revision: _Revision = 0
    retract: _Retract = False

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        start, end = self.start, self.end
        if start is None or end is None or end < start or self.revision or self.retract:
            validation.check_together(self.record())
        return self

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
        )

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """The model of a record, without checking again what its door has checked."""
        return cls.model_construct(
            token_id=record.token_id,
            holder_id=record.holder_id,
            start=None if record.start_us is None else instants.datetime_from_us(record.start_us),
            end=None if record.end_us is None else instants.datetime_from_us(record.end_us),
            weight=wads.decimal_from_wad(record.wad),
            event_id=record.event_id,
            revision=record.revision,
            retract=record.retract,
        )


class HoldStat(BaseModel):
    """One holder's result over a window.

    `held_us` and `score` (weight-seconds as decimal text) are exact; `total_seconds` is `held_us` floored to
    seconds and `weighted_score` the double nearest to `score`. `rank` is the place among all holders, equal
    scores sharing one; None where no order was asked for.
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
