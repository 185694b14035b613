//! The network: gRPC and HTTP in front of the engine, with certificates, keys and limits.
//!
//! It converts, asks and answers; nothing is decided here about events or scores. Read `settings` (what can
//! be chosen), `server` (how it runs), `listener`, `connection` and `activity` (sockets), `certificates`,
//! [`keys`], `key_ring` and `access` (who may do what), then `grpc` and `http`.

mod access;
mod activity;
mod addresses;
mod certificates;
pub(crate) mod code_name;
mod connection;
mod credentials;
mod grpc;
mod house;
mod http;
mod in_force;
mod key_ring;
pub mod keys;
mod listener;
mod page_token;
pub mod pb;
mod questions;
mod report;
mod request_id;
mod server;
mod settings;
mod tls;
mod watched;

pub use credentials::{Credentials, CredentialsError};
#[cfg(fuzzing)]
pub use grpc::Conversion;
pub use server::{Listeners, Server};
pub use settings::{InsecureBind, Settings};
pub use tls::TlsError;
