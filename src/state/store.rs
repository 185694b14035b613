//! The state as an open database: read whole at a start, then written in the background.
//!
//! redb checks every page when it opens a file and not afterwards, so every entry has a checksum of
//! its own, and the metadata holds the number and the sum of these checksums, which detects a missing
//! entry. After a write error the store must be reopened: the memory of redb may then differ from
//! what is on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use redb::{Database, ReadableDatabase, StorageBackend, TableDefinition};

use super::defect::Defect;
use super::entry::Entry;
use super::error::StateError;
use super::metadata::{DecodeError, Metadata, TableChecksum};
use crate::core::StoreId;
use crate::core::key::PARTS;
use crate::error_line::error_line;

/// Keys and their claims; see [`super::entry`].
const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");
/// The metadata, as a single value.
pub(super) const METADATA: TableDefinition<'_, (), &[u8]> = TableDefinition::new("meta");
/// Size of the page cache; small, because the state is only read at a start.
const CACHE_BYTES: usize = 48 << 20;

/// An open state.
///
/// ```
/// use std::path::Path;
///
/// use poh_holdmetrics_rust::state::Store;
/// use redb::backends::InMemoryBackend;
///
/// let mut store = Store::open(InMemoryBackend::new(), Path::new("in memory"))?;
/// store.write([], Some(7))?;
/// assert_eq!(store.verify()?.applied_sequence, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Store {
    pub(super) path: PathBuf,
    database: Database,
    metadata: Metadata,
}

/// Whether redb verifies every page when it opens a state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PageCheck {
    Verify,
    Skip,
}

/// How much a state contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The entries contain all events up to this number.
    pub applied_sequence: u64,
    /// Number of pairs of token and holder. A pair that has outgrown its shared entry may count twice.
    pub keys: u64,
}

impl Store {
    /// Opens the state in `backend` and verifies every page; an empty backend is an empty state.
    /// `path` names it in messages.
    pub fn open(backend: impl StorageBackend, path: &Path) -> Result<Self, StateError> {
        catch_damage(path, || {
            let mut store = Self::over(backend, path, PageCheck::Verify)?;
            match store.read_metadata()? {
                Some(metadata) => store.metadata = metadata,
                // The first write creates both tables.
                None if store.is_empty()? => {}
                None => return Err(damaged(path, Defect::Metadata)),
            }
            Ok(store)
        })
    }

    /// How much it contains.
    #[must_use]
    pub fn contents(&self) -> Contents {
        Contents {
            applied_sequence: self.metadata.applied,
            keys: self.metadata.checksum.keys,
        }
    }

    /// The store that it belongs to, if it names one.
    #[must_use]
    pub const fn store(&self) -> Option<StoreId> {
        self.metadata.store
    }

    /// Names the store with the next write.
    pub const fn set_store(&mut self, store: StoreId) {
        self.metadata.store = Some(store);
    }

    /// Passes all entries to visitors on several threads and then verifies that they are what was
    /// written; the caller must not use them before. Each part has a visitor of its own, which gets
    /// the entries of one holder one after the other.
    pub fn load<V: FnMut(Entry<'_>)>(
        &self,
        visitor: impl Fn() -> V + Sync,
    ) -> Result<(), StateError> {
        catch_damage(&self.path, || {
            let parts = (0..PARTS).into_par_iter();
            let checksums = parts.map(|part| self.load_part(part, visitor()));
            let found = checksums.try_reduce(TableChecksum::default, |a, b| Ok(a.merge(b)))?;
            found
                .verify(self.metadata.checksum)
                .map_err(|defect| damaged(&self.path, defect))
        })
    }

