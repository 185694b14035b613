//! Where events come from, by name. Opens nothing; see [`super::opened_source`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::InputError;

/// A file, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Standard input, written `-`.
    Stdin,
    /// A file.
    Path(PathBuf),
}

impl Source {
    /// The name in messages and refusals: the path as it was given, or `-`.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        match self {
            Self::Stdin => "-".into(),
            Self::Path(path) => path.to_string_lossy().into(),
        }
    }

    /// The size in bytes; 0 if it is not known before reading.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Stdin => 0,
            Self::Path(path) => std::fs::metadata(path).map_or(0, |found| found.len()),
        }
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        if path.as_path() == Path::new("-") {
            Self::Stdin
        } else {
            Self::Path(path)
        }
    }
}

/// Checks that every source can be opened, before hours are spent on the first ones.
pub(super) fn check_sources(sources: &[Source]) -> Result<(), InputError> {
    let from_stdin = sources.iter().filter(|source| **source == Source::Stdin);
    if from_stdin.count() > 1 {
        return Err(InputError::StdinTwice);
    }
    for source in sources {
        if let Source::Path(path) = source {
            let found = std::fs::metadata(path).map_err(|error| InputError::Open {
                file: source.name(),
                source: error,
            })?;
            if found.is_dir() {
                return Err(InputError::Folder {
                    file: source.name(),
                });
            }
        }
    }
    Ok(())
}
