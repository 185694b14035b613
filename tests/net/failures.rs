//! The errors of both protocols if the disk is full (D6) or the journal has failed (D5).

use std::sync::Arc;
use std::time::Duration;

use crate::faulty::FaultyVfs;
use crate::support::{Service, hold, within};
use futures_util::StreamExt;
use poh_holdmetrics_rust::engine::Options;
use poh_holdmetrics_rust::net::Settings;
use poh_holdmetrics_rust::net::pb::{Durability, GetLeaderboardRequest};
use tonic::{Code, Streaming};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_types::StatusExt;

const EVENT: &str = r#"{"token_id":"T","holder_id":"http","start":0,"end":1000}"#;

/// What the health service reports to a watching caller.
struct Health(Streaming<HealthCheckResponse>);

impl Health {
    async fn watch(service: &Service) -> Self {
        let mut client = HealthClient::new(service.channel().await);
        let watch = within(client.watch(HealthCheckRequest::default())).await;
        Self(watch.unwrap().into_inner())
    }

    /// Waits until it reports `expected`.
    async fn becomes(&mut self, expected: &str) {
        within(async {
            while self
                .0
                .message()
                .await
                .unwrap()
                .unwrap()
                .status()
                .as_str_name()
                != expected
            {}
        })
        .await;
    }
}

async fn on_disk(vfs: &FaultyVfs) -> Service {
    let mut options = Options {
        retry_after: Duration::from_millis(1_500),
        vfs: Arc::new(vfs.clone()),
        ..Options::in_folder("/data")
    };
    options.store.segment_bytes = 8 << 10;
    options.store.state_lag_max = Duration::from_secs(3_600);
    options.store.stall_max = Duration::from_millis(100);
    Service::on(Settings::default(), options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn d6_with_a_full_disk_callers_are_told_when_to_retry() {
    let vfs = FaultyVfs::default();
    let service = on_disk(&vfs).await;
    let mut client = service.client().await;
    let ack = within(client.record(hold("T", "a", 0, 1)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(ack.durability(), Durability::Durable);
    vfs.set_room(Some(0));
    let mut end = 2;
    let status = loop {
        match within(client.record(hold("T", "a", 0, end))).await {
            Ok(_) => end += 1,
            Err(status) => break status,
        }
        assert!(end < 10_000, "the disk is never full");
    };
    assert_eq!(status.code(), Code::ResourceExhausted);
    let retry = status.get_details_retry_info().expect("a RetryInfo");
    assert_eq!(retry.retry_delay, Some(Duration::from_millis(1_500)));
    assert_eq!(status.get_details_error_info().unwrap().reason, "DISK_FULL");

    // A stream ends with the same error, and events that were not stored are not acknowledged.
    let events = vec![hold("T", "a", 0, 20_000); 10];
    let answers = within(client.broadcast(tokio_stream::iter(events)))
        .await
        .unwrap();
    let answers: Vec<_> = within(answers.into_inner().collect()).await;
    let status = answers.last().unwrap().as_ref().unwrap_err();
    assert_eq!((answers.len(), status.code()), (1, Code::ResourceExhausted));

    let refused = service.post("application/json", EVENT).await;
    refused.problem(503);
    assert_eq!(refused.header("retry-after"), "2");
    let streamed = service
        .post("application/x-ndjson", format!("{EVENT}\n{EVENT}"))
        .await;
    assert_eq!(streamed.problem(503)["accepted"], 0);

    // Queries are still answered.
    within(client.get_leaderboard(GetLeaderboardRequest::default()))
        .await
        .unwrap();
    assert_eq!(service.get("/holders/a").await.status, 200);
    assert_eq!(
        service.get("/readyz").await.text(),
        "read-only: the disk is full\n"
    );

    vfs.set_room(None);
    within(async {
        while client.record(hold("T", "a", 0, 30_000)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(service.post("application/json", EVENT).await.status, 200);
    service.end().await;
}

/// Nothing told a load balancer: the service was ready, and no event was answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_does_not_answer_is_reported_while_it_lasts() {
    let vfs = FaultyVfs::default();
    let service = on_disk(&vfs).await;
    let mut client = service.client().await;
    within(client.record(hold("T", "a", 0, 1))).await.unwrap();
    assert_eq!(service.get("/readyz").await.text(), "ready\n");
    let mut health = Health::watch(&service).await;
    health.becomes("SERVING").await;

    vfs.disk().hangs = true;
    let waiting = tokio::spawn(async move { client.record(hold("T", "a", 0, 2)).await });
    health.becomes("NOT_SERVING").await;
    let problem = service.get("/readyz").await.problem(503);
    assert_eq!(problem["code"], "DISK_STALLED");
    assert_eq!(
        problem["detail"],
        "the disk has not answered for longer than store.stall_max; events wait until it does"
    );
    assert_eq!(service.get("/healthz").await.status, 200);
    assert_eq!(service.get("/holders/a").await.status, 200, "queries go on");
    let gauges = service.engine().gauges();
    assert_eq!(gauges.condition, "disk_stalled");
    assert!(gauges.disk_stalled_seconds > 0.1, "{gauges:?}");

    vfs.disk().hangs = false;
    health.becomes("SERVING").await;
    within(waiting).await.unwrap().unwrap();
    assert_eq!(service.get("/readyz").await.text(), "ready\n");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d5_after_a_failed_fsync_events_are_refused_with_the_reason() {
    let vfs = FaultyVfs::default();
    let service = on_disk(&vfs).await;
    let mut client = service.client().await;
    within(client.record(hold("T", "a", 0, 1))).await.unwrap();
    vfs.fail_at_sync(1);
    let events = vec![hold("T", "a", 0, 2); 10];
    let answers = within(client.broadcast(tokio_stream::iter(events)))
        .await
        .unwrap();
    let answers: Vec<_> = within(answers.into_inner().collect()).await;
    let status = answers.last().unwrap().as_ref().unwrap_err();
    assert_eq!((answers.len(), status.code()), (1, Code::Unavailable));
    for _ in 0..3 {
        let status = within(client.record(hold("T", "a", 0, 3)))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(
            status.get_details_error_info().unwrap().reason,
            "JOURNAL_FAILED"
        );
    }
    service.post("application/json", EVENT).await.problem(503);
    let problem = service.get("/readyz").await.problem(503);
    assert_eq!(problem["code"], "JOURNAL_FAILED");
    // What the system said is for the log alone.
    assert_eq!(
        problem["detail"],
        "the journal failed and accepts nothing more; the log of the server says why: restart it"
    );

    // Health reports it too, and queries are still answered.
    let mut health = Health::watch(&service).await;
    health.becomes("NOT_SERVING").await;
    within(client.get_leaderboard(GetLeaderboardRequest::default()))
        .await
        .unwrap();
    assert_eq!(service.get("/holders/a").await.status, 200);
    service.end().await;
}
