//! Events that a gate refuses or changes, over both protocols: they are refused as invalid ones are, each by its
//! line, row or message, and the order of the acknowledgements stays.

use std::time::Duration;

use crate::rule_gate::{Manner, RuleGate, options};
use crate::support::{HttpAnswer, NOW_SECONDS, Service, at, hold, line, within};
use futures_util::StreamExt;
use poh_holdmetrics_rust::core::{Draft, EventBatch};
use poh_holdmetrics_rust::engine::gate::{OnTimeout, Verdict};
use poh_holdmetrics_rust::net::pb::{HoldAck, HoldBatch, HoldMsg, TransferBatch, TransferMsg};
use serde_json::{Value, json};
use tonic::{Code, Request};
use tonic_types::StatusExt;

/// More than any answer of a test needs.
const LONG_MS: u64 = 20_000;
const REASON: &str = "before_accept: tiers/check: no b here";

/// A service whose gate refuses the events of `b`.
async fn without_b(manner: Manner) -> Service {
    let service = Service::start().await;
    let gate = RuleGate::without("b", manner);
    let options = options("tiers", LONG_MS, OnTimeout::Accept);
    service.engine().gates().set("tiers", vec![(options, gate)]);
    service
}

/// A service whose gate gives no answer.
async fn silent(manner: Manner, on_timeout: OnTimeout) -> Service {
    let service = Service::start().await;
    let gate = RuleGate::without("b", manner);
    let options = options("tiers", 20, on_timeout);
    service.engine().gates().set("tiers", vec![(options, gate)]);
    service
}

/// Holders of events, as a batch in columns.
fn columns(holders: &[&str]) -> HoldBatch {
    HoldBatch {
        token_id: vec!["T".to_owned()],
        holder_id: holders.iter().map(ToString::to_string).collect(),
        start_us: vec![0],
        end_us: vec![1],
        ..HoldBatch::default()
    }
}

fn transfer(from: &str, to: &str, event_id: &str) -> TransferMsg {
    TransferMsg {
        token_id: "T".to_owned(),
        from_id: from.to_owned(),
        to_id: to.to_owned(),
        at: Some(at(0)),
        amount: Some(1.0),
        event_id: event_id.to_owned(),
        ..TransferMsg::default()
    }
}

/// What an acknowledgement says: its index, how many were accepted, the last number, and the refused rows.
type Told = (u64, u64, u64, Vec<(u64, Option<u64>, String)>);

fn told(ack: &HoldAck) -> Told {
    let refused = ack.refused.iter().map(|refusal| {
        assert!(refusal.reason.starts_with(&refusal.field));
        (refusal.index, refusal.row, refusal.reason.clone())
    });
    assert_eq!(ack.refused_total, ack.refused.len() as u64);
    (ack.index, ack.accepted, ack.sequence, refused.collect())
}

async fn broadcast(service: &Service, messages: Vec<HoldMsg>, ack_every: &str) -> Vec<Told> {
    let mut request = Request::new(tokio_stream::iter(messages));
    let every = ack_every.parse().unwrap();
    request.metadata_mut().insert("ack-every", every);
    let answers = within(service.client().await.broadcast(request)).await;
    let acks = answers.unwrap().into_inner().map(Result::unwrap);
    let acks: Vec<HoldAck> = within(acks.collect()).await;
    acks.iter().map(told).collect()
}

#[tokio::test]
async fn a_single_event_is_refused_with_the_pipeline_and_the_handler() {
    let service = without_b(Manner::Answers).await;
    let mut client = service.client().await;
    let accepted = within(client.record(hold("T", "a", 0, 1))).await.unwrap();
    assert_eq!(accepted.into_inner().sequence, 1);
    let both = [
        within(client.record(hold("T", "b", 0, 1))).await,
        within(client.record_transfer(transfer("a", "b", "1"))).await,
    ];
    for refused in both {
        let status = refused.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::InvalidArgument, REASON)
        );
        let details = status.get_details_bad_request().expect("a BadRequest");
        assert_eq!(details.field_violations[0].field, "before_accept");
    }
    let problem = service
        .post("application/json", line("b", 1))
        .await
        .problem(400);
    assert_eq!(
        (&problem["field"], &problem["detail"]),
        (&json!("before_accept"), &json!(REASON))
    );
    assert_eq!(service.sequence().await, 1);
    let refused = "holdmetrics_events_refused_total{reason=\"before_accept\"}";
    assert_eq!(service.metrics_line(refused).await.as_deref(), Some("3"));
    service.end().await;
}

