//! Lists of claims with their proofs in one file: Uniswap's `MerkleDistributor`, and Merkl's distributor.
//!
//! Uniswap numbers the claims by the order of their addresses with the checksum of EIP-55. Merkl publishes no file of
//! this kind; ours has what its contract is given for each claim.

use std::fmt;
use std::io::{self, Write};
use std::marker::PhantomData;

use rayon::prelude::*;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::document::{Details, Document, checked, checksummed};
use super::document_error::{DocumentError, parse_json};
use super::table::Table;
use super::text::{Done, push_hashes, write_rows};
use super::{Format, HexHash, List};
use super::{UnitsError, ValueError, abi};

/// Pairs of a JSON object in their order.
pub(super) struct Entries<'a, V>(pub(super) Vec<(&'a str, V)>);

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Entries<'a, V> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<'a, V>(PhantomData<(&'a str, V)>);

        impl<'de: 'a, 'a, V: Deserialize<'de>> Visitor<'de> for EntriesVisitor<'a, V> {
            type Value = Entries<'a, V>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        from.deserialize_map(EntriesVisitor(PhantomData))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Uniswap<'a> {
    #[serde(rename = "merkleRoot")]
    _merkle_root: IgnoredAny,
    #[serde(rename = "tokenTotal")]
    _token_total: IgnoredAny,
    num_drops: Option<IgnoredAny>,
    #[serde(borrow)]
    claims: Entries<'a, UniswapClaim<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UniswapClaim<'a> {
    #[serde(rename = "index")]
    _index: IgnoredAny,
    amount: &'a str,
    #[serde(rename = "proof")]
    _proof: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merkl<'a> {
    #[serde(rename = "merkleRoot")]
    _merkle_root: IgnoredAny,
    #[serde(borrow)]
    claims: Vec<MerklClaim<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MerklClaim<'a> {
    user: &'a str,
    token: &'a str,
    amount: &'a str,
    #[serde(rename = "proof")]
    _proof: IgnoredAny,
}

/// Adds the rows of Uniswap's claims: each with its rank, in the order of the addresses with their checksum.
pub(super) fn index(list: &List, table: &mut Table) {
    let mut rows: Vec<_> = (0..list.len())
        .into_par_iter()
        .map(|row| (checksummed(&list.address(row)), row))
        .collect();
    rows.par_sort_unstable();
    for (index, (address, row)) in rows.iter().enumerate() {
        table.push_json(&index.to_string());
        table.push(address);
        table.push(&list.amount_text(*row));
    }
}

/// Reads the claims of a file, if the text that begins so has some.
pub(super) fn read(begin: &[u8], text: &[u8]) -> Option<Result<Document, DocumentError>> {
    let rest = begin.strip_prefix(br#"{"merkleRoot":""#)?;
    let after_root = memchr::memchr(b'"', rest).map(|end| &rest[end..])?;
    if after_root.starts_with(br#"","tokenTotal":"#) {
        return Some(uniswap(text));
    }
    after_root
        .starts_with(br#"","claims":["#)
        .then(|| merkl(text))
}

fn uniswap(text: &[u8]) -> Result<Document, DocumentError> {
    let read: Uniswap<'_> = parse_json("uniswap", text)?;
    let mut list = List::new(false);
    for (number, (address, claim)) in (1..).zip(&read.claims.0) {
        let amount = abi::magnitude(claim.amount);
        let is_hex = claim.amount.starts_with("0x");
        let amount = amount
            .ok()
            .filter(|_| is_hex)
            .ok_or_else(|| DocumentError::Value {
                number,
                column: "amount".into(),
                reason: ValueError::Number(UnitsError::NotANumber(claim.amount.into())),
            })?;
        list.push(address, &amount.to_string());
    }
    checked(&list, Format::Uniswap.addresses())?;
    let details = Details {
        counts_claims: read.num_drops.is_some(),
        ..Details::default()
    };
    Document::of_list(&list, Format::Uniswap, details)
}

fn merkl(text: &[u8]) -> Result<Document, DocumentError> {
    let read: Merkl<'_> = parse_json("merkl", text)?;
    let mut list = List::new(true);
    for claim in &read.claims {
        list.push_of_token(claim.user, claim.amount, claim.token);
    }
    checked(&list, Format::Merkl.addresses())?;
    Document::of_list(&list, Format::Merkl, Details::default())
}

/// Writes the file.
pub(super) fn write(document: &Document, out: &mut dyn Write, done: Done<'_>) -> io::Result<()> {
    let is_uniswap = document.format == Format::Uniswap;
    write!(out, r#"{{"merkleRoot":"{}","#, HexHash(&document.root()))?;
    let rows = document.len();
    if is_uniswap {
        let total = document.sum().expect("the list was checked");
        write!(out, r#""tokenTotal":"{}","#, even_hex(total))?;
        if document.details.counts_claims {
            write!(out, r#""numDrops":{rows},"#)?;
        }
        out.write_all(br#""claims":{"#)?;
    } else {
        out.write_all(br#""claims":["#)?;
    }
    write_rows(out, rows, done, |row, text, proof| {
        let table = &document.table;
        if is_uniswap {
            let amount = table.text(row, 2).parse().expect("the list was checked");
            write!(
                text,
                r#"{}:{{"index":{},"amount":"{}","proof":"#,
                table.json(row, 1),
                table.json(row, 0),
                even_hex(amount)
            )
        } else {
            write!(
                text,
                r#"{{"user":{},"token":{},"amount":{},"proof":"#,
                table.json(row, 0),
                table.json(row, 1),
                table.json(row, 2)
            )
        }
        .expect("memory takes it");
        document.proof_into(row, proof);
        push_hashes(text, proof);
        text.push(b'}');
    })?;
    out.write_all(if is_uniswap { b"}}" } else { b"]}" })
}

/// 0x and an even number of digits, as ethers writes a number.
fn even_hex(number: ruint::aliases::U256) -> String {
    let digits = format!("{number:x}");
    let zero = if digits.len() % 2 == 1 { "0" } else { "" };
    format!("0x{zero}{digits}")
}
