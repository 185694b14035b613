//! The queue under every order of its threads that a scheduler of our choice tries.
//!
//! The same file that the journal compiles, with locks that hand each step to the scheduler.

mod sync {
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
}

#[path = "../../src/journal/queue.rs"]
mod queue;

use queue::{Full, Load, Queue};
use shuttle::sync::Arc;
use shuttle::thread;

const ONE: Load = Load {
    bytes: 10,
    events: 1,
};
const MOST: Load = Load {
    bytes: 25,
    events: 8,
};

/// Senders that try again while it is full, a closer, and one who takes: everything that was taken
/// in comes out once, in each sender's order, within the bounds; and everyone ends.
fn scenario() {
    let queue = Arc::new(Queue::new(30));
    let senders: Vec<_> = (0..2)
        .map(|sender| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                let mut accepted = Vec::new();
                for number in 0..3 {
                    let mut item = (sender, number);
                    loop {
                        assert!(queue.bytes() <= 30);
                        match queue.push(ONE, item) {
                            Ok(()) => {
                                accepted.push(item);
                                break;
                            }
                            Err((Full::Bytes, back)) => {
                                item = back;
                                thread::yield_now();
                            }
                            Err((Full::Closed, _)) => return accepted,
                        }
                    }
                }
                accepted
            })
        })
        .collect();
    let closer = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || queue.close())
    };
    let mut taken = Vec::new();
    let mut group = Vec::new();
    while queue.take(MOST, &mut group) {
        assert!((1..=2).contains(&group.len()), "{group:?}");
        taken.append(&mut group);
    }
    closer.join().unwrap();
    let mut accepted: Vec<(usize, usize)> = Vec::new();
    for sender in senders {
        accepted.extend(sender.join().unwrap());
    }
    // What was accepted after the last look of the taker cannot be: the queue was closed by then.
    let mut sorted = taken.clone();
    sorted.sort_unstable();
    accepted.sort_unstable();
    assert_eq!(sorted, accepted);
    for sender in 0..2 {
        let own: Vec<_> = taken.iter().filter(|item| item.0 == sender).collect();
        assert!(own.is_sorted());
    }
}

#[test]
fn the_queue_loses_nothing_under_random_schedules() {
    shuttle::check_random(scenario, 5_000);
}

#[test]
fn the_queue_loses_nothing_under_adversarial_schedules() {
    shuttle::check_pct(scenario, 5_000, 3);
}
