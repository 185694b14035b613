//! Messages of the wire: any bytes are converted or refused, and a message is the same event as a
//! batch of one row with its fields.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use poh_holdmetrics_rust::core::encoding;
use poh_holdmetrics_rust::net::Conversion;
use poh_holdmetrics_rust::net::pb::{HoldBatch, HoldMsg};
use prost::Message;

static CONVERSION: LazyLock<Conversion> = LazyLock::new(Conversion::new);

fn batch_of_one(message: &HoldMsg) -> HoldBatch {
    let micros = |time: &Option<prost_types::Timestamp>| {
        time.as_ref().map_or(i64::MIN, |time| {
            time.seconds * 1_000_000 + i64::from(time.nanos / 1_000)
        })
    };
    HoldBatch {
        token_id: vec![message.token_id.clone()],
        holder_id: vec![message.holder_id.clone()],
        start_us: vec![micros(&message.start)],
        end_us: vec![micros(&message.end)],
        weight: message.weight.into_iter().collect(),
        weight_text: message.weight_text.clone().into_iter().collect(),
        event_id: vec![message.event_id.clone().unwrap_or_default()],
        revision: vec![message.revision],
        retract: vec![message.retract],
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((mode, bytes)) = bytes.split_first() else {
        return;
    };
    let events = if mode % 2 == 0 {
        let Ok(message) = HoldMsg::decode(bytes) else {
            return;
        };
        let events = CONVERSION.message(&message);
        if events.count() == 1 {
            let row = CONVERSION.batch(&batch_of_one(&message));
            assert!(row == events, "{message:?}");
        }
        events
    } else {
        let Ok(batch) = HoldBatch::decode(bytes) else {
            return;
        };
        CONVERSION.batch(&batch)
    };
    let decoded = encoding::events(events.bytes()).map(|event| event.expect("whole events"));
    assert_eq!(decoded.count(), events.count() as usize);
});
