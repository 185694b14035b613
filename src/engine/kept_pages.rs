//! Whole listings that are kept for their next pages, so that all pages of one listing are of one state.
//!
//! Each is kept for a time after its last use and all of them within a bound of bytes; beyond it the one that was used
//! least recently is dropped. Computes nothing; see `listings`. What is kept of one is in `kept_leaderboard` and
//! `kept_deficits`.

use std::any::Any;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A whole listing, in little memory.
pub(super) trait KeptListing: Send + Sync + 'static {
    /// Where a page of it ended.
    type Cursor;

    /// What a row takes at least.
    const ROW_BYTES: usize;

    /// What it takes.
    fn bytes(&self) -> usize;

    /// The index of the row behind `cursor`; `None` if it is not a cursor of this listing.
    fn row_behind(&self, cursor: &Self::Cursor) -> Option<usize>;
}

/// Where the rows behind a cursor are.
pub(super) enum Found<L> {
    /// In this listing, from this index on.
    Rows(Arc<L>, usize),
    /// It was dropped.
    Gone,
    /// The cursor was not given out.
    Foreign,
}

/// The listings that are kept, by number.
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
    listing: Arc<dyn Any + Send + Sync>,
    bytes: usize,
    used_at: Instant,
}

impl KeptPages {
    /// Keeps listings for `keep` after their last use, and at most `bytes_max` bytes of them.
    pub(super) fn new(keep: Duration, bytes_max: usize) -> Self {
        Self {
            keep,
            bytes_max,
            kept: Mutex::default(),
        }
    }

    /// The most bytes that may fit.
    pub(super) const fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// The most rows that may fit.
    pub(super) const fn rows_max<L: KeptListing>(&self) -> usize {
        self.bytes_max / L::ROW_BYTES
    }

    /// Keeps a listing; the number under which it is found, unless it does not fit.
    pub(super) fn keep<L: KeptListing>(&self, listing: Arc<L>, now: Instant) -> u64 {
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
            let entry = Entry {
                listing,
                bytes,
                used_at: now,
            };
            kept.listings.insert(id, entry);
        }
        id
    }

    /// The rows behind a cursor of the listing `id`.
    pub(super) fn find<L: KeptListing>(
        &self,
        id: u64,
        cursor: &L::Cursor,
        now: Instant,
    ) -> Found<L> {
        let listing = {
            let mut kept = self.lock();
            kept.release(|entry| now.duration_since(entry.used_at) < self.keep);
            let Some(entry) = kept.listings.get_mut(&id) else {
                return Found::Gone;
            };
            entry.used_at = now;
            Arc::clone(&entry.listing)
        };
        let Ok(listing) = listing.downcast::<L>() else {
            return Found::Foreign;
        };
        match listing.row_behind(cursor) {
            Some(first) => Found::Rows(listing, first),
            None => Found::Foreign,
        }
    }

    /// Drops listings that were not used for too long.
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
                self.bytes -= entry.bytes;
            }
            stays
        });
    }

    fn remove(&mut self, id: u64) {
        if let Some(entry) = self.listings.remove(&id) {
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many bytes, of which each is a row that is its own cursor.
    struct Bytes(usize);

    impl KeptListing for Bytes {
        type Cursor = usize;
        const ROW_BYTES: usize = 1;

        fn bytes(&self) -> usize {
            self.0
        }

        fn row_behind(&self, cursor: &usize) -> Option<usize> {
            (*cursor < self.0).then_some(cursor + 1)
        }
    }

    /// Another kind.
    struct Others;

    impl KeptListing for Others {
        type Cursor = usize;
        const ROW_BYTES: usize = 1;

        fn bytes(&self) -> usize {
            0
        }

        fn row_behind(&self, cursor: &usize) -> Option<usize> {
            Some(*cursor)
        }
    }

    #[test]
    fn what_is_not_used_is_let_go_after_a_time_or_for_others() {
        let keep = Duration::from_secs(60);
        let one = Arc::new(Bytes(10));
        let kept = KeptPages::new(keep, 20);
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let is_kept = |id, now| matches!(kept.find::<Bytes>(id, &0, now), Found::Rows(_, 1));
        let first = kept.keep(Arc::clone(&one), at(0));
        let second = kept.keep(Arc::clone(&one), at(1));
        assert!(is_kept(first, at(2)));
        // The second one was used least recently.
        let third = kept.keep(Arc::clone(&one), at(3));
        assert!(!is_kept(second, at(3)));
        assert!(is_kept(first, at(50)));
        kept.release(at(63));
        assert_eq!(kept.lock().bytes, 10);
        assert!(!is_kept(third, at(63)));
        assert!(is_kept(first, at(109)) && !is_kept(first, at(169)));
        assert_eq!(kept.lock().bytes, 0);
        let id = kept.keep(Arc::new(Bytes(21)), at(200));
        assert!(!is_kept(id, at(200)), "it does not fit");
        assert_eq!(kept.rows_max::<Bytes>(), 20);
    }

    #[test]
    fn a_cursor_of_another_listing_is_foreign() {
        let kept = KeptPages::new(Duration::from_secs(60), 20);
        let now = Instant::now();
        let id = kept.keep(Arc::new(Bytes(10)), now);
        assert!(matches!(kept.find::<Bytes>(id, &10, now), Found::Foreign));
        assert!(matches!(kept.find::<Others>(id, &0, now), Found::Foreign));
        assert!(matches!(kept.find::<Others>(id + 1, &0, now), Found::Gone));
    }
}
