//! The metadata of a state: which events it covers, and the checksum that detects a missing entry.
//!
//! Values and bytes only; `store` keeps them in a table of their own.

use super::defect::Defect;
use crate::core::StoreId;

/// The format version that is written. Older ones are read too: version 3 does not name its store; no claim of
/// version 2 is a change of balance or has a `seq`; in version 1, each key had an entry of its own, and the keys were
/// not counted.
pub(super) const VERSION: u32 = 4;
/// Version, last covered event, entries, sum of checksums, keys, store. Their CRC-32C follows.
const FIELDS_BYTES: usize = 4 + 8 + 8 + 8 + 8 + STORE_BYTES;
/// The store, in big-endian order; zeros if it is not known.
const STORE_BYTES: usize = 16;

/// What a state records about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    /// The entries contain all events up to this number.
    pub(super) applied: u64,
    /// The store that the state belongs to; older versions did not name it.
    pub(super) store: Option<StoreId>,
    /// Of all entries.
    pub(super) checksum: TableChecksum,
}

/// A checksum over a set of entries, in any order, that can be updated entry by entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TableChecksum {
    /// Number of entries.
    pub(super) entries: u64,
    /// Number of keys in the entries. A key that is in two entries counts twice.
    pub(super) keys: u64,
    /// The checksums of all entries added up, modulo 2^64.
    pub(super) sum: u64,
}

impl TableChecksum {
    pub(super) fn add(&mut self, keys: u64, checksum: u32) {
        self.entries += 1;
        self.keys += keys;
        self.sum = self.sum.wrapping_add(spread(checksum));
    }

    pub(super) fn remove(&mut self, keys: u64, checksum: u32) {
        self.entries -= 1;
        self.keys -= keys;
        self.sum = self.sum.wrapping_sub(spread(checksum));
    }

    /// The checksum over two disjoint sets of entries.
    pub(super) fn merge(self, other: Self) -> Self {
        Self {
            entries: self.entries + other.entries,
            keys: self.keys + other.keys,
            sum: self.sum.wrapping_add(other.sum),
        }
    }

    /// Compares what was found with the `expected` checksum in the metadata.
    pub(super) fn verify(self, expected: Self) -> Result<(), Defect> {
        if self.entries != expected.entries {
            return Err(Defect::Count {
                found: self.entries,
                expected: expected.entries,
            });
        }
        if (self.keys, self.sum) == (expected.keys, expected.sum) {
            Ok(())
        } else {
            Err(Defect::Sum)
        }
    }
}

/// Spreads the bits of a checksum over all 64 bits of the sum, so that two differences rarely cancel.
fn spread(checksum: u32) -> u64 {
    u64::from(checksum).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Why metadata cannot be decoded.
pub(super) enum DecodeError {
    /// It was changed after it was written.
    Damaged,
    /// Its format version is unknown.
    Version(u32),
}

impl Metadata {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIELDS_BYTES + 4);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        let TableChecksum { entries, keys, sum } = self.checksum;
        for field in [self.applied, entries, sum, keys] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&self.store.map_or([0; STORE_BYTES], StoreId::bytes));
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (fields, stored) = bytes.split_last_chunk::<4>().ok_or(DecodeError::Damaged)?;
        if crc32c::crc32c(fields) != u32::from_le_bytes(*stored) {
            return Err(DecodeError::Damaged);
        }
        let (version, rest) = fields
            .split_first_chunk::<4>()
            .ok_or(DecodeError::Damaged)?;
        let version = u32::from_le_bytes(*version);
        let (rest, store) = match rest.split_last_chunk::<STORE_BYTES>() {
            Some((rest, store)) if version == VERSION => (rest, StoreId::from_bytes(*store)),
            _ => (rest, None),
        };
        let (fields, rest) = rest.as_chunks::<8>();
        let [applied, entries, sum, keys] = match (version, fields) {
            (2..=VERSION, [applied, entries, sum, keys]) => [applied, entries, sum, keys],
            (1, [applied, entries, sum]) => [applied, entries, sum, entries],
            (1..=VERSION, _) => return Err(DecodeError::Damaged),
            (version, _) => return Err(DecodeError::Version(version)),
        }
        .map(|field| u64::from_le_bytes(*field));
        if !rest.is_empty() {
            return Err(DecodeError::Damaged);
        }
        Ok(Self {
            applied,
            store,
            checksum: TableChecksum { entries, keys, sum },
        })
    }
}
