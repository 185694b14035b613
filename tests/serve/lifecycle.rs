//! The life of a service: how it starts, what it refuses to start with, how signals end it.

#[cfg(target_os = "linux")]
use std::fs::File;
#[cfg(target_os = "linux")]
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::support::{Service, command, event, refusal};
use tempfile::tempdir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn it_says_where_it_listens_and_takes_events() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let mut client = service.client().await;
    let ack = client
        .record(event("ann"))
        .await
        .expect("taken")
        .into_inner();
    assert_eq!((ack.sequence, ack.accepted), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_it_cleanly_within_nine_seconds_and_keeps_what_was_acknowledged() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let mut client = service.client().await;
    for holder in ["a", "b", "c"] {
        client.record(event(holder)).await.expect("taken");
    }
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("Stopping on a signal."),
        "{}",
        ended.stderr
    );

    let again = Service::start(folder.path(), &[]);
    let ack = again
        .client()
        .await
        .record(event("d"))
        .await
        .expect("taken");
    assert_eq!(ack.into_inner().sequence, 4);
}

/// Ids of holders may be names of people.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_it_stores_is_for_its_owner_alone() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    let folder = tempdir().expect("a folder");
    let data = folder.path().join("data");
    let service = Service::start(&data, &[]);
    let mut client = service.client().await;
    client.record(event("ann")).await.expect("taken");
    service.signal("TERM");
    service.wait(Duration::from_secs(9));
    let mut folders = vec![data];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
                assert_eq!(mode(&entry.path()), 0o600, "{entry:?}");
            }
        }
    }
    assert!(files > 2, "{files}");
}

/// Who ends a group of processes may reach one of them twice; the repeat once cut the end short.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_and_its_repeat_are_one() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let mut client = service.client().await;
    client.record(event("ann")).await.expect("taken");
    // Stopped meanwhile, it finds both signals when it goes on.
    service.signal("STOP");
    service.signal("TERM");
    service.signal("INT");
    service.signal("CONT");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("Stopped."), "{}", ended.stderr);
}

