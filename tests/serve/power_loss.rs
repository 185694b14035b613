//! A loss of power at any moment of a real service: what was acknowledged before it is there after the restart.
//!
//! All changes of files are traced while events arrive and the service is stopped and started. Each round cuts the
//! trace at some change, keeps of what was not synced whatever chance picks, and starts the binary on that.
//! `HOLDMETRICS_POWER_LOSSES` says how many rounds (`make soak` takes 300).

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use poh_holdmetrics_rust::net::pb;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tempfile::tempdir;

use crate::faulty::FaultyVfs;
use crate::shim::{Shim, restore};
use crate::support::{Service, event};

const ROUNDS_VARIABLE: &str = "HOLDMETRICS_POWER_LOSSES";
const ROUNDS: u64 = 8;
const ID_BYTES: usize = 240;
/// Events that wait for their acknowledgement together, and how often, in each of three services that run one after
/// the other.
const AT_ONCE: u64 = 50;
const TURNS: u64 = 30;

/// Runs a service until it is stopped or killed, and adds what it acknowledged: each holder, with the end of the trace
/// when its acknowledgement had arrived.
async fn run(shim: &Shim, name: &str, is_killed: bool, acknowledged: &mut BTreeMap<String, u64>) {
    let mut command = shim.traced();
    command
        .env("HOLDMETRICS_STORE_SEGMENT_BYTES", "1MiB")
        .env("HOLDMETRICS_STORE_STATE_LAG_BYTES_MAX", "1MiB")
        .env("HOLDMETRICS_STORE_STATE_LAG_MAX", "100ms");
    let service = Service::spawn(command);
    let client = service.client().await;
    for turn in 0..TURNS {
        let sent = (0..AT_ONCE).map(|number| {
            // Long ids fill segments sooner.
            let holder = format!("{name}-{:0ID_BYTES$}", turn * AT_ONCE + number);
            let mut client = client.clone();
            async move {
                client.record(event(&holder)).await.expect("acknowledged");
                (holder, shim.traced_bytes())
            }
        });
        acknowledged.extend(join_all(sent).await);
    }
    drop(client);
    if is_killed {
        service.kill();
    } else {
        service.signal("TERM");
        assert!(service.wait(Duration::from_secs(30)).status.success());
    }
}

/// The score of each holder.
async fn scores(service: &Service) -> BTreeMap<String, String> {
    let request = pb::GetLeaderboardRequest {
        n: 10_000,
        ..Default::default()
    };
    let answer = service.client().await.get_leaderboard(request).await;
    let rows = answer.expect("an answer").into_inner().holders.into_iter();
    rows.map(|row| (row.holder_id, row.score)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_loss_of_power_at_any_change() {
    let rounds =
        std::env::var(ROUNDS_VARIABLE).map_or(ROUNDS, |text| text.parse().expect("a number"));
    let shim = Shim::new();
    let mut acknowledged = BTreeMap::new();
    run(&shim, "first", false, &mut acknowledged).await;
    run(&shim, "second", true, &mut acknowledged).await;
    run(&shim, "third", false, &mut acknowledged).await;
    let changes = shim.changes();
    assert!(changes.len() > 100, "{} changes were traced", changes.len());
    for round in 0..rounds {
        let mut chance = Pcg64Mcg::seed_from_u64(round);
        let cut = chance.random_range(1..=changes.len());
        let disk = FaultyVfs::default();
        for (_, change) in &changes[..cut] {
            change.repeat(&disk);
        }
        let image = disk.crash(&mut |possibilities| chance.random_range(0..possibilities));
        let folder = tempdir().expect("a folder");
        let data = folder.path().join("data");
        restore(&image, &data);
        let service = Service::start(&data, &[]);
        let found = scores(&service).await;
        let (end, _) = &changes[cut - 1];
        for (holder, at) in &acknowledged {
            let score = found.get(holder).map(String::as_str);
            // At most once, whenever it arrived.
            assert!(
                matches!(score, None | Some("1")),
                "round {round}: {holder}: {score:?}"
            );
            assert!(
                at > end || score.is_some(),
                "round {round}, cut at {cut}: {holder} is lost"
            );
        }
        service.kill();
    }
}
