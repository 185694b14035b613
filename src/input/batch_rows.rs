//! The rows of one batch of columns as the fields of events.
//!
//! The type of each column is resolved once per batch; a row then costs a few loads and checks.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::DataType;

use super::column::plain;
use super::column_mapping::{ColumnMapping, MappedTime};
use super::decimal_column::{Decimal, DecimalColumn};
use super::hex::ids_as_text;
use super::id_column::IdColumn;
use super::parsed::{decimal, time};
use super::text_column::{NotText, TextColumn, repeated, without_null_words};
use super::time_column::{IntegerColumn, TimeColumn};
use super::written::Written;
use super::{RefusalReason, ValueOptions};
use crate::core::draft::{INTEGER_MAX, check_transfer};
use crate::core::{Draft, Field, Micros, Refusal, TimeForm, TimeUnit, WeightError};

/// One batch, its columns resolved.
pub(super) struct BatchRows {
    length: usize,
    pub(super) token_id: IdColumn,
    pub(super) holder_id: Option<IdColumn>,
    pub(super) start: Option<TimeColumn>,
    pub(super) end: Option<TimeColumn>,
    pub(super) weight: Option<DecimalColumn>,
    pub(super) event_id: Option<TextColumn>,
    revision: Option<IntegerColumn>,
    retract: Option<BooleanArray>,
    pub(super) at: Option<TimeColumn>,
    delta: Option<DecimalColumn>,
    seq: Option<IntegerColumn>,
    pub(super) from_id: Option<IdColumn>,
    pub(super) to_id: Option<IdColumn>,
    pub(super) amount: Option<DecimalColumn>,
}

/// The unchecked values of a row; `None` is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawValues {
    /// An error if the column has bytes here that are not UTF-8.
    pub token_id: Option<Result<String, NotText>>,
    /// As `token_id`.
    pub holder_id: Option<Result<String, NotText>>,
    /// As it is written.
    pub start: Option<Written>,
    /// As it is written.
    pub end: Option<Written>,
    /// As it is written.
    pub weight: Option<Written>,
    /// Empty if the column has bytes here that are not UTF-8.
    pub event_id: Option<String>,
    /// Negative if it is out of range.
    pub revision: Option<i64>,
    /// Unchecked, like all values here.
    pub retract: Option<bool>,
    /// As it is written.
    pub at: Option<Written>,
    /// As it is written.
    pub delta: Option<Written>,
    /// Negative if it is out of range.
    pub seq: Option<i64>,
    /// As `token_id`.
    pub from_id: Option<Result<String, NotText>>,
    /// As `token_id`.
    pub to_id: Option<Result<String, NotText>>,
    /// As it is written.
    pub amount: Option<Written>,
}

/// Buffers for the digits of integer ids, reused from row to row.
#[derive(Default)]
pub(super) struct RowBuffers {
    token: itoa::Buffer,
    holder: itoa::Buffer,
    from: itoa::Buffer,
    to: itoa::Buffer,
}

