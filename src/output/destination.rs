//! Where output goes. A file appears under its name only when all of it is on disk, so that no reader
//! sees half of one, and an error leaves the previous file in place.

use std::fs::{File, OpenOptions};
use std::io::{self, Stdout, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

/// Standard output, or a file that is being written.
pub(crate) struct Destination(Kind);

enum Kind {
    Stdout(Stdout),
    /// A temporary file in the folder of the file that it becomes.
    Draft {
        file: File,
        draft: TempPath,
        path: PathBuf,
    },
    /// Anything but a regular file, such as a pipe or `/dev/null`: written to, never replaced.
    InPlace(File),
}

impl Destination {
    /// Standard output.
    #[must_use]
    pub(crate) fn stdout() -> Self {
        Self(Kind::Stdout(io::stdout()))
    }

    /// The file `path`; `-` is standard output.
    ///
    /// # Errors
    /// If nothing can be written in the folder of `path`.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::stdout());
        }
        // A link is resolved, so that it stays a link and its target is replaced.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            return OpenOptions::new()
                .write(true)
                .open(path)
                .map(|file| Self(Kind::InPlace(file)));
        }
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let (file, draft) = draft_in(folder)?.into_parts();
        Ok(Self(Kind::Draft { file, draft, path }))
    }

    /// Puts the written file in its place; without this call it is deleted.
    ///
    /// # Errors
    /// If the last bytes do not reach the disk, or the file cannot be replaced.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self.0 {
            Kind::Stdout(mut out) => out.flush(),
            Kind::InPlace(mut file) => file.flush(),
            Kind::Draft { file, draft, path } => {
                file.sync_all()?;
                drop(file);
                draft.persist(path).map_err(|failed| failed.error)
            }
        }
    }
}

/// With the permissions of an ordinary file, which temporary files do not have by default.
#[cfg(unix)]
fn draft_in(folder: &Path) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new()
        .prefix(".holdmetrics-")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

#[cfg(not(unix))]
fn draft_in(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".holdmetrics-")
        .tempfile_in(folder)
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Stdout(out) => out.write(bytes),
            Kind::Draft { file, .. } | Kind::InPlace(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::Stdout(out) => out.flush(),
            Kind::Draft { file, .. } | Kind::InPlace(file) => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_finished_leaves_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.json");
        std::fs::write(&path, "old").unwrap();
        let mut abandoned = Destination::file(&path).unwrap();
        abandoned.write_all(b"half").unwrap();
        drop(abandoned);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        let mut finished = Destination::file(&path).unwrap();
        finished.write_all(b"new").unwrap();
        finished.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
