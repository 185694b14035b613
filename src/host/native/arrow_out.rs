//! A snapshot as an Arrow stream (the `PyCapsule` interface), for polars, pyarrow and duckdb.
//!
//! Exact columns: `held_us` as a decimal of 38 digits without fraction, `score` as text.

use std::sync::Arc;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, RecordBatchIterator,
    StringArray, UInt64Array,
};
use arrow_schema::{ArrowError, DECIMAL128_MAX_PRECISION, DataType, Field, Schema, SchemaRef};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::core::{HolderScore, RankedHolder, Snapshot};

/// Rows of one batch, few enough that no column of texts comes near its limit of 2 GiB.
const BATCH_ROWS: usize = 1 << 18;

/// All rows of `snapshot` in batches, in leaderboard order.
pub(super) fn batches(snapshot: &Snapshot) -> Result<Vec<RecordBatch>, ArrowError> {
    let rows: Vec<_> = snapshot.ranked().collect();
    rows.chunks(BATCH_ROWS).map(batch).collect()
}

/// A capsule named `arrow_array_stream` that hands the batches over, all of this schema.
pub(in crate::host) fn stream(
    py: Python<'_>,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
) -> PyResult<Bound<'_, PyCapsule>> {
    let reader = RecordBatchIterator::new(batches.into_iter().map(Ok), schema);
    let stream = FFI_ArrowArrayStream::new(Box::new(reader));
    PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
}

/// The columns of a snapshot.
pub(super) fn schema() -> SchemaRef {
    let column = |name, kind| Field::new(name, kind, false);
    Arc::new(Schema::new(vec![
        column("rank", DataType::UInt64),
        column("holder_id", DataType::Utf8),
        column("held_us", DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0)),
        column("score", DataType::Utf8),
        column("weighted_score", DataType::Float64),
        column("total_seconds", DataType::Int64),
    ]))
}

fn batch(rows: &[RankedHolder<&HolderScore>]) -> Result<RecordBatch, ArrowError> {
    let totals = || rows.iter().map(|row| row.holder.totals);
    let rank: UInt64Array = rows.iter().map(|row| row.rank).collect();
    let holder_id = StringArray::from_iter_values(rows.iter().map(|row| &*row.holder.holder_id));
    let held_us = totals()
        .map(|totals| i128::try_from(totals.held_us).ok())
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| overflow("held_us"))?;
    let held_us =
        Decimal128Array::from(held_us).with_precision_and_scale(DECIMAL128_MAX_PRECISION, 0)?;
    let score = StringArray::from_iter_values(totals().map(|totals| totals.score.to_string()));
    let weighted_score: Float64Array = totals()
        .map(|totals| totals.score.nearest_double())
        .collect();
    let total_seconds = totals()
        .map(|totals| i64::try_from(totals.total_seconds()).ok())
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| overflow("total_seconds"))?;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rank),
        Arc::new(holder_id),
        Arc::new(held_us),
        Arc::new(score),
        Arc::new(weighted_score),
        Arc::new(Int64Array::from(total_seconds)),
    ];
    RecordBatch::try_new(schema(), columns)
}

fn overflow(column: &str) -> ArrowError {
    ArrowError::ArithmeticOverflow(format!("{column}: a value does not fit into the column"))
}