impl BatchRows {
    /// `batch` has the columns of the mapping's projection.
    pub(super) fn new(mapping: &ColumnMapping, batch: &RecordBatch) -> Self {
        let values = &mapping.options.values;
        let column = |index: usize| match index.checked_sub(mapping.projection.len()) {
            None => without_null_words(batch.column(index), values),
            Some(constant) => repeated(&mapping.constants[constant], batch.num_rows()),
        };
        let id = |index: usize| IdColumn::new(&ids_as_text(column(index), values));
        let ids = |column: Option<usize>| column.map(id);
        let times = |time: Option<MappedTime>| {
            time.map(|time| {
                let form = TimeForm {
                    unit: time.unit,
                    ..values.times
                };
                let times = column(time.column);
                match &values.blocks {
                    Some(blocks)
                        if time.unit != TimeUnit::Micros
                            && has_values(&times, TimeColumn::can_have_blocks) =>
                    {
                        TimeColumn::of_blocks(&times, blocks, form)
                    }
                    _ if time.unit != values.times.unit => {
                        TimeColumn::new(&times, form).in_its_unit()
                    }
                    _ => TimeColumn::new(&times, form),
                }
            })
        };
        let token_id = id(mapping.token_id);
        let decimals = |index: Option<usize>| {
            index.map(|index| {
                let column = DecimalColumn::new(&column(index));
                match &values.token_decimals {
                    None => column.in_units(values.decimals),
                    Some(_) => column.in_units_of(token_units(&token_id, batch.num_rows(), values)),
                }
            })
        };
        let integers =
            |column: Option<usize>| column.map(|column| IntegerColumn::new(batch.column(column)));
        Self {
            length: batch.num_rows(),
            holder_id: ids(mapping.holder_id),
            start: times(mapping.start),
            end: times(mapping.end),
            weight: decimals(mapping.weight),
            event_id: mapping
                .event_id
                .map(|index| TextColumn::new(&column(index))),
            revision: integers(mapping.revision),
            retract: mapping
                .retract
                .map(|column| plain(batch.column(column)).as_boolean().clone()),
            at: times(mapping.at),
            delta: decimals(mapping.delta),
            seq: integers(mapping.seq),
            from_id: ids(mapping.from_id),
            to_id: ids(mapping.to_id),
            amount: decimals(mapping.amount),
            token_id,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Whether there are columns of closed holds alone, without corrections.
    pub(super) fn has_closed_holds_only(&self) -> bool {
        let is_corrected = self.revision.is_some() || self.retract.is_some();
        let is_change = self.at.is_some() || self.delta.is_some() || self.seq.is_some();
        let is_transfer = self.from_id.is_some() || self.to_id.is_some() || self.amount.is_some();
        !(is_corrected || is_change || is_transfer)
    }

    /// Whether there are columns of transfers alone, without corrections.
    pub(super) fn has_transfers_only(&self) -> bool {
        let is_hold = self.start.is_some() || self.end.is_some() || self.weight.is_some();
        let is_of_key = self.holder_id.is_some() || self.delta.is_some() || self.seq.is_some();
        let is_corrected = self.revision.is_some() || self.retract.is_some();
        !(is_hold || is_of_key || is_corrected)
    }

    /// The fields in `row`, checked in the order that the semantics define, but not yet together.
    #[inline]
    pub(super) fn draft<'a>(
        &'a self,
        row: usize,
        buffers: &'a mut RowBuffers,
    ) -> Result<Draft<'a>, Refusal> {
        let is_given = |field| self.is_given(field, row);
        if is_given(Field::FromId) || is_given(Field::ToId) || is_given(Field::Amount) {
            return self.transfer(row, buffers);
        }
        let holder_ids = self.holder_id.as_ref();
        Ok(Draft {
            token_id: id(
                Field::TokenId,
                Some(&self.token_id),
                row,
                &mut buffers.token,
            )?,
            holder_id: id(Field::HolderId, holder_ids, row, &mut buffers.holder)?,
            start: instant(Field::Start, self.start.as_ref(), row)?,
            end: instant(Field::End, self.end.as_ref(), row)?,
            weight: number(Field::Weight, self.weight.as_ref(), row)?,
            event_id: self.event_id(row)?,
            revision: integer(self.revision.as_ref(), row),
            retract: self.retract(row).unwrap_or(false),
            at: instant(Field::At, self.at.as_ref(), row)?,
            delta: number(Field::Delta, self.delta.as_ref(), row)?,
            seq: integer(self.seq.as_ref(), row),
            ..Draft::default()
        })
    }

    fn transfer<'a>(
        &'a self,
        row: usize,
        buffers: &'a mut RowBuffers,
    ) -> Result<Draft<'a>, Refusal> {
        check_transfer(|field| self.is_given(field, row))?;
        let (from_ids, to_ids) = (self.from_id.as_ref(), self.to_id.as_ref());
        Ok(Draft {
            token_id: id(
                Field::TokenId,
                Some(&self.token_id),
                row,
                &mut buffers.token,
            )?,
            from_id: id_text(Field::FromId, from_ids, row, &mut buffers.from)?,
            to_id: id_text(Field::ToId, to_ids, row, &mut buffers.to)?,
            event_id: self.event_id(row)?,
            revision: integer(self.revision.as_ref(), row),
            retract: self.retract(row).unwrap_or(false),
            at: instant(Field::At, self.at.as_ref(), row)?,
            amount: number(Field::Amount, self.amount.as_ref(), row)?,
            seq: integer(self.seq.as_ref(), row),
            ..Draft::default()
        })
    }

    /// Whether the field is there in `row` and not null.
    #[inline]
    fn is_given(&self, field: Field, row: usize) -> bool {
        let id = |ids: &Option<IdColumn>| ids.as_ref().is_some_and(|ids| !ids.is_absent(row));
        let time =
            |times: &Option<TimeColumn>| times.as_ref().is_some_and(|times| !times.is_absent(row));
        let decimal = |decimals: &Option<DecimalColumn>| {
            let decimals = decimals.as_ref();
            decimals.is_some_and(|decimals| !decimals.is_absent(row))
        };
        let event_id = self.event_id.as_ref();
        match field {
            Field::TokenId => !self.token_id.is_absent(row),
            Field::HolderId => id(&self.holder_id),
            Field::FromId => id(&self.from_id),
            Field::ToId => id(&self.to_id),
            Field::Start => time(&self.start),
            Field::End => time(&self.end),
            Field::At => time(&self.at),
            Field::Weight => decimal(&self.weight),
            Field::Delta => decimal(&self.delta),
            Field::Amount => decimal(&self.amount),
            Field::EventId => event_id.is_some_and(|texts| !texts.is_absent(row)),
        }
    }

    /// A refusal of `row` with the value of its field.
    #[cold]
    pub(super) fn explained(&self, row: usize, refusal: Refusal) -> RefusalReason {
        let values = self.values(row);
        let written = |value: Option<Written>| value.map(|value| value.to_string());
        let found = match refusal.field() {
            "start" => written(values.start),
            "end" => written(values.end),
            "at" => written(values.at),
            "weight" => written(values.weight),
            "delta" => written(values.delta),
            "amount" => written(values.amount),
            "revision" => values.revision.map(|revision| revision.to_string()),
            "seq" => values.seq.map(|seq| seq.to_string()),
            _ => None,
        };
        RefusalReason::with_found(refusal, found)
    }

    /// The values in `row`, unchecked.
    pub(super) fn values(&self, row: usize) -> RawValues {
        let id = |ids: &IdColumn| {
            let mut digits = itoa::Buffer::new();
            let id = ids.get(row, &mut digits).transpose()?;
            Some(id.map(str::to_owned))
        };
        let time = |times: &Option<TimeColumn>| times.as_ref()?.written(row);
        let decimal = |decimals: &Option<DecimalColumn>| decimals.as_ref()?.written(row);
        let integer = |integers: &Option<IntegerColumn>| integers.as_ref()?.get(row);
        let event_id = self.event_id.as_ref();
        RawValues {
            token_id: id(&self.token_id),
            holder_id: self.holder_id.as_ref().and_then(id),
            start: time(&self.start),
            end: time(&self.end),
            weight: decimal(&self.weight),
            event_id: event_id.and_then(|texts| texts.get(row).unwrap_or(Some("")).map(Into::into)),
            revision: integer(&self.revision),
            retract: self.retract(row),
            at: time(&self.at),
            delta: decimal(&self.delta),
            seq: integer(&self.seq),
            from_id: self.from_id.as_ref().and_then(id),
            to_id: self.to_id.as_ref().and_then(id),
            amount: decimal(&self.amount),
        }
    }

    #[inline]
    fn event_id(&self, row: usize) -> Result<Option<&str>, Refusal> {
        let Some(texts) = &self.event_id else {
            return Ok(None);
        };
        match texts.get(row) {
            Ok(Some("")) | Err(_) => Err(Refusal::EventId),
            Ok(text) => Ok(text),
        }
    }

    #[inline]
    fn retract(&self, row: usize) -> Option<bool> {
        let flags = self.retract.as_ref()?;
        flags.is_valid(row).then(|| flags.value(row))
    }
}

