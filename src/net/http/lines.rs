//! Splits chunks of bytes, which may end anywhere, into lines of limited length.

/// A line, or the fact that it was too long.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Without its line feed.
    Whole(&'a [u8]),
    /// More bytes than allowed; they were dropped.
    TooLong,
}

/// Splits chunks into lines.
pub(super) struct LineSplitter {
    line_bytes_max: usize,
    /// The beginning of a line that the next chunk continues.
    partial: Vec<u8>,
    is_too_long: bool,
    number: u64,
}

impl LineSplitter {
    pub(super) fn new(line_bytes_max: usize) -> Self {
        Self {
            line_bytes_max,
            partial: Vec::new(),
            is_too_long: false,
            number: 0,
        }
    }

    /// Number of the last line, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Bytes of the line that the next chunk continues.
    pub(super) const fn partial_bytes(&self) -> usize {
        self.partial.len()
    }

    /// Calls `each` with the next line that ends in `chunk` and its number; returns the rest of the chunk.
    pub(super) fn next<'c, T>(
        &mut self,
        chunk: &'c [u8],
        each: impl FnOnce(u64, Line<'_>) -> T,
    ) -> Option<(T, &'c [u8])> {
        let Some(end) = memchr::memchr(b'\n', chunk) else {
            self.keep(chunk);
            return None;
        };
        let (line, left) = (&chunk[..end], &chunk[end + 1..]);
        if !self.is_too_long && self.partial.is_empty() && line.len() <= self.line_bytes_max {
            self.number += 1;
            return Some((each(self.number, Line::Whole(line)), left));
        }
        self.keep(line);
        Some((self.complete(each), left))
    }

    /// Calls `each` with what follows the last line feed, if anything.
    pub(super) fn last<T>(&mut self, each: impl FnOnce(u64, Line<'_>) -> T) -> Option<T> {
        let is_there = self.is_too_long || !self.partial.is_empty();
        is_there.then(|| self.complete(each))
    }

    fn complete<T>(&mut self, each: impl FnOnce(u64, Line<'_>) -> T) -> T {
        self.number += 1;
        let result = if self.is_too_long {
            each(self.number, Line::TooLong)
        } else {
            each(self.number, Line::Whole(&self.partial))
        };
        self.partial.clear();
        self.is_too_long = false;
        result
    }

    fn keep(&mut self, part: &[u8]) {
        if self.is_too_long || self.partial.len() + part.len() > self.line_bytes_max {
            self.is_too_long = true;
            self.partial.clear();
        } else {
            self.partial.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All lines of `chunks`; `None` for those that are too long.
    fn cut(line_bytes_max: usize, chunks: &[&[u8]]) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut lines = LineSplitter::new(line_bytes_max);
        let own = |number, line: Line<'_>| match line {
            Line::Whole(line) => (number, Some(line.to_vec())),
            Line::TooLong => (number, None),
        };
        let mut all = Vec::new();
        for chunk in chunks {
            let mut left = *chunk;
            while let Some((line, after)) = lines.next(left, own) {
                all.push(line);
                left = after;
            }
        }
        all.extend(lines.last(own));
        all
    }

    #[test]
    fn a_line_that_is_too_long_is_reported_and_the_next_one_is_read() {
        let long = cut(3, &[b"ab\nabc", b"d", b"e\nxyz\n", b"1234"]);
        let expected = [
            (1, Some(b"ab".to_vec())),
            (2, None),
            (3, Some(b"xyz".to_vec())),
            (4, None),
        ];
        assert_eq!(long, expected);
    }

    proptest! {
        #[test]
        fn chunks_may_break_anywhere(text in "[a\n]{0,40}", breaks in prop::collection::vec(0_usize..40, 0..6)) {
            let mut cuts: Vec<usize> = breaks.into_iter().filter(|cut| *cut <= text.len()).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(cut(9, &chunks), cut(9, &[text.as_bytes()]));
            let whole = cut(100, &chunks);
            let mut expected: Vec<_> = text.split('\n').map(|line| Some(line.as_bytes().to_vec())).collect();
            if text.is_empty() || text.ends_with('\n') {
                expected.pop();
            }
            prop_assert_eq!(whole.into_iter().map(|(_, line)| line).collect::<Vec<_>>(), expected);
        }
    }
}
