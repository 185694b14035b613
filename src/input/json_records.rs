//! The rows of one source of JSON, in blocks, as events: one a line, or as a document has them.
//!
//! Which of these a source is, is found in [`super::json_document`]; one row is read in [`super::jsonl`].

use std::ops::ControlFlow;
use std::sync::Arc;

use super::blocks::{Block, lines};
use super::json_document::{JsonForm, string_end};
use super::jsonl::{UnknownKeys, explained, is_blank, mapped_event_from_line};
use super::{InputOptions, Progress, RefusalReason};
use crate::core::Event;

/// How the rows of one source are found and read.
pub(super) struct JsonRecords {
    pub(super) form: JsonForm,
    pub(super) options: Arc<InputOptions>,
    /// Where ignored keys are listed.
    pub(super) progress: Arc<Progress>,
}

impl JsonRecords {
    /// Visits each row of a block with its line; blank lines are skipped.
    pub(super) fn visit<B>(
        &self,
        block: &Block,
        visit: impl FnMut(u64, Result<&[Event<'_>], RefusalReason>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut unknown = UnknownKeys::new(&self.options.columns);
        let flow = self.visit_rows(block, &mut unknown, visit);
        self.progress.ignored.add(unknown.ignored());
        flow
    }

    fn visit_rows<B>(
        &self,
        block: &Block,
        unknown: &mut UnknownKeys<'_>,
        mut visit: impl FnMut(u64, Result<&[Event<'_>], RefusalReason>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for (line, bytes) in rows(self.form, block) {
            match mapped_event_from_line(bytes, &self.options, unknown) {
                Ok(parsed) => parsed.with_events(|events| {
                    let explained = |refusal| explained(bytes, &self.options, refusal);
                    visit(line, events.map_err(explained))
                })?,
                Err(reason) => visit(line, Err(reason))?,
            }
        }
        ControlFlow::Continue(())
    }
}

/// The rows of a block with the lines on which they begin; blank lines are left out.
pub(super) fn rows(form: JsonForm, block: &Block) -> impl Iterator<Item = (u64, &[u8])> {
    let (of_lines, of_values) = match form {
        JsonForm::Lines => (Some(lines(block)), None),
        JsonForm::Objects | JsonForm::Array | JsonForm::Wrapped => (None, Some(values(block))),
    };
    let of_lines = of_lines
        .into_iter()
        .flatten()
        .filter(|(_, bytes)| !is_blank(bytes));
    of_lines.chain(of_values.into_iter().flatten())
}

/// The values of a block that has white space alone around them, with the lines on which they begin.
pub(super) fn values(block: &Block) -> impl Iterator<Item = (u64, &[u8])> {
    let mut line = block.first_line;
    let mut rest = block.bytes.as_slice();
    std::iter::from_fn(move || {
        let text = rest.trim_ascii_start();
        let blank = &rest[..rest.len() - text.len()];
        line += line_breaks(blank);
        if text.is_empty() {
            return None;
        }
        let (value, after) = text.split_at(value_end(text));
        let found = (line, value);
        line += line_breaks(value);
        rest = after;
        Some(found)
    })
}

fn line_breaks(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

/// The end of the value with which a text begins.
fn value_end(text: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        match text[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b'"' => {
                at = string_end(text, at).unwrap_or(text.len());
                if depth == 0 {
                    return at;
                }
                continue;
            }
            byte if depth == 0 && byte.is_ascii_whitespace() => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}
