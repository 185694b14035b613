//! Known feeds: each export is read as it lies, and says what it is read as.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, RecordBatch, StringArray, UInt32Array,
    UInt64Array,
};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use crate::support::{Folder, run};

const AS_OF: &str = "2021-05-03T00:00:00Z";
const NONE: &str = "0x0000000000000000000000000000000000000000";
const A: &str = "0x00000000000000000000000000000000000000aa";
const B: &str = "0x00000000000000000000000000000000000000bb";
const GOLD: &str = "0x0000000000000000000000000000000000009999";
/// Blocks 1 and 2 are one day apart.
pub(crate) const BLOCKS: &str = "number,timestamp\n1,1619827200\n2,1619913600\n";

/// The answer of `score` on one file.
fn answer(folder: &Folder, name: &str, bytes: impl AsRef<[u8]>, options: &[&str]) -> Value {
    let file = folder.file(name, bytes);
    let file = file.to_str().expect("a path of text");
    let arguments = ["score", file, "--as-of", AS_OF, "--format", "json"];
    run(arguments.iter().chain(options)).json()
}

/// Its holders and scores, and the feed.
fn scores(folder: &Folder, name: &str, bytes: impl AsRef<[u8]>, options: &[&str]) -> String {
    let answer = answer(folder, name, bytes, options);
    assert_eq!(answer["deficits"], 0);
    let feed = answer["recognised"][0]["feed"].as_str().expect("a feed");
    let holders = answer["holders"].as_array().expect("a list").iter();
    let texts = holders.map(|row| {
        let (holder, score) = (row["holder_id"].as_str(), row["score"].as_str());
        format!(" {} {}", &holder.expect("text")[40..], score.expect("text"))
    });
    format!("{feed}:{}", texts.collect::<String>())
}

/// The sentence with which a file is refused.
fn refusal(folder: &Folder, name: &str, bytes: impl AsRef<[u8]>, options: &[&str]) -> String {
    let path = folder.file(name, bytes);
    let file = path.to_str().expect("a path of text");
    let arguments = ["score", file, "--as-of", AS_OF];
    let answer = run(arguments.iter().chain(options));
    answer.error(2).replace(file, name)
}

