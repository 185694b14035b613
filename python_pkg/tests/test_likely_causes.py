"""What refusals say of texts that are not times or decimals: the same as the binary says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from poh_holdmetrics import instants, wads
from poh_holdmetrics.errors import Refused

_TEXTS = json.loads(
    (Path(__file__).parents[2] / "tests" / "golden" / "likely_causes.json").read_text(encoding="utf-8")
)


def _cases(kind: str) -> list[tuple[str, str]]:
    return [(sentence, text) for sentence, texts in _TEXTS[kind].items() for text in texts]


@pytest.mark.parametrize(("sentence", "text"), _cases("time"))
def test_a_text_that_is_not_a_time_is_recognized(sentence: str, text: str) -> None:
    with pytest.raises(Refused) as refused:
        instants.us_from_text("start", text)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(("sentence", "text"), _cases("decimal"))
def test_a_text_that_is_not_a_decimal_is_recognized(sentence: str, text: str) -> None:
    with pytest.raises(Refused) as refused:
        wads.wad_from_text("weight", text)
    assert sentence in str(refused.value)
    with pytest.raises(Refused) as refused:
        wads.wad_from_text("weight", text, signed=True)
    assert sentence in str(refused.value)
