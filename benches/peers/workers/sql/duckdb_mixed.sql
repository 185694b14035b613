-- A weight per event, small islands of overlapping holds: a hold alone in its island counts as it is; an
-- island of several becomes lists, and each stretch between two neighbouring points takes the largest weight
-- among the island's holds that cover it. Keys and holders travel as 64-bit hashes.
WITH events AS (
    SELECT hash(token_id, holder_id) AS key, hash(holder_id) AS holder, weight,
           epoch_us(start) AS start_us, least(epoch_us("end"), {as_of_us}) AS end_us
    FROM '{file}' WHERE epoch_us(start) < {as_of_us}
),
marked AS MATERIALIZED (
    SELECT key, holder, weight, start_us, end_us,
           coalesce(start_us >= max(end_us) OVER earlier, true) AS is_first,
           coalesce(lead(start_us) OVER earlier, 9223372036854775807) AS next_us
    FROM events
    WINDOW earlier AS (PARTITION BY key ORDER BY start_us ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
crowded AS (
    SELECT key, holder, weight, start_us, end_us,
           -- At equal starts the first of the island must come first here too.
           sum(is_first::INT) OVER (
               PARTITION BY key ORDER BY start_us, is_first DESC ROWS UNBOUNDED PRECEDING
           )::INT AS island
    FROM marked WHERE NOT (is_first AND next_us >= end_us)
),
islands AS (
    SELECT any_value(holder) AS holder, list(start_us) AS starts, list(end_us) AS ends, list(weight) AS weights,
           list_sort(list_distinct(list(start_us) || list(end_us))) AS points
    FROM crowded GROUP BY key, island
),
spans AS (
    SELECT holder, starts, ends, weights, unnest(points[1:-2]) AS low, unnest(points[2:]) AS high FROM islands
),
stretches AS (
    SELECT holder, high - low AS length_us,
           list_max(list_transform(
               weights, lambda w, i: CASE WHEN starts[i] <= low AND ends[i] >= high THEN w END
           )) AS weight
    FROM spans
    UNION ALL
    SELECT holder, end_us - start_us, weight FROM marked WHERE is_first AND next_us >= end_us
),
sums AS (
    SELECT holder, sum(length_us) AS held_us, sum(length_us * weight) / 1e6 AS score
    FROM stretches GROUP BY holder
)
SELECT holder_id, held_us, score
FROM sums JOIN (SELECT hash(holder_id) AS holder, any_value(holder_id) AS holder_id FROM '{file}' GROUP BY 1)
USING (holder)
