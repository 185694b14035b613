//! A client that remembers everything: each answer of a service under load is held against the naive twin, over
//! exactly the events that the answer's sequence number covers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use poh_holdmetrics_rust::core::Window;
use poh_holdmetrics_rust::net::pb;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tempfile::tempdir;

use crate::arbitrary;
use crate::kill::restless;
use crate::naive::{self, INSTANTS, Sent, micros};
use crate::support::Service;

const ROUNDS_VARIABLE: &str = "HOLDMETRICS_HISTORIES";
const ROUNDS: u64 = 2;
const EVENTS: usize = 300;
const READERS: u64 = 3;
/// Steps of 1e-18 in one, times microseconds in a second.
const SCORE_DIGITS: usize = 24;

/// A question, and the sequence number and the rows of its answer: holder, held microseconds and score.
struct Answer {
    window: Window,
    sequence: u64,
    rows: BTreeMap<String, (u128, u128)>,
}

fn events(round: u64) -> Vec<Sent> {
    let seed: Vec<u8> = round.to_le_bytes().repeat(4);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let tree = arbitrary::events(EVENTS..EVENTS + 1).new_tree(&mut runner);
    tree.expect("a strategy without filters").current()
}

fn timestamp(micros: i64) -> prost_types::Timestamp {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).expect("less than a second");
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos,
    }
}

fn message(sent: &Sent) -> pb::HoldMsg {
    pb::HoldMsg {
        token_id: sent.token.to_owned(),
        holder_id: sent.holder.to_owned(),
        start: sent.start.map(timestamp),
        end: sent.end.map(timestamp),
        at: sent.at.map(timestamp),
        weight_text: sent.weight().map(|weight| weight.to_string()),
        delta_text: sent.delta().map(|delta| delta.to_string()),
        event_id: sent.event_id.map(str::to_owned),
        revision: sent.revision,
        retract: sent.retract,
        seq: sent.seq,
        ..Default::default()
    }
}

/// A score in steps of 1e-18 times microseconds.
fn steps(score: &str) -> u128 {
    let (whole, fraction) = score.split_once('.').unwrap_or((score, ""));
    format!("{whole}{fraction:0<SCORE_DIGITS$}")
        .parse()
        .expect("a score")
}

fn window(chance: &mut Pcg64Mcg) -> Window {
    let as_of = chance.random_range(INSTANTS);
    let from = chance
        .random_bool(0.5)
        .then(|| micros(chance.random_range(INSTANTS.start..=as_of)));
    Window {
        from,
        as_of: micros(as_of),
        closed_only: chance.random_bool(0.3),
    }
}

async fn over_grpc(service: &Service, window: Window) -> Answer {
    let request = pb::GetLeaderboardRequest {
        window: Some(pb::Window {
            as_of: Some(timestamp(window.as_of.get())),
            from: window.from.map(|from| timestamp(from.get())),
            closed_only: window.closed_only,
        }),
        ..Default::default()
    };
    let answer = service.client().await.get_leaderboard(request).await;
    let answer = answer.expect("an answer").into_inner();
    let row = |row: pb::HolderScore| {
        let held = row.held_us.parse().expect("a count");
        (row.holder_id, (held, steps(&row.score)))
    };
    Answer {
        window,
        sequence: answer.sequence,
        rows: answer.holders.into_iter().map(row).collect(),
    }
}

fn parameters(window: &Window) -> String {
    let from = window
        .from
        .map_or_else(String::new, |from| format!("&from={from}"));
    format!(
        "as_of={}&closed_only={}{from}",
        window.as_of, window.closed_only
    )
}

async fn over_http(service: &Service, window: Window) -> Answer {
    let path = format!("/leaderboard?{}", parameters(&window));
    page(service, window, &path).await.0
}

/// All pages of two rows, which must be of one state.
async fn by_pages(service: &Service, window: Window) -> Answer {
    let path = format!("/stats?limit=2&{}", parameters(&window));
    let (mut all, mut next) = page(service, window, &path).await;
    while let Some(token) = next {
        let path = format!("/stats?limit=2&page_token={token}");
        let (more, after) = page(service, window, &path).await;
        assert_eq!(more.sequence, all.sequence, "a page of another state");
        for (holder, totals) in more.rows {
            let twice = all.rows.insert(holder, totals);
            assert_eq!(twice, None, "a holder on two pages");
        }
        next = after;
    }
    all
}

/// One page, and the token of the next one.
async fn page(service: &Service, window: Window, path: &str) -> (Answer, Option<String>) {
    let (status, body) = service.get(path).await;
    assert_eq!(status, 200, "{body}");
    let answer: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let next = answer["next_page_token"].as_str().map(str::to_owned);
    let rows = answer["holders"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().expect("text").to_owned();
            let held = row["held_us"].to_string().parse().expect("a count");
            (text("holder_id"), (held, steps(&text("score"))))
        });
    let answer = Answer {
        window,
        sequence: answer["sequence"].as_u64().expect("a number"),
        rows: rows.collect(),
    };
    (answer, next)
}

async fn ask(service: &Service, reader: u64, is_over: &AtomicBool) -> Vec<Answer> {
    let mut chance = Pcg64Mcg::seed_from_u64(reader);
    let mut answers = Vec::new();
    loop {
        let was_over = is_over.load(Ordering::SeqCst);
        let window = window(&mut chance);
        answers.push(match chance.random_range(0..3) {
            0 => over_grpc(service, window).await,
            1 => over_http(service, window).await,
            _ => by_pages(service, window).await,
        });
        if was_over {
            return answers;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_a_history_is_that_of_the_naive_twin() {
    let rounds =
        std::env::var(ROUNDS_VARIABLE).map_or(ROUNDS, |text| text.parse().expect("a number"));
    for round in 0..rounds {
        let folder = tempdir().expect("a folder");
        let service = Arc::new(restless(&folder.path().join("data")));
        let events = events(round);
        let is_over = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..READERS)
            .map(|reader| {
                let (service, is_over) = (Arc::clone(&service), Arc::clone(&is_over));
                tokio::spawn(async move { ask(&service, round * READERS + reader, &is_over).await })
            })
            .collect();
        let mut client = service.client().await;
        for (number, sent) in (1..).zip(&events) {
            let ack = client
                .record(message(sent))
                .await
                .expect("acknowledged")
                .into_inner();
            assert_eq!(ack.sequence, number, "one writer");
        }
        is_over.store(true, Ordering::SeqCst);
        let mut between = 0;
        for reader in readers {
            for answer in reader.await.expect("it asks to the end") {
                let covered = usize::try_from(answer.sequence).expect("small");
                between += u64::from(0 < covered && covered < events.len());
                let expected = naive::scores(&events[..covered], &answer.window);
                assert_eq!(
                    answer.rows, expected,
                    "round {round}, sequence {covered}, {:?}",
                    answer.window
                );
            }
        }
        assert!(
            between > 20,
            "{between} answers were given while events arrived"
        );
    }
}
