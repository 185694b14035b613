//! A value that is read from files, and read again when they change: the API keys, the certificates.
//!
//! Files that cannot be used leave the value that was in force. Tells nobody and has no clock: who holds the
//! value logs and counts, and `server` says when to look. See `key_ring` and `certificates`.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::{ArcSwap, Guard};

type Read<T, E> = Box<dyn Fn() -> Result<T, E> + Send + Sync>;

/// What was last read well, and how to read it.
pub(super) struct InForce<T, E> {
    files: Vec<PathBuf>,
    read: Read<T, E>,
    value: ArcSwap<T>,
    seen: Mutex<Seen>,
}

/// How the files looked.
struct Seen {
    /// Before they were last read, well or not.
    when_read: Stamps,
    /// When somebody last looked.
    last: Stamps,
}

type Stamps = Vec<Option<Stamp>>;

/// Changes where the content of a file does.
type Stamp = (u64, Option<SystemTime>, u64);

impl<T, E> InForce<T, E> {
    /// What `read` makes of `files`.
    pub(super) fn open(
        files: Vec<PathBuf>,
        read: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, E> {
        let seen = stamps(&files);
        Ok(Self {
            value: ArcSwap::from_pointee(read()?),
            read: Box::new(read),
            seen: Mutex::new(Seen {
                last: seen.clone(),
                when_read: seen,
            }),
            files,
        })
    }

    /// The value, at this moment.
    pub(super) fn get(&self) -> Guard<Arc<T>> {
        self.value.load()
    }

    /// Reads the files again. Where that fails, the value stays.
    pub(super) fn reload(&self) -> Result<Arc<T>, E> {
        self.renew(&mut self.seen())
    }

    /// Reads the files again where one of them has changed and all look as they did at the look before:
    /// who renews several is given the time to finish. `None` where they were not read.
    pub(super) fn reload_if_changed(&self) -> Option<Result<Arc<T>, E>> {
        let mut seen = self.seen();
        let now = stamps(&self.files);
        let is_due = now == seen.last && now != seen.when_read;
        seen.last = now;
        is_due.then(|| self.renew(&mut seen))
    }

    fn renew(&self, seen: &mut Seen) -> Result<Arc<T>, E> {
        // Before the content, so that a change in between is seen as one.
        seen.when_read = stamps(&self.files);
        let value = Arc::new((self.read)()?);
        self.value.store(Arc::clone(&value));
        Ok(value)
    }

    /// Held for a whole reading: of two at once, the one that read older files must not come last.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamps(files: &[PathBuf]) -> Stamps {
    files.iter().map(|file| stamp(file)).collect()
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

    /// Two numbers of one digit each, in two files; a pair whose sum is not 9 is none.
    fn open(folder: &Path) -> InForce<[u8; 2], [u8; 2]> {
        let files = vec![folder.join("a"), folder.join("b")];
        let read = {
            let files = files.clone();
            move || {
                let pair = [0, 1].map(|at: usize| {
                    let content = fs::read(&files[at]).unwrap_or_default();
                    content.first().map_or(0, |digit| digit - b'0')
                });
                if pair.iter().sum::<u8>() == 9 {
                    Ok(pair)
                } else {
                    Err(pair)
                }
            }
        };
        InForce::open(files, read).expect("a pair")
    }

    fn put(folder: &Path, name: &str, content: &str) {
        fs::write(folder.join("new"), content).unwrap();
        fs::rename(folder.join("new"), folder.join(name)).unwrap();
    }

    #[test]
    fn a_change_is_read_once_it_is_over_and_only_what_can_be_used_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        put(folder, "a", "1");
        put(folder, "b", "8");
        let in_force = open(folder);
        let look = || {
            in_force
                .reload_if_changed()
                .map(|read| read.map(|new| *new))
        };
        assert_eq!(look(), None);

        // Half of a new pair, and nothing more comes.
        put(folder, "a", "2");
        assert_eq!([look(), look(), look()], [None, Some(Err([2, 8])), None]);
        assert_eq!(**in_force.get(), [1, 8]);
        fs::remove_file(folder.join("b")).unwrap();
        assert_eq!([look(), look(), look()], [None, Some(Err([2, 0])), None]);

        // Halves with a look in between.
        put(folder, "a", "3");
        assert_eq!(look(), None);
        put(folder, "b", "6");
        assert_eq!([look(), look(), look()], [None, Some(Ok([3, 6])), None]);
        assert_eq!(**in_force.get(), [3, 6]);
        // Who asks for it has it read whatever the files look like.
        assert!(in_force.reload().is_ok());
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "half").unwrap();
        let writer = file.clone();
        let in_force = InForce::open(vec![file.clone()], move || {
            let text = fs::read_to_string(&writer).unwrap();
            if text == "half, again" {
                fs::write(&writer, "whole at last").unwrap();
                return Err(text);
            }
            Ok(text)
        })
        .unwrap();
        fs::write(&file, "half, again").unwrap();
        assert_eq!(in_force.reload(), Err("half, again".to_owned()));
        assert!(in_force.reload_if_changed().is_none());
        assert!(in_force.reload_if_changed().unwrap().is_ok());
        assert_eq!(**in_force.get(), "whole at last");
    }
}
