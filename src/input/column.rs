//! What columns of every kind need: conversions without loss, and nulls.
//!
//! Each kind has its own file: [`super::ids`], [`super::times`], [`super::weights`].

use arrow::array::{ArrayRef, AsArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, UInt64Type};

/// A column of any integers; those past 2^63-1 become `too_large`.
pub(super) fn integers(column: &ArrayRef, too_large: i64) -> ScalarBuffer<i64> {
    if *column.data_type() == DataType::UInt64 {
        let values = column.as_primitive::<UInt64Type>().values();
        let fitting = values
            .iter()
            .map(|value| i64::try_from(*value).unwrap_or(too_large));
        return fitting.collect();
    }
    let signed = converted(column, &DataType::Int64);
    signed.as_primitive::<Int64Type>().values().clone()
}

/// The column itself, a dictionary before it resolved.
pub(super) fn plain(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Dictionary(_, values) => converted(column, values),
        _ => column.clone(),
    }
}

/// The column as another type, where every value has one.
pub(super) fn converted(column: &ArrayRef, wanted: &DataType) -> ArrayRef {
    cast(column, wanted).expect("the layout admits only types that convert without loss")
}

#[inline]
pub(super) fn is_null(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_some_and(|nulls| nulls.is_null(row))
}
