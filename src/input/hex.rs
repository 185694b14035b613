//! Binary ids as text, and hexadecimal ids in one case: columns of ids before they are read.
//!
//! Converted once per batch, only where the options or the type of the column ask for it.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringViewArray};
use arrow_schema::DataType;

use super::ValueOptions;
use super::column::plain;
use super::options::folded;
use super::text_column::TextColumn;

/// Bytes of a UUID.
const UUID_BYTES: i32 = 16;

/// Whether a column holds binary values of one length.
pub(super) const fn is_fixed_binary(values: &DataType) -> bool {
    matches!(values, DataType::FixedSizeBinary(_))
}

/// Whether a column holds binary values of the length of a UUID.
pub(super) const fn is_uuid(values: &DataType) -> bool {
    matches!(values, DataType::FixedSizeBinary(UUID_BYTES))
}

/// The column of ids with its binary values as text and its hexadecimal ids in lower case, as `values` say.
pub(super) fn ids_as_text(column: ArrayRef, values: &ValueOptions) -> ArrayRef {
    let kind = match column.data_type() {
        DataType::Dictionary(_, values) => values,
        plain => plain,
    };
    match kind {
        DataType::FixedSizeBinary(_) => {
            let plain = plain(&column);
            let bytes = plain.as_fixed_size_binary();
            let write = if values.hex_binary_ids { hex } else { uuid };
            let texts =
                (0..bytes.len()).map(|row| bytes.is_valid(row).then(|| write(bytes.value(row))));
            Arc::new(texts.collect::<StringViewArray>())
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
            if values.hex_binary_ids =>
        {
            let plain = plain(&column);
            let write = |row| binary_value(&plain, row).map(hex);
            Arc::new((0..plain.len()).map(write).collect::<StringViewArray>())
        }
        _ if values.fold_hex_ids && TextColumn::can_read(kind) => {
            let texts = TextColumn::new(&column);
            let rows = 0..column.len();
            // Text that is not UTF-8 is left, and refused by row.
            let Ok(ids) = rows
                .map(|row| texts.get(row))
                .collect::<Result<Vec<_>, _>>()
            else {
                return column;
            };
            let fold = |id: Option<&str>| id.map(|id| folded(id).unwrap_or_else(|| id.to_owned()));
            Arc::new(ids.into_iter().map(fold).collect::<StringViewArray>())
        }
        _ => column,
    }
}

/// The bytes in `row` of a binary column without a dictionary; `None` if they are null.
pub(super) fn binary_value(column: &ArrayRef, row: usize) -> Option<&[u8]> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Binary => column.as_binary::<i32>().value(row),
        DataType::LargeBinary => column.as_binary::<i64>().value(row),
        DataType::BinaryView => column.as_binary_view().value(row),
        _ => column.as_fixed_size_binary().value(row),
    })
}

/// `0x` and the digits of `bytes`.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("0x");
    write_digits(bytes, &mut text);
    text
}

/// The digits of `bytes` in the groups of a UUID.
fn uuid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (group, range) in [0..4, 4..6, 6..8, 8..10, 10..16].into_iter().enumerate() {
        if group > 0 {
            text.push('-');
        }
        write_digits(&bytes[range], &mut text);
    }
    text
}

fn write_digits(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        write!(text, "{byte:02x}").expect("memory takes it");
    }
}
