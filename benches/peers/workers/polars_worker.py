"""Polars as a contender: lazy frames, collected by its in-memory engine, the faster of its two here.

Keys and holders travel as 64-bit hashes (chance of any collision in 50M events: 1 in 10,000); the names are
joined on at the end. After a sort by key and start, one running maximum over `key x 2^63 + end`, 128 bits
wide, shows what is already covered without a window per key.
"""

from __future__ import annotations

import os
import sys

from protocol import answer, parsed_query

QUERY = parsed_query() if __name__ == "__main__" else sys.exit("polars_worker is a program")
# Read once, when polars is imported.
os.environ["POLARS_MAX_THREADS"] = str(QUERY.threads)

import polars as pl  # noqa: E402

col = pl.col
HOLDER = col("holder_id").hash()
NULL_ADDRESS = "0x" + "0" * 40


def sorted_events(file: str, as_of_us: int) -> pl.LazyFrame:
    """Events by key and start, each with `reach`, how far the earlier ones of its key cover."""
    wide_key = col("key").cast(pl.Int128) * (1 << 63)
    return (
        pl.scan_parquet(file)
        .select(
            key=pl.struct("token_id", "holder_id").hash(),
            holder=HOLDER,
            start=col("start").dt.epoch("us"),
            end=pl.min_horizontal(col("end").dt.epoch("us"), as_of_us),
            weight="weight",
        )
        .filter(col("start") < as_of_us)
        .sort("key", "start")
        .with_columns(reach=(wide_key + col("end")).cum_max().shift(1) - wide_key)
        .with_columns(is_first=(col("start") >= col("reach")).fill_null(value=True))
    )


def named(file: str, stretches: pl.LazyFrame, *columns: str) -> pl.LazyFrame:
    """Scores per holder from stretches of `length` microseconds at `weight`; `columns` have the names."""
    sums = stretches.group_by("holder").agg(
        held_us=col("length").sum(), score=(col("length") * col("weight")).sum() / 1e6
    )
    listed = [pl.scan_parquet(file).select(holder_id=name, holder=col(name).hash()) for name in columns]
    names = pl.concat(listed).unique("holder")
    return sums.join(names, on="holder").select("holder_id", "held_us", "score")


def equal(file: str, as_of_us: int) -> pl.LazyFrame:
    """One weight per token: each hold adds what reaches past the ones before it."""
    past = (col("end") - pl.max_horizontal(col("start"), col("reach").cast(pl.Int64, strict=False))).clip(0)
    length = pl.when("is_first").then(col("end") - col("start")).otherwise(past)
    return named(file, sorted_events(file, as_of_us).select("holder", "weight", length=length), "holder_id")


