//! The columns and keys of a file that no field is read from: near misses are refused, the others are listed.
//!
//! A column whose name differs from that of a field only by case, blanks and punctuation, or that is a usual
//! name of a field which the file lacks, would silently change every score. Its twin is `unknown_columns` of the
//! Python package. Which columns are read is decided in [`super::csv`], [`super::column_mapping`] and
//! [`super::jsonl`].

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::FieldSources;
use super::options::FIELDS;
use crate::core::{Addressed, Audience};
use crate::excerpt::{literal, quoted};

/// Names that are listed; objects may have any number of keys.
const LISTED_MAX: usize = 100;

/// Usual names of fields, in lower case and without punctuation, and what a file has if they are meant so.
const ALIASES: [(&str, Context, &[&str]); 9] = [
    (
        "token_id",
        Context::Any,
        &[
            "token",
            "asset",
            "assetid",
            "tokenaddress",
            "contractaddress",
        ],
    ),
    (
        "holder_id",
        Context::NoParty,
        &[
            "holder",
            "owner",
            "ownerid",
            "user",
            "userid",
            "wallet",
            "account",
            "accountid",
            "address",
            "customer",
            "customerid",
        ],
    ),
    (
        "start",
        Context::Hold,
        &[
            "starttime",
            "startat",
            "startdate",
            "startts",
            "starttimestamp",
            "started",
            "startedat",
            "startsat",
            "startus",
            "startms",
            "begin",
            "beginat",
            "begintime",
            "beginsat",
            "beganat",
            "validfrom",
            "heldfrom",
        ],
    ),
    (
        "end",
        Context::Hold,
        &[
            "endtime",
            "endat",
            "enddate",
            "endts",
            "endtimestamp",
            "ended",
            "endedat",
            "endsat",
            "endus",
            "endms",
            "finish",
            "finishtime",
            "finishedat",
            "stop",
            "stoptime",
            "stoppedat",
            "until",
            "validto",
            "validuntil",
            "helduntil",
        ],
    ),
    (
        "weight",
        Context::Hold,
        &[
            "weights", "balance", "quantity", "qty", "shares", "units", "stake",
        ],
    ),
    ("at", Context::Any, &["atus", "atms", "attime"]),
    (
        "from_id",
        Context::NoHolder,
        &["from", "fromaddress", "sender"],
    ),
    (
        "to_id",
        Context::NoHolder,
        &["to", "toaddress", "receiver", "recipient"],
    ),
    (
        "amount",
        Context::NoHolder,
        &["amounts", "value", "quantity", "qty"],
    ),
];

/// What else a file has, if a usual name stands for a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Context {
    Any,
    /// Times of holds, and no time of a change.
    Hold,
    /// Neither a sender nor a receiver.
    NoParty,
    /// No holder.
    NoHolder,
}

/// A column that is probably meant for a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// Its name in the file.
    pub column: String,
    /// The field.
    pub field: &'static str,
}

impl Addressed for NearMiss {
    fn write_to(&self, audience: Audience, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (column, field) = (quoted(&self.column), self.field);
        write!(out, "{column}: did you mean {field}? rename it")?;
        match (audience, assignment(field, &self.column)) {
            (Audience::Files, Some(words)) => write!(out, ", or say --columns {words}"),
            (Audience::Files, None) => write!(out, ", or map it in a file of --mapping"),
            (Audience::Service, _) => Ok(()),
        }
    }
}

impl fmt::Display for NearMiss {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(Audience::Files, out)
    }
}

/// The argument of `--columns` as a shell takes it; `None` if the option cannot have this column.
fn assignment(field: &str, column: &str) -> Option<String> {
    if column.starts_with('"') || column.contains([',', '\'']) || literal(column) != column {
        return None;
    }
    let is_plain = |letter: char| letter.is_alphanumeric() || "_-./".contains(letter);
    if column.chars().all(is_plain) {
        Some(format!("{field}={column}"))
    } else {
        Some(format!("'{field}={column}'"))
    }
}

