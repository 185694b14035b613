//! Deficits and explained balances over both protocols, which must say the same.

use crate::support::{Service, at, within};
use poh_holdmetrics_rust::net::pb::{
    GetDeficitsRequest, GetHolderRequest, GetLeaderboardRequest, GetSnapshotRequest, WatchRequest,
    Window,
};
use prost_types::Duration;
use serde_json::{Value, json};
use tonic::Code;

const LINES: &str = "application/x-ndjson";

/// One unit of `token` for each of the parties, whose balances fall or rise by it at second `at`.
fn transfer(token: &str, from: &str, to: &str, at: i64, event_id: &str) -> Value {
    json!({"token_id": token, "from_id": from, "to_id": to, "at": at * 1_000, "amount": 1, "event_id": event_id})
}

async fn send(service: &Service, lines: &[Value]) {
    let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
    let answer = service.post(LINES, lines.join("\n")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// ada gives away two units of T at 10 s and 20 s and gets one at 15 s; bob one of U at 30 s. Nobody was given any
/// before.
async fn short() -> Service {
    let service = Service::start().await;
    send(
        &service,
        &[
            transfer("T", "ada", "cleo", 10, "t1"),
            transfer("T", "", "ada", 15, "t2"),
            transfer("T", "ada", "cleo", 20, "t3"),
            transfer("U", "bob", "cleo", 30, "u1"),
        ],
    )
    .await;
    service
}

#[tokio::test]
async fn every_answer_that_lists_holders_counts_the_deficits() {
    let service = short().await;
    let mut client = service.client().await;
    for (as_of, token_id, holder_id, deficits) in [
        (40, "", "", 2),
        (30, "", "", 1),
        (10, "", "", 0),
        (40, "T", "", 1),
        (40, "", "ada", 1),
        (40, "", "cleo", 0),
        (40, "U", "bob", 1),
        (30, "U", "bob", 0),
    ] {
        let case = format!("{as_of} {token_id:?} {holder_id:?}");
        let window = Window {
            as_of: Some(at(as_of)),
            ..Window::default()
        };
        let filter = match token_id {
            "" => String::new(),
            token_id => format!("&token_id={token_id}"),
        };
        let query = format!("as_of={}{filter}", as_of * 1_000);
        let snapshot = GetSnapshotRequest {
            window: Some(window),
            token_id: token_id.to_owned(),
            holder_id: holder_id.to_owned(),
            ..GetSnapshotRequest::default()
        };
        let snapshot = within(client.get_snapshot(snapshot)).await.unwrap();
        assert_eq!(snapshot.into_inner().deficits, deficits, "{case}");
        if holder_id.is_empty() {
            let request = GetLeaderboardRequest {
                window: Some(window),
                token_id: token_id.to_owned(),
                n: 1,
                ..GetLeaderboardRequest::default()
            };
            let board = within(client.get_leaderboard(request)).await.unwrap();
            assert_eq!(board.into_inner().deficits, deficits, "{case}");
            for path in ["/leaderboard", "/stats"] {
                let answer = service.get(&format!("{path}?{query}&limit=1")).await;
                assert_eq!(answer.json()["deficits"], deficits, "{path} {case}");
            }
        } else {
            let request = GetHolderRequest {
                holder_id: holder_id.to_owned(),
                window: Some(window),
                token_id: token_id.to_owned(),
            };
            let report = within(client.get_holder(request)).await.unwrap();
            assert_eq!(report.into_inner().deficits, deficits, "{case}");
            for path in [
                format!("/holders/{holder_id}?{query}"),
                format!("/stats?holder_id={holder_id}&{query}"),
            ] {
                let answer = service.get(&path).await.json();
                assert_eq!(answer["deficits"], deficits, "{path}");
            }
        }
    }
    let unknown = service.get("/leaderboard?token_id=none").await.json();
    assert_eq!(unknown["deficits"], 0);
    // The servers in Python have no such gauge.
    if let Some(engine) = service.engine_here() {
        assert_eq!(engine.gauges().deficits, 2);
    }
    service.end().await;
}

#[tokio::test]
async fn deficits_are_listed_page_by_page_with_the_changes_behind_them() {
    let service = short().await;
    let ada = json!({
        "token_id": "T", "holder_id": "ada", "at": "1970-01-01T00:00:10Z", "balance": "-1",
        "event_ids": ["t1"], "event_ids_left_out": 0,
    });
    let bob = json!({
        "token_id": "U", "holder_id": "bob", "at": "1970-01-01T00:00:30Z", "balance": "-1",
        "event_ids": ["u1"], "event_ids_left_out": 0,
    });
    let all = service.get("/deficits?as_of=40000").await.json();
    assert_eq!(
        all,
        json!({
            "as_of": "1970-01-01T00:00:40Z", "sequence": service.sequence().await, "deficits_total": 2,
            "deficits": [ada, bob], "next_page_token": null,
        })
    );
    let of_token = service.get("/deficits?token_id=U").await.json();
    assert_eq!(
        (&of_token["deficits"], &of_token["deficits_total"]),
        (&json!([bob]), &json!(1))
    );
    let earlier = service.get("/deficits?as_of=30000").await.json();
    assert_eq!(earlier["deficits"], json!([ada]));

    let mut client = service.client().await;
    let mut request = GetDeficitsRequest {
        as_of: Some(at(40)),
        page_size: 1,
        ..GetDeficitsRequest::default()
    };
    let mut path = "/deficits?limit=1&as_of=40000".to_owned();
    for deficit in [&ada, &bob] {
        let page = service.get(&path).await.json();
        assert_eq!(page["deficits"], json!([deficit]));
        path = format!(
            "/deficits?limit=1&page_token={}",
            page["next_page_token"].as_str().unwrap_or_default()
        );
        let twin = within(client.get_deficits(request.clone()))
            .await
            .unwrap()
            .into_inner();
        assert_eq!((twin.as_of, twin.deficits_total), (Some(at(40)), 2));
        let found = &twin.deficits[0];
        assert_eq!(
            (
                &*found.token_id,
                &*found.holder_id,
                &*found.balance,
                &found.event_ids[..]
            ),
            (
                deficit["token_id"].as_str().unwrap(),
                deficit["holder_id"].as_str().unwrap(),
                "-1",
                &[deficit["event_ids"][0].as_str().unwrap().to_owned()][..]
            )
        );
        // Each protocol has asked for a list of its own.
        assert_eq!(
            twin.next_page_token.is_empty(),
            page["next_page_token"].is_null()
        );
        request = GetDeficitsRequest {
            as_of: None,
            page_token: twin.next_page_token,
            ..request
        };
    }
    assert_eq!(request.page_token, "", "the second page is the last one");
    service.end().await;
}

#[tokio::test]
async fn a_page_token_of_another_question_is_refused() {
    let service = short().await;
    let page = service.get("/deficits?limit=1&as_of=40000").await.json();
    let token = page["next_page_token"].as_str().unwrap();
    let holders = service.get("/stats?limit=1").await.json();
    let of_holders = holders["next_page_token"].as_str().unwrap();
    for query in [
        format!("page_token={token}&as_of=41000"),
        format!("page_token={token}&token_id=T"),
        format!("page_token={of_holders}"),
    ] {
        let problem = service
            .get(&format!("/deficits?{query}"))
            .await
            .problem(400);
        assert_eq!(problem["field"], "page_token", "{query}");
    }
    let mut client = service.client().await;
    for request in [
        GetDeficitsRequest {
            page_token: token.to_owned(),
            token_id: "T".to_owned(),
            ..GetDeficitsRequest::default()
        },
        GetDeficitsRequest {
            page_token: of_holders.to_owned(),
            ..GetDeficitsRequest::default()
        },
        GetDeficitsRequest {
            page_size: 10_001,
            ..GetDeficitsRequest::default()
        },
    ] {
        let status = within(client.get_deficits(request)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(
            status.message().starts_with("page_"),
            "{}",
            status.message()
        );
    }
    service.end().await;
}

#[tokio::test]
async fn a_deficit_goes_with_what_was_missing_and_comes_back_with_its_retraction() {
    let service = short().await;
    let total = async || service.get("/deficits").await.json()["deficits_total"].clone();
    let missing =
        json!({"token_id": "T", "holder_id": "ada", "at": 0, "delta": 1, "event_id": "mint"});
    send(&service, std::slice::from_ref(&missing)).await;
    assert_eq!(total().await, 1);
    let retracted = json!({"token_id": "T", "holder_id": "ada", "event_id": "mint", "revision": 1, "retract": true});
    send(&service, &[retracted]).await;
    assert_eq!(total().await, 2);
    // The transfer itself is corrected: from then on ada gives away nothing before she has it.
    let mut later = transfer("T", "ada", "cleo", 16, "t1");
    later["revision"] = json!(1);
    send(&service, &[later]).await;
    let deficits = service.get("/deficits?token_id=T").await.json();
    assert_eq!(deficits["deficits"][0]["at"], "1970-01-01T00:00:20Z");
    assert_eq!(deficits["deficits"][0]["event_ids"], json!(["t3"]));
    service.end().await;
}

#[tokio::test]
async fn a_balance_is_explained_by_its_changes_and_its_deficit() {
    let service = short().await;
    let report = service.get("/holders/ada?as_of=40000").await.json();
    let change = |at: &str, event_id: &str, delta: &str, balance: &str| {
        json!({
            "at": format!("1970-01-01T00:00:{at}Z"), "event_id": event_id, "delta": delta, "balance": balance,
        })
    };
    assert_eq!(
        report["keys"],
        json!([{
            "token_id": "T", "segments": [],
            "changes": [
                change("10", "t1", "-1", "-1"), change("15", "t2", "1", "0"), change("20", "t3", "-1", "-1"),
            ],
            "deficit": {
                "token_id": "T", "holder_id": "ada", "at": "1970-01-01T00:00:10Z", "balance": "-1",
                "event_ids": ["t1"], "event_ids_left_out": 0,
            },
        }])
    );
    assert_eq!(report["changes_left_out"], 0);
    let mut client = service.client().await;
    let request = GetHolderRequest {
        holder_id: "cleo".to_owned(),
        token_id: "T".to_owned(),
        ..GetHolderRequest::default()
    };
    let twin = within(client.get_holder(request))
        .await
        .unwrap()
        .into_inner();
    let key = &twin.keys[0];
    let changes: Vec<_> = key
        .changes
        .iter()
        .map(|change| {
            (
                change.at,
                &*change.event_id,
                &*change.delta,
                &*change.balance,
            )
        })
        .collect();
    assert_eq!(
        changes,
        [
            (Some(at(10)), "t1", "1", "1"),
            (Some(at(20)), "t3", "1", "2")
        ]
    );
    let segments: Vec<_> = key
        .segments
        .iter()
        .map(|segment| (segment.start, segment.end, &*segment.weight))
        .collect();
    assert_eq!(
        segments,
        [(Some(at(10)), Some(at(20)), "1"), (Some(at(20)), None, "2")]
    );
    assert_eq!(key.deficit, None);
    service.end().await;
}

#[tokio::test]
async fn the_account_of_a_busy_holder_and_a_page_of_wide_deficits_fit_a_message() {
    let service = Service::start().await;
    let id = |number: u32| format!("{number:0250}");
    // One unit each in an instant of its own, then all of them given away at once, twice.
    let mut lines = Vec::new();
    for number in 0..15_000_u32 {
        lines.push(json!({
            "token_id": "T", "holder_id": "hub", "at": number, "delta": 1, "event_id": id(number),
        }));
    }
    for number in 0..150_u32 {
        lines.push(json!({
            "token_id": "T", "holder_id": "hub", "at": 20_000, "delta": -200, "event_id": id(20_000 + number),
        }));
    }
    for number in 0..1_500_u32 {
        for change in 0..10_u32 {
            lines.push(json!({
                "token_id": "U", "holder_id": id(number), "at": 0, "delta": -1, "event_id": id(change),
            }));
        }
    }
    for lines in lines.chunks(4_000) {
        send(&service, lines).await;
    }
    let mut client = service.client().await;
    let request = GetHolderRequest {
        holder_id: "hub".to_owned(),
        ..GetHolderRequest::default()
    };
    // Without limits it would not arrive: a client accepts 4 MiB.
    let report = within(client.get_holder(request))
        .await
        .unwrap()
        .into_inner();
    let changes = report.keys[0].changes.len() as u64;
    assert!((1..15_150).contains(&changes), "{changes}");
    assert_eq!(changes + report.changes_left_out, 15_150);
    assert_eq!(report.keys[0].segments.len(), 15_000);
    let deficit = report.keys[0].deficit.as_ref().unwrap();
    assert_eq!(
        (deficit.event_ids.len(), deficit.event_ids_left_out),
        (100, 50)
    );
    let twin = service.get("/holders/hub").await.json();
    assert_eq!(twin["changes_left_out"], report.changes_left_out);
    assert_eq!(twin["keys"][0]["deficit"]["event_ids_left_out"], 50);

    let mut request = GetDeficitsRequest {
        page_size: 10_000,
        token_id: "U".to_owned(),
        ..GetDeficitsRequest::default()
    };
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let page = within(client.get_deficits(request.clone()))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(page.deficits_total, 1_500);
        seen.extend(page.deficits.into_iter().map(|deficit| deficit.holder_id));
        pages += 1;
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert!(pages > 1, "one page holds at most 3 MiB");
    assert_eq!(seen, (0..1_500).map(id).collect::<Vec<_>>());
    service.end().await;
}

#[tokio::test]
async fn a_watcher_learns_of_a_deficit_that_changes_no_row() {
    let service = Service::start().await;
    send(
        &service,
        &[json!({"token_id": "T", "holder_id": "ann", "start": 0, "end": 1_000})],
    )
    .await;
    let mut client = service.client().await;
    let request = WatchRequest {
        n: 1,
        interval: Some(Duration {
            seconds: 0,
            nanos: 100_000_000,
        }),
        ..WatchRequest::default()
    };
    let mut changes = within(client.watch(request)).await.unwrap().into_inner();
    let first = within(changes.message()).await.unwrap().unwrap();
    assert_eq!((first.changed.len(), first.deficits), (1, 0));
    send(
        &service,
        &[json!({"token_id": "T", "holder_id": "zoe", "at": 0, "delta": -1, "event_id": "z"})],
    )
    .await;
    let second = within(changes.message()).await.unwrap().unwrap();
    assert_eq!(
        (second.changed.len(), second.left.len(), second.deficits),
        (0, 0, 1)
    );
    service.end().await;
}
