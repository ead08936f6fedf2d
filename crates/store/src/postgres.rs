//! PostgreSQL: a pool of sessions, transactions that are tried again as a whole, errors in the seam's
//! words.
//!
//! READ COMMITTED everywhere; conditional updates, unique constraints and row locks decide. An error
//! during commit that leaves its outcome open is `UnknownOutcome`, never a failure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::stream::TryStreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::types::BorrowToSql;
use tokio_postgres::{Client, NoTls};

use crate::config::PostgresConfig;
use crate::error::DbError;
use crate::postgres_error::{Failure, classify};
use crate::postgres_value::{Array, arrays, read_row};
use crate::recall;
use crate::render::{SetForm, SetRows};
use crate::sql::{Row, Value};
use crate::statement::Statement;
use crate::stats::{Counters, Stopwatch};
use crate::tx::{BoxFuture, Call, Tx};

const OLDEST_VERSION: i64 = 150_000;
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(4);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostgresAccess {
    ReadOnly,
    ReadWrite,
}

/// Sessions of one kind. A session that failed or was left in the middle is closed, not kept.
#[derive(Debug)]
pub(crate) struct PostgresPool {
    connect: tokio_postgres::Config,
    settings: String,
    idle: Arc<Mutex<Vec<Connected>>>,
    access: PostgresAccess,
    free: Arc<Semaphore>,
    /// Calls that wait for a session.
    admitted: Semaphore,
    checkout_timeout: Duration,
}

impl PostgresPool {
    pub(crate) fn new(config: &PostgresConfig, access: PostgresAccess) -> Result<Self, DbError> {
        let mut connect: tokio_postgres::Config = config
            .url
            .parse()
            .map_err(|error| DbError::unavailable(format!("the database address: {error}")))?;
        if connect.get_connect_timeout().is_none() {
            connect.connect_timeout(config.connect_timeout);
        }
        if connect.get_tcp_user_timeout().is_none() {
            connect.tcp_user_timeout(config.statement_timeout * 2);
        }
        let connections = match access {
            PostgresAccess::ReadOnly => config.read_connections,
            PostgresAccess::ReadWrite => {
                if connect.get_hosts().len() > 1 {
                    connect.target_session_attrs(TargetSessionAttrs::ReadWrite);
                }
                config.write_connections
            }
        };
        Ok(Self {
            connect,
            settings: settings(config, access),
            idle: Arc::default(),
            access,
            free: Arc::new(Semaphore::new(connections.max(1))),
            admitted: Semaphore::new(config.queue_length.max(1)),
            checkout_timeout: config.checkout_timeout,
        })
    }

    /// Waits for a free session at most `checkout_timeout`; more than `queue_length` calls are refused
    /// at once.
    pub(crate) async fn session(&self) -> Result<PostgresSession, DbError> {
        let _admitted = self.admitted.try_acquire().map_err(|_| DbError::Busy)?;
        let free = Arc::clone(&self.free).acquire_owned();
        let permit = tokio::time::timeout(self.checkout_timeout, free)
            .await
            .map_err(|_| DbError::Busy)?
            .map_err(DbError::unavailable)?;
        let connected = match self.take_idle() {
            Some(connected) => connected,
            None => self.connect().await?,
        };
        Ok(PostgresSession {
            connected: Some(connected),
            state: State::Clean,
            begin: Cow::Borrowed("begin"),
            failure: None,
            access: self.access,
            idle: Arc::clone(&self.idle),
            _permit: permit,
        })
    }

    fn take_idle(&self) -> Option<Connected> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connected) = idle.pop() {
            if !connected.client.is_closed() {
                return Some(connected);
            }
        }
        None
    }

    async fn connect(&self) -> Result<Connected, DbError> {
        let (client, connection) = self.connect.connect(NoTls).await.map_err(DbError::unavailable)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = %error, "a database connection ended");
            }
        });
        client
            .batch_execute(&self.settings)
            .await
            .map_err(DbError::unavailable)?;
        Ok(Connected {
            client,
            prepared: HashMap::new(),
        })
    }
}

