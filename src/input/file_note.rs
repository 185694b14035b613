//! What is worth saying about a file as a whole, beside its events: as which known feed it was read.

use std::fmt;
use std::sync::Arc;

use super::feeds::layout::FeedLayout;

/// A file of a known feed.
#[derive(Clone, Debug)]
pub struct FileNote {
    layout: Arc<FeedLayout>,
    /// Whether the header gave the feed away; `false` if it was named.
    pub is_recognised: bool,
}

impl FileNote {
    pub(super) fn new(layout: &Arc<FeedLayout>, is_recognised: bool) -> Self {
        Self {
            layout: Arc::clone(layout),
            is_recognised,
        }
    }

    /// The name of the file.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.layout.file
    }

    /// The name of the feed.
    #[must_use]
    pub fn feed(&self) -> &'static str {
        self.layout.feed()
    }

    /// The kind of the tokens, if the user or the feed says it.
    #[must_use]
    pub fn token_kind(&self) -> Option<&'static str> {
        self.layout.kind().map(super::TokenKind::name)
    }

    /// Rows without events: withdrawn logs, and logs of other kinds.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.layout.left_out()
    }
}

impl fmt::Display for FileNote {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, feed) = (self.file(), self.feed());
        write!(out, "{file}: read as {feed}")?;
        if let Some(kind) = self.token_kind() {
            write!(out, " ({kind})")?;
        }
        match self.left_out() {
            0 => {}
            1 => write!(out, "; 1 row is not an event of that kind and was left out")?,
            count => write!(
                out,
                "; {count} rows are not events of that kind and were left out"
            )?,
        }
        if self.layout.names_tokens_by_file() {
            write!(out, "; its token is the file's name, name it with --token")?;
        }
        Ok(())
    }
}
