//! How files are read, as a table of names and words: the `[input]` of a mapping file, and what Python passes on.
//!
//! Deserialized by its caller from TOML or JSON; the words for values are read in [`super::mapping_text`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::mapping_text::{delimiter, input_format, time_unit, token_kind};
use super::{BlockTimes, FieldSource, InputOptions, Source, TokenDecimals};
use crate::error_line::error_line;

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
    token_kind: Option<String>,
    blocks: Option<PathBuf>,
    decimals_file: Option<PathBuf>,
    columns: toml::Table,
    token: Option<String>,
    time_unit: Option<String>,
    assume_utc: bool,
    decimals: Option<u8>,
    null: Vec<String>,
    delimiter: Option<String>,
    fold_hex_ids: bool,
    long: bool,
    binary_ids: Option<BinaryIds>,
}

impl MappingTable {
    /// The same with the files that it names in `folder`.
    pub(crate) fn beside(mut self, folder: &Path) -> Self {
        for path in [&mut self.blocks, &mut self.decimals_file]
            .into_iter()
            .flatten()
        {
            *path = folder.join(&*path);
        }
        self
    }

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
        options.token_kind = self.token_kind.as_deref().map(token_kind).transpose()?;
        options.long_windows = self.long;
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
        if let Some(path) = self.blocks {
            let times = BlockTimes::read(&Source::from(path));
            let times = times.map_err(|error| format!("blocks: {}", error_line(&error)))?;
            values.blocks = Some(Arc::new(times));
        }
        if let Some(path) = self.decimals_file {
            let listed = TokenDecimals::read(&Source::from(path));
            let listed =
                listed.map_err(|error| format!("decimals_file: {}", error_line(&error)))?;
            values.token_decimals = Some(Arc::new(listed));
        }
        values.nulls = self.null;
        values.fold_hex_ids = self.fold_hex_ids;
        values.hex_binary_ids = self.binary_ids == Some(BinaryIds::Hex);
        Ok(options)
    }
}
