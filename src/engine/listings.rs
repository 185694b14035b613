//! Leaderboards and deficits page by page: the first page computes the whole listing and keeps it, the others are read
//! from it.
//!
//! What is kept, and for how long, is decided in `kept_pages`; answers of one page alone are not computed here.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::answer::{Cursor, DeficitCursor, DeficitEnd, DeficitPage, DeficitRoom, Page};
use super::hold_engine::Engine;
use super::kept_deficits::KeptDeficits;
use super::kept_leaderboard::KeptLeaderboard;
use super::kept_pages::{Found, KeptPages};
use super::kept_ranking::KeptRanking;
use super::policies::PublishError;
use crate::aggregator::Question;
use crate::config::Questions;

/// Instead of the number of a listing that does not fit.
const NOT_KEPT: u64 = 0;

/// Why there is no page of a listing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// It cannot be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The listing of the page before is no longer kept.
    #[error(
        "the listing of this page is no longer kept (questions.pages_keep, questions.pages_bytes_max): request the \
         first page again, or go on behind the last row of the page before, over the present state"
    )]
    Gone,
    /// The page before was not given out.
    #[error("no page of this server ends there")]
    Foreign,
}

/// The listings that are kept for their next pages.
pub(super) struct Listings {
    kept: KeptPages,
    /// Held while a whole listing is computed: each takes memory that is not counted until it is kept.
    computing: Mutex<()>,
    /// The same of leaderboards under policies: one that waits for Python delays no other.
    publishing: Mutex<()>,
}

impl Listings {
    pub(super) fn new(questions: &Questions) -> Self {
        Self {
            kept: KeptPages::new(questions.pages_keep, questions.pages_bytes_max),
            computing: Mutex::default(),
            publishing: Mutex::default(),
        }
    }

    /// Drops listings that were not used for too long.
    pub(super) fn release(&self) {
        self.kept.release(Instant::now());
    }
}

impl Engine {
    /// `size` holders, of the scores themselves or under a policy. The pages behind a cursor of a kept leaderboard are
    /// of its state; a cursor without one goes on by key over the present state. Blocks.
    pub fn listing(
        &self,
        policy: Option<&str>,
        question: &Question,
        after: Option<&Cursor>,
        size: usize,
    ) -> Result<Page, ListingError> {
        match policy {
            None => self.listing_of_scores(question, after, size),
            Some(policy) => self.listing_under(policy, question, after, size),
        }
    }

    fn listing_of_scores(
        &self,
        question: &Question,
        after: Option<&Cursor>,
        size: usize,
    ) -> Result<Page, ListingError> {
        let Listings {
            kept, computing, ..
        } = &self.listings;
        if let Some((id, cursor)) = after.and_then(|cursor| Some((cursor.kept?, cursor))) {
            let found = kept.find::<KeptRanking>(id, cursor, Instant::now());
            let (whole, first) = found.rows()?;
            return Ok(whole.page(id, first, size));
        }
        let turn = computing.lock().unwrap_or_else(PoisonError::into_inner);
        let rows_max = kept.rows_max::<KeptRanking>();
        let Some(whole) = KeptRanking::now(&self.progress, question, after, rows_max) else {
            drop(turn);
            // The next page says so.
            return Ok(without_next(self.page(question, after, size)));
        };
        let whole = Arc::new(whole);
        let id = if whole.len() > size {
            kept.keep(Arc::clone(&whole), Instant::now())
        } else {
            NOT_KEPT
        };
        drop(turn);
        Ok(whole.page(id, 0, size))
    }

    fn listing_under(
        &self,
        policy: &str,
        question: &Question,
        after: Option<&Cursor>,
        size: usize,
    ) -> Result<Page, ListingError> {
        let Listings {
            kept, publishing, ..
        } = &self.listings;
        if let Some((id, cursor)) = after.and_then(|cursor| Some((cursor.kept?, cursor))) {
            let found = kept.find::<KeptLeaderboard>(id, cursor, Instant::now());
            let (whole, first) = found.rows()?;
            return Ok(whole.page(id, first, size));
        }
        let page = self.published(policy, question, after, size)?;
        if page.next.is_none() {
            return Ok(page);
        }
        let turn = publishing.lock().unwrap_or_else(PoisonError::into_inner);
        if page.known > kept.rows_max::<KeptLeaderboard>() {
            // The next page says so.
            return Ok(without_next(page));
        }
        let passed = after.map_or(0, |cursor| cursor.listed);
        let whole = self.published(policy, question, after, usize::MAX)?;
        let whole = Arc::new(KeptLeaderboard::new(whole, passed));
        let id = kept.keep(Arc::clone(&whole), Instant::now());
        drop(turn);
        Ok(whole.page(id, 0, size))
    }

    /// The deficits that there is `room` for, by token and holder. The pages behind the end of one of a kept list are
    /// of its state; an end without one goes on by key over the present state. Blocks.
    pub fn deficits(
        &self,
        question: &Question,
        after: Option<&DeficitEnd>,
        room: DeficitRoom,
    ) -> Result<DeficitPage, ListingError> {
        let Listings {
            kept, computing, ..
        } = &self.listings;
        if let Some((id, end)) = after.and_then(|end| Some((end.kept?, end))) {
            let found = kept.find::<KeptDeficits>(id, &end.last, Instant::now());
            let (whole, first) = found.rows()?;
            return Ok(whole.page(id, first, room));
        }
        let after = after.map(|end| &end.last);
        let page = self.deficits_now(question, after, room);
        if page.next.is_none() {
            return Ok(page);
        }
        let turn = computing.lock().unwrap_or_else(PoisonError::into_inner);
        if page.known > kept.rows_max::<KeptDeficits>() {
            return Ok(page);
        }
        let all = DeficitRoom {
            rows: usize::MAX,
            bytes: kept.bytes_max(),
            bytes_of: KeptDeficits::row_bytes,
        };
        let all = self.deficits_now(question, after, all);
        if all.next.is_some() {
            return Ok(page);
        }
        let whole = Arc::new(KeptDeficits::new(all));
        let id = kept.keep(Arc::clone(&whole), Instant::now());
        drop(turn);
        Ok(whole.page(id, 0, room))
    }

    /// The deficits of the present state; the next page is not kept.
    fn deficits_now(
        &self,
        question: &Question,
        after: Option<&DeficitCursor>,
        room: DeficitRoom,
    ) -> DeficitPage {
        self.answer(|aggregator, sequence| {
            let list = aggregator.deficits_while(question, after, room.rows, room.fits());
            DeficitPage {
                deficits: list.rows,
                next: list.next.map(|last| DeficitEnd {
                    last,
                    kept: Some(NOT_KEPT),
                }),
                known: list.known,
                sequence,
            }
        })
    }
}

impl<L> Found<L> {
    fn rows(self) -> Result<(Arc<L>, usize), ListingError> {
        match self {
            Self::Rows(listing, first) => Ok((listing, first)),
            Self::Gone => Err(ListingError::Gone),
            Self::Foreign => Err(ListingError::Foreign),
        }
    }
}

/// `page`, whose next one is not kept.
fn without_next(mut page: Page) -> Page {
    if let Some(next) = &mut page.next {
        next.kept = Some(NOT_KEPT);
    }
    page
}
