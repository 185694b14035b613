//! Seals a round: scores one state, shares the pool, builds the tree, and stores the list.
//!
//! One round at a time; it blocks and computes on several threads, so it is never called on a thread that serves
//! connections.

use std::sync::PoisonError;

use sha2::{Digest, Sha256};
use tracing::{error, info};

use super::error::SealError;
use super::manifest::{Outcome, RoundManifest, StoreHead};
use super::request::{RoundPlan, RoundRequest};
use super::rounds::Sealed;
use super::sealed_round::tree_of;
use crate::airdrop::{HexHash, Payout, Share, pay};
use crate::core::{Micros, Window};
use crate::engine::answer::{Page, Question};
use crate::engine::hold_engine::Engine;
use crate::engine::policies::PublishError;
use crate::error_line::error_line;
use crate::journal::{TailRead, TailReader, WriteError};

/// How often scores are computed again because the journal of their state was removed meanwhile.
const ATTEMPTS: usize = 3;

/// The scores of one state.
struct Scored {
    page: Page,
    store: StoreHead,
}

/// SHA-256 of the frame of the journal that ends with an event.
enum Head {
    /// `None` if there is no such frame, as before the first event.
    Known(Option<String>),
    /// Its segment was removed, because events have arrived.
    Removed,
}

impl Engine {
    /// Seals the round, or finds the one that an equal request has sealed. It is durable when this returns; the
    /// same request may always be made again. Blocks; see [`Self::page`].
    ///
    /// # Panics
    /// Never: a list is written to memory.
    pub fn seal_round(&self, request: &RoundRequest) -> Result<Sealed, SealError> {
        let plan = request.plan()?;
        let rounds = self.rounds();
        if let Some(sealed) = rounds.sealed(&request.id, &plan)? {
            return Ok(sealed);
        }
        let _turn = rounds.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sealed) = rounds.sealed(&request.id, &plan)? {
            return Ok(sealed);
        }
        if self.is_closing() {
            return Err(self.write_refusal(&WriteError::Closed).into());
        }
        let sealed_at = self.now();
        let as_of = plan.as_of.unwrap_or(sealed_at);
        let Scored { page, store } = self.scored(&plan, as_of)?;
        let scores = page.holders.into_iter().map(|row| Share {
            holder_id: row.holder.holder_id,
            score: row.holder.totals.score.steps(),
        });
        let Payout { list, sum, counts } = pay(scores.collect(), &plan.selection, &plan.terms)?;
        if list.len() > rounds.leaves_max {
            return Err(SealError::TooLarge {
                leaves: list.len(),
                leaves_max: rounds.leaves_max,
            });
        }
        let mut text = Vec::new();
        list.write(&mut text).expect("memory takes it");
        let document = tree_of(list, &plan).map_err(|error| SealError::Field {
            field: "format",
            reason: error.to_string(),
        })?;
        let manifest = RoundManifest::new(Outcome {
            request,
            plan: &plan,
            as_of,
            sealed_at,
            store,
            policy_version: page.policy_version.as_deref(),
            deficits: page.deficits,
            counts,
            sum: sum.to_string(),
            root: HexHash(&document.root()).to_string(),
            list: &text,
        });
        let stored = rounds.store(request, plan, manifest, &text, document);
        let manifest = stored.map_err(|reason| self.write_refusal(&reason))?;
        info!(
            id = manifest.id,
            root = manifest.root,
            sequence = manifest.store.sequence,
            recipients = manifest.counts.recipients,
            "Sealed a round."
        );
        Ok(Sealed {
            manifest,
            is_new: true,
        })
    }

    /// The scores of all holders at one state.
    fn scored(&self, plan: &RoundPlan, as_of: Micros) -> Result<Scored, SealError> {
        let question = Question {
            window: Window {
                from: plan.from,
                as_of,
                closed_only: plan.closed_only,
            },
            token_id: plan.token_id.clone(),
        };
        for _ in 0..ATTEMPTS {
            let page = match &plan.policy {
                None => self.page(&question, None, usize::MAX),
                Some(policy) => self
                    .published(policy, &question, None, usize::MAX)
                    .map_err(refused_policy)?,
            };
            if let Head::Known(journal_head) = self.journal_head(page.sequence)? {
                let store = StoreHead {
                    sequence: page.sequence,
                    journal_head,
                };
                return Ok(Scored { page, store });
            }
        }
        Err(SealError::Unsettled)
    }

    /// The head of the journal at this event.
    fn journal_head(&self, sequence: u64) -> Result<Head, SealError> {
        let Some(journal) = self.journal() else {
            return Ok(Head::Known(None));
        };
        let mut head = None;
        let mut reader = TailReader::new(journal, sequence);
        let read = reader.read(sequence, 1, |frame| {
            head = Some(hex::encode(Sha256::digest(frame.payload)));
        });
        match read {
            Ok(TailRead::Read) => Ok(Head::Known(head)),
            // It was not removed meanwhile: before the first event, or of a journal that begins after this one.
            Ok(TailRead::Removed) if self.sequence() == sequence => Ok(Head::Known(None)),
            Ok(TailRead::Removed) => Ok(Head::Removed),
            Err(error) => {
                error!(error = %error_line(&error), "The journal cannot be read to seal a round.");
                Err(SealError::Unreadable)
            }
        }
    }
}

fn refused_policy(error: PublishError) -> SealError {
    match error {
        PublishError::Unknown { .. } => SealError::Field {
            field: "policy",
            reason: error.to_string(),
        },
        PublishError::Failed { .. } => SealError::Policy(error),
    }
}
