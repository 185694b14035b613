-- Transfers: a key's changes in order of time, summed up; each balance counts until the next change. The order
-- within an instant does not matter, because no time passes between its changes. Balances are decimals: in
-- doubles a key that gave everything away would keep a remainder and count as held. Keys and holders travel as
-- 64-bit hashes; the names are joined on at the end.
WITH changes AS (
    SELECT hash(token_id, from_id) AS key, hash(from_id) AS holder, epoch_us("at") AS at_us,
           -amount::DECIMAL(38, 18) AS delta
    FROM '{file}' WHERE from_id <> '0x0000000000000000000000000000000000000000' AND epoch_us("at") < {as_of_us}
    UNION ALL
    SELECT hash(token_id, to_id), hash(to_id), epoch_us("at"), amount::DECIMAL(38, 18)
    FROM '{file}' WHERE to_id <> '0x0000000000000000000000000000000000000000' AND epoch_us("at") < {as_of_us}
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
