//! Rounds of an airdrop: a pool shared by the scores of one state, sealed with its tree, and served for ever.
//!
//! A round never changes, also if the events behind it are corrected later: its list is kept in a journal of its own,
//! beside that of events, and its tree is built again from the list. Read in this order: `request` (what is asked for),
//! `manifest` (what came out), `record` (what is on disk), `sealed_round` (proofs), `round_journal` (the disk), `rounds` (all of
//! them), `seal` (computes one), `verify` (reads all of a folder that no service uses).

mod error;
mod manifest;
mod record;
mod request;
mod round_journal;
#[expect(clippy::module_inception, reason = "it holds all of them")]
mod rounds;
mod seal;
mod sealed_round;
mod verify;

pub use error::{RoundError, SealError};
pub use manifest::{HashedLines, PolicyVersion, RoundManifest, RoundOptions, StoreHead};
pub use request::RoundRequest;
pub(super) use round_journal::Disk;
pub(crate) use round_journal::folder_of as rounds_folder;
pub(super) use rounds::RoundsOptions;
pub use rounds::{RoundPage, Rounds, Sealed};
pub use sealed_round::RoundProof;
pub(crate) use verify::verify_rounds;
