//! An instant: UTC microseconds since 1970, in the years 0001 to 9999.
//!
//! Prints RFC 3339; what is read is in [`super::time_text`]. It uses no clock and no time zone database.
//! The calendar arithmetic is Howard Hinnant's `days_from_civil` and `civil_from_days`
//! ("chrono-compatible low-level date algorithms").

use std::fmt;

use super::LikelyCause;
use super::audience::{Addressed, Audience};

/// An instant in integer microseconds since 1970-01-01T00:00:00Z; always within years 0001 to 9999.
///
/// ```
/// use poh_holdmetrics_rust::core::Micros;
///
/// let at = Micros::parse("2025-01-01T01:00:00.25+01:00")?;
/// assert_eq!(at.get(), 1_735_689_600_250_000);
/// assert!(Micros::parse("2025-01-01T01:00:00").is_err(), "the offset is required");
/// # Ok::<(), poh_holdmetrics_rust::core::TimeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(i64);

/// Why a value is not an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeError {
    /// Neither text of a date, a time and an offset nor an integer count of milliseconds.
    NotATime,
    /// Text of a kind that is known not to be a time.
    Recognized(LikelyCause),
    /// A date without a time of day.
    DateAlone,
    /// The second 60, which has no UTC microsecond of its own.
    LeapSecond,
    /// The hour 24.
    Hour24,
    /// A number that is not whole.
    Fraction(TimeUnit),
    /// A date and a time of day without an offset.
    NoOffset,
    /// The number of a block, of which no time is known.
    UnknownBlock,
    /// Outside the years 0001 to 9999, in UTC.
    OutOfRange,
    /// The same of a count that would be within them in this unit, which is finer than the one it was read in.
    OtherUnit(TimeUnit),
}

impl Addressed for TimeError {
    fn write_to(&self, audience: Audience, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let assume_utc = audience.choose(", or read the file with --assume-utc", "");
        match self {
            Self::NotATime => {
                out.write_str("not a time (write 2025-07-21T00:00:00Z, or milliseconds since 1970)")
            }
            Self::Recognized(cause) => write!(out, "not a time ({})", cause.to(audience)),
            Self::DateAlone => write!(
                out,
                "not a time (a date alone; add the time and the offset, like T00:00:00Z{assume_utc})"
            ),
            Self::LeapSecond => {
                out.write_str("not a time (a leap second; write the second before or after it)")
            }
            Self::Hour24 => out.write_str("not a time (hour 24; write 00:00 of the next day)"),
            Self::Fraction(unit) => write!(out, "not a time (a count of {unit} has no fraction)"),
            Self::NoOffset => write!(
                out,
                "no UTC offset (end it with Z or an offset like +02:00{assume_utc})"
            ),
            Self::UnknownBlock => {
                out.write_str("not a block whose time is known (add it to the file of --blocks)")
            }
            Self::OutOfRange => out.write_str("out of range (years 0001 to 9999, UTC)"),
            Self::OtherUnit(unit) => {
                write!(
                    out,
                    "out of range (years 0001 to 9999, UTC; if it counts {unit}, "
                )?;
                match audience {
                    Audience::Files => {
                        write!(out, "read the file with --time-unit {})", unit.symbol())
                    }
                    Audience::Service => out.write_str("give milliseconds)"),
                }
            }
        }
    }
}

impl fmt::Display for TimeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(Audience::Files, out)
    }
}

impl std::error::Error for TimeError {}

/// The unit of a count of time since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeUnit {
    /// 1 s.
    Seconds,
    /// 1 ms, the unit of integers that name no other.
    #[default]
    Millis,
    /// 1 us.
    Micros,
    /// 1 ns, floored to the microsecond.
    Nanos,
}

impl TimeUnit {
    /// Microseconds since 1970 of `count` units.
    pub(crate) const fn micros(self, count: i128) -> i128 {
        match self {
            Self::Seconds => count.saturating_mul(1_000_000),
            Self::Millis => count.saturating_mul(1_000),
            Self::Micros => count,
            Self::Nanos => count.div_euclid(1_000),
        }
    }

    /// As options name it.
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Millis => "ms",
            Self::Micros => "us",
            Self::Nanos => "ns",
        }
    }

    /// The units that are finer than this one, the coarsest first.
    const fn finer(self) -> &'static [Self] {
        match self {
            Self::Seconds => &[Self::Millis, Self::Micros, Self::Nanos],
            Self::Millis => &[Self::Micros, Self::Nanos],
            Self::Micros => &[Self::Nanos],
            Self::Nanos => &[],
        }
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Seconds => "seconds",
            Self::Millis => "milliseconds",
            Self::Micros => "microseconds",
            Self::Nanos => "nanoseconds",
        })
    }
}

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const DAY_SECONDS: i64 = 86_400;

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

    /// From a count of `unit` since 1970; outside the years 0001 to 9999 `OtherUnit`, which names a finer unit in
    /// which it would be an instant after 1970, else `OutOfRange`.
    pub fn from_count(count: i128, unit: TimeUnit) -> Result<Self, TimeError> {
        Self::counted(count, unit).map_err(|error| Self::other_unit(count, unit).unwrap_or(error))
    }

    fn counted(count: i128, unit: TimeUnit) -> Result<Self, TimeError> {
        let micros = i64::try_from(unit.micros(count));
        micros.map_or(Err(TimeError::OutOfRange), Self::new)
    }

    #[cold]
    fn other_unit(count: i128, unit: TimeUnit) -> Option<TimeError> {
        let fits = |unit: &&TimeUnit| count > 0 && Self::counted(count, **unit).is_ok();
        unit.finer()
            .iter()
            .find(fits)
            .copied()
            .map(TimeError::OtherUnit)
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

pub(super) fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
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
            assert_eq!(Micros::parse(&at.to_string()), Ok(at), "{at}");
            value += 86_399_123_457 * 37;
        }
    }
}
