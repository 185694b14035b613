//! Questions over gRPC, health checking, reflection, deadlines and the end of the service.

mod net_support;

use std::time::Duration;

use futures_util::StreamExt;
use net_support::{NOW_SECONDS, Service, at, hold, within};
use poh_holdmetrics_rust::net::pb::hold_metrics_client::HoldMetricsClient;
use poh_holdmetrics_rust::net::pb::{
    GetHolderRequest, GetLeaderboardRequest, GetSnapshotRequest, HoldMsg, HoldStat, WatchRequest,
    Window,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_types::StatusExt;

async fn fill(client: &mut HoldMetricsClient<Channel>, events: Vec<HoldMsg>) {
    let answers = within(client.broadcast(tokio_stream::iter(events)))
        .await
        .unwrap();
    let acks: Vec<_> = within(answers.into_inner().collect()).await;
    assert!(acks.iter().all(|ack| ack.as_ref().unwrap().accepted == 1));
}

/// a holds for 10 s, b and c for 30 s, d since 100 s after 1970.
fn usual() -> Vec<HoldMsg> {
    let open = HoldMsg {
        end: None,
        ..hold("T", "d", 100, 0)
    };
    vec![
        hold("T", "a", 0, 10),
        hold("T", "b", 0, 30),
        hold("U", "c", 0, 30),
        open,
    ]
}

#[tokio::test]
async fn stats_of_an_empty_store_are_one_default() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let stats = within(client.stats(())).await.unwrap().into_inner();
    let stats: Vec<HoldStat> = within(stats.map(Result::unwrap).collect()).await;
    assert_eq!(stats, [HoldStat::default()]);
    service.end().await;
}

#[tokio::test]
async fn stats_list_every_holder_over_its_closed_holds() {
    let service = Service::start().await;
    let mut client = service.client().await;
    fill(&mut client, usual()).await;
    let stats = within(client.stats(())).await.unwrap().into_inner();
    let stats: Vec<HoldStat> = within(stats.map(Result::unwrap).collect()).await;
    let figures: Vec<_> = stats
        .iter()
        .map(|stat| (&*stat.holder_id, stat.total_seconds, stat.weighted_score))
        .collect();
    assert_eq!(
        figures,
        [
            ("b", 30, 30.0),
            ("c", 30, 30.0),
            ("a", 10, 10.0),
            ("d", 0, 0.0)
        ]
    );
    assert!(
        stats
            .iter()
            .all(|stat| stat.updated_at == Some(at(NOW_SECONDS)))
    );
    service.end().await;
}

