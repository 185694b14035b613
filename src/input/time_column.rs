//! Columns of times, and of revisions and `seq`, brought to 64-bit integers once per batch.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};

use super::column::{integers, is_null, plain};
use crate::core::{Micros, TimeError};

/// The unit of the integers of a time column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

/// A column of times.
pub(super) struct TimeColumn {
    values: ScalarBuffer<i64>,
    nulls: Option<NullBuffer>,
    unit: Unit,
}

impl TimeColumn {
    /// `unit` is that of plain integers.
    pub(super) fn new(column: &ArrayRef, unit: Unit) -> Self {
        let column = plain(column);
        let (values, unit) = match column.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => (
                column
                    .as_primitive::<TimestampSecondType>()
                    .values()
                    .clone(),
                Unit::Seconds,
            ),
            DataType::Timestamp(TimeUnit::Millisecond, _) => (
                column
                    .as_primitive::<TimestampMillisecondType>()
                    .values()
                    .clone(),
                Unit::Millis,
            ),
            DataType::Timestamp(TimeUnit::Microsecond, _) => (
                column
                    .as_primitive::<TimestampMicrosecondType>()
                    .values()
                    .clone(),
                Unit::Micros,
            ),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => (
                column
                    .as_primitive::<TimestampNanosecondType>()
                    .values()
                    .clone(),
                Unit::Nanos,
            ),
            // A count above 2^63 is out of range, as the largest that fits is.
            _ => (integers(&column, i64::MAX), unit),
        };
        Self {
            values,
            nulls: column.nulls().cloned(),
            unit,
        }
    }

    /// The instant in `row`, finer digits floored to the microsecond.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Result<Option<Micros>, TimeError> {
        if is_null(self.nulls.as_ref(), row) {
            return Ok(None);
        }
        Micros::new(self.micros(row)).map(Some)
    }

    /// The same in microseconds, in range or not, saturated at the bounds of the type.
    #[inline]
    pub(super) fn micros(&self, row: usize) -> i64 {
        let value = self.values[row];
        match self.unit {
            Unit::Seconds => value.saturating_mul(1_000_000),
            Unit::Millis => value.saturating_mul(1_000),
            Unit::Micros => value,
            Unit::Nanos => value.div_euclid(1_000),
        }
    }

    /// Whether the time in `row` is null.
    #[inline]
    pub(super) fn is_absent(&self, row: usize) -> bool {
        is_null(self.nulls.as_ref(), row)
    }
}

/// A column of `revision` or `seq`.
pub(super) struct IntegerColumn {
    values: ScalarBuffer<i64>,
    nulls: Option<NullBuffer>,
}

impl IntegerColumn {
    pub(super) fn new(column: &ArrayRef) -> Self {
        let column = plain(column);
        Self {
            // A number above 2^63-1 is refused, as a negative one is.
            values: integers(&column, -1),
            nulls: column.nulls().cloned(),
        }
    }

    /// The number in `row`; negative if it is out of range.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<i64> {
        (!is_null(self.nulls.as_ref(), row)).then(|| self.values[row])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{TimestampNanosecondArray, UInt64Array};

    use super::*;

    #[test]
    fn nanoseconds_before_1970_are_floored() {
        let column: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![-1, 1_999]));
        let times = TimeColumn::new(&column, Unit::Millis);
        assert_eq!(times.get(0).unwrap().map(Micros::get), Some(-1));
        assert_eq!(times.get(1).unwrap().map(Micros::get), Some(1));
    }

    #[test]
    fn counts_that_do_not_fit_are_out_of_range() {
        let column: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        assert_eq!(
            TimeColumn::new(&column, Unit::Millis).get(0),
            Err(TimeError::OutOfRange)
        );
        assert_eq!(IntegerColumn::new(&column).get(0), Some(-1));
    }
}
