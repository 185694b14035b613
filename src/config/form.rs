//! How the value of a setting is read from text and printed.
//!
//! Files, variables and flags use the same forms, so a value means the same wherever it is written. Sizes,
//! times and counts, which have bounds, are in `measure`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::values::{EventsFull, LogFormat, Scope, StoreAddress, without_secrets};

/// How a value of type `T` is read from text and printed.
pub(super) trait Form<T> {
    /// The value that `text` says; `None` if the text is not as [`Self::expected`] says.
    fn parse(&self, text: &str) -> Option<T>;

    /// The value as [`Self::parse`] reads it; empty if it is unset.
    fn print(&self, value: &T) -> String;

    /// What a text must be, as it follows "is not".
    fn expected(&self) -> String;

    /// What help texts call the value of a flag; `None` for a switch.
    fn value_name(&self) -> Option<&'static str> {
        Some("VALUE")
    }

    /// Whether the flag may be repeated, each time with one item of a list.
    fn is_list(&self) -> bool {
        false
    }

    /// A text that is not valid, as a message may show it.
    fn shown(&self, text: &str) -> String {
        text.to_owned()
    }
}

/// An IP address.
pub(super) struct Host;

impl Form<IpAddr> for Host {
    fn parse(&self, text: &str) -> Option<IpAddr> {
        if text == "localhost" {
            return Some(Ipv4Addr::LOCALHOST.into());
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        bare.parse().ok()
    }

    fn print(&self, value: &IpAddr) -> String {
        value.to_string()
    }

    fn expected(&self) -> String {
        "an IP address or localhost".into()
    }
}

/// A port.
pub(super) struct Port;

impl Form<u16> for Port {
    fn parse(&self, text: &str) -> Option<u16> {
        text.parse().ok()
    }

    fn print(&self, value: &u16) -> String {
        value.to_string()
    }

    fn expected(&self) -> String {
        "a port from 0 to 65535".into()
    }
}

/// An IP address and a port.
pub(super) struct Address;

impl Form<SocketAddr> for Address {
    fn parse(&self, text: &str) -> Option<SocketAddr> {
        let (host, port) = text.rsplit_once(':')?;
        Some(SocketAddr::new(Host.parse(host)?, Port.parse(port)?))
    }

    fn print(&self, value: &SocketAddr) -> String {
        value.to_string()
    }

    fn expected(&self) -> String {
        "an address as in 127.0.0.1:8000 or [::1]:8000".into()
    }

    fn value_name(&self) -> Option<&'static str> {
        Some("HOST:PORT")
    }
}

/// Yes or no.
pub(super) struct Switch;

impl Form<bool> for Switch {
    fn parse(&self, text: &str) -> Option<bool> {
        text.parse().ok()
    }

    fn print(&self, value: &bool) -> String {
        value.to_string()
    }

    fn expected(&self) -> String {
        "true or false".into()
    }

    fn value_name(&self) -> Option<&'static str> {
        None
    }
}

/// The path of a folder.
pub(super) struct Folder;

impl Form<PathBuf> for Folder {
    fn parse(&self, text: &str) -> Option<PathBuf> {
        some(text).map(PathBuf::from)
    }

    fn print(&self, value: &PathBuf) -> String {
        value.to_string_lossy().into_owned()
    }

    fn expected(&self) -> String {
        "the path of a folder".into()
    }

    fn value_name(&self) -> Option<&'static str> {
        Some("FOLDER")
    }
}

/// The path of a file; empty unsets it.
pub(super) struct File;

impl Form<Option<PathBuf>> for File {
    fn parse(&self, text: &str) -> Option<Option<PathBuf>> {
        Some(some(text).map(PathBuf::from))
    }

    fn print(&self, value: &Option<PathBuf>) -> String {
        let path = value
            .as_deref()
            .map(|path| path.to_string_lossy().into_owned());
        path.unwrap_or_default()
    }

    fn expected(&self) -> String {
        "the path of a file".into()
    }

    fn value_name(&self) -> Option<&'static str> {
        Some("FILE")
    }
}

