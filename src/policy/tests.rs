//! Policies against a naive twin that looks at each microsecond, and documents that are refused.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Policy;
use crate::core::{HeldBy, HeldKey, HeldSegment, Micros, ScoreRule, Wad, Window};

const LENGTH: usize = 24;

/// What a key holds at each microsecond, in steps.
type Held = [Option<u128>; LENGTH];
/// What is held at each microsecond, and the multiplier in millionths per step.
type Counted = [Option<(u128, u128)>; LENGTH];

fn at(micros: usize) -> Micros {
    Micros::new(i64::try_from(micros).unwrap()).unwrap()
}

fn segments(held: &Held) -> Vec<HeldSegment> {
    let mut segments = Vec::<HeldSegment>::new();
    for (micros, steps) in held.iter().enumerate() {
        let Some(steps) = steps else { continue };
        let weight = Wad::from_steps(*steps).into();
        match segments.last_mut() {
            Some(last) if last.end == at(micros) && last.weight == weight => {
                last.end = at(micros + 1);
            }
            _ => segments.push(HeldSegment {
                start: at(micros),
                end: at(micros + 1),
                weight,
            }),
        }
    }
    segments
}

/// The score in steps of each published holder.
fn naive(steps: &[Value], keys: &[(&str, &str, Held)]) -> BTreeMap<String, u128> {
    let mut counted: BTreeMap<(String, String), Counted> = BTreeMap::new();
    for (holder, token, held) in keys {
        let counts = held.map(|steps| steps.map(|steps| (steps, 1)));
        counted.insert(((*holder).into(), (*token).into()), counts);
    }
    let (mut scale, mut most) = (1, u128::MAX);
    for step in steps {
        match step["step"].as_str().unwrap() {
            "linked" => counted = linked(step, counted),
            "score_cap" => most = millionths(&step["most"]) * 10_u128.pow(18),
            kind => {
                if ["tiers", "decay", "seasons"].contains(&kind) {
                    scale *= 1_000_000;
                }
                for ((holder, token), held) in &mut counted {
                    let before = *held;
                    for (micros, held) in held.iter_mut().enumerate() {
                        *held = one(step, (holder, token), &before, micros);
                    }
                }
            }
        }
    }
    let mut scores = BTreeMap::<String, u128>::new();
    for ((holder, _), held) in counted {
        for (weight, factor) in held.into_iter().flatten() {
            *scores.entry(holder.clone()).or_default() += weight * factor;
        }
    }
    scores
        .into_iter()
        .map(|(holder, sum)| (holder, (sum / scale).min(most)))
        .collect()
}

fn linked(
    step: &Value,
    counted: BTreeMap<(String, String), Counted>,
) -> BTreeMap<(String, String), Counted> {
    let mut linked = BTreeMap::<_, Counted>::new();
    for ((holder, token), held) in counted {
        let has =
            |(_, wallets): &(&String, &Value)| wallets.as_array().unwrap().contains(&json!(holder));
        let name = step["wallets"].as_object().unwrap().iter().find(has);
        let name = name.map_or(holder.clone(), |(name, _)| name.clone());
        let into = linked.entry((name, token)).or_default();
        for (sum, more) in into.iter_mut().zip(held) {
            *sum = match (*sum, more) {
                (Some((sum, factor)), Some((more, _))) => Some((sum + more, factor)),
                (one, other) => one.or(other),
            };
        }
    }
    linked
}

/// What one microsecond counts after a step.
fn one(
    step: &Value,
    (holder, token): (&str, &str),
    held: &Counted,
    micros: usize,
) -> Option<(u128, u128)> {
    let (weight, factor) = held[micros]?;
    let first = (0..micros)
        .rev()
        .take_while(|before| held[*before].is_some())
        .last()
        .unwrap_or(micros);
    let end = (micros..LENGTH)
        .find(|after| held[*after].is_none())
        .unwrap_or(LENGTH);
    let lists = |name: &str, id: &str| {
        step[name]
            .as_array()
            .is_some_and(|ids| ids.contains(&json!(id)))
    };
    let last = |most: usize| {
        let multipliers = step["multipliers"].as_object().unwrap().iter();
        let counting = multipliers
            .map(|(text, value)| (us(text), value))
            .filter(|(us, _)| *us <= most);
        counting
            .max_by_key(|(us, _)| *us)
            .map_or(1_000_000, |(_, value)| millionths(value))
    };
    let multiplier = match step["step"].as_str()? {
        "exclude" if lists("holders", holder) || lists("tokens", token) => return None,
        "include" if !lists("holders", holder) => return None,
        "minimum_hold" if end - first < us(step["duration"].as_str()?) => return None,
        "weight_cap" => {
            return Some((
                weight.min(millionths(&step["most"]) * 10_u128.pow(12)),
                factor,
            ));
        }
        "tiers" if step["counting"] == "whole" => last(end - first),
        "tiers" => last(micros - first),
        "decay" => last(LENGTH - micros - 1),
        "seasons" => {
            let season = &step["seasons"][0];
            let is_in = (0..9).contains(&micros) && season["start"] == 0;
            millionths(if is_in {
                &season["multiplier"]
            } else {
                &step["otherwise"]
            })
        }
        _ => 1,
    };
    Some((weight, factor * multiplier))
}

fn us(text: &str) -> usize {
    text.strip_suffix("us").unwrap().parse().unwrap()
}

fn millionths(value: &Value) -> u128 {
    let (whole, part) = value
        .as_str()
        .unwrap()
        .split_once('.')
        .unwrap_or((value.as_str().unwrap(), ""));
    format!("{whole}{part:0<6}").parse().unwrap()
}

