//! What the formats of segments and frames share: the size of a sector and little-endian integers.
//!
//! The formats themselves are in `segment` and `frame`.

/// The unit that a disk writes whole or not at all, in bytes.
pub(super) const SECTOR: u64 = SECTOR_BYTES as u64;
/// The same, as a length in memory.
pub(super) const SECTOR_BYTES: usize = 512;

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
