//! A list of event models, copied into [`super::owned`].
//!
//! Reads the attributes of a `HoldEvent`, or those of a `Transfer` if the object has a `from_id` or a `to_id`
//! and no `holder_id`. The weight of a change is not read, because every `HoldEvent` has one.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::attributes::{Attributes, Values, instance_dict};
use super::decimals::{DecimalReader, decimal};
use super::found::refused_row;
use super::instants::InstantReader;
use super::memo::Memo;
use super::owned::{OwnedEvents, Span};
use super::values;
use crate::core::{Draft, Event, Field, Refusal, Wad};
use crate::input::Decimal;

/// The attributes of a `HoldEvent`.
const OF_A_HOLD: usize = 11;
/// The attributes of a `Transfer`.
const OF_A_TRANSFER: usize = 9;

/// Reads every object of `events`, a list or any iterable. The first one that is refused is a `ValueError`
/// for all of them, such as `row 17: weight: negative (write 0 or more); found -1`.
pub(in crate::host) fn read(events: &Bound<'_, PyAny>) -> PyResult<OwnedEvents> {
    read_each(events, |_| ())
}

/// The same, and of each object after how many events its own end: a transfer has one or two.
#[cfg(feature = "py-embed")]
pub(in crate::host) fn read_rows(events: &Bound<'_, PyAny>) -> PyResult<(OwnedEvents, Vec<usize>)> {
    let mut ends = Vec::new();
    let owned = read_each(events, |owned| ends.push(owned.len()))?;
    Ok((owned, ends))
}

fn read_each(
    events: &Bound<'_, PyAny>,
    mut ended: impl FnMut(&OwnedEvents),
) -> PyResult<OwnedEvents> {
    let mut reader = ModelReader::new(events.py())?;
    if let Ok(list) = events.cast::<PyList>() {
        let mut owned = OwnedEvents::with_capacity(list.len());
        for (row, event) in list.iter().enumerate() {
            reader.read(row, &event, &mut owned)?;
            ended(&owned);
        }
        return Ok(owned);
    }
    let mut owned = OwnedEvents::default();
    for (row, event) in events.try_iter()?.enumerate() {
        reader.read(row, &event?, &mut owned)?;
        ended(&owned);
    }
    Ok(owned)
}

/// Reads models one after the other.
struct ModelReader<'py> {
    holds: Attributes<'py, OF_A_HOLD>,
    transfers: Attributes<'py, OF_A_TRANSFER>,
    instants: InstantReader<'py>,
    weights: DecimalReader<'py, Wad>,
    tokens: Memo<'py, Span>,
}

impl<'py> ModelReader<'py> {
    fn new(py: Python<'py>) -> PyResult<Self> {
        Ok(Self {
            holds: Attributes::new([
                intern!(py, "token_id"),
                intern!(py, "holder_id"),
                intern!(py, "start"),
                intern!(py, "end"),
                intern!(py, "weight"),
                intern!(py, "event_id"),
                intern!(py, "revision"),
                intern!(py, "retract"),
                intern!(py, "at"),
                intern!(py, "delta"),
                intern!(py, "seq"),
            ]),
            transfers: Attributes::new([
                intern!(py, "token_id"),
                intern!(py, "from_id"),
                intern!(py, "to_id"),
                intern!(py, "at"),
                intern!(py, "amount"),
                intern!(py, "event_id"),
                intern!(py, "revision"),
                intern!(py, "retract"),
                intern!(py, "seq"),
            ]),
            instants: InstantReader::new(py)?,
            weights: DecimalReader::new(),
            tokens: Memo::new(),
        })
    }

    fn read(
        &mut self,
        row: usize,
        event: &Bound<'py, PyAny>,
        owned: &mut OwnedEvents,
    ) -> PyResult<()> {
        let dict = instance_dict(event);
        let dict = dict.as_ref();
        let fields = self.holds.entries(dict);
        if !has_id(&fields) {
            let fields = self.transfers.entries(dict);
            if has_id(&fields) || is_transfer(event)? {
                let fields = self.transfers.complete(fields, event, dict)?;
                let kept = self.keep_transfer(&fields, owned);
                return kept.map_err(|refusal| {
                    let value = self.transfers.value(&fields, refusal.field());
                    refused_row(row, refusal, value)
                });
            }
        }
        let fields = self.holds.complete(fields, event, dict)?;
        let kept = self.keep_hold(&fields, owned);
        kept.map_err(|refusal| {
            let value = self.holds.value(&fields, refusal.field());
            refused_row(row, refusal, value)
        })
    }

