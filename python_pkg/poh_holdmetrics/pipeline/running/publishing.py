"""The policies of pipelines inside the service: registered by name, and computed when somebody asks.

A ready policy is passed to Rust as its document and computed there. A function is called in a worker thread,
within the hard limit, with the segments that Rust has at that moment. What is kept between questions, and
which name prevails, is decided in Rust.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from poh_holdmetrics.pipeline.loading.loader import text_of_traceback
from poh_holdmetrics.policies.policy import Policy
from poh_holdmetrics.policies.published import checked_steps, held_by_holder
from poh_holdmetrics.policies.segments import Segments
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.calling.guard import Guard
    from poh_holdmetrics.policies.published import NamedPolicy
    from poh_holdmetrics.pure.aggregator import HeldColumns

#: Name, version, and the document of a ready policy.
DescribedPolicy = tuple[str, str, str | None]


class PolicyBridge(Protocol):
    """What this module needs of the bridge."""

    def set_policies(self, pipeline: str, policies: list[DescribedPolicy]) -> None: ...  # noqa: D102
    def held_columns(  # noqa: D102
        self,
        token_id: str | None,
        as_of_us: int,
        from_us: int | None,
        closed_only: bool,  # noqa: FBT001
    ) -> HeldColumns: ...


class Publisher:
    """The policies of all pipelines of a service."""

    def __init__(self, bridge: PolicyBridge) -> None:
        """Nothing is published yet."""
        self._bridge = bridge
        self._policies: dict[str, dict[str, NamedPolicy]] = {}

    def set_policies(self, pipeline: str, policies: Sequence[NamedPolicy]) -> None:
        """Publish under these policies, in place of those that the pipeline had."""
        self._policies[pipeline] = {policy.name: policy for policy in policies}
        self._bridge.set_policies(
            pipeline,
            [
                (each.name, each.version, each.function.text if isinstance(each.function, Policy) else None)
                for each in policies
            ],
        )

    async def answer(self, arguments: Mapping[str, Any], guard: Guard, seconds: float) -> dict[str, object]:
        """The scores of all published holders under a function, or an error, as operators get them."""
        pipeline, name = arguments["pipeline"], arguments["policy"]
        policy = self._policies.get(pipeline, {}).get(name)
        if policy is None or policy.version != arguments["version"]:
            return _error("conflict", f"{pipeline}/{name} has changed meanwhile; ask again")
        call = _Publication(f"{pipeline}/{name}")
        try:
            rows = await guard.threads.run(call, seconds, self._rows, policy, arguments)
        except Exception as error:  # noqa: BLE001 - whatever a script raises is an answer
            return _error("defect", f"{type(error).__name__}: {error}", text_of_traceback(error))
        return {"rows": rows}

    def _rows(self, policy: NamedPolicy, arguments: Mapping[str, Any]) -> list[tuple[str, int, str]]:
        """Holder, held time and steps of the score; called in a worker thread."""
        window = Window(arguments["as_of_us"], arguments["from_us"], arguments["closed_only"])
        columns = self._bridge.held_columns(arguments["token_id"], *window)
        segments = Segments.of_columns(*columns, window)
        held_us = held_by_holder(segments)
        steps = checked_steps(policy.function, segments)
        return [(holder_id, held_us.get(holder_id, 0), str(score)) for holder_id, score in steps.items()]


class _Publication:
    """A call of a policy, as `limits` watches it."""

    is_closed = False

    def __init__(self, label: str) -> None:
        self.label = label
        self.tasks: set[asyncio.Task[Any]] = set()

    def interrupted(self) -> None:
        """Nothing more: the exception says so itself."""

    def stuck(self, seconds: float, where: str) -> None:
        """Nothing more: the exception says so itself."""


def _error(kind: str, detail: str, traceback: str = "") -> dict[str, object]:
    return {"error": {"kind": kind, "detail": detail, "traceback": traceback}}