/// A new file, as an argument names it.
fn path(folder: &Folder, name: &str, bytes: &str) -> String {
    let path = folder.file(name, bytes);
    path.to_str().expect("a path of text").to_owned()
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let columns = columns
        .into_iter()
        .map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length");
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("a schema");
    writer.write(&batch).expect("memory takes it");
    writer.close().expect("memory takes it");
    bytes
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn bytes_of(values: &[&str]) -> ArrayRef {
    let bytes: Vec<_> = values
        .iter()
        .map(|hex| hex::decode(hex.trim_start_matches("0x")).expect("digits"))
        .collect();
    Arc::new(BinaryArray::from_iter_values(bytes))
}

fn word(digits: &str) -> String {
    format!("0x{:0>64}", digits.trim_start_matches("0x"))
}

/// 3 tokens of 18 decimals to a on the first day, 1 of them to b on the second: a has 3 + 2 days, b has 1.
const DAYS: &str = " aa 432000 bb 86400";

#[test]
fn ethereum_etl_needs_blocks_and_the_kind() {
    let folder = Folder::new();
    let blocks = path(&folder, "blocks.csv", BLOCKS);
    let etl = format!(
        "token_address,from_address,to_address,value,transaction_hash,log_index,block_number\n\
         {GOLD},{NONE},{A},3000000000000000000,0x01,0,1\n{GOLD},{A},{B},1000000000000000000,0x02,7,2\n\
         {GOLD},{A},{B},1000000000000000000,0x02,7,2\n"
    );
    let options = [
        "--blocks",
        &blocks,
        "--token-kind",
        "erc20",
        "--decimals",
        "18",
    ];
    assert_eq!(
        scores(&folder, "t.csv", &etl, &options),
        format!("ethereum-etl:{DAYS}")
    );
    let old = etl.replace("transaction_hash", "tx_hash");
    assert_eq!(
        scores(&folder, "old.csv", &old, &options),
        format!("ethereum-etl:{DAYS}")
    );
    assert_eq!(
        refusal(&folder, "t.csv", &etl, &["--blocks", &blocks]),
        "t.csv: read as ethereum-etl: value is an amount of ERC-20 tokens or the number of an ERC-721 token; say \
         which with --token-kind erc20 or --token-kind erc721"
    );
    assert_eq!(
        refusal(&folder, "t.csv", &etl, &["--token-kind", "erc20"]),
        "t.csv: read as ethereum-etl: it has the numbers of blocks, but no times; add --blocks FILE, with columns \
         number and timestamp"
    );
    let first = path(&folder, "first.csv", "number,timestamp\n1,1619827200\n");
    let options = [
        "--blocks",
        &first,
        "--token-kind",
        "erc20",
        "--decimals",
        "18",
    ];
    let refused = refusal(&folder, "t.csv", &etl, &options);
    assert_eq!(
        refused.replace(&first, "first.csv"),
        "t.csv: line 3: at: block 2 is not in first.csv; add it, or name a file with --blocks that has it"
    );
    // As the number of a token, value makes a token of its own.
    let options = ["--blocks", &blocks, "--token-kind", "erc721"];
    let numbers = etl
        .replace("3000000000000000000", "7")
        .replace("1000000000000000000", "7");
    assert_eq!(
        scores(&folder, "nft.csv", &numbers, &options),
        "ethereum-etl: aa 86400 bb 86400"
    );
}

#[test]
fn bigquery_and_spice_have_times_of_their_own() {
    let folder = Folder::new();
    let options = ["--token-kind", "erc20", "--decimals", "18"];
    let header =
        "token_address,from_address,to_address,value,transaction_hash,log_index,block_timestamp";
    let bigquery = format!(
        "{header},block_number,block_hash\n{GOLD},{NONE},{A},3000000000000000000,0x01,0,2021-05-01 00:00:00 UTC,1,0xb\n\
         {GOLD},{A},{B},1000000000000000000,0x02,7,2021-05-02 00:00:00 UTC,2,0xb\n"
    );
    assert_eq!(
        scores(&folder, "t.csv", bigquery, &options),
        format!("bigquery:{DAYS}")
    );
    let spice = format!(
        "{header}\n{GOLD},{NONE},{A},3000000000000000000,0x01,0,1619827200\n\
         {GOLD},{A},{B},1000000000000000000,0x02,7,1619913600\n"
    );
    assert_eq!(
        scores(&folder, "s.csv", &spice, &options),
        format!("spice:{DAYS}")
    );
    let named = ["--input-format", "spice", "--decimals", "18"];
    assert_eq!(
        scores(&folder, "s.csv", &spice, &named),
        format!("spice:{DAYS}")
    );
}

#[test]
fn cryo_is_read_binary_and_as_text_and_never_by_its_doubles() {
    let folder = Folder::new();
    let blocks = path(&folder, "blocks.csv", BLOCKS);
    let values = [&word("29a2241af62c0000")[..], &word("de0b6b3a7640000")];
    let columns = |values: Vec<(&'static str, ArrayRef)>, padded: bool| {
        let party = |address: &str| {
            if padded {
                word(address)
            } else {
                address.to_owned()
            }
        };
        let parties = |list: [&str; 2]| list.map(party);
        let (from, to) = (parties([NONE, A]), parties([A, B]));
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("block_number", Arc::new(UInt32Array::from(vec![1, 2]))),
            ("log_index", Arc::new(UInt32Array::from(vec![0, 7]))),
            ("transaction_hash", bytes_of(&[&word("1"), &word("2")])),
            ("erc20", bytes_of(&[GOLD, GOLD])),
            (
                "from_address",
                bytes_of(&from.each_ref().map(|text| &**text)),
            ),
            ("to_address", bytes_of(&to.each_ref().map(|text| &**text))),
            ("chain_id", Arc::new(UInt64Array::from(vec![1, 1]))),
        ];
        columns.extend(values);
        parquet(columns)
    };
    let doubles = || {
        (
            "value_f64",
            Arc::new(Float64Array::from(vec![3e18, 1e18])) as ArrayRef,
        )
    };
    let options = ["--blocks", &blocks, "--decimals", "18"];
    let all = columns(vec![("value_binary", bytes_of(&values)), doubles()], false);
    assert_eq!(
        scores(&folder, "t.parquet", all, &options),
        format!("cryo:{DAYS}")
    );
    let whole = texts(&["3000000000000000000", "1000000000000000000"]);
    let padded = columns(vec![("value_string", whole)], true);
    assert_eq!(
        scores(&folder, "p.parquet", padded, &options),
        format!("cryo:{DAYS}")
    );
    assert_eq!(
        refusal(
            &folder,
            "d.parquet",
            columns(vec![doubles()], false),
            &options
        ),
        "d.parquet: read as cryo: column value_f64 has doubles, which do not hold all digits; export value_string or \
         value_binary and use that"
    );
    let numbers = ("token_id_string", texts(&["7", "7"]));
    let nft = columns(vec![numbers], false);
    assert_eq!(
        scores(&folder, "n.parquet", nft, &options[..2]),
        "cryo: aa 86400 bb 86400"
    );
}

