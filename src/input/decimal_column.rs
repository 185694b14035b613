//! A column of weights, deltas or amounts, of any numeric type or text: read exactly, without an allocation
//! per row.
//!
//! Each row is read as a [`Wad`], which is not negative, or as a [`Delta`].

use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, Decimal256Array};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::DataType;

use super::column::{is_null, plain, signed};
use super::text_column::TextColumn;
use super::written::Written;
use crate::core::{Delta, Wad, WeightError};

/// A column of decimals.
pub(crate) struct DecimalColumn {
    values: Values,
    nulls: Option<NullBuffer>,
    units: Units,
}

/// The values are counts of 10^-n.
enum Units {
    All(u8),
    /// n for each row, or why it is not known.
    Rows(Vec<Result<u8, WeightError>>),
}

enum Values {
    Doubles(ScalarBuffer<f64>),
    Singles(ScalarBuffer<f32>),
    Signed(ScalarBuffer<i64>),
    Unsigned(ScalarBuffer<u64>),
    Decimals(ScalarBuffer<i128>, i8),
    LongDecimals(Decimal256Array, i8),
    Text(TextColumn),
}

impl DecimalColumn {
    pub(crate) fn can_read(values: &DataType) -> bool {
        TextColumn::can_read(values)
            || values.is_integer()
            || matches!(
                values,
                DataType::Float32
                    | DataType::Float64
                    | DataType::Decimal32(..)
                    | DataType::Decimal64(..)
                    | DataType::Decimal128(..)
                    | DataType::Decimal256(..)
            )
    }

    pub(crate) fn new(column: &ArrayRef) -> Self {
        let column = plain(column);
        let values = match column.data_type() {
            DataType::Float64 => {
                Values::Doubles(column.as_primitive::<Float64Type>().values().clone())
            }
            DataType::Float32 => {
                Values::Singles(column.as_primitive::<Float32Type>().values().clone())
            }
            DataType::UInt64 => {
                Values::Unsigned(column.as_primitive::<UInt64Type>().values().clone())
            }
            DataType::Decimal32(_, scale) => {
                let narrow = column.as_primitive::<Decimal32Type>().values();
                Values::Decimals(narrow.iter().copied().map(i128::from).collect(), *scale)
            }
            DataType::Decimal64(_, scale) => {
                let narrow = column.as_primitive::<Decimal64Type>().values();
                Values::Decimals(narrow.iter().copied().map(i128::from).collect(), *scale)
            }
            DataType::Decimal128(_, scale) => Values::Decimals(
                column.as_primitive::<Decimal128Type>().values().clone(),
                *scale,
            ),
            DataType::Decimal256(_, scale) => {
                Values::LongDecimals(column.as_primitive::<Decimal256Type>().clone(), *scale)
            }
            kind if kind.is_integer() => Values::Signed(signed(&column).values().clone()),
            _ => Values::Text(TextColumn::new(&column)),
        };
        Self {
            values,
            nulls: column.nulls().cloned(),
            units: Units::All(0),
        }
    }

    /// The same column, its values read as counts of 10^-`decimals`.
    pub(super) fn in_units(mut self, decimals: u8) -> Self {
        self.units = Units::All(decimals);
        self
    }

    /// The same column, its values read as counts of 10^-n with an n for each row.
    pub(super) fn in_units_of(mut self, decimals: Vec<Result<u8, WeightError>>) -> Self {
        self.units = Units::Rows(decimals);
        self
    }

    /// The decimal in `row`; `None` if it is null.
    #[inline]
    pub(crate) fn get<T: Decimal>(&self, row: usize) -> Result<Option<T>, WeightError> {
        if self.is_absent(row) {
            return Ok(None);
        }
        let decimals = match &self.units {
            Units::All(decimals) => *decimals,
            Units::Rows(rows) => rows[row]?,
        };
        let decimal = match &self.values {
            Values::Text(texts) => match texts.get(row) {
                Ok(None) => return Ok(None),
                Ok(Some(text)) => T::parse_units(text, decimals),
                Err(_) => Err(WeightError::NotANumber),
            },
            _ if decimals > 0 => self.with_text(row, |text| T::parse_units(text, decimals)),
            Values::Doubles(values) => T::from_double(values[row]),
            Values::Signed(values) => T::from_scaled(values[row].into(), 0),
            Values::Unsigned(values) => T::from_scaled(values[row].into(), 0),
            Values::Decimals(values, scale) => T::from_scaled(values[row], *scale),
            Values::LongDecimals(values, scale) => match values.value(row).to_i128() {
                Some(value) => T::from_scaled(value, *scale),
                None => self.with_text(row, T::parse),
            },
            Values::Singles(_) => self.with_text(row, T::parse),
        };
        decimal.map(Some)
    }

