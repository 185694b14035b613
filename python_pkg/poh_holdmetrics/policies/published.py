"""The leaderboard under a policy: segments in, checked scores out, in the order of every leaderboard.

A ready policy over native events is computed natively; any other function gets the columns. Answers name the
policy by its version: the hash of its text, or of the sources that a function comes from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from poh_holdmetrics import native
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.policies.policy import Policy
from poh_holdmetrics.policies.segments import Segments
from poh_holdmetrics.policies.values import Score, steps_from_result
from poh_holdmetrics.pure import aggregator as pure
from poh_holdmetrics.pure.ranking import Total

if TYPE_CHECKING:
    from poh_holdmetrics.windows import Window

#: A pure function; the holders that it does not return are not published.
PolicyFunction = Callable[[Segments], Mapping[str, Score]]


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedPolicy:
    """A policy, and how its answers name it."""

    name: str
    version: str
    """SHA-256 in hexadecimal digits."""
    function: PolicyFunction


def published(
    policy: PolicyFunction, aggregator: native.Aggregator | pure.Aggregator, window: Window
) -> native.Snapshot:
    """The leaderboard under `policy`; raises `InputError` naming a holder if a score cannot be published."""
    is_native = not isinstance(aggregator, pure.Aggregator)
    if is_native and isinstance(policy, Policy):
        namespace = native.namespace()
        if namespace is not None:
            return namespace.apply_policy(aggregator, policy.text, *window)
    columns = aggregator.held_columns(*window)
    segments = Segments.of_columns(*columns, window)
    return snapshot_of_scores(
        checked_steps(policy, segments), segments, deficits=len(aggregator.deficits(window.as_of_us))
    )


def checked_steps(policy: PolicyFunction, segments: Segments) -> dict[str, int]:
    """What the policy returns, in steps of 1e-24 weight-seconds."""
    if isinstance(policy, Policy):
        return policy.scored_steps(segments)
    scores = policy(segments)
    if not isinstance(scores, Mapping):
        raise InputError("policy", f"expected a mapping of holders to scores, not {excerpt(scores)}")
    for holder_id in scores:
        if not isinstance(holder_id, str) or not holder_id:
            raise InputError("policy", f"not a holder: {excerpt(holder_id)}; return text that is not empty")
    return {
        str(holder_id): steps_from_result(f"policy: {excerpt(holder_id)}", score)
        for holder_id, score in scores.items()
    }


def snapshot_of_scores(steps: Mapping[str, int], segments: Segments, *, deficits: int) -> pure.Snapshot:
    """The leaderboard of these scores; each holder with the time that its own keys were held."""
    held_us = held_by_holder(segments)
    return pure.Snapshot(
        {holder_id: Total(held_us.get(holder_id, 0), score) for holder_id, score in steps.items()},
        segments.as_of_us,
        segments.from_us,
        closed_only=segments.closed_only,
        deficits=deficits,
    )


def held_by_holder(segments: Segments) -> dict[str, int]:
    """How long the keys of each holder were held, in microseconds."""
    held_us: dict[str, int] = {}
    columns = (segments.holder_id, segments.start_us, segments.end_us)
    for holder_id, start_us, end_us in zip(*columns, strict=True):
        held_us[holder_id] = held_us.get(holder_id, 0) + end_us - start_us
    return held_us


def version_of_function(sources: str, name: str, arguments: Mapping[str, object]) -> str:
    """The version of a function: `sources` is the SHA-256 of the files that it comes from."""
    parts = json.dumps([sources, name, dict(arguments)], ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(parts.encode()).hexdigest()
