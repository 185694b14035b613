//! The one reader of instants as they are written: in JSON, in CSV, in requests and on the command line.
//!
//! Text is a date, a time and an offset, as RFC 3339 and common databases write them, or the digits of a
//! count of milliseconds; a number is a whole count of milliseconds. Its twin is `instants` of the Python
//! package: both accept the same texts and refuse the others in the same words.

use super::likely_cause::time_error;
use super::time::{
    DAY_SECONDS, Micros, SECOND, TimeError, TimeUnit, days_since_1970, month_length,
};
use super::weight::{Decimal, split_sign};

/// So many digits always fit 64 bits.
const DIGITS_MAX: usize = 18;

/// More digits than any instant in nanoseconds has.
const COUNT_DIGITS_MAX: usize = 24;

/// How a source writes instants, where that differs from what every source may write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeForm {
    /// The unit of numbers and digits.
    pub unit: TimeUnit,
    /// Whether text without an offset is UTC, and a date alone its midnight.
    pub assume_utc: bool,
}

impl TimeForm {
    /// Milliseconds, and an offset in every text.
    pub const STANDARD: Self = Self {
        unit: TimeUnit::Millis,
        assume_utc: false,
    };
}

impl Micros {
    /// Reads text: `YYYY-MM-DDThh:mm[:ss[.digits]]` and an offset, or the digits of milliseconds since 1970.
    ///
    /// The `T` may be `t` or a blank; the offset is `Z`, `z`, `UTC`, `±hh:mm`, `±hhmm` or `±hh`, after at
    /// most one blank. Blanks around the text are ignored; digits past the sixth are dropped.
    #[inline]
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        Self::parse_as(text, TimeForm::STANDARD)
    }

    /// Reads text as [`Self::parse`] does, in the form that its source uses.
    pub fn parse_as(text: &str, form: TimeForm) -> Result<Self, TimeError> {
        recognized(text, Self::read_text(text, form))
    }

    #[inline]
    fn read_text(text: &str, form: TimeForm) -> Result<Self, TimeError> {
        if let Some(at) = read_with_seconds(text.as_bytes()) {
            return Ok(at);
        }
        if let Some(count) = short_digits(text.as_bytes()) {
            return Self::from_count(count.into(), form.unit);
        }
        let trimmed = trimmed(text);
        let (_, digits) = split_sign(trimmed.as_bytes());
        if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
            return read_number(trimmed.as_bytes(), form.unit);
        }
        match read_any_text(trimmed.as_bytes()) {
            Err(TimeError::DateAlone) if form.assume_utc => {
                read_any_text(format!("{trimmed}T00:00Z").as_bytes())
            }
            Err(TimeError::NoOffset) if form.assume_utc => {
                read_any_text(format!("{trimmed}Z").as_bytes())
            }
            read => read,
        }
    }

    /// Reads a whole number of milliseconds since 1970, however it is written: `1.753056e12` is one.
    pub fn parse_number(text: &str) -> Result<Self, TimeError> {
        Self::parse_number_as(text, TimeForm::STANDARD)
    }

    /// Reads a whole number in the unit of `form`.
    pub fn parse_number_as(text: &str, form: TimeForm) -> Result<Self, TimeError> {
        match short_digits(text.as_bytes()) {
            Some(count) => Self::from_count(count.into(), form.unit),
            None => read_number(text.as_bytes(), form.unit),
        }
    }

    /// Reads a cell of CSV, which may be text or a number.
    pub fn parse_cell_as(text: &str, form: TimeForm) -> Result<Self, TimeError> {
        match Self::read_text(text, form) {
            Err(TimeError::NotATime) => recognized(text, Self::parse_number_as(text, form)),
            read => read,
        }
    }

    /// Reads an argument, in which a date alone is its midnight in UTC.
    pub fn parse_argument(text: &str) -> Result<Self, TimeError> {
        match Self::parse(text) {
            Err(TimeError::DateAlone) => Self::parse(&format!("{}T00:00Z", trimmed(text))),
            read => read,
        }
    }
}

/// The result, its error with the likely cause.
#[inline]
fn recognized(text: &str, read: Result<Micros, TimeError>) -> Result<Micros, TimeError> {
    match read {
        Err(TimeError::NotATime) => Err(time_error(text)),
        read => read,
    }
}

