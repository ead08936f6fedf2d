//! A bounded queue whose worker takes what is waiting: the larger the load, the larger the batches. Nobody waits for a timer.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, mpsc, oneshot};

use crate::error::{PlatformError, Result};
use crate::trace;

/// Sizes of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Requests that may wait; one more is answered [`PlatformError::Busy`].
    pub waiting_max: usize,
    /// Requests taken at once.
    pub batch_max: usize,
    /// Batches under way at the same time.
    pub lanes: usize,
}

/// A request with the trace it belongs to and whoever waits for its answer.
type Waiting<Q, A> = ((Q, Option<String>), oneshot::Sender<Result<A>>);

/// Sends requests to the workers. A caller that goes away does not take its request back.
pub struct Queue<Q, A> {
    sender: mpsc::Sender<Waiting<Q, A>>,
    /// Requests that were not answered yet.
    open: Arc<AtomicUsize>,
}

/// Counts a request as open while its caller waits.
struct Open<'q>(&'q AtomicUsize);

impl<'q> Open<'q> {
    fn count(open: &'q AtomicUsize) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<Q, A> Clone for Queue<Q, A> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            open: self.open.clone(),
        }
    }
}

impl<Q, A> std::fmt::Debug for Queue<Q, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("free", &self.sender.capacity())
            .finish_non_exhaustive()
    }
}

impl<Q: Send + 'static, A: Send + 'static> Queue<Q, A> {
    /// Starts `limits.lanes` workers on the current runtime; they end when the last handle is dropped.
    ///
    /// `work` answers a batch with one result per request in order, or fails as a whole; then every caller gets the error.
    pub fn start<W, F>(limits: QueueLimits, work: W) -> Self
    where
        W: Fn(Vec<Q>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<A>>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(limits.waiting_max);
        let receiver = Arc::new(Mutex::new(receiver));
        let work = Arc::new(work);
        for _ in 0..limits.lanes {
            tokio::spawn(run_lane(receiver.clone(), work.clone(), limits.batch_max));
        }
        Self {
            sender,
            open: Arc::default(),
        }
    }

    /// Waits for the answer; `Busy` at once when the queue is full.
    pub async fn ask(&self, request: Q) -> Result<A> {
        let _open = Open::count(&self.open);
        let (answer, answered) = oneshot::channel();
        self.sender
            .try_send(((request, trace::parent()), answer))
            .map_err(|_| PlatformError::Busy)?;
        answered.await.unwrap_or(Err(PlatformError::UnknownOutcome))
    }

    /// Callers waiting for an answer now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Requests waiting now, for observation.
    pub fn depth(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }
}

async fn run_lane<Q, A, W, F>(receiver: Arc<Mutex<mpsc::Receiver<Waiting<Q, A>>>>, work: Arc<W>, batch_max: usize)
where
    W: Fn(Vec<Q>) -> F,
    F: Future<Output = Result<Vec<A>>>,
{
    loop {
        let mut batch = Vec::new();
        if receiver.lock().await.recv_many(&mut batch, batch_max).await == 0 {
            return;
        }
        let (requests, callers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        // A batch has one trace: that of the first request in it that has one.
        let (requests, mut traces): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        let first = traces.iter_mut().find_map(Option::take);
        match trace::within(first, work(requests)).await {
            Ok(answers) => {
                assert_eq!(answers.len(), callers.len(), "a batch answers every request");
                // A caller that hung up is no reason to stop.
                callers
                    .into_iter()
                    .zip(answers)
                    .for_each(|(caller, answer)| drop(caller.send(Ok(answer))));
            }
            Err(error) => callers
                .into_iter()
                .for_each(|caller| drop(caller.send(Err(error.clone())))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_gets_the_answer_to_their_own_question() {
        let limits = QueueLimits {
            waiting_max: 100,
            batch_max: 8,
            lanes: 2,
        };
        let queue = Queue::start(limits, |batch: Vec<u32>| async move {
            Ok(batch.into_iter().map(|n| n * 2).collect())
        });
        let asked = (0..50).map(|number| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.ask(number).await.unwrap() })
        });
        for (number, answer) in asked.collect::<Vec<_>>().into_iter().enumerate() {
            assert_eq!(answer.await.unwrap(), number as u32 * 2);
        }
    }

    #[tokio::test]
    async fn a_full_queue_says_so_and_a_failed_batch_answers_all() {
        let limits = QueueLimits {
            waiting_max: 1,
            batch_max: 1,
            lanes: 1,
        };
        let queue = Queue::start(limits, |_: Vec<()>| async {
            std::future::pending::<Result<Vec<()>>>().await
        });
        let first = tokio::spawn({
            let queue = queue.clone();
            async move { queue.ask(()).await }
        });
        tokio::task::yield_now().await;
        let second = tokio::spawn({
            let queue = queue.clone();
            async move { queue.ask(()).await }
        });
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        assert!(matches!(queue.ask(()).await, Err(PlatformError::Busy)));
        first.abort();
        second.abort();

        let failing = Queue::start(limits, |_: Vec<()>| async {
            Err::<Vec<()>, _>(PlatformError::Unavailable { what: "disk" })
        });
        assert!(matches!(
            failing.ask(()).await,
            Err(PlatformError::Unavailable { what: "disk" })
        ));
    }
}
