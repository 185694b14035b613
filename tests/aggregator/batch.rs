//! What the batch scorer alone must do: balances and deficits as the naive twin has them, whatever form the events
//! have in its records.

use std::collections::BTreeMap;

use poh_holdmetrics_rust::aggregator::BatchScorer;
use poh_holdmetrics_rust::core::{
    Claim, Deficit, EventSink, Fact, Micros, Snapshot, Totals, Wad, Window,
};
use proptest::prelude::*;

use crate::arbitrary;
use crate::naive::{self, Sent};
use crate::windows::windows;

fn scored(
    sent: &[Sent],
    lanes: usize,
    window: &Window,
    top: Option<usize>,
) -> (Snapshot, Vec<Deficit>) {
    let scorer = BatchScorer::new().listing_deficits();
    let mut filled: Vec<_> = (0..lanes).map(|_| scorer.lane()).collect();
    for (index, event) in sent.iter().enumerate() {
        filled[index * 7 % lanes].accept(&event.event());
    }
    scorer.finish_with_deficits(filled, window, top)
}

fn scores(snapshot: &Snapshot) -> BTreeMap<String, (u128, u128)> {
    let score = |totals: &Totals| (totals.held_us, totals.score.steps().to::<u128>());
    snapshot
        .holders()
        .iter()
        .map(|holder| (holder.holder_id.to_string(), score(&holder.totals)))
        .collect()
}

/// A key with a deficit: token and holder, first instant, balance there, ids of its changes by less than 0.
type Short = ((String, String), i64, String, Vec<String>);

/// By the definition.
fn short_keys(sent: &[Sent], as_of: Micros) -> Vec<Short> {
    let mut short_keys = Vec::new();
    for ((holder, token), claims) in naive::keys(sent) {
        let facts = naive::in_force(&claims);
        let is_short = |at: &Micros| *at < as_of && naive::balance(&facts, *at) < 0;
        let first = facts
            .iter()
            .filter_map(naive::change_time)
            .filter(is_short)
            .min();
        let Some(first) = first else { continue };
        let mut ids: Vec<_> = claims
            .iter()
            .filter_map(|claim| match claim {
                Claim::Named { event_id, .. } if falls(event_id, &claims, first) => {
                    Some((*event_id).to_owned())
                }
                _ => None,
            })
            .collect();
        ids.sort();
        ids.dedup();
        let size = Wad::from_steps(naive::balance(&facts, first).unsigned_abs());
        short_keys.push((
            (token.to_owned(), holder.to_owned()),
            first.get(),
            format!("-{size}"),
            ids,
        ));
    }
    short_keys.sort();
    short_keys
}

/// Whether what is in force of one id is a change by less than 0 at an instant.
fn falls(id: &str, claims: &[Claim<'_>], instant: Micros) -> bool {
    let of_id = claims
        .iter()
        .filter(|claim| matches!(claim, Claim::Named { event_id, .. } if *event_id == id));
    let of_id: Vec<_> = of_id.copied().collect();
    let in_force = naive::in_force(&of_id);
    in_force.iter().any(
        |fact| matches!(fact, Fact::Change { at, delta } if *at == instant && delta.is_negative()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn balances_and_deficits_are_those_of_the_definition_in_any_order_and_split(
        (sent, shuffled) in arbitrary::events(0..80).prop_flat_map(|sent| {
            let twice = [sent.clone(), sent.clone()].concat();
            (Just(sent), Just(twice).prop_shuffle())
        }),
        window in windows(),
        lanes in 1_usize..4,
    ) {
        let (snapshot, deficits) = scored(&sent, lanes, &window, None);
        prop_assert_eq!(scores(&snapshot), naive::scores(&sent, &window));
        let seen: Vec<_> = deficits
            .iter()
            .map(|deficit| {
                let ids = deficit.event_ids.iter().map(ToString::to_string).collect();
                let key = (deficit.token_id.to_string(), deficit.holder_id.to_string());
                (key, deficit.at.get(), deficit.balance.to_string(), ids)
            })
            .collect();
        prop_assert_eq!(seen, short_keys(&sent, window.as_of));
        prop_assert_eq!(snapshot.deficits(), deficits.len());
        prop_assert_eq!(&scored(&shuffled, lanes, &window, None), &(snapshot.clone(), deficits.clone()));
        let (top, listed) = scored(&sent, lanes, &window, Some(1));
        prop_assert_eq!(top.holders(), &snapshot.holders()[..snapshot.known().min(1)]);
        prop_assert_eq!((top.deficits(), listed), (snapshot.deficits(), deficits));
    }
}
