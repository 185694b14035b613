//! The scores of one partition: its keys are numbered, their records gathered, each key swept.
//!
//! Closed holds, which are nearly all of most files, go straight to the sweep. Marks and named events of a
//! key are first converted to equivalent holds; see [`EquivalentHolds`].

use std::borrow::Cow;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

use super::super::ids::{IdIndex, IdNumber};
use super::super::order::Leaders;
use super::BatchScorer;
use super::holder_code::HolderCode;
use super::lane::{Lane, NamedEvent};
use super::record::{Content, Record};
use super::sweep::{Span, Sweep};
use crate::core::{Fact, HolderScore, Mark, Micros, Standing, Totals, Wad, Window};

/// Which holders of a partition are listed.
#[derive(Clone, Copy)]
pub(super) enum Want {
    All,
    Top(usize),
}

/// The holders of one partition, in any order.
pub(super) struct Scored {
    /// The number of holders, listed or not.
    pub(super) known: usize,
    pub(super) holders: Vec<HolderScore>,
}

/// Scores one partition after another on one thread, reusing its buffers.
pub(super) struct PartitionScorer<'a> {
    lanes: &'a [Lane<'a>],
    /// Holder ids that do not fit into a record.
    ids: &'a IdIndex,
    window: Window,
    want: Want,
    numbering: Numbering<'a>,
    /// The key of each record, in the order of the records in the lanes.
    key_of_record: Vec<u32>,
    spans: Vec<Span>,
    equivalents: EquivalentHolds,
    sweep: Sweep,
    totals: Vec<Totals>,
}

impl<'a> PartitionScorer<'a> {
    pub(super) fn new(
        scorer: &'a BatchScorer,
        lanes: &'a [Lane<'a>],
        window: &Window,
        want: Want,
    ) -> Self {
        Self {
            lanes,
            ids: &scorer.holders,
            window: *window,
            want,
            numbering: Numbering::new(&scorer.hasher),
            key_of_record: Vec::new(),
            spans: Vec::new(),
            equivalents: EquivalentHolds::default(),
            sweep: Sweep::default(),
            totals: Vec::new(),
        }
    }

    /// Scores the records of all lanes in one partition.
    pub(super) fn score(&mut self, partition: usize) -> Scored {
        self.number_keys(partition);
        self.gather(partition);
        self.sweep_keys(partition);
        self.scored()
    }

    fn number_keys(&mut self, partition: usize) {
        self.numbering.clear();
        self.key_of_record.clear();
        self.key_of_record
            .reserve(self.lanes.iter().map(|lane| lane.len(partition)).sum());
        for records in self.lanes.iter().flat_map(|lane| lane.records(partition)) {
            for record in records {
                self.key_of_record.push(self.numbering.count(record));
            }
        }
    }

    /// Gathers the closed holds of each key, clipped to the window.
    fn gather(&mut self, partition: usize) {
        let mut end = 0;
        for key in &mut self.numbering.keys {
            // From here on `records` is the index of the key's next hold, `first` that of its first one.
            key.first = end;
            end += key.records;
            key.records = key.first;
        }
        let nothing = Span {
            start: Micros::MIN,
            end: Micros::MIN,
            weight: Wad::ZERO,
        };
        self.spans.clear();
        self.spans.resize(end as usize, nothing);
        self.equivalents.clear();
        let (from, as_of) = (self.window.start(), self.window.as_of);
        let mut key_numbers = &self.key_of_record[..];
        for (number, lane) in self.lanes.iter().enumerate() {
            let wide = lane.wide(partition);
            for records in lane.records(partition) {
                let (of_these, rest) = key_numbers.split_at(records.len());
                key_numbers = rest;
                for (record, key_number) in records.iter().zip(of_these) {
                    let key = &mut self.numbering.keys[*key_number as usize];
                    match record.content(wide) {
                        Content::Plain(Fact::Closed { start, end, weight }) => {
                            let (start, end) = (start.max(from), end.min(as_of));
                            if start < end {
                                self.spans[key.records as usize] = Span { start, end, weight };
                                key.records += 1;
                            }
                        }
                        content => self.equivalents.push(*key_number, number, content),
                    }
                }
            }
        }
        self.equivalents.sort();
    }

    fn sweep_keys(&mut self, partition: usize) {
        self.totals.clear();
        self.totals
            .resize(self.numbering.holders.len(), Totals::ZERO);
        for (key_number, key) in (0_u32..).zip(&self.numbering.keys) {
            let closed = &mut self.spans[key.first as usize..key.records as usize];
            let totals = match self.equivalents.holds_of(
                key_number,
                |lane, place| self.lanes[lane].named(partition, place),
                closed,
                &self.window,
            ) {
                None => self.sweep.totals(closed),
                Some(holds) => self.sweep.totals(holds),
            };
            self.totals[key.holder as usize] += totals;
        }
    }

    fn scored(&self) -> Scored {
        let known = self.totals.len();
        let scores = self.numbering.holders.iter().zip(&self.totals);
        let holders = match self.want {
            Want::All => scores
                .map(|(code, totals)| HolderScore {
                    holder_id: code.id(self.ids),
                    totals: *totals,
                })
                .collect(),
            Want::Top(count) => {
                let mut leaders = Leaders::new(count);
                for (code, totals) in scores {
                    leaders.offer(*totals, || Cow::Owned(code.id(self.ids).into()));
                }
                leaders.into_ordered()
            }
        };
        Scored { known, holders }
    }
}

