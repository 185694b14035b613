//! How files are read, as a table of names and words: the `[input]` of a mapping file, and what Python passes on.
//!
//! Deserialized by its caller from TOML or JSON; the words for values are read in [`super::mapping_text`].

use serde::Deserialize;

use super::mapping_text::{delimiter, input_format, time_unit};
use super::{FieldSource, InputOptions};

/// The largest power of ten that amounts may be divided by; more than any amount of 256 bits needs.
pub(crate) const DECIMALS_MAX: u8 = 77;

/// How binary columns of ids are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BinaryIds {
    /// As UTF-8 text; 16 bytes of fixed length as a UUID.
    Text,
    /// As `0x` and hexadecimal digits.
    Hex,
}

/// The table; what it leaves out is as in our own files.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MappingTable {
    input_format: Option<String>,
    columns: toml::Table,
    token: Option<String>,
    time_unit: Option<String>,
    assume_utc: bool,
    decimals: Option<u8>,
    null: Vec<String>,
    delimiter: Option<String>,
    fold_hex_ids: bool,
    binary_ids: Option<BinaryIds>,
}

impl MappingTable {
    /// The options that the table states.
    ///
    /// # Errors
    /// One line that names the key whose value cannot be read.
    pub(crate) fn options(self) -> Result<InputOptions, String> {
        let mut options = InputOptions::default();
        for (field, column) in &self.columns {
            let column = column
                .as_str()
                .ok_or_else(|| format!("columns.{field}: write the name of a column in quotes"))?;
            let text = column
                .strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'));
            let source = match text {
                Some(text) => FieldSource::Constant(text.to_owned()),
                None => FieldSource::Column(column.to_owned()),
            };
            options.columns.set(field, source)?;
        }
        if let Some(token) = self.token {
            options
                .columns
                .set("token_id", FieldSource::Constant(token))?;
        }
        if let Some(format) = self.input_format {
            options.format = input_format(&format)?;
        }
        options.delimiter = self.delimiter.as_deref().map(delimiter).transpose()?;
        let values = &mut options.values;
        if let Some(unit) = self.time_unit {
            values.times.unit = time_unit(&unit)?;
        }
        values.times.assume_utc = self.assume_utc;
        values.decimals = match self.decimals {
            None => 0,
            Some(decimals) if decimals <= DECIMALS_MAX => decimals,
            Some(decimals) => {
                return Err(format!("decimals: {decimals} is above {DECIMALS_MAX}"));
            }
        };
        values.nulls = self.null;
        values.fold_hex_ids = self.fold_hex_ids;
        values.hex_binary_ids = self.binary_ids == Some(BinaryIds::Hex);
        Ok(options)
    }
}
