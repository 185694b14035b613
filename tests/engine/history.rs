//! Many write and read at once, and every answer is the score of a set of events that holds all
//! that was acknowledged before the question and nothing that was not sent before the answer.
//!
//! Every event adds one microsecond to its holder, so held time counts events. Weights rise from
//! event to event, so the score tells whether an answer is of the first events of a writer, as it
//! must be, or of any others.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{all_time, batch, ephemeral, instant, open, options, question};
use poh_holdmetrics_rust::core::RankedHolder;
use poh_holdmetrics_rust::core::{Draft, Event, Wad};
use poh_holdmetrics_rust::engine::{Engine, Options};

const WRITERS: usize = 4;
const READERS: usize = 3;
const PENDING_MAX: usize = 8;

/// What one writer sends; each has a holder of its own.
#[derive(Clone, Copy)]
enum Habit {
    /// One stretch after the other, each one step heavier.
    Appends,
    /// One named fact, one microsecond longer with each revision.
    Corrects,
}

/// What is known of one writer from outside.
struct Writer {
    holder: String,
    habit: Habit,
    sent: AtomicU64,
    acknowledged: AtomicU64,
}

impl Writer {
    fn event(&self, number: u64) -> Event<'_> {
        let at = |micros: u64| instant(i64::try_from(micros).expect("small"));
        let draft = match self.habit {
            Habit::Appends => Draft {
                start: Some(at(number * 10)),
                end: Some(at(number * 10 + 1)),
                weight: Some(Wad::from_steps(number.into())),
                ..Draft::default()
            },
            Habit::Corrects => Draft {
                start: Some(at(0)),
                end: Some(at(number)),
                event_id: Some("fact"),
                revision: number,
                ..Draft::default()
            },
        };
        let token_id = if number.is_multiple_of(3) { "T" } else { "U" };
        let token_id = match self.habit {
            Habit::Appends => token_id,
            Habit::Corrects => "T",
        };
        Draft {
            token_id,
            holder_id: &self.holder,
            ..draft
        }
        .check()
        .expect("valid")
    }

    /// Sends batches of changing size, several on their way at once, until told to stop.
    async fn write(&self, engine: &Engine, stop: &AtomicBool) {
        let mut pendings = std::collections::VecDeque::new();
        let mut next = 1;
        while !stop.load(Ordering::SeqCst) {
            let count = next % 7 + 1;
            let events = batch((next..next + count).map(|number| self.event(number)));
            next += count;
            self.sent.store(next - 1, Ordering::SeqCst);
            pendings.push_back((next - 1, engine.submit(events).await.expect("room")));
            if pendings.len() == PENDING_MAX {
                self.receive(&mut pendings).await;
            }
        }
        while !pendings.is_empty() {
            self.receive(&mut pendings).await;
        }
    }

    async fn receive(
        &self,
        pendings: &mut std::collections::VecDeque<(u64, poh_holdmetrics_rust::engine::Pending)>,
    ) {
        let (last, pending) = pendings.pop_front().expect("one is there");
        pending.await.expect("acknowledged");
        self.acknowledged.store(last, Ordering::SeqCst);
    }

    /// Whether `row` is of the first `n` events for some `n` from `known_before` on.
    fn check(&self, row: Option<&RankedHolder>, known_before: u64) {
        let sent = u128::from(self.sent.load(Ordering::SeqCst));
        let (held, steps) = row.map_or((0, 0), |row| {
            let totals = &row.holder.totals;
            (totals.held_us, totals.score.steps().to::<u128>())
        });
        let holder = &self.holder;
        assert!(
            held >= known_before.into(),
            "{holder}: {held} of {known_before} acknowledged"
        );
        assert!(held <= sent, "{holder}: {held}, and {sent} were sent");
        let expected = match self.habit {
            Habit::Appends => held * (held + 1) / 2,
            Habit::Corrects => held * Wad::ONE.steps(),
        };
        assert_eq!(steps, expected, "{holder}: not its first {held} events");
    }
}

