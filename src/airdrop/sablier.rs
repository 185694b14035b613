//! Campaigns of Sablier: a document with the recipients, and the tree as JSON in a text.
//!
//! On EVM chains the tree is that of `OpenZeppelin` in other words; on Solana it is one of layers.

use std::io::{self, Write};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::document::{Details, Document, Hashes, checked};
use super::document_error::{DocumentError, parse_json};
use super::dump::{Words, write_in_words};
use super::text::{Done, push_digits, write_rows};
use super::{Format, HexHash, List};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Campaign<'a> {
    #[serde(rename = "total_amount")]
    _total_amount: IgnoredAny,
    #[serde(rename = "number_of_recipients")]
    _number_of_recipients: IgnoredAny,
    root: &'a str,
    #[serde(rename = "merkle_tree")]
    _merkle_tree: IgnoredAny,
    #[serde(borrow)]
    recipients: Vec<Recipient<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipient<'a> {
    address: &'a str,
    amount: &'a str,
}

/// What Sablier's own tool refuses beside what every list refuses.
pub(super) fn check(list: &List) -> Result<(), DocumentError> {
    if list.len() < 2 {
        return Err(DocumentError::OneRecipient);
    }
    let amounts = (0..list.len()).map(|row| list.amount(row));
    let sum = amounts.reduce(|sum, amount| sum + amount);
    match sum.filter(|sum| sum.bit_len() > 128) {
        None => Ok(()),
        Some(sum) => Err(DocumentError::TooMuch(sum)),
    }
}

/// Reads the recipients of a campaign, if the text that begins so is one.
pub(super) fn read(begin: &[u8], text: &[u8]) -> Option<Result<Document, DocumentError>> {
    begin
        .starts_with(br#"{"total_amount":"#)
        .then(|| campaign(text))
}

fn campaign(text: &[u8]) -> Result<Document, DocumentError> {
    let read: Campaign<'_> = parse_json("sablier", text)?;
    let format = if read.root.starts_with("0x") {
        Format::SablierEvm
    } else {
        Format::SablierSolana
    };
    let mut list = List::new(false);
    for recipient in &read.recipients {
        list.push(recipient.address, recipient.amount);
    }
    checked(&list, format.addresses())?;
    Document::of_list(&list, format, Details::default())
}

/// Writes the document.
pub(super) fn write(document: &Document, out: &mut dyn Write, done: Done<'_>) -> io::Result<()> {
    let total = document.sum().expect("the list was checked");
    let rows = document.len();
    let root = HexHash(&document.root()).to_string();
    let is_evm = document.format == Format::SablierEvm;
    let root = if is_evm { &root } else { &root[2..] };
    write!(
        out,
        r#"{{"total_amount":"{total}","number_of_recipients":{rows},"root":"{root}","merkle_tree":""#
    )?;
    let mut inside = Quoted(out);
    match &document.hashes {
        Hashes::Array(_) => {
            let words = Words {
                encoding: Some("leaf_encoding"),
                index: "tree_index",
                types_last: true,
            };
            write_in_words(document, &words, &mut inside, &|_| ())?;
        }
        Hashes::Forest(forest) => {
            write!(inside, r#"{{"root":"{root}","tree":["#)?;
            for (level, layer) in forest.shard(0).layers().iter().enumerate() {
                inside.write_all(if level == 0 { b"[" } else { b",[" })?;
                write_rows(&mut inside, layer.len(), &|_| (), |node, text, _| {
                    text.push(b'"');
                    push_digits(text, &layer[node]);
                    text.push(b'"');
                })?;
                inside.write_all(b"]")?;
            }
            inside.write_all(b"]}")?;
        }
    }
    out.write_all(br#"","recipients":["#)?;
    let address = usize::from(is_evm);
    write_rows(out, rows, done, |row, text, _| {
        let (address, amount) = (
            document.table.json(row, address),
            document.table.json(row, address + 1),
        );
        write!(text, r#"{{"address":{address},"amount":{amount}}}"#).expect("memory takes it");
    })?;
    out.write_all(b"]}")
}

/// Writes JSON into a text of JSON. What is written has quotes and no other character to escape.
struct Quoted<'a>(&'a mut dyn Write);

impl Write for Quoted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for (index, part) in bytes.split(|byte| *byte == b'"').enumerate() {
            if index > 0 {
                self.0.write_all(b"\\\"")?;
            }
            self.0.write_all(part)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
