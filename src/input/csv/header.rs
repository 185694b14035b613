//! The header line of a CSV file, and the fields of an event by its columns.

use std::borrow::Cow;
use std::sync::Arc;

use super::row::{Cells, RowSplitter};
use crate::core::{Field, Micros, Refusal, Wad};
use crate::excerpt::quoted;
use crate::input::blocks::Block;
use crate::input::format::BOM;
use crate::input::parsed::{ParsedEvent, present, revision, time};
use crate::input::{InputError, RefusalReason};

/// The column of each field.
#[derive(Debug)]
pub(in crate::input) struct CsvHeader {
    pub(in crate::input) names: Vec<String>,
    token_id: usize,
    holder_id: usize,
    start: Option<usize>,
    end: Option<usize>,
    weight: Option<usize>,
    event_id: Option<usize>,
    revision: Option<usize>,
    retract: Option<usize>,
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
        let holder_id = column("holder_id").ok_or_else(|| missing("holder_id"))?;
        let (start, end, retract) = (column("start"), column("end"), column("retract"));
        if start.or(end).or(retract).is_none() {
            return Err(missing("start or end"));
        }
        Ok(Self {
            token_id,
            holder_id,
            start,
            end,
            weight: column("weight"),
            event_id: column("event_id"),
            revision: column("revision"),
            retract,
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
            let column = self.names.iter().rposition(|name| name == refusal.field());
            let cell = column.map(|column| quoted(&cells.get(column)));
            RefusalReason::with_found(refusal, cell)
        })
    }

    /// Parses each field, in the order in which they are checked.
    fn fields<'a>(&self, cells: Cells<'a>) -> Result<ParsedEvent<'a>, Refusal> {
        let cell = |column: Option<usize>| {
            column
                .map(|column| cells.get(column))
                .filter(|text| !text.is_empty())
        };
        let instant = |field, column| {
            let text: Option<Cow<'_, str>> = cell(column);
            text.map(|text| time(field, Micros::parse_cell(&text)))
                .transpose()
        };
        Ok(ParsedEvent {
            token_id: present(Field::TokenId, cells.get(self.token_id))?,
            holder_id: present(Field::HolderId, cells.get(self.holder_id))?,
            start: instant(Field::Start, self.start)?,
            end: instant(Field::End, self.end)?,
            weight: cell(self.weight)
                .map(|text| Wad::parse(&text))
                .transpose()?,
            event_id: cell(self.event_id),
            revision: cell(self.revision).map_or(Ok(0), |text| revision(&text))?,
            retract: match cell(self.retract) {
                None => false,
                Some(word) if word.eq_ignore_ascii_case("false") => false,
                Some(word) if word.eq_ignore_ascii_case("true") => true,
                Some(_) => return Err(Refusal::Retract),
            },
        })
    }
}
