"""Decides who may call what: the file of API keys, and the scope that a call needs, for both protocols.

The file is that of the binary (`main_holdmetrics keys new` makes entries): it holds the SHA-256 of each key,
never a key. It is read once, when the service starts. Without one every caller may do everything.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from poh_holdmetrics.errors import HoldMetricsError, InputError

Scope = Literal["read", "write", "metrics"]
#: What a call needs: a scope, a key of any scope, or nothing.
Need = Scope | Literal["any key", "nothing"]

#: The scope of operators, which also allows reading the metrics; these servers have no other call for it, and
#: no call for `rounds`, which a file for the binary may name.
_ADMIN = "admin"
_SCOPES = frozenset({"read", "write", "metrics", "rounds", _ADMIN})
_FIELDS = frozenset({"name", "scopes", "sha256"})
_DIGEST_BYTES = 32


class Denied(HoldMetricsError):  # noqa: N818 - an answer, not a failure
    """A call is refused. `reason` is its word for programs, `scope` the one that a known key lacks."""

    def __init__(self, problem: str, reason: str, scope: str | None = None) -> None:
        """`problem` says what is wrong with the header."""
        super().__init__(f"authorization: {problem}")
        self.reason = reason
        self.scope = scope


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    scopes: frozenset[str]
    digest: bytes


class Access:
    """Admits and refuses calls."""

    def __init__(self, file: str | Path | None = None) -> None:
        """`file` is that of the keys; raises `InputError` that names it if it is invalid."""
        self._keys = None if file is None else _keys_from_file(Path(file))

    def check(self, need: Need, authorization: str | None) -> None:
        """Raise `Denied` unless the header lets the caller do what needs `need`."""
        if self._keys is None or need == "nothing":
            return
        word, _, presented = (authorization or "").partition(" ")
        if word.lower() != "bearer" or not presented.strip():
            raise Denied("no API key; send the header `authorization: Bearer KEY`", "NO_API_KEY")
        key = self._find(presented.strip(), self._keys)
        if key is None:
            raise Denied("unknown API key", "UNKNOWN_API_KEY")
        if need != "any key" and need not in key.scopes and not (need == "metrics" and _ADMIN in key.scopes):
            name = json.dumps(key.name, ensure_ascii=False)
            raise Denied(f"the API key {name} lacks the scope {need}", "MISSING_SCOPE", need)

    @staticmethod
    def _find(presented: str, keys: list[_Key]) -> _Key | None:
        """Compares with all keys, so that the time does not depend on the match."""
        digest = hashlib.sha256(presented.encode()).digest()
        matches = [key for key in keys if hmac.compare_digest(key.digest, digest)]
        return matches[0] if matches else None


def _keys_from_file(file: Path) -> list[_Key]:
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(str(file), f"the API keys cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(str(file), " ".join(str(error).split())) from error
    entries = document.get("key", [])
    if set(document) - {"key"} or not isinstance(entries, list):
        raise InputError(str(file), "expected entries under [[key]] and nothing else")
    keys: list[_Key] = []
    for entry in entries:
        key = _key(file, entry)
        if any(key.name == other.name or key.digest == other.digest for other in keys):
            raise InputError(str(file), f"key {key.name[:40]!r}: its name or its sha256 is used twice")
        keys.append(key)
    if not keys:
        raise InputError(str(file), "contains no [[key]]; make one with main_holdmetrics keys new")
    return keys


def _key(file: Path, entry: object) -> _Key:
    if not isinstance(entry, Mapping) or set(entry) != _FIELDS:
        raise InputError(str(file), "each [[key]] has name, scopes and sha256, and nothing else")
    name, scopes, digits = entry["name"], entry["scopes"], entry["sha256"]

    def refused(problem: str) -> InputError:
        return InputError(str(file), f"key {str(name)[:40]!r}: {problem}")

    if not isinstance(name, str) or not name:
        raise refused("name is empty or not text")
    if not isinstance(scopes, list) or not scopes or not all(scope in _SCOPES for scope in scopes):
        raise refused("scopes are not some of read, write, metrics, rounds and admin")
    try:
        digest = bytes.fromhex(digits) if isinstance(digits, str) else b""
    except ValueError:
        digest = b""
    if len(digest) != _DIGEST_BYTES:
        raise refused("sha256 is not 64 hexadecimal digits")
    return _Key(name, frozenset(scopes), digest)
