//! Lists and trees of airdrops: any bytes are read or refused, and what is accepted comes back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poh_holdmetrics_rust::airdrop::{AddressKind, Document, List};

fuzz_target!(|bytes: &[u8]| {
    for kind in [AddressKind::Evm, AddressKind::Solana, AddressKind::Text] {
        if let Ok(list) = List::read(bytes, kind, 2) {
            let mut written = Vec::new();
            list.write(&mut written).expect("memory takes it");
            assert_eq!(List::read(&written, kind, 0).expect("it was written"), list);
        }
    }
    if let Ok(document) = Document::read(bytes) {
        let mut written = Vec::new();
        document.write(&mut written, &|_| ()).expect("memory takes it");
        let read = Document::read(&written).expect("it was written");
        assert_eq!(read.root(), document.root());
    }
});
