//! The time window of a question.

use super::Micros;

/// `[from, as_of)`, and whether open holds count.
///
/// ```
/// use poh_holdmetrics_rust::core::{Micros, Window};
///
/// let instant = |micros| Micros::new(micros).expect("within years 0001 to 9999");
/// let window = Window {
///     from: Some(instant(10)),
///     ..Window::until(instant(20))
/// };
/// assert_eq!(window.overlap(instant(15), instant(30)), 5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First instant that counts; `None` for the beginning of time.
    pub from: Option<Micros>,
    /// First instant that no longer counts.
    pub as_of: Micros,
    /// Leaves out what comes after a key's last mark.
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

/// Microseconds from `start` to `end`; 0 if `end` is not after `start`.
#[must_use]
#[inline]
pub(crate) fn length(start: Micros, end: Micros) -> u64 {
    u64::try_from(end.get() - start.get()).unwrap_or(0)
}
