//! Real data over gRPC, with a `kill -9` in the middle: the published figures, to the last digit.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::sales::{self, EVENTS};
use crate::support::{Service, command};
use poh_holdmetrics_rust::net::pb;
use tempfile::tempdir;

/// 2022-06-01T00:00:00Z.
const AS_OF_SECONDS: i64 = 1_654_041_600;
/// Killed once so many are acknowledged.
const KILL_AT: u64 = 10_000;
const WAIT_MAX: Duration = Duration::from_secs(120);

async fn leaderboard(service: &Service) -> pb::Leaderboard {
    let request = pb::GetLeaderboardRequest {
        window: Some(pb::Window {
            as_of: Some(prost_types::Timestamp {
                seconds: AS_OF_SECONDS,
                nanos: 0,
            }),
            ..Default::default()
        }),
        n: 2,
        ..Default::default()
    };
    let mut client = service.client().await;
    client
        .get_leaderboard(request)
        .await
        .expect("an answer")
        .into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn cryptopunks_with_a_kill_9_in_the_middle_end_in_the_exact_figures() {
    let Some(sales) = sales::found() else {
        return;
    };
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("punks.jsonl");
    let lines = sales::marks(&sales);
    assert_eq!(lines.lines().count(), EVENTS);
    std::fs::write(&file, lines).expect("a file");

    let data = folder.path().join("data");
    let service = Service::start(&data, &[]);
    let address = service.grpc.clone();
    let sender = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
        .arg("send")
        .arg(&file)
        .args(["--server", &format!("http://{address}"), "--batch", "2"])
        .arg("--resume")
        .arg(folder.path().join("place"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let began = Instant::now();
    let before = loop {
        let sequence = leaderboard(&service).await.sequence;
        if sequence >= KILL_AT {
            break sequence;
        }
        assert!(began.elapsed() < WAIT_MAX, "only {sequence} events so far");
    };
    assert!(before < EVENTS as u64, "it was killed in the middle");
    service.kill();

    let mut again = command(&data, &[]);
    again.env("GRPC_ADDRESS", &address);
    let service = Service::spawn(again);
    let sent = sender.wait_with_output().expect("the sender ends");
    let said = String::from_utf8_lossy(&sent.stderr);
    assert!(sent.status.success(), "{said}");
    assert!(
        said.contains(&format!("{EVENTS} events acknowledged, 0 lines refused")),
        "{said}"
    );

    let found = leaderboard(&service).await;
    let row =
        |holder: &pb::HolderScore| (holder.rank, holder.holder_id.clone(), holder.score.clone());
    assert_eq!(found.holders_total, 5_912);
    assert_eq!(
        found.holders.iter().map(row).collect::<Vec<_>>(),
        [
            (1, "2190".to_owned(), "13034832719".to_owned()),
            (2, "5134".to_owned(), "11210772987".to_owned()),
        ]
    );
}
