//! Bytes that callers make the service hold, bounded for each connection and over all of them: of answers that they
//! have not taken yet, and of bodies and messages that are read whole.
//!
//! A question takes its share before it is computed, and the answer keeps it until its last byte is written to the
//! socket; a stream is not polled for more while there is no room. Small answers and acknowledgements are not counted:
//! each call has one of them at most. A body takes its share while it arrives, and is refused if there is no room: to
//! wait would be to hold what has arrived. Closes nothing; see `activity`.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::sync::Notify;

/// The name by which programs know that there is no room for a body, or a message.
pub(super) const BODIES_FULL: &str = "BODIES_FULL";

/// The bytes in use, and the tasks that wait for some of them.
pub(super) struct Account {
    used: AtomicUsize,
    bytes_max: usize,
    /// One task is woken for bytes that are given back, and the next one by it if there is still room: to wake all
    /// would take the longer, the more wait.
    room: Notify,
}

impl Account {
    pub(super) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            bytes_max,
            room: Notify::new(),
        })
    }

    fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    /// One answer is admitted whatever its size, or it never would be.
    fn try_take(&self, bytes: usize) -> bool {
        let taken = |used: usize| {
            let sum = used.saturating_add(bytes);
            (used == 0 || sum <= self.bytes_max).then_some(sum)
        };
        self.used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, taken)
            .is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
        self.room.notify_one();
    }

    /// Wakes the next one that waits, if there is room.
    fn pass_on(&self) {
        if self.used() < self.bytes_max {
            self.room.notify_one();
        }
    }
}

/// What one connection may have in flight, of what all may have together; an extension of every request.
#[derive(Clone)]
pub(super) struct AnswerBudget {
    connection: Arc<Account>,
    all: Arc<Account>,
}

/// The same of bodies that are read whole, and of large messages of gRPC.
#[derive(Clone)]
pub(super) struct BodyBudget(pub(super) AnswerBudget);

impl AnswerBudget {
    /// For one connection, which may have `bytes_max` of `all`.
    pub(super) fn new(bytes_max: usize, all: Arc<Account>) -> Self {
        Self {
            connection: Account::new(bytes_max),
            all,
        }
    }

    /// Waits until an answer of `bytes` bytes may be computed.
    pub(super) async fn take(&self, bytes: usize) -> InFlight {
        let taken = self.when(|| self.try_take(bytes)).await;
        InFlight {
            budget: self.clone(),
            bytes: AtomicUsize::new(taken),
        }
    }

    /// Bytes that one answer may take beside no other.
    pub(super) fn bytes_max(&self) -> usize {
        self.connection.bytes_max.min(self.all.bytes_max)
    }

    /// Waits until the next part of a stream may be computed. What was taken is never more than may be, so a stream does
    /// not wait for what it has taken itself.
    pub(super) async fn room(&self) {
        self.when(|| self.has_room()).await;
    }

    /// Counts what is there already.
    pub(super) fn count(&self, bytes: usize) -> InFlight {
        let in_flight = InFlight {
            budget: self.clone(),
            bytes: AtomicUsize::new(0),
        };
        in_flight.resize(bytes);
        in_flight
    }

    /// Whether the answers of all connections take more than half of what they may: others may soon have to wait.
    pub(super) fn is_scarce(&self) -> bool {
        self.all.used() > self.all.bytes_max / 2
    }

