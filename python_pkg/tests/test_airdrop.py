"""Airdrops in Python: amounts that sum to the pool and trees, the same with and without native code."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poh_holdmetrics import AsyncTracker, HoldEvent, native
from poh_holdmetrics.airdrop import allocate, proof, round_request, seal_round, tree, verify
from poh_holdmetrics.airdrop.allocation import _allocated
from poh_holdmetrics.airdrop.selection import Selected, Selection, select
from poh_holdmetrics.airdrop.trees import _read, _StandardTree
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.pipeline.offline.local import LocalHost
from poh_holdmetrics.tracker import HoldSnapshot

ANN = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
BOB = "0x1111111111111111111111111111111111111111"
#: Published for the value [BOB, 1] alone.
ONE_LEAF = "0x60648906e1a3f55dd188e992dc24db68c6b6d455fe925705f5e110ed7889ad90"

pytest.importorskip("Crypto.Hash.keccak", reason="pycryptodome is not installed (extra airdrop)")


def test_the_pool_is_shared_to_the_last_unit() -> None:
    equal: dict[str, str | int] = {"c": 1, "b": 1, "a": "1.0"}
    assert allocate(equal, 100) == {"a": 34, "b": 33, "c": 33}
    assert allocate({"a": 100, "b": 1}, 10, curve="square-root") == {"a": 9, "b": 1}
    assert allocate({"a": 98, "b": 1, "c": 1}, 100, cap=60) == {"a": 60, "b": 20, "c": 20}
    assert allocate({"a": 98, "b": 1, "c": 1}, 100, min_amount=2) == {"a": 100}


@pytest.mark.parametrize(
    ("scores", "options", "problem"),
    [
        ({"a": 1}, {"pool": 0}, "allocate: pool: 0 (write an amount above 0)"),
        ({"a": 0}, {"pool": 1}, "allocate: the scores sum to 0, so that no holder has a share of the pool"),
        (
            {"a": 1},
            {"pool": 3, "cap": 2},
            "allocate: cap: 1 holders at 2 base units each do not use up the pool of 3",
        ),
        ({"a": 1}, {"pool": 3, "min_amount": 4}, "allocate: minimum: no holder gets 4 base units or more"),
        ({"a": "1e3"}, {"pool": 1}, 'score: "1e3" is not a decimal number'),
        ([("a", 1), ("a", 1)], {"pool": 1}, "allocate: a holder is listed twice"),
        ({"a": 1}, {"pool": 2**256}, "allocate: pool: "),
    ],
)
def test_what_cannot_be_shared_is_refused_in_one_sentence(scores: Any, options: Any, problem: str) -> None:
    with pytest.raises(InputError) as refused:
        allocate(scores, **options)
    assert str(refused.value).startswith(problem)


_STEPS = st.integers(0, 50) | st.integers(0, 2**200)


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(_STEPS, min_size=1, max_size=12),
    pool=st.integers(1, 10**6) | st.integers(1, 2**255),
    curve=st.sampled_from(["linear", "square-root"]),
    cap=st.none() | st.integers(0, 10**6),
    min_amount=st.integers(0, 1000),
)
def test_native_and_pure_allocations_are_the_same(
    steps: list[int], pool: int, curve: str, cap: int | None, min_amount: int
) -> None:
    shares = [(f"h{number:02}", score) for number, score in enumerate(steps)]
    try:
        pure = _allocated(shares, pool, curve, cap, min_amount)
    except ValueError as refused:
        found: Any = str(refused)
    else:
        assert sum(pure.amounts.values()) == pool
        found = ([pure.amounts.get(holder, 0) for holder, _ in shares], pure.capped, pure.below_minimum)
    namespace = native.namespace()
    if namespace is None:
        return
    texts = [(holder, str(score)) for holder, score in shares]
    terms = (texts, str(pool), curve, None if cap is None else str(cap), str(min_amount))
    if isinstance(found, str):
        with pytest.raises(ValueError) as raised:  # noqa: PT011 - the sentence is compared
            namespace.allocate_pool(*terms)
        assert str(raised.value) == found
        return
    amounts, capped, below = namespace.allocate_pool(*terms)
    assert ([int(amount) for amount in amounts], capped, below) == found


def test_trees_have_the_published_root_and_read_back() -> None:
    assert tree({BOB: 1}).root == ONE_LEAF
    claims = tree({ANN: 75, BOB: 25})
    pure = _StandardTree([(ANN, "75"), (BOB, "25")])
    assert (claims.root, claims.dump(), claims.sum) == (pure.root, pure.dump(), "100")
    assert json.loads(claims.proofs(ANN)[0]) == json.loads(pure.proofs(ANN)[0])
    assert verify(claims.dump()).root == claims.root
    shown = proof(claims, ANN.lower())
    assert (shown.value, shown.root) == ((ANN, "75"), claims.root)
    with pytest.raises(InputError, match="not in the tree"):
        proof(claims, "0x2222222222222222222222222222222222222222")
    changed = claims.dump().replace(b'"25"', b'"26"')
    for read in (verify, _read):
        with pytest.raises(InputError, match="tree: "):
            read(changed)


@pytest.mark.parametrize("amounts", [{}, {"ann": 1}, {ANN: 1, ANN.lower(): 1}, {ANN: 0}, {ANN[:-1] + "8": 1}])
def test_lists_that_nobody_can_pay_have_no_tree(amounts: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"tree|address"):
        tree(amounts)


def test_formats_beside_the_standard_one_need_native_code() -> None:
    if native.namespace() is None:
        with pytest.raises(InputError, match="needs native code"):
            tree({ANN: 1}, "uniswap")
    else:
        assert b"merkleRoot" in tree({ANN: 1}, "uniswap").dump()


def snapshot() -> HoldSnapshot:
    async def recorded() -> HoldSnapshot:
        tracker = AsyncTracker()
        for holder, hours in ((ANN, 3), (BOB, 1), ("treasury", 9)):
            await tracker.record(
                HoldEvent(
                    token_id="T", holder_id=holder, start="2025-07-21T00:00Z", end=f"2025-07-21T0{hours}:00Z"
                )
            )
        return await tracker.snapshot(as_of="2025-07-22")

    return asyncio.run(recorded())


def test_a_round_is_computed_from_a_snapshot() -> None:
    sealed = seal_round(snapshot(), "july", pool="1", decimals=2, exclude=["treasury"], cap="0.7")
    assert sealed.amounts == {BOB: 30, ANN: 70}
    assert sealed.manifest["sum"] == "100"
    assert sealed.manifest["root"] == tree(sealed.amounts).root
    assert sealed.manifest["counts"] == {
        "holders": 3,
        "excluded": 1,
        "merged": 0,
        "below_min_score": 0,
        "without_score": 0,
        "below_min_amount": 0,
        "without_amount": 0,
        "capped": 1,
        "recipients": 2,
    }
    added = seal_round(snapshot(), "july", pool="1", decimals=2, holders={"treasury": ANN})
    assert added.amounts == {BOB: 8, ANN: 92}
    with pytest.raises(InputError, match='address: "treasury"'):
        seal_round(snapshot(), "july", pool=1, decimals=2)
    with pytest.raises(InputError, match="as_of: the snapshot has it already"):
        seal_round(snapshot(), "july", pool=1, decimals=2, as_of="2025-07-22")


def test_a_wallet_has_one_holder_in_whatever_case_it_is_given() -> None:
    holders = {ANN.lower(): BOB, ANN: BOB, "treasury": BOB}
    with pytest.raises(InputError) as refused:
        seal_round(snapshot(), "july", pool=1, decimals=2, holders=holders)
    assert (
        str(refused.value)
        == f"holders: wallet {excerpt(ANN.lower())} has two holders (keep one of its lines)"
    )


def test_one_address_in_two_cases_is_refused_or_merged() -> None:
    scores = [(ANN.lower(), "1"), (BOB, "5"), (ANN, "2")]

    def selected(*, merge: bool) -> Selected:
        return select(scores, Selection.of(exclude=(), holders={}, min_score=0, merge_duplicates=merge))

    with pytest.raises(InputError) as refused:
        selected(merge=False)
    same = f"{excerpt(ANN.lower())} and {excerpt(ANN)} are one address"
    assert str(refused.value) == f"holder_id: {same} (merge_duplicates adds their scores)"
    assert selected(merge=True).steps == {BOB: 5 * 10**24, ANN: 3 * 10**24}


def test_rounds_of_a_pipeline_are_compared_by_what_they_mean() -> None:
    async def run() -> None:
        host = LocalHost(AsyncTracker(), now_us=lambda: 3_600_000_000)
        for holder in (ANN, BOB, "treasury"):
            await host.record([HoldEvent(token_id="T", holder_id=holder, start="1970-01-01T00:00Z")], None)

        async def seal(pool: str, **options: Any) -> str:
            asked = round_request("july", pool=pool, decimals=2, **options)
            return await host.seal_round("pays", json.dumps(asked))

        first = await seal("1", exclude=["treasury", BOB.lower()])
        same = {"curve": "linear", "min_amount": "0.0", "merge_duplicates": False, "format": "standard-v1"}
        assert await seal("1.00", exclude=[BOB, "treasury", BOB], **same) == first
        for pool, options in (
            ("2", {"exclude": ["treasury", BOB]}),
            ("1", {"exclude": ["treasury"]}),
            ("1", {"exclude": ["treasury", BOB], "cap": 1}),
            ("1", {"exclude": ["treasury", BOB], "as_of": "1970-01-01T01:00Z"}),
        ):
            with pytest.raises(InputError, match='id: "july" is sealed with other options'):
                await seal(pool, **options)

    asyncio.run(run())
