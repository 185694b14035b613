//! Pages of one listing: all are of the state of the first one, for as long as it is kept. `docs/security.md` names
//! these tests.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::StreamExt;
use poh_holdmetrics_rust::engine::Options;
use poh_holdmetrics_rust::net::Settings;
use poh_holdmetrics_rust::net::pb::{GetDeficitsRequest, GetSnapshotRequest};
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::support::{Service, line, within};

/// A service with five holders; its leaderboards are kept for `keep`, within `bytes_max`.
async fn started(keep: Duration, bytes_max: usize) -> Service {
    let mut options = Options::in_memory();
    options.questions.pages_keep = keep;
    options.questions.pages_bytes_max = bytes_max;
    let service = Service::on(Settings::default(), options).await;
    for (holder, seconds) in [("a", 50), ("b", 40), ("c", 30), ("d", 20), ("e", 10)] {
        record(&service, holder, seconds).await;
    }
    service
}

async fn record(service: &Service, holder: &str, seconds: u64) {
    let answer = service
        .post("application/json", line(holder, seconds))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn ids(page: &Value) -> Vec<String> {
    let rows = page["holders"].as_array().expect("a list").iter();
    rows.map(|row| row["holder_id"].as_str().expect("text").to_owned())
        .collect()
}

fn after(token: &str) -> String {
    format!("/stats?limit=2&page_token={token}")
}

fn text<'a>(document: &'a Value, name: &str) -> &'a str {
    document[name].as_str().expect("text")
}

#[tokio::test]
async fn all_pages_are_of_the_state_of_the_first_one() {
    let service = started(Duration::from_secs(60), 1 << 20).await;
    let mut client = service.client().await;
    let first = service.get("/stats?limit=2").await.json();
    let over_grpc = GetSnapshotRequest {
        page_size: 2,
        ..GetSnapshotRequest::default()
    };
    let first_over_grpc = within(client.get_snapshot(over_grpc.clone()))
        .await
        .unwrap();
    let mut token_over_grpc = first_over_grpc.into_inner().next_page_token;
    // One that is listed already falls behind, another one overtakes all.
    record(&service, "e", 1_000).await;
    record(&service, "f", 25).await;
    let second = service
        .get(&after(text(&first, "next_page_token")))
        .await
        .json();
    let third = service
        .get(&after(text(&second, "next_page_token")))
        .await
        .json();
    let pages = [&first, &second, &third];
    assert_eq!(pages.map(ids).concat(), ["a", "b", "c", "d", "e"]);
    for page in pages {
        assert_eq!(
            (&page["sequence"], &page["holders_total"]),
            (&5.into(), &5.into())
        );
    }
    assert_eq!(third["next_page_token"], Value::Null);
    let mut rest = Vec::new();
    while !token_over_grpc.is_empty() {
        let page = within(client.get_snapshot(GetSnapshotRequest {
            page_token: token_over_grpc,
            ..over_grpc.clone()
        }));
        let page = page.await.unwrap().into_inner();
        assert_eq!(page.sequence, 5);
        rest.extend(page.holders.into_iter().map(|row| row.holder_id));
        token_over_grpc = page.next_page_token;
    }
    assert_eq!(rest, ["c", "d", "e"]);
    let now = service.get("/stats?limit=2").await.json();
    assert_eq!(
        (ids(&now), &now["sequence"]),
        (vec!["e".into(), "a".into()], &7.into())
    );
    service.end().await;
}

#[tokio::test]
async fn a_listing_that_was_let_go_says_so_and_goes_on_by_key() {
    let minute = Duration::from_secs(60);
    // Too old at once; too large; and dropped for the next one.
    for (keep, bytes_max) in [(Duration::ZERO, 1 << 20), (minute, 0), (minute, 700)] {
        let service = started(keep, bytes_max).await;
        let mut client = service.client().await;
        let first = service.get("/stats?limit=2").await.json();
        service.get("/stats?limit=3").await.json();
        record(&service, "f", 25).await;
        let token = text(&first, "next_page_token");
        let gone = service.get(&after(token)).await.problem(410);
        assert_eq!(
            (text(&gone, "code"), text(&gone, "field")),
            ("PAGES_GONE", "page_token")
        );
        let status: Status = within(client.get_snapshot(GetSnapshotRequest {
            page_token: token.to_owned(),
            ..GetSnapshotRequest::default()
        }))
        .await
        .unwrap_err();
        assert_eq!(status.code(), Code::Aborted, "{status}");
        let info = status.get_details_error_info().expect("a reason");
        assert_eq!(info.reason, "PAGES_GONE");
        let by_key = text(&gone, "page_token");
        assert_eq!(info.metadata["page_token"], by_key);
        let next = service.get(&after(by_key)).await.json();
        assert_eq!(
            (ids(&next), &next["sequence"]),
            (vec!["c".into(), "f".into()], &6.into())
        );
        service.end().await;
    }
}

