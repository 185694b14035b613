//! Windows for property tests.

use poh_holdmetrics_rust::core::Window;
use proptest::prelude::*;

use crate::naive::micros;

/// Windows that cut, hold all, or are empty.
pub(crate) fn windows() -> impl Strategy<Value = Window> {
    (
        proptest::option::of(-20_i64..40),
        -20_i64..34,
        any::<bool>(),
    )
        .prop_map(|(from, as_of, closed_only)| Window {
            from: from.map(micros),
            as_of: micros(as_of),
            closed_only,
        })
}
