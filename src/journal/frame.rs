//! A frame: one commit, encoded and decoded. `docs/journal-format.md` specifies it.
//!
//! Values and bytes only; `scan` reads the frames of a file and tells a torn one from a damaged one.

use super::layout::{SECTOR, SECTOR_BYTES, u32_at, u64_at};

/// Offset of the chain value in a header.
pub(super) const CHAIN_OFFSET: u64 = 28;
/// Size of a header.
pub(super) const HEADER_BYTES: usize = 32;
/// Ends each frame. Not zero, so that the last sector of a frame shows whether it was written.
const TRAILER: [u8; 4] = *b"done";

/// What a frame contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// Accepted events.
    Events,
    /// Nothing: it is written after the last frame, so that damage to that frame is not taken for an
    /// unfinished write.
    Seal,
    /// Only a number: so many accepted events were lost, as a salvage found.
    Lost,
}

impl FrameKind {
    const ALL: [Self; 3] = [Self::Events, Self::Seal, Self::Lost];

    const fn mark(self) -> [u8; 4] {
        match self {
            Self::Events => *b"hold",
            Self::Seal => *b"seal",
            Self::Lost => *b"lost",
        }
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) kind: FrameKind,
    pub(super) payload_bytes: u32,
    /// Number of events.
    pub(super) count: u32,
    /// Number of the first event.
    pub(super) first: u64,
    /// Chain value of the frame before, or of the segment header.
    pub(super) previous: u32,
    pub(super) body_checksum: u32,
}

impl FrameHeader {
    /// Parses a header and returns it with its chain value; `None` if its checksum is wrong or its
    /// fields contradict each other.
    pub(super) fn parse(bytes: &[u8; HEADER_BYTES], salt: u32) -> Option<(Self, u32)> {
        let mark = [bytes[0], bytes[1], bytes[2], bytes[3]];
        let kind = FrameKind::ALL
            .into_iter()
            .find(|kind| kind.mark() == mark)?;
        let chain = u32_at(bytes, 28);
        if crc32c::crc32c_append(salt, &bytes[..28]) != chain {
            return None;
        }
        let header = Self {
            kind,
            payload_bytes: u32_at(bytes, 4),
            count: u32_at(bytes, 8),
            first: u64_at(bytes, 12),
            previous: u32_at(bytes, 20),
            body_checksum: u32_at(bytes, 24),
        };
        header.is_consistent().then_some((header, chain))
    }

    /// Whether number of events and payload fit the kind.
    const fn is_consistent(&self) -> bool {
        match self.kind {
            FrameKind::Events => self.count > 0,
            FrameKind::Seal => self.count == 0,
            FrameKind::Lost => self.count > 0 && self.payload_bytes == 0,
        }
    }

    /// Encodes the header; its last four bytes are its chain value.
    fn bytes(&self, salt: u32) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&self.kind.mark());
        bytes[4..8].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.count.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.first.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.previous.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.body_checksum.to_le_bytes());
        let checksum = crc32c::crc32c_append(salt, &bytes[..28]);
        bytes[28..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Bytes from the start of this frame to the start of the next one.
    pub(super) fn extent(&self) -> u64 {
        extent(self.payload_bytes.into())
    }

    /// Number of the event after its last one; `None` if that overflows.
    pub(super) fn next(&self) -> Option<u64> {
        self.first.checked_add(self.count.into())
    }
}

/// Size of a frame with so many bytes of payload: whole sectors, so that a lost or torn sector never
/// damages an older frame.
pub(super) const fn extent(payload_bytes: u64) -> u64 {
    (HEADER_BYTES as u64 + payload_bytes + TRAILER.len() as u64).next_multiple_of(SECTOR)
}

/// A buffer in which frames are encoded, one after the other.
#[derive(Default)]
pub(super) struct FrameBuffer {
    bytes: Vec<u8>,
}

