-- Transfers that may be repeated: as in chdb_transfers.sql, but a key's changes are made distinct first, told
-- apart by a hash of their event id.
SELECT holder_id, sum(key_held_us) AS held_us, sum(key_score) / 1e6 AS score
FROM (
    WITH
        arraySort(arrayDistinct(groupArray((at_us, delta, log)))) AS changes,
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
        SELECT cityHash64(token_id, side.1) AS key, side.1 AS party, at_us, side.2 AS delta, log
        FROM (
            SELECT token_id, from_id, to_id, toUnixTimestamp64Micro(at) AS at_us, toDecimal128(amount, 18) AS moved,
                   cityHash64(event_id) AS log
            FROM file('{file}', Parquet,
                      'token_id String, from_id String, to_id String,
                       at DateTime64(6), amount String, event_id String')
            WHERE at_us < {as_of_us}
        )
        ARRAY JOIN [(from_id, -moved), (to_id, moved)] AS side
        WHERE side.1 <> '0x0000000000000000000000000000000000000000'
    )
    GROUP BY key
)
GROUP BY holder_id
