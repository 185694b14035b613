//! The journal on real folders and on a disk in memory that loses power: format, recovery, salvage and writer.

#[path = "../support/crash.rs"]
mod crash;
#[path = "../support/faulty.rs"]
mod faulty;
#[path = "../support/journal_writer.rs"]
mod journal_writer;

mod contents;
mod disk;
mod format;
mod identity;
mod recovery;
mod salvage;
mod writer;
