//! Limits how many tokens and segments the report of one holder lists, so that every client accepts its size.
//!
//! Both protocols use it, so they list the same. `grpc` and `http` convert what is listed.

use crate::core::Segment;
use crate::engine::KeyReport;

/// A report lists at most this many segments.
const SEGMENTS_MAX: usize = 20_000;
/// A report lists at most this many changes of balance.
pub(super) const CHANGES_MAX: usize = 20_000;
/// A report lists tokens of at most this many bytes. With all its segments it stays below 4 MiB, the default
/// maximum of gRPC clients: a segment takes at most 83 bytes there.
const TOKEN_BYTES_MAX: usize = 1 << 20;
/// The overhead of a token in a report.
const TOKEN_BYTES: usize = 16;

/// The tokens and segments of a holder that are listed, and how many are not.
pub(super) struct ListedKeys<'a> {
    /// By `token_id`.
    pub(super) keys: Vec<(&'a str, &'a [Segment])>,
    pub(super) keys_left_out: u64,
    /// Includes the segments of tokens that are left out.
    pub(super) segments_left_out: u64,
}

impl<'a> ListedKeys<'a> {
    /// Lists `keys` in order until a limit is reached; of the last one perhaps only the first segments.
    pub(super) fn of(keys: &'a [KeyReport]) -> Self {
        let mut segments_left = SEGMENTS_MAX;
        let mut bytes_left = TOKEN_BYTES_MAX;
        let mut listed = Self {
            keys: Vec::new(),
            keys_left_out: 0,
            segments_left_out: 0,
        };
        for key in keys {
            let bytes = TOKEN_BYTES + key.token_id.len();
            let is_full = listed.keys_left_out > 0;
            if is_full || segments_left == 0 || bytes > bytes_left {
                listed.keys_left_out += 1;
                listed.segments_left_out += key.segments.len() as u64;
                continue;
            }
            let (shown, hidden) = key.segments.split_at(key.segments.len().min(segments_left));
            segments_left -= shown.len();
            bytes_left -= bytes;
            listed.segments_left_out += hidden.len() as u64;
            listed.keys.push((&key.token_id, shown));
        }
        listed
    }
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
            let shown: usize = listed.keys.iter().map(|(_, shown)| shown.len()).sum();
            assert_eq!(shown, segments_listed);
            assert_eq!(listed.keys_left_out, (count - keys_listed) as u64);
            let hidden = count * segments - segments_listed;
            assert_eq!(listed.segments_left_out, hidden as u64);
        }
    }
}
