//! What columns of every type need: conversions without loss, and nulls.
//!
//! Each field has its own file: [`super::id_column`], [`super::time_column`], [`super::decimal_column`].

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::DataType;
use arrow_select::take::take;

/// A column of integers of any width; those above 2^63-1 become `too_large`.
pub(super) fn integers(column: &ArrayRef, too_large: i64) -> ScalarBuffer<i64> {
    if *column.data_type() == DataType::UInt64 {
        let values = column.as_primitive::<UInt64Type>().values();
        let fitting = values
            .iter()
            .map(|value| i64::try_from(*value).unwrap_or(too_large));
        return fitting.collect();
    }
    signed(column).values().clone()
}

/// A column of integers of any type but `UInt64`, all of which fit into 64 bits with a sign.
pub(super) fn signed(column: &ArrayRef) -> Int64Array {
    match column.data_type() {
        DataType::Int8 => widened::<Int8Type>(column),
        DataType::Int16 => widened::<Int16Type>(column),
        DataType::Int32 => widened::<Int32Type>(column),
        DataType::Int64 => column.as_primitive().clone(),
        DataType::UInt8 => widened::<UInt8Type>(column),
        DataType::UInt16 => widened::<UInt16Type>(column),
        DataType::UInt32 => widened::<UInt32Type>(column),
        other => unreachable!("the mapping admits no column of {other} here"),
    }
}

fn widened<T: ArrowPrimitiveType<Native: Into<i64>>>(column: &ArrayRef) -> Int64Array {
    column.as_primitive::<T>().unary::<_, Int64Type>(Into::into)
}

/// The column without its dictionary encoding.
pub(super) fn plain(column: &ArrayRef) -> ArrayRef {
    match column.as_any_dictionary_opt() {
        Some(dictionary) => {
            take(dictionary.values(), dictionary.keys(), None).expect("every key has a value")
        }
        None => column.clone(),
    }
}

#[inline]
pub(super) fn is_null(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_some_and(|nulls| nulls.is_null(row))
}
