//! Batches of one kind that wait for the database go into one transaction: who comes before it begins joins it.
//!
//! A transaction costs much that does not grow with what it writes: a flush to the disk, and each page at the end of a
//! tree. So whoever waits, waits together.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use onescan_platforms::error::{PlatformError, Result};
use tokio::sync::oneshot;

/// The group that may still be joined, if there is one.
#[derive(Debug)]
pub(crate) struct Gathering<I, A>(Mutex<Option<Arc<Group<I, A>>>>);

impl<I, A> Default for Gathering<I, A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Batches that are decided as one.
#[derive(Debug)]
pub(crate) struct Group<I, A> {
    /// `None`: closed.
    waiting: Mutex<Option<Waiting<I, A>>>,
    closed: OnceLock<Closed<I, A>>,
}

#[derive(Debug)]
struct Waiting<I, A> {
    items: Vec<I>,
    parts: Vec<Part<A>>,
}

/// How many of the items, in order, are of whom.
#[derive(Debug)]
struct Part<A> {
    length: usize,
    caller: oneshot::Sender<Result<Vec<A>>>,
}

#[derive(Debug)]
struct Closed<I, A> {
    items: Vec<I>,
    parts: Mutex<Vec<Part<A>>>,
}

impl<I, A> Gathering<I, A> {
    /// Answers each of `batch`, in order. Joins the group that waits, or begins one and takes it to the database with `lead`,
    /// which gets every item once it asks for [`Group::items`]. An error of the group is everybody's error.
    pub(crate) async fn join<F>(&self, batch: Vec<I>, lead: impl FnOnce(Arc<Group<I, A>>) -> F) -> Result<Vec<A>>
    where
        F: Future<Output = Result<Vec<A>>>,
    {
        let (caller, answered) = oneshot::channel();
        if let Some(group) = self.enter(batch, caller) {
            let outcome = lead(Arc::clone(&group)).await;
            group.answer(outcome);
        }
        answered.await.unwrap_or(Err(PlatformError::UnknownOutcome))
    }

    /// The group, for whoever began it.
    fn enter(&self, items: Vec<I>, caller: oneshot::Sender<Result<Vec<A>>>) -> Option<Arc<Group<I, A>>> {
        let mut open = lock(&self.0);
        let part = Part {
            length: items.len(),
            caller,
        };
        if let Some(group) = &*open
            && let Some(waiting) = &mut *lock(&group.waiting)
        {
            waiting.items.extend(items);
            waiting.parts.push(part);
            return None;
        }
        let parts = vec![part];
        let group = Arc::new(Group {
            waiting: Mutex::new(Some(Waiting { items, parts })),
            closed: OnceLock::new(),
        });
        *open = Some(Arc::clone(&group));
        Some(group)
    }
}

impl<I, A> Group<I, A> {
    /// Closes the group. The same items however often a transaction is tried.
    pub(crate) fn items(&self) -> &[I] {
        &self.close().items
    }

    fn close(&self) -> &Closed<I, A> {
        self.closed.get_or_init(|| {
            let waiting = lock(&self.waiting).take();
            let Waiting { items, parts } = waiting.expect("closed once");
            Closed {
                items,
                parts: Mutex::new(parts),
            }
        })
    }

    fn answer(&self, outcome: Result<Vec<A>>) {
        let parts = std::mem::take(&mut *lock(&self.close().parts));
        match outcome {
            Ok(answers) => {
                assert_eq!(answers.len(), self.items().len(), "a group answers every item");
                let mut answers = answers.into_iter();
                for part in parts {
                    // A caller that went away needs no answer.
                    let _ = part.caller.send(Ok(answers.by_ref().take(part.length).collect()));
                }
            }
            Err(error) => parts
                .into_iter()
                .for_each(|part| drop(part.caller.send(Err(error.clone())))),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn who_comes_before_the_transaction_begins_is_in_it() {
        let (gathering, begin, transactions) = (Gathering::default(), Notify::new(), AtomicUsize::new(0));
        let join = |batch: Vec<u32>| {
            gathering.join(batch, async |group: Arc<Group<u32, u32>>| {
                begin.notified().await;
                transactions.fetch_add(1, Ordering::Relaxed);
                Ok(group.items().iter().map(|item| item * 2).collect())
            })
        };
        let (first, second, third, ()) = tokio::join!(join(vec![1, 2]), join(vec![3]), join(vec![]), async {
            begin.notify_one();
        });
        assert_eq!(
            (first.unwrap(), second.unwrap(), third.unwrap()),
            (vec![2, 4], vec![6], vec![])
        );
        begin.notify_one();
        assert_eq!(
            join(vec![4]).await.unwrap(),
            [8],
            "a group that has ended is not joined"
        );
        assert_eq!(transactions.into_inner(), 2);
    }

    #[tokio::test]
    async fn an_error_is_everybody_s_and_ends_with_its_group() {
        let gathering = Gathering::<(), ()>::default();
        let full = || {
            gathering.join(vec![()], async |_| {
                tokio::task::yield_now().await;
                Err(PlatformError::Busy)
            })
        };
        let (first, second) = tokio::join!(full(), full());
        assert!(matches!(
            (first, second),
            (Err(PlatformError::Busy), Err(PlatformError::Busy))
        ));
        let done = gathering.join(vec![()], async |group| Ok(group.items().to_vec())).await;
        assert_eq!(done.unwrap().len(), 1);
    }
}
