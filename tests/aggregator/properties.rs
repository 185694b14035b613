//! What must hold for every set of events, checked against the naive twin.

use std::collections::BTreeMap;

use crate::arbitrary;
use crate::naive::{self, Sent};
use crate::windows::windows;
use poh_holdmetrics_rust::aggregator::{BatchScorer, HoldAggregator};
use poh_holdmetrics_rust::core::{
    Deltas, EventColumns, EventSink, Micros, Snapshot, Wad, Weights, Window,
};
use proptest::prelude::*;

type Scores = BTreeMap<String, (u128, u128)>;

fn scores(snapshot: &Snapshot) -> Scores {
    snapshot
        .holders()
        .iter()
        .map(|holder| {
            let steps = holder.totals.score.steps().to::<u128>();
            (holder.holder_id.to_string(), (holder.totals.held_us, steps))
        })
        .collect()
}

fn live(sent: &[Sent]) -> HoldAggregator {
    let aggregator = HoldAggregator::new();
    for event in sent {
        aggregator.record(&event.event());
    }
    aggregator
}

fn batch(sent: &[Sent], lanes: usize, window: &Window, top: Option<usize>) -> Snapshot {
    let scorer = BatchScorer::new();
    let mut filled: Vec<_> = (0..lanes).map(|_| scorer.lane()).collect();
    for (index, event) in sent.iter().enumerate() {
        filled[index * 7 % lanes].accept(&event.event());
    }
    scorer.finish(filled, window, top)
}

fn columns(sent: &[Sent]) -> HoldAggregator {
    let times = |time: fn(&Sent) -> Option<i64>| -> Vec<i64> {
        sent.iter()
            .map(|event| time(event).unwrap_or(i64::MIN))
            .collect()
    };
    let weights: Vec<_> = sent.iter().map(Sent::weight).collect();
    let deltas: Vec<_> = sent.iter().map(Sent::delta).collect();
    let seqs: Vec<_> = sent.iter().map(|event| event.seq.cast_signed()).collect();
    let aggregator = HoldAggregator::new();
    let recorded = aggregator.record_batch(&EventColumns {
        token_id: &sent.iter().map(|event| event.token).collect::<Vec<_>>(),
        holder_id: &sent.iter().map(|event| event.holder).collect::<Vec<_>>(),
        start: &times(|event| event.start),
        end: &times(|event| event.end),
        weight: Weights::Wads(&weights),
        event_id: Some(&sent.iter().map(|event| event.event_id).collect::<Vec<_>>()),
        revision: Some(
            &sent
                .iter()
                .map(|event| event.revision.cast_signed())
                .collect::<Vec<_>>(),
        ),
        retract: Some(&sent.iter().map(|event| event.retract).collect::<Vec<_>>()),
        at: Some(&times(|event| event.at)),
        delta: Deltas::Exact(&deltas),
        seq: Some(&seqs),
        transfers: None,
    });
    assert_eq!(recorded, Ok(sent.len()));
    aggregator
}

