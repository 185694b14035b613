-- A weight per event: the integral of the largest covering weight, key by key, in arrays.
-- A key's starts and ends, sorted, are counted up and down; where the count rises from 0 a new island of
-- overlapping holds begins. A hold alone in its island counts as it is; in the others every stretch between
-- two neighbouring points takes the largest weight among the holds of the island that cover it.
SELECT holder_id, sum(key_held_us) AS held_us, sum(key_score) / 1e6 AS score
FROM (
    WITH
        arraySort((hold, start_us) -> start_us, arrayZip(starts, ends, weights), starts) AS holds,
        -- One sortable number per point: the time, doubled, odd where a hold starts.
        arraySort(arrayConcat(arrayMap(t -> t * 2 + 1, starts), arrayMap(t -> t * 2, ends))) AS points,
        arrayMap(p -> bitAnd(p, 1)::UInt8, points) AS is_start,
        arrayCumSum(arrayMap(f -> (2 * f - 1)::Int64, is_start)) AS depth,
        arrayFilter((first, f) -> f, arrayMap((d, f) -> d = 1 AND f, depth, is_start), is_start) AS is_first
    SELECT
        holder_id,
        arraySplit((hold, first) -> first, holds, is_first) AS islands,
        arrayFlatten(arrayFilter(island -> length(island) = 1, islands)) AS alone,
        arrayMap(
            island -> (arraySort(arrayDistinct(arrayConcat(island.1, island.2))), island),
            arrayFilter(island -> length(island) > 1, islands)
        ) AS crowded,
        arrayFlatten(arrayMap(
            crowd -> arrayMap(
                (low, high) -> (
                    high - low,
                    (high - low) * arrayMax(hold -> if(hold.1 <= low AND hold.2 >= high, hold.3, 0), crowd.2)
                ),
                arrayPopBack(crowd.1),
                arrayPopFront(crowd.1)
            ),
            crowded
        )) AS stretches,
        arraySum(alone.2) - arraySum(alone.1) + arraySum(stretches.1) AS key_held_us,
        arraySum(hold -> (hold.2 - hold.1) * hold.3, alone) + arraySum(stretches.2) AS key_score
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
