//! Forms of numbers within bounds: sizes and times, which are written with a unit, counts, and instants.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::form::Form;
use crate::core::Micros;

/// How a number is written with its unit, the largest first.
struct Units {
    zero: &'static str,
    all: [(&'static str, u64); 4],
}

const SIZE_UNITS: Units = Units {
    zero: "0B",
    all: [
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("B", 1),
    ],
};
const TIME_UNITS: Units = Units {
    zero: "0s",
    all: [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)],
};

/// Bytes, within bounds.
pub(super) struct Size(pub(super) RangeInclusive<u64>);

impl<T: Number> Form<T> for Size {
    fn parse(&self, text: &str) -> Option<T> {
        T::of(within(&self.0, SIZE_UNITS.parse(text)?)?)
    }

    fn print(&self, value: &T) -> String {
        SIZE_UNITS.print(value.get())
    }

    fn expected(&self) -> String {
        format!("a size {}", SIZE_UNITS.bounds(&self.0))
    }

    fn value_name(&self) -> Option<&'static str> {
        Some("SIZE")
    }
}

/// A time, within bounds in milliseconds.
pub(super) struct Time(pub(super) RangeInclusive<u64>);

impl Form<Duration> for Time {
    fn parse(&self, text: &str) -> Option<Duration> {
        within(&self.0, TIME_UNITS.parse(text)?).map(Duration::from_millis)
    }

    fn print(&self, value: &Duration) -> String {
        TIME_UNITS.print(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    fn expected(&self) -> String {
        format!("a time {}", TIME_UNITS.bounds(&self.0))
    }

    fn value_name(&self) -> Option<&'static str> {
        Some("TIME")
    }
}

/// The time that a text says, such as `500ms` or `1m`, as times of settings are written.
pub(crate) fn time_from_text(text: &str) -> Option<Duration> {
    TIME_UNITS.parse(text).map(Duration::from_millis)
}

/// A plain number, within bounds.
pub(super) struct Count(pub(super) RangeInclusive<u64>);

impl<T: Number> Form<T> for Count {
    fn parse(&self, text: &str) -> Option<T> {
        T::of(within(&self.0, text.parse().ok()?)?)
    }

    fn print(&self, value: &T) -> String {
        value.get().to_string()
    }

    fn expected(&self) -> String {
        format!("a number from {} to {}", self.0.start(), self.0.end())
    }

    fn value_name(&self) -> Option<&'static str> {
        Some("N")
    }
}

/// A number type that a setting may have.
pub(super) trait Number: Sized {
    /// The number; `None` if the type has no such value.
    fn of(number: u64) -> Option<Self>;

    fn get(&self) -> u64;
}

impl Number for u64 {
    fn of(number: u64) -> Option<Self> {
        Some(number)
    }

    fn get(&self) -> u64 {
        *self
    }
}

impl Number for u32 {
    fn of(number: u64) -> Option<Self> {
        number.try_into().ok()
    }

    fn get(&self) -> u64 {
        (*self).into()
    }
}

impl Number for usize {
    fn of(number: u64) -> Option<Self> {
        number.try_into().ok()
    }

    fn get(&self) -> u64 {
        *self as u64
    }
}

/// 0 means no limit.
impl Number for Option<NonZeroU32> {
    fn of(number: u64) -> Option<Self> {
        u32::of(number).map(NonZeroU32::new)
    }

    fn get(&self) -> u64 {
        self.map_or(0, |number| number.get().into())
    }
}

/// An instant; empty unsets it.
pub(super) struct Instant;

impl Form<Option<Micros>> for Instant {
    fn parse(&self, text: &str) -> Option<Option<Micros>> {
        if text.is_empty() {
            return Some(None);
        }
        Micros::parse_argument(text).ok().map(Some)
    }

    fn print(&self, value: &Option<Micros>) -> String {
        value.map(|at| at.to_string()).unwrap_or_default()
    }

    fn expected(&self) -> String {
        "a time as in 2015-01-01T00:00:00Z, a date, or milliseconds since 1970".into()
    }

    fn value_name(&self) -> Option<&'static str> {
        Some("T")
    }
}

fn within(bounds: &RangeInclusive<u64>, value: u64) -> Option<u64> {
    bounds.contains(&value).then_some(value)
}

impl Units {
    /// An integer with a unit, in the smallest one.
    fn parse(&self, text: &str) -> Option<u64> {
        let rest = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let (number, unit) = text.split_at(text.len() - rest.len());
        let unit = unit.trim_start();
        let (_, factor) = self.all.iter().find(|(name, _)| *name == unit)?;
        number.parse::<u64>().ok()?.checked_mul(*factor)
    }

    /// In the largest unit that divides the value.
    fn print(&self, value: u64) -> String {
        let divides = |(_, factor): &&(&str, u64)| value.is_multiple_of(*factor);
        match self.all.iter().find(divides) {
            Some((name, factor)) if value > 0 => format!("{}{name}", value / factor),
            _ => self.zero.to_owned(),
        }
    }

    fn bounds(&self, bounds: &RangeInclusive<u64>) -> String {
        let (least, most) = (self.print(*bounds.start()), self.print(*bounds.end()));
        format!("from {least} to {most}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_a_unit_and_keep_their_bounds() {
        let size = |text| Form::<u64>::parse(&Size(1..=1 << 30), text);
        assert_eq!(size("64MiB"), Some(64 << 20));
        assert_eq!(size("1 GiB"), Some(1 << 30));
        assert_eq!(size("1B"), Some(1));
        for text in [
            "",
            "64",
            "0B",
            "2GiB",
            "MiB",
            "-1B",
            "1.5MiB",
            "99999999999999999999GiB",
        ] {
            assert_eq!(size(text), None, "{text}");
        }
        let time = |text| Time(0..=3_600_000).parse(text);
        assert_eq!(time("5m"), Some(Duration::from_secs(300)));
        assert_eq!(time("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(time("2h"), None);
    }

    #[test]
    fn what_is_printed_reads_back() {
        for text in ["5m", "90s", "1500ms", "1h", "0s"] {
            let form = Time(0..=u64::MAX);
            assert_eq!(form.print(&form.parse(text).unwrap()), text);
        }
        for text in ["3GiB", "5MiB", "7KiB", "1025B", "0B"] {
            let form = Size(0..=u64::MAX);
            let size: u64 = form.parse(text).unwrap();
            assert_eq!(form.print(&size), text);
        }
    }

    #[test]
    fn an_instant_is_printed_as_it_is_read() {
        let read = |text| Instant.parse(text).map(|at| Instant.print(&at));
        for text in ["2015-01-01", "2015-01-01T01:00:00+01:00", "1420070400000"] {
            assert_eq!(
                read(text),
                Some("2015-01-01T00:00:00Z".to_owned()),
                "{text}"
            );
        }
        assert_eq!(read(""), Some(String::new()));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn a_number_fits_the_type_that_takes_it() {
        let large = "4294967296";
        assert_eq!(
            Form::<u64>::parse(&Count(0..=u64::MAX), large),
            Some(1 << 32)
        );
        assert_eq!(Form::<u32>::parse(&Count(0..=u64::MAX), large), None);
        let rate = Form::<Option<NonZeroU32>>::parse(&Count(0..=u64::MAX), "0");
        assert_eq!(rate, Some(None));
    }
}
