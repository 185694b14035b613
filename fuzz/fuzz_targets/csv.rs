//! CSV: any bytes are read or refused, and what is accepted comes back.
#![no_main]

use holdmetrics_fuzz::{assert_comes_back, events_of};
use libfuzzer_sys::fuzz_target;
use poh_holdmetrics_rust::input::InputFormat;

fuzz_target!(|bytes: &[u8]| {
    if let Some(events) = events_of(bytes, InputFormat::Csv) {
        assert_comes_back(&events);
    }
});
