//! What was acknowledged and what was refused: in memory, and in the files that outlive a run.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::reader::Parcel;
use crate::cli::failure::Failure;
use crate::input::Source;
use crate::net::client::{Ack, RefusedRow};
use crate::output::{Destination, RefusalFormat, RefusedLine, write_refusals};

/// The place is saved at most this often, and at the end.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// What a run leaves for the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    /// Names of the files, in their order: a place means nothing in others.
    files: Vec<String>,
    /// Rows from the beginning of the first file that are done with.
    rows: u64,
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
    ) -> Result<Self, Failure> {
        if resume.is_some() && sources.contains(&Source::Stdin) {
            return Err(Failure::Usage(
                "--resume: standard input cannot be read again; name a file".into(),
            ));
        }
        let files = sources.iter().map(|source| source.name().to_string());
        let mut place = Place {
            files: files.collect(),
            rows: 0,
        };
        if let Some(path) = resume.filter(|path| path.exists()) {
            place.rows = rows_done(path, &place.files)?;
        }
        let rejects = rejects
            .map(|path| open_rejects(path, place.rows > 0))
            .transpose()?;
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

    /// Rows that are done with.
    pub(super) fn acknowledged(&self) -> u64 {
        self.place.rows
    }

    /// All of `parcel` is done with; `ack` is what the server said of its events, if it has any.
    pub(super) fn settle(&mut self, parcel: Parcel, ack: Option<Ack>) -> Result<(), Failure> {
        let rows = parcel.rows() as u64;
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
                .map_err(Failure::output(Some(path)))?;
        }
        self.first_refused = self
            .first_refused
            .take()
            .or_else(|| refused.into_iter().next());
        self.place.rows += rows;
        if self.saved.elapsed() >= SAVE_EVERY {
            self.save()?;
        }
        Ok(())
    }

    /// Writes down the place.
    pub(super) fn save(&mut self) -> Result<(), Failure> {
        self.saved = Instant::now();
        let Some(path) = &self.resume else {
            return Ok(());
        };
        let written = Destination::file(path).and_then(|mut out| {
            serde_json::to_writer(&mut out, &self.place)?;
            out.write_all(b"\n")?;
            out.finish()
        });
        written.map_err(Failure::output(Some(path)))
    }

    /// One line for people.
    pub(super) fn summary(&self, is_complete: bool) -> String {
        let durable = if self.is_durable {
            ""
        } else {
            " in memory alone"
        };
        let done = if is_complete {
            String::new()
        } else {
            let next = match &self.resume {
                Some(_) => "run it again to go on from there",
                None => "run it again, repeated events change nothing",
            };
            format!("; {} rows are done: {next}", self.place.rows)
        };
        let before = if self.began_at == 0 {
            String::new()
        } else {
            format!("; {} rows were done before", self.began_at)
        };
        let (accepted, refused) = (self.accepted, self.refused);
        format!("{accepted} events acknowledged{durable}, {refused} lines refused{before}{done}")
    }

    /// Fails where lines were refused and nobody wanted a list of them.
    pub(super) fn verdict(&mut self) -> Result<(), Failure> {
        match self.first_refused.take() {
            Some(first) if self.rejects.is_none() => Err(Failure::Refused(first)),
            Some(_) | None => Ok(()),
        }
    }
}

fn rows_done(path: &Path, files: &[String]) -> Result<u64, Failure> {
    let unusable = |detail: String| {
        Failure::Usage(format!(
            "--resume {}: {detail}; remove it to begin anew",
            path.display()
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let place: Place =
        serde_json::from_str(&text).map_err(|error| unusable(format!("not a place ({error})")))?;
    if place.files != files {
        let files = place.files.join(", ");
        return Err(unusable(format!("it belongs to {files}")));
    }
    Ok(place.rows)
}

fn open_rejects(path: &Path, is_resumed: bool) -> Result<(PathBuf, File), Failure> {
    if RefusalFormat::from_name(path) != Some(RefusalFormat::Jsonl) {
        return Err(Failure::Usage(format!(
            "--rejects {}: end the name in .jsonl",
            path.display()
        )));
    }
    let mut options = OpenOptions::new();
    if is_resumed {
        options.append(true);
    } else {
        options.write(true).truncate(true);
    }
    let file = options.create(true).open(path);
    Ok((path.to_owned(), file.map_err(Failure::output(Some(path)))?))
}
