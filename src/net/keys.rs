//! The file of API keys: names, scopes and hashes.
//!
//! The file never contains a key, only its SHA-256; a key is long and random, so a plain hash is enough.
//! `key_ring` holds the keys in use and reloads them, `access` decides what a key may do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Scope;

/// The SHA-256 of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of `key`, as a caller sends it.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Whether both are the same, compared in constant time.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    fn read(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// One key of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The name of its owner; not empty, and unique in the file.
    pub name: Arc<str>,
    /// At least one.
    pub scopes: Vec<Scope>,
    /// The hash of the key.
    pub hash: KeyHash,
}

impl ApiKey {
    /// The entry of this key for the file.
    ///
    /// # Panics
    /// Never: an entry is plain text.
    #[must_use]
    pub fn entry(&self) -> String {
        let entry = FileEntry {
            name: self.name.to_string(),
            scopes: self.scopes.clone(),
            sha256: self.hash.to_string(),
        };
        let file = KeyFile { key: vec![entry] };
        toml::to_string(&file).expect("texts and lists of texts are valid TOML")
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    #[serde(default)]
    key: Vec<FileEntry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    name: String,
    scopes: Vec<Scope>,
    sha256: String,
}

/// Why a file of keys is invalid; each text names the file.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("{file}: the API keys cannot be read", file = file.display())]
    Read {
        /// Its path.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not TOML, or has other fields than it should.
    #[error("{file}: line {line}: {reason}", file = file.display())]
    Form {
        /// Its path.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// An entry is invalid.
    #[error("{file}: key {name:?}: {reason}", file = file.display())]
    Entry {
        /// Its path.
        file: PathBuf,
        /// Name of the key.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// It has no key, so every call would be refused.
    #[error("{file}: contains no [[key]]; make one with `keys new`", file = file.display())]
    Empty {
        /// Its path.
        file: PathBuf,
    },
}

/// The keys in `text`, which is the content of `file`.
pub fn read_keys(file: &Path, text: &str) -> Result<Vec<ApiKey>, KeyFileError> {
    let parsed: KeyFile = toml::from_str(text).map_err(|error| KeyFileError::Form {
        file: file.to_owned(),
        line: error
            .span()
            .map_or(1, |span| 1 + text[..span.start].matches('\n').count()),
        reason: error.message().replace('\n', ", "),
    })?;
    let mut keys: Vec<ApiKey> = Vec::with_capacity(parsed.key.len());
    for entry in parsed.key {
        let refused = |reason| KeyFileError::Entry {
            file: file.to_owned(),
            name: entry.name.clone(),
            reason,
        };
        if entry.name.is_empty() {
            return Err(refused("name is empty"));
        }
        if entry.scopes.is_empty() {
            return Err(refused(
                "scopes are empty; name one of read, write, metrics, rounds and admin",
            ));
        }
        let hash = KeyHash::read(&entry.sha256)
            .ok_or_else(|| refused("sha256 is not 64 hexadecimal digits"))?;
        if keys.iter().any(|key| *key.name == *entry.name) {
            return Err(refused("the name is used twice"));
        }
        if keys.iter().any(|key| key.hash == hash) {
            return Err(refused("another name has the same sha256"));
        }
        keys.push(ApiKey {
            name: entry.name.into(),
            scopes: entry.scopes,
            hash,
        });
    }
    if keys.is_empty() {
        return Err(KeyFileError::Empty {
            file: file.to_owned(),
        });
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ApiKey {
        ApiKey {
            name: name.into(),
            scopes: vec![Scope::Read, Scope::Write],
            hash: KeyHash::of(name),
        }
    }

    fn reason(text: &str) -> String {
        read_keys(Path::new("keys.toml"), text)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn written_entries_read_back() {
        let keys = [key("a \"quoted\" one"), key("b")];
        let text: String = keys.iter().map(ApiKey::entry).collect();
        assert_eq!(read_keys(Path::new("f"), &text).unwrap(), keys);
        assert!(!text.contains("sha256 = \"b\""), "{text}");
    }

    #[test]
    fn an_invalid_file_is_refused_with_place_and_reason() {
        let entry = key("a").entry();
        for (text, expected) in [
            (String::new(), "keys.toml: contains no [[key]]"),
            (
                format!("{entry}{entry}"),
                "keys.toml: key \"a\": the name is used twice",
            ),
            (
                format!("{entry}{}", entry.replace("\"a\"", "\"b\"")),
                "keys.toml: key \"b\": another name has the same sha256",
            ),
            (
                entry.replace("[\"read\", \"write\"]", "[]"),
                "keys.toml: key \"a\": scopes are empty",
            ),
            (
                entry.replace("sha256 = \"c", "sha256 = \"x"),
                "keys.toml: key \"a\": sha256 is not 64",
            ),
            (
                entry.replace("\"a\"", "\"\""),
                "keys.toml: key \"\": name is empty",
            ),
            (
                entry.replace("read", "reed"),
                "keys.toml: line 3: unknown variant `reed`",
            ),
            (
                format!("{entry}colour = 1\n"),
                "keys.toml: line 5: unknown field `colour`",
            ),
        ] {
            let found = reason(&text);
            assert!(found.starts_with(expected), "{text}\n{found}");
            assert!(!found.contains('\n'), "{found}");
        }
    }
}
