"""Hypothesis strategies for events that collide often: few keys, few instants, few weights."""

from __future__ import annotations

from hypothesis import strategies as st

from naive import Raw
from poh_holdmetrics.instants import text_from_us
from poh_holdmetrics.policies import (
    Decay,
    Exclude,
    Include,
    Linked,
    MinimumHold,
    Policy,
    ScoreCap,
    Season,
    Seasons,
    Tiers,
    WeightCap,
)
from poh_holdmetrics.validation import Record

BASE_US = 1_753_056_000_000_000
INSTANTS = st.integers(0, 12).map(lambda step: BASE_US + step * 1_000_003)
DELTAS = st.sampled_from([0, 1, -1, 10**18, -(10**18), 2 * 10**18, -3 * 10**18, 2**120])
WEIGHTS = st.sampled_from([0, 1, 10**18, 2 * 10**18, 3 * 10**18, 2**128 - 1])


@st.composite
def raws(draw: st.DrawFn) -> Raw:
    """One valid event."""
    token_id, holder_id = draw(st.sampled_from("AB")), draw(st.sampled_from("gh"))
    kind = draw(st.sampled_from(["closed", "closed", "start", "stop", "change", "change"]))
    event_id = draw(st.sampled_from("abc" if kind == "change" else [None, None, "a", "b"]))
    revision = draw(st.integers(0, 2)) if event_id else 0
    retract = event_id is not None and draw(st.integers(0, 3)) == 0
    if retract and draw(st.booleans()):
        return Raw(token_id, holder_id, None, None, 10**18, event_id, revision, retract)
    seq = draw(st.integers(0, 2))
    if kind == "change":
        at, delta = draw(INSTANTS), draw(DELTAS)
        return Raw(token_id, holder_id, None, None, 10**18, event_id, revision, retract, at, delta, seq)
    early, late = sorted((draw(INSTANTS), draw(INSTANTS)))
    start = early if kind in ("closed", "start") else None
    end = late if kind in ("closed", "stop") else None
    return Raw(token_id, holder_id, start, end, draw(WEIGHTS), event_id, revision, retract, None, None, seq)


EVENTS = st.lists(raws(), max_size=12)


def record(raw: Raw) -> Record:
    """The record of a raw event."""
    return Record(*raw)


def policies() -> st.SearchStrategy[Policy]:
    """A policy of ready steps whose bounds lie among the events of `raws`."""
    seconds = st.integers(0, 12).map(lambda step: f"{step * 1_000_003}us")
    multipliers = st.dictionaries(
        seconds, st.sampled_from(["0", "0.5", "0.000001", "1", "1.333333", "1000"]), min_size=1, max_size=3
    )
    ids = st.lists(st.sampled_from(["g", "h", "A", "B"]), min_size=1, max_size=2)
    season = st.tuples(INSTANTS, INSTANTS, st.sampled_from(["0", "2", "0.25"])).filter(
        lambda each: each[0] != each[1]
    )
    first = (
        st.builds(Exclude, holders=ids)
        | st.builds(Exclude, tokens=ids)
        | st.builds(Include, holders=ids, tokens=ids)
        | st.builds(MinimumHold, duration=seconds.filter(lambda text: text != "0us"))
        | st.builds(WeightCap, most=st.sampled_from(["0", "1", "1.5", "2"]))
        | st.sampled_from(
            [{"h": ["g", "h"]}, {"team": ["g"]}, {"team": ["g", "h"]}, {"g": ["h"], "A": ["B"]}]
        ).map(lambda wallets: Linked(wallets=wallets))
    )
    multiplying = (
        st.builds(Tiers, multipliers=multipliers, counting=st.sampled_from(["reached", "whole"]))
        | st.builds(Decay, multipliers=multipliers)
        | st.tuples(season, st.sampled_from(["0", "1"])).map(
            lambda drawn: Seasons(
                seasons=[
                    Season(
                        start=text_from_us(min(drawn[0][:2])),
                        end=text_from_us(max(drawn[0][:2])),
                        multiplier=drawn[0][2],
                    )
                ],
                otherwise=drawn[1],
            )
        )
    )
    cap = st.lists(st.builds(ScoreCap, most=st.sampled_from(["0", "0.5", "3", "100"])), max_size=1)
    steps = st.tuples(st.lists(first, max_size=3), st.lists(multiplying, max_size=3), cap)
    return (
        steps.map(lambda drawn: [step for each in drawn for step in each])
        .filter(bool)
        .map(lambda each: Policy(steps=each))
    )
