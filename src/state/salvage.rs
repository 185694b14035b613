//! Out of damage: what is still readable of a state, in a state of its own.

use std::collections::BTreeMap;
use std::path::Path;

use redb::StorageBackend;

use super::entry::Entry;
use super::error::StateError;
use super::store::{Pages, Store, guarded};
use crate::core::key::PARTS;

/// What came of a salvage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// Keys that were kept.
    pub kept: u64,
    /// Keys that were written and are not there; `None` where nobody can tell.
    pub lost: Option<u64>,
    /// All events up to this number were covered; 0 where nobody can tell.
    pub applied_sequence: u64,
}

/// Copies every whole entry of `damaged` into `fresh`, which must store nothing yet.
pub fn salvage(
    damaged: impl StorageBackend,
    fresh: impl StorageBackend,
    path: &Path,
) -> Result<Salvaged, StateError> {
    let mut fresh = Store::open(fresh, path)?;
    let found = guarded(path, || Store::over(damaged, path, Pages::AsTheyAre));
    let mut kept = 0;
    let mut meta = None;
    if let Ok(found) = found {
        meta = guarded(path, || found.read_meta()).ok().flatten();
        for part in 0..PARTS {
            kept += copy_part(&found, &mut fresh, part)?;
        }
    }
    let applied_sequence = meta.map_or(0, |meta| meta.applied);
    fresh.write([], Some(applied_sequence))?;
    Ok(Salvaged {
        kept,
        lost: meta.map(|meta| meta.tally.keys.saturating_sub(kept)),
        applied_sequence,
    })
}

/// Copies the whole entries of one part, which ends where it cannot be read on; the others do not
/// depend on it. Returns how many keys that are.
fn copy_part(found: &Store, fresh: &mut Store, part: usize) -> Result<u64, StateError> {
    // By key: a damaged tree may lead to one page twice.
    let mut whole = BTreeMap::new();
    let _ = guarded(&found.path, || {
        found.read_part(part, |key, value| {
            if Entry::read(key, value).is_some() {
                whole.insert(key.to_vec(), value.to_vec());
            }
            Ok(())
        })
    });
    let entries = whole
        .iter()
        .filter_map(|(key, value)| Some(Entry::read(key, value)?.0));
    let before = fresh.contents().keys;
    fresh.write(entries, None)?;
    Ok(fresh.contents().keys - before)
}
