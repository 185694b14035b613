import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Durability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DURABILITY_UNSPECIFIED: _ClassVar[Durability]
    DURABLE: _ClassVar[Durability]
    BUFFERED: _ClassVar[Durability]
DURABILITY_UNSPECIFIED: Durability
DURABLE: Durability
BUFFERED: Durability

class HoldMsg(_message.Message):
    __slots__ = ("token_id", "holder_id", "start", "end", "weight", "event_id", "revision", "retract", "weight_text", "at", "delta", "delta_text", "seq")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    HOLDER_ID_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RETRACT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_TEXT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    DELTA_TEXT_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    holder_id: str
    start: _timestamp_pb2.Timestamp
    end: _timestamp_pb2.Timestamp
    weight: float
    event_id: str
    revision: int
    retract: bool
    weight_text: str
    at: _timestamp_pb2.Timestamp
    delta: float
    delta_text: str
    seq: int
    def __init__(self, token_id: _Optional[str] = ..., holder_id: _Optional[str] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., weight: _Optional[float] = ..., event_id: _Optional[str] = ..., revision: _Optional[int] = ..., retract: bool = ..., weight_text: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delta: _Optional[float] = ..., delta_text: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class HoldBatch(_message.Message):
    __slots__ = ("token_id", "holder_id", "start_us", "end_us", "weight", "weight_text", "event_id", "revision", "retract", "at_us", "delta", "delta_text", "seq")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    HOLDER_ID_FIELD_NUMBER: _ClassVar[int]
    START_US_FIELD_NUMBER: _ClassVar[int]
    END_US_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_TEXT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RETRACT_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    DELTA_TEXT_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    token_id: _containers.RepeatedScalarFieldContainer[str]
    holder_id: _containers.RepeatedScalarFieldContainer[str]
    start_us: _containers.RepeatedScalarFieldContainer[int]
    end_us: _containers.RepeatedScalarFieldContainer[int]
    weight: _containers.RepeatedScalarFieldContainer[float]
    weight_text: _containers.RepeatedScalarFieldContainer[str]
    event_id: _containers.RepeatedScalarFieldContainer[str]
    revision: _containers.RepeatedScalarFieldContainer[int]
    retract: _containers.RepeatedScalarFieldContainer[bool]
    at_us: _containers.RepeatedScalarFieldContainer[int]
    delta: _containers.RepeatedScalarFieldContainer[float]
    delta_text: _containers.RepeatedScalarFieldContainer[str]
    seq: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, token_id: _Optional[_Iterable[str]] = ..., holder_id: _Optional[_Iterable[str]] = ..., start_us: _Optional[_Iterable[int]] = ..., end_us: _Optional[_Iterable[int]] = ..., weight: _Optional[_Iterable[float]] = ..., weight_text: _Optional[_Iterable[str]] = ..., event_id: _Optional[_Iterable[str]] = ..., revision: _Optional[_Iterable[int]] = ..., retract: _Optional[_Iterable[bool]] = ..., at_us: _Optional[_Iterable[int]] = ..., delta: _Optional[_Iterable[float]] = ..., delta_text: _Optional[_Iterable[str]] = ..., seq: _Optional[_Iterable[int]] = ...) -> None: ...

class TransferMsg(_message.Message):
    __slots__ = ("token_id", "from_id", "to_id", "at", "amount", "amount_text", "event_id", "revision", "retract", "seq")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_ID_FIELD_NUMBER: _ClassVar[int]
    TO_ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_TEXT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RETRACT_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    from_id: str
    to_id: str
    at: _timestamp_pb2.Timestamp
    amount: float
    amount_text: str
    event_id: str
    revision: int
    retract: bool
    seq: int
    def __init__(self, token_id: _Optional[str] = ..., from_id: _Optional[str] = ..., to_id: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., amount: _Optional[float] = ..., amount_text: _Optional[str] = ..., event_id: _Optional[str] = ..., revision: _Optional[int] = ..., retract: bool = ..., seq: _Optional[int] = ...) -> None: ...

