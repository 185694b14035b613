"""Rows of JSON as rows of a feed: values by key, those of an object within by `key.inner`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from poh_holdmetrics.errors import Refused
from poh_holdmetrics.json_documents import key_paths
from poh_holdmetrics.row_reader import object_from_json

if TYPE_CHECKING:
    from collections.abc import Collection

    from poh_holdmetrics.feeds.layout import FeedRow


def row_from_json(line: bytes, columns: Collection[str]) -> FeedRow | Refused:
    """The values of these keys in the object that a line is."""
    try:
        fields = object_from_json(line)
    except Refused as refused:
        return refused
    paths = dict(_paths(fields))
    return {name: text for name in columns if (text := _text(paths.get(name)))}


def paths_of_line(line: bytes) -> list[str]:
    """The keys of an object, and of the objects within it as `key.inner`; none if a line is not an object."""
    try:
        return key_paths(object_from_json(line))
    except Refused:
        return []


def _paths(fields: dict[str, object]) -> list[tuple[str, object]]:
    paths: list[tuple[str, object]] = []
    for key, value in fields.items():
        if isinstance(value, dict):
            paths += ((f"{key}.{inner}", within) for inner, within in value.items())
        paths.append((key, value))
    return paths


def _text(value: object) -> str | None:
    """A value as text: numbers as they are written, lists and objects as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)
