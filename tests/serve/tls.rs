//! Certificates of the built binary: SIGHUP, what the log says of those that cannot be used, and what
//! `send` says of a server with TLS.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::authority::{Authority, HttpsClient};
use crate::support::{Service, said};
use tempfile::tempdir;

/// Waits until the certificates were read again with this result so often.
async fn reloads(service: &Service, client: &HttpsClient, result: &str, times: u32) {
    let line = format!("\nholdmetrics_certificate_reloads_total{{result=\"{result}\"}} {times}\n");
    let address = service.http.parse().expect("an address");
    let counted = async {
        loop {
            let page = client.get(address, "/metrics").await.expect("the old one");
            if page.contains(&line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let counted = tokio::time::timeout(Duration::from_secs(20), counted).await;
    counted.expect("it is counted in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reads_the_certificates_again_and_what_is_wrong_is_logged_once() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue();
    let certificate = authority.put("server.pem", &certificate);
    let key = authority.put("server.key", &key);
    let folder = tempdir().expect("a folder");
    let [certificate, key] = [&certificate, &key].map(|path| path.to_str().expect("text"));
    let service = Service::start(
        folder.path(),
        &["--tls-cert", certificate, "--tls-key", key],
    );
    let client = HttpsClient::new(&authority, None);

    // No file has changed: nothing but the signal has them read.
    service.signal("HUP");
    reloads(&service, &client, "ok", 1).await;

    let (_, stranger) = authority.issue();
    authority.put("server.key", &stranger);
    reloads(&service, &client, "failed", 1).await;
    for _ in 0..10 {
        reloads(&service, &client, "failed", 1).await;
    }
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));
    let said = |sentence: &str| -> Vec<&str> {
        let lines = ended.stderr.lines();
        lines.filter(|line| line.contains(sentence)).collect()
    };
    assert_eq!(said("Reloaded the certificates.").len(), 1);
    let [line] = said("Cannot reload the certificates; the old ones stay in use.")[..] else {
        panic!("{}", ended.stderr);
    };
    let expected = format!("{certificate}, {key}: not a certificate and its private key: ");
    assert!(line.contains("WARN") && line.contains(&expected), "{line}");
}

/// `send` of one event to `server`, where the system trusts the authorities in `trusted`.
fn send(server: &str, trusted: &Path, arguments: &[&str]) -> Output {
    let file = trusted.with_file_name("events.jsonl");
    std::fs::write(&file, LINE).expect("a file");
    Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
        .arg("send")
        .arg(&file)
        .args(["--server", server])
        .args(arguments)
        .env("SSL_CERT_FILE", trusted)
        .env_remove("LOG_LEVEL")
        .output()
        .expect("the binary runs")
}

const LINE: &str = "{\"token_id\":\"T\",\"holder_id\":\"a\",\"start\":0,\"end\":1000}\n";

#[test]
fn send_trusts_the_roots_of_the_system_or_those_that_are_named() {
    let (authority, other) = (Authority::new(), Authority::new());
    let folder = tempdir().expect("a folder");
    let service = with_tls(folder.path(), &authority);
    let port = service.grpc.rsplit(':').next().expect("a port");
    let server = format!("https://localhost:{port}");
    let trusted = authority.path("ca.pem");
    let named = ["--ca", trusted.to_str().expect("text")];
    for sent in [
        send(&server, &trusted, &[]),
        send(&server, &other.path("ca.pem"), &named),
    ] {
        assert!(sent.status.success(), "{}", said(&sent));
    }
    let key = authority.path("server.key");
    let refused = send(&server, &trusted, &["--ca", key.to_str().expect("text")]);
    let sentence =
        "error: the file of certificate authorities cannot be used: it holds no certificate\n";
    assert!(said(&refused).ends_with(sentence), "{}", said(&refused));
    let refused = send(&server, &other.path("ca.pem"), &[]);
    assert_eq!(refused.status.code(), Some(1));
    let said = said(&refused);
    let reason = "the certificate of the server is not trusted, name its authority with --ca: ";
    assert!(
        said.contains(&format!("error: {server}: {reason}")),
        "{said}"
    );
    assert!(!said.contains("run it again"), "{said}");
}

#[test]
fn send_says_at_once_whether_the_server_speaks_tls() {
    let authority = Authority::new();
    let folder = tempdir().expect("a folder");
    let encrypted = with_tls(&folder.path().join("a"), &authority);
    let plain = Service::start(&folder.path().join("b"), &[]);
    let trusted = authority.path("ca.pem");
    let began = Instant::now();
    let speaks =
        |address: &str| format!("http://{address}: the server speaks TLS: use https://{address}\n");
    let does_not = |address: &str| {
        format!("https://{address}: the server does not speak TLS: use http://{address}\n")
    };
    let (encrypted, plain) = (&encrypted.grpc, &plain.grpc);
    for (server, sentence) in [
        (format!("http://{encrypted}"), speaks(encrypted)),
        (encrypted.clone(), speaks(encrypted)),
        (format!("https://{plain}"), does_not(plain)),
    ] {
        let refused = send(&server, &trusted, &[]);
        assert_eq!(refused.status.code(), Some(1));
        let said = said(&refused);
        assert!(said.ends_with(&format!("error: {sentence}")), "{said}");
        assert!(!said.contains("run it again"), "{said}");
    }
    // An address of this machine needs no scheme.
    let sent = send(plain, &trusted, &[]);
    assert!(sent.status.success(), "{}", said(&sent));
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "it did not try again"
    );
}

fn with_tls(folder: &Path, authority: &Authority) -> Service {
    let (certificate, key) = authority.issue();
    let certificate = authority.put("server.pem", &certificate);
    let key = authority.put("server.key", &key);
    let [certificate, key] = [&certificate, &key].map(|path| path.to_str().expect("text"));
    Service::start(folder, &["--tls-cert", certificate, "--tls-key", key])
}
