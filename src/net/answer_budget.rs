//! Bytes that callers make the service hold, bounded for each connection and over all of them: of answers that they
//! have not taken yet, and of bodies and messages that are read whole.
//!
//! A question takes its share before it is computed, and the answer keeps it until its last byte is written to the
//! socket. Those that wait are served in the order in which they came: a small answer that fits does not take the room
//! of a large one that waits. A stream is not polled for more while more is in use than may be. Small answers and
//! acknowledgements are not counted: each call has one of them at most. A body takes its share while it arrives, and is
//! refused if there is no room: to wait would be to hold what has arrived. So it may overtake those that wait, within a
//! bound. Closes nothing; see `activity`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use super::byte_account::{Account, Share};

/// The name by which programs know that there is no room for a body, or a message.
pub(super) const BODIES_FULL: &str = "BODIES_FULL";

/// Whether an answer of so many bytes, as estimated, costs less to write than to hand to another thread or to pack.
pub(super) const fn is_small(bytes: usize) -> bool {
    bytes <= 32 << 10
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

    /// Waits until an answer of `bytes` bytes may be computed: for its connection first, so that one with many questions
    /// does not fill the line of all.
    pub(super) async fn take(&self, bytes: usize) -> InFlight {
        let connection = self.connection.take(bytes).await;
        InFlight::new(connection, self.all.take(bytes).await)
    }

    /// Bytes that one answer may take beside no other.
    pub(super) fn bytes_max(&self) -> usize {
        self.connection.bytes_max.min(self.all.bytes_max)
    }

    /// Waits until the next part of a stream may be computed, or an answer that has its share. What was taken is never more
    /// than may be, so a stream does not wait for what it has taken itself, nor behind one that waits for that.
    pub(super) async fn room(&self) {
        while let Some(exceeded) = self.exceeded() {
            exceeded.settle().await;
        }
    }

    /// Counts what is there already.
    pub(super) fn count(&self, bytes: usize) -> InFlight {
        let [connection, all] = [&self.connection, &self.all].map(|account| account.share(0));
        let in_flight = InFlight::new(connection, all);
        in_flight.resize(bytes);
        in_flight
    }

    /// Whether the answers of all connections take more than half of what they may: others may soon have to wait.
    pub(super) fn is_scarce(&self) -> bool {
        self.all.used() > self.all.bytes_max / 2
    }

    /// Whether the connection has nothing in flight; it may have something that waits.
    pub(super) fn is_idle(&self) -> bool {
        self.connection.in_hand.load(Ordering::Acquire) == 0
    }

    /// Whether more is in use than may be: the next answer waits in [`Self::room`].
    pub(super) fn is_exceeded(&self) -> bool {
        self.exceeded().is_some()
    }

    /// The account of which more is in use than may be.
    fn exceeded(&self) -> Option<&Account> {
        let accounts = [&*self.connection, &*self.all];
        accounts.into_iter().find(|account| account.is_exceeded())
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
        if self.waiting.is_none() && !self.budget.is_exceeded() {
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
    connection: Share,
    all: Share,
}

impl InFlight {
    fn new(connection: Share, all: Share) -> Self {
        connection.account.in_hand.fetch_add(1, Ordering::AcqRel);
        Self { connection, all }
    }

    /// What it takes, or is estimated to take.
    pub(super) fn bytes(&self) -> usize {
        self.connection.bytes()
    }

    /// Takes more of the bytes that are free; false if they are not.
    pub(super) fn grow(&self, bytes: usize) -> bool {
        if !self.connection.grow(bytes) {
            return false;
        }
        let has_grown = self.all.grow(bytes);
        if !has_grown {
            self.connection.shrink(bytes);
        }
        has_grown
    }

    /// Corrects what was estimated. The new size is not waited for, so a few answers may exceed the maximum.
    pub(super) fn resize(&self, bytes: usize) {
        self.connection.resize(bytes);
        self.all.resize(bytes);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.connection
            .account
            .in_hand
            .fetch_sub(1, Ordering::AcqRel);
    }
}

/// How the bytes of a response are counted; an extension of it. Those of one without it are not.
#[derive(Clone)]
pub(super) enum Counted {
    /// They are counted already, all of them.
    Whole(Arc<InFlight>),
    /// It is a stream, whose parts are counted as they are sent; what it holds beside them is counted already.
    Parts(Option<Arc<InFlight>>),
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
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
        assert_eq!(wakes(&all), 2);
        taken.append(&mut woken(&mut all, |wakes| wakes > 0));
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
    /// A small answer that came later once took the room of a large one, so that a large one got none while small ones
    /// were asked for.
    #[test]
    fn those_that_wait_are_served_in_the_order_in_which_they_came() {
        let all = Account::new(100);
        let [first, second, third] = [(); 3].map(|()| AnswerBudget::new(100, Arc::clone(&all)));
        let asked = first.take(60).now_or_never().expect("nothing is in flight");
        let mut large = pin!(second.take(80));
        assert!(large.as_mut().now_or_never().is_none());
        let mut small = pin!(third.take(30));
        assert!(
            small.as_mut().now_or_never().is_none(),
            "behind the large one"
        );
        drop(asked);
        assert!(small.as_mut().now_or_never().is_none(), "not before it");
        drop(large.now_or_never().expect("it came first"));
        drop(small.now_or_never().expect("it is its turn"));
        assert_eq!(all.used(), 0);
    }

    #[test]
    fn one_that_goes_away_or_does_not_run_holds_up_no_other() {
        let all = Account::new(100);
        let [first, second, third] = [(); 3].map(|()| AnswerBudget::new(100, Arc::clone(&all)));
        let asked = first.take(60).now_or_never().expect("nothing is in flight");
        let mut large = Box::pin(second.take(80));
        assert!(large.as_mut().now_or_never().is_none());
        let mut small = pin!(third.take(30));
        assert!(small.as_mut().now_or_never().is_none());
        drop(large);
        let small = small.now_or_never().expect("nobody is before it");
        // Served, and not polled.
        let mut large = Box::pin(second.take(70));
        let mut last = pin!(third.take(30));
        assert!(large.as_mut().now_or_never().is_none());
        assert!(last.as_mut().now_or_never().is_none());
        drop((asked, small));
        let last = last.now_or_never().expect("there is room for both");
        assert_eq!(all.used(), 100);
        drop((large, last));
        assert_eq!((all.used(), second.is_idle()), (0, true));
    }

    /// A body cannot wait; those that wait must not starve for that.
    #[test]
    fn bodies_overtake_what_waits_by_as_much_as_there_is() {
        let all = Account::new(100);
        let [body, other] = [(); 2].map(|()| AnswerBudget::new(100, Arc::clone(&all)));
        let first = body.count(50);
        let mut waiting = pin!(other.take(60));
        assert!(waiting.as_mut().now_or_never().is_none());
        for _ in 0..2 {
            let next = body.count(0);
            assert!(next.grow(50));
            assert!(!next.grow(1), "there is no more");
        }
        assert!(!first.grow(1), "100 bytes have passed the one that waits");
        assert_eq!(
            body.connection.used(),
            50,
            "what one account refuses, both do"
        );
        drop(first);
        let served = waiting.now_or_never().expect("it is its turn");
        assert!(body.count(0).grow(40));
        drop(served);
        assert_eq!((all.used(), body.connection.used()), (0, 0));
    }
}
