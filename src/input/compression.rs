//! gzip and zstd, detected by the first bytes or by the extension, and decompressed as a stream.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// By the first bytes, else by the extension, so that a damaged file is reported as damaged
    /// instead of being read as text.
    pub(super) fn detect(head: &[u8], path: Option<&Path>) -> Self {
        if head.starts_with(&[0x1f, 0x8b]) {
            return Self::Gzip;
        }
        if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return Self::Zstd;
        }
        match path.and_then(Path::extension) {
            Some(extension) if extension.eq_ignore_ascii_case("gz") => Self::Gzip,
            Some(extension) if extension.eq_ignore_ascii_case("zst") => Self::Zstd,
            _ => Self::None,
        }
    }

    /// "gzip" or "zstd"; `None` if the file is not compressed.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// The decompressed bytes; several members or frames in a row are read as one. `long` allows windows of
    /// zstd up to 2 GiB, for which so much memory is taken.
    pub(super) fn decompress(
        self,
        compressed: Box<dyn Read + Send>,
        long: bool,
    ) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::None => compressed,
            Self::Gzip => Box::new(GzipMembers::new(compressed)),
            Self::Zstd => {
                let mut frames = zstd::stream::read::Decoder::new(compressed)?;
                if long {
                    frames.window_log_max(WINDOW_LOG_MAX)?;
                }
                Box::new(frames)
            }
        })
    }
}

/// The binary logarithm of the largest window of zstd.
const WINDOW_LOG_MAX: u32 = 31;

/// Whether an error of the zstd decoder says that a window is larger than it may be.
pub(super) fn is_long_window(error: &io::Error) -> bool {
    error.to_string().contains("too much memory")
}

/// gzip members one after the other, with zero bytes between and after them, as tapes and block devices pad them.
struct GzipMembers {
    /// `None` at the end.
    member: Option<Member>,
}

type Member = flate2::bufread::GzDecoder<BufReader<Box<dyn Read + Send>>>;

impl GzipMembers {
    fn new(compressed: Box<dyn Read + Send>) -> Self {
        let compressed = BufReader::with_capacity(BUFFER_BYTES, compressed);
        Self {
            member: Some(Member::new(compressed)),
        }
    }

    /// The member after the one that has ended.
    fn next_member(ended: Member) -> io::Result<Option<Member>> {
        let mut compressed = ended.into_inner();
        loop {
            let bytes = match compressed.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                filled => filled?,
            };
            let Some(first) = bytes.first() else {
                return Ok(None);
            };
            let padding = bytes.iter().take_while(|byte| **byte == 0).count();
            if padding > 0 {
                compressed.consume(padding);
            } else if *first == MAGIC {
                return Ok(Some(Member::new(compressed)));
            } else {
                let text = "other bytes follow the gzip data";
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        }
    }
}

/// The first byte of a member.
const MAGIC: u8 = 0x1f;

/// Compressed bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 16;

/// What is wrong with gzip data, in words that do not depend on the decoder: the Python package has the same.
fn in_our_words(error: io::Error) -> io::Error {
    let text = match error.kind() {
        io::ErrorKind::UnexpectedEof => "it ends early",
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => "it is not valid",
        _ => return error,
    };
    io::Error::new(error.kind(), text)
}

impl Read for GzipMembers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.member.take() {
            let read = member.read(buffer);
            // After an error, too: an interrupted call is repeated.
            if !matches!(read, Ok(0)) || buffer.is_empty() {
                self.member = Some(member);
                return read.map_err(in_our_words);
            }
            self.member = Self::next_member(member)?;
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;

    use super::*;

    fn member(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn decompressed(bytes: Vec<u8>) -> io::Result<String> {
        let mut text = String::new();
        let mut members = Compression::Gzip.decompress(Box::new(io::Cursor::new(bytes)), false)?;
        members.read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn members_are_read_as_one_and_zero_bytes_are_padding() {
        let bytes = [
            member("a\nb"),
            member(""),
            vec![0; 200_000],
            member("c\n"),
            vec![0; 3],
        ]
        .concat();
        assert_eq!(decompressed(bytes).unwrap(), "a\nbc\n");
    }

    /// Every other call is interrupted by a signal.
    struct Interrupted<R>(R, bool);

    impl<R: Read> Read for Interrupted<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let length = buffer.len().min(7);
            self.0.read(&mut buffer[..length])
        }
    }

    #[test]
    fn an_interrupted_call_loses_nothing() {
        let bytes = [member("a\nb"), vec![0; 9], member("c\n")].concat();
        let compressed = Interrupted(io::Cursor::new(bytes), false);
        let mut text = String::new();
        let mut members = GzipMembers::new(Box::new(compressed));
        members.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a\nbc\n");
    }

    #[test]
    fn other_bytes_and_missing_ones_are_errors() {
        let with_more = [member("a"), b"\0\0more".to_vec()].concat();
        let error = decompressed(with_more).unwrap_err().to_string();
        assert_eq!(error, "other bytes follow the gzip data");
        let mut cut = member("a long text, a long text");
        cut.truncate(20);
        assert_eq!(decompressed(cut).unwrap_err().to_string(), "it ends early");
        let mut damaged = member("a long text, a long text");
        damaged[12] ^= 0xff;
        assert_eq!(
            decompressed(damaged).unwrap_err().to_string(),
            "it is not valid"
        );
    }
}
