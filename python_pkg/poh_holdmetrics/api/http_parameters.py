"""The query parameters of the routes: what each is called, how it is read, and how it is documented.

Unknown and repeated parameters are refused. Older names stay valid as aliases. The routes are in
`http_server`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_plus

from poh_holdmetrics import instants
from poh_holdmetrics.errors import Refused, excerpt

LIMIT_MAX = 10_000
_LIMIT_DIGITS_MAX = 6


def _limit(name: str, text: str) -> int:
    is_digits = text.isascii() and text.isdigit()
    limit = int(text.lstrip("0")[:_LIMIT_DIGITS_MAX] or 0) if is_digits else 0
    if not 1 <= limit <= LIMIT_MAX:
        raise Refused(name, f"must be an integer from 1 to {LIMIT_MAX}, not {excerpt(text)}")
    return limit


def _instant(name: str, text: str) -> int:
    try:
        return instants.us_from_argument(name, text)
    except Refused as refused:
        hint = ""
        if _is_time_without_plus(text):
            hint = "; a plus sign means a space in a query, write %2B instead"
        reason = f"{refused.sentence.removeprefix(f'{name}: ')}{hint}"
        raise Refused(name, reason, text) from None


def _is_time_without_plus(text: str) -> bool:
    time, blank, offset = text.rpartition(" ")
    try:
        instants.us_from_text("", f"{time}+{offset}")
    except Refused:
        return False
    return bool(blank)


def _flag(name: str, text: str) -> bool:
    if text in ("true", "false"):
        return text == "true"
    raise Refused(name, f"must be true or false, not {excerpt(text)}")


def _text(name: str, text: str) -> str:
    if not text:
        raise Refused(name, "empty; leave the parameter out or give it a value")
    return text


#: Each parameter: how it is read, its type in the OpenAPI document, what it does.
_KNOWN: Mapping[str, tuple[Callable[[str, str], object], str, str]] = {
    "limit": (_limit, "integer", "How many are listed, from 1 to 10,000."),
    "page_token": (_text, "string", "`next_page_token` of the page before; it contains the question."),
    "as_of": (
        _instant,
        "string",
        "The first instant that does not count: text with an offset, a date, or milliseconds; now if absent.",
    ),
    "from": (_instant, "string", "The first instant that counts; the beginning of time if absent."),
    "closed_only": (_flag, "boolean", "Leaves out the time after a key's last mark."),
    "token_id": (_text, "string", "Counts this token only."),
    "holder_id": (_text, "string", "Lists this holder only."),
    "policy": (_text, "string", "The policy under which scores are published: this server publishes none."),
}


class Parameters:
    """The parameters of one route."""

    def __init__(self, names: Sequence[str], aliases: Mapping[str, str]) -> None:
        """`names` in the order of the documentation; `aliases` are older names of them."""
        self._names = names
        self._aliases = aliases

    def read(self, query: str) -> dict[str, Any]:
        """The values by name; raises `Refused` naming the first parameter that is invalid."""
        found: dict[str, Any] = {}
        for pair in filter(None, query.split("&")):
            raw_name, _, raw_text = pair.partition("=")
            try:
                given, text = (unquote_plus(part, errors="strict") for part in (raw_name, raw_text))
            except UnicodeDecodeError:
                shown = unquote_plus(raw_name)
                raise Refused(shown, "not UTF-8 text") from None
            name = self._aliases.get(given, given)
            if name not in self._names:
                raise Refused(excerpt(given), f"unknown parameter; {self._expected()}", blamed=given)
            if name in found:
                raise Refused(name, "given more than once")
            read, _, _ = _KNOWN[name]
            found[name] = read(given, text)
        return found

    def documented(self) -> list[dict[str, Any]]:
        """The parameters as OpenAPI describes them."""
        return [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": _KNOWN[name][2],
                "schema": {"type": _KNOWN[name][1]},
            }
            for name in self._names
        ]

    def _expected(self) -> str:
        names = []
        for name in self._names:
            names += sorted([name, *(alias for alias, of in self._aliases.items() if of == name)])
        return f"expected one of {', '.join(names)}"


_WINDOW = ("as_of", "from", "closed_only", "token_id")
_TOKEN = {"token": "token_id"}
LEADERBOARD = Parameters(("limit", *_WINDOW, "policy"), {"n": "limit", "top": "limit", **_TOKEN})
STATS = Parameters(
    ("limit", "page_token", *_WINDOW, "holder_id", "policy"),
    {"page_size": "limit", **_TOKEN, "holder": "holder_id"},
)
HOLDER = Parameters(_WINDOW, _TOKEN)
DEFICITS = Parameters(("limit", "page_token", "as_of", "token_id"), {"page_size": "limit", **_TOKEN})
