"""A policy of a pipeline at work: its function is called in a worker thread, within the hard limit.

Any exception of the function becomes a `PolicyFailed`, which the host returns as the answer. The host also
decides what is kept between questions.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from poh_holdmetrics.errors import HoldMetricsError
from poh_holdmetrics.pipeline.loading.loader import text_of_traceback
from poh_holdmetrics.policies.policy import Policy
from poh_holdmetrics.policies.published import checked_steps, held_by_holder

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.calling.guard import Guard
    from poh_holdmetrics.pipeline.port import PublishedRow
    from poh_holdmetrics.policies.published import NamedPolicy
    from poh_holdmetrics.policies.segments import Segments


class PolicyFailed(HoldMetricsError):  # noqa: N818 - named by what happened
    """A policy has raised, or was ended at its limit."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.traceback = text_of_traceback(error)


class RunningPolicy:
    """One policy of a running pipeline; the `PublishedPolicy` of a host."""

    is_closed = False

    def __init__(self, pipeline: str, policy: NamedPolicy, guard: Guard) -> None:
        self.name = policy.name
        self.version = policy.version
        self.document = policy.function.text if isinstance(policy.function, Policy) else None
        self.label = f"{pipeline}/{policy.name}"
        self.tasks: set[asyncio.Task[Any]] = set()
        self._function = policy.function
        self._guard = guard

    async def scores(self, segments: Segments) -> list[PublishedRow]:
        """Holder, held time and steps of the score. Raises `PolicyFailed`."""
        try:
            rows = await self._guard.threads.run(self, None, self._scores, segments)
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
                raise
            raise PolicyFailed(error) from error
        return cast("list[PublishedRow]", rows)

    def interrupted(self) -> None:
        """Nothing more: the exception says so itself."""

    def stuck(self, seconds: float, where: str) -> None:
        """Nothing more: the exception says so itself."""

    def _scores(self, segments: Segments) -> list[PublishedRow]:
        held_us = held_by_holder(segments)
        steps = checked_steps(self._function, segments)
        return [(holder_id, held_us.get(holder_id, 0), str(score)) for holder_id, score in steps.items()]