class TransferBatch(_message.Message):
    __slots__ = ("token_id", "from_id", "to_id", "at_us", "amount", "amount_text", "event_id", "revision", "retract", "seq")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_ID_FIELD_NUMBER: _ClassVar[int]
    TO_ID_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_TEXT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RETRACT_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    token_id: _containers.RepeatedScalarFieldContainer[str]
    from_id: _containers.RepeatedScalarFieldContainer[str]
    to_id: _containers.RepeatedScalarFieldContainer[str]
    at_us: _containers.RepeatedScalarFieldContainer[int]
    amount: _containers.RepeatedScalarFieldContainer[float]
    amount_text: _containers.RepeatedScalarFieldContainer[str]
    event_id: _containers.RepeatedScalarFieldContainer[str]
    revision: _containers.RepeatedScalarFieldContainer[int]
    retract: _containers.RepeatedScalarFieldContainer[bool]
    seq: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, token_id: _Optional[_Iterable[str]] = ..., from_id: _Optional[_Iterable[str]] = ..., to_id: _Optional[_Iterable[str]] = ..., at_us: _Optional[_Iterable[int]] = ..., amount: _Optional[_Iterable[float]] = ..., amount_text: _Optional[_Iterable[str]] = ..., event_id: _Optional[_Iterable[str]] = ..., revision: _Optional[_Iterable[int]] = ..., retract: _Optional[_Iterable[bool]] = ..., seq: _Optional[_Iterable[int]] = ...) -> None: ...

