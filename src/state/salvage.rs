//! Copies what is readable of a damaged state into a new one.
//!
//! The caller renames the files, see `engine::state_file`.

use std::collections::BTreeMap;
use std::path::Path;

use redb::StorageBackend;

use super::entry::Entry;
use super::error::StateError;
use super::store::{PageCheck, Store, catch_damage};
use crate::core::key::PARTS;

/// The result of a salvage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// Number of keys that were copied.
    pub kept: u64,
    /// Number of keys that were written and are missing; `None` if the metadata is unreadable.
    pub lost: Option<u64>,
    /// The damaged state covered all events up to this number; 0 if the metadata is unreadable.
    pub applied_sequence: u64,
}

/// Copies every undamaged entry of `damaged` into `fresh`, which must be empty.
pub fn salvage(
    damaged: impl StorageBackend,
    fresh: impl StorageBackend,
    path: &Path,
) -> Result<Salvaged, StateError> {
    let mut fresh = Store::open(fresh, path)?;
    let found = catch_damage(path, || Store::over(damaged, path, PageCheck::Skip));
    let mut kept = 0;
    let mut metadata = None;
    if let Ok(found) = found {
        metadata = catch_damage(path, || found.read_metadata()).ok().flatten();
        for part in 0..PARTS {
            kept += copy_part(&found, &mut fresh, part)?;
        }
    }
    let applied_sequence = metadata.map_or(0, |metadata| metadata.applied);
    if let Some(store) = metadata.and_then(|metadata| metadata.store) {
        fresh.set_store(store);
    }
    fresh.write([], Some(applied_sequence))?;
    Ok(Salvaged {
        kept,
        lost: metadata.map(|metadata| metadata.checksum.keys.saturating_sub(kept)),
        applied_sequence,
    })
}

/// Copies the undamaged entries of one part up to the first page that cannot be read; the other
/// parts are independent of it. Returns the number of keys copied.
fn copy_part(found: &Store, fresh: &mut Store, part: usize) -> Result<u64, StateError> {
    // A map, because a damaged tree may lead to one page twice.
    let mut whole = BTreeMap::new();
    let _ = catch_damage(&found.path, || {
        found.read_part(part, |key, value| {
            if Entry::decode(key, value).is_some() {
                whole.insert(key.to_vec(), value.to_vec());
            }
            Ok(())
        })
    });
    let entries = whole
        .iter()
        .filter_map(|(key, value)| Some(Entry::decode(key, value)?.0));
    let before = fresh.contents().keys;
    fresh.write(entries, None)?;
    Ok(fresh.contents().keys - before)
}
