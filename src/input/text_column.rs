//! Columns of texts, brought to a few Arrow types once per batch.
//!
//! Rows are then read without matching on Arrow types and without an allocation.

use std::sync::Arc;

#[cfg(any(feature = "py-embed", feature = "py-ext"))]
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, LargeStringArray, StringArray, StringViewArray,
};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
#[cfg(any(feature = "py-embed", feature = "py-ext"))]
use arrow_schema::{Field, Schema};
use arrow_select::nullif::nullif;

use super::ValueOptions;
use super::column::{is_null, plain};

/// The bytes of a text column are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotText;

/// Texts without a dictionary, each at its row.
enum Texts {
    /// In dictionaries alone.
    Utf8(StringArray),
    /// In dictionaries alone.
    LargeUtf8(LargeStringArray),
    View(StringViewArray),
    /// As some writers store text; checked row by row.
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
    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Utf8(texts) => texts.is_null(row),
            Self::LargeUtf8(texts) => texts.is_null(row),
            Self::View(texts) => texts.is_null(row),
            Self::Binary(bytes) => bytes.is_null(row),
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

/// A text in every one of so many rows.
pub(super) fn repeated(text: &str, rows: usize) -> ArrayRef {
    let texts: StringViewArray = std::iter::repeat_n(Some(text), rows).collect();
    Arc::new(texts)
}

/// The column, its texts that mean an absent value null.
pub(super) fn without_null_words(column: &ArrayRef, values: &ValueOptions) -> ArrayRef {
    let kind = match column.data_type() {
        DataType::Dictionary(_, values) => values,
        plain => plain,
    };
    if values.nulls.is_empty() || !TextColumn::can_read(kind) {
        return Arc::clone(column);
    }
    let texts = TextColumn::new(column);
    let is_null = |row| matches!(texts.get(row), Ok(Some(text)) if values.is_null(text));
    let mask: BooleanArray = (0..column.len()).map(|row| Some(is_null(row))).collect();
    nullif(column, &mask).expect("the mask has the length of its column")
}

/// The texts as views of the same bytes; any other column as it is.
fn as_views(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8 => Arc::new(StringViewArray::from(column.as_string::<i32>())),
        DataType::LargeUtf8 => Arc::new(StringViewArray::from(column.as_string::<i64>())),
        _ => Arc::clone(column),
    }
}

/// The batch, the texts of its dictionaries as views, so that rows can be views of them, too.
#[cfg(any(feature = "py-embed", feature = "py-ext"))]
pub(super) fn with_views_in_dictionaries(batch: &RecordBatch) -> RecordBatch {
    let columns = batch.columns().iter().map(|column| {
        column.as_any_dictionary_opt().map_or_else(
            || Arc::clone(column),
            |dictionary| dictionary.with_values(as_views(dictionary.values())),
        )
    });
    let columns: Vec<_> = columns.collect();
    let fields = batch.schema_ref().fields().iter().zip(&columns);
    let fields = fields
        .map(|(field, column)| Field::clone(field).with_data_type(column.data_type().clone()));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns).expect("columns of the same lengths as before")
}

/// A column of text, plain or dictionary-encoded.
pub(super) struct TextColumn(Encoding);

enum Encoding {
    Plain(Texts),
    Dictionary {
        keys: Vec<usize>,
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
        Self(match column.as_any_dictionary_opt() {
            Some(dictionary) if *dictionary.values().data_type() == DataType::Utf8View => {
                Encoding::Plain(Texts::new(&plain(column)))
            }
            Some(dictionary) => Encoding::Dictionary {
                // Without values every row is null, and `normalized_keys` would panic.
                keys: if dictionary.values().is_empty() {
                    Vec::new()
                } else {
                    dictionary.normalized_keys()
                },
                nulls: dictionary.keys().nulls().cloned(),
                values: Texts::new(dictionary.values()),
            },
            None => Encoding::Plain(Texts::new(&as_views(column))),
        })
    }

    /// The texts as an array, some of them null, if they are neither bytes nor words of a large dictionary.
    pub(super) const fn views(&self) -> Option<&StringViewArray> {
        match &self.0 {
            Encoding::Plain(Texts::View(texts)) => Some(texts),
            Encoding::Plain(_) | Encoding::Dictionary { .. } => None,
        }
    }

    /// Whether the text in `row` is null.
    #[inline]
    pub(super) fn is_absent(&self, row: usize) -> bool {
        match &self.0 {
            Encoding::Plain(texts) => texts.is_null(row),
            Encoding::Dictionary {
                keys,
                nulls,
                values,
            } => is_null(nulls.as_ref(), row) || values.is_null(keys[row]),
        }
    }

    #[inline]
    pub(super) fn get(&self, row: usize) -> Result<Option<&str>, NotText> {
        match &self.0 {
            Encoding::Plain(texts) => texts.get(row),
            Encoding::Dictionary {
                keys,
                nulls,
                values,
            } => {
                if is_null(nulls.as_ref(), row) {
                    Ok(None)
                } else {
                    values.get(keys[row])
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int8Type;
    use arrow_array::{DictionaryArray, Int8Array};

    use super::*;

    #[test]
    fn a_dictionary_without_values_is_null_in_every_row() {
        let keys = Int8Array::from(vec![None, None]);
        let values = StringArray::from(Vec::<&str>::new());
        let dictionary = DictionaryArray::<Int8Type>::try_new(keys, Arc::new(values)).unwrap();
        let column = TextColumn::new(&(Arc::new(dictionary) as ArrayRef));
        assert_eq!(column.get(1), Ok(None));
        assert!(column.is_absent(1));
    }

    #[test]
    fn keys_are_resolved_by_their_dictionary() {
        let keys = Int8Array::from(vec![Some(1), None, Some(0), Some(2)]);
        let values = StringArray::from(vec![Some("a"), Some("b"), None]);
        let dictionary = DictionaryArray::<Int8Type>::try_new(keys, Arc::new(values)).unwrap();
        let column = TextColumn::new(&(Arc::new(dictionary) as ArrayRef));
        let read: Vec<_> = (0..4).map(|row| column.get(row).unwrap()).collect();
        assert_eq!(read, [Some("b"), None, Some("a"), None]);
        let absent: Vec<_> = (0..4).map(|row| column.is_absent(row)).collect();
        assert_eq!(absent, [false, true, false, true]);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_an_error() {
        let column: ArrayRef = Arc::new(BinaryViewArray::from(vec![&b"a"[..], b"\xff"]));
        let texts = TextColumn::new(&column);
        assert_eq!(texts.get(0), Ok(Some("a")));
        assert_eq!(texts.get(1), Err(NotText));
    }
}
