//! Wallets of one holder: which holders are published together, and the sum of what they hold.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use ruint::aliases::U256;

use super::pieces::Piece;
use super::step::Step;
use crate::core::Group;

/// The holder of each wallet.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    holder_of: BTreeMap<Box<str>, Box<str>>,
    /// Holders as they were listed, also without wallets.
    holders: BTreeSet<Box<str>>,
}

impl Links {
    /// Adds a holder without wallets.
    pub(super) fn add_holder(&mut self, holder_id: &str) {
        self.holders.insert(holder_id.into());
    }

    /// Links a wallet; returns whether it had no holder.
    pub(super) fn add(&mut self, wallet: &str, holder_id: &str) -> bool {
        let known = self.holder_of.insert(wallet.into(), holder_id.into());
        known.is_none()
    }

    /// The holder under whose name a holder continues.
    fn follow<'a>(&'a self, holder_id: &'a str) -> &'a str {
        self.holder_of
            .get(holder_id)
            .map_or(holder_id, |holder| holder)
    }

    /// The wallets by their holder.
    pub(super) fn wallets(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut wallets: BTreeMap<&str, Vec<&str>> = self
            .holders
            .iter()
            .map(|holder| (&**holder, Vec::new()))
            .collect();
        for (wallet, holder) in &self.holder_of {
            wallets.entry(holder).or_default().push(wallet);
        }
        wallets
    }

    /// Puts the keys of wallets under the name of their holder, and adds up those of one token.
    pub(super) fn apply<'a>(&'a self, keys: Vec<LinkedKey<'a>>) -> Vec<LinkedKey<'a>> {
        let mut parts: BTreeMap<(&str, &str), Vec<Vec<Piece>>> = BTreeMap::new();
        for key in keys {
            let holder_id = self.follow(key.holder_id);
            parts
                .entry((holder_id, key.token_id))
                .or_default()
                .push(key.pieces);
        }
        let linked = parts.into_iter().map(|((holder_id, token_id), mut parts)| {
            let pieces = match parts.len() {
                1 => parts.swap_remove(0),
                _ => added(&parts),
            };
            LinkedKey {
                holder_id,
                token_id,
                pieces,
            }
        });
        linked.collect()
    }
}

/// The pieces of one key among those of a group.
pub(super) struct LinkedKey<'a> {
    pub(super) holder_id: &'a str,
    pub(super) token_id: &'a str,
    pub(super) pieces: Vec<Piece>,
}

/// The groups that steps make, and the index of the group of each holder in one.
pub(super) fn groups(steps: &[Step]) -> (Vec<Group>, HashMap<Box<str>, usize>) {
    let links: Vec<&Links> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Linked(links) => Some(links),
            _ => None,
        })
        .collect();
    let named: BTreeSet<&str> = links
        .iter()
        .flat_map(|links| {
            links
                .holder_of
                .iter()
                .flat_map(|(wallet, holder)| [&**wallet, &**holder])
        })
        .collect();
    let mut members: BTreeMap<&str, Vec<Box<str>>> = BTreeMap::new();
    for holder_id in named {
        let last = links
            .iter()
            .fold(holder_id, |name, links| links.follow(name));
        members.entry(last).or_default().push(holder_id.into());
    }
    let groups: Vec<Group> = members
        .into_iter()
        .map(|(holder_id, members)| Group {
            holder_id: holder_id.into(),
            members: members.into(),
        })
        .collect();
    let places = groups.iter().enumerate().flat_map(|(index, group)| {
        group
            .members
            .iter()
            .map(move |member| (member.clone(), index))
    });
    let places = places.collect();
    (groups, places)
}

/// Pieces of several wallets as those of one holder: at each instant the sum of the weights held. No step has
/// multiplied them yet.
fn added(parts: &[Vec<Piece>]) -> Vec<Piece> {
    let mut begins: Vec<(i64, U256)> = Vec::new();
    let mut ends: Vec<(i64, U256)> = Vec::new();
    for piece in parts.iter().flatten() {
        begins.push((piece.start, piece.weight));
        ends.push((piece.end, piece.weight));
    }
    begins.sort_unstable_by_key(|(at, _)| *at);
    ends.sort_unstable_by_key(|(at, _)| *at);
    let (mut begins, mut ends) = (begins.into_iter().peekable(), ends.into_iter().peekable());
    let mut found = Vec::new();
    let (mut start, mut holders, mut weight) = (i64::MIN, 0_usize, U256::ZERO);
    // Every begin has an end behind it.
    while let Some((end, _)) = ends.peek().copied() {
        let at = begins.peek().map_or(end, |(begin, _)| end.min(*begin));
        if holders > 0 && start < at {
            found.push(Piece {
                start,
                end: at,
                weight,
                factor: 1,
            });
        }
        start = at;
        while let Some((_, less)) = ends.next_if(|(end, _)| *end == at) {
            holders -= 1;
            weight -= less;
        }
        while let Some((_, more)) = begins.next_if(|(begin, _)| *begin == at) {
            holders += 1;
            weight = weight.saturating_add(more);
        }
    }
    found
}
