//! Gates: what they refuse and change, and what becomes of events if they do not answer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::rule_gate::{Manner, RuleGate, options};
use crate::support::{batch, distinct, ephemeral, held, instant, open, until, wait};
use poh_holdmetrics_rust::core::{Draft, Event, Glob, Wad};
use poh_holdmetrics_rust::engine::Engine;
use poh_holdmetrics_rust::engine::gate::{
    Gate, GateOptions, OnTimeout, RowId, SubmittedRows, Verdict,
};
use poh_holdmetrics_rust::telemetry::Metrics;

/// More than any answer of a test needs.
const LONG_MS: u64 = 20_000;

/// An engine with these gates, and its metrics.
fn engine_of(gates: Vec<(GateOptions, Arc<dyn Gate>)>) -> (Engine, Arc<Metrics>) {
    let options = ephemeral();
    let metrics = Arc::clone(&options.metrics);
    let engine = open(options).unwrap();
    for (options, gate) in gates {
        let pipeline = options.pipeline.clone();
        engine.gates().set(&pipeline, vec![(options, gate)]);
    }
    (engine, metrics)
}

fn engine(gates: Vec<(GateOptions, Arc<dyn Gate>)>) -> Engine {
    engine_of(gates).0
}

fn hold(holder: &str) -> Draft<'_> {
    Draft {
        token_id: "T",
        holder_id: holder,
        start: Some(instant(0)),
        end: Some(instant(1)),
        ..Draft::default()
    }
}

fn transfer<'a>(from: &'a str, to: &'a str, event_id: &'a str) -> Draft<'a> {
    Draft {
        token_id: "T",
        from_id: Some(from),
        to_id: Some(to),
        at: Some(instant(0)),
        amount: Some(Wad::ONE),
        event_id: Some(event_id),
        ..Draft::default()
    }
}

/// What a submitted batch became: the numbers of its first and last event, and the refused rows with their reasons.
type Outcome = (Option<(u64, u64)>, Vec<(u64, u32, String)>);

fn submit(engine: &Engine, drafts: &[Draft<'_>], emitted_by: Option<&str>) -> Outcome {
    let mut rows = engine.row_batch(0);
    for (message, draft) in (0..).zip(drafts) {
        let id = RowId { message, row: None };
        rows.accept(&engine.validator(), *draft, id).unwrap();
    }
    wait(async {
        let SubmittedRows { pending, refused } =
            engine.submit_rows(rows, emitted_by).await.unwrap();
        let receipt = match pending {
            Some(pending) => Some(pending.await.unwrap()),
            None => None,
        };
        let refused = refused.into_iter();
        (
            receipt.map(|receipt| (receipt.first, receipt.last)),
            refused
                .map(|row| (row.id.message, row.events, row.reason))
                .collect(),
        )
    })
}

fn replace_by(event: Event<'_>) -> Verdict {
    Verdict::Replace(batch([event]))
}

fn line(metrics: &Metrics, series: &str) -> String {
    let page = String::from_utf8(metrics.render()).unwrap();
    let found = page.lines().find_map(|line| line.strip_prefix(series));
    found.map_or_else(String::new, |value| value.trim().to_owned())
}

#[test]
fn without_a_gate_every_row_is_submitted() {
    let engine = engine(Vec::new());
    let drafts = [hold("a"), transfer("b", "c", "1")];
    assert_eq!(submit(&engine, &drafts, None), (Some((1, 3)), Vec::new()));
}

#[test]
fn a_refused_row_changes_nothing_and_a_transfer_is_one_row() {
    let gate = RuleGate::without("b", Manner::Answers);
    let (engine, metrics) = engine_of(vec![(options("tiers", LONG_MS, OnTimeout::Accept), gate)]);
    let drafts = [
        hold("a"),
        hold("b"),
        transfer("c", "b", "1"),
        transfer("b", "c", "2"),
        transfer("c", "d", "3"),
        hold("b"),
    ];
    let reason = || "before_accept: tiers/check: no b here".to_owned();
    let refused = vec![
        (1, 1, reason()),
        (2, 2, reason()),
        (3, 2, reason()),
        (5, 1, reason()),
    ];
    assert_eq!(submit(&engine, &drafts, None), (Some((1, 3)), refused));
    assert_eq!((held(&engine, "a"), held(&engine, "b")), (1, 0));
    let refused = "holdmetrics_events_refused_total{reason=\"before_accept\"}";
    assert_eq!(line(&metrics, refused), "4");
    let events = "holdmetrics_before_accept_events_total{handler=\"check\",outcome=";
    let of = |outcome: &str| {
        line(
            &metrics,
            &format!("{events}\"{outcome}\",pipeline=\"tiers\"}}"),
        )
    };
    assert_eq!((of("accepted"), of("refused")), ("3".into(), "6".into()));
    let all_refused = submit(&engine, &[hold("b")], None);
    assert_eq!(all_refused, (None, vec![(0, 1, reason())]));
}

#[test]
fn a_gate_decides_on_the_events_that_its_patterns_match() {
    let outcomes = [Manner::Answers, Manner::Fails].map(|manner| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let rule = move |event: &Event<'_>| {
            log.lock().unwrap().push(event.holder_id.to_owned());
            (event.holder_id == "ab").then(|| Verdict::Refuse("no".to_owned()))
        };
        let gated = GateOptions {
            holder: Some(Glob::new("a*")),
            token: Some(Glob::new("?")),
            ..options("tiers", LONG_MS, OnTimeout::Refuse)
        };
        let engine = engine(vec![(gated, RuleGate::by_rule(rule, manner))]);
        let other = Draft {
            token_id: "TT",
            ..hold("a")
        };
        let drafts = [
            hold("b"),
            hold("aa"),
            transfer("c", "ab", "1"),
            other,
            hold("b"),
        ];
        let (_, refused) = submit(&engine, &drafts, None);
        assert_eq!(*seen.lock().unwrap(), ["aa", "ab"]);
        submit(&engine, &[hold("b"), other], None);
        assert_eq!(seen.lock().unwrap().len(), 2, "nothing matches");
        let rows = refused
            .iter()
            .map(|(message, events, _)| (*message, *events));
        rows.collect::<Vec<_>>()
    });
    assert_eq!(outcomes, [vec![(2, 2)], vec![(1, 1), (2, 2)]]);
}