/// A plan made while the tables are young is kept for the session's life, and would read whole tables when they have
/// grown. Every statement here but those of long reads looks rows up by key. A plan against the settings costs so much on
/// paper that it would be compiled first, for seconds.
const KEYED_PLANS: &str =
    "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off";

/// What long reads begin with, since they may read much: the planner's own choice.
pub(crate) const FREE_PLANS: &str =
    "set local enable_seqscan = on; set local enable_hashjoin = on; set local enable_mergejoin = on";

fn settings(config: &PostgresConfig, access: PostgresAccess) -> String {
    let read_only = match access {
        PostgresAccess::ReadOnly => "on",
        PostgresAccess::ReadWrite => "off",
    };
    format!(
        "set statement_timeout = {}; set lock_timeout = {}; \
         set idle_in_transaction_session_timeout = {}; set default_transaction_read_only = {read_only}; \
         set default_transaction_isolation = 'read committed'; {KEYED_PLANS}",
        config.statement_timeout.as_millis(),
        config.lock_timeout.as_millis(),
        config.idle_in_transaction_timeout.as_millis(),
    )
}

#[derive(Debug)]
struct Connected {
    client: Client,
    /// By the statement's address and form.
    prepared: HashMap<(usize, Form), tokio_postgres::Statement>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    Single,
    Set,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No transaction; fit to be kept.
    Clean,
    /// The transaction is opened together with its first statement.
    ToBegin,
    Open,
    /// A call is under way; a session dropped now is closed.
    Busy,
}

/// A session taken from the pool; goes back when it is dropped clean.
#[derive(Debug)]
pub(crate) struct PostgresSession {
    connected: Option<Connected>,
    state: State,
    begin: Cow<'static, str>,
    failure: Option<Failure>,
    access: PostgresAccess,
    idle: Arc<Mutex<Vec<Connected>>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for PostgresSession {
    fn drop(&mut self) {
        let fit = self.state == State::Clean;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if self.failure == Some(Failure::Broken) {
            // The others were most likely opened to the same server.
            idle.clear();
        } else if let Some(connected) = self.connected.take().filter(|_| fit) {
            idle.push(connected);
        }
    }
}

impl PostgresSession {
    pub(crate) async fn query(
        &mut self,
        statement: &'static Statement,
        parameters: &[Value],
    ) -> Result<Vec<Row>, DbError> {
        let prepared = self.prepare(statement, Form::Single).await?;
        self.run(statement.name(), async |client| {
            rows(client, &prepared, parameters.iter()).await
        })
        .await
        .and_then(|rows| rows.iter().map(read_row).collect())
    }

    pub(crate) async fn execute(
        &mut self,
        statement: &'static Statement,
        parameters: &[Value],
    ) -> Result<u64, DbError> {
        let prepared = self.prepare(statement, Form::Single).await?;
        self.run(statement.name(), async |client| {
            client.execute_raw(&prepared, parameters.iter()).await
        })
        .await
    }

    pub(crate) async fn query_each(
        &mut self,
        statement: &'static Statement,
        sets: &[Vec<Value>],
    ) -> Result<Vec<Vec<Row>>, DbError> {
        let planned = self.plan(statement, sets).await?;
        let found = self
            .run(statement.name(), async |client| planned.query(client).await)
            .await?;
        planned.sort(found)
    }

    pub(crate) async fn execute_each(
        &mut self,
        statement: &'static Statement,
        sets: &[Vec<Value>],
    ) -> Result<u64, DbError> {
        let planned = self.plan(statement, sets).await?;
        self.run(statement.name(), async |client| planned.execute(client).await)
            .await
    }

    pub(crate) async fn query_all(&mut self, calls: &[Call]) -> Result<Vec<Vec<Vec<Row>>>, DbError> {
        let planned = self.plan_all(calls).await?;
        let found = self
            .run(name_of(calls), async |client| {
                try_join_all(planned.iter().map(|planned| planned.query(client))).await
            })
            .await?;
        planned
            .iter()
            .zip(found)
            .map(|(planned, found)| planned.sort(found))
            .collect()
    }

