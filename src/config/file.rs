//! A configuration file as flat entries, each with its line.
//!
//! Knows TOML and YAML, but no setting: `load` looks up the names and checks the values.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;

/// One value of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Section and name, joined by a dot.
    pub(super) key: String,
    /// As a variable would say it; the items of a list are separated by commas.
    pub(super) text: String,
    /// Counted from 1.
    pub(super) line: u64,
}

/// All entries of the file at `path`, TOML or YAML by its extension.
pub(super) fn entries(path: &Path) -> Result<Vec<Entry>, ConfigError> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let parse = match extension {
        Some("toml") => toml,
        Some("yaml" | "yml") => yaml,
        _ => return Err(ConfigError::Extension(path.to_owned())),
    };
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|(line, detail)| ConfigError::Syntax {
        path: path.to_owned(),
        line,
        detail,
    })
}

type Parsed = Result<Vec<Entry>, (u64, String)>;

fn toml(text: &str) -> Parsed {
    let line_at = |at: usize| 1 + text[..at].matches('\n').count() as u64;
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(span.start));
        (line, one_line(error.message()))
    })?;
    let mut entries = Vec::new();
    push_table(&mut entries, "", table.get_ref(), &line_at);
    Ok(entries)
}

fn push_table(
    entries: &mut Vec<Entry>,
    prefix: &str,
    table: &DeTable<'_>,
    line_at: &dyn Fn(usize) -> u64,
) {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            push_table(entries, &format!("{key}."), inner, line_at);
            continue;
        }
        entries.push(Entry {
            key,
            text: toml_text(value.get_ref()),
            line: line_at(name.span().start),
        });
    }
}

fn toml_text(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(switch) => switch.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| toml_text(item.get_ref())).collect();
            items.join(",")
        }
        DeValue::Table(_) => "a table".into(),
    }
}

fn yaml(text: &str) -> Parsed {
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.starts_with('#'))
    {
        return Ok(Vec::new());
    }
    let document: Section = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        (line, yaml_fault(error.without_snippet()))
    })?;
    let mut entries = Vec::new();
    push_section(&mut entries, "", document);
    Ok(entries)
}

/// What is wrong, in terms of the file; the messages of the parser are about its own interface.
fn yaml_fault(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("{key} is defined twice; remove one of the two")
        }
        Error::DuplicateMappingKey { key: None, .. } => {
            "a key is defined twice; remove one of the two".into()
        }
        Error::MultipleDocuments { .. } => {
            "a second document begins; write all settings in one".into()
        }
        Error::Eof { .. } => "the file ends within a value".into(),
        Error::Message { msg, .. } | Error::ExternalMessage { msg, .. } => one_line(msg),
        _ => "unsupported YAML; write only sections, values and lists".into(),
    }
}

fn push_section(entries: &mut Vec<Entry>, prefix: &str, section: Section) {
    for (name, value) in section.0 {
        let key = format!("{prefix}{name}");
        let line = value.referenced.line();
        match value.value {
            Node::Section(inner) => push_section(entries, &format!("{key}."), inner),
            Node::Text(text) => entries.push(Entry { key, text, line }),
        }
    }
}

/// A mapping of YAML, in the order of the file.
struct Section(Vec<(String, serde_saphyr::Spanned<Node>)>);

enum Node {
    Section(Section),
    Text(String),
}

impl<'de> Deserialize<'de> for Section {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(NodeVisitor)? {
            Node::Section(section) => Ok(section),
            Node::Text(text) => Err(serde::de::Error::custom(format!(
                "expected sections, found the text {text:?}"
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a section or a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Section(Section(entries)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut texts = Vec::new();
        while let Some(item) = items.next_element()? {
            match item {
                Node::Text(text) => texts.push(text),
                Node::Section(_) => {
                    return Err(serde::de::Error::custom(
                        "a list must hold values, not sections",
                    ));
                }
            }
        }
        Ok(Node::Text(texts.join(",")))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, switch: bool) -> Result<Node, E> {
        Ok(Node::Text(switch.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Text(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Text(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Text(number.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Text(String::new()))
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(parsed: Parsed) -> Vec<(String, String, u64)> {
        let mut entries: Vec<_> = parsed
            .unwrap()
            .into_iter()
            .map(|entry| (entry.key, entry.text, entry.line))
            .collect();
        entries.sort();
        entries
    }

    #[test]
    fn toml_and_yaml_say_the_same() {
        let from_toml = toml(
            "# a comment\n[http]\nport = 80\ncors_origins = [\"https://a\", \"https://b\"]\n\n[store]\nephemeral = true\n",
        );
        let from_yaml = yaml(
            "# a comment\nhttp:\n  port: 80\n  cors_origins: [https://a, https://b]\n\nstore:\n  ephemeral: true\n",
        );
        let expected = [
            ("http.cors_origins", "https://a,https://b", 4),
            ("http.port", "80", 3),
            ("store.ephemeral", "true", 7),
        ]
        .map(|(key, text, line)| (key.to_owned(), text.to_owned(), line));
        assert_eq!(flat(from_toml), expected);
        assert_eq!(flat(from_yaml), expected);
    }

    #[test]
    fn an_empty_file_sets_nothing() {
        assert_eq!(flat(toml("")), []);
        assert_eq!(flat(yaml("\n# nothing\n")), []);
    }

    #[test]
    fn invalid_files_are_refused_with_a_line() {
        assert_eq!(toml("a = 1\nb = \n").unwrap_err().0, 2);
        assert_eq!(yaml("a: 1\nb: [\n").unwrap_err().0, 2);
        assert!(yaml("just text\n").unwrap_err().1.contains("sections"));
    }

    #[test]
    fn messages_about_yaml_are_our_own() {
        for (text, line, detail) in [
            (
                "http:\n  port: 1\n  port: 2\n",
                3,
                "port is defined twice; remove one of the two",
            ),
            (
                "http:\n  port: 1\n---\nhttp:\n  port: 2\n",
                4,
                "a second document begins; write all settings in one",
            ),
        ] {
            assert_eq!(yaml(text).unwrap_err(), (line, detail.to_owned()), "{text}");
        }
    }
}
