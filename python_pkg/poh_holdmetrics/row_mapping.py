"""Rows and files under names and forms of their own, as events of a pipeline or a program.

The options are those of `score`; a mapping file has the same for the command line. A row is read as a line of
JSON with the same values would be. Scores nothing; rows are read in `row_reader`, files in `file_reader`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Unpack

from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.feeds.json_rows import row_from_json
from poh_holdmetrics.feeds.lookup_files import lookups_of
from poh_holdmetrics.file_reader import batches_read
from poh_holdmetrics.input_options import GivenOptions, InputOptions
from poh_holdmetrics.json_documents import key_paths
from poh_holdmetrics.row_reader import RowReader

if TYPE_CHECKING:
    from poh_holdmetrics.feeds.layout import FeedLayout
    from poh_holdmetrics.validation import Record

_ROW = "row"


class RowMapping:
    """Makes events of rows, such as the messages of a queue, and of files.

    A transfer becomes two changes. Keeps one row at a time; rows of a feed without a log index are numbered
    over the life of the mapping.
    """

    def __init__(self, **options: Unpack[GivenOptions]) -> None:
        """`mapping` is a file with a table `[input]`; the other options replace what it says.

        Raises `InputError` that names the option or the file.
        """
        self._options = InputOptions.of(options)
        self._lookups = lookups_of(self._options)
        self._records: list[Record] = []
        self._reader = self._new_reader()
        self._layout: FeedLayout | None = None
        self._is_known = False

    def events(self, row: Mapping[str, object]) -> list[HoldEvent]:
        """The events that a row states, none if it is a log of something else; raises `InputError`."""
        line = json.dumps(row, default=str).encode()
        if not self._is_known:
            self._is_known = True
            self._layout = self._reader.layout(_ROW, key_paths(dict(row)), are_keys=True)
        if self._layout is None:
            self._reader.feed_jsonl([line], _ROW, 1)
        else:
            self._reader.feed_rows([(1, row_from_json(line, self._layout.columns))], self._layout)
        if self._reader.rejected:
            reason = self._reader.rejected.pop()[2]
            self._records.clear()
            raise InputError(_ROW, reason)
        return self._taken()

    def read(self, file: str | os.PathLike[str]) -> Iterator[HoldEvent]:
        """The events of a file of JSON or CSV, plain or gzip; `InputError` at the first refused row."""
        name = os.fspath(file)
        reader = self._new_reader()
        for _ in batches_read(reader, name, self._options):
            if reader.rejected:
                _, line, reason = reader.rejected[0]
                raise InputError(f"{name}: line {line}", reason)
            yield from self._taken()

    def _new_reader(self) -> RowReader:
        return RowReader(self._records.append, self._options, self._lookups)

    def _taken(self) -> list[HoldEvent]:
        events = [HoldEvent.from_record(record) for record in self._records]
        self._records.clear()
        return events
