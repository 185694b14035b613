"""Errors as a gRPC status with the details of `google.rpc`, as the binary reports them.

`proto/poh/hold.proto` lists the codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2, status_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from poh_holdmetrics.api.access import Denied
    from poh_holdmetrics.api.grpc_types import Context
    from poh_holdmetrics.errors import Refused, StoreFull

_DETAILS = "grpc-status-details-bin"
#: Of the reasons in `google.rpc.ErrorInfo`.
_DOMAIN = "holdmetrics"


async def refuse(context: Context, refused: Refused) -> NoReturn:
    """End the call with INVALID_ARGUMENT; the details name the field."""
    violation = error_details_pb2.BadRequest.FieldViolation(
        field=refused.blamed, description=refused.sentence
    )
    detail = error_details_pb2.BadRequest(field_violations=[violation])
    await _end(context, grpc.StatusCode.INVALID_ARGUMENT, refused.sentence, detail)


async def deny(context: Context, denied: Denied) -> NoReturn:
    """End the call with UNAUTHENTICATED or PERMISSION_DENIED; the details have the reason."""
    is_known = denied.scope is not None
    code = grpc.StatusCode.PERMISSION_DENIED if is_known else grpc.StatusCode.UNAUTHENTICATED
    facts = {} if denied.scope is None else {"scope": denied.scope}
    detail = error_details_pb2.ErrorInfo(reason=denied.reason, domain=_DOMAIN, metadata=facts)
    await _end(context, code, str(denied), detail)


async def closing(context: Context) -> NoReturn:
    """End the call with UNAVAILABLE, because the server is shutting down."""
    detail = error_details_pb2.ErrorInfo(reason="SHUTTING_DOWN", domain=_DOMAIN)
    await _end(context, grpc.StatusCode.UNAVAILABLE, "the server is shutting down", detail)


async def full(context: Context, store_full: StoreFull) -> NoReturn:
    """End the call with RESOURCE_EXHAUSTED; the details say when to retry."""
    detail = error_details_pb2.RetryInfo(retry_delay={"seconds": 1})
    await _end(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(store_full), detail)


async def not_found(context: Context, sentence: str) -> NoReturn:
    """End the call with NOT_FOUND."""
    await context.abort(grpc.StatusCode.NOT_FOUND, sentence)
    raise AssertionError("abort raises")


async def unimplemented(context: Context, call: str) -> NoReturn:
    """End a call that only the binary has."""
    sentence = f"{call} is a call of main_holdmetrics serve; the Python server does not have it"
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, sentence)
    raise AssertionError("abort raises")


async def _end(context: Context, code: grpc.StatusCode, text: str, detail: Message) -> NoReturn:
    packed = Any()
    packed.Pack(detail)
    status = status_pb2.Status(code=code.value[0], message=text, details=[packed])
    await context.abort(code, text, ((_DETAILS, status.SerializeToString()),))
    raise AssertionError("abort raises")
