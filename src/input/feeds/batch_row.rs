//! Rows of a batch of columns as rows of a feed.
//!
//! Binary values are `0x` and hexadecimal digits, as the other formats write them, unless they are that text
//! already. Doubles are not read as amounts.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};

use super::Feed;
use super::layout::FeedLayout;
use super::row::{FEED_TIMES, FeedRow, feed_time};
use crate::core::{Micros, TimeError};
use crate::input::column::plain;
use crate::input::id_column::IdColumn;
use crate::input::text_column::TextColumn;
use crate::input::time_column::TimeColumn;
use crate::input::type_words::type_words;
#[cfg(feature = "py-embed")]
use crate::input::written::Written;
use crate::input::{InputError, InputOptions, hex};

/// The columns of a columnar file of a feed, as indices into batches of the projected columns only.
#[derive(Debug)]
pub(in crate::input) struct FeedColumns {
    pub(in crate::input) layout: Arc<FeedLayout>,
    /// The columns that are read as indices into the file's columns, ascending.
    pub(in crate::input) projection: Vec<usize>,
    /// For each slot the index into the projection.
    indices: Vec<usize>,
}

impl FeedColumns {
    /// # Errors
    /// If the file lacks a column, or a column has a type that cannot be read.
    pub(in crate::input) fn new(
        file: &Arc<str>,
        schema: &Schema,
        feed: Feed,
        options: &Arc<InputOptions>,
    ) -> Result<Self, InputError> {
        let names = column_names(schema);
        Self::of_layout(FeedLayout::of_columns(file, feed, options, &names)?, schema)
    }

    /// The columns of `layout`.
    pub(in crate::input) fn of_layout(
        layout: FeedLayout,
        schema: &Schema,
    ) -> Result<Self, InputError> {
        for (slot, position) in layout.positions.iter().enumerate() {
            let field = schema.field(*position);
            let kind = field.data_type();
            let is_inexact = layout.is_amount(slot) && kind.is_floating();
            if is_inexact || !can_read(kind) {
                return Err(InputError::ColumnType {
                    file: Arc::clone(&layout.file),
                    column: field.name().clone(),
                    found: type_words(kind).into_owned(),
                    expected: if is_inexact {
                        "text, binary, an integer or a decimal, which hold all digits,"
                    } else {
                        "text, binary, a number or a timestamp"
                    },
                });
            }
        }
        let mut projection = layout.positions.clone();
        projection.sort_unstable();
        let find = |position| projection.binary_search(position);
        let indices = layout.positions.iter().map(find);
        let indices = indices
            .collect::<Result<_, _>>()
            .expect("every column found is in the projection");
        Ok(Self {
            layout: Arc::new(layout),
            projection,
            indices,
        })
    }
}

/// The names of the columns of a file.
pub(in crate::input) fn column_names(schema: &Schema) -> Vec<String> {
    let fields = schema.fields().iter();
    fields.map(|field| field.name().clone()).collect()
}

fn can_read(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => can_read(values),
        DataType::List(items) | DataType::LargeList(items) => items.data_type().is_integer(),
        DataType::Null
        | DataType::Boolean
        | DataType::Timestamp(..)
        | DataType::Date32
        | DataType::Date64
        | DataType::FixedSizeBinary(_)
        | DataType::Decimal128(_, 0)
        | DataType::Decimal256(_, 0) => true,
        kind => TextColumn::can_read(kind) || kind.is_integer() || kind.is_floating(),
    }
}

/// One batch, its columns resolved.
pub(in crate::input) struct FeedBatch {
    columns: Vec<Column>,
}

enum Column {
    Text(TextColumn),
    Binary(ArrayRef),
    Integers(IdColumn),
    Times(TimeColumn),
    Other(ArrayRef),
}

/// One row of a batch.
pub(in crate::input) struct BatchFeedRow<'a> {
    pub(in crate::input) batch: &'a FeedBatch,
    pub(in crate::input) row: usize,
}

impl FeedBatch {
    /// `batch` has the columns of the projection.
    pub(in crate::input) fn new(columns: &FeedColumns, batch: &RecordBatch) -> Self {
        let resolved = columns.indices.iter().map(|index| {
            let column = plain(batch.column(*index));
            match column.data_type() {
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                    Column::Text(TextColumn::new(&column))
                }
                DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
                | DataType::FixedSizeBinary(_) => Column::Binary(column),
                DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
                    Column::Times(TimeColumn::new(&column, FEED_TIMES))
                }
                kind if kind.is_integer() => Column::Integers(IdColumn::new(&column)),
                _ => Column::Other(column),
            }
        });
        Self {
            columns: resolved.collect(),
        }
    }
}

impl FeedRow for BatchFeedRow<'_> {
    fn text(&self, slot: usize) -> Option<Cow<'_, str>> {
        let row = self.row;
        let text = match &self.batch.columns[slot] {
            Column::Text(texts) => Cow::Borrowed(texts.get(row).ok()??),
            Column::Binary(bytes) => binary_text(hex::binary_value(bytes, row)?),
            Column::Integers(ids) => {
                let mut digits = itoa::Buffer::new();
                Cow::Owned(ids.get(row, &mut digits).ok()??.to_owned())
            }
            Column::Times(times) => Cow::Owned(times.micros(row)?.to_string()),
            Column::Other(column) => Cow::Owned(other_text(column, row)?),
        };
        (!text.is_empty()).then_some(text)
    }

    #[cfg(feature = "py-embed")]
    fn written(&self, slot: usize) -> Option<Written> {
        match &self.batch.columns[slot] {
            Column::Times(times) => times.written(self.row),
            _ => self.text(slot).map(|text| Written::Text(text.into_owned())),
        }
    }

    fn time(&self, slot: usize) -> Option<Result<Micros, TimeError>> {
        match &self.batch.columns[slot] {
            Column::Times(times) => times.get(self.row).transpose(),
            _ => self.text(slot).map(|text| feed_time(&text)),
        }
    }
}

/// Bytes as text: some writers store text without saying that it is text.
fn binary_text(bytes: &[u8]) -> Cow<'_, str> {
    let text = bytes
        .strip_prefix(b"0x")
        .and_then(|_| str::from_utf8(bytes).ok());
    text.map_or_else(|| Cow::Owned(hex::hex(bytes)), Cow::Borrowed)
}

/// The value of a rarer type as text.
fn other_text(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    let double = |value: f64| {
        let is_whole = value.fract() == 0.0 && value.abs() < 9e15;
        if is_whole {
            format!("{value:.0}")
        } else {
            value.to_string()
        }
    };
    Some(match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Decimal128(..) => column
            .as_primitive::<Decimal128Type>()
            .value(row)
            .to_string(),
        DataType::Decimal256(..) => column
            .as_primitive::<Decimal256Type>()
            .value(row)
            .to_string(),
        DataType::Float64 => double(column.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => double(column.as_primitive::<Float32Type>().value(row).into()),
        DataType::List(_) => listed(&column.as_list::<i32>().value(row)),
        DataType::LargeList(_) => listed(&column.as_list::<i64>().value(row)),
        _ => return None,
    })
}

/// A list of integers as Dune writes it in text.
fn listed(items: &ArrayRef) -> String {
    let ids = IdColumn::new(items);
    let mut digits = itoa::Buffer::new();
    let texts = (0..items.len()).map(|item| {
        let text = ids.get(item, &mut digits).ok().flatten();
        text.unwrap_or_default().to_owned()
    });
    format!("[{}]", texts.collect::<Vec<_>>().join(","))
}
