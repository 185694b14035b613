//! The windows of zstd frames, read before the frames are decompressed, and counted over all callers.
//!
//! A decompressor keeps the last bytes that it has written, as many as the window of a frame has: 300 bytes of a body may
//! fill 8 MiB, for as long as the body lasts. Decompresses nothing; see RFC 8878, section 3.1, for the format.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use crate::net::answer_budget::BodyBudget;

const MAGIC: u32 = 0xfd2f_b528;
const SKIPPABLE_MAGIC: u32 = 0x184d_2a50;
const CHECKSUM_BYTES: usize = 4;
/// The longest part that is gathered: window, dictionary and content size of a frame.
const PART_BYTES_MAX: usize = 1 + 4 + 8;
/// Windows up to this size are not counted.
const SMALL_BYTES: usize = 64 << 10;
/// A frame with a larger window is refused when it is decompressed, before memory is taken.
pub(super) const WINDOW_LOG_MAX: u32 = 23;

/// There is no room for a window.
#[derive(Debug, thiserror::Error)]
#[error("too many bodies at once")]
pub(super) struct NoRoom;

impl NoRoom {
    /// Whether an error is this one.
    pub(super) fn is(error: &io::Error) -> bool {
        error
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Self>)
    }
}

/// The chunks of a body in zstd, of which none is passed on before the windows that begin in it are counted.
pub(super) fn counted_windows(
    chunks: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    BodyBudget(bodies): &BodyBudget,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let in_flight = bodies.count(0);
    let mut frames = Frames::default();
    let mut counted = SMALL_BYTES;
    chunks.map(move |chunk| {
        let chunk = chunk?;
        let window = frames.largest_window(&chunk).min(1 << WINDOW_LOG_MAX);
        if window > counted {
            if !in_flight.grow(window - counted) {
                return Err(io::Error::other(NoRoom));
            }
            counted = window;
        }
        Ok(chunk)
    })
}

/// Where frames begin and end.
struct Frames {
    part: Part,
    gathered: [u8; PART_BYTES_MAX],
    length: usize,
    /// Bytes that are passed over before the part begins.
    skipped: usize,
    has_checksum: bool,
}

#[derive(Clone, Copy)]
enum Part {
    Magic,
    SkippableSize,
    Descriptor,
    /// The rest of the header of a frame, of so many bytes; the last ones are the size of its content.
    Sizes {
        length: usize,
        content_length: usize,
        has_window: bool,
    },
    Block,
}

impl Part {
    const fn length(self) -> usize {
        match self {
            Self::Magic | Self::SkippableSize => 4,
            Self::Descriptor => 1,
            Self::Sizes { length, .. } => length,
            Self::Block => 3,
        }
    }
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            part: Part::Magic,
            gathered: [0; PART_BYTES_MAX],
            length: 0,
            skipped: 0,
            has_checksum: false,
        }
    }
}

impl Frames {
    /// The largest window of the frames that begin in `data`, which follows what was given before; 0 if none does.
    fn largest_window(&mut self, mut data: &[u8]) -> usize {
        let mut largest = 0;
        loop {
            let skipped = self.skipped.min(data.len());
            self.skipped -= skipped;
            data = &data[skipped..];
            let missing = (self.part.length() - self.length).min(data.len());
            self.gathered[self.length..][..missing].copy_from_slice(&data[..missing]);
            self.length += missing;
            data = &data[missing..];
            if self.skipped > 0 || self.length < self.part.length() {
                return largest;
            }
            largest = largest.max(self.next_part());
            self.length = 0;
        }
    }

