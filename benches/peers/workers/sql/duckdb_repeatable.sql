-- Transfers that may be repeated: as in duckdb_transfers.sql, but one row is taken for each hash of an event id
-- first.
WITH transfers AS MATERIALIZED (
    SELECT any_value(hash(token_id, from_id)) AS from_key, any_value(hash(from_id)) AS from_holder,
           any_value(hash(token_id, to_id)) AS to_key, any_value(hash(to_id)) AS to_holder,
           any_value(epoch_us("at")) AS at_us, any_value(amount::DECIMAL(38, 18)) AS moved
    FROM '{file}' WHERE epoch_us("at") < {as_of_us} GROUP BY hash(event_id)
),
changes AS (
    SELECT from_key AS key, from_holder AS holder, at_us, -moved AS delta FROM transfers
    WHERE from_holder <> hash('0x0000000000000000000000000000000000000000')
    UNION ALL
    SELECT to_key, to_holder, at_us, moved FROM transfers
    WHERE to_holder <> hash('0x0000000000000000000000000000000000000000')
),
stretches AS (
    SELECT holder, lead(at_us, 1, {as_of_us}) OVER by_time - at_us AS length_us,
           sum(delta) OVER (by_time ROWS UNBOUNDED PRECEDING) AS balance
    FROM changes WINDOW by_time AS (PARTITION BY key ORDER BY at_us)
),
sums AS (
    SELECT holder, sum(length_us) AS held_us, sum(length_us * balance::DOUBLE) / 1e6 AS score
    FROM stretches WHERE balance > 0 AND length_us > 0 GROUP BY holder
)
SELECT holder_id, held_us, score
FROM sums JOIN (
    SELECT hash(party) AS holder, any_value(party) AS holder_id
    FROM (SELECT from_id AS party FROM '{file}' UNION ALL SELECT to_id FROM '{file}') GROUP BY 1
)
USING (holder)
