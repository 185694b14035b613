//! Bundles of every holder of small allocations, and what happens to one that was changed.

use proptest::prelude::*;
use ruint::aliases::U256;

use super::*;
use crate::airdrop::{
    Allocation, Curve, Details, Document, ExplainedKey, ExplainedScore, Format, List, Share, Terms,
    allocate,
};
use crate::core::{Claim, Delta, Fact, Micros, Standing, Wad, Window};

const HOLDERS: [&str; 3] = [
    "0x1111111111111111111111111111111111111111",
    "0x2222222222222222222222222222222222222222",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
];

fn at(second: u64) -> Micros {
    Micros::new(i64::try_from(second).unwrap() * 1_000_000).unwrap()
}

fn named(event_id: &'static str, fact: Fact) -> Claim<'static> {
    let standing = Standing {
        revision: 0,
        fact: Some(fact),
    };
    Claim::Named { event_id, standing }
}

fn change(event_id: &'static str, second: u64, delta: &str) -> Claim<'static> {
    let (at, delta) = (at(second), Delta::parse(delta).unwrap());
    named(event_id, Fact::Change { at, delta })
}

fn hold(start: u64, end: u64, weight: u64) -> Fact {
    Fact::Closed {
        start: at(start),
        end: at(end),
        weight: Wad::from_steps(u128::from(weight) * 10_u128.pow(18)),
    }
}

fn conditions(cap: Option<u64>) -> Conditions<'static> {
    Conditions {
        window: Window {
            from: Some(at(2)),
            as_of: at(100),
            closed_only: false,
        },
        terms: Terms {
            pool: U256::from(1000),
            curve: Curve::Linear,
            cap: cap.map(U256::from),
            minimum: U256::ZERO,
        },
        rule: None,
    }
}

/// The bundle of each holder that gets something, from its claims of one token.
fn bundles(
    claims: [&[Claim<'static>]; 3],
    conditions: &Conditions<'_>,
) -> Option<Vec<Bundle<String>>> {
    let scores: Vec<_> = HOLDERS
        .iter()
        .zip(claims)
        .map(|(holder, claims)| {
            let key = ExplainedKey::of_claims(holder, "T", claims, conditions);
            ExplainedScore::new(holder, vec![key], conditions).unwrap()
        })
        .collect();
    let shares: Vec<_> = scores
        .iter()
        .map(|score| Share {
            holder_id: score.holder_id.clone(),
            score: score.score.0.steps(),
        })
        .collect();
    let Allocation {
        amounts, division, ..
    } = allocate(&shares, &conditions.terms).ok()?;
    let mut list = List::new(false);
    let paid = shares
        .iter()
        .zip(&amounts)
        .filter(|(_, amount)| !amount.is_zero());
    for (share, amount) in paid.clone() {
        list.push(&share.holder_id, &amount.to_string());
    }
    let tree = Document::of_list(&list, Format::Uniswap, Details::default()).unwrap();
    let bundle = |(share, amount): (&Share, &U256)| {
        let score = scores
            .iter()
            .find(|score| score.holder_id == share.holder_id);
        let score = vec![score.unwrap().clone()];
        let explained = Explanation::new(&share.holder_id, score, &division, conditions).unwrap();
        assert_eq!(explained.amount.0, *amount);
        let row = tree.rows_of(&share.holder_id.to_ascii_lowercase())[0];
        Bundle::new(
            "manifest".to_owned(),
            None,
            explained,
            Some(tree.leaf_proof(row)),
        )
    };
    Some(paid.map(bundle).collect())
}

fn check(text: &[u8], conditions: &Conditions<'_>) -> Result<(), BundleError> {
    Bundle::<String>::parse(text)?.check(text, conditions)
}

/// All kinds of events.
fn sample() -> Vec<Bundle<String>> {
    let first = [
        change("a:0", 1, "5"),
        change("a:1", 10, "-2"),
        change("a:2", 20, "-3"),
        named("hold", hold(30, 40, 2)),
        Claim::Plain(hold(50, 60, 1)),
    ];
    let (on, off) = (
        Fact::Start {
            at: at(5),
            weight: Wad::ONE,
            seq: 1,
        },
        Fact::Stop { at: at(9), seq: 0 },
    );
    let retracted = Claim::Named {
        event_id: "gone",
        standing: Standing {
            revision: 3,
            fact: None,
        },
    };
    let second = [named("on", on), named("off", off), retracted];
    let third = [Claim::Plain(hold(0, 33, 1))];
    bundles([&first, &second, &third], &conditions(None)).unwrap()
}

#[test]
fn segments_name_the_events_behind_them() {
    let bundles = sample();
    let ids = |bundle: &Bundle<String>| -> Vec<Vec<String>> {
        let segments = bundle.explanation.scores[0].keys[0].segments.iter();
        let ids = segments.map(|segment| segment.event_ids.iter().map(ToString::to_string));
        ids.map(Iterator::collect).collect()
    };
    let expected: [&[&str]; 4] = [&["a:0", "a:1"], &["a:1", "a:2"], &["hold"], &[]];
    assert_eq!(ids(&bundles[0]), expected);
    assert_eq!(ids(&bundles[1]), [["on", "off"]]);
    let events = &bundles[1].explanation.scores[0].keys[0].events;
    let retraction = serde_json::json!({"event_id": "gone", "revision": 3, "retract": true});
    let events = serde_json::to_value(events).unwrap();
    assert!(events.as_array().unwrap().contains(&retraction));
}

#[test]
fn a_bundle_is_equal_to_itself_with_any_white_space() {
    for bundle in sample() {
        let text = bundle.text();
        check(text.as_bytes(), &conditions(None)).unwrap();
        let compacted = serde_json::to_string(&bundle).unwrap();
        check(compacted.as_bytes(), &conditions(None)).unwrap();
    }
}

#[test]
fn a_changed_bit_anywhere_is_told_in_one_sentence() {
    let text = sample()[0].text().trim_end().as_bytes().to_vec();
    for place in 0..text.len() {
        let mut changed = text.clone();
        changed[place] ^= 1 << (place % 7);
        let told = check(&changed, &conditions(None))
            .expect_err("a bit was changed")
            .to_string();
        assert!(told.len() < 500 && !told.contains('\n'), "{place}: {told}");
        let cut = check(&text[..place], &conditions(None)).expect_err("it was cut");
        assert!(cut.to_string().starts_with("not a bundle: "), "{cut}");
    }
}

#[test]
fn hostile_values_are_one_sentence() {
    let text = sample()[0].text();
    let share = &sample()[0].explanation.share;
    let most = U256::MAX.to_string();
    let all_held = format!("\"delta\": \"{}\"", "3".repeat(20));
    let of_last = |remainder: &str| {
        format!("\"last_spare_unit\": {{\n        \"remainder\": \"{remainder}\"")
    };
    let last = share.last_spare_unit.as_ref().expect("a spare unit");
    let of_key = |holder: &str| {
        format!("\"keys\": [\n          {{\n            \"holder_id\": \"{holder}\"")
    };
    for (from, to, said) in [
        (
            format!("\"total\": \"{}\"", share.total),
            "\"total\": \"0\"".to_owned(),
            "explanation: total: 0 is below",
        ),
        (
            format!("\"rest\": \"{}\"", share.rest),
            format!("\"rest\": \"{most}\""),
            "explanation: rest: ",
        ),
        (
            of_last(&last.remainder.to_string()),
            of_last(&share.total.to_string()),
            "explanation: last_spare_unit: ",
        ),
        (
            of_last(&last.remainder.to_string()),
            of_last("0"),
            "explanation: last_spare_unit: ",
        ),
        (
            of_key(HOLDERS[0]),
            of_key(HOLDERS[1]),
            "explanation: key of token \"T\": ",
        ),
        ("\"delta\": \"-2\"".into(), all_held, "explanation: total: "),
        (
            "\"at\": ".into(),
            "\"at\": null, \"end\": ".into(),
            "explanation: event ",
        ),
        (
            "\"event_id\": \"a:0\"".into(),
            "\"event_id\": \"\"".into(),
            "explanation: event 1 of token \"T\"",
        ),
        (
            "\"format\": \"uniswap\"".into(),
            "\"format\": \"sablier-solana\"".into(),
            "claim: types: ",
        ),
        (
            "\"types\": [".into(),
            "\"types\": [\"uint256\",".into(),
            "claim: types: ",
        ),
        (
            "\"row\": 0".into(),
            "\"row\": 4294967296".into(),
            "not a bundle: ",
        ),
        (
            "\"scores\": [".into(),
            format!("\"scores\": [{}", "[".repeat(200)),
            "not a bundle: ",
        ),
        (
            "-bundle-1".into(),
            format!("-bundle-{}", "9".repeat(10_000)),
            "format: \"holdmetrics",
        ),
    ] {
        assert!(text.contains(&from), "{from}");
        let told = check(text.replacen(&from, &to, 1).as_bytes(), &conditions(None));
        let told = told.expect_err(&to).to_string();
        assert!(told.starts_with(said) && told.len() < 500, "{told}");
    }
}

#[test]
fn an_amount_below_the_minimum_is_told() {
    let mut conditions = conditions(None);
    let bundle = &sample()[0];
    conditions.terms.minimum = bundle.explanation.amount.0;
    assert!(check(bundle.text().as_bytes(), &conditions).is_ok());
    conditions.terms.minimum += U256::ONE;
    let told = check(bundle.text().as_bytes(), &conditions).unwrap_err();
    assert!(
        told.to_string().starts_with("explanation: amount: "),
        "{told}"
    );
}

#[test]
fn a_leaf_of_somebody_else_is_told() {
    let bundles = sample();
    let mixed = Bundle::new(
        "manifest".to_owned(),
        None,
        bundles[0].explanation.clone(),
        bundles[1].claim.clone(),
    );
    let told = check(mixed.text().as_bytes(), &conditions(None)).unwrap_err();
    assert!(
        told.to_string().starts_with("claim: the leaf pays "),
        "{told}"
    );
}

fn any_claims() -> impl Strategy<Value = Vec<Claim<'static>>> {
    const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let fact = prop_oneof![
        (0_u64..90, 1_u64..9, 0_u64..3).prop_map(|(start, length, weight)| hold(
            start,
            start + length,
            weight
        )),
        (0_u64..90, 1_u64..3, 0_u64..2).prop_map(|(second, weight, seq)| Fact::Start {
            at: at(second),
            weight: Wad::from_steps(u128::from(weight) * 10_u128.pow(18)),
            seq,
        }),
        (0_u64..90, 0_u64..2).prop_map(|(second, seq)| Fact::Stop {
            at: at(second),
            seq
        }),
        (0_u64..90, -2_i64..4).prop_map(|(second, delta)| Fact::Change {
            at: at(second),
            delta: Delta::parse(&delta.to_string()).unwrap(),
        }),
    ];
    prop::collection::vec(fact, 0..6).prop_map(|facts| {
        facts
            .into_iter()
            .zip(IDS)
            .map(|(fact, id)| named(id, fact))
            .collect()
    })
}

proptest! {
    #[test]
    fn every_amount_is_explained_to_the_unit_and_every_segment_has_events(
        first in any_claims(), second in any_claims(), third in any_claims(), cap in prop::option::of(340_u64..600),
    ) {
        let conditions = conditions(cap);
        for bundle in bundles([&first, &second, &third], &conditions).into_iter().flatten() {
            check(bundle.text().as_bytes(), &conditions).unwrap();
            let explanation = &bundle.explanation;
            let segments = explanation.scores.iter().flat_map(|score| &score.keys).flat_map(|key| &key.segments);
            let sum = segments.clone().fold(U256::ZERO, |sum, segment| sum + segment.score.0.steps());
            prop_assert_eq!(sum, explanation.score.0.steps());
            // At weight 0 nothing is set, and marks of the instant before the window are those behind it.
            prop_assert!(segments.clone().all(|segment| !segment.event_ids.is_empty()));
        }
    }
}
