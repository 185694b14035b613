"""What a client raises; each error has the code and the sentence of the service.

    ClientError (a HoldMetricsError)
    ├── RequestRefused (also ValueError)     a parameter, or a request as a whole, is invalid
    ├── NotAuthorized                        the API key is missing, unknown, or lacks a scope
    ├── NotFound (also LookupError)          the service does not know the holder, or does not have the call
    └── ServiceUnavailable                   no usable answer, also after the repetitions

An exception of httpx or grpc is the cause (`__cause__`) of one of these and never passes by itself. Events
that are refused raise nothing: `SendReport` lists them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_holdmetrics.errors import HoldMetricsError

if TYPE_CHECKING:
    from poh_holdmetrics.client.results import SendReport


class ClientError(HoldMetricsError):
    """A call failed.

    `code` is the HTTP status or the name of the gRPC status, empty if there was no answer. `report` says what
    `send` had done before it failed; it is safe to send everything again.
    """

    def __init__(self, url: str, sentence: str, *, code: str = "", field: str = "") -> None:
        """`sentence` says what is wrong; `field` is the invalid field, parameter or header, if any."""
        super().__init__(f"{url}: {sentence}")
        self.sentence = sentence
        self.code = code
        self.field = field
        self.report: SendReport | None = None


class RequestRefused(ClientError, ValueError):  # noqa: N818 - an answer of the service, named as such
    """A parameter, or a request as a whole, is invalid; a repetition does not help."""

    #: Whether several smaller requests would be accepted.
    is_too_large = False


class NotAuthorized(ClientError):  # noqa: N818 - as above
    """The API key is missing, unknown, or lacks the scope that the sentence names."""


class NotFound(ClientError, LookupError):  # noqa: N818 - as above
    """The service does not know the holder, or does not have the call."""


class ServiceUnavailable(ClientError):  # noqa: N818 - as above
    """The service cannot be reached, is overloaded or shutting down, or does not answer in time."""

    #: Whether the client repeats the call by itself, and how long the service asks it to wait.
    is_temporary = True
    retry_after_seconds: float | None = None
