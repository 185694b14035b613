"""JSON that is not one object a line: an array, an object around an array, objects over several lines.

A document is read whole; lines are read in `file_scorer`, and one row in `row_reader`. The binary reads the
same documents as a stream, and refuses the others in the same words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Generator, Iterator

from poh_holdmetrics.errors import InputError, excerpt

_BLANKS = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:', re.DOTALL)
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,\]}]+', re.DOTALL)
_TRUNCATED = "the text ends within it; is the file complete?"


#: Whether an object with these keys, those of an object within it as `key.inner`, is a row.
IsRow = Callable[[Collection[str]], bool]


def is_document(head: str, is_row: IsRow) -> bool:
    """Whether a source that begins so is a document."""
    text = head.lstrip()
    if text.startswith("["):
        return text[1:].lstrip()[:1] in ("{", "]")
    if not text.startswith("{"):
        return False
    try:
        first, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        rows = re.search(r":\s*\[\s*\{", text)
        has_rows = rows is not None and not is_row(_KEY.findall(text[: rows.start() + 1]))
        return has_rows or text.partition("\n")[0].strip() == "{"
    return "\n" in text[:end] or _is_wrapped(first, is_row)


def rows_from_document(file: str, text: str, is_row: IsRow) -> Iterator[tuple[int, bytes]]:
    """The rows of a document with the lines on which they begin; raises `InputError`."""
    document = _Document(file, text)
    at = document.skip(0)
    while at < len(text):
        if text[at] == "[":
            at = yield from document.rows(at + 1)
        elif text[at] == "{" and document.is_wrapped(at, is_row):
            document.rows_key = None
            at = yield from document.wrapped(at)
        elif text[at] == "{":
            end = document.end_of(at)
            yield document.row(at, end)
            at = end
        elif text[at] == ",":
            raise document.error(at, "a comma after an object; remove it, or put all objects into [ and ]")
        else:
            raise document.error(at, "text after the end of the document; remove it")
        at = document.skip(at)


def _is_wrapped(value: object, is_row: IsRow) -> bool:
    return isinstance(value, dict) and not is_row(key_paths(value)) and _has_rows(value)


def key_paths(fields: dict[str, object]) -> list[str]:
    """The keys of an object, and of the objects within it as `key.inner`."""
    paths: list[str] = []
    for key, value in fields.items():
        if isinstance(value, dict):
            paths += (f"{key}.{inner}" for inner in value)
        paths.append(key)
    return paths


def _has_rows(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_rows, value.values()))
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


class _Document:
    """The text of a document, and where in it rows are."""

    def __init__(self, file: str, text: str) -> None:
        self.rows_key: str | None = None
        self._file = file
        self._text = text
        self._counted = 0
        self._line = 1

    def skip(self, at: int) -> int:
        blanks = _BLANKS.match(self._text, at)
        return blanks.end() if blanks else at

    def error(self, at: int, what: str) -> InputError:
        line = self._text.count("\n", 0, at) + 1
        return InputError(f"{self._file}: line {line}", f"not JSON: {what}")

    def row(self, start: int, end: int) -> tuple[int, bytes]:
        self._line += self._text.count("\n", self._counted, start)
        self._counted = start
        return self._line, self._text[start:end].encode()

    def end_of(self, at: int) -> int:
        """The end of the value that begins at `at`."""
        if self._text[at] not in "{[":
            word = _WORD.match(self._text, at)
            return word.end() if word else at + 1
        depth = 0
        for token in _TOKEN.finditer(self._text, at):
            depth += token[0] in ("{", "[")
            depth -= token[0] in ("}", "]")
            if depth == 0:
                return token.end()
        raise self.error(len(self._text), _TRUNCATED)

    def is_wrapped(self, at: int, is_row: IsRow) -> bool:
        try:
            value = json.loads(self._text[at : self.end_of(at)])
        except (ValueError, RecursionError):
            return False
        return _is_wrapped(value, is_row)

    def rows(self, at: int) -> Generator[tuple[int, bytes], None, int]:
        """The rows of the array whose bracket is before `at`; returns the index after it."""
        at = self._inner(at)
        if self._text[at] == "]":
            return at + 1
        while True:
            if self._text[at] in ",:}]":
                raise self.error(at, f"{excerpt(self._text[at])} where a row begins")
            end = self.end_of(at)
            yield self.row(at, end)
            at = self._inner(end)
            if self._text[at] == "]":
                return at + 1
            if self._text[at] != ",":
                raise self.error(at, "no comma between two rows of an array")
            at = self._inner(at + 1)
            if self._text[at] == "]":
                raise self.error(at, "a comma after the last row of an array; remove it")

    def wrapped(self, at: int) -> Generator[tuple[int, bytes], None, int]:
        """The rows of the one array of objects in the valid object at `at`; returns the index after it."""
        at = self.skip(at + 1)
        while self._text[at] != "}":
            end = self.end_of(at)
            key = json.loads(self._text[at:end])
            at = self.skip(self.skip(end) + 1)
            if self._text[at] == "{":
                at = yield from self.wrapped(at)
            elif self._text[at] == "[" and self._text[self.skip(at + 1)] == "{":
                if self.rows_key is not None:
                    first, second = excerpt(self.rows_key), excerpt(key)
                    raise self.error(
                        at, f"{first} and {second} are both arrays of objects; extract one of them with jq"
                    )
                self.rows_key = key
                at = yield from self.rows(at + 1)
            else:
                at = self.end_of(at)
            at = self.skip(at)
            if self._text[at] == ",":
                at = self.skip(at + 1)
        return at + 1

    def _inner(self, at: int) -> int:
        at = self.skip(at)
        if at == len(self._text):
            raise self.error(at, _TRUNCATED)
        return at
