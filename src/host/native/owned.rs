//! Copies of events, their texts in one string.
//!
//! Copies can be scored detached, whatever Python does to its objects meanwhile.

use crate::core::{Claim, Event, EventSink, Fact, Standing};

/// Valid events, copied by [`EventSink::accept`].
#[derive(Default)]
pub(in crate::host) struct OwnedEvents {
    text: String,
    rows: Vec<Row>,
}

/// A part of [`OwnedEvents::text`].
#[derive(Clone, Copy)]
pub(super) struct Span {
    start: usize,
    end: usize,
}

#[derive(Clone, Copy)]
struct Row {
    token_id: Span,
    holder_id: Span,
    claim: OwnedClaim,
}

#[derive(Clone, Copy)]
enum OwnedClaim {
    Plain(Fact),
    Named { event_id: Span, standing: Standing },
}

impl OwnedEvents {
    /// Empty, with capacity for `rows`.
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            text: String::new(),
            rows: Vec::with_capacity(rows),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The event in `row`.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    pub(super) fn event(&self, row: usize) -> Event<'_> {
        let row = self.rows[row];
        Event {
            token_id: self.part(row.token_id),
            holder_id: self.part(row.holder_id),
            claim: match row.claim {
                OwnedClaim::Plain(fact) => Claim::Plain(fact),
                OwnedClaim::Named { event_id, standing } => Claim::Named {
                    event_id: self.part(event_id),
                    standing,
                },
            },
        }
    }

    /// All events, in the order in which they were added.
    pub(in crate::host) fn events(&self) -> Vec<Event<'_>> {
        (0..self.len()).map(|row| self.event(row)).collect()
    }

    /// Adds a text that several events may share.
    pub(super) fn keep(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        Span {
            start,
            end: self.text.len(),
        }
    }

    /// Adds an event whose token was added before.
    pub(super) fn push(&mut self, token_id: Span, event: &Event<'_>) {
        let holder_id = self.keep(event.holder_id);
        let claim = match event.claim {
            Claim::Plain(fact) => OwnedClaim::Plain(fact),
            Claim::Named { event_id, standing } => OwnedClaim::Named {
                event_id: self.keep(event_id),
                standing,
            },
        };
        self.rows.push(Row {
            token_id,
            holder_id,
            claim,
        });
    }

    fn part(&self, span: Span) -> &str {
        &self.text[span.start..span.end]
    }
}

impl EventSink for OwnedEvents {
    fn accept(&mut self, event: &Event<'_>) {
        let token_id = self.keep(event.token_id);
        self.push(token_id, event);
    }
}
