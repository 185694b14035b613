//! A real process on a disk that fails or fills up: what it still does, and how it ends.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::shim::{Fault, Shim};
use crate::support::{Service, command};
use futures_util::StreamExt;
use poh_holdmetrics_rust::client::{Batch, Client, ClientError, Target};
use poh_holdmetrics_rust::core::{Draft, Micros};
use poh_holdmetrics_rust::net::pb;
use tempfile::{TempDir, tempdir};

const WAIT_MAX: Duration = Duration::from_secs(60);
const BATCH_EVENTS: u64 = 1_000;

async fn client(service: &Service) -> Client {
    let target = Target {
        url: format!("http://{}", service.grpc),
        ..Target::default()
    };
    Client::connect(&target).await.expect("it listens")
}

/// Batch `number` of a sequence in which no event is like another.
fn batch(number: u64) -> Batch {
    let mut batch = Batch::default();
    for row in 0..BATCH_EVENTS {
        let second = i64::try_from(number * BATCH_EVENTS + row).expect("few") * 1_000_000;
        let holder_id = format!("holder-{number:08}-{row:08}-{}", "x".repeat(64));
        let event = Draft {
            token_id: "T",
            holder_id: &holder_id,
            start: Micros::new(second).ok(),
            end: Micros::new(second + 1_000_000).ok(),
            ..Draft::default()
        };
        batch.push(&event.check().expect("an event"));
    }
    batch
}

/// Sends one batch on a stream of its own.
async fn send(client: &mut Client, number: u64) -> Result<u64, ClientError> {
    let one = futures_util::stream::iter([batch(number)]);
    let mut acks = client.broadcast_batch(one).await?.acks;
    match acks.next().await {
        Some(ack) => Ok(ack?.accepted),
        None => Err(ClientError::ended("no acknowledgement")),
    }
}

/// Sends batches from `first` on until one is refused; gives its number and why.
async fn send_until_refused(client: &mut Client, first: u64) -> (u64, ClientError) {
    let began = Instant::now();
    for number in first.. {
        if let Err(error) = send(client, number).await {
            return (number, error);
        }
        assert!(began.elapsed() < WAIT_MAX, "nothing was refused");
    }
    unreachable!("numbers do not end")
}

fn code(error: &ClientError) -> tonic::Code {
    match error {
        ClientError::Call { status } => status.code(),
        other => panic!("{other}"),
    }
}

async fn holders(service: &Service) -> u64 {
    let request = pb::GetLeaderboardRequest {
        n: 1,
        ..Default::default()
    };
    let answer = service.client().await.get_leaderboard(request).await;
    answer
        .expect("questions are answered")
        .into_inner()
        .holders_total
}

/// `serve` in a shell that bounds the size of its files, so that a write fails as on a full disk.
fn with_bounded_files(data: &Path, kib: u32) -> Command {
    after(&format!("ulimit -f {kib}"), data)
}

