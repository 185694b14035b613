//! Pipelines that ended the process: they are not started again until an operator enables them.
//!
//! One file in the data folder, JSON, so that it can be read and removed by hand. Without a data folder nothing is
//! kept.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// The file, in the data folder.
const FILE: &str = "quarantine.json";

/// Why a pipeline is not started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Quarantined {
    /// The handler in which Python was stuck; empty while the file was executed.
    pub(super) handler: String,
    /// The file of the pipeline.
    pub(super) file: String,
    /// For how long.
    pub(super) stuck_seconds: u64,
    /// When, as text.
    pub(super) at: String,
}

/// All of them, by name.
pub(super) struct Quarantine {
    path: Option<PathBuf>,
    known: Mutex<BTreeMap<String, Quarantined>>,
}

impl Quarantine {
    /// Reads the file in `folder`; what cannot be read is reported and counts as nothing.
    pub(super) fn open(folder: Option<&Path>) -> Self {
        let path = folder.map(|folder| folder.join(FILE));
        let read = path.as_deref().map(|path| (path, fs::read(path)));
        let known = match read {
            Some((path, Ok(bytes))) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                let path = path.display();
                tracing::warn!(%error, %path, "The list of quarantined pipelines cannot be read; remove it.");
                BTreeMap::new()
            }),
            Some((_, Err(_))) | None => BTreeMap::new(),
        };
        Self {
            path,
            known: Mutex::new(known),
        }
    }

    /// All of them, by name.
    pub(super) fn all(&self) -> BTreeMap<String, Quarantined> {
        self.known.lock().clone()
    }

    /// Adds a pipeline.
    pub(super) fn add(&self, pipeline: &str, reason: Quarantined) -> io::Result<()> {
        let mut known = self.known.lock();
        known.insert(pipeline.to_owned(), reason);
        self.write(&known)
    }

    /// Lets a pipeline start again; `false` if it may already.
    pub(super) fn remove(&self, pipeline: &str) -> io::Result<bool> {
        let mut known = self.known.lock();
        if known.remove(pipeline).is_none() {
            return Ok(false);
        }
        self.write(&known)?;
        Ok(true)
    }

    fn write(&self, known: &BTreeMap<String, Quarantined>) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        if known.is_empty() {
            return fs::remove_file(path);
        }
        let beside = path.with_extension("json.new");
        let mut file = fs::File::create(&beside)?;
        file.write_all(&serde_json::to_vec_pretty(known)?)?;
        file.sync_all()?;
        fs::rename(beside, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason() -> Quarantined {
        Quarantined {
            handler: "follow".into(),
            file: "tiers.py".into(),
            stuck_seconds: 120,
            at: "2026-01-01T00:00:00Z".into(),
        }
    }

    #[test]
    fn a_pipeline_stays_until_it_is_enabled() {
        let folder = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::open(Some(folder.path()));
        quarantine.add("tiers", reason()).unwrap();
        let again = Quarantine::open(Some(folder.path()));
        assert_eq!(again.all()["tiers"], reason());
        assert!(again.remove("tiers").unwrap() && !again.remove("tiers").unwrap());
        assert!(Quarantine::open(Some(folder.path())).all().is_empty());
        assert!(!folder.path().join(FILE).exists());
    }

    #[test]
    fn a_file_that_is_damaged_counts_as_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{\"tiers\": 5").unwrap();
        assert!(Quarantine::open(Some(folder.path())).all().is_empty());
        let nowhere = Quarantine::open(None);
        nowhere.add("tiers", reason()).unwrap();
        assert_eq!(nowhere.all().len(), 1);
    }
}
