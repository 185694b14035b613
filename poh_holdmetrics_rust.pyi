# Types of the extension module. maturin puts them into its wheel, and stubtest compares them with the module.
#
# Values have the types of poh_holdmetrics, for which alone the module is made: see `poh_holdmetrics.native`.
# What a name does is said where it is defined, in src/host/native.

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, final

from poh_holdmetrics.column_types import (
    Arrow,
    DecimalColumn,
    FlagColumn,
    Int64Column,
    OptionalTextColumn,
    TextColumn,
)
from poh_holdmetrics.native import DeficitRow, HeldSegment, KeyRow, Row, StoredRow
from poh_holdmetrics.pure.aggregator import HeldColumns, Recorded, RecordRow
from poh_holdmetrics.pure.findings import FindingsRow

__all__ = [
    "API",
    "AcceptedLines",
    "Aggregator",
    "MerkleTree",
    "Snapshot",
    "__version__",
    "aggregate",
    "allocate_pool",
    "apply_policy",
    "calculate_score",
    "checksummed_address",
    "leaderboard",
    "merge_overlaps",
    "read_input",
    "read_lines",
    "record_batch",
    "record_input",
    "rows_with_ids",
    "score_columns",
    "score_exact",
    "score_input",
    "snapshot",
]

__version__: Final[str]
API: Final[int]

@final
class Aggregator:
    def __new__(cls) -> Aggregator: ...
    @property
    def events(self) -> int: ...
    @property
    def holders(self) -> int: ...
    @property
    def keys(self) -> int: ...
    def record(
        self,
        token_id: str | int,
        holder_id: str | int,
        start_us: int | None = None,
        end_us: int | None = None,
        weight: str | float | Decimal | None = None,
        event_id: str | None = None,
        revision: int = 0,
        retract: bool = False,
        at_us: int | None = None,
        delta: str | float | Decimal | None = None,
        seq: int = 0,
    ) -> None: ...
    def record_events(self, events: Iterable[Recorded]) -> int: ...
    def record_batch(
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
    def record_lines(self, lines: AcceptedLines) -> int: ...
    def merge(self, other: Aggregator) -> None: ...
    def snapshot(self, as_of_us: int, from_us: int | None = None, closed_only: bool = False) -> Snapshot: ...
    def leaderboard(
        self, n: int, as_of_us: int, from_us: int | None = None, closed_only: bool = False
    ) -> list[Row]: ...
    def holder(
        self, holder_id: str, as_of_us: int, from_us: int | None = None, closed_only: bool = False
    ) -> Row | None: ...
    def deficits(self, as_of_us: int) -> list[DeficitRow]: ...
    def deficit_page(
        self, n: int, as_of_us: int, token_id: str | None = None, after: tuple[str, str] | None = None
    ) -> tuple[list[DeficitRow], bool, int]: ...
    def page(
        self,
        n: int,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,
        token_id: str | None = None,
        after: tuple[str, str] | None = None,
    ) -> tuple[list[Row], int, int, int]: ...
    def explain(
        self,
        holder_id: str,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,
        token_id: str | None = None,
    ) -> tuple[Row, list[KeyRow], int] | None: ...
    def held_columns(
        self, as_of_us: int, from_us: int | None = None, closed_only: bool = False
    ) -> HeldColumns: ...

@final
class Snapshot:
    @property
    def as_of_us(self) -> int: ...
    @property
    def from_us(self) -> int | None: ...
    @property
    def closed_only(self) -> bool: ...
    @property
    def deficits(self) -> int: ...
    @property
    def findings(self) -> FindingsRow | None: ...
    def __len__(self) -> int: ...
    def rows(self, n: int | None = None) -> list[Row]: ...
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...

@final
class AcceptedLines:
    @property
    def lines(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    @property
    def refused(self) -> list[tuple[int, str, str]]: ...
    def __len__(self) -> int: ...
    def findings(self) -> FindingsRow: ...
    def records(self) -> list[RecordRow]: ...

@final
class MerkleTree:
    @staticmethod
    def of_list(
        rows: Sequence[tuple[str, str]],
        format: str,  # noqa: A002 - the name in Rust
        token: str | None = None,
    ) -> MerkleTree: ...
    @staticmethod
    def read(text: bytes) -> MerkleTree: ...
    @property
    def format(self) -> str: ...
    @property
    def root(self) -> str: ...
    @property
    def sum(self) -> str | None: ...
    def __len__(self) -> int: ...
    def proofs(self, holder: str) -> list[str]: ...
    def dump(self) -> bytes: ...

def allocate_pool(
    shares: Sequence[tuple[str, str]], pool: str, curve: str, cap: str | None, min_amount: str
) -> tuple[list[str], int, int]: ...
def checksummed_address(address: str) -> str: ...
def aggregate(
    events: Iterable[Recorded], as_of_us: int, from_us: int | None = None, closed_only: bool = False
) -> Snapshot: ...
def apply_policy(
    aggregator: Aggregator,
    document: str,
    as_of_us: int,
    from_us: int | None = None,
    closed_only: bool = False,
) -> Snapshot: ...
def calculate_score(
    events: Iterable[Recorded], as_of_us: int, from_us: int | None = None, closed_only: bool = False
) -> float: ...
def leaderboard(
    aggregator: Aggregator,
    n: int,
    as_of_us: int,
    from_us: int | None = None,
    closed_only: bool = False,
) -> list[Row]: ...
def merge_overlaps(events: Iterable[Recorded]) -> list[HeldSegment]: ...
def read_input(
    source: Arrow | Sequence[str], options: str, holder_id: str | None = None
) -> list[RecordRow]: ...
def read_lines(
    text: bytes, now_us: int, *, id_bytes_max: int, ahead_us_max: int, line_bytes_max: int
) -> AcceptedLines: ...
def record_batch(
    aggregator: Aggregator,
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
def record_input(aggregator: Aggregator, source: Arrow | Sequence[str], options: str) -> None: ...
def rows_with_ids(records: Iterable[RecordRow]) -> list[StoredRow]: ...
def score_columns(
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
    *,
    as_of_us: int,
    from_us: int | None = None,
    closed_only: bool = False,
) -> Snapshot: ...
def score_exact(
    events: Iterable[Recorded], as_of_us: int, from_us: int | None = None, closed_only: bool = False
) -> tuple[int, str, float]: ...
def score_input(
    source: Arrow | Sequence[str],
    options: str,
    *,
    as_of_us: int,
    from_us: int | None = None,
    closed_only: bool = False,
) -> Snapshot: ...
def snapshot(
    aggregator: Aggregator, as_of_us: int, from_us: int | None = None, closed_only: bool = False
) -> Snapshot: ...
