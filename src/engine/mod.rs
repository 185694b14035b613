//! The one place that orders: validate, append, apply, acknowledge.
//!
//! [`Gate`] says what may come in, [`Engine`] takes it and answers questions. It knows no network and
//! no Python; who serves, serves this. Read in this order: `hold_engine` (the whole), `admission`
//! (the way in), `applier` (what is durable is applied and acknowledged), `recovery` (a start),
//! `flusher` (the state behind it).

mod admission;
mod answer;
mod applier;
mod clock;
mod error;
mod flusher;
mod gate;
mod hold_engine;
mod options;
mod overlay;
mod progress;
mod receipt;
mod recovery;
mod round;
mod state_file;
mod state_keeper;
mod state_view;

pub use answer::{Cursor, HolderAnswer, KeySegments, Page, Question, RankedHolder};
pub use clock::{Clock, SystemClock};
pub use error::OpenError;
pub use gate::{Gate, Rejection};
pub use hold_engine::Engine;
pub use options::{Durability, Options};
pub use receipt::{Condition, Pending, Receipt, SubmitError};
pub use state_view::{view_damaged_state, view_state};
