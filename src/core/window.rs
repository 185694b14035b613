//! The stretch of time that a question is about.

use super::Micros;

/// `[from, as_of)`, and whether what is still open counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First instant that counts; `None` for the beginning of time.
    pub from: Option<Micros>,
    /// First instant that no longer counts.
    pub as_of: Micros,
    /// Leaves out what follows a key's last mark.
    pub closed_only: bool,
}

impl Window {
    /// Everything before `as_of`, open holds included.
    #[must_use]
    pub const fn until(as_of: Micros) -> Self {
        Self {
            from: None,
            as_of,
            closed_only: false,
        }
    }

    /// The first instant that counts.
    #[must_use]
    pub fn start(&self) -> Micros {
        self.from.unwrap_or(Micros::MIN)
    }

    /// The length in microseconds of `[start, end)` inside the window.
    #[must_use]
    #[inline]
    pub fn overlap(&self, start: Micros, end: Micros) -> u64 {
        length(start.max(self.start()), end.min(self.as_of))
    }
}

/// Microseconds from `start` to `end`; 0 where `end` is not after `start`.
#[must_use]
#[inline]
pub(crate) fn length(start: Micros, end: Micros) -> u64 {
    u64::try_from(end.get() - start.get()).unwrap_or(0)
}
