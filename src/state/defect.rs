//! The kinds of damage that a check of the state can find.
//!
//! `error` adds the file and the cure.

/// What is damaged in a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// The pages of the database are not as they were written.
    #[error("pages were changed after they were written: {0}")]
    Pages(String),
    /// The checksum of an entry is wrong.
    #[error("an entry was changed after it was written")]
    Entry,
    /// The metadata is missing, or its checksum is wrong.
    #[error("the metadata is missing or was changed after it was written")]
    Metadata,
    /// Entries are missing or duplicated.
    #[error("found {found} entries, expected {expected}")]
    Count {
        /// Number of entries in the table.
        found: u64,
        /// Number of entries according to the metadata.
        expected: u64,
    },
    /// The number of entries is right, but their checksums do not add up.
    #[error("the entries are not those that were written")]
    Sum,
}
