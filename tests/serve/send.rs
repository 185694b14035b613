//! `send` against a running service.

use std::path::Path;
use std::process::Output;

use crate::support::{Service, run_at, said, scores};
use tempfile::tempdir;

pub(crate) const LINES: &str = r#"{"token_id":"T","holder_id":"a","start":1000,"end":11000,"weight":"2.5"}
{"token_id":"T","holder_id":"","start":1000}
{"token_id":"T","holder_id":"b","start":1000,"event_id":"e1","revision":2}
{"token_id":"T","holder_id":"b","event_id":"e1","revision":3,"retract":true}
not JSON
{"token_id":"T","holder_id":"c","start":"2999-01-01T00:00:00Z"}
{"token_id":"T","holder_id":"c","end":"2020-01-01T00:00:00Z"}
"#;

pub(crate) fn run(service: &Service, arguments: &[&str]) -> Output {
    run_at(&service.grpc, arguments)
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_file_states_arrives_and_refused_lines_are_listed_with_their_places() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, LINES).expect("a file");
    let rejects = folder.path().join("rejects.jsonl");
    let sent = run(
        &service,
        &[
            "send",
            text(&file),
            "--rejects",
            text(&rejects),
            "--batch",
            "2",
        ],
    );
    assert_eq!(sent.status.code(), Some(0), "{}", said(&sent));
    assert_eq!(said(&sent), "4 events acknowledged, 3 lines refused\n");
    let rows = scores(&service).await;
    let expected = [("a", "25"), ("b", "0"), ("c", "0")];
    assert_eq!(
        rows,
        expected.map(|(holder, score)| (holder.to_owned(), score.to_owned()))
    );
    let rejects = std::fs::read_to_string(&rejects).expect("a list");
    let listed: Vec<(u64, String)> = rejects
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an object"))
        .map(|line| {
            let reason = line["reason"].as_str().expect("a reason").to_owned();
            (line["line"].as_u64().expect("a line"), reason)
        })
        .collect();
    let lines: Vec<u64> = listed.iter().map(|(line, _)| *line).collect();
    let mut sorted = lines.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [2, 5, 6], "{listed:?}");
    let (_, reason) = &listed[lines.iter().position(|line| *line == 6).expect("listed")];
    assert!(
        reason.starts_with("start: ") && reason.contains("ahead of the server's clock"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_is_one_row_of_the_summary_and_one_refusal() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let long = "x".repeat(300);
    let transfer = |from: &str, to: &str, second: i64| {
        format!("T,{from},{to},{},2,e{second}\n", second * 1_000)
    };
    let rows = [
        transfer("", "a", 1),
        transfer("a", "b", 2),
        // The server refuses both changes.
        transfer(&format!("{long}1"), &format!("{long}2"), 3),
        transfer("", "", 4),
        transfer("b", "0x0000000000000000000000000000000000000000", 5),
    ];
    let file = folder.path().join("transfers.csv");
    let header = "token_id,from_id,to_id,at,amount,event_id\n";
    std::fs::write(&file, header.to_owned() + &rows.concat()).expect("a file");
    let rejects = folder.path().join("rejects.jsonl");
    let place = folder.path().join("place");
    for batch in ["1", "2", "3", "1000"] {
        let arguments = [
            "send",
            text(&file),
            "--rejects",
            text(&rejects),
            "--batch",
            batch,
        ];
        let sent = run(&service, &arguments);
        assert_eq!(said(&sent), "3 events acknowledged, 2 lines refused\n");
        let listed = std::fs::read_to_string(&rejects).expect("a list");
        let mut lines: Vec<_> = listed
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an object"))
            .map(|refused| refused["line"].as_u64().expect("a line"))
            .collect();
        lines.sort_unstable();
        assert_eq!(lines, [4, 5], "{listed}");
    }
    let arguments = [
        "send",
        text(&file),
        "--rejects",
        text(&rejects),
        "--resume",
        text(&place),
    ];
    run(&service, &arguments);
    let again = run(&service, &arguments);
    assert_eq!(
        said(&again),
        "0 events acknowledged, 0 lines refused; 5 rows were done before\n"
    );
    let expected = [("b", "6"), ("a", "2")].map(|(holder, score)| (holder.into(), score.into()));
    assert_eq!(scores(&service).await, expected);
}

/// As two events of a batch, the change of `a` was stored and that of the other party refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_with_one_refused_party_changes_neither() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let long = "x".repeat(257);
    let lines = format!(
        r#"{{"token_id":"T","to_id":"a","at":0,"amount":10,"event_id":"1"}}
{{"token_id":"T","holder_id":"hold","start":0,"end":1000}}
{{"token_id":"T","from_id":"a","to_id":"{long}","at":5000,"amount":4,"event_id":"2"}}
{{"token_id":"T","from_id":"a","to_id":"b","at":5000,"amount":1,"event_id":"3"}}
{{"token_id":"T","from_id":"a","to_id":"b","event_id":"3","revision":1,"retract":true}}
{{"token_id":"T","from_id":"a","to_id":"b","at":9000,"amount":"0.5","event_id":"4"}}
{{"token_id":"T","holder_id":"a","at":10000,"delta":"-9.5","event_id":"5"}}
{{"token_id":"T","from_id":"b","at":10000,"amount":"0.5","event_id":"6"}}
"#
    );
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, lines).expect("a file");
    let rejects = folder.path().join("rejects.jsonl");
    for batch in ["1", "3", "1000"] {
        let arguments = [
            "send",
            text(&file),
            "--rejects",
            text(&rejects),
            "--batch",
            batch,
        ];
        let sent = run(&service, &arguments);
        assert_eq!(said(&sent), "7 events acknowledged, 1 lines refused\n");
        let listed = std::fs::read_to_string(&rejects).expect("a list");
        let refused: serde_json::Value = serde_json::from_str(&listed).expect("one line");
        assert_eq!(refused["line"], 3);
        assert_eq!(refused["reason"], "to_id: 257 bytes, the maximum is 256");
    }
    let expected = [("a", "99.5"), ("hold", "1"), ("b", "0.5")];
    let expected = expected.map(|(holder, score)| (holder.into(), score.into()));
    assert_eq!(scores(&service).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_list_refused_lines_fail_the_run_after_all_else_is_sent() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, LINES).expect("a file");
    let sent = run(&service, &["send", text(&file)]);
    assert_eq!(sent.status.code(), Some(2), "{}", said(&sent));
    let expected = format!(
        "error: {}: line 2: holder_id: missing or empty (the first of 3 refused; --rejects FILE \
         lists them and lets the run pass)\n",
        text(&file)
    );
    assert!(said(&sent).ends_with(&expected), "{}", said(&sent));
    assert_eq!(scores(&service).await.len(), 3);
}

