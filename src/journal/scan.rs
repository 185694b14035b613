//! Reads the frames of one segment in order and judges what is no frame: the end, a torn tail, or
//! damage. Repairs nothing; see `survey` for all segments and `hold_journal` for the cut.
//!
//! The judgement rests on three facts of the writer: before a frame is written, everything from its
//! place to the end of the file is zero and synced; only one frame at a time is not yet synced; and no
//! two frames share a sector. So a frame that a crash tore has a sector of zeros and nothing behind it;
//! all else was changed after it was acknowledged.

use std::io;

use super::error::Defect;
use super::frame::{HEADER, Header, has_unwritten_sector, is_zero, read_payload};
use super::segment::{self, FRAMES, SECTOR};
use super::vfs::VfsFile;

/// How much is read at once, in bytes; a longer frame is read whole.
const STRIDE: u64 = 1 << 20;

/// What stands at one place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A frame; its payload is in [`Frames::payload`].
    Frame(Header),
    /// Nothing, and nothing behind it.
    End,
    /// A write that was cut short, with so many bytes up to its last one.
    Torn(u64),
    /// Something that was changed after it was written.
    Damaged(Defect),
}

/// The frames of a segment.
pub(super) struct Frames<'a> {
    file: &'a dyn VfsFile,
    size: u64,
    salt: u32,
    /// Where the next frame starts.
    pub(super) offset: u64,
    /// Chain value of the frame before it.
    pub(super) chain: u32,
    /// Number of its first event.
    pub(super) next: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
    payload: Vec<u8>,
}

impl<'a> Frames<'a> {
    /// From the first frame of the segment whose header is `header`.
    pub(super) fn new(file: &'a dyn VfsFile, header: &segment::Header) -> io::Result<Self> {
        Ok(Self {
            size: file.size()?,
            file,
            salt: header.salt,
            offset: FRAMES,
            chain: header.chain(),
            next: header.first,
            buffer: Vec::new(),
            buffer_at: 0,
            payload: Vec::new(),
        })
    }

    /// The payload of the frame that was found last.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Judges what stands at `offset`, and goes behind it where it is a frame.
    pub(super) fn read(&mut self) -> io::Result<Found> {
        let Some(head) = self.head(self.offset)? else {
            return Ok(Found::End);
        };
        if is_zero(&head) {
            return self.judge_nothing();
        }
        let Some((header, chain)) = Header::parse(&head, self.salt) else {
            return Ok(Found::Damaged(Defect::Header));
        };
        if header.previous != self.chain {
            return Ok(Found::Damaged(Defect::Chain));
        }
        let Some(next) = header.next().filter(|_| header.first == self.next) else {
            return Ok(Found::Damaged(Defect::Sequence {
                found: header.first,
                expected: self.next,
            }));
        };
        let extent = header.extent();
        if extent > self.size - self.offset {
            return Ok(Found::Damaged(Defect::Length { bytes: extent }));
        }
        let salt = self.salt;
        let offset = self.offset;
        let frame = self.bytes(offset, extent)?;
        let found = crc32c::crc32c_append(salt, &frame[HEADER..]);
        if found != header.body_checksum {
            if !has_unwritten_sector(frame) {
                return Ok(Found::Damaged(Defect::Checksum {
                    found,
                    expected: header.body_checksum,
                }));
            }
            return Ok(match self.last_written(offset + extent)? {
                None => Found::Torn(extent),
                Some(_) => Found::Damaged(Defect::Hole),
            });
        }
        self.take_payload(&header)?;
        self.offset += extent;
        self.chain = chain;
        self.next = next;
        Ok(Found::Frame(header))
    }

    /// Goes to the next whole frame behind what is no frame, wherever it belongs in the order;
    /// `false` where there is none.
    pub(super) fn skip(&mut self) -> io::Result<bool> {
        let Some(end) = self.last_written(self.offset)? else {
            return Ok(false);
        };
        let mut offset = self.offset + SECTOR;
        while offset < end {
            if let Some((header, _)) = self.parse(offset)?
                && header.first >= self.next
                && header.next().is_some()
                && header.extent() <= self.size - offset
            {
                let salt = self.salt;
                let frame = self.bytes(offset, header.extent())?;
                if crc32c::crc32c_append(salt, &frame[HEADER..]) == header.body_checksum {
                    self.offset = offset;
                    self.chain = header.previous;
                    self.next = header.first;
                    return Ok(true);
                }
            }
            offset += SECTOR;
        }
        Ok(false)
    }

    /// The header at `offset`, whether or not its place in the order is right.
    pub(super) fn parse(&mut self, offset: u64) -> io::Result<Option<(Header, u32)>> {
        let salt = self.salt;
        let head = self.head(offset)?;
        Ok(head.and_then(|head| Header::parse(&head, salt)))
    }

    /// A place without a header: the end, a torn frame, or a hole where other frames follow.
    fn judge_nothing(&mut self) -> io::Result<Found> {
        let start = self.offset;
        let Some(end) = self.last_written(start)? else {
            return Ok(Found::End);
        };
        let mut offset = start + SECTOR;
        while offset < end {
            if self.parse(offset)?.is_some() {
                return Ok(Found::Damaged(Defect::Hole));
            }
            offset += SECTOR;
        }
        Ok(Found::Torn(end - start))
    }

    fn take_payload(&mut self, header: &Header) -> io::Result<()> {
        let mut payload = std::mem::take(&mut self.payload);
        let frame = self.bytes(self.offset, header.extent())?;
        read_payload(&frame[HEADER..], header, &mut payload);
        self.payload = payload;
        Ok(())
    }

    /// Where the last byte from `offset` on ends that is not zero.
    fn last_written(&mut self, mut offset: u64) -> io::Result<Option<u64>> {
        let mut last = None;
        while offset < self.size {
            let bytes = self.bytes(offset, STRIDE.min(self.size - offset))?;
            if !is_zero(bytes) {
                let within = bytes.iter().rposition(|byte| *byte != 0);
                last = within.map(|within| offset + within as u64 + 1);
            }
            offset += STRIDE;
        }
        Ok(last)
    }

    fn head(&mut self, offset: u64) -> io::Result<Option<[u8; HEADER]>> {
        if self.size < HEADER as u64 || offset > self.size - HEADER as u64 {
            return Ok(None);
        }
        let bytes = self.bytes(offset, HEADER as u64)?;
        Ok(bytes.first_chunk().copied())
    }

    /// `count` bytes at `offset`, which lie within the file.
    fn bytes(&mut self, offset: u64, count: u64) -> io::Result<&[u8]> {
        let end = self.buffer_at + self.buffer.len() as u64;
        if offset < self.buffer_at || offset + count > end {
            let fresh = count.max(STRIDE).min(self.size - offset);
            self.buffer.resize(in_memory(fresh)?, 0);
            self.buffer_at = offset;
            let read = self.file.read_at(&mut self.buffer, offset);
            if read.is_err() {
                self.buffer.clear();
            }
            read?;
        }
        let start = in_memory(offset - self.buffer_at)?;
        Ok(&self.buffer[start..start + in_memory(count)?])
    }
}

/// A length that this machine can hold.
fn in_memory(bytes: u64) -> io::Result<usize> {
    usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory.into())
}
