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
mod progress;
mod receipt;
mod recovery;
mod round;
mod state_file;
mod state_keeper;
mod submit_error;
mod upload_window;
mod validator;

pub use answer::{Cursor, HolderAnswer, KeySegments, Page, Question, RankedHolder};
pub use clock::{Clock, SystemClock};
pub use error::OpenError;
pub use gate::{Gate, Rejection};
pub use hold_engine::Engine;
pub use options::{Durability, Options};
pub use receipt::{Pending, Receipt};
pub use recovery::JOURNAL_FOLDER;
pub use state_keeper::{STATE_FILE, STATE_FILE_SALVAGED};
pub use submit_error::{Condition, SubmitError};
pub use upload_window::{Acked, OpenBatch, UploadWindow};
pub use validator::Validator;