/// What a name that is not that of a field may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    /// No field.
    Other,
    /// The field of this index in `FIELDS`: the names differ by case, blanks and punctuation alone.
    Spelling(usize),
    /// The fields of these entries of `ALIASES`, one bit for each.
    Aliases(u16),
}

impl Likeness {
    /// Of a column from which nothing is read.
    pub(super) fn of(column: &str, sources: &FieldSources) -> Self {
        let plain = plain(column);
        let is_free = |field: &str| sources.get(field).is_none();
        let spelling = FIELDS
            .iter()
            .position(|field| is_free(field) && plain_equals(field, &plain));
        if let Some(field) = spelling {
            return Self::Spelling(field);
        }
        let is_alias = |(field, _, names): &(&str, Context, &[&str])| {
            is_free(field) && names.contains(&plain.as_str())
        };
        let aliases = ALIASES
            .iter()
            .enumerate()
            .filter(|(_, alias)| is_alias(alias));
        match aliases.fold(0, |mask, (index, _)| mask | 1 << index) {
            0 => Self::Other,
            mask => Self::Aliases(mask),
        }
    }

    /// The field that is probably meant, if `has` says of each field whether the file has it.
    pub(super) fn field(self, has: impl Fn(&str) -> bool) -> Option<&'static str> {
        match self {
            Self::Other => None,
            Self::Spelling(field) => Some(FIELDS[field]),
            Self::Aliases(mask) => {
                let has_party = has("from_id") || has("to_id");
                let fits = |context| match context {
                    Context::Any => true,
                    Context::Hold => !has("at") && !has("delta") && !has_party,
                    Context::NoParty => !has_party,
                    Context::NoHolder => !has("holder_id"),
                };
                let meant = (0..ALIASES.len())
                    .filter(|index| mask & 1 << index != 0)
                    .map(|index| ALIASES[index])
                    .find(|(field, context, _)| fits(*context) && !has(field));
                meant.map(|(field, _, _)| field)
            }
        }
    }
}

/// The names of `columns` from which nothing is read; `is_read` says it of an index, and `has` of each field
/// whether the file has it.
///
/// # Errors
/// The first of them that is probably meant for a field.
pub(super) fn ignored<'a>(
    columns: impl Iterator<Item = &'a str>,
    is_read: impl Fn(usize) -> bool,
    has: impl Fn(&str) -> bool,
    sources: &FieldSources,
) -> Result<Vec<&'a str>, NearMiss> {
    let unread = columns.enumerate().filter(|(index, _)| !is_read(*index));
    let check = |(_, column): (usize, &'a str)| match Likeness::of(column, sources).field(&has) {
        None => Ok(column),
        Some(field) => Err(NearMiss {
            column: column.to_owned(),
            field,
        }),
    };
    unread.map(check).collect()
}

/// The columns that were ignored in all sources.
#[derive(Debug, Default)]
pub struct IgnoredColumns(Mutex<BTreeSet<String>>);

impl IgnoredColumns {
    pub(super) fn add<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if known.len() < LISTED_MAX && !known.contains(name) {
                known.insert(name.to_owned());
            }
        }
    }

    /// Their names in order, at most a hundred.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().cloned().collect()
    }
}

/// One line about ignored columns; `None` if there are none of them.
#[must_use]
pub fn ignored_columns_line(names: &[String]) -> Option<String> {
    let shown: Vec<_> = names.iter().map(|name| shown(name)).collect();
    (!names.is_empty()).then(|| {
        format!(
            "ignored columns: {} (--columns FIELD=COLUMN reads a field from a column)",
            shown.join(", ")
        )
    })
}

fn shown(name: &str) -> String {
    if name.trim() == name && !name.is_empty() && !name.contains(',') {
        literal(name)
    } else {
        quoted(name)
    }
}

/// The letters and digits of a name in lower case.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

