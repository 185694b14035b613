//! How many files the process may have open: as many as the system grants, and connections within that.
//!
//! Every connection is an open file, and so are the segments of the journal. Callers without a key must
//! not be able to take the last one from the store.

use tracing::warn;

/// Kept for the store, the sockets that listen, and telemetry.
const RESERVE: usize = 64;

/// Raises the limit as far as the system allows, and gives how many of `chosen` connections fit below it.
pub(super) fn connections_max(chosen: usize) -> usize {
    let Some(open_files_max) = raised() else {
        return chosen;
    };
    let fitting = fitting(chosen, open_files_max);
    if fitting < chosen {
        warn!(
            chosen,
            open_files_max,
            used = fitting,
            "limits.connections_max does not fit below the limit of open files and was lowered: \
             raise that limit (LimitNOFILE= of the unit, `ulimit -Hn`) or choose fewer connections."
        );
    }
    fitting
}

fn fitting(chosen: usize, open_files_max: usize) -> usize {
    chosen.min(open_files_max.saturating_sub(RESERVE).max(1))
}

/// The limit that holds now; `None` where there is none.
#[cfg(unix)]
fn raised() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: maximum,
        maximum,
    };
    let granted = match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => maximum,
        // macOS grants less than it names; what held before still does.
        Err(_) => current,
    };
    granted.map(|files| usize::try_from(files).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
fn raised() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_a_reserve_of_open_files() {
        for (chosen, open_files_max, expected) in [
            (1_024, 65_536, 1_024),
            (1_024, 1_088, 1_024),
            (1_024, 1_087, 1_023),
            (1_024, 1_024, 960),
            (1_024, 64, 1),
            (1, 0, 1),
        ] {
            assert_eq!(fitting(chosen, open_files_max), expected);
        }
    }
}
