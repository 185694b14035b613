//! A file of transfers and the file of their changes give the same snapshot, in every form and any order.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::sync::Arc;

use poh_holdmetrics_rust::aggregator::BatchScorer;
use poh_holdmetrics_rust::core::{Micros, NULL_ADDRESS, Snapshot, Window};
use poh_holdmetrics_rust::input::{OnError, ReadOptions, Source, read};
use proptest::prelude::*;

use crate::support::Folder;

#[derive(Clone, Debug)]
struct Transfer {
    from: &'static str,
    to: &'static str,
    at: i64,
    amount: u32,
    event_id: u32,
    revision: u32,
    retract: bool,
}

fn transfer() -> impl Strategy<Value = Transfer> {
    let party = || proptest::sample::select(&["a", "b", "c", "", NULL_ADDRESS][..]);
    let is_holder = |party: &str| !party.is_empty() && party != NULL_ADDRESS;
    (
        party(),
        party(),
        0_i64..30,
        0_u32..9,
        0_u32..20,
        0_u32..3,
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(from, to, at, amount, event_id, revision, retract)| Transfer {
                from,
                to,
                at,
                amount,
                event_id,
                revision,
                retract,
            },
        )
        .prop_filter("a transfer has a party", move |transfer| {
            is_holder(transfer.from) || is_holder(transfer.to)
        })
}

const TRANSFERS: &str = "token_id,from_id,to_id,at,amount,event_id,revision,retract\n";
const CHANGES: &str = "token_id,holder_id,at,delta,event_id,revision,retract\n";

/// The same as changes: none for a party that does not count as a holder, one of 0 for a transfer to oneself.
fn changes(transfer: &Transfer, out: &mut String) {
    let Transfer {
        from,
        to,
        at,
        amount,
        event_id,
        revision,
        retract,
    } = transfer;
    let sides = if from == to {
        vec![(from, "0".to_owned())]
    } else {
        vec![(from, format!("-{amount}")), (to, amount.to_string())]
    };
    for (holder, delta) in sides {
        if !holder.is_empty() && *holder != NULL_ADDRESS {
            writeln!(
                out,
                "T,{holder},{at},{delta},{event_id},{revision},{retract}"
            )
            .unwrap();
        }
    }
}

fn csv_row(transfer: &Transfer, out: &mut String) {
    let Transfer {
        from,
        to,
        at,
        amount,
        event_id,
        revision,
        retract,
    } = transfer;
    writeln!(
        out,
        "T,{from},{to},{at},{amount},{event_id},{revision},{retract}"
    )
    .unwrap();
}

fn json_line(transfer: &Transfer, out: &mut String) {
    let Transfer {
        from,
        to,
        at,
        amount,
        event_id,
        revision,
        retract,
    } = transfer;
    writeln!(
        out,
        r#"{{"token_id":"T","from_id":"{from}","to_id":"{to}","at":{at},"amount":{amount},"event_id":"{event_id}","revision":{revision},"retract":{retract}}}"#
    )
    .unwrap();
}

/// The snapshot of one file, and the rows that were accepted.
fn snapshot(name: &str, text: &str) -> (Snapshot, u64) {
    let folder = Folder::new();
    let options = ReadOptions {
        input: Arc::default(),
        on_error: OnError::Fail,
        threads: NonZeroUsize::new(2).unwrap(),
        progress: Arc::default(),
    };
    let source = Source::Path(folder.file(name, text));
    let scorer = BatchScorer::new();
    let outcome = read(&[source], &options, || scorer.lane()).unwrap();
    let window = Window {
        from: None,
        as_of: Micros::new(25_000).unwrap(),
        closed_only: false,
    };
    let snapshot = scorer.finish(outcome.sinks, &window, None);
    assert_eq!(outcome.report.read, outcome.report.accepted);
    (snapshot, outcome.report.accepted)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn transfers_are_the_changes_of_their_parties(
        transfers in proptest::collection::vec(transfer(), 0..30),
    ) {
        let text = |header: &str, row: fn(&Transfer, &mut String)| {
            let mut text = header.to_owned();
            for transfer in &transfers {
                row(transfer, &mut text);
            }
            text
        };
        let (by_changes, _) = snapshot("changes.csv", &text(CHANGES, changes));
        for (name, text) in [
            ("transfers.csv", text(TRANSFERS, csv_row)),
            ("transfers.jsonl", text("", json_line)),
        ] {
            let (found, accepted) = snapshot(name, &text);
            prop_assert_eq!(&found, &by_changes, "{}", name);
            prop_assert_eq!(accepted, transfers.len() as u64);
        }
    }
}
