//! What the batch scorer alone must do: balances and deficits as the naive twin has them, whatever form the events
//! have in its records.

use std::collections::BTreeMap;

use poh_holdmetrics_rust::aggregator::{BatchScorer, BatchScores};
use poh_holdmetrics_rust::core::{Deficit, EventSink, Findings, Snapshot, Totals, Window};
use proptest::prelude::*;

use crate::arbitrary;
use crate::deficits::{by_definition, listed};
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
    let BatchScores {
        snapshot,
        deficits,
        findings,
    } = scorer.finish_in_full(filled, window, top);
    assert_eq!(findings, Findings::of(sent.iter().map(Sent::event)));
    (snapshot, deficits)
}

fn scores(snapshot: &Snapshot) -> BTreeMap<String, (u128, u128)> {
    let score = |totals: &Totals| (totals.held_us, totals.score.steps().to::<u128>());
    snapshot
        .holders()
        .iter()
        .map(|holder| (holder.holder_id.to_string(), score(&holder.totals)))
        .collect()
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
        prop_assert_eq!(listed(&deficits), by_definition(&sent, window.as_of));
        prop_assert_eq!(snapshot.deficits(), deficits.len());
        prop_assert_eq!(&scored(&shuffled, lanes, &window, None), &(snapshot.clone(), deficits.clone()));
        let (top, of_top) = scored(&sent, lanes, &window, Some(1));
        prop_assert_eq!(top.holders(), &snapshot.holders()[..snapshot.known().min(1)]);
        prop_assert_eq!((top.deficits(), of_top), (snapshot.deficits(), deficits));
    }
}