fn plain_equals(field: &str, plain: &str) -> bool {
    field.bytes().filter(|byte| *byte != b'_').eq(plain.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(columns: &[&str]) -> Result<Vec<String>, String> {
        let is_field = |name: &str| FIELDS.contains(&name);
        let names = ignored(
            columns.iter().copied(),
            |index| is_field(columns[index]),
            |field| columns.contains(&field),
            &FieldSources::default(),
        );
        names
            .map(|names| names.into_iter().map(str::to_owned).collect())
            .map_err(|near| near.to_string())
    }

    #[test]
    fn a_column_that_is_probably_meant_for_a_field_is_refused() {
        for (columns, field) in [
            (&["token_id", "holder_id", "start", "End"][..], "end"),
            (
                &["token_id", "holder_id", "start", "end", " weight\t"],
                "weight",
            ),
            (&["token_id", "HolderId", "start"], "holder_id"),
            (&["Token ID", "holder_id", "start"], "token_id"),
            (&["token_id", "holder_id", "start", "end_time"], "end"),
            (&["token_id", "holder_id", "startedAt", "end"], "start"),
            (&["token_id", "holder_id", "start", "qty"], "weight"),
            (&["token_id", "user", "start"], "holder_id"),
            (&["token_id", "from", "to_id", "at", "amount"], "from_id"),
            (&["token_id", "from_id", "to_id", "at", "value"], "amount"),
            (&["token_id", "holder_id", "start", "START", "x"], "start"),
        ] {
            let refused = check(columns).unwrap_err();
            let expected = format!("did you mean {field}? ");
            assert!(refused.contains(&expected), "{columns:?}: {refused}");
        }
    }

    #[test]
    fn the_cure_can_be_typed_whatever_the_column_is_called() {
        let miss = |column: &str| {
            let near = NearMiss {
                column: column.to_owned(),
                field: "end",
            };
            near.to_string()
        };
        let long = format!("end{}", " ".repeat(40));
        for (column, cure) in [
            ("End", "or say --columns end=End"),
            ("end ", "or say --columns 'end=end '"),
            ("end $", "or say --columns 'end=end $'"),
            ("end,", "or map it in a file of --mapping"),
            ("'end'", "or map it in a file of --mapping"),
            ("end\t", "or map it in a file of --mapping"),
            (&long, "or map it in a file of --mapping"),
        ] {
            let text = miss(column);
            assert!(text.ends_with(cure), "{text}");
        }
    }

    #[test]
    fn every_other_column_is_ignored_by_name() {
        for (columns, expected) in [
            (
                &["token_id", "holder_id", "start", "note", "note"][..],
                &["note", "note"][..],
            ),
            (
                &["token_id", "holder_id", "at", "delta", "end_time", "stake"],
                &["end_time", "stake"],
            ),
            (
                &["token_id", "from_id", "to_id", "at", "amount", "user"],
                &["user"],
            ),
            (
                &[
                    "token_id",
                    "holder_id",
                    "start",
                    "weight",
                    "balance",
                    "from",
                ],
                &["balance", "from"],
            ),
            (
                &["token_id", "holder_id", "start", "weight", "wait", ""],
                &["wait", ""],
            ),
        ] {
            assert_eq!(check(columns).unwrap(), expected, "{columns:?}");
        }
    }

    #[test]
    fn a_field_that_the_options_name_has_no_near_misses() {
        let mut sources = FieldSources::default();
        sources.assign("end=finish,weight=\"1\"").unwrap();
        assert_eq!(Likeness::of("End", &sources), Likeness::Other);
        let field = Likeness::of("qty", &sources).field(|field| field == "holder_id");
        assert_eq!(field, None);
        assert_ne!(Likeness::of("Start", &sources), Likeness::Other);
    }

    #[test]
    fn ignored_columns_are_one_line() {
        let ignored = IgnoredColumns::default();
        assert_eq!(ignored_columns_line(&ignored.names()), None);
        ignored.add(["b", "a ", "a", "b"]);
        assert_eq!(
            ignored_columns_line(&ignored.names()).unwrap(),
            "ignored columns: a, \"a \", b (--columns FIELD=COLUMN reads a field from a column)"
        );
    }
}
