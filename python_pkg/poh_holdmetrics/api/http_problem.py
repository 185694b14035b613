"""Errors as problem documents (RFC 9457) that name the invalid field, as the binary reports them."""

from __future__ import annotations

from http import HTTPStatus

from fastapi.responses import JSONResponse

from poh_holdmetrics.errors import HoldMetricsError, Refused

_PROBLEM_JSON = "application/problem+json"
#: The names of RFC 9110, which `HTTPStatus` has only from Python 3.13 on, or not at all.
_TITLES = {413: "Payload Too Large"}
_SENTENCES = {
    404: "no such path; /docs lists all paths",
    405: "method not allowed; the header allow lists the methods of this path",
    500: "internal error: see the log of the server",
}


class Problem(HoldMetricsError):  # noqa: N818 - the name of RFC 9457
    """A request that is answered with an error."""

    def __init__(self, status: int, detail: str, field: str | None = None) -> None:
        """`field` is the invalid field, parameter or header."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field

    @classmethod
    def of_refused(cls, refused: Refused) -> Problem:
        """A field or a parameter is invalid; the text shows its value."""
        return cls(HTTPStatus.BAD_REQUEST, str(refused), refused.blamed or None)

    @classmethod
    def of_status(cls, status: int) -> Problem:
        """An error that the framework has found."""
        return cls(status, _SENTENCES.get(status, "the request cannot be served"))

    def response(self, headers: dict[str, str] | None = None) -> JSONResponse:
        """The document as a response."""
        title = _TITLES.get(self.status) or HTTPStatus(self.status).phrase
        document = {
            "type": "about:blank",
            "title": title,
            "status": int(self.status),
            "detail": self.detail,
            **({} if self.field is None else {"field": self.field}),
        }
        return JSONResponse(document, self.status, headers, media_type=_PROBLEM_JSON)
