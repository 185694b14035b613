//! All rounds: their manifests in memory, their records on disk, and the trees of those whose proofs were asked for
//! last.
//!
//! How a round is computed is in `seal`. A manifest is found without waiting; a tree that is not in memory is built
//! again from the list, which takes as long as sealing it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use parking_lot::RwLock;
use tracing::error;

use super::error::{RoundError, SealError};
use super::manifest::RoundManifest;
use super::record::{RecordHead, decode, encode};
use super::request::{RoundPlan, RoundRequest};
use super::round_journal::{Disk, ROUNDS_FOLDER, RoundJournal};
use super::sealed_round::{RoundProof, SealedRound, tree_of};
use crate::airdrop::{Document, List};
use crate::core::StoreId;
use crate::engine::error::OpenError;
use crate::journal::{JournalError, Vfs, WriteError};

/// The most rounds: their manifests are in memory.
const ROUNDS_MAX: usize = 10_000;

/// The rounds of an engine.
pub struct Rounds {
    by_id: RwLock<BTreeMap<String, Arc<Known>>>,
    journal: RoundJournal,
    /// One round is computed at a time.
    pub(super) turn: Mutex<()>,
    /// See [`crate::config::Rounds::leaves_max`].
    pub(super) leaves_max: usize,
    /// The trees in memory; the one that was used last is the last.
    trees: Mutex<Vec<Arc<SealedRound>>>,
    /// One tree is built at a time, so that callers who want the same wait for it.
    building: Mutex<()>,
}

/// A round without its list.
pub(super) struct Known {
    /// In the journal, from 1.
    number: u64,
    pub(super) plan: RoundPlan,
    pub(super) manifest: Arc<RoundManifest>,
}

/// Rounds in the order in which they were sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundPage {
    /// Those of this page.
    pub rounds: Vec<Arc<RoundManifest>>,
    /// The number of all rounds.
    pub known: usize,
    /// The number of the last round of this page, after which the next page begins; `None` if it is the last page.
    pub next: Option<u64>,
}

/// A round that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What was sealed.
    pub manifest: Arc<RoundManifest>,
    /// Whether it was sealed by this request, and not by an equal one before.
    pub is_new: bool,
}

/// Where rounds are kept.
pub(in crate::engine) struct RoundsOptions<'a> {
    pub(in crate::engine) vfs: &'a Arc<dyn Vfs>,
    pub(in crate::engine) data_dir: &'a Path,
    pub(in crate::engine) retry_after: Duration,
    pub(in crate::engine) salvages: bool,
    pub(in crate::engine) leaves_max: usize,
}

impl Rounds {
    /// Rounds that end with the process.
    pub(in crate::engine) fn in_memory(leaves_max: usize) -> Self {
        Self::new(RoundJournal::in_memory(), BTreeMap::new(), leaves_max)
    }

    /// Loads the rounds of a folder, whose lock the caller holds.
    pub(in crate::engine) fn open(options: &RoundsOptions<'_>) -> Result<Self, OpenError> {
        let mut known = BTreeMap::new();
        let mut refused = None;
        let journal = RoundJournal::open(
            options.vfs,
            options.data_dir,
            options.retry_after,
            options.salvages,
            |number, bytes| match Known::of(number, bytes) {
                Ok(round) => {
                    known.insert(round.manifest.id.clone(), Arc::new(round));
                }
                Err(reason) => {
                    refused.get_or_insert(reason);
                }
            },
        )?;
        match refused {
            Some(reason) => Err(OpenError::Rounds {
                folder: options.data_dir.join(ROUNDS_FOLDER),
                reason,
            }),
            None => Ok(Self::new(journal, known, options.leaves_max)),
        }
    }

    fn new(journal: RoundJournal, known: BTreeMap<String, Arc<Known>>, leaves_max: usize) -> Self {
        Self {
            by_id: RwLock::new(known),
            journal,
            turn: Mutex::default(),
            leaves_max,
            trees: Mutex::default(),
            building: Mutex::default(),
        }
    }

    /// `size` rounds after the round of this number, in the order in which they were sealed; 0 is before the first one.
    #[must_use]
    pub fn page(&self, after: u64, size: usize) -> RoundPage {
        let by_id = self.by_id.read();
        let later = by_id.values().filter(|round| round.number > after);
        let mut rounds: Vec<_> = later.collect();
        rounds.sort_unstable_by_key(|round| round.number);
        let has_more = rounds.len() > size;
        rounds.truncate(size);
        let next = rounds.last().filter(|_| has_more);
        let next = next.map(|round| round.number);
        let manifests = rounds.iter().map(|round| Arc::clone(&round.manifest));
        RoundPage {
            rounds: manifests.collect(),
            known: by_id.len(),
            next,
        }
    }

    /// What a round states.
    pub fn manifest(&self, id: &str) -> Result<Arc<RoundManifest>, RoundError> {
        Ok(Arc::clone(&self.known(id)?.manifest))
    }

