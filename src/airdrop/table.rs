//! Rows of values in one text: a million rows cost a few allocations.
//!
//! A cell is the JSON of its value, as a document writes it: the documents keep numbers, quotes and escapes as they
//! were given. What the columns mean is the user's business.

use std::borrow::Cow;

/// Rows with the same number of cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    columns: usize,
    text: String,
    /// Where each cell ends.
    ends: Vec<usize>,
}

impl Table {
    pub(super) fn new(columns: usize) -> Self {
        Self {
            columns,
            text: String::new(),
            ends: Vec::new(),
        }
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Rows; a row that is not complete does not count.
    pub(super) fn len(&self) -> usize {
        self.ends.len() / self.columns
    }

    /// Adds a cell of this JSON.
    pub(super) fn push_json(&mut self, json: &str) {
        self.text.push_str(json);
        self.ends.push(self.text.len());
    }

    /// Adds a cell of this text.
    pub(super) fn push(&mut self, text: &str) {
        let is_plain = text
            .bytes()
            .all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        if is_plain {
            self.text.push('"');
            self.text.push_str(text);
            self.text.push('"');
            self.ends.push(self.text.len());
        } else {
            let json = serde_json::to_string(text).expect("text is JSON");
            self.push_json(&json);
        }
    }

    /// The JSON of a cell.
    pub(super) fn json(&self, row: usize, column: usize) -> &str {
        let cell = row * self.columns + column;
        let begin = cell.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[begin..self.ends[cell]]
    }

    /// The text of a cell; of a number or a boolean, its JSON.
    pub(super) fn text(&self, row: usize, column: usize) -> Cow<'_, str> {
        let json = self.json(row, column);
        let inside = json
            .strip_prefix('"')
            .and_then(|json| json.strip_suffix('"'));
        match inside {
            None => json.into(),
            Some(text) if !text.contains('\\') => text.into(),
            Some(_) => {
                serde_json::from_str::<String>(json).map_or_else(|_| json.into(), Cow::Owned)
            }
        }
    }

    /// The texts of a row.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = Cow<'_, str>> {
        (0..self.columns).map(move |column| self.text(row, column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_their_json_and_give_their_text() {
        let mut table = Table::new(2);
        table.push("plain");
        table.push("a \"quoted\"\n\\");
        table.push_json("true");
        table.push_json(r#""\u00e9""#);
        assert_eq!(table.len(), 2);
        assert_eq!(table.json(0, 0), r#""plain""#);
        assert_eq!(table.text(0, 1), "a \"quoted\"\n\\");
        assert_eq!(table.json(1, 1), r#""\u00e9""#);
        assert_eq!(table.row(1).collect::<Vec<_>>(), ["true", "é"]);
    }
}
