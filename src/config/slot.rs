//! One setting as text: how it is read, checked against its bounds, and written.
//!
//! Files, variables and flags all say the same words, so a value means the same wherever it stands.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::settings::LogFormat;

/// How a number is written with its unit, the largest first.
struct Units {
    zero: &'static str,
    all: [(&'static str, u64); 4],
}

const UNITS_OF_SIZE: Units = Units {
    zero: "0B",
    all: [
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("B", 1),
    ],
};
const UNITS_OF_TIME: Units = Units {
    zero: "0s",
    all: [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)],
};

/// The place of one value, with what it may be.
pub(super) enum Slot<'a> {
    Address(&'a mut SocketAddr),
    Host(&'a mut IpAddr),
    Port(&'a mut u16),
    Switch(&'a mut bool),
    /// In milliseconds.
    Time(&'a mut Duration, RangeInclusive<u64>),
    Size(&'a mut u64, RangeInclusive<u64>),
    Count(&'a mut u64, RangeInclusive<u64>),
    Folder(&'a mut PathBuf),
    File(&'a mut Option<PathBuf>),
    Url(&'a mut Option<String>),
    Level(&'a mut String),
    Format(&'a mut LogFormat),
    Origins(&'a mut Vec<String>),
}

impl Slot<'_> {
    /// Takes the value that `text` says; `None` where it is not [`Self::form`], and nothing changes.
    pub(super) fn read(self, text: &str) -> Option<()> {
        match self {
            Self::Address(slot) => *slot = address(text)?,
            Self::Host(slot) => *slot = host(text)?,
            Self::Port(slot) => *slot = text.parse().ok()?,
            Self::Switch(slot) => *slot = text.parse().ok()?,
            Self::Time(slot, bounds) => {
                *slot = Duration::from_millis(measure(text, &UNITS_OF_TIME, &bounds)?);
            }
            Self::Size(slot, bounds) => *slot = measure(text, &UNITS_OF_SIZE, &bounds)?,
            Self::Count(slot, bounds) => {
                *slot = text.parse().ok().filter(|count| bounds.contains(count))?;
            }
            Self::Folder(slot) => *slot = some(text)?.into(),
            Self::File(slot) => *slot = some(text).map(PathBuf::from),
            Self::Url(slot) => {
                *slot = match some(text) {
                    Some(text) if text.starts_with("http://") => Some(url(text)?.to_owned()),
                    Some(_) => return None,
                    None => None,
                };
            }
            Self::Level(slot) => *slot = level(text)?.into(),
            Self::Format(slot) => {
                *slot = match text {
                    "text" => LogFormat::Text,
                    "json" => LogFormat::Json,
                    _ => return None,
                };
            }
            Self::Origins(slot) => *slot = origins(text)?,
        }
        Some(())
    }

    /// The value as [`Self::read`] takes it; empty where there is none.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Address(slot) => slot.to_string(),
            Self::Host(slot) => slot.to_string(),
            Self::Port(slot) => slot.to_string(),
            Self::Switch(slot) => slot.to_string(),
            Self::Time(slot, _) => written(milliseconds(slot), &UNITS_OF_TIME),
            Self::Size(slot, _) => written(**slot, &UNITS_OF_SIZE),
            Self::Count(slot, _) => slot.to_string(),
            Self::Folder(slot) => slot.to_string_lossy().into_owned(),
            Self::File(slot) => slot
                .as_ref()
                .map_or_else(String::new, |path| path.to_string_lossy().into_owned()),
            Self::Url(slot) => slot.as_deref().unwrap_or_default().to_owned(),
            Self::Level(slot) => (*slot).clone(),
            Self::Format(slot) => match **slot {
                LogFormat::Text => "text".into(),
                LogFormat::Json => "json".into(),
            },
            Self::Origins(slot) => slot.join(","),
        }
    }

    /// What the text must be, as it follows "is not".
    pub(super) fn form(&self) -> String {
        let within = |bounds: &RangeInclusive<u64>, units: &Units| {
            let (least, most) = (bounds.start(), bounds.end());
            format!(
                "from {} to {}",
                written(*least, units),
                written(*most, units)
            )
        };
        match self {
            Self::Address(_) => "an address as in 127.0.0.1:60051 or [::1]:60051".into(),
            Self::Host(_) => "an IP address or localhost".into(),
            Self::Port(_) => "a port from 0 to 65535".into(),
            Self::Switch(_) => "true or false".into(),
            Self::Time(_, bounds) => format!("a time {}", within(bounds, &UNITS_OF_TIME)),
            Self::Size(_, bounds) => format!("a size {}", within(bounds, &UNITS_OF_SIZE)),
            Self::Count(_, bounds) => {
                format!("a number from {} to {}", bounds.start(), bounds.end())
            }
            Self::Folder(_) => "the path of a folder".into(),
            Self::File(_) => "the path of a file".into(),
            Self::Url(_) => {
                "a URL as in http://127.0.0.1:4317 (for TLS, run a collector beside the service)"
                    .into()
            }
            Self::Level(_) => "error, warn, info, debug or trace, or targets as in \
                               info,poh_holdmetrics_rust::net=debug"
                .into(),
            Self::Format(_) => "text or json".into(),
            Self::Origins(_) => "origins as in https://a.example,https://b.example".into(),
        }
    }
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A level as `tracing` or Python's `logging` names it, or levels of targets; see `telemetry`, which
/// puts it to work.
fn level(text: &str) -> Option<&str> {
    const OF_PYTHON: [&str; 4] = ["warning", "critical", "fatal", "notset"];
    // No word at all would be the level of errors.
    let text = some(text)?;
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_level = if is_word {
        text.parse::<LevelFilter>().is_ok()
            || OF_PYTHON.contains(&text.to_ascii_lowercase().as_str())
    } else {
        EnvFilter::try_new(text).is_ok()
    };
    is_level.then_some(text)
}

fn host(text: &str) -> Option<IpAddr> {
    if text == "localhost" {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    text.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

fn address(text: &str) -> Option<SocketAddr> {
    let (before, port) = text.rsplit_once(':')?;
    Some(SocketAddr::from((host(before)?, port.parse().ok()?)))
}

fn url(text: &str) -> Option<&str> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"))?;
    some(rest).map(|_| text)
}

fn origins(text: &str) -> Option<Vec<String>> {
    let one = |origin: &str| {
        let origin = url(origin.trim())?;
        (!origin.ends_with('/')).then(|| origin.to_owned())
    };
    match text {
        "" => Some(Vec::new()),
        "*" => Some(vec![text.to_owned()]),
        _ => text.split(',').map(one).collect(),
    }
}

/// An integer with one of `units`, within `bounds`.
fn measure(text: &str, units: &Units, bounds: &RangeInclusive<u64>) -> Option<u64> {
    let rest = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let (number, unit) = text.split_at(text.len() - rest.len());
    let (_, factor) = units
        .all
        .iter()
        .find(|(name, _)| *name == unit.trim_start())?;
    let value = number.parse::<u64>().ok()?.checked_mul(*factor)?;
    bounds.contains(&value).then_some(value)
}

/// In the largest unit that leaves no rest.
fn written(value: u64, units: &Units) -> String {
    let fits = |(_, factor): &&(&str, u64)| value.is_multiple_of(*factor);
    match units.all.iter().find(fits) {
        Some((name, factor)) if value > 0 => format!("{}{name}", value / factor),
        _ => units.zero.to_owned(),
    }
}

fn milliseconds(time: &Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("a time within the bounds of a setting")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(slot: impl FnOnce(&mut T) -> Slot<'_>, mut value: T, text: &str) -> Option<T> {
        slot(&mut value).read(text)?;
        Some(value)
    }

    #[test]
    fn sizes_and_times_have_a_unit_and_keep_their_bounds() {
        let size = |text| read(|slot| Slot::Size(slot, 1..=1 << 30), 0, text);
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
        let time = |text| read(|slot| Slot::Time(slot, 0..=3_600_000), Duration::ZERO, text);
        assert_eq!(time("5m"), Some(Duration::from_secs(300)));
        assert_eq!(time("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(time("2h"), None);
    }

    #[test]
    fn what_is_written_reads_back() {
        for text in ["5m", "90s", "1500ms", "1h"] {
            let mut time = Duration::ZERO;
            Slot::Time(&mut time, 0..=u64::MAX).read(text).unwrap();
            assert_eq!(Slot::Time(&mut time, 0..=1).text(), text);
        }
        for text in ["3GiB", "5MiB", "7KiB", "1025B"] {
            let mut size = 0;
            Slot::Size(&mut size, 0..=u64::MAX).read(text).unwrap();
            assert_eq!(Slot::Size(&mut size, 0..=1).text(), text);
        }
        assert_eq!(written(0, &UNITS_OF_TIME), "0s");
        assert_eq!(written(0, &UNITS_OF_SIZE), "0B");
    }

    #[test]
    fn levels_are_those_that_the_log_understands() {
        for text in ["info", "OFF", "Warning", "info,poh_holdmetrics_rust=trace"] {
            assert_eq!(level(text), Some(text));
        }
        for text in ["loud", "", "info,=", "a=loud"] {
            assert_eq!(level(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_may_name_localhost_and_ipv6() {
        for (text, address) in [
            ("0.0.0.0:1", Some("0.0.0.0:1")),
            ("localhost:0", Some("127.0.0.1:0")),
            ("[::]:60051", Some("[::]:60051")),
            ("example.org:1", None),
            ("127.0.0.1", None),
            ("127.0.0.1:99999", None),
        ] {
            let found = super::address(text).map(|address| address.to_string());
            assert_eq!(found.as_deref(), address, "{text}");
        }
    }

    #[test]
    fn origins_are_urls_without_a_path() {
        assert_eq!(origins(""), Some(vec![]));
        assert_eq!(origins("*"), Some(vec!["*".into()]));
        assert_eq!(
            origins("https://a.example, http://b.example:81"),
            Some(vec![
                "https://a.example".into(),
                "http://b.example:81".into()
            ])
        );
        for text in [
            "a.example",
            "*,https://a.example",
            "https://a.example/",
            "https://",
            ",",
        ] {
            assert_eq!(origins(text), None, "{text}");
        }
    }
}
