//! How files are read, as a table of names and words: the `[input]` of a mapping file, and what Python passes on.
//!
//! Deserialized by its caller from TOML or JSON; the words for values are read in [`super::mapping_text`]. A manifest
//! records it with what is not the default, to read the same files again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::mapping_text::{delimiter, input_format, time_unit, token_kind};
use super::{BlockTimes, FieldSource, FieldSources, InputOptions, Source, TokenDecimals};
use crate::error_line::error_line;

/// The largest power of ten that amounts may be divided by; more than any amount of 256 bits needs.
pub(crate) const DECIMALS_MAX: u8 = 77;

/// The field of the token.
const TOKEN: &str = "token_id";

/// How binary columns of ids are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BinaryIds {
    /// As UTF-8 text; 16 bytes of fixed length as a UUID.
    Text,
    /// As `0x` and hexadecimal digits.
    Hex,
}

/// The table; what it leaves out is as in our own files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MappingTable {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input_format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) blocks: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decimals_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) columns: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time_unit: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) assume_utc: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decimals: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) null: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delimiter: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) fold_hex_ids: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) long: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) binary_ids: Option<BinaryIds>,
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

    /// The files that it names.
    pub(crate) fn lookups(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.blocks, &self.decimals_file].into_iter().flatten();
        files.map(PathBuf::as_path)
    }

    /// The same with these columns and texts of fields.
    pub(crate) fn with_columns(mut self, columns: &FieldSources) -> Self {
        for (field, text) in columns.texts() {
            self.columns.insert(field.to_owned(), text.into());
        }
        self
    }

    /// The same where `given` states nothing else; texts for absent values and switches are added.
    pub(crate) fn replaced_by(self, given: Self) -> Self {
        let is_token_given = given.token.is_some() || given.columns.contains_key(TOKEN);
        let (mut columns, mut token) = (self.columns, self.token);
        if is_token_given {
            columns.remove(TOKEN);
            token = None;
        }
        columns.extend(given.columns);
        Self {
            input_format: given.input_format.or(self.input_format),
            token_kind: given.token_kind.or(self.token_kind),
            blocks: given.blocks.or(self.blocks),
            decimals_file: given.decimals_file.or(self.decimals_file),
            columns,
            token: given.token.or(token),
            time_unit: given.time_unit.or(self.time_unit),
            assume_utc: given.assume_utc || self.assume_utc,
            decimals: given.decimals.or(self.decimals),
            null: [self.null, given.null].concat(),
            delimiter: given.delimiter.or(self.delimiter),
            fold_hex_ids: given.fold_hex_ids || self.fold_hex_ids,
            long: given.long || self.long,
            binary_ids: given.binary_ids.or(self.binary_ids),
        }
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
            options.columns.set(TOKEN, FieldSource::Constant(token))?;
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
