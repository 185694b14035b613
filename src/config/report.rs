//! A configuration for people, and for machines.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::load::{Loaded, Origin};

/// One line a setting: key, value, origin.
#[must_use]
pub fn table(loaded: &Loaded) -> String {
    let rows: Vec<_> = loaded.settings().collect();
    let names = rows.iter().map(|(key, _, _)| key.name.len()).max();
    let values = rows.iter().map(|(_, text, _)| text.chars().count()).max();
    let (names, values) = (names.unwrap_or(0), values.unwrap_or(0).max(1));
    let mut out = String::new();
    for (key, text, origin) in rows {
        let text = if text.is_empty() { "-" } else { &text };
        writeln!(out, "{:names$}  {text:values$}  {origin}", key.name).expect("memory takes it");
    }
    out
}

/// One object: under each key its value, where it came from, its variable, bounds and meaning.
#[must_use]
pub fn json(loaded: &Loaded) -> Value {
    let mut settings = Map::new();
    for (key, text, origin) in loaded.settings() {
        let from = match origin {
            Origin::Default => json!({"layer": "default"}),
            Origin::File { path, line } => {
                json!({"layer": "file", "file": path.to_string_lossy(), "line": line})
            }
            Origin::Variable(name) => json!({"layer": "environment", "variable": name}),
            Origin::Flag(name) => json!({"layer": "flags", "flag": name}),
        };
        let setting = json!({
            "value": text,
            "from": from,
            "variable": key.variable,
            "form": key.form(),
            "help": key.help,
        });
        settings.insert(key.name.to_owned(), setting);
    }
    Value::Object(settings)
}