    /// Passes all entries to `visit` in order, and then verifies that they are what was written.
    pub fn for_each(&self, mut visit: impl FnMut(Entry<'_>)) -> Result<(), StateError> {
        catch_damage(&self.path, || {
            let mut found = TableChecksum::default();
            for part in 0..PARTS {
                found = found.merge(self.load_part(part, &mut visit)?);
            }
            found
                .verify(self.metadata.checksum)
                .map_err(|defect| damaged(&self.path, defect))
        })
    }

    /// Reads all entries and verifies that they are what was written.
    pub fn verify(&self) -> Result<Contents, StateError> {
        self.load(|| |_: Entry<'_>| ())?;
        Ok(self.contents())
    }

    /// Writes entries in one transaction: a single key replaces the entry of that key, several keys
    /// replace the shared entry of their holder. From then on the state covers all events up to
    /// `applied`; `None` leaves that number unchanged.
    pub fn write<'a>(
        &mut self,
        entries: impl IntoIterator<Item = Entry<'a>>,
        applied: Option<u64>,
    ) -> Result<(), StateError> {
        let path = self.path.clone();
        catch_damage(&path, || {
            let metadata = self.write_all(entries, applied);
            self.metadata = metadata.map_err(|error| refused(&path, "written", error))?;
            Ok(())
        })
    }

    /// Opens the database without reading its metadata.
    pub(super) fn over(
        backend: impl StorageBackend,
        path: &Path,
        check: PageCheck,
    ) -> Result<Self, StateError> {
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(check == PageCheck::Verify)
            .create_with_backend(backend)
            .map_err(|error| refused(path, "opened", error.into()))?;
        Ok(Self {
            path: path.to_owned(),
            database,
            metadata: Metadata::default(),
        })
    }

    fn write_all<'a>(
        &self,
        entries: impl IntoIterator<Item = Entry<'a>>,
        applied: Option<u64>,
    ) -> Result<Metadata, redb::Error> {
        let mut metadata = self.metadata;
        metadata.applied = applied.unwrap_or(metadata.applied);
        let mut transaction = self.database.begin_write()?;
        // Saves the list of free pages, so that a start after `kill -9` need not search for them.
        transaction.set_quick_repair(true);
        {
            let mut table = transaction.open_table(ENTRIES)?;
            let (mut key, mut value) = (Vec::new(), Vec::new());
            for entry in entries {
                let checksum = entry.encode(&mut key, &mut value);
                if let Some(known) = table.insert(key.as_slice(), value.as_slice())? {
                    let known = Entry::decode(&key, known.value());
                    let (known, checksum) = known.ok_or_else(changed)?;
                    metadata.checksum.remove(count(&known), checksum);
                }
                metadata.checksum.add(count(&entry), checksum);
            }
            let mut table = transaction.open_table(METADATA)?;
            table.insert((), metadata.encode().as_slice())?;
        }
        transaction.commit()?;
        Ok(metadata)
    }

    fn load_part(
        &self,
        part: usize,
        mut visit: impl FnMut(Entry<'_>),
    ) -> Result<TableChecksum, StateError> {
        let mut found = TableChecksum::default();
        self.read_part(part, |key, value| {
            let (entry, checksum) =
                Entry::decode(key, value).ok_or_else(|| damaged(&self.path, Defect::Entry))?;
            found.add(count(&entry), checksum);
            visit(entry);
            Ok(())
        })?;
        Ok(found)
    }

    /// Passes the bytes of the entries of one part to `visit`, in order.
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

    pub(super) fn read_metadata(&self) -> Result<Option<Metadata>, StateError> {
        read_metadata(&self.database, &self.path, Metadata::decode)
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

/// The metadata of a database; `None` if it has none yet.
pub(super) fn read_metadata<M>(
    database: &Database,
    path: &Path,
    decode: impl FnOnce(&[u8]) -> Result<M, DecodeError>,
) -> Result<Option<M>, StateError> {
    let unread = |error: redb::Error| refused(path, "read", error);
    let transaction = database.begin_read();
    let transaction = transaction.map_err(|error| unread(error.into()))?;
    let table = match transaction.open_table(METADATA) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(unread(error.into())),
    };
    let Some(bytes) = table.get(()).map_err(|error| unread(error.into()))? else {
        return Ok(None);
    };
    match decode(bytes.value()) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(DecodeError::Damaged) => Err(damaged(path, Defect::Metadata)),
        Err(DecodeError::Version(found)) => Err(StateError::Version {
            path: path.to_owned(),
            found,
        }),
    }
}

/// The number of its keys.
fn count(entry: &Entry<'_>) -> u64 {
    entry.keys().count() as u64
}

/// The error for an entry that was changed since it was written and is to be replaced.
pub(super) fn changed() -> redb::Error {
    redb::Error::Corrupted(Defect::Entry.to_string())
}

pub(super) fn damaged(path: &Path, defect: Defect) -> StateError {
    StateError::Damaged {
        path: path.to_owned(),
        defect,
    }
}

/// Separates damage from the other errors of redb.
pub(super) fn refused(path: &Path, action: &'static str, error: redb::Error) -> StateError {
    match error {
        redb::Error::Corrupted(what) => damaged(path, Defect::Pages(what)),
        redb::Error::Io(source) if source.kind() == std::io::ErrorKind::InvalidData => {
            damaged(path, Defect::Pages(error_line(&source)))
        }
        other => StateError::io(path, action, other),
    }
}

/// redb may panic while it reads bytes that it has not written; that is reported as damage.
pub(super) fn catch_damage<T>(
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

    use super::super::entry::EntryKeys;
    use super::super::metadata::VERSION;
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

    fn one(token_id: &str) -> Entry<'_> {
        Entry {
            holder_id: "h",
            keys: EntryKeys::One {
                token_id,
                claims: b"claims",
            },
        }
    }

