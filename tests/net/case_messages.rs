//! The lines of a case as messages, as a client would make them of its own values; what cannot be put into a
//! message, such as a weight that cannot be a number, is left to the client to refuse.

use std::collections::BTreeMap;
use std::fmt;

use poh_holdmetrics_rust::core::Micros;
use poh_holdmetrics_rust::net::pb::{HoldBatch, HoldMsg, TransferBatch, TransferMsg};
use prost_types::Timestamp;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The message of a line.
#[derive(Clone)]
pub(crate) enum Message {
    Hold(HoldMsg),
    Transfer(TransferMsg),
}

/// A value that no message can state.
pub(crate) struct Unsendable;

type Value<T> = Result<Option<T>, Unsendable>;

/// The raw values of a line; null is absent.
struct Fields(BTreeMap<String, Box<RawValue>>);

impl Fields {
    fn raw(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name).map(|value| value.get());
        value.filter(|value| *value != "null")
    }

    fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.raw(name).is_some())
    }

    /// The value that `read` makes of the field, `None` if it has another type.
    fn read<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Value<T> {
        let raw = self.raw(name);
        raw.map(|raw| read(raw).ok_or(Unsendable)).transpose()
    }

    fn text(&self, name: &str) -> Value<String> {
        self.read(name, |raw| serde_json::from_str(raw).ok())
    }

    /// Text, or the digits of an integer; empty if it is absent.
    fn id(&self, name: &str) -> Result<String, Unsendable> {
        let read = |raw: &str| {
            let digits = raw.strip_prefix('-').unwrap_or(raw);
            let is_integer = digits.bytes().all(|byte| byte.is_ascii_digit());
            if is_integer {
                Some(raw.to_owned())
            } else {
                serde_json::from_str(raw).ok()
            }
        };
        self.read(name, read).map(Option::unwrap_or_default)
    }

    fn time(&self, name: &str) -> Value<Timestamp> {
        let read = |raw: &str| {
            let micros = match serde_json::from_str::<String>(raw) {
                Ok(text) => match text.trim().parse::<i64>() {
                    Ok(millis) => millis.checked_mul(1_000)?,
                    Err(_) => Micros::parse(&text).ok()?.get(),
                },
                Err(_) => millis(raw)?.checked_mul(1_000)?,
            };
            Some(Timestamp {
                seconds: micros.div_euclid(1_000_000),
                nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).ok()?,
            })
        };
        self.read(name, read)
    }

    /// The digits of a number, or text, which the server reads.
    fn decimal(&self, name: &str) -> Value<String> {
        let read = |raw: &str| {
            let text = serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned());
            let begins = |byte: u8| byte.is_ascii_digit() || b"+-.naiNI".contains(&byte);
            text.bytes().next().is_some_and(begins).then_some(text)
        };
        self.read(name, read)
    }

    fn integer(&self, name: &str) -> Result<u64, Unsendable> {
        let read = |raw: &str| raw.parse().ok();
        self.read(name, read).map(Option::unwrap_or_default)
    }

    fn flag(&self, name: &str) -> Result<bool, Unsendable> {
        let read = |raw: &str| raw.parse().ok();
        self.read(name, read).map(Option::unwrap_or_default)
    }
}

/// A count of milliseconds that is written as any number.
fn millis(raw: &str) -> Option<i64> {
    if let Ok(integer) = raw.parse() {
        return Some(integer);
    }
    let double: f64 = raw.parse().ok()?;
    let is_whole = double.fract() == 0.0 && double.abs() < 9e15;
    is_whole
        .then(|| format!("{double:.0}").parse().ok())
        .flatten()
}

/// The keys of an object, in its order; a key that is there twice is listed twice.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Keys;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// A message has each field once, under its own name.
fn check_keys(line: &str) -> Result<(), Unsendable> {
    const NAMES: [&str; 14] = [
        "token_id",
        "holder_id",
        "start",
        "end",
        "weight",
        "event_id",
        "revision",
        "retract",
        "at",
        "delta",
        "seq",
        "from_id",
        "to_id",
        "amount",
    ];
    let Keys(mut keys) = serde_json::from_str(line).map_err(|_| Unsendable)?;
    let is_near_miss = |key: &String| {
        let name = key.trim().to_ascii_lowercase();
        NAMES.contains(&&*name) && *key != name
    };
    let is_twice = |keys: &[String]| keys[0] == keys[1] && NAMES.contains(&&*keys[0]);
    keys.sort_unstable();
    if keys.iter().any(is_near_miss) || keys.windows(2).any(is_twice) {
        return Err(Unsendable);
    }
    Ok(())
}

/// The message of a line.
pub(crate) fn message(line: &str) -> Result<Message, Unsendable> {
    check_keys(line)?;
    let fields = Fields(serde_json::from_str(line).map_err(|_| Unsendable)?);
    if !fields.has_any(&["from_id", "to_id", "amount"]) {
        return Ok(Message::Hold(HoldMsg {
            token_id: fields.id("token_id")?,
            holder_id: fields.id("holder_id")?,
            start: fields.time("start")?,
            end: fields.time("end")?,
            weight_text: fields.decimal("weight")?,
            event_id: fields.text("event_id")?,
            revision: fields.integer("revision")?,
            retract: fields.flag("retract")?,
            at: fields.time("at")?,
            delta_text: fields.decimal("delta")?,
            seq: fields.integer("seq")?,
            weight: None,
            delta: None,
        }));
    }
    if fields.has_any(&["holder_id", "delta", "start", "end", "weight"]) {
        return Err(Unsendable);
    }
    Ok(Message::Transfer(TransferMsg {
        token_id: fields.id("token_id")?,
        from_id: fields.id("from_id")?,
        to_id: fields.id("to_id")?,
        at: fields.time("at")?,
        amount_text: fields.decimal("amount")?,
        event_id: fields.text("event_id")?.unwrap_or_default(),
        revision: fields.integer("revision")?,
        retract: fields.flag("retract")?,
        seq: fields.integer("seq")?,
        amount: None,
    }))
}

fn micros(time: Option<&Timestamp>) -> i64 {
    time.map_or(i64::MIN, |time| {
        time.seconds * 1_000_000 + i64::from(time.nanos / 1_000)
    })
}

/// Adds a row with the fields of `message`.
pub(crate) fn push_hold(batch: &mut HoldBatch, message: HoldMsg) {
    batch.start_us.push(micros(message.start.as_ref()));
    batch.end_us.push(micros(message.end.as_ref()));
    batch.at_us.push(micros(message.at.as_ref()));
    batch.token_id.push(message.token_id);
    batch.holder_id.push(message.holder_id);
    batch
        .weight_text
        .push(message.weight_text.unwrap_or_default());
    batch
        .delta_text
        .push(message.delta_text.unwrap_or_default());
    batch.event_id.push(message.event_id.unwrap_or_default());
    batch.revision.push(message.revision);
    batch.retract.push(message.retract);
    batch.seq.push(message.seq);
}

/// Adds a row with the fields of `message`.
pub(crate) fn push_transfer(batch: &mut TransferBatch, message: TransferMsg) {
    batch.at_us.push(micros(message.at.as_ref()));
    batch.token_id.push(message.token_id);
    batch.from_id.push(message.from_id);
    batch.to_id.push(message.to_id);
    batch
        .amount_text
        .push(message.amount_text.unwrap_or_default());
    batch.event_id.push(message.event_id);
    batch.revision.push(message.revision);
    batch.retract.push(message.retract);
    batch.seq.push(message.seq);
}
