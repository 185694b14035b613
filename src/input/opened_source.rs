//! Opens a source and detects its compression and format. Parses nothing: streams go to
//! [`super::blocks`], columns to [`super::parquet`] and [`super::arrow_ipc`].

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use super::compression::{Compression, is_long_window};
use super::file_bytes::FileBytes;
use super::foreign::Foreign;
use super::format::{BOM, ColumnarFormat};
use super::json_document::JsonForm;
use super::{Delimiter, InputError, InputFormat, InputOptions, Progress, Source};

/// Enough of a file to detect its compression and its format.
const HEAD_BYTES: u64 = 4_096;

/// Enough of a JSON document to see where its rows are.
const DOCUMENT_HEAD_BYTES: u64 = 1 << 16;

/// What a file is if it has columns and is to be read as text.
const COLUMNAR: Foreign = Foreign {
    what: "Parquet or Arrow data",
    cure: "leave --input-format out, or say --input-format parquet",
};

/// An opened source of a known format.
pub(super) enum OpenedSource {
    Json(ByteStream, JsonForm),
    Csv(ByteStream, Delimiter),
    Parquet(FileBytes),
    ArrowFile(FileBytes),
    ArrowStream(ByteStream),
}

/// Decompressed bytes in order, with the file's name for errors.
pub(super) struct ByteStream {
    name: Arc<str>,
    compression: Compression,
    reader: Box<dyn Read + Send>,
}

impl OpenedSource {
    /// Opens `source` and reads its first bytes.
    pub(super) fn open(
        source: &Source,
        options: &InputOptions,
        progress: &Arc<Progress>,
    ) -> Result<Self, InputError> {
        let name = source.name();
        let (path, file) = match source {
            Source::Stdin => (None, None),
            Source::Path(path) => {
                let opened = File::open(path).map_err(|source| InputError::Open {
                    file: Arc::clone(&name),
                    source,
                })?;
                (Some(path.as_path()), Some(opened))
            }
        };
        let mut stream = ByteStream::new(name, file.as_ref(), progress)?;
        let head = stream.peek(HEAD_BYTES)?;
        stream.check(Foreign::of(&head))?;
        stream.decompress(Compression::detect(&head, path), options.long_windows)?;
        let head = stream.peek(HEAD_BYTES)?;
        if stream.compression != Compression::None {
            stream.check(Foreign::of_decompressed(&head))?;
        }
        let is_columnar = ColumnarFormat::from_head(&head).is_some();
        if is_columnar && matches!(options.format, InputFormat::Csv | InputFormat::Jsonl) {
            stream.check(Some(COLUMNAR))?;
        }
        let format = match options.format {
            _ if is_columnar => InputFormat::Parquet,
            InputFormat::Auto | InputFormat::Feed(_) => {
                stream.guess(&head, path, options.format)?
            }
            given => given,
        };
        match format {
            InputFormat::Csv => {
                let head = stream.as_text(head)?;
                let found = || Delimiter::of_header(&head);
                Ok(Self::Csv(stream, options.delimiter.unwrap_or_else(found)))
            }
            InputFormat::Parquet => stream.columns(&head, file, progress),
            InputFormat::Jsonl | InputFormat::Auto | InputFormat::Feed(_) => {
                stream.as_text(head)?;
                let head = stream.peek(DOCUMENT_HEAD_BYTES)?;
                let form = JsonForm::detect(&head, &options.columns);
                Ok(Self::Json(stream, form))
            }
        }
    }
}

impl ByteStream {
    fn new(
        name: Arc<str>,
        file: Option<&File>,
        progress: &Arc<Progress>,
    ) -> Result<Self, InputError> {
        let reader: Box<dyn Read + Send> = match file {
            None => Box::new(io::stdin()),
            Some(file) => Box::new(Counted {
                inner: file.try_clone().map_err(|source| InputError::Open {
                    file: Arc::clone(&name),
                    source,
                })?,
                progress: Arc::clone(progress),
            }),
        };
        Ok(Self {
            name,
            compression: Compression::None,
            reader,
        })
    }

    /// Appends up to `limit` bytes to `block`; fewer only at the end.
    pub(super) fn append(
        &mut self,
        block: &mut Vec<u8>,
        limit: usize,
    ) -> Result<usize, InputError> {
        block.reserve(limit);
        let wanted = u64::try_from(limit).unwrap_or(u64::MAX);
        let appended = (&mut self.reader).take(wanted).read_to_end(block);
        appended.map_err(|cause| self.error(cause))
    }

