//! The output of one reading thread: records and changes, divided into partitions by the hash of their holder.
//!
//! Each partition grows by blocks of the lane's arena, and the core's cache holds the line being written of each
//! partition. A closed hold with an id has a record of its own kind; other weights and claims that do not fit into a
//! record are stored in vectors, and texts of holder ids and what balances change by apart.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::super::ids::{IdMemo, IdNumber};
use super::BatchScorer;
use super::arena::{Arena, Run};
use super::balance::Change;
use super::change_log::ChangeLog;
use super::entry::{Entry, Side};
use super::holder_code::HolderCode;
use super::id_hash::{IdHash, IdHasher};
use super::ledger::Ledger;
use super::names::{Name, NameRun, Names};
use super::record::{Content, NamedRecord, Record, WideWeights};
use crate::core::{Claim, ClosedHold, Event, EventSink, Fact, Standing, TransferRow};

/// Partitions of a run: enough that a partition of ten million events fits into a core's cache.
pub(super) const PARTITIONS: usize = 1 << PARTITION_BITS;
pub(super) const PARTITION_BITS: u32 = 9;

/// Bytes per block of records: 256 holds.
const BLOCK: usize = 12 << 10;

/// Holds that are added together, and changes of transfers whose holders are looked for together.
const PENDING: usize = 32;

/// Takes the events of one thread; see [`BatchScorer::lane`].
pub struct Lane<'a> {
    tokens: IdMemo<'a>,
    names: Names,
    hasher: &'a RandomState,
    ids: &'a IdHasher,
    /// Whether the text of ids is needed.
    keeps_ids: bool,
    partitions: Vec<Partition>,
    arena: Arena<BLOCK>,
    ledger: Ledger,
    changes: ChangeLog,
}

/// The records of one partition from one lane.
#[derive(Default)]
struct Partition {
    records: Run<Record, BLOCK>,
    named: Run<NamedRecord, BLOCK>,
    /// The texts of its holders, some of them twice.
    names: NameRun,
    entries: Run<Entry, BLOCK>,
    wide: WideWeights,
    large: Vec<OtherClaim>,
    falls: Vec<(IdHash, Box<str>)>,
}

/// Holds that are to be added, with their partitions.
struct PendingHolds<'a> {
    records: Vec<(usize, Record)>,
    named: Vec<(usize, NamedRecord)>,
    /// Those of their holders that are known by their hashes.
    holders: Vec<(IdHash, &'a str)>,
}

impl PendingHolds<'_> {
    fn new() -> Self {
        Self {
            records: Vec::with_capacity(PENDING),
            named: Vec::with_capacity(PENDING),
            holders: Vec::with_capacity(PENDING),
        }
    }
}

/// A change whose holder is to be found.
struct PendingChange {
    holder: HolderCode,
    /// Of the holder.
    hash: u64,
    side: Side,
}

/// A claim that fits neither into a record nor into the ledger.
#[derive(Clone, Copy)]
pub(super) struct OtherClaim {
    /// `None` for a plain fact.
    pub(super) id: Option<IdHash>,
    pub(super) standing: Standing,
}

impl OtherClaim {
    pub(super) const fn plain(fact: Fact) -> Self {
        let standing = Standing {
            revision: 0,
            fact: Some(fact),
        };
        Self { id: None, standing }
    }
}

impl<'a> Lane<'a> {
    pub(super) fn new(scorer: &'a BatchScorer) -> Self {
        Self {
            tokens: IdMemo::new(&scorer.tokens),
            names: Names::default(),
            hasher: &scorer.hasher,
            ids: &scorer.ids,
            keeps_ids: scorer.lists_deficits,
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            arena: Arena::default(),
            ledger: Ledger::default(),
            changes: ChangeLog::default(),
        }
    }

    /// The number of records of `partition`, named or not.
    pub(super) fn len(&self, partition: usize) -> usize {
        self.partitions[partition].records.len() + self.partitions[partition].named.len()
    }