    pub(crate) async fn execute_all(&mut self, calls: &[Call]) -> Result<Vec<u64>, DbError> {
        let planned = self.plan_all(calls).await?;
        self.run(name_of(calls), async |client| {
            try_join_all(planned.iter().map(|planned| planned.execute(client))).await
        })
        .await
    }

    pub(crate) async fn script(&mut self, name: &'static str, sql: &str) -> Result<(), DbError> {
        self.run(name, async |client| client.batch_execute(sql).await).await
    }

    /// Opens a transaction together with the next statement.
    pub(crate) fn begin_with_next(&mut self, begin: impl Into<Cow<'static, str>>) {
        self.state = State::ToBegin;
        self.begin = begin.into();
        self.failure = None;
    }

    /// Ends the transaction; an error that leaves the outcome open says so.
    pub(crate) async fn commit(&mut self) -> Result<(), DbError> {
        let opened = self.state == State::Open;
        if !opened {
            self.state = State::Clean;
            return Ok(());
        }
        match self.end("commit").await {
            Err(_) if self.failure == Some(Failure::Broken) => Err(DbError::UnknownOutcome(
                "the connection was lost while committing".to_owned(),
            )),
            result => result,
        }
    }

    pub(crate) async fn roll_back(&mut self) {
        match self.state {
            State::Clean | State::ToBegin => self.state = State::Clean,
            State::Open => {
                if let Err(error) = self.end("rollback").await {
                    tracing::warn!(error = %error, "roll back failed");
                }
            }
            State::Busy => {}
        }
    }

    async fn end(&mut self, sql: &'static str) -> Result<(), DbError> {
        self.script(sql, sql).await?;
        self.state = State::Clean;
        Ok(())
    }

    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure
    }

    pub(crate) async fn check(&mut self, statement: &'static Statement) -> Result<(), String> {
        let client = self.client();
        let forms = statement.forms();
        let texts = [Some(&forms.postgres), forms.set.as_ref().map(|set| &set.sql)];
        for sql in texts.into_iter().flatten() {
            if let Err(error) = client.prepare(sql).await {
                let message = error
                    .as_db_error()
                    .map_or_else(|| error.to_string(), |refusal| refusal.message().to_owned());
                return Err(format!("{message}: {sql}"));
            }
        }
        Ok(())
    }

    fn client(&self) -> &Client {
        &self.connected.as_ref().expect("taken at drop only").client
    }

    async fn prepare(
        &mut self,
        statement: &'static Statement,
        form: Form,
    ) -> Result<tokio_postgres::Statement, DbError> {
        let key = (std::ptr::from_ref(statement).addr(), form);
        let connected = self.connected.as_ref().expect("taken at drop only");
        if let Some(prepared) = connected.prepared.get(&key) {
            return Ok(prepared.clone());
        }
        let forms = statement.forms();
        let sql = match (form, &forms.set) {
            (Form::Set, Some(set)) => &set.sql,
            _ => &forms.postgres,
        };
        let prepared = self
            .run(statement.name(), async |client| client.prepare(sql).await)
            .await?;
        let connected = self.connected.as_mut().expect("taken at drop only");
        connected.prepared.insert(key, prepared.clone());
        Ok(prepared)
    }

