//! How the fields of events are found in a file and read: one value for every command that reads files.
//!
//! Applied by the readers of each format ([`super::jsonl`], [`super::csv`], [`super::column_mapping`]); its
//! texts are parsed in [`super::mapping_text`]. The default reads our own columns in our own forms.

use std::borrow::Cow;
use std::sync::Arc;

use super::InputFormat;
use super::feeds::{BlockTimes, Feed, TokenDecimals, TokenKind};
use crate::core::{Delta, Micros, TimeError, TimeForm, Wad, WeightError};

/// The fields of an event, as columns and keys name them.
pub(super) const FIELDS: [&str; 14] = [
    "token_id",
    "holder_id",
    "start",
    "end",
    "weight",
    "event_id",
    "revision",
    "retract",
    "at",
    "delta",
    "seq",
    "from_id",
    "to_id",
    "amount",
];

/// The fields that may have one value for a whole file.
pub(super) const CONSTANT_FIELDS: [&str; 7] = [
    "token_id",
    "holder_id",
    "from_id",
    "to_id",
    "weight",
    "delta",
    "amount",
];

/// How files are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputOptions {
    /// The format of every source.
    pub format: InputFormat,
    /// What separates the cells of CSV; `None` means that it is found from the header.
    pub delimiter: Option<Delimiter>,
    /// Whether windows of zstd may be up to 2 GiB, for which so much memory is taken.
    pub long_windows: bool,
    /// Whether a last line or row of text without a line break is left out: more of it may follow. Documents
    /// of JSON have an end of their own.
    pub leaves_unfinished: bool,
    /// What the tokens of a known feed are; `None` means what the file says.
    pub token_kind: Option<TokenKind>,
    /// Where fields are found under other names than their own.
    pub columns: FieldSources,
    /// How values are read.
    pub values: ValueOptions,
}

impl InputOptions {
    /// Our own columns in our own forms.
    pub(super) const OWN: Self = Self {
        format: InputFormat::Auto,
        delimiter: None,
        long_windows: false,
        leaves_unfinished: false,
        token_kind: None,
        columns: FieldSources(Vec::new()),
        values: ValueOptions {
            times: TimeForm::STANDARD,
            decimals: 0,
            nulls: Vec::new(),
            fold_hex_ids: false,
            hex_binary_ids: false,
            blocks: None,
            token_decimals: None,
        },
    };

    /// The feed of a file with the columns that `names` gives: the one that is named, or the one that they
    /// give away, unless they are mapped.
    pub(super) fn feed_of(&self, names: impl FnOnce() -> Vec<String>) -> Option<Feed> {
        match self.format {
            InputFormat::Feed(feed) => Some(feed),
            _ if self.columns.has_token_alone() => Feed::of_columns(&names()),
            _ => None,
        }
    }
}

/// What may separate the cells of CSV.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delimiter {
    /// `,`
    #[default]
    Comma,
    /// `;`
    Semicolon,
    /// A tab.
    Tab,
    /// `|`
    Pipe,
}

impl Delimiter {
    /// All of them; of several that fit equally well the first is used.
    pub(super) const ALL: [Self; 4] = [Self::Comma, Self::Semicolon, Self::Tab, Self::Pipe];

    /// Its byte.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Pipe => b'|',
        }
    }

    /// As a mapping file names it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Comma => ",",
            Self::Semicolon => ";",
            Self::Tab => "tab",
            Self::Pipe => "|",
        }
    }

    /// The one that splits the first line of `head` into most cells.
    pub(super) fn of_header(head: &[u8]) -> Self {
        let mut counts = [0; 4];
        let mut is_quoted = false;
        // Blank lines before the header are skipped.
        let is_break = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        for byte in head.iter().skip_while(is_break) {
            match byte {
                b'"' => is_quoted = !is_quoted,
                b'\n' if !is_quoted => break,
                _ if is_quoted => {}
                _ => {
                    if let Some(index) = Self::ALL.iter().position(|one| one.byte() == *byte) {
                        counts[index] += 1;
                    }
                }
            }
        }
        let mut best = 0;
        for (index, count) in counts.iter().enumerate() {
            if *count > counts[best] {
                best = index;
            }
        }
        Self::ALL[best]
    }
}

/// Where a field comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldSource {
    /// The column or key of this name.
    Column(String),
    /// This text, in every row; without quotes, backslashes and control characters.
    Constant(String),
}

/// The sources of fields that are not found under their own names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSources(pub(super) Vec<(&'static str, Found)>);

/// Where a field is found, as the readers use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Column(String),
    /// A JSON string, which needs no escapes.
    Json(String),
}

impl FieldSources {
    /// The source of `field`; `None` means the column of its own name.
    pub(super) fn get(&self, field: &str) -> Option<&Found> {
        let found = self.0.iter().find(|(known, _)| *known == field);
        found.map(|(_, source)| source)
    }

    /// The column that `field` is read from; `None` if it has the same text in every row, or if the column of its
    /// own name is that of another field.
    pub(super) fn column<'a>(&'a self, field: &'a str) -> Option<&'a str> {
        match self.get(field) {
            None => (!self.is_taken(field)).then_some(field),
            Some(Found::Column(column)) => Some(column),
            Some(Found::Json(_)) => None,
        }
    }

    /// Whether a field is read from the column of this name because the user says so.
    fn is_taken(&self, name: &str) -> bool {
        let mut sources = self.0.iter();
        sources.any(|(_, source)| matches!(source, Found::Column(column) if column == name))
    }

