//! The manifest beside a list: what it was computed from, and what came out.
//!
//! It holds no time of day and no path of the machine but those that were given, so that the same inputs give the
//! same bytes.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::bail;
use ruint::aliases::U256;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::plan::Plan;
use crate::airdrop::{REMAINDER_RULE, Text};
use crate::cli::exit::Exit;

/// What the file is, and the version of its fields.
pub(super) const FORMAT: &str = "holdmetrics-airdrop-1";
/// What the manifest of a restatement is.
pub(super) const RESTATEMENT: &str = "holdmetrics-airdrop-restatement-1";

/// The fields, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: String,
    pub(super) version: String,
    pub(super) options: Plan,
    pub(super) inputs: Vec<FileHash>,
    /// Of a service or its data folder.
    pub(super) store: Option<StoreHead>,
    pub(super) policy: Option<Version>,
    pub(super) exclude: Option<FileHash>,
    pub(super) holders: Option<FileHash>,
    pub(super) remainder_rule: String,
    pub(super) counts: Counts,
    pub(super) sum: Text<U256>,
    pub(super) list: FileHash,
}

/// A policy by what it computes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Version {
    pub(super) name: String,
    pub(super) version: String,
}

/// The events of a service that were scored: all up to this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreHead {
    pub(super) sequence: u64,
    /// SHA-256 of the last frame of its journal; absent if a service gave the scores.
    pub(super) journal_head: Option<String>,
}

/// A file by what it contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileHash {
    pub(super) file: PathBuf,
    pub(super) sha256: String,
}

/// What became of lines and holders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counts {
    pub(super) read: u64,
    pub(super) accepted: u64,
    pub(super) refused: usize,
    pub(super) deficits: usize,
    pub(super) holders: usize,
    pub(super) excluded: usize,
    pub(super) merged: usize,
    pub(super) below_min_score: usize,
    pub(super) without_score: usize,
    pub(super) below_min_amount: usize,
    pub(super) without_amount: usize,
    pub(super) capped: usize,
    pub(super) recipients: usize,
}

/// What every manifest says.
#[derive(Deserialize)]
struct Described {
    format: String,
    list: FileHash,
}

/// A manifest as it was read: once, so that all that is said of it is about the same bytes.
pub(super) struct ManifestFile {
    path: PathBuf,
    bytes: Vec<u8>,
    described: Described,
}

impl ManifestFile {
    /// Reads the manifest of a list, whatever this was computed from.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = super::read(path)?;
        let described: Described = parse(path, &bytes)?;
        if ![FORMAT, RESTATEMENT].contains(&&*described.format) {
            return Err(not_a_manifest(
                path,
                &format!("its format is not {FORMAT} or {RESTATEMENT}"),
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            bytes,
            described,
        })
    }

    /// Fails if a manifest lies beside this list that belongs to another one.
    pub(super) fn check_beside(list: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        let path = Manifest::path_of(list);
        if !path.exists() {
            return Ok(());
        }
        Self::read(&path)?.check_list(list, bytes)
    }

    /// Fails if it belongs to another list, as after an `allocate` that was interrupted between its two files, or after
    /// a change of the list.
    pub(super) fn check_list(&self, list: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        let (stated, found) = (&self.described.list.sha256, sha256(bytes));
        if *stated == found {
            return Ok(());
        }
        Err(Exit::usage(format!(
            "{}: the manifest beside it is of another list (SHA-256 {stated}, and that of this list is {found}): \
             compute the list again, or remove {}",
            list.display(),
            self.path.display()
        )))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_of_restatement(&self) -> bool {
        self.described.format == RESTATEMENT
    }

    /// The manifest of an allocation.
    pub(super) fn allocation(&self) -> anyhow::Result<Manifest> {
        if self.is_of_restatement() {
            return Err(Exit::usage(format!(
                "{}: the manifest of a restatement, and that of an allocation is needed (name the list that \
                 `airdrop allocate` wrote)",
                self.path.display()
            )));
        }
        self.fields()
    }

    /// All its fields.
    pub(super) fn fields<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        parse(&self.path, &self.bytes)
    }
}

