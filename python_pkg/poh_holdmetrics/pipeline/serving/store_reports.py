"""What `doctor` says of the storages of a service: the version of each, or what is wrong and the cure.

Creates and changes nothing. Delivers nothing; see `stores`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from poh_holdmetrics.errors import InputError, StorageError, StorageUnavailable
from poh_holdmetrics.pipeline.serving.stores import opened, specs_from_addresses

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.serving.stores import StoreSpec

#: The address without its secrets, the version, and what is wrong.
Report = tuple[str, str | None, str | None]

#: A storage has time limits of its own; this one is for a name server that answers nothing.
_SECONDS = 30
_CURES = {
    "sqlite": "give a file that this user can write to",
    "mongodb": "start mongod, or correct the host and port of the address",
    "immudb": "start immudb, or correct the host and port of the address",
}


def reports(addresses: Sequence[str]) -> list[Report]:
    """A report for each address, in their order."""
    return asyncio.run(_reports(addresses))


async def _reports(addresses: Sequence[str]) -> list[Report]:
    return list(await asyncio.gather(*map(_report_of, addresses)))


async def _report_of(address: str) -> Report:
    try:
        (spec,) = specs_from_addresses([address])
    except InputError as error:
        return "", None, str(error)
    try:
        return spec.label, await _version(spec), None
    except InputError as error:
        return spec.label, None, str(error)
    except (StorageUnavailable, TimeoutError) as away:
        reason = str(away) or f"no answer within {_SECONDS} s"
        return spec.label, None, f"{spec.label}: {reason}; {_CURES[spec.kind]}"
    except StorageError as refused:
        return spec.label, None, f"{spec.label}: {refused}"


async def _version(spec: StoreSpec) -> str:
    storage = opened(spec)
    try:
        async with asyncio.timeout(_SECONDS):
            return await storage.version()
    finally:
        await storage.close()
