//! The limit of open files: raised as far as the system allows, and kept above the limit of connections.
//!
//! Connections and the segments of the journal are open files. Callers, who need no key to connect, must
//! not be able to take the last one from the store.

use tracing::warn;

/// Open files that are reserved for the store, the listening sockets and telemetry.
const RESERVE: usize = 64;

/// Raises the limit of open files as far as the system allows, and returns how many of `chosen`
/// connections fit below it.
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

/// Raises the limit to the maximum and returns it; `None` means no limit.
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
        // macOS grants less than its maximum; the limit is then unchanged.
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
