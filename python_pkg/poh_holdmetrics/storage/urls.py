"""A storage from its address: `memory://`, `sqlite:///events.db`, `mongodb://...`, `immudb://...`.

The default is `MONGODB_URL` of the environment, then of `.env`. Imports a backend when its address is given,
so that nobody needs the packages of the others.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from dotenv import dotenv_values

from poh_holdmetrics.errors import InputError, excerpt

if TYPE_CHECKING:
    from poh_holdmetrics.storage.port import Storage

VARIABLE = "MONGODB_URL"
_FORMS = "memory://, sqlite:///PATH, mongodb://HOST, immudb://HOST"


def storage_from_url(url: str | None = None, *, fallback: bool = True) -> Storage:
    """The storage at an address; without one, at `MONGODB_URL`.

    `sqlite:///events.db` is a file in the working folder, `sqlite:////var/lib/events.db` one by its full
    path. Raises `InputError` if the address is invalid.
    With `fallback` False a storage raises if its server cannot be reached, and keeps nothing in memory.
    """
    found = default_url() if url is None else url
    scheme, separator, rest = found.partition("://")
    if not separator:
        raise InputError("url", f"expected one of {_FORMS}; found {_shown(found)}")
    match scheme:
        case "memory":
            if rest:
                raise InputError("url", f"expected memory:// alone; found {_shown(found)}")
            from poh_holdmetrics.storage.memory import MemoryStorage  # noqa: PLC0415 - see the module

            return MemoryStorage()
        case "sqlite":
            path = unquote(rest.removeprefix("/"))
            if not rest.startswith("/") or not path:
                raise InputError("url", f"expected sqlite:///PATH; found {_shown(found)}")
            from poh_holdmetrics.storage.sqlite import SqliteStorage  # noqa: PLC0415

            return SqliteStorage(path)
        case "mongodb" | "mongodb+srv":
            try:
                from poh_holdmetrics.storage.mongodb import MongoStorage  # noqa: PLC0415
            except ModuleNotFoundError as missing:
                raise InputError(
                    "url", f"{scheme} needs pymongo; pip install 'poh-holdmetrics[mongodb]'"
                ) from missing

            address, options = _own_options(found)
            return MongoStorage(address, fallback=fallback, **options)
        case "immudb":
            try:
                from poh_holdmetrics.storage.immudb import ImmudbStorage  # noqa: PLC0415
            except ModuleNotFoundError as missing:
                raise InputError(
                    "url", "immudb needs grpcio and protobuf; pip install 'poh-holdmetrics[immudb]'"
                ) from missing

            return ImmudbStorage(found)
        case _:
            raise InputError("url", f"unknown storage; expected one of {_FORMS}; found {_shown(found)}")


def _own_options(url: str) -> tuple[str, dict[str, Any]]:
    """An address of MongoDB without the options of its fallback in memory, which its driver does not know."""
    address, mark, query = url.partition("?")
    options: dict[str, Any] = {}
    others = []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name == "kept_max":
            if not (value.isascii() and value.isdigit()):
                raise InputError("url", f"kept_max: expected a whole number; found {excerpt(value)}")
            options[name] = int(value)
        elif name == "when_full":
            options[name] = value
        else:
            others.append(pair)
    if not options:
        return url, {}
    return address + (mark + "&".join(others) if others else ""), options


def default_url() -> str:
    """`MONGODB_URL` of the environment, then of `.env` in the working folder; raises `InputError` without."""
    url = configured_url()
    if url is None:
        raise InputError("url", f"missing; give one of {_FORMS}, or set {VARIABLE}")
    return url


def configured_url() -> str | None:
    """As `default_url`, and None if neither names a storage."""
    in_file = dotenv_values(".env").get(VARIABLE) if Path(".env").is_file() else None
    return os.environ.get(VARIABLE) or in_file or None


def _shown(url: str) -> str:
    """The address without the password that it may have."""
    scheme, separator, rest = url.partition("://")
    return excerpt(f"{scheme}{separator}{rest.rpartition('@')[2]}")
