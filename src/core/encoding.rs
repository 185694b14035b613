//! Events as bytes: the one format that the journal appends and the state stores.
//!
//! `docs/journal-format.md` describes it. The format has no checksum (the file formats around it have)
//! and decoding refuses anything that is not a valid event, so bytes from any source may be decoded.

use super::draft::INTEGER_MAX;
use super::{Claim, Delta, Event, Fact, Findings, Micros, Standing, Wad};

/// The first byte of a claim: which fact it states.
const FACT: u8 = 0b0010_0011;
const WITHDRAWN: u8 = 0;
const CLOSED: u8 = 1;
const START: u8 = 2;
const STOP: u8 = 3;
/// A change of balance that is not negative.
const RISE: u8 = 0b0010_0000;
/// A change of balance that is negative.
const FALL: u8 = 0b0010_0001;
/// Flag of the first byte: an `event_id` and a revision follow.
const NAMED: u8 = 0b0000_0100;
/// Flag of the first byte: the weight, or the size of the delta, is 1 and left out.
const ONE: u8 = 0b0000_1000;
/// Flag of the first byte: a `seq` follows the instant of a mark.
const SEQ: u8 = 0b0001_0000;

/// The bytes of an encoded event at most, beside those of its ids, of which none has 2 MiB.
pub const EVENT_BYTES_MAX: usize = 3 * 3 + 1 + 10 + 2 * 8 + 10 + 19;

/// Why bytes cannot be decoded as events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// The bytes end in the middle of an event.
    #[error("ends within an event")]
    Truncated,
    /// An id is empty or not UTF-8.
    #[error("an id is empty or not text")]
    Id,
    /// An integer is longer than its type.
    #[error("an integer is too long")]
    Integer,
    /// The first byte of a claim is unknown.
    #[error("head {0:#04x} of a claim is unknown")]
    Head(u8),
    /// A time, a revision or a pair of times is out of range.
    #[error("a time or a revision is out of range")]
    Range,
}

/// Encoded events, ready to be appended without further conversion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventBatch {
    bytes: Vec<u8>,
    count: u32,
}

impl EventBatch {
    /// An empty batch with a capacity of `bytes` bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            count: 0,
        }
    }

    /// A batch of `count` events that are encoded in `bytes`.
    pub(crate) const fn from_encoded(bytes: Vec<u8>, count: u32) -> Self {
        Self { bytes, count }
    }

    /// Adds one event.
    ///
    /// # Panics
    /// If the batch holds 2^32 - 1 events already.
    pub fn push(&mut self, event: &Event<'_>) {
        push_text(&mut self.bytes, event.token_id);
        push_text(&mut self.bytes, event.holder_id);
        push_claim(&mut self.bytes, event.claim);
        self.count = self.count.checked_add(1).expect("fewer than 2^32 events");
    }

    /// The number of events.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Whether the batch has no events.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Gives back memory that the batch does not need, if that is more than half of what it takes; returns
    /// what it takes.
    pub(crate) fn shrink(&mut self) -> usize {
        if self.bytes.capacity() / 2 > self.bytes.len() {
            self.bytes.shrink_to_fit();
        }
        self.bytes.capacity()
    }

    /// What is probably not meant among the events.
    #[must_use]
    pub fn findings(&self) -> Findings {
        self.findings_from(0)
    }

    /// The same for those that were added after [`Self::bytes`] had this length.
    ///
    /// # Panics
    /// If the length is larger than that of the bytes.
    #[must_use]
    pub fn findings_from(&self, length: usize) -> Findings {
        Findings::of(events(&self.bytes[length..]).map_while(Result::ok))
    }

    /// The encoded events, one after the other.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The events in `bytes`; iteration ends after the first error.
pub fn events(bytes: &[u8]) -> impl Iterator<Item = Result<Event<'_>, EncodingError>> {
    decoded(bytes, Reader::event)
}

/// The event that begins at `place` in `bytes`, and moves `place` to its end; `None` at the end of `bytes`.
///
/// # Errors
/// If there is no event; `place` then stays.
pub fn next_event<'a>(
    bytes: &'a [u8],
    place: &mut usize,
) -> Result<Option<Event<'a>>, EncodingError> {
    let rest = bytes.get(*place..).ok_or(EncodingError::Truncated)?;
    if rest.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader { rest };
    let event = reader.event()?;
    *place = bytes.len() - reader.rest.len();
    Ok(Some(event))
}

/// The claims in `bytes`, as written by [`push_claim`]; iteration ends after the first error.
pub fn claims(bytes: &[u8]) -> impl Iterator<Item = Result<Claim<'_>, EncodingError>> {
    decoded(bytes, Reader::claim)
}

