//! Overlapping holds, marks and corrections of few keys: both scorers agree with the definition,
//! written down one microsecond at a time.
#![no_main]

#[path = "../../tests/support/naive.rs"]
mod naive;

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use naive::{INSTANTS, Sent};
use poh_holdmetrics_rust::aggregator::{BatchScorer, HoldAggregator};
use poh_holdmetrics_rust::core::{EventSink, Micros, Snapshot, Window};

const TOKENS: [&str; 2] = ["T", "U"];
const HOLDERS: [&str; 3] = ["a", "b", "c"];
const NAMES: [&str; 2] = ["x", "y"];

fn instant(byte: u8) -> i64 {
    INSTANTS.start + i64::from(byte) % (INSTANTS.end - INSTANTS.start)
}

/// Six bytes as an event.
fn sent(bytes: &[u8; 6]) -> Sent {
    let [key, kind, start, end, weight, correction] = *bytes;
    let (one, other) = (instant(start), instant(end));
    let event_id = (correction % 3 > 0).then(|| NAMES[usize::from(correction % 3 - 1)]);
    let retract = event_id.is_some() && kind / 3 % 4 == 0;
    Sent {
        token: TOKENS[usize::from(key % 2)],
        holder: HOLDERS[usize::from(key / 2 % 3)],
        start: (kind % 3 < 2).then_some(one.min(other)),
        end: (kind % 3 != 1).then_some(one.max(other)),
        weight: u128::from(weight % 5),
        event_id,
        revision: event_id.map_or(0, |_| u64::from(correction / 3 % 3)),
        retract,
        seq: u64::from(kind / 12 % 3),
        ..Sent::default()
    }
}

fn scores(snapshot: &Snapshot) -> BTreeMap<String, (u128, u128)> {
    let one = |holder: &poh_holdmetrics_rust::core::HolderScore| {
        let steps = holder.totals.score.steps().to::<u128>();
        (holder.holder_id.to_string(), (holder.totals.held_us, steps))
    };
    snapshot.holders().iter().map(one).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&[from, as_of, flags], rest)) = bytes.split_first_chunk::<3>() else {
        return;
    };
    let all: Vec<_> = rest.as_chunks::<6>().0.iter().take(40).map(sent).collect();
    let micros = |byte| Micros::new(instant(byte)).expect("a small instant");
    let window = Window {
        from: (flags & 1 == 1).then(|| micros(from)),
        as_of: micros(as_of),
        closed_only: flags & 2 == 2,
    };
    let expected = naive::scores(&all, &window);
    let live = HoldAggregator::new();
    let scorer = BatchScorer::new();
    let mut lane = scorer.lane();
    for event in &all {
        live.record(&event.event());
        lane.accept(&event.event());
    }
    assert_eq!(scores(&live.snapshot(&window)), expected);
    assert_eq!(scores(&scorer.finish(vec![lane], &window, None)), expected);
});
