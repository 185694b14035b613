//! Cuts a stream of text into blocks that end where a line or a row ends.
//!
//! One thread cuts, others parse; the number of a block's first line goes with it, so every line
//! number is exact. Parses nothing: see [`super::jsonl`] and [`super::csv`].

use super::InputError;
use super::content::Stream;

/// Bytes that are read at once: small enough that two threads share a small file.
const BLOCK_BYTES: usize = 1 << 20;

/// Whole lines or rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The line of the file on which the block begins, from 1.
    pub(super) first_line: u64,
    pub(super) bytes: Vec<u8>,
}

/// Finds the ends of records; sees every byte of the stream once, in order.
pub(super) trait Cutter {
    /// The end of the last whole record in `bytes`, of which those before `seen` were seen before.
    fn cut(&mut self, bytes: &[u8], seen: usize) -> Option<usize>;
}

/// Every line end ends a record.
pub(super) struct LineCutter;

impl Cutter for LineCutter {
    fn cut(&mut self, bytes: &[u8], seen: usize) -> Option<usize> {
        memchr::memrchr(b'\n', &bytes[seen..]).map(|place| seen + place + 1)
    }
}

/// A stream in blocks.
pub(super) struct Blocks<C> {
    stream: Stream,
    cutter: C,
    /// What follows the last cut.
    rest: Vec<u8>,
    line: u64,
}

impl<C: Cutter> Blocks<C> {
    pub(super) fn new(stream: Stream, cutter: C) -> Self {
        Self {
            stream,
            cutter,
            rest: Vec::new(),
            line: 1,
        }
    }

    /// The next block; `None` at the end. The last one need not end with a line end.
    pub(super) fn next_block(&mut self) -> Result<Option<Block>, InputError> {
        let mut bytes = std::mem::take(&mut self.rest);
        loop {
            let seen = bytes.len();
            let is_end = self.stream.append(&mut bytes, BLOCK_BYTES)? < BLOCK_BYTES;
            if let Some(end) = self.cutter.cut(&bytes, seen) {
                self.rest = bytes.split_off(end);
                return Ok(Some(self.block(bytes)));
            }
            if is_end {
                return Ok((!bytes.is_empty()).then(|| self.block(bytes)));
            }
        }
    }

    fn block(&mut self, bytes: Vec<u8>) -> Block {
        let first_line = self.line;
        self.line += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        Block { first_line, bytes }
    }
}

/// The lines of a block with their numbers, without their ends.
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
    fn lines_are_numbered_and_the_last_needs_no_end() {
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
