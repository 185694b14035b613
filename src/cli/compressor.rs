//! A writer that compresses as the extension of the file's name says.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::write::GzEncoder;

/// Writes to `W`; the output is complete only after [`Compressor::finish`].
pub(super) enum Compressor<W: Write> {
    Plain(BufWriter<W>),
    Gzip(BufWriter<GzEncoder<W>>),
    Zstd(BufWriter<zstd::Encoder<'static, W>>),
}

impl<W: Write> Compressor<W> {
    /// Gzip for `.gz`, zstd for `.zst`, else uncompressed.
    pub(super) fn new(path: &Path, out: W) -> io::Result<Self> {
        Ok(if has_extension(path, "gz") {
            let level = flate2::Compression::default();
            Self::Gzip(BufWriter::new(GzEncoder::new(out, level)))
        } else if has_extension(path, "zst") {
            let level = zstd::DEFAULT_COMPRESSION_LEVEL;
            Self::Zstd(BufWriter::new(zstd::Encoder::new(out, level)?))
        } else {
            Self::Plain(BufWriter::new(out))
        })
    }

    /// Writes what is buffered, and returns the inner writer.
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(out) => inner(out),
            Self::Gzip(out) => inner(out)?.finish(),
            Self::Zstd(out) => inner(out)?.finish(),
        }
    }
}

/// Whether [`Compressor`] compresses a file of this name.
pub(super) fn is_compressed(path: &Path) -> bool {
    has_extension(path, "gz") || has_extension(path, "zst")
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
}

fn inner<W: Write>(out: BufWriter<W>) -> io::Result<W> {
    out.into_inner().map_err(io::IntoInnerError::into_error)
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(out) => out.write(bytes),
            Self::Zstd(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(out) => out.flush(),
            Self::Zstd(out) => out.flush(),
        }
    }
}