#[tokio::test]
async fn pages_are_pinned_to_their_instant_and_add_up() {
    let service = Service::start().await;
    let mut client = service.client().await;
    fill(&mut client, usual()).await;
    let mut request = GetSnapshotRequest {
        page_size: 2,
        ..GetSnapshotRequest::default()
    };
    let first = within(client.get_snapshot(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((first.holders_total, first.sequence), (4, 4));
    assert_eq!(first.window.unwrap().as_of, Some(at(NOW_SECONDS)));
    service.clock.forward(1_000);
    request.page_token = first.next_page_token;
    let second = within(client.get_snapshot(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(second.window.unwrap().as_of, Some(at(NOW_SECONDS)));
    assert_eq!(second.next_page_token, "");
    let rows: Vec<_> = first
        .holders
        .iter()
        .chain(&second.holders)
        .map(|row| (row.rank, &*row.holder_id, &*row.score))
        .collect();
    let open = (NOW_SECONDS - 100).to_string();
    assert_eq!(
        rows,
        [
            (1, "d", &*open),
            (2, "b", "30"),
            (2, "c", "30"),
            (4, "a", "10")
        ]
    );

    request.token_id = "T".to_owned();
    let status = within(client.get_snapshot(request)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status
            .message()
            .starts_with("page_token: it belongs to another question")
    );
    for (request, field) in [
        (
            GetSnapshotRequest {
                page_size: 10_001,
                ..GetSnapshotRequest::default()
            },
            "page_size",
        ),
        (
            GetSnapshotRequest {
                page_token: "00".to_owned(),
                ..GetSnapshotRequest::default()
            },
            "page_token",
        ),
        (
            GetSnapshotRequest {
                window: Some(Window {
                    as_of: Some(at(i64::MAX)),
                    ..Window::default()
                }),
                ..GetSnapshotRequest::default()
            },
            "window.as_of",
        ),
    ] {
        let status = within(client.get_snapshot(request)).await.unwrap_err();
        let details = status.get_details_bad_request().expect("a BadRequest");
        assert_eq!(details.field_violations[0].field, field);
        assert!(status.message().starts_with(field), "{}", status.message());
    }
    let one = GetSnapshotRequest {
        holder_id: "a".to_owned(),
        ..GetSnapshotRequest::default()
    };
    let one = within(client.get_snapshot(one)).await.unwrap().into_inner();
    assert_eq!((one.holders_total, one.holders[0].rank), (1, 4));
    service.end().await;
}

#[tokio::test]
async fn a_leaderboard_counts_its_window_and_its_token() {
    let service = Service::start().await;
    let mut client = service.client().await;
    fill(&mut client, usual()).await;
    let request = GetLeaderboardRequest {
        window: Some(Window {
            as_of: Some(at(20)),
            from: Some(at(5)),
            closed_only: false,
        }),
        token_id: "T".to_owned(),
        n: 2,
    };
    let board = within(client.get_leaderboard(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(board.window, request.window);
    let rows: Vec<_> = board
        .holders
        .iter()
        .map(|row| (row.rank, &*row.holder_id, &*row.held_us, row.total_seconds))
        .collect();
    assert_eq!(rows, [(1, "b", "15000000", 15), (2, "a", "5000000", 5)]);
    service.end().await;
}

#[tokio::test]
async fn a_holder_is_explained_or_not_found() {
    let service = Service::start().await;
    let mut client = service.client().await;
    fill(&mut client, usual()).await;
    let ask = |holder_id: &str| GetHolderRequest {
        holder_id: holder_id.to_owned(),
        ..GetHolderRequest::default()
    };
    let report = within(client.get_holder(ask("d")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(report.holder.unwrap().rank, 1);
    assert_eq!(report.keys[0].token_id, "T");
    let segment = &report.keys[0].segments[0];
    assert_eq!(
        (segment.start, segment.end, &*segment.weight),
        (Some(at(100)), None, "1")
    );
    for (holder_id, token_id, reason) in [
        ("z", "", "holder_id: this holder was never seen"),
        ("z", "T", "holder_id: this holder was never seen"),
        (
            "d",
            "U",
            "holder_id: this holder was never seen with this token",
        ),
    ] {
        let request = GetHolderRequest {
            token_id: token_id.to_owned(),
            ..ask(holder_id)
        };
        let status = within(client.get_holder(request)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::NotFound, reason));
    }
    let status = within(client.get_holder(ask(""))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    service.end().await;
}

#[tokio::test]
async fn a_holder_of_many_tokens_is_reported_within_what_a_client_takes() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let events = (0..30_000).map(|token| hold(&format!("{token:0256}"), "a", 0, 1));
    fill(&mut client, events.collect()).await;
    let request = GetHolderRequest {
        holder_id: "a".to_owned(),
        ..GetHolderRequest::default()
    };
    let report = within(client.get_holder(request))
        .await
        .unwrap()
        .into_inner();
    assert!(report.keys_left_out > 0);
    assert_eq!(report.segments_left_out, report.keys_left_out);
    assert_eq!(report.keys.len() as u64 + report.keys_left_out, 30_000);
    // Over HTTP the same is left out.
    let twin = service.get("/holders/a").await.json();
    assert_eq!(twin["keys_left_out"], report.keys_left_out);
    assert_eq!(twin["segments_left_out"], report.segments_left_out);
    assert_eq!(twin["keys"].as_array().unwrap().len(), report.keys.len());
    service.end().await;
}

#[tokio::test]
async fn a_watcher_is_told_what_changes_and_nothing_else() {
    let service = Service::start().await;
    let mut client = service.client().await;
    fill(&mut client, usual()).await;
    let request = WatchRequest {
        n: 2,
        interval: Some(prost_types::Duration {
            seconds: 0,
            nanos: 100_000_000,
        }),
        closed_only: true,
        ..WatchRequest::default()
    };
    let mut changes = within(client.watch(request)).await.unwrap().into_inner();
    let ids = |rows: &[poh_holdmetrics_rust::net::pb::HolderScore]| -> Vec<String> {
        rows.iter().map(|row| row.holder_id.clone()).collect()
    };
    let first = within(changes.message()).await.unwrap().unwrap();
    assert_eq!(ids(&first.changed), ["b", "c"]);
    fill(&mut client, vec![hold("T", "a", 0, 5)]).await;
    fill(&mut client, vec![hold("T", "a", 50, 90)]).await;
    let second = within(changes.message()).await.unwrap().unwrap();
    assert_eq!(
        ids(&second.changed),
        ["a", "b"],
        "a leads, and the rank of b is another"
    );
    assert_eq!(second.left, ["c"]);
    assert!(second.sequence > first.sequence);

    let hasty = WatchRequest {
        interval: Some(prost_types::Duration::default()),
        ..WatchRequest::default()
    };
    let status = within(client.watch(hasty)).await.unwrap_err();
    assert!(
        status.message().starts_with("interval: "),
        "{}",
        status.message()
    );

    // The stop ends the stream; without that the service would wait for its caller.
    service.stop.cancel();
    let status = within(changes.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    service.end().await;
}

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
    // It is looked at every second, and told only where it changes.
    let again = tokio::time::timeout(Duration::from_millis(1_500), watch.message()).await;
    assert!(again.is_err(), "{again:?}");
    // The watch is open; the service ends it rather than waiting for its caller.
    within(service.end()).await;
}

#[tokio::test]
async fn the_contract_is_told_by_reflection() {
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
    // The details of failures are part of it.
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
    // Set by hand, so that the client does not watch over it itself.
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
async fn a_caller_that_vanishes_frees_what_it_held() {
    let service = Service::start().await;
    let endpoint = service.endpoint();
    // The caller lives in a runtime of its own, and vanishes with it in the middle of a stream.
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
    assert_eq!(service.metrics.streams.get(), 1);
    runtime.shutdown_background();
    within(async {
        while service.metrics.streams.get() > 0 || service.metrics.connections.get() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    drop(open);
    let cancelled = "holdmetrics_grpc_requests_total{code=\"CANCELLED\",method=\"Broadcast\"}";
    assert_eq!(service.metrics_line(cancelled).as_deref(), Some("1"));
    service.end().await;
}

#[tokio::test]
async fn the_end_of_the_service_acknowledges_what_was_read() {
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
    service.stop.cancel();
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
async fn packed_messages_are_read_and_long_answers_packed() {
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
    // Spoken by hand: tonic's client would watch over the deadline itself.
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
    // An answer within a nanosecond is possible, but not every time.
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.extend(status("1n").await);
    }
    assert!(statuses.iter().any(|status| status == "4"), "{statuses:?}");
    service.end().await;
}