/// Whether a text is a date and a time of day, with an offset or without one.
pub(super) fn is_any_text(text: &str) -> bool {
    matches!(
        read_any_text(text.as_bytes()),
        Ok(_) | Err(TimeError::NoOffset)
    )
}

/// Whether a text is a number of any unit, be it whole or not.
pub(super) fn is_count(text: &str) -> bool {
    read_number(text.as_bytes(), TimeUnit::Millis) != Err(TimeError::NotATime)
}

/// Reads the common form, with seconds and an offset; `None` for every other text.
#[inline]
fn read_with_seconds(text: &[u8]) -> Option<Micros> {
    let (date_time, rest) = text.split_first_chunk::<19>()?;
    let fields = CivilTime::read(date_time)?;
    let (fraction, rest) = read_fraction(rest)?;
    let ahead_seconds = match rest {
        [b'Z'] => 0,
        _ => Offset::read(rest)?.seconds()?,
    };
    fields.instant(ahead_seconds, fraction).ok()
}

/// Reads every form of text that is not a count, or says why it is not an instant.
fn read_any_text(text: &[u8]) -> Result<Micros, TimeError> {
    const SHAPE: [u8; 19] = *b"0000-00-00T00:00:00";
    if has_shape(text, &SHAPE[..10]) {
        let is_zero = text == b"0000-00-00";
        return Err(if is_zero {
            TimeError::NotATime
        } else {
            TimeError::DateAlone
        });
    }
    let (to_minutes, rest) = text.split_first_chunk::<16>().ok_or(TimeError::NotATime)?;
    let mut date_time = SHAPE;
    date_time[..16].copy_from_slice(to_minutes);
    if matches!(date_time[10], b't' | b' ') {
        date_time[10] = b'T';
    }
    let (fraction, rest) = match rest {
        [b':', tens, ones, after @ ..] => {
            date_time[17..].copy_from_slice(&[*tens, *ones]);
            read_fraction(after).ok_or(TimeError::NotATime)?
        }
        _ => (0, rest),
    };
    if !has_shape(&date_time, &SHAPE) {
        return Err(TimeError::NotATime);
    }
    let offset = match rest {
        [] => None,
        _ => Some(Offset::read(rest).ok_or(TimeError::NotATime)?),
    };
    let fields =
        CivilTime::read(&date_time).ok_or(match (&date_time[11..13], &date_time[17..]) {
            (b"24", _) => TimeError::Hour24,
            (_, b"60") => TimeError::LeapSecond,
            _ => TimeError::NotATime,
        })?;
    let offset = offset.ok_or(TimeError::NoOffset)?;
    fields.instant(offset.seconds().ok_or(TimeError::NotATime)?, fraction)
}

/// Reads a number of any length.
fn read_number(text: &[u8], unit: TimeUnit) -> Result<Micros, TimeError> {
    let (is_negative, unsigned) = split_sign(text);
    let decimal = Decimal::read(unsigned)
        .filter(|decimal| !decimal.whole.is_empty())
        .ok_or(TimeError::NotATime)?;
    let is_zero = |digit: &u8| *digit == 0;
    let leading = decimal.digits().take_while(is_zero).count();
    let count = decimal.whole.len() + decimal.fraction.len();
    if leading == count {
        return Micros::from_count(0, unit);
    }
    let trailing = decimal.digits().rev().take_while(is_zero).count();
    let significant = count - leading - trailing;
    let signed = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let zeros = signed(trailing) - signed(decimal.fraction.len()) + decimal.exponent;
    let zeros = usize::try_from(zeros).map_err(|_| TimeError::Fraction(unit))?;
    if significant.saturating_add(zeros) > COUNT_DIGITS_MAX {
        return Err(TimeError::OutOfRange);
    }
    let digits = decimal.digits().skip(leading).take(significant);
    let count = digits
        .chain(std::iter::repeat_n(0, zeros))
        .fold(0, |count, digit| count * 10 + i128::from(digit));
    Micros::from_count(if is_negative { -count } else { count }, unit)
}

/// The number that a few digits without a sign are; `None` for every other text.
#[inline]
fn short_digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > DIGITS_MAX {
        return None;
    }
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + i64::from(byte - b'0'))
    })
}