def islands(file: str, as_of_us: int) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Stretches of the holds that overlap no other, and the other holds, numbered by island."""
    events = (
        sorted_events(file, as_of_us)
        .select(
            "holder",
            "start",
            "end",
            "weight",
            is_alone=col("is_first") & col("is_first").shift(-1).fill_null(value=True),
            island=col("is_first").cum_sum().cast(pl.UInt32),
        )
        .collect()
        .lazy()
    )
    alone = events.filter("is_alone").select("holder", "weight", length=col("end") - col("start"))
    return alone, events.filter(~col("is_alone")).drop("is_alone")


def mixed(file: str, as_of_us: int) -> pl.LazyFrame:
    """Small islands: every stretch meets every hold of its island, the largest covering weight counts."""
    alone, holds = islands(file, as_of_us)
    points = pl.concat([holds.select("island", at=edge) for edge in ("start", "end")]).sort("island", "at")
    stretches = (
        points.with_columns(until=col("at").shift(-1), next_island=col("island").shift(-1))
        .filter((col("island") == col("next_island")) & (col("at") < col("until")))
        .select("island", "at", "until")
        .with_row_index("stretch")
    )
    enveloped = (
        stretches.join(holds, on="island")
        .filter((col("start") <= col("at")) & (col("end") >= col("until")))
        .group_by("stretch")
        .agg(col("holder").first(), col("weight").max(), length=(col("until") - col("at")).first())
        .select("holder", "weight", "length")
    )
    return named(file, pl.concat([alone, enveloped]), "holder_id")


def nested(file: str, as_of_us: int) -> pl.LazyFrame:
    """Deep islands: the largest covering weight of every stretch in O(n log n), over columns of all keys.

    A hold covers the points from its start's place to its end's; that run is the union of two blocks of
    2^level points, one from its start, one up to its end. Level by level, from the top, a block hands the
    largest weight seen to its two halves. Holds never leave their key, so keys need not be told apart.
    """
    holds = sorted_events(file, as_of_us).drop("reach", "is_first").with_row_index("hold").collect().lazy()
    span = pl.when("is_end").then(col("place") - col("place").shift(1))
    points = (
        pl.concat(
            [
                holds.select("hold", "key", "holder", "weight", at=edge, is_end=pl.lit(edge == "end"))
                for edge in ("start", "end")
            ]
        )
        .sort("key", "at", "is_end")
        .with_row_index("place")
        .sort("hold", "is_end")
        .with_columns(span=span.otherwise(col("place").shift(-1) - col("place")))
        .sort("place")
        .select(
            "key",
            "holder",
            "weight",
            "is_end",
            level=col("span").log(2).floor().cast(pl.UInt8),
            length=col("at").shift(-1) - col("at"),
            largest=pl.lit(None, pl.Float64),
        )
        .collect()
    )
    levels = points["level"].unique().sort(descending=True).to_list()
    for level in range(levels[0] if levels else 0, -1, -1):
        block = pl.when(col("level") == level).then("weight")
        starting = pl.when(~col("is_end")).then(block)
        ending = pl.when("is_end").then(block).shift(-(1 << level))
        points = points.with_columns(largest=pl.max_horizontal("largest", starting, ending))
        if level:
            handed = col("largest").shift(1 << (level - 1))
            points = points.with_columns(largest=pl.max_horizontal("largest", handed))
    held = points.lazy().filter(col("largest").is_not_null())
    return named(file, held.select("holder", "length", weight="largest"), "holder_id")


def transfers(file: str, as_of_us: int) -> pl.LazyFrame:
    """The scores of transfers of which none is repeated."""
    return balances(file, as_of_us, moved(file, as_of_us))


def repeatable(file: str, as_of_us: int) -> pl.LazyFrame:
    """The scores of transfers that may be repeated, told apart by a hash of their event id."""
    return balances(file, as_of_us, moved(file, as_of_us, log=col("event_id").hash()).unique("log"))


def moved(file: str, as_of_us: int, **more: pl.Expr) -> pl.LazyFrame:
    """The transfers before `as_of_us`, with the hashes of both keys and both holders, and `more` columns."""
    key = {party: pl.struct("token_id", holder_id=party).hash() for party in ("from_id", "to_id")}
    return (
        pl.scan_parquet(file)
        .with_columns(at=col("at").dt.epoch("us"))
        .filter(col("at") < as_of_us)
        .select(
            "at",
            from_key=key["from_id"],
            to_key=key["to_id"],
            from_holder=col("from_id").hash(),
            to_holder=col("to_id").hash(),
            amount=col("amount").cast(pl.Decimal(38, 18)),
            **more,
        )
    )


def balances(file: str, as_of_us: int, moved: pl.LazyFrame) -> pl.LazyFrame:
    """A key's changes in order of time, summed up; each balance counts until the next change.

    One running sum goes over all keys; what it had before a key's first change is taken off again. Balances
    are decimals: in doubles a key that gave everything away would keep a remainder and count as held.
    """
    once = moved.collect().lazy()
    sides = [
        once.select("at", key=f"{side}_key", holder=f"{side}_holder", delta=sign * col("amount"))
        for side, sign in (("from", -1), ("to", 1))
    ]
    changes = pl.concat(sides).filter(col("holder") != pl.lit(NULL_ADDRESS).hash()).sort("key", "at")
    is_last = col("key") != col("key").shift(-1, fill_value=0)
    before = pl.when(col("key") != col("key").shift(1)).then(col("total").shift(1)).forward_fill()
    stretches = changes.with_columns(
        total=col("delta").cum_sum(),
        length=pl.when(is_last).then(as_of_us).otherwise(col("at").shift(-1)) - col("at"),
    ).select("holder", "length", balance=col("total") - before.fill_null(0))
    held = stretches.filter(col("balance") > 0)
    weighted = held.select("holder", "length", weight=col("balance").cast(pl.Float64))
    return named(file, weighted, "from_id", "to_id")


def main() -> None:
    form = {"W1": equal, "W2": mixed, "W3": nested, "W4": transfers, "W5": repeatable}[QUERY.workload]

    def top() -> list[tuple[str, int, float]]:
        scores = form(QUERY.file, QUERY.as_of_us)
        ranked = scores.sort(["score", "holder_id"], descending=[True, False]).head(QUERY.top)
        return ranked.collect(engine="in-memory").rows()

    def write_scores(path: str) -> None:
        form(QUERY.file, QUERY.as_of_us).collect(engine="in-memory").write_parquet(path)

    answer(QUERY, versions={"polars": pl.__version__}, top=top, write_scores=write_scores)


main()
