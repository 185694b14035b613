"""The types of column arguments, written once for the pure-Python engine, the native one and the tracker.

A column is a list of text, a buffer of numbers or an Arrow array, one value a row. Types only: columns are
read in `pure.columns` and in native code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from typing_extensions import Buffer

if TYPE_CHECKING:
    from decimal import Decimal


class ArrowArray(Protocol):
    """An Arrow array of any library."""

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...


class ArrowStream(Protocol):
    """An Arrow column in chunks, or a whole table."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


Arrow: TypeAlias = ArrowArray | ArrowStream
TextColumn: TypeAlias = Sequence[str] | Arrow
OptionalTextColumn: TypeAlias = Sequence[str | None] | Arrow
#: One-dimensional, contiguous: `array('q')`, a NumPy array. Times are microseconds, -2**63 if absent; in an
#: Arrow column a null is absent.
Int64Column: TypeAlias = Buffer | Arrow
#: A buffer of float64, or a list of exact values, None if absent.
DecimalColumn: TypeAlias = "Buffer | Sequence[str | float | Decimal | None] | Arrow"
#: A list, or a buffer of bool or of bytes 0 and 1.
FlagColumn: TypeAlias = "Sequence[bool | None] | Buffer | Arrow"


class RecordBatch(Protocol):
    """The signature of `record_batch`; an Arrow table may be given alone, as `token_id`."""

    def __call__(  # noqa: D102
        self,
        token_id: TextColumn,
        holder_id: OptionalTextColumn | None = None,
        start_us: Int64Column | None = None,
        end_us: Int64Column | None = None,
        weight: DecimalColumn | None = None,
        event_id: OptionalTextColumn | None = None,
        revision: Int64Column | None = None,
        retract: FlagColumn | None = None,
        at_us: Int64Column | None = None,
        delta: DecimalColumn | None = None,
        seq: Int64Column | None = None,
        from_id: OptionalTextColumn | None = None,
        to_id: OptionalTextColumn | None = None,
        amount: DecimalColumn | None = None,
    ) -> int: ...