    /// The records of `partition` in the order in which they came, in several slices.
    pub(super) fn records(&self, partition: usize) -> impl Iterator<Item = &[Record]> {
        self.partitions[partition].records.slices(&self.arena)
    }

    /// The closed holds of `partition` that have an id, at revision 0.
    pub(super) fn named(&self, partition: usize) -> impl Iterator<Item = &NamedRecord> {
        self.partitions[partition]
            .named
            .slices(&self.arena)
            .flatten()
    }

    /// The number of closed holds of `partition` that have an id, at revision 0.
    pub(super) fn named_count(&self, partition: usize) -> usize {
        self.partitions[partition].named.len()
    }

    /// The names of the holders of `partition` that are known by their hashes.
    pub(super) fn names(&self, partition: usize) -> impl Iterator<Item = &Name> {
        let names = &self.partitions[partition].names;
        self.names.slices(names).flatten()
    }

    /// The text of a name of this lane.
    pub(super) fn text(&self, name: &Name) -> &[u8] {
        self.names.text(name)
    }

    /// Whether the id of a holder that is known by its hash is not in lower case.
    pub(super) const fn has_case(&self) -> bool {
        self.names.has_case()
    }

    /// The numbers of the holders that have changes at revision 0.
    pub(super) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The number of changes of `partition` at revision 0.
    pub(super) fn entry_count(&self, partition: usize) -> usize {
        self.partitions[partition].entries.len()
    }

    /// The changes of `partition` at revision 0, in several slices.
    pub(super) fn entries(&self, partition: usize) -> impl Iterator<Item = &[Entry]> {
        self.partitions[partition].entries.slices(&self.arena)
    }

    /// What the entries of all partitions refer to.
    pub(super) const fn changes(&self) -> &ChangeLog {
        &self.changes
    }

    /// The weights of `partition` that do not fit into records.
    pub(super) fn wide(&self, partition: usize) -> &WideWeights {
        &self.partitions[partition].wide
    }

