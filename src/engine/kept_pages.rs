//! Whole leaderboards that are kept for their next pages, so that all pages of one listing are of one state.
//!
//! Each is kept for a time after its last use and all of them within a bound of bytes; beyond it the one that was used
//! least recently is dropped. Computes nothing; see `listings`.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::answer::{Cursor, Page, RankedHolder};
use crate::core::{HolderScore, Totals};

/// What a leaderboard takes beside its rows.
const LISTING_BYTES: usize = 256;

/// A whole leaderboard, in little memory.
pub(super) struct KeptListing {
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

impl KeptListing {
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

    fn bytes(&self) -> usize {
        LISTING_BYTES + self.ids.len() + size_of_val(&*self.rows)
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

    /// The index of the row behind `cursor`; `None` if it is not a cursor of this leaderboard.
    fn row_behind(&self, cursor: &Cursor) -> Option<usize> {
        let next = usize::try_from(cursor.listed.checked_sub(self.passed)?).ok()?;
        (self.row(next.checked_sub(1)?)? == cursor.last).then_some(next)
    }
}

/// Where the page behind a cursor is.
pub(super) enum Found {
    /// Here.
    Page(Page),
    /// It was dropped.
    Gone,
    /// The cursor was not given out.
    Foreign,
}

/// The leaderboards that are kept, by number.
pub(super) struct KeptPages {
    keep: Duration,
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    listings: HashMap<u64, Entry>,
    bytes: usize,
}

struct Entry {
    listing: Arc<KeptListing>,
    used_at: Instant,
}

impl KeptPages {
    /// Keeps leaderboards for `keep` after their last use, and at most `bytes_max` bytes of them.
    pub(super) fn new(keep: Duration, bytes_max: usize) -> Self {
        Self {
            keep,
            bytes_max,
            kept: Mutex::default(),
        }
    }

    /// The most rows that may fit.
    pub(super) const fn rows_max(&self) -> usize {
        self.bytes_max / size_of::<KeptRow>()
    }

    /// Keeps a leaderboard; the number under which it is found, unless it does not fit.
    pub(super) fn keep(&self, listing: Arc<KeptListing>, now: Instant) -> u64 {
        // A number that cannot be guessed, and that another process would not give.
        let id = RandomState::new().build_hasher().finish();
        let bytes = listing.bytes();
        if bytes <= self.bytes_max {
            let mut kept = self.lock();
            kept.release(|entry| now.duration_since(entry.used_at) < self.keep);
            while kept.bytes + bytes > self.bytes_max {
                let oldest = kept.listings.iter().min_by_key(|(_, entry)| entry.used_at);
                let oldest = oldest.map(|(id, _)| *id);
                kept.remove(oldest.expect("they take bytes"));
            }
            kept.bytes += bytes;
            let used_at = now;
            kept.listings.insert(id, Entry { listing, used_at });
        }
        id
    }

    /// The `size` holders behind a cursor of the leaderboard `id`.
    pub(super) fn page(&self, id: u64, cursor: &Cursor, size: usize, now: Instant) -> Found {
        let listing = {
            let mut kept = self.lock();
            kept.release(|entry| now.duration_since(entry.used_at) < self.keep);
            let Some(entry) = kept.listings.get_mut(&id) else {
                return Found::Gone;
            };
            entry.used_at = now;
            Arc::clone(&entry.listing)
        };
        listing.row_behind(cursor).map_or(Found::Foreign, |first| {
            Found::Page(listing.page(id, first, size))
        })
    }

    /// Drops leaderboards that were not used for too long.
    pub(super) fn release(&self, now: Instant) {
        self.lock()
            .release(|entry| now.duration_since(entry.used_at) < self.keep);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn release(&mut self, stays: impl Fn(&Entry) -> bool) {
        self.listings.retain(|_, entry| {
            let stays = stays(entry);
            if !stays {
                self.bytes -= entry.listing.bytes();
            }
            stays
        });
    }

    fn remove(&mut self, id: u64) {
        if let Some(entry) = self.listings.remove(&id) {
            self.bytes -= entry.listing.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Wad;

    /// Holders with these ids and falling scores.
    fn listing(ids: &[&str], passed: u64) -> Arc<KeptListing> {
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
        Arc::new(KeptListing::new(page, passed))
    }

    fn ids(page: &Page) -> Vec<&str> {
        let holders = page.holders.iter();
        holders.map(|row| &*row.holder.holder_id).collect()
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let kept = KeptPages::new(Duration::from_secs(60), 1 << 20);
        let now = Instant::now();
        for passed in [0, 9] {
            let whole = listing(&["a", "bé", "c", "", "e"], passed);
            let id = kept.keep(Arc::clone(&whole), now);
            let first = whole.page(id, 0, 2);
            assert_eq!((ids(&first), first.sequence), (vec!["a", "bé"], 7));
            let cursor = first.next.unwrap();
            assert_eq!((cursor.listed, cursor.kept), (passed + 2, Some(id)));
            let Found::Page(second) = kept.page(id, &cursor, 2, now) else {
                panic!("it is kept");
            };
            assert_eq!((ids(&second), second.deficits), (vec!["c", ""], 3));
            let cursor = second.next.unwrap();
            let Found::Page(third) = kept.page(id, &cursor, usize::MAX, now) else {
                panic!("it is kept");
            };
            assert_eq!((ids(&third), &third.next), (vec!["e"], &None));
            for listed in [0, passed, passed + 1, passed + 9, u64::MAX] {
                let forged = Cursor {
                    listed,
                    ..cursor.clone()
                };
                let found = kept.page(id, &forged, 2, now);
                assert!(matches!(found, Found::Foreign), "{listed}");
            }
        }
    }

    #[test]
    fn what_is_not_used_is_let_go_after_a_time_or_for_others() {
        let keep = Duration::from_secs(60);
        let one = listing(&["a", "b"], 0);
        let kept = KeptPages::new(keep, 2 * one.bytes());
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let cursor = |id| one.page(id, 0, 1).next.unwrap();
        let is_kept = |id, now| matches!(kept.page(id, &cursor(id), 1, now), Found::Page(_));
        let first = kept.keep(Arc::clone(&one), at(0));
        let second = kept.keep(Arc::clone(&one), at(1));
        assert!(is_kept(first, at(2)));
        // The second one was used least recently.
        let third = kept.keep(Arc::clone(&one), at(3));
        assert!(!is_kept(second, at(3)));
        assert!(is_kept(first, at(50)));
        kept.release(at(63));
        assert_eq!(kept.lock().bytes, one.bytes());
        assert!(!is_kept(third, at(63)));
        assert!(is_kept(first, at(109)) && !is_kept(first, at(169)));
        assert_eq!(kept.lock().bytes, 0);
        let large = listing(&["a", "b", "c", "d", "e", "f", "g", "h", "i"], 0);
        let id = kept.keep(large, at(200));
        assert!(!is_kept(id, at(200)), "it does not fit");
    }
}