/// Appends one claim.
pub fn push_claim(out: &mut Vec<u8>, claim: Claim<'_>) {
    let (name, fact) = match claim {
        Claim::Plain(fact) => (None, Some(fact)),
        Claim::Named { event_id, standing } => (Some((event_id, standing.revision)), standing.fact),
    };
    let (kind, weight, seq) = match fact {
        None => (WITHDRAWN, Wad::ONE, 0),
        Some(Fact::Closed { weight, .. }) => (CLOSED, weight, 0),
        Some(Fact::Start { weight, seq, .. }) => (START, weight, seq),
        Some(Fact::Stop { seq, .. }) => (STOP, Wad::ONE, seq),
        Some(Fact::Change { delta, .. }) if delta.is_negative() => (FALL, delta.size(), 0),
        Some(Fact::Change { delta, .. }) => (RISE, delta.size(), 0),
    };
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    let one = flag(weight == Wad::ONE, ONE);
    out.push(kind | flag(name.is_some(), NAMED) | one | flag(seq > 0, SEQ));
    if let Some((event_id, revision)) = name {
        push_text(out, event_id);
        push_integer(out, u128::from(revision));
    }
    if let Some(fact) = fact {
        out.extend_from_slice(&fact.instant().get().to_le_bytes());
    }
    if let Some(Fact::Closed { end, .. }) = fact {
        out.extend_from_slice(&end.get().to_le_bytes());
    }
    if seq > 0 {
        push_integer(out, u128::from(seq));
    }
    if one == 0 {
        push_integer(out, weight.steps());
    }
}

/// The keys of one holder in `bytes`, as written by [`push_key`]: each token with its claims.
/// Iteration ends after the first error.
pub fn keys(bytes: &[u8]) -> impl Iterator<Item = Result<(&str, &[u8]), EncodingError>> {
    decoded(bytes, |reader| Ok((reader.text()?, reader.bytes()?)))
}

/// Appends one key of a holder; `claims` is the output of [`push_claim`].
pub fn push_key(out: &mut Vec<u8>, token_id: &str, claims: &[u8]) {
    push_text(out, token_id);
    push_integer(out, claims.len() as u128);
    out.extend_from_slice(claims);
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    push_integer(out, text.len() as u128);
    out.extend_from_slice(text.as_bytes());
}

