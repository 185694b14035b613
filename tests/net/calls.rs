//! What all gRPC calls share: health checks, reflection, deadlines, compression, disconnects and shutdown.

use std::time::Duration;

use crate::support::{Service, hold, within};
use poh_holdmetrics_rust::net::pb::GetLeaderboardRequest;
use poh_holdmetrics_rust::net::pb::hold_metrics_client::HoldMetricsClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_types::StatusExt;

#[tokio::test]
async fn health_is_reported_until_the_end() {
    let service = Service::start().await;
    let mut client = HealthClient::new(service.channel().await);
    for name in ["", "poh.HoldMetrics"] {
        let request = HealthCheckRequest {
            service: name.to_owned(),
        };
        let mut watch = within(client.watch(request)).await.unwrap().into_inner();
        let health = within(watch.message()).await.unwrap().unwrap();
        assert_eq!(health.status().as_str_name(), "SERVING");
    }
    let request = HealthCheckRequest {
        service: "other".to_owned(),
    };
    let status = within(client.check(request)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let mut watch = within(client.watch(HealthCheckRequest::default()))
        .await
        .unwrap()
        .into_inner();
    within(watch.message()).await.unwrap();
    // It is updated every second, and only a change is sent.
    let again = tokio::time::timeout(Duration::from_millis(1_500), watch.message()).await;
    assert!(again.is_err(), "{again:?}");
    // The watch is still open: the service ends it and does not wait for its client.
    within(service.end()).await;
}

#[tokio::test]
async fn reflection_serves_the_contract() {
    let service = Service::start().await;
    let mut client = ServerReflectionClient::new(service.channel().await);
    let mut ask = async |request: MessageRequest| {
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(request),
        };
        let answers = client.server_reflection_info(tokio_stream::iter([request]));
        let mut answers = within(answers).await.unwrap().into_inner();
        within(answers.message()).await.unwrap().unwrap()
    };
    let answer = ask(MessageRequest::ListServices(String::new())).await;
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("a list of services");
    };
    let names: Vec<_> = list.service.iter().map(|service| &*service.name).collect();
    for name in [
        "poh.HoldMetrics",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    // It contains the error details.
    for name in ["BadRequest", "RetryInfo", "ErrorInfo"] {
        let symbol = format!("google.rpc.{name}");
        let answer = ask(MessageRequest::FileContainingSymbol(symbol)).await;
        let response = answer.message_response;
        assert!(
            matches!(response, Some(MessageResponse::FileDescriptorResponse(_))),
            "{name}: {response:?}"
        );
    }
    service.end().await;
}

#[tokio::test]
async fn a_stream_ends_at_its_deadline() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let (sender, receiver) = mpsc::channel(1);
    sender.send(hold("T", "a", 0, 1)).await.unwrap();
    let mut request = Request::new(ReceiverStream::new(receiver));
    // Set as a header, so that the client itself sets no timeout.
    request
        .metadata_mut()
        .insert("grpc-timeout", "200m".parse().unwrap());
    let mut answers = within(client.broadcast(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        within(answers.message()).await.unwrap().unwrap().sequence,
        1
    );
    let status = within(answers.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    drop(sender);
    service.end().await;
}

#[tokio::test]
async fn a_client_that_disappears_frees_its_resources() {
    let service = Service::start().await;
    let endpoint = service.endpoint();
    // The client has a runtime of its own, which is dropped in the middle of a stream.
    let caller = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let open = runtime.block_on(async {
            let mut client = HoldMetricsClient::new(endpoint.connect().await.unwrap());
            let (sender, receiver) = mpsc::channel(1);
            sender.send(hold("T", "a", 0, 1)).await.unwrap();
            let stream = ReceiverStream::new(receiver);
            let mut answers = client.broadcast(stream).await.unwrap().into_inner();
            answers.message().await.unwrap().unwrap();
            (sender, answers)
        });
        (runtime, open)
    });
    let (runtime, open) = within(caller).await.unwrap();
    // The servers in Python count calls that have ended, and nothing that is open.
    let is = async |gauge: &str, open: &str| {
        let found = service.metrics_line(gauge).await;
        found.is_none_or(|found| found == open)
    };
    assert!(is("holdmetrics_grpc_streams ", "1").await);
    runtime.shutdown_background();
    let cancelled = "holdmetrics_grpc_requests_total{code=\"CANCELLED\",method=\"Broadcast\"}";
    within(async {
        while service.metrics_line(cancelled).await.as_deref() != Some("1")
            || !is("holdmetrics_grpc_streams ", "0").await
            || !is("holdmetrics_connections ", "0").await
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    drop(open);
    service.end().await;
}

#[tokio::test]
async fn a_shutdown_acknowledges_the_events_that_were_read() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let (sender, receiver) = mpsc::channel(1);
    sender.send(hold("T", "a", 0, 1)).await.unwrap();
    let mut answers = within(client.broadcast(ReceiverStream::new(receiver)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        within(answers.message()).await.unwrap().unwrap().sequence,
        1
    );
    service.stop().await;
    let status = within(answers.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "the server is shutting down");
    let reason = status
        .get_details_error_info()
        .expect("an ErrorInfo")
        .reason;
    assert_eq!(reason, "SHUTTING_DOWN");
    within(service.end()).await;
}

#[tokio::test]
async fn compressed_messages_are_read_and_long_responses_compressed() {
    use tonic::codec::CompressionEncoding::{Gzip, Zstd};
    let service = Service::start().await;
    for packing in [Gzip, Zstd] {
        let mut client = service
            .client()
            .await
            .send_compressed(packing)
            .accept_compressed(packing);
        within(client.record(hold("T", "a", 0, 1))).await.unwrap();
        let board = within(client.get_leaderboard(GetLeaderboardRequest::default()))
            .await
            .unwrap();
        let encoding = board.metadata().get("grpc-encoding").expect("it is packed");
        assert_eq!(encoding, if packing == Gzip { "gzip" } else { "zstd" });
    }
    service.end().await;
}

#[tokio::test]
async fn a_unary_call_ends_at_its_deadline() {
    let service = Service::start().await;
    // A request of its own: tonic's client would also set a timeout.
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let status = async |timeout: &str| {
        let empty_message = bytes::Bytes::from_static(&[0; 5]);
        let request = axum::http::Request::post(format!(
            "http://{}/poh.HoldMetrics/GetLeaderboard",
            service.grpc
        ))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", timeout)
        .body(http_body_util::Full::new(empty_message))
        .unwrap();
        let answer = within(client.request(request)).await.unwrap();
        // A failure has its status among the headers, an answer behind its body.
        answer.headers().get("grpc-status").cloned()
    };
    assert_eq!(status("10S").await, None);
    // A response within a nanosecond is possible, but not every time.
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.extend(status("1n").await);
    }
    assert!(statuses.iter().any(|status| status == "4"), "{statuses:?}");
    service.end().await;
}
