//! The state as it is opened, read whole and written behind.
//!
//! The store below (redb) checks every page when it is opened, and never again; so every entry
//! carries a checksum of its own, and the number and the sum of them tell when one is missing.
//! After an error while writing, the store must be opened anew: what it holds in memory may not be
//! what is on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use redb::{Database, ReadableDatabase, StorageBackend, TableDefinition};

use super::entry::Entry;
use super::error::{Defect, StateError};
use super::meta::{Meta, Tally, Unread};
use crate::core::key::PARTS;
use crate::error_line::error_line;

/// Keys and their claims; see [`super::entry`].
const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");
/// One value.
const META: TableDefinition<'_, (), &[u8]> = TableDefinition::new("meta");
/// Pages that are kept in memory: nothing is asked of the state but at a start.
const CACHE_BYTES: usize = 48 << 20;

/// The state of a folder.
pub struct Store {
    pub(super) path: PathBuf,
    database: Database,
    meta: Meta,
}

/// Whether every page is checked when a state is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pages {
    Checked,
    AsTheyAre,
}

/// What a state holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// All events up to this number are in the entries.
    pub applied_sequence: u64,
    /// Pairs of token and holder. One that has outgrown the entry which it shared counts twice.
    pub keys: u64,
}

impl Store {
    /// Opens the state that `backend` stores, an empty one where it stores nothing, and checks every
    /// page of it. `path` is what it is called in messages.
    pub fn open(backend: impl StorageBackend, path: &Path) -> Result<Self, StateError> {
        guarded(path, || {
            let mut store = Self::over(backend, path, Pages::Checked)?;
            match store.read_meta()? {
                Some(meta) => store.meta = meta,
                // Both tables come with the first write.
                None if store.is_empty()? => {}
                None => return Err(damaged(path, Defect::Meta)),
            }
            Ok(store)
        })
    }

    /// What it holds.
    #[must_use]
    pub fn contents(&self) -> Contents {
        Contents {
            applied_sequence: self.meta.applied,
            keys: self.meta.tally.keys,
        }
    }

    /// Hands out all entries, on several threads, and then says whether that was what was written:
    /// nothing of it may be used before. Each part has a visitor of its own, which sees the entries
    /// of one holder one after the other.
    pub fn load<V: FnMut(Entry<'_>)>(
        &self,
        visitor: impl Fn() -> V + Sync,
    ) -> Result<(), StateError> {
        guarded(&self.path, || {
            let parts = (0..PARTS).into_par_iter();
            let tallies = parts.map(|part| self.load_part(part, visitor()));
            let tally = tallies.try_reduce(Tally::default, |a, b| Ok(a.join(b)))?;
            tally
                .compare(self.meta.tally)
                .map_err(|defect| damaged(&self.path, defect))
        })
    }

    /// Hands out all entries in order, one after the other; the end of it says whether that was what
    /// was written.
    pub fn for_each(&self, mut visit: impl FnMut(Entry<'_>)) -> Result<(), StateError> {
        guarded(&self.path, || {
            let mut tally = Tally::default();
            for part in 0..PARTS {
                tally = tally.join(self.load_part(part, &mut visit)?);
            }
            tally
                .compare(self.meta.tally)
                .map_err(|defect| damaged(&self.path, defect))
        })
    }

    /// Reads everything and says whether it is what was written.
    pub fn verify(&self) -> Result<Contents, StateError> {
        self.load(|| |_: Entry<'_>| ())?;
        Ok(self.contents())
    }

    /// Puts entries in the place of what was there of the same kind: a single key in the place of that
    /// key, several of a holder in the place of its last several. All or none of them; from then on
    /// all events up to `applied` are covered, and `None` leaves open what is.
    pub fn write<'a>(
        &mut self,
        entries: impl IntoIterator<Item = Entry<'a>>,
        applied: Option<u64>,
    ) -> Result<(), StateError> {
        let path = self.path.clone();
        guarded(&path, || {
            let meta = self.write_all(entries, applied);
            self.meta = meta.map_err(|error| refused(&path, "written", error))?;
            Ok(())
        })
    }

    /// Opens what `backend` stores; what it says of itself is not read yet.
    pub(super) fn over(
        backend: impl StorageBackend,
        path: &Path,
        pages: Pages,
    ) -> Result<Self, StateError> {
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(pages == Pages::Checked)
            .create_with_backend(backend)
            .map_err(|error| refused(path, "opened", error.into()))?;
        Ok(Self {
            path: path.to_owned(),
            database,
            meta: Meta::default(),
        })
    }

    fn write_all<'a>(
        &self,
        entries: impl IntoIterator<Item = Entry<'a>>,
        applied: Option<u64>,
    ) -> Result<Meta, redb::Error> {
        let mut meta = self.meta;
        meta.applied = applied.unwrap_or(meta.applied);
        let mut transaction = self.database.begin_write()?;
        // A start after `kill -9` finds the free pages noted instead of looking for them.
        transaction.set_quick_repair(true);
        {
            let mut table = transaction.open_table(ENTRIES)?;
            let (mut key, mut value) = (Vec::new(), Vec::new());
            for entry in entries {
                let checksum = entry.write(&mut key, &mut value);
                if let Some(known) = table.insert(key.as_slice(), value.as_slice())? {
                    let known = Entry::read(&key, known.value());
                    let (known, checksum) = known.ok_or_else(changed)?;
                    meta.tally.take_away(count(&known), checksum);
                }
                meta.tally.add(count(&entry), checksum);
            }
            let mut table = transaction.open_table(META)?;
            table.insert((), meta.bytes().as_slice())?;
        }
        transaction.commit()?;
        Ok(meta)
    }

