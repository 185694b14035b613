//! Where a page ended, as text that a caller sends back: the window, the filter, and the last row.
//!
//! The server remembers nothing. A checksum tells a token that was damaged or made up from one of ours; it
//! keeps no secret, a token opens nothing that its caller may not ask for anyway.

use std::fmt::Write as _;

use ruint::aliases::U256;

use crate::core::{HolderScore, Micros, Score, Totals, Window};
use crate::engine::{Cursor, Question, RankedHolder};

const VERSION: u8 = 1;
const HAS_FROM: u8 = 1;
const CLOSED_ONLY: u8 = 2;
const HAS_TOKEN: u8 = 4;

/// Why a text is no token for this question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PageTokenError {
    /// It was not given out by this version of the server.
    #[error("page_token: not one that this server gave out; begin with the first page")]
    Unknown,
    /// The question is not that of the page before.
    #[error(
        "page_token: it belongs to another question; keep window and filters, or begin with the first page"
    )]
    OtherQuestion,
}

/// The token of the page that begins behind `cursor`.
pub(super) fn page_token(question: &Question, cursor: &Cursor) -> String {
    let window = &question.window;
    let mut bytes = vec![VERSION];
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    bytes.push(
        flag(window.from.is_some(), HAS_FROM)
            | flag(window.closed_only, CLOSED_ONLY)
            | flag(question.token_id.is_some(), HAS_TOKEN),
    );
    let from = window.from.unwrap_or(Micros::MIN);
    bytes.extend(window.as_of.get().to_le_bytes());
    bytes.extend(from.get().to_le_bytes());
    bytes.extend(cursor.listed.to_le_bytes());
    bytes.extend(cursor.last.rank.to_le_bytes());
    let totals = &cursor.last.holder.totals;
    bytes.extend(totals.held_us.to_le_bytes());
    bytes.extend(totals.score.steps().to_le_bytes::<32>());
    for text in [
        question.token_id.as_deref().unwrap_or(""),
        &cursor.last.holder.holder_id,
    ] {
        let length = u32::try_from(text.len()).expect("an id of some bytes");
        bytes.extend(length.to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes all");
    }
    text
}

/// The question that a token is pinned to, and where its page begins.
pub(super) fn read_page_token(text: &str) -> Result<(Question, Cursor), PageTokenError> {
    bytes_from_hex(text)
        .and_then(|bytes| {
            let (body, checksum) = bytes.split_last_chunk::<4>()?;
            let is_ours = crc32c::crc32c(body).to_le_bytes() == *checksum;
            is_ours.then(|| read(&mut Reader(body)))?
        })
        .ok_or(PageTokenError::Unknown)
}

fn read(reader: &mut Reader<'_>) -> Option<(Question, Cursor)> {
    let [version, flags] = reader.take()?;
    if version != VERSION {
        return None;
    }
    let instant = |bytes| Micros::new(i64::from_le_bytes(bytes)).ok();
    let as_of = instant(reader.take()?)?;
    let from = instant(reader.take()?)?;
    let listed = u64::from_le_bytes(reader.take()?);
    let rank = u64::from_le_bytes(reader.take()?);
    let held_us = u128::from_le_bytes(reader.take()?);
    let score = Score::from_steps(U256::from_le_bytes(reader.take::<32>()?));
    let token_id = reader.text()?;
    let holder_id = reader.text()?;
    let question = Question {
        window: Window {
            from: (flags & HAS_FROM != 0).then_some(from),
            as_of,
            closed_only: flags & CLOSED_ONLY != 0,
        },
        token_id: (flags & HAS_TOKEN != 0).then(|| token_id.into()),
    };
    let last = RankedHolder {
        rank,
        holder: HolderScore {
            holder_id: holder_id.into(),
            totals: Totals { held_us, score },
        },
    };
    Some((question, Cursor { last, listed }))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(u32::from_le_bytes(self.take()?)).ok()?;
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        str::from_utf8(taken).ok()
    }
}

fn bytes_from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Wad;

    fn place() -> (Question, Cursor) {
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
                holder_id: "hölder".into(),
                totals: Totals::of(Wad::from_steps(u128::MAX), 1 << 58),
            },
        };
        (question, Cursor { last, listed: 9 })
    }

    #[test]
    fn a_token_carries_its_place() {
        let (question, cursor) = place();
        let token = page_token(&question, &cursor);
        assert_eq!(read_page_token(&token), Ok((question, cursor)));
    }

    #[test]
    fn every_changed_or_cut_token_is_refused() {
        let (question, cursor) = place();
        let token = page_token(&question, &cursor);
        for place in 0..token.len() {
            let other = if token.as_bytes()[place] == b'0' {
                "1"
            } else {
                "0"
            };
            let mut changed = token.clone();
            changed.replace_range(place..=place, other);
            assert_eq!(read_page_token(&changed), Err(PageTokenError::Unknown));
            assert_eq!(
                read_page_token(&token[..place]),
                Err(PageTokenError::Unknown)
            );
        }
        assert_eq!(read_page_token("xé"), Err(PageTokenError::Unknown));
    }
}
