//! The built binary's service, each in a process of its own that is ended by its id.
#![cfg(unix)]

#[path = "../support/authority.rs"]
mod authority;

mod airdrop;
#[path = "../support/arbitrary.rs"]
mod arbitrary;
#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "shared with the journal's tests")]
#[path = "../support/crash.rs"]
mod crash;
mod cryptopunks;
#[cfg(target_os = "linux")]
mod failures;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "shared with the journal's tests")]
#[path = "../support/faulty.rs"]
mod faulty;
mod feed;
mod feed_kill;
#[cfg(feature = "py-embed")]
mod gate;
mod history;
mod keys;
mod kill;
mod kill_sealing;
mod lifecycle;
mod load;
#[expect(dead_code, reason = "shared with the tests of the aggregator")]
#[path = "../support/naive.rs"]
mod naive;
mod otlp;
#[cfg(target_os = "linux")]
mod power_loss;
#[path = "../support/sales.rs"]
mod sales;
mod send;
mod send_resume;
#[cfg(target_os = "linux")]
mod shim;
mod support;
mod tls;