    async fn plan_all<'s>(&mut self, calls: &'s [Call]) -> Result<Vec<Planned<'s>>, DbError> {
        let mut planned = Vec::with_capacity(calls.len());
        for call in calls {
            planned.push(self.plan(call.statement, &call.sets).await?);
        }
        Ok(planned)
    }

    async fn plan<'s>(
        &mut self,
        statement: &'static Statement,
        sets: &'s [Vec<Value>],
    ) -> Result<Planned<'s>, DbError> {
        let form = if let Some(form) = &statement.forms().set
            && sets.len() > 1
        {
            PlannedForm::Set(form, arrays(&statement.forms().marks, sets))
        } else {
            PlannedForm::Single
        };
        let prepared = match form {
            PlannedForm::Set(..) => self.prepare(statement, Form::Set).await?,
            PlannedForm::Single => self.prepare(statement, Form::Single).await?,
        };
        Ok(Planned {
            statement,
            sets,
            prepared,
            form,
        })
    }

    /// Runs one call, opening the transaction in the same round trip where that is due.
    async fn run<T>(
        &mut self,
        name: &'static str,
        call: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, DbError> {
        let state = std::mem::replace(&mut self.state, State::Busy);
        let client = self.client();
        let (result, after) = match state {
            State::ToBegin => {
                // Biased: the order of the first polls is the order on the wire.
                let (begun, result) = tokio::join!(biased; client.batch_execute(&self.begin), call(client));
                (begun.and(result), State::Open)
            }
            state => (call(client).await, state),
        };
        self.state = after;
        result.map_err(|error| {
            let (failure, error) = classify(name, self.access, &error);
            self.failure = Some(failure);
            error
        })
    }
}

/// Errors of statements that travel together carry the first one's name.
fn name_of(calls: &[Call]) -> &'static str {
    calls.first().map_or("no statement", |call| call.statement.name())
}

/// A statement ready to be sent with all its parameter sets.
struct Planned<'s> {
    statement: &'static Statement,
    sets: &'s [Vec<Value>],
    prepared: tokio_postgres::Statement,
    form: PlannedForm<'s>,
}

enum PlannedForm<'s> {
    /// One statement for all sets.
    Set(&'static SetForm, Vec<Array<'s>>),
    /// One statement a set, sent without waiting between them.
    Single,
}

impl Planned<'_> {
    async fn execute(&self, client: &Client) -> Result<u64, tokio_postgres::Error> {
        match &self.form {
            PlannedForm::Set(_, arrays) => client.execute_raw(&self.prepared, arrays.iter()).await,
            PlannedForm::Single => {
                let calls = self
                    .sets
                    .iter()
                    .map(|set| client.execute_raw(&self.prepared, set.iter()));
                Ok(try_join_all(calls).await?.iter().sum())
            }
        }
    }

    /// The rows of all sets together, or of each set.
    async fn query(&self, client: &Client) -> Result<Vec<Vec<tokio_postgres::Row>>, tokio_postgres::Error> {
        match &self.form {
            PlannedForm::Set(_, arrays) => Ok(vec![rows(client, &self.prepared, arrays.iter()).await?]),
            PlannedForm::Single => {
                let calls = self.sets.iter().map(|set| rows(client, &self.prepared, set.iter()));
                try_join_all(calls).await
            }
        }
    }

    fn sort(&self, found: Vec<Vec<tokio_postgres::Row>>) -> Result<Vec<Vec<Row>>, DbError> {
        let mut read = Vec::with_capacity(found.len());
        for rows in found {
            read.push(rows.iter().map(read_row).collect::<Result<Vec<_>, _>>()?);
        }
        match &self.form {
            PlannedForm::Set(form, _) => {
                let all = read.into_iter().flatten().collect();
                sort_into_sets(self.statement, form, self.sets, all)
            }
            PlannedForm::Single => Ok(read),
        }
    }
}

async fn rows<P>(
    client: &Client,
    prepared: &tokio_postgres::Statement,
    parameters: P,
) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error>
where
    P: ExactSizeIterator,
    P::Item: BorrowToSql,
{
    client.query_raw(prepared, parameters).await?.try_collect().await
}

