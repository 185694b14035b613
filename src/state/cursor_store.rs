//! The cursors of consumers and the small values of pipelines, in a redb file of their own, so that a commit
//! never waits for the state.
//!
//! Everything is read and verified when the file is opened; after that the caller keeps it in memory. As in
//! [`super::Store`], every record has a checksum, and the metadata detects a missing one. After a write error
//! the store must be opened again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, ReadableTable, StorageBackend, Table, TableDefinition};

use super::cursor_error::CursorError;
use super::cursor_record::{
    CursorMetadata, StoredCursor, checksum_of, decode_value, encode_value, value_key,
};
use super::defect::Defect;
use super::error::StateError;
use super::metadata::TableChecksum;
use super::store::{METADATA, catch_damage, changed, damaged, read_metadata, refused};
use crate::core::StoreId;

/// Cursors by the name of their consumer; see [`super::cursor_record`].
const CURSORS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("cursors");
/// Values of pipelines.
const VALUES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("values");
/// Size of the page cache; the whole file is small.
const CACHE_BYTES: usize = 4 << 20;

/// An open file of cursors.
pub struct CursorStore {
    path: PathBuf,
    database: Database,
    metadata: CursorMetadata,
}

/// Everything in a file of cursors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CursorContents {
    /// By name of the consumer.
    pub cursors: BTreeMap<String, StoredCursor>,
    /// By pipeline and key.
    pub values: BTreeMap<(String, String), String>,
    /// The store that the file names.
    pub store: Option<StoreId>,
    /// An earlier file was damaged and moved aside: consumers without a cursor may have had one.
    pub is_incomplete: bool,
}

/// What is to be written in one transaction; `None` removes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CursorChanges {
    /// By name of the consumer.
    pub cursors: BTreeMap<String, Option<StoredCursor>>,
    /// By pipeline and key.
    pub values: BTreeMap<(String, String), Option<String>>,
}

impl CursorStore {
    /// Opens the file in `backend`, verifies it and returns what is in it; an empty backend is an empty file.
    /// `path` names it in messages.
    pub fn open(
        backend: impl StorageBackend,
        path: &Path,
    ) -> Result<(Self, CursorContents), CursorError> {
        Ok(catch_damage(path, || {
            let database = Database::builder()
                .set_cache_size(CACHE_BYTES)
                .set_check_integrity_on_open(true)
                .create_with_backend(backend)
                .map_err(|error| refused(path, "opened", error.into()))?;
            let mut store = Self {
                path: path.to_owned(),
                database,
                metadata: CursorMetadata::default(),
            };
            let contents = store.read()?;
            Ok((store, contents))
        })?)
    }

    /// Names the store with the next write.
    pub const fn set_store(&mut self, store: StoreId) {
        self.metadata.store = Some(store);
    }

    /// Writes changes in one transaction, which is durable when this returns.
    pub fn write(&mut self, changes: &CursorChanges) -> Result<(), CursorError> {
        self.commit(changes, self.metadata.is_incomplete)
    }

    /// Records that an earlier file was lost; see [`CursorContents::is_incomplete`].
    pub fn write_incomplete(&mut self) -> Result<(), CursorError> {
        self.commit(&CursorChanges::default(), true)
    }

    fn commit(&mut self, changes: &CursorChanges, is_incomplete: bool) -> Result<(), CursorError> {
        let path = self.path.clone();
        Ok(catch_damage(&path, || {
            let metadata = self.write_all(changes, is_incomplete);
            self.metadata = metadata.map_err(|error| refused(&path, "written", error))?;
            Ok(())
        })?)
    }

    fn write_all(
        &self,
        changes: &CursorChanges,
        is_incomplete: bool,
    ) -> Result<CursorMetadata, redb::Error> {
        let mut metadata = CursorMetadata {
            is_incomplete,
            ..self.metadata
        };
        let mut transaction = self.database.begin_write()?;
        // Saves the list of free pages, so that a start after `kill -9` need not search for them.
        transaction.set_quick_repair(true);
        {
            let mut table = transaction.open_table(CURSORS)?;
            let checksum = &mut metadata.checksum;
            for (name, cursor) in &changes.cursors {
                let encoded = cursor.as_ref().map(|cursor| cursor.encode(name));
                replace(&mut table, name.as_bytes(), encoded, checksum)?;
            }
            let mut table = transaction.open_table(VALUES)?;
            for ((pipeline, key), text) in &changes.values {
                let encoded = text.as_ref().map(|text| encode_value(pipeline, key, text));
                replace(&mut table, &value_key(pipeline, key), encoded, checksum)?;
            }
            let mut table = transaction.open_table(METADATA)?;
            table.insert((), metadata.encode().as_slice())?;
        }
        transaction.commit()?;
        Ok(metadata)
    }

    fn read(&mut self) -> Result<CursorContents, StateError> {
        let mut contents = CursorContents::default();
        let mut found = TableChecksum::default();
        self.each(CURSORS, |key, value| {
            let (name, cursor, checksum) = StoredCursor::decode(key, value)?;
            contents.cursors.insert(name, cursor);
            found.add(1, checksum);
            Some(())
        })?;
        self.each(VALUES, |key, value| {
            let (names, text, checksum) = decode_value(key, value)?;
            contents.values.insert(names, text);
            found.add(1, checksum);
            Some(())
        })?;
        let metadata = read_metadata(&self.database, &self.path, CursorMetadata::decode)?;
        if let Some(metadata) = metadata {
            self.metadata = metadata;
        }
        let verified = self.metadata.verify(found);
        verified.map_err(|defect| damaged(&self.path, defect))?;
        contents.is_incomplete = self.metadata.is_incomplete;
        contents.store = self.metadata.store;
        Ok(contents)
    }