#[test]
fn a_changed_event_is_stored_in_place_of_the_one_that_was_sent() {
    let rename = |event: &Event<'_>| {
        let draft = Draft {
            holder_id: "renamed",
            ..hold("")
        };
        (event.holder_id == "b").then(|| replace_by(draft.check().unwrap()))
    };
    let gate = RuleGate::by_rule(rename, Manner::Answers);
    let engine = engine(vec![(options("tiers", LONG_MS, OnTimeout::Accept), gate)]);
    let (numbers, refused) = submit(
        &engine,
        &[hold("a"), hold("b"), hold("c"), transfer("a", "b", "1")],
        None,
    );
    assert_eq!(numbers, Some((1, 3)));
    let reason =
        "before_accept: tiers/check: changed a transfer, which can only be accepted or refused";
    assert_eq!(refused, [(3, 2, reason.to_owned())]);
    let known = ["a", "b", "c", "renamed"].map(|holder| held(&engine, holder));
    assert_eq!(known, [1, 0, 1, 1]);
}

#[test]
fn a_changed_event_that_is_invalid_is_refused_with_its_own_reason() {
    let lengthen = |event: &Event<'_>| {
        let long = event.holder_id.repeat(257);
        Some(replace_by(hold(&long).check().unwrap()))
    };
    let gate = RuleGate::by_rule(lengthen, Manner::Answers);
    let engine = engine(vec![(options("tiers", LONG_MS, OnTimeout::Accept), gate)]);
    let (numbers, refused) = submit(&engine, &[hold("a")], None);
    assert_eq!(numbers, None);
    let reason = "before_accept: tiers/check: changed the event, which is invalid now: \
                  holder_id: 257 bytes, the maximum is 256";
    assert_eq!(refused, [(0, 1, reason.to_owned())]);
}

#[test]
fn a_reason_is_one_line_of_bounded_length() {
    let long = "x\n".repeat(1_000);
    let refuse = move |_: &Event<'_>| Some(Verdict::Refuse(long.clone()));
    let gate = RuleGate::by_rule(refuse, Manner::Answers);
    let engine = engine(vec![(options("tiers", LONG_MS, OnTimeout::Accept), gate)]);
    let (_, refused) = submit(&engine, &[hold("a")], None);
    let reason = &refused[0].2;
    assert!(
        reason.starts_with("before_accept: tiers/check: x\\nx\\n"),
        "{reason}"
    );
    assert!(reason.ends_with("...") && reason.len() < 420, "{reason}");
    assert!(!reason.contains('\n'));
}

