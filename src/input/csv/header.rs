//! The header line of a CSV file, and the fields of an event by its columns.

use std::borrow::Cow;
use std::sync::Arc;

use super::row::{Cells, RowSplitter};
use crate::core::{Delta, Field, Micros, Refusal, Wad, WeightError};
use crate::excerpt::quoted;
use crate::input::blocks::Block;
use crate::input::error::{HOLDER_COLUMNS, TIME_COLUMNS};
use crate::input::format::BOM;
use crate::input::parsed::{ParsedChange, ParsedEvent, check_given, decimal, integer, time};
use crate::input::{InputError, RefusalReason};

/// The column of each field.
#[derive(Debug)]
pub(in crate::input) struct CsvHeader {
    pub(in crate::input) names: Vec<String>,
    token_id: usize,
    holder_id: Option<usize>,
    start: Option<usize>,
    end: Option<usize>,
    weight: Option<usize>,
    event_id: Option<usize>,
    revision: Option<usize>,
    retract: Option<usize>,
    at: Option<usize>,
    delta: Option<usize>,
    seq: Option<usize>,
    from_id: Option<usize>,
    to_id: Option<usize>,
    amount: Option<usize>,
    /// Whether there is a column that makes a row a change.
    has_changes: bool,
    /// Whether there is a column that makes a row a transfer.
    has_transfers: bool,
}

impl CsvHeader {
    /// Removes the first row from the first block of a file and reads it.
    pub(in crate::input) fn take_from(
        file: &Arc<str>,
        block: &mut Block,
    ) -> Result<Self, InputError> {
        if block.bytes.starts_with(BOM) {
            block.bytes.drain(..BOM.len());
        }
        let mut splitter = RowSplitter::default();
        let (length, cells) = splitter.first_row(&block.bytes);
        let cells = cells.map_err(|reason| InputError::Header {
            file: Arc::clone(file),
            reason: reason.to_string(),
        })?;
        let names = (0..cells.len()).map(|column| cells.get(column).into_owned());
        let header = Self::new(file, names.collect())?;
        let rest = block.bytes.split_off(length);
        block.first_line += memchr::memchr_iter(b'\n', &block.bytes).count() as u64;
        block.bytes = rest;
        Ok(header)
    }

    fn new(file: &Arc<str>, names: Vec<String>) -> Result<Self, InputError> {
        let column = |name: &str| names.iter().rposition(|known| known == name);
        let missing = |column| InputError::MissingColumn {
            file: Arc::clone(file),
            column,
            columns: names.clone(),
        };
        let token_id = column("token_id").ok_or_else(|| missing("token_id"))?;
        let [holder_id, from_id, to_id] = ["holder_id", "from_id", "to_id"].map(column);
        if holder_id.or(from_id).or(to_id).is_none() {
            return Err(missing(HOLDER_COLUMNS));
        }
        let [start, end, at, retract] = ["start", "end", "at", "retract"].map(column);
        if start.or(end).or(at).or(retract).is_none() {
            return Err(missing(TIME_COLUMNS));
        }
        let [delta, amount] = ["delta", "amount"].map(column);
        Ok(Self {
            token_id,
            holder_id,
            start,
            end,
            weight: column("weight"),
            event_id: column("event_id"),
            revision: column("revision"),
            retract,
            at,
            delta,
            seq: column("seq"),
            from_id,
            to_id,
            amount,
            has_changes: at.or(delta).is_some(),
            has_transfers: from_id.or(to_id).or(amount).is_some(),
            names,
        })
    }

