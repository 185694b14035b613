//! The header line of a CSV file, and the fields of an event by its columns.

use std::borrow::Cow;
use std::sync::Arc;

use super::row::{Cells, RowSplitter};
use crate::core::draft::check_transfer;
use crate::core::{Field, Micros, Refusal, WeightError};
use crate::excerpt::quoted;
use crate::input::blocks::Block;
use crate::input::error::{HOLDER_COLUMNS, TIME_COLUMNS, TOKEN_COLUMN};
use crate::input::options::{FIELDS, ValueOptions};
use crate::input::parsed::{ParsedChange, ParsedEvent, decimal, integer, time};
use crate::input::{Delimiter, InputError, InputOptions, RefusalReason, unknown_columns};

/// The column of each field.
///
/// A column beyond those of the file is a text that all rows have.
#[derive(Debug)]
pub(in crate::input) struct CsvHeader {
    pub(in crate::input) names: Vec<String>,
    pub(in crate::input) delimiter: Delimiter,
    constants: Vec<String>,
    ignored: Vec<String>,
    options: Arc<InputOptions>,
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

/// The cells of a row, and its token, of which its weight, delta and amount are.
#[derive(Clone, Copy)]
struct Numbers<'a, 't> {
    cells: Cells<'a>,
    token: &'t str,
}

impl CsvHeader {
    /// # Errors
    /// If a required column is absent, or a column is there twice.
    pub(in crate::input) fn new(
        file: &Arc<str>,
        names: Vec<String>,
        delimiter: Delimiter,
        options: &Arc<InputOptions>,
    ) -> Result<Self, InputError> {
        let missing = |(column, cure): (&str, &'static str)| InputError::MissingColumn {
            file: Arc::clone(file),
            column: column.to_owned(),
            columns: names.clone(),
            cure,
        };
        let mut found = [None; FIELDS.len()];
        let mut constants = Vec::new();
        for (found, field) in found.iter_mut().zip(FIELDS) {
            *found = if let Some(name) = options.columns.column(field) {
                let mut columns = (0..names.len()).filter(|column| names[*column] == name);
                let column = columns.next();
                if column.is_none() && options.columns.get(field).is_some() {
                    return Err(missing((name, "")));
                }
                if columns.next().is_some() {
                    return Err(InputError::TwoColumns {
                        file: Arc::clone(file),
                        first: name.to_owned(),
                        second: name.to_owned(),
                    });
                }
                column
            } else {
                options.columns.constant(field).map(|text| {
                    constants.push(text.to_owned());
                    names.len() + constants.len() - 1
                })
            };
        }
        let sources = &options.columns;
        let has = |field: &str| {
            let column = sources.column(field);
            sources.constant(field).is_some()
                || column.is_some_and(|column| names.iter().any(|name| name == column))
        };
        let is_read = |index: usize| {
            let name = Some(names[index].as_str());
            FIELDS.iter().any(|field| sources.column(field) == name)
        };
        let ignored =
            unknown_columns::ignored(names.iter().map(String::as_str), is_read, has, sources)
                .map_err(|near| InputError::NearMiss {
                    file: Arc::clone(file),
                    near,
                })?;
        let ignored = ignored.into_iter().map(str::to_owned).collect();
        let column = |field: &str| {
            let index = FIELDS.iter().position(|known| *known == field)?;
            found[index]
        };
        let token_id = column("token_id").ok_or_else(|| missing(TOKEN_COLUMN))?;
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
            delimiter,
            constants,
            ignored,
            options: Arc::clone(options),
        })
    }

    /// The columns that no field is read from.
    pub(in crate::input) fn ignored(&self) -> impl Iterator<Item = &str> {
        self.ignored.iter().map(String::as_str)
    }

    /// The fields of a row; a refusal quotes the cell that it is about.
    pub(in crate::input) fn event<'a>(
        &'a self,
        cells: Cells<'a>,
    ) -> Result<ParsedEvent<'a>, RefusalReason> {
        if cells.len() != self.names.len() {
            return Err(RefusalReason::Cells {
                found: cells.len(),
                expected: self.names.len(),
            });
        }
        self.fields(cells)
            .map_err(|refusal| self.explained(cells, refusal))
    }

    /// A refusal with the cell that it is about.
    #[cold]
    pub(in crate::input) fn explained(&self, cells: Cells<'_>, refusal: Refusal) -> RefusalReason {
        let column = self.column(refusal.field());
        let cell = column.map(|column| quoted(&self.text(cells, column)));
        RefusalReason::with_found(refusal, cell)
    }

    /// Parses each field, in the order in which they are checked.
    fn fields<'a>(&'a self, cells: Cells<'a>) -> Result<ParsedEvent<'a>, Refusal> {
        if self.has_transfers && self.is_transfer(cells) {
            return self.transfer(cells);
        }
        let token_id = self.id(Field::TokenId, cells, Some(self.token_id))?;
        let numbers = Numbers {
            cells,
            token: &token_id,
        };
        Ok(ParsedEvent {
            holder_id: self.id(Field::HolderId, cells, self.holder_id)?,
            start: self.instant(Field::Start, cells, self.start)?,
            end: self.instant(Field::End, cells, self.end)?,
            weight: self.number(Field::Weight, numbers, self.weight, ValueOptions::wad)?,
            event_id: self.cell(cells, self.event_id),
            revision: self.revision(cells)?,
            retract: self.retract(cells)?,
            change: if self.has_changes {
                self.change(numbers)?
            } else {
                None
            },
            seq: self.seq(cells)?,
            token_id,
        })
    }

    #[inline(never)]
    fn change<'a>(
        &'a self,
        numbers: Numbers<'a, '_>,
    ) -> Result<Option<Box<ParsedChange<'a>>>, Refusal> {
        let at = self.instant(Field::At, numbers.cells, self.at)?;
        let delta = self.number(Field::Delta, numbers, self.delta, ValueOptions::delta)?;
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
            .any(|column| self.cell(cells, column).is_some())
    }

    #[inline(never)]
    fn transfer<'a>(&'a self, cells: Cells<'a>) -> Result<ParsedEvent<'a>, Refusal> {
        check_transfer(|field| self.cell(cells, self.column(field.name())).is_some())?;
        let token_id = self.id(Field::TokenId, cells, Some(self.token_id))?;
        let numbers = Numbers {
            cells,
            token: &token_id,
        };
        Ok(ParsedEvent {
            event_id: self.cell(cells, self.event_id),
            revision: self.revision(cells)?,
            retract: self.retract(cells)?,
            change: Some(Box::new(ParsedChange {
                from_id: self.party(cells, self.from_id),
                to_id: self.party(cells, self.to_id),
                at: self.instant(Field::At, cells, self.at)?,
                amount: self.number(Field::Amount, numbers, self.amount, ValueOptions::wad)?,
                ..ParsedChange::default()
            })),
            seq: self.seq(cells)?,
            token_id,
            ..ParsedEvent::default()
        })
    }

    fn revision(&self, cells: Cells<'_>) -> Result<u64, Refusal> {
        let text = self.cell(cells, self.revision);
        text.map_or(Some(0), |text| integer(&text))
            .ok_or(Refusal::Revision)
    }

    fn seq(&self, cells: Cells<'_>) -> Result<u64, Refusal> {
        let text = self.cell(cells, self.seq);
        text.map_or(Some(0), |text| integer(&text))
            .ok_or(Refusal::Seq)
    }

    fn retract(&self, cells: Cells<'_>) -> Result<bool, Refusal> {
        match self.cell(cells, self.retract) {
            None => Ok(false),
            Some(word) if word.eq_ignore_ascii_case("false") => Ok(false),
            Some(word) if word.eq_ignore_ascii_case("true") => Ok(true),
            Some(_) => Err(Refusal::Retract),
        }
    }

    /// The column of a field.
    fn column(&self, field: &str) -> Option<usize> {
        Some(match field {
            "token_id" => self.token_id,
            "holder_id" => self.holder_id?,
            "start" => self.start?,
            "end" => self.end?,
            "weight" => self.weight?,
            "event_id" => self.event_id?,
            "revision" => self.revision?,
            "retract" => self.retract?,
            "at" => self.at?,
            "delta" => self.delta?,
            "seq" => self.seq?,
            "from_id" => self.from_id?,
            "to_id" => self.to_id?,
            "amount" => self.amount?,
            _ => return None,
        })
    }

    #[inline]
    fn text<'a>(&'a self, cells: Cells<'a>, column: usize) -> Cow<'a, str> {
        match column.checked_sub(self.names.len()) {
            None => cells.get(column),
            Some(constant) => Cow::Borrowed(&self.constants[constant]),
        }
    }

    /// The text of a cell; `None` if it is empty, or a word for that, or there is no such column.
    #[inline]
    fn cell<'a>(&'a self, cells: Cells<'a>, column: Option<usize>) -> Option<Cow<'a, str>> {
        column
            .map(|column| self.text(cells, column))
            .filter(|text| !text.is_empty() && !self.options.values.is_null(text))
    }

    /// The party of a transfer, which may be absent.
    #[inline]
    fn party<'a>(&'a self, cells: Cells<'a>, column: Option<usize>) -> Option<Cow<'a, str>> {
        let text = self.cell(cells, column);
        text.map(|text| self.options.values.id(text))
    }

    #[inline]
    fn id<'a>(
        &'a self,
        field: Field,
        cells: Cells<'a>,
        column: Option<usize>,
    ) -> Result<Cow<'a, str>, Refusal> {
        self.party(cells, column).ok_or(Refusal::MissingId(field))
    }

    #[inline]
    fn instant(
        &self,
        field: Field,
        cells: Cells<'_>,
        column: Option<usize>,
    ) -> Result<Option<Micros>, Refusal> {
        let text = self.cell(cells, column);
        text.map(|text| time(field, self.options.values.time(&text)))
            .transpose()
    }

    /// A weight, delta or amount.
    #[inline]
    fn number<T>(
        &self,
        field: Field,
        numbers: Numbers<'_, '_>,
        column: Option<usize>,
        parse: fn(&ValueOptions, &str, &str) -> Result<T, WeightError>,
    ) -> Result<Option<T>, Refusal> {
        let text = self.cell(numbers.cells, column);
        text.map(|text| decimal(field, parse(&self.options.values, &text, numbers.token)))
            .transpose()
    }
}

