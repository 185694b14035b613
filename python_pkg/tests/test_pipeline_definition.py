"""What a pipeline's decorators keep, and what they refuse in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from poh_holdmetrics import Pipeline
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pipeline import Batch, Context, HoldEvent
from poh_holdmetrics.pipeline.handlers import (
    FilterOptions,
    GateOptions,
    JobOptions,
    SinkOptions,
    SourceOptions,
)


def on_batch(batch: Batch, ctx: Context) -> None:
    del batch, ctx


def job(ctx: Context) -> None:
    del ctx


def listing(ctx: Context, position: int | None) -> Iterator[HoldEvent]:
    del ctx, position
    yield from ()


def test_a_decorator_returns_the_function_and_keeps_a_handler() -> None:
    pipeline = Pipeline("tiers")
    assert pipeline.on_batch("first", token="punk/*")(on_batch) is on_batch
    pipeline.every("10s", jitter=0.1, overlap="queue", timeout="250ms")(job)
    pipeline.sink("archive", batch=500, flush="1s", retries=5)(on_batch)
    pipeline.before_accept("gate", budget="2ms", on_timeout="refuse")(on_batch)
    pipeline.source(every="1h")(listing)
    assert [(each.kind, each.name) for each in pipeline.handlers] == [
        ("on_batch", "first"),
        ("every", "job"),
        ("sink", "archive"),
        ("before_accept", "gate"),
        ("source", "listing"),
    ]
    assert [each.options for each in pipeline.handlers] == [
        FilterOptions(token="punk/*"),
        JobOptions(interval_seconds=10.0, jitter=0.1, overlap="queue", timeout_seconds=0.25),
        SinkOptions(batch=500, flush_seconds=1.0, start="beginning", on_error="retry", retries=5),
        GateOptions(budget_seconds=0.002, on_timeout="refuse"),
        SourceOptions(interval_seconds=3600.0),
    ]


@pytest.mark.parametrize(
    ("register", "message"),
    [
        (lambda _: Pipeline("a b"), 'name: not a name: "a b"; use up to 64 letters'),
        (lambda _: Pipeline("a", start="later"), 'start: unknown word "later"; known are now, beginning'),  # type: ignore[arg-type]
        (lambda p: p.sink(on_batch), "sink: used without parentheses; write a pair of them after it"),
        (lambda p: p.every(job), "every: expected a duration such as 10s"),
        (lambda p: p.every("1x"), "every: expected a duration such as 10s, 1h30m or 250ms"),
        (lambda p: p.every("1s", jitter=2), "jitter: expected a part of the interval from 0 to 1, not 2"),
        (lambda p: p.every("1s", overlap="no"), 'overlap: unknown word "no"; known are skip, queue, allow'),
        (lambda p: p.on_event(on_error="x"), 'on_error: unknown word "x"; known are log, retry, disable'),
        (lambda p: p.on_event(token=3), "token: expected a pattern like punk/*, not 3"),
        (lambda p: p.sink(batch=0), "batch: expected a whole number of 1 or more, not 0"),
        (lambda p: p.sink(retries=-1), "retries: expected a whole number of 0 or more, not -1"),
        (lambda p: p.sink(timeout="0s"), 'timeout: expected a duration above 0, not "0s"'),
        (lambda p: p.sink("events")(on_batch), "sink: the name events is taken by the cursor of on_batch"),
        (lambda p: p.transform()(lambda item: item), 'transform: not a name: "<lambda>"'),
        (lambda p: p.policy("tiers")(3), "policy: expected a function, not 3"),
        (
            lambda p: [p.every("1s")(job), p.source("job")(listing)],
            "source: the name job is taken by the every handler; choose another",
        ),
        (
            lambda p: p.set_arguments({"limmit": "3"}),
            "tiers.limmit: unknown argument of the pipeline; known are limit",
        ),
    ],
)
def test_a_bad_option_is_refused_by_its_name(register: Callable[[Pipeline], object], message: str) -> None:
    pipeline = Pipeline("tiers", arguments={"limit": "10"})
    with pytest.raises(InputError) as refusal:
        register(pipeline)
    assert str(refusal.value).startswith(message)


def test_arguments_have_defaults_and_cannot_be_changed_by_a_reader() -> None:
    pipeline = Pipeline("tiers", arguments={"limit": "10", "url": ""})
    pipeline.set_arguments({"limit": "20"})
    assert dict(pipeline.arguments) == {"limit": "20", "url": ""}
    with pytest.raises(TypeError):
        pipeline.arguments["limit"] = "30"  # type: ignore[index]