class HoldAck(_message.Message):
    __slots__ = ("sequence", "durability", "index", "accepted", "refused", "refused_total", "warnings")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    durability: Durability
    index: int
    accepted: int
    refused: _containers.RepeatedCompositeFieldContainer[Refusal]
    refused_total: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, sequence: _Optional[int] = ..., durability: _Optional[_Union[Durability, str]] = ..., index: _Optional[int] = ..., accepted: _Optional[int] = ..., refused: _Optional[_Iterable[_Union[Refusal, _Mapping]]] = ..., refused_total: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("index", "row", "field", "reason")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    index: int
    row: int
    field: str
    reason: str
    def __init__(self, index: _Optional[int] = ..., row: _Optional[int] = ..., field: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class HoldStat(_message.Message):
    __slots__ = ("holder_id", "total_seconds", "weighted_score", "updated_at")
    HOLDER_ID_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTED_SCORE_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    holder_id: str
    total_seconds: int
    weighted_score: float
    updated_at: _timestamp_pb2.Timestamp
    def __init__(self, holder_id: _Optional[str] = ..., total_seconds: _Optional[int] = ..., weighted_score: _Optional[float] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class HolderScore(_message.Message):
    __slots__ = ("rank", "holder_id", "held_us", "score", "weighted_score", "total_seconds")
    RANK_FIELD_NUMBER: _ClassVar[int]
    HOLDER_ID_FIELD_NUMBER: _ClassVar[int]
    HELD_US_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    WEIGHTED_SCORE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    rank: int
    holder_id: str
    held_us: str
    score: str
    weighted_score: float
    total_seconds: int
    def __init__(self, rank: _Optional[int] = ..., holder_id: _Optional[str] = ..., held_us: _Optional[str] = ..., score: _Optional[str] = ..., weighted_score: _Optional[float] = ..., total_seconds: _Optional[int] = ...) -> None: ...

class Window(_message.Message):
    __slots__ = ("as_of", "closed_only")
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    CLOSED_ONLY_FIELD_NUMBER: _ClassVar[int]
    as_of: _timestamp_pb2.Timestamp
    closed_only: bool
    def __init__(self, as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., closed_only: bool = ..., **kwargs) -> None: ...

class GetSnapshotRequest(_message.Message):
    __slots__ = ("window", "token_id", "holder_id", "page_size", "page_token", "policy")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    HOLDER_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    window: Window
    token_id: str
    holder_id: str
    page_size: int
    page_token: str
    policy: str
    def __init__(self, window: _Optional[_Union[Window, _Mapping]] = ..., token_id: _Optional[str] = ..., holder_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., policy: _Optional[str] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("window", "holders", "next_page_token", "holders_total", "sequence", "deficits", "policy")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    DEFICITS_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    window: Window
    holders: _containers.RepeatedCompositeFieldContainer[HolderScore]
    next_page_token: str
    holders_total: int
    sequence: int
    deficits: int
    policy: Policy
    def __init__(self, window: _Optional[_Union[Window, _Mapping]] = ..., holders: _Optional[_Iterable[_Union[HolderScore, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., holders_total: _Optional[int] = ..., sequence: _Optional[int] = ..., deficits: _Optional[int] = ..., policy: _Optional[_Union[Policy, _Mapping]] = ...) -> None: ...

class GetLeaderboardRequest(_message.Message):
    __slots__ = ("window", "token_id", "n", "policy")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    window: Window
    token_id: str
    n: int
    policy: str
    def __init__(self, window: _Optional[_Union[Window, _Mapping]] = ..., token_id: _Optional[str] = ..., n: _Optional[int] = ..., policy: _Optional[str] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("name", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class Leaderboard(_message.Message):
    __slots__ = ("window", "holders", "sequence", "holders_total", "deficits", "policy")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    DEFICITS_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    window: Window
    holders: _containers.RepeatedCompositeFieldContainer[HolderScore]
    sequence: int
    holders_total: int
    deficits: int
    policy: Policy
    def __init__(self, window: _Optional[_Union[Window, _Mapping]] = ..., holders: _Optional[_Iterable[_Union[HolderScore, _Mapping]]] = ..., sequence: _Optional[int] = ..., holders_total: _Optional[int] = ..., deficits: _Optional[int] = ..., policy: _Optional[_Union[Policy, _Mapping]] = ...) -> None: ...

class GetHolderRequest(_message.Message):
    __slots__ = ("holder_id", "window", "token_id")
    HOLDER_ID_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    holder_id: str
    window: Window
    token_id: str
    def __init__(self, holder_id: _Optional[str] = ..., window: _Optional[_Union[Window, _Mapping]] = ..., token_id: _Optional[str] = ...) -> None: ...

class HolderReport(_message.Message):
    __slots__ = ("window", "holder", "keys", "sequence", "segments_left_out", "keys_left_out", "deficits", "changes_left_out")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    KEYS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    DEFICITS_FIELD_NUMBER: _ClassVar[int]
    CHANGES_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    window: Window
    holder: HolderScore
    keys: _containers.RepeatedCompositeFieldContainer[KeySegments]
    sequence: int
    segments_left_out: int
    keys_left_out: int
    deficits: int
    changes_left_out: int
    def __init__(self, window: _Optional[_Union[Window, _Mapping]] = ..., holder: _Optional[_Union[HolderScore, _Mapping]] = ..., keys: _Optional[_Iterable[_Union[KeySegments, _Mapping]]] = ..., sequence: _Optional[int] = ..., segments_left_out: _Optional[int] = ..., keys_left_out: _Optional[int] = ..., deficits: _Optional[int] = ..., changes_left_out: _Optional[int] = ...) -> None: ...

class KeySegments(_message.Message):
    __slots__ = ("token_id", "segments", "changes", "deficit")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    DEFICIT_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    segments: _containers.RepeatedCompositeFieldContainer[Segment]
    changes: _containers.RepeatedCompositeFieldContainer[BalanceChange]
    deficit: Deficit
    def __init__(self, token_id: _Optional[str] = ..., segments: _Optional[_Iterable[_Union[Segment, _Mapping]]] = ..., changes: _Optional[_Iterable[_Union[BalanceChange, _Mapping]]] = ..., deficit: _Optional[_Union[Deficit, _Mapping]] = ...) -> None: ...

class BalanceChange(_message.Message):
    __slots__ = ("at", "event_id", "delta", "balance")
    AT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    event_id: str
    delta: str
    balance: str
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., event_id: _Optional[str] = ..., delta: _Optional[str] = ..., balance: _Optional[str] = ...) -> None: ...

class Deficit(_message.Message):
    __slots__ = ("token_id", "holder_id", "at", "balance", "event_ids", "event_ids_left_out")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    HOLDER_ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    EVENT_IDS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    holder_id: str
    at: _timestamp_pb2.Timestamp
    balance: str
    event_ids: _containers.RepeatedScalarFieldContainer[str]
    event_ids_left_out: int
    def __init__(self, token_id: _Optional[str] = ..., holder_id: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., balance: _Optional[str] = ..., event_ids: _Optional[_Iterable[str]] = ..., event_ids_left_out: _Optional[int] = ...) -> None: ...

class Segment(_message.Message):
    __slots__ = ("start", "end", "weight")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    start: _timestamp_pb2.Timestamp
    end: _timestamp_pb2.Timestamp
    weight: str
    def __init__(self, start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., weight: _Optional[str] = ...) -> None: ...

class GetDeficitsRequest(_message.Message):
    __slots__ = ("as_of", "token_id", "page_size", "page_token")
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    as_of: _timestamp_pb2.Timestamp
    token_id: str
    page_size: int
    page_token: str
    def __init__(self, as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., token_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class Deficits(_message.Message):
    __slots__ = ("as_of", "deficits", "next_page_token", "deficits_total", "sequence")
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    DEFICITS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DEFICITS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    as_of: _timestamp_pb2.Timestamp
    deficits: _containers.RepeatedCompositeFieldContainer[Deficit]
    next_page_token: str
    deficits_total: int
    sequence: int
    def __init__(self, as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deficits: _Optional[_Iterable[_Union[Deficit, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., deficits_total: _Optional[int] = ..., sequence: _Optional[int] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("token_id", "n", "interval", "closed_only")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    CLOSED_ONLY_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    n: int
    interval: _duration_pb2.Duration
    closed_only: bool
    def __init__(self, token_id: _Optional[str] = ..., n: _Optional[int] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., closed_only: bool = ...) -> None: ...

class LeaderboardChange(_message.Message):
    __slots__ = ("as_of", "changed", "left", "sequence", "deficits")
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    DEFICITS_FIELD_NUMBER: _ClassVar[int]
    as_of: _timestamp_pb2.Timestamp
    changed: _containers.RepeatedCompositeFieldContainer[HolderScore]
    left: _containers.RepeatedScalarFieldContainer[str]
    sequence: int
    deficits: int
    def __init__(self, as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., changed: _Optional[_Iterable[_Union[HolderScore, _Mapping]]] = ..., left: _Optional[_Iterable[str]] = ..., sequence: _Optional[int] = ..., deficits: _Optional[int] = ...) -> None: ...

class FeedRequest(_message.Message):
    __slots__ = ("start", "acknowledge")
    START_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    start: FeedStart
    acknowledge: int
    def __init__(self, start: _Optional[_Union[FeedStart, _Mapping]] = ..., acknowledge: _Optional[int] = ...) -> None: ...

class FeedStart(_message.Message):
    __slots__ = ("consumer", "from_sequence", "from_beginning", "token", "holder", "events_max")
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    FROM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FROM_BEGINNING_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    EVENTS_MAX_FIELD_NUMBER: _ClassVar[int]
    consumer: str
    from_sequence: int
    from_beginning: bool
    token: str
    holder: str
    events_max: int
    def __init__(self, consumer: _Optional[str] = ..., from_sequence: _Optional[int] = ..., from_beginning: bool = ..., token: _Optional[str] = ..., holder: _Optional[str] = ..., events_max: _Optional[int] = ...) -> None: ...

class FeedBatch(_message.Message):
    __slots__ = ("events", "first_sequence", "last_sequence", "is_from_facts", "starts_from_facts", "acknowledged", "newest_sequence")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    IS_FROM_FACTS_FIELD_NUMBER: _ClassVar[int]
    STARTS_FROM_FACTS_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    NEWEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[FeedEvent]
    first_sequence: int
    last_sequence: int
    is_from_facts: bool
    starts_from_facts: bool
    acknowledged: int
    newest_sequence: int
    def __init__(self, events: _Optional[_Iterable[_Union[FeedEvent, _Mapping]]] = ..., first_sequence: _Optional[int] = ..., last_sequence: _Optional[int] = ..., is_from_facts: bool = ..., starts_from_facts: bool = ..., acknowledged: _Optional[int] = ..., newest_sequence: _Optional[int] = ...) -> None: ...

class FeedEvent(_message.Message):
    __slots__ = ("sequence", "event")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    event: HoldMsg
    def __init__(self, sequence: _Optional[int] = ..., event: _Optional[_Union[HoldMsg, _Mapping]] = ...) -> None: ...

class SealRoundRequest(_message.Message):
    __slots__ = ("id", "pool", "decimals", "token_id", "as_of", "closed_only", "policy", "curve", "cap", "min_amount", "min_score", "merge_duplicates", "exclude", "holders", "format", "token")
    class HoldersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    DECIMALS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    CLOSED_ONLY_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    CURVE_FIELD_NUMBER: _ClassVar[int]
    CAP_FIELD_NUMBER: _ClassVar[int]
    MIN_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    MERGE_DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    id: str
    pool: str
    decimals: int
    token_id: str
    as_of: _timestamp_pb2.Timestamp
    closed_only: bool
    policy: str
    curve: str
    cap: str
    min_amount: str
    min_score: str
    merge_duplicates: bool
    exclude: _containers.RepeatedScalarFieldContainer[str]
    holders: _containers.ScalarMap[str, str]
    format: str
    token: str
    def __init__(self, id: _Optional[str] = ..., pool: _Optional[str] = ..., decimals: _Optional[int] = ..., token_id: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., closed_only: bool = ..., policy: _Optional[str] = ..., curve: _Optional[str] = ..., cap: _Optional[str] = ..., min_amount: _Optional[str] = ..., min_score: _Optional[str] = ..., merge_duplicates: bool = ..., exclude: _Optional[_Iterable[str]] = ..., holders: _Optional[_Mapping[str, str]] = ..., format: _Optional[str] = ..., token: _Optional[str] = ..., **kwargs) -> None: ...

class ListRoundsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class GetRoundRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetRoundProofRequest(_message.Message):
    __slots__ = ("id", "holder")
    ID_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    id: str
    holder: str
    def __init__(self, id: _Optional[str] = ..., holder: _Optional[str] = ...) -> None: ...

class Round(_message.Message):
    __slots__ = ("id", "sealed_at", "as_of", "sequence", "journal_head", "format", "root", "sum", "recipients", "list_sha256", "manifest")
    ID_FIELD_NUMBER: _ClassVar[int]
    SEALED_AT_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_HEAD_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    SUM_FIELD_NUMBER: _ClassVar[int]
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    LIST_SHA256_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    id: str
    sealed_at: _timestamp_pb2.Timestamp
    as_of: _timestamp_pb2.Timestamp
    sequence: int
    journal_head: str
    format: str
    root: str
    sum: str
    recipients: int
    list_sha256: str
    manifest: str
    def __init__(self, id: _Optional[str] = ..., sealed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sequence: _Optional[int] = ..., journal_head: _Optional[str] = ..., format: _Optional[str] = ..., root: _Optional[str] = ..., sum: _Optional[str] = ..., recipients: _Optional[int] = ..., list_sha256: _Optional[str] = ..., manifest: _Optional[str] = ...) -> None: ...

class Rounds(_message.Message):
    __slots__ = ("rounds", "next_page_token", "rounds_total")
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ROUNDS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    rounds: _containers.RepeatedCompositeFieldContainer[Round]
    next_page_token: str
    rounds_total: int
    def __init__(self, rounds: _Optional[_Iterable[_Union[Round, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., rounds_total: _Optional[int] = ...) -> None: ...

class RoundProof(_message.Message):
    __slots__ = ("id", "format", "value", "amount", "leaf", "proof", "root")
    ID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    LEAF_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    id: str
    format: str
    value: _containers.RepeatedScalarFieldContainer[str]
    amount: str
    leaf: str
    proof: _containers.RepeatedScalarFieldContainer[str]
    root: str
    def __init__(self, id: _Optional[str] = ..., format: _Optional[str] = ..., value: _Optional[_Iterable[str]] = ..., amount: _Optional[str] = ..., leaf: _Optional[str] = ..., proof: _Optional[_Iterable[str]] = ..., root: _Optional[str] = ...) -> None: ...
