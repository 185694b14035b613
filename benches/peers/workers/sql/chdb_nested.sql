-- A weight per event, deep islands: the largest covering weight in O(n log n), key by key, in arrays.
-- A hold covers the points of its key from its start's place to its end's; that run is the union of two blocks
-- of 2^level points, one from its start, one up to its end. Level by level, from the top, a block hands the
-- largest weight seen to its two halves; at level 0 each point knows the weight up to the next point.
-- Weight -1 stands for "not held".
SELECT holder_id, sum(key_held_us) AS held_us, sum(key_score) / 1e6 AS score
FROM (
    WITH
        length(starts) AS holds,
        -- One sortable number per point: the time, doubled, odd where a hold ends.
        arrayConcat(arrayMap(t -> t * 2, starts), arrayMap(t -> t * 2 + 1, ends)) AS unsorted,
        arraySort(unsorted) AS points,
        arraySort((i, p) -> p, arrayEnumerate(unsorted), unsorted) AS origins,
        arraySort((place, i) -> i, arrayEnumerate(origins), origins) AS places,
        arrayMap(
            (first, past) -> toUInt8(floor(log2(past - first))),
            arraySlice(places, 1, holds),
            arraySlice(places, holds + 1, holds)
        ) AS hold_levels,
        arraySort((w, place) -> place, arrayConcat(weights, weights), places) AS point_weights,
        arraySort((l, place) -> place, arrayConcat(hold_levels, hold_levels), places) AS point_levels,
        arrayMap(p -> toUInt8(bitAnd(p, 1)), points) AS is_end,
        arrayFold(
            (largest, level) -> arrayMap(
                (mine, handed) -> greatest(mine, handed),
                arrayMap(
                    (mine, l, e, w, ending) -> greatest(mine, if(l = level AND e = 0, w, -1), ending),
                    largest, point_levels, is_end, point_weights,
                    arrayShiftLeft(
                        arrayMap(
                            (l, e, w) -> if(l = level AND e = 1, w, -1), point_levels, is_end, point_weights
                        ),
                        bitShiftLeft(toUInt32(1), level),
                        -1.
                    )
                ) AS gathered,
                if(
                    level = 0,
                    gathered,
                    arrayShiftRight(gathered, bitShiftLeft(toUInt32(1), greatest(level, 1) - 1), -1.)
                )
            ),
            arrayReverse(range(toUInt8(arrayMax(hold_levels) + 1))),
            arrayWithConstant(2 * holds, -1.)
        ) AS largest,
        arrayMap(
            (w, p, next) -> if(w < 0, 0, bitShiftRight(next, 1) - bitShiftRight(p, 1)),
            largest,
            points,
            arrayPushBack(arrayPopFront(points), 0)
        ) AS lengths
    SELECT
        holder_id,
        arraySum(lengths) AS key_held_us,
        arraySum(arrayMap((l, w) -> l * w, lengths, largest)) AS key_score
    FROM (
        SELECT token_id, holder_id,
               groupArray(start_us) AS starts, groupArray(end_us) AS ends, groupArray(weight) AS weights
        FROM (
            SELECT token_id, holder_id, weight,
                   toUnixTimestamp64Micro(start) AS start_us,
                   least(toUnixTimestamp64Micro(end), {as_of_us}) AS end_us
            FROM file('{file}', Parquet,
                      'token_id String, holder_id String, start DateTime64(6), end DateTime64(6), weight Float64')
            WHERE start_us < {as_of_us}
        )
        GROUP BY token_id, holder_id
    )
)
GROUP BY holder_id