/// A URL without TLS; empty unsets it.
pub(super) struct Url;

impl Form<Option<String>> for Url {
    fn parse(&self, text: &str) -> Option<Option<String>> {
        if text.is_empty() {
            return Some(None);
        }
        text.strip_prefix("http://").and_then(some)?;
        Some(Some(text.to_owned()))
    }

    fn print(&self, value: &Option<String>) -> String {
        value.clone().unwrap_or_default()
    }

    fn expected(&self) -> String {
        "a URL as in http://127.0.0.1:4317 (for TLS, run a collector beside the service)".into()
    }
}

/// Origins of web pages, separated by commas; `*` means all of them.
pub(super) struct Origins;

impl Form<Vec<String>> for Origins {
    fn parse(&self, text: &str) -> Option<Vec<String>> {
        let one = |origin: &str| {
            let origin = origin.trim();
            let host = ["http://", "https://"]
                .iter()
                .find_map(|scheme| origin.strip_prefix(scheme))?;
            (!host.is_empty() && !host.ends_with('/')).then(|| origin.to_owned())
        };
        match text {
            "*" => Some(vec![text.to_owned()]),
            _ => list(text, one),
        }
    }

    fn print(&self, value: &Vec<String>) -> String {
        value.join(",")
    }

    fn expected(&self) -> String {
        "origins as in https://a.example,https://b.example".into()
    }
}

/// Names of hosts without ports, separated by commas; `*` means all of them.
pub(super) struct Hosts;

impl Form<Vec<String>> for Hosts {
    fn parse(&self, text: &str) -> Option<Vec<String>> {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
        let one = |name: &str| {
            let name = name.trim();
            (!name.is_empty() && name.chars().all(is_letter)).then(|| name.to_owned())
        };
        match text {
            "*" => Some(vec![text.to_owned()]),
            _ => list(text, one),
        }
    }

    fn print(&self, value: &Vec<String>) -> String {
        value.join(",")
    }

    fn expected(&self) -> String {
        "names as in scores.example,scores.internal".into()
    }
}

/// What callers without an API key may do. They may not operate the service, so `admin` is left out.
pub(super) struct Scopes;

impl Form<Vec<Scope>> for Scopes {
    fn parse(&self, text: &str) -> Option<Vec<Scope>> {
        list(text, |name| {
            Scope::named(name.trim()).filter(|scope| *scope != Scope::Admin)
        })
    }

    fn print(&self, value: &Vec<Scope>) -> String {
        let names: Vec<_> = value.iter().map(|scope| scope.name()).collect();
        names.join(",")
    }

    fn expected(&self) -> String {
        "a list of read, write, metrics and rounds".into()
    }
}

/// Files of pipelines, separated by commas.
pub(super) struct PipelineFiles;

impl Form<Vec<String>> for PipelineFiles {
    fn parse(&self, text: &str) -> Option<Vec<String>> {
        list(text, |file| some(file.trim()).map(str::to_owned))
    }

    fn print(&self, value: &Vec<String>) -> String {
        value.join(",")
    }

    fn expected(&self) -> String {
        "a list of files as in tiers.py,sales.py:listing".into()
    }

    fn value_name(&self) -> Option<&'static str> {
        Some("FILE[:NAME]")
    }

    fn is_list(&self) -> bool {
        true
    }
}

/// Addresses of storages, separated by commas, which an address may contain, too.
pub(super) struct Stores;

impl Form<Vec<StoreAddress>> for Stores {
    fn parse(&self, text: &str) -> Option<Vec<StoreAddress>> {
        let mut texts: Vec<String> = Vec::new();
        for item in list(text, |item| Some(item.trim().to_owned()))? {
            if item.contains("://") {
                texts.push(item);
            } else {
                // Another host of a replica set.
                let address = texts.last_mut()?;
                address.push(',');
                address.push_str(&item);
            }
        }
        texts.into_iter().map(StoreAddress::new).collect()
    }

    fn print(&self, value: &Vec<StoreAddress>) -> String {
        let shown: Vec<_> = value.iter().map(ToString::to_string).collect();
        shown.join(",")
    }

