//! The certificates in force: one chain, its key and the authorities of clients, for both protocols.
//!
//! Read from their files, and read again when one of them changes; files that cannot be used leave the old ones
//! in force. A connection keeps those that it began with. See `tls` for what the files hold.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use super::reloadable::Reloadable;
use super::tls::{ServerSide, TlsError, server_side};
use crate::config::TlsFiles;
use crate::error_line::error_line;
use crate::telemetry::metrics::Metrics;

/// The certificates in force, and the files that they come from.
pub(super) struct Certificates {
    chain: PathBuf,
    server_side: Reloadable<ServerSide, TlsError>,
    metrics: Arc<Metrics>,
}

impl Certificates {
    /// Those that `settings` name.
    pub(super) fn open(settings: &TlsFiles, metrics: Arc<Metrics>) -> Result<Self, TlsError> {
        let TlsFiles {
            certificate,
            key,
            client_ca,
        } = settings;
        let files = [certificate, key].into_iter().chain(client_ca);
        let files = files.cloned().collect();
        let server_side = {
            let settings = settings.clone();
            Reloadable::open(files, move || server_side(&settings))?
        };
        metrics
            .certificate_expiry
            .set(server_side.get().expiry_seconds);
        Ok(Self {
            chain: certificate.clone(),
            server_side,
            metrics,
        })
    }

    /// For one handshake: that of gRPC, or that of HTTP, which speaks HTTP/1.1 too.
    pub(super) fn acceptor(&self, is_http2_only: bool) -> TlsAcceptor {
        let server_side = self.server_side.get();
        if is_http2_only {
            server_side.grpc.clone()
        } else {
            server_side.http.clone()
        }
    }

    /// Reads the files again. Where that fails, the certificates that were in force stay.
    pub(super) fn reload(&self) {
        self.tell(self.server_side.reload());
    }

    /// Reads the files again where one of them has changed; what is wrong with them is logged once.
    pub(super) fn reload_if_changed(&self) {
        if let Some(read) = self.server_side.reload_if_changed() {
            self.tell(read);
        }
    }

    fn tell(&self, read: Result<Arc<ServerSide>, TlsError>) {
        self.metrics.certificates_reloaded(read.is_ok());
        match read {
            Ok(server_side) => {
                self.metrics
                    .certificate_expiry
                    .set(server_side.expiry_seconds);
                info!(file = %self.chain.display(), "Read the certificates again.");
            }
            Err(error) => warn!(error = %error_line(&error), "The certificates stay as they were."),
        }
    }
}