/// Holders and keys of a partition as small numbers, in order of appearance.
struct Numbering<'a> {
    hasher: &'a RandomState,
    key_table: HashTable<u32>,
    keys: Vec<Key>,
    holder_table: HashTable<u32>,
    holders: Vec<HolderCode>,
}

struct Key {
    code: HolderCode,
    token: IdNumber,
    /// Number of the holder.
    holder: u32,
    first: u32,
    records: u32,
}

impl<'a> Numbering<'a> {
    fn new(hasher: &'a RandomState) -> Self {
        Self {
            hasher,
            key_table: HashTable::new(),
            keys: Vec::new(),
            holder_table: HashTable::new(),
            holders: Vec::new(),
        }
    }

    fn clear(&mut self) {
        self.key_table.clear();
        self.keys.clear();
        self.holder_table.clear();
        self.holders.clear();
    }

    /// The number of the record's key; counts a closed hold for it if the record is one.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a partition of 2^32 keys would be 240 GB"
    )]
    fn count(&mut self, record: &Record) -> u32 {
        let (code, token) = (record.holder(), record.token());
        let hash_key =
            |code: &HolderCode, token: IdNumber| self.hasher.hash_one((code.words, token.0));
        let entry = self.key_table.entry(
            hash_key(&code, token),
            |number| {
                let key = &self.keys[*number as usize];
                key.token == token && key.code == code
            },
            |number| {
                let key = &self.keys[*number as usize];
                hash_key(&key.code, key.token)
            },
        );
        let number = match entry {
            hashbrown::hash_table::Entry::Occupied(entry) => *entry.get(),
            hashbrown::hash_table::Entry::Vacant(entry) => {
                let number = self.keys.len() as u32;
                entry.insert(number);
                let holders = &mut self.holders;
                let holder = *self
                    .holder_table
                    .entry(
                        self.hasher.hash_one(code.words),
                        |number| holders[*number as usize] == code,
                        |number| self.hasher.hash_one(holders[*number as usize].words),
                    )
                    .or_insert_with(|| {
                        holders.push(code);
                        holders.len() as u32 - 1
                    })
                    .get();
                self.keys.push(Key {
                    code,
                    token,
                    holder,
                    first: 0,
                    records: 0,
                });
                number
            }
        };
        self.keys[number as usize].records += u32::from(record.is_closed());
        number
    }
}

