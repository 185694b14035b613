"""The only module that knows that native code exists, and what it can compute.

The sources, in this order: callables that a Rust host registered as `_holdmetrics_host`, the extension module
`poh_holdmetrics_rust`, or none, and everything runs in pure Python. `POH_DISABLE_RUST=1` forces none. Inside
a host the extension is never imported: two copies of the native code in one process would each have their own
state. Imports nothing heavy, and nothing native before the first call.
"""

from __future__ import annotations

import importlib
import importlib.abc
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal, Protocol, Self, cast

from poh_holdmetrics.errors import NativeError

if TYPE_CHECKING:
    from decimal import Decimal
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from poh_holdmetrics.column_types import (
        Arrow,
        DecimalColumn,
        FlagColumn,
        Int64Column,
        OptionalTextColumn,
        RecordBatch,
        TextColumn,
    )
    from poh_holdmetrics.pure.aggregator import AcceptedLines, HeldColumns, Recorded, RecordRow
    from poh_holdmetrics.pure.findings import FindingsRow

HOST_MODULE = "_holdmetrics_host"
EXTENSION_MODULE = "poh_holdmetrics_rust"
DISABLE_VARIABLE = "POH_DISABLE_RUST"
#: The version of the namespace below that this package needs.
API = 6

Source = Literal["host", "extension", "none"]
Row = tuple[int, str, int, str, float]
HeldSegment = tuple[str, str, int, int | None, int]
#: token_id, holder_id, at_us, balance in wads, event_ids: the fields of a `Deficit`.
DeficitRow = tuple[str, str, int, int, list[str]]
#: The fields of a `KeyStatement`: token_id, segments, changes, deficit.
KeyRow = tuple[
    str, Sequence[tuple[int, int | None, int]], Sequence[tuple[int, str, int, int]], DeficitRow | None
]
#: The content-derived id of an event, and its values; see `storage.rows`.
StoredRow = tuple[
    bytes, str, str, int | None, int | None, str, str | None, int, bool | int, int | None, str | None, int
]


class Snapshot(Protocol):
    """The leaderboard at one instant; native ones also have `__arrow_c_stream__`."""

    @property
    def as_of_us(self) -> int: ...  # noqa: D102
    @property
    def from_us(self) -> int | None: ...  # noqa: D102
    @property
    def closed_only(self) -> bool: ...  # noqa: D102
    @property
    def deficits(self) -> int: ...  # noqa: D102
    def __len__(self) -> int: ...
    def rows(self, n: int | None = None) -> list[Row]: ...  # noqa: D102


class ScoredInput(Snapshot, Protocol):
    """The leaderboard of a table or of files that were scored at once."""

    @property
    def findings(self) -> FindingsRow | None:
        """What is probably not meant; None only of another snapshot."""


class Aggregator(Protocol):
    """Facts of many keys; the pure-Python aggregator has the same methods."""

    @property
    def events(self) -> int: ...  # noqa: D102
    @property
    def holders(self) -> int: ...  # noqa: D102
    @property
    def keys(self) -> int: ...  # noqa: D102
    def record(  # noqa: D102
        self,
        token_id: str,
        holder_id: str,
        start_us: int | None = None,
        end_us: int | None = None,
        weight: str | float | Decimal | None = None,
        event_id: str | None = None,
        revision: int = 0,
        retract: bool = False,  # noqa: FBT001, FBT002
        at_us: int | None = None,
        delta: str | float | Decimal | None = None,
        seq: int = 0,
    ) -> None: ...
    def record_events(self, events: Iterable[Recorded]) -> int: ...  # noqa: D102
    @property
    def record_batch(self) -> RecordBatch: ...  # noqa: D102
    def record_lines(self, lines: AcceptedLines) -> int: ...  # noqa: D102
    def merge(self, other: Self) -> None: ...  # noqa: D102
    def snapshot(  # noqa: D102
        self,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002
    ) -> Snapshot: ...
    def leaderboard(  # noqa: D102
        self,
        n: int,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002
    ) -> list[Row]: ...
    def holder(  # noqa: D102
        self,
        holder_id: str,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002
    ) -> Row | None: ...
    def deficits(self, as_of_us: int) -> Sequence[DeficitRow]: ...  # noqa: D102
    def deficit_page(  # noqa: D102
        self, n: int, as_of_us: int, token_id: str | None = None, after: tuple[str, str] | None = None
    ) -> tuple[Sequence[DeficitRow], bool, int]: ...
    def page(  # noqa: D102
        self,
        n: int,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002
        token_id: str | None = None,
        after: tuple[str, str] | None = None,
    ) -> tuple[list[Row], int, int, int]: ...
    def explain(  # noqa: D102
        self,
        holder_id: str,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002
        token_id: str | None = None,
    ) -> tuple[Row, Sequence[KeyRow], int] | None: ...
    def held_columns(  # noqa: D102
        self,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002
    ) -> HeldColumns: ...


#: The class below is hidden by the attribute of its name in a namespace.
AnyAggregator = Aggregator


