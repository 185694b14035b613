//! Rows of CSV into the fields of an event: RFC 4180 with a choice of delimiters, quotes doubled inside quotes.
//!
//! [`RowEnds`] and [`RowSplitter`] must agree on quotes, because a line break inside quotes does not
//! end a row; the tests here compare them. An empty cell is an absent field.

mod header;
mod row;
mod row_ends;

pub(super) use header::{CsvHeader, take_header};
pub(super) use row::{Cells, RowSplitter};
pub(super) use row_ends::RowEnds;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::input::blocks::{Block, RecordEnds};
    use crate::input::{Delimiter, RefusalReason};

    type Rows = Vec<(u64, Result<Vec<String>, RefusalReason>)>;

    fn rows(block: &Block) -> Rows {
        let mut rows = Vec::new();
        let _: std::ops::ControlFlow<()> =
            RowSplitter::default().rows(block, Delimiter::Comma, |row| {
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

    /// The same, read `step` bytes at a time and cut at the ends of rows.
    fn in_steps(text: &str, step: usize) -> Rows {
        let (mut found, mut ends) = (Vec::new(), RowEnds::new(Delimiter::Comma));
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
            if let Some(end) = ends.last_end(&mut bytes, seen) {
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
                (5, Err(RefusalReason::NotCsv("text after a closing quote"))),
                row(6, &["last", "q"]),
            ]
        );
        assert_eq!(
            whole("a\nb,\"c\nd\n")[1],
            (
                2,
                Err(RefusalReason::NotCsv("a quoted cell has no closing quote"))
            )
        );
    }

    proptest! {
        #[test]
        fn the_cuts_change_no_row(
            text in proptest::collection::vec(prop_oneof![
                3 => Just('"'), 2 => Just(','), 2 => Just('\n'), 1 => Just('\r'), 3 => Just('a')
            ], 0..60),
            step in 1_usize..9,
        ) {
            let text: String = text.into_iter().collect();
            prop_assert_eq!(in_steps(&text, step), whole(&text));
        }

        #[test]
        fn the_output_of_a_csv_writer_is_read_back(
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
