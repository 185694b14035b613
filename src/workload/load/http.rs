//! `POST /hold` with NDJSON, one request at a time on a connection of its own.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::time::timeout;

use super::LoadError;
use super::random_holds::RandomHolds;
use super::schedule::{Counts, Schedule};
use crate::client::{Target, innermost};

/// What is read of an answer.
#[derive(Deserialize)]
struct Answer {
    accepted: u64,
}

/// How often a request is tried whose connection ended before it was sent.
const ATTEMPTS_MAX: u32 = 5;

/// Posts batches until the schedule ends; fails if an answer, or the connection for it, takes longer
/// than `answer_wait`.
pub(super) async fn posts(
    target: &Target,
    schedule: &Schedule,
    mut holds: RandomHolds,
    answer_wait: Duration,
    counts: &mut Counts,
) -> Result<(), LoadError> {
    if target.has_tls() {
        return Err(LoadError::HttpOverTls);
    }
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(1)
        .build_http::<Full<Bytes>>();
    let url = format!("{}/hold", target.url.trim_end_matches('/'));
    let mut number = 0;
    while let Some(turn) = schedule.turn(holds.connection(), number).await {
        number += 1;
        let request = request(&url, target.key.as_deref(), holds.lines(turn.events))?;
        let answered = timeout(answer_wait, answer(&client, &url, request)).await;
        let (status, body) = answered.map_err(|_| LoadError::Late {
            url: url.clone(),
            wait: answer_wait,
        })??;
        if status != StatusCode::OK {
            return Err(LoadError::Status {
                url,
                status,
                body: String::from_utf8_lossy(&body).trim().to_owned(),
            });
        }
        let answer: Answer = serde_json::from_slice(&body).map_err(|source| LoadError::Answer {
            url: url.clone(),
            source,
        })?;
        counts.answered(turn.due, turn.events.into(), answer.accepted);
    }
    Ok(())
}

fn request(url: &str, key: Option<&str>, lines: String) -> Result<Request<Full<Bytes>>, LoadError> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(CONTENT_TYPE, "application/x-ndjson");
    if let Some(key) = key {
        request = request.header(AUTHORIZATION, format!("Bearer {key}"));
    }
    let request = request.body(Full::new(Bytes::from(lines)));
    request.map_err(|source| LoadError::Request {
        url: url.to_owned(),
        source,
    })
}

/// Sends one request and reads the whole answer.
async fn answer(
    client: &Client<HttpConnector, Full<Bytes>>,
    url: &str,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), LoadError> {
    let broken = |error: &(dyn Error + 'static)| LoadError::Connection {
        url: url.to_owned(),
        source: innermost(error),
    };
    let mut attempts = 1..ATTEMPTS_MAX;
    let answer = loop {
        match client.request(request.clone()).await {
            Ok(answer) => break answer,
            Err(error) if is_unreadable(&error) => {
                let url = url.to_owned();
                return Err(LoadError::NotHttp { url });
            }
            Err(error) if is_unsent(&error) && attempts.next().is_some() => {}
            Err(error) => return Err(broken(&error)),
        }
    };
    let status = answer.status();
    let body = answer.into_body().collect().await;
    Ok((status, body.map_err(|error| broken(&error))?.to_bytes()))
}

/// Whether the server answered, but not in HTTP/1.
fn is_unreadable(error: &(dyn Error + 'static)) -> bool {
    let unreadable = error.downcast_ref::<hyper::Error>().is_some_and(|error| {
        // hyper has no method that tells an answer before the request.
        error.is_parse() || error.to_string().contains("unexpected message")
    });
    // It is the cause of a canceled request if the answer came before the request was sent.
    unreadable || error.source().is_some_and(is_unreadable)
}

/// Whether the connection ended before the request was sent; the reason is known to the connection alone.
fn is_unsent(error: &(dyn Error + 'static)) -> bool {
    let error_of_hyper = error.downcast_ref::<hyper::Error>();
    error_of_hyper.is_some_and(hyper::Error::is_canceled) || error.source().is_some_and(is_unsent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_accepts_connections_and_never_answers_ends_the_run() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target {
            url: format!("http://{}", silent.local_addr().unwrap()),
            ..Target::default()
        };
        let schedule = Schedule::begin(Duration::from_secs(60), Some(1), None, 1, 1);
        let mut counts = Counts::default();
        let holds = RandomHolds::new(1, 0, 10, 10);
        let wait = Duration::from_millis(100);
        let ended = posts(&target, &schedule, holds, wait, &mut counts).await;
        assert!(
            matches!(ended, Err(LoadError::Late { wait: waited, .. }) if waited == wait),
            "{ended:?}"
        );
        assert_eq!(counts.sent, 0);
    }
}
