//! Leaderboards under registered policies, over both protocols: pages, versions, and what is refused.

use std::time::Duration;

use poh_holdmetrics_rust::engine::Options;
use poh_holdmetrics_rust::net::Settings;
use poh_holdmetrics_rust::net::pb::{GetLeaderboardRequest, GetSnapshotRequest};
use poh_holdmetrics_rust::policy::Policy;
use serde_json::{Value, json};
use tonic::Code;

use crate::support::{Service, line, within};

const TEAM: &str = r#"{"steps": [{"step": "linked", "wallets": {"team": ["a", "d"]}}, {"step": "minimum_hold", "duration": "6s"}]}"#;
const DOUBLE: &str = r#"{"steps": [{"step": "tiers", "multipliers": {"10s": "2"}}]}"#;

fn policy(document: &str) -> Policy {
    Policy::from_document(document).unwrap()
}

async fn post(service: &Service, lines: &[String]) {
    let taken = service
        .post("application/x-ndjson", lines.join("\n"))
        .await
        .json();
    assert_eq!(taken["accepted"], lines.len());
}

async fn filled() -> Service {
    of_holders(Service::start().await).await
}

async fn of_holders(service: Service) -> Service {
    post(
        &service,
        &[line("a", 10), line("b", 30), line("c", 30), line("d", 5)],
    )
    .await;
    service.engine().policies().register("team", policy(TEAM));
    service
}

fn rows(listing: &Value) -> Vec<(u64, String, String)> {
    let row = |row: &Value| {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        (
            row["rank"].as_u64().unwrap(),
            text("holder_id"),
            text("score"),
        )
    };
    listing["holders"]
        .as_array()
        .unwrap()
        .iter()
        .map(row)
        .collect()
}

fn expected(rows: &[(u64, &str, &str)]) -> Vec<(u64, String, String)> {
    rows.iter()
        .map(|(rank, holder, score)| (*rank, (*holder).to_owned(), (*score).to_owned()))
        .collect()
}

#[tokio::test]
async fn a_leaderboard_under_a_policy_names_it_and_follows_events() {
    let service = filled().await;
    let path = "/leaderboard?policy=team&as_of=1970-01-02";
    let board = service.get(path).await.json();
    assert_eq!(
        rows(&board),
        expected(&[(1, "b", "30"), (1, "c", "30"), (3, "team", "15")])
    );
    assert_eq!(board["holders_total"], 3);
    assert_eq!(
        board["policy"],
        json!({"name": "team", "version": policy(TEAM).version()})
    );
    assert!(
        service
            .get("/leaderboard")
            .await
            .json()
            .get("policy")
            .is_none()
    );
    // The same question again, then after an event that changes one holder of a group.
    assert_eq!(service.get(path).await.json(), board);
    post(&service, &[line("d", 50)]).await;
    let board = service.get(path).await.json();
    assert_eq!(
        rows(&board),
        expected(&[(1, "team", "60"), (2, "b", "30"), (2, "c", "30")])
    );
    assert_eq!(board["sequence"], 5);
    let shorter = service
        .get("/leaderboard?policy=team&as_of=1970-01-01T00:00:20Z&n=1")
        .await
        .json();
    assert_eq!(rows(&shorter), expected(&[(1, "team", "30")]));
    let none = service
        .get("/leaderboard?policy=team&token_id=none")
        .await
        .json();
    assert_eq!(none["holders"], json!([]));
    service.end().await;
}

