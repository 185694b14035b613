//! The types of columns in the words of those who have the files: a refusal says "text", not `Utf8View`.
//!
//! The Python package has the same words, in `type_words`.

use std::borrow::Cow;

use arrow_schema::DataType;

/// What a column of this type holds.
pub(super) fn type_words(kind: &DataType) -> Cow<'static, str> {
    Cow::Borrowed(match kind {
        DataType::Null => "null",
        DataType::Boolean => "boolean",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "binary",
        DataType::FixedSizeBinary(bytes) => return Cow::Owned(format!("binary of {bytes} bytes")),
        DataType::Timestamp(..) => "timestamp",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time of day",
        DataType::Duration(_) => "duration",
        DataType::Interval(_) => "interval",
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::FixedSizeList(..) => "list",
        DataType::Struct(_) => "struct",
        DataType::Map(..) => "map",
        DataType::Union(..) => "union",
        DataType::Dictionary(_, values) => return type_words(values),
        DataType::RunEndEncoded(_, values) => return type_words(values.data_type()),
        kind if kind.is_integer() => "integer",
        kind if kind.is_floating() => "double",
        _ => "decimal",
    })
}
