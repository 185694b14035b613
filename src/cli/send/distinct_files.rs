//! Checks that the files of a run are different ones, whatever their names: an input must never be
//! overwritten. Opens nothing.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use crate::cli::exit::Exit;
use crate::input::Source;

/// What identifies a file, whatever its name.
#[derive(PartialEq, Eq)]
enum Identity {
    /// Device and inode number: the same for all links.
    #[cfg(unix)]
    Node(u64, u64),
    /// The full path, for a file that does not exist yet or has no number.
    Path(PathBuf),
}

/// Refuses `resume` or `rejects` if it is one of `sources`, or if both are the same.
pub(super) fn check(
    sources: &[Source],
    resume: Option<&Path>,
    rejects: Option<&Path>,
) -> anyhow::Result<()> {
    let flags = [("--resume", resume), ("--rejects", rejects)];
    let written = flags.map(|(flag, path)| (flag, path, path.and_then(identity)));
    for (flag, path, file) in &written {
        let (Some(path), Some(file)) = (path, file) else {
            continue;
        };
        let read = sources
            .iter()
            .find(|source| identity(path_of(source)).as_ref() == Some(file));
        if let Some(source) = read {
            return Err(Exit::usage(format!(
                "{flag} {}: this is the input {}, which would be overwritten; name another file",
                path.display(),
                source.name()
            )));
        }
    }
    match written {
        [(_, _, Some(one)), (_, Some(path), Some(other))] if one == other => {
            Err(Exit::usage(format!(
                "--rejects {}: --resume names the same file; name another one",
                path.display()
            )))
        }
        _ => Ok(()),
    }
}

fn path_of(source: &Source) -> &Path {
    match source {
        // If standard input is a file, this name leads to it.
        Source::Stdin => Path::new("/dev/stdin"),
        Source::Path(path) => path,
    }
}

/// `None` if nothing can be overwritten, as with a terminal or `/dev/null`.
fn identity(path: &Path) -> Option<Identity> {
    match path.metadata() {
        Ok(found) if !found.is_file() => None,
        Ok(found) => Some(of_file(path, &found)),
        Err(_) => {
            let folder = match path.parent() {
                Some(folder) if folder != Path::new("") => folder,
                _ => Path::new("."),
            };
            let folder = folder.canonicalize().ok()?;
            Some(Identity::Path(folder.join(path.file_name()?)))
        }
    }
}

#[cfg(unix)]
fn of_file(_: &Path, found: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    Identity::Node(found.dev(), found.ino())
}

#[cfg(not(unix))]
fn of_file(path: &Path, _: &Metadata) -> Identity {
    Identity::Path(path.canonicalize().unwrap_or_else(|_| path.to_owned()))
}
