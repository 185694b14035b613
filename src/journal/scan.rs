//! Reads the frames of one segment in order, and decides whether what follows the last one is the end,
//! a torn tail, or damage. Repairs nothing; see `survey` for all segments and `open` for the cut.
//!
//! The decision relies on three properties of the writer: before a frame is written, all bytes from its
//! start to the end of the file are zero and synced; at most one frame is not yet synced; and no two
//! frames share a sector. A frame torn by a crash therefore has a sector of zeros and nothing after it;
//! anything else was changed after it was acknowledged.

use std::io;

use super::error::Defect;
use super::frame::{FrameHeader, HEADER_BYTES, has_unwritten_sector, is_zero, read_payload};
use super::layout::SECTOR;
use super::segment::{FRAMES_OFFSET, SegmentHeader};
use super::vfs::VfsFile;

/// How much is read at once, in bytes; a larger frame is read whole.
const READ_BYTES: u64 = 1 << 20;

/// What was found at an offset.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// A frame; [`FrameScanner::payload`] returns its payload.
    Frame(FrameHeader),
    /// No frame here, and nothing after it.
    End,
    /// An unfinished write, with so many bytes up to the last one written.
    Torn(u64),
    /// Data that was changed after it was written.
    Damaged(Defect),
}

/// Reads the frames of a segment.
pub(super) struct FrameScanner<'a> {
    file: &'a dyn VfsFile,
    size: u64,
    salt: u32,
    /// Offset of the next frame.
    pub(super) offset: u64,
    /// Chain value of the frame before it.
    pub(super) chain: u32,
    /// Number of its first event.
    pub(super) next: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
    payload: Vec<u8>,
}

impl<'a> FrameScanner<'a> {
    /// Begins at the first frame of the segment with this `header`.
    pub(super) fn new(file: &'a dyn VfsFile, header: &SegmentHeader) -> io::Result<Self> {
        Ok(Self {
            size: file.size()?,
            file,
            salt: header.salt,
            offset: FRAMES_OFFSET,
            chain: header.chain(),
            next: header.first,
            buffer: Vec::new(),
            buffer_at: 0,
            payload: Vec::new(),
        })
    }

    /// The payload of the last frame that was read.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Reads what is at `offset`, and advances if it is a frame.
    pub(super) fn read(&mut self) -> io::Result<Scanned> {
        let Some(bytes) = self.header_bytes(self.offset)? else {
            return Ok(Scanned::End);
        };
        if is_zero(&bytes) {
            return self.end_or_hole();
        }
        let Some((header, chain)) = FrameHeader::parse(&bytes, self.salt) else {
            return Ok(Scanned::Damaged(Defect::Header));
        };
        if header.previous != self.chain {
            return Ok(Scanned::Damaged(Defect::Chain));
        }
        let Some(next) = header.next().filter(|_| header.first == self.next) else {
            return Ok(Scanned::Damaged(Defect::Sequence {
                found: header.first,
                expected: self.next,
            }));
        };
        let extent = header.extent();
        if extent > self.size - self.offset {
            return Ok(Scanned::Damaged(Defect::Length { bytes: extent }));
        }
        let salt = self.salt;
        let offset = self.offset;
        let frame = self.bytes(offset, extent)?;
        let found = crc32c::crc32c_append(salt, &frame[HEADER_BYTES..]);
        if found != header.body_checksum {
            if !has_unwritten_sector(frame) {
                return Ok(Scanned::Damaged(Defect::Checksum {
                    found,
                    expected: header.body_checksum,
                }));
            }
            return Ok(match self.last_written(offset + extent)? {
                None => Scanned::Torn(extent),
                Some(_) => Scanned::Damaged(Defect::Hole),
            });
        }
        self.take_payload(&header)?;
        self.offset += extent;
        self.chain = chain;
        self.next = next;
        Ok(Scanned::Frame(header))
    }

    /// Advances to the next valid frame after damage, even if frames before it are missing; `false`
    /// if there is none.
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
                if crc32c::crc32c_append(salt, &frame[HEADER_BYTES..]) == header.body_checksum {
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

    /// The header at `offset`, whether or not it continues the frame before.
    pub(super) fn parse(&mut self, offset: u64) -> io::Result<Option<(FrameHeader, u32)>> {
        let salt = self.salt;
        let bytes = self.header_bytes(offset)?;
        Ok(bytes.and_then(|bytes| FrameHeader::parse(&bytes, salt)))
    }

    /// Decides what zeros instead of a header are: the end, a torn frame, or a hole before other frames.
    fn end_or_hole(&mut self) -> io::Result<Scanned> {
        let start = self.offset;
        let Some(end) = self.last_written(start)? else {
            return Ok(Scanned::End);
        };
        let mut offset = start + SECTOR;
        while offset < end {
            if self.parse(offset)?.is_some() {
                return Ok(Scanned::Damaged(Defect::Hole));
            }
            offset += SECTOR;
        }
        Ok(Scanned::Torn(end - start))
    }

    fn take_payload(&mut self, header: &FrameHeader) -> io::Result<()> {
        let mut payload = std::mem::take(&mut self.payload);
        let frame = self.bytes(self.offset, header.extent())?;
        read_payload(&frame[HEADER_BYTES..], header, &mut payload);
        self.payload = payload;
        Ok(())
    }

    /// The end of the last byte at or after `offset` that is not zero.
    fn last_written(&mut self, mut offset: u64) -> io::Result<Option<u64>> {
        let mut last = None;
        while offset < self.size {
            let bytes = self.bytes(offset, READ_BYTES.min(self.size - offset))?;
            if !is_zero(bytes) {
                let within = bytes.iter().rposition(|byte| *byte != 0);
                last = within.map(|within| offset + within as u64 + 1);
            }
            offset += READ_BYTES;
        }
        Ok(last)
    }

    fn header_bytes(&mut self, offset: u64) -> io::Result<Option<[u8; HEADER_BYTES]>> {
        if self.size < HEADER_BYTES as u64 || offset > self.size - HEADER_BYTES as u64 {
            return Ok(None);
        }
        let bytes = self.bytes(offset, HEADER_BYTES as u64)?;
        Ok(bytes.first_chunk().copied())
    }

    /// `count` bytes at `offset`, which must be within the file.
    fn bytes(&mut self, offset: u64, count: u64) -> io::Result<&[u8]> {
        let end = self.buffer_at + self.buffer.len() as u64;
        if offset < self.buffer_at || offset + count > end {
            let fresh = count.max(READ_BYTES).min(self.size - offset);
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

/// A length as `usize`; an error if it exceeds the address space.
fn in_memory(bytes: u64) -> io::Result<usize> {
    usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory.into())
}
