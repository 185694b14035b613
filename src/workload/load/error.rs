//! Why a run of `load` ends before its plan is done.

use std::io;
use std::time::Duration;

use hyper::StatusCode;

use crate::client::ClientError;

/// What ends a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LoadError {
    /// A gRPC call failed.
    #[error(transparent)]
    Grpc(#[from] ClientError),
    /// HTTP is spoken without TLS only.
    #[error(
        "load speaks HTTP without TLS only: name an http:// address, or use grpc-batch over TLS"
    )]
    HttpOverTls,
    /// The address and the key do not make a request.
    #[error("{url}: no request can be made of this address and key")]
    Request {
        /// The server.
        url: String,
        /// What is wrong with them.
        source: hyper::http::Error,
    },
    /// The server does not speak HTTP/1.
    #[error(
        "{url}: the server does not answer in HTTP/1; name its HTTP address, by default port 8000"
    )]
    NotHttp {
        /// The server.
        url: String,
    },
    /// There is no connection, or it broke.
    #[error("{url}: no answer")]
    Connection {
        /// The server.
        url: String,
        /// What the connection says.
        source: io::Error,
    },
    /// The answer took too long.
    #[error("{url}: no answer within {} s", wait.as_secs_f64())]
    Late {
        /// The server.
        url: String,
        /// How long it was waited for.
        wait: Duration,
    },
    /// The server refused the request.
    #[error("{url}: {status}: {body}")]
    Status {
        /// The server.
        url: String,
        /// Its status.
        status: StatusCode,
        /// What it says.
        body: String,
    },
    /// The server answered something else than a count of accepted events.
    #[error("{url}: the answer has no count of accepted events; is this a Holdmetrics server?")]
    Answer {
        /// The server.
        url: String,
        /// What is wrong with the answer.
        source: serde_json::Error,
    },
}