    /// Whether the connection has nothing in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.connection.used() == 0
    }

    /// Takes `bytes` of both accounts, or says which of them is full.
    fn try_take(&self, bytes: usize) -> Result<usize, &Account> {
        if !self.connection.try_take(bytes) {
            return Err(&self.connection);
        }
        if !self.all.try_take(bytes) {
            self.connection.give_back(bytes);
            return Err(&self.all);
        }
        Ok(bytes)
    }

    fn has_room(&self) -> Result<(), &Account> {
        let full = [&self.connection, &self.all];
        let full = full
            .into_iter()
            .find(|account| account.used() > account.bytes_max);
        full.map_or(Ok(()), |account| Err(&**account))
    }

    /// Waits until `attempt` succeeds, which says otherwise which account it has found full.
    async fn when<'a, T>(&'a self, attempt: impl Fn() -> Result<T, &'a Account>) -> T {
        let mut woken_by: Option<&Account> = None;
        loop {
            let full = match attempt() {
                Ok(done) => {
                    if let Some(account) = woken_by {
                        account.pass_on();
                    }
                    return done;
                }
                Err(full) => full,
            };
            if let Some(account) = woken_by.take_if(|account| !std::ptr::eq(*account, full)) {
                // The room there is for another one that waits.
                account.pass_on();
            }
            let mut room = pin!(full.room.notified());
            room.as_mut().enable();
            // Again: bytes may have been given back before it waited.
            if let Ok(done) = attempt() {
                return done;
            }
            room.await;
            woken_by = Some(full);
        }
    }
}

/// Waits for room before each part of a stream.
pub(super) struct PartBudget {
    budget: AnswerBudget,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl PartBudget {
    pub(super) fn new(budget: &AnswerBudget) -> Self {
        Self {
            budget: budget.clone(),
            waiting: None,
        }
    }

    /// Ready when the next part may be computed.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiting.is_none() && self.budget.has_room().is_ok() {
            return Poll::Ready(());
        }
        let budget = &self.budget;
        let waiting = self.waiting.get_or_insert_with(|| {
            let budget = budget.clone();
            Box::pin(async move { budget.room().await })
        });
        ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        Poll::Ready(())
    }

    /// Counts a part that is there.
    pub(super) fn count(&self, bytes: usize) -> InFlight {
        self.budget.count(bytes)
    }
}

/// Bytes of one answer; given back when it is dropped.
pub(super) struct InFlight {
    budget: AnswerBudget,
    bytes: AtomicUsize,
}

impl InFlight {
    /// Takes more of the bytes that are free; false if they are not.
    pub(super) fn grow(&self, bytes: usize) -> bool {
        let taken = self.budget.try_take(bytes).is_ok();
        if taken {
            self.bytes.fetch_add(bytes, Ordering::AcqRel);
        }
        taken
    }

