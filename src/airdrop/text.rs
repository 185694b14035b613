//! Hashes, proofs and rows as the text of JSON, written on all threads in the order of the rows.

use std::fmt;
use std::io::{self, Write};

use rayon::prelude::*;

use super::document::Document;
use super::tree::Hash;

/// Rows whose text one task makes: less than a megabyte with their proofs.
const ROWS_PER_TASK: usize = 512;
/// Tasks whose texts are made at once, for each thread; as many are written meanwhile.
const TASKS_PER_THREAD: usize = 2;

/// Is told of rows that are done.
pub type Done<'a> = &'a dyn Fn(u64);

/// A hash as text.
pub struct HexHash<'a>(pub &'a Hash);

impl fmt::Display for HexHash<'_> {
    /// 0x and 64 digits in lower case.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        hex::encode_to_slice(self.0, &mut text).expect("32 bytes are 64 digits");
        out.write_str("0x")?;
        out.write_str(std::str::from_utf8(&text).expect("digits are ASCII"))
    }
}

/// Adds a hash with its quotes.
pub(super) fn push_hash(text: &mut Vec<u8>, hash: &Hash) {
    text.extend_from_slice(b"\"0x");
    push_digits(text, hash);
    text.push(b'"');
}

/// The two digits of each byte: proofs are nearly all digits, and a table is faster than a digit at a time.
const DIGITS: [[u8; 2]; 256] = {
    let mut digits = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        digits[byte] = [
            b"0123456789abcdef"[byte >> 4],
            b"0123456789abcdef"[byte & 15],
        ];
        byte += 1;
    }
    digits
};

/// Adds the 64 digits of a hash.
pub(super) fn push_digits(text: &mut Vec<u8>, hash: &Hash) {
    let mut digits = [[0; 2]; 32];
    for (pair, byte) in digits.iter_mut().zip(hash) {
        *pair = DIGITS[usize::from(*byte)];
    }
    text.extend_from_slice(digits.as_flattened());
}

/// Adds hashes as an array.
pub(super) fn push_hashes(text: &mut Vec<u8>, hashes: &[Hash]) {
    text.push(b'[');
    for (index, hash) in hashes.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        push_hash(text, hash);
    }
    text.push(b']');
}

/// Writes what `push` adds for each row, with commas between. `push` is given an empty buffer of hashes.
pub(super) fn write_rows(
    out: &mut dyn Write,
    rows: usize,
    done: Done<'_>,
    push: impl Fn(usize, &mut Vec<u8>, &mut Vec<Hash>) + Sync,
) -> io::Result<()> {
    write_separated(out, rows, b",", done, push)
}

/// Writes what `push` adds for each row, with `separator` between.
pub(super) fn write_separated(
    out: &mut dyn Write,
    rows: usize,
    separator: &[u8],
    done: Done<'_>,
    push: impl Fn(usize, &mut Vec<u8>, &mut Vec<Hash>) + Sync,
) -> io::Result<()> {
    let batch = ROWS_PER_TASK * TASKS_PER_THREAD * rayon::current_num_threads();
    let texts_from = |first: usize| -> Vec<Vec<u8>> {
        let end = rows.min(first + batch);
        let tasks = (first..end).into_par_iter().step_by(ROWS_PER_TASK);
        let text_from = |begin| {
            let (mut text, mut hashes) = (Vec::new(), Vec::new());
            for row in begin..end.min(begin + ROWS_PER_TASK) {
                if row > 0 {
                    text.extend_from_slice(separator);
                }
                hashes.clear();
                push(row, &mut text, &mut hashes);
            }
            text
        };
        tasks.map(text_from).collect()
    };
    let mut next = texts_from(0);
    for first in (0..rows).step_by(batch) {
        let texts = std::mem::take(&mut next);
        let end = rows.min(first + batch);
        let mut written = Ok(());
        // One thread writes, or compares; meanwhile the others make the next texts.
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| next = texts_from(end));
            written = texts.iter().try_for_each(|text| out.write_all(text));
        });
        written?;
        done((end - first) as u64);
    }
    Ok(())
}

impl Document {
    /// Adds the values of a row as an array.
    pub(super) fn push_values(&self, row: usize, text: &mut Vec<u8>) {
        text.push(b'[');
        for (column, value) in self.values(row).enumerate() {
            if column > 0 {
                text.push(b',');
            }
            text.extend_from_slice(value.as_bytes());
        }
        text.push(b']');
    }

    /// Adds a row with its leaf and its proof as an object.
    pub(super) fn push_proven(&self, row: usize, text: &mut Vec<u8>, proof: &mut Vec<Hash>) {
        self.proof_into(row, proof);
        text.extend_from_slice(br#"{"value":"#);
        self.push_values(row, text);
        text.extend_from_slice(br#","leaf":"#);
        push_hash(text, &self.leaf(row));
        text.extend_from_slice(br#","proof":"#);
        push_hashes(text, proof);
        text.push(b'}');
    }

    /// A row with its leaf and its proof as an object.
    ///
    /// # Panics
    /// Never: JSON is UTF-8.
    #[must_use]
    pub fn proven(&self, row: usize) -> String {
        let (mut text, mut proof) = (Vec::new(), Vec::new());
        self.push_proven(row, &mut text, &mut proof);
        String::from_utf8(text).expect("JSON is UTF-8")
    }

    /// The rows with their leaves and proofs by holder, for a file that a web host gives out.
    ///
    /// # Panics
    /// If the values have no address.
    #[must_use]
    pub fn claims(&self, rows: &[usize]) -> Vec<u8> {
        let mut rows: Vec<_> = rows.iter().map(|&row| (self.holder(row), row)).collect();
        rows.sort();
        let mut text = format!(
            r#"{{"format":"{}","root":"{}","claims":{{"#,
            self.format.name(),
            HexHash(&self.root())
        )
        .into_bytes();
        let (mut proof, mut before) = (Vec::new(), None);
        for (holder, row) in &rows {
            if before == Some(holder) {
                text.push(b',');
            } else {
                let end = if before.is_some() { "]," } else { "" };
                let holder = holder.as_deref().expect("the values have an address");
                write!(text, r#"{end}"{holder}":["#).expect("memory takes it");
            }
            before = Some(holder);
            proof.clear();
            self.push_proven(*row, &mut text, &mut proof);
        }
        text.extend_from_slice(if before.is_some() { b"]}}" } else { b"}}" });
        text
    }

    /// Writes each row with its leaf and its proof, one in a line.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn write_proofs(&self, out: &mut dyn Write, done: Done<'_>) -> io::Result<()> {
        write_separated(out, self.len(), b"\n", done, |row, text, proof| {
            self.push_proven(row, text, proof);
        })?;
        out.write_all(b"\n")
    }
}
