"""An answer of the servers in Python is that of one state, also if another thread computes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from poh_holdmetrics.api.answers import Question
from poh_holdmetrics.api.hold_service import HoldService
from poh_holdmetrics.api.turns import Turns
from poh_holdmetrics.tracker import AsyncTracker
from poh_holdmetrics.validation import Record
from poh_holdmetrics.windows import Window

SECOND_US = 1_000_000
NOW_US = 1_000 * SECOND_US
ALL = Question(Window(NOW_US, None, closed_only=False))


class SlowTracker(AsyncTracker):
    """Answers from the state that it has at the end of a wait, as a worker thread may."""

    async def ask(self, query: Callable[[], Any]) -> Any:
        """Let the loop go on, then call `query`."""
        for _ in range(5):
            await asyncio.sleep(0)
        return query()


def held(number: int) -> Record:
    """A hold of a holder of its own."""
    return Record("T", f"h{number}", 0, SECOND_US, 10**18, None, 0, retract=False)


def test_an_answer_has_exactly_the_events_up_to_its_sequence() -> None:
    async def run() -> None:
        service = HoldService(SlowTracker(), clock=lambda: datetime.fromtimestamp(1_000, UTC))

        async def load() -> None:
            for number in range(0, 60, 3):
                await service.store([held(number), held(number + 1), held(number + 2)])
                await asyncio.sleep(0)

        loading = asyncio.create_task(load())
        sequences = []
        while not loading.done():
            page, again = await asyncio.gather(service.page(ALL, None, 100), service.page(ALL, None, 1))
            assert len(page.rows) == page.known == page.sequence
            assert page.sequence % 3 == 0, "no part of a batch"
            assert again.known == again.sequence
            sequences.append(page.sequence)
        assert len(set(sequences)) > 5, "it was loaded meanwhile"
        assert (await service.page(ALL, None, 1)).sequence == 60

    asyncio.run(run())


def test_events_wait_for_the_questions_before_them_and_later_questions_for_them() -> None:
    async def run() -> list[str]:
        turns, log, go_on = Turns(), list[str](), asyncio.Event()

        async def ask(name: str) -> None:
            async with turns.asking():
                log.append(f"{name} begins")
                await go_on.wait()
            log.append(f"{name} ends")

        async def store() -> None:
            async with turns.storing():
                log.append("stored")

        first, second = asyncio.create_task(ask("first")), asyncio.create_task(ask("second"))
        await asyncio.sleep(0)
        storing = asyncio.create_task(store())
        await asyncio.sleep(0)
        third = asyncio.create_task(ask("third"))
        await asyncio.sleep(0)
        # A caller that goes away leaves its turn.
        first.cancel()
        go_on.set()
        await asyncio.gather(first, second, storing, third, return_exceptions=True)
        return log

    assert asyncio.run(run()) == [
        "first begins",
        "second begins",
        "second ends",
        "stored",
        "third begins",
        "third ends",
    ]
