//! Messages of the wire: any bytes are converted or refused, and a message is the same event or transfer as a
//! batch of one row with its fields.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use poh_holdmetrics_rust::core::{EventBatch, encoding};
use poh_holdmetrics_rust::net::Conversion;
use poh_holdmetrics_rust::net::pb::{HoldBatch, HoldMsg, TransferBatch, TransferMsg};
use prost::Message;

static CONVERSION: LazyLock<Conversion> = LazyLock::new(Conversion::new);

fn micros(time: Option<&prost_types::Timestamp>) -> i64 {
    time.map_or(i64::MIN, |time| {
        time.seconds * 1_000_000 + i64::from(time.nanos / 1_000)
    })
}

fn batch_of_one(message: &HoldMsg) -> HoldBatch {
    HoldBatch {
        token_id: vec![message.token_id.clone()],
        holder_id: vec![message.holder_id.clone()],
        start_us: vec![micros(message.start.as_ref())],
        end_us: vec![micros(message.end.as_ref())],
        weight: message.weight.into_iter().collect(),
        weight_text: message.weight_text.clone().into_iter().collect(),
        event_id: vec![message.event_id.clone().unwrap_or_default()],
        revision: vec![message.revision],
        retract: vec![message.retract],
        at_us: vec![micros(message.at.as_ref())],
        delta: message.delta.into_iter().collect(),
        delta_text: message.delta_text.clone().into_iter().collect(),
        seq: vec![message.seq],
    }
}

fn transfers_of_one(message: &TransferMsg) -> TransferBatch {
    TransferBatch {
        token_id: vec![message.token_id.clone()],
        from_id: vec![message.from_id.clone()],
        to_id: vec![message.to_id.clone()],
        at_us: vec![micros(message.at.as_ref())],
        amount: message.amount.into_iter().collect(),
        amount_text: message.amount_text.clone().into_iter().collect(),
        event_id: vec![message.event_id.clone()],
        revision: vec![message.revision],
        retract: vec![message.retract],
        seq: vec![message.seq],
    }
}

/// The events of the bytes; `None` if they are no such message.
fn events(mode: u8, bytes: &[u8]) -> Option<EventBatch> {
    let events = match mode % 4 {
        0 => {
            let message = HoldMsg::decode(bytes).ok()?;
            let events = CONVERSION.message(&message);
            if events.count() > 0 {
                let row = CONVERSION.batch(&batch_of_one(&message));
                assert!(row == events, "{message:?}");
            }
            events
        }
        1 => CONVERSION.batch(&HoldBatch::decode(bytes).ok()?),
        2 => {
            let message = TransferMsg::decode(bytes).ok()?;
            let events = CONVERSION.transfer(&message);
            if events.count() > 0 {
                let row = CONVERSION.transfers(&transfers_of_one(&message));
                assert!(row == events, "{message:?}");
            }
            events
        }
        _ => CONVERSION.transfers(&TransferBatch::decode(bytes).ok()?),
    };
    Some(events)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((mode, bytes)) = bytes.split_first() else {
        return;
    };
    let Some(events) = events(*mode, bytes) else {
        return;
    };
    let decoded = encoding::events(events.bytes()).map(|event| event.expect("whole events"));
    assert_eq!(decoded.count(), events.count() as usize);
});
