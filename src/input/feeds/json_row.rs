//! A line of JSON as the row of a feed: values by key, those of an object within by `key.inner`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::layout::FeedLayout;
use super::row::FeedRow;

/// The raw JSON of the keys that a layout names.
pub(in crate::input) struct JsonFeedRow<'a> {
    values: Vec<Option<&'a str>>,
}

impl<'a> JsonFeedRow<'a> {
    /// The values of the object `text`.
    pub(in crate::input) fn read(
        text: &'a str,
        layout: &FeedLayout,
    ) -> Result<Self, serde_json::Error> {
        let mut values = vec![None; layout.columns.len()];
        for (key, raw) in entries(text)? {
            if let Some(slot) = layout.columns.iter().position(|column| *column == key) {
                values[slot] = Some(raw).filter(|raw| *raw != "null");
            }
            let begins_with_key = |column: &String| {
                let rest = column.strip_prefix(&*key);
                rest.is_some_and(|rest| rest.starts_with('.'))
            };
            if raw.starts_with('{') && layout.columns.iter().any(begins_with_key) {
                for (inner, raw) in entries(raw)? {
                    let path = format!("{key}.{inner}");
                    if let Some(slot) = layout.columns.iter().position(|column| *column == path) {
                        values[slot] = Some(raw).filter(|raw| *raw != "null");
                    }
                }
            }
        }
        Ok(Self { values })
    }
}

impl FeedRow for JsonFeedRow<'_> {
    fn text(&self, slot: usize) -> Option<Cow<'_, str>> {
        let raw = self.values[slot]?;
        let text = if raw.starts_with('"') {
            serde_json::from_str::<Cow<'_, str>>(raw).unwrap_or(Cow::Borrowed(raw))
        } else {
            Cow::Borrowed(raw)
        };
        (!text.is_empty()).then_some(text)
    }
}

/// The keys of an object, and of the objects within it as `key.inner`; none if `text` is not an object.
pub(in crate::input) fn key_paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (key, raw) in entries(text).unwrap_or_default() {
        if raw.starts_with('{') {
            let inner = entries(raw).unwrap_or_default();
            paths.extend(inner.into_iter().map(|(inner, _)| format!("{key}.{inner}")));
        }
        paths.push(key);
    }
    paths
}

/// The keys and the raw values of an object, in their order.
pub(in crate::input) fn entries(text: &str) -> Result<Vec<(String, &str)>, serde_json::Error> {
    serde_json::from_str(text).map(|Entries(entries)| entries)
}

struct Entries<'a>(Vec<(String, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(object: D) -> Result<Self, D::Error> {
        object.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, raw)) = object.next_entry::<String, &RawValue>()? {
            entries.push((key, raw.get()));
        }
        Ok(Entries(entries))
    }
}
