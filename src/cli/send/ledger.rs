//! What was acknowledged and what was refused: in memory, and in the files that outlive a run.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::apart;
use super::fingerprint::Fingerprint;
use super::reader::{Begun, Parcel};
use crate::cli::exit::Exit;
use crate::client::{Ack, RefusedRow};
use crate::input::Source;
use crate::output::{Destination, RefusalFormat, RefusedLine, write_refusals};

/// The place is saved at most this often, and at the end.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Everything was sent.
    Complete,
    /// A signal or the connection ended it; the same run may do better later.
    Broken,
    /// The input, the arguments or the server's refusal ended it, and would again.
    Failed,
}

/// What a run leaves for the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    /// Names of the files, in their order: a place means nothing in others.
    files: Vec<String>,
    /// Rows from the beginning of the first file that are done with.
    rows: u64,
    /// Of these rows.
    fingerprint: Fingerprint,
    /// The list of refused lines, if there is one.
    rejects: Option<Listed>,
}

/// What a list of refused lines says of the rows that are done with; what follows in it is written
/// again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    file: String,
    bytes: u64,
}

/// Counts, and the files of `--resume` and `--rejects`.
pub(super) struct Ledger {
    resume: Option<PathBuf>,
    rejects: Option<(PathBuf, File)>,
    place: Place,
    began_at: u64,
    accepted: u64,
    refused: u64,
    first_refused: Option<RefusedLine>,
    is_durable: bool,
    saved: Instant,
}

impl Ledger {
    /// Goes on where the run before has stopped, if the file of `--resume` says so.
    pub(super) fn open(
        resume: Option<&Path>,
        rejects: Option<&Path>,
        sources: &[Source],
    ) -> anyhow::Result<Self> {
        if resume.is_some() && sources.contains(&Source::Stdin) {
            return Err(Exit::usage(
                "--resume: standard input cannot be read again; name a file",
            ));
        }
        apart::check(sources, resume, rejects)?;
        let files = sources.iter().map(|source| source.name().to_string());
        let mut place = Place {
            files: files.collect(),
            ..Place::default()
        };
        if let Some(path) = resume.filter(|path| path.exists()) {
            place = saved_place(path, &place.files)?;
        }
        if let Some(path) = resume {
            // A place that cannot be written is said before hours are spent, not after.
            drop(Destination::file(path).map_err(Exit::output(Some(path)))?);
        }
        let rejects = rejects.map(|path| open_rejects(path, &place)).transpose()?;
        Ok(Self {
            resume: resume.map(Path::to_owned),
            rejects,
            began_at: place.rows,
            place,
            accepted: 0,
            refused: 0,
            first_refused: None,
            is_durable: true,
            saved: Instant::now(),
        })
    }

    /// What is done with, where a place is kept.
    pub(super) fn begun(&self) -> Option<Begun> {
        self.resume.clone().map(|place| Begun {
            place,
            rows: self.place.rows,
            fingerprint: self.place.fingerprint,
        })
    }

    /// All of `parcel` is done with; `ack` is what the server said of its events, if it has any.
    pub(super) fn settle(&mut self, parcel: Parcel, ack: Option<Ack>) -> anyhow::Result<()> {
        let rows = parcel.rows() as u64;
        let fingerprint = parcel.fingerprint;
        let mut refused = parcel.refused;
        if let Some(ack) = ack {
            self.accepted += ack.accepted;
            self.is_durable &= ack.is_durable || ack.accepted == 0;
            for RefusedRow { row, reason } in ack.refused {
                let rows = row.map_or(0..parcel.places.len(), |row| row..row + 1);
                for (file, line) in parcel.places.get(rows).unwrap_or_default() {
                    refused.push(RefusedLine {
                        file: Arc::clone(file),
                        line: *line,
                        reason: reason.clone(),
                    });
                }
            }
        }
        self.refused += refused.len() as u64;
        if let Some((path, file)) = &mut self.rejects {
            write_refusals(&refused, RefusalFormat::Jsonl, file)
                .map_err(Exit::output(Some(path)))?;
        }
        self.first_refused = self
            .first_refused
            .take()
            .or_else(|| refused.into_iter().next());
        self.place.rows += rows;
        self.place.fingerprint = fingerprint;
        if self.saved.elapsed() >= SAVE_EVERY {
            self.save()?;
        }
        Ok(())
    }

    /// Writes down the place.
    pub(super) fn save(&mut self) -> anyhow::Result<()> {
        self.saved = Instant::now();
        let Some(path) = &self.resume else {
            return Ok(());
        };
        if let Some((path, file)) = &self.rejects {
            let bytes = bytes_on_disk(file).map_err(Exit::output(Some(path)))?;
            let file = path.to_string_lossy().into_owned();
            self.place.rejects = Some(Listed { file, bytes });
        }
        let written = Destination::file(path).and_then(|mut out| {
            serde_json::to_writer(&mut out, &self.place)?;
            out.write_all(b"\n")?;
            out.finish()
        });
        written.map_err(Exit::output(Some(path)))
    }

    /// One line for people.
    pub(super) fn summary(&self, end: End, is_saved: bool) -> String {
        let durable = if self.is_durable {
            ""
        } else {
            " in memory alone"
        };
        let next = match (end, &self.resume) {
            (End::Complete, _) => None,
            (End::Failed, _) => Some(""),
            (End::Broken, Some(_)) if is_saved => Some(": run it again to go on from there"),
            (End::Broken, _) => Some(": run it again, repeated events change nothing"),
        };
        let done = next.map_or_else(String::new, |next| {
            format!("; {} rows are done{next}", self.place.rows)
        });
        let before = if self.began_at == 0 {
            String::new()
        } else {
            format!("; {} rows were done before", self.began_at)
        };
        let (accepted, refused) = (self.accepted, self.refused);
        format!("{accepted} events acknowledged{durable}, {refused} lines refused{before}{done}")
    }

    /// Fails where lines were refused and nobody wanted a list of them.
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

fn saved_place(path: &Path, files: &[String]) -> anyhow::Result<Place> {
    let unusable = |detail: &str| {
        Exit::Usage(format!(
            "--resume {}: {detail}; remove it to begin anew",
            path.display()
        ))
    };
    let text = std::fs::read_to_string(path).with_context(|| unusable("it cannot be read"))?;
    let place: Place = serde_json::from_str(&text).with_context(|| unusable("not a place"))?;
    if place.files != files {
        let files = place.files.join(", ");
        return Err(unusable(&format!("it belongs to {files}")).into());
    }
    Ok(place)
}

/// Opens the list where the run before has left it; anything else in it was never acknowledged.
fn open_rejects(path: &Path, place: &Place) -> anyhow::Result<(PathBuf, File)> {
    if RefusalFormat::from_name(path) != Some(RefusalFormat::Jsonl) {
        return Err(Exit::usage(format!(
            "--rejects {}: end the name in .jsonl",
            path.display()
        )));
    }
    let name = path.to_string_lossy();
    let listed = place.rejects.as_ref().filter(|list| list.file == name);
    let opened = || {
        if place.rows == 0 {
            return File::create(path);
        }
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).open(path)?;
        if let Some(list) = listed
            && file.metadata()?.len() > list.bytes
        {
            file.set_len(list.bytes)?;
        }
        Ok(file)
    };
    Ok((path.to_owned(), opened().map_err(Exit::output(Some(path)))?))
}

/// How long a list is, once all of it is on disk; 0 for what is no regular file.
fn bytes_on_disk(file: &File) -> io::Result<u64> {
    let found = file.metadata()?;
    if found.is_file() {
        file.sync_data()?;
    }
    Ok(found.len())
}