/// The text without blanks around it.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Whether a text has a digit where `shape` has one, and elsewhere the byte of `shape`.
fn has_shape(text: &[u8], shape: &[u8]) -> bool {
    let fits = |(byte, expected): (&u8, &u8)| match expected {
        b'0' => byte.is_ascii_digit(),
        _ => byte == expected,
    };
    text.len() == shape.len() && text.iter().zip(shape).all(fits)
}

/// A calendar date and a time of day, each field within its bounds.
struct CivilTime {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: i64,
}

impl CivilTime {
    fn read(text: &[u8; 19]) -> Option<Self> {
        let [
            y1,
            y2,
            y3,
            y4,
            b'-',
            mo1,
            mo2,
            b'-',
            d1,
            d2,
            b'T' | b't' | b' ',
            h1,
            h2,
            b':',
            mi1,
            mi2,
            b':',
            s1,
            s2,
        ] = *text
        else {
            return None;
        };
        let year = two_digits(y1, y2)? * 100 + two_digits(y3, y4)?;
        let month = two_digits(mo1, mo2).filter(|month| (1..=12).contains(month))?;
        let day = two_digits(d1, d2).filter(|day| (1..=month_length(year, month)).contains(day))?;
        let hour = two_digits(h1, h2).filter(|hour| *hour < 24)?;
        let minute = two_digits(mi1, mi2).filter(|minute| *minute < 60)?;
        let second = two_digits(s1, s2).filter(|second| *second < 60)?;
        Some(Self {
            year,
            month,
            day,
            second_of_day: hour * 3_600 + minute * 60 + second,
        })
    }

    /// The instant at which clocks that are so many seconds ahead of UTC show these fields.
    fn instant(&self, ahead_seconds: i64, fraction: i64) -> Result<Micros, TimeError> {
        if self.year == 0 {
            return Err(TimeError::OutOfRange);
        }
        let days = days_since_1970(self.year, self.month, self.day);
        let seconds = days * DAY_SECONDS + self.second_of_day - ahead_seconds;
        Micros::new(seconds * SECOND + fraction)
    }
}

/// An offset from UTC as written.
struct Offset {
    is_behind: bool,
    hours: i64,
    minutes: i64,
}

