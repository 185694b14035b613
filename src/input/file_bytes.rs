//! The bytes of a file at any offset, from many threads at once.
//!
//! Threads share one handle and no cursor: clones made by `File::try_clone` share one offset, so
//! two readers over clones would read each other's bytes. Knows no file format.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::Progress;
use super::page_buffer::PageBuffer;

/// A page header is a few hundred bytes; what it describes is read separately.
const HEADER_BYTES: usize = 1_024;

/// A file on disk, or one that was read into memory. Clones are cheap.
#[derive(Clone)]
pub(super) enum FileBytes {
    InPlace {
        file: Arc<File>,
        length: u64,
        progress: Arc<Progress>,
    },
    InMemory(Bytes),
}

impl FileBytes {
    pub(super) fn in_place(file: File, progress: &Arc<Progress>) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self::InPlace {
            file: Arc::new(file),
            length,
            progress: Arc::clone(progress),
        })
    }

    pub(super) fn in_memory(bytes: Vec<u8>) -> Self {
        Self::InMemory(bytes.into())
    }

    /// A reader that begins at offset `at`.
    pub(super) fn cursor(&self, at: u64) -> ByteCursor {
        ByteCursor {
            bytes: self.clone(),
            at,
        }
    }

    /// Fills as much of `buffer` as one system call returns.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Self::InPlace { file, progress, .. } => {
                let read = read_file_at(file, buffer, at)?;
                progress.advance(read as u64);
                Ok(read)
            }
            Self::InMemory(bytes) => {
                let start = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                (&bytes[start..]).read(buffer)
            }
        }
    }
}

#[cfg(unix)]
fn read_file_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_file_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    // This moves the handle's own offset, which is not used.
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

impl Length for FileBytes {
    fn len(&self) -> u64 {
        match self {
            Self::InPlace { length, .. } => *length,
            Self::InMemory(bytes) => bytes.len() as u64,
        }
    }
}

impl ChunkReader for FileBytes {
    type T = BufReader<ByteCursor>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::with_capacity(HEADER_BYTES, self.cursor(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start.saturating_add(length as u64);
        if end > self.len() {
            return Err(ParquetError::EOF(format!(
                "bytes {start} to {end} are wanted, the file has {}",
                self.len()
            )));
        }
        if let Self::InMemory(bytes) = self {
            let start = usize::try_from(start)?;
            return Ok(bytes.slice(start..start + length));
        }
        let mut buffer = PageBuffer::new(length);
        let mut cursor = self.cursor(start);
        let mut left = buffer.bytes_mut();
        while !left.is_empty() {
            let found = match cursor.read(left) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                found => found?,
            };
            if found == 0 {
                let found = length - left.len();
                return Err(ParquetError::EOF(format!(
                    "bytes {start} to {end} are wanted, {found} of them are there"
                )));
            }
            left = &mut left[found..];
        }
        Ok(buffer.into_bytes())
    }
}

/// A reader with an offset of its own.
pub(super) struct ByteCursor {
    bytes: FileBytes,
    at: u64,
}

impl Read for ByteCursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for ByteCursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.bytes.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
