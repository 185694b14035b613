//! A value that is read from files and reloaded when they change: the API keys, the certificates.
//!
//! If the new files are invalid, the old value stays in use. This module neither logs nor counts nor polls:
//! `key_ring` and `certificates` log and count, `server` polls.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::{ArcSwap, Guard};

type Read<T, E> = Box<dyn Fn() -> Result<T, E> + Send + Sync>;

/// The last valid value, and how to read it again.
pub(super) struct Reloadable<T, E> {
    files: Vec<PathBuf>,
    read: Read<T, E>,
    value: ArcSwap<T>,
    observed: Mutex<Observed>,
}

/// The stamps of the files.
struct Observed {
    /// Taken before the last read, successful or not.
    when_read: Stamps,
    /// Taken at the last poll.
    last: Stamps,
}

type Stamps = Vec<Option<Stamp>>;

/// Length, modification time and identity: differs if the content of a file has changed.
type Stamp = (u64, Option<SystemTime>, u64);

impl<T, E> Reloadable<T, E> {
    /// Calls `read`, which reads `files`.
    pub(super) fn open(
        files: Vec<PathBuf>,
        read: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, E> {
        let observed = stamps(&files);
        Ok(Self {
            value: ArcSwap::from_pointee(read()?),
            read: Box::new(read),
            observed: Mutex::new(Observed {
                last: observed.clone(),
                when_read: observed,
            }),
            files,
        })
    }

    /// The current value.
    pub(super) fn get(&self) -> Guard<Arc<T>> {
        self.value.load()
    }

    /// Reads the files again. If that fails, the value stays.
    pub(super) fn reload(&self) -> Result<Arc<T>, E> {
        self.replace(&mut self.observed())
    }

    /// Reads the files again if one of them has changed since the last reading, but none since the last poll,
    /// so that an operator can replace several files. Returns `None` if nothing was read.
    pub(super) fn reload_if_changed(&self) -> Option<Result<Arc<T>, E>> {
        let mut observed = self.observed();
        let now = stamps(&self.files);
        let is_due = now == observed.last && now != observed.when_read;
        observed.last = now;
        is_due.then(|| self.replace(&mut observed))
    }

    fn replace(&self, observed: &mut Observed) -> Result<Arc<T>, E> {
        // Before the content, so that a change in between is detected at the next poll.
        observed.when_read = stamps(&self.files);
        let value = Arc::new((self.read)()?);
        self.value.store(Arc::clone(&value));
        Ok(value)
    }

    /// Locked for a whole read: of two concurrent reads, the one of the older files must not finish last.
    fn observed(&self) -> MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Differs for a file that was renamed into place, even within one tick of the file system's clock.
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

    /// Two digits in two files; a pair is valid if its sum is 9.
    fn open(folder: &Path) -> Reloadable<[u8; 2], [u8; 2]> {
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
        Reloadable::open(files, read).expect("a valid pair")
    }

    fn put(folder: &Path, name: &str, content: &str) {
        fs::write(folder.join("new"), content).unwrap();
        fs::rename(folder.join("new"), folder.join(name)).unwrap();
    }

    #[test]
    fn a_change_is_read_when_it_is_complete_and_invalid_files_are_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        put(folder, "a", "1");
        put(folder, "b", "8");
        let value = open(folder);
        let poll = || value.reload_if_changed().map(|read| read.map(|new| *new));
        assert_eq!(poll(), None);

        // Half of a new pair, and the other half is missing.
        put(folder, "a", "2");
        assert_eq!([poll(), poll(), poll()], [None, Some(Err([2, 8])), None]);
        assert_eq!(**value.get(), [1, 8]);
        fs::remove_file(folder.join("b")).unwrap();
        assert_eq!([poll(), poll(), poll()], [None, Some(Err([2, 0])), None]);

        // Both halves, with a poll in between.
        put(folder, "a", "3");
        assert_eq!(poll(), None);
        put(folder, "b", "6");
        assert_eq!([poll(), poll(), poll()], [None, Some(Ok([3, 6])), None]);
        assert_eq!(**value.get(), [3, 6]);
        // An explicit reload does not look at the stamps.
        assert!(value.reload().is_ok());
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "half").unwrap();
        let writer = file.clone();
        let value = Reloadable::open(vec![file.clone()], move || {
            let text = fs::read_to_string(&writer).unwrap();
            if text == "half, again" {
                fs::write(&writer, "whole at last").unwrap();
                return Err(text);
            }
            Ok(text)
        })
        .unwrap();
        fs::write(&file, "half, again").unwrap();
        assert_eq!(value.reload(), Err("half, again".to_owned()));
        assert!(value.reload_if_changed().is_none());
        assert!(value.reload_if_changed().unwrap().is_ok());
        assert_eq!(**value.get(), "whole at last");
    }
}
