"""Hypothesis strategies for events that collide often: few keys, few instants, few weights."""

from __future__ import annotations

from hypothesis import strategies as st

from naive import Raw
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
