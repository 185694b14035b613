//! Where a page ended, as text that the caller sends back: the question, and the last row.
//!
//! A token also names the listing that the server keeps for its pages. A checksum detects tokens that were damaged or
//! edited; it is not a secret, because a token grants nothing that its caller may not ask for anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ruint::aliases::U256;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::core::{HolderScore, Micros, Score, Totals, Window};
use crate::engine::{Cursor, DeficitCursor, DeficitEnd, DeficitPage, Page, Question, RankedHolder};

/// The name by which programs know that a listing is no longer kept.
pub(super) const PAGES_GONE: &str = "PAGES_GONE";

/// Why a text is not a page token of this question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PageTokenError {
    /// This version of the server did not issue it.
    #[error("page_token: not issued by this server; request the first page again")]
    Unknown,
    /// The policy is no longer the one of the page before.
    #[error("page_token: the policy has changed since; request the first page again")]
    OtherPolicy,
    /// The question differs from that of the page before.
    #[error(
        "page_token: belongs to another question; keep window and filters, or request the first page again"
    )]
    OtherQuestion,
}

/// What the token of a page of holders holds. Instants and the held time are in microseconds, the score in its smallest steps.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PageEnd {
    as_of: i64,
    from: Option<i64>,
    closed_only: bool,
    token_id: Option<Box<str>>,
    listed: u64,
    rank: u64,
    holder_id: Box<str>,
    held_us: u128,
    score: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy_version: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<u64>,
}

/// What a page of holders is about, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PageStart {
    pub(super) question: Question,
    /// The name of the policy under which scores are published, if it is one.
    pub(super) policy: Option<String>,
    /// The version that this policy had on the page before.
    pub(super) policy_version: Option<Box<str>>,
    /// `None` for the first page.
    pub(super) after: Option<Cursor>,
}

impl PageStart {
    /// The first page.
    pub(super) const fn first(question: Question, policy: Option<String>) -> Self {
        Self {
            question,
            policy,
            policy_version: None,
            after: None,
        }
    }

    /// Refuses a page that was computed under another policy than the page before.
    pub(super) fn check(&self, page: &Page) -> Result<(), PageTokenError> {
        if self.after.is_some() && self.policy_version != page.policy_version {
            return Err(PageTokenError::OtherPolicy);
        }
        Ok(())
    }

    /// The token of the page after `page`, if there is one.
    pub(super) fn next(&self, page: &Page) -> Option<String> {
        let cursor = page.next.as_ref()?;
        Some(self.token(cursor, page.policy_version.clone(), cursor.kept))
    }

    /// The token that goes on where this page begins, by key over the present state.
    pub(super) fn by_key(&self) -> Option<String> {
        let cursor = self.after.as_ref()?;
        Some(self.token(cursor, self.policy_version.clone(), None))
    }

    fn token(
        &self,
        cursor: &Cursor,
        policy_version: Option<Box<str>>,
        kept: Option<u64>,
    ) -> String {
        let question = &self.question;
        let totals = &cursor.last.holder.totals;
        let end = PageEnd {
            as_of: question.window.as_of.get(),
            from: question.window.from.map(Micros::get),
            closed_only: question.window.closed_only,
            token_id: question.token_id.clone(),
            listed: cursor.listed,
            rank: cursor.last.rank,
            holder_id: cursor.last.holder.holder_id.clone(),
            held_us: totals.held_us,
            score: totals.score.steps().to_string(),
            policy: self.policy.clone(),
            policy_version,
            kept,
        };
        encode(&end)
    }
}

/// What the token of a page of deficits holds.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct DeficitPageEnd {
    as_of: i64,
    token_id: Option<Box<str>>,
    last_token_id: Box<str>,
    last_holder_id: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<u64>,
}

/// What a page of deficits is about, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeficitPageStart {
    pub(super) question: Question,
    /// `None` for the first page.
    pub(super) after: Option<DeficitEnd>,
}

impl DeficitPageStart {
    /// The token of the page after `page`, if there is one.
    pub(super) fn next(&self, page: &DeficitPage) -> Option<String> {
        let end = page.next.as_ref()?;
        Some(self.token(&end.last, end.kept))
    }