/// Keys with so many facts apart from each other that they leave the small representation.
fn crowded() -> impl Strategy<Value = Vec<Sent>> {
    arbitrary::events(200..400).prop_map(|mut events| {
        for (offset, event) in (0..).zip(&mut events) {
            let spread = |at: i64| at * 16 + offset % 16;
            event.token = "gold";
            event.holder = "h";
            event.end = event.end.map(|end| {
                spread(end).min(event.start.map_or(i64::MAX, |start| spread(start) + 9))
            });
            event.start = event.start.map(spread);
            event.at = event.at.map(spread);
        }
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, max_shrink_iters: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_road_gives_the_answer_of_the_definition(
        sent in arbitrary::events(0..60), window in windows(), lanes in 1_usize..4
    ) {
        let expected = naive::scores(&sent, &window);
        prop_assert_eq!(&scores(&live(&sent).snapshot(&window)), &expected, "event by event");
        prop_assert_eq!(&scores(&columns(&sent).snapshot(&window)), &expected, "in columns");
        prop_assert_eq!(&scores(&batch(&sent, lanes, &window, None)), &expected, "as a batch");
    }

    #[test]
    fn crowded_keys_give_the_answer_of_the_definition(
        sent in crowded(), from in -200_i64..500, length in 0_i64..700, closed_only: bool
    ) {
        let as_of = naive::micros(from + length);
        let window = Window { from: Some(naive::micros(from)), as_of, closed_only };
        let expected = naive::scores(&sent, &window);
        prop_assert_eq!(&scores(&live(&sent).snapshot(&window)), &expected, "event by event");
        prop_assert_eq!(&scores(&batch(&sent, 2, &window, None)), &expected, "as a batch");
    }

    #[test]
    fn order_repeats_and_splits_change_nothing(
        (sent, shuffled) in arbitrary::events(1..40).prop_flat_map(|sent| {
            let twice = [sent.clone(), sent.clone()].concat();
            (Just(sent), Just(twice).prop_shuffle())
        }),
        window in windows(),
        parts in 1_usize..5,
    ) {
        let expected = live(&sent).snapshot(&window);
        prop_assert_eq!(&live(&shuffled).snapshot(&window), &expected);
        let merged = HoldAggregator::new();
        for part in 0..parts {
            let share: Vec<_> =
                shuffled.iter().enumerate().filter(|(index, _)| index % parts == part).map(|(_, event)| event.clone()).collect();
            merged.merge(&live(&share));
        }
        prop_assert_eq!(&merged.snapshot(&window), &expected);
        let segments = live(&sent).segments();
        prop_assert_eq!(merged.segments(), segments);
    }

    #[test]
    fn neighbouring_windows_add_up(
        sent in arbitrary::events(0..40), a in -20_i64..40, b in -20_i64..40, c in -20_i64..40, closed_only: bool
    ) {
        let mut cuts = [a, b, c];
        cuts.sort_unstable();
        let aggregator = live(&sent);
        let ask = |from, as_of| {
            let window = Window { from: Some(naive::micros(from)), as_of: naive::micros(as_of), closed_only };
            scores(&aggregator.snapshot(&window))
        };
        let (left, right, whole) = (ask(cuts[0], cuts[1]), ask(cuts[1], cuts[2]), ask(cuts[0], cuts[2]));
        for (holder, (held, score)) in whole {
            let (left, right) = (left[&holder], right[&holder]);
            prop_assert_eq!((left.0 + right.0, left.1 + right.1), (held, score), "{}", holder);
        }
    }

    #[test]
    fn leaderboards_and_single_holders_are_cut_from_the_snapshot(
        sent in arbitrary::events(0..40), window in windows(), count in 0_usize..5
    ) {
        let aggregator = live(&sent);
        let snapshot = aggregator.snapshot(&window);
        let leaders = aggregator.leaderboard(count, &window);
        prop_assert_eq!(leaders.holders(), &snapshot.holders()[..count.min(snapshot.known())]);
        prop_assert_eq!(leaders.known(), snapshot.known());
        prop_assert_eq!(&batch(&sent, 2, &window, Some(count)), &leaders);
        for row in snapshot.ranked() {
            let found = aggregator.holder(&row.holder.holder_id, &window);
            prop_assert_eq!(found, Some((row.rank, row.holder.clone())));
        }
        prop_assert_eq!(aggregator.holder("nobody", &window), None);
    }

    #[test]
    fn segments_are_maximal_and_add_up_to_the_score(sent in arbitrary::events(0..60)) {
        let aggregator = live(&sent);
        let as_of = naive::micros(34);
        let mut sums = Scores::new();
        for key in aggregator.segments() {
            let sum = sums.entry(key.holder_id.to_string()).or_default();
            for pair in key.segments.windows(2) {
                let end = pair[0].end.expect("only the last segment is open");
                prop_assert!(end < pair[1].start || end == pair[1].start && pair[0].weight != pair[1].weight);
            }
            for segment in &key.segments {
                let micros = (segment.end.unwrap_or(as_of).get() - segment.start.get()).cast_unsigned();
                prop_assert!(micros > 0);
                sum.0 += u128::from(micros);
                sum.1 += u128::from(micros) * segment.weight.steps().to::<u128>();
            }
        }
        prop_assert_eq!(sums, scores(&aggregator.snapshot(&Window::until(as_of))));
    }
}

#[test]
fn writers_on_many_threads_leave_the_answer_of_one() {
    let sent: Vec<Sent> = (0..20_000_i64)
        .map(|index| Sent {
            token: ["gold", "silver"][usize::from(index % 3 == 0)],
            holder: ["a", "b", "c", "d", "e"][usize::try_from(index * 7919 % 5).expect("0 to 4")],
            start: Some(index * 31 % 1_000),
            end: (index % 4 != 0).then_some(index * 31 % 1_000 + index % 17),
            weight: (index % 11).unsigned_abs().into(),
            event_id: (index % 5 == 0)
                .then_some(["x", "y", "z"][usize::try_from(index % 3).expect("0 to 2")]),
            revision: if index % 5 == 0 {
                (index / 100).unsigned_abs()
            } else {
                0
            },
            retract: index % 25 == 0,
            ..Sent::default()
        })
        .collect();
    let window = Window::until(Micros::MAX);
    let aggregator = HoldAggregator::new();
    std::thread::scope(|scope| {
        for part in sent.chunks(2_500) {
            let aggregator = &aggregator;
            scope.spawn(move || {
                let events: Vec<_> = part.iter().map(Sent::event).collect();
                for events in events.chunks(100) {
                    aggregator.record_events(events);
                    let seen = aggregator.snapshot(&window);
                    assert!(seen.known() <= 5, "only holders that were sent are listed");
                }
            });
        }
    });
    assert_eq!(aggregator.snapshot(&window), live(&sent).snapshot(&window));
    assert_eq!(aggregator.events(), 20_000);
}

#[test]
fn a_batch_with_one_bad_row_changes_nothing_and_names_it() {
    let aggregator = HoldAggregator::new();
    let mut batch = EventColumns {
        token_id: &["T", "T"],
        holder_id: &["h", "h"],
        start: &[0, 5],
        end: &[1, 4],
        weight: Weights::One,
        event_id: None,
        revision: None,
        retract: None,
        at: None,
        delta: Deltas::None,
        seq: None,
        transfers: None,
    };
    let refusal = aggregator
        .record_batch(&batch)
        .expect_err("row 1 ends before it starts");
    assert_eq!(refusal.to_string(), "row 1: end: before start");
    batch.end = &[1];
    let refusal = aggregator.record_batch(&batch).expect_err("end is short");
    assert_eq!(refusal.to_string(), "end: 1 rows, but token_id has 2");
    assert_eq!((aggregator.events(), aggregator.holders()), (0, 0));
}

#[test]
fn a_reorganisation_of_a_crowded_key_leaves_what_was_not_orphaned() {
    let ids: Vec<String> = (0..5_000).map(|index| format!("log-{index}")).collect();
    let event = |index: usize, retract| {
        poh_holdmetrics_rust::core::Draft {
            token_id: "T",
            holder_id: "h",
            start: Some(naive::micros(10 * i64::try_from(index).expect("small"))),
            end: Some(naive::micros(10 * i64::try_from(index).expect("small") + 5)),
            event_id: Some(&ids[index]),
            retract,
            ..Default::default()
        }
        .check()
        .expect("valid")
    };
    let aggregator = HoldAggregator::new();
    let all: Vec<_> = (0..5_000).map(|index| event(index, false)).collect();
    let orphaned: Vec<_> = (2_000..5_000).map(|index| event(index, true)).collect();
    aggregator.record_events(&all);
    aggregator.record_events(&orphaned);
    let snapshot = aggregator.snapshot(&Window::until(Micros::MAX));
    assert_eq!(snapshot.holders()[0].totals.held_us, 2_000 * 5);
}

#[test]
fn a_withdrawal_that_uncovers_thousands_of_stretches_is_done_when_it_returns() {
    let ids: Vec<String> = (0..6_000).map(|index| format!("log-{index}")).collect();
    let event = |index: usize, retract| {
        let first = 10 * i64::try_from(index).expect("small");
        // The last one lies over all the others and hides them.
        let is_last = index + 1 == ids.len();
        poh_holdmetrics_rust::core::Draft {
            token_id: "T",
            holder_id: "h",
            start: Some(naive::micros(if is_last { 0 } else { first })),
            end: Some(naive::micros(first + 5)),
            weight: Some(Wad::from_steps(if is_last { 9 } else { 2 })),
            event_id: Some(&ids[index]),
            retract,
            ..Default::default()
        }
        .check()
        .expect("valid")
    };
    let all: Vec<_> = (0..ids.len()).map(|index| event(index, false)).collect();
    let last = event(ids.len() - 1, true);
    let window = Window::until(Micros::MAX);
    for comes_in_a_batch in [false, true] {
        let aggregator = HoldAggregator::new();
        aggregator.record_events(&all);
        let covered = aggregator.snapshot(&window).holders()[0].totals;
        assert_eq!(covered.held_us, 59_995);
        if comes_in_a_batch {
            aggregator.record_events(&[last]);
        } else {
            aggregator.record(&last);
        }
        let uncovered = aggregator.snapshot(&window).holders()[0].totals;
        assert_eq!(uncovered.held_us, 5_999 * 5);
        assert_eq!(uncovered.score.steps().to::<u128>(), 5_999 * 5 * 2);
    }
}
