//! A segment: one file of frames, its header and its name. `docs/journal-format.md` specifies it.
//!
//! The header is stored twice, in the first two sectors, so that a salvage can still check the
//! frames of a segment that lost one of the two copies.

use super::layout::{SECTOR, SECTOR_BYTES, u32_at, u64_at};
use crate::core::StoreId;

/// Offset of the first frame.
pub(super) const FRAMES_OFFSET: u64 = 2 * SECTOR;
/// Space at the end of every segment that is reserved for the seal after its last frame.
pub(super) const SEAL_RESERVE: u64 = SECTOR;
/// The format version that is written. Older ones are read too, and their segments get no more events: version 2
/// does not name its store, and the events of version 1 are neither changes of balance nor have they a `seq`.
pub(super) const VERSION: u32 = 3;
/// The first version that names its store.
const VERSION_WITH_STORE: u32 = 3;
/// Suffix of a file without a header yet; such files are removed when a journal is opened.
pub(super) const UNFINISHED_SUFFIX: &str = ".new";

const MAGIC: [u8; 8] = *b"holdjrnl";
const SUFFIX: &str = ".log";
/// Offset of the checksum of a header: at its end, in every version.
const CHECKSUM_OFFSET: usize = SECTOR_BYTES - 4;
/// Offset of the chain value of the header, which is its checksum.
pub(super) const CHAIN_OFFSET: u64 = SECTOR - 4;

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// From 1 to [`VERSION`].
    pub(super) version: u32,
    /// Counted from 1 over the life of the store.
    pub(super) index: u64,
    /// Number of its first event.
    pub(super) first: u64,
    /// Random; makes the checksums of this file differ from those of any other.
    pub(super) salt: u32,
    /// Chain value of the last frame of the segment before; 0 in the first segment.
    pub(super) previous: u32,
    /// Size of the file, which never changes; the first journals did not record it.
    pub(super) file_bytes: Option<u64>,
    /// The store that it belongs to; segments of version 1 and 2 do not name it.
    pub(super) store: Option<StoreId>,
}

/// Why a header is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderError {
    /// It was changed after it was written.
    Checksum,
    /// Its checksum is right, but its format version is unknown.
    Version(u32),
}

impl SegmentHeader {
    /// Parses one copy.
    pub(super) fn parse(sector: &[u8; SECTOR_BYTES]) -> Result<Self, HeaderError> {
        if sector[..8] != MAGIC
            || crc32c::crc32c(&sector[..CHECKSUM_OFFSET]) != u32_at(sector, CHECKSUM_OFFSET)
        {
            return Err(HeaderError::Checksum);
        }
        let store = sector[44..].first_chunk().copied();
        let store = store.and_then(StoreId::from_bytes);
        match u32_at(sector, 8) {
            version @ 1..=VERSION if store.is_some() == (version >= VERSION_WITH_STORE) => {
                Ok(Self {
                    version,
                    salt: u32_at(sector, 12),
                    index: u64_at(sector, 16),
                    first: u64_at(sector, 24),
                    previous: u32_at(sector, 32),
                    file_bytes: Some(u64_at(sector, 36)).filter(|bytes| *bytes > 0),
                    store,
                })
            }
            1..=VERSION => Err(HeaderError::Checksum),
            version => Err(HeaderError::Version(version)),
        }
    }

    /// Encodes both copies.
    pub(super) fn bytes(&self) -> [u8; 2 * SECTOR_BYTES] {
        let mut bytes = [0; 2 * SECTOR_BYTES];
        let (one, other) = bytes.split_at_mut(SECTOR_BYTES);
        one[..8].copy_from_slice(&MAGIC);
        one[8..12].copy_from_slice(&self.version.to_le_bytes());
        one[12..16].copy_from_slice(&self.salt.to_le_bytes());
        one[16..24].copy_from_slice(&self.index.to_le_bytes());
        one[24..32].copy_from_slice(&self.first.to_le_bytes());
        one[32..36].copy_from_slice(&self.previous.to_le_bytes());
        one[36..44].copy_from_slice(&self.file_bytes.unwrap_or(0).to_le_bytes());
        if let Some(store) = self.store {
            one[44..60].copy_from_slice(&store.bytes());
        }
        let checksum = crc32c::crc32c(&one[..CHECKSUM_OFFSET]);
        one[CHECKSUM_OFFSET..].copy_from_slice(&checksum.to_le_bytes());
        other.copy_from_slice(one);
        bytes
    }

    /// The chain value that the first frame names as its previous one.
    pub(super) fn chain(&self) -> u32 {
        u32_at(&self.bytes(), CHECKSUM_OFFSET)
    }
}

/// The file name of a segment.
pub(super) fn file_name(index: u64) -> String {
    format!("{index:020}{SUFFIX}")
}

/// The index of the segment with this file name; `None` if it is not the name of a segment.
pub(super) fn index_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let index = digits.parse().ok()?;
    (index > 0 && file_name(index) == name).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_header_is_detected() {
        let header = SegmentHeader {
            version: VERSION,
            index: 3,
            first: 70,
            salt: 0x1234_5678,
            previous: 9,
            file_bytes: Some(64 << 20),
            store: StoreId::from_bytes([7; 16]),
        };
        let bytes = header.bytes();
        let (one, other) = bytes.split_at(SECTOR_BYTES);
        assert_eq!(one, other);
        let sector: [u8; SECTOR_BYTES] = one.try_into().unwrap();
        assert_eq!(SegmentHeader::parse(&sector), Ok(header));
        for bit in 0..sector.len() * 8 {
            let mut flipped = sector;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                SegmentHeader::parse(&flipped),
                Err(HeaderError::Checksum),
                "{bit}"
            );
        }
    }

    #[test]
    fn a_header_of_version_1_need_not_record_the_size_of_its_file_and_names_no_store() {
        let header = SegmentHeader {
            version: 1,
            index: 1,
            first: 1,
            salt: 5,
            previous: 0,
            file_bytes: None,
            store: None,
        };
        let bytes = header.bytes();
        assert_eq!(u32_at(&bytes, 8), 1);
        assert_eq!(bytes[36..44], [0; 8]);
        assert_eq!(
            SegmentHeader::parse(bytes.first_chunk().unwrap()),
            Ok(header)
        );
    }

    #[test]
    fn only_the_exact_name_is_that_of_a_segment() {
        assert_eq!(index_of("00000000000000000012.log"), Some(12));
        for name in [
            "12.log",
            "00000000000000000000.log",
            "next.new",
            "+0000000000000000012.log",
        ] {
            assert_eq!(index_of(name), None, "{name}");
        }
    }
}
