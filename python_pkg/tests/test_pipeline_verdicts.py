from __future__ import annotations

from datetime import UTC, datetime

import pytest

from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.pipeline.verdicts import verdicts_from

EVENT = HoldEvent(token_id="T", holder_id="h", start=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("returned", "verdicts"),
    [
        (None, {}),
        ([None, None, None], {}),
        ([None, "too much", EVENT], {1: "too much", 2: EVENT}),
        (("a", None, None), {0: "a"}),
        ({}, {}),
        ({2: "too late", 0: EVENT, 1: None}, {0: EVENT, 2: "too late"}),
    ],
)
def test_every_form_of_an_answer_is_read(returned: object, verdicts: dict[int, object]) -> None:
    assert verdicts_from(returned, 3) == verdicts


@pytest.mark.parametrize(
    ("returned", "error", "words"),
    [
        (True, TypeError, "expected None, or a reason or HoldEvent by row, not True"),
        ("no", TypeError, 'expected None, or a reason or HoldEvent by row, not "no"'),
        (["a"], TypeError, "1 entries for 3 rows; return one a row, or a mapping"),
        ([None, 5, None], TypeError, "row 1: expected None, or a reason or HoldEvent by row, not 5"),
        ({1: " "}, TypeError, "row 1: the reason is empty; say why the event is refused"),
        ({"punk/1": "no"}, TypeError, 'expected the number of a row, not "punk/1"'),
        ({True: "no"}, TypeError, "expected the number of a row, not True"),
        ({3: "no"}, IndexError, "row 3: the batch has 3 rows"),
        ({-1: "no"}, IndexError, "row -1: the batch has 3 rows"),
    ],
)
def test_nonsense_is_named(returned: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        verdicts_from(returned, 3)
    assert str(caught.value) == words
