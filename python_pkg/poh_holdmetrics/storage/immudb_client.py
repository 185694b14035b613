"""Calls to an immudb server over gRPC: a session that is opened again, and errors in our words.

Used by one thread at a time. Verifies nothing; see `immudb_ledger`. Needs the extra `immudb`.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import grpc
from google.protobuf import empty_pb2

from poh_holdmetrics.errors import InputError, StorageError, StorageUnavailable
from poh_holdmetrics.protocols import immudb_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

_Answer = TypeVar("_Answer", bound="Message")

_SERVICE = "/immudb.schema.ImmuService/"
_PORT = 3322
#: What the keys of events begin with.
COLLECTION = "hold_events"
_TLS_FILES = ("ca", "cert", "key")
_OPTIONS = ("state", "collection", "tls", *_TLS_FILES)
#: A page of entries or transactions may be as large as the server makes it.
_CHANNEL = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A new channel connects at once; shared connections would wait after a failure.
    ("grpc.use_local_subchannel_pool", 1),
)
_AWAY = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
#: What a server says of a session that it ended or, after a restart, never knew.
_NO_SESSION = ("no session found", "session not found", "no sessionid", "not logged in")
_NOT_FOUND = "database does not exist"


class Address(NamedTuple):
    """The parts of `immudb://user:password@host:port/database?state=FILE&collection=NAME`.

    `tls=1` encrypts the connection; `ca=FILE`, `cert=FILE` and `key=FILE` do so too.
    """

    target: str
    user: str
    password: str
    database: str
    options: dict[str, str]

    @classmethod
    def of(cls, url: str) -> Address:
        """Raises `InputError`; the parts that may be left out get immudb's defaults."""
        try:
            parts = urlsplit(url)
            port = parts.port or _PORT
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError as error:
            raise InputError("url", f"not an address of immudb: {error}") from error
        if parts.scheme != "immudb" or not parts.hostname:
            raise InputError("url", "expected immudb://user:password@host:port/database")
        options = dict(pairs)
        for name, value in pairs:
            if name not in _OPTIONS or not value:
                raise InputError("url", f"unknown or empty option {name!r}; known are {', '.join(_OPTIONS)}")
        if options.get("tls", "1") != "1":
            raise InputError(
                "url", "tls: expected tls=1; leave it out for a connection that is not encrypted"
            )
        if ("cert" in options) != ("key" in options):
            raise InputError("url", "cert, key: one is missing; give both, or none")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(
            f"{host}:{port}",
            unquote(parts.username or "immudb"),
            unquote(parts.password or "immudb"),
            unquote(parts.path.removeprefix("/")) or "defaultdb",
            options,
        )

    def credentials(self) -> grpc.ChannelCredentials | None:
        """What TLS needs, None without it; raises `InputError` for a file that cannot be read."""
        if not self.options.keys() & {"tls", *_TLS_FILES}:
            return None
        authorities, certificate, key = (self._file(name) for name in _TLS_FILES)
        return grpc.ssl_channel_credentials(authorities, key, certificate)

    def _file(self, name: str) -> bytes | None:
        file = self.options.get(name)
        if file is None:
            return None
        try:
            return Path(file).read_bytes()
        except OSError as error:
            raise InputError("url", f"{name}: {file} cannot be read ({error.strerror or error})") from error


class SessionLost(StorageUnavailable):
    """The server does not know the session any more; the call was not done, and can be repeated."""