    /// The claim of `partition` at the index that its record has.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the place came from a memory size"
    )]
    pub(super) fn large(&self, partition: usize, place: u64) -> OtherClaim {
        self.partitions[partition].large[place as usize]
    }

    /// The ids of the changes of `partition` by less than 0; none unless deficits are listed.
    pub(super) fn falls(&self, partition: usize) -> &[(IdHash, Box<str>)] {
        &self.partitions[partition].falls
    }

    fn token_numbers(&mut self, token_ids: &[&str]) -> Vec<IdNumber> {
        let numbers = token_ids.iter().map(|id| self.tokens.number(id));
        numbers.collect()
    }

    /// The code of a holder, whose text is stored if the code does not have it.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a call would return the code through memory"
    )]
    fn holder(&mut self, holder_id: &str) -> HolderCode {
        let holder = HolderCode::of(holder_id, self.ids);
        if let Some(hash) = holder.hash() {
            self.name(hash, holder_id);
        }
        holder
    }

    /// Stores the text of a holder unless it is known to be stored.
    #[inline]
    fn name(&mut self, hash: IdHash, holder_id: &str) {
        if !self.names.knows(hash) {
            let place = self.place(&HolderCode::of_hash(hash));
            let names = &mut self.partitions[place].names;
            self.names.add(hash, holder_id, names);
        }
    }

    /// Adds holds, after it has read where they go, so that the waits for memory overlap.
    fn push_holds(&mut self, pending: &mut PendingHolds<'_>) {
        let mut read = 0;
        for (place, _) in &pending.records {
            read ^= self.partitions[*place].records.touch(&self.arena);
        }
        for (place, _) in &pending.named {
            read ^= self.partitions[*place].named.touch(&self.arena);
        }
        for (hash, _) in &pending.holders {
            read ^= self.names.touch(*hash);
        }
        std::hint::black_box(read);
        for (place, record) in pending.records.drain(..) {
            self.push(place, record);
        }
        for (place, record) in pending.named.drain(..) {
            self.push_named_hold(place, record);
        }
        for (hash, holder_id) in pending.holders.drain(..) {
            self.name(hash, holder_id);
        }
    }

    #[inline]
    fn hash(&self, holder: &HolderCode) -> u64 {
        self.hasher.hash_one(holder.words)
    }

    /// The partition that a holder belongs to.
    #[inline]
    fn place(&self, holder: &HolderCode) -> usize {
        partition_of(self.hash(holder))
    }

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a call would hand the holder over through memory"
    )]
    fn record(
        &mut self,
        place: usize,
        holder: HolderCode,
        token: IdNumber,
        content: Content,
    ) -> Record {
        Record::new(holder, token, content, &mut self.partitions[place].wide)
    }

    #[inline]
    fn push(&mut self, place: usize, record: Record) {
        let records = &mut self.partitions[place].records;
        records.push(&mut self.arena, record);
    }

    /// Adds a closed hold with an id, at revision 0.
    #[inline]
    fn push_named_hold(&mut self, place: usize, record: NamedRecord) {
        let named = &mut self.partitions[place].named;
        named.push(&mut self.arena, record);
    }

    #[inline(never)]
    fn push_large(&mut self, holder: HolderCode, token: IdNumber, claim: OtherClaim) {
        let place = self.place(&holder);
        let large = &mut self.partitions[place].large;
        large.push(claim);
        let content = Content::Large(large.len() as u64 - 1);
        let record = self.record(place, holder, token, content);
        self.push(place, record);
    }

    /// A change at revision 0 at its `place` in the log; `event_id` is the text of its id. `None` if it was added as a
    /// claim, because the log has no room for its size.
    #[inline]
    fn pending(
        &mut self,
        holder: HolderCode,
        token: IdNumber,
        place: Option<usize>,
        change: Change,
        event_id: &str,
    ) -> Option<PendingChange> {
        let Change { id, at, delta } = change;
        let Some(place) = place else {
            let standing = Standing {
                revision: 0,
                fact: Some(Fact::Change { at, delta }),
            };
            self.push_named(holder, token, (id, event_id), standing);
            return None;
        };
        self.keep_id_of(&holder, &change, event_id);
        Some(PendingChange {
            holder,
            hash: self.hash(&holder),
            side: Side::new(place, delta.is_negative()),
        })
    }

    /// Adds a claim of the general kind.
    fn push_named(
        &mut self,
        holder: HolderCode,
        token: IdNumber,
        (id, event_id): (IdHash, &str),
        standing: Standing,
    ) {
        if let Some(Fact::Change { at, delta }) = standing.fact {
            self.keep_id_of(&holder, &Change { id, at, delta }, event_id);
        }
        let id = Some(id);
        self.push_large(holder, token, OtherClaim { id, standing });
    }

    #[inline]
    fn push_entry(&mut self, pending: &PendingChange) {
        let PendingChange { holder, hash, side } = *pending;
        let hash_holder = |holder: &HolderCode| self.hasher.hash_one(holder.words);
        let number = self.ledger.number(holder, hash, hash_holder);
        let entries = &mut self.partitions[partition_of(hash)].entries;
        entries.push(&mut self.arena, Entry::new(number, side));
    }

    /// Adds changes, after it has read where their holders are, so that the waits for memory overlap.
    fn push_entries(&mut self, pending: &mut Vec<PendingChange>) {
        let hashes = pending.iter().map(|change| change.hash);
        std::hint::black_box(hashes.fold(0, |all, hash| all ^ self.ledger.touch(hash)));
        for change in pending.drain(..) {
            self.push_entry(&change);
        }
    }

    /// Keeps the text of an id for the list of deficits, which has ids of changes by less than 0 alone.
    #[inline]
    fn keep_id_of(&mut self, holder: &HolderCode, change: &Change, event_id: &str) {
        if self.keeps_ids && change.delta.is_negative() {
            let place = self.place(holder);
            self.partitions[place]
                .falls
                .push((change.id, event_id.into()));
        }
    }
}

