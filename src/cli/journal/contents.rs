//! All events of a data folder in memory, to be scored without a service; nothing in the folder is changed.
//!
//! Anything that cannot be read is an error: see `journal export` for what is readable after damage.

use std::path::PathBuf;

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::state_copy::StateCopy;
use super::store_paths::StorePaths;
use super::{check, damaged};
use crate::aggregator::HoldAggregator;
use crate::core::encoding;
use crate::engine::JOURNAL_FOLDER;
use crate::journal::{RealVfs, read_damaged, survey};

/// The events of a folder, and where they end.
pub(in crate::cli) struct StoreContents {
    pub(in crate::cli) aggregator: HoldAggregator,
    /// Number of the last event.
    pub(in crate::cli) sequence: u64,
    /// SHA-256 of the last frame of the journal, in hexadecimal digits; `None` if the journal is empty.
    pub(in crate::cli) head: Option<String>,
}

/// Reads the folder that `serve` uses, which must not run.
pub(in crate::cli) fn read(data: PathBuf) -> anyhow::Result<StoreContents> {
    let journal = data.join(JOURNAL_FOLDER);
    let paths = StorePaths { data, journal };
    paths.check_is_store()?;
    let _lock = paths.lock()?;
    let found = survey(&RealVfs, &paths.journal)?;
    let state = check(&paths, &found)?;
    let aggregator = HoldAggregator::new();
    let covered = state.map_or(0, |state| state.applied_sequence);
    if let Some(copy) = StateCopy::open(&paths.data)? {
        let mut restoring = aggregator.restoring();
        copy.store().for_each(|entry| {
            for (token_id, bytes) in entry.keys() {
                let claims = encoding::claims(bytes);
                let claims = claims.map(|claim| claim.expect("its checksum was right"));
                restoring.add(entry.holder_id, token_id, claims);
            }
        })?;
    }
    let (mut sequence, mut head) = (covered, None);
    let readable = read_damaged(&RealVfs, &paths.journal, covered, |frame| {
        sequence = sequence.max(frame.first + u64::from(frame.count) - 1);
        head = Some(hex::encode(Sha256::digest(frame.payload)));
        for event in encoding::events(frame.payload) {
            let event = event
                .with_context(|| format!("the frame of event {} holds no events", frame.first))?;
            aggregator.record(&event);
        }
        anyhow::Ok(())
    })?;
    match readable.damages.first() {
        Some(damage) => Err(damaged(&paths.journal, damage).into()),
        None => Ok(StoreContents {
            aggregator,
            sequence,
            head,
        }),
    }
}
