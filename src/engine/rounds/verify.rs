//! Reads the rounds of a data folder that no service uses, and compares all that was sealed with what is there.
//!
//! Changes nothing. The journal's frames and chain are checked as those of events are; here the records: their lists by
//! hash and root, their ids, and the events that they name.

use std::collections::BTreeSet;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::record::decode;
use super::round_journal::{ROUNDS_FOLDER, folder_of, refused};
use super::rounds::Known;
use crate::core::StoreId;
use crate::engine::error::OpenError;
use crate::excerpt::quoted;
use crate::journal::{JournalError, RealVfs, named_beside, read_damaged, survey};

/// The number of rounds in the folder, all of them undamaged; they belong to `store`, if it is known, and name no event
/// after `last_sequence`.
pub(crate) fn verify_rounds(
    data_dir: &Path,
    store: Option<StoreId>,
    last_sequence: u64,
) -> Result<u64, OpenError> {
    let folder = folder_of(data_dir);
    let found = survey(&RealVfs, &folder).map_err(refused)?;
    found.check_store(&folder, &[]).map_err(refused)?;
    if let (Some(expected), Some((path, found))) = (store, named_beside(&RealVfs, &folder)?)
        && found != expected
    {
        return Err(OpenError::Journal(JournalError::OtherStore {
            path,
            found,
            expected,
        }));
    }
    if let Some(damage) = found.damages.first() {
        let (folder, damage) = (folder, damage.clone());
        return Err(OpenError::RoundsDamaged { folder, damage });
    }
    let mut ids = BTreeSet::new();
    let mut rounds = 0;
    read_damaged(&RealVfs, &folder, 0, |frame| {
        rounds += 1;
        let verified = verify(frame.first, frame.payload, last_sequence);
        let known = verified.and_then(|id| {
            if ids.contains(&id) {
                return Err(format!("another round has the id {}, too", quoted(&id)));
            }
            ids.insert(id);
            Ok(())
        });
        known.map_err(|reason| OpenError::Rounds {
            folder: data_dir.join(ROUNDS_FOLDER),
            reason: format!(
                "round {}: {reason}: restore all files of the folder from one backup",
                frame.first
            ),
        })
    })?;
    Ok(rounds)
}

/// The id of the round in a record, if the record is what was sealed.
fn verify(number: u64, record: &[u8], last_sequence: u64) -> Result<String, String> {
    let round = Known::of(number, record)?;
    let (_, list) = decode(record).map_err(|error| error.to_string())?;
    let manifest = &round.manifest;
    let hash = hex::encode(Sha256::digest(list));
    if hash != manifest.list_sha256 {
        return Err(format!(
            "the SHA-256 of its list is {hash}, and {} was sealed",
            manifest.list_sha256
        ));
    }
    if manifest.store.sequence > last_sequence {
        return Err(format!(
            "it was computed from the events up to {}, and the store ends with event {last_sequence}",
            manifest.store.sequence
        ));
    }
    round.tree(record)?;
    Ok(manifest.id.clone())
}
