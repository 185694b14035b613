//! The options that a file needs to be read, found from why it was not.
//!
//! Each is added at most once, so that the search ends. What only the user can know (the times of blocks, the
//! decimals of a token that are not 18) is left to the message of the refusal. [`super::command`] writes them as words.

use super::survey::Survey;
use crate::core::{LikelyCause, Refusal, TimeError, TimeUnit, WeightError};
use crate::input::{
    Feed, FieldSource, InputError, InputFormat, InputOptions, NearMiss, RefusalReason, Source,
    TokenKind,
};
use crate::output::WarningCode;

/// Fields, and the columns that often stand for them beside those that are near misses.
const ALIASES: [(&str, &[&str]); 5] = [
    (
        "token_id",
        &[
            "plan", "plan_id", "product", "symbol", "pool", "poolId", "pool_id", "contract",
        ],
    ),
    ("start", &["opened_at"]),
    ("end", &["closed_at"]),
    ("weight", &["seats"]),
    ("event_id", &["subscription_id", "session_id", "id"]),
];

/// Usual names of the one time that a row has, in lower case and without punctuation.
const TIMES: [&str; 8] = [
    "timestamp",
    "blocktimestamp",
    "blocktime",
    "unixtimestamp",
    "datetime",
    "time",
    "date",
    "createdat",
];
/// The same of what tells rows apart.
const IDS: [&str; 7] = [
    "eventid",
    "uniqueid",
    "transactionhash",
    "txhash",
    "txid",
    "hash",
    "id",
];
/// The same of amounts that come or go.
const AMOUNTS: [&str; 4] = ["amount", "value", "quantity", "qty"];
/// The same of what a holder has from a time on.
const LEVELS: [&str; 2] = ["weight", "balance"];

/// Adds to `options` what the file needs next; whether there was something to add.
pub(super) fn is_cured(
    source: &Source,
    sample: &Result<Survey, InputError>,
    options: &mut InputOptions,
) -> bool {
    match sample {
        Err(InputError::Feed { .. }) if options.token_kind.is_none() => {
            options.token_kind = Some(TokenKind::Erc20);
            true
        }
        Err(InputError::NearMiss { near, .. }) if options.format == InputFormat::Auto => {
            is_renamed(near, options)
        }
        Err(InputError::MissingColumn { columns, .. }) if options.format == InputFormat::Auto => {
            is_mapped(source, columns, options) || is_timed(columns, options)
        }
        Err(InputError::ColumnType { found, .. }) if found == "date" => {
            !std::mem::replace(&mut options.values.times.assume_utc, true)
        }
        Err(_) => false,
        Ok(survey) => match &survey.refused {
            Some((_, RefusalReason::NearMiss(near))) if options.format == InputFormat::Auto => {
                is_renamed(near, options)
            }
            Some((_, RefusalReason::Refused { refusal, found })) => {
                is_read_otherwise(*refusal, found.as_deref(), options)
                    || is_suspect_cured(survey, options)
            }
            _ => is_suspect_cured(survey, options),
        },
    }
}

/// Reads values in another form, because of a refusal.
fn is_read_otherwise(refusal: Refusal, found: Option<&str>, options: &mut InputOptions) -> bool {
    let values = &mut options.values;
    match refusal {
        Refusal::Time(_, TimeError::NoOffset | TimeError::DateAlone) => {
            !std::mem::replace(&mut values.times.assume_utc, true)
        }
        Refusal::Decimal(_, WeightError::TooLarge) if values.decimals == 0 => {
            values.decimals = 18;
            true
        }
        Refusal::Time(_, TimeError::OtherUnit(unit)) if values.times.unit == TimeUnit::Millis => {
            values.times.unit = unit;
            true
        }
        Refusal::Time(_, TimeError::Recognized(cause))
        | Refusal::Decimal(_, WeightError::Recognized(cause))
            if matches!(
                cause,
                LikelyCause::NullWord | LikelyCause::Infinity | LikelyCause::ZeroDate
            ) =>
        {
            // The escapes of these words are those of JSON.
            let word = found.and_then(|text| serde_json::from_str::<String>(text).ok());
            let word = word.filter(|word| !values.nulls.contains(word));
            let is_new = word.is_some();
            values.nulls.extend(word);
            is_new
        }
        _ => false,
    }
}

/// Adds what a warning asks for.
fn is_suspect_cured(survey: &Survey, options: &mut InputOptions) -> bool {
    let values = &mut options.values;
    if survey.has_warning(WarningCode::EpochSeconds)
        && values.times.unit == TimeUnit::Millis
        && !matches!(options.format, InputFormat::Feed(_))
    {
        values.times.unit = TimeUnit::Seconds;
        return true;
    }
    survey.has_hex_spellings() && !std::mem::replace(&mut values.fold_hex_ids, true)
}

/// Maps the column that is meant for a field; one of a sender or receiver is that of a table of transfers.
fn is_renamed(near: &NearMiss, options: &mut InputOptions) -> bool {
    if matches!(near.field, "from_id" | "to_id") {
        options.format = InputFormat::Feed(Feed::Transfers);
        return true;
    }
    // What `--columns` cannot name stays refused; the refusal names the mapping file.
    let can_be_named = !near.column.contains(',') && !near.column.starts_with('"');
    let column = FieldSource::Column(near.column.clone());
    can_be_named && options.columns.set(near.field, column).is_ok()
}

/// Maps columns under other names, and names the token after the file if it has none; whether that changes anything.
fn is_mapped(source: &Source, columns: &[String], options: &mut InputOptions) -> bool {
    let has = |name: &str| columns.iter().any(|known| known == name);
    let mut is_changed = false;
    for (field, aliases) in ALIASES {
        if has(field) {
            continue;
        }
        // A field that has its column already is left as it is.
        if let Some(alias) = aliases.iter().find(|alias| has(alias)) {
            let column = FieldSource::Column((*alias).to_owned());
            is_changed |= options.columns.set(field, column).is_ok();
        }
    }
    if !has("token_id") {
        let constant = FieldSource::Constant(source.name().to_string());
        is_changed |= options.columns.set("token_id", constant).is_ok();
    }
    is_changed
}

/// Maps the one time of each row: that of a level, or of an amount that the holder is given.
fn is_timed(columns: &[String], options: &mut InputOptions) -> bool {
    let named = |names: &[&str]| {
        let is_named = |column: &&String| {
            let letters = column.chars().filter(|letter| letter.is_alphanumeric());
            let plain: String = letters.flat_map(char::to_lowercase).collect();
            names.contains(&plain.as_str())
        };
        columns
            .iter()
            .find(is_named)
            .cloned()
            .map(FieldSource::Column)
    };
    let Some(time) = named(&TIMES) else {
        return false;
    };
    let sources = &mut options.columns;
    if named(&LEVELS).is_some() {
        return sources.set("start", time).is_ok();
    }
    let (Some(id), Some(_)) = (named(&IDS), named(&AMOUNTS)) else {
        return false;
    };
    // Which way an amount goes is not said; `inspect` says so beside the command line.
    if sources.set("at", time).is_err() {
        return false;
    }
    if !sources.has("event_id") && sources.set("event_id", id).is_err() {
        return false;
    }
    let holder = || FieldSource::Column("holder_id".to_owned());
    sources.give_to("holder_id", "to_id")
        || columns.iter().any(|column| column == "holder_id")
            && sources.set("to_id", holder()).is_ok()
}
