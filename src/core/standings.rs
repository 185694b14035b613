//! The named events of one key, each with its claim in force, one record of bytes after the other.
//!
//! Ids are kept, because a later event may correct one and an explanation names them. A record is the packed id
//! and the packed claim, so it is as long as what it states: 42 to 50 bytes for a change that a chain logs. Records
//! are searched one by one; a key with many events divides them, see [`super::large`]. What the claims add up to is
//! computed elsewhere; see [`super::key`].

use super::packed::{Bytes, Packed, splice};
use super::packed_id::{self, PackedId};
use super::{Claim, Delta, Fact, Micros, Standing, Wad};

/// Named events by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Standings {
    records: Vec<u8>,
    count: u32,
}

/// The fact that was in force under a name and has been replaced.
pub(super) struct Replaced(pub(super) Option<Fact>);

/// The kind of a fact, in the tag of its instant and amount.
const KIND: u8 = 0b0111;
const WITHDRAWN: u8 = 0;
const CLOSED: u8 = 1;
const START: u8 = 2;
const STOP: u8 = 3;
const RISE: u8 = 4;
const FALL: u8 = 5;
/// Flag of the tag: eight bytes of a revision, and eight more of the end of a hold or the `seq` of a mark, follow.
/// Without it, they are 0.
const EXTRA: u8 = 0b1000;
const EXTRA_BYTES: usize = 16;

impl Standings {
    /// The number of names.
    pub(super) const fn len(&self) -> usize {
        self.count as usize
    }

    /// A byte of what the next event reads; see [`super::KeyFacts::touch`].
    pub(super) fn touch(&self) -> Option<u8> {
        self.records.first().copied()
    }

    /// Replaces the standing of a name and returns the previous one; `None` if the previous one prevails.
    pub(super) fn replace(&mut self, id: &PackedId, standing: Standing) -> Option<Replaced> {
        let Some(place) = self.find(id) else {
            self.push(id.bytes(), &packed(standing));
            return Some(Replaced(None));
        };
        let claim = place + id.bytes().len();
        let (known, length) = read_standing(&self.records[claim..]);
        if !standing.prevails_over(&known) {
            return None;
        }
        splice(&mut self.records, claim..claim + length, &packed(standing));
        Some(Replaced(known.fact))
    }

    /// Whether no claim that prevails over this one is known.
    pub(super) fn is_news(&self, claim: &Claim<'_>) -> bool {
        let Claim::Named { event_id, standing } = claim else {
            return true;
        };
        let id = PackedId::of(event_id);
        self.find(&id).is_none_or(|place| {
            let (known, _) = read_standing(&self.records[place + id.bytes().len()..]);
            standing.prevails_over(&known)
        })
    }

    /// Calls `visit` with the claim in force of each name, in order of the names' arrival.
    pub(super) fn claims(&self, mut visit: impl FnMut(Claim<'_>)) {
        let mut event_id = String::new();
        for (id, claim) in self.records() {
            packed_id::unpack(id, &mut event_id);
            let (standing, _) = read_standing(claim);
            visit(Claim::Named {
                event_id: &event_id,
                standing,
            });
        }
    }

    /// The facts in force, in order of the names' arrival.
    pub(super) fn facts(&self) -> impl Iterator<Item = Fact> {
        self.records()
            .filter_map(|(_, claim)| read_standing(claim).0.fact)
    }

    /// Removes the names whose packed ids `is_moved` selects, and returns them.
    pub(super) fn split_off(&mut self, is_moved: impl Fn(&[u8]) -> bool) -> Self {
        let (mut stay, mut moved) = (Self::default(), Self::default());
        for (id, claim) in self.records() {
            let part = if is_moved(id) { &mut moved } else { &mut stay };
            part.push(id, &claim[..claim_length(claim)]);
        }
        *self = stay;
        moved
    }

    /// Each packed id, and the bytes from its claim on.
    fn records(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = &self.records[..];
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (id, claim) = rest.split_at(packed_id::length(rest));
            rest = &claim[claim_length(claim)..];
            Some((id, claim))
        })
    }

    /// Where the record of a name begins.
    fn find(&self, id: &PackedId) -> Option<usize> {
        let id = id.bytes();
        // Nearly all ids differ in their first bytes, which are compared without a call. A record has at least nine.
        let beginning = id.first_chunk::<8>();
        let mut place = 0;
        while place < self.records.len() {
            let rest = &self.records[place..];
            if (beginning.is_none() || beginning == rest.first_chunk()) && rest.starts_with(id) {
                return Some(place);
            }
            let claim = packed_id::length(rest);
            place += claim + claim_length(&rest[claim..]);
        }
        None
    }

    /// # Panics
    /// At the 2^32nd name.
    fn push(&mut self, id: &[u8], claim: &[u8]) {
        let end = self.records.len();
        splice(&mut self.records, end..end, id);
        let end = end + id.len();
        splice(&mut self.records, end..end, claim);
        self.count = self.count.checked_add(1).expect("fewer than 2^32 names");
    }
}

