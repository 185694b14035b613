//! The embedded interpreter, tried from outside: the built binary in surroundings of each test's own.
//!
//! One crate for all of it, because each is linked with everything that the binary holds.
#![cfg(feature = "py-embed")]

mod boot;
mod native;
mod program;
mod scripts;
#[cfg(unix)]
mod signals;
