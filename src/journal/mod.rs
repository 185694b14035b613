//! Events on disk before they are acknowledged: segments of chained frames, one writer, group commit.
//!
//! It knows events only as bytes and a count, and nothing of what is applied or answered. Read in
//! this order: `vfs` (what it asks of a file system), `frame` and `segment` (what lies on disk),
//! `scan` (a torn tail against damage), `survey` (all segments), `hold_journal` (opening and
//! replay), `appender` and `ahead` (one frame, one file), `queue` and `writer` (group commit),
//! `readable` and `salvage` (out of damage). `docs/journal-format.md` draws the bytes.

mod ahead;
mod appender;
mod error;
mod frame;
mod hold_journal;
mod lock;
mod options;
mod queue;
mod readable;
mod real;
mod salvage;
mod scan;
mod segment;
mod survey;
mod sync;
mod vfs;
mod writer;

pub use appender::Appender;
pub use error::{Damage, Defect, JournalError, Refused};
pub use hold_journal::{Figures, Journal, Opened, Recovered};
pub use lock::FolderLock;
pub use options::JournalOptions;
pub use readable::{Lost, Readable, read_readable};
pub use real::RealVfs;
pub use salvage::{Salvaged, salvage};
pub use survey::{Frame, SegmentState, SegmentSurvey, Survey, survey};
pub use vfs::{Access, Locking, Vfs, VfsFile, VfsFolder};
pub use writer::{Committed, Condition, Sink, Submission, Writer};
