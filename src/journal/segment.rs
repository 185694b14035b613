//! A segment: one file of frames, its header and its name. `docs/journal-format.md` draws it.
//!
//! The header is stored twice, in the first two sectors, so that a salvage can still check the
//! frames of a segment that lost one of them.

use super::frame::{u32_at, u64_at};

/// What a disk writes whole or not at all, in bytes.
pub(super) const SECTOR: u64 = SECTOR_BYTES as u64;
/// The same, as a length in memory.
pub(super) const SECTOR_BYTES: usize = 512;
/// Where the first frame starts.
pub(super) const FRAMES: u64 = 2 * SECTOR;
/// Room that every segment keeps for the seal of its last frame.
pub(super) const RESERVE: u64 = SECTOR;
/// The one version there is.
pub(super) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"holdjrnl";
const SUFFIX: &str = ".log";
/// Where the checksum of a header stands: at its end, in every version to come.
const CHECKSUM: usize = SECTOR_BYTES - 4;

/// The head of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Counted from 1 over the life of the store.
    pub(super) index: u64,
    /// Number of the first event that goes into it.
    pub(super) first: u64,
    /// Makes the checksums of this file unlike those of any other.
    pub(super) salt: u32,
    /// Chain value of the last frame before; 0 in the first segment.
    pub(super) previous: u32,
    /// Bytes that the file was made with and always has; the first journals did not say it.
    pub(super) file_bytes: Option<u64>,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderError {
    /// It was changed after it was written.
    Checksum,
    /// It is whole, and of another version.
    Version(u32),
}

impl Header {
    /// One copy.
    pub(super) fn parse(sector: &[u8; SECTOR_BYTES]) -> Result<Self, HeaderError> {
        if sector[..8] != MAGIC || crc32c::crc32c(&sector[..CHECKSUM]) != u32_at(sector, CHECKSUM) {
            return Err(HeaderError::Checksum);
        }
        match u32_at(sector, 8) {
            VERSION => Ok(Self {
                salt: u32_at(sector, 12),
                index: u64_at(sector, 16),
                first: u64_at(sector, 24),
                previous: u32_at(sector, 32),
                file_bytes: Some(u64_at(sector, 36)).filter(|bytes| *bytes > 0),
            }),
            version => Err(HeaderError::Version(version)),
        }
    }

    /// Both copies.
    pub(super) fn bytes(&self) -> [u8; 2 * SECTOR_BYTES] {
        let mut bytes = [0; 2 * SECTOR_BYTES];
        let (one, other) = bytes.split_at_mut(SECTOR_BYTES);
        one[..8].copy_from_slice(&MAGIC);
        one[8..12].copy_from_slice(&VERSION.to_le_bytes());
        one[12..16].copy_from_slice(&self.salt.to_le_bytes());
        one[16..24].copy_from_slice(&self.index.to_le_bytes());
        one[24..32].copy_from_slice(&self.first.to_le_bytes());
        one[32..36].copy_from_slice(&self.previous.to_le_bytes());
        one[36..44].copy_from_slice(&self.file_bytes.unwrap_or(0).to_le_bytes());
        let checksum = crc32c::crc32c(&one[..CHECKSUM]);
        one[CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
        other.copy_from_slice(one);
        bytes
    }

    /// What the first frame names as its previous chain value.
    pub(super) fn chain(&self) -> u32 {
        u32_at(&self.bytes(), CHECKSUM)
    }
}

/// The name of a segment's file.
pub(super) fn file_name(index: u64) -> String {
    format!("{index:020}{SUFFIX}")
}

/// The index in the name of a file; `None` where it is no segment's.
pub(super) fn index_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let index = digits.parse().ok()?;
    (index > 0 && file_name(index) == name).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_header_is_seen() {
        let header = Header {
            index: 3,
            first: 70,
            salt: 0x1234_5678,
            previous: 9,
            file_bytes: Some(64 << 20),
        };
        let bytes = header.bytes();
        let (one, other) = bytes.split_at(SECTOR_BYTES);
        assert_eq!(one, other);
        let sector: [u8; SECTOR_BYTES] = one.try_into().unwrap();
        assert_eq!(Header::parse(&sector), Ok(header));
        for bit in 0..sector.len() * 8 {
            let mut flipped = sector;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::parse(&flipped), Err(HeaderError::Checksum), "{bit}");
        }
    }

    #[test]
    fn a_header_may_leave_the_length_of_its_file_open() {
        let header = Header {
            index: 1,
            first: 1,
            salt: 5,
            previous: 0,
            file_bytes: None,
        };
        let bytes = header.bytes();
        assert_eq!(bytes[36..44], [0; 8]);
        assert_eq!(Header::parse(bytes.first_chunk().unwrap()), Ok(header));
    }

    #[test]
    fn only_the_exact_name_is_a_segment() {
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
