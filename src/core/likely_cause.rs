//! What a text that is not a time or not a decimal probably is, so that a refusal can name the cure.
//!
//! Looks at text that was refused, and at nothing else: what is accepted is decided in [`super::time_text`] and
//! [`super::weight`]. Its twin is `likely_causes` of the Python package; both say the same of the same text.

use std::fmt;

use super::audience::{Addressed, Audience};
use super::time_text::{is_any_text, is_count};
use super::weight::{Decimal, split_sign};
use super::{TimeError, WeightError};

/// What a text is that was written where a time or a decimal is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LikelyCause {
    /// Nothing, or blanks alone.
    Empty,
    /// `NULL`, `NaT`, `N/A` and the like.
    NullWord,
    /// `infinity` as a time.
    Infinity,
    /// `0000-00-00`.
    ZeroDate,
    /// `0x` and digits.
    Hexadecimal,
    /// `1,000`.
    Thousands,
    /// `1,5`.
    DecimalComma,
    /// `5 days` as a time.
    TimeUnit,
    /// `5 ETH` as a decimal.
    NumberUnit,
    /// `1x10^5`.
    Scientific,
    /// `1.5e12` as a time in text.
    CountInText,
    /// Blanks or line breaks before or after what is valid.
    OuterBlanks,
    /// Blanks inside.
    InnerBlank,
    /// Digits or signs that are not ASCII.
    NotAscii,
    /// `(5)`.
    Parentheses,
    /// `11:00 PM`.
    TwelveHours,
    /// A zone by its name or abbreviation.
    ZoneName,
    /// `05/01/2021`.
    AmbiguousDate,
    /// `Jan 5, 2021`, `20210105T000000Z`.
    OtherDate,
    /// `12:30`.
    TimeOfDay,
    /// 30 February, minute 61.
    DoesNotExist,
}

impl LikelyCause {
    /// What it is with its cure, and what options of the command line add to that.
    const fn texts(self) -> (&'static str, &'static str) {
        const NULL: &str = ", or read the file with --null";
        match self {
            Self::Empty => (
                "an empty text; leave the value out, or write null in JSON",
                "",
            ),
            Self::NullWord => ("a word for an absent value; leave the value out", NULL),
            Self::Infinity => ("an infinite time; leave the value out", NULL),
            Self::ZeroDate => ("a zero date for an absent value; leave the value out", NULL),
            Self::Hexadecimal => ("a hexadecimal number; write its decimal digits", ""),
            Self::Thousands => (
                "thousands separators are not read; write the digits without them",
                "",
            ),
            Self::DecimalComma => ("a decimal comma is not read; write a point", ""),
            Self::TimeUnit => (
                "a number with a unit; write the number alone",
                ", and name its unit with --time-unit",
            ),
            Self::NumberUnit => ("a number with a unit; write the number alone", ""),
            Self::Scientific => ("scientific notation is read like 1.5e3", ""),
            Self::CountInText => (
                "a count in text has digits alone; leave out the point and the exponent",
                "",
            ),
            Self::OuterBlanks => ("blanks or line breaks around it; remove them", ""),
            Self::InnerBlank => ("a blank inside; remove it", ""),
            Self::NotAscii => ("digits or signs beyond ASCII; write 0 to 9 and -", ""),
            Self::Parentheses => ("a number in parentheses; write a minus sign before it", ""),
            Self::TwelveHours => ("a 12-hour clock; write the hour as 00 to 23", ""),
            Self::ZoneName => (
                "a zone by its name; write the offset alone, like Z or +02:00",
                "",
            ),
            Self::AmbiguousDate => (
                "a date that can be read in two ways; write it like 2025-07-21T00:00:00Z",
                "",
            ),
            Self::OtherDate => (
                "a date in another form; write it like 2025-07-21T00:00:00Z",
                "",
            ),
            Self::TimeOfDay => (
                "a time of day without a date; write both, like 2025-07-21T00:00:00Z",
                "",
            ),
            Self::DoesNotExist => ("a day, a time of day or an offset that does not exist", ""),
        }
    }
}

impl Addressed for LikelyCause {
    fn write_to(&self, audience: Audience, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, option) = self.texts();
        write!(out, "{text}{}", audience.choose(option, ""))
    }
}

