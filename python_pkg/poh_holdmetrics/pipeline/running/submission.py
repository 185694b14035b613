"""Events of a pipeline's own on their way into the service: what handlers emit and what sources bring in.

A refused event is logged, counted and left out, and the others are recorded. Any other failure is repeated
with back-off, so that nothing that comes after is committed before the events are durable.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from poh_holdmetrics.errors import Refused

if TYPE_CHECKING:
    from poh_holdmetrics.clock import Clock
    from poh_holdmetrics.data_models import HoldEvent, Transfer
    from poh_holdmetrics.pipeline.port import Host, Meter

_log = logging.getLogger(__name__)

_AGAIN_SECONDS = 0.5
_AGAIN_SECONDS_MAX = 30.0


class Submission:
    """Submits for one pipeline."""

    def __init__(self, host: Host, clock: Clock, pipeline: str) -> None:
        self._host = host
        self._clock = clock
        self._pipeline = pipeline

    async def submit(self, events: Sequence[HoldEvent | Transfer], handler: str, meter: Meter) -> list[str]:
        """Record the events, as often as it takes; returns why some of them were refused."""
        pause = _AGAIN_SECONDS
        while True:
            try:
                reasons = await self._host.submit(self._pipeline, events)
            except Refused as refused:
                if len(events) > 1:
                    # All or none were recorded: find those to leave out.
                    half = len(events) // 2
                    first = await self.submit(events[:half], handler, meter)
                    return first + await self.submit(events[half:], handler, meter)
                reason = f"event {events[0].event_id or events[0].token_id}: {refused}"
                return self._refused([reason], handler, meter)
            except Exception as error:  # noqa: BLE001 - a host may fail in any way
                _log.error(
                    "%s/%s: %d events cannot be recorded now; again in %g s.",
                    *(self._pipeline, handler, len(events), pause),
                    exc_info=error,
                )
                await self._clock.sleep_until(self._clock.now() + pause)
                pause = min(2 * pause, _AGAIN_SECONDS_MAX)
            else:
                meter.count("emitted", len(events) - len(reasons))
                return self._refused(reasons, handler, meter)

    def _refused(self, reasons: list[str], handler: str, meter: Meter) -> list[str]:
        for reason in reasons:
            meter.count("refused")
            _log.warning("%s/%s: %s", self._pipeline, handler, reason)
        return reasons


def reason_of(refusal: Refused | ValidationError) -> str:
    """Why an event was refused, in one sentence that begins with the field."""
    if isinstance(refusal, Refused):
        return str(refusal)
    first = refusal.errors()[0]
    field_name = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return message if not field_name or message.startswith(field_name) else f"{field_name}: {message.lower()}"
