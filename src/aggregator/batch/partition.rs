//! The scores of one partition: its keys are numbered, their facts gathered, each key swept.
//!
//! Closed holds, which are nearly all of most files, go straight to the sweep. A key with other facts is left to
//! [`super::facts`].

use std::borrow::Cow;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::super::order::Leaders;
use super::BatchScorer;
use super::balance::{Change, Shortfall};
use super::claims::{Claims, NamedClaim};
use super::facts::{FactScorer, Other};
use super::holder_code::HolderCode;
use super::id_hash::IdHash;
use super::key_changes::PartitionChanges;
use super::lane::{Lane, OtherClaim};
use super::ledger_keys::LedgerKeys;
use super::names::id_from_bytes;
use super::numbering::{NumberedHolder, Numbering};
use super::record::Content;
use super::spellings::Folds;
use super::sweep::{Span, Sweep};
use crate::core::findings::Stated;
use crate::core::{Deficit, Fact, Findings, HolderScore, Micros, Standing, Totals, Wad, Window};

/// Entries whose changes are read together.
const TOGETHER: usize = 32;

/// The holders of one partition.
pub(super) struct Scored {
    /// The number of holders.
    pub(super) known: usize,
    /// All of them, in any order; none if leaders alone are wanted.
    pub(super) holders: Vec<HolderScore>,
    /// The number of keys whose balance is below 0 at some instant.
    pub(super) short_keys: usize,
    /// These keys, in any order, if they are listed.
    pub(super) deficits: Vec<Deficit>,
    /// About the facts of these keys.
    pub(super) findings: Findings,
    pub(super) folds: Folds,
}

/// Scores one partition after another on one thread, reusing its buffers.
pub(super) struct PartitionScorer<'a> {
    scorer: &'a BatchScorer,
    lanes: &'a [Lane<'a>],
    window: Window,
    /// Those of all partitions that were scored here; `None` if all holders are wanted.
    leaders: Option<Leaders>,
    numbering: Numbering<'a>,
    /// The key of each record, in the order of the records in the lanes, those of named holds last.
    key_of_record: Vec<u32>,
    /// The holders of one ledger by the numbers that they have there.
    ledger_holders: Vec<NumberedHolder>,
    ledger_keys: LedgerKeys,
    spans: Vec<Span>,
    changes: PartitionChanges,
    claims: Claims<'a>,
    others: Vec<Other>,
    /// The text of each holder that is known by its hash.
    texts: Vec<&'a [u8]>,
    sweep: Sweep,
    facts: FactScorer,
    totals: Vec<Totals>,
    /// The first start and the last end of the closed holds in force; the wrong way round if there are none.
    closed_between: (Micros, Micros),
    /// The number of ids of which a closed hold is in force and another one is stated at the same revision, in keys
    /// that [`FactScorer`] does not see them of.
    conflicts: u64,
}