/// A standing as it is kept; it begins with the tag of its fact.
fn packed(Standing { revision, fact }: Standing) -> Bytes {
    let (kind, at, other, amount) = match fact {
        None => (WITHDRAWN, Micros::MIN, 0, Wad::ZERO),
        Some(Fact::Closed { start, end, weight }) => (CLOSED, start, end.get(), weight),
        Some(Fact::Start { at, weight, seq }) => (START, at, seq.cast_signed(), weight),
        Some(Fact::Stop { at, seq }) => (STOP, at, seq.cast_signed(), Wad::ZERO),
        Some(Fact::Change { at, delta }) => {
            let kind = if delta.is_negative() { FALL } else { RISE };
            (kind, at, 0, delta.size())
        }
    };
    let has_extra = revision != 0 || other != 0;
    let packed = Packed {
        tag: if has_extra { kind | EXTRA } else { kind },
        at,
        amount: amount.steps(),
    };
    let mut bytes = Bytes::new();
    packed.push(&mut bytes);
    if has_extra {
        bytes.extend_from_slice(&revision.to_le_bytes());
        bytes.extend_from_slice(&other.to_le_bytes());
    }
    bytes
}

/// The standing that `bytes` begins with, and its length.
fn read_standing(bytes: &[u8]) -> (Standing, usize) {
    let Packed { tag, at, amount } = Packed::read(bytes);
    let length = claim_length(bytes);
    let (revision, other) = if tag & EXTRA == 0 {
        (0, 0)
    } else {
        let extra = &bytes[length - EXTRA_BYTES..length];
        let (revision, other) = extra.split_first_chunk().expect("16 bytes");
        let other = other.first_chunk().expect("8 bytes");
        (u64::from_le_bytes(*revision), i64::from_le_bytes(*other))
    };
    let (weight, seq) = (Wad::from_steps(amount), other.cast_unsigned());
    let fact = match tag & KIND {
        WITHDRAWN => None,
        CLOSED => {
            let end = Micros::new(other).expect("it was an instant");
            Some(Fact::Closed {
                start: at,
                end,
                weight,
            })
        }
        START => Some(Fact::Start { at, weight, seq }),
        STOP => Some(Fact::Stop { at, seq }),
        kind => {
            let delta = Delta::new(weight, kind == FALL);
            Some(Fact::Change { at, delta })
        }
    };
    (Standing { revision, fact }, length)
}

/// The length of the standing that `bytes` begins with.
#[inline]
fn claim_length(bytes: &[u8]) -> usize {
    let extra = if bytes[0] & EXTRA == 0 {
        0
    } else {
        EXTRA_BYTES
    };
    Packed::length(bytes) + extra
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
            assert!(standings.replace(&PackedId::of(id), *standing).is_some());
            assert!(
                standings.replace(&PackedId::of(id), *standing).is_none(),
                "{id}: again"
            );
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
    fn a_claim_is_found_and_replaced_among_many() {
        let mut standings = Standings::default();
        let standing = |revision, fact| Standing { revision, fact };
        let id = |number: i64| PackedId::of(&format!("log-{number}"));
        for round in 0..3 {
            for number in 0..500_i64 {
                let fact = Some(change(number, &round.to_string()));
                let replaced = standings.replace(&id(number), standing(round, fact));
                let expected = round
                    .checked_sub(1)
                    .map(|before| change(number, &before.to_string()));
                assert_eq!(replaced.expect("a later revision").0, expected);
            }
        }
        assert_eq!(standings.len(), 500);
        standings.replace(&id(3), standing(9, None));
        assert_eq!(standings.facts().count(), 499);
        let moved = standings.split_off(|packed| packed == id(7).bytes());
        assert_eq!((standings.len(), moved.len()), (499, 1));
        assert_eq!(moved.facts().next(), Some(change(7, "2")));
        assert!(standings.find(&id(7)).is_none());
    }
}