    /// The token that goes on where this page begins, by key over the present state.
    pub(super) fn by_key(&self) -> Option<String> {
        let end = self.after.as_ref()?;
        Some(self.token(&end.last, None))
    }

    fn token(&self, last: &DeficitCursor, kept: Option<u64>) -> String {
        encode(&DeficitPageEnd {
            as_of: self.question.window.as_of.get(),
            token_id: self.question.token_id.clone(),
            last_token_id: last.token_id.clone(),
            last_holder_id: last.holder_id.clone(),
            kept,
        })
    }
}

/// The question that a token of a page of holders belongs to, and where its page begins.
pub(super) fn read_page_token(text: &str) -> Result<PageStart, PageTokenError> {
    read(text).ok_or(PageTokenError::Unknown)
}

/// The question that a token of a page of deficits belongs to, and where its page begins.
pub(super) fn read_deficit_page_token(text: &str) -> Result<DeficitPageStart, PageTokenError> {
    let end: DeficitPageEnd = decode(text).ok_or(PageTokenError::Unknown)?;
    let as_of = Micros::new(end.as_of).map_err(|_| PageTokenError::Unknown)?;
    Ok(DeficitPageStart {
        question: Question {
            window: Window::until(as_of),
            token_id: end.token_id,
        },
        after: Some(DeficitEnd {
            last: DeficitCursor {
                token_id: end.last_token_id,
                holder_id: end.last_holder_id,
            },
            kept: end.kept,
        }),
    })
}

/// What the token of a page of rounds holds.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RoundPageEnd {
    last_round: u64,
}

/// The token of the page of rounds that begins after the round of this number.
pub(super) fn round_page_token(last_round: u64) -> String {
    encode(&RoundPageEnd { last_round })
}

/// The number of the round after which the page of this token begins.
pub(super) fn read_round_page_token(text: &str) -> Result<u64, PageTokenError> {
    let end: RoundPageEnd = decode(text).ok_or(PageTokenError::Unknown)?;
    Ok(end.last_round)
}

fn encode(end: &impl Serialize) -> String {
    let body = serde_json::to_vec(end).expect("text and numbers");
    let mut bytes = crc32c::crc32c(&body).to_le_bytes().to_vec();
    bytes.extend(body);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode<E: DeserializeOwned>(text: &str) -> Option<E> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (checksum, body) = bytes.split_first_chunk::<4>()?;
    if crc32c::crc32c(body).to_le_bytes() != *checksum {
        return None;
    }
    serde_json::from_slice(body).ok()
}

