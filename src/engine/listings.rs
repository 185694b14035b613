//! Leaderboards page by page: the first page computes the whole one and keeps it, the others are read from it.
//!
//! What is kept, and for how long, is decided in `kept_pages`; answers of one page alone are not computed here.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::answer::{Cursor, Page};
use super::hold_engine::Engine;
use super::kept_pages::{Found, KeptListing, KeptPages};
use super::policies::PublishError;
use crate::aggregator::Question;
use crate::config::Questions;

/// Instead of the number of a leaderboard that does not fit.
const NOT_KEPT: u64 = 0;

/// Why there is no page of a leaderboard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// It cannot be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The leaderboard of the page before is no longer kept.
    #[error(
        "the leaderboard of this page is no longer kept (questions.pages_keep, questions.pages_bytes_max): request the \
         first page again, or go on behind the last row of the page before, over the present state"
    )]
    Gone,
    /// The page before was not given out.
    #[error("no page of this server ends there")]
    Foreign,
}

/// The leaderboards that are kept for their next pages.
pub(super) struct Listings {
    kept: KeptPages,
    /// Held while a whole leaderboard is computed: each takes memory that is not counted until it is kept.
    computing: Mutex<()>,
    /// The same of those under policies: one that waits for Python delays no other.
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

    /// Drops leaderboards that were not used for too long.
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
        let Listings {
            kept,
            computing,
            publishing,
        } = &self.listings;
        if let Some((id, cursor)) = after.and_then(|cursor| Some((cursor.kept?, cursor))) {
            return match kept.page(id, cursor, size, Instant::now()) {
                Found::Page(page) => Ok(page),
                Found::Gone => Err(ListingError::Gone),
                Found::Foreign => Err(ListingError::Foreign),
            };
        }
        let ask = |size| match policy {
            None => Ok(self.page(question, after, size)),
            Some(policy) => self.published(policy, question, after, size),
        };
        let page = ask(size)?;
        if page.next.is_none() {
            return Ok(page);
        }
        let turn = if policy.is_some() {
            publishing
        } else {
            computing
        };
        let turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        if page.known > kept.rows_max() {
            // It does not fit, and the next page says so.
            return Ok(without_next(page));
        }
        let passed = after.map_or(0, |cursor| cursor.listed);
        let whole = Arc::new(KeptListing::new(ask(usize::MAX)?, passed));
        let id = kept.keep(Arc::clone(&whole), Instant::now());
        drop(turn);
        Ok(whole.page(id, 0, size))
    }
}

/// `page`, whose next one is not kept.
fn without_next(mut page: Page) -> Page {
    if let Some(next) = &mut page.next {
        next.kept = Some(NOT_KEPT);
    }
    page
}
