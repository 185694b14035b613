//! What lies behind the launcher in the one file: a compressed folder, and a footer that describes it.
//!
//! The footer is written by `embed_runtime/pack.py`; the two must agree. Nothing is unpacked here.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The last bytes of the one file.
const MARK: &[u8; 16] = b"holdmetrics-one1";
/// The length of the payload, its SHA-256, the SHA-256 of its manifest, and the mark.
const FOOTER: usize = 8 + 32 + 32 + MARK.len();

/// The payload of an open one-file program.
pub(crate) struct Payload {
    file: File,
    length: u64,
    /// The SHA-256 of the compressed folder.
    pub(crate) digest: [u8; 32],
    /// The SHA-256 of `embed_runtime/manifest.txt` in it.
    pub(crate) manifest: [u8; 32],
}

impl Payload {
    /// Reads the footer.
    pub(crate) fn open(program: &Path) -> io::Result<Self> {
        let mut file = File::open(program)?;
        let mut footer = [0; FOOTER];
        file.seek(SeekFrom::End(-i64::try_from(FOOTER).unwrap_or(i64::MAX)))?;
        file.read_exact(&mut footer)?;
        let (length, rest) = footer.split_at(8);
        let (digest, rest) = rest.split_at(32);
        let (manifest, mark) = rest.split_at(32);
        if mark != MARK {
            return Err(io::Error::other("no bundle lies behind the launcher"));
        }
        Ok(Self {
            file,
            length: u64::from_le_bytes(length.try_into().expect("eight bytes")),
            digest: digest.try_into().expect("32 bytes"),
            manifest: manifest.try_into().expect("32 bytes"),
        })
    }

    /// The compressed folder, from its first byte.
    pub(crate) fn reader(&mut self) -> io::Result<io::Take<&mut File>> {
        let behind = i64::try_from(self.length + FOOTER as u64).map_err(io::Error::other)?;
        self.file.seek(SeekFrom::End(-behind))?;
        Ok((&mut self.file).take(self.length))
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