fn held() -> impl Strategy<Value = Held> {
    let steps = prop::sample::select(vec![
        None,
        None,
        Some(0),
        Some(1),
        Some(7),
        Some(10_u128.pow(18)),
    ]);
    (proptest::collection::vec(steps, LENGTH / 2)).prop_map(|steps| {
        // Pairs of one weight, so that there are segments of more than a microsecond.
        std::array::from_fn(|micros| steps[micros / 2])
    })
}

fn steps() -> impl Strategy<Value = Vec<Value>> {
    let duration = || (1..10_usize).prop_map(|us| format!("{us}us"));
    let multiplier = || prop::sample::select(&["0", "0.5", "1", "2.25", "0.000001"][..]);
    let multipliers = move || proptest::collection::hash_map(duration(), multiplier(), 1..3);
    let first = prop_oneof![
        Just(json!({"step": "exclude", "holders": ["b"], "tokens": []})),
        Just(json!({"step": "exclude", "tokens": ["T"]})),
        Just(json!({"step": "include", "holders": ["a", "team"]})),
        Just(json!({"step": "linked", "wallets": {"team": ["a", "b"]}})),
        Just(json!({"step": "linked", "wallets": {"b": ["a"], "c": []}})),
        duration().prop_map(|text| json!({"step": "minimum_hold", "duration": text})),
        Just(json!({"step": "weight_cap", "most": "0.5"})),
    ];
    let multiplying = prop_oneof![
        (multipliers(), prop::sample::select(&["whole", "reached"][..]))
            .prop_map(|(each, counting)| json!({"step": "tiers", "multipliers": each, "counting": counting})),
        multipliers().prop_map(|each| json!({"step": "decay", "multipliers": each})),
        (multiplier(), multiplier()).prop_map(|(one, other)| json!({
            "step": "seasons", "otherwise": other,
            "seasons": [{"start": 0, "end": "1970-01-01T00:00:00.000009Z", "multiplier": one}],
        })),
    ];
    let cap = proptest::option::of(Just(json!({"step": "score_cap", "most": "0.000003"})));
    let first = proptest::collection::vec(first, 0..4);
    let multiplying = proptest::collection::vec(multiplying, 0..3);
    (first, multiplying, cap)
        .prop_map(|(first, multiplying, cap)| {
            [first, multiplying, cap.into_iter().collect()].concat()
        })
        .prop_filter("no steps", |steps| !steps.is_empty())
}

proptest! {
    #[test]
    fn a_policy_gives_what_each_microsecond_gives(held in proptest::array::uniform4(held()), steps in steps()) {
        let ids = [("a", "T"), ("a", "U"), ("b", "T"), ("b", "U")];
        let keys: Vec<_> = ids.iter().zip(held).map(|((holder, token), held)| (*holder, *token, held)).collect();
        let cut: Vec<_> = keys.iter().map(|(.., held)| segments(held)).collect();
        let cut: Vec<_> = ids.iter().zip(&cut).map(|((_, token_id), segments)| HeldKey { token_id, segments }).collect();
        let holders = [HeldBy { holder_id: "a", keys: &cut[..2] }, HeldBy { holder_id: "b", keys: &cut[2..] }];
        let policy = Policy::from_document(&json!({ "steps": steps }).to_string()).unwrap();
        let window = Window::until(at(LENGTH));
        let mut found = BTreeMap::new();
        for (index, group) in policy.groups().iter().enumerate() {
            let members: Vec<_> =
                holders.iter().filter(|each| policy.group_of(each.holder_id) == Some(index)).copied().collect();
            found.extend(policy.score(&members, &window).map(|score| (group.holder_id.to_string(), score)));
        }
        for holder in holders.iter().filter(|each| policy.group_of(each.holder_id).is_none()) {
            let score = policy.score(&[*holder], &window);
            found.extend(score.map(|score| (holder.holder_id.to_owned(), score)));
        }
        let found: BTreeMap<_, _> = found.into_iter().map(|(holder, score)| (holder, score.steps().to())).collect();
        prop_assert_eq!(found, naive(&steps, &keys));
        // Its text is a document of the same policy.
        let again = Policy::from_document(policy.text()).unwrap();
        prop_assert_eq!(again.text(), policy.text());
    }
}

/// The documents that the Python package refuses, with the beginnings of the reasons.
#[test]
fn a_document_is_refused_by_its_field() {
    let cases = include_str!("../../python_pkg/tests/refused_policies.json");
    let cases: Vec<(String, String)> = serde_json::from_str(cases).unwrap();
    assert!(cases.len() > 40);
    for (document, words) in cases {
        let refusal = Policy::from_document(&document)
            .expect_err(&document)
            .to_string();
        assert!(
            refusal.starts_with(&words),
            "{document}\n{refusal}\n{words}"
        );
    }
}

#[test]
fn one_rule_in_other_spellings_has_one_version() {
    let documents = [
        r#"{"steps": [{"step": "tiers", "multipliers": {"24h": 1.50, "36h": "2"}}]}"#,
        r#"{"steps": [{"multipliers": {"1d12h": 2, "1d": "1.5"}, "counting": "reached", "step": "tiers"}]}"#,
    ];
    let [one, other] = documents.map(|text| Policy::from_document(text).unwrap());
    assert_eq!(
        one.text(),
        r#"{"steps":[{"counting":"reached","multipliers":{"1d":"1.5","1d12h":"2"},"step":"tiers"}]}"#
    );
    assert_eq!(one.version(), other.version());
    let changed = Policy::from_document(&documents[0].replace("1.50", "1.51")).unwrap();
    assert_ne!(changed.version(), one.version());
}
