//! TLS, client certificates, invalid files and reloads. `docs/security.md` names these tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::authority::{Authority, HttpsClient};
use crate::support::{Service, hold, within};
use poh_holdmetrics_rust::config::{Keys, TlsFiles};
use poh_holdmetrics_rust::net::pb::hold_metrics_client::HoldMetricsClient;
use poh_holdmetrics_rust::net::{Credentials, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

/// With a certificate of `authority`.
fn settings(authority: &Authority, client_ca: Option<PathBuf>) -> Settings {
    let (certificate, key) = authority.issue();
    Settings {
        tls: Some(TlsFiles {
            certificate: authority.put("server.pem", &certificate),
            key: authority.put("server.key", &key),
            client_ca,
        }),
        ..Settings::default()
    }
}

fn trusting(authority: &Authority) -> ClientTlsConfig {
    ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(pem(authority)))
        .domain_name("localhost")
}

/// The certificate of the authority itself.
fn pem(authority: &Authority) -> String {
    std::fs::read_to_string(authority.path("ca.pem")).unwrap()
}

fn identity(of: &Authority) -> Identity {
    let (certificate, key) = of.issue();
    Identity::from_pem(certificate, key)
}

async fn client(
    service: &Service,
    tls: ClientTlsConfig,
) -> Result<HoldMetricsClient<Channel>, String> {
    let address = format!("https://localhost:{}", service.grpc.port());
    let endpoint = Channel::from_shared(address)
        .unwrap()
        .tls_config(tls)
        .unwrap();
    let channel = within(endpoint.connect())
        .await
        .map_err(|error| error.to_string())?;
    Ok(HoldMetricsClient::new(channel))
}

async fn record(client: &mut HoldMetricsClient<Channel>) -> Result<(), String> {
    within(client.record(hold("T", "a", 0, 1)))
        .await
        .map(|_| ())
        .map_err(|status| status.to_string())
}

/// Sends a request over a new connection.
async fn record_over_tls(service: &Service, tls: ClientTlsConfig) -> Result<(), String> {
    record(&mut client(service, tls).await?).await
}

async fn healthz(service: &Service, client: &HttpsClient) -> std::io::Result<String> {
    within(client.get(service.http, "/healthz")).await
}

#[tokio::test]
async fn with_tls_both_protocols_refuse_plain_connections() {
    let authority = Authority::new();
    let service = Service::with(settings(&authority, None)).await;
    record_over_tls(&service, trusting(&authority))
        .await
        .unwrap();
    let stranger = Authority::new();
    assert!(
        record_over_tls(&service, trusting(&stranger))
            .await
            .is_err()
    );

    let status = healthz(&service, &HttpsClient::new(&authority, None))
        .await
        .unwrap();
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    // Without TLS there is no response.
    let mut plain = within(TcpStream::connect(service.http)).await.unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = within(plain.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    service.end().await;
}

#[tokio::test]
async fn with_a_client_authority_a_client_needs_a_certificate() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let service = Service::with(settings(&authority, Some(clients.path("ca.pem")))).await;
    let known = trusting(&authority).identity(identity(&clients));
    record_over_tls(&service, known).await.unwrap();
    let unknown = trusting(&authority).identity(identity(&authority));
    assert!(record_over_tls(&service, unknown).await.is_err());
    assert!(
        record_over_tls(&service, trusting(&authority))
            .await
            .is_err()
    );

    let nobody = HttpsClient::new(&authority, None);
    assert!(healthz(&service, &nobody).await.is_err());
    let known = HttpsClient::new(&authority, Some(clients.issue()));
    let answer = healthz(&service, &known).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    service.end().await;
}

#[tokio::test]
async fn a_handshake_has_a_timeout() {
    let authority = Authority::new();
    let mut settings = settings(&authority, None);
    settings.limits.handshake_wait_max = Duration::from_millis(100);
    let service = Service::with(settings).await;
    let mut silent = within(TcpStream::connect(service.grpc)).await.unwrap();
    let mut nothing = Vec::new();
    let _ = within(silent.read_to_end(&mut nothing)).await;
    let counted = service
        .metrics_line("holdmetrics_connections_refused_total{reason=\"handshake\"}")
        .await;
    assert_eq!(counted.as_deref(), Some("1"));
    service.end().await;
}

#[test]
fn invalid_files_are_named_at_the_start() {
    let authority = Authority::new();
    let missing = authority.path("missing.pem");
    let refusal = |settings: Settings| {
        let metrics = Arc::new(poh_holdmetrics_rust::telemetry::metrics::Metrics::new(
            "0", "",
        ));
        let refused = Credentials::read(&settings, &metrics).err();
        refused.expect("refused").to_string()
    };
    let tls = |change: fn(&mut TlsFiles, &Path)| {
        let mut settings = settings(&authority, None);
        change(settings.tls.as_mut().unwrap(), &missing);
        refusal(settings)
    };
    let named = missing.display().to_string();
    assert!(tls(|tls, file| tls.certificate = file.to_owned()).starts_with(&named));
    assert!(tls(|tls, file| tls.key = file.to_owned()).starts_with(&named));
    assert!(tls(|tls, file| tls.client_ca = Some(file.to_owned())).starts_with(&named));
    let swapped = tls(|tls, _| tls.certificate = tls.key.clone());
    assert!(
        swapped.ends_with("server.key: contains no certificate"),
        "{swapped}"
    );
    let keys = refusal(Settings {
        keys: Keys {
            file: Some(missing.clone()),
            ..Keys::default()
        },
        ..Settings::default()
    });
    assert!(
        keys.starts_with(&format!("{named}: the API keys cannot be read")),
        "{keys}"
    );
}

