//! What a large key answers: totals over a window, and the effective weight over time.
//!
//! Nothing is changed; withdrawals that are still under way are completed in a copy.

use super::account::{Account, Walk};
use super::{LargeKey, Outline};
use crate::core::timeline::{HeldSegments, push_joined};
use crate::core::{Balance, Micros, Quantity, Segment, Totals, Window};

impl LargeKey {
    /// Totals over `window`.
    pub(in crate::core) fn score(&self, window: &Window) -> Totals {
        let key = self.lowered();
        let (start, end) = (window.start(), window.as_of);
        let whole = |last: Option<Micros>| last.filter(|_| window.closed_only).unwrap_or(end);
        // From these instants on, the curve of the marks and the balance do not count.
        let mark_end = whole(key.marks.last().map(|(at, _)| at)).clamp(start, end.max(start));
        let change_end = whole(key.account.as_deref().map(Account::last));
        let change_end = change_end.clamp(start, end.max(start));
        let mut totals = Totals::ZERO;
        let both = mark_end.min(change_end);
        for (from, until) in [
            (start, both),
            (both, mark_end.max(change_end)),
            (mark_end.max(change_end), end),
        ] {
            let curve = if from < mark_end {
                key.stated()
            } else {
                key.holds()
            };
            let account = key.account.as_deref().filter(|_| from < change_end);
            totals += match account {
                Some(account) => {
                    let mut walk = Walk::new(curve, (from, until), usize::MAX);
                    account.add_totals(&mut walk);
                    walk.totals
                }
                None => curve.totals(from, until),
            };
        }
        totals
    }

    /// The effective weight as maximal stretches, in order of time.
    pub(in crate::core) fn segments(&self) -> Vec<Segment> {
        let key = self.lowered();
        let mut segments = Vec::new();
        let Outline {
            beginning: Some(beginning),
            horizon: Some(horizon),
            open,
            ..
        } = key.edges()
        else {
            return segments;
        };
        let mut join = |start, end, weight| {
            push_joined(&mut segments, Segment { start, end, weight });
        };
        let mut stated = Vec::new();
        key.stated().held(beginning, horizon, |start, end, weight| {
            stated.push((start, end, weight.into()));
        });
        match key.account.as_deref() {
            None => stated
                .into_iter()
                .for_each(|(start, end, weight)| join(start, Some(end), weight)),
            Some(account) => {
                let mut levels = vec![(Micros::MIN, Balance::ZERO)];
                account.levels(|at, balance| levels.push((at, balance)));
                larger(&stated, &levels, horizon, |start, end, weight| {
                    join(start, Some(end), weight);
                });
            }
        }
        if let Some(weight) = open {
            join(horizon, None, weight);
        }
        segments
    }

    /// Appends the segments within `window`.
    pub(in crate::core) fn held_within(&self, window: &Window, segments: &mut HeldSegments<'_>) {
        let key = self.lowered();
        let (start, end) = (window.start(), window.as_of);
        let whole = |last: Option<Micros>| last.filter(|_| window.closed_only).unwrap_or(end);
        let mark_end = whole(key.marks.last().map(|(at, _)| at)).clamp(start, end.max(start));
        let mut stated = Vec::new();
        for (curve, from, until) in [
            (key.stated(), start, mark_end),
            (key.holds(), mark_end, end),
        ] {
            if from < until {
                curve.held(from, until, |from, until, weight| {
                    stated.push((from, until, weight.into()));
                });
            }
        }
        let Some(account) = key.account.as_deref() else {
            for (start, end, weight) in stated {
                segments.push(start, end, weight);
            }
            return;
        };
        let mut levels = vec![(Micros::MIN, Balance::ZERO)];
        account.levels(|at, balance| levels.push((at, balance)));
        if window.closed_only
            && let Some((_, last)) = levels.last_mut()
        {
            *last = Balance::ZERO;
        }
        larger(&stated, &levels, end, |start, end, weight| {
            segments.push(start, end, weight);
        });
    }
}

/// Calls `visit` with what is held before `horizon` by the segments `stated` or by the balance from each of `levels`
/// on, whichever is larger, in order of time. Neighbours may have the same weight.
fn larger(
    stated: &[(Micros, Micros, Quantity)],
    levels: &[(Micros, Balance)],
    horizon: Micros,
    mut visit: impl FnMut(Micros, Micros, Quantity),
) {
    let mut stated = stated.iter().peekable();
    for (place, (start, balance)) in levels.iter().enumerate() {
        let end = levels.get(place + 1).map_or(horizon, |(next, _)| *next);
        let mut cursor = *start;
        while cursor < end {
            while stated.next_if(|(_, until, _)| *until <= cursor).is_some() {}
            let (until, weight) = match stated.peek() {
                Some((from, until, weight)) if *from <= cursor => (*until, Some(*weight)),
                Some((from, ..)) => (*from, None),
                None => (end, None),
            };
            let until = until.min(end);
            if let Some(held) = weight.max(balance.held()) {
                visit(cursor, until, held);
            }
            cursor = until;
        }
    }
}
