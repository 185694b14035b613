//! A configuration for people, and for machines.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::load::Loaded;
use super::origin::Origin;

/// One line per setting: name, value, origin.
#[must_use]
pub(crate) fn table(loaded: &Loaded) -> String {
    let rows: Vec<_> = loaded.settings().collect();
    let names = rows.iter().map(|(setting, _, _)| setting.name.len()).max();
    let values = rows.iter().map(|(_, text, _)| text.chars().count()).max();
    let (names, values) = (names.unwrap_or(0), values.unwrap_or(0).max(1));
    let mut out = String::new();
    for (setting, text, origin) in rows {
        let text = if text.is_empty() { "-" } else { &text };
        writeln!(out, "{:names$}  {text:values$}  {origin}", setting.name)
            .expect("a string takes any text");
    }
    out
}

/// One object: under each name its value, origin, variable, flag, what a value must be, and its meaning.
#[must_use]
pub(crate) fn json(loaded: &Loaded) -> Value {
    let mut settings = Map::new();
    for (setting, text, origin) in loaded.settings() {
        let from = match origin {
            Origin::Default => json!({"layer": "default"}),
            Origin::File { path, line } => {
                json!({"layer": "file", "file": path.to_string_lossy(), "line": line})
            }
            Origin::Variable(name) => json!({"layer": "environment", "variable": name}),
            Origin::Flag(_) => json!({"layer": "flags", "flag": origin.to_string()}),
        };
        let described = json!({
            "value": text,
            "from": from,
            "variable": setting.variable(),
            "form": setting.expected(),
            "help": setting.help(),
        });
        settings.insert(setting.name.to_owned(), described);
    }
    Value::Object(settings)
}
