//! Keys whose balance falls below 0, and the changes behind every balance, held to the definition: live, merged,
//! restored, page by page, and after every single correction.

use std::collections::BTreeMap;

use poh_holdmetrics_rust::aggregator::{DeficitCursor, HoldAggregator, KeyReport, Question};
use poh_holdmetrics_rust::core::encoding;
use poh_holdmetrics_rust::core::{Claim, Deficit, Fact, KeyFacts, Micros, Wad, Window};
use proptest::prelude::*;

use crate::arbitrary;
use crate::naive::{self, Sent};
use crate::windows::windows;

/// A key with a deficit: token and holder, first instant, balance there, ids of its changes by less than 0.
pub(crate) type Short = ((String, String), i64, String, Vec<String>);

/// The deficits as the aggregator or the batch scorer lists them.
pub(crate) fn listed(deficits: &[Deficit]) -> Vec<Short> {
    let short = |deficit: &Deficit| {
        let ids = deficit.event_ids.iter().map(ToString::to_string).collect();
        let key = (deficit.token_id.to_string(), deficit.holder_id.to_string());
        (key, deficit.at.get(), deficit.balance.to_string(), ids)
    };
    deficits.iter().map(short).collect()
}

/// The deficits by the definition.
pub(crate) fn by_definition(sent: &[Sent], as_of: Micros) -> Vec<Short> {
    let mut short_keys = Vec::new();
    for ((holder, token), claims) in naive::keys(sent) {
        let facts = naive::in_force(&claims);
        let Some(first) = naive::first_deficit(&facts, as_of) else {
            continue;
        };
        let falls = changes(&claims).into_iter();
        let ids = falls
            .filter(|(at, _, delta)| *at == first.get() && delta.starts_with('-'))
            .map(|(_, id, _)| id);
        let key = (token.to_owned(), holder.to_owned());
        let balance = decimal(naive::balance(&facts, first));
        short_keys.push((key, first.get(), balance, ids.collect()));
    }
    short_keys.sort();
    short_keys
}

