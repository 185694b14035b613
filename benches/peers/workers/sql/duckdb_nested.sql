-- A weight per event, deep islands: the largest covering weight in O(n log n), key by key, in lists.
-- A hold covers the points of its key from its start's place to its end's; that run is the union of two blocks
-- of 2^level points, one from its start, one up to its end. Level by level, from the top, a block hands the
-- largest weight seen to its two halves; at level 0 each point knows the weight up to the next point.
-- The steps between `keys` and `halved_0` are written by the worker, one pair per level.
-- Keys and holders travel as 64-bit hashes; null stands for "not held".
WITH events AS (
    SELECT row_number() OVER () AS hold, hash(token_id, holder_id) AS key, hash(holder_id) AS holder, weight,
           epoch_us(start) AS start_us, least(epoch_us("end"), {as_of_us}) AS end_us
    FROM '{file}' WHERE epoch_us(start) < {as_of_us}
),
points AS (
    SELECT key, holder, hold, weight, at_us, is_end, row_number() OVER along AS place
    FROM (
        SELECT key, holder, hold, weight,
               unnest([start_us, end_us]) AS at_us, unnest([false, true]) AS is_end
        FROM events
    )
    WINDOW along AS (PARTITION BY key ORDER BY at_us, is_end)
),
hold_levels AS (
    SELECT hold, floor(log2(max(place) - min(place)))::INT AS level FROM points GROUP BY hold
),
keys AS (
    SELECT any_value(holder) AS holder,
           list(at_us ORDER BY place) AS times,
           list(level ORDER BY place) AS levels,
           list(CASE WHEN NOT is_end THEN weight END ORDER BY place) AS starting,
           list(CASE WHEN is_end THEN weight END ORDER BY place) AS ending,
           list(NULL::DOUBLE) AS largest
    FROM points JOIN hold_levels USING (hold) GROUP BY key
),
{levels}
stretches AS (
    SELECT holder, unnest(largest) AS weight,
           unnest(list_transform(times, lambda t, i: times[i + 1] - t)) AS length_us
    FROM halved_0
),
sums AS (
    SELECT holder, sum(length_us) AS held_us, sum(length_us * weight) / 1e6 AS score
    FROM stretches WHERE weight IS NOT NULL GROUP BY holder
)
SELECT holder_id, held_us, score
FROM sums JOIN (SELECT hash(holder_id) AS holder, any_value(holder_id) AS holder_id FROM '{file}' GROUP BY 1)
USING (holder)