    fn expected(&self) -> String {
        "a list of addresses as in sqlite:///events.db,mongodb://127.0.0.1/scores".into()
    }

    fn value_name(&self) -> Option<&'static str> {
        Some("URL")
    }

    fn is_list(&self) -> bool {
        true
    }

    fn shown(&self, text: &str) -> String {
        without_secrets(text)
    }
}

/// Names of policies with their files, separated by commas.
pub(super) struct PolicyFiles;

impl Form<Vec<String>> for PolicyFiles {
    fn parse(&self, text: &str) -> Option<Vec<String>> {
        list(text, |item| {
            let (name, file) = item.trim().split_once('=')?;
            some(name)?;
            some(file)?;
            Some(item.trim().to_owned())
        })
    }

    fn print(&self, value: &Vec<String>) -> String {
        value.join(",")
    }

    fn expected(&self) -> String {
        "a list of names with their files as in tiers=tiers.json,season=2026.json".into()
    }

    fn value_name(&self) -> Option<&'static str> {
        Some("NAME=FILE")
    }

    fn is_list(&self) -> bool {
        true
    }
}

/// Arguments of pipelines, separated by commas, which a value may contain, too.
pub(super) struct PipelineArguments;

impl Form<Vec<String>> for PipelineArguments {
    fn parse(&self, text: &str) -> Option<Vec<String>> {
        let mut arguments: Vec<String> = Vec::new();
        for item in list(text, |item| Some(item.to_owned()))? {
            if !item.contains('=') {
                let value = arguments.last_mut()?;
                value.push(',');
                value.push_str(&item);
                continue;
            }
            let (pipeline, key) = item.split_once('=')?.0.split_once('.')?;
            some(pipeline)?;
            some(key)?;
            arguments.push(item);
        }
        Some(arguments)
    }

    fn print(&self, value: &Vec<String>) -> String {
        value.join(",")
    }

    fn expected(&self) -> String {
        "a list of arguments as in tiers.limit=10,sales.url=http://127.0.0.1:9000".into()
    }

    fn value_name(&self) -> Option<&'static str> {
        Some("NAME.KEY=VALUE")
    }

    fn is_list(&self) -> bool {
        true
    }
}

/// What happens to events of which a pipeline reads too few.
pub(super) struct WhenFull;

impl Form<EventsFull> for WhenFull {
    fn parse(&self, text: &str) -> Option<EventsFull> {
        let known = [EventsFull::Lag, EventsFull::Shed];
        known.into_iter().find(|word| word.name() == text)
    }

    fn print(&self, value: &EventsFull) -> String {
        value.name().into()
    }

    fn expected(&self) -> String {
        "lag or shed".into()
    }
}

/// A level as `tracing` or Python's `logging` names it, or levels of targets; `telemetry` applies it.
pub(super) struct LogLevel;

impl Form<String> for LogLevel {
    fn parse(&self, text: &str) -> Option<String> {
        const OF_PYTHON: [&str; 4] = ["warning", "critical", "fatal", "notset"];
        // An empty filter would log errors alone.
        let text = some(text)?;
        let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_valid = if is_word {
            text.parse::<LevelFilter>().is_ok()
                || OF_PYTHON.contains(&text.to_ascii_lowercase().as_str())
        } else {
            EnvFilter::try_new(text).is_ok()
        };
        is_valid.then(|| text.to_owned())
    }

    fn print(&self, value: &String) -> String {
        value.clone()
    }

    fn expected(&self) -> String {
        "error, warn, info, debug or trace, or targets as in info,poh_holdmetrics_rust::net=debug"
            .into()
    }
}

/// How log lines are written.
pub(super) struct LogForm;

impl Form<LogFormat> for LogForm {
    fn parse(&self, text: &str) -> Option<LogFormat> {
        match text {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        }
    }

    fn print(&self, value: &LogFormat) -> String {
        match value {
            LogFormat::Text => "text".into(),
            LogFormat::Json => "json".into(),
        }
    }

    fn expected(&self) -> String {
        "text or json".into()
    }

