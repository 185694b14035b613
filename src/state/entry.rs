//! One entry of the state: its bytes as key and value of the database, and its checksum.
//!
//! ```text
//! key    part of the holder (1) | bytes of holder_id (4, little-endian) | holder_id | token_id
//! value  claims as `core::encoding` writes them | CRC-32C over key and value (4, little-endian)
//! ```
//! The part comes first, so that holders that share a shard in memory are neighbours on disk. An
//! entry without a `token_id` holds several keys of the holder, as `core::encoding::push_key` writes
//! them: ten keys of one hold each take one entry instead of ten.
//!
//! A key that has outgrown the shared entry may be in both kinds of entry. The facts in the shared
//! entry are then a subset of those in its own entry, and facts are sets.

use crate::core::encoding;
use crate::core::key::part_of;

/// Bytes before the `holder_id`.
const HEAD_BYTES: usize = 5;
const CHECKSUM_BYTES: usize = 4;

/// Some keys of one holder, with all their claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The holder.
    pub holder_id: &'a str,
    /// Its keys in this entry.
    pub keys: EntryKeys<'a>,
}

/// The keys that an entry contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKeys<'a> {
    /// One key, in an entry of its own.
    One {
        /// The token.
        token_id: &'a str,
        /// The claims, encoded; see [`encoding::claims`].
        claims: &'a [u8],
    },
    /// All keys without an entry of their own, encoded; see [`encoding::keys`].
    Several(&'a [u8]),
}

impl<'a> Entry<'a> {
    /// Each key as its `token_id` and its encoded claims.
    ///
    /// # Panics
    /// If the bytes of several keys were not written by [`encoding::push_key`].
    pub fn keys(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let (one, several) = match self.keys {
            EntryKeys::One { token_id, claims } => (Some((token_id, claims)), None),
            EntryKeys::Several(bytes) => (None, Some(encoding::keys(bytes))),
        };
        let several = several.into_iter().flatten();
        let several = several.map(|key| key.expect("what was written decodes to keys"));
        one.into_iter().chain(several)
    }

    /// Decodes an entry and returns it with its checksum; `None` if key or value was changed.
    pub(super) fn decode(key: &'a [u8], value: &'a [u8]) -> Option<(Self, u32)> {
        let (value, stored) = value.split_last_chunk::<CHECKSUM_BYTES>()?;
        let checksum = checksum(key, value);
        if checksum != u32::from_le_bytes(*stored) {
            return None;
        }
        let (head, ids) = key.split_first_chunk::<HEAD_BYTES>()?;
        let [_, length @ ..] = *head;
        let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
        let (holder_id, token_id) = ids.split_at_checked(length)?;
        let keys = if token_id.is_empty() {
            EntryKeys::Several(value)
        } else {
            EntryKeys::One {
                token_id: str::from_utf8(token_id).ok()?,
                claims: value,
            }
        };
        let holder_id = str::from_utf8(holder_id).ok()?;
        Some((Self { holder_id, keys }, checksum))
    }

    /// Encodes the entry into `key` and `value`, and returns its checksum.
    ///
    /// # Panics
    /// If the `holder_id` has 4 GiB or more, or a single key has no `token_id`.
    pub(super) fn encode(&self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> u32 {
        let (token_id, bytes) = match self.keys {
            EntryKeys::One { token_id, claims } => {
                assert!(!token_id.is_empty(), "a key has a token");
                (token_id, claims)
            }
            EntryKeys::Several(bytes) => ("", bytes),
        };
        let length = u32::try_from(self.holder_id.len()).expect("an id is shorter than 4 GiB");
        let part = u8::try_from(part_of(self.holder_id)).expect("there are 256 parts");
        key.clear();
        key.push(part);
        key.extend_from_slice(&length.to_le_bytes());
        key.extend_from_slice(self.holder_id.as_bytes());
        key.extend_from_slice(token_id.as_bytes());
        let checksum = checksum(key, bytes);
        value.clear();
        value.extend_from_slice(bytes);
        value.extend_from_slice(&checksum.to_le_bytes());
        checksum
    }
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_decoded_as_encoded_and_every_flipped_bit_is_detected() {
        let mut several = Vec::new();
        encoding::push_key(&mut several, "punk/1", b"any bytes");
        encoding::push_key(&mut several, "punk/2", b"and more");
        let one = EntryKeys::One {
            token_id: "punk/1",
            claims: b"any bytes",
        };
        for (keys, count) in [(one, 1), (EntryKeys::Several(&several), 2)] {
            let entry = Entry {
                holder_id: "hölder",
                keys,
            };
            let (mut key, mut value) = (Vec::new(), Vec::new());
            let checksum = entry.encode(&mut key, &mut value);
            assert_eq!(Entry::decode(&key, &value), Some((entry, checksum)));
            assert_eq!(entry.keys().count(), count);
            assert_eq!(entry.keys().next(), Some(("punk/1", &b"any bytes"[..])));
            for bit in 0..(key.len() + value.len()) * 8 {
                let (mut key, mut value) = (key.clone(), value.clone());
                match key.get_mut(bit / 8) {
                    Some(byte) => *byte ^= 1 << (bit % 8),
                    None => value[bit / 8 - key.len()] ^= 1 << (bit % 8),
                }
                assert_eq!(Entry::decode(&key, &value), None, "bit {bit}");
            }
        }
    }
}
