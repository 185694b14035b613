//! What a score is, and nothing else: values in, values out.
//!
//! This module uses no file, network, clock, thread, log or interpreter. Reading order: [`time`], [`weight`] and
//! [`balance`] (the quantities), [`event`], [`draft`] and [`refusal`] (what is sent and what is refused),
//! [`LikelyCause`] (what a refused text probably is) and [`Addressed`] (whom the cure is for), [`columns`] (many
//! events as slices), [`key`] (all facts of one key), [`timeline`] (the effective weight over time), [`score`] (its
//! integral), [`window`], [`leaderboard`], [`deficit`] (what is missing from the input), [`findings`] (what is
//! probably not meant), [`rule`] (what a policy is); [`glob`] chooses ids, [`hex_digits`] shortens them; [`encoding`]
//! is the format of events in our own files, and [`StoreId`] tells the files of different stores apart.

mod audience;
mod balance;
mod changes;
pub(crate) mod columns;
pub(crate) mod deficit;
mod double;
pub(crate) mod draft;
pub mod encoding;
pub(crate) mod event;
pub(crate) mod findings;
mod glob;
pub(crate) mod hex_digits;
pub mod key;
mod large;
pub(crate) mod leaderboard;
mod likely_cause;
mod lone;
mod packed;
mod packed_id;
pub(crate) mod refusal;
mod rule;
pub(crate) mod score;
pub(crate) mod sink;
mod sorted;
mod standings;
mod store_id;
pub(crate) mod time;
mod time_text;
pub(crate) mod timeline;
pub(crate) mod transfer;
pub(crate) mod weight;
pub(crate) mod window;

pub use audience::{Addressed, Audience, To};
pub use balance::{Balance, Delta, Quantity};
pub use columns::{Deltas, EventColumns, LengthMismatch, TransferColumns, Weights};
pub use deficit::Deficit;
pub use draft::Draft;
pub use encoding::{EVENT_BYTES_MAX, EncodingError, EventBatch};
pub use event::{Claim, Event, Events, Fact, Standing};
pub use findings::{Findings, Instants, Spellings};
pub use glob::Glob;
pub use key::KeyFacts;
pub use leaderboard::{HolderScore, RankedHolder, Snapshot};
pub use likely_cause::LikelyCause;
pub use refusal::{Field, Refusal};
pub use rule::{Group, HeldBy, HeldKey, ScoreRule};
pub use score::{Score, Totals};
pub use sink::{ClosedHold, EventSink, TransferRow};
pub use store_id::StoreId;
pub use time::{Micros, TimeError, TimeUnit};
pub use time_text::TimeForm;
pub use timeline::{HeldSegment, Mark, Segment, Timeline};
pub use transfer::NULL_ADDRESS;
pub use weight::{Wad, WeightError};
pub use window::Window;
