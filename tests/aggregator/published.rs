//! Scores under a policy that are kept between questions, against scores that are computed anew.

use poh_holdmetrics_rust::aggregator::{HoldAggregator, PublishedScores, Question};
use poh_holdmetrics_rust::core::{Draft, HolderScore, Micros, ScoreRule, Wad, Window};
use poh_holdmetrics_rust::policy::Policy;
use proptest::prelude::*;

fn at(micros: i64) -> Micros {
    Micros::new(micros).unwrap()
}

/// Token, holder, start, length (0: a start mark) and weight.
type Row = (usize, usize, i64, i64, u64);

fn record(aggregator: &HoldAggregator, (token, holder, start, length, weight): Row) {
    let draft = Draft {
        token_id: ["T", "U"][token],
        holder_id: ["a", "b", "c", "d", "team"][holder],
        start: Some(at(start)),
        end: (length > 0).then(|| at(start + length)),
        weight: Some(Wad::from_steps(weight.into())),
        ..Draft::default()
    };
    aggregator.record(&draft.check().unwrap());
}

const POLICIES: [&str; 4] = [
    r#"{"steps": [{"step": "tiers", "multipliers": {"5us": "2"}}]}"#,
    r#"{"steps": [{"step": "decay", "multipliers": {"5us": "0.5"}}]}"#,
    r#"{"steps": [{"step": "linked", "wallets": {"team": ["a", "b"]}}, {"step": "minimum_hold", "duration": "4us"}]}"#,
    r#"{"steps": [{"step": "exclude", "holders": ["c"]}, {"step": "score_cap", "most": "0.00000000000000000000003"}]}"#,
];

fn question(as_of: i64, from: Option<i64>, closed_only: bool, token: Option<usize>) -> Question {
    Question {
        window: Window {
            from: from.map(at),
            as_of: at(as_of),
            closed_only,
        },
        token_id: token.map(|token| ["T", "U"][token].into()),
    }
}

proptest! {
    #[test]
    fn kept_scores_are_those_computed_anew(
        batches in proptest::collection::vec(
            (proptest::collection::vec((0..2_usize, 0..5_usize, 0..20_i64, 0..8_i64, 0..9_u64), 0..5), 0..30_i64), 1..7
        ),
        from in proptest::option::of(0..12_i64), closed_only: bool, token in proptest::option::of(0..2_usize),
        policy in 0..POLICIES.len(), size in 1..4_usize,
    ) {
        let policy = Policy::from_document(POLICIES[policy]).unwrap();
        let aggregator = HoldAggregator::new();
        let mut kept = PublishedScores::new(question(0, from, closed_only, token));
        for (rows, as_of) in batches {
            for row in rows {
                record(&aggregator, row);
            }
            kept.refresh(&aggregator, &policy, at(as_of));
            let mut anew = PublishedScores::new(question(as_of, from, closed_only, token));
            anew.refresh(&aggregator, &policy, at(as_of));
            let expected = anew.snapshot(&aggregator, &policy);
            prop_assert_eq!(&kept.snapshot(&aggregator, &policy), &expected);
            prop_assert!(anew.scored() <= 5 + policy.groups().len());
            // Again: nothing has changed.
            kept.refresh(&aggregator, &policy, at(as_of));
            prop_assert_eq!(kept.scored(), 0);
            // Pages, one after the other, are the whole.
            let (mut rows, mut after) = (Vec::new(), None::<HolderScore>);
            loop {
                let page = kept.ranking(&aggregator, &policy, after.as_ref(), size);
                prop_assert_eq!(page.known, expected.known());
                prop_assert_eq!(page.deficits, expected.deficits());
                let Some(last) = page.rows.last() else { break };
                after = Some(last.holder.clone());
                rows.extend(page.rows);
            }
            let expected: Vec<_> = expected.ranked().map(|row| (row.rank, row.holder.clone())).collect();
            prop_assert_eq!(rows.into_iter().map(|row| (row.rank, row.holder)).collect::<Vec<_>>(), expected);
        }
    }
}

#[test]
fn only_what_changed_is_scored_again() {
    let policy = Policy::from_document(POLICIES[0]).unwrap();
    let aggregator = HoldAggregator::new();
    for (holder, length) in [(0, 7), (1, 7), (2, 0), (3, 7)] {
        record(&aggregator, (0, holder, 0, length, 1));
    }
    let mut kept = PublishedScores::new(question(20, None, false, None));
    let mut refresh = |as_of| {
        kept.refresh(&aggregator, &policy, at(as_of));
        kept.scored()
    };
    assert_eq!(refresh(20), 4);
    assert_eq!(refresh(20), 0);
    record(&aggregator, (1, 3, 0, 5, 1));
    record(&aggregator, (0, 1, 0, 7, 1));
    assert_eq!(refresh(20), 1, "a repeated event changes nothing");
    assert_eq!(refresh(30), 1, "what is still open grows with the window");
    assert_eq!(refresh(6), 4, "a window that ends before the facts do");
}
