//! The fast path for common batches: closed holds without corrections, all values present and valid; event ids may
//! be missing.
//!
//! The columns are checked and converted one after the other, each in a loop of its own, and go to
//! the sink together. Any other batch is left to [`super::batch_rows`], which alone says why a row is
//! refused; this file only has to recognise common batches, never to explain what is wrong with one.

use arrow_array::StringViewArray;

use super::batch_rows::BatchRows;
use super::time_column::TimeColumn;
use super::token_column::{TokenColumn, filled, has_no_empty};
use crate::core::{ClosedHold, EventSink, Micros, Wad};

/// Buffers for the columns of one batch, reused by the next.
#[derive(Default)]
pub(super) struct HoldColumns {
    tokens: TokenColumn,
    starts: Vec<Micros>,
    ends: Vec<Micros>,
    weights: Vec<Wad>,
}

/// The texts of one batch.
struct Texts<'r> {
    /// Each once.
    tokens: Vec<&'r str>,
    holders: &'r StringViewArray,
    event_ids: Option<&'r StringViewArray>,
}

impl HoldColumns {
    /// Passes all `rows` to `sink` and returns `true`, or none of them and returns `false`.
    pub(super) fn feed(&mut self, rows: &BatchRows, sink: &mut impl EventSink) -> bool {
        let Some(texts) = self.read(rows) else {
            return false;
        };
        let spans = self.starts.iter().zip(&self.ends);
        let columns = self.tokens.indices().zip(spans).zip(&self.weights);
        let holds = columns.zip(texts.holders.iter()).map(
            |(((token, (start, end)), weight), holder_id)| {
                let holder_id = holder_id.expect("no holder is null");
                ClosedHold::new(token, holder_id, (*start, *end), *weight)
                    .expect("every row is a hold")
            },
        );
        match texts.event_ids {
            None => sink.accept_holds(&texts.tokens, holds),
            Some(ids) => {
                let named = holds.zip(ids.iter()).map(|(hold, event_id)| {
                    let event_id = event_id.and_then(|event_id| hold.named(event_id));
                    event_id.unwrap_or(hold)
                });
                sink.accept_holds(&texts.tokens, named);
            }
        }
        true
    }

