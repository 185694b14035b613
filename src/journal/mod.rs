//! The journal: events on disk before they are acknowledged, in segments of chained frames.
//!
//! It treats events as bytes and a count, and does not apply them. Read in this order: `vfs` (the file
//! system as a trait), `frame` and `segment` (the format), `identity` (which store
//! it is, and how far its journal reached), `scan` (a torn tail or damage), `survey`
//! (all segments), `open` and `hold_journal` (opening, replay), `appender` and `preallocation` (one
//! frame, one segment), `writer` (group commit), `tail` (reading while it is written), `watch` (files that are
//! removed or replaced meanwhile), `readable` and `salvage` (damaged journals).
//! `docs/journal-format.md` specifies the bytes.

mod appender;
mod error;
mod folder;
mod frame;
mod hold_journal;
mod identity;
mod in_hand;
mod layout;
mod lock;
mod open;
mod options;
mod preallocation;
mod readable;
mod real;
mod salvage;
mod scan;
mod segment;
mod survey;
mod tail;
mod vfs;
mod watch;
mod writer;

pub use appender::Appender;
pub use error::{Damage, Defect, JournalError, WriteError};
pub use hold_journal::{Journal, JournalSize};
pub(crate) use identity::{named_beside, random_store};
pub use in_hand::InHand;
pub use lock::FolderLock;
pub use open::{OpenReport, OpenedJournal};
pub use options::JournalOptions;
pub(crate) use preallocation::is_full;
pub use readable::{LostEvents, ReadReport, read_damaged};
pub use real::RealVfs;
pub use salvage::{SalvagedJournal, salvage};
pub use survey::EventFrame;
pub(crate) use survey::{SegmentState, SegmentSurvey, Survey, survey};
pub use tail::{TailRead, TailReader};
pub use vfs::{Access, FileNumber, FileStatus, HeldLock, LockOutcome, Vfs, VfsFile, VfsFolder};
pub use watch::{Change, check_place};
pub use writer::{CommitHandler, CommittedFrame, Poisoner, Submission, Writer, WriterCondition};