/// Seven bits per byte, the lowest first; the highest bit says that more bytes follow.
fn push_integer(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn decoded<'a, T: 'a>(
    bytes: &'a [u8],
    one: impl Fn(&mut Reader<'a>) -> Result<T, EncodingError> + 'a,
) -> impl Iterator<Item = Result<T, EncodingError>> + 'a {
    let mut reader = Reader { rest: bytes };
    std::iter::from_fn(move || {
        if reader.rest.is_empty() {
            return None;
        }
        let read = one(&mut reader);
        if read.is_err() {
            reader.rest = &[];
        }
        Some(read)
    })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn event(&mut self) -> Result<Event<'a>, EncodingError> {
        Ok(Event {
            token_id: self.text()?,
            holder_id: self.text()?,
            claim: self.claim()?,
        })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], EncodingError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(EncodingError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, EncodingError> {
        let (byte, rest) = self.rest.split_first().ok_or(EncodingError::Truncated)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn integer(&mut self) -> Result<u128, EncodingError> {
        let mut value = 0;
        for shift in (0..u128::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(EncodingError::Integer);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(EncodingError::Integer)
    }

    fn bytes(&mut self) -> Result<&'a [u8], EncodingError> {
        let length = usize::try_from(self.integer()?).map_err(|_| EncodingError::Truncated)?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str, EncodingError> {
        let text = str::from_utf8(self.bytes()?).map_err(|_| EncodingError::Id)?;
        if text.is_empty() {
            return Err(EncodingError::Id);
        }
        Ok(text)
    }

    fn instant(&mut self) -> Result<Micros, EncodingError> {
        let bytes = self.take(8)?.try_into().expect("eight bytes were taken");
        Micros::new(i64::from_le_bytes(bytes)).map_err(|_| EncodingError::Range)
    }

    fn weight(&mut self, head: u8) -> Result<Wad, EncodingError> {
        if head & ONE != 0 {
            return Ok(Wad::ONE);
        }
        self.integer().map(Wad::from_steps)
    }

    fn seq(&mut self, head: u8) -> Result<u64, EncodingError> {
        if head & SEQ == 0 {
            return Ok(0);
        }
        self.up_to_the_largest()
    }

    /// A `revision` or a `seq`.
    fn up_to_the_largest(&mut self) -> Result<u64, EncodingError> {
        u64::try_from(self.integer()?)
            .ok()
            .filter(|integer| *integer <= INTEGER_MAX)
            .ok_or(EncodingError::Range)
    }

    fn claim(&mut self) -> Result<Claim<'a>, EncodingError> {
        let head = self.byte()?;
        let kind = head & FACT;
        let is_weighted = !matches!(kind, WITHDRAWN | STOP);
        let is_known = head & !(FACT | NAMED | ONE | SEQ) == 0
            && matches!(kind, WITHDRAWN | CLOSED | START | STOP | RISE | FALL)
            && (is_weighted || head & ONE != 0)
            && (!matches!(kind, WITHDRAWN | RISE | FALL) || head & NAMED != 0)
            && (matches!(kind, START | STOP) || head & SEQ == 0);
        if !is_known {
            return Err(EncodingError::Head(head));
        }
        let name = if head & NAMED == 0 {
            None
        } else {
            Some((self.text()?, self.up_to_the_largest()?))
        };
        let fact = match kind {
            CLOSED => {
                let (start, end) = (self.instant()?, self.instant()?);
                if start > end {
                    return Err(EncodingError::Range);
                }
                let weight = self.weight(head)?;
                Some(Fact::Closed { start, end, weight })
            }
            START => {
                let (at, seq) = (self.instant()?, self.seq(head)?);
                let weight = self.weight(head)?;
                Some(Fact::Start { at, weight, seq })
            }
            STOP => {
                let (at, seq) = (self.instant()?, self.seq(head)?);
                Some(Fact::Stop { at, seq })
            }
            RISE | FALL => {
                let at = self.instant()?;
                let delta = Delta::new(self.weight(head)?, kind == FALL);
                Some(Fact::Change { at, delta })
            }
            _ => None,
        };
        match (name, fact) {
            (None, Some(fact)) => Ok(Claim::Plain(fact)),
            (None, None) => Err(EncodingError::Head(head)),
            (Some((event_id, revision)), fact) => Ok(Claim::Named {
                event_id,
                standing: Standing { revision, fact },
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Micros {
        Micros::new(micros).unwrap()
    }

    fn every_kind() -> Vec<Event<'static>> {
        let closed = Fact::Closed {
            start: at(-5),
            end: at(7),
            weight: Wad::from_steps(u128::MAX),
        };
        let start = Fact::Start {
            at: at(3),
            weight: Wad::ONE,
            seq: 0,
        };
        let ordered = Fact::Start {
            at: at(3),
            weight: Wad::ZERO,
            seq: INTEGER_MAX,
        };
        let change = |text: &str| Fact::Change {
            at: at(-8),
            delta: Delta::parse(text).unwrap(),
        };
        let named = |revision, fact| Claim::Named {
            event_id: "0xabc:7",
            standing: Standing { revision, fact },
        };
        [
            Claim::Plain(closed),
            Claim::Plain(start),
            Claim::Plain(ordered),
            Claim::Plain(Fact::Stop {
                at: Micros::MAX,
                seq: 0,
            }),
            Claim::Plain(Fact::Stop {
                at: Micros::MAX,
                seq: 1,
            }),
            named(3, Some(change("-1"))),
            named(0, Some(change("1"))),
            named(0, Some(change("0"))),
            named(0, Some(change("-340282366920938463463.374607431768211455"))),
            named(INTEGER_MAX, Some(closed)),
            named(0, None),
        ]
        .into_iter()
        .map(|claim| Event {
            token_id: "punk/1",
            holder_id: "hölder",
            claim,
        })
        .collect()
    }

    fn encoded(all: &[Event<'_>]) -> EventBatch {
        let mut batch = EventBatch::default();
        for event in all {
            batch.push(event);
        }
        batch
    }

    #[test]
    fn what_was_pushed_comes_back() {
        let all = every_kind();
        let batch = encoded(&all);
        assert_eq!(batch.count() as usize, all.len());
        let back: Vec<_> = events(batch.bytes()).collect::<Result<_, _>>().unwrap();
        assert_eq!(back, all);
    }

    #[test]
    fn the_keys_of_a_holder_come_back_and_no_shorter_form_of_them_is_read_to_its_end() {
        let all: [(&str, &[u8]); 3] = [("a", b"claims"), ("punk/1", b""), ("c", &[7; 200])];
        let mut bytes = Vec::new();
        for (token_id, claims) in all {
            push_key(&mut bytes, token_id, claims);
        }
        let back: Vec<_> = keys(&bytes).collect::<Result<_, _>>().unwrap();
        assert_eq!(back, all);
        for length in 0..bytes.len() {
            let read: Result<Vec<_>, _> = keys(&bytes[..length]).collect();
            assert!(read.is_err() || read.unwrap().len() < all.len(), "{length}");
        }
    }

    #[test]
    fn every_shorter_form_of_an_event_is_refused() {
        for event in every_kind() {
            let batch = encoded(&[event]);
            for length in 1..batch.bytes().len() {
                let read: Result<Vec<_>, _> = events(&batch.bytes()[..length]).collect();
                assert!(read.is_err(), "{event:?} cut at {length}");
            }
        }
    }

    #[test]
    fn what_no_event_encodes_to_is_refused() {
        let cases: [(&[u8], EncodingError); 6] = [
            (&[0x10], EncodingError::Head(0x10)),
            (&[WITHDRAWN | ONE], EncodingError::Head(WITHDRAWN | ONE)),
            (&[STOP], EncodingError::Head(STOP)),
            (&[STOP | ONE | NAMED, 0], EncodingError::Id),
            (&[STOP | ONE | NAMED, 1, 0xff], EncodingError::Id),
            (
                &[STOP | ONE, 0, 0, 0, 0, 0, 0, 0, 0x80],
                EncodingError::Range,
            ),
        ];
        for (bytes, error) in cases {
            assert_eq!(claims(bytes).next(), Some(Err(error)), "{bytes:?}");
        }
        let endless = [0xff; 19];
        assert_eq!(events(&endless).next(), Some(Err(EncodingError::Integer)));
    }
}
