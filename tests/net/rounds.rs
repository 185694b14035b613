//! `/rounds` and its calls over gRPC: sealed by operators, served to callers with the scope rounds.

use bytes::Bytes;
use http_body_util::Full;
use poh_holdmetrics_rust::config::{Keys, Scope};
use poh_holdmetrics_rust::engine::Options;
use poh_holdmetrics_rust::net::Settings;
use poh_holdmetrics_rust::net::pb::{
    GetRoundProofRequest, GetRoundRequest, ListRoundsRequest, SealRoundRequest,
};
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::access::{entry, with_key, write_keys};
use crate::support::{HttpAnswer, Service, hold, send, within};

const ANN: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
const BOB: &str = "0x1111111111111111111111111111111111111111";

async fn post(service: &Service, body: &Value, key: &str) -> HttpAnswer {
    let mut request = service
        .request("POST", "/rounds")
        .header("content-type", "application/json");
    if !key.is_empty() {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let body = Full::<Bytes>::from(body.to_string());
    send(request.body(body).unwrap()).await
}

/// Ann has three quarters of the score.
async fn fill(service: &Service) {
    let mut client = service.client().await;
    for (holder, end) in [(ANN, 30), (BOB, 10)] {
        within(client.record(hold("T", holder, 0, end)))
            .await
            .unwrap();
    }
}

fn july() -> Value {
    json!({"id": "july", "pool": "100", "decimals": 0, "as_of": "1970-01-02"})
}

#[tokio::test]
async fn a_round_is_sealed_once_and_answered_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    fill(&service).await;
    let sealed = post(&service, &july(), "").await;
    assert_eq!(sealed.status, 201, "{}", sealed.text());
    let manifest = sealed.json();
    assert_eq!(manifest["sum"], "100");
    assert_eq!(manifest["store"]["sequence"], 2);
    assert_eq!(
        manifest["store"]["journal_head"].as_str().map(str::len),
        Some(64)
    );
    assert_eq!(manifest["options"]["as_of"], "1970-01-02T00:00:00Z");
    let again = post(&service, &july(), "").await;
    assert_eq!((again.status, again.json()), (200, manifest.clone()));
    let mut other = july();
    other["pool"] = "101".into();
    let problem = post(&service, &other, "").await.problem(409);
    assert_eq!(
        (&problem["code"], &problem["field"]),
        (&json!("OTHER_ROUND_EXISTS"), &json!("id"))
    );

    let mut client = service.client().await;
    within(client.record(hold("T", BOB, 0, 1_000)))
        .await
        .unwrap();
    let before = service
        .get(&format!("/rounds/july/proofs/{BOB}"))
        .await
        .json();
    assert_eq!(before["amount"], "25");
    assert_eq!(before["value"], json!([BOB, "25"]));
    assert_eq!(before["root"], manifest["root"]);
    service.end().await;

    let service = Service::stored_in(folder.path()).await;
    assert_eq!(service.get("/rounds/july").await.json(), manifest);
    let listed = service.get("/rounds").await.json();
    assert_eq!(listed["rounds"][0]["root"], manifest["root"]);
    let after = service
        .get(&format!("/rounds/july/proofs/{BOB}"))
        .await
        .json();
    assert_eq!(after, before);
    service.end().await;
}

