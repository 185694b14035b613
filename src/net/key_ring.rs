//! The API keys in use: loaded from their file, and reloaded when it changes.
//!
//! After an invalid change of the file the old keys stay in use. See `keys` for what the file contains.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use tracing::{info, warn};

use super::keys::{ApiKey, KeyFileError, KeyHash, read_keys};
use super::reloadable::Reloadable;
use crate::error_line::error_line;
use crate::plain_file::read_plain_text;
use crate::telemetry::metrics::Metrics;

/// The keys in use, and their file.
pub(super) struct KeyRing {
    file: PathBuf,
    keys: Reloadable<Vec<ApiKey>, KeyFileError>,
    metrics: Arc<Metrics>,
    reloads: watch::Sender<()>,
}

impl KeyRing {
    /// Loads the keys of `file`.
    pub(super) fn open(file: &Path, metrics: Arc<Metrics>) -> Result<Self, KeyFileError> {
        let file = file.to_owned();
        let keys = {
            let file = file.clone();
            Reloadable::open(vec![file.clone()], move || load(&file))?
        };
        Ok(Self {
            file,
            keys,
            metrics,
            reloads: watch::Sender::new(()),
        })
    }

    /// Reloads the file. If it is invalid, the old keys stay in use.
    pub(super) fn reload(&self) {
        self.report(self.keys.reload());
    }

    /// Reloads the file if it has changed. An invalid file is logged once.
    pub(super) fn reload_if_changed(&self) {
        if let Some(read) = self.keys.reload_if_changed() {
            self.report(read);
        }
    }

    /// The key that a caller sent. Compares it with all keys, so that the time does not depend on the match.
    pub(super) fn find(&self, presented: &str) -> Option<ApiKey> {
        self.get(&KeyHash::of(presented))
    }

    /// The key with this hash, in a time that does not depend on the match either.
    pub(super) fn get(&self, hash: &KeyHash) -> Option<ApiKey> {
        let keys = self.keys.get();
        let mut found = None;
        for key in keys.iter() {
            if key.hash.is(hash) {
                found = Some(key);
            }
        }
        found.cloned()
    }

    /// Changes each time the file was reloaded.
    pub(super) fn reloads(&self) -> watch::Receiver<()> {
        self.reloads.subscribe()
    }

    fn report(&self, read: Result<Arc<Vec<ApiKey>>, KeyFileError>) {
        self.metrics.keys_reloaded(read.is_ok());
        match read {
            Ok(keys) => {
                self.reloads.send_replace(());
                info!(keys = keys.len(), file = %self.file.display(), "Reloaded the API keys.");
            }
            Err(error) => {
                warn!(error = %error_line(&error), "Cannot reload the API keys; the old ones stay in use.");
            }
        }
    }
}

fn load(file: &Path) -> Result<Vec<ApiKey>, KeyFileError> {
    let text = read_plain_text(file).map_err(|source| KeyFileError::Read {
        file: file.to_owned(),
        source,
    })?;
    read_keys(file, &text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Scope;

    fn key(name: &str) -> ApiKey {
        ApiKey {
            name: name.into(),
            scopes: vec![Scope::Read],
            hash: KeyHash::of(name),
        }
    }

    #[test]
    fn a_key_is_found_by_its_hash_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        fs::write(&file, key("a").entry() + &key("b").entry()).unwrap();
        let ring = KeyRing::open(&file, Arc::new(Metrics::new("0", ""))).unwrap();
        assert_eq!(ring.find("b"), Some(key("b")));
        assert_eq!(ring.find("c"), None);
        assert_eq!(ring.find(&KeyHash::of("b").to_string()), None);
    }
}