/// Logs of one ERC-20 transfer, one withdrawn one, one ERC-721, one batch of ERC-1155, one approval.
pub(crate) fn hypersync() -> Vec<u8> {
    const TRANSFER: &str = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
    const BATCH: &str = "4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb";
    let topic = |texts: [Option<&str>; 5]| {
        let bytes =
            texts.map(|text| text.map(|text| hex::decode(&word(text)[2..]).expect("digits")));
        Arc::new(BinaryArray::from_iter(bytes)) as ArrayRef
    };
    let batch =
        ["40", "a0", "2", "5", "6", "2", "3", "4"].map(|digits| word(digits)[2..].to_owned());
    let data = [
        word("de0b6b3a7640000"),
        word("de0b6b3a7640000"),
        "0x".to_owned(),
        batch.concat(),
        word("1"),
    ];
    parquet(vec![
        (
            "removed",
            Arc::new(BooleanArray::from(vec![false, true, false, false, false])),
        ),
        (
            "log_index",
            Arc::new(UInt64Array::from(vec![0, 1, 2, 3, 4])),
        ),
        (
            "transaction_hash",
            bytes_of(&[&word("1"), &word("1"), &word("1"), &word("2"), &word("2")]),
        ),
        (
            "block_number",
            Arc::new(UInt64Array::from(vec![1, 1, 1, 2, 2])),
        ),
        ("address", bytes_of(&[GOLD; 5])),
        ("data", bytes_of(&data.each_ref().map(|text| &**text))),
        (
            "topic0",
            topic([
                Some(TRANSFER),
                Some(TRANSFER),
                Some(TRANSFER),
                Some(BATCH),
                Some("8c5b"),
            ]),
        ),
        (
            "topic1",
            topic([Some("0"), Some("0"), Some("0"), Some("cc"), Some(A)]),
        ),
        (
            "topic2",
            topic([Some(A), Some(A), Some(B), Some("0"), Some(B)]),
        ),
        ("topic3", topic([None, None, Some("9"), Some(B), None])),
    ])
}

#[test]
fn raw_logs_are_decoded_and_withdrawn_ones_are_left_out() {
    let folder = Folder::new();
    let blocks = parquet(vec![
        ("number", Arc::new(UInt64Array::from(vec![1, 2]))),
        ("timestamp", bytes_of(&["608c9a00", "608deb80"])),
    ]);
    let blocks = folder.file("blocks.parquet", blocks);
    let blocks = blocks.to_str().expect("a path of text");
    let options = ["--blocks", blocks, "--decimals", "18"];
    // b: one numbered token for two days, and 7e-18 of two others for one.
    assert_eq!(
        scores(&folder, "logs.parquet", hypersync(), &options),
        "hypersync: bb 172800.0000000000006048 aa 172800"
    );
    let found = answer(&folder, "logs.parquet", hypersync(), &options);
    assert_eq!((&found["read"], &found["accepted"]), (&4.into(), &4.into()));
    assert_eq!(found["recognised"][0]["left_out"], 2);
    let nfts = ["--blocks", blocks, "--token-kind", "erc721"];
    assert_eq!(
        scores(&folder, "logs.parquet", hypersync(), &nfts),
        "hypersync: bb 172800"
    );
    let amounts = ["--blocks", blocks, "--token-kind", "erc1155"];
    assert_eq!(
        scores(&folder, "logs.parquet", hypersync(), &amounts),
        "hypersync: bb 604800"
    );
}

