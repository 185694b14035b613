//! The certificates in use: one chain, its key and the client authorities, for both protocols.
//!
//! Reloaded when one of their files changes; if the new files are invalid, the old certificates stay in use. A
//! connection keeps the certificates of its handshake, but ends if the new authorities do not accept its client. The
//! files are read in `tls`.

use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tracing::{info, warn};

use super::reloadable::Reloadable;
use super::tls::{Acceptors, TlsError, acceptors};
use crate::config::TlsFiles;
use crate::error_line::error_line;
use crate::telemetry::metrics::Metrics;

/// The certificates in use and their files.
pub(super) struct Certificates {
    chain: PathBuf,
    acceptors: Reloadable<Acceptors, TlsError>,
    metrics: Arc<Metrics>,
    reloads: watch::Sender<()>,
}

impl Certificates {
    /// Reads the files that `settings` name.
    pub(super) fn open(settings: &TlsFiles, metrics: Arc<Metrics>) -> Result<Self, TlsError> {
        let TlsFiles {
            certificate,
            key,
            client_ca,
        } = settings;
        let files = [certificate, key].into_iter().chain(client_ca);
        let files = files.cloned().collect();
        let acceptors = {
            let settings = settings.clone();
            Reloadable::open(files, move || acceptors(&settings))?
        };
        metrics
            .certificate_expiry
            .set(acceptors.get().expiry_seconds);
        Ok(Self {
            chain: certificate.clone(),
            acceptors,
            metrics,
            reloads: watch::Sender::new(()),
        })
    }

    /// For a handshake: gRPC offers HTTP/2 only, HTTP offers HTTP/1.1 too.
    pub(super) fn acceptor(&self, is_http2_only: bool) -> TlsAcceptor {
        let acceptors = self.acceptors.get();
        if is_http2_only {
            acceptors.grpc.clone()
        } else {
            acceptors.http.clone()
        }
    }

    /// Resolves when a client that presented `chain` would no longer be accepted.
    pub(super) async fn distrusted(&self, chain: &[CertificateDer<'static>]) {
        let mut reloads = self.reloads.subscribe();
        while self.acceptors.get().accepts(chain) {
            if reloads.changed().await.is_err() {
                return pending().await;
            }
        }
    }

    /// Reloads the files. If that fails, the certificates stay.
    pub(super) fn reload(&self) {
        self.report(self.acceptors.reload());
    }

    /// Reloads the files if one of them has changed; an error is logged once.
    pub(super) fn reload_if_changed(&self) {
        if let Some(read) = self.acceptors.reload_if_changed() {
            self.report(read);
        }
    }

    fn report(&self, read: Result<Arc<Acceptors>, TlsError>) {
        self.metrics.certificates_reloaded(read.is_ok());
        match read {
            Ok(acceptors) => {
                self.metrics
                    .certificate_expiry
                    .set(acceptors.expiry_seconds);
                self.reloads.send_replace(());
                info!(file = %self.chain.display(), "Reloaded the certificates.");
            }
            Err(error) => {
                warn!(error = %error_line(&error), "Cannot reload the certificates; the old ones stay in use.");
            }
        }
    }
}
