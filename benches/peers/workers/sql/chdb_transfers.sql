-- Transfers: a key's changes in order of time, summed up; each balance counts until the next change. The order
-- within an instant does not matter, because no time passes between its changes. Balances are Decimal128: in
-- doubles a key that gave everything away would keep a remainder and count as held. Keys are told apart by a
-- 64-bit hash, which is faster to group by than two texts.
SELECT holder_id, sum(key_held_us) AS held_us, sum(key_score) / 1e6 AS score
FROM (
    WITH
        arraySort(groupArray((at_us, delta))) AS changes,
        arrayCumSum(changes.2) AS balances,
        arrayMap(
            (at, next) -> next - at, changes.1, arrayPushBack(arrayPopFront(changes.1), {as_of_us})
        ) AS lengths
    SELECT
        any(party) AS holder_id,
        arraySum((length, balance) -> if(balance > 0, length, 0), lengths, balances) AS key_held_us,
        arraySum(
            (length, balance) -> if(balance > 0, length * toFloat64(balance), 0), lengths, balances
        ) AS key_score
    FROM (
        SELECT cityHash64(token_id, side.1) AS key, side.1 AS party, at_us, side.2 AS delta
        FROM (
            SELECT token_id, from_id, to_id, toUnixTimestamp64Micro(at) AS at_us, toDecimal128(amount, 18) AS moved
            FROM file('{file}', Parquet,
                      'token_id String, from_id String, to_id String, at DateTime64(6), amount String')
            WHERE at_us < {as_of_us}
        )
        ARRAY JOIN [(from_id, -moved), (to_id, moved)] AS side
        WHERE side.1 <> '0x0000000000000000000000000000000000000000'
    )
    GROUP BY key
)
GROUP BY holder_id
