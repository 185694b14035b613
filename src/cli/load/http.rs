//! `POST /hold` with NDJSON, one request at a time on a connection of its own.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::time::timeout;

use super::plan::{Plan, Tally};
use super::supply::Supply;
use crate::net::client::{ClientError, Target};

/// What is wrong where something answers that speaks no HTTP/1.
const OF_GRPC: &str =
    "it does not answer as HTTP does: name its HTTP address, which by default has port 8000";

/// What is read of an answer.
#[derive(Deserialize)]
struct Answer {
    accepted: u64,
}

/// Posts batches until the plan has enough; fails where an answer, or the connection for it, takes
/// longer than `answer_wait`.
pub(super) async fn posts(
    target: &Target,
    plan: &Plan,
    mut supply: Supply,
    answer_wait: Duration,
    tally: &mut Tally,
) -> Result<(), ClientError> {
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
    let mut number = 0;
    while let Some(turn) = plan.turn(supply.connection(), number).await {
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
        let unanswered = |detail: String| ClientError::Connect {
            url: url.clone(),
            detail,
        };
        let answered = timeout(answer_wait, async {
            let answer = client.request(request).await;
            let answer = answer.map_err(|error| {
                if is_unreadable(&error) {
                    failed(OF_GRPC.into())
                } else {
                    unanswered(innermost(&error))
                }
            })?;
            let status = answer.status();
            let body = answer.into_body().collect().await;
            let body = body.map_err(|error| unanswered(innermost(&error)))?;
            Ok::<_, ClientError>((status, body.to_bytes()))
        });
        let late = |_| unanswered(format!("not within {} s", answer_wait.as_secs_f64()));
        let (status, body) = answered.await.map_err(late)??;
        if status != StatusCode::OK {
            let text = String::from_utf8_lossy(&body);
            return Err(failed(format!("{status}: {}", text.trim())));
        }
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|error| failed(error.to_string()))?;
        tally.answered(turn.due, turn.events.into(), answer.accepted);
    }
    Ok(())
}

/// Whether something answered, but not in HTTP/1.
fn is_unreadable(error: &(dyn Error + 'static)) -> bool {
    match error.downcast_ref::<hyper::Error>() {
        // An answer that came before the question has a kind without a name.
        Some(error) => error.is_parse() || error.to_string().contains("unexpected message"),
        None => error.source().is_some_and(is_unreadable),
    }
}

fn innermost(error: &dyn Error) -> String {
    let mut found = error;
    while let Some(source) = found.source() {
        found = source;
    }
    found.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_takes_connections_and_says_nothing_ends_the_run() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target {
            url: format!("http://{}", silent.local_addr().unwrap()),
            ..Target::default()
        };
        let plan = Plan::begin(Duration::from_secs(60), Some(1), None, 1, 1);
        let mut tally = Tally::default();
        let supply = Supply::new(1, 0, 10, 10);
        let wait = Duration::from_millis(100);
        let ended = posts(&target, &plan, supply, wait, &mut tally).await;
        let said = ended.unwrap_err().to_string();
        assert!(
            said.ends_with("nobody answers (not within 0.1 s)"),
            "{said}"
        );
        assert_eq!(tally.sent, 0);
    }
}
