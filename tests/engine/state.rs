//! What the state alone knows of holders, however their keys grew between two writings of it.

use std::path::Path;
use std::sync::Arc;

use crate::arbitrary;
use crate::faulty::FaultyVfs;
use crate::naive::{self, Sent};
use crate::support::{batch, question, scores, submit};
use poh_holdmetrics_rust::core::{Delta, Draft, Wad, Window};
use poh_holdmetrics_rust::engine::{DeficitRoom, Engine, Options};
use proptest::prelude::*;

/// More than a holder of few keys has.
const TOKENS: usize = 40;

fn open(vfs: &FaultyVfs) -> Engine {
    let options = Options {
        vfs: Arc::new(vfs.clone()),
        ..crate::support::options(Path::new("/data"))
    };
    crate::support::open(options).expect("closed in order")
}

/// Events of two holders. Every other one is of one of three tokens, whose keys grow large; the rest
/// make their keys many.
fn growing() -> impl Strategy<Value = Vec<Sent>> {
    let tokens: [&'static str; TOKENS] = std::array::from_fn(|token| &*format!("T{token}").leak());
    let token = prop_oneof![0..3_usize, 0..TOKENS];
    let events = arbitrary::events(260..261);
    (events, proptest::collection::vec(token, 260)).prop_map(move |(mut events, picked)| {
        for (event, token) in events.iter_mut().zip(picked) {
            event.token = tokens[token];
            event.holder = if event.holder == "h" { "few" } else { "many" };
        }
        // Whatever was picked, one of the two gets all tokens, spread over the lives.
        for (event, token) in events.iter_mut().step_by(6).zip(tokens) {
            (event.holder, event.token) = ("many", token);
        }
        events
    })
}

/// The number of deficits in a leaderboard, and their keys as a list.
fn deficits(engine: &Engine, window: Window) -> (usize, Vec<(String, String)>) {
    let count = engine.page(&question(window), None, 1).deficits;
    let all = DeficitRoom {
        rows: usize::MAX,
        bytes: usize::MAX,
        bytes_of: |_| 0,
    };
    let list = engine.deficits(&question(window), None, all);
    let list = list.expect("the first page").deficits;
    let keys = list
        .iter()
        .map(|deficit| (deficit.token_id.to_string(), deficit.holder_id.to_string()));
    (count, keys.collect())
}

fn deficits_by_definition(sent: &[Sent], window: Window) -> (usize, Vec<(String, String)>) {
    let mut found: Vec<_> = naive::keys(sent)
        .into_iter()
        .filter(|(_, claims)| {
            naive::first_deficit(&naive::in_force(claims), window.as_of).is_some()
        })
        .map(|((holder, token), _)| (token.to_owned(), holder.to_owned()))
        .collect();
    found.sort();
    (found.len(), found)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_state_knows_all_of_keys_that_become_many_and_large(
        sent in growing(),
        sizes in proptest::collection::vec(1_usize..70, 6),
    ) {
        let vfs = FaultyVfs::default();
        let window = Window::until(naive::micros(34));
        let mut done = 0;
        for size in sizes.into_iter().chain([sent.len()]) {
            let engine = open(&vfs);
            prop_assert_eq!(engine.gauges().state_lag_events, 0, "the state alone is asked");
            prop_assert_eq!(scores(&engine, window), naive::scores(&sent[..done], &window));
            prop_assert_eq!(deficits(&engine, window), deficits_by_definition(&sent[..done], window));
            let end = sent.len().min(done + size);
            if done < end {
                let events = sent[done..end].iter().map(Sent::event);
                submit(&engine, batch(events)).expect("acknowledged");
                done = end;
            }
            // An orderly end writes the state.
        }
        prop_assert_eq!(scores(&open(&vfs), window), naive::scores(&sent, &window));
    }
}

#[test]
fn the_state_knows_all_of_a_key_that_is_copied_piece_by_piece() {
    let names: Vec<String> = (0..12_000).map(|number| format!("log-{number}")).collect();
    let events = names.iter().zip(0_i64..).flat_map(|(event_id, number)| {
        let draft = Draft {
            token_id: "T",
            holder_id: "crowded",
            ..Draft::default()
        };
        let hold = Draft {
            start: Some(naive::micros(number * 10)),
            end: Some(naive::micros(number * 10 + 4)),
            weight: Some(Wad::from_steps(u128::from(number.unsigned_abs() % 7))),
            ..draft
        };
        let mark = Draft {
            end: Some(naive::micros(number * 10 + 5)),
            ..draft
        };
        let change = Draft {
            at: Some(naive::micros(number * 10 + 6)),
            // Nothing is left of the balance in every other of these spans.
            delta: Some(Delta::new(Wad::from_steps(3), number % 2 == 1)),
            event_id: Some(event_id),
            ..draft
        };
        [hold, mark, change].map(|draft| draft.check().expect("valid"))
    });
    let vfs = FaultyVfs::default();
    let window = Window::until(naive::micros(130_000));
    let engine = open(&vfs);
    submit(&engine, batch(events)).expect("acknowledged");
    let expected = scores(&engine, window);
    assert!(expected["crowded"].1 > 0);
    drop(engine);
    let engine = open(&vfs);
    assert_eq!(
        engine.gauges().state_lag_events,
        0,
        "the state alone is asked"
    );
    assert_eq!(scores(&engine, window), expected);
}
