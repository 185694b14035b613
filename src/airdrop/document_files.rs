//! The files of a document: written in its format, and read with a check of all that they state.
//!
//! Reading takes the list from the file, builds the tree anew and compares what it would write with the file
//! ([`super::compare`]); what a format looks like is in [`super::dump`], [`super::claims`], [`super::sablier`] and
//! [`super::shards`].

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Format;
use super::compare::{LIST_GIVES, compact, difference};
use super::document::Document;
use super::document_error::DocumentError;
use super::text::Done;
use super::{claims, dump, sablier, shards};

/// Bytes at the beginning of a file that tell its format.
const BEGIN_BYTES: usize = 512;

impl Document {
    /// Reads a file of any format, and checks all that it states.
    pub fn read(text: &[u8]) -> Result<Self, DocumentError> {
        let begin = compact(&text[..text.len().min(BEGIN_BYTES)]);
        let read = dump::read(&begin, text)
            .or_else(|| claims::read(&begin, text))
            .or_else(|| sablier::read(&begin, text));
        let document = read.ok_or(DocumentError::Unknown)??;
        let compare = |text: &[u8]| difference(text, |mut out| document.write(&mut out, &|_| ()));
        // Most files have no white space, and looking for it takes time.
        let found = compare(text).and_then(|_| compare(&compact(text)));
        let Some(found) = found else {
            return Ok(document);
        };
        let wrong = dump::wrong_leaf(text, &document);
        Err(wrong.unwrap_or_else(|| DocumentError::Different(found.said(text, LIST_GIVES))))
    }

    /// Reads the files of a folder by their names, and checks all that they state.
    pub fn read_folder(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, DocumentError> {
        let document = shards::read(files)?;
        let written: BTreeMap<_, _> = document.files().into_iter().collect();
        for (name, text) in files {
            let Some(expected) = written.get(name) else {
                return Err(DocumentError::Folder {
                    file: name.clone(),
                    what: "not a shard of an address in the folder (remove it)",
                });
            };
            let compacted = compact(text);
            if let Some(found) = difference(&compacted, |out| out.write_all(expected)) {
                let reason = DocumentError::Different(found.said(text, LIST_GIVES)).into();
                let file = name.clone();
                return Err(DocumentError::File { file, reason });
            }
        }
        match written.keys().find(|name| !files.contains_key(*name)) {
            None => Ok(document),
            Some(missing) => Err(DocumentError::Folder {
                file: missing.clone(),
                what: "missing",
            }),
        }
    }

    /// Writes the file of a format that has one.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    ///
    /// # Panics
    /// If the format is a folder.
    pub fn write(&self, out: &mut dyn Write, done: Done<'_>) -> io::Result<()> {
        let mut out = io::BufWriter::with_capacity(1 << 16, out);
        match self.format {
            Format::StandardV1 | Format::SimpleV1 => dump::write(self, &mut out, done)?,
            Format::SablierEvm | Format::SablierSolana => sablier::write(self, &mut out, done)?,
            Format::Uniswap | Format::Merkl => claims::write(self, &mut out, done)?,
            Format::EnsShards | Format::ThirdwebShards => unreachable!("it is a folder"),
        }
        out.flush()
    }

    /// The files of a format that is a folder, by their names.
    #[must_use]
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        shards::files(self)
    }
}
