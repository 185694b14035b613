"""`score --policy` and `--compare-policy`, with documents and with functions of pipeline files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from poh_holdmetrics.cli import main
from poh_holdmetrics.errors import HoldMetricsError
from poh_holdmetrics.policy_files import policy_from_spec

EVENTS = """\
{"token_id": "T", "holder_id": "ann", "start": 0, "end": 86400000}
{"token_id": "T", "holder_id": "bob", "start": 0, "end": 259200000, "weight": "0.5"}
{"token_id": "U", "holder_id": "eve", "start": 0, "end": 1000, "weight": "0.1"}
"""
TIERS = '{"steps": [{"step": "minimum_hold", "duration": "1h"}, {"step": "tiers", "multipliers": {"1d": 2}}]}'
PIPELINE = """\
from fractions import Fraction

from poh_holdmetrics import Pipeline
from poh_holdmetrics.policies import MinimumHold, Policy, Tiers

from rates import RATE

pipeline = Pipeline("published", arguments={"floor": "1"})


@pipeline.policy("thirds")
def thirds(segments):
    return {holder: Fraction(len(rows), RATE) for holder, rows in segments.by_holder()}


pipeline.policy("tiers")(Policy(steps=[MinimumHold(duration="1h"), Tiers(multipliers={"24h": 2})]))
"""
AS_OF = ["--as-of", "1970-01-10"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    files = {"events.jsonl": EVENTS, "tiers.json": TIERS, "p.py": PIPELINE, "rates.py": "RATE = 3\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def scored(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["score", "events.jsonl", *AS_OF, *words]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_a_document_and_the_same_policy_of_a_pipeline_publish_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers = [
        json.loads(scored(capsys, "--policy", spec, "--format", "json"))
        for spec in ("tiers.json", "p.py:tiers")
    ]
    assert answers[0] == answers[1]
    assert answers[0]["policy"] == {"name": "tiers", "version": policy_from_spec("tiers.json").version}
    rows = [(row["rank"], row["holder_id"], row["held_us"], row["score"]) for row in answers[0]["holders"]]
    assert rows == [(1, "bob", 259_200_000_000, "216000"), (2, "ann", 86_400_000_000, "86400")]


@pytest.mark.usefixtures("folder")
def test_a_function_is_published_and_its_version_is_that_of_its_sources(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    text = scored(capsys, "--policy", "p.py:thirds")
    version = policy_from_spec("p.py:thirds").version
    assert text.splitlines()[1].split() == ["1", "ann", "1", "d", "0", "h", f"0.{'3' * 24}"]
    assert text.splitlines()[-1] == f"policy thirds, version {version}"
    (folder / "rates.py").write_text("RATE = 4\n", "utf-8")
    assert policy_from_spec("p.py:thirds").version != version


@pytest.mark.usefixtures("folder")
def test_who_moves_is_listed_with_rank_and_score(capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(scored(capsys, "--compare-policy", "none", "tiers.json", "--format", "json"))
    assert (answer["before"], answer["after"]["name"]) == (None, "tiers")
    assert (answer["holders_total"], answer["moved"]) == (3, 2)
    assert answer["moves"] == [
        {
            "holder_id": "bob",
            "rank_before": 1,
            "rank_after": 1,
            "score_before": "129600",
            "score_after": "216000",
        },
        {
            "holder_id": "eve",
            "rank_before": 3,
            "rank_after": None,
            "score_before": "0.1",
            "score_after": None,
        },
    ]
    table = scored(capsys, "--compare-policy", "none", "tiers.json", "--top", "1").splitlines()
    assert table[1].split() == ["bob", "1", "->", "1", "129,600", "->", "216,000"]
    version = policy_from_spec("tiers.json").version
    assert table[3:] == [
        "2 of 3 holders move (1 shown); as of 1970-01-10T00:00:00Z",
        "before: no policy",
        f"after: tiers, version {version}",
    ]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("p.py", "p.py: 2 policies: thirds, tiers; write p.py:NAME"),
        ("p.py:fourths", "p.py:fourths: no policy fourths; declare one with @pipeline.policy"),
        ("none.json", "none.json: No such file"),
        ("events.jsonl", "events.jsonl: policy: not JSON"),
    ],
)
def test_a_policy_that_is_not_there_is_refused(spec: str, words: str) -> None:
    with pytest.raises(HoldMetricsError) as refusal:
        policy_from_spec(spec)
    assert str(refusal.value).startswith(words)
