//! What lies under one key of the store below, and what guards it.
//!
//! ```text
//! key    part of the holder (1) | bytes of holder_id (4, little-endian) | holder_id | token_id
//! value  claims as `core::encoding` writes them | CRC-32C over key and value (4, little-endian)
//! ```
//! The part comes first so that what lies together in memory lies together on disk. Where there is
//! no `token_id`, the value holds several keys of the holder, as `core::encoding::push_key` writes
//! them: ten keys of one hold each are one entry and not ten.
//!
//! A key may stand in both kinds of entry once it has outgrown the one. What is left in it are facts
//! that the other has too, and facts are sets.

use crate::core::encoding;
use crate::core::key::part_of;

/// Bytes before the `holder_id`.
const HEAD: usize = 5;
const CHECKSUM: usize = 4;

/// Some keys of one holder with all that is known of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Which holder.
    pub holder_id: &'a str,
    /// Which keys.
    pub keys: Keys<'a>,
}

/// What an entry holds of its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys<'a> {
    /// One key.
    One {
        /// Which token.
        token_id: &'a str,
        /// See [`encoding::claims`].
        claims: &'a [u8],
    },
    /// All keys that do not stand alone; see [`encoding::keys`].
    Several(&'a [u8]),
}

impl<'a> Entry<'a> {
    /// Its keys, each as a token with its claims.
    ///
    /// # Panics
    /// Where several keys are not what [`encoding::push_key`] writes.
    pub fn keys(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let (one, several) = match self.keys {
            Keys::One { token_id, claims } => (Some((token_id, claims)), None),
            Keys::Several(bytes) => (None, Some(encoding::keys(bytes))),
        };
        let several = several.into_iter().flatten();
        let several = several.map(|key| key.expect("what was written decodes to keys"));
        one.into_iter().chain(several)
    }

    /// The entry that lies in `key` and `value`, with its checksum; `None` where either was changed.
    pub(super) fn read(key: &'a [u8], value: &'a [u8]) -> Option<(Self, u32)> {
        let (value, stored) = value.split_last_chunk::<CHECKSUM>()?;
        let checksum = checksum(key, value);
        if checksum != u32::from_le_bytes(*stored) {
            return None;
        }
        let (head, ids) = key.split_first_chunk::<HEAD>()?;
        let [_, length @ ..] = *head;
        let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
        let (holder_id, token_id) = ids.split_at_checked(length)?;
        let keys = if token_id.is_empty() {
            Keys::Several(value)
        } else {
            Keys::One {
                token_id: str::from_utf8(token_id).ok()?,
                claims: value,
            }
        };
        let holder_id = str::from_utf8(holder_id).ok()?;
        Some((Self { holder_id, keys }, checksum))
    }

    /// Puts the bytes under which it is stored into `key` and `value`; returns its checksum.
    ///
    /// # Panics
    /// Where the `holder_id` has 4 GiB or more, or a single key has no `token_id`.
    pub(super) fn write(&self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> u32 {
        let (token_id, bytes) = match self.keys {
            Keys::One { token_id, claims } => {
                assert!(!token_id.is_empty(), "a key has a token");
                (token_id, claims)
            }
            Keys::Several(bytes) => ("", bytes),
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
    fn an_entry_comes_back_and_every_flipped_bit_of_it_is_told() {
        let mut several = Vec::new();
        encoding::push_key(&mut several, "punk/1", b"any bytes");
        encoding::push_key(&mut several, "punk/2", b"and more");
        let one = Keys::One {
            token_id: "punk/1",
            claims: b"any bytes",
        };
        for (keys, count) in [(one, 1), (Keys::Several(&several), 2)] {
            let entry = Entry {
                holder_id: "hölder",
                keys,
            };
            let (mut key, mut value) = (Vec::new(), Vec::new());
            let checksum = entry.write(&mut key, &mut value);
            assert_eq!(Entry::read(&key, &value), Some((entry, checksum)));
            assert_eq!(entry.keys().count(), count);
            assert_eq!(entry.keys().next(), Some(("punk/1", &b"any bytes"[..])));
            for bit in 0..(key.len() + value.len()) * 8 {
                let (mut key, mut value) = (key.clone(), value.clone());
                match key.get_mut(bit / 8) {
                    Some(byte) => *byte ^= 1 << (bit % 8),
                    None => value[bit / 8 - key.len()] ^= 1 << (bit % 8),
                }
                assert_eq!(Entry::read(&key, &value), None, "bit {bit}");
            }
        }
    }
}