    /// The fields of a row; a refusal quotes the cell that it is about.
    pub(in crate::input) fn event<'a>(
        &self,
        cells: Cells<'a>,
    ) -> Result<ParsedEvent<'a>, RefusalReason> {
        if cells.len() != self.names.len() {
            return Err(RefusalReason::Cells {
                found: cells.len(),
                expected: self.names.len(),
            });
        }
        self.fields(cells).map_err(|refusal| {
            let cell = self
                .column(refusal.field())
                .map(|column| quoted(&cells.get(column)));
            RefusalReason::with_found(refusal, cell)
        })
    }

    /// Parses each field, in the order in which they are checked.
    fn fields<'a>(&self, cells: Cells<'a>) -> Result<ParsedEvent<'a>, Refusal> {
        if self.has_transfers && self.is_transfer(cells) {
            return self.transfer(cells);
        }
        Ok(ParsedEvent {
            token_id: id(Field::TokenId, cells, Some(self.token_id))?,
            holder_id: id(Field::HolderId, cells, self.holder_id)?,
            start: instant(Field::Start, cells, self.start)?,
            end: instant(Field::End, cells, self.end)?,
            weight: number(Field::Weight, cells, self.weight, Wad::parse)?,
            event_id: cell(cells, self.event_id),
            revision: self.revision(cells)?,
            retract: self.retract(cells)?,
            change: if self.has_changes {
                self.change(cells)?
            } else {
                None
            },
            seq: self.seq(cells)?,
        })
    }

    #[inline(never)]
    fn change<'a>(&self, cells: Cells<'a>) -> Result<Option<Box<ParsedChange<'a>>>, Refusal> {
        let at = instant(Field::At, cells, self.at)?;
        let delta = number(Field::Delta, cells, self.delta, Delta::parse)?;
        let change = || ParsedChange {
            at,
            delta,
            ..ParsedChange::default()
        };
        Ok((at.is_some() || delta.is_some()).then(|| Box::new(change())))
    }

    fn is_transfer(&self, cells: Cells<'_>) -> bool {
        let columns = [self.from_id, self.to_id, self.amount];
        columns
            .into_iter()
            .any(|column| cell(cells, column).is_some())
    }

    #[inline(never)]
    fn transfer<'a>(&self, cells: Cells<'a>) -> Result<ParsedEvent<'a>, Refusal> {
        check_given(|field| cell(cells, self.column(field.name())).is_some())?;
        Ok(ParsedEvent {
            token_id: id(Field::TokenId, cells, Some(self.token_id))?,
            event_id: cell(cells, self.event_id),
            revision: self.revision(cells)?,
            retract: self.retract(cells)?,
            change: Some(Box::new(ParsedChange {
                from_id: cell(cells, self.from_id),
                to_id: cell(cells, self.to_id),
                at: instant(Field::At, cells, self.at)?,
                amount: number(Field::Amount, cells, self.amount, Wad::parse)?,
                ..ParsedChange::default()
            })),
            seq: self.seq(cells)?,
            ..ParsedEvent::default()
        })
    }

    fn revision(&self, cells: Cells<'_>) -> Result<u64, Refusal> {
        let text = cell(cells, self.revision);
        text.map_or(Some(0), |text| integer(&text))
            .ok_or(Refusal::Revision)
    }

    fn seq(&self, cells: Cells<'_>) -> Result<u64, Refusal> {
        let text = cell(cells, self.seq);
        text.map_or(Some(0), |text| integer(&text))
            .ok_or(Refusal::Seq)
    }

    fn retract(&self, cells: Cells<'_>) -> Result<bool, Refusal> {
        match cell(cells, self.retract) {
            None => Ok(false),
            Some(word) if word.eq_ignore_ascii_case("false") => Ok(false),
            Some(word) if word.eq_ignore_ascii_case("true") => Ok(true),
            Some(_) => Err(Refusal::Retract),
        }
    }

    /// The column of this name; of several the last.
    fn column(&self, name: &str) -> Option<usize> {
        self.names.iter().rposition(|known| known == name)
    }
}

