"""Values in the forms that `InputOptions` name, as the pure-Python readers read them.

Native code does the same itself. With our own forms nothing here is called, so that rows cost no more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from poh_holdmetrics import field_parsers, instants, wads
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.feeds.lookups import NO_LOOKUPS, Lookups
from poh_holdmetrics.field_parsers import FieldParsers, Number
from poh_holdmetrics.input_options import FIELDS, OWN, InputOptions

_HEX_ID = re.compile(r"0[xX][0-9a-fA-F]+", re.ASCII)
_WITHOUT_OFFSET = re.compile(r"\d{4}-\d\d-\d\d(?P<time>[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?", re.ASCII)
_UNKNOWN_DECIMALS = (
    "of a token without decimals (add it to the file of --decimals-file, or give --decimals for others)"
)
_IDS = tuple(FIELDS.index(name) for name in ("token_id", "holder_id", "from_id", "to_id"))


class ValueForms:
    """Applies the options to rows: `values` prepares those of one row, which `parsers` then read."""

    def __init__(self, options: InputOptions, parsers: FieldParsers, lookups: Lookups = NO_LOOKUPS) -> None:
        """`parsers` are those of the same source with our own forms."""
        self._options = options
        self._own_parsers = parsers
        self._lookups = lookups
        #: Of the row whose values were prepared last: decimals are those of its token.
        self._token_id = ""
        changes = options.constants or options.null or options.fold_hex_ids
        self._keeps_values = not (changes or lookups.decimals)
        if options.time_unit != OWN.time_unit or options.assume_utc or lookups.blocks:
            parsers = replace(parsers, time=self._time)
        if options.decimals or lookups.decimals:
            parsers = replace(parsers, decimal=self._decimal)
        self.parsers = parsers

    def values(self, row: Sequence[object]) -> Sequence[object]:
        """The values of `FIELDS`: constants filled in, null words absent, hexadecimal ids in lower case."""
        if self._keeps_values:
            return row
        options = self._options
        # A number of JSON may be such a word, but a number of a column may not.
        kinds = (str,) if self._own_parsers is field_parsers.TABLE else (str, Number)
        found = [None if type(value) in kinds and value in options.null else value for value in row]
        for name, text in options.constants.items():
            found[FIELDS.index(name)] = text
        if options.fold_hex_ids:
            for index in _IDS:
                value = found[index]
                if isinstance(value, str):
                    found[index] = folded_id(value)
        self._token_id = str(found[0])
        return found

    def _time(self, field: str, value: object) -> int:
        if isinstance(value, str):
            blocks = self._lookups.blocks
            if blocks and (at_us := blocks.time_of_number(field, value, value)) is not None:
                return at_us
            text = value if isinstance(value, Number) else value.strip(" \t")
            is_number = isinstance(value, Number) or self._own_parsers is field_parsers.CSV
            count = instants.NUMBER if is_number else instants.DIGITS
            if self._options.time_unit != OWN.time_unit and count.fullmatch(text):
                return instants.us_from_number(field, text, self._options.time_unit)
            if self._options.assume_utc and (found := _WITHOUT_OFFSET.fullmatch(text)):
                return instants.us_from_text(field, f"{text}{'Z' if found['time'] else 'T00:00Z'}", text)
        return self._own_parsers.time(field, value)

    def _decimal(self, field: str, value: object, *, signed: bool = False) -> int:
        listed, decimals = self._lookups.decimals, self._options.decimals
        if listed is not None:
            known = listed.of(self._token_id)
            if known is None and not decimals:
                raise Refused(field, _UNKNOWN_DECIMALS, value)
            decimals = decimals if known is None else known
        return wads.wad_from_units(field, value, decimals, signed=signed)


def folded_id(text: str) -> str:
    """An id of `0x` and hexadecimal digits in lower case; any other as it is."""
    return text.lower() if _HEX_ID.fullmatch(text) else text