    /// Writes metadata of this version with the fields of the state's own.
    fn write_metadata(store: &Store, version: u32, fields: &[u64]) {
        let mut metadata = version.to_le_bytes().to_vec();
        metadata.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
        metadata.extend(crc32c::crc32c(&metadata).to_le_bytes());
        let transaction = store.database.begin_write().unwrap();
        let mut table = transaction.open_table(METADATA).unwrap();
        table.insert((), metadata.as_slice()).unwrap();
        drop(table);
        transaction.commit().unwrap();
    }

    #[test]
    fn a_state_of_an_older_version_is_read_and_continued_in_the_current_version() {
        for version in [1, 2, 3] {
            let file = tempfile::tempfile().unwrap();
            let mut store = open(&file);
            store.write(["a", "b"].map(one), Some(7)).unwrap();
            let TableChecksum { entries, keys, sum } = store.metadata.checksum;
            // That of version 1 has no number of keys.
            let fields = [7, entries, sum, keys];
            let fields = &fields[..if version == 1 { 3 } else { 4 }];
            write_metadata(&store, version, fields);
            drop(store);

            let mut store = open(&file);
            let contents = |applied_sequence, keys| Contents {
                applied_sequence,
                keys,
            };
            assert_eq!(store.verify().unwrap(), contents(7, 2));
            assert_eq!(store.store(), None);
            let named = StoreId::from_bytes([7; 16]).unwrap();
            store.set_store(named);
            store.write([one("c")], Some(8)).unwrap();
            drop(store);
            let store = open(&file);
            assert_eq!(store.verify().unwrap(), contents(8, 3));
            assert_eq!(tokens(&store), ["a", "b", "c"]);
            assert_eq!(store.store(), Some(named));
            let transaction = store.database.begin_read().unwrap();
            let metadata = transaction.open_table(METADATA).unwrap();
            let metadata = metadata.get(()).unwrap().unwrap();
            assert_eq!(metadata.value()[..4], VERSION.to_le_bytes());
        }
    }

    #[test]
    fn a_state_of_a_later_version_is_refused_by_name() {
        let file = tempfile::tempfile().unwrap();
        let mut store = open(&file);
        store.write([one("a")], Some(7)).unwrap();
        write_metadata(&store, VERSION + 1, &[7, 1, 0, 1, 0, 0]);
        drop(store);
        let backend = FileBackend::new(file).unwrap();
        let refused = Store::open(backend, Path::new("state.redb")).err();
        let refused = refused.expect("it is refused").to_string();
        assert!(
            refused.starts_with("state.redb: the state has format version 5, and this program"),
            "{refused}"
        );
    }
}