class ImmudbClient:
    """A connection to one database; `open_session` comes before every other call."""

    def __init__(self, address: Address, timeout_seconds: float) -> None:
        """Connects on the first call. `timeout_seconds` limits each call."""
        self.name = f"immudb {address.target}/{address.database}"
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._credentials = address.credentials()
        self._channel: grpc.Channel | None = None
        self._session: tuple[tuple[str, str], ...] = ()

    @property
    def has_session(self) -> bool:
        """Whether a session is open, as far as is known: false after the server was away or forgot it."""
        return bool(self._session)

    def open_session(self, *, creates: bool = True) -> None:
        """Log in, and create the database if it is missing and `creates`."""
        request = pb.OpenSessionRequest(
            username=self._address.user.encode(),
            password=self._address.password.encode(),
            database_name=self._address.database,
        )
        try:
            answer = self._call("OpenSession", request, pb.OpenSessionResponse)
        except StorageUnavailable:
            raise
        except StorageError as error:
            if not creates or _NOT_FOUND not in str(error):
                raise
            self._create_database()
            answer = self._call("OpenSession", request, pb.OpenSessionResponse)
        self._session = (("sessionid", answer.session_id),)

    def drop_session(self) -> None:
        """Let the next call log in again; the server ends the present session when it is idle."""
        self._session = ()

    def close(self) -> None:
        """End the session and the connection."""
        try:
            if self._session:
                with suppress(StorageUnavailable):
                    self._call("CloseSession", empty_pb2.Empty(), empty_pb2.Empty)
        finally:
            self.drop_session()
            self._disconnect()

    def version(self) -> str:
        """That of the server; logs in, and creates no database."""
        version = self._call("Health", empty_pb2.Empty(), pb.HealthResponse).version
        try:
            self.open_session(creates=False)
        except StorageUnavailable:
            raise
        except StorageError as error:
            if _NOT_FOUND not in str(error):
                raise
        return version

    def state(self) -> pb.State:
        """The current state, as the server says."""
        return self._call("CurrentState", empty_pb2.Empty(), pb.State)

    def verifiable_set(self, entries: Sequence[tuple[bytes, bytes]], since: int) -> pb.VerifiableTx | None:
        """Write entries in one transaction, all of them new; None if the server has one already."""
        writing = pb.SetRequest(
            entries=[pb.KeyValue(key=key, value=value) for key, value in entries],
            preconditions=[
                pb.Precondition(key_must_not_exist=pb.KeyMustNotExist(key=key)) for key, _ in entries
            ],
        )
        try:
            return self._call(
                "VerifiableSet",
                pb.VerifiableSetRequest(set_request=writing, prove_since_tx=since),
                pb.VerifiableTx,
            )
        except StorageUnavailable:
            raise
        except StorageError as error:
            if "precondition failed" in str(error):
                return None
            raise

    def existing(self, keys: Sequence[bytes]) -> list[pb.Entry]:
        """The entries of those keys that have one."""
        return list(self._call("GetAll", pb.KeyListRequest(keys=keys), pb.Entries).entries)

    def delete(self, keys: Sequence[bytes]) -> None:
        """Delete keys logically, in one transaction."""
        self._call("Delete", pb.DeleteKeysRequest(keys=keys), pb.TxHeader)

    def page(self, prefix: bytes, after: bytes, limit: int) -> list[pb.Entry]:
        """Entries in the order of their keys."""
        request = pb.ScanRequest(seek_key=after, prefix=prefix, limit=limit)
        return list(self._call("Scan", request, pb.Entries).entries)

    def verifiable_tx(self, tx: int, since: int) -> pb.VerifiableTx:
        """A transaction with the proof between it and the earlier one `since`."""
        request = pb.VerifiableTxRequest(tx=tx, prove_since_tx=since)
        return self._call("VerifiableTxById", request, pb.VerifiableTx)

    def transactions(self, first: int, limit: int) -> list[pb.Tx]:
        """Transactions in their order, with the values of their key-value entries."""
        digest = pb.EntryTypeSpec(action=pb.ONLY_DIGEST)
        spec = pb.EntriesSpec(
            key_values=pb.EntryTypeSpec(action=pb.RAW_VALUE), sorted_sets=digest, sql=digest
        )
        request = pb.TxScanRequest(initial_tx=first, limit=limit, entries_spec=spec)
        return list(self._call("TxScan", request, pb.TxList).txs)

    def digests(self, tx: int) -> pb.Tx:
        """A transaction with all its entries, without values."""
        return self._call("TxById", pb.TxRequest(tx=tx), pb.Tx)

    def _disconnect(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _create_database(self) -> None:
        opened = pb.OpenSessionRequest(
            username=self._address.user.encode(),
            password=self._address.password.encode(),
            database_name="defaultdb",
        )
        answer = self._call("OpenSession", opened, pb.OpenSessionResponse)
        self._session = (("sessionid", answer.session_id),)
        request = pb.CreateDatabaseRequest(name=self._address.database, if_not_exists=True)
        self._call("CreateDatabaseV2", request, empty_pb2.Empty)
        self._call("CloseSession", empty_pb2.Empty(), empty_pb2.Empty)
        self.drop_session()

    def _connected(self) -> grpc.Channel:
        if self._credentials is None:
            return grpc.insecure_channel(self._address.target, _CHANNEL)
        return grpc.secure_channel(self._address.target, self._credentials, _CHANNEL)

    def _call(self, method: str, request: Message, answer: type[_Answer]) -> _Answer:
        if self._channel is None:
            self._channel = self._connected()
        call: Any = self._channel.unary_unary(
            _SERVICE + method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        try:
            found: _Answer = call(request, timeout=self._timeout_seconds, metadata=self._session)
        except grpc.RpcError as error:
            raise self._translated(error) from error
        return found

    def _translated(self, error: grpc.RpcError) -> StorageError:
        code, details = error.code(), error.details() or ""
        if any(words in details.lower() for words in _NO_SESSION):
            self.drop_session()
            return SessionLost(self.name, details)
        if code in _AWAY:
            # What answers next may be another server: its state is verified in a new session.
            self.drop_session()
            self._disconnect()
            return StorageUnavailable(self.name, details or code.name)
        return StorageError(self.name, details or code.name)