/// Reads the JSON of a manifest.
fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> anyhow::Result<T> {
    let parsed = serde_json::from_slice(bytes);
    parsed.map_err(|error| not_a_manifest(path, &error.to_string()))
}

fn not_a_manifest(path: &Path, reason: &str) -> anyhow::Error {
    Exit::usage(format!("{}: not a manifest: {reason}", path.display()))
}

/// The text of a manifest.
pub(super) fn text(manifest: &impl Serialize) -> anyhow::Result<String> {
    // A path need not be text.
    let text = serde_json::to_string_pretty(manifest)
        .map_err(|error| Exit::usage(format!("FILE: its name cannot be recorded: {error}")))?;
    Ok(format!("{text}\n"))
}

impl Manifest {
    pub(super) fn new(
        options: Plan,
        inputs: Vec<FileHash>,
        policy: Option<Version>,
        store: Option<StoreHead>,
        counts: Counts,
        sum: U256,
        list: FileHash,
    ) -> Self {
        Self {
            format: FORMAT.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            options,
            inputs,
            store,
            policy,
            exclude: None,
            holders: None,
            remainder_rule: REMAINDER_RULE.into(),
            counts,
            sum: Text(sum),
            list,
        }
    }

    /// Where the manifest of a list is.
    pub(super) fn path_of(list: &Path) -> PathBuf {
        let mut name = OsString::from(list);
        name.push(".manifest.json");
        name.into()
    }

    /// Before hours of scoring: fails unless the inputs are those of the manifest.
    pub(super) fn check_inputs(&self, folder: &Path) -> anyhow::Result<()> {
        let lists = self.exclude.iter().chain(&self.holders);
        for input in self.inputs.iter().chain(lists) {
            input.check(folder)?;
        }
        Ok(())
    }

    /// How the policy or the store that was found differs from what is recorded.
    pub(super) fn moved(
        &self,
        policy: Option<&Version>,
        store: Option<&StoreHead>,
    ) -> Option<String> {
        if policy != self.policy.as_ref() {
            return Some("the policy has another version".into());
        }
        let (stated, found) = self.store.as_ref().zip(store)?;
        (stated != found).then(|| {
            format!(
                "the store has other events: it ends with event {}, the manifest says {} (take a copy of that moment, \
                 or allocate again)",
                found.sequence, stated.sequence
            )
        })
    }

    /// The text of the file.
    pub(super) fn text(&self) -> anyhow::Result<String> {
        text(self)
    }
}

impl FileHash {
    /// Hashes `file`, which lies below `folder` if its name is relative.
    pub(super) fn of(folder: &Path, file: &Path) -> anyhow::Result<Self> {
        let path = folder.join(file);
        let hash =
            hash_of(&path).map_err(|error| Exit::usage(format!("{}: {error}", path.display())))?;
        Ok(Self {
            file: file.to_owned(),
            sha256: hex::encode(hash),
        })
    }

    /// Fails unless the file below `folder` is the same.
    pub(super) fn check(&self, folder: &Path) -> anyhow::Result<()> {
        let found = Self::of(folder, &self.file)?;
        if found != *self {
            bail!(
                "{}: the file has changed: its SHA-256 is {}, the manifest has {}",
                self.file.display(),
                found.sha256,
                self.sha256
            );
        }
        Ok(())
    }
}

/// SHA-256 in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// SHA-256 of all of a file.
fn hash_of(path: &Path) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut read = BufReader::with_capacity(1 << 16, File::open(path)?);
    loop {
        let bytes = read.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hash.finalize().into());
        }
        hash.update(bytes);
        let count = bytes.len();
        read.consume(count);
    }
}