impl fmt::Display for LikelyCause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(Audience::Files, out)
    }
}

/// What stands for an absent value in exports of databases and libraries, in lower case.
const NULL_WORDS: [&str; 24] = [
    "null",
    "nil",
    "none",
    "nan",
    "nat",
    "na",
    "n/a",
    "#n/a",
    "<na>",
    "\\n",
    "(null)",
    "(none)",
    "undefined",
    "unknown",
    "missing",
    "invalid date",
    "never",
    "present",
    "current",
    "open",
    "ongoing",
    "-",
    "--",
    "?",
];

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Why `text`, which was refused as a time, is not one.
#[cold]
pub(super) fn time_error(text: &str) -> TimeError {
    let all = text;
    let text = text.trim();
    if text.len() < all.len() && is_any_text(text) {
        return TimeError::Recognized(LikelyCause::OuterBlanks);
    }
    if has_long_year(text) {
        return TimeError::OutOfRange;
    }
    time_cause(text).map_or(TimeError::NotATime, TimeError::Recognized)
}

/// Why `text`, which was refused as a decimal, is not one.
#[cold]
pub(super) fn weight_error(text: &str) -> WeightError {
    weight_cause(text).map_or(WeightError::NotANumber, WeightError::Recognized)
}

fn time_cause(text: &str) -> Option<LikelyCause> {
    use LikelyCause::{
        AmbiguousDate, CountInText, Infinity, OtherDate, TimeOfDay, TimeUnit, ZeroDate,
    };
    if let Some(cause) = absent(text) {
        return Some(cause);
    }
    let lower = text.to_lowercase();
    if matches!(lower.trim_start_matches(['+', '-']), "inf" | "infinity") {
        return Some(Infinity);
    }
    if text.starts_with("0000-00-00") {
        return Some(ZeroDate);
    }
    if is_count(text) {
        return Some(CountInText);
    }
    if let Some(cause) = number_cause(text) {
        return Some(cause);
    }
    if has_shape(text, "0000-00-00") {
        return date_time_cause(text);
    }
    if number_and_words(text) {
        return Some(TimeUnit);
    }
    let parts: Vec<&str> = text
        .split(|letter: char| !letter.is_ascii_digit())
        .collect();
    let is_day_first = parts.len() >= 3
        && (1..=2).contains(&parts[0].len())
        && (1..=2).contains(&parts[1].len())
        && (2..=4).contains(&parts[2].len());
    let mark = |index: usize| text.as_bytes().get(index).copied();
    if is_day_first && matches!(mark(parts[0].len()), Some(b'.' | b'/' | b'-')) {
        return Some(AmbiguousDate);
    }
    let has_year_first = parts.len() >= 3
        && parts[0].len() == 4
        && (1..=2).contains(&parts[1].len())
        && (1..=2).contains(&parts[2].len());
    let is_basic = parts[0].len() == 8 && mark(8) == Some(b'T');
    if has_year_first || is_basic || has_month(&lower) {
        return Some(OtherDate);
    }
    let is_time_of_day = (1..=2).contains(&parts[0].len())
        && mark(parts[0].len()) == Some(b':')
        && parts.get(1).is_some_and(|minutes| minutes.len() == 2);
    is_time_of_day.then_some(TimeOfDay)
}

