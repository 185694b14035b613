//! Where a stream of CSV may be cut: after a line end outside quotes.

use crate::input::text::Cutter;

/// Cuts after a line end that stands outside quotes.
#[derive(Default)]
pub(in crate::input) struct RowCutter {
    state: Quotes,
}

/// Where in a row the bytes seen so far end.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Quotes {
    #[default]
    Outside,
    Inside,
    /// After a quote inside quotes: the end of the cell, or the first half of a doubled one.
    Closing,
}

impl Cutter for RowCutter {
    fn cut(&mut self, bytes: &[u8], seen: usize) -> Option<usize> {
        let mut last = None;
        let mut at = seen;
        while at < bytes.len() {
            match self.state {
                Quotes::Outside => {
                    let quote = memchr::memchr(b'"', &bytes[at..]).map(|place| at + place);
                    let end = quote.unwrap_or(bytes.len());
                    if let Some(place) = memchr::memrchr(b'\n', &bytes[at..end]) {
                        last = Some(at + place + 1);
                    }
                    if quote.is_some() && begins_cell(bytes, end) {
                        self.state = Quotes::Inside;
                    }
                    at = end + 1;
                }
                Quotes::Inside => match memchr::memchr(b'"', &bytes[at..]) {
                    Some(place) => {
                        self.state = Quotes::Closing;
                        at += place + 1;
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

/// A quote anywhere else is a character like any other.
fn begins_cell(bytes: &[u8], quote: usize) -> bool {
    match &bytes[..quote] {
        [.., before] => matches!(before, b',' | b'\n'),
        [] => true,
    }
}