/// The partition of a holder with this hash.
#[inline]
pub(super) const fn partition_of(hash: u64) -> usize {
    (hash >> (u64::BITS - PARTITION_BITS)) as usize
}

impl EventSink for Lane<'_> {
    #[inline]
    fn accept(&mut self, event: &Event<'_>) {
        let holder = self.holder(event.holder_id);
        let token = self.tokens.number(event.token_id);
        match event.claim {
            Claim::Plain(fact) if Record::has_room_for(fact) => {
                let place = self.place(&holder);
                let record = self.record(place, holder, token, Content::Plain(fact));
                self.push(place, record);
            }
            Claim::Plain(fact) => {
                self.push_large(holder, token, OtherClaim::plain(fact));
            }
            Claim::Named {
                event_id,
                standing:
                    Standing {
                        revision: 0,
                        fact: Some(hold @ Fact::Closed { .. }),
                    },
            } => {
                let (place, id) = (self.place(&holder), self.ids.hash(event_id));
                let hold = self.record(place, holder, token, Content::Plain(hold));
                self.push_named_hold(place, NamedRecord { hold, id });
            }
            Claim::Named { event_id, standing } => {
                let id = self.ids.hash(event_id);
                match standing {
                    Standing {
                        revision: 0,
                        fact: Some(Fact::Change { at, delta }),
                    } => {
                        let change = Change { id, at, delta };
                        let place = self.changes.add(token, change);
                        if let Some(pending) = self.pending(holder, token, place, change, event_id)
                        {
                            self.push_entry(&pending);
                        }
                    }
                    _ => self.push_named(holder, token, (id, event_id), standing),
                }
            }
        }
    }

    fn accept_holds<'a>(
        &mut self,
        token_ids: &[&str],
        holds: impl Iterator<Item = ClosedHold<'a>>,
    ) {
        let tokens = self.token_numbers(token_ids);
        let mut pending = PendingHolds::new();
        for (number, hold) in holds.enumerate() {
            if number.is_multiple_of(PENDING) {
                self.push_holds(&mut pending);
            }
            let holder = HolderCode::of(hold.holder_id(), self.ids);
            if let Some(hash) = holder.hash() {
                pending.holders.push((hash, hold.holder_id()));
            }
            let place = self.place(&holder);
            let content = Content::Plain(hold.fact());
            let record = self.record(place, holder, tokens[hold.token()], content);
            match hold.event_id() {
                None => pending.records.push((place, record)),
                Some(event_id) => {
                    let id = self.ids.hash(event_id);
                    let named = NamedRecord { hold: record, id };
                    pending.named.push((place, named));
                }
            }
        }
        self.push_holds(&mut pending);
    }

    fn accept_transfers<'a>(
        &mut self,
        token_ids: &[&str],
        transfers: impl Iterator<Item = TransferRow<'a>>,
    ) {
        let tokens = self.token_numbers(token_ids);
        let mut pending = Vec::with_capacity(PENDING);
        for transfer in transfers {
            let (event_id, at) = (transfer.event_id(), transfer.at());
            let (id, token) = (self.ids.hash(event_id), tokens[transfer.token()]);
            let mut logged = None;
            for (holder_id, delta) in transfer.deltas() {
                let holder = self.holder(holder_id);
                let change = Change { id, at, delta };
                // The second one differs from the first one by its sign, which is not logged.
                let place = *logged.get_or_insert_with(|| self.changes.add(token, change));
                pending.extend(self.pending(holder, token, place, change, event_id));
            }
            if pending.len() + 2 > PENDING {
                self.push_entries(&mut pending);
            }
        }
        self.push_entries(&mut pending);
    }
}