    fn load_part(
        &self,
        part: usize,
        mut visit: impl FnMut(Entry<'_>),
    ) -> Result<Tally, StateError> {
        let mut tally = Tally::default();
        self.read_part(part, |key, value| {
            let (entry, checksum) =
                Entry::read(key, value).ok_or_else(|| damaged(&self.path, Defect::Entry))?;
            tally.add(count(&entry), checksum);
            visit(entry);
            Ok(())
        })?;
        Ok(tally)
    }

    /// Hands out the bytes of the entries of one part, in order.
    pub(super) fn read_part(
        &self,
        part: usize,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let unread = |error: redb::Error| refused(&self.path, "read", error);
        let first = [u8::try_from(part).expect("there are 256 parts")];
        let transaction = self.database.begin_read();
        let transaction = transaction.map_err(|error| unread(error.into()))?;
        let table = match transaction.open_table(ENTRIES) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(unread(error.into())),
        };
        let entries = table.range(first.as_slice()..);
        for entry in entries.map_err(|error| unread(error.into()))? {
            let (key, value) = entry.map_err(|error| unread(error.into()))?;
            if key.value().first() != first.first() {
                break;
            }
            visit(key.value(), value.value())?;
        }
        Ok(())
    }

    pub(super) fn read_meta(&self) -> Result<Option<Meta>, StateError> {
        let unread = |error: redb::Error| refused(&self.path, "read", error);
        let transaction = self.database.begin_read();
        let transaction = transaction.map_err(|error| unread(error.into()))?;
        let table = match transaction.open_table(META) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(unread(error.into())),
        };
        let Some(bytes) = table.get(()).map_err(|error| unread(error.into()))? else {
            return Ok(None);
        };
        match Meta::read(bytes.value()) {
            Ok(meta) => Ok(Some(meta)),
            Err(Unread::Defect) => Err(damaged(&self.path, Defect::Meta)),
            Err(Unread::Version(found)) => Err(StateError::Version {
                path: self.path.clone(),
                found,
            }),
        }
    }

    fn is_empty(&self) -> Result<bool, StateError> {
        let unread = |error: redb::Error| refused(&self.path, "read", error);
        let transaction = self.database.begin_read();
        let transaction = transaction.map_err(|error| unread(error.into()))?;
        let mut tables = transaction
            .list_tables()
            .map_err(|error| unread(error.into()))?;
        Ok(tables.next().is_none())
    }
}

/// Its keys.
fn count(entry: &Entry<'_>) -> u64 {
    entry.keys().count() as u64
}

/// An entry that is to be replaced is not what was written.
fn changed() -> redb::Error {
    redb::Error::Corrupted(Defect::Entry.to_string())
}

fn damaged(path: &Path, defect: Defect) -> StateError {
    StateError::Damaged {
        path: path.to_owned(),
        defect,
    }
}

/// An error of the store below: damage, or the system's.
fn refused(path: &Path, action: &'static str, error: redb::Error) -> StateError {
    match error {
        redb::Error::Corrupted(what) => damaged(path, Defect::Pages(what)),
        redb::Error::Io(source) if source.kind() == std::io::ErrorKind::InvalidData => {
            damaged(path, Defect::Pages(error_line(&source)))
        }
        other => StateError::io(path, action, other),
    }
}

/// The store below may panic over bytes that it has not written: that is damage too.
pub(super) fn guarded<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, StateError>,
) -> Result<T, StateError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let what = text.unwrap_or("they cannot be read").to_owned();
        Err(damaged(path, Defect::Pages(what)))
    })
}

#[cfg(test)]
mod tests {
    use redb::backends::FileBackend;

    use super::super::entry::Keys;
    use super::*;

    fn open(file: &std::fs::File) -> Store {
        let backend = FileBackend::new(file.try_clone().unwrap()).unwrap();
        Store::open(backend, Path::new("state.redb")).unwrap()
    }

    fn tokens(store: &Store) -> Vec<String> {
        let mut tokens = Vec::new();
        let each =
            |entry: Entry<'_>| tokens.extend(entry.keys().map(|(token, _)| token.to_owned()));
        store.for_each(each).unwrap();
        tokens
    }

    #[test]
    fn a_state_of_version_1_is_read_and_goes_on_as_the_present_one() {
        let one = |token_id| Entry {
            holder_id: "h",
            keys: Keys::One {
                token_id,
                claims: b"claims",
            },
        };
        let file = tempfile::tempfile().unwrap();
        let mut store = open(&file);
        store.write(["a", "b"].map(one), Some(7)).unwrap();
        // Its meta had no number of keys.
        let Tally { entries, sum, .. } = store.meta.tally;
        let mut meta = 1_u32.to_le_bytes().to_vec();
        meta.extend(
            [7, entries, sum]
                .iter()
                .flat_map(|field| field.to_le_bytes()),
        );
        meta.extend(crc32c::crc32c(&meta).to_le_bytes());
        let transaction = store.database.begin_write().unwrap();
        let mut table = transaction.open_table(META).unwrap();
        table.insert((), meta.as_slice()).unwrap();
        drop(table);
        transaction.commit().unwrap();
        drop(store);

        let mut store = open(&file);
        let contents = |applied_sequence, keys| Contents {
            applied_sequence,
            keys,
        };
        assert_eq!(store.verify().unwrap(), contents(7, 2));
        store.write([one("c")], Some(8)).unwrap();
        drop(store);
        let store = open(&file);
        assert_eq!(store.verify().unwrap(), contents(8, 3));
        assert_eq!(tokens(&store), ["a", "b", "c"]);
    }
}