/// Gives each row to the parameter set it belongs to.
fn sort_into_sets(
    statement: &Statement,
    form: &SetForm,
    sets: &[Vec<Value>],
    found: Vec<Row>,
) -> Result<Vec<Vec<Row>>, DbError> {
    let mut sorted: Vec<Vec<Row>> = Vec::new();
    sorted.resize_with(sets.len(), Vec::new);
    match &form.rows {
        SetRows::Numbered => {
            for row in found {
                let (number, row) = row.split_number()?;
                sorted[number - 1].push(row);
            }
        }
        SetRows::InOrder(equal) => {
            let belongs = |row: &Row, set: &Vec<Value>| {
                equal
                    .iter()
                    .all(|&(column, parameter)| row.values()[column] == set[parameter])
            };
            let mut at = 0;
            for row in found {
                while at < sets.len() && !belongs(&row, &sets[at]) {
                    at += 1;
                }
                let set = sorted.get_mut(at).ok_or_else(|| DbError::Parameters {
                    statement: statement.name(),
                    problem: "a returned row belongs to no parameter set".to_owned(),
                })?;
                set.push(row);
                at += 1;
            }
        }
    }
    Ok(sorted)
}

/// Runs `work` in a transaction, the whole of it again where the server asks for that.
pub(crate) async fn write<T, E, F>(pool: &PostgresPool, counters: &Counters, work: &F) -> Result<T, E>
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync,
    T: Send,
    E: From<DbError> + Send,
{
    let mut tries = 0;
    loop {
        tries += 1;
        match attempt(pool, counters, work).await {
            Attempt::Done(outcome) => return outcome,
            Attempt::Failed(error) if tries == TRIES => return Err(E::from(error)),
            Attempt::Failed(error) => {
                let count = counters.retried();
                tracing::debug!(error = %error, tries, "a transaction is tried again");
                // Several losers must not meet again: the count spreads them.
                let spread = Duration::from_millis(count % 7);
                tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(tries) + spread).await;
            }
        }
    }
}

enum Attempt<T, E> {
    Done(Result<T, E>),
    /// Nothing was kept; trying again may help.
    Failed(DbError),
}

async fn attempt<T, E, F>(pool: &PostgresPool, counters: &Counters, work: &F) -> Attempt<T, E>
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync,
    T: Send,
    E: From<DbError> + Send,
{
    let mut session = match pool.session().await {
        Ok(session) => session,
        Err(DbError::Busy) => return Attempt::Done(Err(E::from(DbError::Busy))),
        Err(error) => return Attempt::Failed(error),
    };
    session.begin_with_next("begin");
    let mut tx = Tx::postgres(session);
    let mut outcome = work(&mut tx).await;
    if outcome.is_ok() && tx.take_changed_kept() {
        outcome = match recall::raise(&mut tx).await {
            Ok(()) => outcome,
            Err(error) => Err(E::from(error)),
        };
    }
    let failed = tx.take_failure();
    let session = tx.postgres_mut();
    let failure = session.failure();
    if outcome.is_err() || failed.is_some() {
        session.roll_back().await;
        return match (failure, failed) {
            (Some(Failure::TryAgain | Failure::Broken), Some(error)) => Attempt::Failed(error),
            (_, Some(_)) if outcome.is_ok() => Attempt::Done(Err(E::from(DbError::Aborted))),
            _ => Attempt::Done(outcome),
        };
    }
    let started = Stopwatch::start();
    match session.commit().await {
        Ok(()) => {
            counters.committed(1, started.elapsed_us());
            Attempt::Done(outcome)
        }
        Err(error) => {
            counters.commit_failed();
            match session.failure() {
                Some(Failure::TryAgain) => Attempt::Failed(error),
                _ => Attempt::Done(Err(E::from(error))),
            }
        }
    }
}

/// Refuses servers older than 15.
pub(crate) async fn check_version(pool: &PostgresPool) -> Result<(), DbError> {
    static VERSION: Statement = Statement::new(
        "VERSION",
        "select cast(current_setting('server_version_num') as bigint)",
    );
    let version = match pool.session().await?.query(&VERSION, &[]).await?.first() {
        Some(row) => row.int(0)?,
        None => 0,
    };
    if version < OLDEST_VERSION {
        return Err(DbError::Version(format!("PostgreSQL {version} is older than 15")));
    }
    Ok(())
}
