//! What the live aggregator promises to those who store it and to those who read it page by page.

use std::collections::{BTreeMap, BTreeSet};

use crate::arbitrary;
use crate::naive::{self, Sent};
use crate::windows::windows;
use poh_holdmetrics_rust::aggregator::{HoldAggregator, Question};
use poh_holdmetrics_rust::core::encoding::{claims, push_claim};
use poh_holdmetrics_rust::core::key::{PARTS, part_of};
use poh_holdmetrics_rust::core::{Draft, KeyFacts, Window};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// `(holder_id, token_id)` to the claims of that key.
type Stored = BTreeMap<(String, String), Vec<u8>>;

fn live(sent: &[Sent]) -> HoldAggregator {
    let aggregator = HoldAggregator::new();
    for event in sent {
        aggregator.record(&event.event());
    }
    aggregator
}

fn bytes(facts: &KeyFacts) -> Vec<u8> {
    let mut bytes = Vec::new();
    facts.claims(|claim| push_claim(&mut bytes, claim));
    bytes
}

fn take(aggregator: &HoldAggregator, holders_max: usize, stored: &mut Stored) -> usize {
    let mut taken = 0;
    for part in 0..PARTS {
        let mut is_all = false;
        while !is_all {
            is_all = aggregator.take_changed(part, holders_max, |holder| {
                let holder_id = holder.holder_id;
                holder.take(|token_id, facts, was_changed| {
                    let known = stored.insert((holder_id.into(), token_id.into()), bytes(facts));
                    assert!(
                        was_changed || known == Some(bytes(facts)),
                        "not told of a change"
                    );
                    taken += usize::from(was_changed);
                });
            });
        }
    }
    taken
}

fn restored(stored: &Stored) -> HoldAggregator {
    let aggregator = HoldAggregator::new();
    let mut restoring = aggregator.restoring();
    for ((holder, token), bytes) in stored {
        let claims: Vec<_> = claims(bytes).collect::<Result<_, _>>().expect("as pushed");
        restoring.add(holder, token, claims);
    }
    drop(restoring);
    aggregator
}

