//! Lists, trees and bundles of airdrops: any bytes are read or refused, and what is accepted comes back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poh_holdmetrics_rust::airdrop::{
    AddressKind, Bundle, Conditions, Curve, Document, List, Terms, parse_units, restate,
};
use poh_holdmetrics_rust::core::{Micros, Window};

fuzz_target!(|bytes: &[u8]| {
    for kind in [AddressKind::Evm, AddressKind::Solana, AddressKind::Text] {
        if let Ok(list) = List::read(bytes, kind, 2) {
            let mut written = Vec::new();
            list.write(&mut written).expect("memory takes it");
            assert_eq!(List::read(&written, kind, 0).expect("it was written"), list);
            let restated = restate(&list, &list, kind).expect("it was checked");
            assert_eq!(restated.difference().to_string(), "0");
        }
    }
    if let Ok(document) = Document::read(bytes) {
        let mut written = Vec::new();
        document.write(&mut written, &|_| ()).expect("memory takes it");
        let read = Document::read(&written).expect("it was written");
        assert_eq!(read.root(), document.root());
    }
    if let Ok(bundle) = Bundle::<()>::parse(bytes)
        && bundle.check(bytes, &conditions()).is_ok()
    {
        let text = bundle.text();
        let read = Bundle::<()>::parse(text.as_bytes()).expect("it was written");
        read.check(text.as_bytes(), &conditions()).expect("it was right");
    }
});

/// Those of the seed `bundle`.
fn conditions() -> Conditions<'static> {
    let units = |text| parse_units(text, 0).expect("a number");
    Conditions {
        window: Window {
            from: None,
            as_of: Micros::new(100_000_000).expect("a time"),
            closed_only: false,
        },
        terms: Terms {
            pool: units("100"),
            curve: Curve::Linear,
            cap: None,
            minimum: units("0"),
        },
        rule: None,
    }
}
