//! Columns of ids and of texts, brought to few shapes once a batch.
//!
//! Rows are then read without a look at Arrow types and without an allocation.

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, Int64Array, LargeStringArray, StringArray, StringViewArray,
    UInt64Array,
};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;

use super::column::{is_null, plain, signed};

/// A text that is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotText;

/// A column of text, each value at its row.
pub(super) enum Texts {
    Utf8(StringArray),
    LargeUtf8(LargeStringArray),
    View(StringViewArray),
    /// What some writers make of text; checked row by row.
    Binary(BinaryViewArray),
}

impl Texts {
    fn new(column: &ArrayRef) -> Self {
        match column.data_type() {
            DataType::Utf8 => Self::Utf8(column.as_string().clone()),
            DataType::LargeUtf8 => Self::LargeUtf8(column.as_string().clone()),
            DataType::Utf8View => Self::View(column.as_string_view().clone()),
            DataType::Binary => Self::Binary(column.as_binary::<i32>().into()),
            DataType::LargeBinary => Self::Binary(column.as_binary::<i64>().into()),
            _ => Self::Binary(column.as_binary_view().clone()),
        }
    }

    #[inline]
    fn get(&self, row: usize) -> Result<Option<&str>, NotText> {
        Ok(match self {
            Self::Utf8(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::LargeUtf8(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::View(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::Binary(bytes) if bytes.is_valid(row) => {
                Some(str::from_utf8(bytes.value(row)).map_err(|_| NotText)?)
            }
            Self::Binary(_) => None,
        })
    }
}

/// A column of text, bare or behind a dictionary.
pub(super) enum TextColumn {
    Plain(Texts),
    Coded {
        codes: Vec<usize>,
        nulls: Option<NullBuffer>,
        values: Texts,
    },
}

impl TextColumn {
    pub(super) const fn can_read(values: &DataType) -> bool {
        matches!(
            values,
            DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
                | DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
        )
    }

    pub(super) fn new(column: &ArrayRef) -> Self {
        match column.as_any_dictionary_opt() {
            Some(coded) => Self::Coded {
                // Without values there is nothing to point at: every row is null.
                codes: if coded.values().is_empty() {
                    Vec::new()
                } else {
                    coded.normalized_keys()
                },
                nulls: coded.keys().nulls().cloned(),
                values: Texts::new(coded.values()),
            },
            None => Self::Plain(Texts::new(column)),
        }
    }

    #[inline]
    pub(super) fn get(&self, row: usize) -> Result<Option<&str>, NotText> {
        match self {
            Self::Plain(texts) => texts.get(row),
            Self::Coded {
                codes,
                nulls,
                values,
            } => {
                if is_null(nulls.as_ref(), row) {
                    Ok(None)
                } else {
                    values.get(codes[row])
                }
            }
        }
    }
}

/// A column of ids: text, or integers that stand for their decimal digits.
pub(super) enum Ids {
    Text(TextColumn),
    Signed(Int64Array),
    Unsigned(UInt64Array),
}

/// Room for the digits of one id.
#[derive(Default)]
pub(super) struct Digits([u8; 20]);

impl Ids {
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

    /// The ids, where all are text in the form that Parquet gives.
    pub(super) fn views(&self) -> Option<&StringViewArray> {
        match self {
            Self::Text(TextColumn::Plain(Texts::View(texts))) if texts.null_count() == 0 => {
                Some(texts)
            }
            _ => None,
        }
    }

    #[inline]
    pub(super) fn get<'a>(
        &'a self,
        row: usize,
        digits: &'a mut Digits,
    ) -> Result<Option<&'a str>, NotText> {
        Ok(match self {
            Self::Text(texts) => texts.get(row)?,
            Self::Signed(ids) => ids.is_valid(row).then(|| {
                let id = ids.value(row);
                digits.write(id.unsigned_abs(), id < 0)
            }),
            Self::Unsigned(ids) => ids
                .is_valid(row)
                .then(|| digits.write(ids.value(row), false)),
        })
    }
}

impl Digits {
    fn write(&mut self, mut size: u64, is_negative: bool) -> &str {
        let mut at = self.0.len();
        loop {
            at -= 1;
            self.0[at] = b'0' + u8::try_from(size % 10).expect("a digit is under 10");
            size /= 10;
            if size == 0 {
                break;
            }
        }
        if is_negative {
            at -= 1;
            self.0[at] = b'-';
        }
        str::from_utf8(&self.0[at..]).expect("digits are ASCII")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int8Type;
    use arrow_array::{DictionaryArray, Int8Array};

    use super::*;

    #[test]
    fn integers_stand_for_their_digits() {
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
                Ids::new(&column).get(0, &mut Digits::default()),
                Ok(Some(text))
            );
        }
    }

    #[test]
    fn a_dictionary_without_values_is_null_in_every_row() {
        let keys = Int8Array::from(vec![None, None]);
        let values = StringArray::from(Vec::<&str>::new());
        let coded = DictionaryArray::<Int8Type>::try_new(keys, Arc::new(values)).unwrap();
        let column = TextColumn::new(&(Arc::new(coded) as ArrayRef));
        assert_eq!(column.get(1), Ok(None));
    }

    #[test]
    fn codes_are_read_through_their_dictionary() {
        let keys = Int8Array::from(vec![Some(1), None, Some(0), Some(2)]);
        let values = StringArray::from(vec![Some("a"), Some("b"), None]);
        let coded = DictionaryArray::<Int8Type>::try_new(keys, Arc::new(values)).unwrap();
        let column = TextColumn::new(&(Arc::new(coded) as ArrayRef));
        let read: Vec<_> = (0..4).map(|row| column.get(row).unwrap()).collect();
        assert_eq!(read, [Some("b"), None, Some("a"), None]);
    }

    #[test]
    fn bytes_that_are_no_text_are_told() {
        let column: ArrayRef = Arc::new(BinaryViewArray::from(vec![&b"a"[..], b"\xff"]));
        let texts = TextColumn::new(&column);
        assert_eq!(texts.get(0), Ok(Some("a")));
        assert_eq!(texts.get(1), Err(NotText));
    }
}
