//! The records of the file of cursors as bytes, each with a checksum of its own.
//!
//! ```text
//! cursor    name | position (8) | committed (8) | standing (1) | CRC-32C over key and value (4)
//! value     bytes of the pipeline's name (4) | pipeline | key | text | CRC-32C over key and value (4)
//! metadata  version (4) | flags (4) | records (8) | sum of their checksums (8) | store (16) | CRC-32C (4)
//! ```
//! All integers are little-endian. What stands before the first bar that follows a name or a key is the key
//! of the database, the rest its value.

use super::defect::Defect;
use super::metadata::{DecodeError, TableChecksum};
use crate::core::{Micros, StoreId};

/// The format version that is written. Version 1 is read too; it does not name its store.
pub(super) const VERSION: u32 = 2;
/// Of the store, in the metadata; zeros if it is not known.
const STORE_BYTES: usize = 16;
/// Flag of the metadata: an earlier file was lost, see [`super::CursorContents::is_incomplete`].
const INCOMPLETE: u32 = 1;
const CHECKSUM_BYTES: usize = 4;

/// Whether a consumer follows the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Everything up to its position is processed.
    Following,
    /// It lagged too far behind, and starts again from the facts in the state.
    Detached,
    /// It reads the facts; a copy that began at its position is not processed to its end.
    ReadingFacts,
}

impl Standing {
    const ALL: [Self; 3] = [Self::Following, Self::Detached, Self::ReadingFacts];

    const fn byte(self) -> u8 {
        match self {
            Self::Following => 0,
            Self::Detached => 1,
            Self::ReadingFacts => 2,
        }
    }
}

/// The durable cursor of one consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredCursor {
    /// Number of the last event that was processed.
    pub position: u64,
    /// When it was written.
    pub committed: Micros,
    /// Whether the consumer follows the journal.
    pub standing: Standing,
}

impl StoredCursor {
    /// Number of the event up to which everything is processed: 0 while the facts are read, because a restart begins
    /// them again.
    #[must_use]
    pub const fn processed(&self) -> u64 {
        match self.standing {
            Standing::Following | Standing::Detached => self.position,
            Standing::ReadingFacts => 0,
        }
    }

    pub(super) fn encode(&self, name: &str) -> (Vec<u8>, Vec<u8>, u32) {
        let mut value = Vec::new();
        value.extend_from_slice(&self.position.to_le_bytes());
        value.extend_from_slice(&self.committed.get().to_le_bytes());
        value.push(self.standing.byte());
        sealed(name.as_bytes().to_vec(), value)
    }

    pub(super) fn decode(key: &[u8], value: &[u8]) -> Option<(String, Self, u32)> {
        let (value, checksum) = unsealed(key, value)?;
        let (position, rest) = value.split_first_chunk::<8>()?;
        let (committed, standing) = rest.split_first_chunk::<8>()?;
        let [standing] = standing else { return None };
        let mut standings = Standing::ALL.into_iter();
        let cursor = Self {
            position: u64::from_le_bytes(*position),
            committed: Micros::new(i64::from_le_bytes(*committed)).ok()?,
            standing: standings.find(|known| known.byte() == *standing)?,
        };
        Some((String::from_utf8(key.to_vec()).ok()?, cursor, checksum))
    }
}

/// Key, value and checksum of one value of a pipeline.
pub(super) fn encode_value(pipeline: &str, key: &str, text: &str) -> (Vec<u8>, Vec<u8>, u32) {
    sealed(value_key(pipeline, key), text.as_bytes().to_vec())
}

/// The key of one value of a pipeline.
///
/// # Panics
/// If the name of the pipeline has 4 GiB or more.
pub(super) fn value_key(pipeline: &str, key: &str) -> Vec<u8> {
    let length = u32::try_from(pipeline.len()).expect("a name is shorter than 4 GiB");
    [&length.to_le_bytes(), pipeline.as_bytes(), key.as_bytes()].concat()
}

/// `((pipeline, key), text, checksum)`.
pub(super) fn decode_value(key: &[u8], value: &[u8]) -> Option<((String, String), String, u32)> {
    let (text, checksum) = unsealed(key, value)?;
    let (length, names) = key.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (pipeline, key) = names.split_at_checked(length)?;
    let text_of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    Some((
        (text_of(pipeline)?, text_of(key)?),
        text_of(text)?,
        checksum,
    ))
}

