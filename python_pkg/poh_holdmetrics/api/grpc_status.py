"""Errors as a gRPC status with the details of `google.rpc`, as the binary reports them.

`proto/poh/hold.proto` lists the codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2, status_pb2

if TYPE_CHECKING:
    from poh_holdmetrics.api.grpc_types import Context
    from poh_holdmetrics.errors import Refused

_DETAILS = "grpc-status-details-bin"


async def refuse(context: Context, refused: Refused) -> NoReturn:
    """End the call with INVALID_ARGUMENT; the details name the field."""
    violation = error_details_pb2.BadRequest.FieldViolation(
        field=refused.blamed, description=refused.sentence
    )
    detail = Any()
    detail.Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    code = grpc.StatusCode.INVALID_ARGUMENT
    status = status_pb2.Status(code=code.value[0], message=refused.sentence, details=[detail])
    await context.abort(code, refused.sentence, ((_DETAILS, status.SerializeToString()),))
    raise AssertionError("abort raises")


async def not_found(context: Context, sentence: str) -> NoReturn:
    """End the call with NOT_FOUND."""
    await context.abort(grpc.StatusCode.NOT_FOUND, sentence)
    raise AssertionError("abort raises")


async def unimplemented(context: Context, call: str) -> NoReturn:
    """End a call that only the binary has."""
    sentence = f"{call} is a call of main_holdmetrics serve; the Python server does not have it"
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, sentence)
    raise AssertionError("abort raises")
