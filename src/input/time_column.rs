//! Columns of times, and of revisions and `seq`, brought to 64-bit integers once per batch.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Float64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef, Float64Array, StringViewArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit as ArrowUnit};

use super::BlockTimes;
use super::column::{integers, is_null, plain};
use super::id_column::IdColumn;
use super::text_column::TextColumn;
use super::written::Written;
use crate::core::{Micros, TimeError, TimeForm, TimeUnit};

/// A column of times.
pub(super) enum TimeColumn {
    Counts {
        values: ScalarBuffer<i64>,
        nulls: Option<NullBuffer>,
        unit: TimeUnit,
        /// Of which the values are.
        column: ArrayRef,
        /// Whether they are plain numbers, whose unit an option names.
        are_numbers: bool,
    },
    /// Counts that some library has made doubles of, as pandas does where one of them is missing.
    Doubles(Float64Array, TimeForm),
    Text(TextColumn, TimeForm),
    /// Numbers of blocks, or the times themselves.
    Blocks {
        numbers: IdColumn,
        blocks: Arc<BlockTimes>,
        form: TimeForm,
    },
}

impl TimeColumn {
    /// `form` is that of plain integers and of text.
    pub(super) fn new(column: &ArrayRef, form: TimeForm) -> Self {
        let values = match column.data_type() {
            DataType::Dictionary(_, values) => values,
            plain => plain,
        };
        if TextColumn::can_read(values) {
            return Self::Text(TextColumn::new(column), form);
        }
        let column = plain(column);
        if *column.data_type() == DataType::Float64 {
            return Self::Doubles(column.as_primitive().clone(), form);
        }
        let (values, unit) = match column.data_type() {
            DataType::Timestamp(ArrowUnit::Second, _) => (
                column
                    .as_primitive::<TimestampSecondType>()
                    .values()
                    .clone(),
                TimeUnit::Seconds,
            ),
            DataType::Timestamp(ArrowUnit::Millisecond, _) => (
                column
                    .as_primitive::<TimestampMillisecondType>()
                    .values()
                    .clone(),
                TimeUnit::Millis,
            ),
            DataType::Timestamp(ArrowUnit::Microsecond, _) => (
                column
                    .as_primitive::<TimestampMicrosecondType>()
                    .values()
                    .clone(),
                TimeUnit::Micros,
            ),
            DataType::Timestamp(ArrowUnit::Nanosecond, _) => (
                column
                    .as_primitive::<TimestampNanosecondType>()
                    .values()
                    .clone(),
                TimeUnit::Nanos,
            ),
            DataType::Date64 => {
                let millis = column.as_primitive::<Date64Type>().values();
                (millis.clone(), TimeUnit::Millis)
            }
            DataType::Date32 => {
                let days = column.as_primitive::<Date32Type>().values().iter();
                let seconds = days.map(|days| i64::from(*days) * 86_400);
                (seconds.collect(), TimeUnit::Seconds)
            }
            // A count above 2^63 is out of range, as the largest that fits is.
            _ => (integers(&column, i64::MAX), form.unit),
        };
        Self::Counts {
            values,
            nulls: column.nulls().cloned(),
            unit,
            are_numbers: column.data_type().is_integer(),
            column,
        }
    }

    /// The same column; the unit of its numbers is a part of its name.
    pub(super) fn in_its_unit(mut self) -> Self {
        if let Self::Counts { are_numbers, .. } = &mut self {
            *are_numbers = false;
        }
        self
    }

    /// Whether values of this type may be numbers of blocks.
    pub(super) fn can_have_blocks(values: &DataType) -> bool {
        IdColumn::can_read(values) || *values == DataType::Float64
    }

    /// A column of integers, doubles or text, whose numbers are those of blocks.
    pub(super) fn of_blocks(column: &ArrayRef, blocks: &Arc<BlockTimes>, form: TimeForm) -> Self {
        let numbers = match plain(column).as_primitive_opt::<Float64Type>() {
            Some(doubles) => {
                let texts = doubles.iter().map(|number| Some(number?.to_string()));
                IdColumn::new(&(Arc::new(texts.collect::<StringViewArray>()) as ArrayRef))
            }
            None => IdColumn::new(column),
        };
        Self::Blocks {
            numbers,
            blocks: Arc::clone(blocks),
            form,
        }
    }