    fn keep_hold(
        &mut self,
        fields: &Values<'py, OF_A_HOLD>,
        owned: &mut OwnedEvents,
    ) -> Result<(), Refusal> {
        let [
            token,
            holder,
            start,
            end,
            weight,
            event_id,
            revision,
            retract,
            at,
            delta,
            seq,
        ] = fields.each_ref().map(|field| present(field.as_ref()));
        let token_id = values::id(Field::TokenId, token)?;
        let holder_id = values::id(Field::HolderId, holder)?;
        let is_change = at.is_some() || delta.is_some();
        let event = Draft {
            token_id: &token_id,
            holder_id: &holder_id,
            start: self.instants.read(Field::Start, start)?,
            end: self.instants.read(Field::End, end)?,
            weight: self.weights.read(weight.filter(|_| !is_change))?,
            event_id: values::event_id(event_id)?,
            revision: values::natural(revision, Refusal::Revision)?,
            retract: values::retract(retract)?,
            at: self.instants.read(Field::At, at)?,
            delta: exact(Field::Delta, delta)?,
            seq: values::natural(seq, Refusal::Seq)?,
            ..Draft::default()
        }
        .check()?;
        self.push(token, &[event], owned)
    }

    fn keep_transfer(
        &mut self,
        fields: &Values<'py, OF_A_TRANSFER>,
        owned: &mut OwnedEvents,
    ) -> Result<(), Refusal> {
        let [
            token,
            from,
            to,
            at,
            amount,
            event_id,
            revision,
            retract,
            seq,
        ] = fields.each_ref().map(|field| present(field.as_ref()));
        let token_id = values::id(Field::TokenId, token)?;
        let from_id = values::party(Field::FromId, from)?;
        let to_id = values::party(Field::ToId, to)?;
        let events = Draft {
            token_id: &token_id,
            // Some party is given, if only an empty one: the object is a transfer.
            from_id: Some(from_id.as_deref().unwrap_or_default()),
            to_id: to_id.as_deref(),
            event_id: values::event_id(event_id)?,
            revision: values::natural(revision, Refusal::Revision)?,
            retract: values::retract(retract)?,
            at: self.instants.read(Field::At, at)?,
            amount: exact(Field::Amount, amount)?,
            seq: values::natural(seq, Refusal::Seq)?,
            ..Draft::default()
        }
        .events()?;
        self.push(token, &events, owned)
    }

    fn push(
        &mut self,
        token: Option<&Bound<'py, PyAny>>,
        events: &[Event<'_>],
        owned: &mut OwnedEvents,
    ) -> Result<(), Refusal> {
        for event in events {
            let token_id = match token {
                Some(token) => {
                    let keep = || Ok::<_, Refusal>(owned.keep(event.token_id));
                    self.tokens.get_or(token, keep)?
                }
                None => owned.keep(event.token_id),
            };
            owned.push(token_id, event);
        }
        Ok(())
    }
}

/// Whether the second attribute was found, which is an id that models of the other kind do not have.
const fn has_id<const N: usize>(fields: &Values<'_, N>) -> bool {
    fields[1].is_some()
}

/// Whether an object whose dictionary does not tell has the attributes of a transfer.
#[cold]
fn is_transfer(event: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = event.py();
    let has_party =
        event.hasattr(intern!(py, "from_id"))? || event.hasattr(intern!(py, "to_id"))?;
    Ok(has_party && !event.hasattr(intern!(py, "holder_id"))?)
}

fn present<'a, 'py>(field: Option<&'a Bound<'py, PyAny>>) -> Option<&'a Bound<'py, PyAny>> {
    field.filter(|value| !value.is_none())
}

/// A delta or an amount; without a cache, because most of them are objects of their own.
fn exact<T: Decimal>(field: Field, value: Option<&Bound<'_, PyAny>>) -> Result<Option<T>, Refusal> {
    decimal(value).map_err(|error| Refusal::Decimal(field, error))
}
