//! The engine: validates events, appends them to the journal, applies them, acknowledges them, and
//! answers queries.
//!
//! It knows no network protocol and no Python. Read in this order: `hold_engine` (the public face), `validator`
//! (validation), `upload_window` (the batches of one upload), `gate` (operators' code before the journal),
//! `event_queue` (backpressure), `applier` (apply and acknowledge), `flusher` (the state, in the background),
//! `opening` and `recovery` (loading a folder), `listings` and `kept_pages` (leaderboards page by page), `feed` (what
//! was acknowledged, for consumers), `rounds` (sealed rounds of airdrops).

mod answer;
mod applier;
mod clock;
mod data_folder;
mod entry_batch;
mod error;
mod event_limits;
mod event_queue;
mod feed;
mod flusher;
pub mod gate;
mod hold_engine;
mod kept_deficits;
mod kept_function;
mod kept_leaderboard;
mod kept_pages;
mod kept_ranking;
mod listings;
mod opening;
mod options;
mod policies;
mod progress;
mod receipt;
mod recovery;
mod rounds;
mod stall;
mod state_file;
mod store_watch;
mod submit_error;
mod upload_window;
mod validator;
mod vfs_backend;

pub use answer::{
    BalanceChange, Cursor, DeficitCursor, DeficitEnd, DeficitPage, DeficitRoom, HolderAnswer,
    KeyReport, Page, Question, RankedHolder,
};
pub(crate) use clock::micros_since_1970;
pub use clock::{Clock, SystemClock};
pub use error::OpenError;
pub use event_limits::EventLimits;
pub use event_limits::Rejection;
pub(crate) use feed::{CURSOR_FILE, CURSOR_FILE_SALVAGED, CursorFile};
pub use feed::{
    CommitFuture, Consumer, ConsumerReport, Feed, FeedBatch, FeedError, Origin, Place, Start,
    WhenFull,
};
pub use hold_engine::Engine;
pub use listings::ListingError;
pub use options::{Durability, Options};
pub use policies::{PipelinePolicy, Policies, PolicyFunction, PublishError};
pub use receipt::{Pending, Receipt};
pub(crate) use recovery::JOURNAL_FOLDER;
pub use rounds::{
    HashedLines, PolicyVersion, RoundError, RoundManifest, RoundOptions, RoundPage, RoundProof,
    RoundRequest, Rounds, SealError, Sealed, StoreHead,
};
pub(crate) use rounds::{rounds_folder, verify_rounds};
pub use stall::Stall;
pub(crate) use state_file::{STATE_FILE, STATE_FILE_SALVAGED};
pub use submit_error::{Condition, SubmitError};
pub use upload_window::{Acked, OpenBatch, UploadWindow};
pub use validator::Validator;
