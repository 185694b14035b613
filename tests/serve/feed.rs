//! `feed` against a running service: what was acknowledged comes out, and a named consumer loses nothing.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::tempdir;

use crate::support::{Service, run_at, said, scores};

/// What a busy machine takes for a run.
const RUN_WAIT_MAX: Duration = Duration::from_secs(60);

fn feed(service: &Service, arguments: &[&str]) -> Output {
    let arguments: Vec<&str> = ["feed"].iter().chain(arguments).copied().collect();
    let output = run_at(&service.grpc, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    output
}

/// The numbers of the printed events.
fn numbers(printed: &[u8]) -> Vec<u64> {
    let lines = printed
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let events = lines.map(|line| serde_json::from_slice::<Value>(line).expect("an object"));
    events
        .map(|event| event["sequence"].as_u64().expect("a number"))
        .collect()
}

/// Sends closed holds of one second each.
async fn send(service: &Service, holders: std::ops::Range<u64>) {
    let mut client = service.client().await;
    for holder in holders {
        let event = crate::support::event(&format!("h{holder}"));
        client.record(event).await.expect("it is stored");
    }
}

/// `feed --follow` in a process of its own.
struct Follower {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Follower {
    fn start(service: &Service, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
            .args([
                "feed",
                "--follow",
                "--server",
                &format!("http://{}", service.grpc),
            ])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let lines = BufReader::new(child.stdout.take().expect("it was piped"));
        Self { child, lines }
    }

    fn next(&mut self) -> u64 {
        let mut line = Vec::new();
        self.lines.read_until(b'\n', &mut line).expect("it prints");
        numbers(&line)[0]
    }

    fn interrupt(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.expect("kill is there").success());
        self.child.wait().expect("it ends").code()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_scores_as_the_service_does() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let file = folder.path().join("events.jsonl");
    let rows = r#"{"token_id":"T","holder_id":"a","start":1000,"end":11000,"weight":"2.5"}
{"token_id":"T","holder_id":"a","start":2000,"end":3000,"event_id":"e","revision":1}
{"token_id":"T","holder_id":"a","event_id":"e","revision":2,"retract":true}
{"token_id":"T","from_id":"","to_id":"b","at":1000,"amount":"3","event_id":"t:0"}
{"token_id":"T","from_id":"b","to_id":"c","at":2000,"amount":"3","event_id":"t:1"}
"#;
    std::fs::write(&file, rows).expect("a file");
    let sent = run_at(&service.grpc, &["send", file.to_str().expect("text")]);
    assert_eq!(sent.status.code(), Some(0), "{}", said(&sent));

    let printed = feed(&service, &[]);
    assert_eq!(numbers(&printed.stdout), (1..=6).collect::<Vec<_>>());
    assert_eq!(said(&printed), "");
    // Holds and transfers are sent in two calls, either of which may be stored first.
    let all = numbers(&feed(&service, &["--holder", "a"]).stdout);
    assert_eq!(all.len(), 3);
    let only = feed(&service, &["--holder", "a", "--from", &all[1].to_string()]);
    assert_eq!(numbers(&only.stdout), all[1..]);
    let none = feed(&service, &["--from", "now"]);
    assert!(none.stdout.is_empty());

    let mut scoring = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
        .args([
            "score",
            "-",
            "--as-of",
            "1970-01-01T00:01:00Z",
            "--format",
            "json",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut input = scoring.stdin.take().expect("it was piped");
    input.write_all(&printed.stdout).expect("it reads");
    drop(input);
    let scored = scoring.wait_with_output().expect("it ends").stdout;
    let scored: Value = serde_json::from_slice(&scored).expect("JSON");
    let (status, asked) = service.get("/leaderboard?as_of=60000").await;
    assert_eq!(status, 200, "{asked}");
    let asked: Value = serde_json::from_str(&asked).expect("JSON");
    assert_eq!(scored["holders"], asked["holders"]);
    assert_eq!(scores(&service).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_continues_after_its_acknowledgement_also_if_the_service_was_killed() {
    let folder = tempdir().expect("a folder");
    let data = folder.path().join("data");
    let service = Service::start(&data, &[]);
    send(&service, 0..50).await;
    let printed = feed(&service, &["--consumer", "billing"]);
    assert_eq!(numbers(&printed.stdout), (1..=50).collect::<Vec<_>>());
    assert!(feed(&service, &["--consumer", "billing"]).stdout.is_empty());
    send(&service, 50..60).await;
    service.kill();

    let service = Service::start(&data, &[]);
    send(&service, 60..70).await;
    let printed = feed(&service, &["--consumer", "billing"]);
    assert_eq!(numbers(&printed.stdout), (51..=70).collect::<Vec<_>>());
    let ended = {
        service.signal("TERM");
        service.wait(RUN_WAIT_MAX)
    };
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let service = Service::start(&data, &[]);
    assert!(feed(&service, &["--consumer", "billing"]).stdout.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_prints_events_as_they_come_and_acknowledges_them_when_it_is_interrupted() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    send(&service, 0..3).await;
    let mut follower = Follower::start(&service, &["--consumer", "c"]);
    for expected in 1..=3 {
        assert_eq!(follower.next(), expected);
    }
    send(&service, 3..4).await;
    assert_eq!(follower.next(), 4);
    // Only one process at a time reads for a consumer.
    let busy = run_at(&service.grpc, &["feed", "--consumer", "c"]);
    assert_eq!(busy.status.code(), Some(1));
    assert!(
        said(&busy).contains("consumer: \"c\" is in use"),
        "{}",
        said(&busy)
    );
    assert_eq!(follower.interrupt(), Some(130));
    assert!(feed(&service, &["--consumer", "c"]).stdout.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_survives_a_restart_of_the_service() {
    let folder = tempdir().expect("a folder");
    let data = folder.path().join("data");
    let service = Service::start(&data, &[]);
    let address = service.grpc.clone();
    send(&service, 0..2).await;
    let mut named = Follower::start(&service, &["--consumer", "c"]);
    let mut nameless = Follower::start(&service, &[]);
    for expected in 1..=2 {
        assert_eq!((named.next(), nameless.next()), (expected, expected));
    }
    service.kill();
    let mut command = crate::support::command(&data, &[]);
    command.env("GRPC_ADDRESS", &address);
    let service = Service::spawn(command);
    send(&service, 2..3).await;
    // The acknowledgement of what was printed last may have been lost: then it comes again.
    let mut number = named.next();
    while number < 3 {
        number = named.next();
    }
    assert_eq!((number, nameless.next()), (3, 3));
    assert_eq!(
        (named.interrupt(), nameless.interrupt()),
        (Some(130), Some(130))
    );
}

#[test]
fn what_cannot_be_asked_is_refused_with_a_cure() {
    let refused = run_at("127.0.0.1:1", &["feed", "--from", "0"]);
    assert_eq!(refused.status.code(), Some(2));
    let text = said(&refused);
    assert!(
        text.contains("give a sequence number from 1, beginning or now"),
        "{text}"
    );
    let away = run_at("127.0.0.1:1", &["feed", "--patience", "1"]);
    assert_eq!(away.status.code(), Some(1));
    assert!(said(&away).contains("no server answers"), "{}", said(&away));
}
