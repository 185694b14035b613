//! Limits how much an answer lists, so that every client accepts its size: tokens, segments and changes of balance in
//! the report of one holder, and the keys of a page of deficits.
//!
//! Both protocols use it, so they list the same. `grpc` and `http` convert what is listed.

use crate::core::{Deficit, Segment};
use crate::engine::{BalanceChange, DeficitRoom, KeyReport};

/// A report lists at most this many segments.
const SEGMENTS_MAX: usize = 20_000;
/// A report lists at most this many changes of balance.
pub(super) const CHANGES_MAX: usize = 20_000;
/// A report lists tokens of at most this many bytes. With all its rows it stays below 4 MiB, the default maximum
/// of gRPC clients.
const TOKEN_BYTES_MAX: usize = 1 << 20;
/// Segments, changes and deficits of a report, or the deficits of a page, take at most this many bytes.
const ROW_BYTES_MAX: usize = 3 * (1 << 20) - (1 << 16);
/// The overhead of a token in a report.
const TOKEN_BYTES: usize = 16;
/// A segment takes at most this many bytes; its weight has up to 60 characters.
const SEGMENT_BYTES: usize = 105;
/// A change takes at most this many bytes besides its id: its delta has up to 41 characters, the balance 60.
const CHANGE_BYTES: usize = 130;
/// A deficit takes at most this many bytes besides its ids.
const DEFICIT_BYTES: usize = 128;
/// The overhead of an id.
const ID_BYTES: usize = 3;
/// A deficit lists at most this many event ids.
const EVENT_IDS_MAX: usize = 100;

/// The tokens, segments and changes of a holder that are listed, and how many are not.
pub(super) struct ListedKeys<'a> {
    /// By `token_id`.
    pub(super) keys: Vec<ListedKey<'a>>,
    pub(super) keys_left_out: u64,
    /// Includes the segments of tokens that are left out.
    pub(super) segments_left_out: u64,
    /// Includes the changes of tokens that are left out.
    pub(super) changes_left_out: u64,
}

/// A token of a holder, with what is listed of it.
pub(super) struct ListedKey<'a> {
    pub(super) token_id: &'a str,
    pub(super) segments: &'a [Segment],
    pub(super) changes: &'a [BalanceChange],
    pub(super) deficit: Option<&'a Deficit>,
}

impl<'a> ListedKeys<'a> {
    /// Lists `keys` in order until a limit is reached; of the last one perhaps only the first segments and changes.
    pub(super) fn of(keys: &'a [KeyReport]) -> Self {
        let mut segments_left = SEGMENTS_MAX;
        let mut token_bytes_left = TOKEN_BYTES_MAX;
        let mut row_bytes_left = ROW_BYTES_MAX;
        let mut listed = Self {
            keys: Vec::new(),
            keys_left_out: 0,
            segments_left_out: 0,
            changes_left_out: 0,
        };
        for key in keys {
            let bytes = TOKEN_BYTES + key.token_id.len();
            let deficit_bytes = key.deficit.as_ref().map_or(0, deficit_bytes);
            let is_full = listed.keys_left_out > 0 || segments_left == 0;
            if is_full || bytes > token_bytes_left || deficit_bytes > row_bytes_left {
                listed.keys_left_out += 1;
                listed.segments_left_out += key.segments.len() as u64;
                listed.changes_left_out += (key.changes.len() + key.changes_left_out) as u64;
                continue;
            }
            token_bytes_left -= bytes;
            row_bytes_left -= deficit_bytes;
            let room = segments_left.min(row_bytes_left / SEGMENT_BYTES);
            let (segments, hidden) = key.segments.split_at(key.segments.len().min(room));
            segments_left -= segments.len();
            row_bytes_left -= segments.len() * SEGMENT_BYTES;
            listed.segments_left_out += hidden.len() as u64;
            let (changes, hidden) = key.changes.split_at(fitting(
                key.changes
                    .iter()
                    .map(|change| CHANGE_BYTES + change.event_id.len()),
                &mut row_bytes_left,
            ));
            listed.changes_left_out += (hidden.len() + key.changes_left_out) as u64;
            listed.keys.push(ListedKey {
                token_id: &key.token_id,
                segments,
                changes,
                deficit: key.deficit.as_ref(),
            });
        }
        listed
    }
}

/// What one page of at most `rows` deficits may hold, so that it fits into one answer.
pub(super) const fn deficit_room(rows: usize) -> DeficitRoom {
    DeficitRoom {
        rows,
        bytes: ROW_BYTES_MAX,
        bytes_of: deficit_bytes,
    }
}

/// The event ids of a deficit that are listed, and how many are not.
pub(super) fn listed_event_ids(deficit: &Deficit) -> (&[Box<str>], u64) {
    let ids = &deficit.event_ids;
    let (listed, hidden) = ids.split_at(ids.len().min(EVENT_IDS_MAX));
    (listed, hidden.len() as u64)
}

fn deficit_bytes(deficit: &Deficit) -> usize {
    let (event_ids, _) = listed_event_ids(deficit);
    let of_ids: usize = event_ids.iter().map(|id| ID_BYTES + id.len()).sum();
    DEFICIT_BYTES + deficit.token_id.len() + deficit.holder_id.len() + of_ids
}

/// How many of the rows fit one after the other; takes their bytes from those that are left.
fn fitting(rows: impl Iterator<Item = usize>, bytes_left: &mut usize) -> usize {
    rows.take_while(|bytes| match bytes_left.checked_sub(*bytes) {
        Some(left) => {
            *bytes_left = left;
            true
        }
        None => false,
    })
    .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Micros, Wad};

    fn keys(count: usize, id_bytes: usize, segments: usize) -> Vec<KeyReport> {
        let segment = Segment {
            start: Micros::new(0).unwrap(),
            end: None,
            weight: Wad::ONE.into(),
        };
        (0..count)
            .map(|number| KeyReport {
                token_id: format!("{number:0id_bytes$}").into(),
                segments: vec![segment; segments],
                changes: Vec::new(),
                changes_left_out: 0,
                deficit: None,
            })
            .collect()
    }

    #[test]
    fn keys_and_segments_beyond_the_limits_are_counted() {
        for (count, id_bytes, segments, keys_listed, segments_listed) in [
            (3, 5, 2, 3, 6),
            (30_000, 5, 1, 20_000, 20_000),
            (30_000, 256, 1, 3_855, 3_855),
            (3, 5, 15_000, 2, 20_000),
            (2, 5, 20_000, 1, 20_000),
        ] {
            let keys = keys(count, id_bytes, segments);
            let listed = ListedKeys::of(&keys);
            assert_eq!(listed.keys.len(), keys_listed);
            let shown: usize = listed.keys.iter().map(|key| key.segments.len()).sum();
            assert_eq!(shown, segments_listed);
            assert_eq!(listed.keys_left_out, (count - keys_listed) as u64);
            let hidden = count * segments - segments_listed;
            assert_eq!(listed.segments_left_out, hidden as u64);
        }
    }
}
