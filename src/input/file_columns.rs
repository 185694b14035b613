//! The columns of a columnar file: our own or mapped ones, or those of a known feed.

use std::sync::Arc;

use arrow_schema::Schema;

use super::column_mapping::ColumnMapping;
use super::feeds::batch_row::{FeedColumns, column_names};
use super::feeds::layout::FeedLayout;
use super::{InputError, InputOptions};

/// What a columnar file is read by.
#[derive(Debug)]
pub(super) enum FileColumns {
    Fields(Box<ColumnMapping>),
    Feed(FeedColumns),
}

impl FileColumns {
    /// # Errors
    /// If a required column is absent, a column is there twice, or a column has a type that cannot be read.
    pub(super) fn new(
        file: &Arc<str>,
        schema: &Schema,
        options: &Arc<InputOptions>,
    ) -> Result<Self, InputError> {
        Ok(match options.feed_of(|| column_names(schema)) {
            Some(feed) => Self::Feed(FeedColumns::new(file, schema, feed, options)?),
            None => Self::Fields(Box::new(ColumnMapping::new(file, schema, options)?)),
        })
    }

    /// The columns that are read as indices into the file's columns, ascending.
    pub(super) fn projection(&self) -> &[usize] {
        match self {
            Self::Fields(mapping) => &mapping.projection,
            Self::Feed(columns) => &columns.projection,
        }
    }

    /// The columns that nothing is read from.
    pub(super) fn ignored(&self) -> Vec<&str> {
        match self {
            Self::Fields(mapping) => mapping.ignored().collect(),
            Self::Feed(columns) => columns.layout.ignored.iter().map(String::as_str).collect(),
        }
    }

    /// The layout of a file of a feed.
    pub(super) fn layout(&self) -> Option<&Arc<FeedLayout>> {
        match self {
            Self::Fields(_) => None,
            Self::Feed(columns) => Some(&columns.layout),
        }
    }
}