/// An address at which nobody listens.
fn nobody() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("bound").to_string()
}

#[test]
fn a_file_that_is_read_is_never_written() {
    let folder = tempdir().expect("a folder");
    let path = |name| folder.path().join(name);
    let (file, link, hard) = (path("a.jsonl"), path("link.jsonl"), path("hard.jsonl"));
    std::fs::write(&file, LINES).expect("a file");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    std::fs::hard_link(&file, &hard).expect("a link");
    let roundabout = folder.path().join(".").join("a.jsonl");
    let address = nobody();
    for name in [&file, &link, &hard, &roundabout] {
        for flag in ["--rejects", "--resume"] {
            let refused = run_at(&address, &["send", text(&file), flag, text(name)]);
            assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
            let expected = format!(
                "error: {flag} {}: this is the input {}, which would be overwritten; name another file\n",
                text(name),
                text(&file)
            );
            assert_eq!(said(&refused), expected);
            let kept = std::fs::read_to_string(&file).expect("a file");
            assert_eq!(kept, LINES);
        }
    }
    let both = text(&path("new.jsonl")).to_owned();
    let refused = run_at(
        &address,
        &["send", text(&file), "--resume", &both, "--rejects", &both],
    );
    assert_eq!(
        said(&refused),
        format!("error: --rejects {both}: --resume names the same file; name another one\n")
    );
    assert!(!path("new.jsonl").exists());
}

#[test]
fn what_cannot_be_read_or_remembered_is_said_before_a_server_is_asked() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("a.jsonl");
    std::fs::write(&file, LINES).expect("a file");
    let absent = folder.path().join("absent");
    let place = absent.join("place");
    let address = nobody();
    for (arguments, code, named) in [
        (vec!["send", text(&absent)], 2, &absent),
        (vec!["send", text(folder.path())], 2, &folder.path().into()),
        (
            vec!["send", text(&file), "--resume", text(&place)],
            74,
            &place,
        ),
    ] {
        let refused = run_at(&address, &arguments);
        let said = said(&refused);
        assert_eq!(refused.status.code(), Some(code), "{said}");
        assert!(
            said.contains(&format!("error: {}: ", text(named))),
            "{said}"
        );
        assert!(!said.contains("no server answers"), "{said}");
    }
}

#[test]
fn patience_is_kept_with_a_server_that_takes_connections_and_says_nothing() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, LINES).expect("a file");
    // The system takes connections for it; nobody ever reads them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("bound").to_string();
    let began = std::time::Instant::now();
    let refused = run_at(&address, &["send", text(&file), "--patience", "2"]);
    let took = began.elapsed();
    assert_eq!(refused.status.code(), Some(1));
    let said = said(&refused);
    assert!(
        said.contains(&format!(
            "gave up after 2 s: UNAVAILABLE: the server at http://{address} is silent"
        )),
        "{said}"
    );
    // Its pings alone would notice after thirty.
    assert!((2..25).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_the_other_protocol_is_known_by_its_answer() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, LINES).expect("a file");
    let as_http = "the server speaks HTTP, not gRPC; name its gRPC address";
    let not_http = "the server does not answer in HTTP/1; name its HTTP address";
    for (address, arguments, sentence) in [
        (&service.http, &["send", text(&file)][..], as_http),
        (&service.http, &["load", "--count", "9"], as_http),
        (
            &service.http,
            &["load", "--count", "9", "--protocol", "grpc-unary"],
            as_http,
        ),
        (
            &service.grpc,
            &["load", "--count", "9", "--protocol", "http"],
            not_http,
        ),
    ] {
        let failed = run_at(address, arguments);
        assert_eq!(failed.status.code(), Some(1), "{}", said(&failed));
        assert!(said(&failed).contains(sentence), "{}", said(&failed));
    }
}

#[test]
fn what_is_no_address_is_refused_by_its_flag() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, LINES).expect("a file");
    for address in ["", ":80", "a b"] {
        let refused = run_at(address, &["send", text(&file)]);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert_eq!(
            said(&refused),
            format!(
                "error: --server: \"http://{address}\" is not an address as in \
                 https://holdmetrics.example.org:60051\n"
            )
        );
    }
}

#[test]
fn a_server_that_is_away_is_given_up_with_its_address_after_all_of_the_patience() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, LINES).expect("a file");
    let address = nobody();
    let output = run_at(&address, &["send", text(&file), "--patience", "2"]);
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("gave up after 2 s: "), "{said}");
    assert!(
        said.contains(&format!(": http://{address}: no server answers: ")),
        "{said}"
    );
    assert!(said.contains("0 rows are done: run it again, "), "{said}");
}