/// The text of a cell; `None` if it is empty or there is no such column.
#[inline]
fn cell(cells: Cells<'_>, column: Option<usize>) -> Option<Cow<'_, str>> {
    column
        .map(|column| cells.get(column))
        .filter(|text| !text.is_empty())
}

#[inline]
fn id(field: Field, cells: Cells<'_>, column: Option<usize>) -> Result<Cow<'_, str>, Refusal> {
    cell(cells, column).ok_or(Refusal::MissingId(field))
}

#[inline]
fn instant(
    field: Field,
    cells: Cells<'_>,
    column: Option<usize>,
) -> Result<Option<Micros>, Refusal> {
    let text = cell(cells, column);
    text.map(|text| time(field, Micros::parse_cell(&text)))
        .transpose()
}

/// A weight, delta or amount.
#[inline]
fn number<T>(
    field: Field,
    cells: Cells<'_>,
    column: Option<usize>,
    parse: fn(&str) -> Result<T, WeightError>,
) -> Result<Option<T>, Refusal> {
    let text = cell(cells, column);
    text.map(|text| decimal(field, parse(&text))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &str) -> Result<CsvHeader, String> {
        let names = names.split(',').map(str::to_owned).collect();
        CsvHeader::new(&"f".into(), names).map_err(|error| error.to_string())
    }

    /// The events of a row under `names` as text, or why it is refused.
    fn row(names: &str, cells: &str) -> String {
        let mut splitter = RowSplitter::default();
        let (_, cells) = splitter.first_row(cells.as_bytes());
        let parsed = header(names).unwrap().event(cells.unwrap());
        let events = parsed.and_then(|parsed| {
            let events = parsed.draft().events()?;
            let texts = events.iter().map(|event| {
                format!(
                    "{} {:?}",
                    event.holder_id,
                    event.claim.instant().map(Micros::get)
                )
            });
            Ok(texts.collect::<Vec<_>>().join(", "))
        });
        events.unwrap_or_else(|reason| reason.to_string())
    }

    #[test]
    fn a_file_needs_a_holder_or_a_party_and_a_time() {
        for names in [
            "token_id,from_id,at,amount,event_id",
            "to_id,token_id,end",
            "token_id,holder_id,retract",
            "token_id,holder_id,at",
        ] {
            assert!(header(names).is_ok(), "{names}");
        }
        assert_eq!(
            header("token_id,at,amount").unwrap_err(),
            "f: no column holder_id, from_id or to_id; the columns are token_id, at, amount"
        );
        assert_eq!(
            header("token_id,to_id,delta").unwrap_err(),
            "f: no column start, end or at; the columns are token_id, to_id, delta"
        );
    }

    #[test]
    fn holds_changes_and_transfers_share_a_file() {
        const NAMES: &str = "token_id,holder_id,start,at,delta,seq,from_id,to_id,amount,event_id";
        for (cells, expected) in [
            ("T,h,1,,,3,,,,", "h Some(1000)"),
            ("T,h,,2,-1.5,,,,,e", "h Some(2000)"),
            ("T,,,2,,,a,b,7,e", "a Some(2000), b Some(2000)"),
            ("T,,,2,,,,b,7,e", "b Some(2000)"),
            (
                "T,h,,2,,,,b,7,e",
                "holder_id: given for a transfer (a transfer has from_id, to_id, at and amount instead)",
            ),
            (
                "T,,,x,,,,b,7,e",
                "at: not a time (write 2025-07-21T00:00:00Z, or milliseconds since 1970); found \"x\"",
            ),
            (
                "T,,,2,,,,b,-7,e",
                "amount: negative (write 0 or more); found \"-7\"",
            ),
            (
                "T,h,,2,1e-19,,,,,e",
                "delta: under 1e-18 (the smallest step); found \"1e-19\"",
            ),
            (
                "T,h,,2,1,1.0,,,,e",
                "seq: not an integer from 0 to 2^63-1; found \"1.0\"",
            ),
            (
                "T,,,2,,,,,7,e",
                "from_id, to_id: no holder in either (a transfer has a sender, a receiver, or both)",
            ),
            ("T,,,2,1,,,,,e", "holder_id: missing or empty"),
        ] {
            assert_eq!(row(NAMES, cells), expected, "{cells}");
        }
    }
}
