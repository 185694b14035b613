//! The tokens of a batch: each id once, and for every row the index of its own.
//!
//! A sink then looks up each token once per batch, not once per row.

use std::hash::BuildHasher;

use arrow_array::{Array, StringViewArray};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

/// A view of at most so many bytes holds its text, a longer one says where that is.
const INLINE_BYTES: usize = 12;

/// Buffers for one batch, reused by the next.
#[derive(Default)]
pub(super) struct TokenColumn {
    /// The indices of texts by the views that have shown them.
    known: HashMap<u128, usize, RandomState>,
    /// The indices of long texts, which views in several places may show.
    long: HashTable<usize>,
    hasher: RandomState,
    indices: Vec<usize>,
}

impl TokenColumn {
    /// The distinct ids; `None` if one is null or empty.
    pub(super) fn read<'r>(&mut self, ids: &'r StringViewArray) -> Option<Vec<&'r str>> {
        if ids.null_count() > 0 {
            return None;
        }
        let mut texts = Vec::new();
        self.known.clear();
        self.long.clear();
        self.indices.clear();
        for (row, view) in ids.views().iter().enumerate() {
            let index = match self.known.get(view) {
                Some(index) => *index,
                None => self.add(*view, ids.value(row), &mut texts),
            };
            self.indices.push(index);
        }
        texts.iter().all(|text| !text.is_empty()).then_some(texts)
    }

    /// The index of a text that is shown by a view for the first time.
    fn add<'r>(&mut self, view: u128, text: &'r str, texts: &mut Vec<&'r str>) -> usize {
        let next = texts.len();
        let index = if text.len() > INLINE_BYTES {
            let hash = |text: &str| self.hasher.hash_one(text);
            let is_equal = |index: &usize| texts[*index] == text;
            let entry = self
                .long
                .entry(hash(text), is_equal, |index| hash(texts[*index]));
            *entry.or_insert(next).get()
        } else {
            next
        };
        if index == next {
            texts.push(text);
        }
        self.known.insert(view, index);
        index
    }

    /// For each row the index of its token among the ids that [`Self::read`] has returned.
    pub(super) fn indices(&self) -> impl Iterator<Item = usize> {
        self.indices.iter().copied()
    }
}

/// The texts, if none is null or empty.
pub(super) fn filled(texts: &StringViewArray) -> Option<&StringViewArray> {
    (texts.null_count() == 0 && has_no_empty(texts)).then_some(texts)
}

/// Whether each text that is not null has a character.
pub(super) fn has_no_empty(texts: &StringViewArray) -> bool {
    // The low 32 bits of a view are the length of its text.
    let is_filled = |view: &u128| view & u128::from(u32::MAX) > 0;
    if texts.null_count() == 0 {
        return texts.views().iter().all(is_filled);
    }
    let mut views = texts.views().iter().enumerate();
    views.all(|(row, view)| texts.is_null(row) || is_filled(view))
}