    /// Reads the part that is gathered; the window that it states.
    fn next_part(&mut self) -> usize {
        let number = |bytes: &[u8]| {
            let bytes = bytes.iter().rev();
            bytes.fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte))
        };
        let gathered = &self.gathered[..self.length];
        match self.part {
            Part::Magic => {
                let magic = number(gathered);
                self.part = if magic == u64::from(MAGIC) {
                    Part::Descriptor
                } else if magic & !0xf == u64::from(SKIPPABLE_MAGIC) {
                    Part::SkippableSize
                } else {
                    // It cannot be decompressed from here on.
                    self.skipped = usize::MAX;
                    Part::Magic
                };
            }
            Part::SkippableSize => {
                self.skipped = saturated(number(gathered));
                self.part = Part::Magic;
            }
            Part::Descriptor => {
                let descriptor = gathered[0];
                let has_window = descriptor & 0x20 == 0;
                let dictionary_length = [0, 1, 2, 4][usize::from(descriptor & 3)];
                let content_length = match descriptor >> 6 {
                    0 => usize::from(!has_window),
                    flag => 1 << flag,
                };
                self.has_checksum = descriptor & 4 != 0;
                self.part = Part::Sizes {
                    length: usize::from(has_window) + dictionary_length + content_length,
                    content_length,
                    has_window,
                };
            }
            Part::Sizes {
                content_length,
                has_window,
                ..
            } => {
                self.part = Part::Block;
                if has_window {
                    let base = 1_usize << (10 + (gathered[0] >> 3));
                    return base + base / 8 * usize::from(gathered[0] & 7);
                }
                let content = number(&gathered[gathered.len() - content_length..]);
                let offset = if content_length == 2 { 256 } else { 0 };
                return saturated(content.saturating_add(offset));
            }
            Part::Block => {
                let block = number(gathered);
                let is_repeated_byte = (block >> 1) & 3 == 1;
                self.skipped = if is_repeated_byte {
                    1
                } else {
                    saturated(block >> 3)
                };
                if block & 1 == 1 {
                    self.skipped += if self.has_checksum { CHECKSUM_BYTES } else { 0 };
                    self.part = Part::Magic;
                }
            }
        }
        0
    }
}

fn saturated(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn frame(content: &[u8], window_log: Option<u32>, has_checksum: bool) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(has_checksum).unwrap();
        if let Some(log) = window_log {
            encoder.window_log(log).unwrap();
        } else {
            let size = content.len() as u64;
            encoder.set_pledged_src_size(Some(size)).unwrap();
        }
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_windows_of_all_frames_are_known_however_they_are_cut() {
        let noise: Vec<u8> = (0..300_000_u32)
            .map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[3])
            .collect();
        let skippable = [&0x184d_2a5a_u32.to_le_bytes()[..], &[3, 0, 0, 0, 1, 2, 3]].concat();
        let parts = [
            (frame(b"", None, false), 0),
            (frame(&noise, Some(20), true), 1 << 20),
            (skippable, 0),
            (frame(&noise, None, true), 300_000),
            (frame(&noise[..700], None, false), 700),
            (frame(b"abc", Some(23), false), 1 << 23),
        ];
        let all: Vec<u8> = parts.iter().flat_map(|part| part.0.clone()).collect();
        for step in [1, 2, 3, 7, 1_000, all.len()] {
            let mut frames = Frames::default();
            let windows = all.chunks(step).map(|data| frames.largest_window(data));
            let windows: Vec<_> = windows.filter(|window| *window > 0).collect();
            if step == 1 {
                let expected: Vec<_> = parts.iter().map(|part| part.1).filter(|w| *w > 0).collect();
                assert_eq!(windows, expected);
            }
            assert_eq!(windows.iter().max(), Some(&(1 << 23)), "{step}");
        }
    }

    #[test]
    fn any_bytes_can_be_read() {
        let mut frames = Frames::default();
        for i in 0..200_000_u32 {
            let bytes = i.wrapping_mul(2_654_435_761).to_le_bytes();
            if i % 64 == 0 {
                frames = Frames::default();
                frames.largest_window(&MAGIC.to_le_bytes());
            }
            frames.largest_window(&bytes);
        }
    }
}
