//! The named events of one key, each with its claim in force: 32 bytes and the id for a change of balance.
//!
//! Ids are kept, because a later event may correct one and an explanation names them. All of them lie in one
//! piece of memory, a transaction hash in half of its length. Few are searched one by one, more of them
//! through an index. What the claims add up to is computed elsewhere; see [`super::key`].

use std::hash::BuildHasher;
use std::sync::LazyLock;

use foldhash::fast::{FixedState, RandomState};
use hashbrown::{HashMap, HashTable};
use smallvec::SmallVec;

use super::hex_digits::four_bytes;
use super::weight::NarrowWad;
use super::{Claim, Delta, Fact, Micros, Standing};

/// Most events that are searched one by one.
const SEARCHED_MAX: usize = 64;
/// The number of digits of a transaction hash.
const HASH_DIGITS: usize = 64;

/// One hasher for all keys: an id that collides with others in one process does not in the next.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// Named events by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Standings {
    entries: Vec<Entry>,
    /// What few entries have, by their number.
    extras: Option<Box<HashMap<u32, Extra, FixedState>>>,
    ids: Vec<u8>,
    /// Numbers of entries by id; `None` if there are few.
    index: Option<Box<HashTable<u32>>>,
}

/// The fact that was in force under a name and has been replaced.
pub(super) struct Replaced(pub(super) Option<Fact>);

/// One claim but for its [`Extra`]; absent values are 0.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The start of a hold, or the instant of a mark or a change.
    at: i64,
    /// A weight, or the size of a delta.
    size: NarrowWad,
    /// Where its id begins.
    id: u32,
    /// The kind in the lowest byte, and three bytes of the id's hash.
    kind_and_hash: u32,
}

const _: () = assert!(size_of::<Entry>() == 32);

/// What an entry has no room for; most have nothing of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Extra {
    revision: u64,
    /// The end of a hold, or the `seq` of a mark.
    other: i64,
}

const WITHDRAWN: u8 = 0;
const CLOSED: u8 = 1;
const START: u8 = 2;
const STOP: u8 = 3;
const RISE: u8 = 4;
const FALL: u8 = 5;

impl Standings {
    /// The number of names.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Replaces the standing of a name and returns the previous one; `None` if the previous one prevails.
    ///
    /// # Panics
    /// At the 2^32nd name, or the 2^32nd byte of names.
    pub(super) fn replace(&mut self, event_id: &str, standing: Standing) -> Option<Replaced> {
        self.replace_packed(&PackedId::of(event_id), standing)
    }

    /// The same for an id that has been packed.
    pub(super) fn replace_packed(&mut self, id: &PackedId, standing: Standing) -> Option<Replaced> {
        let hash = id.hash;
        let Some(place) = self.find(id) else {
            self.add(standing, id);
            return Some(Replaced(None));
        };
        let known = self.standing(place);
        if !standing.prevails_over(&known) {
            return None;
        }
        let Entry { id, .. } = self.entries[place];
        self.set(place, standing, id, hash);
        Some(Replaced(known.fact))
    }

    /// Whether no claim that prevails over this one is known.
    pub(super) fn is_news(&self, claim: &Claim<'_>) -> bool {
        let Claim::Named { event_id, standing } = claim else {
            return true;
        };
        let known = self.find(&PackedId::of(event_id));
        known.is_none_or(|place| standing.prevails_over(&self.standing(place)))
    }