    /// Passes all records of a table to `visit`, which returns `None` for one that is damaged.
    fn each(
        &self,
        table: TableDefinition<'_, &[u8], &[u8]>,
        mut visit: impl FnMut(&[u8], &[u8]) -> Option<()>,
    ) -> Result<(), StateError> {
        let unread = |error: redb::Error| refused(&self.path, "read", error);
        let transaction = self.database.begin_read();
        let transaction = transaction.map_err(|error| unread(error.into()))?;
        let table = match transaction.open_table(table) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(unread(error.into())),
        };
        for record in table.iter().map_err(|error| unread(error.into()))? {
            let (key, value) = record.map_err(|error| unread(error.into()))?;
            visit(key.value(), value.value()).ok_or_else(|| damaged(&self.path, Defect::Entry))?;
        }
        Ok(())
    }
}

/// Replaces or removes one record, and keeps the checksum of all of them.
fn replace(
    table: &mut Table<'_, &[u8], &[u8]>,
    key: &[u8],
    encoded: Option<(Vec<u8>, Vec<u8>, u32)>,
    checksum: &mut TableChecksum,
) -> Result<(), redb::Error> {
    let known = match encoded {
        Some((key, value, added)) => {
            checksum.add(1, added);
            table.insert(key.as_slice(), value.as_slice())?
        }
        None => table.remove(key)?,
    };
    if let Some(known) = known {
        let removed = checksum_of(key, known.value()).ok_or_else(changed)?;
        checksum.remove(1, removed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use redb::backends::FileBackend;

    use super::super::cursor_record::Standing;
    use super::*;
    use crate::core::Micros;

    fn open(file: &std::fs::File) -> Result<(CursorStore, CursorContents), CursorError> {
        let backend = FileBackend::new(file.try_clone().unwrap()).unwrap();
        CursorStore::open(backend, Path::new("cursors.redb"))
    }

    fn cursor(position: u64) -> StoredCursor {
        StoredCursor {
            position,
            committed: Micros::new(7).unwrap(),
            standing: Standing::Following,
        }
    }

    fn value(key: &str, text: Option<&str>) -> ((String, String), Option<String>) {
        (("p".into(), key.into()), text.map(str::to_owned))
    }

    #[test]
    fn what_was_written_is_there_when_the_file_is_opened_again() {
        let file = tempfile::tempfile().unwrap();
        let (mut store, contents) = open(&file).unwrap();
        assert_eq!(contents, CursorContents::default());
        let first = CursorChanges {
            cursors: [("a".into(), Some(cursor(3))), ("b".into(), Some(cursor(4)))].into(),
            values: [value("k", Some("1")), value("gone", Some("2"))].into(),
        };
        let named = StoreId::from_bytes([7; 16]).unwrap();
        store.set_store(named);
        store.write(&first).unwrap();
        let second = CursorChanges {
            cursors: [("a".into(), Some(cursor(9))), ("b".into(), None)].into(),
            values: [value("gone", None), value("never", None)].into(),
        };
        store.write(&second).unwrap();
        store.write_incomplete().unwrap();
        drop(store);
        let (_, contents) = open(&file).unwrap();
        let expected = CursorContents {
            cursors: [("a".into(), cursor(9))].into(),
            values: [(("p".into(), "k".into()), "1".into())].into(),
            store: Some(named),
            is_incomplete: true,
        };
        assert_eq!(contents, expected);
    }

    #[test]
    fn a_record_that_is_missing_or_changed_is_damage_in_one_sentence() {
        let tampered = |tamper: fn(&mut Table<'_, &[u8], &[u8]>)| {
            let file = tempfile::tempfile().unwrap();
            let (mut store, _) = open(&file).unwrap();
            let changes = CursorChanges {
                cursors: [("a".into(), Some(cursor(3))), ("b".into(), Some(cursor(4)))].into(),
                ..CursorChanges::default()
            };
            store.write(&changes).unwrap();
            let transaction = store.database.begin_write().unwrap();
            tamper(&mut transaction.open_table(CURSORS).unwrap());
            transaction.commit().unwrap();
            drop(store);
            open(&file).err().expect("it is damaged").to_string()
        };
        let missing = tampered(|table| {
            table.remove(b"a".as_slice()).unwrap();
        });
        assert!(missing.contains("found 1 entries, expected 2"), "{missing}");
        let changed = tampered(|table| {
            table.insert(b"a".as_slice(), [0; 21].as_slice()).unwrap();
        });
        assert!(changed.contains("an entry was changed"), "{changed}");
        assert!(changed.contains("serve --salvage"), "{changed}");
        assert_eq!(changed.lines().count(), 1);
    }

    #[test]
    fn a_file_of_a_later_version_is_refused_by_name() {
        let file = tempfile::tempfile().unwrap();
        let (mut store, _) = open(&file).unwrap();
        store.write(&CursorChanges::default()).unwrap();
        let mut metadata = store.metadata.encode();
        metadata[..4].copy_from_slice(&3_u32.to_le_bytes());
        let end = metadata.len() - 4;
        let checksum = crc32c::crc32c(&metadata[..end]);
        metadata[end..].copy_from_slice(&checksum.to_le_bytes());
        let transaction = store.database.begin_write().unwrap();
        let mut table = transaction.open_table(METADATA).unwrap();
        table.insert((), metadata.as_slice()).unwrap();
        drop(table);
        transaction.commit().unwrap();
        drop(store);
        let refused = open(&file).err().expect("it is refused").to_string();
        assert!(
            refused.starts_with("cursors.redb: the file of cursors has format version 3, and"),
            "{refused}"
        );
    }
}
