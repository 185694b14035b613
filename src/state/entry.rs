//! One key as it is stored, and what guards it.
//!
//! ```text
//! key    part of the holder (1) | bytes of holder_id (4, little-endian) | holder_id | token_id
//! value  claims as `core::encoding` writes them | CRC-32C over key and claims (4, little-endian)
//! ```
//! The part comes first so that what lies together in memory lies together on disk.

use crate::core::key::part_of;

/// Bytes before the `holder_id`.
const HEAD: usize = 5;
const CHECKSUM: usize = 4;

/// One key with all that is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Which holder.
    pub holder_id: &'a str,
    /// Which token.
    pub token_id: &'a str,
    /// See [`crate::core::encoding::claims`].
    pub claims: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The entry that lies in `key` and `value`, with its checksum; `None` where either was changed.
    pub(super) fn read(key: &'a [u8], value: &'a [u8]) -> Option<(Self, u32)> {
        let (claims, stored) = value.split_last_chunk::<CHECKSUM>()?;
        let checksum = checksum(key, claims);
        if checksum != u32::from_le_bytes(*stored) {
            return None;
        }
        let (head, ids) = key.split_first_chunk::<HEAD>()?;
        let [_, length @ ..] = *head;
        let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
        let (holder_id, token_id) = ids.split_at_checked(length)?;
        let entry = Self {
            holder_id: str::from_utf8(holder_id).ok()?,
            token_id: str::from_utf8(token_id).ok()?,
            claims,
        };
        Some((entry, checksum))
    }

    /// Puts the bytes under which it is stored into `key` and `value`; returns its checksum.
    ///
    /// # Panics
    /// Where the `holder_id` has 4 GiB or more.
    pub(super) fn write(&self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> u32 {
        let length = u32::try_from(self.holder_id.len()).expect("an id is shorter than 4 GiB");
        let part = u8::try_from(part_of(self.holder_id)).expect("there are 256 parts");
        key.clear();
        key.push(part);
        key.extend_from_slice(&length.to_le_bytes());
        key.extend_from_slice(self.holder_id.as_bytes());
        key.extend_from_slice(self.token_id.as_bytes());
        let checksum = checksum(key, self.claims);
        value.clear();
        value.extend_from_slice(self.claims);
        value.extend_from_slice(&checksum.to_le_bytes());
        checksum
    }
}

fn checksum(key: &[u8], claims: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_and_every_flipped_bit_of_it_is_told() {
        let entry = Entry {
            holder_id: "hölder",
            token_id: "punk/1",
            claims: b"any bytes",
        };
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let checksum = entry.write(&mut key, &mut value);
        assert_eq!(Entry::read(&key, &value), Some((entry, checksum)));
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
