//! The locks that `queue` uses; a test puts others in their place.

pub(super) use std::sync::{Condvar, Mutex, MutexGuard};
