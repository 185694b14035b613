//! The file of `send --resume`: for each input file, how many of its rows are done.
//!
//! A file that has changed since, by size or modification time, is sent from its beginning: to send an event
//! twice changes nothing. Whether a row is done is the caller's knowledge.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::cli::clock;
use crate::cli::exit::Exit;
use crate::client::StorePosition;
use crate::input::Source;
use crate::output::Destination;

/// What one run leaves for the next.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checkpoint {
    /// By the name of the file as it was given.
    files: BTreeMap<String, FileProgress>,
    /// The store that acknowledged the rows, and its last event then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) store: Option<StorePosition>,
    /// The list of refused lines, if there is one.
    pub(super) rejects: Option<RejectsEnd>,
}

/// How far a file was sent, and how the file is recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileProgress {
    size: u64,
    modified_us: i64,
    /// Rows from the beginning that are done.
    rows: u64,
}

/// The end of the refused lines of rows that are done; lines behind it are written again.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RejectsEnd {
    pub(super) file: String,
    pub(super) bytes: u64,
}

/// Where a run begins.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Beginning {
    /// Rows to skip, for each source.
    pub(super) skipped: Vec<u64>,
    /// The names of files that have changed since they were sent.
    pub(super) changed: Vec<String>,
}

impl Checkpoint {
    /// Reads the file; one that does not exist is empty.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let unusable = |problem: &str| {
            Exit::Usage(format!(
                "--resume {}: {problem}; remove it to send all files from the beginning",
                path.display()
            ))
        };
        match std::fs::read_to_string(path) {
            Ok(text) => {
                serde_json::from_str(&text).with_context(|| unusable("not a file of send --resume"))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| unusable("it cannot be read")),
        }
    }

    /// Replaces the file as a whole.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let written = Destination::file(path).and_then(|mut out| {
            serde_json::to_writer(&mut out, self)?;
            out.write_all(b"\n")?;
            out.finish()
        });
        written.map_err(Exit::output(Some(path)))
    }

    /// Compares the sources with what was sent, and forgets the progress of those that have changed.
    pub(super) fn begin(&mut self, sources: &[Source]) -> Beginning {
        let mut beginning = Beginning::default();
        for source in sources {
            let name = source.name().to_string();
            let known = self.files.remove(&name);
            let found = found(source).map(|found| match &known {
                Some(known) if known.is_same_file(&found) => known.clone(),
                Some(_) | None => found,
            });
            let rows = found.as_ref().map_or(0, |file| file.rows);
            if known.is_some_and(|known| known.rows > rows) {
                beginning.changed.push(name.clone());
            }
            beginning.skipped.push(rows);
            self.files.extend(found.map(|file| (name, file)));
        }
        beginning
    }

    /// The first `rows` rows of `file` are done.
    pub(super) fn done(&mut self, file: &str, rows: u64) {
        if let Some(known) = self.files.get_mut(file) {
            // A file that is named twice is read twice.
            known.rows = known.rows.max(rows);
        }
    }
}

impl FileProgress {
    fn is_same_file(&self, other: &Self) -> bool {
        (self.size, self.modified_us) == (other.size, other.modified_us)
    }
}

/// The file as it is now, nothing of it done; `None` for pipes and the like, which cannot be read again.
fn found(source: &Source) -> Option<FileProgress> {
    let Source::Path(path) = source else {
        return None;
    };
    let found = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some(FileProgress {
        size: found.len(),
        modified_us: clock::micros(found.modified().ok()?),
        rows: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_sent_from_its_beginning_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let sources: Vec<_> = ["a", "b", "c"]
            .map(|name| folder.path().join(name))
            .map(Source::Path)
            .into();
        let write = |index: usize, text: &str| {
            std::fs::write(folder.path().join(["a", "b", "c"][index]), text).unwrap();
        };
        (0..3).for_each(|index| write(index, "1"));
        let mut checkpoint = Checkpoint::default();
        assert_eq!(checkpoint.begin(&sources).skipped, [0, 0, 0]);
        for (index, rows) in [(0, 5), (1, 6), (0, 7), (0, 6)] {
            checkpoint.done(&sources[index].name(), rows);
        }
        let path = folder.path().join("checkpoint");
        checkpoint.write(&path).unwrap();
        write(1, "22");
        write(2, "22");
        let mut checkpoint = Checkpoint::read(&path).unwrap();
        let beginning = checkpoint.begin(&sources);
        assert_eq!(beginning.skipped, [7, 0, 0]);
        // Of the third one nothing had been sent.
        assert_eq!(beginning.changed, [sources[1].name().to_string()]);
        assert_eq!(checkpoint.begin(&sources[1..]).changed, [""; 0]);
        assert_eq!(checkpoint.begin(&sources).skipped, [7, 0, 0]);
    }
}
