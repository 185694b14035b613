//! Known feeds: each export is read as it lies, and says what it is read as.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, UInt32Array, UInt64Array};

use crate::feed_files::{
    A, AS_OF, B, BLOCKS, GOLD, NONE, answer, bytes_of, hypersync, parquet, refusal, scores, texts,
    word,
};
use crate::support::{Folder, path, run};

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
    assert_eq!(
        both["ignored_columns"],
        serde_json::json!(["Blockno", "Method"])
    );
    let said = run(["score", &file, "--as-of", AS_OF]).stderr;
    assert!(
        said.contains(
            "page.csv: read as etherscan; its token is the file's name, name it with --token\n\
             ignored columns: Blockno, Method "
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
        format!(
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
        "d.parquet: column value is of type double, but text, binary, an integer or a decimal, which hold all digits, \
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
fn a_value_that_may_be_an_amount_or_a_number_is_refused_in_json_too() {
    let folder = Folder::new();
    let ambiguous = "value is an amount of ERC-20 tokens or the number of an ERC-721 token; say which with \
                     --token-kind erc20 or --token-kind erc721";
    let line = format!(
        "{{\"token_address\":\"{GOLD}\",\"from_address\":\"{NONE}\",\"to_address\":\"{A}\",\"value\":\"7\",\
         \"transaction_hash\":\"0x01\",\"log_index\":0,\"block_timestamp\":\"2021-05-01 00:00:00 UTC\",\
         \"block_hash\":\"0xb\"}}\n"
    );
    assert_eq!(
        refusal(&folder, "t.jsonl", &line, &[]),
        format!("t.jsonl: read as bigquery: {ambiguous}")
    );
    assert_eq!(
        scores(&folder, "t.jsonl", &line, &["--token-kind", "erc721"]),
        "bigquery: aa 172800"
    );
    let named = ["--input-format", "transfers"];
    assert_eq!(
        refusal(&folder, "t.jsonl", &line, &named),
        format!("t.jsonl: line 1: amount: {ambiguous}")
    );
    let with_amount = line.replace("\"value\"", "\"amount\"");
    assert_eq!(
        scores(&folder, "t.jsonl", with_amount, &named),
        "transfers: aa 1209600"
    );
}

#[test]
fn overlapping_exports_agree_in_any_order_of_their_rows() {
    let folder = Folder::new();
    let header = "Txhash,UnixTimestamp,From,To,TokenId,TokenValue,ContractAddress\n";
    let row = |number: &str, amount: &str, contract: &str| {
        format!("0x01,1619827200,{NONE},{A},{number},{amount},{contract}\n")
    };
    let other = GOLD.replace("9999", "8888");
    // Two contracts in one transaction, and two amounts of one number.
    let rows = [
        row("5", "1", GOLD),
        row("5", "1", &other),
        row("5", "2", GOLD),
    ];
    let newest_first = rows.iter().rev().map(String::as_str);
    let files = [
        path(&folder, "one.csv", format!("{header}{}", rows.concat())),
        path(
            &folder,
            "two.csv",
            format!("{header}{}", newest_first.collect::<String>()),
        ),
    ];
    let score = |files: &[String]| {
        let files = files.iter().map(String::as_str);
        let arguments = ["score"].into_iter().chain(files);
        run(arguments.chain(["--as-of", AS_OF, "--format", "json"])).json()
    };
    let both = score(&files);
    assert_eq!(both["holders"], score(&files[..1])["holders"]);
    // 1 + 1 + 2 for two days.
    assert_eq!(both["holders"][0]["score"], "691200");
}
