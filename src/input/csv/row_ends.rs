//! Where a stream of CSV may be cut: after a line break outside quotes.

use crate::input::Delimiter;
use crate::input::blocks::RecordEnds;

/// Finds line breaks outside quotes.
pub(in crate::input) struct RowEnds {
    state: Quotes,
    delimiter: u8,
}

impl RowEnds {
    pub(in crate::input) fn new(delimiter: Delimiter) -> Self {
        Self {
            state: Quotes::default(),
            delimiter: delimiter.byte(),
        }
    }
}

/// Where in a row the bytes given so far end.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Quotes {
    #[default]
    Outside,
    Inside,
    /// After a quote inside quotes: the end of the cell, or the first half of a doubled one.
    Closing,
}

impl RecordEnds for RowEnds {
    fn last_end(&mut self, bytes: &mut [u8], seen: usize) -> Option<usize> {
        let mut last = None;
        let mut at = seen;
        while at < bytes.len() {
            match self.state {
                Quotes::Outside => {
                    let quote = memchr::memchr(b'"', &bytes[at..]).map(|index| at + index);
                    let end = quote.unwrap_or(bytes.len());
                    if let Some(index) = memchr::memrchr(b'\n', &bytes[at..end]) {
                        last = Some(at + index + 1);
                    }
                    if quote.is_some() && begins_cell(bytes, end, self.delimiter) {
                        self.state = Quotes::Inside;
                    }
                    at = end + 1;
                }
                Quotes::Inside => match memchr::memchr(b'"', &bytes[at..]) {
                    Some(index) => {
                        self.state = Quotes::Closing;
                        at += index + 1;
                    }
                    None => at = bytes.len(),
                },
                Quotes::Closing if bytes[at] == b'"' => {
                    self.state = Quotes::Inside;
                    at += 1;
                }
                Quotes::Closing => self.state = Quotes::Outside,
            }
        }
        last
    }
}

/// Whether the quote at `quote` opens a quoted cell; anywhere else it is an ordinary character.
fn begins_cell(bytes: &[u8], quote: usize, delimiter: u8) -> bool {
    match &bytes[..quote] {
        [.., before] => *before == delimiter || *before == b'\n',
        [] => true,
    }
}
