//! SQLite's one writing thread: it takes all waiting work into one transaction, commits once, then
//! answers.
//!
//! Each work has a savepoint, so its refusal costs the others nothing. When the batch itself fails
//! (disk full, failed I/O), nothing of it is kept and every work of it is answered "not done"; the
//! thread goes on with the next batch. Work goes on although its caller went away.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::config::SqliteConfig;
use crate::error::DbError;
use crate::recall;
use crate::sqlite::{COMMIT, SqliteAccess, SqliteConnection};
use crate::stats::{Counters, Stopwatch};
use crate::tx::{BoxFuture, Tx};

/// How a work ended, before its batch is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Keep,
    RollBack,
}

trait Job: Send {
    fn run(&mut self, tx: &mut Tx) -> Ended;
    /// `batch`: whether the batch is durable now. If not, no refusal stands either, because it may rest
    /// on what another work of the batch had written.
    fn answer(self: Box<Self>, batch: Result<(), DbError>);
}

struct TypedJob<T, E, F> {
    work: F,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for TypedJob<T, E, F>
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
    T: Send,
    E: From<DbError> + Send,
{
    fn run(&mut self, tx: &mut Tx) -> Ended {
        let work = &self.work;
        let outcome = catch_unwind(AssertUnwindSafe(|| poll_once(work(&mut *tx))))
            .unwrap_or(None)
            .unwrap_or_else(|| Err(E::from(DbError::Broken)));
        let outcome = match tx.take_failure() {
            Some(_) if outcome.is_ok() => Err(E::from(DbError::Aborted)),
            _ => outcome,
        };
        let ended = if outcome.is_ok() { Ended::Keep } else { Ended::RollBack };
        self.outcome = Some(outcome);
        ended
    }

    fn answer(self: Box<Self>, batch: Result<(), DbError>) {
        let outcome = match batch {
            Ok(()) => self.outcome.unwrap_or(Err(E::from(DbError::Broken))),
            Err(error) => Err(E::from(error)),
        };
        // A caller that went away needs no answer.
        let _ = self.reply.send(outcome);
    }
}

/// Polls a future that only ever waits for SQLite, which never makes it wait; None if it did wait.
pub(crate) fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

enum Message {
    Work(Box<dyn Job>),
    Stop,
}

#[derive(Debug)]
pub(crate) struct Writer {
    messages: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
    counters: Arc<Counters>,
}

impl Writer {
    pub(crate) fn start(config: &SqliteConfig, counters: Arc<Counters>) -> Result<Self, DbError> {
        let connection = SqliteConnection::open(config, SqliteAccess::ReadWrite)?;
        let (messages, waiting) = sync_channel(config.queue_length);
        let worker = Worker {
            tx: Tx::sqlite(connection),
            batch_max: config.batch_max.max(1),
            checkpoint_pages: config.checkpoint_pages,
            checkpointed_pages: 0,
            counters: Arc::clone(&counters),
        };
        let thread = std::thread::Builder::new()
            .name("onescan-writer".to_owned())
            .spawn(move || worker.run(&waiting))
            .map_err(DbError::unavailable)?;
        Ok(Self {
            messages,
            thread: Mutex::new(Some(thread)),
            counters,
        })
    }

    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(TypedJob {
            work,
            outcome: None,
            reply,
        });
        self.counters.enqueued();
        if let Err(refused) = self.messages.try_send(Message::Work(job)) {
            self.counters.answered(1);
            return Err(E::from(match refused {
                TrySendError::Full(_) => DbError::Busy,
                TrySendError::Disconnected(_) => stopped(),
            }));
        }
        answer.await.unwrap_or_else(|_| Err(E::from(stopped())))
    }

    /// Blocks until all work accepted so far is done and the connection is closed.
    pub(crate) fn stop(&self) {
        // Fails when the thread has stopped already.
        let _ = self.messages.send(Message::Stop);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer panicked");
        }
    }
}

fn stopped() -> DbError {
    DbError::unavailable("the writer has stopped")
}

struct Worker {
    tx: Tx,
    batch_max: usize,
    checkpoint_pages: u64,
    checkpointed_pages: u64,
    counters: Arc<Counters>,
}

impl Worker {
    fn run(mut self, waiting: &Receiver<Message>) {
        let mut stop = false;
        while !stop && let Ok(Message::Work(first)) = waiting.recv() {
            let mut batch = vec![first];
            while batch.len() < self.batch_max
                && let Ok(message) = waiting.try_recv()
            {
                match message {
                    Message::Work(job) => batch.push(job),
                    Message::Stop => {
                        stop = true;
                        break;
                    }
                }
            }
            let works = batch.len();
            let result = self.run_batch(&mut batch);
            if let Err(error) = &result {
                self.counters.commit_failed();
                tracing::error!(error = %error, db.works = works, "a batch was not committed");
            }
            self.counters.answered(works);
            for job in batch {
                job.answer(result.clone());
            }
            self.checkpoint_if_grown();
        }
    }

    fn run_batch(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), DbError> {
        let result = self.try_batch(batch);
        self.connection().clear();
        result
    }

    fn try_batch(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), DbError> {
        self.connection().control("begin immediate")?;
        let kept = if let [job] = batch {
            let ended = job.run(&mut self.tx);
            self.still_open()?;
            usize::from(ended == Ended::Keep)
        } else {
            self.run_with_savepoints(batch)?
        };
        if kept == 0 {
            return self.connection().control("rollback");
        }
        if self.tx.take_changed_kept() {
            poll_once(recall::raise(&mut self.tx)).unwrap_or(Err(DbError::Broken))?;
        }
        let started = Stopwatch::start();
        self.connection().control(COMMIT).map_err(not_committed)?;
        self.counters.committed(kept, started.elapsed_us());
        Ok(())
    }

    fn run_with_savepoints(&mut self, batch: &mut [Box<dyn Job>]) -> Result<usize, DbError> {
        let mut kept = 0;
        for job in batch {
            self.connection().control("savepoint work")?;
            let ended = job.run(&mut self.tx);
            self.still_open()?;
            match ended {
                Ended::Keep => kept += 1,
                Ended::RollBack => self.connection().control("rollback to work")?,
            }
            self.connection().control("release work")?;
        }
        Ok(kept)
    }

    fn still_open(&mut self) -> Result<(), DbError> {
        if self.connection().lost_transaction() {
            return Err(DbError::unavailable("the disk is full or failed"));
        }
        Ok(())
    }

    /// Runs after the answers, so that nobody waits for it but the next batch.
    fn checkpoint_if_grown(&mut self) {
        if let Err(error) = self.try_checkpoint() {
            tracing::warn!(error = %error, "checkpoint failed");
            self.connection().clear();
        }
    }

    fn try_checkpoint(&mut self) -> Result<(), DbError> {
        let mut pages = self.connection().wal_pages()?;
        if pages < self.checkpointed_pages {
            // The log was begun anew.
            self.checkpointed_pages = 0;
        }
        if pages - self.checkpointed_pages >= self.checkpoint_pages {
            pages = self.connection().checkpoint()?;
            self.checkpointed_pages = pages;
            self.counters.checkpointed();
        }
        self.counters.wal_pages(pages);
        Ok(())
    }

    fn connection(&mut self) -> &mut SqliteConnection {
        self.tx.sqlite_mut()
    }
}

/// Constraints that are checked at commit would fail all works of a batch; our schema has none.
fn not_committed(error: DbError) -> DbError {
    match error {
        DbError::UnknownOutcome(_) => error,
        _ => DbError::Unavailable(error.to_string()),
    }
}