#[test]
fn dune_is_read_by_raw_amounts_and_by_log_or_trace() {
    let folder = Folder::new();
    let dune = format!(
        "blockchain,block_time,block_number,tx_hash,evt_index,trace_address,token_standard,from,to,contract_address,\
         amount_raw,amount\n\
         ethereum,2021-05-01 00:00:00.000 UTC,1,0x01,0,,erc20,{NONE},{A},{GOLD},3000000000000000000,3.0\n\
         ethereum,2021-05-02 00:00:00.000 UTC,2,0x02,,\"[0,1]\",native,{A},{B},{GOLD},1000000000000000000,1.0\n\
         ethereum,2021-05-02 00:00:00.000 UTC,2,0x02,,\"[0,1]\",native,{A},{B},{GOLD},1000000000000000000,1.0\n"
    );
    let options = ["--decimals", "18"];
    assert_eq!(
        scores(&folder, "d.csv", &dune, &options),
        format!("dune:{DAYS}")
    );
    let doubles = dune.replace("amount_raw", "amount_usd");
    assert_eq!(
        refusal(&folder, "d.csv", doubles, &options),
        "d.csv: read as dune: column amount has doubles, which do not hold all digits; export amount_raw and use that"
    );
    let nft = format!(
        "block_time,tx_hash,evt_index,token_standard,from,to,contract_address,token_id,amount\n\
         2021-05-01 00:00:00.000 UTC,0x01,0,erc721,{NONE},{A},{GOLD},5,1\n\
         2021-05-02 00:00:00.000 UTC,0x02,0,erc1155,{NONE},{B},{GOLD},6,10\n"
    );
    assert_eq!(
        scores(&folder, "n.csv", &nft, &[]),
        "dune: bb 864000 aa 172800"
    );
    let one = ["--token-kind", "erc721"];
    let found = answer(&folder, "n.csv", &nft, &one);
    assert_eq!(
        (&found["read"], &found["recognised"][0]["left_out"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn allium_is_read_by_its_text_alone() {
    let folder = Folder::new();
    let allium = format!(
        "from_address,to_address,token_address,raw_amount,raw_amount_str,transaction_hash,log_index,block_timestamp,unique_id\n\
         {NONE},{A},{GOLD},3e18,3000000000000000000,0x01,0,2021-05-01T00:00:00,u1\n\
         {A},{B},{GOLD},1e18,1000000000000000000,0x02,3,2021-05-02T00:00:00,u2\n"
    );
    let options = ["--decimals", "18"];
    assert_eq!(
        scores(&folder, "a.csv", &allium, &options),
        format!("allium:{DAYS}")
    );
    assert_eq!(
        refusal(
            &folder,
            "a.csv",
            allium.replace("raw_amount_str", "other"),
            &options
        ),
        "a.csv: read as allium: column raw_amount has doubles, which do not hold all digits; export raw_amount_str \
         and use that"
    );
}

#[test]
fn an_explorer_counts_whole_tokens_and_equal_rows_are_two_transfers() {
    let folder = Folder::new();
    let header = "\"Transaction Hash\",\"Blockno\",\"UnixTimestamp\",\"DateTime (UTC)\",\"From\",\"To\",\"Quantity\",\"Method\"";
    let row = |hash: &str, time: &str, from: &str, to: &str, quantity: &str| {
        format!(
            "\"{hash}\",\"1\",\"{time}\",\"2021-05-01 00:00:00\",\"{from}\",\"{to}\",\"{quantity}\",\"Transfer\"\n"
        )
    };
    let mint = row("0x01", "1619827200", NONE, A, "1,000.5");
    let move_ = row("0x02", "1619913600", A, B, "250");
    let page = format!("{header}\n{mint}{move_}{move_}");
    // a: 1000.5 for a day and 500.5 for another, b: 500 for a day.
    assert_eq!(
        scores(&folder, "page.csv", &page, &[]),
        "etherscan: aa 129686400 bb 43200000"
    );
    // The same export again is the same set.
    let file = path(&folder, "page.csv", &page);
    let again = path(&folder, "again.csv", &page);
    let arguments = [
        "score", &file, &again, "--token", "Q", "--as-of", AS_OF, "--format", "json",
    ];
    let both = run(arguments).json();
    assert_eq!(both["holders"][1]["score"], "43200000");
    let said = run(["score", &file, "--as-of", AS_OF]).stderr;
    assert!(
        said.ends_with(
            "page.csv: read as etherscan; its token is the file's name, name it with --token\n"
        ),
        "{said}"
    );
    assert_eq!(
        refusal(&folder, "page.csv", &page, &["--decimals", "18"]),
        "page.csv: read as etherscan: its amounts are whole tokens already; leave out --decimals"
    );
    let euro = page.replace("1,000.5", "1.000,5");
    let refused = refusal(&folder, "euro.csv", euro, &[]);
    assert!(
        refused.contains("euro.csv: line 2: amount: not a number"),
        "{refused}"
    );
    let account = format!(
        "Txhash,Blockno,UnixTimestamp,DateTime (UTC),From,To,TokenValue,USDValueDayOfTx,ContractAddress,TokenName,\
         TokenSymbol\n0x01,1,1619827200,2021-05-01 00:00:00,{NONE},{A},2,$1,{GOLD},Gold,GLD\n"
    );
    assert_eq!(
        scores(&folder, "account.csv", account, &[]),
        "etherscan: aa 345600"
    );
}

#[test]
fn alchemy_is_read_by_its_raw_values() {
    let folder = Folder::new();
    let line = |id: &str, block: &str, time: &str, from: &str, to: &str, rest: &str| {
        format!(
            "{{\"blockNum\":\"{block}\",\"uniqueId\":\"{id}\",\"hash\":\"0x01\",\"from\":\"{from}\",\"to\":{to},\
             \"value\":0.1,{rest},\"metadata\":{{\"blockTimestamp\":\"{time}\"}}}}\n"
        )
    };
    let raw = |value: &str, category: &str| {
        format!(
            "\"rawContract\":{{\"value\":{value},\"address\":\"{GOLD}\",\"decimal\":\"0x12\"}},\"category\":\"{category}\""
        )
    };
    let (day, next) = ("2021-05-01T00:00:00.000Z", "2021-05-02T00:00:00.000Z");
    let (to_a, to_b) = (format!("\"{A}\""), format!("\"{B}\""));
    let fungible = [
        line(
            "0x01:log:0x0",
            "0x1",
            day,
            NONE,
            &to_a,
            &raw("\"0x29a2241af62c0000\"", "erc20"),
        ),
        line(
            "0x02:log:0x1",
            "0x2",
            next,
            A,
            &to_b,
            &raw("\"0x0de0b6b3a7640000\"", "erc20"),
        ),
    ]
    .concat();
    assert_eq!(
        scores(&folder, "a.jsonl", &fungible, &[]),
        format!("alchemy:{DAYS}")
    );
    let listed = path(
        &folder,
        "decimals.csv",
        &format!(
            "token_address,decimals\n{},17\n",
            GOLD.to_uppercase().replace("0X", "0x")
        ),
    );
    let options = ["--decimals-file", &listed];
    assert_eq!(
        scores(&folder, "a.jsonl", &fungible, &options),
        "alchemy: aa 4320000 bb 864000"
    );
    let batch = "\"erc1155Metadata\":[{\"tokenId\":\"0x5\",\"value\":\"0x2\"},{\"tokenId\":\"0x6\",\"value\":\"0x3\"}],\
                 \"rawContract\":{\"value\":null,\"address\":\"0x77\",\"decimal\":null},\"category\":\"erc1155\"";
    let single = "\"tokenId\":\"0x5\",\"rawContract\":{\"value\":null,\"address\":\"0x78\",\"decimal\":null},\
                  \"category\":\"erc721\"";
    let others = [
        line("u1", "0x1", day, NONE, &to_a, batch),
        line("u2", "0x1", day, NONE, &to_b, single),
        line("u3", "0x2", next, B, "null", &raw("\"0x0\"", "external")),
    ]
    .concat();
    // a: 5 for two days; b: 1 for two days.
    assert_eq!(
        scores(&folder, "o.jsonl", &others, &[]),
        "alchemy: aa 864000 bb 172800"
    );
    let found = answer(&folder, "o.jsonl", &others, &[]);
    assert_eq!(found["read"], 4);
}

#[test]
fn staking_adds_deposits_and_takes_withdrawals() {
    let folder = Folder::new();
    let log = format!(
        "user,amount,event,timestamp,txHash,logIndex\n{A},2000000000000000000,Staked,1619827200,0x01,0\n\
         {A},1000000000000000000,Withdrawn,1619913600,0x02,0\n{A},5,RewardPaid,1619913600,0x02,1\n"
    );
    let options = ["--decimals", "18", "--token", "stake"];
    assert_eq!(
        scores(&folder, "s.csv", &log, &options),
        "staking: aa 259200"
    );
    assert_eq!(
        answer(&folder, "s.csv", &log, &options)["recognised"][0]["left_out"],
        1
    );
}

#[test]
fn other_tables_of_transfers_are_read_if_they_are_named() {
    let folder = Folder::new();
    let blocks = path(&folder, "blocks.csv", BLOCKS);
    let table = format!(
        "from,to,value,block,tx_hash\n{NONE},{A},3000000000000000000,1,0x01\n{A},{B},1000000000000000000,2,0x02\n"
    );
    let options = [
        "--input-format",
        "transfers",
        "--token-kind",
        "erc20",
        "--blocks",
        &blocks,
        "--decimals",
        "18",
    ];
    assert_eq!(
        scores(&folder, "t.csv", &table, &options),
        format!("transfers:{DAYS}")
    );
    let timed = format!(
        "from_address,to_address,token_id,time\n{NONE},{A},5,2021-05-01 00:00:00.000 UTC\n{A},{B},5,2021-05-02 00:00:00.000 UTC\n"
    );
    assert_eq!(
        scores(
            &folder,
            "n.csv",
            timed,
            &["--input-format", "transfers", "--token", "aeon"]
        ),
        "transfers: aa 86400 bb 86400"
    );
}

#[test]
fn what_cannot_be_exact_is_refused() {
    let folder = Folder::new();
    let header =
        "token_address,from_address,to_address,value,transaction_hash,log_index,block_timestamp";
    let row = |value: &str| format!("{header}\n{GOLD},{NONE},{A},{value},0x01,0,1619827200\n");
    let options = ["--token-kind", "erc20", "--decimals", "18"];
    assert_eq!(
        refusal(&folder, "e.csv", row("3e+18"), &options),
        "e.csv: line 2: amount: \"3e+18\" is not a whole number of base units; export it as text, an integer or \
         hexadecimal digits"
    );
    let columns = |value: ArrayRef| {
        parquet(vec![
            ("token_address", texts(&[GOLD])),
            ("from_address", texts(&[NONE])),
            ("to_address", texts(&[A])),
            ("value", value),
            ("transaction_hash", texts(&["0x01"])),
            ("log_index", Arc::new(UInt64Array::from(vec![0]))),
            (
                "block_timestamp",
                Arc::new(UInt64Array::from(vec![1_619_827_200])),
            ),
        ])
    };
    let doubles = columns(Arc::new(Float64Array::from(vec![3e18])));
    assert_eq!(
        refusal(&folder, "d.parquet", doubles, &options),
        "d.parquet: column value has type Float64, but text, binary, an integer or a decimal, which hold all digits, \
         is needed"
    );
    let listed = path(&folder, "decimals.csv", "token,decimals\n0x01,18\n");
    let refused = refusal(
        &folder,
        "l.csv",
        row("3"),
        &["--token-kind", "erc20", "--decimals-file", &listed],
    );
    assert_eq!(
        refused.replace(&listed, "decimals.csv"),
        format!(
            "l.csv: line 2: amount: token {} is not in decimals.csv; add it, or give --decimals for tokens that are \
             not listed",
            "\"0x00000000000000000000000000000000000099\"..."
        )
    );
    let twice = path(
        &folder,
        "twice.csv",
        "number,timestamp\n1,1619827200\n1,1619827201\n",
    );
    let refused = refusal(&folder, "e.csv", row("3"), &["--blocks", &twice]);
    assert_eq!(
        refused.replace(&twice, "twice.csv"),
        "--blocks: twice.csv: read as times of blocks: block 1 has two times, 2021-05-01T00:00:00Z and \
         2021-05-01T00:00:01Z; keep one of them"
    );
    let own = [
        "--input-format",
        "spice",
        "--columns",
        "holder_id=to_address",
    ];
    assert_eq!(
        refusal(&folder, "e.csv", row("3"), &own),
        "e.csv: read as spice: its columns are known; leave out --columns, or leave out --input-format and map them \
         yourself"
    );
}

#[test]
fn blocks_and_decimals_are_looked_up_for_mapped_columns_too() {
    let folder = Folder::new();
    let blocks = path(
        &folder,
        "blocks.jsonl",
        "{\"block_number\":1,\"block_timestamp\":\"2021-05-01 00:00:00 UTC\"}\n{\"block_number\":2,\"block_timestamp\":1619913600}\n",
    );
    let decimals = path(&folder, "decimals.csv", "token_id,decimals\nA,2\nB,3\n");
    let options = [
        "--columns",
        "holder_id=who,start=from_block,end=to_block,weight=size",
        "--blocks",
        &blocks,
        "--decimals-file",
        &decimals,
    ];
    let scored = |name: &str, bytes: &[u8]| {
        let answer = answer(&folder, name, bytes, &options);
        assert_eq!(answer["recognised"], Value::Null);
        answer["holders"][0]["score"]
            .as_str()
            .expect("text")
            .to_owned()
    };
    let csv =
        b"token_id,who,from_block,to_block,size\nA,x,1,2,200\nB,x,1,2021-05-02T00:00:00Z,200\n";
    assert_eq!(scored("m.csv", csv), "190080");
    let lines = b"{\"token_id\":\"A\",\"who\":\"x\",\"from_block\":1,\"to_block\":\"2\",\"size\":200}\n\
                  {\"token_id\":\"B\",\"who\":\"x\",\"from_block\":1,\"to_block\":\"2021-05-02T00:00:00Z\",\"size\":\"200\"}\n";
    assert_eq!(scored("m.jsonl", lines), "190080");
    let columns = parquet(vec![
        ("token_id", texts(&["A", "B"])),
        ("who", texts(&["x", "x"])),
        ("from_block", Arc::new(UInt32Array::from(vec![1, 1]))),
        ("to_block", texts(&["2", "2021-05-02T00:00:00Z"])),
        ("size", Arc::new(UInt64Array::from(vec![200, 200]))),
    ]);
    assert_eq!(scored("m.parquet", &columns), "190080");
    let header = "token_id,who,from_block,to_block,size\n";
    assert_eq!(
        refusal(&folder, "b.csv", format!("{header}A,x,1,3,1\n"), &options),
        "b.csv: line 2: end: not a block whose time is known (add it to the file of --blocks); found \"3\""
    );
    let unknown = "weight: of a token without decimals (add it to the file of --decimals-file, or give --decimals for \
                   others); found ";
    assert_eq!(
        refusal(&folder, "c.csv", format!("{header}C,x,1,2,1\n"), &options),
        format!("c.csv: line 2: {unknown}\"1\"")
    );
    let columns = parquet(vec![
        ("token_id", texts(&["C"])),
        ("who", texts(&["x"])),
        ("from_block", Arc::new(UInt32Array::from(vec![1]))),
        ("to_block", Arc::new(UInt32Array::from(vec![2]))),
        ("size", Arc::new(UInt64Array::from(vec![1]))),
    ]);
    assert_eq!(
        refusal(&folder, "c.parquet", columns, &options),
        format!("c.parquet: line 1: {unknown}1")
    );
}
