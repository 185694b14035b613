"""How an event is written in immudb: its key is made of its content, its value is JSON without floats.

The key is `COLLECTION/` and the content id in hexadecimal digits, the value an array of the columns of
`rows`. So a value that is not the one of its key is recognised without anything else.
"""

from __future__ import annotations

import json
from typing import cast

from poh_holdmetrics.storage.rows import Row, content_id, record_from_row, row_from_record
from poh_holdmetrics.validation import Record


def key_prefix(collection: str) -> bytes:
    """What the keys of a collection begin with."""
    return f"{collection}/".encode()


def key_from_record(prefix: bytes, record: Record) -> bytes:
    """The key of an event."""
    return prefix + content_id(record).hex().encode()


def value_from_record(record: Record) -> bytes:
    """The value of an event; equal events have equal values."""
    return json.dumps(row_from_record(record), ensure_ascii=False, separators=(",", ":")).encode()


def record_from_entry(key: bytes, prefix: bytes, value: bytes) -> Record | None:
    """The event, or None if the value is not the one that belongs to the key."""
    try:
        record = record_from_row(cast("Row", tuple(json.loads(value))))
        is_own = key_from_record(prefix, record) == key and value_from_record(record) == value
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return record if is_own else None
