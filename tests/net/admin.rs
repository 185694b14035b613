//! The `/admin/*` routes, in front of an administration that only remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use poh_holdmetrics_rust::config::Limits;
use poh_holdmetrics_rust::net::{
    AdminAnswer, AdminError, AdminErrorKind, Administration, Settings,
};
use serde_json::{Value, json};

use crate::support::{HttpAnswer, Service, send};

/// Remembers its requests. The pipeline `stuck` never answers, and the names of errors cause them.
#[derive(Default)]
struct Remembering {
    asked: Mutex<Vec<(&'static str, Value)>>,
}

impl Administration for Remembering {
    fn pipelines(&self) -> Value {
        json!({"pipelines": [{"name": "tiers", "state": "running"}]})
    }

    fn request(&self, verb: &'static str, arguments: Value) -> BoxFuture<'_, AdminAnswer> {
        let refused = |kind| async move { Err(AdminError::new(kind, "the reason")) }.boxed();
        let name = arguments["name"].as_str().map(ToOwned::to_owned);
        self.asked.lock().unwrap().push((verb, arguments));
        match name.as_deref() {
            Some("stuck") => std::future::pending().boxed(),
            Some("absent") => refused(AdminErrorKind::NotFound),
            Some("invalid") => refused(AdminErrorKind::Invalid),
            Some("silent") => refused(AdminErrorKind::NoAnswer),
            Some("defect") => refused(AdminErrorKind::Defect),
            Some("broken") => async {
                Err(AdminError {
                    traceback: Some("Traceback (most recent call last):".to_owned()),
                    ..AdminError::new(AdminErrorKind::Conflict, "generation 3 runs on")
                })
            }
            .boxed(),
            Some(_) | None => async move { Ok(json!({"done": verb})) }.boxed(),
        }
    }
}

async fn call(service: &Service, method: &str, path: &str) -> HttpAnswer {
    let request = service.request(method, path).body(Full::<Bytes>::default());
    send(request.unwrap()).await
}

#[tokio::test]
async fn each_route_asks_for_what_its_path_says() {
    let administration = Arc::new(Remembering::default());
    let asked = Arc::clone(&administration) as Arc<dyn Administration>;
    let service = Service::administered(Settings::default(), asked).await;
    let listed = call(&service, "GET", "/admin/pipelines").await;
    assert_eq!(listed.json()["pipelines"][0]["name"], "tiers");
    assert_eq!(listed.header("cache-control"), "no-store");
    for (method, path, verb, arguments) in [
        ("POST", "/admin/pipelines/reload", "reload", json!({})),
        (
            "POST",
            "/admin/pipelines/reload?name=tiers",
            "reload",
            json!({"name": "tiers"}),
        ),
        (
            "POST",
            "/admin/pipelines/tiers/replay?handler=archive",
            "replay",
            json!({"name": "tiers", "handler": "archive"}),
        ),
        (
            "POST",
            "/admin/pipelines/a%20b/enable",
            "enable",
            json!({"name": "a b"}),
        ),
        ("GET", "/admin/jobs", "jobs", json!({})),
        (
            "POST",
            "/admin/jobs/tiers%2Fpublish/pause",
            "job_pause",
            json!({"name": "tiers/publish"}),
        ),
        (
            "POST",
            "/admin/jobs/j/resume",
            "job_resume",
            json!({"name": "j"}),
        ),
        ("POST", "/admin/jobs/j/run", "job_run", json!({"name": "j"})),
        ("GET", "/admin/python", "tasks", json!({})),
    ] {
        let answer = call(&service, method, path).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
        assert_eq!(answer.json(), json!({"done": verb}), "{method} {path}");
        let last = administration.asked.lock().unwrap().pop();
        assert_eq!(last, Some((verb, arguments)), "{method} {path}");
    }
    call(&service, "GET", "/admin/pipelines/reload")
        .await
        .problem(405);
    let unknown = call(&service, "POST", "/admin/pipelines/reload?nmae=x").await;
    assert_eq!(unknown.problem(400)["field"], "nmae");
    let long = call(&service, "GET", "/admin/unknown").await;
    long.problem(404);
    assert!(administration.asked.lock().unwrap().is_empty());
    service.end().await;
}

#[tokio::test]
async fn errors_are_problems_with_the_traceback_of_python() {
    let administration = Arc::new(Remembering::default());
    let service = Service::administered(Settings::default(), administration).await;
    for (name, status) in [
        ("absent", 404),
        ("invalid", 400),
        ("silent", 503),
        ("defect", 500),
    ] {
        let path = format!("/admin/pipelines/{name}/enable");
        let problem = call(&service, "POST", &path).await.problem(status);
        assert_eq!(problem["detail"], "the reason", "{name}");
        assert!(problem.get("traceback").is_none(), "{name}");
    }
    let broken = call(&service, "POST", "/admin/pipelines/reload?name=broken").await;
    let problem = broken.problem(409);
    assert_eq!(problem["detail"], "generation 3 runs on");
    assert_eq!(problem["traceback"], "Traceback (most recent call last):");
    service.end().await;
}

#[tokio::test]
async fn while_python_is_stuck_the_report_is_answered_and_requests_have_a_time_limit() {
    let settings = Settings {
        limits: Limits {
            request_wait_max: Duration::from_millis(200),
            ..Limits::default()
        },
        ..Settings::default()
    };
    let administration = Arc::new(Remembering::default());
    let service = Service::administered(settings, administration).await;
    let stuck = call(&service, "POST", "/admin/jobs/stuck/run");
    let report = call(&service, "GET", "/admin/pipelines");
    let (stuck, report) = tokio::join!(stuck, report);
    assert_eq!(report.status, 200);
    let detail = stuck.problem(503)["detail"].to_string();
    assert!(
        detail.contains("did not answer within 200ms; GET /admin/pipelines says"),
        "{detail}"
    );
    service.end().await;
}

#[tokio::test]
async fn a_service_without_pipelines_says_how_to_get_them() {
    let service = Service::start().await;
    for (method, path) in [
        ("GET", "/admin/pipelines"),
        ("GET", "/admin/jobs"),
        ("POST", "/admin/pipelines/reload"),
        ("GET", "/admin/python"),
    ] {
        let problem = call(&service, method, path).await.problem(404);
        assert_eq!(
            problem["detail"],
            "this service has no pipelines; start it with `serve --pipeline FILE`"
        );
    }
    service.end().await;
}

#[tokio::test]
async fn pages_of_other_origins_operate_nothing() {
    let administration = Arc::new(Remembering::default());
    let asked = Arc::clone(&administration) as Arc<dyn Administration>;
    let service = Service::administered(Settings::default(), asked).await;
    let request = service
        .request("POST", "/admin/pipelines/reload")
        .header("sec-fetch-site", "cross-site")
        .body(Full::<Bytes>::default());
    let problem = send(request.unwrap()).await.problem(403);
    assert_eq!(problem["field"], "sec-fetch-site");
    assert!(administration.asked.lock().unwrap().is_empty());
    service.end().await;
}
