//! The network: gRPC and HTTP in front of the engine, with certificates, API keys and limits.
//!
//! Converts requests and responses; what an event or a score is, is decided in `engine` and `core`. Read
//! `settings`, `server`, `listener`, `connection`, `activity`, `answer_budget` and `byte_account` (sockets),
//! `certificates`, [`keys`], `key_ring`, `access` and `lifetime` (authorization), [`Administration`] (pipelines), `feed`
//! (events out), then `grpc` and `http`.

mod access;
mod activity;
mod address_limit;
mod administration;
mod answer_budget;
mod byte_account;
mod certificates;
pub(crate) mod code_name;
mod connection;
mod context;
mod credentials;
mod feed;
mod grpc;
mod http;
mod key_ring;
pub mod keys;
mod lifetime;
mod listener;
mod observed_io;
mod page_token;
pub mod pb;
mod query_pool;
mod reloadable;
mod report_limit;
mod request_id;
mod server;
mod settings;
mod tls;
mod unparsed;

pub use administration::{AdminAnswer, AdminError, AdminErrorKind, Administration};
pub use credentials::{Credentials, CredentialsError};
#[cfg(fuzzing)]
pub use grpc::Conversion;
pub use server::{Listeners, Server};
pub use settings::{InsecureBind, Settings};
pub use tls::TlsError;
