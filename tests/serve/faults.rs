//! The real service on a system that fails: disks, threads and the clock, through the library of `shim.c`.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use poh_holdmetrics_rust::net::pb::{FeedRequest, FeedStart, feed_request};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::shim::{Fault, Shim};
use crate::support::{Service, event, refusal, scores};

const EIO: i64 = 5;
const EAGAIN: i64 = 11;
const EFBIG: i64 = 27;
const ENOSPC: i64 = 28;
const YEAR: i64 = 366 * 86_400;

/// Sends one event of `holder`; the code and the reason of a refusal.
async fn send(service: &Service, holder: &str) -> Result<(), (Code, String)> {
    let mut client = service.client().await;
    match client.record(event(holder)).await {
        Ok(_) => Ok(()),
        Err(status) => {
            let reason = status.get_details_error_info().map(|info| info.reason);
            Err((status.code(), reason.unwrap_or_default()))
        }
    }
}

async fn holders(service: &Service) -> Vec<String> {
    let mut found: Vec<_> = scores(service)
        .await
        .into_iter()
        .map(|(holder, _)| holder)
        .collect();
    found.sort();
    found
}

/// Ends the service as a crash would, and starts it on a system that does not fail.
async fn holders_after_restart(shim: &Shim, service: Service) -> Vec<String> {
    service.kill();
    let service = Service::start(&shim.data(), &[]);
    holders(&service).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_or_a_sync_that_fails_is_never_acknowledged() {
    for (fault, error) in [
        (Fault::WriteError, EIO),
        (Fault::SyncError, EIO),
        (Fault::SyncError, ENOSPC),
    ] {
        let shim = Shim::new();
        let service = Service::spawn(shim.command());
        send(&service, "before").await.expect("acknowledged");
        shim.set(fault, error);
        let failed = (Code::Unavailable, "JOURNAL_FAILED".to_owned());
        assert_eq!(
            send(&service, "failed").await,
            Err(failed.clone()),
            "{error}"
        );
        // Also once the disk is well again: what it had acknowledged to us is not known.
        shim.set(fault, 0);
        assert_eq!(send(&service, "later").await, Err(failed), "{error}");
        assert_eq!(
            holders(&service).await,
            ["before"],
            "what is in memory is still answered"
        );
        let found = holders_after_restart(&shim, service).await;
        assert!(
            found.contains(&"before".to_owned()) && !found.contains(&"later".to_owned()),
            "{found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_and_a_limit_of_file_size_are_told_and_pass() {
    for error in [ENOSPC, EFBIG] {
        let shim = Shim::new();
        let service = Service::spawn(shim.command());
        send(&service, "before").await.expect("acknowledged");
        shim.set(Fault::WriteError, error);
        let full = (Code::ResourceExhausted, "DISK_FULL".to_owned());
        assert_eq!(send(&service, "refused").await, Err(full), "{error}");
        shim.set(Fault::WriteError, 0);
        let began = Instant::now();
        while send(&service, "after").await.is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "{error}: there is room again"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(
            holders_after_restart(&shim, service).await,
            ["after", "before"],
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn short_writes_are_written_to_their_end() {
    let shim = Shim::new();
    shim.set(Fault::WriteBytesMax, 7);
    let service = Service::spawn(shim.command());
    let sent: Vec<_> = (0..20).map(|number| format!("h{number:02}")).collect();
    for holder in &sent {
        send(&service, holder).await.expect("acknowledged");
    }
    assert_eq!(holders_after_restart(&shim, service).await, sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_delays_acknowledgements_and_nothing_else() {
    let shim = Shim::new();
    let service = Service::spawn(shim.command());
    send(&service, "before").await.expect("acknowledged");
    shim.set(Fault::SyncDelayMs, 1_000);
    let began = Instant::now();
    let ask = async {
        assert_eq!(service.get("/healthz").await.0, 200);
        assert_eq!(holders(&service).await, ["before"]);
        began.elapsed()
    };
    let (sent, asked) = tokio::join!(send(&service, "slow"), ask);
    sent.expect("acknowledged");
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "acknowledged before its sync"
    );
    assert!(
        asked < Duration::from_secs(1),
        "answers waited for the disk: {asked:?}"
    );
    assert_eq!(
        holders_after_restart(&shim, service).await,
        ["before", "slow"]
    );
}

/// Each start gets one thread more than the last one, until one succeeds.
#[test]
fn a_start_without_enough_threads_ends_with_a_sentence() {
    for free in 0..64 {
        let shim = Shim::new();
        shim.set(Fault::ThreadError, EAGAIN);
        shim.set(Fault::ThreadsFree, free);
        let mut child = shim.command().spawn().expect("the binary starts");
        let began = Instant::now();
        let is_ended = loop {
            if child.try_wait().expect("a child").is_some() {
                break true;
            }
            if shim.data().join("journal").exists() && began.elapsed() > Duration::from_secs(5) {
                break false;
            }
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "{free} threads: neither ready nor ended"
            );
            std::thread::sleep(Duration::from_millis(10));
        };
        let _ = child.kill();
        let ended = child.wait_with_output().expect("it has ended");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(!said.contains("panicked"), "{free} threads: {said}");
        if !is_ended {
            assert!(free > 2, "a service has threads");
            return;
        }
        assert!(
            said.lines()
                .last()
                .unwrap_or_default()
                .starts_with("error: "),
            "{free} threads: {said}"
        );
    }
    panic!("it never starts");
}

/// What was there at the start is enough for everything but a consumer of the feed.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_gets_no_more_threads_goes_on() {
    let shim = Shim::new();
    let service = Service::spawn(shim.command());
    send(&service, "before").await.expect("acknowledged");
    shim.set(Fault::ThreadError, EAGAIN);
    let paths = ["/leaderboard", "/stats", "/deficits", "/metrics", "/readyz"];
    let asked = paths.iter().cycle().take(50).map(|path| service.get(path));
    for (status, answer) in join_all(asked).await {
        assert_eq!(status, 200, "{answer}");
    }
    send(&service, "meanwhile").await.expect("acknowledged");
    let (status, answer) = service.get("/feed?from=1").await;
    assert_eq!(status, 503, "{answer}");
    assert!(answer.contains("NO_THREAD"), "{answer}");
    let mut client = service.client().await;
    let first = FeedRequest {
        request: Some(feed_request::Request::Start(FeedStart::default())),
    };
    let refused = match client.feed(tokio_stream::once(first)).await {
        Ok(mut batches) => batches.get_mut().message().await.map(drop),
        Err(status) => Err(status),
    };
    let refused = refused.expect_err("it needs a thread");
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    let info = refused.get_details_error_info().expect("a reason");
    assert_eq!(info.reason, "NO_THREAD");
    shim.set(Fault::ThreadError, 0);
    let (status, answer) = service.get("/feed?from=1").await;
    assert_eq!(status, 200, "threads can be made again: {answer}");
    shim.set(Fault::ThreadError, EAGAIN);
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(30));
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    let service = Service::start(&shim.data(), &[]);
    assert_eq!(holders(&service).await, ["before", "meanwhile"]);
}

#[test]
fn a_clock_that_is_far_wrong_is_told_at_the_start() {
    for shift in [-70 * YEAR, -3_000 * YEAR, 9_000 * YEAR] {
        let shim = Shim::new();
        shim.set(Fault::ClockShiftSeconds, shift);
        let said = refusal(shim.command(), 1);
        assert!(
            said.starts_with("the clock of this machine says "),
            "{said}"
        );
        assert!(!shim.data().exists(), "nothing is made");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_steps_back_by_a_year_changes_nothing_that_is_known() {
    let shim = Shim::new();
    let service = Service::spawn(shim.command());
    send(&service, "before").await.expect("acknowledged");
    shim.set(Fault::ClockShiftSeconds, -YEAR);
    assert_eq!(holders(&service).await, ["before"]);
    send(&service, "after").await.expect("acknowledged");
    assert_eq!(
        holders_after_restart(&shim, service).await,
        ["after", "before"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_that_would_end_a_service_without_a_word_are_ignored_with_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    for signal in ["XFSZ", "USR1", "USR2", "ALRM"] {
        service.signal(signal);
    }
    send(&service, "someone").await.expect("acknowledged");
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(30));
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_eq!(
        ended.stderr.matches("Ignored a signal").count(),
        3,
        "{}",
        ended.stderr
    );
}
