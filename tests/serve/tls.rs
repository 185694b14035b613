//! Certificates of the built binary: SIGHUP, and what the log says of those that cannot be used.

use std::time::Duration;

use crate::authority::{Authority, HttpsClient};
use crate::support::Service;
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
    assert_eq!(said("Read the certificates again.").len(), 1);
    let [line] = said("The certificates stay as they were.")[..] else {
        panic!("{}", ended.stderr);
    };
    let expected = format!("{certificate}, {key}: not a certificate and its key: ");
    assert!(line.contains("WARN") && line.contains(&expected), "{line}");
}