/// Removes the first row from the first block of a file: the names of its columns.
pub(in crate::input) fn take_header(
    file: &Arc<str>,
    block: &mut Block,
    delimiter: Delimiter,
) -> Result<Vec<String>, InputError> {
    while let Some(blank) = block.bytes.iter().position(|byte| *byte == b'\n')
        && block.bytes[..blank].iter().all(|byte| *byte == b'\r')
    {
        block.bytes.drain(..=blank);
        block.first_line += 1;
    }
    if block.bytes.is_empty() {
        return Err(InputError::NoHeader {
            file: Arc::clone(file),
        });
    }
    let mut splitter = RowSplitter::default();
    let (length, cells) = splitter.first_row(&block.bytes, delimiter);
    let unusable = |reason: String| InputError::Header {
        file: Arc::clone(file),
        reason,
    };
    let cells = cells.map_err(|reason| unusable(reason.to_string()))?;
    let names = (0..cells.len()).map(|column| cells.get(column).into_owned());
    let names: Vec<_> = names.collect();
    if names.first().is_some_and(|name| name.starts_with("sep=")) {
        return Err(unusable(
            "a line for Excel that names the delimiter; remove it".to_owned(),
        ));
    }
    let rest = block.bytes.split_off(length);
    block.first_line += memchr::memchr_iter(b'\n', &block.bytes).count() as u64;
    block.bytes = rest;
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &str) -> Result<CsvHeader, String> {
        let names = names.split(',').map(str::to_owned).collect();
        CsvHeader::new(&"f".into(), names, Delimiter::Comma, &Arc::default())
            .map_err(|error| error.to_string())
    }

    /// The events of a row under `names` as text, or why it is refused.
    fn row(names: &str, cells: &str) -> String {
        let mut splitter = RowSplitter::default();
        let (_, cells) = splitter.first_row(cells.as_bytes(), Delimiter::Comma);
        let header = header(names).unwrap();
        let parsed = header.event(cells.unwrap());
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
            "f: no column holder_id, from_id or to_id; the columns are token_id, at, amount; name yours: --columns holder_id=COLUMN"
        );
        assert_eq!(
            header("token_id,to_id,delta").unwrap_err(),
            "f: no column start, end or at; the columns are token_id, to_id, delta; name yours: --columns start=COLUMN"
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
