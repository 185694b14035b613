//! The engine and the state that it keeps: what is acknowledged survives, and what is asked is exact.

#[path = "../support/arbitrary.rs"]
mod arbitrary;
#[path = "../support/crash.rs"]
mod crash;
#[path = "../support/faulty.rs"]
mod faulty;
#[path = "../support/naive.rs"]
mod naive;
#[path = "../support/rule_gate.rs"]
mod rule_gate;

mod feed;
mod feed_cursors;
mod feed_journal;
mod folder;
mod gate;
mod history;
mod in_place;
mod promises;
mod rounds;
mod snapshots;
mod state;
mod state_store;
mod support;
