//! The built binary's service, each in a process of its own that is ended by its id.
#![cfg(unix)]

#[path = "../support/authority.rs"]
mod authority;

mod airdrop;
mod cryptopunks;
#[cfg(target_os = "linux")]
mod failures;
mod feed;
mod feed_kill;
#[cfg(feature = "py-embed")]
mod gate;
mod keys;
mod kill;
mod lifecycle;
mod load;
mod otlp;
#[path = "../support/sales.rs"]
mod sales;
mod send;
mod support;
mod tls;
