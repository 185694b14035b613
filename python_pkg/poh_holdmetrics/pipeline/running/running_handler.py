"""A handler at work: its definition with the calls, the context and the meter that belong to it.

What a call emitted and changed is taken from its context when the call has ended well, and forgotten if it
has not. Where events come from and when something is committed is decided in the followers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_holdmetrics.pipeline.calling.called import Called, Outcome

if TYPE_CHECKING:
    from poh_holdmetrics.data_models import HoldEvent, Transfer
    from poh_holdmetrics.pipeline.calling.calls import HandlerCalls
    from poh_holdmetrics.pipeline.context import Context
    from poh_holdmetrics.pipeline.handlers import Handler
    from poh_holdmetrics.pipeline.port import Meter
    from poh_holdmetrics.pipeline.running.submission import Submission


class RunningHandler:
    """One handler of a running pipeline."""

    def __init__(
        self,
        handler: Handler,
        calls: HandlerCalls,
        context: Context,
        meter: Meter,
        submission: Submission,
    ) -> None:
        self.handler = handler
        self.name = handler.name
        self.calls = calls
        self.context = context
        self.meter = meter
        self.emitted: list[HoldEvent | Transfer] = []
        """What calls that ended well have emitted and is not recorded yet."""
        self.changes: dict[str, str | None] = {}
        """What they have changed in the state and is not committed yet."""
        self.refusals: list[str] = []
        """Why events that it has emitted were refused."""
        self._submission = submission

    async def call(self, *arguments: object, events: int = 1) -> Called:
        """Call the handler with the arguments and its context."""
        context = self.context
        context.begin()
        called = await self.calls.call(*arguments, context, events=events)
        self.ended(called.outcome)
        return called

    def ended(self, outcome: Outcome) -> None:
        """Take what a call has left in the context, or forget it."""
        context = self.context
        if outcome is not Outcome.DONE:
            context.drop()
            return
        if context.outbox:
            self.emitted += context.outbox
            context.outbox = []
        if context.state.is_changed:
            self.changes.update(context.state.keep())

    async def record(self) -> dict[str, str | None]:
        """Record what was emitted, and return the changes of the state that may be committed now."""
        while self.emitted:
            emitted, self.emitted = self.emitted, []
            try:
                self.refusals += await self._submission.submit(emitted, self.name, self.meter)
            except BaseException:
                self.emitted = emitted + self.emitted
                raise
        changes, self.changes = self.changes, {}
        return changes