impl FrameBuffer {
    /// Begins a frame without payload.
    pub(super) fn begin(&mut self) {
        self.bytes.clear();
        self.bytes.resize(HEADER_BYTES, 0);
    }

    /// Appends to the payload.
    pub(super) fn push(&mut self, payload: &[u8]) {
        self.bytes.extend(payload.iter().map(|byte| !byte));
    }

    /// Finishes the frame; returns its bytes and its chain value. Payload length and checksum of
    /// `header` are computed here.
    ///
    /// # Panics
    /// If the payload has 4 GiB or more; see [`super::Submission`].
    pub(super) fn finish(&mut self, header: FrameHeader, salt: u32) -> (&[u8], u32) {
        let payload = self.bytes.len() - HEADER_BYTES;
        let whole = usize::try_from(extent(payload as u64)).expect("a buffer fits in memory");
        self.bytes.resize(whole - TRAILER.len(), 0);
        self.bytes.extend_from_slice(&TRAILER);
        let header = FrameHeader {
            payload_bytes: u32::try_from(payload).expect("a payload has less than 4 GiB"),
            body_checksum: crc32c::crc32c_append(salt, &self.bytes[HEADER_BYTES..]),
            ..header
        };
        let head = header.bytes(salt);
        self.bytes[..HEADER_BYTES].copy_from_slice(&head);
        (&self.bytes, u32_at(&head, 28))
    }
}

/// Decodes the payload from the bytes of a frame after its header.
pub(super) fn read_payload(body: &[u8], header: &FrameHeader, payload: &mut Vec<u8>) {
    payload.clear();
    let stored = &body[..header.payload_bytes as usize];
    payload.extend(stored.iter().map(|byte| !byte));
}

/// Whether some sector of a frame is all zeros, as before it was written. No written frame has such a
/// sector: the first contains the header and the last the trailer; in between, no text contains the
/// byte that is stored as zero, and there are fewer than 64 bytes between two texts.
pub(super) fn has_unwritten_sector(frame: &[u8]) -> bool {
    frame.chunks(SECTOR_BYTES).any(is_zero)
}

/// Whether all bytes are zero.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
    bytes
        .chunks(ZEROS.len())
        .all(|chunk| *chunk == ZEROS[..chunk.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FrameHeader = FrameHeader {
        kind: FrameKind::Events,
        payload_bytes: 0,
        count: 3,
        first: 7,
        previous: 11,
        body_checksum: 0,
    };

    #[test]
    fn a_frame_of_another_segment_is_rejected() {
        let mut buffer = FrameBuffer::default();
        buffer.begin();
        buffer.push(b"events");
        let (bytes, chain) = buffer.finish(HEADER, 1);
        let head: &[u8; HEADER_BYTES] = bytes.first_chunk().unwrap();
        let (header, found) = FrameHeader::parse(head, 1).unwrap();
        assert_eq!((header.count, header.first, found), (3, 7, chain));
        assert_eq!(FrameHeader::parse(head, 2), None);
    }

    #[test]
    fn frames_fill_whole_sectors_and_end_with_the_trailer() {
        for payload in 470..490 {
            let mut buffer = FrameBuffer::default();
            buffer.begin();
            buffer.push(&vec![0xff; payload]);
            let (bytes, _) = buffer.finish(HEADER, 1);
            assert_eq!(bytes.len() % SECTOR_BYTES, 0);
            assert_eq!(bytes.len() as u64, extent(payload as u64));
            assert!(bytes.ends_with(&TRAILER));
        }
    }

    #[test]
    fn no_flipped_bit_makes_a_sector_look_unwritten() {
        let nul = "\0".repeat(600);
        let mut buffer = FrameBuffer::default();
        buffer.begin();
        buffer.push(nul.as_bytes());
        let (bytes, _) = buffer.finish(HEADER, 1);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!has_unwritten_sector(&flipped), "{bit}");
        }
    }
}