#[tokio::test]
async fn pages_under_a_policy_are_of_the_version_of_the_first_one() {
    let service = filled().await;
    let first = service
        .get("/stats?policy=team&as_of=1970-01-02&limit=2")
        .await
        .json();
    assert_eq!(rows(&first), expected(&[(1, "b", "30"), (1, "c", "30")]));
    let token = first["next_page_token"].as_str().unwrap().to_owned();
    let second = service
        .get(&format!("/stats?page_token={token}&limit=2"))
        .await
        .json();
    assert_eq!(rows(&second), expected(&[(3, "team", "15")]));
    assert_eq!(second["policy"], first["policy"]);
    assert_eq!(second["next_page_token"], Value::Null);
    let other = service
        .get(&format!("/stats?page_token={token}&policy=double"))
        .await
        .problem(400);
    assert!(
        other["detail"]
            .as_str()
            .unwrap()
            .contains("belongs to another question")
    );
    service.engine().policies().register("team", policy(DOUBLE));
    let kept = service
        .get(&format!("/stats?page_token={token}&limit=2"))
        .await
        .json();
    assert_eq!(
        kept, second,
        "of the state of the first page, the policy included"
    );
    let anew = service
        .get("/stats?policy=team&as_of=1970-01-02&limit=1")
        .await
        .json();
    assert_eq!(rows(&anew), expected(&[(1, "b", "50")]));
    service.end().await;
}

#[tokio::test]
async fn pages_by_key_end_when_the_policy_changes() {
    let mut options = Options::in_memory();
    options.questions.pages_keep = Duration::ZERO;
    let service = of_holders(Service::on(Settings::default(), options).await).await;
    let path = "/stats?policy=team&as_of=1970-01-02&limit=2";
    let first = service.get(path).await.json();
    let token = first["next_page_token"].as_str().unwrap();
    let gone = service.get(&format!("/stats?page_token={token}")).await;
    let gone = gone.problem(410);
    let by_key = format!("/stats?page_token={}", gone["page_token"].as_str().unwrap());
    let next = service.get(&by_key).await.json();
    assert_eq!(rows(&next), expected(&[(3, "team", "15")]));
    service.engine().policies().register("team", policy(DOUBLE));
    let changed = service.get(&by_key).await.problem(400);
    let detail = changed["detail"].as_str().unwrap();
    assert!(detail.contains("the policy has changed since"), "{detail}");
    service.end().await;
}

#[tokio::test]
async fn both_calls_of_grpc_publish_under_a_policy() {
    let service = filled().await;
    let mut client = service.client().await;
    let request = GetLeaderboardRequest {
        policy: "team".to_owned(),
        n: 1,
        ..GetLeaderboardRequest::default()
    };
    let board = within(client.get_leaderboard(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(board.holders.len(), 1);
    assert_eq!(board.holders_total, 3);
    assert_eq!(board.policy.unwrap().version, policy(TEAM).version());
    let mut request = GetSnapshotRequest {
        policy: "team".to_owned(),
        page_size: 2,
        ..GetSnapshotRequest::default()
    };
    let first = within(client.get_snapshot(request.clone()))
        .await
        .unwrap()
        .into_inner();
    request.page_token = first.next_page_token;
    let second = within(client.get_snapshot(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (&*second.holders[0].holder_id, second.holders[0].rank),
        ("team", 3)
    );
    assert_eq!(second.policy.unwrap().name, "team");
    let unknown = GetLeaderboardRequest {
        policy: "teams".to_owned(),
        ..GetLeaderboardRequest::default()
    };
    let status = within(client.get_leaderboard(unknown)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(
        status.message(),
        "policy: unknown policy \"teams\"; known are team"
    );
    request.page_token = String::new();
    request.holder_id = "a".to_owned();
    let status = within(client.get_snapshot(request)).await.unwrap_err();
    assert_eq!(
        status.message(),
        "policy: lists no single holder; leave out holder_id"
    );
    drop(client);
    service.end().await;
}

#[tokio::test]
async fn a_policy_that_nobody_registered_is_refused() {
    let service = Service::start().await;
    for path in ["/leaderboard?policy=team", "/stats?policy=team"] {
        let problem = service.get(path).await.problem(400);
        assert_eq!(
            problem["detail"],
            "policy: unknown policy \"team\"; none is registered; name files in the setting policies.files, or declare one in a pipeline"
        );
    }
    service.engine().policies().register("team", policy(TEAM));
    let problem = service
        .get("/stats?policy=team&holder_id=a")
        .await
        .problem(400);
    assert_eq!(
        problem["detail"],
        "policy: lists no single holder; leave out holder_id"
    );
    service.end().await;
}