/// Marks and named events of a partition, converted to equivalent holds.
///
/// Between two of its marks a curve is off, or on at one weight, so it is a sequence of closed holds; the
/// last one ends with the window. The effective weight is the maximum either way.
#[derive(Default)]
struct EquivalentHolds {
    /// Sorted by key before use; with the lane that has the named event.
    contents: Vec<(u32, usize, Content)>,
    /// The index of the next key's first content.
    next: usize,
    marks: Vec<(Micros, Mark)>,
    holds: Vec<Span>,
}

impl EquivalentHolds {
    fn clear(&mut self) {
        self.contents.clear();
        self.next = 0;
    }

    fn push(&mut self, key: u32, lane: usize, content: Content) {
        self.contents.push((key, lane, content));
    }

    fn sort(&mut self) {
        self.contents.sort_unstable_by_key(|(key, ..)| *key);
    }

    /// All holds of `key`, including `closed`; `None` if it has closed holds only. Keys must be passed in
    /// ascending order.
    fn holds_of<'e>(
        &mut self,
        key: u32,
        named_event: impl Fn(usize, u64) -> Option<&'e NamedEvent>,
        closed: &[Span],
        window: &Window,
    ) -> Option<&mut [Span]> {
        let rest = &self.contents[self.next..];
        let count = rest.iter().take_while(|(of, ..)| *of == key).count();
        if count == 0 {
            return None;
        }
        let contents = &rest[..count];
        self.next += count;
        self.marks.clear();
        self.holds.clear();
        self.holds.extend_from_slice(closed);
        let mut named: HashMap<&str, Standing> = HashMap::new();
        for (_, lane, content) in contents {
            match content {
                Content::Plain(fact) => {
                    record_fact(&mut self.marks, &mut self.holds, window, *fact);
                }
                Content::Named(place) => {
                    if let Some(event) = named_event(*lane, *place) {
                        let known = named.entry(&event.event_id).or_insert(event.standing);
                        if event.standing.prevails_over(known) {
                            *known = event.standing;
                        }
                    }
                }
            }
        }
        for fact in named.into_values().filter_map(|standing| standing.fact) {
            record_fact(&mut self.marks, &mut self.holds, window, fact);
        }
        self.add_curve(window);
        Some(&mut self.holds)
    }

    fn add_curve(&mut self, window: &Window) {
        // By instant, the strongest mark of each instant first.
        self.marks
            .sort_unstable_by_key(|(at, mark)| (*at, std::cmp::Reverse(*mark)));
        self.marks.dedup_by_key(|(at, _)| *at);
        for (index, (at, mark)) in self.marks.iter().enumerate() {
            let end = match self.marks.get(index + 1) {
                Some((next, _)) => *next,
                None if window.closed_only => break,
                None => window.as_of,
            };
            if let Some(weight) = mark.weight() {
                push_clipped(
                    &mut self.holds,
                    window,
                    Span {
                        start: *at,
                        end,
                        weight,
                    },
                );
            }
        }
    }
}

fn record_fact(
    marks: &mut Vec<(Micros, Mark)>,
    holds: &mut Vec<Span>,
    window: &Window,
    fact: Fact,
) {
    match fact {
        Fact::Closed { start, end, weight } => {
            push_clipped(holds, window, Span { start, end, weight });
        }
        Fact::Start { at, weight, seq } => marks.push((at, Mark::On { seq, weight })),
        Fact::Stop { at, seq } => marks.push((at, Mark::Off { seq })),
        Fact::Change { .. } => {}
    }
}

fn push_clipped(holds: &mut Vec<Span>, window: &Window, span: Span) {
    let (start, end) = (span.start.max(window.start()), span.end.min(window.as_of));
    if start < end {
        holds.push(Span { start, end, ..span });
    }
}