/// Of a text that begins with a date as we read it.
fn date_time_cause(text: &str) -> Option<LikelyCause> {
    let packed: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let tight = packed
        .replace("T ", "T")
        .replace(" +", "+")
        .replace(" -", "-")
        .replace(" :", ":")
        .replace(": ", ":");
    if tight != text && is_any_text(&tight) {
        return Some(LikelyCause::InnerBlank);
    }
    if is_any_text(&text.replace(',', ".")) {
        return Some(LikelyCause::DecimalComma);
    }
    let rest = text.get(10..)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let has_digits = |text: &str| has_shape(text, "00:00:00") || has_shape(text, "00:00");
    if !has_digits(rest) {
        return None;
    }
    let zone = rest
        .trim_start_matches(|letter: char| letter.is_ascii_digit() || matches!(letter, ':' | '.'));
    let name = zone.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic());
    let offset = &zone[..zone.len() - name.len()];
    let word = name.split_whitespace().next().unwrap_or_default();
    if matches!(
        word.replace('.', "").to_ascii_lowercase().as_str(),
        "am" | "pm"
    ) {
        return Some(LikelyCause::TwelveHours);
    }
    if name.len() > 1 && (name != "UTC" || !offset.trim().is_empty()) {
        return Some(LikelyCause::ZoneName);
    }
    let is_whole = zone.is_empty()
        || matches!(zone.trim_start(), "Z" | "z" | "UTC")
        || ["+00", "+0000", "+00:00", "-00", "-0000", "-00:00"]
            .iter()
            .any(|shape| {
                zone.trim_start().len() == shape.len() && has_shape(zone.trim_start(), shape)
            });
    let time = &rest[..rest.len() - zone.len()];
    let has_seconds = has_shape(time, "00:00:00");
    let is_time = time.len() == 5
        || (has_seconds && time.len() == 8)
        || (has_seconds
            && time.len() > 9
            && time.as_bytes()[8] == b'.'
            && !time[9..].contains(['.', ':']));
    (is_whole && is_time).then_some(LikelyCause::DoesNotExist)
}

fn weight_cause(text: &str) -> Option<LikelyCause> {
    use LikelyCause::{InnerBlank, NumberUnit, OuterBlanks, Parentheses, Scientific};
    let trimmed = text.trim();
    if let Some(cause) = absent(trimmed) {
        return Some(cause);
    }
    let is_decimal = |text: &str| Decimal::read(split_sign(text.as_bytes()).1).is_some();
    if trimmed.len() < text.len() && is_decimal(trimmed) {
        return Some(OuterBlanks);
    }
    if let Some(cause) = number_cause(trimmed) {
        return Some(cause);
    }
    let has_digit = trimmed.bytes().any(|byte| byte.is_ascii_digit());
    if !has_digit {
        return None;
    }
    if trimmed.starts_with('(') && trimmed.ends_with(')') {
        return Some(Parentheses);
    }
    let mantissa = trimmed.trim_start_matches(|letter: char| {
        letter.is_ascii_digit() || matches!(letter, '.' | '+' | '-')
    });
    let is_unfinished = mantissa.len() < trimmed.len()
        && mantissa.starts_with(['e', 'E'])
        && mantissa[1..]
            .chars()
            .all(|letter| letter.is_ascii_digit() || matches!(letter, '.' | '+' | '-'));
    if is_unfinished || trimmed.contains('^') || trimmed.contains("x10") || trimmed.contains("*10")
    {
        return Some(Scientific);
    }
    let together: String = trimmed.split_whitespace().collect();
    if together.len() < trimmed.len() && is_decimal(&together) {
        return Some(InnerBlank);
    }
    let is_unit =
        |letter: char| letter.is_alphabetic() || matches!(letter, '%' | '$' | '€' | '£' | '¥');
    let rest = trimmed.trim_start_matches(is_unit);
    let is_after_unit = rest.len() < trimmed.len() && number_alone(rest.trim());
    (number_and_words(trimmed) || is_after_unit).then_some(NumberUnit)
}

/// Of an empty text and of words for nothing.
fn absent(text: &str) -> Option<LikelyCause> {
    if text.is_empty() {
        return Some(LikelyCause::Empty);
    }
    let lower = text.to_lowercase();
    NULL_WORDS
        .contains(&lower.as_str())
        .then_some(LikelyCause::NullWord)
}

/// Of forms of numbers that neither a time nor a decimal has.
fn number_cause(text: &str) -> Option<LikelyCause> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.strip_prefix("0x").or(unsigned.strip_prefix("0X"));
    if digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Some(LikelyCause::Hexadecimal);
    }
    let is_foreign =
        |letter: char| !letter.is_ascii() && (letter.is_numeric() || letter == '\u{2212}');
    if text.contains(is_foreign) {
        return Some(LikelyCause::NotAscii);
    }
    grouped(unsigned)
}

