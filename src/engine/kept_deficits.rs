//! All deficits that a question is about, kept for their next pages.
//!
//! For how long, and within which bound, is decided in `kept_pages`.

use super::answer::{DeficitCursor, DeficitEnd, DeficitPage, DeficitRoom};
use super::kept_pages::KeptListing;
use crate::core::Deficit;

/// What the list takes beside its rows.
const LISTING_BYTES: usize = 128;

/// A whole list of deficits.
pub(super) struct KeptDeficits {
    /// By `token_id`, then `holder_id`.
    rows: Vec<Deficit>,
    known: usize,
    sequence: u64,
}

impl KeptDeficits {
    /// Keeps the whole of `page`.
    pub(super) fn new(page: DeficitPage) -> Self {
        let DeficitPage {
            mut deficits,
            known,
            sequence,
            ..
        } = page;
        deficits.shrink_to_fit();
        Self {
            rows: deficits,
            known,
            sequence,
        }
    }

    /// The deficits from the row `first` on that there is `room` for; `id` is the number under which it is kept.
    pub(super) fn page(&self, id: u64, first: usize, room: DeficitRoom) -> DeficitPage {
        let mut fits = room.fits();
        let behind = &self.rows[first..];
        let taken = behind.iter().take(room.rows);
        let deficits: Vec<_> = taken.take_while(|deficit| fits(deficit)).cloned().collect();
        let last = deficits.last().filter(|_| deficits.len() < behind.len());
        DeficitPage {
            next: last.map(|last| DeficitEnd {
                last: DeficitCursor {
                    token_id: last.token_id.clone(),
                    holder_id: last.holder_id.clone(),
                },
                kept: Some(id),
            }),
            deficits,
            known: self.known,
            sequence: self.sequence,
        }
    }

    /// What one of them takes.
    pub(super) fn row_bytes(deficit: &Deficit) -> usize {
        let ids = &deficit.event_ids;
        let of_ids: usize = ids.iter().map(|id| size_of_val(id) + id.len()).sum();
        size_of_val(deficit) + deficit.token_id.len() + deficit.holder_id.len() + of_ids
    }
}

impl KeptListing for KeptDeficits {
    type Cursor = DeficitCursor;
    const ROW_BYTES: usize = size_of::<Deficit>();

    fn bytes(&self) -> usize {
        LISTING_BYTES + self.rows.iter().map(Self::row_bytes).sum::<usize>()
    }

    fn row_behind(&self, cursor: &DeficitCursor) -> Option<usize> {
        let order = |row: &Deficit| {
            (&*row.token_id, &*row.holder_id).cmp(&(&*cursor.token_id, &*cursor.holder_id))
        };
        let found = self.rows.binary_search_by(order);
        found.ok().map(|last| last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Balance, Micros};

    fn deficit(holder_id: &str) -> Deficit {
        Deficit {
            token_id: "T".into(),
            holder_id: holder_id.into(),
            at: Micros::MIN,
            balance: Balance::from(-1),
            event_ids: vec!["1".into()],
        }
    }

    #[test]
    fn pages_follow_each_other_to_the_end_within_their_room() {
        let whole = KeptDeficits::new(DeficitPage {
            deficits: ["a", "b", "c", "d", "e"].map(deficit).into(),
            next: None,
            known: 7,
            sequence: 9,
        });
        let ids = |page: &DeficitPage| -> String {
            page.deficits.iter().map(|row| &*row.holder_id).collect()
        };
        for (rows, bytes, pages) in [
            (2, 100, &["ab", "cd", "e"][..]),
            (5, 100, &["abcde"]),
            (9, 3, &["abc", "de"]),
            (9, 0, &["a", "b", "c", "d", "e"]),
        ] {
            let bytes_of = |_: &Deficit| 1;
            let room = DeficitRoom {
                rows,
                bytes,
                bytes_of,
            };
            let mut first = 0;
            for (number, expected) in pages.iter().enumerate() {
                let page = whole.page(4, first, room);
                assert_eq!((&*ids(&page), page.known, page.sequence), (*expected, 7, 9));
                assert_eq!(page.next.is_some(), number + 1 < pages.len());
                if let Some(next) = page.next {
                    assert_eq!(next.kept, Some(4));
                    first = whole.row_behind(&next.last).unwrap();
                }
            }
        }
        let other = DeficitCursor {
            token_id: "T".into(),
            holder_id: "bb".into(),
        };
        assert_eq!(whole.row_behind(&other), None);
    }
}
