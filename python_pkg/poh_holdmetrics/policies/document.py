"""A policy as a JSON document, as operators write it and native code reads it.

    {"steps": [{"step": "minimum_hold", "duration": "7d"}, {"step": "tiers", "multipliers": {"30d": "1.5"}}]}

Unknown, missing and repeated fields are refused. What each step means is in its own module.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.policies.caps import ScoreCap, WeightCap
from poh_holdmetrics.policies.links import Linked
from poh_holdmetrics.policies.lists import Exclude, Include
from poh_holdmetrics.policies.periods import Decay, Season, Seasons
from poh_holdmetrics.policies.pieces import Step
from poh_holdmetrics.policies.policy import Policy
from poh_holdmetrics.policies.streaks import MinimumHold, Tiers

_NUMBER_MAX = 2**53
#: The class of each step, its required fields and the others.
_STEPS: dict[str, tuple[Callable[..., Step], frozenset[str], frozenset[str]]] = {
    "exclude": (Exclude, frozenset(), frozenset({"holders", "tokens"})),
    "include": (Include, frozenset(), frozenset({"holders", "tokens"})),
    "linked": (Linked, frozenset({"wallets"}), frozenset()),
    "minimum_hold": (MinimumHold, frozenset({"duration"}), frozenset()),
    "tiers": (Tiers, frozenset({"multipliers"}), frozenset({"counting"})),
    "decay": (Decay, frozenset({"multipliers"}), frozenset()),
    "seasons": (Seasons, frozenset({"seasons"}), frozenset({"otherwise"})),
    "weight_cap": (WeightCap, frozenset({"most"}), frozenset()),
    "score_cap": (ScoreCap, frozenset({"most"}), frozenset()),
}


def policy_from_document(text: str | bytes) -> Policy:
    """The policy that a document describes; raises `InputError` naming the step and the field."""
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_int=_integer, parse_float=_float)
    except (ValueError, RecursionError) as error:
        raise InputError("policy", f"not JSON ({error})") from error
    fields = _fields("policy", document, {"steps"}, set())
    if not isinstance(fields["steps"], list):
        raise InputError("steps", "expected a list of steps")
    return Policy(steps=[_step(f"steps[{place}]", step) for place, step in enumerate(fields["steps"])])


def _step(where: str, document: object) -> Step:
    kind = document.get("step") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in _STEPS:
        raise InputError(
            where,
            f"expected an object with a step, which is one of {', '.join(_STEPS)}; found {excerpt(kind)}",
        )
    step, required, optional = _STEPS[kind]
    fields = _fields(f"{where}: {kind}", document, {"step", *required}, optional)
    del fields["step"]
    if kind == "seasons":
        fields["seasons"] = _seasons(f"{where}: seasons", fields["seasons"])
    if kind == "minimum_hold" and not isinstance(fields["duration"], str):
        raise InputError(f"{where}: minimum_hold: duration", "expected text such as 7d or 1h30m")
    try:
        return step(**fields)
    except InputError as error:
        raise InputError(where, str(error)) from error


def _seasons(where: str, document: object) -> list[Season]:
    if not isinstance(document, list):
        raise InputError(where, "expected a list of seasons")
    seasons = []
    for each in document:
        fields = _fields(where, each, {"start", "end"}, {"multiplier"})
        if any(isinstance(fields[name], float) for name in ("start", "end")):
            raise InputError(where, "start and end: expected a time as text, or milliseconds since 1970")
        try:
            seasons.append(Season(**fields))
        except InputError as error:
            raise InputError(where.partition(":")[0], str(error)) from error
    return seasons


def _fields(
    where: str, document: object, required: set[str], optional: set[str] | frozenset[str]
) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise InputError(where, "expected an object")
    for name in sorted(required - document.keys()):
        raise InputError(where, f"{name}: missing")
    for name in sorted(document.keys() - required - optional):
        known = ", ".join(sorted(required | optional))
        raise InputError(where, f"unknown field {excerpt(name)}; known are {known}")
    return dict(document)


def _integer(text: str) -> int:
    """A number that every reader of JSON reads exactly."""
    number = int(text)
    if abs(number) > _NUMBER_MAX:
        raise ValueError(f"{excerpt(text)} is above 2^53; write it as text")
    return number


def _float(text: str) -> float:
    number = float(text)
    if abs(number) > _NUMBER_MAX:
        raise ValueError(f"{excerpt(text)} is above 2^53; write it as text")
    return number


def _object(pairs: list[tuple[str, object]]) -> Mapping[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {excerpt(twice)} occurs twice")
    return fields