    /// All weights or amounts in order, or `None` if one is null or invalid.
    pub(super) fn read_all(&self, rows: usize, into: &mut Vec<Wad>) -> Option<()> {
        into.clear();
        into.reserve(rows);
        match (&self.values, &self.nulls) {
            (Values::Doubles(values), None) if matches!(self.units, Units::All(0)) => {
                for value in values {
                    into.push(Wad::from_double(*value).ok()?);
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

    /// Whether the decimal in `row` is null.
    #[inline]
    pub(super) fn is_absent(&self, row: usize) -> bool {
        is_null(self.nulls.as_ref(), row)
    }

    /// The decimal in `row` as it is written; `None` if it is null.
    pub(crate) fn written(&self, row: usize) -> Option<Written> {
        if self.is_absent(row) {
            return None;
        }
        let number = |text: String| Some(Written::Number(text));
        match &self.values {
            Values::Text(texts) => texts.get(row).map_or_else(
                |_| Some(Written::Text("?".to_owned())),
                |text| text.map(|text| Written::Text(text.to_owned())),
            ),
            Values::Decimals(values, scale) => number(with_point(&values[row].to_string(), *scale)),
            Values::LongDecimals(values, scale) => {
                number(with_point(&values.value(row).to_string(), *scale))
            }
            Values::Doubles(_) | Values::Singles(_) | Values::Signed(_) | Values::Unsigned(_) => {
                number(self.with_text(row, str::to_owned))
            }
        }
    }

    /// Passes the decimal text of a number to `take`; for a binary number the shortest that reads back.
    fn with_text<T>(&self, row: usize, take: impl FnOnce(&str) -> T) -> T {
        // 77 digits, a sign, an exponent.
        let mut buffer = [0; 96];
        let mut rest = &mut buffer[..];
        let written = match &self.values {
            // Not by the standard library, which takes the larger one of two equally near decimals.
            Values::Doubles(values) => {
                rest.write_all(zmij::Buffer::new().format(values[row]).as_bytes())
            }
            Values::Singles(values) => {
                rest.write_all(zmij::Buffer::new().format(values[row]).as_bytes())
            }
            Values::Signed(values) => write!(rest, "{}", values[row]),
            Values::Unsigned(values) => write!(rest, "{}", values[row]),
            Values::Decimals(values, scale) => {
                write!(rest, "{}e{}", values[row], -i16::from(*scale))
            }
            Values::LongDecimals(values, scale) => {
                write!(rest, "{}e{}", values.value(row), -i16::from(*scale))
            }
            Values::Text(_) => Ok(()),
        };
        written.expect("a number is shorter than the buffer");
        let left = rest.len();
        let length = buffer.len() - left;
        take(str::from_utf8(&buffer[..length]).expect("a number is ASCII"))
    }
}

/// `digits` / 10^`scale` without an exponent.
fn with_point(digits: &str, scale: i8) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let Ok(places) = usize::try_from(scale) else {
        return format!("{sign}{digits}{}", "0".repeat(scale.unsigned_abs().into()));
    };
    if places == 0 {
        return format!("{sign}{digits}");
    }
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    format!("{sign}{whole}.{fraction}")
}

/// What a decimal is read as.
pub(crate) trait Decimal: Copy {
    /// `text` / 10^`decimals`.
    fn parse_units(text: &str, decimals: u8) -> Result<Self, WeightError>;
    fn parse(text: &str) -> Result<Self, WeightError> {
        Self::parse_units(text, 0)
    }
    fn from_double(value: f64) -> Result<Self, WeightError>;
    /// `value` / 10^`scale`.
    fn from_scaled(value: i128, scale: i8) -> Result<Self, WeightError>;
}

impl Decimal for Wad {
    #[inline]
    fn parse_units(text: &str, decimals: u8) -> Result<Self, WeightError> {
        Self::parse_units(text, decimals)
    }

    #[inline]
    fn from_double(value: f64) -> Result<Self, WeightError> {
        Self::from_double(value)
    }

    #[inline]
    fn from_scaled(value: i128, scale: i8) -> Result<Self, WeightError> {
        match u128::try_from(value) {
            Ok(size) => scaled(size, scale),
            Err(_) => Err(WeightError::Negative),
        }
    }
}

impl Decimal for Delta {
    fn parse_units(text: &str, decimals: u8) -> Result<Self, WeightError> {
        Self::parse_units(text, decimals)
    }

    fn from_double(value: f64) -> Result<Self, WeightError> {
        Self::from_double(value)
    }

    fn from_scaled(value: i128, scale: i8) -> Result<Self, WeightError> {
        Ok(Self::new(scaled(value.unsigned_abs(), scale)?, value < 0))
    }
}

/// `size` / 10^`scale`.
#[inline]
fn scaled(size: u128, scale: i8) -> Result<Wad, WeightError> {
    match u32::try_from(scale) {
        Ok(places @ 0..=18) => size
            .checked_mul(10_u128.pow(18 - places))
            .map(Wad::from_steps)
            .ok_or(WeightError::TooLarge),
        _ => Wad::parse(&format!("{size}e{}", -i16::from(scale))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        Decimal32Array, Decimal128Array, Float32Array, Float64Array, Int16Array, StringArray,
        UInt64Array,
    };
    use arrow_buffer::i256;

    use super::*;

    fn read(column: impl Array + 'static) -> Vec<String> {
        let column: ArrayRef = Arc::new(column);
        let weights = DecimalColumn::new(&column);
        let rows = 0..column.len();
        rows.map(|row| match weights.get::<Wad>(row) {
            Ok(Some(weight)) => {
                let text = match weights.written(row).unwrap() {
                    Written::Number(text) | Written::Text(text) => text,
                    Written::Micros(_) => unreachable!("a decimal"),
                };
                assert_eq!(Wad::parse(&text), Ok(weight), "{text}");
                weight.to_string()
            }
            Ok(None) => "absent".to_owned(),
            Err(error) => error.to_string(),
        })
        .collect()
    }

    #[test]
    fn every_numeric_type_is_read_exactly() {
        assert_eq!(
            read(Float64Array::from(vec![
                Some(0.1),
                None,
                "1166563246683183.25".parse().ok()
            ])),
            ["0.1", "absent", "1166563246683183.2"]
        );
        assert_eq!(
            read(Float32Array::from(vec![0.1, f32::NAN])),
            ["0.1", "not finite (write a decimal like 1.5)"]
        );
        assert_eq!(
            read(Int16Array::from(vec![7, -1])),
            ["7", "negative (write 0 or more)"]
        );
        assert_eq!(
            read(UInt64Array::from(vec![u64::MAX])),
            ["18446744073709551615"]
        );
        assert_eq!(
            read(StringArray::from(vec!["1e-18"])),
            ["0.000000000000000001"]
        );
        let short = Decimal32Array::from(vec![125])
            .with_precision_and_scale(9, 2)
            .unwrap();
        assert_eq!(read(short), ["1.25"]);
    }

    #[test]
    fn decimals_of_any_scale_round_half_to_even() {
        let decimal = |value, scale| {
            read(
                Decimal128Array::from(vec![value])
                    .with_precision_and_scale(38, scale)
                    .unwrap(),
            )
        };
        assert_eq!(decimal(15, 19), ["0.000000000000000002"]);
        assert_eq!(decimal(25, 19), ["0.000000000000000002"]);
        assert_eq!(decimal(0, 30), ["0"]);
        assert_eq!(decimal(3, -2), ["300"]);
        assert_eq!(with_point("-5", 3), "-0.005");
        assert!(decimal(5, 19)[0].starts_with("under 1e-18"));
        assert!(decimal(10_i128.pow(37), 0)[0].starts_with("too large"));
    }

    #[test]
    fn long_decimals_are_read_past_128_bits() {
        let value = i256::from_string(&format!("15{}", "0".repeat(60))).unwrap();
        let long = Decimal256Array::from(vec![value])
            .with_precision_and_scale(76, 61)
            .unwrap();
        assert_eq!(read(long), ["1.5"]);
    }

    #[test]
    fn deltas_are_read_with_their_sign() {
        let deltas = |column: ArrayRef| -> Vec<String> {
            let deltas = DecimalColumn::new(&column);
            let rows = 0..column.len();
            rows.map(|row| match deltas.get::<Delta>(row) {
                Ok(delta) => delta.map_or("absent".to_owned(), |delta| delta.to_string()),
                Err(error) => error.to_string(),
            })
            .collect()
        };
        let long = |text: &str| i256::from_string(text).unwrap();
        let columns: [ArrayRef; 6] = [
            Arc::new(Float64Array::from(vec![-0.1, -0.0])),
            Arc::new(Float32Array::from(vec![-0.1, f32::INFINITY])),
            Arc::new(Int16Array::from(vec![Some(i16::MIN), None])),
            Arc::new(StringArray::from(vec!["-1e-18", "-1e-19"])),
            Arc::new(
                Decimal128Array::from(vec![-25, -5])
                    .with_precision_and_scale(38, 19)
                    .unwrap(),
            ),
            Arc::new(
                Decimal256Array::from(vec![
                    long(&format!("-15{}", "0".repeat(60))),
                    long(&format!("-1{}", "0".repeat(75))),
                ])
                .with_precision_and_scale(76, 30)
                .unwrap(),
            ),
        ];
        let small = "under 1e-18 (the smallest step)";
        let large = WeightError::TooLarge.to_string();
        for (column, expected) in columns.into_iter().zip([
            ["-0.1", "0"],
            ["-0.1", "not finite (write a decimal like 1.5)"],
            ["-32768", "absent"],
            ["-0.000000000000000001", small],
            ["-0.000000000000000002", small],
            [&large, &large],
        ]) {
            assert_eq!(deltas(column), expected);
        }
    }
}
