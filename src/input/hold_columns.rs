//! The fast path for common batches: closed holds without event ids, all values present and valid.
//!
//! The columns are checked and converted one after the other, each in a loop of its own, and go to
//! the sink together. Any other batch is left to [`super::batch_rows`], which alone says why a row is
//! refused; this file only has to recognise common batches, never to explain what is wrong with one.

use arrow_array::StringViewArray;

use super::batch_rows::BatchRows;
use super::time_column::TimeColumn;
use super::token_column::{TokenColumn, filled};
use crate::core::{ClosedHold, EventSink, Micros, Wad};

/// Buffers for the columns of one batch, reused by the next.
#[derive(Default)]
pub(super) struct HoldColumns {
    tokens: TokenColumn,
    spans: Vec<(Micros, Micros)>,
    weights: Vec<Wad>,
}

impl HoldColumns {
    /// Passes all `rows` to `sink` and returns `true`, or none of them and returns `false`.
    pub(super) fn feed(&mut self, rows: &BatchRows, sink: &mut impl EventSink) -> bool {
        let Some((token_ids, holder_ids)) = self.read(rows) else {
            return false;
        };
        let columns = self.tokens.indices().zip(&self.spans).zip(&self.weights);
        let holds = columns
            .zip(holder_ids.iter())
            .map(|(((token, span), weight), holder_id)| {
                let holder_id = holder_id.expect("no holder is null");
                ClosedHold::new(token, holder_id, *span, *weight).expect("every row is a hold")
            });
        sink.accept_holds(&token_ids, holds);
        true
    }

    /// The ids of the tokens, each once, and of the holders; the other columns go to their buffers.
    fn read<'r>(&mut self, rows: &'r BatchRows) -> Option<(Vec<&'r str>, &'r StringViewArray)> {
        if !rows.has_closed_holds_only() {
            return None;
        }
        let holder_ids = filled(rows.holder_id.as_ref()?.views()?)?;
        self.read_spans(rows.start.as_ref()?, rows.end.as_ref()?, rows.len())?;
        if let Some(weights) = &rows.weight {
            weights.read_all(rows.len(), &mut self.weights)?;
        } else {
            self.weights.clear();
            self.weights.resize(rows.len(), Wad::ONE);
        }
        Some((self.tokens.read(rows.token_id.views()?)?, holder_ids))
    }

    fn read_spans(&mut self, start: &TimeColumn, end: &TimeColumn, rows: usize) -> Option<()> {
        self.spans.clear();
        self.spans.reserve(rows);
        for row in 0..rows {
            let (start, end) = (start.get(row).ok()??, end.get(row).ok()??);
            if start > end {
                return None;
            }
            self.spans.push((start, end));
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, Int64Array};

    use super::super::batch_rows::RowBuffers;
    use super::*;
    use crate::core::{Claim, Event, Fact};

    #[derive(Default, PartialEq, Debug)]
    struct Facts(Vec<(String, String, Fact)>);

    impl EventSink for Facts {
        fn accept(&mut self, event: &Event<'_>) {
            let Claim::Plain(fact) = event.claim else {
                panic!("no event here has a name");
            };
            self.0
                .push((event.token_id.into(), event.holder_id.into(), fact));
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
            facts.0[1].2,
            Fact::Closed {
                weight: Wad::ONE,
                ..
            }
        ));
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
            ("event_id", texts([None, None, None, None])),
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
