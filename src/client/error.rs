//! Why a call of the client failed, and whether another attempt may succeed.

use std::error::Error;
use std::io;
use std::time::Duration;

use tokio_rustls::rustls::{self, CertificateError};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::net::code_name::code_name;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address, the certificate or the key cannot be used.
    #[error("the {what} cannot be used")]
    Target {
        /// "address of the server", "certificate" or "API key".
        what: &'static str,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Nothing answers there.
    #[error("{url}: no server answers")]
    Connect {
        /// The server.
        url: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server expects TLS, and the address begins with `http:`.
    #[error("{url}: the server speaks TLS: use https://{}", after_scheme(url))]
    NeedsTls {
        /// The server.
        url: String,
    },
    /// The server does not speak TLS, and the address begins with `https:`.
    #[error(
        "{url}: the server does not speak TLS: use http://{}",
        after_scheme(url)
    )]
    NoTls {
        /// The server.
        url: String,
    },
    /// The certificate of the server is not signed by a known authority, has expired or is for
    /// another name.
    #[error("{url}: the certificate of the server is not trusted{}", cure(source))]
    Untrusted {
        /// The server.
        url: String,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// The server answered in HTTP without gRPC.
    #[error("the server speaks HTTP, not gRPC; name its gRPC address, by default port 60051")]
    NotGrpc,
    /// Events came in whenever the pages of an answer were read.
    #[error(
        "the state of the server changed while its pages were read, five times; pause the senders, or read a copy of its \
         data folder with --data-dir"
    )]
    Changing,
    /// The server answered with an error, or the connection broke.
    #[error("{}: {}", code_name(status.code()), status.message())]
    Call {
        /// The status that the server or the transport reported.
        status: Box<Status>,
    },
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        if is_plain_http(&status) {
            return Self::NotGrpc;
        }
        Self::Call {
            status: Box::new(status),
        }
    }
}

impl ClientError {
    /// A stream ended without an error, but too early.
    #[must_use]
    pub fn ended(what: &str) -> Self {
        Status::unavailable(what).into()
    }

    /// Whether another call uses the consumer.
    #[must_use]
    pub fn is_consumer_in_use(&self) -> bool {
        let Self::Call { status } = self else {
            return false;
        };
        let details = status.get_details_error_info();
        details.is_some_and(|info| info.reason == "CONSUMER_IN_USE")
    }

    /// `None` if the same call would fail again; else when to retry, if the server says so.
    #[must_use]
    pub fn retry(&self) -> Option<Option<Duration>> {
        match self {
            Self::Target { .. }
            | Self::NeedsTls { .. }
            | Self::NoTls { .. }
            | Self::Untrusted { .. }
            | Self::NotGrpc
            | Self::Changing => None,
            Self::Connect { .. } => Some(None),
            Self::Call { status } => match status.code() {
                Code::Unavailable | Code::Aborted | Code::Cancelled | Code::DeadlineExceeded => {
                    Some(None)
                }
                Code::ResourceExhausted => {
                    let details = status.get_error_details();
                    Some(details.retry_info().and_then(|info| info.retry_delay))
                }
                // How tonic reports a broken connection.
                Code::Unknown | Code::Internal if is_transport(status) => Some(None),
                _ => None,
            },
        }
    }
}

/// A gRPC server answers an unknown method with HTTP status 200; only other HTTP servers answer 404.
fn is_plain_http(status: &Status) -> bool {
    status.message().ends_with("status: 404 Not Found")
}

pub(super) fn is_transport(status: &Status) -> bool {
    status.source().is_some()
}

/// What helps if nothing but the authority is unknown.
fn cure(error: &rustls::Error) -> &'static str {
    match error {
        // A wrong signature is that of another authority of the same name.
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => ", name its authority with --ca",
        _ => "",
    }
}

fn after_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// The innermost cause of a connection that failed: the others say "transport error" or the like.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> io::Error {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let code = innermost.downcast_ref().and_then(io::Error::raw_os_error);
    code.map_or_else(
        || io::Error::other(innermost.to_string()),
        io::Error::from_raw_os_error,
    )
}
