//! The dumps of `OpenZeppelin`'s npm package, `standard-v1` and `simple-v1`, byte for byte.

use std::io::{self, Write};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::abi::AbiType;
use super::document::{Document, Hashes};
use super::document_error::{DocumentError, parse_json};
use super::table::Table;
use super::text::{Done, push_hash, write_rows};
use super::{Format, HexHash};

/// How a dump begins.
const STANDARD: &str = r#"{"format":"standard-v1","#;
const SIMPLE: &str = r#"{"format":"simple-v1","#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Dump<'a, T> {
    #[serde(rename = "format")]
    _format: IgnoredAny,
    #[serde(default)]
    leaf_encoding: Vec<String>,
    tree: T,
    #[serde(borrow)]
    values: Vec<Value<'a>>,
    #[serde(default)]
    hash: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Value<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(alias = "tree_index")]
    tree_index: usize,
}

/// Reads the list of a dump, if the text that begins so is one.
pub(super) fn read(begin: &[u8], text: &[u8]) -> Option<Result<Document, DocumentError>> {
    if begin.starts_with(STANDARD.as_bytes()) {
        return Some(standard(text));
    }
    begin.starts_with(SIMPLE.as_bytes()).then(|| simple(text))
}

fn standard(text: &[u8]) -> Result<Document, DocumentError> {
    let dump: Dump<'_, IgnoredAny> = parse_json("standard-v1", text)?;
    let types = dump.leaf_encoding.iter().map(|name| AbiType::parse(name));
    let types = types.collect::<Result<Vec<_>, _>>()?;
    let mut table = Table::new(types.len().max(1));
    for (number, value) in (1..).zip(&dump.values) {
        let cells: Vec<&RawValue> = parse_json("standard-v1", value.value.get().as_bytes())?;
        if cells.len() != types.len() || cells.is_empty() {
            return Err(DocumentError::Cells {
                number,
                found: cells.len(),
                expected: types.len(),
            });
        }
        for cell in cells {
            table.push_json(cell.get());
        }
    }
    let positions = positions(&dump.values)?;
    Document::at_positions(Format::StandardV1, types, table, positions)
}

fn simple(text: &[u8]) -> Result<Document, DocumentError> {
    let dump: Dump<'_, IgnoredAny> = parse_json("simple-v1", text)?;
    if dump.hash.is_some() {
        return Err(DocumentError::CustomHash);
    }
    let mut table = Table::new(1);
    for value in &dump.values {
        table.push_json(value.value.get());
    }
    let positions = positions(&dump.values)?;
    let format = Format::SimpleV1;
    Document::at_positions(format, format.types(), table, positions)
}

/// Where the leaves are, if each place of a leaf is given once.
fn positions(values: &[Value<'_>]) -> Result<Vec<usize>, DocumentError> {
    let count = values.len();
    if count == 0 {
        return Err(DocumentError::Empty);
    }
    let mut seen = vec![false; count];
    for (number, value) in (1..).zip(values) {
        let leaf = value.tree_index.checked_sub(count - 1);
        let place = leaf.and_then(|leaf| seen.get_mut(leaf));
        if place.is_none_or(|seen| std::mem::replace(seen, true)) {
            return Err(DocumentError::Index(number));
        }
    }
    Ok(values.iter().map(|value| value.tree_index).collect())
}

/// The first value whose leaf is another one in the tree of this dump, which is not what its list gives.
pub(super) fn wrong_leaf(text: &[u8], document: &Document) -> Option<DocumentError> {
    let Hashes::Array(tree) = &document.hashes else {
        return None;
    };
    let dump: Dump<'_, Vec<&str>> = serde_json::from_slice(text).ok()?;
    let mut rows = tree.positions().iter().enumerate();
    let wrong = rows.find(|(row, position)| {
        let found = dump.tree.get(**position);
        found.is_none_or(|found| **found != HexHash(&tree.leaf(*row)).to_string())
    });
    wrong.map(|(row, _)| DocumentError::Leaf(row + 1))
}

/// The words by which a writer names the parts of a dump.
pub(super) struct Words {
    pub(super) encoding: Option<&'static str>,
    pub(super) index: &'static str,
    /// Whether the types come last.
    pub(super) types_last: bool,
}

/// Writes a dump.
pub(super) fn write(document: &Document, out: &mut dyn Write, done: Done<'_>) -> io::Result<()> {
    let is_standard = document.format == Format::StandardV1;
    let words = Words {
        encoding: is_standard.then_some("leafEncoding"),
        index: "treeIndex",
        types_last: false,
    };
    write_in_words(document, &words, out, done)
}

/// Writes a dump in these words.
pub(super) fn write_in_words(
    document: &Document,
    words: &Words,
    out: &mut dyn Write,
    done: Done<'_>,
) -> io::Result<()> {
    let Hashes::Array(tree) = &document.hashes else {
        unreachable!("a dump has a tree in an array");
    };
    let types: Vec<_> = document
        .types
        .iter()
        .map(|kind| format!("\"{kind}\""))
        .collect();
    let encoding = |name: &str| format!(r#""{name}":[{}]"#, types.join(","));
    let is_simple = document.format == Format::SimpleV1;
    out.write_all(if is_simple { SIMPLE } else { STANDARD }.as_bytes())?;
    if let Some(name) = words.encoding.filter(|_| !words.types_last) {
        write!(out, "{},", encoding(name))?;
    }
    out.write_all(br#""tree":["#)?;
    let nodes = tree.nodes();
    write_rows(out, nodes.len(), &|_| (), |node, text, _| {
        push_hash(text, &nodes[node]);
    })?;
    out.write_all(br#"],"values":["#)?;
    write_rows(out, document.len(), done, |row, text, _| {
        text.extend_from_slice(br#"{"value":"#);
        if is_simple {
            text.extend_from_slice(document.table.json(row, 0).as_bytes());
        } else {
            document.push_values(row, text);
        }
        let (index, position) = (words.index, tree.positions()[row]);
        write!(text, r#","{index}":{position}}}"#).expect("memory takes it");
    })?;
    out.write_all(b"]")?;
    if let Some(name) = words.encoding.filter(|_| words.types_last) {
        write!(out, ",{}", encoding(name))?;
    }
    out.write_all(b"}")
}