/// The checksum that a record ends with.
pub(super) fn checksum_of(key: &[u8], value: &[u8]) -> Option<u32> {
    unsealed(key, value).map(|(_, checksum)| checksum)
}

fn sealed(key: Vec<u8>, mut value: Vec<u8>) -> (Vec<u8>, Vec<u8>, u32) {
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&key), &value);
    value.extend_from_slice(&checksum.to_le_bytes());
    (key, value, checksum)
}

fn unsealed<'a>(key: &[u8], value: &'a [u8]) -> Option<(&'a [u8], u32)> {
    let (value, stored) = value.split_last_chunk::<CHECKSUM_BYTES>()?;
    let checksum = crc32c::crc32c_append(crc32c::crc32c(key), value);
    (checksum == u32::from_le_bytes(*stored)).then_some((value, checksum))
}

/// What the file records about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CursorMetadata {
    pub(super) is_incomplete: bool,
    /// The store that the cursors belong to.
    pub(super) store: Option<StoreId>,
    /// Of all records.
    pub(super) checksum: TableChecksum,
}

impl CursorMetadata {
    pub(super) fn encode(&self) -> Vec<u8> {
        let flags = if self.is_incomplete { INCOMPLETE } else { 0 };
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&flags.to_le_bytes());
        bytes.extend_from_slice(&self.checksum.entries.to_le_bytes());
        bytes.extend_from_slice(&self.checksum.sum.to_le_bytes());
        bytes.extend_from_slice(&self.store.map_or([0; STORE_BYTES], StoreId::bytes));
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let damaged = || DecodeError::Damaged;
        let (fields, stored) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
        if crc32c::crc32c(fields) != u32::from_le_bytes(*stored) {
            return Err(DecodeError::Damaged);
        }
        let (version, fields) = fields.split_first_chunk::<4>().ok_or_else(damaged)?;
        let version = u32::from_le_bytes(*version);
        let (fields, store) = match version {
            1 => (fields, None),
            VERSION => fields
                .split_last_chunk::<STORE_BYTES>()
                .map(|(fields, store)| (fields, StoreId::from_bytes(*store)))
                .ok_or_else(damaged)?,
            version => return Err(DecodeError::Version(version)),
        };
        let (flags, fields) = fields.split_first_chunk::<4>().ok_or_else(damaged)?;
        let ([entries, sum], []) = fields.as_chunks::<8>() else {
            return Err(DecodeError::Damaged);
        };
        let entries = u64::from_le_bytes(*entries);
        Ok(Self {
            is_incomplete: u32::from_le_bytes(*flags) & INCOMPLETE != 0,
            store,
            checksum: TableChecksum {
                entries,
                keys: entries,
                sum: u64::from_le_bytes(*sum),
            },
        })
    }

    /// Compares what was found with what was written.
    pub(super) fn verify(&self, found: TableChecksum) -> Result<(), Defect> {
        found.verify(self.checksum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_and_every_flipped_bit_is_detected() {
        let cursor = StoredCursor {
            position: 70_000,
            committed: Micros::new(-5).unwrap(),
            standing: Standing::ReadingFacts,
        };
        let (key, value, checksum) = cursor.encode("tiers/archive");
        let back = StoredCursor::decode(&key, &value);
        assert_eq!(back, Some(("tiers/archive".into(), cursor, checksum)));
        let (value_key, text, checksum) = encode_value("tiers", "season", r#"{"a":1}"#);
        let back = decode_value(&value_key, &text);
        let names = ("tiers".to_owned(), "season".to_owned());
        assert_eq!(back, Some((names, r#"{"a":1}"#.into(), checksum)));
        for (key, value) in [(key, value), (value_key, text)] {
            for bit in 0..(key.len() + value.len()) * 8 {
                let (mut key, mut value) = (key.clone(), value.clone());
                match key.get_mut(bit / 8) {
                    Some(byte) => *byte ^= 1 << (bit % 8),
                    None => value[bit / 8 - key.len()] ^= 1 << (bit % 8),
                }
                assert_eq!(StoredCursor::decode(&key, &value), None, "bit {bit}");
                assert_eq!(decode_value(&key, &value), None, "bit {bit}");
            }
        }
    }
}
