//! The rows of one batch of columns as events.
//!
//! What a column holds is resolved when the batch comes; a row then costs a few loads and checks.

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};

use super::column::plain;
use super::ids::{Digits, Ids, TextColumn};
use super::layout::Layout;
use super::raw::RawValues;
use super::times::{Revisions, Times};
use super::weights::Weights;
use crate::core::event::REVISION_MAX;
use crate::core::{Draft, Event, Field, Refusal};

/// One batch, its columns resolved.
pub(super) struct Rows {
    length: usize,
    pub(super) token_id: Ids,
    pub(super) holder_id: Ids,
    pub(super) start: Option<Times>,
    pub(super) end: Option<Times>,
    pub(super) weight: Option<Weights>,
    event_id: Option<TextColumn>,
    revision: Option<Revisions>,
    retract: Option<BooleanArray>,
}

/// Room for what a row's ids need; used again by the next row.
#[derive(Default)]
pub(super) struct Scratch {
    token_id: Digits,
    holder_id: Digits,
}

impl Rows {
    /// `batch` holds the columns of the layout's projection.
    pub(super) fn new(layout: &Layout, batch: &RecordBatch) -> Self {
        Self {
            length: batch.num_rows(),
            token_id: Ids::new(batch.column(layout.token_id)),
            holder_id: Ids::new(batch.column(layout.holder_id)),
            start: layout
                .start
                .map(|time| Times::new(batch.column(time.column), time.unit)),
            end: layout
                .end
                .map(|time| Times::new(batch.column(time.column), time.unit)),
            weight: layout.weight.map(|place| Weights::new(batch.column(place))),
            event_id: layout
                .event_id
                .map(|place| TextColumn::new(batch.column(place))),
            revision: layout
                .revision
                .map(|place| Revisions::new(batch.column(place))),
            retract: layout
                .retract
                .map(|place| plain(batch.column(place)).as_boolean().clone()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Whether there is a column that names, corrects or withdraws.
    pub(super) fn has_corrections(&self) -> bool {
        self.event_id.is_some() || self.revision.is_some() || self.retract.is_some()
    }

    /// The event in `row`, its fields judged in the order of the semantics.
    #[inline]
    pub(super) fn event<'a>(
        &'a self,
        row: usize,
        scratch: &'a mut Scratch,
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
                u64::try_from(revision).unwrap_or(REVISION_MAX + 1)
            }),
            retract: self.retract(row).unwrap_or(false),
        }
        .check()
    }

    /// What stands in `row`, not judged.
    pub(super) fn values(&self, row: usize) -> RawValues {
        let id = |ids: &Ids| match ids.get(row, &mut Digits::default()) {
            Ok(text) => text.map(Into::into),
            Err(_) => Some(String::new()),
        };
        let micros = |times: &Option<Times>| {
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
    ids: &'a Ids,
    row: usize,
    digits: &'a mut Digits,
) -> Result<&'a str, Refusal> {
    match ids.get(row, digits) {
        Ok(Some("") | None) => Err(Refusal::MissingId(field)),
        Ok(Some(text)) => Ok(text),
        Err(_) => Err(Refusal::IdNotText(field)),
    }
}
