from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EntryAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXCLUDE: _ClassVar[EntryAction]
    ONLY_DIGEST: _ClassVar[EntryAction]
    RAW_VALUE: _ClassVar[EntryAction]
EXCLUDE: EntryAction
ONLY_DIGEST: EntryAction
RAW_VALUE: EntryAction

class OpenSessionRequest(_message.Message):
    __slots__ = ("username", "password", "database_name")
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    DATABASE_NAME_FIELD_NUMBER: _ClassVar[int]
    username: bytes
    password: bytes
    database_name: str
    def __init__(self, username: _Optional[bytes] = ..., password: _Optional[bytes] = ..., database_name: _Optional[str] = ...) -> None: ...

class OpenSessionResponse(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class HealthResponse(_message.Message):
    __slots__ = ("status", "version")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    status: bool
    version: str
    def __init__(self, status: bool = ..., version: _Optional[str] = ...) -> None: ...

class CreateDatabaseRequest(_message.Message):
    __slots__ = ("name", "if_not_exists")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IF_NOT_EXISTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    if_not_exists: bool
    def __init__(self, name: _Optional[str] = ..., if_not_exists: bool = ...) -> None: ...

class Expiration(_message.Message):
    __slots__ = ("expires_at",)
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    expires_at: int
    def __init__(self, expires_at: _Optional[int] = ...) -> None: ...

class EntryMetadata(_message.Message):
    __slots__ = ("deleted", "expiration", "non_indexable")
    DELETED_FIELD_NUMBER: _ClassVar[int]
    EXPIRATION_FIELD_NUMBER: _ClassVar[int]
    NON_INDEXABLE_FIELD_NUMBER: _ClassVar[int]
    deleted: bool
    expiration: Expiration
    non_indexable: bool
    def __init__(self, deleted: bool = ..., expiration: _Optional[_Union[Expiration, _Mapping]] = ..., non_indexable: bool = ...) -> None: ...

class KeyValue(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value: bytes
    def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ...) -> None: ...

class KeyMustNotExist(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    def __init__(self, key: _Optional[bytes] = ...) -> None: ...

class Precondition(_message.Message):
    __slots__ = ("key_must_not_exist",)
    KEY_MUST_NOT_EXIST_FIELD_NUMBER: _ClassVar[int]
    key_must_not_exist: KeyMustNotExist
    def __init__(self, key_must_not_exist: _Optional[_Union[KeyMustNotExist, _Mapping]] = ...) -> None: ...

class SetRequest(_message.Message):
    __slots__ = ("entries", "preconditions")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    PRECONDITIONS_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[KeyValue]
    preconditions: _containers.RepeatedCompositeFieldContainer[Precondition]
    def __init__(self, entries: _Optional[_Iterable[_Union[KeyValue, _Mapping]]] = ..., preconditions: _Optional[_Iterable[_Union[Precondition, _Mapping]]] = ...) -> None: ...

class VerifiableSetRequest(_message.Message):
    __slots__ = ("set_request", "prove_since_tx")
    SET_REQUEST_FIELD_NUMBER: _ClassVar[int]
    PROVE_SINCE_TX_FIELD_NUMBER: _ClassVar[int]
    set_request: SetRequest
    prove_since_tx: int
    def __init__(self, set_request: _Optional[_Union[SetRequest, _Mapping]] = ..., prove_since_tx: _Optional[int] = ...) -> None: ...

class KeyListRequest(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, keys: _Optional[_Iterable[bytes]] = ...) -> None: ...

class DeleteKeysRequest(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, keys: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ScanRequest(_message.Message):
    __slots__ = ("seek_key", "prefix", "limit")
    SEEK_KEY_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    seek_key: bytes
    prefix: bytes
    limit: int
    def __init__(self, seek_key: _Optional[bytes] = ..., prefix: _Optional[bytes] = ..., limit: _Optional[int] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("tx", "key", "value")
    TX_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    tx: int
    key: bytes
    value: bytes
    def __init__(self, tx: _Optional[int] = ..., key: _Optional[bytes] = ..., value: _Optional[bytes] = ...) -> None: ...

class Entries(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    def __init__(self, entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ...) -> None: ...

class State(_message.Message):
    __slots__ = ("database", "tx", "hash")
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    TX_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    database: str
    tx: int
    hash: bytes
    def __init__(self, database: _Optional[str] = ..., tx: _Optional[int] = ..., hash: _Optional[bytes] = ...) -> None: ...

class TxMetadata(_message.Message):
    __slots__ = ("truncated_tx", "extra")
    TRUNCATED_TX_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    truncated_tx: int
    extra: bytes
    def __init__(self, truncated_tx: _Optional[int] = ..., extra: _Optional[bytes] = ...) -> None: ...

class TxHeader(_message.Message):
    __slots__ = ("id", "previous_hash", "ts", "entries", "entries_root", "tree_size", "tree_root", "version", "metadata")
    ID_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_HASH_FIELD_NUMBER: _ClassVar[int]
    TS_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_ROOT_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    TREE_ROOT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    id: int
    previous_hash: bytes
    ts: int
    entries: int
    entries_root: bytes
    tree_size: int
    tree_root: bytes
    version: int
    metadata: TxMetadata
    def __init__(self, id: _Optional[int] = ..., previous_hash: _Optional[bytes] = ..., ts: _Optional[int] = ..., entries: _Optional[int] = ..., entries_root: _Optional[bytes] = ..., tree_size: _Optional[int] = ..., tree_root: _Optional[bytes] = ..., version: _Optional[int] = ..., metadata: _Optional[_Union[TxMetadata, _Mapping]] = ...) -> None: ...

class TxEntry(_message.Message):
    __slots__ = ("key", "value_hash", "value_length", "metadata", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_HASH_FIELD_NUMBER: _ClassVar[int]
    VALUE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value_hash: bytes
    value_length: int
    metadata: EntryMetadata
    value: bytes
    def __init__(self, key: _Optional[bytes] = ..., value_hash: _Optional[bytes] = ..., value_length: _Optional[int] = ..., metadata: _Optional[_Union[EntryMetadata, _Mapping]] = ..., value: _Optional[bytes] = ...) -> None: ...

class Tx(_message.Message):
    __slots__ = ("header", "entries")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    header: TxHeader
    entries: _containers.RepeatedCompositeFieldContainer[TxEntry]
    def __init__(self, header: _Optional[_Union[TxHeader, _Mapping]] = ..., entries: _Optional[_Iterable[_Union[TxEntry, _Mapping]]] = ...) -> None: ...

class TxList(_message.Message):
    __slots__ = ("txs",)
    TXS_FIELD_NUMBER: _ClassVar[int]
    txs: _containers.RepeatedCompositeFieldContainer[Tx]
    def __init__(self, txs: _Optional[_Iterable[_Union[Tx, _Mapping]]] = ...) -> None: ...

class InclusionProof(_message.Message):
    __slots__ = ("leaf", "width", "terms")
    LEAF_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    leaf: int
    width: int
    terms: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, leaf: _Optional[int] = ..., width: _Optional[int] = ..., terms: _Optional[_Iterable[bytes]] = ...) -> None: ...

class LinearProof(_message.Message):
    __slots__ = ("source_tx", "target_tx", "terms")
    SOURCE_TX_FIELD_NUMBER: _ClassVar[int]
    TARGET_TX_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    source_tx: int
    target_tx: int
    terms: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, source_tx: _Optional[int] = ..., target_tx: _Optional[int] = ..., terms: _Optional[_Iterable[bytes]] = ...) -> None: ...

class LinearAdvanceProof(_message.Message):
    __slots__ = ("terms", "inclusion_proofs")
    TERMS_FIELD_NUMBER: _ClassVar[int]
    INCLUSION_PROOFS_FIELD_NUMBER: _ClassVar[int]
    terms: _containers.RepeatedScalarFieldContainer[bytes]
    inclusion_proofs: _containers.RepeatedCompositeFieldContainer[InclusionProof]
    def __init__(self, terms: _Optional[_Iterable[bytes]] = ..., inclusion_proofs: _Optional[_Iterable[_Union[InclusionProof, _Mapping]]] = ...) -> None: ...

class DualProof(_message.Message):
    __slots__ = ("source", "target", "inclusion", "consistency", "target_tree_last_hash", "last_inclusion", "linear", "linear_advance")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    INCLUSION_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    TARGET_TREE_LAST_HASH_FIELD_NUMBER: _ClassVar[int]
    LAST_INCLUSION_FIELD_NUMBER: _ClassVar[int]
    LINEAR_FIELD_NUMBER: _ClassVar[int]
    LINEAR_ADVANCE_FIELD_NUMBER: _ClassVar[int]
    source: TxHeader
    target: TxHeader
    inclusion: _containers.RepeatedScalarFieldContainer[bytes]
    consistency: _containers.RepeatedScalarFieldContainer[bytes]
    target_tree_last_hash: bytes
    last_inclusion: _containers.RepeatedScalarFieldContainer[bytes]
    linear: LinearProof
    linear_advance: LinearAdvanceProof
    def __init__(self, source: _Optional[_Union[TxHeader, _Mapping]] = ..., target: _Optional[_Union[TxHeader, _Mapping]] = ..., inclusion: _Optional[_Iterable[bytes]] = ..., consistency: _Optional[_Iterable[bytes]] = ..., target_tree_last_hash: _Optional[bytes] = ..., last_inclusion: _Optional[_Iterable[bytes]] = ..., linear: _Optional[_Union[LinearProof, _Mapping]] = ..., linear_advance: _Optional[_Union[LinearAdvanceProof, _Mapping]] = ...) -> None: ...

class VerifiableTx(_message.Message):
    __slots__ = ("tx", "dual_proof")
    TX_FIELD_NUMBER: _ClassVar[int]
    DUAL_PROOF_FIELD_NUMBER: _ClassVar[int]
    tx: Tx
    dual_proof: DualProof
    def __init__(self, tx: _Optional[_Union[Tx, _Mapping]] = ..., dual_proof: _Optional[_Union[DualProof, _Mapping]] = ...) -> None: ...

class EntryTypeSpec(_message.Message):
    __slots__ = ("action",)
    ACTION_FIELD_NUMBER: _ClassVar[int]
    action: EntryAction
    def __init__(self, action: _Optional[_Union[EntryAction, str]] = ...) -> None: ...

class EntriesSpec(_message.Message):
    __slots__ = ("key_values", "sorted_sets", "sql")
    KEY_VALUES_FIELD_NUMBER: _ClassVar[int]
    SORTED_SETS_FIELD_NUMBER: _ClassVar[int]
    SQL_FIELD_NUMBER: _ClassVar[int]
    key_values: EntryTypeSpec
    sorted_sets: EntryTypeSpec
    sql: EntryTypeSpec
    def __init__(self, key_values: _Optional[_Union[EntryTypeSpec, _Mapping]] = ..., sorted_sets: _Optional[_Union[EntryTypeSpec, _Mapping]] = ..., sql: _Optional[_Union[EntryTypeSpec, _Mapping]] = ...) -> None: ...

class VerifiableTxRequest(_message.Message):
    __slots__ = ("tx", "prove_since_tx")
    TX_FIELD_NUMBER: _ClassVar[int]
    PROVE_SINCE_TX_FIELD_NUMBER: _ClassVar[int]
    tx: int
    prove_since_tx: int
    def __init__(self, tx: _Optional[int] = ..., prove_since_tx: _Optional[int] = ...) -> None: ...

class TxRequest(_message.Message):
    __slots__ = ("tx",)
    TX_FIELD_NUMBER: _ClassVar[int]
    tx: int
    def __init__(self, tx: _Optional[int] = ...) -> None: ...

class TxScanRequest(_message.Message):
    __slots__ = ("initial_tx", "limit", "entries_spec")
    INITIAL_TX_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_SPEC_FIELD_NUMBER: _ClassVar[int]
    initial_tx: int
    limit: int
    entries_spec: EntriesSpec
    def __init__(self, initial_tx: _Optional[int] = ..., limit: _Optional[int] = ..., entries_spec: _Optional[_Union[EntriesSpec, _Mapping]] = ...) -> None: ...
