//! Rows of CSV into the fields of an event: RFC 4180, commas, quotes doubled inside quotes.
//!
//! Cutting and parsing share this file, because both must see the same quotes: a line end inside
//! quotes ends no row. An empty cell is an absent field; of a column named twice the last counts.

use std::borrow::Cow;
use std::sync::Arc;

use super::format::BOM;
use super::text::{Block, Cutter};
use super::written::{WrittenEvent, present, revision, time};
use super::{InputError, Reason};
use crate::core::{Field, Micros, Refusal, Wad};

/// Cuts after a line end that stands outside quotes.
#[derive(Default)]
pub(super) struct RowCutter {
    state: Quotes,
}

/// Where in a row the bytes seen so far end.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Quotes {
    #[default]
    Outside,
    Inside,
    /// After a quote inside quotes: the end of the cell, or the first half of a doubled one.
    Closing,
}

impl Cutter for RowCutter {
    fn cut(&mut self, bytes: &[u8], seen: usize) -> Option<usize> {
        let mut last = None;
        let mut at = seen;
        while at < bytes.len() {
            match self.state {
                Quotes::Outside => {
                    let quote = memchr::memchr(b'"', &bytes[at..]).map(|place| at + place);
                    let end = quote.unwrap_or(bytes.len());
                    if let Some(place) = memchr::memrchr(b'\n', &bytes[at..end]) {
                        last = Some(at + place + 1);
                    }
                    if quote.is_some() && begins_cell(bytes, end) {
                        self.state = Quotes::Inside;
                    }
                    at = end + 1;
                }
                Quotes::Inside => match memchr::memchr(b'"', &bytes[at..]) {
                    Some(place) => {
                        self.state = Quotes::Closing;
                        at += place + 1;
                    }
                    None => at = bytes.len(),
                },
                Quotes::Closing if bytes[at] == b'"' => {
                    self.state = Quotes::Inside;
                    at += 1;
                }
                Quotes::Closing => self.state = Quotes::Outside,
            }
        }
        last
    }
}

/// A quote anywhere else is a character like any other.
fn begins_cell(bytes: &[u8], quote: usize) -> bool {
    match &bytes[..quote] {
        [.., before] => matches!(before, b',' | b'\n'),
        [] => true,
    }
}

/// One cell of a row, as places in the row.
#[derive(Clone, Copy, Debug)]
struct Cell {
    start: usize,
    end: usize,
    has_doubled_quotes: bool,
}

/// Splits rows into cells; keeps its buffer from row to row.
#[derive(Default)]
pub(super) struct RowSplitter {
    cells: Vec<Cell>,
}

/// One row, split; or the reason why it cannot be.
pub(super) struct Row<'a> {
    pub(super) line: u64,
    pub(super) cells: Result<Cells<'a>, Reason>,
}

/// The cells of a row.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    text: &'a str,
    cells: &'a [Cell],
}