    /// The text that `field` has in every row.
    pub(super) fn constant(&self, field: &str) -> Option<&str> {
        let quoted = self.json_constant(field)?;
        Some(&quoted[1..quoted.len() - 1])
    }

    /// The same as a JSON string.
    pub(super) fn json_constant(&self, field: &str) -> Option<&str> {
        match self.get(field) {
            Some(Found::Json(text)) => Some(text),
            None | Some(Found::Column(_)) => None,
        }
    }

    /// Each field that has a source of its own, in the order in which they were given.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, FieldSource)> {
        self.0.iter().map(|(field, source)| match source {
            Found::Column(column) => (*field, FieldSource::Column(column.clone())),
            Found::Json(text) => {
                let text = &text[1..text.len() - 1];
                (*field, FieldSource::Constant(text.to_owned()))
            }
        })
    }

    /// Whether `field` has a source of its own.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.get(field).is_some()
    }

    /// Reads another field from what one is read from; whether that has a source of its own.
    pub(crate) fn give_to(&mut self, field: &str, other: &'static str) -> bool {
        let source = self.0.iter_mut().find(|(known, _)| *known == field);
        source.map(|(known, _)| *known = other).is_some()
    }

    /// Each field with its column, or with its text in quotes.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(field, source)| match source {
            Found::Column(text) | Found::Json(text) => (*field, &**text),
        })
    }

    /// Whether no field has a source of its own, except that the token may be the same in every row.
    pub(super) fn has_token_alone(&self) -> bool {
        let is_token = |field: &str| field == "token_id" && self.constant(field).is_some();
        self.0.iter().all(|(field, _)| is_token(field))
    }

    /// Whether every field is found under its own name.
    pub(super) fn is_own(&self) -> bool {
        self.0.is_empty()
    }
}

/// How values are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueOptions {
    /// How times are written.
    pub times: TimeForm,
    /// Weights, deltas and amounts are counts of 10^-`decimals`.
    pub decimals: u8,
    /// Texts that mean that a value is absent.
    pub nulls: Vec<String>,
    /// Whether ids of `0x` and hexadecimal digits are brought to lower case.
    pub fold_hex_ids: bool,
    /// Whether binary columns of ids are read as `0x` and hexadecimal digits, not as text.
    pub hex_binary_ids: bool,
    /// The times of blocks, for files that have the numbers of blocks instead.
    pub blocks: Option<Arc<BlockTimes>>,
    /// The decimals of tokens, which replace `decimals`.
    pub token_decimals: Option<Arc<TokenDecimals>>,
}

impl ValueOptions {
    /// Whether `text` means that a value is absent.
    #[inline]
    pub(super) fn is_null(&self, text: &str) -> bool {
        !self.nulls.is_empty() && self.nulls.iter().any(|null| null == text)
    }

    /// An id as it counts.
    #[inline]
    pub(super) fn id<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        if self.fold_hex_ids
            && let Some(folded) = folded(&text)
        {
            return Cow::Owned(folded);
        }
        text
    }

    /// A cell of CSV as a time.
    #[inline]
    pub(super) fn time(&self, cell: &str) -> Result<Micros, TimeError> {
        match self.block_time(cell) {
            Some(read) => read,
            None => Micros::parse_cell_as(cell, self.times),
        }
    }

    /// The time of the block whose number `text` is; `None` if the times of blocks are not given, or if it is
    /// not a number.
    #[inline]
    pub(super) fn block_time(&self, text: &str) -> Option<Result<Micros, TimeError>> {
        self.blocks.as_ref()?.time_of_number(text)
    }

    /// The decimals of the amounts of `token`.
    #[inline]
    pub(super) fn decimals_of(&self, token: &str) -> Result<u8, WeightError> {
        let Some(listed) = &self.token_decimals else {
            return Ok(self.decimals);
        };
        let others = (self.decimals > 0).then_some(self.decimals);
        let known = listed.of(token).or(others);
        known.ok_or(WeightError::UnknownDecimals)
    }

    /// A weight or amount of `token`.
    #[inline]
    pub(super) fn wad(&self, text: &str, token: &str) -> Result<Wad, WeightError> {
        Wad::parse_units(text, self.decimals_of(token)?)
    }

    /// A delta of the balance of `token`.
    #[inline]
    pub(super) fn delta(&self, text: &str, token: &str) -> Result<Delta, WeightError> {
        Delta::parse_units(text, self.decimals_of(token)?)
    }
}

/// The lower case of a hexadecimal id; `None` if the text is another or in lower case already.
pub(super) fn folded(text: &str) -> Option<String> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))?;
    let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
    (is_hex && has_upper).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_that_splits_the_header_most() {
        for (head, expected) in [
            ("a,b;c\n;;;;", Delimiter::Comma),
            ("a;b;c,d\n", Delimiter::Semicolon),
            ("\"a,b,c\"|d\n", Delimiter::Pipe),
            ("a\tb", Delimiter::Tab),
            ("\r\n\na;b", Delimiter::Semicolon),
            ("one", Delimiter::Comma),
        ] {
            assert_eq!(Delimiter::of_header(head.as_bytes()), expected, "{head:?}");
        }
    }

    #[test]
    fn hexadecimal_ids_alone_are_folded() {
        assert_eq!(folded("0XAb").as_deref(), Some("0xab"));
        for text in ["0xab", "0x", "0xAG", "AB", "x0A"] {
            assert_eq!(folded(text), None, "{text}");
        }
    }
}