#[tokio::test]
async fn what_cannot_be_sealed_or_found_is_refused_by_name() {
    let service = Service::on(Settings::default(), Options::in_memory()).await;
    let problem = post(&service, &july(), "").await.problem(409);
    assert_eq!(problem["code"], "NOT_SHARED");
    fill(&service).await;
    for (change, expected) in [
        (
            json!({"pool": "1.5"}),
            "pool: \"1.5\" has more than 0 decimal places (the smallest unit)",
        ),
        (
            json!({"format": "simple-v1"}),
            "format: \"simple-v1\" is not a format with holders",
        ),
        (
            json!({"policy": "weekly"}),
            "policy: unknown policy \"weekly\"",
        ),
        (json!({"id": "a/b"}), "id: \"a/b\" is not an id"),
        (
            json!({"rounding": "up"}),
            "the body is not a round to seal: unknown field `rounding`",
        ),
    ] {
        let mut request = july();
        request
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let problem = post(&service, &request, "").await.problem(400);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(expected), "{detail}");
    }
    assert_eq!(post(&service, &july(), "").await.status, 201);
    for (path, status, field) in [
        ("/rounds/june", 404, "id"),
        ("/rounds/june/proofs/0x1", 404, "id"),
        ("/rounds/july/proofs/0x1", 400, "holder"),
        (
            "/rounds/july/proofs/0x2222222222222222222222222222222222222222",
            404,
            "holder",
        ),
    ] {
        let problem = service.get(path).await.problem(status);
        assert_eq!(problem["field"], field, "{path}");
    }
    let text = service
        .request("POST", "/rounds")
        .body(Full::<Bytes>::default());
    send(text.unwrap()).await.problem(415);
    let foreign = service
        .request("POST", "/rounds")
        .header("content-type", "application/json; charset=utf-16")
        .body(Full::<Bytes>::from(july().to_string()));
    let problem = send(foreign.unwrap()).await.problem(415);
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.ends_with("rounds are read as UTF-8; send them so"),
        "{detail}"
    );
    service.end().await;
}