fn question(window: Window, token: Option<&str>) -> Question {
    Question {
        window,
        token_id: token.map(Into::into),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, max_shrink_iters: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_handed_out_to_be_stored_brings_everything_back(
        sent in arbitrary::events(0..60), later in arbitrary::events(0..30), window in windows(),
        cut in 0_usize..60, holders_max in 1_usize..4,
    ) {
        let aggregator = HoldAggregator::new();
        let mut stored = Stored::new();
        let (before, after) = sent.split_at(cut.min(sent.len()));
        for event in before {
            aggregator.record(&event.event());
        }
        take(&aggregator, holders_max, &mut stored);
        for event in after {
            aggregator.record(&event.event());
        }
        take(&aggregator, holders_max, &mut stored);
        let back = restored(&stored);
        prop_assert_eq!(back.snapshot(&window), aggregator.snapshot(&window));
        prop_assert_eq!(back.segments(), aggregator.segments());
        prop_assert_eq!(back.figures(), aggregator.figures());
        prop_assert_eq!(take(&back, holders_max, &mut stored.clone()), 0, "stored keys do not count as changed");
        // Nothing that a correction may need was lost: what comes later ends in the same state.
        for event in &later {
            prop_assert_eq!(back.record(&event.event()), aggregator.record(&event.event()));
        }
        let scores: BTreeMap<_, _> = back.snapshot(&window).holders().iter().map(|holder| {
            let steps = holder.totals.score.steps().to::<u128>();
            (holder.holder_id.to_string(), (holder.totals.held_us, steps))
        }).collect();
        prop_assert_eq!(scores, naive::scores(&[sent, later].concat(), &window));
    }

    #[test]
    fn an_event_changes_nothing_exactly_where_nothing_new_is_to_be_stored(sent in arbitrary::events(1..60)) {
        let aggregator = HoldAggregator::new();
        let mut stored = Stored::new();
        for event in sent.iter().chain(&sent) {
            let known = stored.clone();
            let is_change = aggregator.record(&event.event());
            let taken = take(&aggregator, 1, &mut stored);
            prop_assert_eq!(taken, usize::from(is_change), "{:?}", event);
            if !is_change {
                prop_assert_eq!(known, stored.clone());
            }
        }
        let events: Vec<_> = sent.iter().map(Sent::event).collect();
        prop_assert_eq!(aggregator.record_events(&events), events.len() as u64);
    }

    #[test]
    fn what_could_not_be_stored_is_handed_out_again(sent in arbitrary::events(1..30)) {
        let aggregator = live(&sent);
        let (mut first, mut second) = (Stored::new(), Stored::new());
        take(&aggregator, 2, &mut first);
        for (holder, token) in first.keys() {
            aggregator.mark_changed(holder, token);
        }
        take(&aggregator, 2, &mut second);
        let keys = |stored: &Stored| stored.keys().cloned().collect::<Vec<_>>();
        prop_assert_eq!(keys(&first), keys(&second));
    }

    #[test]
    fn pages_joined_are_the_snapshot(
        sent in arbitrary::events(0..60), window in windows(), size in 1_usize..4
    ) {
        let aggregator = live(&sent);
        let snapshot = aggregator.snapshot(&window);
        let question = question(window, None);
        let mut rows = Vec::new();
        loop {
            let after = rows.last().map(|row: &poh_holdmetrics_rust::core::RankedHolder| row.holder.clone());
            let page = aggregator.ranking(&question, after.as_ref(), size);
            prop_assert_eq!(page.known, snapshot.known());
            rows.extend(page.rows);
            prop_assert_eq!(rows.len() + page.behind, snapshot.known());
            if page.behind == 0 {
                break;
            }
        }
        let expected: Vec<_> = snapshot.ranked().map(|row| (row.rank, row.holder.clone())).collect();
        let rows: Vec<_> = rows.into_iter().map(|row| (row.rank, row.holder)).collect();
        prop_assert_eq!(rows, expected);
    }

    #[test]
    fn a_token_is_answered_as_if_nothing_else_were_known(
        sent in arbitrary::events(0..60), window in windows()
    ) {
        let aggregator = live(&sent);
        for token in ["gold", "nft#7", "never seen"] {
            let of_token: Vec<_> = sent.iter().filter(|event| event.token == token).cloned().collect();
            let alone = live(&of_token);
            let filtered = question(window, Some(token));
            let expected = alone.ranking(&question(window, None), None, 9);
            prop_assert_eq!(&aggregator.ranking(&filtered, None, 9), &expected);
            let holders: BTreeSet<_> = sent.iter().map(|event| event.holder).collect();
            for holder in holders {
                let expected = alone.explain(holder, &question(window, None), 9);
                prop_assert_eq!(&aggregator.explain(holder, &filtered, 9), &expected);
            }
        }
    }

    #[test]
    fn one_holder_is_explained_by_its_own_keys(sent in arbitrary::events(0..40), window in windows()) {
        let aggregator = live(&sent);
        let all = aggregator.segments();
        for row in aggregator.snapshot(&window).ranked() {
            let holder_id = &row.holder.holder_id;
            let view = aggregator.explain(holder_id, &question(window, None), 9).expect("it is listed");
            prop_assert_eq!((view.row.rank, &view.row.holder), (row.rank, row.holder));
            let of_holder = all.iter().filter(|key| key.holder_id == *holder_id);
            let keys: Vec<_> = of_holder.map(|key| (&key.token_id, &key.segments)).collect();
            let explained: Vec<_> = view.keys.iter().map(|key| (&key.token_id, &key.segments)).collect();
            prop_assert_eq!(explained, keys);
        }
        prop_assert_eq!(aggregator.explain("nobody", &question(window, None), 9), None);
    }

    #[test]
    fn figures_count_holders_keys_and_open_holds(sent in arbitrary::events(0..60)) {
        let aggregator = live(&sent);
        let figures = aggregator.figures();
        let keys: BTreeSet<_> = sent.iter().map(|event| (event.holder, event.token)).collect();
        let holders: BTreeSet<_> = keys.iter().map(|(holder, _)| holder).collect();
        let open = aggregator.segments().iter()
            .filter(|key| key.segments.last().is_some_and(|last| last.end.is_none())).count();
        prop_assert_eq!((figures.holders, figures.keys), (holders.len(), keys.len()));
        prop_assert_eq!(figures.open_holds, open as u128);
    }
}

/// Enough holders of one part that whole blocks of them are passed by, with scores that rise, fall
/// by corrections, and run on.
#[test]
fn leaderboards_of_many_holders_leave_out_none_that_leads() {
    let mut random = Pcg64Mcg::seed_from_u64(11);
    let crowd = |holder: &String| part_of(holder) == 7;
    let holders: Vec<String> = (0..)
        .map(|index| format!("h{index}"))
        .filter(crowd)
        .take(500)
        .collect();
    let aggregator = HoldAggregator::new();
    for round in 0..40_i64 {
        for _ in 0..500 {
            let start = naive::micros(random.random_range(0..1_000));
            let length_max = 2_i64.pow(random.random_range(1..10));
            let length = random.random_range(0..length_max);
            let kind = random.random_range(0..10);
            let draft = Draft {
                token_id: "T",
                holder_id: &holders[random.random_range(0..holders.len())],
                start: (kind != 0).then_some(start),
                end: (kind != 1).then_some(naive::micros(start.get() + length)),
                event_id: (kind > 6).then_some("fact"),
                revision: if kind > 6 { round.unsigned_abs() } else { 0 },
                retract: kind == 9,
                ..Draft::default()
            };
            aggregator.record(&draft.check().expect("valid"));
        }
        // Those of one number are asked for at one instant: a search begins with what the last one
        // has found, which corrections may have taken away since.
        for (count, as_of) in [
            (10, 500),
            (10, 1_500),
            (10, 1_000_000),
            (7, 500),
            (8, 1_000_000),
        ] {
            let window = Window::until(naive::micros(as_of));
            let snapshot = aggregator.snapshot(&window);
            let leaders = aggregator.leaderboard(count, &window);
            let expected = &snapshot.holders()[..count.min(snapshot.known())];
            assert_eq!(leaders.holders(), expected);
            for row in snapshot.ranked().step_by(97) {
                let found = aggregator.holder(&row.holder.holder_id, &window);
                assert_eq!(found, Some((row.rank, row.holder.clone())));
            }
        }
    }
}

/// A search that begins with what the last one needed finds enough holders, and the wrong ones: one whose
/// long hold lies behind the instant asked for is looked at, one that is to lead is not.
#[test]
fn a_leader_that_is_withdrawn_is_followed_by_the_next_one() {
    let crowd: Vec<String> = (0..)
        .map(|index| format!("h{index}"))
        .filter(|holder| part_of(holder) == 7)
        .take(3)
        .collect();
    let aggregator = HoldAggregator::new();
    let record = |holder: usize, start, end, revision, retract| {
        let draft = Draft {
            token_id: "T",
            holder_id: &crowd[holder],
            start: Some(naive::micros(start)),
            end: Some(naive::micros(end)),
            event_id: Some("fact"),
            revision,
            retract,
            ..Draft::default()
        };
        aggregator.record(&draft.check().expect("valid"));
    };
    record(0, 0, 100, 0, false);
    record(1, 99, 100_000, 0, false);
    record(2, 0, 50, 0, false);
    let window = Window::until(naive::micros(100));
    let leader = || aggregator.leaderboard(1, &window).holders()[0].clone();
    assert_eq!(*leader().holder_id, *crowd[0]);
    record(0, 0, 100, 1, true);
    assert_eq!(*leader().holder_id, *crowd[2]);
}

#[test]
fn a_holder_of_many_tokens_scores_and_comes_back() {
    let tokens: Vec<String> = (0..100).map(|index| format!("t{index}")).collect();
    let aggregator = HoldAggregator::new();
    let mut stored = Stored::new();
    for (index, token) in tokens.iter().enumerate() {
        aggregator.record(
            &Draft {
                token_id: token,
                holder_id: "whale",
                start: Some(naive::micros(5)),
                end: (index % 2 == 0).then_some(naive::micros(7)),
                ..Default::default()
            }
            .check()
            .expect("valid"),
        );
    }
    assert_eq!(take(&aggregator, 1, &mut stored), 100);
    let window = Window::until(naive::micros(10));
    let held = aggregator.snapshot(&window).holders()[0].totals.held_us;
    assert_eq!(held, 50 * 2 + 50 * 5);
    assert_eq!(
        restored(&stored).snapshot(&window),
        aggregator.snapshot(&window)
    );
    assert_eq!(aggregator.figures().open_holds, 50);
}
