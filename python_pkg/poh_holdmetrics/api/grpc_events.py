"""Messages of events as the values of `FIELDS`, single or in columns, and timestamps as instants.

Whether the values make an event is decided in `intake`. A batch whose columns do not match is refused whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from poh_holdmetrics import field_parsers, instants
from poh_holdmetrics.api.intake import BATCH_EVENTS_MAX
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.field_parsers import FieldParsers

if TYPE_CHECKING:
    from poh_holdmetrics.protocols.hold_pb2 import HoldBatch, HoldMsg, TransferBatch, TransferMsg

_NANOS_END = 1_000_000_000
#: The value of a column of times that means absent.
_ABSENT_US = -(2**63)

Values = tuple[object, ...]


class BatchRefused(Refused):
    """A batch is refused as a whole."""

    def __init__(self, column: str, reason: str, rows: int) -> None:
        """`rows` is the length of the longest column."""
        super().__init__(column, reason)
        self.rows = rows


def us_from_timestamp(field: str, value: object) -> int:
    """The instant of a timestamp, floored to the microsecond; raises `Refused`."""
    if not isinstance(value, Timestamp):
        raise Refused(field, instants.NOT_A_TIME, value)
    if not 0 <= value.nanos < _NANOS_END:
        raise Refused(field, "nanos must be from 0 to 999999999")
    us = value.seconds * instants.MICROS_PER_SECOND + value.nanos // 1000
    return instants.us_in_range(field, us, us)


def timestamp_from_us(us: int) -> Timestamp:
    """The timestamp of an instant."""
    seconds, micros = divmod(us, instants.MICROS_PER_SECOND)
    return Timestamp(seconds=seconds, nanos=micros * 1000)


#: Messages: times are timestamps.
MESSAGES = FieldParsers(
    time=us_from_timestamp, integer=field_parsers.checked_integer, flag=field_parsers.checked_flag
)


def values_from_hold(message: HoldMsg) -> Values:
    """The values of a hold event; raises `Refused` for a decimal that is given twice."""
    _check_ids(token_id=message.token_id, holder_id=message.holder_id)
    for name in ("weight", "delta"):
        if message.HasField(name) and message.HasField(f"{name}_text"):
            raise _given_twice(name)
    return (
        message.token_id,
        message.holder_id,
        message.start if message.HasField("start") else None,
        message.end if message.HasField("end") else None,
        _decimal(message, "weight"),
        message.event_id if message.HasField("event_id") else None,
        message.revision,
        message.retract,
        message.at if message.HasField("at") else None,
        _decimal(message, "delta"),
        message.seq,
        *(None, None, None),
    )


def values_from_transfer(message: TransferMsg) -> Values:
    """The values of a transfer; raises `Refused` for an amount that is given twice."""
    _check_ids(token_id=message.token_id)
    if message.HasField("amount") and message.HasField("amount_text"):
        raise _given_twice("amount")
    return (
        message.token_id,
        *(None, None, None, None),
        message.event_id or None,
        message.revision,
        message.retract,
        message.at if message.HasField("at") else None,
        None,
        message.seq,
        # Given even if they are empty, or this would not be a transfer.
        message.from_id,
        message.to_id,
        _decimal(message, "amount"),
    )


class Rows:
    """The rows of a batch, each as values whose times are microseconds (`field_parsers.MICROS`)."""

    def __init__(self, batch: HoldBatch | TransferBatch) -> None:
        """Raises `BatchRefused` if the columns do not match."""
        columns: dict[str, Sequence[object]] = {
            field.name: getattr(batch, field.name) for field in batch.DESCRIPTOR.fields
        }
        self.count = rows = max(map(len, columns.values()))
        if rows > BATCH_EVENTS_MAX:
            reason = f"{rows} rows in a batch, the maximum is {BATCH_EVENTS_MAX}; send several batches"
            raise BatchRefused("token_id", reason, rows)
        for name in ("weight", "delta", "amount"):
            if columns.get(name) and columns.get(f"{name}_text"):
                raise BatchRefused(f"{name}_text", f"{name} is given too; send one of the two", rows)
        for name, column in columns.items():
            if len(column) not in (0, 1, rows):
                reason = f"{len(column)} values in a batch of {rows} rows; send none, one, or one per row"
                raise BatchRefused(name, reason, rows)
        self._columns = columns
        self._is_transfers = "from_id" in columns

    def __iter__(self) -> Iterator[Callable[[], Values]]:
        """A function for each row: it returns the values, or raises `Refused`."""
        for row in range(self.count):
            yield lambda row=row: self._values(row)  # type: ignore[misc]

    def _values(self, row: int) -> Values:
        token_id = self._value("token_id", row, "")
        from_id = to_id = holder_id = None
        if self._is_transfers:
            from_id, to_id = self._value("from_id", row, ""), self._value("to_id", row, "")
            _check_ids(token_id=token_id)
        else:
            holder_id = self._value("holder_id", row, "")
            _check_ids(token_id=token_id, holder_id=holder_id)
        return (
            token_id,
            holder_id,
            self._time("start_us", row),
            self._time("end_us", row),
            self._decimal("weight", row),
            self._value("event_id", row) or None,
            self._value("revision", row, 0),
            self._value("retract", row, default=False),
            self._time("at_us", row),
            self._decimal("delta", row),
            self._value("seq", row, 0),
            from_id,
            to_id,
            self._decimal("amount", row),
        )

    def _value(self, name: str, row: int, default: object = None) -> object:
        column = self._columns.get(name)
        if not column:
            return default
        return column[0] if len(column) == 1 else column[row]

    def _time(self, name: str, row: int) -> object:
        value = self._value(name, row)
        return None if value == _ABSENT_US else value

    def _decimal(self, name: str, row: int) -> object:
        double = self._value(name, row)
        return (self._value(f"{name}_text", row) or None) if double is None else double


def _check_ids(**ids: object) -> None:
    for field, value in ids.items():
        if not value:
            raise Refused(field, "missing or empty")


def _given_twice(name: str) -> Refused:
    return Refused(f"{name}_text", f"{name} is given too; send one of the two")


def _decimal(message: HoldMsg | TransferMsg, name: str) -> object:
    """A double, text as an exact decimal, or None."""
    for field in (name, f"{name}_text"):
        if message.HasField(field):
            return getattr(message, field)
    return None
