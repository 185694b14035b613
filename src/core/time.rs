//! An instant: UTC microseconds since 1970, in the years 0001 to 9999.
//!
//! Reads and prints RFC 3339. It uses no clock and no time zone database: the text must contain its
//! offset, or it is refused. The calendar arithmetic is Howard Hinnant's
//! `days_from_civil` and `civil_from_days` ("chrono-compatible low-level date algorithms").

use std::fmt;

/// An instant in integer microseconds since 1970-01-01T00:00:00Z; always within years 0001 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(i64);

/// Why a value is not an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Neither RFC 3339 text nor an integer count of milliseconds.
    #[error(
        "not a time: give RFC 3339 text such as 2025-07-21T00:00:00Z, or integer milliseconds since 1970"
    )]
    NotATime,
    /// A date and a time of day without `Z` or `+hh:mm`.
    #[error("no UTC offset: end the text with Z or an offset such as +09:00")]
    NoOffset,
    /// Outside the years 0001 to 9999, in UTC.
    #[error("out of range: only years 0001 to 9999 are counted")]
    OutOfRange,
}

const SECOND: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;

impl Micros {
    /// 0001-01-01T00:00:00Z, the beginning of time.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// The last microsecond of the year 9999.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// From microseconds since 1970; `OutOfRange` if that is outside the years 0001 to 9999.
    pub const fn new(micros: i64) -> Result<Self, TimeError> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 {
            return Err(TimeError::OutOfRange);
        }
        Ok(Self(micros))
    }

    /// From milliseconds since 1970; `OutOfRange` if that is outside the years 0001 to 9999.
    pub const fn from_millis(millis: i64) -> Result<Self, TimeError> {
        match millis.checked_mul(1_000) {
            Some(micros) => Self::new(micros),
            None => Err(TimeError::OutOfRange),
        }
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The instant `micros` microseconds later, at most [`Self::MAX`].
    #[must_use]
    #[inline]
    pub fn after(self, micros: u64) -> Self {
        Self(self.0.saturating_add_unsigned(micros).min(Self::MAX.0))
    }

    /// Reads RFC 3339 text with an offset, or an integer count of milliseconds since 1970.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return text
                .parse()
                .map_or(Err(TimeError::OutOfRange), Self::from_millis);
        }
        Self::parse_rfc3339(text)
    }

    /// Reads `YYYY-MM-DDThh:mm:ss[.digits](Z|±hh:mm)`; digits past the sixth are dropped.
    ///
    /// A space or a lower-case `t` may replace the `T`, a lower-case `z` the `Z`. A leap second (`:60`) is
    /// refused, because it has no UTC microsecond of its own.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimeError> {
        let bytes = text.as_bytes();
        let (Some(date_time), Some(rest)) = (bytes.first_chunk::<19>(), bytes.get(19..)) else {
            return Err(TimeError::NotATime);
        };
        let fields = CivilTime::read(date_time).ok_or(TimeError::NotATime)?;
        let (fraction, rest) = read_fraction(rest).ok_or(TimeError::NotATime)?;
        let offset_seconds = match rest {
            [] => return Err(TimeError::NoOffset),
            [b'Z' | b'z'] => 0,
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
                let hours = two_digits(*h1, *h2).filter(|hours| *hours < 24);
                let minutes = two_digits(*m1, *m2).filter(|minutes| *minutes < 60);
                let (Some(hours), Some(minutes)) = (hours, minutes) else {
                    return Err(TimeError::NotATime);
                };
                let seconds = hours * 3_600 + minutes * 60;
                if *sign == b'-' { -seconds } else { seconds }
            }
            _ => return Err(TimeError::NotATime),
        };
        if fields.year == 0 {
            return Err(TimeError::OutOfRange);
        }
        Self::new((fields.seconds() - offset_seconds) * SECOND + fraction)
    }
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

    /// Seconds since 1970, if these fields are UTC.
    fn seconds(&self) -> i64 {
        days_since_1970(self.year, self.month, self.day) * DAY_SECONDS + self.second_of_day
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; years are counted from March, so that the
/// leap day is the last of its year.
pub(crate) fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
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

impl fmt::Display for Micros {
    /// RFC 3339 in UTC, with as many of six decimals as needed.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(SECOND);
        let fraction = self.0.rem_euclid(SECOND);
        let second_of_day = seconds.rem_euclid(DAY_SECONDS);
        let days = seconds.div_euclid(DAY_SECONDS) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (hour, minute, second) = (
            second_of_day / 3_600,
            second_of_day / 60 % 60,
            second_of_day % 60,
        );
        write!(
            out,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        if fraction != 0 {
            let digits = format!("{fraction:06}");
            write!(out, ".{}", digits.trim_end_matches('0'))?;
        }
        out.write_str("Z")
    }
}

impl fmt::Debug for Micros {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> Result<i64, TimeError> {
        Micros::parse(text).map(Micros::get)
    }

    #[test]
    fn every_date_is_one_day_after_the_one_before() {
        let mut previous = Micros::MIN.get() / SECOND / DAY_SECONDS - 1;
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=month_length(year, month) {
                    previous += 1;
                    assert_eq!(
                        days_since_1970(year, month, day),
                        previous,
                        "{year}-{month}-{day}"
                    );
                }
            }
        }
        assert_eq!(previous, Micros::MAX.get() / SECOND / DAY_SECONDS);
    }

    #[test]
    fn text_offsets_and_milliseconds_name_the_same_instant() {
        assert_eq!(micros("2025-07-21T00:00:00Z"), Ok(1_753_056_000_000_000));
        assert_eq!(
            micros("2025-07-21 09:00:00+09:00"),
            Ok(1_753_056_000_000_000)
        );
        assert_eq!(
            micros("2025-07-20t19:00:00.0-05:00"),
            Ok(1_753_056_000_000_000)
        );
        assert_eq!(micros("1753056000000"), Ok(1_753_056_000_000_000));
        assert_eq!(micros("-1"), Ok(-1_000));
    }

    #[test]
    fn digits_past_the_microsecond_are_floored_before_1970_too() {
        assert_eq!(micros("1969-12-31T23:59:59.9999999z"), Ok(-1));
        assert_eq!(micros("1970-01-01T00:00:00.0000019Z"), Ok(1));
    }

    #[test]
    fn what_is_no_instant_is_refused_with_its_reason() {
        for text in [
            "",
            "yesterday",
            "2025-07-21",
            "2025-02-29T00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-07-21T24:00:00Z",
            "2016-12-31T23:59:60Z",
            "2025-07-21T00:00:00.Z",
            "2025-07-21T00:00:00+0900",
            "2025-07-21T00:00:00+24:00",
            "1.5",
            "--5",
            "20250721T000000Z",
            "2025-07-21T00:00:00Z ",
            "२०२५-07-21T00:00:00Z",
        ] {
            assert_eq!(micros(text), Err(TimeError::NotATime), "{text:?}");
        }
        assert_eq!(micros("2025-07-21T00:00:00"), Err(TimeError::NoOffset));
        assert_eq!(micros("2025-07-21T00:00:00.25"), Err(TimeError::NoOffset));
        for text in [
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "253402300800000",
            "99999999999999999999",
        ] {
            assert_eq!(micros(text), Err(TimeError::OutOfRange), "{text:?}");
        }
    }

    #[test]
    fn every_printed_instant_reads_back() {
        for value in [
            Micros::MIN.get(),
            Micros::MAX.get(),
            0,
            -1,
            951_782_400_000_000,
            1_500_000,
        ] {
            let at = Micros::new(value).unwrap();
            assert_eq!(Micros::parse(&at.to_string()), Ok(at), "{at}");
        }
        let mut value = Micros::MIN.get();
        while value < Micros::MAX.get() {
            let at = Micros::new(value).unwrap();
            assert_eq!(Micros::parse_rfc3339(&at.to_string()), Ok(at), "{at}");
            value += 86_399_123_457 * 37;
        }
    }
}