    /// The proof of a holder, if the tree is in memory; answers at once.
    #[must_use]
    pub fn ready_proof(&self, id: &str, holder: &str) -> Option<Result<RoundProof, RoundError>> {
        match self.known(id) {
            Ok(_) => Some(self.tree_in_memory(id)?.proof(holder)),
            Err(unknown) => Some(Err(unknown)),
        }
    }

    /// The proof of a holder. Blocks while the tree is built.
    pub fn proof(&self, id: &str, holder: &str) -> Result<RoundProof, RoundError> {
        let known = self.known(id)?;
        let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        let tree = match self.tree_in_memory(id) {
            Some(tree) => tree,
            None => self.build(&known)?,
        };
        tree.proof(holder)
    }

    /// The round that an equal request has sealed; an error if another one has.
    pub(super) fn sealed(&self, id: &str, plan: &RoundPlan) -> Result<Option<Sealed>, SealError> {
        let by_id = self.by_id.read();
        match by_id.get(id) {
            Some(known) if known.plan == *plan => Ok(Some(Sealed {
                manifest: Arc::clone(&known.manifest),
                is_new: false,
            })),
            Some(_) => Err(SealError::Exists { id: id.to_owned() }),
            None if by_id.len() >= ROUNDS_MAX => Err(SealError::TooMany(ROUNDS_MAX)),
            None => Ok(None),
        }
    }

    /// Stores a round and its tree.
    pub(super) fn store(
        &self,
        request: &RoundRequest,
        plan: RoundPlan,
        manifest: RoundManifest,
        list: &[u8],
        document: Document,
    ) -> Result<Arc<RoundManifest>, WriteError> {
        let number = self.journal.append(encode(request, &manifest, list))?;
        let manifest = Arc::new(manifest);
        let known = Known {
            number,
            plan,
            manifest: Arc::clone(&manifest),
        };
        self.by_id
            .write()
            .insert(manifest.id.clone(), Arc::new(known));
        self.keep_tree(SealedRound::new(Arc::clone(&manifest), document));
        Ok(manifest)
    }

    /// The store that rounds on disk belong to, and the file that says so.
    pub(in crate::engine) fn named(&self) -> Result<Option<(PathBuf, StoreId)>, JournalError> {
        self.journal.named()
    }

    /// The files of rounds; `None` if nothing is stored.
    pub(in crate::engine) fn disk(&self) -> Option<Arc<Disk>> {
        self.journal.disk()
    }

    /// Accepts no more rounds; those that exist are still answered.
    pub(in crate::engine) fn close(&self) {
        self.journal.close();
    }

    fn known(&self, id: &str) -> Result<Arc<Known>, RoundError> {
        let by_id = self.by_id.read();
        let known = by_id.get(id).map(Arc::clone);
        known.ok_or_else(|| RoundError::Unknown(id.to_owned()))
    }

    fn tree_in_memory(&self, id: &str) -> Option<Arc<SealedRound>> {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        let place = trees.iter().position(|tree| tree.manifest.id == id)?;
        let tree = trees.remove(place);
        trees.push(Arc::clone(&tree));
        Some(tree)
    }

    fn build(&self, known: &Known) -> Result<Arc<SealedRound>, RoundError> {
        let built = self.rebuilt(known);
        built.map(|tree| self.keep_tree(tree)).map_err(|reason| {
            error!(id = known.manifest.id, %reason, "A round cannot be read.");
            RoundError::Unreadable
        })
    }

    fn rebuilt(&self, known: &Known) -> Result<SealedRound, String> {
        let record = self.journal.record(known.number);
        let record = record.map_err(|error| crate::error_line::error_line(&error))?;
        known.tree(&record)
    }

    /// Keeps as many trees as have `leaves_max` leaves together, and the last one in any case.
    fn keep_tree(&self, tree: SealedRound) -> Arc<SealedRound> {
        let tree = Arc::new(tree);
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        trees.push(Arc::clone(&tree));
        let leaves =
            |trees: &[Arc<SealedRound>]| -> usize { trees.iter().map(|tree| tree.leaves()).sum() };
        while trees.len() > 1 && leaves(&trees) > self.leaves_max {
            trees.remove(0);
        }
        tree
    }
}

impl Known {
    pub(super) fn of(number: u64, bytes: &[u8]) -> Result<Self, String> {
        let (head, _) = decode(bytes).map_err(|error| error.to_string())?;
        let RecordHead {
            request, manifest, ..
        } = head;
        let plan = request.plan().map_err(|error| error.to_string())?;
        Ok(Self {
            number,
            plan,
            manifest: Arc::new(manifest),
        })
    }

    /// The tree of the list in the round's record, if it is the one that was sealed.
    pub(super) fn tree(&self, record: &[u8]) -> Result<SealedRound, String> {
        let (_, list) = decode(record).map_err(|error| error.to_string())?;
        let kind = self.plan.format.addresses();
        let list = List::read(list, kind, 0).map_err(|error| error.to_string())?;
        let document = tree_of(list, &self.plan).map_err(|error| error.to_string())?;
        let tree = SealedRound::new(Arc::clone(&self.manifest), document);
        if tree.has_sealed_root() {
            Ok(tree)
        } else {
            Err("the tree of its list has another root than the one that was sealed".to_owned())
        }
    }
}
