//! The API keys in force: read from their file, and read again when it changes.
//!
//! A new file that cannot be read leaves the old keys in force. See `keys` for what the file holds.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tracing::{info, warn};

use super::keys::{ApiKey, KeyFileError, KeyHash, read_keys};
use crate::telemetry::metrics::Metrics;

/// The keys in force, and the file that they come from.
pub struct KeyRing {
    file: PathBuf,
    keys: ArcSwap<Vec<ApiKey>>,
    /// How the file looked when it was last read, well or not.
    seen: Mutex<Option<Stamp>>,
    metrics: Arc<Metrics>,
}

/// Changes where the content of a file does.
type Stamp = (u64, Option<SystemTime>, u64);

impl KeyRing {
    /// The keys of `file`.
    pub fn open(file: &Path, metrics: Arc<Metrics>) -> Result<Self, KeyFileError> {
        let (keys, stamp) = load(file)?;
        Ok(Self {
            file: file.to_owned(),
            keys: ArcSwap::from_pointee(keys),
            seen: Mutex::new(stamp),
            metrics,
        })
    }

    /// Reads the file again. Where that fails, the keys that were in force stay.
    pub fn reload(&self) -> Result<(), KeyFileError> {
        let loaded = load(&self.file);
        self.metrics.keys_reloaded(loaded.is_ok());
        match loaded {
            Ok((keys, stamp)) => {
                info!(keys = keys.len(), file = %self.file.display(), "Read the API keys again.");
                self.remember(stamp);
                self.keys.store(Arc::new(keys));
                Ok(())
            }
            Err(error) => {
                warn!(%error, "The API keys stay as they were.");
                self.remember(stamp(&self.file));
                Err(error)
            }
        }
    }

    /// Reads the file again where it has changed; what is wrong with it is logged once.
    pub(super) fn reload_if_changed(&self) {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if stamp(&self.file) != seen {
            // Logged and counted by itself.
            let _ = self.reload();
        }
    }

    /// The key that was presented. Looks at all of them, whichever it is.
    pub(super) fn find(&self, presented: &str) -> Option<ApiKey> {
        let hash = KeyHash::of(presented);
        let keys = self.keys.load();
        let mut found = None;
        for key in keys.iter() {
            if key.hash.is(&hash) {
                found = Some(key);
            }
        }
        found.cloned()
    }

    fn remember(&self, stamp: Option<Stamp>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
    }
}

fn load(file: &Path) -> Result<(Vec<ApiKey>, Option<Stamp>), KeyFileError> {
    // Before the content, so that a change in between is seen as one.
    let stamp = stamp(file);
    let text = fs::read_to_string(file).map_err(|cause| KeyFileError::Read {
        file: file.to_owned(),
        cause,
    })?;
    Ok((read_keys(file, &text)?, stamp))
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(file).ok()?;
    Some((
        metadata.len(),
        metadata.modified().ok(),
        identity(&metadata),
    ))
}

/// A file that is renamed into place differs by this, even within one tick of the clock.
#[cfg(unix)]
fn identity(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::keys::Scope;

    fn key(name: &str) -> ApiKey {
        ApiKey {
            name: name.into(),
            scopes: vec![Scope::Read],
            hash: KeyHash::of(name),
        }
    }

    #[test]
    fn the_presented_key_is_found_by_its_hash_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        fs::write(&file, key("a").entry() + &key("b").entry()).unwrap();
        let ring = KeyRing::open(&file, Arc::new(Metrics::new("0", ""))).unwrap();
        assert_eq!(ring.find("b"), Some(key("b")));
        assert_eq!(ring.find("c"), None);
        assert_eq!(ring.find(&KeyHash::of("b").to_string()), None);
    }
}
