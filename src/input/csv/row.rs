//! Rows of CSV into cells, without a copy unless a cell has doubled quotes.

use std::borrow::Cow;
use std::ops::ControlFlow;

use crate::input::blocks::Block;
use crate::input::{Delimiter, RefusalReason};

/// One cell, as a range of the row.
#[derive(Clone, Copy, Debug)]
struct Cell {
    start: usize,
    end: usize,
    has_doubled_quotes: bool,
}

/// Splits rows into cells; reuses its buffer from row to row.
#[derive(Default)]
pub(in crate::input) struct RowSplitter {
    cells: Vec<Cell>,
}

/// One row: its cells, or why it cannot be split.
pub(in crate::input) struct CsvRow<'a> {
    pub(in crate::input) line: u64,
    pub(in crate::input) cells: Result<Cells<'a>, RefusalReason>,
}

/// The cells of a row.
#[derive(Clone, Copy)]
pub(in crate::input) struct Cells<'a> {
    text: &'a str,
    cells: &'a [Cell],
}

impl RowSplitter {
    /// Passes each row of `block` to `take`; empty lines are skipped. Ends early if `take` breaks.
    pub(in crate::input) fn rows<B>(
        &mut self,
        block: &Block,
        delimiter: Delimiter,
        mut take: impl FnMut(CsvRow<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut line = block.first_line;
        let mut rest = block.bytes.as_slice();
        while !rest.is_empty() {
            let (length, cells) = self.first_row(rest, delimiter);
            let (row, after) = rest.split_at(length);
            if !matches!(row, b"\n" | b"\r\n" | b"\r" | b"\r\r\n") {
                take(CsvRow { line, cells })?;
            }
            line += memchr::memchr_iter(b'\n', row).count() as u64;
            rest = after;
        }
        ControlFlow::Continue(())
    }

    /// The length of the first row of `bytes` with its line break, and its cells.
    pub(in crate::input) fn first_row<'a>(
        &'a mut self,
        bytes: &'a [u8],
        delimiter: Delimiter,
    ) -> (usize, Result<Cells<'a>, RefusalReason>) {
        let (length, shape) = self.split(bytes, delimiter.byte());
        let cells = shape.and_then(|()| {
            let text = str::from_utf8(&bytes[..length]);
            Ok(Cells {
                text: text.map_err(|_| RefusalReason::NotCsv("not UTF-8 text"))?,
                cells: &self.cells,
            })
        });
        (length, cells)
    }

    /// The length of the first row with its line break; its cells are left in `self.cells`.
    fn split(&mut self, bytes: &[u8], delimiter: u8) -> (usize, Result<(), RefusalReason>) {
        self.cells.clear();
        let mut shape = Ok(());
        let mut at = 0;
        loop {
            let found = if bytes.get(at) == Some(&b'"') {
                quoted(bytes, at)
            } else {
                Some(unquoted(bytes, at, delimiter))
            };
            let Some((cell, after)) = found else {
                let reason = RefusalReason::NotCsv("a quoted cell has no closing quote");
                return (bytes.len(), Err(reason));
            };
            self.cells.push(cell);
            let mut end = after;
            let ends_cell = |byte: &u8| *byte == delimiter || *byte == b'\n';
            if !bytes.get(end).is_none_or(ends_cell) && bytes[end..] != *b"\r" {
                if !bytes[end..].starts_with(b"\r\n") && !bytes[end..].starts_with(b"\r\r\n") {
                    shape = Err(RefusalReason::NotCsv("text after a closing quote"));
                }
                end = unquoted(bytes, end, delimiter).1;
            }
            match bytes.get(end) {
                Some(byte) if *byte == delimiter => at = end + 1,
                Some(b'\n') => return (end + 1, shape),
                _ => return (bytes.len(), shape),
            }
        }
    }
}

/// The cell that begins with the quote at `at`, and its end; `None` if the quote is never closed.
fn quoted(bytes: &[u8], at: usize) -> Option<(Cell, usize)> {
    let mut cell = Cell {
        start: at + 1,
        end: at + 1,
        has_doubled_quotes: false,
    };
    loop {
        cell.end += memchr::memchr(b'"', &bytes[cell.end..])?;
        if bytes.get(cell.end + 1) != Some(&b'"') {
            return Some((cell, cell.end + 1));
        }
        cell.has_doubled_quotes = true;
        cell.end += 2;
    }
}

/// The cell from `at` to the next delimiter or line break, and the index of that.
fn unquoted(bytes: &[u8], at: usize, delimiter: u8) -> (Cell, usize) {
    let length = memchr::memchr2(delimiter, b'\n', &bytes[at..]);
    let after = length.map_or(bytes.len(), |length| at + length);
    let ends_line = bytes.get(after) != Some(&delimiter);
    let mut end = after;
    // More than one, if a line end was written as two characters twice.
    while ends_line && end > at && bytes[end - 1] == b'\r' {
        end -= 1;
    }
    let cell = Cell {
        start: at,
        end,
        has_doubled_quotes: false,
    };
    (cell, after)
}

impl<'a> Cells<'a> {
    pub(in crate::input) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The text of a cell.
    pub(in crate::input) fn get(&self, column: usize) -> Cow<'a, str> {
        let cell = self.cells[column];
        let text = &self.text[cell.start..cell.end];
        if cell.has_doubled_quotes {
            Cow::Owned(text.replace("\"\"", "\""))
        } else {
            Cow::Borrowed(text)
        }
    }
}