#[tokio::test]
async fn each_message_of_a_stream_is_refused_by_its_index() {
    let service = without_b(Manner::Answers).await;
    let holders = ["a", "b", "", "c", "b"];
    let messages = || {
        holders
            .iter()
            .map(|holder| hold("T", holder, 0, 1))
            .collect()
    };
    let one = |index, refused: &str| (index, 0, 0, vec![(index, None, refused.to_owned())]);
    let invalid = "holder_id: missing or empty";
    let single = broadcast(&service, messages(), "1").await;
    let expected = [
        (0, 1, 1, vec![]),
        one(1, REASON),
        one(2, invalid),
        (3, 1, 2, vec![]),
        one(4, REASON),
    ];
    assert_eq!(single, expected);
    let together = broadcast(&service, messages(), "5").await;
    let refused = [(1, REASON), (2, invalid), (4, REASON)];
    let refused = refused.map(|(index, reason)| (index, None, reason.to_owned()));
    assert_eq!(together, [(4, 2, 4, refused.to_vec())]);
    service.end().await;
}

#[tokio::test]
async fn each_row_of_a_batch_is_refused_by_its_number_and_a_transfer_whole() {
    let service = without_b(Manner::Answers).await;
    let mut client = service.client().await;
    let batches = vec![
        columns(&["a", "", "b", "c"]),
        columns(&["b", "b"]),
        columns(&["d"]),
    ];
    let answers = within(client.broadcast_batch(tokio_stream::iter(batches))).await;
    let acks: Vec<_> = within(answers.unwrap().into_inner().collect()).await;
    let acks: Vec<Told> = acks.into_iter().map(|ack| told(&ack.unwrap())).collect();
    let by_row = |index, row| (index, Some(row), REASON.to_owned());
    let invalid = (0, Some(1), "holder_id: missing or empty".to_owned());
    let expected = [
        (0, 2, 2, vec![invalid, by_row(0, 2)]),
        (1, 0, 0, vec![by_row(1, 0), by_row(1, 1)]),
        (2, 1, 3, vec![]),
    ];
    assert_eq!(acks, expected);
    let transfers = TransferBatch {
        token_id: vec!["T".to_owned()],
        from_id: ["a", "a", "b"].map(str::to_owned).to_vec(),
        to_id: ["c", "b", "c"].map(str::to_owned).to_vec(),
        at_us: vec![0],
        amount: vec![1.0],
        event_id: ["1", "2", "3"].map(str::to_owned).to_vec(),
        ..TransferBatch::default()
    };
    let stream = tokio_stream::iter(vec![transfers]);
    let answers = within(client.broadcast_transfer_batch(stream)).await;
    let acks: Vec<_> = within(answers.unwrap().into_inner().collect()).await;
    let [ack] = &acks[..] else { panic!("{acks:?}") };
    let refused = vec![by_row(0, 1), by_row(0, 2)];
    assert_eq!(told(ack.as_ref().unwrap()), (0, 1, 5, refused));
    assert_eq!(service.sequence().await, 5);
    service.end().await;
}