    /// The file's name.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn error(&self, source: io::Error) -> InputError {
        let file = Arc::clone(&self.name);
        if self.compression == Compression::Zstd && is_long_window(&source) {
            return InputError::LongWindow { file };
        }
        match self.compression.name() {
            Some(packing) => InputError::Unpack {
                file,
                packing,
                source,
            },
            None => InputError::Read { file, source },
        }
    }

    /// The next bytes, which remain to be read.
    fn peek(&mut self, limit: u64) -> Result<Vec<u8>, InputError> {
        let mut head = Vec::new();
        let read = (&mut self.reader).take(limit).read_to_end(&mut head);
        read.map_err(|cause| self.error(cause))?;
        let rest = std::mem::replace(&mut self.reader, Box::new(io::empty()));
        self.reader = Box::new(Cursor::new(head.clone()).chain(rest));
        Ok(head)
    }

    /// Drops a byte order mark, and brings line ends of carriage returns alone to line feeds, if `head`,
    /// the next bytes, has them. Returns the next bytes as they are then.
    fn as_text(&mut self, head: Vec<u8>) -> Result<Vec<u8>, InputError> {
        let text = head.strip_prefix(BOM).unwrap_or(&head);
        let has_returns = text.len() > 1 && text[..text.len() - 1].contains(&b'\r');
        let has_returns_alone = has_returns && !text.contains(&b'\n');
        if text.len() == head.len() && !has_returns_alone {
            return Ok(head);
        }
        let mark = &mut [0; BOM.len()][..head.len() - text.len()];
        let read = self.reader.read_exact(mark);
        read.map_err(|cause| self.error(cause))?;
        if has_returns_alone {
            let inner = std::mem::replace(&mut self.reader, Box::new(io::empty()));
            self.reader = Box::new(ReturnsAsLines(inner));
        }
        self.peek(HEAD_BYTES)
    }

    /// Refuses a file of another kind.
    fn check(&self, foreign: Option<Foreign>) -> Result<(), InputError> {
        foreign.map_or(Ok(()), |Foreign { what, cure }| {
            let file = Arc::clone(&self.name);
            Err(InputError::Foreign { file, what, cure })
        })
    }

    fn decompress(&mut self, compression: Compression, long: bool) -> Result<(), InputError> {
        let compressed = std::mem::replace(&mut self.reader, Box::new(io::empty()));
        self.compression = compression;
        self.reader = compression
            .decompress(compressed, long)
            .map_err(|cause| self.error(cause))?;
        Ok(())
    }

    /// The format by the file's name, else by its first bytes; text of a known feed that is not JSON is CSV.
    fn guess(
        &self,
        head: &[u8],
        path: Option<&Path>,
        given: InputFormat,
    ) -> Result<InputFormat, InputError> {
        let is_feed = matches!(given, InputFormat::Feed(_));
        path.and_then(InputFormat::from_name)
            .or_else(|| InputFormat::from_head(head))
            .or_else(|| is_feed.then_some(InputFormat::Csv))
            .ok_or_else(|| InputError::UnknownFormat {
                file: Arc::clone(&self.name),
            })
    }

    /// Columnar files are read out of order, so compressed or piped ones are read into memory first.
    fn columns(
        mut self,
        head: &[u8],
        file: Option<File>,
        progress: &Arc<Progress>,
    ) -> Result<OpenedSource, InputError> {
        let Some(form) = ColumnarFormat::from_head(head) else {
            return Err(InputError::NoColumns { file: self.name });
        };
        if form == ColumnarFormat::ArrowStream {
            return Ok(OpenedSource::ArrowStream(self));
        }
        let in_place = file.filter(|file| {
            self.compression == Compression::None
                && file
                    .metadata()
                    .is_ok_and(|found| found.file_type().is_file())
        });
        let bytes = if let Some(file) = in_place {
            FileBytes::in_place(file, progress)
        } else {
            let mut whole = Vec::new();
            let read = self.reader.read_to_end(&mut whole);
            read.map(|_| FileBytes::in_memory(whole))
        };
        let bytes = bytes.map_err(|cause| self.error(cause))?;
        Ok(match form {
            ColumnarFormat::Parquet => OpenedSource::Parquet(bytes),
            ColumnarFormat::ArrowFile | ColumnarFormat::ArrowStream => {
                OpenedSource::ArrowFile(bytes)
            }
        })
    }
}

impl Read for ByteStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

/// Text whose lines end with carriage returns alone, as old Macs wrote it.
struct ReturnsAsLines(Box<dyn Read + Send>);

impl Read for ReturnsAsLines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        for byte in &mut buffer[..read] {
            if *byte == b'\r' {
                *byte = b'\n';
            }
        }
        Ok(read)
    }
}

/// Counts what is read.
struct Counted {
    inner: File,
    progress: Arc<Progress>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.progress.advance(read as u64);
        Ok(read)
    }
}