impl<'a> PartitionScorer<'a> {
    pub(super) fn new(
        scorer: &'a BatchScorer,
        lanes: &'a [Lane<'a>],
        window: &Window,
        top: Option<usize>,
    ) -> Self {
        Self {
            scorer,
            lanes,
            window: *window,
            leaders: top.map(Leaders::new),
            numbering: Numbering::new(&scorer.hasher),
            key_of_record: Vec::new(),
            ledger_holders: Vec::new(),
            ledger_keys: LedgerKeys::new(scorer.tokens.names().iter().count()),
            spans: Vec::new(),
            changes: PartitionChanges::default(),
            claims: Claims::new(&scorer.hasher),
            texts: Vec::new(),
            others: Vec::new(),
            sweep: Sweep::default(),
            facts: FactScorer::new(window),
            totals: Vec::new(),
            closed_between: (Micros::MAX, Micros::MIN),
            conflicts: 0,
        }
    }

    /// Scores the records of all lanes in one partition.
    pub(super) fn score(&mut self, partition: usize) -> Scored {
        self.number_keys(partition);
        self.find_texts(partition);
        self.place_groups();
        self.gather(partition);
        let (short_keys, deficits) = self.sweep_keys(partition);
        let mut findings = self.facts.take_findings();
        let (first, last) = self.closed_between;
        findings.see_between(first, last);
        findings.conflicts += self.conflicts;
        Scored {
            known: self.totals.len(),
            holders: self.holders(),
            short_keys,
            deficits,
            findings,
            folds: Folds::of(self.scorer, &self.numbering.holders, self.texts_with_case()),
        }
    }

    /// The ids of the holders of a partition whose hash is among `repeated`; see [`Folds::repeated`].
    pub(super) fn ids_of(
        &mut self,
        partition: usize,
        folds: &Folds,
        repeated: &[u64],
    ) -> Vec<Box<str>> {
        let mut numbers = folds.among(repeated).peekable();
        if numbers.peek().is_none() {
            return Vec::new();
        }
        // The same lanes give the same numbers again.
        self.number_keys(partition);
        self.find_texts(partition);
        numbers
            .map(|number| holder_id(&self.numbering, &self.texts, number))
            .collect()
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
        for record in self.lanes.iter().flat_map(|lane| lane.named(partition)) {
            self.key_of_record.push(self.numbering.count(&record.hold));
        }
        self.number_keys_of_changes(partition);
    }

    fn number_keys_of_changes(&mut self, partition: usize) {
        let counts = self.lanes.iter().map(|lane| lane.entry_count(partition));
        self.changes.clear(counts.sum());
        for lane in self.lanes {
            let (ledger, log) = (lane.ledger(), lane.changes());
            let holder_count = ledger.holder_count(partition);
            self.ledger_holders.clear();
            self.ledger_holders
                .resize(holder_count, NumberedHolder::default());
            for (number, code) in ledger.holders(partition) {
                self.ledger_holders[number] = self.numbering.holder(code);
            }
            let keys = &mut self.ledger_keys;
            keys.clear(holder_count);
            let entries = lane.entries(partition);
            for entries in entries.flat_map(|entries| entries.chunks(TOGETHER)) {
                log.touch(entries);
                for entry in entries {
                    let (holder, change) = (entry.holder(), log.of(entry.side()));
                    let token = change.token();
                    let key = keys.number(holder, token, || {
                        let holder = self.ledger_holders[holder];
                        self.numbering.key_of(holder, token)
                    });
                    self.numbering.reserve_change(key);
                    self.changes
                        .add(key, change.step(entry.side()), change.id());
                }
            }
        }
    }

    fn find_texts(&mut self, partition: usize) {
        self.texts.clear();
        for lane in self.lanes {
            for name in lane.names(partition) {
                let holder = self.numbering.known_holder(&HolderCode::of_hash(name.hash));
                let holder = holder.expect("a text is stored with an event of its holder");
                if self.texts.is_empty() {
                    self.texts.resize(self.numbering.holders.len(), b"");
                }
                self.texts[holder] = lane.text(name);
            }
        }
    }

    /// The texts of the holders; none if all of them are in lower case.
    fn texts_with_case(&self) -> &[&'a [u8]] {
        if self.lanes.iter().any(Lane::has_case) {
            &self.texts
        } else {
            &[]
        }
    }

    /// Makes room for the facts of every key.
    fn place_groups(&mut self) {
        let (mut spans, mut changes) = (0, 0);
        for key in &mut self.numbering.keys {
            spans = key.closed.place(spans);
            changes = key.changes.place(changes);
        }
        let no_span = Span {
            start: Micros::MIN,
            end: Micros::MIN,
            weight: Wad::ZERO,
        };
        self.spans.clear();
        self.spans.resize(spans as usize, no_span);
    }

    /// Gathers the facts of each key, closed holds clipped to the window.
    fn gather(&mut self, partition: usize) {
        self.others.clear();
        let named = self.lanes.iter().map(|lane| lane.named_count(partition));
        self.claims.clear(named.sum());
        let (from, as_of) = (self.window.start(), self.window.as_of);
        let (mut first, mut last) = (Micros::MAX, Micros::MIN);
        let mut key_numbers = &self.key_of_record[..];
        for lane in self.lanes {
            let wide = lane.wide(partition);
            for records in lane.records(partition) {
                let (of_these, rest) = key_numbers.split_at(records.len());
                key_numbers = rest;
                for (record, key_number) in records.iter().zip(of_these) {
                    let key = &mut self.numbering.keys[*key_number as usize];
                    let claim = match record.content(wide) {
                        Content::Plain(Fact::Closed { start, end, weight }) => {
                            first = first.min(start);
                            last = last.max(end);
                            let (start, end) = (start.max(from), end.min(as_of));
                            if start < end {
                                self.spans[key.closed.add()] = Span { start, end, weight };
                            }
                            continue;
                        }
                        Content::Plain(fact) => OtherClaim::plain(fact),
                        Content::Large(place) => lane.large(partition, place),
                    };
                    let (key, stated) = (*key_number, Stated::new(claim.standing));
                    match claim.id {
                        Some(id) => self.claims.add(NamedClaim { key, id, stated }),
                        None => self.others.push(Other {
                            key,
                            id: None,
                            stated,
                        }),
                    }
                }
            }
        }
        let mut key_numbers = key_numbers.iter();
        for lane in self.lanes {
            let wide = lane.wide(partition);
            for (record, key) in lane.named(partition).zip(key_numbers.by_ref()) {
                let Content::Plain(fact) = record.hold.content(wide) else {
                    unreachable!("a named record has a closed hold");
                };
                let stated = Stated::new(Standing {
                    revision: 0,
                    fact: Some(fact),
                });
                let (key, id) = (*key, record.id);
                self.claims.add(NamedClaim { key, id, stated });
            }
        }
        self.closed_between = (first, last);
        self.changes.gather(&mut self.numbering.keys);
        self.gather_claims();
        self.others.sort_unstable_by_key(|other| other.key);
    }

    /// Gathers what is in force among named events; what could be corrected by a change is left to the facts.
    fn gather_claims(&mut self) {
        self.conflicts = 0;
        let (mut first, mut last) = self.closed_between;
        for NamedClaim { key, id, stated } in self.claims.in_force() {
            let of_key = &mut self.numbering.keys[*key as usize];
            match stated.standing.fact {
                // Holds at revision 0 had records of their own, so there is room.
                Some(Fact::Closed { start, end, weight })
                    if stated.standing.revision == 0 && of_key.changes.range().is_empty() =>
                {
                    first = first.min(start);
                    last = last.max(end);
                    self.conflicts += u64::from(stated.is_conflict());
                    let span = Span { start, end, weight };
                    if let Some(span) = span.clip(&self.window) {
                        self.spans[of_key.closed.add()] = span;
                    }
                }
                None if of_key.changes.range().is_empty() => {}
                _ => {
                    self.others.push(Other {
                        key: *key,
                        id: Some(*id),
                        stated: *stated,
                    });
                }
            }
        }
        self.closed_between = (first, last);
    }

    /// Sums the totals of the holders; returns the number of keys with a deficit, and these if they are listed.
    fn sweep_keys(&mut self, partition: usize) -> (usize, Vec<Deficit>) {
        self.totals.clear();
        self.totals
            .resize(self.numbering.holders.len(), Totals::ZERO);
        let mut ids = IdTexts::new(self.lanes, partition);
        let (mut short_keys, mut deficits) = (0, Vec::new());
        let mut others = &self.others[..];
        for (number, key) in (0_u32..).zip(&self.numbering.keys) {
            let closed = &mut self.spans[key.closed.range()];
            let changes = self.changes.of_key(key.changes.range());
            let count = others
                .iter()
                .take_while(|other| other.key == number)
                .count();
            let totals = if count == 0 && changes.is_empty() {
                self.sweep.totals(closed)
            } else {
                let (of_key, rest) = others.split_at(count);
                others = rest;
                let (totals, shortfall) = self.facts.score(closed, changes, of_key);
                if let Some(Shortfall { at, balance }) = shortfall {
                    short_keys += 1;
                    if self.scorer.lists_deficits {
                        let in_force = self.facts.changes_in_force(changes, of_key);
                        deficits.push(Deficit {
                            token_id: (&*self.scorer.tokens.name(key.token)).into(),
                            holder_id: holder_id(&self.numbering, &self.texts, key.holder as usize),
                            at,
                            balance,
                            event_ids: ids.of_falls(in_force, at),
                        });
                    }
                }
                totals
            };
            self.totals[key.holder as usize] += totals;
        }
        (short_keys, deficits)
    }

    /// All holders of this partition, or none, if it is the leaders that are wanted.
    fn holders(&mut self) -> Vec<HolderScore> {
        let scores = self.totals.iter().enumerate();
        let id = |number| holder_id(&self.numbering, &self.texts, number);
        let Some(leaders) = &mut self.leaders else {
            let all = scores.map(|(number, totals)| HolderScore {
                holder_id: id(number),
                totals: *totals,
            });
            return all.collect();
        };
        for (number, totals) in scores {
            leaders.offer(*totals, || Cow::Owned(id(number).into()));
        }
        Vec::new()
    }

    /// The leaders of all partitions that were scored; `None` if all holders were wanted.
    pub(super) fn into_leaders(self) -> Option<Leaders> {
        self.leaders
    }
}

