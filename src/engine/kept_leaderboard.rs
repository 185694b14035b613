//! A whole leaderboard that is kept for its next pages.
//!
//! For how long, and within which bound, is decided in `kept_pages`.

use super::answer::{Cursor, Page, RankedHolder};
use super::kept_pages::KeptListing;
use crate::core::{HolderScore, Totals};

/// What a leaderboard takes beside its rows.
const LISTING_BYTES: usize = 256;

/// A whole leaderboard, in little memory.
pub(super) struct KeptLeaderboard {
    /// The ids of all holders, one after the other.
    ids: String,
    rows: Box<[KeptRow]>,
    /// Holders before the first row, if it goes on from a key.
    passed: u64,
    /// The page without its holders and its cursor.
    page: Page,
}

struct KeptRow {
    id_end: usize,
    rank: u64,
    totals: Totals,
}

impl KeptLeaderboard {
    /// Keeps the whole of `page`, which begins behind `passed` holders.
    pub(super) fn new(mut page: Page, passed: u64) -> Self {
        let holders = std::mem::take(&mut page.holders);
        page.next = None;
        let mut ids = String::with_capacity(
            holders
                .iter()
                .map(|row| row.holder.holder_id.len())
                .sum::<usize>(),
        );
        let rows = holders.into_iter().map(|RankedHolder { rank, holder }| {
            ids.push_str(&holder.holder_id);
            KeptRow {
                id_end: ids.len(),
                rank,
                totals: holder.totals,
            }
        });
        Self {
            rows: rows.collect(),
            ids,
            passed,
            page,
        }
    }

    fn row(&self, index: usize) -> Option<RankedHolder> {
        let row = self.rows.get(index)?;
        let id_begin = index
            .checked_sub(1)
            .map_or(0, |before| self.rows[before].id_end);
        Some(RankedHolder {
            rank: row.rank,
            holder: HolderScore {
                holder_id: self.ids[id_begin..row.id_end].into(),
                totals: row.totals,
            },
        })
    }

    /// `size` holders from the row `first` on; `id` is the one under which it is kept.
    pub(super) fn page(&self, id: u64, first: usize, size: usize) -> Page {
        let end = first.saturating_add(size).min(self.rows.len());
        let holders: Vec<_> = (first..end).filter_map(|index| self.row(index)).collect();
        let last = holders.last().filter(|_| end < self.rows.len());
        let next = last.map(|last| Cursor {
            last: last.clone(),
            listed: self.passed.saturating_add(end as u64),
            kept: Some(id),
        });
        Page {
            holders,
            next,
            ..self.page.clone()
        }
    }
}

impl KeptListing for KeptLeaderboard {
    type Cursor = Cursor;
    const ROW_BYTES: usize = size_of::<KeptRow>();

    fn bytes(&self) -> usize {
        LISTING_BYTES + self.ids.len() + size_of_val(&*self.rows)
    }

    fn row_behind(&self, cursor: &Cursor) -> Option<usize> {
        let next = usize::try_from(cursor.listed.checked_sub(self.passed)?).ok()?;
        (self.row(next.checked_sub(1)?)? == cursor.last).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Wad;

    /// Holders with these ids and falling scores.
    fn leaderboard(ids: &[&str], passed: u64) -> KeptLeaderboard {
        let holder = |(index, id): (u32, &&str)| RankedHolder {
            rank: u64::from(index) + 1,
            holder: HolderScore {
                holder_id: (*id).into(),
                totals: Totals::of(Wad::ONE, u64::from(1_000 - index)),
            },
        };
        let page = Page {
            holders: (0..).zip(ids).map(holder).collect(),
            next: None,
            known: ids.len(),
            deficits: 3,
            sequence: 7,
            policy_version: None,
        };
        KeptLeaderboard::new(page, passed)
    }

    fn ids(page: &Page) -> Vec<&str> {
        let holders = page.holders.iter();
        holders.map(|row| &*row.holder.holder_id).collect()
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        for passed in [0, 9] {
            let whole = leaderboard(&["a", "bé", "c", "", "e"], passed);
            let id = 5;
            let page = |cursor: &_, size| whole.page(id, whole.row_behind(cursor).unwrap(), size);
            let first = whole.page(id, 0, 2);
            assert_eq!((ids(&first), first.sequence), (vec!["a", "bé"], 7));
            let cursor = first.next.unwrap();
            assert_eq!((cursor.listed, cursor.kept), (passed + 2, Some(id)));
            let second = page(&cursor, 2);
            assert_eq!((ids(&second), second.deficits), (vec!["c", ""], 3));
            let cursor = second.next.unwrap();
            let third = page(&cursor, usize::MAX);
            assert_eq!((ids(&third), &third.next), (vec!["e"], &None));
            for listed in [0, passed, passed + 1, passed + 9, u64::MAX] {
                let forged = Cursor {
                    listed,
                    ..cursor.clone()
                };
                assert_eq!(whole.row_behind(&forged), None, "{listed}");
            }
        }
    }
}
