//! Folders of shards: each file has the payments of some addresses and the proof of their tree's root.
//!
//! ENS: `root.json` and a file for each shard with `proof` and `entries`. thirdweb: `info.json`, a file for each shard
//! with `entries` and `proofs`, and `entries.json` with all payments; its amounts are in tokens.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::claims::Entries;
use super::document::{Details, Document, Hashes, checked};
use super::document_error::{DocumentError, parse_json};
use super::table::Table;
use super::text::push_hashes;
use super::{Format, HexHash, List, UnitsError, ValueError, format_units, parse_units};

const ENS_ROOT: &str = "root.json";
const THIRDWEB_INFO: &str = "info.json";
const THIRDWEB_ENTRIES: &str = "entries.json";

/// More digits would be more shards than addresses.
const SHARD_DIGITS_MAX: usize = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EnsRoot {
    #[serde(rename = "root")]
    _root: IgnoredAny,
    shard_nybbles: usize,
    #[serde(rename = "total")]
    _total: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnsShard<'a> {
    #[serde(rename = "proof")]
    _proof: IgnoredAny,
    #[serde(borrow)]
    entries: Entries<'a, EnsEntry<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnsEntry<'a> {
    balance: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ThirdwebInfo {
    base_uri: String,
    #[serde(rename = "isShardedMerkleTree")]
    _is_sharded_merkle_tree: IgnoredAny,
    #[serde(rename = "merkleRoot")]
    _merkle_root: IgnoredAny,
    #[serde(rename = "originalEntriesUri")]
    _original_entries_uri: IgnoredAny,
    shard_nybbles: usize,
    token_decimals: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThirdwebShard<'a> {
    #[serde(borrow)]
    entries: Vec<ThirdwebEntry<'a>>,
    #[serde(rename = "proofs")]
    _proofs: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThirdwebEntry<'a> {
    recipient: &'a str,
    amount: &'a str,
}

/// The names of the shards, ascending, and the shard of each row.
pub(super) fn names(table: &Table, digits: usize) -> (Vec<String>, Vec<u32>) {
    let prefixes: Vec<_> = (0..table.len())
        .map(|row| table.text(row, 0)[2..2 + digits].to_ascii_lowercase())
        .collect();
    let mut names = prefixes.clone();
    names.sort_unstable();
    names.dedup();
    let shard_of = prefixes.iter().map(|prefix| {
        let shard = names.binary_search(prefix).expect("it is a name");
        u32::try_from(shard).expect("at most 65,536 shards")
    });
    let shard_of = shard_of.collect();
    (names, shard_of)
}

/// Reads the payments of a folder.
pub(super) fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Document, DocumentError> {
    let mut list = List::new(false);
    let shards = |main: &'static str| {
        let is_shard = move |name: &str| name != main && name != THIRDWEB_ENTRIES;
        files.iter().filter(move |(name, _)| is_shard(name))
    };
    let (format, details) = if let Some(root) = files.get(ENS_ROOT) {
        let root: EnsRoot = parse("ens-shards", ENS_ROOT, root)?;
        for (name, text) in shards(ENS_ROOT) {
            let shard: EnsShard<'_> = parse("ens-shards", name, text)?;
            for (address, entry) in &shard.entries.0 {
                list.push(address, entry.balance);
            }
        }
        let details = Details {
            shard_digits: digits_of(ENS_ROOT, root.shard_nybbles)?,
            ..Details::default()
        };
        (Format::EnsShards, details)
    } else if let Some(info) = files.get(THIRDWEB_INFO) {
        let info: ThirdwebInfo = parse("thirdweb-shards", THIRDWEB_INFO, info)?;
        for (name, text) in shards(THIRDWEB_INFO) {
            let shard: ThirdwebShard<'_> = parse("thirdweb-shards", name, text)?;
            for entry in &shard.entries {
                let amount = parse_units(entry.amount, info.token_decimals)
                    .map_err(|reason| in_file(name, not_an_amount(list.len(), reason)))?;
                list.push(entry.recipient, &amount.to_string());
            }
        }
        let details = Details {
            shard_digits: digits_of(THIRDWEB_INFO, info.shard_nybbles)?,
            places: info.token_decimals,
            base_uri: info.base_uri,
            ..Details::default()
        };
        (Format::ThirdwebShards, details)
    } else {
        return Err(DocumentError::Unknown);
    };
    checked(&list, format.addresses())?;
    Document::of_list(&list, format, details)
}

fn not_an_amount(row: usize, reason: UnitsError) -> DocumentError {
    DocumentError::Value {
        number: row + 1,
        column: "amount".into(),
        reason: ValueError::Number(reason),
    }
}

fn in_file(name: &str, reason: DocumentError) -> DocumentError {
    DocumentError::File {
        file: name.into(),
        reason: reason.into(),
    }
}

fn parse<'a, T: Deserialize<'a>>(
    format: &'static str,
    name: &str,
    text: &'a [u8],
) -> Result<T, DocumentError> {
    parse_json(format, text).map_err(|error| in_file(name, error))
}

fn digits_of(name: &str, digits: usize) -> Result<usize, DocumentError> {
    if (1..=SHARD_DIGITS_MAX).contains(&digits) {
        Ok(digits)
    } else {
        Err(DocumentError::Folder {
            file: name.into(),
            what: "shardNybbles: not a number from 1 to 4",
        })
    }
}

/// The files of the folder.
pub(super) fn files(document: &Document) -> Vec<(String, Vec<u8>)> {
    let Hashes::Forest(forest) = &document.hashes else {
        unreachable!("shards are a forest");
    };
    let digits = document.details.shard_digits;
    let (names, shard_of) = names(&document.table, digits);
    let root = HexHash(&document.root()).to_string();
    let mut entries = vec![Vec::new(); names.len()];
    let is_ens = document.format == Format::EnsShards;
    for (row, &shard) in shard_of.iter().enumerate() {
        let text = &mut entries[shard as usize];
        if !text.is_empty() {
            text.push(b',');
        }
        let address = document.table.json(row, 0);
        if is_ens {
            let balance = document.table.json(row, 1);
            write!(text, r#"{address}:{{"balance":{balance}}}"#)
        } else {
            let amount = document.table.text(row, 1);
            let amount = amount.parse().expect("the list was checked");
            let amount = format_units(amount, document.details.places);
            write!(text, r#"{{"recipient":{address},"amount":"{amount}"}}"#)
        }
        .expect("memory takes it");
    }
    let mut files = Vec::with_capacity(names.len() + 2);
    if is_ens {
        let total = document.sum().expect("the list was checked");
        let text = format!(r#"{{"root":"{root}","shardNybbles":{digits},"total":"{total}"}}"#);
        files.push((ENS_ROOT.into(), text.into_bytes()));
    } else {
        let base = document.details.base_uri.trim_end_matches('/');
        let slash = if base.is_empty() { "" } else { "/" };
        let original = format!("{base}{slash}{THIRDWEB_ENTRIES}");
        let [uri, original] = [&document.details.base_uri, &original]
            .map(|text| serde_json::to_string(text).expect("text is JSON"));
        let places = document.details.places;
        let text = format!(
            r#"{{"baseUri":{uri},"isShardedMerkleTree":true,"merkleRoot":"{root}","originalEntriesUri":{original},"shardNybbles":{digits},"tokenDecimals":{places}}}"#
        );
        files.push((THIRDWEB_INFO.into(), text.into_bytes()));
        let all = [b"[".to_vec(), entries.join(&b","[..]), b"]".to_vec()];
        files.push((THIRDWEB_ENTRIES.into(), all.concat()));
    }
    for (shard, (name, entries)) in names.iter().zip(&entries).enumerate() {
        let mut proof = Vec::new();
        push_hashes(&mut proof, &forest.shard_proof(shard));
        let parts: [&[u8]; 5] = if is_ens {
            [br#"{"proof":"#, &proof, br#","entries":{"#, entries, b"}}"]
        } else {
            [br#"{"entries":["#, entries, br#"],"proofs":"#, &proof, b"}"]
        };
        files.push((format!("{name}.json"), parts.concat()));
    }
    files
}