    fn value_name(&self) -> Option<&'static str> {
        Some("FORM")
    }
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The items of a text that separates them by commas; an empty text has none.
fn list<T>(text: &str, item: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    match text {
        "" => Some(Vec::new()),
        _ => text.split(',').map(item).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_tracing_and_of_python() {
        for text in ["info", "OFF", "Warning", "info,poh_holdmetrics_rust=trace"] {
            assert_eq!(LogLevel.parse(text).as_deref(), Some(text));
        }
        for text in ["loud", "", "info,=", "a=loud"] {
            assert_eq!(LogLevel.parse(text), None, "{text}");
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
            let found = Address.parse(text).map(|address| address.to_string());
            assert_eq!(found.as_deref(), address, "{text}");
        }
    }

    #[test]
    fn origins_are_urls_without_a_path() {
        assert_eq!(Origins.parse(""), Some(vec![]));
        assert_eq!(Origins.parse("*"), Some(vec!["*".into()]));
        assert_eq!(
            Origins.parse("https://a.example, http://b.example:81"),
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
            assert_eq!(Origins.parse(text), None, "{text}");
        }
    }

    #[test]
    fn hosts_are_names_without_a_port() {
        assert_eq!(Hosts.parse(""), Some(vec![]));
        assert_eq!(Hosts.parse("*"), Some(vec!["*".into()]));
        assert_eq!(
            Hosts.parse("scores.example, scores-2"),
            Some(vec!["scores.example".into(), "scores-2".into()])
        );
        for text in ["a.example:80", "http://a.example", "*,a", ","] {
            assert_eq!(Hosts.parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_argument_of_a_pipeline_may_contain_commas() {
        assert_eq!(
            PipelineArguments.parse("tiers.levels=1,2,3,sales.url=http://a?b=c"),
            Some(vec![
                "tiers.levels=1,2,3".into(),
                "sales.url=http://a?b=c".into()
            ])
        );
        assert_eq!(PipelineArguments.parse(""), Some(vec![]));
        for text in ["levels=1", "1,tiers.levels=2", ".levels=1", "tiers.=1"] {
            assert_eq!(PipelineArguments.parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_store_may_have_several_hosts_and_its_password_is_not_shown() {
        let text = "mongodb://ann:se@cret@a:1,b:2/scores?tls=true, sqlite:///events,1.db";
        let stores = Stores.parse(text).unwrap();
        let written: Vec<_> = stores.iter().map(StoreAddress::as_str).collect();
        let expected = [
            "mongodb://ann:se@cret@a:1,b:2/scores?tls=true",
            "sqlite:///events,1.db",
        ];
        assert_eq!(written, expected);
        let shown = "mongodb://***@a:1,b:2/scores?...,sqlite:///events,1.db";
        assert_eq!(Stores.print(&stores), shown);
        assert!(!format!("{stores:?}").contains("cret"));
        assert_eq!(Stores.parse(""), Some(vec![]));
        for text in ["events.db", "b:2,mongodb://a", "://a", "Mongo DB://a"] {
            assert_eq!(Stores.parse(text), None, "{text}");
        }
        assert_eq!(
            Form::<Vec<StoreAddress>>::shown(&Stores, "Mongo://ann:secret@a"),
            "Mongo://***@a"
        );
    }

    #[test]
    fn callers_without_a_key_cannot_be_made_operators() {
        assert_eq!(
            Scopes.parse("read, metrics"),
            Some(vec![Scope::Read, Scope::Metrics])
        );
        assert_eq!(Scopes.parse(""), Some(vec![]));
        for text in ["admin", "read,admin", "reed", ","] {
            assert_eq!(Scopes.parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_url_of_a_telemetry_receiver_has_no_tls() {
        let url = "http://127.0.0.1:4317";
        assert_eq!(Url.parse(url), Some(Some(url.into())));
        assert_eq!(Url.parse(""), Some(None));
        for text in ["https://127.0.0.1:4317", "http://", "127.0.0.1:4317"] {
            assert_eq!(Url.parse(text), None, "{text}");
        }
    }
}