    /// Calls `visit` with the claim in force of each name, in order of the names' arrival.
    pub(super) fn claims(&self, visit: impl FnMut(Claim<'_>)) {
        self.claims_from(0, usize::MAX, visit);
    }

    /// The same for up to `claims_max` of them, without the first `skipped`.
    pub(super) fn claims_from(
        &self,
        skipped: usize,
        claims_max: usize,
        mut visit: impl FnMut(Claim<'_>),
    ) {
        let mut event_id = String::new();
        let entries = self.entries.iter().enumerate();
        for (place, entry) in entries.skip(skipped).take(claims_max) {
            unpack(self.id(entry.id), &mut event_id);
            visit(Claim::Named {
                event_id: &event_id,
                standing: self.standing(place),
            });
        }
    }

    /// The facts in force, in order of the names' arrival.
    pub(super) fn facts(&self) -> impl Iterator<Item = Fact> {
        (0..self.entries.len()).filter_map(|place| self.standing(place).fact)
    }

    #[expect(clippy::cast_possible_truncation, reason = "there are fewer than 2^32")]
    fn standing(&self, place: usize) -> Standing {
        let extras = self.extras.as_ref();
        let extra = extras.and_then(|extras| extras.get(&(place as u32)));
        self.entries[place].standing(extra.copied().unwrap_or_default())
    }

    /// Sets the entry at `place`, which may be new.
    #[expect(clippy::cast_possible_truncation, reason = "there are fewer than 2^32")]
    fn set(&mut self, place: usize, standing: Standing, id: u32, hash: u64) {
        let (entry, extra) = Entry::new(standing, id, hash);
        if let Some(known) = self.entries.get_mut(place) {
            *known = entry;
        } else {
            reserve(&mut self.entries, 1);
            self.entries.push(entry);
        }
        if extra != Extra::default() {
            let extras = self.extras.get_or_insert_default();
            extras.insert(place as u32, extra);
        } else if let Some(extras) = &mut self.extras {
            extras.remove(&(place as u32));
        }
    }

    fn add(&mut self, standing: Standing, id: &PackedId) {
        let hash = id.hash;
        let start = u32::try_from(self.ids.len()).expect("fewer than 2^32 bytes of ids");
        let number = u32::try_from(self.entries.len()).expect("fewer than 2^32 ids");
        let length = id.bytes.len();
        reserve(&mut self.ids, length + LENGTH_BYTES_MAX);
        push_length(&mut self.ids, length);
        self.ids.extend_from_slice(&id.bytes);
        self.set(self.entries.len(), standing, start, hash);
        if self.entries.len() > SEARCHED_MAX {
            self.index(number, hash);
        }
    }

    fn index(&mut self, number: u32, hash: u64) {
        let (entries, ids) = (&self.entries, &self.ids);
        let hash_of = |number: &u32| {
            let id = id_at(ids, entries[*number as usize].id);
            HASHER.hash_one(id)
        };
        if let Some(index) = &mut self.index {
            index.insert_unique(hash, number, hash_of);
            return;
        }
        let mut index = Box::new(HashTable::with_capacity(2 * SEARCHED_MAX));
        for number in 0..=number {
            index.insert_unique(hash_of(&number), number, hash_of);
        }
        self.index = Some(index);
    }

    fn find(&self, id: &PackedId) -> Option<usize> {
        let hash = id.hash;
        let is_it = |entry: &Entry| {
            entry.kind_and_hash >> 8 == hash_part(hash) && *self.id(entry.id) == id.bytes[..]
        };
        match &self.index {
            None => self.entries.iter().position(is_it),
            Some(index) => index
                .find(hash, |number| is_it(&self.entries[*number as usize]))
                .map(|number| *number as usize),
        }
    }

    fn id(&self, start: u32) -> &[u8] {
        id_at(&self.ids, start)
    }
}

impl Entry {
    fn new(standing: Standing, id: u32, hash: u64) -> (Self, Extra) {
        let zero = NarrowWad::ZERO;
        let (kind, at, other, size) = match standing.fact {
            None => (WITHDRAWN, 0, 0, zero),
            Some(Fact::Closed { start, end, weight }) => {
                (CLOSED, start.get(), end.get(), weight.into())
            }
            Some(Fact::Start { at, weight, seq }) => {
                (START, at.get(), seq.cast_signed(), weight.into())
            }
            Some(Fact::Stop { at, seq }) => (STOP, at.get(), seq.cast_signed(), zero),
            Some(Fact::Change { at, delta }) => {
                let kind = if delta.is_negative() { FALL } else { RISE };
                (kind, at.get(), 0, delta.size().into())
            }
        };
        let entry = Self {
            at,
            size,
            id,
            kind_and_hash: hash_part(hash) << 8 | u32::from(kind),
        };
        let Standing { revision, .. } = standing;
        (entry, Extra { revision, other })
    }

    fn standing(&self, Extra { revision, other }: Extra) -> Standing {
        let instant = |micros| Micros::new(micros).expect("it was an instant");
        let (weight, seq) = (self.size.into(), other.cast_unsigned());
        let fact = match self.kind_and_hash.to_le_bytes()[0] {
            WITHDRAWN => None,
            CLOSED => Some(Fact::Closed {
                start: instant(self.at),
                end: instant(other),
                weight,
            }),
            START => Some(Fact::Start {
                at: instant(self.at),
                weight,
                seq,
            }),
            STOP => Some(Fact::Stop {
                at: instant(self.at),
                seq,
            }),
            kind => Some(Fact::Change {
                at: instant(self.at),
                delta: Delta::new(weight, kind == FALL),
            }),
        };
        Standing { revision, fact }
    }
}

/// 24 bits of a hash, from its middle: an index uses its ends.
#[expect(clippy::cast_possible_truncation, reason = "it is cut on purpose")]
fn hash_part(hash: u64) -> u32 {
    (hash >> 20) as u32 & 0x00ff_ffff
}

/// The bits from here on are neither in [`hash_part`] nor, up to the seven of its tags, used by an index of fewer than
/// 2^44 ids.
const SPREAD_FROM: u32 = 44;

/// An id as it is stored: equal bytes are equal ids.
pub(super) struct PackedId {
    bytes: SmallVec<[u8; 96]>,
    hash: u64,
}

/// First byte of a packed id: text.
const TEXT: u8 = 0;
/// First byte of a packed id: `0x`, a transaction hash as bytes, and text.
const HASHED: u8 = 1;

impl PackedId {
    pub(super) fn of(id: &str) -> Self {
        let mut bytes = SmallVec::new();
        let hash = id.as_bytes().strip_prefix(b"0x").and_then(|rest| {
            let (digits, rest) = rest.split_first_chunk()?;
            Some((hash_bytes(digits)?, rest))
        });
        if let Some((hash, rest)) = hash {
            bytes.push(HASHED);
            bytes.extend_from_slice(&hash);
            bytes.extend_from_slice(rest);
        } else {
            bytes.push(TEXT);
            bytes.extend_from_slice(id.as_bytes());
        }
        let hash = HASHER.hash_one(&bytes[..]);
        Self { bytes, hash }
    }

    /// Some bits of the hash, which [`Standings`] does not use.
    pub(super) const fn spread(&self) -> u64 {
        self.hash >> SPREAD_FROM
    }
}

/// The bytes that lower-case hexadecimal digits stand for; `None` if one is something else.
fn hash_bytes(digits: &[u8; HASH_DIGITS]) -> Option<[u8; HASH_DIGITS / 2]> {
    let mut bytes = [0; HASH_DIGITS / 2];
    let (eights, _) = digits.as_chunks();
    let mut are_digits = true;
    for (four, eight) in bytes.as_chunks_mut().0.iter_mut().zip(eights) {
        let (number, are_these) = four_bytes(*eight);
        are_digits &= are_these;
        *four = half(number).to_be_bytes();
    }
    are_digits.then_some(bytes)
}

#[expect(clippy::cast_possible_truncation, reason = "four bytes have 32 bits")]
const fn half(number: u64) -> u32 {
    number as u32
}

/// Replaces `text` by the id with these packed bytes.
fn unpack(bytes: &[u8], text: &mut String) {
    text.clear();
    let rest = match bytes.split_first() {
        Some((&HASHED, rest)) => {
            let (hash, rest) = rest.split_at(HASH_DIGITS / 2);
            text.push_str("0x");
            for byte in hash {
                for digit in [byte >> 4, byte & 0xf] {
                    text.push(char::from_digit(digit.into(), 16).expect("a digit"));
                }
            }
            rest
        }
        Some((_, rest)) => rest,
        None => &[],
    };
    text.push_str(str::from_utf8(rest).expect("it was text"));
}

/// Most bytes of the length of an id.
const LENGTH_BYTES_MAX: usize = 5;

/// Appends a length of up to 2^32: in one byte, or 255 and four bytes.
fn push_length(out: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(length) if length < u8::MAX => out.push(length),
        _ => {
            out.push(u8::MAX);
            let length = u32::try_from(length).expect("fewer than 2^32 bytes");
            out.extend_from_slice(&length.to_le_bytes());
        }
    }
}

/// The id whose length is at `start`.
fn id_at(ids: &[u8], start: u32) -> &[u8] {
    let (length, rest) = ids[start as usize..].split_first().expect("an id");
    match *length {
        u8::MAX => {
            let (length, rest) = rest.split_first_chunk().expect("four bytes");
            &rest[..u32::from_le_bytes(*length) as usize]
        }
        length => &rest[..usize::from(length)],
    }
}

/// Reserves capacity for `count` more. Most keys have one event and get no more; others grow by some events, and then
/// by a quarter: there are so many keys that doubling would leave much memory unused.
fn reserve<T>(values: &mut Vec<T>, count: usize) {
    const GROWTH_BYTES: usize = 64;
    if values.capacity() - values.len() >= count {
        return;
    }
    let more = if values.is_empty() {
        0
    } else {
        (values.len() / 4).max(GROWTH_BYTES / size_of::<T>())
    };
    values.reserve_exact(count.max(more));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Wad;

    fn change(at: i64, delta: &str) -> Fact {
        let (at, delta) = (Micros::new(at).unwrap(), Delta::parse(delta).unwrap());
        Fact::Change { at, delta }
    }

    #[test]
    fn every_id_and_every_claim_comes_back() {
        let hash = "5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060";
        let at = Micros::new(7).unwrap();
        let ids = [
            format!("0x{hash}:12"),
            format!("0x{hash}"),
            format!("0x{}", hash.to_uppercase()),
            format!("0x{}", &hash[1..]),
            hash.to_owned(),
            "0x".to_owned(),
            "é".repeat(40),
            "long".repeat(90),
        ];
        let facts = [
            None,
            Some(Fact::Closed {
                start: Micros::MIN,
                end: Micros::MAX,
                weight: Wad::from_steps(u128::MAX),
            }),
            Some(Fact::Start {
                at,
                weight: Wad::ONE,
                seq: i64::MAX.cast_unsigned(),
            }),
            Some(Fact::Stop { at, seq: 3 }),
            Some(change(-5, "-340282366920938463463.374607431768211455")),
            Some(change(-5, "2.5")),
            Some(change(0, "0")),
            None,
        ];
        let mut standings = Standings::default();
        let expected: Vec<_> = ids
            .iter()
            .zip(facts)
            .zip(0_u64..)
            .map(|((id, fact), revision)| (id.clone(), Standing { revision, fact }))
            .collect();
        for (id, standing) in &expected {
            assert!(standings.replace(id, *standing).is_some());
            assert!(standings.replace(id, *standing).is_none(), "{id}: again");
        }
        let mut found = Vec::new();
        standings.claims(|claim| {
            if let Claim::Named { event_id, standing } = claim {
                found.push((event_id.to_owned(), standing));
            }
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_claim_is_found_among_few_and_among_many() {
        let mut standings = Standings::default();
        let standing = |revision, fact| Standing { revision, fact };
        for round in 0..3 {
            for number in 0..500_i64 {
                let fact = Some(change(number, &round.to_string()));
                let replaced = standings.replace(&format!("log-{number}"), standing(round, fact));
                let expected = round
                    .checked_sub(1)
                    .map(|before| change(number, &before.to_string()));
                assert_eq!(replaced.expect("a later revision").0, expected);
            }
        }
        assert_eq!(standings.len(), 500);
        standings.replace("log-3", standing(9, None));
        assert_eq!(standings.facts().count(), 499);
    }
}
