//! A frame: one commit, as it lies on disk. `docs/journal-format.md` draws it.
//!
//! Values and bytes alone: no file is known here. `scan` reads frames in a row and judges them.

use super::segment::{SECTOR, SECTOR_BYTES};

/// Bytes of a header.
pub(super) const HEADER: usize = 32;
/// Ends each frame. Not zero, so that the last sector of a frame shows whether it was written.
const TRAILER: [u8; 4] = *b"done";

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Accepted events.
    Events,
    /// Nothing: it stands behind what is finished, so that a loss there is seen.
    Seal,
    /// Events that were accepted and are lost, as a salvage found.
    Lost,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Events, Self::Seal, Self::Lost];

    const fn mark(self) -> [u8; 4] {
        match self {
            Self::Events => *b"hold",
            Self::Seal => *b"seal",
            Self::Lost => *b"lost",
        }
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) payload_bytes: u32,
    /// Events.
    pub(super) count: u32,
    /// Number of the first event.
    pub(super) first: u64,
    /// Chain value of the frame before, or of the segment's header.
    pub(super) previous: u32,
    pub(super) body_checksum: u32,
}

impl Header {
    /// The header in `bytes` and its own chain value; `None` where its checksum is wrong, or where
    /// it is none that is ever written.
    pub(super) fn parse(bytes: &[u8; HEADER], salt: u32) -> Option<(Self, u32)> {
        let mark = [bytes[0], bytes[1], bytes[2], bytes[3]];
        let kind = Kind::ALL.into_iter().find(|kind| kind.mark() == mark)?;
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
        header.makes_sense().then_some((header, chain))
    }

    /// Events are counted where there are some, and only they have a payload that means something.
    const fn makes_sense(&self) -> bool {
        match self.kind {
            Kind::Events => self.count > 0,
            Kind::Seal => self.count == 0,
            Kind::Lost => self.count > 0 && self.payload_bytes == 0,
        }
    }

    /// Its bytes; the last four are its chain value.
    fn bytes(&self, salt: u32) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
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

    /// Bytes from the start of this frame to where the next one would start.
    pub(super) fn extent(&self) -> u64 {
        extent(self.payload_bytes.into())
    }

    /// Number of the event after its last one; `None` where there is no such number.
    pub(super) fn next(&self) -> Option<u64> {
        self.first.checked_add(self.count.into())
    }
}

/// Bytes of a frame with so many bytes of payload: whole sectors, so that a sector that is lost or torn
/// never takes an older frame with it.
pub(super) const fn extent(payload_bytes: u64) -> u64 {
    (HEADER as u64 + payload_bytes + TRAILER.len() as u64).next_multiple_of(SECTOR)
}

/// A frame that is being put together; its memory serves many frames, one after the other.
#[derive(Default)]
pub(super) struct Draft {
    bytes: Vec<u8>,
}

impl Draft {
    /// A frame without payload.
    pub(super) fn begin(&mut self) {
        self.bytes.clear();
        self.bytes.resize(HEADER, 0);
    }

    /// More payload.
    pub(super) fn push(&mut self, payload: &[u8]) {
        self.bytes.extend(payload.iter().map(|byte| !byte));
    }

    /// The whole frame and its chain value. `header` says what is known before; its length and
    /// checksum are filled in here.
    ///
    /// # Panics
    /// Where the payload has 4 GiB or more, which no queue lets in.
    pub(super) fn finish(&mut self, header: Header, salt: u32) -> (&[u8], u32) {
        let payload = self.bytes.len() - HEADER;
        let whole = usize::try_from(extent(payload as u64)).expect("it lies in memory");
        self.bytes.resize(whole - TRAILER.len(), 0);
        self.bytes.extend_from_slice(&TRAILER);
        let header = Header {
            payload_bytes: u32::try_from(payload).expect("a queue holds less than 4 GiB"),
            body_checksum: crc32c::crc32c_append(salt, &self.bytes[HEADER..]),
            ..header
        };
        let head = header.bytes(salt);
        self.bytes[..HEADER].copy_from_slice(&head);
        (&self.bytes, u32_at(&head, 28))
    }
}

/// What [`Draft::push`] was given, out of the bytes of a frame behind its header.
pub(super) fn read_payload(body: &[u8], header: &Header, payload: &mut Vec<u8>) {
    payload.clear();
    let stored = &body[..header.payload_bytes as usize];
    payload.extend(stored.iter().map(|byte| !byte));
}

/// Whether some sector of a frame looks as if it was never written. No written frame has one: the first
/// holds the header and the last the trailer; in between, texts never hold the byte that is stored as
/// zero, and between two texts lie fewer than 64 bytes.
pub(super) fn has_unwritten_sector(frame: &[u8]) -> bool {
    frame.chunks(SECTOR_BYTES).any(is_zero)
}

/// Whether there is nothing but zeros.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
    bytes
        .chunks(ZEROS.len())
        .all(|chunk| *chunk == ZEROS[..chunk.len()])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Header = Header {
        kind: Kind::Events,
        payload_bytes: 0,
        count: 3,
        first: 7,
        previous: 11,
        body_checksum: 0,
    };

    #[test]
    fn a_frame_of_another_life_never_validates() {
        let mut draft = Draft::default();
        draft.begin();
        draft.push(b"events");
        let (bytes, chain) = draft.finish(HEAD, 1);
        let head: &[u8; HEADER] = bytes.first_chunk().unwrap();
        let (header, found) = Header::parse(head, 1).unwrap();
        assert_eq!((header.count, header.first, found), (3, 7, chain));
        assert_eq!(Header::parse(head, 2), None);
    }

    #[test]
    fn frames_fill_whole_sectors_and_end_in_something() {
        for payload in 470..490 {
            let mut draft = Draft::default();
            draft.begin();
            draft.push(&vec![0xff; payload]);
            let (bytes, _) = draft.finish(HEAD, 1);
            assert_eq!(bytes.len() % SECTOR_BYTES, 0);
            assert_eq!(bytes.len() as u64, extent(payload as u64));
            assert!(bytes.ends_with(&TRAILER));
        }
    }

    #[test]
    fn no_flipped_bit_makes_a_sector_look_unwritten() {
        let nul = "\0".repeat(600);
        let mut draft = Draft::default();
        draft.begin();
        draft.push(nul.as_bytes());
        let (bytes, _) = draft.finish(HEAD, 1);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!has_unwritten_sector(&flipped), "{bit}");
        }
    }
}
