//! `kill -9` while rounds are sealed: a round is there whole or not at all, and each one that was acknowledged is there.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use poh_holdmetrics_rust::net::pb;
use tempfile::tempdir;

use crate::support::{Service, run_at, said};

const KILLS: u64 = 6;
const HOLDERS: u64 = 3_000;

fn address(number: u64) -> String {
    format!("0x{number:040x}")
}

/// A closed hold.
fn line(number: u64) -> String {
    let holder = address(number);
    format!("{{\"token_id\":\"T\",\"holder_id\":\"{holder}\",\"start\":0,\"end\":{number}}}\n")
}

/// Roots of acknowledged rounds by id.
type Roots = Arc<Mutex<BTreeMap<String, String>>>;

/// Seals one round after the other, until the process dies.
async fn seal(service: &Service, life: u64, acknowledged: Roots) -> tokio::task::JoinHandle<()> {
    let mut client = service.client().await;
    tokio::spawn(async move {
        for number in 0.. {
            let request = pb::SealRoundRequest {
                id: format!("life-{life}-{number}"),
                pool: "1000000".into(),
                decimals: Some(18),
                ..Default::default()
            };
            let Ok(sealed) = client.seal_round(request).await else {
                return;
            };
            let sealed = sealed.into_inner();
            let mut acknowledged = acknowledged.lock().expect("no panic");
            acknowledged.insert(sealed.id, sealed.root);
        }
    })
}

/// Every acknowledged round is listed, and every listed one has the proof of a holder under its root.
async fn check(service: &Service, acknowledged: &Roots) -> usize {
    let mut client = service.client().await;
    let listed = client.list_rounds(pb::ListRoundsRequest::default()).await;
    let listed = listed.expect("it answers").into_inner().rounds;
    let roots: BTreeMap<_, _> = listed
        .iter()
        .map(|round| (round.id.clone(), round.root.clone()))
        .collect();
    for (id, root) in acknowledged.lock().expect("no panic").iter() {
        assert_eq!(roots.get(id), Some(root), "{id}");
    }
    for round in listed.iter().rev().take(3) {
        assert_eq!(round.recipients, HOLDERS, "{}", round.id);
        let asked = pb::GetRoundProofRequest {
            id: round.id.clone(),
            holder: address(7),
        };
        let proof = client.get_round_proof(asked).await;
        assert_eq!(proof.expect("a proof").into_inner().root, round.root);
    }
    roots.len()
}

fn verified(data: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
        .args(["journal", "verify", "--data-dir"])
        .arg(data)
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_every_acknowledged_round_is_there_and_no_half_one() {
    let folder = tempdir().expect("a folder");
    let data = folder.path().join("data");
    let service = Service::start(&data, &[]);
    let events: String = (1..=HOLDERS).map(line).collect();
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, events).expect("written");
    let sent = run_at(&service.grpc, &["send", file.to_str().expect("text")]);
    assert!(sent.status.success(), "{}", said(&sent));
    service.kill();
    let acknowledged = Roots::default();
    for life in 0..KILLS {
        let service = Service::start(&data, &[]);
        check(&service, &acknowledged).await;
        let sealing = seal(&service, life, Arc::clone(&acknowledged)).await;
        let before = acknowledged.lock().expect("no panic").len();
        let patience = Instant::now() + Duration::from_secs(60);
        while acknowledged.lock().expect("no panic").len() == before {
            assert!(Instant::now() < patience, "no round is sealed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // How long a process lives then is drawn anew: it ends in all parts of sealing.
        tokio::time::sleep(Duration::from_millis(life * 7_919 % 200)).await;
        service.kill();
        sealing.await.expect("the call ends");
        let text = verified(&data);
        assert!(text.contains("\nrounds: "), "{text}");
    }
    let service = Service::start(&data, &[]);
    let known = check(&service, &acknowledged).await;
    let sealed = acknowledged.lock().expect("no panic").len();
    assert!(known >= sealed, "{sealed} sealed, {known} known");
}
