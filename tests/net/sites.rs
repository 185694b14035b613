//! Names and web pages that may reach a service without API keys. `docs/security.md` names these tests.

use axum::http::Method;
use poh_holdmetrics_rust::config::Keys;
use poh_holdmetrics_rust::net::Settings;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Service, within};

/// Sends `head`, lines of a request without the last empty one; returns the status and the body.
pub(crate) async fn ask(service: &Service, head: &str) -> (u16, String) {
    let mut stream = within(TcpStream::connect(service.http)).await.unwrap();
    let request = format!(
        "{}\r\nconnection: close\r\n\r\n",
        head.replace('\n', "\r\n")
    );
    within(stream.write_all(request.as_bytes())).await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (
        status.unwrap_or_else(|| panic!("{answer}")),
        body.to_owned(),
    )
}

/// The field that a refusal names, or nothing if the request is served.
async fn refused(service: &Service, head: &str) -> Option<(u16, String)> {
    let (status, body) = ask(service, head).await;
    if status < 400 {
        return None;
    }
    let problem: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{head}: {body}"));
    Some((status, problem["field"].as_str().unwrap_or("").to_owned()))
}

/// A request of a page: the method, the host that it names, and further header lines.
fn page(method: &Method, path: &str, host: &str, lines: &str) -> String {
    format!("{method} {path} HTTP/1.1\nhost: {host}{lines}")
}

#[tokio::test]
async fn a_name_that_is_not_of_the_service_is_refused() {
    let service = Service::start().await;
    let get = |host: &str| page(&Method::GET, "/leaderboard", host, "");
    let port = service.http.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST:80",
        "localhost.",
        "[::1]:8000",
        "10.1.2.3",
    ] {
        assert_eq!(refused(&service, &get(host)).await, None, "{host}");
    }
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        "127.0.0.1.evil.example".to_owned(),
        "localhost.evil.example".to_owned(),
        "2130706433".to_owned(),
    ] {
        let expected = Some((403, "host".to_owned()));
        assert_eq!(refused(&service, &get(&host)).await, expected, "{host}");
        let upload = page(&Method::POST, "/hold", &host, "\ncontent-length: 0");
        assert_eq!(refused(&service, &upload).await, expected, "{host}");
    }
    // A probe of a load balancer may use any name.
    let probe = page(&Method::GET, "/readyz", "evil.example", "");
    assert_eq!(refused(&service, &probe).await, None);
    service.end().await;

    let named = Service::with(Settings {
        allowed_hosts: vec!["scores.example".to_owned()],
        ..Settings::default()
    })
    .await;
    assert_eq!(refused(&named, &get("Scores.example:80")).await, None);
    assert!(refused(&named, &get("evil.example")).await.is_some());
    named.end().await;
}

#[tokio::test]
async fn a_request_names_one_host() {
    let service = Service::start().await;
    let bad = Some((400, "host".to_owned()));
    for head in [
        "GET /stats HTTP/1.1",
        "GET /stats HTTP/1.1\nhost: localhost\nhost: localhost",
        "GET /stats HTTP/1.1\nhost: localhost\nhost: evil.example",
        "GET /stats HTTP/1.1\nhost:",
        "GET /stats HTTP/1.1\nhost: a b",
        "GET /stats HTTP/1.1\nhost: ann@localhost",
        "GET http://evil.example/stats HTTP/1.1\nhost: localhost",
        "GET /healthz HTTP/1.1",
    ] {
        assert_eq!(refused(&service, head).await, bad, "{head}");
    }
    assert_eq!(refused(&service, "GET /stats HTTP/1.0").await, None);
    service.end().await;
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_unless_configured() {
    let closed = Service::start().await;
    let of_page = |lines: &str| page(&Method::GET, "/stats", "localhost:8000", lines);
    for lines in [
        "\norigin: http://localhost:8000",
        "\nsec-fetch-site: same-origin",
        "\nsec-fetch-site: none",
        // A link that the user follows.
        "\nsec-fetch-site: cross-site\nsec-fetch-mode: navigate",
    ] {
        assert_eq!(refused(&closed, &of_page(lines)).await, None, "{lines}");
    }
    for (lines, field) in [
        ("\norigin: https://a.example", "origin"),
        ("\norigin: http://localhost:9000", "origin"),
        ("\norigin: null", "origin"),
        ("\nsec-fetch-site: cross-site", "sec-fetch-site"),
        ("\nsec-fetch-site: same-site", "sec-fetch-site"),
        (
            "\nsec-fetch-site: cross-site\nsec-fetch-mode: no-cors",
            "sec-fetch-site",
        ),
    ] {
        let expected = Some((403, field.to_owned()));
        assert_eq!(refused(&closed, &of_page(lines)).await, expected, "{lines}");
    }
    // A form of another page is a navigation too, and its method changes something.
    let form = "\ncontent-length: 0\nsec-fetch-site: cross-site\nsec-fetch-mode: navigate";
    let form = page(&Method::POST, "/hold", "localhost", form);
    let expected = Some((403, "sec-fetch-site".to_owned()));
    assert_eq!(refused(&closed, &form).await, expected);
    closed.end().await;

    let open = Service::with(Settings {
        cors_origins: vec!["https://a.example".to_owned()],
        ..Settings::default()
    })
    .await;
    let allowed = "\norigin: https://a.example\nsec-fetch-site: cross-site";
    assert_eq!(refused(&open, &of_page(allowed)).await, None);
    assert!(
        refused(&open, &of_page("\norigin: https://b.example"))
            .await
            .is_some()
    );
    // Such a page may call, but not operate.
    let operate = page(&Method::GET, "/admin/pipelines", "localhost", allowed);
    assert_eq!(
        refused(&open, &operate).await,
        Some((403, "origin".to_owned()))
    );
    open.end().await;
}

#[tokio::test]
async fn with_keys_the_key_decides() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let entry = format!("[[key]]\nname = \"a\"\nscopes = [\"read\"]\nsha256 = \"{hash}\"\n");
    std::fs::write(&file, entry).unwrap();
    let service = Service::with(Settings {
        keys: Keys {
            file: Some(file),
            ..Keys::default()
        },
        ..Settings::default()
    })
    .await;
    let lines =
        "\norigin: https://a.example\nsec-fetch-site: cross-site\nauthorization: Bearer test";
    let head = page(&Method::GET, "/stats", "scores.example", lines);
    assert_eq!(refused(&service, &head).await, None);
    service.end().await;
}
