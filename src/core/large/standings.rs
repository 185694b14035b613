//! The named events of a large key, divided over tables by name.
//!
//! Only one of the tables grows at a time, so no event waits until a million names have been moved.

use crate::core::standings::{PackedId, Replaced, Standings};
use crate::core::{Claim, Standing};

/// The number of tables.
const TABLES: usize = 64;

/// Named events by name.
#[derive(Clone, Default)]
pub(super) struct DividedStandings {
    /// Empty until there is a name.
    tables: Vec<Standings>,
    count: usize,
}

impl DividedStandings {
    /// The number of names.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// Replaces the standing of a name and returns the previous one; `None` if the previous one prevails.
    pub(super) fn replace(&mut self, event_id: &str, standing: Standing) -> Option<Replaced> {
        if self.tables.is_empty() {
            self.tables.resize_with(TABLES, Standings::default);
        }
        let id = PackedId::of(event_id);
        let table = &mut self.tables[place(id.spread())];
        let known = table.len();
        let replaced = table.replace_packed(&id, standing);
        self.count += table.len() - known;
        replaced
    }

    /// Calls `visit` with the claim in force of each name, in arbitrary order.
    pub(super) fn claims(&self, mut visit: impl FnMut(Claim<'_>)) {
        for table in &self.tables {
            table.claims(&mut visit);
        }
    }

    /// The same for up to `claims_max` of them, from `place` on; returns where to go on. New names may be added
    /// meanwhile: none of the others is visited twice or left out.
    pub(super) fn claims_from(
        &self,
        (number, skipped): (usize, usize),
        claims_max: usize,
        visit: impl FnMut(Claim<'_>),
    ) -> Option<(usize, usize)> {
        let table = self.tables.get(number)?;
        table.claims_from(skipped, claims_max, visit);
        let skipped = skipped.saturating_add(claims_max);
        if skipped < table.len() {
            Some((number, skipped))
        } else {
            Some((number + 1, 0))
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "below the number of tables"
)]
const fn place(spread: u64) -> usize {
    (spread % TABLES as u64) as usize
}