/// Instant, id and delta of each change in force, in order.
fn changes(claims: &[Claim<'_>]) -> Vec<(i64, String, String)> {
    let mut by_id: BTreeMap<&str, Vec<Claim<'_>>> = BTreeMap::new();
    for claim in claims {
        if let Claim::Named { event_id, .. } = claim {
            by_id.entry(event_id).or_default().push(*claim);
        }
    }
    let mut changes = Vec::new();
    for (id, claims) in by_id {
        for fact in naive::in_force(&claims) {
            if let Fact::Change { at, delta } = fact {
                changes.push((at.get(), id.to_owned(), delta.to_string()));
            }
        }
    }
    changes.sort();
    changes
}

fn decimal(steps: i128) -> String {
    let sign = if steps < 0 { "-" } else { "" };
    format!("{sign}{}", Wad::from_steps(steps.unsigned_abs()))
}

fn live(sent: &[Sent]) -> HoldAggregator {
    let aggregator = HoldAggregator::new();
    for event in sent {
        aggregator.record(&event.event());
    }
    aggregator
}

/// What a restart restores: the stored claims of every key.
fn restored(sent: &[Sent]) -> HoldAggregator {
    let aggregator = HoldAggregator::new();
    let mut restoring = aggregator.restoring();
    for ((holder, token), claims) in naive::keys(sent) {
        let mut facts = KeyFacts::default();
        facts.record_all(claims.iter().copied());
        let mut stored = Vec::new();
        facts.claims(|claim| encoding::push_claim(&mut stored, claim));
        let stored: Vec<_> = encoding::claims(&stored)
            .collect::<Result<_, _>>()
            .expect("as pushed");
        restoring.add(holder, token, stored);
    }
    drop(restoring);
    aggregator
}

fn question(as_of: Micros, token_id: Option<&str>) -> Question {
    Question {
        window: Window::until(as_of),
        token_id: token_id.map(Into::into),
    }
}

/// All pages of `size` deficits, one after the other.
fn pages(aggregator: &HoldAggregator, question: &Question, size: usize) -> Vec<Short> {
    let mut found = Vec::new();
    let mut after: Option<DeficitCursor> = None;
    loop {
        let page = aggregator.deficits(question, after.as_ref(), size);
        assert!(page.rows.len() <= size);
        found.extend(listed(&page.rows));
        after = page.next;
        if after.is_none() {
            assert_eq!(page.known, found.len());
            return found;
        }
    }
}

/// Events of one key with so many names that it leaves the small representation; some are corrected.
fn crowded() -> impl Strategy<Value = Vec<Sent>> {
    let names: Vec<&'static str> = (0..200)
        .map(|number| &*format!("name-{number}").leak())
        .collect();
    let name = proptest::sample::select(names);
    let drawn = (
        arbitrary::events(300..301),
        proptest::collection::vec(name, 300),
    );
    drawn.prop_map(|(mut events, names)| {
        for (event, name) in events.iter_mut().zip(names) {
            (event.token, event.holder) = ("gold", "h");
            event.at = event.at.map(|at| at * 20);
            event.event_id = event.event_id.map(|_| name);
        }
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_aggregator_lists_and_counts_the_deficits_of_the_definition(
        sent in arbitrary::events(0..80), window in windows(), size in 1_usize..4
    ) {
        let all = by_definition(&sent, window.as_of);
        let merged = live(&sent[..sent.len() / 3]);
        merged.merge(&live(&sent[sent.len() / 3..]));
        for aggregator in [live(&sent), merged, restored(&sent)] {
            prop_assert_eq!(&pages(&aggregator, &question(window.as_of, None), size), &all);
            prop_assert_eq!(aggregator.snapshot(&window).deficits(), all.len());
            prop_assert_eq!(aggregator.leaderboard(1, &window).deficits(), all.len());
            prop_assert_eq!(aggregator.figures().deficits, by_definition(&sent, Micros::MAX).len());
            for token in ["gold", "nft#7", "never seen"] {
                let of_token: Vec<_> = all.iter().filter(|short| short.0.0 == token).cloned().collect();
                let asked = Question { window, token_id: Some(token.into()) };
                prop_assert_eq!(aggregator.ranking(&asked, None, 9).deficits, of_token.len());
                prop_assert_eq!(&pages(&aggregator, &asked, size), &of_token);
            }
            let asked = Question { window, token_id: None };
            for holder in aggregator.snapshot(&window).holders() {
                let of_holder = all.iter().filter(|short| *short.0.1 == *holder.holder_id).count();
                let view = aggregator.explain(&holder.holder_id, &asked, 0).expect("it is listed");
                prop_assert_eq!(view.deficits, of_holder);
            }
        }
    }

    #[test]
    fn a_deficit_comes_and_goes_with_every_correction(sent in arbitrary::events(0..40)) {
        let aggregator = HoldAggregator::new();
        for count in 0..sent.len() {
            aggregator.record(&sent[count].event());
            let seen = aggregator.deficits(&question(Micros::MAX, None), None, usize::MAX);
            prop_assert_eq!(listed(&seen.rows), by_definition(&sent[..=count], Micros::MAX));
        }
    }

    #[test]
    fn a_balance_is_explained_by_its_changes(sent in arbitrary::events(0..80), listed_max in 0_usize..9) {
        let aggregator = live(&sent);
        let all_time = question(Micros::MAX, None);
        let deficits = by_definition(&sent, Micros::MAX);
        for ((holder, token), claims) in naive::keys(&sent) {
            let facts = naive::in_force(&claims);
            let expected: Vec<_> = changes(&claims)
                .into_iter()
                .map(|(at, id, delta)| (at, id, delta, decimal(naive::balance(&facts, naive::micros(at)))))
                .collect();
            let view = aggregator.explain(holder, &all_time, usize::MAX).expect("it is listed");
            let key = view.keys.iter().find(|key| *key.token_id == *token).expect("it has an event");
            let found: Vec<_> = key
                .changes
                .iter()
                .map(|change| {
                    let (delta, balance) = (change.delta.to_string(), change.balance.to_string());
                    (change.at.get(), change.event_id.to_string(), delta, balance)
                })
                .collect();
            prop_assert_eq!(&found, &expected);
            let deficit = key.deficit.iter().cloned().collect::<Vec<_>>();
            let of_key = deficits.iter().filter(|short| short.0 == (token.to_owned(), holder.to_owned()));
            prop_assert_eq!(listed(&deficit), of_key.cloned().collect::<Vec<_>>());

            // Of a holder with more changes than are asked for, the first ones are listed and the others counted.
            let cut = aggregator.explain(holder, &all_time, listed_max).expect("it is listed");
            let (shown, hidden) = cut.keys.iter().fold((0, 0), |(shown, hidden), key| {
                (shown + key.changes.len(), hidden + key.changes_left_out)
            });
            let of_holder: usize = view.keys.iter().map(|key| key.changes.len()).sum();
            prop_assert_eq!((shown, hidden), (of_holder.min(listed_max), of_holder - of_holder.min(listed_max)));
            let balances = |key: &KeyReport| -> Vec<_> {
                key.changes.iter().map(|change| (change.at, change.balance)).collect()
            };
            for (cut, whole) in cut.keys.iter().zip(&view.keys) {
                prop_assert!(balances(whole).starts_with(&balances(cut)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_deficit_and_the_account_of_a_crowded_key_follow_every_correction(sent in crowded()) {
        let aggregator = HoldAggregator::new();
        let all_time = question(Micros::MAX, None);
        for count in 0..sent.len() {
            aggregator.record(&sent[count].event());
            if count % 20 != 19 {
                continue;
            }
            let sent = &sent[..=count];
            let expected = by_definition(sent, Micros::MAX);
            prop_assert_eq!(listed(&aggregator.deficits(&all_time, None, usize::MAX).rows), expected.clone());
            prop_assert_eq!(aggregator.figures().deficits, expected.len());
            let view = aggregator.explain("h", &all_time, usize::MAX).expect("it is listed");
            let found = view.keys[0].changes.iter();
            let found = found.map(|change| (change.at.get(), change.event_id.to_string(), change.delta.to_string()));
            let claims = &naive::keys(sent)[&("h", "gold")];
            prop_assert_eq!(found.collect::<Vec<_>>(), changes(claims));
        }
    }
}
