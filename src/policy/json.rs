//! JSON that means the same to every reader: a field that occurs twice and a number above 2^53 are refused.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, json};

use crate::excerpt::quoted;

const NUMBER_MAX: u64 = 1 << 53;

/// Reads a text.
pub(super) fn read(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str::<Strict>(text).map(|Strict(value)| value)
}

/// The one text of a value: fields in order of their names, without blanks.
pub(super) fn canonical(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(",");
    match value {
        Value::Array(items) => format!("[{}]", joined(items.iter().map(canonical).collect())),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            let field =
                |(name, value): (&String, &Value)| format!("{}:{}", json!(name), canonical(value));
            format!("{{{}}}", joined(fields.into_iter().map(field).collect()))
        }
        scalar => scalar.to_string(),
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

fn too_large<E: de::Error>(number: &dyn fmt::Display) -> E {
    E::custom(format!("{number} is above 2^53; write it as text"))
}

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        if number > NUMBER_MAX {
            return Err(too_large(&number));
        }
        Ok(number.into())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        if number.unsigned_abs() > NUMBER_MAX {
            return Err(too_large(&number));
        }
        Ok(number.into())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "a power of two is exact")]
        let most = NUMBER_MAX as f64;
        let number = Number::from_f64(number).filter(|_| number.abs() <= most);
        number
            .map(Value::Number)
            .ok_or_else(|| too_large(&"a number"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = source.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, Strict(value))) = source.next_entry::<String, Strict>()? {
            if fields.contains_key(&name) {
                let name = quoted(&name);
                return Err(de::Error::custom(format!("the field {name} occurs twice")));
            }
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_text() {
        let value =
            read("{\"b\": [1, 1.50, null], \"a\\u00e9\": {\"z\": \"\\n\\u007f\", \"y\": true}}")
                .unwrap();
        assert_eq!(
            canonical(&value),
            "{\"aé\":{\"y\":true,\"z\":\"\\n\u{7f}\"},\"b\":[1,1.5,null]}"
        );
    }
}
