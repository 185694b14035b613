//! The named events of one key, each as it is in force.

use hashbrown::HashMap;

use crate::core::{Fact, Standing};

/// Tables that the names are dealt to: one of them at a time grows, so that no event waits for a million
/// names to be moved.
const PARTS: usize = 64;

/// Named events by their name.
#[derive(Clone, Default)]
pub(super) struct Standings {
    /// None until there is a name.
    parts: Vec<HashMap<Box<str>, Standing>>,
    count: usize,
}

/// The fact that was in force under a name, and no longer is.
pub(super) struct Replaced(pub(super) Option<Fact>);

impl Standings {
    /// How many names are known.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// Puts `standing` in the place of what was said under its name, and returns what that was; `None` where
    /// what was said prevails.
    pub(super) fn replace(&mut self, event_id: &str, standing: Standing) -> Option<Replaced> {
        if self.parts.is_empty() {
            self.parts.resize_with(PARTS, HashMap::default);
        }
        let part = &mut self.parts[crc32c::crc32c(event_id.as_bytes()) as usize % PARTS];
        match part.get_mut(event_id) {
            Some(known) if standing.prevails_over(known) => {
                Some(Replaced(std::mem::replace(known, standing).fact))
            }
            Some(_) => None,
            None => {
                part.insert(event_id.into(), standing);
                self.count += 1;
                Some(Replaced(None))
            }
        }
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Standing)> {
        let all = self.parts.iter().flatten();
        all.map(|(event_id, standing)| (&**event_id, *standing))
    }
}
