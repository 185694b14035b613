//! What was acknowledged and what was refused: counted, and written to the files of `--resume` and `--rejects`.
//!
//! A row is recorded as done only after its acknowledgement, so that no event is lost; one that is sent
//! twice changes nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::checkpoint::{Beginning, Checkpoint, RejectsEnd};
use super::distinct_files;
use super::reader::RowBatch;
use crate::cli::exit::Exit;
use crate::client::{RefusedRow, StorePosition};
use crate::input::Source;
use crate::output::{ListFormat, RefusedLine, write_refusals};

/// The checkpoint is written at most this often, and at the end.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Everything was sent.
    Complete,
    /// A signal or the connection ended it; the same run may succeed later.
    Broken,
    /// The input, the arguments or a refusal of the server ended it, and would again.
    Failed,
}

/// The server does not have the store that acknowledged the rows that are done.
#[derive(Debug, thiserror::Error)]
pub(super) enum OtherStore {
    /// It has a store with another identity.
    #[error(
        "the rows that are done were acknowledged by store {known}, and the server has store {found}"
    )]
    Another { known: String, found: String },
    /// Its store was restored from a backup.
    #[error(
        "the rows that are done were acknowledged up to event {known}, and the server was restored to event {found}"
    )]
    Before { known: u64, found: u64 },
}

/// Counts, and the two files.
pub(super) struct Ledger {
    resume: Option<PathBuf>,
    checkpoint: Checkpoint,
    /// Whether rows are done by a store that this run has not met yet.
    awaits_store: bool,
    rejects: Option<(PathBuf, File)>,
    saved: Instant,
    /// Rows that earlier runs have done.
    skipped: u64,
    /// Rows that this run has done.
    done: u64,
    accepted: u64,
    refused: u64,
    first_refused: Option<RefusedLine>,
    is_durable: bool,
}

impl Ledger {
    /// Opens the files, and finds where each source begins.
    pub(super) fn open(
        resume: Option<&Path>,
        rejects: Option<&Path>,
        sources: &[Source],
    ) -> anyhow::Result<(Self, Beginning)> {
        if resume.is_some() && sources.contains(&Source::Stdin) {
            return Err(Exit::usage(
                "--resume: standard input cannot be read again; name a file",
            ));
        }
        distinct_files::check(sources, resume, rejects)?;
        let mut checkpoint = resume.map_or(Ok(Checkpoint::default()), Checkpoint::read)?;
        let mut beginning = checkpoint.begin(sources);
        match resume {
            // A file that cannot be written is reported before hours are spent, not after.
            Some(path) => checkpoint.write(path)?,
            None => beginning.skipped.fill(0),
        }
        let skipped = beginning.skipped.iter().sum();
        let rejects = match rejects {
            Some(path) => Some(open_rejects(
                path,
                checkpoint.rejects.as_ref(),
                skipped > 0,
            )?),
            None => None,
        };
        let ledger = Self {
            resume: resume.map(Path::to_owned),
            awaits_store: resume.is_some() && checkpoint.store.is_some(),
            checkpoint,
            rejects,
            saved: Instant::now(),
            skipped,
            done: 0,
            accepted: 0,
            refused: 0,
            first_refused: None,
            is_durable: true,
        };
        Ok((ledger, beginning))
    }

    /// Whether the store that acknowledged rows before has to be met, although there may be nothing to send.
    pub(super) const fn awaits_store(&self) -> bool {
        self.awaits_store
    }

    /// A call was opened to this store, if the server says it. An error if it is not the one that acknowledged the rows
    /// that are done, or is restored to before them.
    pub(super) fn meet(&mut self, store: Option<StorePosition>) -> Result<(), OtherStore> {
        self.awaits_store = false;
        let Some(found) = store.filter(|_| self.resume.is_some()) else {
            return Ok(());
        };
        match &self.checkpoint.store {
            Some(known) if known.id != found.id => {
                let known = known.id.clone();
                let found = found.id;
                return Err(OtherStore::Another { known, found });
            }
            Some(known) if known.sequence > found.sequence => {
                return Err(OtherStore::Before {
                    known: known.sequence,
                    found: found.sequence,
                });
            }
            Some(_) => {}
            None => self.checkpoint.store = Some(found),
        }
        Ok(())
    }

    /// Forgets what is done: the next run sends all files from their beginning.
    pub(super) fn forget(self) -> anyhow::Result<()> {
        let path = self.resume.as_ref();
        path.map_or(Ok(()), |path| Checkpoint::default().write(path))
    }

