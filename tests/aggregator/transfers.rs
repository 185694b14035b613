//! What must hold for every set of transfers: the sum is conserved, repeats and order do not matter, and a
//! retracted transfer is as if it had never been.

use std::collections::BTreeMap;

use poh_holdmetrics_rust::aggregator::{BatchScorer, HoldAggregator};
use poh_holdmetrics_rust::core::{Draft, EventSink, Events, NULL_ADDRESS, Snapshot, Wad, Window};
use proptest::prelude::*;

use crate::naive::micros;

/// Holders, and the address that tokens are minted from and burned to.
const PARTIES: [&str; 4] = ["ann", "bob", "carl", NULL_ADDRESS];

#[derive(Clone, Debug)]
struct Transfer {
    event_id: String,
    from: usize,
    to: usize,
    at: i64,
    amount: u128,
}

impl Transfer {
    fn events(&self, retract: bool) -> Events<'_> {
        Draft {
            token_id: "gold",
            from_id: Some(PARTIES[self.from]),
            to_id: Some(PARTIES[self.to]),
            at: Some(micros(self.at)),
            amount: Some(Wad::from_steps(self.amount)),
            event_id: Some(&self.event_id),
            retract,
            ..Draft::default()
        }
        .events()
        .expect("a test transfer is valid")
    }
}

/// Transfers in order of time, none of which takes more than its sender has.
fn transfers() -> impl Strategy<Value = Vec<Transfer>> {
    let parties = (0..PARTIES.len(), 0..PARTIES.len());
    let parties = parties.prop_filter("some party is a holder", |(from, to)| from.min(to) < &3);
    let one = (parties, 0_i64..4, 0_u128..1 << 80);
    proptest::collection::vec(one, 0..220).prop_map(|drawn| {
        let (mut at, mut balances) = (0, [0, 0, 0, u128::MAX >> 40]);
        let mut transfers = Vec::new();
        for (number, ((from, to), pause, amount)) in drawn.into_iter().enumerate() {
            let amount = amount.min(balances[from]);
            balances[from] -= amount;
            balances[to] += amount;
            // Several in one instant.
            at += pause;
            let event_id = format!("0x5c:{number}");
            transfers.push(Transfer {
                event_id,
                from,
                to,
                at,
                amount,
            });
        }
        transfers
    })
}

fn recorded<'t>(
    transfers: impl IntoIterator<Item = &'t Transfer>,
    retract: bool,
) -> HoldAggregator {
    let aggregator = HoldAggregator::new();
    for transfer in transfers {
        aggregator.record_events(&transfer.events(retract));
    }
    aggregator
}

/// `holder -> score`, without those who held nothing.
fn scores(snapshot: &Snapshot) -> BTreeMap<String, u128> {
    let score = |steps: u128| (steps > 0).then_some(steps);
    let holders = snapshot.holders().iter();
    holders
        .filter_map(|holder| {
            Some((
                holder.holder_id.to_string(),
                score(holder.totals.score.steps().to())?,
            ))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn transfers_conserve_the_sum(transfers in transfers(), as_of in 0_i64..500) {
        let mut supply = 0_i128;
        let mut expected = 0_i128;
        let mut last = 0;
        for transfer in transfers.iter().filter(|transfer| transfer.at < as_of) {
            expected += supply * i128::from(transfer.at - last);
            last = transfer.at;
            let amount = i128::try_from(transfer.amount).expect("small");
            supply += if transfer.from == 3 { amount } else { 0 } - if transfer.to == 3 { amount } else { 0 };
        }
        expected += supply * i128::from(as_of - last);
        let window = Window::until(micros(as_of));
        let snapshot = recorded(&transfers, false).snapshot(&window);
        prop_assert_eq!(snapshot.deficits(), 0);
        prop_assert_eq!(scores(&snapshot).values().sum::<u128>(), expected.cast_unsigned());
        let scorer = BatchScorer::new();
        let mut lane = scorer.lane();
        transfers.iter().flat_map(|transfer| transfer.events(false)).for_each(|event| lane.accept(&event));
        prop_assert_eq!(scorer.finish(vec![lane], &window, None), snapshot);
    }

    #[test]
    fn order_repeats_and_splits_of_transfers_change_nothing(
        (transfers, shuffled) in transfers().prop_flat_map(|transfers| {
            let twice = [transfers.clone(), transfers.clone()].concat();
            (Just(transfers), Just(twice).prop_shuffle())
        }),
        as_of in 0_i64..500,
    ) {
        let window = Window::until(micros(as_of));
        let expected = recorded(&transfers, false);
        let merged = HoldAggregator::new();
        for share in shuffled.chunks(50) {
            merged.merge(&recorded(share, false));
        }
        prop_assert_eq!(merged.snapshot(&window), expected.snapshot(&window));
        prop_assert_eq!(merged.segments(), expected.segments());
    }

    #[test]
    fn a_retracted_transfer_is_as_if_it_had_never_been(
        transfers in transfers(), chosen in proptest::collection::vec(any::<bool>(), 220), comes_first: bool,
    ) {
        let window = Window::until(micros(1_000));
        let is_orphaned = |index: &usize| chosen[*index];
        let (orphaned, kept): (Vec<_>, Vec<_>) = (0..transfers.len()).partition(is_orphaned);
        let expected = recorded(kept.iter().map(|index| &transfers[*index]), false);
        let orphaned = recorded(orphaned.iter().map(|index| &transfers[*index]), true);
        let all = recorded(&transfers, false);
        let found = if comes_first { &orphaned } else { &all };
        found.merge(if comes_first { &all } else { &orphaned });
        let (found, expected) = (found.snapshot(&window), expected.snapshot(&window));
        prop_assert_eq!(scores(&found), scores(&expected));
        prop_assert_eq!(found.deficits(), expected.deficits());
    }
}