/// The default action of each would end the process without a word.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn signals_without_a_meaning_are_logged_and_quit_ends_it_cleanly() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let mut client = service.client().await;
    for signal in ["USR1", "USR2", "ALRM", "XFSZ"] {
        service.signal(signal);
        let taken = client.record(event(signal)).await;
        assert_eq!(taken.expect("it runs").into_inner().accepted, 1);
    }
    service.signal("QUIT");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    for signal in ["SIGUSR1", "SIGUSR2", "SIGALRM"] {
        assert!(ended.stderr.contains(signal), "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once_and_keeps_what_was_acknowledged() {
    let folder = tempdir().expect("a folder");
    let mut serve = command(folder.path(), &[]);
    serve.env("HOLDMETRICS_SERVER_DRAIN_WAIT_MAX", "6s");
    let service = Service::spawn(serve);
    let mut client = service.client().await;
    client.record(event("ann")).await.expect("taken");
    // A request whose body does not come keeps it from ending by itself.
    let mut open = TcpStream::connect(&service.http).await.expect("it listens");
    let head = b"POST /hold HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n";
    open.write_all(head).await.expect("it reads");
    // The word to go on says that the request has begun.
    open.read_u8().await.expect("100 Continue");
    service.signal("TERM");
    // It has seen the signal once it listens no more.
    while TcpStream::connect(&service.http).await.is_ok() {
        tokio::task::yield_now().await;
    }
    // Longer than a repeat takes.
    tokio::time::sleep(Duration::from_millis(300)).await;
    service.signal("INT");
    let ended = service.wait(Duration::from_secs(5));
    assert_eq!(ended.status.code(), Some(130), "{}", ended.stderr);
    assert!(ended.stderr.contains("a second signal"), "{}", ended.stderr);

    let again = Service::start(folder.path(), &[]);
    let ack = again
        .client()
        .await
        .record(event("bob"))
        .await
        .expect("taken");
    assert_eq!(ack.into_inner().sequence, 2);
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_is_told_of_the_start_once_it_listens_and_of_the_end() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a bound");
    let received = || {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let serve = || {
        let mut serve = command(&folder.path().join("data"), &[]);
        serve.env("NOTIFY_SOCKET", &path);
        serve
    };
    // Where the listening line cannot be written, it is not ready.
    let full = File::options().write(true).open("/dev/full");
    let mut mute = serve();
    mute.stdout(full.expect("Linux has it"));
    refusal(mute, 74);
    socket.set_nonblocking(true).expect("a switch");
    assert!(socket.recv(&mut [0; 64]).is_err());
    socket.set_nonblocking(false).expect("a switch");

    let service = Service::spawn(serve());
    assert_eq!(received(), "READY=1");
    service.signal("TERM");
    assert_eq!(received(), "STOPPING=1");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_does_stands_in_its_metrics_and_promtool_has_no_complaint() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let mut client = service.client().await;
    for holder in ["ann", "bob", "bob"] {
        client.record(event(holder)).await.expect("taken");
    }
    client.record(event("")).await.expect_err("no holder");
    let (status, page) = service.get("/metrics").await;
    assert_eq!(status, 200, "{page}");
    for line in [
        "holdmetrics_events_accepted_total 3",
        "holdmetrics_events_duplicate_total 1",
        "holdmetrics_events_refused_total{reason=\"holder_id\"} 1",
        "holdmetrics_ack_latency_seconds_count 3",
        "holdmetrics_sequence 3",
        "holdmetrics_holders 2",
        "holdmetrics_keys 2",
        "holdmetrics_open_holds 0",
        "holdmetrics_condition{condition=\"ready\"} 1",
        "holdmetrics_grpc_requests_total{code=\"OK\",method=\"Record\"} 3",
    ] {
        assert!(page.contains(&format!("\n{line}\n")), "{line}\n{page}");
    }
    promtool(&page);
}

fn promtool(page: &str) {
    let started = std::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        println!("not run: promtool is not installed (Debian's package prometheus has it)");
        return;
    };
    let mut stdin = child.stdin.take().expect("it was piped");
    std::io::Write::write_all(&mut stdin, page.as_bytes()).expect("promtool reads");
    drop(stdin);
    let output = child.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn a_second_process_is_refused_by_the_name_of_the_first() {
    let folder = tempdir().expect("a folder");
    let first = Service::start(folder.path(), &[]);
    let sentence = refusal(command(folder.path(), &[]), 1);
    assert!(sentence.contains(&first.id().to_string()), "{sentence}");
}

#[test]
fn an_address_outside_loopback_is_refused_without_tls() {
    let folder = tempdir().expect("a folder");
    let mut serve = command(folder.path(), &[]);
    serve.env("HTTP_HOST", "0.0.0.0");
    let sentence = refusal(serve, 2);
    assert!(sentence.contains("--insecure-bind"), "{sentence}");
    let sentence = refusal(command(folder.path(), &["--grpc-addr", "0.0.0.0:0"]), 2);
    assert!(sentence.contains("--insecure-bind"), "{sentence}");
    assert!(!folder.path().join("journal").exists(), "nothing was made");
}

#[test]
fn certificates_and_keys_that_cannot_be_used_are_named_before_the_store_is_opened() {
    let folder = tempdir().expect("a folder");
    for arguments in [
        &["--api-keys", "/nowhere/keys.toml"][..],
        &[
            "--tls-cert",
            "/nowhere/a.pem",
            "--tls-key",
            "/nowhere/a.key",
        ],
    ] {
        let sentence = refusal(command(folder.path(), arguments), 2);
        assert!(sentence.starts_with(arguments[1]), "{sentence}");
        assert!(!folder.path().join("journal").exists(), "nothing was made");
    }
}

#[test]
fn an_address_in_use_is_named_with_its_setting() {
    let folder = tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let sentence = refusal(command(folder.path(), &["--http-addr", &address]), 1);
    assert!(
        sentence.starts_with(&format!(
            "http.address: {address} cannot be bound, choose another address: "
        )),
        "{sentence}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_json_where_that_is_asked_for() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(folder.path(), &["--ephemeral", "--log-format", "json"]);
    service.signal("INT");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let lines = json_lines(&ended.stderr);
    let sentences: Vec<_> = lines.iter().map(|line| line["message"].clone()).collect();
    assert!(
        sentences.contains(&"Opened the store.".into()),
        "{sentences:?}"
    );
}

/// Every line of a log, which is one object with a level, a time and a sentence.
fn json_lines(log: &str) -> Vec<serde_json::Value> {
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).expect("one object a line");
        assert!(line["level"].is_string() && line["timestamp"].is_string());
        assert!(line["message"].is_string());
        line
    };
    log.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_who_was_not_let_in_and_writes_numbers_as_numbers() {
    let folder = tempdir().expect("a folder");
    let keys = folder.path().join("keys.toml");
    let entry = format!(
        "[[key]]\nname = \"a\"\nscopes = [\"read\"]\nsha256 = \"{}\"\n",
        "0".repeat(64)
    );
    std::fs::write(&keys, entry).expect("written");
    let keys = keys.to_str().expect("a path that is text");
    let service = Service::start(
        &folder.path().join("data"),
        &["--log-format", "json", "--api-keys", keys],
    );
    assert_eq!(service.get("/healthz").await.0, 200);
    assert_eq!(service.get("/stats").await.0, 401);
    let status = service.client().await.record(event("ann")).await;
    status.expect_err("no key");
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));

    let lines = json_lines(&ended.stderr);
    let said = |sentence: &str| -> Vec<&serde_json::Value> {
        let is_said = |line: &&serde_json::Value| line["message"] == sentence;
        lines.iter().filter(is_said).collect()
    };
    let replayed = said("Loaded the state and replayed the journal.");
    assert!(replayed[0]["milliseconds"].is_u64(), "{replayed:?}");
    let refused = said("A caller was not authorized.");
    assert_eq!(refused.len(), 2, "{}", ended.stderr);
    assert_eq!(
        (&refused[0]["level"], &refused[0]["code"]),
        (&"INFO".into(), &401.into())
    );
    assert_eq!(refused[0]["span"]["route"], "/stats");
    assert!(refused[0]["took_us"].is_u64(), "{refused:?}");
    assert_eq!(refused[1]["code"], "UNAUTHENTICATED");
    // A call that is answered normally is not logged.
    assert!(!ended.stderr.contains("/healthz"), "{}", ended.stderr);
}