/// `serve` in a shell that runs `preparation` first.
fn after(preparation: &str, data: &Path) -> Command {
    let inner = command(data, &[]);
    let mut outer = Command::new("bash");
    outer
        .arg("-c")
        .arg(format!("{preparation}; exec \"$0\" \"$@\""))
        .arg(inner.get_program())
        .args(inner.get_args())
        .envs(
            inner
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("HOLDMETRICS_STORE_SEGMENT_BYTES", "4MiB")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    outer
}

/// The service acknowledged events into a file that had no name any more, and a second one took the folder.
#[tokio::test(flavor = "multi_thread")]
#[cfg(unix)]
async fn a_journal_that_is_removed_under_a_service_ends_it_and_nothing_more_is_acknowledged() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let mut sender = client(&service).await;
    send(&mut sender, 0).await.expect("taken");
    std::fs::remove_dir_all(folder.path().join("journal")).expect("removed");
    let refused = send(&mut sender, 1).await.expect_err("it would be lost");
    assert_eq!(code(&refused), tonic::Code::Unavailable, "{refused}");
    assert_eq!(service.get("/readyz").await.0, 503);
    drop(sender);
    let ended = service.wait(WAIT_MAX);
    assert_eq!(ended.status.code(), Some(74), "{}", ended.stderr);
    let said = "was removed or renamed while the service used it";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);

    let refused = command(folder.path(), &[]).output().expect("it starts");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("--salvage"), "{said}");
    let salvaged = Service::start(folder.path(), &["--salvage"]);
    let next = send(&mut client(&salvaged).await, 1).await.expect("taken");
    assert_eq!(next, BATCH_EVENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_file_size_counts_as_a_full_disk() {
    let folder = tempdir().expect("a folder");
    let service = Service::spawn(with_bounded_files(folder.path(), 3_000));
    let mut sender = client(&service).await;
    let (acknowledged, error) = send_until_refused(&mut sender, 0).await;
    assert_eq!(code(&error), tonic::Code::ResourceExhausted, "{error}");
    assert_eq!(service.get("/healthz").await.0, 200);
    drop(sender);
    service.kill();
    let again = Service::start(folder.path(), &[]);
    assert!(holders(&again).await >= acknowledged * BATCH_EVENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn d5_a_failed_journal_is_told_by_readyz_and_by_exit_code_74_and_a_restart_has_everything() {
    let shim = Shim::new();
    let service = Service::spawn(shim.command());
    assert_eq!(service.get("/readyz").await.0, 200);
    let mut sender = client(&service).await;
    send(&mut sender, 0).await.expect("taken");
    let acknowledged = 1;
    // EIO, as of a disk that is broken.
    shim.set(Fault::SyncError, 5);
    let error = send(&mut sender, acknowledged)
        .await
        .expect_err("it is not on disk");
    assert_eq!(code(&error), tonic::Code::Unavailable, "{error}");
    // Nothing is acknowledged any more, questions are answered, and monitors see it.
    assert!(send(&mut sender, acknowledged).await.is_err());
    assert!(holders(&service).await >= acknowledged * BATCH_EVENTS);
    assert_eq!(service.get("/readyz").await.0, 503);
    assert_eq!(service.get("/healthz").await.0, 200);
    drop(sender);
    let ended = service.wait(WAIT_MAX);
    assert_eq!(ended.status.code(), Some(74), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("error: the journal failed and accepts nothing more ("),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.lines().any(
            |line| line.contains("A request failed because of the server.")
                && line.contains("/readyz")
        ),
        "{}",
        ended.stderr
    );

    let again = Service::start(&shim.data(), &[]);
    assert!(holders(&again).await >= acknowledged * BATCH_EVENTS);
    assert_eq!(
        send(&mut client(&again).await, acknowledged)
            .await
            .expect("taken"),
        BATCH_EVENTS
    );
}

/// Soft and hard limit of the files that a process may have open.
fn open_files_max(process: u32) -> (String, String) {
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).expect("it runs");
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .expect("every process has this limit");
    let mut words = line.split_whitespace().map(ToOwned::to_owned);
    (words.next().expect("soft"), words.next().expect("hard"))
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_the_system_allows() {
    let folder = tempdir().expect("a folder");
    let service = Service::spawn(after("ulimit -Sn 200; ulimit -Hn 4000", folder.path()));
    let (soft, hard) = open_files_max(service.id());
    assert_eq!((soft.as_str(), hard.as_str()), ("4000", "4000"));
    service.signal("TERM");
    let ended = service.wait(WAIT_MAX);
    assert!(
        !ended.stderr.contains("limits.connections_max"),
        "{}",
        ended.stderr
    );
}

/// Connections once took every descriptor, and the journal found none for its next segment.
#[tokio::test(flavor = "multi_thread")]
async fn silent_callers_leave_the_store_the_files_that_it_needs() {
    let folder = tempdir().expect("a folder");
    let mut serve = after("ulimit -n 128", folder.path());
    serve.env("HOLDMETRICS_STORE_SEGMENT_BYTES", "1MiB");
    let service = Service::spawn(serve);
    let mut sender = client(&service).await;
    send(&mut sender, 0).await.expect("taken");
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(std::net::TcpStream::connect(&service.grpc).expect("queued"));
    }
    // Several segments.
    for number in 1..40 {
        let accepted = send(&mut sender, number).await;
        assert_eq!(accepted.expect("taken"), BATCH_EVENTS);
    }
    assert!(
        std::fs::read_dir(folder.path().join("journal"))
            .expect("files")
            .count()
            > 2
    );
    drop((silent, sender));
    service.signal("TERM");
    let ended = service.wait(WAIT_MAX);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let warnings: Vec<_> = ended
        .stderr
        .lines()
        .filter(|line| line.contains("limits.connections_max"))
        .collect();
    assert_eq!(warnings.len(), 1, "{}", ended.stderr);
    assert!(warnings[0].contains("LimitNOFILE"), "{warnings:?}");
}

/// A small disk of its own; unmounted when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Result<Self, String> {
        let folder = tempdir().expect("a folder");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"])
            .arg(folder.path())
            .output();
        match output {
            Ok(output) if output.status.success() => Ok(Self(folder)),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d6_on_a_full_disk_reads_go_on_and_writes_resume_when_there_is_space() {
    let disk = match SmallDisk::mount() {
        Ok(disk) => disk,
        Err(reason) => {
            println!("not run: no tmpfs can be mounted here ({reason})");
            return;
        }
    };
    let ballast = disk.path("ballast");
    std::fs::write(&ballast, vec![1; 24 << 20]).expect("half of the disk");
    let mut serve = command(&disk.path("data"), &[]);
    serve.env("HOLDMETRICS_STORE_SEGMENT_BYTES", "4MiB");
    let service = Service::spawn(serve);
    let mut sender = client(&service).await;
    let (acknowledged, error) = send_until_refused(&mut sender, 0).await;
    assert!(acknowledged > 0);
    assert_eq!(code(&error), tonic::Code::ResourceExhausted, "{error}");
    let delay = error.retry().expect("it may succeed later");
    assert!(delay.is_some_and(|delay| !delay.is_zero()), "{delay:?}");

    assert!(holders(&service).await >= acknowledged * BATCH_EVENTS);
    assert_eq!(service.get("/healthz").await.0, 200);

    std::fs::remove_file(&ballast).expect("space");
    let began = Instant::now();
    let mut accepted = send(&mut sender, acknowledged).await;
    while let Err(error) = &accepted {
        assert_eq!(code(error), tonic::Code::ResourceExhausted, "{error}");
        assert!(began.elapsed() < WAIT_MAX, "writing did not resume");
        tokio::time::sleep(error.retry().flatten().unwrap_or_default()).await;
        accepted = send(&mut sender, acknowledged).await;
    }
    assert_eq!(accepted.expect("taken"), BATCH_EVENTS);
    service.signal("TERM");
    drop(sender);
    let ended = service.wait(WAIT_MAX);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);

    let again = Service::start(&disk.path("data"), &[]);
    assert_eq!(holders(&again).await, (acknowledged + 1) * BATCH_EVENTS);
    again.kill();
}
