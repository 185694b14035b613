//! The options that a file needs to be read, found from why it was not.
//!
//! Each is added at most once, so that the search ends. What only the user can know (the times of blocks, the
//! decimals of a token that are not 18) is left to the message of the refusal.

use super::survey::Survey;
use crate::core::{Refusal, TimeError, TimeUnit, WeightError};
use crate::input::{
    Feed, FieldSource, InputError, InputFormat, InputOptions, NearMiss, RefusalReason, Source,
    TokenKind,
};
use crate::output::WarningCode;

/// Fields, and the columns that often stand for them beside those that are near misses.
const ALIASES: [(&str, &[&str]); 5] = [
    (
        "token_id",
        &["plan", "plan_id", "product", "symbol", "pool", "contract"],
    ),
    ("start", &["opened_at"]),
    ("end", &["closed_at"]),
    ("weight", &["seats"]),
    ("event_id", &["subscription_id", "session_id", "id"]),
];

/// Adds to `options` what the file needs next, and returns that as words of the command line; `None` if it is read,
/// or if there is nothing to add.
pub(super) fn cured(
    source: &Source,
    sample: &Result<Survey, InputError>,
    options: &mut InputOptions,
) -> Option<Vec<String>> {
    let values = &mut options.values;
    match sample {
        Err(InputError::Feed { .. }) if options.token_kind.is_none() => {
            options.token_kind = Some(TokenKind::Erc20);
            Some(words(&["--token-kind", "erc20"]))
        }
        Err(InputError::NearMiss { near, .. }) if options.format == InputFormat::Auto => {
            renamed(near, options)
        }
        Err(InputError::MissingColumn { columns, .. }) if options.format == InputFormat::Auto => {
            mapped(source, columns, options)
        }
        Err(_) => None,
        Ok(survey) => {
            let refusal = match &survey.refused {
                Some((_, RefusalReason::Refused { refusal, .. })) => Some(refusal),
                Some((_, RefusalReason::NearMiss(near))) if options.format == InputFormat::Auto => {
                    return renamed(near, options);
                }
                _ => None,
            };
            match refusal {
                Some(Refusal::Time(_, TimeError::NoOffset | TimeError::DateAlone))
                    if !values.times.assume_utc =>
                {
                    values.times.assume_utc = true;
                    Some(words(&["--assume-utc"]))
                }
                Some(Refusal::Decimal(_, WeightError::TooLarge)) if values.decimals == 0 => {
                    values.decimals = 18;
                    Some(words(&["--decimals", "18"]))
                }
                Some(Refusal::Time(_, TimeError::OtherUnit(unit)))
                    if values.times.unit == TimeUnit::Millis =>
                {
                    values.times.unit = *unit;
                    Some(words(&["--time-unit", unit.symbol()]))
                }
                _ if survey.has_warning(WarningCode::EpochSeconds)
                    && values.times.unit == TimeUnit::Millis
                    && !matches!(options.format, InputFormat::Feed(_)) =>
                {
                    values.times.unit = TimeUnit::Seconds;
                    Some(words(&["--time-unit", "s"]))
                }
                _ if survey.has_hex_spellings() && !values.fold_hex_ids => {
                    values.fold_hex_ids = true;
                    Some(words(&["--fold-hex-ids"]))
                }
                _ => None,
            }
        }
    }
}

/// Maps the column that is meant for a field; one of a sender or receiver is that of a table of transfers.
fn renamed(near: &NearMiss, options: &mut InputOptions) -> Option<Vec<String>> {
    if matches!(near.field, "from_id" | "to_id") {
        options.format = InputFormat::Feed(Feed::Transfers);
        return Some(words(&["--input-format", "transfers"]));
    }
    let column = FieldSource::Column(near.column.clone());
    options.columns.set(near.field, column).ok()?;
    let assignment = format!("{}={}", near.field, near.column);
    Some(vec!["--columns".to_owned(), assignment])
}

/// Maps columns under other names, and names the token after the file if it has none; `None` if that changes
/// nothing.
fn mapped(source: &Source, columns: &[String], options: &mut InputOptions) -> Option<Vec<String>> {
    let has = |name: &str| columns.iter().any(|known| known == name);
    let mut assignments = Vec::new();
    let mut found = options.columns.clone();
    for (field, aliases) in ALIASES {
        if has(field) {
            continue;
        }
        // A field that has its column already is left as it is.
        if let Some(alias) = aliases.iter().find(|alias| has(alias))
            && found
                .set(field, FieldSource::Column((*alias).to_owned()))
                .is_ok()
        {
            assignments.push(format!("{field}={alias}"));
        }
    }
    let mut added = Vec::new();
    if !assignments.is_empty() {
        added.extend(["--columns".to_owned(), assignments.join(",")]);
    }
    let token = source.name().to_string();
    let constant = FieldSource::Constant(token.clone());
    if !has("token_id") && found.set("token_id", constant).is_ok() {
        added.extend(["--token".to_owned(), token]);
    }
    options.columns = found;
    (!added.is_empty()).then_some(added)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