#[tokio::test]
async fn rounds_are_the_same_over_grpc() {
    let service = Service::on(Settings::default(), Options::in_memory()).await;
    fill(&service).await;
    let mut client = service.client().await;
    let request = SealRoundRequest {
        id: "july".into(),
        pool: "100".into(),
        decimals: Some(0),
        as_of: Some(crate::support::at(86_400)),
        ..SealRoundRequest::default()
    };
    let sealed = within(client.seal_round(request.clone()))
        .await
        .unwrap()
        .into_inner();
    let over_http = service.get("/rounds/july").await.json();
    let manifest: Value = serde_json::from_str(&sealed.manifest).unwrap();
    assert_eq!(manifest, over_http);
    assert_eq!(
        (sealed.root.as_str(), sealed.recipients),
        (over_http["root"].as_str().unwrap(), 2)
    );
    let again = post(&service, &july(), "").await;
    assert_eq!((again.status, again.json()), (200, manifest));
    let other = SealRoundRequest {
        curve: "square-root".into(),
        ..request
    };
    let status = within(client.seal_round(other)).await.unwrap_err();
    assert_eq!(status.code(), Code::AlreadyExists);
    assert_eq!(
        status.get_details_error_info().unwrap().reason,
        "OTHER_ROUND_EXISTS"
    );
    let missing = SealRoundRequest {
        id: "june".into(),
        pool: "1".into(),
        ..SealRoundRequest::default()
    };
    let status = within(client.seal_round(missing)).await.unwrap_err();
    assert_eq!(
        status.get_details_bad_request().unwrap().field_violations[0].field,
        "decimals"
    );

    let listed = within(client.list_rounds(ListRoundsRequest::default()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((listed.rounds.len(), listed.rounds_total), (1, 1));
    assert_eq!(listed.next_page_token, "");
    let asked = GetRoundRequest { id: "july".into() };
    let round = within(client.get_round(asked)).await.unwrap().into_inner();
    assert_eq!(round, sealed);
    let asked = GetRoundProofRequest {
        id: "july".into(),
        holder: ANN.to_ascii_lowercase(),
    };
    let proof = within(client.get_round_proof(asked))
        .await
        .unwrap()
        .into_inner();
    let over_http = service
        .get(&format!("/rounds/july/proofs/{ANN}"))
        .await
        .json();
    assert_eq!(json!(proof.value), over_http["value"]);
    assert_eq!(json!(proof.proof), over_http["proof"]);
    assert_eq!(proof.amount, "75");
    let asked = GetRoundRequest { id: "june".into() };
    let status = within(client.get_round(asked)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    service.end().await;
}

#[tokio::test]
async fn operators_seal_rounds_and_callers_without_a_key_see_them_if_so_set() {
    let folder = tempfile::tempdir().unwrap();
    let file = write_keys(
        &folder,
        &[
            entry("admin", "admin", &[Scope::Admin]),
            entry("reader", "reader", &[Scope::Read]),
            entry("writer", "writer", &[Scope::Write]),
        ],
    );
    for anonymous in [vec![], vec![Scope::Rounds]] {
        let is_open = !anonymous.is_empty();
        let settings = Settings {
            keys: Keys {
                file: Some(file.clone()),
                anonymous,
            },
            ..Settings::default()
        };
        let service = Service::on(settings, Options::in_memory()).await;
        let mut client = service.client().await;
        let record = with_key(hold("T", ANN, 0, 30), "writer");
        within(client.record(record)).await.unwrap();
        for (key, status) in [("", 401), ("reader", 403), ("writer", 403)] {
            post(&service, &july(), key).await.problem(status);
        }
        assert_eq!(post(&service, &july(), "admin").await.status, 201);
        let path = format!("/rounds/july/proofs/{ANN}");
        let ask = async |key: &str| {
            let request = service.request("GET", &path);
            let request = match key {
                "" => request,
                key => request.header("authorization", format!("Bearer {key}")),
            };
            send(request.body(Full::<Bytes>::default()).unwrap())
                .await
                .status
        };
        assert_eq!(ask("").await, if is_open { 200 } else { 401 });
        assert_eq!(ask("reader").await, 200);
        assert_eq!(ask("writer").await, if is_open { 200 } else { 403 });
        let listed = within(client.list_rounds(ListRoundsRequest::default())).await;
        assert_eq!(listed.is_ok(), is_open);
        let denied = within(client.seal_round(SealRoundRequest::default()))
            .await
            .unwrap_err();
        assert_eq!(denied.code(), Code::Unauthenticated);
        service.end().await;
    }
}

#[tokio::test]
async fn rounds_are_listed_page_by_page_in_both_protocols() {
    let service = Service::on(Settings::default(), Options::in_memory()).await;
    fill(&service).await;
    for id in ["c", "b", "a"] {
        let mut round = july();
        round["id"] = id.into();
        assert_eq!(post(&service, &round, "").await.status, 201);
    }
    let ids = |page: &Value| {
        let rounds = page["rounds"].as_array().unwrap().iter();
        rounds.map(|round| round["id"].clone()).collect::<Vec<_>>()
    };
    let first = service.get("/rounds?limit=2").await.json();
    assert_eq!(
        (ids(&first), &first["rounds_total"]),
        (vec!["c".into(), "b".into()], &3.into())
    );
    let token = first["next_page_token"].as_str().unwrap();
    let path = format!("/rounds?page_size=2&page_token={token}");
    let second = service.get(&path).await.json();
    assert_eq!(
        (ids(&second), &second["next_page_token"]),
        (vec!["a".into()], &Value::Null)
    );

    let mut client = service.client().await;
    let asked = ListRoundsRequest {
        page_size: 2,
        page_token: token.into(),
    };
    let page = within(client.list_rounds(asked))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((page.rounds[0].id.as_str(), page.rounds.len()), ("a", 1));
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("page_token=x", "page_token"),
        ("after=1", "after"),
    ] {
        let problem = service.get(&format!("/rounds?{query}")).await.problem(400);
        assert_eq!(problem["field"], field, "{query}");
    }
    for (request, field) in [
        (
            ListRoundsRequest {
                page_size: 10_001,
                ..ListRoundsRequest::default()
            },
            "page_size",
        ),
        (
            ListRoundsRequest {
                page_token: "x".into(),
                ..ListRoundsRequest::default()
            },
            "page_token",
        ),
    ] {
        let status = within(client.list_rounds(request)).await.unwrap_err();
        let details = status.get_details_bad_request().unwrap();
        assert_eq!(details.field_violations[0].field, field);
    }
    service.end().await;
}
