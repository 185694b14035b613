-- One weight per token: the length of the union of a key's holds, times the weight.
SELECT holder_id, sum(length_us) AS held_us, sum(length_us * key_weight) / 1e6 AS score
FROM (
    SELECT token_id, holder_id, intervalLengthSum(start_us, end_us) AS length_us, any(weight) AS key_weight
    FROM (
        SELECT token_id, holder_id, weight,
               toUnixTimestamp64Micro(start) AS start_us,
               least(toUnixTimestamp64Micro(end), {as_of_us}) AS end_us
        -- Naming the types keeps the columns from being Nullable, which costs a tenth.
        FROM file('{file}', Parquet,
                  'token_id String, holder_id String, start DateTime64(6), end DateTime64(6), weight Float64')
        WHERE start_us < {as_of_us}
    )
    GROUP BY token_id, holder_id
)
GROUP BY holder_id
