//! A batch as an Arrow record batch, with the column names and types that `score` reads from a Parquet file.
//!
//! Weights and changes are text, which is exact for every size; times are timestamps in UTC.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};

use super::columns::{ABSENT, EventColumns, Ids, Integer};
use super::rows::Rows;
use crate::core::Wad;

/// These rows of `columns`.
pub(super) fn record_batch(columns: &EventColumns, rows: &Rows) -> Result<RecordBatch, ArrowError> {
    let text = |ids: &Ids| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| ids.of_row(row))
                .collect::<StringArray>(),
        )
    };
    let weight = rows.iter().map(|row| {
        let steps = columns.weight(row)?;
        Some(Wad::from_steps(steps).to_string())
    });
    let delta = rows.iter().map(|row| Some(columns.delta(row)?.to_string()));
    let retract: BooleanArray = rows
        .iter()
        .map(|row| Some(columns.retract[row] == 1))
        .collect();
    let made: Vec<(&str, ArrayRef)> = vec![
        ("token_id", text(&columns.tokens)),
        ("holder_id", text(&columns.holders)),
        ("start", times(columns, rows, Integer::Start)),
        ("end", times(columns, rows, Integer::End)),
        ("weight", Arc::new(weight.collect::<StringArray>())),
        ("event_id", text(&columns.event_ids)),
        ("revision", integers(columns, rows, Integer::Revision)),
        ("retract", Arc::new(retract)),
        ("at", times(columns, rows, Integer::At)),
        ("delta", Arc::new(delta.collect::<StringArray>())),
        ("seq", integers(columns, rows, Integer::Seq)),
        ("sequence", integers(columns, rows, Integer::Sequence)),
    ];
    let fields: Vec<Field> = made
        .iter()
        .map(|(name, column)| {
            let is_nullable = !matches!(
                *name,
                "token_id" | "holder_id" | "revision" | "retract" | "seq" | "sequence"
            );
            Field::new(*name, column.data_type().clone(), is_nullable)
        })
        .collect();
    let columns = made.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn integers(columns: &EventColumns, rows: &Rows, column: Integer) -> ArrayRef {
    let values = rows.values(&columns.integers[column as usize]);
    Arc::new(Int64Array::new(values, None))
}

fn times(columns: &EventColumns, rows: &Rows, column: Integer) -> ArrayRef {
    let values = rows.values(&columns.integers[column as usize]);
    let is_present = BooleanBuffer::collect_bool(values.len(), |place| values[place] != ABSENT);
    let nulls = NullBuffer::new(is_present);
    let nulls = (nulls.null_count() > 0).then_some(nulls);
    let array = TimestampMicrosecondArray::new(values, nulls).with_timezone("UTC");
    debug_assert_eq!(
        *arrow_array::Array::data_type(&array),
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    );
    Arc::new(array)
}
