//! A column of ids: text, or integers, whose ids are their decimal digits.

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, ArrayRef, Int64Array, StringViewArray, UInt64Array};
use arrow_schema::DataType;

use super::column::{plain, signed};
use super::text_column::{NotText, TextColumn};

/// A column of ids.
pub(super) enum IdColumn {
    Text(TextColumn),
    Signed(Int64Array),
    Unsigned(UInt64Array),
}

impl IdColumn {
    pub(super) fn can_read(values: &DataType) -> bool {
        TextColumn::can_read(values) || values.is_integer()
    }

    pub(super) fn new(column: &ArrayRef) -> Self {
        let column = match column.data_type() {
            DataType::Dictionary(_, values) if values.is_integer() => plain(column),
            _ => column.clone(),
        };
        match column.data_type() {
            DataType::UInt64 => Self::Unsigned(column.as_primitive::<UInt64Type>().clone()),
            kind if kind.is_integer() => Self::Signed(signed(&column)),
            _ => Self::Text(TextColumn::new(&column)),
        }
    }

    /// The ids as an array, some of them null, if they are text in the type that Parquet is read as.
    pub(super) fn views(&self) -> Option<&StringViewArray> {
        match self {
            Self::Text(texts) => texts.views(),
            Self::Signed(_) | Self::Unsigned(_) => None,
        }
    }

    /// Whether the id in `row` is null.
    #[inline]
    pub(super) fn is_absent(&self, row: usize) -> bool {
        match self {
            Self::Text(texts) => texts.is_absent(row),
            Self::Signed(ids) => ids.is_null(row),
            Self::Unsigned(ids) => ids.is_null(row),
        }
    }

    /// The id in `row`; the digits of an integer are written to `digits`.
    #[inline]
    pub(super) fn get<'a>(
        &'a self,
        row: usize,
        digits: &'a mut itoa::Buffer,
    ) -> Result<Option<&'a str>, NotText> {
        Ok(match self {
            Self::Text(texts) => texts.get(row)?,
            Self::Signed(ids) => ids.is_valid(row).then(|| digits.format(ids.value(row))),
            Self::Unsigned(ids) => ids.is_valid(row).then(|| digits.format(ids.value(row))),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int8Array;

    use super::*;

    #[test]
    fn the_id_of_an_integer_is_its_digits() {
        let ids: [(ArrayRef, &str); 4] = [
            (Arc::new(Int8Array::from(vec![-7])), "-7"),
            (
                Arc::new(Int64Array::from(vec![i64::MIN])),
                "-9223372036854775808",
            ),
            (
                Arc::new(UInt64Array::from(vec![u64::MAX])),
                "18446744073709551615",
            ),
            (Arc::new(UInt64Array::from(vec![0])), "0"),
        ];
        for (column, text) in ids {
            assert_eq!(
                IdColumn::new(&column).get(0, &mut itoa::Buffer::new()),
                Ok(Some(text))
            );
        }
    }
}
