//! The rows of one batch of columns as events.
//!
//! The type of each column is resolved once per batch; a row then costs a few loads and checks.

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};

use super::RefusalReason;
use super::column::plain;
use super::column_mapping::ColumnMapping;
use super::id_column::IdColumn;
use super::text_column::TextColumn;
use super::time_column::{RevisionColumn, TimeColumn};
use super::weight_column::WeightColumn;
use crate::core::event::INTEGER_MAX;
use crate::core::{Draft, Event, Field, Refusal};
use crate::excerpt::quoted;

/// One batch, its columns resolved.
pub(super) struct BatchRows {
    length: usize,
    pub(super) token_id: IdColumn,
    pub(super) holder_id: IdColumn,
    pub(super) start: Option<TimeColumn>,
    pub(super) end: Option<TimeColumn>,
    pub(super) weight: Option<WeightColumn>,
    event_id: Option<TextColumn>,
    revision: Option<RevisionColumn>,
    retract: Option<BooleanArray>,
}

/// The unchecked values of a row; `None` is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawValues {
    /// Empty if the column has bytes here that are not UTF-8.
    pub token_id: Option<String>,
    /// Empty if the column has bytes here that are not UTF-8.
    pub holder_id: Option<String>,
    /// Microseconds since 1970, in range or not; what does not fit is saturated.
    pub start_us: Option<i64>,
    /// Microseconds since 1970, in range or not; what does not fit is saturated.
    pub end_us: Option<i64>,
    /// Decimal text; for a binary number the shortest that reads back.
    pub weight: Option<String>,
    /// Empty if the column has bytes here that are not UTF-8.
    pub event_id: Option<String>,
    /// Negative if it is out of range.
    pub revision: Option<i64>,
    /// Unchecked, like all values here.
    pub retract: Option<bool>,
}

/// Buffers for the digits of integer ids, reused from row to row.
#[derive(Default)]
pub(super) struct RowBuffers {
    token_id: itoa::Buffer,
    holder_id: itoa::Buffer,
}

impl BatchRows {
    /// `batch` has the columns of the mapping's projection.
    pub(super) fn new(mapping: &ColumnMapping, batch: &RecordBatch) -> Self {
        Self {
            length: batch.num_rows(),
            token_id: IdColumn::new(batch.column(mapping.token_id)),
            holder_id: IdColumn::new(batch.column(mapping.holder_id)),
            start: mapping
                .start
                .map(|time| TimeColumn::new(batch.column(time.column), time.unit)),
            end: mapping
                .end
                .map(|time| TimeColumn::new(batch.column(time.column), time.unit)),
            weight: mapping
                .weight
                .map(|column| WeightColumn::new(batch.column(column))),
            event_id: mapping
                .event_id
                .map(|column| TextColumn::new(batch.column(column))),
            revision: mapping
                .revision
                .map(|column| RevisionColumn::new(batch.column(column))),
            retract: mapping
                .retract
                .map(|column| plain(batch.column(column)).as_boolean().clone()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Whether there is a column of event ids, revisions or retractions.
    pub(super) fn has_corrections(&self) -> bool {
        self.event_id.is_some() || self.revision.is_some() || self.retract.is_some()
    }

    /// The event in `row`, its fields checked in the order that the semantics define.
    #[inline]
    pub(super) fn event<'a>(
        &'a self,
        row: usize,
        scratch: &'a mut RowBuffers,
    ) -> Result<Event<'a>, Refusal> {
        let token_id = id(Field::TokenId, &self.token_id, row, &mut scratch.token_id)?;
        let holder_id = id(
            Field::HolderId,
            &self.holder_id,
            row,
            &mut scratch.holder_id,
        )?;
        let start = match &self.start {
            Some(times) => times
                .get(row)
                .map_err(|error| Refusal::Time(Field::Start, error))?,
            None => None,
        };
        let end = match &self.end {
            Some(times) => times
                .get(row)
                .map_err(|error| Refusal::Time(Field::End, error))?,
            None => None,
        };
        let weight = match &self.weight {
            Some(weights) => weights.get(row)?,
            None => None,
        };
        let event_id = match &self.event_id {
            Some(texts) => texts.get(row).map_err(|_| Refusal::EventId)?,
            None => None,
        };
        if event_id == Some("") {
            return Err(Refusal::EventId);
        }
        let revision = self
            .revision
            .as_ref()
            .and_then(|revisions| revisions.get(row));
        Draft {
            token_id,
            holder_id,
            start,
            end,
            weight,
            event_id,
            revision: revision.map_or(0, |revision| {
                u64::try_from(revision).unwrap_or(INTEGER_MAX + 1)
            }),
            retract: self.retract(row).unwrap_or(false),
            ..Draft::default()
        }
        .check()
    }

    /// A refusal of `row` with the value of its field.
    #[cold]
    pub(super) fn explained(&self, row: usize, refusal: Refusal) -> RefusalReason {
        let values = self.values(row);
        let time = |micros: i64| format!("{micros} microseconds since 1970");
        let found = match refusal.field() {
            "start" => values.start_us.map(time),
            "end" => values.end_us.map(time),
            "weight" => values.weight.map(|weight| match &self.weight {
                Some(weights) if weights.is_text() => quoted(&weight),
                _ => weight,
            }),
            "revision" => values.revision.map(|revision| revision.to_string()),
            _ => None,
        };
        RefusalReason::with_found(refusal, found)
    }

    /// The values in `row`, unchecked.
    pub(super) fn values(&self, row: usize) -> RawValues {
        let id = |ids: &IdColumn| match ids.get(row, &mut itoa::Buffer::new()) {
            Ok(text) => text.map(Into::into),
            Err(_) => Some(String::new()),
        };
        let micros = |times: &Option<TimeColumn>| {
            let times = times.as_ref().filter(|times| !times.is_absent(row))?;
            Some(times.micros(row))
        };
        let event_id = self.event_id.as_ref();
        RawValues {
            token_id: id(&self.token_id),
            holder_id: id(&self.holder_id),
            start_us: micros(&self.start),
            end_us: micros(&self.end),
            weight: self.weight.as_ref().and_then(|weights| weights.text(row)),
            event_id: event_id.and_then(|texts| texts.get(row).unwrap_or(Some("")).map(Into::into)),
            revision: self
                .revision
                .as_ref()
                .and_then(|revisions| revisions.get(row)),
            retract: self.retract(row),
        }
    }

    #[inline]
    fn retract(&self, row: usize) -> Option<bool> {
        let flags = self.retract.as_ref()?;
        flags.is_valid(row).then(|| flags.value(row))
    }
}

#[inline]
fn id<'a>(
    field: Field,
    ids: &'a IdColumn,
    row: usize,
    digits: &'a mut itoa::Buffer,
) -> Result<&'a str, Refusal> {
    match ids.get(row, digits) {
        Ok(Some("") | None) => Err(Refusal::MissingId(field)),
        Ok(Some(text)) => Ok(text),
        Err(_) => Err(Refusal::IdNotText(field)),
    }
}
