"""Messages of events to acknowledgements: what was accepted is stored, what was refused is listed.

Each message of a stream gets an acknowledgement of its own, in order, also if the caller allows that one
covers several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_holdmetrics import field_parsers
from poh_holdmetrics.api.grpc_events import (
    MESSAGES,
    BatchRefused,
    Rows,
    values_from_hold,
    values_from_transfer,
)
from poh_holdmetrics.api.intake import accepted_records
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.hold_warnings import warning_names
from poh_holdmetrics.protocols import hold_pb2 as pb
from poh_holdmetrics.pure.findings import findings_of

if TYPE_CHECKING:
    from poh_holdmetrics.api.grpc_events import Values
    from poh_holdmetrics.api.hold_service import HoldService
    from poh_holdmetrics.validation import Record

#: One acknowledgement lists at most so many refused events.
_REFUSED_LISTED_MAX = 1_024

Event = pb.HoldMsg | pb.TransferMsg
Batch = pb.HoldBatch | pb.TransferBatch


def records_from_message(service: HoldService, message: Event) -> tuple[Record, ...]:
    """The records of one event or transfer; raises `Refused`, which is counted."""
    try:
        return accepted_records(MESSAGES, _values(message), service.now_us())
    except Refused as refused:
        service.figures.refused(refused.blamed)
        raise


async def acknowledge_event(service: HoldService, message: Event, index: int) -> pb.HoldAck:
    """Store one event of a stream, or say in the acknowledgement why it is refused."""
    try:
        records = records_from_message(service, message)
    except Refused as refused:
        return pb.HoldAck(index=index, refused=[_refusal(refused, index, None)], refused_total=1)
    return await _stored(service, records, pb.HoldAck(index=index, accepted=1))


async def acknowledge_batch(service: HoldService, batch: Batch, index: int) -> pb.HoldAck:
    """Store the valid rows of a batch; the acknowledgement lists the others."""
    try:
        rows = Rows(batch)
    except BatchRefused as refused:
        service.figures.refused(refused.blamed, refused.rows)
        listed = [_refusal(refused, index, None)]
        return pb.HoldAck(index=index, refused=listed, refused_total=refused.rows)
    ack = pb.HoldAck(index=index)
    records: list[Record] = []
    now_us = service.now_us()
    for row, values in enumerate(rows):
        try:
            records += accepted_records(field_parsers.MICROS, values(), now_us)
            ack.accepted += 1
        except Refused as refused:
            service.figures.refused(refused.blamed)
            ack.refused_total += 1
            if len(ack.refused) < _REFUSED_LISTED_MAX:
                ack.refused.append(_refusal(refused, index, row))
    return await _stored(service, records, ack)


async def _stored(
    service: HoldService, records: tuple[Record, ...] | list[Record], ack: pb.HoldAck
) -> pb.HoldAck:
    if records:
        ack.sequence = await service.store(records)
        ack.durability = pb.BUFFERED
        ack.warnings.extend(warning_names(findings_of(records)))
    return ack


def _values(message: Event) -> Values:
    if isinstance(message, pb.HoldMsg):
        return values_from_hold(message)
    return values_from_transfer(message)


def _refusal(refused: Refused, index: int, row: int | None) -> pb.Refusal:
    return pb.Refusal(index=index, row=row, field=refused.blamed, reason=refused.sentence)