/// Of digits with separators between them.
fn grouped(text: &str) -> Option<LikelyCause> {
    use LikelyCause::{DecimalComma, InnerBlank, Thousands};
    const SEPARATORS: [char; 9] = [
        ',', '.', ' ', '_', '\'', '\u{2019}', '\u{a0}', '\u{202f}', '\u{2009}',
    ];
    let is_group = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let groups: Vec<&str> = text.split(SEPARATORS).collect();
    let separators: Vec<char> = text
        .chars()
        .filter(|letter| SEPARATORS.contains(letter))
        .collect();
    let (&first, &last) = (separators.first()?, separators.last()?);
    if !groups
        .iter()
        .all(|group| is_group(group) && !group.is_empty())
    {
        return None;
    }
    let are_equal = |of: &[char]| of.iter().all(|separator| *separator == first);
    if separators.len() > 1 && last != first && are_equal(&separators[..separators.len() - 1]) {
        return Some(Thousands);
    }
    let are_thousands = groups[0].len() <= 3
        && groups[0] != "0"
        && groups[1..].iter().all(|group| group.len() == 3);
    match first {
        _ if !are_equal(&separators) => None,
        ',' if separators.len() == 1 && !are_thousands => Some(DecimalComma),
        '.' => (separators.len() > 1 && are_thousands).then_some(Thousands),
        ' ' if !are_thousands => Some(InnerBlank),
        _ => Some(Thousands),
    }
}

/// Whether a text is a number and then words, such as `5 days`.
fn number_and_words(text: &str) -> bool {
    let is_unit = |letter: char| {
        letter.is_alphabetic() || matches!(letter, ' ' | '%' | '$' | '€' | '£' | '¥')
    };
    let number = text.trim_end_matches(is_unit);
    number.len() < text.len() && number_alone(number)
}

/// Whether a text has digits, points, commas and a sign alone.
fn number_alone(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    unsigned.starts_with(|letter: char| letter.is_ascii_digit())
        && unsigned
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
}

/// Whether a date has a year of more than four digits, or one before the year 0.
fn has_long_year(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let year = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let is_outside = year > 4 || (year == 4 && text.starts_with('-'));
    is_outside && has_shape(&unsigned[year..], "-00-00")
}

/// Whether a text begins with digits where `shape` has zeros, and with the same characters elsewhere.
fn has_shape(text: &str, shape: &str) -> bool {
    text.len() >= shape.len()
        && text
            .bytes()
            .zip(shape.bytes())
            .all(|(byte, expected)| match expected {
                b'0' => byte.is_ascii_digit(),
                _ => byte == expected,
            })
}

/// Whether a word of a text begins with the name of a month, and there is a digit.
fn has_month(lower: &str) -> bool {
    let mut words = lower.split(|letter: char| !letter.is_alphabetic());
    lower.bytes().any(|byte| byte.is_ascii_digit())
        && words.any(|word| MONTHS.iter().any(|month| word.starts_with(month)))
}

#[cfg(test)]
mod tests {
    use crate::core::{Delta, Micros, Wad};

    /// Each sentence, and the texts of which it is said. The Python package is held to the same file.
    fn texts(kind: &str) -> Vec<(String, String)> {
        let file = include_str!("../../tests/golden/likely_causes.json");
        let file: serde_json::Value = serde_json::from_str(file).expect("the file is JSON");
        let sentences = file[kind].as_object().expect("an object");
        let of_sentence = |(sentence, texts): (&String, &serde_json::Value)| {
            let texts = texts.as_array().expect("a list").clone();
            let text = |text: serde_json::Value| {
                (sentence.clone(), text.as_str().expect("text").to_owned())
            };
            texts.into_iter().map(text).collect::<Vec<_>>()
        };
        sentences.iter().flat_map(of_sentence).collect()
    }

    #[test]
    fn texts_that_are_not_times_are_recognized() {
        for (sentence, text) in texts("time") {
            let error = Micros::parse(&text).expect_err(&text).to_string();
            assert!(error.contains(&sentence), "{text:?}: {error}");
        }
    }

    #[test]
    fn texts_that_are_not_decimals_are_recognized() {
        for (sentence, text) in texts("decimal") {
            let error = Wad::parse(&text).expect_err(&text).to_string();
            assert!(error.contains(&sentence), "{text:?}: {error}");
            assert_eq!(Delta::parse(&text).expect_err(&text).to_string(), error);
        }
    }
}
