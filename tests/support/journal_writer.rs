//! Batches of events, and a writer of a journal that tells how each submission ended.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use poh_holdmetrics_rust::core::{Draft, EventBatch, Micros};
use poh_holdmetrics_rust::journal::{
    CommitHandler, CommittedFrame, JournalOptions, OpenedJournal, Submission, WriteError, Writer,
};

/// Small segments, made when they are needed, so that a run makes the same calls every time.
pub(crate) fn options() -> JournalOptions {
    JournalOptions {
        segment_bytes: 8 * 512,
        preallocates: false,
        retry_after: Duration::ZERO,
        ..JournalOptions::default()
    }
}

/// A batch of events that are like no others, and `padding` bytes longer than they need be.
pub(crate) fn batch(number: u64, count: u64, padding: usize) -> EventBatch {
    let mut batch = EventBatch::default();
    for event in 0..count {
        let holder_id = format!("{number}/{event}/{}", "x".repeat(padding));
        let draft = Draft {
            token_id: "T",
            holder_id: &holder_id,
            start: Some(Micros::new(0).expect("an instant")),
            ..Draft::default()
        };
        batch.push(&draft.check().expect("a valid event"));
    }
    batch
}

/// What a sink was told of one submission.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// With the number of the first event.
    Committed(u64),
    Refused(WriteError),
}

/// Tells a channel of each submission's end.
pub(crate) struct Teller(Sender<(u64, Outcome)>);

impl CommitHandler<u64> for Teller {
    fn committed(&mut self, frame: CommittedFrame<u64>) {
        let mut first = frame.first;
        for Submission { batch, tag } in frame.submissions {
            // A test that has seen enough may be gone.
            let _ = self.0.send((tag, Outcome::Committed(first)));
            first += u64::from(batch.count());
        }
    }

    fn failed(&mut self, submissions: Vec<Submission<u64>>, reason: &WriteError) {
        for submission in submissions {
            let _ = self
                .0
                .send((submission.tag, Outcome::Refused(reason.clone())));
        }
    }
}

/// A writer over what was opened, and the ends of what is submitted to it.
pub(crate) fn writer(opened: OpenedJournal) -> (Writer<u64>, Receiver<(u64, Outcome)>) {
    let (sender, receiver) = channel();
    let writer = Writer::start(opened.appender, Teller(sender)).expect("a thread");
    (writer, receiver)
}

/// Submits one batch and waits for its end.
pub(crate) fn submit(
    writer: &Writer<u64>,
    outcomes: &Receiver<(u64, Outcome)>,
    tag: u64,
    batch: EventBatch,
) -> Result<u64, WriteError> {
    writer.submit(batch, tag).map_err(|(reason, _)| reason)?;
    let (told, outcome) = outcomes
        .recv_timeout(Duration::from_secs(30))
        .expect("every submission ends");
    assert_eq!(told, tag);
    match outcome {
        Outcome::Committed(first) => Ok(first),
        Outcome::Refused(reason) => Err(reason),
    }
}