impl RowSplitter {
    /// Hands on each row of `block`; empty lines are skipped. Ends early where `take` says so.
    pub(super) fn rows<B>(
        &mut self,
        block: &Block,
        mut take: impl FnMut(Row<'_>) -> std::ops::ControlFlow<B>,
    ) -> std::ops::ControlFlow<B> {
        let mut line = block.first_line;
        let mut rest = block.bytes.as_slice();
        while !rest.is_empty() {
            let (length, shape) = self.split(rest);
            let (row, after) = rest.split_at(length);
            if !matches!(row, b"\n" | b"\r\n" | b"\r") {
                let cells = shape.and_then(|()| {
                    let text = str::from_utf8(row).map_err(|_| Reason::NotCsv("not UTF-8 text"))?;
                    Ok(Cells {
                        text,
                        cells: &self.cells,
                    })
                });
                take(Row { line, cells })?;
            }
            line += memchr::memchr_iter(b'\n', row).count() as u64;
            rest = after;
        }
        std::ops::ControlFlow::Continue(())
    }

    /// The length of the first row with its line end, its cells left in `self.cells`.
    fn split(&mut self, bytes: &[u8]) -> (usize, Result<(), Reason>) {
        self.cells.clear();
        let mut shape = Ok(());
        let mut at = 0;
        loop {
            let found = if bytes.get(at) == Some(&b'"') {
                quoted(bytes, at)
            } else {
                Some(unquoted(bytes, at))
            };
            let Some((cell, after)) = found else {
                let reason = Reason::NotCsv("a quoted cell has no closing quote");
                return (bytes.len(), Err(reason));
            };
            self.cells.push(cell);
            let mut end = after;
            if !matches!(bytes.get(end), None | Some(b',' | b'\n')) && bytes[end..] != *b"\r" {
                if !bytes[end..].starts_with(b"\r\n") {
                    shape = Err(Reason::NotCsv("text after a closing quote"));
                }
                end = unquoted(bytes, end).1;
            }
            match bytes.get(end) {
                Some(b',') => at = end + 1,
                Some(b'\n') => return (end + 1, shape),
                _ => return (bytes.len(), shape),
            }
        }
    }
}

/// The cell that begins with the quote at `at`, and where it ends; `None` where it has no end.
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

/// The cell from `at` to the next comma or line end, and where that stands.
fn unquoted(bytes: &[u8], at: usize) -> (Cell, usize) {
    let length = memchr::memchr2(b',', b'\n', &bytes[at..]);
    let after = length.map_or(bytes.len(), |length| at + length);
    let ends_line = bytes.get(after) != Some(&b',');
    let has_return = ends_line && after > at && bytes[after - 1] == b'\r';
    let cell = Cell {
        start: at,
        end: after - usize::from(has_return),
        has_doubled_quotes: false,
    };
    (cell, after)
}

impl<'a> Cells<'a> {
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The text of a cell.
    pub(super) fn get(&self, column: usize) -> Cow<'a, str> {
        let cell = self.cells[column];
        let text = &self.text[cell.start..cell.end];
        if cell.has_doubled_quotes {
            Cow::Owned(text.replace("\"\"", "\""))
        } else {
            Cow::Borrowed(text)
        }
    }
}

/// Which column holds which field.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) names: Vec<String>,
    token_id: usize,
    holder_id: usize,
    start: Option<usize>,
    end: Option<usize>,
    weight: Option<usize>,
    event_id: Option<usize>,
    revision: Option<usize>,
    retract: Option<usize>,
}

impl Header {
    /// Takes the first row off the first block of a file.
    pub(super) fn take_from(file: &Arc<str>, block: &mut Block) -> Result<Self, InputError> {
        if block.bytes.starts_with(BOM) {
            block.bytes.drain(..BOM.len());
        }
        let mut splitter = RowSplitter::default();
        let (length, shape) = splitter.split(&block.bytes);
        let rest = block.bytes.split_off(length);
        let first = std::mem::replace(&mut block.bytes, rest);
        block.first_line += memchr::memchr_iter(b'\n', &first).count() as u64;
        let unreadable = |reason: Reason| InputError::Header {
            file: Arc::clone(file),
            reason: reason.to_string(),
        };
        shape.map_err(unreadable)?;
        let text =
            str::from_utf8(&first).map_err(|_| unreadable(Reason::NotCsv("not UTF-8 text")))?;
        let cells = Cells {
            text,
            cells: &splitter.cells,
        };
        Self::new(
            file,
            (0..cells.len())
                .map(|column| cells.get(column).into_owned())
                .collect(),
        )
    }

    fn new(file: &Arc<str>, names: Vec<String>) -> Result<Self, InputError> {
        let place = |name: &str| names.iter().rposition(|known| known == name);
        let missing = |column| InputError::MissingColumn {
            file: Arc::clone(file),
            column,
            columns: names.clone(),
        };
        let token_id = place("token_id").ok_or_else(|| missing("token_id"))?;
        let holder_id = place("holder_id").ok_or_else(|| missing("holder_id"))?;
        let (start, end, retract) = (place("start"), place("end"), place("retract"));
        if start.or(end).or(retract).is_none() {
            return Err(missing("start or end"));
        }
        Ok(Self {
            token_id,
            holder_id,
            start,
            end,
            weight: place("weight"),
            event_id: place("event_id"),
            revision: place("revision"),
            retract,
            names,
        })
    }

