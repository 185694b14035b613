//! `keys new`: creates an API key, prints it once and stores its hash.
//!
//! What a key allows is decided in [`crate::net`]; a running service reads a changed file by itself.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use rand::TryRng;
use rand::rngs::SysRng;

use super::exit::Exit;
use crate::config::Scope;
use crate::net::keys::{ApiKey, KeyHash, read_keys};
use crate::owner_only;

/// Prefix of every key, so that secret scanners recognise a leaked one.
const PREFIX: &str = "holdmetrics_";

/// The arguments of `keys`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create a key, print it once and append its hash to the file
    New {
        /// Name of its owner
        #[arg(long, value_name = "NAME")]
        name: String,
        /// What it may do: read, write, metrics, rounds or admin; several are separated by commas
        #[arg(long, value_name = "SCOPES", value_delimiter = ',', required = true, value_parser = scope)]
        scope: Vec<Scope>,
        /// File of API keys, created if it does not exist [default: the entry is printed after the key]
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// Creates one key.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Verb::New { name, scope, file } = &arguments.verb;
    if name.trim().is_empty() {
        return Err(Exit::usage(
            "--name: the name is empty; name the owner of the key",
        ));
    }
    let key = random_key()?;
    let mut scopes = scope.clone();
    scopes.sort_unstable();
    scopes.dedup();
    let entry = ApiKey {
        name: name.as_str().into(),
        scopes,
        hash: KeyHash::of(&key),
    }
    .entry();
    let printed = match file {
        Some(path) => {
            append(path, &entry)?;
            format!("{key}\n")
        }
        None => format!("{key}\n\n{entry}"),
    };
    io::stdout()
        .lock()
        .write_all(printed.as_bytes())
        .map_err(Exit::output(None))
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::named(text).ok_or_else(|| "give read, write, metrics, rounds or admin".into())
}

/// 256 random bits.
fn random_key() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    SysRng
        .try_fill_bytes(&mut bytes)
        .context("the system has no random numbers")?;
    let mut key = PREFIX.to_owned();
    for byte in bytes {
        write!(key, "{byte:02x}").expect("memory takes it");
    }
    Ok(key)
}

/// Appends `entry` to the file at `path` if the whole is then a valid file of keys. The file is not
/// replaced, so it keeps its owner and mode; a service that reads half an entry keeps its old keys.
fn append(path: &Path, entry: &str) -> anyhow::Result<()> {
    let before = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let unread = format!("--file {}: cannot be read", path.display());
            return Err(error).context(Exit::Usage(unread));
        }
    };
    let gap = if before.is_empty() { "" } else { "\n" };
    let added = format!("{gap}{entry}");
    read_keys(path, &format!("{before}{added}")).context("--file")?;
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    owner_only::open(&mut options, path)
        .and_then(|mut file| {
            file.write_all(added.as_bytes())?;
            file.sync_all()
        })
        .map_err(Exit::output(Some(path)))
}