fn read(text: &str) -> Option<PageStart> {
    let end: PageEnd = decode(text)?;
    let question = Question {
        window: Window {
            from: end.from.map(Micros::new).transpose().ok()?,
            as_of: Micros::new(end.as_of).ok()?,
            closed_only: end.closed_only,
        },
        token_id: end.token_id,
    };
    let last = RankedHolder {
        rank: end.rank,
        holder: HolderScore {
            holder_id: end.holder_id,
            totals: Totals {
                held_us: end.held_us,
                score: Score::from_steps(end.score.parse::<U256>().ok()?),
            },
        },
    };
    let listed = end.listed;
    Some(PageStart {
        question,
        policy: end.policy,
        policy_version: end.policy_version,
        after: Some(Cursor {
            last,
            listed,
            kept: end.kept,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Wad;

    /// A question, and a page of its answer that another one follows.
    fn page_end() -> (PageStart, Page) {
        let question = Question {
            window: Window {
                from: Some(Micros::new(-7).unwrap()),
                as_of: Micros::MAX,
                closed_only: true,
            },
            token_id: Some("pünk".into()),
        };
        let last = RankedHolder {
            rank: 3,
            holder: HolderScore {
                holder_id: "\"hölder\"".into(),
                totals: Totals::of(Wad::from_steps(u128::MAX), 1 << 58),
            },
        };
        let page = Page {
            holders: Vec::new(),
            next: Some(Cursor {
                last,
                listed: 9,
                kept: Some(u64::MAX),
            }),
            known: 10,
            deficits: 0,
            sequence: 1,
            policy_version: Some("ab".into()),
        };
        (PageStart::first(question, Some("tiers".to_owned())), page)
    }

    #[test]
    fn a_token_that_is_read_gives_back_question_and_cursor() {
        let (start, page) = page_end();
        let token = start.next(&page).unwrap();
        let next = read_page_token(&token).unwrap();
        assert_eq!(
            (&next.question, &next.policy),
            (&start.question, &start.policy)
        );
        assert_eq!(next.after, page.next);
        let by_key = read_page_token(&next.by_key().unwrap()).unwrap();
        let by_key_after = by_key.after.unwrap();
        assert_eq!((by_key_after.listed, by_key_after.kept), (9, None));
        assert_eq!(next.check(&page), Ok(()));
        let changed = Page {
            policy_version: Some("cd".into()),
            ..page
        };
        assert_eq!(next.check(&changed), Err(PageTokenError::OtherPolicy));
        assert_eq!(start.check(&changed), Ok(()));
        assert_eq!(
            start.next(&Page {
                next: None,
                ..changed
            }),
            None
        );
    }

    #[test]
    fn a_token_needs_no_escape_in_a_query() {
        let (start, page) = page_end();
        let token = start.next(&page).unwrap();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(token.bytes().all(is_plain), "{token}");
    }

    #[test]
    fn a_token_of_one_list_is_refused_by_the_other() {
        let (PageStart { question, .. }, _) = page_end();
        let (start, page) = page_end();
        let of_holders = start.next(&page).unwrap();
        let end = DeficitEnd {
            last: DeficitCursor {
                token_id: "pünk".into(),
                holder_id: "\"hölder\"".into(),
            },
            kept: Some(u64::MAX),
        };
        let first = DeficitPageStart {
            question: Question {
                window: Window::until(Micros::MAX),
                ..question
            },
            after: None,
        };
        let page = DeficitPage {
            deficits: Vec::new(),
            next: Some(end.clone()),
            known: 1,
            sequence: 1,
        };
        let of_deficits = first.next(&page).unwrap();
        let next = read_deficit_page_token(&of_deficits).unwrap();
        assert_eq!((&next.question, &next.after), (&first.question, &Some(end)));
        let by_key = read_deficit_page_token(&next.by_key().unwrap()).unwrap();
        assert_eq!(by_key.after.unwrap().kept, None);
        let unknown = PageTokenError::Unknown;
        assert_eq!(read_deficit_page_token(&of_holders), Err(unknown));
        assert_eq!(read_page_token(&of_deficits), Err(unknown));
        let of_rounds = round_page_token(7);
        assert_eq!(read_round_page_token(&of_rounds), Ok(7));
        assert_eq!(read_round_page_token(&of_deficits), Err(unknown));
        assert_eq!(read_page_token(&of_rounds), Err(unknown));
    }

    #[test]
    fn bytes_behind_the_last_field_are_refused() {
        let (start, page) = page_end();
        let token = URL_SAFE_NO_PAD.decode(start.next(&page).unwrap()).unwrap();
        for tail in ["", " {}", "{}", "\0"] {
            let body = [&token[4..], tail.as_bytes()].concat();
            let sealed = [&crc32c::crc32c(&body).to_le_bytes()[..], &body].concat();
            let read = read_page_token(&URL_SAFE_NO_PAD.encode(sealed));
            assert_eq!(read.is_ok(), tail.is_empty(), "{tail:?}");
        }
    }

    #[test]
    fn every_changed_or_cut_token_is_refused() {
        let (start, page) = page_end();
        let token = start.next(&page).unwrap();
        for at in 0..token.len() {
            let other = if token.as_bytes()[at] == b'A' {
                "B"
            } else {
                "A"
            };
            let mut changed = token.clone();
            changed.replace_range(at..=at, other);
            assert_eq!(read_page_token(&changed), Err(PageTokenError::Unknown));
            assert_eq!(read_page_token(&token[..at]), Err(PageTokenError::Unknown));
        }
        assert_eq!(read_page_token("xé"), Err(PageTokenError::Unknown));
    }
}
