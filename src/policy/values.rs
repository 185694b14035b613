//! The parameters of policies as whole numbers: multipliers in millionths, durations in microseconds, scores in
//! steps of 1e-24 weight-seconds.

use ruint::aliases::U256;
use serde_json::Value;

use crate::core::Score;
use crate::excerpt::{literal, quoted};

/// Parts in a multiplier of 1.
pub(super) const MILLION: u64 = 1_000_000;
const MULTIPLIER_MAX: u64 = 1_000 * MILLION;
const ENTRIES_MAX: usize = 1_000;
/// A hundred years.
const DURATION_MAX_US: u64 = 36_525 * 86_400_000_000;
/// Digits of a number in a duration, before its point and after it.
const DURATION_DIGITS_MAX: usize = 15;
const UNITS_US: [(&str, u64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// Why a document is not a policy; the text names the step, the field and the cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(String);

impl PolicyError {
    pub(super) fn new(place: &str, problem: impl std::fmt::Display) -> Self {
        Self(format!("{place}: {problem}"))
    }
}

/// Microseconds, and millionths from there on.
pub(super) type Multipliers = Vec<(u64, u64)>;

/// A multiplier from 0 to 1000 with at most six decimals.
pub(super) fn millionths(place: &str, value: &Value) -> Result<u64, PolicyError> {
    let steps = decimal_text(value).and_then(|text| decimal_steps(&text, 4, 6));
    let steps = steps.and_then(|steps| u64::try_from(steps).ok());
    steps
        .filter(|steps| *steps <= MULTIPLIER_MAX)
        .ok_or_else(|| {
            let found = shown(value);
            PolicyError::new(
                place,
                format!(
                    "expected a multiplier from 0 to 1000 with at most 6 decimals, not {found}"
                ),
            )
        })
}

/// The multiplier as a decimal without trailing zeros.
pub(super) fn text_of_millionths(millionths: u64) -> String {
    let (whole, part) = (millionths / MILLION, millionths % MILLION);
    let text = format!("{whole}.{part:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A score in weight-seconds with at most 24 decimals.
pub(super) fn score(place: &str, value: &Value) -> Result<Score, PolicyError> {
    let steps = decimal_text(value).and_then(|text| decimal_steps(&text, 54, 24));
    steps.map(Score::from_steps).ok_or_else(|| {
        let found = shown(value);
        PolicyError::new(
            place,
            format!("expected a score of 0 or more with at most 24 decimals, not {found}"),
        )
    })
}

/// Durations with their multipliers, in order of time.
pub(super) fn multipliers(place: &str, value: &Value) -> Result<Multipliers, PolicyError> {
    let fields = value
        .as_object()
        .filter(|fields| (1..=ENTRIES_MAX).contains(&fields.len()));
    let fields = fields.ok_or_else(|| {
        let expected = "durations with a multiplier each, as in 30d: 1.5";
        PolicyError::new(place, format!("expected 1 to {ENTRIES_MAX} {expected}"))
    })?;
    let mut found = Multipliers::new();
    for (text, value) in fields {
        let us = duration(place, text, 0)?;
        let name = text_of_duration(us);
        if found.iter().any(|(other, _)| *other == us) {
            let twice = format!("{name} occurs twice; give it once");
            return Err(PolicyError::new(place, twice));
        }
        found.push((us, millionths(&format!("{place}: {name}"), value)?));
    }
    found.sort_unstable();
    Ok(found)
}

/// The same as a value whose texts are canonical.
pub(super) fn value_of_multipliers(multipliers: &Multipliers) -> Value {
    let text =
        |(us, parts): &(u64, u64)| (text_of_duration(*us), text_of_millionths(*parts).into());
    Value::Object(multipliers.iter().map(text).collect())
}

/// Ids in order, each once.
pub(super) fn ids(place: &str, value: &Value) -> Result<Vec<Box<str>>, PolicyError> {
    let id = |item: &Value| item.as_str().filter(|id| !id.is_empty()).map(Box::from);
    let ids = value
        .as_array()
        .and_then(|items| items.iter().map(id).collect());
    let mut ids: Vec<Box<str>> =
        ids.ok_or_else(|| PolicyError::new(place, "expected a list of ids, none of them empty"))?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// A duration such as `1h30m`, in microseconds.
pub(super) fn duration(place: &str, text: &str, least_us: u64) -> Result<u64, PolicyError> {
    let us = duration_us(text.trim_matches([' ', '\t'])).ok_or_else(|| {
        let expected = "a duration such as 10s, 1h30m or 250ms, or a number of seconds";
        PolicyError::new(place, format!("expected {expected}, not {}", quoted(text)))
    })?;
    if us < least_us {
        let problem = format!("expected a duration above 0, not {}", quoted(text));
        return Err(PolicyError::new(place, problem));
    }
    Ok(us)
}

/// The text that reads back as `us`.
pub(super) fn text_of_duration(mut us: u64) -> String {
    let mut text = String::new();
    for (unit, factor) in UNITS_US {
        if us >= factor {
            text.push_str(&(us / factor).to_string());
            text.push_str(unit);
            us %= factor;
        }
    }
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

/// Exact microseconds of numbers with units, the largest unit first, or of a number of seconds.
fn duration_us(text: &str) -> Option<u64> {
    /// One microsecond, in the unit of what is summed up.
    const ONE: u128 = 1_000_000_000_000_000;
    let mut sum: u128 = 0;
    let mut rest = text;
    let mut units = UNITS_US.iter();
    loop {
        let (number, behind) = duration_number(rest)?;
        if sum == 0 && rest.len() == text.len() && behind.is_empty() {
            sum = number.checked_mul(u128::from(MILLION))?;
            break;
        }
        let behind = behind.strip_prefix(' ').unwrap_or(behind);
        let length = behind.find(|letter: char| !letter.is_ascii_lowercase());
        let (unit, behind) = behind.split_at(length.unwrap_or(behind.len()));
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        sum = sum.checked_add(number.checked_mul(u128::from(*factor))?)?;
        if behind.is_empty() {
            break;
        }
        rest = behind.strip_prefix(' ').unwrap_or(behind);
    }
    let us = u64::try_from(sum / ONE).ok()?;
    (sum.is_multiple_of(ONE) && us <= DURATION_MAX_US).then_some(us)
}

/// A number at the beginning of a text in steps of 10^-15, and what follows it.
fn duration_number(text: &str) -> Option<(u128, &str)> {
    let digits = |text: &str| {
        text.len()
            - text
                .trim_start_matches(|each: char| each.is_ascii_digit())
                .len()
    };
    let is_valid = |length: usize| (1..=DURATION_DIGITS_MAX).contains(&length);
    let (whole, behind) = text.split_at(Some(digits(text)).filter(|length| is_valid(*length))?);
    let (part, behind) = match behind.strip_prefix('.') {
        None => ("", behind),
        Some(behind) => behind.split_at(Some(digits(behind)).filter(|length| is_valid(*length))?),
    };
    let steps = format!("{whole}{part:0<DURATION_DIGITS_MAX$}");
    Some((steps.parse().ok()?, behind))
}

/// The digits of a number, or the text that stands for one.
fn decimal_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            // Never with an exponent, unlike the number's own text.
            Some(double) => Some(format!("{double}")),
            None => Some(number.to_string()),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A decimal with at most `whole_max` digits before its point and `places` after it, in steps of 10^-`places`.
fn decimal_steps(text: &str, whole_max: usize, places: usize) -> Option<U256> {
    let (whole, part) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let is_number = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
    let is_valid = (1..=whole_max).contains(&whole.len())
        && part.len() <= places
        && is_number(whole)
        && is_number(part);
    let digits = format!("{whole}{part:0<places$}");
    is_valid.then(|| digits.parse().ok()).flatten()
}

/// A value as messages show it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => literal(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_they_are_elsewhere() {
        for (text, us) in [
            ("90", 90_000_000),
            ("1.5", 1_500_000),
            ("1h30m", 5_400_000_000),
            ("1d 2 h 3ms", 93_600_003_000),
            ("250us", 250),
            ("0.5d", 43_200_000_000),
            ("5ms", 5_000),
            ("0", 0),
            ("36525d", DURATION_MAX_US),
        ] {
            assert_eq!(duration_us(text), Some(us), "{text}");
        }
        for text in [
            "",
            "d",
            "1 ",
            "1h  2m",
            "2m1h",
            "1h1h",
            "1.0000001s",
            "36525d1us",
            "-1s",
            "1y",
            ".5s",
            "1.s",
            "1234567890123456s",
            "1h5",
        ] {
            assert_eq!(duration_us(text), None, "{text}");
        }
        for us in [0, 1, 86_400_000_000, 93_784_005_006] {
            assert_eq!(duration_us(&text_of_duration(us)), Some(us));
        }
    }
}
