//! What a state says of itself: which events it covers, and by what a missing entry is noticed.

use super::error::Defect;

/// The version of the format that is written; older ones are read too. In version 1 each key had an
/// entry of its own, and keys were not counted.
pub(super) const VERSION: u32 = 2;
/// Version, events covered, entries, sum of checksums, keys; a CRC-32C over them follows.
const FIELDS: usize = 4 + 8 + 8 + 8 + 8;

/// What a state says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Meta {
    /// All events up to this number are in the entries.
    pub(super) applied: u64,
    pub(super) tally: Tally,
}

/// What tells one set of entries from another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) entries: u64,
    /// In the entries; one that stands in two of them counts twice.
    pub(super) keys: u64,
    /// Of the checksums of all entries, modulo 2^64.
    pub(super) sum: u64,
}

impl Tally {
    pub(super) fn add(&mut self, keys: u64, checksum: u32) {
        self.entries += 1;
        self.keys += keys;
        self.sum = self.sum.wrapping_add(spread(checksum));
    }

    pub(super) fn take_away(&mut self, keys: u64, checksum: u32) {
        self.entries -= 1;
        self.keys -= keys;
        self.sum = self.sum.wrapping_sub(spread(checksum));
    }

    pub(super) fn join(self, other: Self) -> Self {
        Self {
            entries: self.entries + other.entries,
            keys: self.keys + other.keys,
            sum: self.sum.wrapping_add(other.sum),
        }
    }

    /// What is wrong where these entries were found and `written` were written.
    pub(super) fn compare(self, written: Self) -> Result<(), Defect> {
        if self.entries != written.entries {
            return Err(Defect::Count {
                found: self.entries,
                expected: written.entries,
            });
        }
        if (self.keys, self.sum) == (written.keys, written.sum) {
            Ok(())
        } else {
            Err(Defect::Sum)
        }
    }
}

/// All bits of a checksum over all bits of the sum, so that two differences rarely cancel.
fn spread(checksum: u32) -> u64 {
    u64::from(checksum).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Why there is no meta.
pub(super) enum Unread {
    Defect,
    Version(u32),
}

impl Meta {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIELDS + 4);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        let Tally { entries, keys, sum } = self.tally;
        for field in [self.applied, entries, sum, keys] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, Unread> {
        let (fields, stored) = bytes.split_last_chunk::<4>().ok_or(Unread::Defect)?;
        if crc32c::crc32c(fields) != u32::from_le_bytes(*stored) {
            return Err(Unread::Defect);
        }
        let (version, rest) = fields.split_first_chunk::<4>().ok_or(Unread::Defect)?;
        let (fields, rest) = rest.as_chunks::<8>();
        let [applied, entries, sum, keys] = match (u32::from_le_bytes(*version), fields) {
            (VERSION, [applied, entries, sum, keys]) => [applied, entries, sum, keys],
            (1, [applied, entries, sum]) => [applied, entries, sum, entries],
            (1 | VERSION, _) => return Err(Unread::Defect),
            (version, _) => return Err(Unread::Version(version)),
        }
        .map(|field| u64::from_le_bytes(*field));
        if !rest.is_empty() {
            return Err(Unread::Defect);
        }
        Ok(Self {
            applied,
            tally: Tally { entries, keys, sum },
        })
    }
}