    /// The fields of a row, each by its own form, in the order in which they are judged.
    pub(super) fn event<'a>(&self, cells: Cells<'a>) -> Result<WrittenEvent<'a>, Reason> {
        if cells.len() != self.names.len() {
            return Err(Reason::Cells {
                found: cells.len(),
                expected: self.names.len(),
            });
        }
        let cell = |column: Option<usize>| {
            column
                .map(|column| cells.get(column))
                .filter(|text| !text.is_empty())
        };
        let instant = |field, column| {
            let text: Option<Cow<'_, str>> = cell(column);
            text.map(|text| time(field, Micros::parse(&text)))
                .transpose()
        };
        Ok(WrittenEvent {
            token_id: present(Field::TokenId, cells.get(self.token_id))?,
            holder_id: present(Field::HolderId, cells.get(self.holder_id))?,
            start: instant(Field::Start, self.start)?,
            end: instant(Field::End, self.end)?,
            weight: cell(self.weight)
                .map(|text| Wad::parse(&text).map_err(Refusal::from))
                .transpose()?,
            event_id: cell(self.event_id),
            revision: cell(self.revision).map_or(Ok(0), |text| revision(&text))?,
            retract: match cell(self.retract) {
                None => false,
                Some(word) if word.eq_ignore_ascii_case("false") => false,
                Some(word) if word.eq_ignore_ascii_case("true") => true,
                Some(_) => return Err(Refusal::Retract.into()),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Rows = Vec<(u64, Result<Vec<String>, Reason>)>;

    fn rows(block: &Block) -> Rows {
        let mut rows = Vec::new();
        let _: std::ops::ControlFlow<()> = RowSplitter::default().rows(block, |row| {
            let texts = row.cells.map(|cells| {
                let texts = (0..cells.len()).map(|cell| cells.get(cell).into_owned());
                texts.collect()
            });
            rows.push((row.line, texts));
            std::ops::ControlFlow::Continue(())
        });
        rows
    }

    fn whole(text: &str) -> Rows {
        rows(&Block {
            first_line: 1,
            bytes: text.into(),
        })
    }

    /// The same, read `step` bytes at a time and cut where the cutter says.
    fn in_steps(text: &str, step: usize) -> Rows {
        let (mut found, mut cutter) = (Vec::new(), RowCutter::default());
        let (mut bytes, mut line) = (Vec::new(), 1);
        let mut take = |bytes: Vec<u8>| {
            let block = Block {
                first_line: line,
                bytes,
            };
            line += memchr::memchr_iter(b'\n', &block.bytes).count() as u64;
            found.extend(rows(&block));
        };
        for piece in text.as_bytes().chunks(step) {
            let seen = bytes.len();
            bytes.extend_from_slice(piece);
            if let Some(end) = cutter.cut(&bytes, seen) {
                let rest = bytes.split_off(end);
                take(std::mem::replace(&mut bytes, rest));
            }
        }
        take(bytes);
        found
    }

    #[test]
    fn cells_are_read_as_rfc_4180_says() {
        let text = "a,\"b,\n\"\"c\"\"\",\r\n\n\"\",d\"e\n\"x\"y,z\nlast,\"q\"";
        let row = |line, cells: &[&str]| {
            (
                line,
                Ok(cells.iter().map(|cell| (*cell).to_owned()).collect()),
            )
        };
        assert_eq!(
            whole(text),
            [
                row(1, &["a", "b,\n\"c\"", ""]),
                row(4, &["", "d\"e"]),
                (5, Err(Reason::NotCsv("text after a closing quote"))),
                row(6, &["last", "q"]),
            ]
        );
        assert_eq!(
            whole("a\nb,\"c\nd\n")[1],
            (2, Err(Reason::NotCsv("a quoted cell has no closing quote")))
        );
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_cut_changes_no_row(
            text in proptest::collection::vec(prop_oneof![
                3 => Just('"'), 2 => Just(','), 2 => Just('\n'), 1 => Just('\r'), 3 => Just('a')
            ], 0..60),
            step in 1_usize..9,
        ) {
            let text: String = text.into_iter().collect();
            prop_assert_eq!(in_steps(&text, step), whole(&text));
        }

        #[test]
        fn what_a_csv_writer_writes_is_read_back(
            table in proptest::collection::vec(
                proptest::collection::vec("[a\",\n\r é]{0,5}", 3), 1..6
            ),
        ) {
            let mut writer = ::csv::Writer::from_writer(Vec::new());
            for row in &table {
                writer.write_record(row).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let read: Vec<_> = whole(&text).into_iter().map(|(_, cells)| cells.unwrap()).collect();
            prop_assert_eq!(read, table);
        }
    }
}
