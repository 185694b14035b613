//! What stands still in an engine: a disk that does not answer, or events that are on disk and not applied.
//!
//! A stall may pass by itself. While it lasts, senders wait and nothing is refused; readiness checks tell load
//! balancers to look elsewhere.

use std::time::Duration;

/// What has stood still for longer than the setting `store.stall_max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stall {
    /// A write of the journal, or a look at its files.
    #[error("the disk has not answered for longer than store.stall_max; events wait until it does")]
    Disk,
    /// The thread that applies what is on disk.
    #[error(
        "events that are on disk have not been applied for longer than store.stall_max; their acknowledgements wait"
    )]
    Applier,
}

impl Stall {
    /// The first one that stands for longer than `stall_max`.
    pub(super) fn of(disk: Duration, applier: Duration, stall_max: Duration) -> Option<Self> {
        if disk > stall_max {
            Some(Self::Disk)
        } else if applier > stall_max {
            Some(Self::Applier)
        } else {
            None
        }
    }

    /// The name by which programs know it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Disk => "DISK_STALLED",
            Self::Applier => "APPLIER_STALLED",
        }
    }

    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk_stalled",
            Self::Applier => "applier_stalled",
        }
    }
}
