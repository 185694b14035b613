//! What tells the beginning of a file from that of another one, in four bytes.
//!
//! It is taken of what the rows state and not of the file's bytes, so it means the same for packed
//! files, and rows that are appended later leave it as it is. It finds a file that was replaced, not
//! one that somebody forged.

use serde::{Deserialize, Serialize};

use crate::client::Message;
use crate::core::Event;

/// CRC-32C over rows from the first one on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Fingerprint(u32);

impl Fingerprint {
    /// Covers one row more; `None` is a line that is refused, whatever it says.
    pub(super) fn add(&mut self, event: Option<&Event<'_>>) {
        // No event has no bytes, so an empty row is a refused one.
        let bytes = event.map_or_else(Vec::new, |event| Message::from(event).bytes());
        let length = (bytes.len() as u64).to_le_bytes();
        self.0 = crc32c::crc32c_append(self.0, &length);
        self.0 = crc32c::crc32c_append(self.0, &bytes);
    }
}