/// Waits until the certificates were reloaded `times` times with this result.
async fn reloads(service: &Service, result: &str, times: u32) {
    let series = format!("holdmetrics_certificate_reloads_total{{result=\"{result}\"}}");
    within(async {
        while service.metrics_line(&series).await != Some(times.to_string()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

async fn expiry(service: &Service) -> Option<String> {
    service
        .metrics_line("holdmetrics_certificate_expiry_timestamp_seconds ")
        .await
}

#[tokio::test]
async fn a_renewed_certificate_serves_new_connections_and_old_ones_continue() {
    let (old, new) = (Authority::new(), Authority::new());
    let service = Service::with(settings(&old, None)).await;
    let mut open = client(&service, trusting(&old)).await.unwrap();
    record(&mut open).await.unwrap();
    assert_eq!(
        expiry(&service).await.as_deref(),
        Some("4102444800"),
        "2100"
    );

    // The key first: a reload in between finds a mismatched key.
    let (certificate, key) = new.issue_until(2040);
    old.put("server.key", &key);
    old.put("server.pem", &certificate);
    reloads(&service, "ok", 1).await;
    reloads(&service, "failed", 0).await;
    record_over_tls(&service, trusting(&new)).await.unwrap();
    let status = healthz(&service, &HttpsClient::new(&new, None)).await;
    assert!(status.unwrap().starts_with("HTTP/1.1 200"));
    assert!(record_over_tls(&service, trusting(&old)).await.is_err());
    let unknown = healthz(&service, &HttpsClient::new(&old, None)).await;
    assert!(unknown.is_err(), "{unknown:?}");
    assert_eq!(
        expiry(&service).await.as_deref(),
        Some("2208988800"),
        "2040"
    );

    // A new connection of this client would not trust the new certificate.
    record(&mut open).await.unwrap();
    service.end().await;
}

#[tokio::test]
async fn a_mismatched_key_leaves_the_old_certificate_in_use() {
    let authority = Authority::new();
    let clients = Authority::new();
    let client_ca = clients.path("ca.pem");
    let service = Service::with(settings(&authority, Some(client_ca))).await;
    let client = HttpsClient::new(&authority, Some(clients.issue()));
    let (certificate, key) = authority.issue();
    let half = &certificate[..certificate.len() / 2];
    let mut failed = 0;
    for (folder, name, content) in [
        (&authority, "server.key", &*key),
        (&authority, "server.pem", ""),
        (&authority, "server.pem", half),
        (&authority, "server.key", "no key"),
        (&clients, "ca.pem", ""),
    ] {
        folder.put(name, content);
        failed += 1;
        reloads(&service, "failed", failed).await;
        let tls = trusting(&authority).identity(identity(&clients));
        record_over_tls(&service, tls).await.unwrap();
        healthz(&service, &client).await.unwrap();
    }
    std::fs::remove_file(authority.path("server.pem")).unwrap();
    reloads(&service, "failed", failed + 1).await;
    healthz(&service, &client).await.unwrap();
    assert_eq!(
        expiry(&service).await.as_deref(),
        Some("4102444800"),
        "2100"
    );
    service.end().await;
}

#[tokio::test]
async fn a_renewed_client_authority_decides_who_connects_from_then_on() {
    let (authority, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let client_ca = old.path("ca.pem");
    let service = Service::with(settings(&authority, Some(client_ca))).await;
    let of_old = || trusting(&authority).identity(identity(&old));
    let of_new = || trusting(&authority).identity(identity(&new));
    let old_browser = HttpsClient::new(&authority, Some(old.issue()));
    let new_browser = HttpsClient::new(&authority, Some(new.issue()));
    let mut open = client(&service, of_old()).await.unwrap();
    record(&mut open).await.unwrap();
    healthz(&service, &old_browser).await.unwrap();
    assert!(record_over_tls(&service, of_new()).await.is_err());
    assert!(healthz(&service, &new_browser).await.is_err());

    old.put("ca.pem", &pem(&new));
    reloads(&service, "ok", 1).await;
    record_over_tls(&service, of_new()).await.unwrap();
    healthz(&service, &new_browser).await.unwrap();
    assert!(record_over_tls(&service, of_old()).await.is_err());
    // It may resume its session, which must not replace the certificate.
    assert!(healthz(&service, &old_browser).await.is_err());
    // The connection that was open is closed, with its streams.
    assert!(record(&mut open).await.is_err());
    service.end().await;
}
