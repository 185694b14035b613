//! The command line that reads a file: the words that were given, and those of the options that were found.

use crate::input::mapping_text::unit_name;
use crate::input::{FieldSource, InputOptions};

/// The words of `score` for a file that was looked at with `given`, and is read with `found`.
pub(super) fn words(given: &InputOptions, found: &InputOptions) -> Vec<String> {
    let mut words = vec!["main_holdmetrics".to_owned(), "score".to_owned()];
    words.extend(given_words());
    words.extend(added_words(given, found));
    words
}

/// The options that are in `found` alone.
fn added_words(given: &InputOptions, found: &InputOptions) -> Vec<String> {
    let mut words = Vec::new();
    let mut option = |name: &str, value: Option<&str>| {
        words.push(name.to_owned());
        words.extend(value.map(str::to_owned));
    };
    let (mut mappings, mut token) = (Vec::new(), None);
    for (field, source) in found
        .columns
        .given()
        .filter(|(field, _)| !given.columns.has(field))
    {
        match source {
            FieldSource::Column(column) => mappings.push(format!("{field}={column}")),
            FieldSource::Constant(text) => token = Some(text),
        }
    }
    if !mappings.is_empty() {
        option("--columns", Some(&mappings.join(",")));
    }
    if let Some(token) = &token {
        option("--token", Some(token));
    }
    if found.format != given.format {
        option("--input-format", Some(found.format.name()));
    }
    if let Some(kind) = found.token_kind.filter(|_| given.token_kind.is_none()) {
        option("--token-kind", Some(kind.name()));
    }
    let (before, values) = (&given.values, &found.values);
    if values.times.unit != before.times.unit {
        option("--time-unit", Some(unit_name(values.times.unit)));
    }
    if values.times.assume_utc && !before.times.assume_utc {
        option("--assume-utc", None);
    }
    if values.decimals != before.decimals {
        option("--decimals", Some(&values.decimals.to_string()));
    }
    for word in &values.nulls[before.nulls.len()..] {
        if word.starts_with('-') {
            option(&format!("--null={word}"), None);
        } else {
            option("--null", Some(word));
        }
    }
    if values.fold_hex_ids && !before.fold_hex_ids {
        option("--fold-hex-ids", None);
    }
    words
}

/// The words of this command that `score` knows, too.
fn given_words() -> Vec<String> {
    // The name of a file need not be text.
    let mut words = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .skip(1)
        .skip_while(|word| word != "inspect")
        .skip(1);
    let mut given = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => {}
            "--rows" => {
                words.next();
            }
            _ if word.starts_with("--rows=") => {}
            _ => given.push(word),
        }
    }
    given
}

/// A word as a shell takes it.
pub(super) fn in_shell(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:=,-".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
