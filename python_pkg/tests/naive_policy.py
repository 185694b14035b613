"""The published scores computed instant by instant from a document: slow, and written apart from the package.

Time is cut at every instant at which anything may change; between two of them one instant stands for all.
"""

from __future__ import annotations

from typing import Any

from poh_holdmetrics.durations import us_from_duration
from poh_holdmetrics.instants import us_from_argument

Row = tuple[str, str, int, int, int]


def naive_scores(document: dict[str, Any], rows: list[Row], as_of_us: int) -> dict[str, int]:
    """Steps of 1e-24 weight-seconds for each published holder."""
    edges = _edges(document["steps"], rows, as_of_us)
    # holder, token -> the weight and the multiplier of each stretch between two edges in which it is held.
    keys: dict[tuple[str, str], dict[int, tuple[int, int]]] = {}
    for holder, token, start_us, end_us, wads in rows:
        for place, edge in enumerate(edges):
            if start_us <= edge < end_us:
                keys.setdefault((holder, token), {})[place] = (wads, 1)
    scale = 1
    most = 2**256 - 1
    for step in document["steps"]:
        kind = step["step"]
        if kind in ("tiers", "decay", "seasons"):
            scale *= 10**6
        if kind == "score_cap":
            most = min(most, _millionths(step["most"]) * 10**18)
        elif kind == "linked":
            keys = _linked(step["wallets"], keys)
        else:
            keys = {key: _step(step, key, held, edges, as_of_us) for key, held in keys.items()}
    totals: dict[str, int] = {}
    for (holder, _), held in keys.items():
        for place, (wads, factor) in held.items():
            length = edges[place + 1] - edges[place]
            totals[holder] = totals.get(holder, 0) + length * wads * factor
    return {holder: min(total // scale, most) for holder, total in totals.items()}


def _edges(steps: list[dict[str, Any]], rows: list[Row], as_of_us: int) -> list[int]:
    starts_and_ends = {instant for row in rows for instant in row[2:4]}
    edges = set(starts_and_ends)
    for step in steps:
        if step["step"] == "tiers":
            edges |= {edge + _us(held) for held in step["multipliers"] for edge in starts_and_ends}
        if step["step"] == "decay":
            edges |= {as_of_us - _us(age) for age in step["multipliers"]}
        for season in step.get("seasons", []):
            edges |= {us_from_argument("", season["start"]), us_from_argument("", season["end"])}
    return sorted(edges)


def _linked(
    wallets: dict[str, list[str]], keys: dict[tuple[str, str], dict[int, tuple[int, int]]]
) -> dict[tuple[str, str], dict[int, tuple[int, int]]]:
    linked: dict[tuple[str, str], dict[int, tuple[int, int]]] = {}
    for (holder, token), held in keys.items():
        names = [name for name, linked_wallets in wallets.items() if holder in linked_wallets]
        into = linked.setdefault((names[0] if names else holder, token), {})
        for place, (wads, factor) in held.items():
            into[place] = (into.get(place, (0, 1))[0] + wads, factor)
    return linked


def _step(
    step: dict[str, Any],
    key: tuple[str, str],
    held: dict[int, tuple[int, int]],
    edges: list[int],
    as_of_us: int,
) -> dict[int, tuple[int, int]]:
    kind = step["step"]
    holder, token = key
    left = {}
    for place, (wads, factor) in held.items():
        first = last = place
        while first - 1 in held:
            first -= 1
        while last + 1 in held:
            last += 1
        length_us, reached_us = edges[last + 1] - edges[first], edges[place] - edges[first]
        if kind == "exclude" and (holder in step["holders"] or token in step["tokens"]):
            continue
        if kind == "include" and (
            (step["holders"] and holder not in step["holders"])
            or (step["tokens"] and token not in step["tokens"])
        ):
            continue
        if kind == "minimum_hold" and length_us < _us(step["duration"]):
            continue
        if kind == "weight_cap":
            left[place] = (min(wads, _millionths(step["most"]) * 10**12), factor)
            continue
        multiplier = 1
        if kind == "tiers":
            time_us = reached_us if step["counting"] == "reached" else length_us
            multiplier = _last(step["multipliers"], time_us)
        elif kind == "decay":
            multiplier = _last(step["multipliers"], as_of_us - edges[place] - 1)
        elif kind == "seasons":
            multiplier = _millionths(step["otherwise"])
            for season in step["seasons"]:
                since, until = (us_from_argument("", season[name]) for name in ("start", "end"))
                if since <= edges[place] < until:
                    multiplier = _millionths(season["multiplier"])
        left[place] = (wads, factor * multiplier)
    return left


def _last(multipliers: dict[str, str], most_us: int) -> int:
    """The multiplier of the largest duration of at most `most_us`; 1 without one."""
    counting = [(_us(text), _millionths(multiplier)) for text, multiplier in multipliers.items()]
    return max(((us, each) for us, each in counting if us <= most_us), default=(0, 10**6))[1]


def _us(text: str) -> int:
    return us_from_duration("", text, least_us=0)


def _millionths(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * 10**6 + int(part.ljust(6, "0"))
