//! API keys from `keys new` to a call, and SIGHUP.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::{Service, command, event};
use tempfile::tempdir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::{Code, Request};

fn keys(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
        .args(["keys", "new"])
        .args(arguments)
        .output()
        .expect("the binary runs")
}

fn key(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone())
        .expect("text")
        .trim()
        .to_owned()
}

async fn record(service: &Service, key: &str) -> Result<(), Code> {
    let mut request = Request::new(event("ann"));
    let bearer = format!("Bearer {key}").parse().expect("a header");
    request.metadata_mut().insert("authorization", bearer);
    let answer = service.client().await.record(request).await;
    answer.map(|_| ()).map_err(|status| status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_opens_what_its_scopes_say_and_only_its_hash_is_stored() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("keys.toml");
    let path = file.to_str().expect("text");
    let writer = key(&keys(&[
        "--name", "writer", "--scope", "write", "--file", path,
    ]));
    let reader = key(&keys(&[
        "--name",
        "reader",
        "--scope",
        "read,admin",
        "--file",
        path,
    ]));
    assert_ne!(writer, reader);
    let stored = std::fs::read_to_string(&file).expect("a file");
    assert!(
        !stored.contains(&writer) && stored.contains("sha256"),
        "{stored}"
    );
    let twice = keys(&["--name", "writer", "--scope", "write", "--file", path]);
    assert_eq!(twice.status.code(), Some(2), "{twice:?}");

    let data = folder.path().join("data");
    let service = Service::start(&data, &["--api-keys", path]);
    assert_eq!(record(&service, &writer).await, Ok(()));
    assert_eq!(record(&service, &reader).await, Err(Code::PermissionDenied));
    assert_eq!(
        record(&service, "guessed").await,
        Err(Code::Unauthenticated)
    );
    let plain = service.client().await.stats(()).await;
    assert_eq!(plain.expect_err("no key").code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_leaderboard_needs_no_published_key() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("keys.toml");
    let path = file.to_str().expect("text");
    let writer = key(&keys(&[
        "--name", "writer", "--scope", "write", "--file", path,
    ]));
    let data = folder.path().join("data");
    let mut command = command(&data, &["--api-key-file", path]);
    command.env("HOLDMETRICS_KEYS_ANONYMOUS", "read");
    let service = Service::spawn(command);
    assert_eq!(record(&service, &writer).await, Ok(()));
    let without_key = service.client().await.record(event("bob")).await;
    assert_eq!(
        without_key.expect_err("no key").code(),
        Code::Unauthenticated
    );
    let (status, leaderboard) = service.get("/leaderboard").await;
    assert_eq!(status, 200);
    assert!(leaderboard.contains("ann") && !leaderboard.contains("bob"));
    assert_eq!(service.get("/metrics").await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reads_the_keys_again() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("keys.toml");
    let path = file.to_str().expect("text");
    let _first = key(&keys(&[
        "--name", "first", "--scope", "read", "--file", path,
    ]));
    let service = Service::start(&folder.path().join("data"), &["--api-keys", path]);
    let second = key(&keys(&[
        "--name", "second", "--scope", "write", "--file", path,
    ]));
    service.signal("HUP");
    let began = Instant::now();
    while record(&service, &second).await.is_err() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "the key is unknown"
        );
    }
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));
    assert!(
        ended.stderr.contains("Reloaded the API keys."),
        "{}",
        ended.stderr
    );
}

/// A pipe in place of the file would never be opened: nobody writes to it.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_in_place_of_the_keys_is_refused_and_signals_are_heard() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("keys.toml");
    let path = file.to_str().expect("text");
    let first = key(&keys(&[
        "--name", "first", "--scope", "write", "--file", path,
    ]));
    let service = Service::start(&folder.path().join("data"), &["--api-keys", path]);
    std::fs::remove_file(&file).expect("it is there");
    let made = Command::new("mkfifo").arg(&file).status();
    assert!(made.expect("mkfifo runs").success());
    service.signal("HUP");
    // The old keys stay in use.
    record(&service, &first).await.expect("it is known");
    tokio::time::sleep(Duration::from_millis(500)).await;
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("keys.toml: the API keys cannot be read: not a plain file"),
        "{}",
        ended.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_asked_for_is_logged_with_the_name_of_the_key() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("keys.toml");
    let path = file.to_str().expect("text");
    let operator = key(&keys(&[
        "--name",
        "night shift",
        "--scope",
        "admin",
        "--file",
        path,
    ]));
    let service = Service::start(&folder.path().join("data"), &["--api-key-file", path]);
    let mut stream = TcpStream::connect(&service.http).await.expect("it listens");
    let request = format!(
        "POST /admin/jobs/tiers%2Fpublish/pause HTTP/1.0\r\nhost: localhost\r\nauthorization: Bearer {operator}\r\n\r\n"
    );
    let sent = stream.write_all(request.as_bytes()).await;
    sent.expect("it reads");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer).await;
    read.expect("it answers");
    assert!(answer.contains("this service has no pipelines"), "{answer}");
    service.signal("TERM");
    let said = service.wait(Duration::from_secs(9)).stderr;
    let line = said.lines().find(|line| line.contains("An operator asked"));
    let line = line.expect("it is logged");
    for part in [
        "verb=\"job_pause\"",
        "name=\"tiers/publish\"",
        "asked_by=the key \"night shift\"",
    ] {
        assert!(line.contains(part), "{line}");
    }
}