    /// All rows of `batch` are done, and all of its parts are acknowledged.
    pub(super) fn settle(&mut self, mut batch: RowBatch) -> anyhow::Result<()> {
        self.done += batch.rows() as u64;
        let mut refused = std::mem::take(&mut batch.refused);
        for (part, ack) in batch.parts().zip(&batch.acks) {
            self.accepted += ack.accepted;
            if let Some(store) = &mut self.checkpoint.store {
                store.sequence = store.sequence.max(ack.sequence);
            }
            self.is_durable &= ack.is_durable || ack.accepted == 0;
            let lines = part.lines();
            for RefusedRow { row, reason } in &ack.refused {
                let rows = row.map_or(0..lines.len(), |row| row..row + 1);
                for line in lines.get(rows).unwrap_or_default() {
                    refused.push(RefusedLine {
                        file: Arc::clone(&batch.file),
                        line: *line,
                        reason: reason.clone(),
                    });
                }
            }
        }
        self.refused += refused.len() as u64;
        if let Some((path, file)) = &mut self.rejects {
            write_refusals(&refused, ListFormat::Jsonl, file).map_err(Exit::output(Some(path)))?;
        }
        if self.first_refused.is_none() {
            self.first_refused = refused.into_iter().next();
        }
        self.checkpoint.done(&batch.file, batch.rows_done);
        if self.saved.elapsed() >= SAVE_EVERY {
            self.save()?;
        }
        Ok(())
    }

    /// Writes the checkpoint, if there is a file for it.
    pub(super) fn save(&mut self) -> anyhow::Result<()> {
        self.saved = Instant::now();
        let Some(path) = &self.resume else {
            return Ok(());
        };
        if let Some((path, file)) = &self.rejects {
            let bytes = bytes_on_disk(file).map_err(Exit::output(Some(path)))?;
            let file = path.to_string_lossy().into_owned();
            self.checkpoint.rejects = Some(RejectsEnd { file, bytes });
        }
        self.checkpoint.write(path)
    }

    /// One line for people.
    pub(super) fn summary(&self, end: End, is_saved: bool) -> String {
        let durable = if self.is_durable {
            ""
        } else {
            " in memory only"
        };
        let next = match (end, &self.resume) {
            (End::Complete, _) => None,
            (End::Failed, _) => Some(""),
            (End::Broken, Some(_)) if is_saved => Some(": run it again to continue from there"),
            (End::Broken, _) => Some(": run it again, repeated events change nothing"),
        };
        let done = next.map_or_else(String::new, |next| {
            format!("; {} rows are done{next}", self.skipped + self.done)
        });
        let before = match self.skipped {
            0 => String::new(),
            skipped => format!("; {skipped} rows were done before"),
        };
        let (accepted, refused) = (self.accepted, self.refused);
        format!("{accepted} events acknowledged{durable}, {refused} lines refused{before}{done}")
    }

    /// Fails if lines were refused and there is no list of them.
    pub(super) fn verdict(&mut self) -> anyhow::Result<()> {
        match self.first_refused.take() {
            Some(first) if self.rejects.is_none() => Err(Exit::Refused(RefusedLine {
                reason: format!(
                    "{} (the first of {} refused; --rejects FILE lists them and lets the run pass)",
                    first.reason, self.refused
                ),
                ..first
            })
            .into()),
            Some(_) | None => Ok(()),
        }
    }
}

/// Opens the list of refused lines where the last run has left it. Lines behind that end belong to rows
/// that will be sent again.
fn open_rejects(
    path: &Path,
    end: Option<&RejectsEnd>,
    is_continued: bool,
) -> anyhow::Result<(PathBuf, File)> {
    if ListFormat::from_name(path) != Some(ListFormat::Jsonl) {
        return Err(Exit::usage(format!(
            "--rejects {}: end the name in .jsonl",
            path.display()
        )));
    }
    let name = path.to_string_lossy();
    let end = end.filter(|end| end.file == name);
    let opened = || {
        if end.is_none() && !is_continued {
            return File::create(path);
        }
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).open(path)?;
        if let Some(end) = end
            && file.metadata()?.len() > end.bytes
        {
            file.set_len(end.bytes)?;
        }
        Ok(file)
    };
    Ok((path.to_owned(), opened().map_err(Exit::output(Some(path)))?))
}

/// The length of a list once all of it is on disk; 0 for anything but a regular file.
fn bytes_on_disk(file: &File) -> io::Result<u64> {
    let found = file.metadata()?;
    if found.is_file() {
        file.sync_data()?;
    }
    Ok(found.len())
}
