"""Cases beside a pipeline's file: steps, and what is expected of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from poh_holdmetrics import HoldEvent, Pipeline
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pipeline import Batch, Context, Segments
from poh_holdmetrics.pipeline.offline.cases import CaseResult, case_from_file, cases_of, run_case

ANN = {"token_id": "punk/1", "holder_id": "ann", "start": "2026-01-01T00:00:00Z", "weight": "0.5"}
BONUS = {"token_id": "bonus", "holder_id": "ann", "start": 0, "end": 1000, "event_id": "bonus ann"}


def pipeline() -> Pipeline:
    pipeline = Pipeline("tiers", arguments={"limit": "1"})

    @pipeline.on_event(token="punk/*")
    def follow(event: HoldEvent, ctx: Context) -> None:
        ctx.state["seen"] = ctx.state.get("seen", 0) + 1
        ctx.metrics.counter("seen_total")
        if event.holder_id == "bad":
            raise ValueError("bad holder")
        if ctx.arguments["limit"] == "2":
            ctx.emit(HoldEvent.model_validate(BONUS))

    @pipeline.sink("archive", flush="1m")
    def archive(batch: Batch, ctx: Context) -> None:
        del batch
        ctx.log.info("delivered")

    @pipeline.policy()
    def doubled(segments: Segments) -> dict[str, int]:
        """Two for each segment."""
        return dict.fromkeys(segments.holder_id, 2)

    return pipeline


def result_of(folder: Path, case: dict[str, object]) -> CaseResult:
    path = folder / "one.json"
    path.write_text(json.dumps(case), "utf-8")
    return run_case(pipeline(), case_from_file(path))


def test_a_case_that_is_met_passes(tmp_path: Path) -> None:
    result = result_of(
        tmp_path,
        {
            "about": "a holder, a crash, a bonus",
            "arguments": {"limit": "2"},
            "steps": [
                {"feed": [ANN]},
                {"expect": {"delivered": {"archive": []}, "state": {"seen": 1}}},
                {"restart": "crash"},
                {"fail": "commit"},
                {"advance": "2m"},
                {"restart": "reload"},
            ],
            "expect": {
                "emitted": [BONUS],
                "delivered": {"archive": [ANN, BONUS]},
                "state": {"seen": 1},
                "metrics": {"seen_total": 1},
                "log": ["INFO archive: delivered"],
                "leaderboard": [{"rank": 1, "holder_id": "ann", "score": "61"}],
                "published": {"doubled": [{"rank": 1, "holder_id": "ann", "score": "2"}]},
            },
        },
    )
    assert result.differences == []
    assert result.has_passed


def test_each_expectation_that_is_not_met_is_one_line(tmp_path: Path) -> None:
    result = result_of(
        tmp_path,
        {
            "steps": [{"feed": [ANN]}, {"expect": {"state": {"seen": 2}}}, {"advance": "2m"}],
            "expect": {"delivered": {"archive": [], "web": []}, "metrics": {"seen_total": 1}},
        },
    )
    step, archive, web = result.differences
    assert step == 'step 2: state: expected {"seen": 2}, found {"seen": 1}'
    assert archive == f"delivered archive: expected [], found [{json.dumps(ANN)}]"
    assert web == "delivered web: expected [], found null"


def test_a_handler_that_raises_fails_a_case_that_does_not_expect_it(tmp_path: Path) -> None:
    case: dict[str, object] = {"steps": [{"feed": [{**ANN, "holder_id": "bad"}]}]}
    result = result_of(tmp_path, case)
    assert result.differences == ['failures: expected {}, found {"follow": 1}']
    assert "ValueError: bad holder" in result.tracebacks["follow"]
    assert result_of(tmp_path, {**case, "expect": {"failures": {"follow": 1}}}).has_passed


def test_the_cases_of_a_file_lie_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "tiers.py"
    assert cases_of(file) == []
    folder = tmp_path / "tiers.cases"
    folder.mkdir()
    for name in ("b", "a"):
        (folder / f"{name}.json").write_text("{}", "utf-8")
    assert [case.name for case in cases_of(file)] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "one.json: not JSON"),
        ("[]", "one.json: expected an object with steps, not []"),
        ('{"step": []}', 'one.json: unknown key "step"; did you mean steps?'),
        ('{"steps": [{"fed": []}]}', 'one.json: step 1: unknown key "fed"; did you mean feed?'),
        ('{"steps": [3]}', "one.json: step 1: expected an object of one of feed, advance, restart"),
        ('{"expect": {"stat": {}}}', 'one.json: expect: unknown key "stat"; did you mean state?'),
        ('{"steps": [{"expect": {"stat": 1}}]}', 'one.json: step 1: unknown key "stat"; did you mean state?'),
        (
            '{"steps": [{"advance": "soon"}]}',
            "one.json: step 1: duration: expected a duration such as",
        ),
        (
            '{"steps": [{"restart": "now"}]}',
            'one.json: step 1: restart: unknown word "now"; known are',
        ),
        ('{"steps": [{"feed": [{"token_id": "a"}]}]}', "one.json: step 1: 1 validation error"),
        ('{"arguments": {"limmit": "3"}}', "tiers.limmit: unknown argument of the pipeline; known are limit"),
    ],
)
def test_an_invalid_case_is_refused_by_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "one.json"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError) as refusal:
        run_case(pipeline(), case_from_file(path))
    assert str(refusal.value).removeprefix(f"{tmp_path}/").startswith(message)