/// Whether a column has values of a type that `can_read` accepts, plain or dictionary-encoded.
fn has_values(column: &ArrayRef, can_read: fn(&DataType) -> bool) -> bool {
    match column.data_type() {
        DataType::Dictionary(_, values) => can_read(values),
        plain => can_read(plain),
    }
}

/// The decimals of the token in each row.
fn token_units(
    tokens: &IdColumn,
    rows: usize,
    values: &ValueOptions,
) -> Vec<Result<u8, WeightError>> {
    let mut digits = itoa::Buffer::new();
    let units = (0..rows).map(|row| {
        let token = tokens.get(row, &mut digits).ok().flatten();
        values.decimals_of(token.unwrap_or_default())
    });
    units.collect()
}

#[inline]
fn id<'a>(
    field: Field,
    ids: Option<&'a IdColumn>,
    row: usize,
    digits: &'a mut itoa::Buffer,
) -> Result<&'a str, Refusal> {
    match id_text(field, ids, row, digits)? {
        Some("") | None => Err(Refusal::MissingId(field)),
        Some(text) => Ok(text),
    }
}

/// An id, which may be null or empty.
#[inline]
fn id_text<'a>(
    field: Field,
    ids: Option<&'a IdColumn>,
    row: usize,
    digits: &'a mut itoa::Buffer,
) -> Result<Option<&'a str>, Refusal> {
    let text = ids.map_or(Ok(None), |ids| ids.get(row, digits));
    text.map_err(|_| Refusal::IdNotText(field))
}

#[inline]
fn instant(
    field: Field,
    times: Option<&TimeColumn>,
    row: usize,
) -> Result<Option<Micros>, Refusal> {
    let read = times.map_or(Ok(None), |times| times.get(row));
    time(field, read)
}

#[inline]
fn number<T: Decimal>(
    field: Field,
    decimals: Option<&DecimalColumn>,
    row: usize,
) -> Result<Option<T>, Refusal> {
    let read = decimals.map_or(Ok(None), |decimals| decimals.get(row));
    decimal(field, read)
}

/// A `revision` or `seq`, beyond its range if it is not in it.
#[inline]
fn integer(integers: Option<&IntegerColumn>, row: usize) -> u64 {
    let number = integers.and_then(|integers| integers.get(row));
    number.map_or(0, |number| u64::try_from(number).unwrap_or(INTEGER_MAX + 1))
}

#[cfg(test)]
impl BatchRows {
    /// The rows of a file with these columns, as a test makes it.
    pub(super) fn of_columns(columns: Vec<(&'static str, ArrayRef)>) -> Self {
        let fields = columns.iter().map(|(name, column)| {
            arrow_schema::Field::new(*name, column.data_type().clone(), true)
        });
        let schema = std::sync::Arc::new(arrow_schema::Schema::new(fields.collect::<Vec<_>>()));
        let mapping = ColumnMapping::new(&"f".into(), &schema, &std::sync::Arc::default())
            .expect("columns of a file");
        let arrays = columns.into_iter().map(|(_, column)| column).collect();
        let batch = RecordBatch::try_new(schema, arrays).expect("columns of one length");
        Self::new(&mapping, &batch)
    }
}
