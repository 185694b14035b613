//! What one report of a holder lists: its tokens and segments, up to what every client takes in one message.
//!
//! One bound for both protocols, so that they leave out the same. How it is written is theirs to say.

use crate::core::Segment;
use crate::engine::KeySegments;

/// Segments that one report lists.
const SEGMENTS_MAX: usize = 20_000;
/// Bytes of the tokens that one report lists. With all its segments a report stays below the 4 MiB that gRPC
/// clients take by default: the largest segment takes 83 bytes there.
const TOKEN_BYTES_MAX: usize = 1 << 20;
/// What a token takes in a report besides its name.
const TOKEN_BYTES: usize = 16;

/// The part of a holder's tokens and segments that is listed, and how much is not.
pub(super) struct Listed<'a> {
    /// By `token_id`.
    pub(super) keys: Vec<(&'a str, &'a [Segment])>,
    pub(super) keys_left_out: u64,
    /// Those of tokens that are left out too.
    pub(super) segments_left_out: u64,
}

impl<'a> Listed<'a> {
    /// The first of `keys`, and of their segments. The last one that is listed may lack some of its own.
    pub(super) fn of(keys: &'a [KeySegments]) -> Self {
        let mut segments_left = SEGMENTS_MAX;
        let mut bytes_left = TOKEN_BYTES_MAX;
        let mut listed = Self {
            keys: Vec::new(),
            keys_left_out: 0,
            segments_left_out: 0,
        };
        for key in keys {
            let bytes = TOKEN_BYTES + key.token_id.len();
            let is_behind = listed.keys_left_out > 0;
            if is_behind || segments_left == 0 || bytes > bytes_left {
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

    fn keys(count: usize, id_bytes: usize, segments: usize) -> Vec<KeySegments> {
        let segment = Segment {
            start: Micros::new(0).unwrap(),
            end: None,
            weight: Wad::parse("1").unwrap(),
        };
        (0..count)
            .map(|number| KeySegments {
                token_id: format!("{number:0id_bytes$}").into(),
                holder_id: "a".into(),
                segments: vec![segment; segments],
            })
            .collect()
    }

    #[test]
    fn what_finds_no_room_is_left_out_and_counted() {
        for (count, id_bytes, segments, keys_listed, segments_listed) in [
            (3, 5, 2, 3, 6),
            (30_000, 5, 1, 20_000, 20_000),
            (30_000, 256, 1, 3_855, 3_855),
            (3, 5, 15_000, 2, 20_000),
            (2, 5, 20_000, 1, 20_000),
        ] {
            let keys = keys(count, id_bytes, segments);
            let listed = Listed::of(&keys);
            assert_eq!(listed.keys.len(), keys_listed);
            let shown: usize = listed.keys.iter().map(|(_, shown)| shown.len()).sum();
            assert_eq!(shown, segments_listed);
            assert_eq!(listed.keys_left_out, (count - keys_listed) as u64);
            let hidden = count * segments - segments_listed;
            assert_eq!(listed.segments_left_out, hidden as u64);
        }
    }
}