/// A service with a change below 0 of each of these holders.
async fn short_of(holders: &[&str], keep: Duration, bytes_max: usize) -> Service {
    let mut options = Options::in_memory();
    options.questions.pages_keep = keep;
    options.questions.pages_bytes_max = bytes_max;
    let service = Service::on(Settings::default(), options).await;
    for holder in holders {
        change(&service, holder, -1, "out").await;
    }
    service
}

async fn change(service: &Service, holder: &str, delta: i64, event_id: &str) {
    let line = json!({"token_id": "T", "holder_id": holder, "at": 0, "delta": delta, "event_id": event_id});
    let answer = service.post("application/json", line.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn short(page: &Value) -> Vec<String> {
    let rows = page["deficits"].as_array().expect("a list").iter();
    rows.map(|row| row["holder_id"].as_str().expect("text").to_owned())
        .collect()
}

fn behind(token: &str) -> String {
    format!("/deficits?limit=2&page_token={token}")
}

/// Pages of deficits once went on by key: one that was healed meanwhile was missing, and the numbers differed.
#[tokio::test]
async fn deficits_are_of_the_state_of_the_first_page() {
    let holders = ["a", "b", "c", "d", "e"];
    let service = short_of(&holders, Duration::from_secs(60), 1 << 20).await;
    let mut client = service.client().await;
    let first = service.get("/deficits?limit=2").await.json();
    let over_grpc = GetDeficitsRequest {
        page_size: 2,
        ..GetDeficitsRequest::default()
    };
    let first_over_grpc = within(client.get_deficits(over_grpc.clone()))
        .await
        .unwrap();
    let mut token_over_grpc = first_over_grpc.into_inner().next_page_token;
    change(&service, "d", 1, "in").await;
    change(&service, "cc", -1, "out").await;
    let second = service
        .get(&behind(text(&first, "next_page_token")))
        .await
        .json();
    let third = service
        .get(&behind(text(&second, "next_page_token")))
        .await
        .json();
    let pages = [&first, &second, &third];
    assert_eq!(pages.map(short).concat(), holders);
    for page in pages {
        assert_eq!(
            (&page["sequence"], &page["deficits_total"]),
            (&5.into(), &5.into())
        );
    }
    assert_eq!(third["next_page_token"], Value::Null);
    let mut rest = Vec::new();
    while !token_over_grpc.is_empty() {
        let page = within(client.get_deficits(GetDeficitsRequest {
            page_token: token_over_grpc,
            ..over_grpc.clone()
        }));
        let page = page.await.unwrap().into_inner();
        assert_eq!((page.sequence, page.deficits_total), (5, 5));
        rest.extend(page.deficits.into_iter().map(|row| row.holder_id));
        token_over_grpc = page.next_page_token;
    }
    assert_eq!(rest, ["c", "d", "e"]);
    let now = service.get("/deficits").await.json();
    assert_eq!(
        (short(&now), &now["sequence"]),
        (
            ["a", "b", "c", "cc", "e"].map(str::to_owned).into(),
            &7.into()
        )
    );
    service.end().await;
}

#[tokio::test]
async fn deficits_that_were_let_go_say_so_and_go_on_by_key() {
    let minute = Duration::from_secs(60);
    // Too old at once; too large; and dropped for the next one.
    for (keep, bytes_max) in [(Duration::ZERO, 1 << 20), (minute, 0), (minute, 900)] {
        let service = short_of(&["a", "b", "c", "d", "e"], keep, bytes_max).await;
        let mut client = service.client().await;
        let first = service.get("/deficits?limit=2").await.json();
        service.get("/deficits?limit=3").await.json();
        change(&service, "cc", -1, "out").await;
        let token = text(&first, "next_page_token");
        let gone = service.get(&behind(token)).await.problem(410);
        assert_eq!(
            (text(&gone, "code"), text(&gone, "field")),
            ("PAGES_GONE", "page_token")
        );
        let status: Status = within(client.get_deficits(GetDeficitsRequest {
            page_token: token.to_owned(),
            ..GetDeficitsRequest::default()
        }))
        .await
        .unwrap_err();
        assert_eq!(status.code(), Code::Aborted, "{status}");
        let info = status.get_details_error_info().expect("a reason");
        let by_key = text(&gone, "page_token");
        assert_eq!(
            (&*info.reason, &*info.metadata["page_token"]),
            ("PAGES_GONE", by_key)
        );
        let next = service.get(&behind(by_key)).await.json();
        assert_eq!(
            (short(&next), &next["sequence"]),
            (vec!["c".into(), "cc".into()], &6.into())
        );
        service.end().await;
    }
}

/// `Stats` once ended with the error of a page that was dropped, and waited for ever for the room that its own rows took.
#[tokio::test]
async fn stats_are_complete_if_their_pages_are_not_kept_and_larger_than_the_room_for_answers() {
    let mut options = Options::in_memory();
    options.questions.pages_bytes_max = 0;
    let mut settings = Settings::default();
    settings.limits.connection_answer_bytes_max = 64 << 10;
    let service = Service::on(settings, options).await;
    let lines: Vec<String> = (0..600)
        .map(|holder| line(&format!("{holder:03}"), 1))
        .collect();
    let sent = service.post("application/x-ndjson", lines.join("\n")).await;
    assert_eq!(sent.json()["accepted"], 600);
    let stats = within(service.client().await.stats(())).await.unwrap();
    let stats: Vec<_> = within(stats.into_inner().collect()).await;
    let ids: Vec<_> = stats
        .into_iter()
        .map(|stat| stat.unwrap().holder_id)
        .collect();
    let expected: Vec<_> = (0..600).map(|holder| format!("{holder:03}")).collect();
    assert_eq!(ids, expected);
    service.end().await;
}

/// The token that says so.
fn sealed(end: &Value) -> String {
    let body = serde_json::to_vec(end).unwrap();
    let bytes = [&crc32c::crc32c(&body).to_le_bytes()[..], &body].concat();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token can be made by anybody: its checksum is not a secret.
#[tokio::test]
async fn forged_tokens_do_no_harm() {
    let service = started(Duration::from_secs(60), 1 << 20).await;
    let first = service.get("/stats?limit=2").await.json();
    let bytes = URL_SAFE_NO_PAD
        .decode(text(&first, "next_page_token"))
        .unwrap();
    let end: Value = serde_json::from_slice(&bytes[4..]).unwrap();
    let forged = |change: &dyn Fn(&mut Value)| {
        let mut end = end.clone();
        change(&mut end);
        after(&sealed(&end))
    };
    for listed in [0, 1, 3, u64::MAX] {
        let path = forged(&|end| end["listed"] = listed.into());
        assert_eq!(service.get(&path).await.problem(400)["field"], "page_token");
        let path = forged(&|end| {
            end["listed"] = listed.into();
            end["rank"] = u64::MAX.into();
            end["kept"] = Value::Null;
        });
        assert_eq!(ids(&service.get(&path).await.json()), ["c", "d"]);
    }
    let path = forged(&|end| end["rank"] = 7.into());
    service.get(&path).await.problem(400);
    let path = forged(&|end| end["kept"] = 7.into());
    service.get(&path).await.problem(410);
    let kept = end["kept"].clone();
    let of_deficits = |kept: &Value, last: &str| {
        behind(&sealed(&json!({
            "as_of": 0, "token_id": null, "last_token_id": "T", "last_holder_id": last, "kept": kept,
        })))
    };
    // The number of a leaderboard.
    service.get(&of_deficits(&kept, "a")).await.problem(400);
    service.get(&of_deficits(&7.into(), "a")).await.problem(410);
    for holder in ["a", "b", "c"] {
        change(&service, holder, -1, "out").await;
    }
    let page = service.get("/deficits?limit=1").await.json();
    let bytes = URL_SAFE_NO_PAD
        .decode(text(&page, "next_page_token"))
        .unwrap();
    let end: Value = serde_json::from_slice(&bytes[4..]).unwrap();
    let answer = service.get(&of_deficits(&end["kept"], "nobody")).await;
    assert_eq!(answer.problem(400)["field"], "page_token");
    let answer = service.get(&of_deficits(&end["kept"], "b")).await;
    assert_eq!(short(&answer.json()), ["c"]);
    service.end().await;
}