    /// The instant in `row`, finer digits floored to the microsecond.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Result<Option<Micros>, TimeError> {
        match self {
            Self::Counts {
                values,
                nulls,
                unit,
                are_numbers,
                ..
            } => {
                if is_null(nulls.as_ref(), row) {
                    return Ok(None);
                }
                let read = Micros::new(micros(values[row], *unit));
                if read.is_err() && *are_numbers {
                    return Micros::from_count(values[row].into(), *unit).map(Some);
                }
                read.map(Some)
            }
            Self::Doubles(doubles, form) => {
                let count = doubles.is_valid(row).then(|| doubles.value(row));
                count
                    .map(|count| Micros::parse_number_as(&count.to_string(), *form))
                    .transpose()
            }
            Self::Text(texts, form) => match texts.get(row) {
                Ok(text) => text.map(|text| Micros::parse_as(text, *form)).transpose(),
                Err(_) => Err(TimeError::NotATime),
            },
            Self::Blocks {
                numbers,
                blocks,
                form,
            } => match numbers.get(row, &mut itoa::Buffer::new()) {
                Ok(None) => Ok(None),
                Ok(Some(text)) => match blocks.time_of_number(text) {
                    Some(read) => read.map(Some),
                    None => Micros::parse_as(text, *form).map(Some),
                },
                Err(_) => Err(TimeError::NotATime),
            },
        }
    }

    /// All instants, which replace what is in `into`; `None` if one of them is null or invalid.
    pub(super) fn read_all(&self, rows: usize, into: &mut Vec<Micros>) -> Option<()> {
        into.clear();
        into.reserve(rows);
        match self {
            Self::Counts {
                values,
                nulls: None,
                unit,
                ..
            } => {
                for value in values {
                    into.push(Micros::new(micros(*value, *unit)).ok()?);
                }
            }
            _ => {
                for row in 0..rows {
                    into.push(self.get(row).ok()??);
                }
            }
        }
        Some(())
    }

    /// The time in `row` in microseconds, in range or not, saturated at the bounds of the type; text that
    /// is not a time is beyond them. `None` if it is null.
    #[inline]
    pub(super) fn micros(&self, row: usize) -> Option<i64> {
        match self {
            Self::Counts {
                values,
                nulls,
                unit,
                ..
            } => (!is_null(nulls.as_ref(), row)).then(|| micros(values[row], *unit)),
            Self::Doubles(..) | Self::Text(..) | Self::Blocks { .. } => match self.get(row) {
                Ok(at) => at.map(Micros::get),
                Err(_) => Some(i64::MAX),
            },
        }
    }

    /// The time in `row` as it is written; `None` if it is null, or not text.
    pub(super) fn written(&self, row: usize) -> Option<Written> {
        if self.is_absent(row) {
            return None;
        }
        match self {
            Self::Counts {
                values,
                unit,
                column,
                are_numbers,
                ..
            } => Some(match column.as_primitive_opt::<UInt64Type>() {
                Some(numbers) if *are_numbers => Written::Number(numbers.value(row).to_string()),
                None if *are_numbers => Written::Number(values[row].to_string()),
                Some(_) | None => Written::Micros(unit.micros(values[row].into())),
            }),
            Self::Doubles(doubles, _) => {
                let mut buffer = zmij::Buffer::new();
                Some(Written::Number(
                    buffer.format(doubles.value(row)).to_owned(),
                ))
            }
            Self::Text(texts, _) => {
                let text = texts.get(row).ok().flatten();
                text.map(|text| Written::Text(text.to_owned()))
            }
            Self::Blocks { numbers, .. } => {
                let mut digits = itoa::Buffer::new();
                let text = numbers.get(row, &mut digits).ok().flatten();
                text.map(|text| Written::Text(text.to_owned()))
            }
        }
    }

    /// Whether the time in `row` is null.
    #[inline]
    pub(super) fn is_absent(&self, row: usize) -> bool {
        match self {
            Self::Counts { nulls, .. } => is_null(nulls.as_ref(), row),
            Self::Doubles(doubles, _) => doubles.is_null(row),
            Self::Text(texts, _) => texts.is_absent(row),
            Self::Blocks { numbers, .. } => numbers.is_absent(row),
        }
    }
}

#[inline]
fn micros(value: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Seconds => value.saturating_mul(1_000_000),
        TimeUnit::Millis => value.saturating_mul(1_000),
        TimeUnit::Micros => value,
        TimeUnit::Nanos => value.div_euclid(1_000),
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
    use arrow_array::{Int64Array, TimestampNanosecondArray, UInt64Array};

    use super::*;

    #[test]
    fn nanoseconds_before_1970_are_floored() {
        let column: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![-1, 1_999]));
        let times = TimeColumn::new(&column, TimeForm::STANDARD);
        assert_eq!(times.get(0).unwrap().map(Micros::get), Some(-1));
        assert_eq!(times.get(1).unwrap().map(Micros::get), Some(1));
    }

    #[test]
    fn doubles_are_counts_where_they_are_whole() {
        let doubles = Float64Array::from(vec![Some(1.5e12), None, Some(0.5), Some(1e300)]);
        let times = TimeColumn::new(&(Arc::new(doubles) as ArrayRef), TimeForm::STANDARD);
        assert_eq!(
            times.get(0).unwrap().map(Micros::get),
            Some(1_500_000_000_000_000)
        );
        assert_eq!(times.get(1), Ok(None));
        assert!(times.is_absent(1));
        assert_eq!(times.get(2), Err(TimeError::Fraction(TimeUnit::Millis)));
        assert_eq!(times.written(2), Some(Written::Number("0.5".to_owned())));
        assert_eq!(times.get(3), Err(TimeError::OutOfRange));
        assert_eq!(times.micros(3), Some(i64::MAX));
    }

    #[test]
    fn numbers_of_a_finer_unit_are_named_and_others_are_not() {
        let micros: ArrayRef = Arc::new(Int64Array::from(vec![1_672_531_200_000_000]));
        let times = TimeColumn::new(&micros, TimeForm::STANDARD);
        assert_eq!(times.get(0), Err(TimeError::OtherUnit(TimeUnit::Micros)));
        let nanos: ArrayRef = Arc::new(Int64Array::from(vec![1_672_531_200_000_000_000]));
        let form = TimeForm {
            unit: TimeUnit::Micros,
            ..TimeForm::STANDARD
        };
        let times = TimeColumn::new(&nanos, form).in_its_unit();
        assert_eq!(times.get(0), Err(TimeError::OutOfRange));
        let written = times.written(0).unwrap().to_string();
        assert_eq!(written, "1672531200000000000 microseconds");
    }

    #[test]
    fn counts_that_do_not_fit_are_out_of_range() {
        let column: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        let times = TimeColumn::new(&column, TimeForm::STANDARD);
        assert_eq!(times.get(0), Err(TimeError::OtherUnit(TimeUnit::Nanos)));
        assert_eq!(
            times.written(0),
            Some(Written::Number("18446744073709551615".to_owned()))
        );
        assert_eq!(IntegerColumn::new(&column).get(0), Some(-1));
    }
}