/// The id of the holder with this number; `texts` has it if it is known by its hash.
fn holder_id(numbering: &Numbering<'_>, texts: &[&[u8]], number: usize) -> Box<str> {
    let packed = numbering.holders[number].packed_id();
    packed.unwrap_or_else(|| id_from_bytes(texts[number]).into())
}

/// The texts of the ids of one partition, which are looked up only if the partition has a deficit.
struct IdTexts<'a> {
    lanes: &'a [Lane<'a>],
    partition: usize,
    texts: Option<HashMap<IdHash, &'a str, RandomState>>,
}

impl<'a> IdTexts<'a> {
    fn new(lanes: &'a [Lane<'a>], partition: usize) -> Self {
        Self {
            lanes,
            partition,
            texts: None,
        }
    }

    /// The ids of the changes by less than 0 at an instant, sorted.
    fn of_falls(&mut self, changes: &[Change], at: Micros) -> Vec<Box<str>> {
        let texts = self.texts.get_or_insert_with(|| {
            let falls = self
                .lanes
                .iter()
                .flat_map(|lane| lane.falls(self.partition));
            falls.map(|(id, text)| (*id, &**text)).collect()
        });
        let mut ids: Vec<Box<str>> = changes
            .iter()
            .filter(|change| change.at == at && change.delta.is_negative())
            .filter_map(|change| texts.get(&change.id))
            .map(|text| (*text).into())
            .collect();
        ids.sort_unstable();
        ids
    }
}