#[tokio::test]
async fn elements_of_an_array_and_lines_are_refused_by_their_numbers() {
    let service = without_b(Manner::Answers).await;
    let events = [
        line("a", 1),
        line("b", 1),
        "{}".to_owned(),
        line("b", 2),
        line("c", 1),
    ];
    let check = |answer: HttpAnswer, place: &str, first: u64, sequence: u64| {
        let told = answer.json();
        let refused = |index: u64, field: &str, reason: &str| json!({place: first + index, "field": field, "reason": reason});
        let expected = json!({
            "accepted": 2, "refused_total": 3, "sequence": sequence, "durability": "BUFFERED",
            "warnings": ["W01 epoch-seconds"],
            "refused": [
                refused(1, "before_accept", REASON),
                refused(2, "token_id", "token_id: missing or empty"),
                refused(3, "before_accept", REASON),
            ],
        });
        assert_eq!(told, expected);
    };
    let array = format!("[{}]", events.join(","));
    check(service.post("application/json", array).await, "index", 0, 2);
    let lines = events.join("\n");
    check(
        service.post("application/x-ndjson", lines).await,
        "line",
        1,
        4,
    );
    let transfer = json!({"token_id": "T", "from_id": "a", "to_id": "b", "at": 0, "amount": 1, "event_id": "1"});
    let told = service
        .post("application/x-ndjson", transfer.to_string())
        .await
        .json();
    assert_eq!(
        (&told["accepted"], &told["refused_total"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(service.sequence().await, 4);
    service.end().await;
}

#[tokio::test]
async fn a_changed_event_is_what_the_leaderboard_shows() {
    let service = Service::start().await;
    let rename = |event: &poh_holdmetrics_rust::core::Event<'_>| {
        let mut batch = EventBatch::default();
        let name = if event.holder_id == "b" {
            "renamed"
        } else {
            return None;
        };
        let start = poh_holdmetrics_rust::core::Micros::new(0).ok();
        let draft = Draft {
            token_id: "T",
            holder_id: name,
            start,
            end: start,
            ..Draft::default()
        };
        batch.push(&draft.check().unwrap());
        Some(Verdict::Replace(batch))
    };
    let gate = RuleGate::by_rule(rename, Manner::Answers);
    let options = options("tiers", LONG_MS, OnTimeout::Accept);
    service.engine().gates().set("tiers", vec![(options, gate)]);
    let taken = service.post("application/json", line("b", 1)).await.json();
    assert_eq!(
        (&taken["accepted"], &taken["sequence"]),
        (&json!(1), &json!(1))
    );
    let shown = service.get("/leaderboard").await.json();
    let holders = shown["holders"].as_array().unwrap();
    let names: Vec<&Value> = holders.iter().map(|row| &row["holder_id"]).collect();
    assert_eq!(names, [&json!("renamed")]);
    service.end().await;
}

#[tokio::test]
async fn without_an_answer_of_the_gate_both_protocols_do_what_on_timeout_says() {
    let late = "no answer within 20ms";
    for (manner, on_timeout, accepted, why) in [
        (Manner::IsStuck, OnTimeout::Accept, 1, ""),
        (Manner::IsStuck, OnTimeout::Refuse, 0, late),
        (Manner::Fails, OnTimeout::Refuse, 0, "failed"),
    ] {
        let service = silent(manner, on_timeout).await;
        let acks = broadcast(&service, vec![hold("T", "b", 0, 1)], "1").await;
        let lines = service
            .post("application/x-ndjson", line("b", 1))
            .await
            .json();
        assert_eq!(
            (acks[0].1, &lines["accepted"]),
            (accepted, &json!(accepted))
        );
        if accepted == 0 {
            let reason = format!("before_accept: tiers/check: {why}; send the event again later");
            assert_eq!(acks[0].3, [(0, None, reason.clone())]);
            assert_eq!(lines["refused"][0]["reason"], reason);
        }
        service.end().await;
    }
}

#[tokio::test]
async fn a_single_event_that_no_gate_has_checked_may_be_sent_again_later() {
    for (manner, why) in [
        (Manner::IsStuck, "no answer within 20ms"),
        (Manner::Fails, "failed"),
    ] {
        let service = silent(manner, OnTimeout::Refuse).await;
        let reason = format!("before_accept: tiers/check: {why}; send the event again later");
        let recorded = within(service.client().await.record(hold("T", "b", 0, 1))).await;
        let status = recorded.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unavailable, &*reason)
        );
        let info = status.get_details_error_info().expect("an ErrorInfo");
        assert_eq!(info.reason, "NOT_CHECKED");
        assert!(status.get_details_retry_info().is_some());
        let problem = service
            .post("application/json", line("b", 1))
            .await
            .problem(503);
        assert_eq!(
            (&problem["field"], &problem["detail"]),
            (&json!("before_accept"), &json!(reason))
        );
        service.end().await;
    }
}

#[tokio::test]
async fn an_acknowledgement_lists_a_bounded_number_of_rows() {
    let service = without_b(Manner::Answers).await;
    let stream = tokio_stream::iter(vec![columns(&["b"; 2_000]), columns(&["a"])]);
    let answers = within(service.client().await.broadcast_batch(stream)).await;
    let acks: Vec<_> = within(answers.unwrap().into_inner().collect()).await;
    let acks: Vec<_> = acks.into_iter().map(Result::unwrap).collect();
    let figures = |ack: &HoldAck| (ack.accepted, ack.refused_total, ack.refused.len());
    let figures: Vec<_> = acks.iter().map(figures).collect();
    assert_eq!(figures, [(0, 2_000, 1_024), (1, 0, 0)]);
    service.end().await;
}

#[tokio::test]
async fn a_slow_gate_leaves_acknowledgements_in_order_and_answers_for_each_message() {
    let service = without_b(Manner::AnswersAfter(Duration::from_millis(2))).await;
    let count = 20_000;
    let holder = |number: u64| if number.is_multiple_of(3) { "b" } else { "a" };
    let messages = (0..count).map(|number| hold("T", holder(number), NOW_SECONDS - 9, NOW_SECONDS));
    let acks = broadcast(&service, messages.collect(), "1").await;
    let mut sequence = 0;
    for (number, (index, accepted, last, refused)) in (0..).zip(&acks) {
        assert_eq!(*index, number);
        let is_refused = number.is_multiple_of(3);
        assert_eq!(
            (*accepted, refused.len()),
            (u64::from(!is_refused), usize::from(is_refused))
        );
        if !is_refused {
            sequence += 1;
            assert_eq!(*last, sequence);
        }
    }
    assert_eq!(acks.len() as u64, count);
    assert_eq!(service.sequence().await, sequence);
    service.end().await;
}
