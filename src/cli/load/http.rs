//! `POST /hold` with NDJSON, one request at a time on a connection of its own.

use std::error::Error;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

use super::plan::{Plan, Tally};
use super::supply::Supply;
use crate::net::client::{ClientError, Target};

/// What is read of an answer.
#[derive(Deserialize)]
struct Answer {
    accepted: u64,
}

/// Posts batches until the plan has enough.
pub(super) async fn posts(
    target: &Target,
    plan: &Plan,
    mut supply: Supply,
) -> Result<Tally, ClientError> {
    let failed = |detail: String| ClientError::Target {
        what: "server",
        detail,
    };
    if target.authority.is_some() {
        return Err(failed(
            "load speaks HTTP in the clear alone; use grpc-batch over TLS".into(),
        ));
    }
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(1)
        .build_http::<Full<Bytes>>();
    let url = format!("{}/hold", target.url.trim_end_matches('/'));
    let mut tally = Tally::default();
    let mut number = 0;
    while let Some(turn) = plan.turn(number).await {
        number += 1;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&url)
            .header(CONTENT_TYPE, "application/x-ndjson");
        if let Some(key) = &target.key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        let body = Full::new(Bytes::from(supply.lines(turn.events)));
        let request = request
            .body(body)
            .map_err(|error| failed(error.to_string()))?;
        let answer = client
            .request(request)
            .await
            .map_err(|error| ClientError::Connect {
                url: url.clone(),
                detail: innermost(&error),
            })?;
        let status = answer.status();
        let body = answer.into_body().collect().await;
        let body = body.map_err(|error| failed(error.to_string()))?.to_bytes();
        if status != StatusCode::OK {
            let text = String::from_utf8_lossy(&body);
            return Err(failed(format!("{status}: {}", text.trim())));
        }
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|error| failed(error.to_string()))?;
        tally.answered(turn.due, turn.events.into(), answer.accepted);
    }
    Ok(tally)
}

fn innermost(error: &dyn Error) -> String {
    let mut found = error;
    while let Some(source) = found.source() {
        found = source;
    }
    found.to_string()
}