class MerkleTree(Protocol):
    """A list with its Merkle tree; see `airdrop.trees`."""

    @staticmethod
    def of_list(  # noqa: D102
        rows: Sequence[tuple[str, str]],
        format: str,  # noqa: A002
        token: str | None = None,
    ) -> MerkleTree: ...
    @staticmethod
    def read(text: bytes) -> MerkleTree: ...  # noqa: D102
    @property
    def format(self) -> str: ...  # noqa: D102
    @property
    def root(self) -> str: ...  # noqa: D102
    @property
    def sum(self) -> str | None: ...  # noqa: D102
    def __len__(self) -> int: ...
    def proofs(self, holder: str) -> list[str]: ...  # noqa: D102
    def dump(self) -> bytes: ...  # noqa: D102


class Namespace(Protocol):
    """The callables of the host and of the extension, registered by the same Rust code."""

    __version__: str
    API: int
    Aggregator: Callable[[], Aggregator]

    MerkleTree: type[MerkleTree]

    def allocate_pool(  # noqa: D102
        self, shares: Sequence[tuple[str, str]], pool: str, curve: str, cap: str | None, min_amount: str
    ) -> tuple[list[str], int, int]: ...
    def checksummed_address(self, address: str) -> str: ...  # noqa: D102
    def aggregate(  # noqa: D102
        self,
        events: Iterable[Recorded],
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002
    ) -> Snapshot: ...
    def calculate_score(  # noqa: D102
        self,
        events: Iterable[Recorded],
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002
    ) -> float: ...
    def score_exact(  # noqa: D102
        self,
        events: Iterable[Recorded],
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002
    ) -> tuple[int, str, float]: ...
    def apply_policy(  # noqa: D102
        self,
        aggregator: AnyAggregator,
        document: str,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002
    ) -> Snapshot: ...
    def read_lines(  # noqa: D102
        self,
        text: bytes,
        now_us: int,
        *,
        id_bytes_max: int,
        ahead_us_max: int,
        line_bytes_max: int,
    ) -> AcceptedLines: ...
    def score_input(  # noqa: D102
        self,
        source: Arrow | Sequence[str],
        options: str,
        *,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,
    ) -> ScoredInput: ...
    def record_input(  # noqa: D102
        self, aggregator: AnyAggregator, source: Arrow | Sequence[str], options: str
    ) -> None: ...
    def read_input(  # noqa: D102
        self, source: Arrow | Sequence[str], options: str, holder_id: str | None = None
    ) -> Sequence[RecordRow]: ...
    def merge_overlaps(self, events: Iterable[Recorded]) -> list[HeldSegment]: ...  # noqa: D102
    def rows_with_ids(self, records: Sequence[RecordRow]) -> list[StoredRow]: ...  # noqa: D102
    def score_columns(  # noqa: D102
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
        *,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,
    ) -> Snapshot: ...


def source() -> Source:
    """The source of native code in use: `host`, `extension` or `none`.

    Raises `NativeError` if native code was found and cannot be used.
    """
    if inside_host():
        forbid_extension()
    if os.environ.get(DISABLE_VARIABLE) == "1":
        return "none"
    if inside_host():
        return "host"
    return "none" if _extension() is None else "extension"


def namespace() -> Namespace | None:
    """The native callables, or None if everything runs in pure Python; raises as `source` does."""
    match source():
        case "host":
            return _checked(sys.modules[HOST_MODULE])
        case "extension":
            return _extension()
        case "none":
            return None


def inside_host() -> bool:
    """Whether this interpreter runs inside the Rust host, even if native code is forced off."""
    return HOST_MODULE in sys.modules


def forbid_extension() -> None:
    """Make `import poh_holdmetrics_rust` raise `NativeError` in this process; can be repeated."""
    if not any(isinstance(finder, _NoExtension) for finder in sys.meta_path):
        sys.meta_path.insert(0, _NoExtension())


class _NoExtension(importlib.abc.MetaPathFinder):
    """Raises for the extension module and finds nothing else."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the import system's own signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname == EXTENSION_MODULE:
            raise NativeError(
                EXTENSION_MODULE,
                "not importable inside main_holdmetrics, which already contains the native code; "
                "use poh_holdmetrics.native.namespace()",
            )
        return None


@cache
def _extension() -> Namespace | None:
    try:
        module = importlib.import_module(EXTENSION_MODULE)
    except ModuleNotFoundError as missing:
        if missing.name == EXTENSION_MODULE:
            return None
        raise NativeError(EXTENSION_MODULE, f"cannot be imported ({missing}); {_CURE}") from missing
    except ImportError as broken:
        raise NativeError(EXTENSION_MODULE, f"cannot be imported ({broken}); {_CURE}") from broken
    return _checked(module)


def _checked(module: ModuleType) -> Namespace:
    found = getattr(module, "API", None)
    if found != API:
        raise NativeError(
            module.__name__,
            f"has API {found}, this package needs {API}; install both in one version, or {_CURE}",
        )
    return cast("Namespace", module)


_CURE = f"reinstall it, or set {DISABLE_VARIABLE}=1 for pure Python"
