//! Cuts a stream of text into blocks that end at the end of a line or row.
//!
//! One thread cuts, others parse; each block carries the number of its first line, so every line
//! number is exact. Parses nothing: see [`super::jsonl`] and [`super::csv`].

use std::sync::Arc;

use super::opened_source::ByteStream;
use super::{InputError, Progress};

/// Bytes that are read at once: few enough that small files are shared by two threads.
const BLOCK_BYTES: usize = 1 << 20;

/// Whole lines or rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The line of the file on which the block begins, from 1.
    pub(super) first_line: u64,
    pub(super) bytes: Vec<u8>,
}

/// Finds the ends of records; is given every byte of the stream once, in order.
pub(super) trait RecordEnds {
    /// The end of the last whole record in `bytes`, of which the first `seen` were given before. What lies
    /// between records may be blanked out.
    fn last_end(&mut self, bytes: &mut [u8], seen: usize) -> Option<usize>;

    /// Why no record can be found after the last end, or, at the end of the stream, why it is not whole.
    fn failure(&mut self, _is_end: bool) -> Option<Failure> {
        None
    }
}

/// Why a stream cannot be cut any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The line of the file, from 1.
    pub(super) line: u64,
    pub(super) what: String,
}

/// Every line break ends a record.
pub(super) struct LineEnds;

impl RecordEnds for LineEnds {
    fn last_end(&mut self, bytes: &mut [u8], seen: usize) -> Option<usize> {
        memchr::memrchr(b'\n', &bytes[seen..]).map(|index| seen + index + 1)
    }
}

/// A stream in blocks.
pub(super) struct Blocks<E> {
    stream: ByteStream,
    ends: E,
    /// What follows the last end.
    rest: Vec<u8>,
    line: u64,
    /// What is told of an unfinished last row, which is then left out.
    told: Option<Arc<Progress>>,
    /// Whether there was such a row.
    pub(super) has_unfinished: bool,
}

impl<E: RecordEnds> Blocks<E> {
    pub(super) fn new(stream: ByteStream, ends: E) -> Self {
        Self {
            stream,
            ends,
            rest: Vec::new(),
            line: 1,
            told: None,
            has_unfinished: false,
        }
    }

    /// The same, without a last row that no line break ends: `progress` is told of it instead.
    pub(super) fn whole_rows(mut self, progress: &Arc<Progress>) -> Self {
        self.told = Some(Arc::clone(progress));
        self
    }

    /// The next block; `None` at the end. The last one may lack its line break.
    pub(super) fn next_block(&mut self) -> Result<Option<Block>, InputError> {
        let mut bytes = std::mem::take(&mut self.rest);
        loop {
            self.check(false)?;
            let seen = bytes.len();
            let is_end = self.stream.append(&mut bytes, BLOCK_BYTES)? < BLOCK_BYTES;
            if let Some(end) = self.ends.last_end(&mut bytes, seen) {
                self.rest = bytes.split_off(end);
                return Ok(Some(self.block(bytes)));
            }
            self.check(is_end)?;
            if is_end {
                if let Some(progress) = &self.told
                    && !bytes.trim_ascii().is_empty()
                {
                    progress.left_unfinished(self.stream.name(), self.line);
                    self.has_unfinished = true;
                    return Ok(None);
                }
                return Ok((!bytes.is_empty()).then(|| self.block(bytes)));
            }
        }
    }

    fn check(&mut self, is_end: bool) -> Result<(), InputError> {
        let failure = self.ends.failure(is_end);
        failure.map_or(Ok(()), |failure| {
            Err(InputError::Document {
                file: Arc::clone(self.stream.name()),
                line: failure.line,
                what: failure.what,
            })
        })
    }

    fn block(&mut self, bytes: Vec<u8>) -> Block {
        let first_line = self.line;
        self.line += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        Block { first_line, bytes }
    }
}

/// The lines of a block with their numbers, without line breaks.
pub(super) fn lines(block: &Block) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = Some(block.bytes.strip_suffix(b"\n").unwrap_or(&block.bytes));
    let lines = std::iter::from_fn(move || {
        let bytes = rest?;
        let end = memchr::memchr(b'\n', bytes);
        rest = end.map(|end| &bytes[end + 1..]);
        Some(&bytes[..end.unwrap_or(bytes.len())])
    });
    (block.first_line..).zip(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_and_the_last_may_lack_its_break() {
        for (bytes, expected) in [
            (&b"a\nb"[..], vec![(7, &b"a"[..]), (8, b"b")]),
            (b"a\n\nb\n", vec![(7, b"a"), (8, b""), (9, b"b")]),
            (b"\n", vec![(7, b"")]),
        ] {
            let block = Block {
                first_line: 7,
                bytes: bytes.to_vec(),
            };
            assert_eq!(lines(&block).collect::<Vec<_>>(), expected);
        }
    }
}