impl Offset {
    fn read(text: &[u8]) -> Option<Self> {
        let (sign, [h1, h2], [m1, m2]) = match text.strip_prefix(b" ").unwrap_or(text) {
            b"Z" | b"z" | b"UTC" => (b'+', *b"00", *b"00"),
            [sign, h1, h2] => (*sign, [*h1, *h2], *b"00"),
            [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => {
                (*sign, [*h1, *h2], [*m1, *m2])
            }
            _ => return None,
        };
        let (hours, minutes) = (two_digits(h1, h2)?, two_digits(m1, m2)?);
        matches!(sign, b'+' | b'-').then_some(Self {
            is_behind: sign == b'-',
            hours,
            minutes,
        })
    }

    /// How far its clocks are ahead of UTC; `None` for a day and more, and for 60 minutes and more.
    fn seconds(&self) -> Option<i64> {
        let seconds = self.hours * 3_600 + self.minutes * 60;
        let signed = if self.is_behind { -seconds } else { seconds };
        (self.hours < 24 && self.minutes < 60).then_some(signed)
    }
}

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// The fraction in microseconds and the text after it; `None` for a point without digits.
fn read_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let length = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (digits, rest) = digits.split_at(length);
    let mut micros = 0;
    for place in 0..6 {
        micros = micros * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0'));
    }
    (length > 0).then_some((micros, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> Result<Micros, TimeError> {
        plainly(Micros::parse_cell_as(text, TimeForm::STANDARD))
    }

    /// The result without what the text probably is, which `likely_cause` tests.
    fn plainly(read: Result<Micros, TimeError>) -> Result<Micros, TimeError> {
        read.map_err(|error| match error {
            TimeError::Recognized(_) => TimeError::NotATime,
            other => other,
        })
    }

    const MIDNIGHT: i64 = 1_753_056_000_000_000;

    #[test]
    fn every_form_of_text_names_its_instant() {
        for (text, micros) in [
            ("2025-07-21T00:00:00Z", MIDNIGHT),
            ("2025-07-21t00:00:00z", MIDNIGHT),
            ("2025-07-21 00:00:00 UTC", MIDNIGHT),
            ("2025-07-21T00:00:00UTC", MIDNIGHT),
            ("2025-07-21 00:00:00+00", MIDNIGHT),
            ("2025-07-21 00:00:00.5 +00", MIDNIGHT + 500_000),
            ("2025-07-21 09:00:00 +0900", MIDNIGHT),
            ("2025-07-21 09:00:00+09:00", MIDNIGHT),
            ("2025-07-20T19:00-05", MIDNIGHT),
            ("2025-07-20t19:00:00.0-05:00", MIDNIGHT),
            ("2025-07-21T05:45+0545", MIDNIGHT),
            ("2025-07-21T00:00Z", MIDNIGHT),
            ("2025-07-21T00:00 z", MIDNIGHT),
            (" \t2025-07-21 00:00:00Z\t ", MIDNIGHT),
            ("2025-07-21T00:00:01.000000999Z", MIDNIGHT + SECOND),
            ("1969-12-31T23:59:59.9999999z", -1),
            ("1970-01-01T00:00:00.0000019Z", 1),
            ("1753056000000", MIDNIGHT),
            ("+1753056000000", MIDNIGHT),
            (" 1753056000000 ", MIDNIGHT),
            ("000000000000000000001753056000000", MIDNIGHT),
            ("-1", -1_000),
            ("-0", 0),
        ] {
            for read in [Micros::parse, cell, Micros::parse_argument] {
                assert_eq!(read(text).map(Micros::get), Ok(micros), "{text:?}");
            }
        }
    }

    #[test]
    fn text_that_is_no_instant_is_refused_with_its_cause() {
        use TimeError::{DateAlone, Hour24, LeapSecond, NoOffset, NotATime, OutOfRange};
        for (cause, texts) in [
            (
                NotATime,
                &[
                    "",
                    " ",
                    "-",
                    "yesterday",
                    "NULL",
                    "21.07.2025 00:00:00Z",
                    "07/21/2025 00:00:00Z",
                    "2025-02-29T00:00:00Z",
                    "2025-13-01T00:00:00Z",
                    "2025-07-21T25:00:00Z",
                    "2025-07-21T23:60:00Z",
                    "2025-07-21T00:00:00.Z",
                    "2025-07-21T00:00.5Z",
                    "2025-07-21T00Z",
                    "2025-07-21T00:00:00+24:00",
                    "2025-07-21T00:00:00+02:60",
                    "2025-07-21T00:00:00+0",
                    "2025-07-21T00:00:00+090",
                    "2025-07-21T00:00:00 PST",
                    "2025-07-21T00:00:00utc",
                    "2025-07-21T00:00:00  Z",
                    "2025-07-21  00:00:00Z",
                    "2025-07-21T00:00:00[UTC]",
                    "2025-07-21T00:00:00Z\n",
                    "2025-07-21T24:00:00PST",
                    "20250721T000000Z",
                    "1.5",
                    "1753056000000.0",
                    "1e12",
                    "--5",
                    "२०२५-07-21T00:00:00Z",
                ][..],
            ),
            (DateAlone, &["2025-07-21", " 2025-02-30 "]),
            (
                Hour24,
                &[
                    "2025-07-21T24:00:00Z",
                    "2025-07-21 24:00",
                    "2025-07-21T24:00+25",
                ],
            ),
            (
                LeapSecond,
                &["2016-12-31T23:59:60Z", "2016-12-31T23:59:60.5+00"],
            ),
            (
                NoOffset,
                &[
                    "2025-07-21T00:00:00",
                    "2025-07-21T00:00:00.25",
                    "2025-07-21 00:00 ",
                ],
            ),
            (
                OutOfRange,
                &[
                    "0000-01-01T00:00:00Z",
                    "0000-02-29T00:00Z",
                    "0001-01-01T00:00:00+00:01",
                    "9999-12-31T23:59:59-00:01",
                    "999999999999999999999",
                    "-9999999999999999999999",
                ],
            ),
            (TimeError::OtherUnit(TimeUnit::Micros), &["253402300800000"]),
            (
                TimeError::OtherUnit(TimeUnit::Nanos),
                &["1753056000000000000", "99999999999999999999"],
            ),
        ] {
            for text in texts {
                assert_eq!(plainly(Micros::parse(text)), Err(cause), "{text:?}");
            }
        }
    }

    #[test]
    fn a_number_is_whole_milliseconds_however_it_is_written() {
        for text in [
            "1753056000000",
            "1753056000000.0",
            "1753056000000.",
            "1.753056e12",
            "+1753056000E+3",
            "17530560000000000e-4",
            "0001753056000000.000",
        ] {
            assert_eq!(Micros::parse_number(text).map(Micros::get), Ok(MIDNIGHT));
            assert_eq!(cell(text).map(Micros::get), Ok(MIDNIGHT));
        }
        assert_eq!(Micros::parse_number("-0.0e999").map(Micros::get), Ok(0));
        assert_eq!(Micros::parse_number("-1e3").map(Micros::get), Ok(-SECOND));
        for (text, cause) in [
            ("1.5", TimeError::Fraction(TimeUnit::Millis)),
            ("1e-1", TimeError::Fraction(TimeUnit::Millis)),
            ("1753056000000.5", TimeError::Fraction(TimeUnit::Millis)),
            (
                "1e-999999999999999999999999",
                TimeError::Fraction(TimeUnit::Millis),
            ),
            ("1e999999999999999999999999", TimeError::OutOfRange),
            ("253402300800000.0", TimeError::OtherUnit(TimeUnit::Micros)),
            ("-1e15", TimeError::OutOfRange),
            ("", TimeError::NotATime),
            (".5", TimeError::NotATime),
            ("1e", TimeError::NotATime),
            ("true", TimeError::NotATime),
            (" 1.0", TimeError::NotATime),
        ] {
            assert_eq!(Micros::parse_number(text), Err(cause), "{text:?}");
            assert_eq!(cell(text), Err(cause), "{text:?}");
        }
    }

    #[test]
    fn a_date_alone_is_its_midnight_as_an_argument_only() {
        let read = |text| plainly(Micros::parse_argument(text)).map(Micros::get);
        assert_eq!(read("2025-07-21"), Ok(MIDNIGHT));
        assert_eq!(read(" 2025-07-21\t"), Ok(MIDNIGHT));
        assert_eq!(read("2025-02-30"), Err(TimeError::NotATime));
        assert_eq!(read("2025-07-21T00:00"), Err(TimeError::NoOffset));
        assert_eq!(cell("2025-07-21"), Err(TimeError::DateAlone));
    }

    #[test]
    fn a_source_may_count_in_other_units_and_leave_out_the_offset() {
        let read = |text, unit, assume_utc| {
            plainly(Micros::parse_cell_as(text, TimeForm { unit, assume_utc })).map(Micros::get)
        };
        for (text, unit) in [
            ("1753056000", TimeUnit::Seconds),
            ("1.753056e9", TimeUnit::Seconds),
            ("1753056000000", TimeUnit::Millis),
            ("1753056000000000", TimeUnit::Micros),
            ("1753056000000000999", TimeUnit::Nanos),
            ("2025-07-21", TimeUnit::Millis),
            (" 2025-07-21 00:00:00.0", TimeUnit::Millis),
            ("2025-07-21T02:00+02", TimeUnit::Seconds),
        ] {
            assert_eq!(read(text, unit, true), Ok(MIDNIGHT), "{text:?}");
        }
        for (text, unit, cause) in [
            (
                "1.5",
                TimeUnit::Seconds,
                TimeError::Fraction(TimeUnit::Seconds),
            ),
            (
                "1753056000000",
                TimeUnit::Seconds,
                TimeError::OtherUnit(TimeUnit::Millis),
            ),
            ("21.07.2025", TimeUnit::Millis, TimeError::NotATime),
            ("2025-02-30", TimeUnit::Millis, TimeError::NotATime),
            (
                "2025-07-21 23:59:60",
                TimeUnit::Millis,
                TimeError::LeapSecond,
            ),
        ] {
            assert_eq!(read(text, unit, true), Err(cause), "{text:?}");
        }
        assert_eq!(read("-1", TimeUnit::Nanos, false), Ok(-1));
    }
}