    /// Corrects what was estimated. The new size is not waited for, so a few answers may exceed the maximum.
    pub(super) fn resize(&self, bytes: usize) {
        let before = self.bytes.swap(bytes, Ordering::AcqRel);
        for account in [&self.budget.connection, &self.budget.all] {
            match bytes.checked_sub(before) {
                Some(more) => {
                    account.used.fetch_add(more, Ordering::AcqRel);
                }
                None => account.give_back(before - bytes),
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.resize(0);
    }
}

/// How the bytes of a response are counted; an extension of it. Those of one without it are not.
#[derive(Clone)]
pub(super) enum Counted {
    /// They are counted already, all of them.
    Whole(Arc<InFlight>),
    /// It is a stream, whose parts are counted as they are sent.
    Parts,
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_connection_waits_for_itself_and_all_wait_for_each_other() {
        let all = Account::new(100);
        let [one, other] = [(), ()].map(|()| AnswerBudget::new(60, Arc::clone(&all)));
        let first = one.take(50).now_or_never().expect("nothing is in flight");
        assert!(one.take(20).now_or_never().is_none(), "beyond its own 60");
        let second = other.take(50).now_or_never().expect("below 100");
        assert!(
            one.take(1).now_or_never().is_none(),
            "beyond the 100 of all"
        );
        assert!(one.is_scarce());
        let mut waiting = pin!(one.take(40));
        assert!(waiting.as_mut().now_or_never().is_none());
        second.resize(10);
        assert!(waiting.as_mut().now_or_never().is_none());
        first.resize(20);
        assert!(waiting.now_or_never().is_some());
        drop((first, second));
        assert_eq!((all.used(), one.connection.used()), (0, 0));
    }

    #[test]
    fn an_answer_that_is_larger_than_the_bound_is_given_when_nothing_else_is_in_flight() {
        let all = Account::new(100);
        let budget = AnswerBudget::new(60, Arc::clone(&all));
        let large = budget.take(500).now_or_never().expect("alone");
        assert!(budget.room().now_or_never().is_none());
        drop(large);
        assert!(budget.room().now_or_never().is_some());
        let own = budget.take(60).now_or_never().expect("alone");
        assert!(
            budget.room().now_or_never().is_some(),
            "a stream that has taken it"
        );
        drop(own);
        let part = budget.count(70);
        assert!(budget.room().now_or_never().is_none());
        drop(part);
        assert_eq!(all.used(), 0);
    }

    /// Counts how often its task is woken.
    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Many that wait for `bytes` of an account each.
    fn waiting(budget: &AnswerBudget, bytes: usize) -> Vec<(Pin<Box<Taking<'_>>>, Arc<Wakes>)> {
        let mut all: Vec<_> = (0..50)
            .map(|_| {
                (
                    Box::pin(budget.take(bytes)) as Pin<Box<Taking<'_>>>,
                    Arc::default(),
                )
            })
            .collect();
        assert!(woken(&mut all, |_| true).is_empty());
        all
    }

    type Taking<'a> = dyn Future<Output = InFlight> + 'a;

    /// Polls those whose tasks were woken as often as `is_due` says; what they have taken.
    fn woken(
        all: &mut [(Pin<Box<Taking<'_>>>, Arc<Wakes>)],
        is_due: impl Fn(usize) -> bool,
    ) -> Vec<InFlight> {
        let mut taken = Vec::new();
        for (taking, wakes) in all {
            if is_due(wakes.0.swap(0, Ordering::SeqCst)) {
                let waker = Arc::clone(wakes).into();
                if let Poll::Ready(done) = taking.as_mut().poll(&mut Context::from_waker(&waker)) {
                    taken.push(done);
                }
            }
        }
        taken
    }

    fn wakes(all: &[(Pin<Box<Taking<'_>>>, Arc<Wakes>)]) -> usize {
        all.iter()
            .map(|(_, wakes)| wakes.0.load(Ordering::SeqCst))
            .sum()
    }

    /// Each release once woke all that waited, to let one of them in.
    #[test]
    fn bytes_that_are_given_back_wake_as_many_as_they_are_enough_for() {
        let budget = AnswerBudget::new(30, Account::new(100));
        let first = budget
            .take(30)
            .now_or_never()
            .expect("nothing is in flight");
        let mut all = waiting(&budget, 10);
        first.resize(20);
        assert_eq!(wakes(&all), 1);
        let mut taken = woken(&mut all, |wakes| wakes > 0);
        assert_eq!(
            (taken.len(), wakes(&all)),
            (1, 0),
            "there is no room for another one"
        );
        drop(first);
        // Each one wakes the next.
        while taken.len() < 3 {
            assert_eq!(wakes(&all), 1);
            taken.append(&mut woken(&mut all, |wakes| wakes > 0));
        }
        assert_eq!(budget.connection.used(), 30);
        // One that goes away before it takes the room leaves it to the next.
        drop(taken.pop());
        let woken_one = all
            .iter()
            .position(|(_, wakes)| wakes.0.load(Ordering::SeqCst) > 0);
        drop(all.remove(woken_one.expect("there is room for one")));
        assert_eq!((woken(&mut all, |wakes| wakes > 0).len()), 1);
    }

    #[test]
    fn what_one_connection_cannot_use_of_all_is_for_another_one() {
        let all = Account::new(20);
        let [one, other] = [(), ()].map(|()| AnswerBudget::new(10, Arc::clone(&all)));
        let elsewhere = AnswerBudget::new(20, Arc::clone(&all));
        let rest = elsewhere
            .take(20)
            .now_or_never()
            .expect("nothing is in flight");
        // Both of one connection wait for the others; then for its own.
        let mut of_one = waiting(&one, 10);
        let mut of_other = waiting(&other, 10);
        drop(rest);
        let mut taken = woken(&mut of_one, |wakes| wakes > 0);
        for _ in 0..60 {
            taken.append(&mut woken(&mut of_one, |wakes| wakes > 0));
            taken.append(&mut woken(&mut of_other, |wakes| wakes > 0));
        }
        assert_eq!((taken.len(), all.used()), (2, 20));
        assert_eq!((one.connection.used(), other.connection.used()), (10, 10));
    }
}
