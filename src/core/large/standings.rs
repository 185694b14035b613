//! The named events of one key, each with its claim in force.

use hashbrown::HashMap;

use crate::core::{Fact, Standing};

/// The number of tables that the names are divided over. Only one of them grows at a time, so no event
/// waits until a million names have been moved.
const PARTS: usize = 64;

/// Named events by name.
#[derive(Clone, Default)]
pub(super) struct Standings {
    /// Empty until there is a name.
    parts: Vec<HashMap<Box<str>, Standing>>,
    count: usize,
}

/// The fact that was in force under a name and has been replaced.
pub(super) struct Replaced(pub(super) Option<Fact>);

impl Standings {
    /// The number of names.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// Replaces the standing of a name and returns the previous one; `None` if the previous one prevails.
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

    /// All of them, in arbitrary order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Standing)> {
        let all = self.parts.iter().flatten();
        all.map(|(event_id, standing)| (&**event_id, *standing))
    }
}
