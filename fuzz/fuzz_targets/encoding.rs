//! Encoded events: any bytes are decoded or refused, and what is decoded encodes to the same events.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poh_holdmetrics_rust::core::{EventBatch, encoding};

fuzz_target!(|bytes: &[u8]| {
    let mut again = EventBatch::default();
    let mut events = Vec::new();
    for event in encoding::events(bytes) {
        let Ok(event) = event else { break };
        again.push(&event);
        events.push(event);
    }
    let decoded: Result<Vec<_>, _> = encoding::events(again.bytes()).collect();
    assert_eq!(decoded.as_deref(), Ok(&*events));
    // The claims of a state are read by the same code from another place.
    for claim in encoding::claims(bytes) {
        let Ok(claim) = claim else { break };
        let mut one = Vec::new();
        encoding::push_claim(&mut one, claim);
        assert_eq!(encoding::claims(&one).next(), Some(Ok(claim)));
    }
});
