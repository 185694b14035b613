//! The tokens of a batch: each id once, and for every row the index of its own.
//!
//! A sink then looks up each token once per batch, not once per row.

use arrow_array::{Array, StringViewArray};
use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// Buffers for one batch, reused by the next.
#[derive(Default)]
pub(super) struct TokenColumn {
    known: HashMap<u128, usize, RandomState>,
    indices: Vec<usize>,
}

impl TokenColumn {
    /// The distinct ids; `None` if one is null or empty.
    ///
    /// Equal views into one column show equal texts, so each text is checked once.
    pub(super) fn read<'r>(&mut self, ids: &'r StringViewArray) -> Option<Vec<&'r str>> {
        if ids.null_count() > 0 {
            return None;
        }
        let mut texts = Vec::new();
        self.known.clear();
        self.indices.clear();
        for (row, view) in ids.views().iter().enumerate() {
            let index = *self.known.entry(*view).or_insert_with(|| {
                texts.push(ids.value(row));
                texts.len() - 1
            });
            self.indices.push(index);
        }
        texts.iter().all(|text| !text.is_empty()).then_some(texts)
    }

    /// For each row the index of its token among the ids that [`Self::read`] has returned.
    pub(super) fn indices(&self) -> impl Iterator<Item = usize> {
        self.indices.iter().copied()
    }
}

/// The texts, if none is null or empty.
pub(super) fn filled(texts: &StringViewArray) -> Option<&StringViewArray> {
    // The low 32 bits of a view are the length of its text.
    let length = |view: &u128| view & u128::from(u32::MAX);
    let is_filled = texts.null_count() == 0 && texts.views().iter().all(|view| length(view) > 0);
    is_filled.then_some(texts)
}