    /// The texts; the other columns go to their buffers.
    fn read<'r>(&mut self, rows: &'r BatchRows) -> Option<Texts<'r>> {
        if !rows.has_closed_holds_only() {
            return None;
        }
        let holders = filled(rows.holder_id.as_ref()?.views()?)?;
        let event_ids = match &rows.event_id {
            None => None,
            Some(ids) => Some(ids.views().filter(|ids| has_no_empty(ids))?),
        };
        self.read_spans(rows.start.as_ref()?, rows.end.as_ref()?, rows.len())?;
        if let Some(weights) = &rows.weight {
            weights.read_all(rows.len(), &mut self.weights)?;
        } else {
            self.weights.clear();
            self.weights.resize(rows.len(), Wad::ONE);
        }
        Some(Texts {
            tokens: self.tokens.read(rows.token_id.views()?)?,
            holders,
            event_ids,
        })
    }

    fn read_spans(&mut self, start: &TimeColumn, end: &TimeColumn, rows: usize) -> Option<()> {
        start.read_all(rows, &mut self.starts)?;
        end.read_all(rows, &mut self.ends)?;
        let mut spans = self.starts.iter().zip(&self.ends);
        spans.all(|(start, end)| start <= end).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, Int64Array};

    use super::super::batch_rows::RowBuffers;
    use super::*;
    use crate::core::{Claim, Event, Fact};

    /// Token, holder, event id and fact of each hold.
    #[derive(Default, PartialEq, Debug)]
    struct Facts(Vec<(String, String, Option<String>, Fact)>);

    impl EventSink for Facts {
        fn accept(&mut self, event: &Event<'_>) {
            let (event_id, fact) = match event.claim {
                Claim::Plain(fact) => (None, fact),
                Claim::Named { event_id, standing } => {
                    assert_eq!(standing.revision, 0);
                    (Some(event_id.to_owned()), standing.fact.unwrap())
                }
            };
            let (token_id, holder_id) = (event.token_id.into(), event.holder_id.into());
            self.0.push((token_id, holder_id, event_id, fact));
        }
    }

    const LONG: &str = "a token whose id is longer than twelve bytes";

    fn columns() -> Vec<(&'static str, ArrayRef)> {
        let texts = |texts: [&str; 4]| Arc::new(StringViewArray::from(texts.to_vec()));
        vec![
            ("token_id", texts(["a", LONG, "a", LONG])),
            ("holder_id", texts(["h", "i", "h", LONG])),
            ("start_us", Arc::new(Int64Array::from(vec![-1, 5, 7, 7]))),
            ("end_us", Arc::new(Int64Array::from(vec![5, 5, 9, 8]))),
            (
                "weight",
                Arc::new(Float64Array::from(vec![1.5, 0.0, 3.0, 1e-18])),
            ),
        ]
    }

    /// The events of the batch; `None` if it was left to the rows.
    fn fed(columns: Vec<(&'static str, ArrayRef)>) -> Option<Facts> {
        let rows = BatchRows::of_columns(columns);
        let mut facts = Facts::default();
        if !HoldColumns::default().feed(&rows, &mut facts) {
            assert_eq!(facts, Facts::default());
            return None;
        }
        let mut one_by_one = Facts::default();
        for row in 0..rows.len() {
            let mut buffers = RowBuffers::default();
            let draft = rows.draft(row, &mut buffers).unwrap();
            one_by_one.accept(&draft.check().unwrap());
        }
        assert_eq!(facts, one_by_one);
        Some(facts)
    }

    #[test]
    fn common_batches_give_the_events_of_their_rows() {
        assert_eq!(fed(columns()).unwrap().0.len(), 4);
        let mut unweighted = columns();
        unweighted.pop();
        let facts = fed(unweighted).unwrap();
        assert!(matches!(
            facts.0[1].3,
            Fact::Closed {
                weight: Wad::ONE,
                ..
            }
        ));
    }

    #[test]
    fn event_ids_go_with_their_holds_where_there_are_any() {
        let mut named = columns();
        let ids = StringViewArray::from(vec![Some("e"), None, Some(LONG), None]);
        named.push(("event_id", Arc::new(ids)));
        let facts = fed(named).unwrap();
        let ids = facts
            .0
            .iter()
            .map(|(_, _, event_id, _)| event_id.as_deref());
        assert!(ids.eq([Some("e"), None, Some(LONG), None]));
    }

    #[test]
    fn anything_else_is_left_to_the_rows() {
        let with = |name: &'static str, column: ArrayRef| {
            let mut columns = columns();
            columns.retain(|(known, _)| *known != name);
            columns.push((name, column));
            fed(columns)
        };
        let texts = |texts: [Option<&str>; 4]| -> ArrayRef {
            Arc::new(StringViewArray::from(texts.to_vec()))
        };
        let some = Some("x");
        for (name, column) in [
            ("token_id", texts([some, Some(""), some, some])),
            ("token_id", texts([some, None, some, some])),
            ("holder_id", texts([some, some, some, Some("")])),
            ("holder_id", texts([None, some, some, some])),
            ("event_id", texts([some, Some(""), None, some])),
        ] {
            assert_eq!(with(name, column), None, "{name}");
        }
        for (name, micros) in [
            ("start_us", vec![Some(-1), Some(6), Some(7), Some(7)]),
            ("start_us", vec![Some(-1), None, Some(7), Some(7)]),
            ("end_us", vec![Some(5), Some(5), Some(9), Some(i64::MAX)]),
            ("revision", vec![None; 4]),
        ] {
            assert_eq!(
                with(name, Arc::new(Int64Array::from(micros))),
                None,
                "{name}"
            );
        }
        for weights in [vec![Some(1.0), Some(-1.0)], vec![Some(1.0), None]] {
            let weights = Float64Array::from([weights.clone(), weights].concat());
            assert_eq!(with("weight", Arc::new(weights)), None);
        }
    }
}
