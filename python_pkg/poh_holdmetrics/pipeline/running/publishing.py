"""The policies of pipelines inside the service: registered by name, and computed when somebody asks.

A ready policy is passed to Rust as its document and computed there. A function is given the segments of the
state that the answer is about, which Rust has set aside for it, in this process or in that of its pipeline.
What is kept between questions, and which name prevails, is decided in Rust.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from poh_holdmetrics.errors import HoldMetricsError
from poh_holdmetrics.pipeline.loading.loader import text_of_traceback
from poh_holdmetrics.policies.segments import Segments
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.port import PublishedPolicy
    from poh_holdmetrics.pure.aggregator import HeldColumns

#: Name, version, and the document of a ready policy.
DescribedPolicy = tuple[str, str, str | None]


class PolicyBridge(Protocol):
    """What this module needs of the bridge."""

    def set_policies(self, pipeline: str, policies: list[DescribedPolicy]) -> None: ...  # noqa: D102
    def held_columns(self, request: int) -> HeldColumns: ...  # noqa: D102


class Publisher:
    """The policies of all pipelines of a service."""

    def __init__(self, bridge: PolicyBridge) -> None:
        """Nothing is published yet."""
        self._bridge = bridge
        self._policies: dict[str, dict[str, PublishedPolicy]] = {}

    def set_policies(self, pipeline: str, policies: Sequence[PublishedPolicy]) -> None:
        """Publish under these policies, in place of those that the pipeline had."""
        self._bridge.set_policies(pipeline, [(each.name, each.version, each.document) for each in policies])
        self._policies[pipeline] = {policy.name: policy for policy in policies}

    async def answer(self, request: int, arguments: Mapping[str, Any]) -> dict[str, object]:
        """The scores of all published holders under a function, or an error, as operators get them."""
        pipeline, name = arguments["pipeline"], arguments["policy"]
        policy = self._policies.get(pipeline, {}).get(name)
        if policy is None or policy.version != arguments["version"]:
            return _error("conflict", f"{pipeline}/{name} has changed meanwhile; ask again")
        try:
            rows = await policy.scores(await asyncio.to_thread(self._segments, request, arguments))
        except HoldMetricsError as error:
            return _error("defect", str(error), getattr(error, "traceback", ""))
        except Exception as error:  # noqa: BLE001 - a damaged worker may answer anything
            return _error("defect", f"{type(error).__name__}: {error}", text_of_traceback(error))
        return {"rows": rows}

    def _segments(self, request: int, arguments: Mapping[str, Any]) -> Segments:
        """Called in a worker thread."""
        window = Window(arguments["as_of_us"], arguments["from_us"], arguments["closed_only"])
        return Segments.of_columns(*self._bridge.held_columns(request), window)


def _error(kind: str, detail: str, traceback: str = "") -> dict[str, object]:
    return {"error": {"kind": kind, "detail": detail, "traceback": traceback}}