fn known_before(writers: &[Writer]) -> Vec<u64> {
    let acknowledged = |writer: &Writer| writer.acknowledged.load(Ordering::SeqCst);
    writers.iter().map(acknowledged).collect()
}

/// Asks for everything and for each writer's holder; returns how many answers were checked.
fn read(engine: &Engine, writers: &[Writer]) -> u64 {
    let before = known_before(writers);
    let page = engine.page(&question(all_time()), None, 100);
    let order = |rows: &[RankedHolder]| rows.is_sorted_by(|a, b| a.holder.order(&b.holder).is_lt());
    assert!(order(&page.holders), "leaderboard order");
    for (writer, before) in writers.iter().zip(&before) {
        let of = |row: &&RankedHolder| *row.holder.holder_id == *writer.holder;
        writer.check(page.holders.iter().find(of), *before);
    }
    let counted: u128 = page
        .holders
        .iter()
        .map(|row| row.holder.totals.held_us)
        .sum();
    assert!(
        counted >= page.sequence.into(),
        "{counted} counted, {} told",
        page.sequence
    );
    assert!(
        page.sequence >= before.iter().sum(),
        "what is acknowledged is in the sequence"
    );

    let before = known_before(writers);
    for (writer, before) in writers.iter().zip(&before) {
        let answer = engine.holder(&writer.holder, &question(all_time()), 0);
        if let Some(answer) = &answer {
            let spans = answer.keys.iter().flat_map(|key| &key.segments);
            let held: i64 = spans
                .map(|span| span.end.expect("all are closed").get() - span.start.get())
                .sum();
            let told = answer.holder.holder.totals.held_us;
            assert_eq!(
                u128::from(held.unsigned_abs()),
                told,
                "segments and sum are one cut"
            );
        }
        writer.check(answer.as_ref().map(|answer| &answer.holder), *before);
    }
    1 + writers.len() as u64
}

fn history(options: Options) {
    let engine = open(options).expect("an empty store");
    let writers: Vec<_> = (0..WRITERS)
        .map(|index| Writer {
            holder: format!("h{index}"),
            habit: if index == 0 {
                Habit::Corrects
            } else {
                Habit::Appends
            },
            sent: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
        })
        .collect();
    let stop = AtomicBool::new(false);
    let answers = AtomicU64::new(0);
    thread::scope(|scope| {
        for writer in &writers {
            scope.spawn(|| crate::support::wait(writer.write(&engine, &stop)));
        }
        for _ in 0..READERS {
            scope.spawn(|| {
                let end = Ending(&stop);
                while !stop.load(Ordering::SeqCst) {
                    answers.fetch_add(read(&engine, &writers), Ordering::SeqCst);
                }
                drop(end);
            });
        }
        let deadline = Instant::now() + Duration::from_secs(3);
        while Instant::now() < deadline && !stop.load(Ordering::SeqCst) {
            thread::park_timeout(Duration::from_millis(20));
        }
        stop.store(true, Ordering::SeqCst);
    });
    let before = known_before(&writers);
    let sent: u64 = writers
        .iter()
        .map(|writer| writer.sent.load(Ordering::SeqCst))
        .sum();
    assert_eq!(
        before.iter().sum::<u64>(),
        sent,
        "everything was acknowledged in the end"
    );
    assert_eq!(engine.sequence(), sent);
    read(&engine, &writers);
    let answers = answers.into_inner();
    assert!(
        sent > 1_000 && answers > 50,
        "{sent} events and {answers} answers prove little"
    );
}

/// Ends the others where one panics, so that the panic is told at once.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn every_answer_lies_between_acknowledged_and_sent_in_memory() {
    history(ephemeral());
}

#[test]
fn d1_every_answer_lies_between_acknowledged_and_sent_with_a_journal_and_a_busy_state() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = options(folder.path());
    options.store.state_lag_bytes_max = 32 << 10;
    history(options);
}
