-- One weight per token: after a sort by key and start, each hold adds what reaches past the ones before it.
-- Keys and holders travel as 64-bit hashes; the names are joined on at the end.
WITH events AS (
    SELECT hash(token_id, holder_id) AS key, hash(holder_id) AS holder, weight,
           epoch_us(start) AS start_us, least(epoch_us("end"), {as_of_us}) AS end_us
    FROM '{file}' WHERE epoch_us(start) < {as_of_us}
),
reached AS (
    SELECT holder, weight, start_us, end_us, max(end_us) OVER earlier AS reach_us
    FROM events
    WINDOW earlier AS (PARTITION BY key ORDER BY start_us ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
stretches AS (
    SELECT holder, weight, greatest(end_us - greatest(start_us, coalesce(reach_us, start_us)), 0) AS length_us
    FROM reached
),
sums AS (
    SELECT holder, sum(length_us) AS held_us, sum(length_us * weight) / 1e6 AS score
    FROM stretches GROUP BY holder
)
SELECT holder_id, held_us, score
FROM sums JOIN (SELECT hash(holder_id) AS holder, any_value(holder_id) AS holder_id FROM '{file}' GROUP BY 1)
USING (holder)
