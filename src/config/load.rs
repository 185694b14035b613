//! The layers over each other: default, file, environment, flags. The last one that speaks wins.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::file;
use super::keys::{KEYS, Key};
use super::nearest::{distance, nearest};
use super::settings::Config;

/// What begins the variables that are ours alone.
const PREFIX: &str = "HOLDMETRICS_";
/// Shorter names are near to each other by chance.
const SLIPS_LENGTH_MIN: usize = 8;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody chose it.
    Default,
    /// A line of a file.
    File {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
    },
    /// A variable of the environment.
    Variable(String),
    /// An argument of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::File { path, line } => write!(out, "{}: line {line}", path.display()),
            Self::Variable(name) => out.write_str(name),
            Self::Flag(name) => out.write_str(name),
        }
    }
}

/// A setting that the command line chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// As in `limits.message_bytes_max`.
    pub key: &'static str,
    /// As in `--data-dir`.
    pub flag: &'static str,
    /// As a file would say it.
    pub text: String,
}

/// A checked configuration, and where each value came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    origins: Vec<Origin>,
}

impl Loaded {
    /// Every setting with its value as text and its origin.
    pub fn settings(&self) -> impl Iterator<Item = (&'static Key, String, &Origin)> {
        KEYS.iter()
            .zip(&self.origins)
            .map(|(key, origin)| (key, key.text(&self.config), origin))
    }

    fn set(&mut self, key: &'static Key, text: &str, origin: Origin) -> Result<(), ConfigError> {
        if (key.slot)(&mut self.config).read(text).is_none() {
            return Err(ConfigError::Value {
                origin,
                key: key.name,
                text: text.to_owned(),
                form: key.form(),
            });
        }
        let place = KEYS.iter().position(|known| std::ptr::eq(known, key));
        self.origins[place.expect("a key of the list")] = origin;
        Ok(())
    }
}

/// Lays `file`, `variables` and `flags` over the default.
///
/// # Errors
/// At the first unknown key, value out of bounds or contradiction.
///
/// # Panics
/// Where a flag names a key that is none.
pub fn load(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    flags: &[Flag],
) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded {
        config: Config::default(),
        origins: vec![Origin::Default; KEYS.len()],
    };
    if let Some(path) = file {
        for entry in file::entries(path)? {
            let origin = Origin::File {
                path: path.to_owned(),
                line: entry.line,
            };
            match Key::named(&entry.key) {
                Some(key) => loaded.set(key, &entry.text, origin)?,
                // A section whose settings are all commented out.
                None if entry.text.is_empty() && is_section(&entry.key) => {}
                None => return Err(unknown(entry.key, origin)),
            }
        }
    }
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort();
    for (name, text) in variables {
        let Some(name) = name.to_str() else {
            continue;
        };
        let origin = Origin::Variable(name.to_owned());
        // What is no UTF-8 is no value, either, and the message shows what can be shown.
        let text = text.to_string_lossy();
        match KEYS.iter().find(|key| key.variable == name) {
            // An empty variable is one that nobody set, as container tools have it.
            Some(_) if text.is_empty() => {}
            Some(key) => loaded.set(key, &text, origin)?,
            None if is_in_a_section(name) || is_almost_ours(name) => {
                return Err(unknown_variable(name, origin));
            }
            None => {}
        }
    }
    for Flag { key, flag, text } in flags {
        let key = Key::named(key).expect("flags name keys of the list");
        loaded.set(key, text, Origin::Flag(flag))?;
    }
    match loaded.config.contradiction() {
        Some(sentence) => Err(ConfigError::Contradiction(sentence)),
        None => Ok(loaded),
    }
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.section() == name)
}

/// Whether two slips of a finger lead from a variable with our prefix to this one. What Kubernetes
/// sets ends in `_PORT`, `_SERVICE_HOST` and the like, as none of these do.
fn is_almost_ours(variable: &str) -> bool {
    let ours = KEYS.iter().map(|key| key.variable);
    let ours = ours.filter_map(|known| known.strip_prefix(PREFIX));
    variable.strip_prefix(PREFIX).is_some_and(|name| {
        name.len() >= SLIPS_LENGTH_MIN && ours.into_iter().any(|known| distance(name, known) <= 2)
    })
}

/// Other names with our prefix are left alone: Kubernetes sets `HOLDMETRICS_PORT` and the like for a
/// service of this name.
fn is_in_a_section(variable: &str) -> bool {
    let Some(rest) = variable.strip_prefix(PREFIX) else {
        return false;
    };
    KEYS.iter().any(|key| {
        rest.strip_prefix(&key.section().to_uppercase())
            .is_some_and(|name| name.starts_with('_'))
    })
}

fn unknown(key: String, origin: Origin) -> ConfigError {
    let hint = nearest(&key, KEYS.iter().map(|key| (key.name, key.name)));
    ConfigError::UnknownKey { origin, key, hint }
}

fn unknown_variable(name: &str, origin: Origin) -> ConfigError {
    // What all of ours begin with makes none of them nearer.
    let bare = |name: &'static str| name.strip_prefix(PREFIX).unwrap_or(name);
    let known = KEYS.iter().map(|key| (bare(key.variable), key.variable));
    let hint = nearest(name.strip_prefix(PREFIX).unwrap_or(name), known);
    ConfigError::UnknownKey {
        origin,
        key: name.to_owned(),
        hint,
    }
}
