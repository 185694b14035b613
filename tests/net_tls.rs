//! Certificates: what is spoken, who is let in, what is named at the start. `docs/security.md` names these tests.

mod net_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use net_support::{Service, hold, within};
use poh_holdmetrics_rust::net::pb::hold_metrics_client::HoldMetricsClient;
use poh_holdmetrics_rust::net::{Credentials, Settings, TlsSettings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// Certificate and key for localhost, as PEM.
    fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self, client_ca: Option<PathBuf>) -> Settings {
        let (certificate, key) = self.issue();
        fs::write(self.path("server.pem"), certificate).unwrap();
        fs::write(self.path("server.key"), key).unwrap();
        Settings {
            tls: Some(TlsSettings {
                certificate: self.path("server.pem"),
                key: self.path("server.key"),
                client_ca,
            }),
            ..Settings::default()
        }
    }

    fn client(&self) -> ClientTlsConfig {
        ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(self.issuer.pem()))
            .domain_name("localhost")
    }
}

async fn record_over_tls(service: &Service, tls: ClientTlsConfig) -> Result<(), String> {
    let address = format!("https://localhost:{}", service.grpc.port());
    let endpoint = Channel::from_shared(address)
        .unwrap()
        .tls_config(tls)
        .unwrap();
    let channel = within(endpoint.connect())
        .await
        .map_err(|error| error.to_string())?;
    let mut client = HoldMetricsClient::new(channel);
    within(client.record(hold("T", "a", 0, 1)))
        .await
        .map(|_| ())
        .map_err(|status| status.to_string())
}

#[tokio::test]
async fn tls_is_spoken_on_both_protocols_and_nothing_else() {
    let authority = Authority::new();
    let service = Service::with(authority.settings(None)).await;
    record_over_tls(&service, authority.client()).await.unwrap();
    let stranger = Authority::new();
    assert!(record_over_tls(&service, stranger.client()).await.is_err());

    let status = https_healthz(&service, &authority, None).await.unwrap();
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    // In the clear there is no answer.
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
async fn with_client_certificates_only_their_owners_are_let_in() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let service = Service::with(authority.settings(Some(clients.path("ca.pem")))).await;
    let identity = |of: &Authority| {
        let (certificate, key) = of.issue();
        Identity::from_pem(certificate, key)
    };
    let known = authority.client().identity(identity(&clients));
    record_over_tls(&service, known).await.unwrap();
    let unknown = authority.client().identity(identity(&authority));
    assert!(record_over_tls(&service, unknown).await.is_err());
    assert!(record_over_tls(&service, authority.client()).await.is_err());

    assert!(https_healthz(&service, &authority, None).await.is_err());
    let answer = https_healthz(&service, &authority, Some(clients.issue()))
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    service.end().await;
}

/// The answer to `GET /healthz` over TLS, as text.
async fn https_healthz(
    service: &Service,
    authority: &Authority,
    identity: Option<(String, String)>,
) -> std::io::Result<String> {
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
    let mut roots = RootCertStore::empty();
    roots.add(authority.issuer.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => config
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    let stream = within(TcpStream::connect(service.http)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = within(connector.connect(name, stream)).await?;
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn a_handshake_that_does_not_come_ends_the_connection() {
    let authority = Authority::new();
    let mut settings = authority.settings(None);
    settings.limits.handshake_wait_max = Duration::from_millis(100);
    let service = Service::with(settings).await;
    let mut silent = within(TcpStream::connect(service.grpc)).await.unwrap();
    let mut nothing = Vec::new();
    let _ = within(silent.read_to_end(&mut nothing)).await;
    let counted =
        service.metrics_line("holdmetrics_connections_refused_total{reason=\"handshake\"}");
    assert_eq!(counted.as_deref(), Some("1"));
    service.end().await;
}

#[test]
fn files_that_cannot_be_used_are_named_at_the_start() {
    let authority = Authority::new();
    let missing = authority.path("missing.pem");
    let refusal = |settings: Settings| {
        let metrics = Arc::new(poh_holdmetrics_rust::telemetry::metrics::Metrics::new(
            "0", "",
        ));
        let refused = Credentials::read(&settings, &metrics).err();
        refused.expect("refused").to_string()
    };
    let tls = |change: fn(&mut TlsSettings, &Path)| {
        let mut settings = authority.settings(None);
        change(settings.tls.as_mut().unwrap(), &missing);
        refusal(settings)
    };
    let named = missing.display().to_string();
    assert!(tls(|tls, file| tls.certificate = file.to_owned()).starts_with(&named));
    assert!(tls(|tls, file| tls.key = file.to_owned()).starts_with(&named));
    assert!(tls(|tls, file| tls.client_ca = Some(file.to_owned())).starts_with(&named));
    let swapped = tls(|tls, _| tls.certificate = tls.key.clone());
    assert!(
        swapped.ends_with("server.key: holds no certificate"),
        "{swapped}"
    );
    let keys = refusal(Settings {
        api_keys: Some(missing.clone()),
        ..Settings::default()
    });
    assert!(
        keys.starts_with(&format!("{named}: the API keys cannot be read")),
        "{keys}"
    );
}