#[test]
fn a_gate_that_is_stuck_costs_a_batch_its_budget_and_is_then_bypassed() {
    let budget = Duration::from_millis(200);
    for (on_timeout, is_accepted) in [(OnTimeout::Accept, true), (OnTimeout::Refuse, false)] {
        let gate = RuleGate::without("b", Manner::IsStuck);
        let (engine, metrics) = engine_of(vec![(options("tiers", 200, on_timeout), gate)]);
        let bypassed = "holdmetrics_before_accept_bypassed{handler=\"check\",pipeline=\"tiers\"}";
        let mut reasons = Vec::new();
        for _ in 0..5 {
            assert_eq!(line(&metrics, bypassed), "0");
            let begun = Instant::now();
            let (numbers, refused) = submit(&engine, &[transfer("a", "b", "1")], None);
            let took = begun.elapsed();
            assert!(budget <= took && took < 2 * budget, "{took:?}");
            assert_eq!(numbers.is_some(), is_accepted);
            reasons.extend(refused);
        }
        assert_eq!(line(&metrics, bypassed), "1");
        let begun = Instant::now();
        let (numbers, refused) = submit(&engine, &[transfer("a", "b", "1")], None);
        assert!(begun.elapsed() < budget);
        assert_eq!(numbers.is_some(), is_accepted);
        if is_accepted {
            assert!(reasons.is_empty() && refused.is_empty());
            continue;
        }
        let again = "send the event again later";
        let late = format!("before_accept: tiers/check: no answer within 200ms; {again}");
        assert_eq!(reasons, vec![(0, 2, late); 5]);
        let reason =
            format!("before_accept: tiers/check: does not answer and is bypassed; {again}");
        assert_eq!(refused, [(0, 2, reason)]);
    }
}

#[test]
fn an_answer_within_the_budget_counts() {
    let gate = RuleGate::without("b", Manner::AnswersAfter(Duration::from_millis(20)));
    let engine = engine(vec![(options("tiers", LONG_MS, OnTimeout::Accept), gate)]);
    let (numbers, refused) = submit(&engine, &[hold("a"), hold("b")], None);
    assert_eq!((numbers, refused.len()), (Some((1, 1)), 1));
}

#[test]
fn a_gate_that_fails_or_answers_nonsense_has_not_answered() {
    let two = |_: &Event<'_>| {
        Some(Verdict::Replace(batch([
            distinct("a", 1),
            distinct("a", 2),
        ])))
    };
    let nobody = |_: &Event<'_>| None;
    for gate in [
        RuleGate::by_rule(two, Manner::Answers),
        RuleGate::by_rule(nobody, Manner::Fails),
    ] {
        let engine = engine(vec![(options("tiers", LONG_MS, OnTimeout::Refuse), gate)]);
        let (numbers, refused) = submit(&engine, &[hold("a")], None);
        assert_eq!(numbers, None);
        let reason = "before_accept: tiers/check: failed; send the event again later";
        assert_eq!(refused, [(0, 1, reason.to_owned())]);
    }
}

#[test]
fn events_that_a_pipeline_emits_pass_the_gates_of_the_others_only() {
    let engine = engine(vec![
        (
            options("tiers", LONG_MS, OnTimeout::Accept),
            RuleGate::without("a", Manner::Answers),
        ),
        (
            options("other", LONG_MS, OnTimeout::Accept),
            RuleGate::without("b", Manner::Answers),
        ),
    ]);
    let drafts = [hold("b"), hold("a"), hold("c")];
    let refused = |emitted_by| -> Vec<u64> {
        let (_, refused) = submit(&engine, &drafts, emitted_by);
        refused.iter().map(|(message, ..)| *message).collect()
    };
    assert_eq!(refused(None), [0, 1], "in the order of the request");
    assert_eq!(refused(Some("tiers")), [0]);
    assert_eq!(refused(Some("other")), [1]);
    engine.gates().set("other", Vec::new());
    assert_eq!(refused(None), [1]);
    engine.gates().set("tiers", Vec::new());
    assert!(refused(None).is_empty());
}

#[test]
fn a_gate_sees_what_the_one_before_it_has_changed() {
    let rename = |event: &Event<'_>| {
        (event.holder_id == "a").then(|| replace_by(hold("b").check().unwrap()))
    };
    let engine = engine(vec![
        (
            options("tiers", LONG_MS, OnTimeout::Accept),
            RuleGate::by_rule(rename, Manner::Answers),
        ),
        (
            options("other", LONG_MS, OnTimeout::Accept),
            RuleGate::without("b", Manner::Answers),
        ),
    ]);
    let (numbers, refused) = submit(&engine, &[hold("a"), hold("c")], None);
    assert_eq!(numbers, Some((1, 1)));
    let reason = "before_accept: other/check: no b here".to_owned();
    assert_eq!(refused, [(0, 1, reason)]);
    until(|| held(&engine, "c") == 1);
}
