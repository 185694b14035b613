//! What the fuzz targets share: files of events read the way `score` reads them.

use std::cell::RefCell;
use std::io::{Seek, SeekFrom, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;

use poh_holdmetrics_rust::core::{Event, EventBatch, EventSink, encoding};
use poh_holdmetrics_rust::input::{InputFormat, InputOptions, OnError, Progress, ReadOptions, Source, read};
use poh_holdmetrics_rust::output::write_event;
use tempfile::NamedTempFile;

#[derive(Default)]
struct Collected(EventBatch);

impl EventSink for Collected {
    fn accept(&mut self, event: &Event<'_>) {
        self.0.push(event);
    }
}

/// The events of a file with these bytes; `None` if it cannot be read to its end.
#[must_use]
pub fn events_of(bytes: &[u8], format: InputFormat) -> Option<EventBatch> {
    thread_local! {
        static FILE: RefCell<NamedTempFile> =
            RefCell::new(NamedTempFile::new().expect("a temporary file"));
    }
    FILE.with_borrow_mut(|file| {
        file.as_file().set_len(0).expect("it can be cut");
        file.seek(SeekFrom::Start(0)).expect("it has a beginning");
        file.write_all(bytes).expect("it can be written");
        let sources = [Source::Path(file.path().to_owned())];
        let options = ReadOptions {
            input: Arc::new(InputOptions {
                format,
                ..InputOptions::default()
            }),
            on_error: OnError::Skip,
            threads: NonZeroUsize::MIN,
            progress: Arc::new(Progress::default()),
        };
        let outcome = read(&sources, &options, Collected::default).ok()?;
        let [sink] = <[Collected; 1]>::try_from(outcome.sinks).ok()?;
        let accepted = outcome.report.accepted;
        // A transfer is one line and up to two events.
        assert!((accepted..=2 * accepted).contains(&u64::from(sink.0.count())));
        assert_eq!(
            outcome.report.read,
            accepted + outcome.report.refused.len() as u64
        );
        Some(sink.0)
    })
}

/// Whatever was accepted can be written, and is the same event when it is read again.
///
/// # Panics
/// Where it is not.
pub fn assert_comes_back(events: &EventBatch) {
    let mut lines = Vec::new();
    for event in encoding::events(events.bytes()) {
        let event = event.expect("what was pushed can be read");
        write_event(&event, &mut lines).expect("memory takes it");
    }
    let again = events_of(&lines, InputFormat::Jsonl).expect("our own lines can be read");
    assert!(
        again.bytes() == events.bytes(),
        "{}",
        String::from_utf8_lossy(&lines)
    );
}
