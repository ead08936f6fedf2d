//! Brings the schema forward: numbered, checksummed, never back, each migration in a transaction.
//!
//! A file is final once it has run anywhere. The program refuses a database that a newer program
//! migrated, and one whose migrations were not these.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::db::{Db, Engine};
use crate::error::DbError;
use crate::params;
use crate::statement::Statement;
use crate::tx::Tx;

/// One file of `migrations/sqlite` and its namesake in `migrations/postgres`.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// `NNNN_name`, without the ending.
    pub file: &'static str,
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

macro_rules! migrations {
    ($($file:literal),* $(,)?) => {
        &[$(Migration {
            file: $file,
            sqlite: include_str!(concat!("../migrations/sqlite/", $file, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/", $file, ".sql")),
        }),*]
    };
}

/// All migrations of this program, in order.
pub const MIGRATIONS: &[Migration] = migrations![
    "0001_foundation",
    "0002_pay_path",
    "0003_invoices",
    "0004_rides",
    "0005_bills",
    "0006_ride_codes",
    "0007_journeys",
    "0008_profile_fields",
    "0009_usage",
    "0010_bank_names",
    "0012_sessions_and_calendars",
    "0013_ride_deciders",
    "0014_bill_notes",
    "0015_bill_schedules",
    "0016_codes_in_order",
    "0017_own_counters",
];

impl Migration {
    /// Panics when the file name does not start with a number: only a bug does that.
    #[must_use]
    pub fn number(&self) -> i64 {
        let digits = self.file.split('_').next().unwrap_or_default();
        digits.parse().expect("a migration's file name starts with its number")
    }

    fn text(&self, engine: Engine) -> &'static str {
        match engine {
            Engine::Sqlite => self.sqlite,
            Engine::Postgres => self.postgres,
        }
    }

    fn checksum(&self, engine: Engine) -> String {
        let digest = Sha256::digest(self.text(engine).as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationState {
    /// Milliseconds since 1970.
    Applied {
        at_ms: i64,
    },
    Pending,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    #[error("the database has migration {name}, which this program does not know; use a newer program")]
    Newer { name: String },
    #[error("migration {name} was changed after it had run")]
    Changed { name: String },
    /// A migration was put in before one that has run already.
    #[error("migration {name} was left out")]
    LeftOut { name: String },
    #[error("migration {name} failed")]
    Failed {
        name: String,
        #[source]
        source: DbError,
    },
    #[error(transparent)]
    Db(#[from] DbError),
}

static TABLE_EXISTS_SQLITE: Statement = Statement::new(
    "TABLE_EXISTS_SQLITE",
    "select count(*) from sqlite_master where name = 'schema_migrations'",
);
static TABLE_EXISTS_POSTGRES: Statement = Statement::new(
    "TABLE_EXISTS_POSTGRES",
    "select to_regclass('schema_migrations') is not null",
);
static LIST_APPLIED: Statement = Statement::new(
    "LIST_APPLIED",
    "select number, name, checksum, applied_at from schema_migrations order by number",
);
static INSERT_APPLIED: Statement = Statement::new(
    "INSERT_APPLIED",
    "insert into schema_migrations (number, name, checksum, applied_at)
     values (:number, :name::text, :checksum::text, :applied_at)",
);

const MAKE_TABLE: &str = "create table if not exists schema_migrations (
    number bigint primary key,
    name text not null,
    checksum text not null,
    applied_at bigint not null
)";

/// Two servers starting at once take turns. Locks of this kind are for migrations only.
const TAKE_TURNS: &str = "set local lock_timeout = '60s'; set local statement_timeout = 0;
    select pg_advisory_xact_lock(7012026)";

struct Applied {
    name: String,
    checksum: String,
    at_ms: i64,
}

/// Runs a list of migrations, in order of their numbers, on one database.
#[derive(Debug, Clone)]
pub struct Migrator {
    db: Db,
    migrations: &'static [Migration],
}

impl Migrator {
    /// Panics when the numbers do not rise: only a bug does that.
    #[must_use]
    pub fn new(db: &Db, migrations: &'static [Migration]) -> Self {
        let rising = migrations.is_sorted_by(|a, b| a.number() < b.number());
        assert!(rising, "the numbers of migrations rise");
        Self {
            db: db.clone(),
            migrations,
        }
    }

    /// Every migration of the program and whether it ran; refuses as `apply` does.
    pub async fn status(&self) -> Result<Vec<(&'static str, MigrationState)>, MigrateError> {
        let engine = self.db.engine();
        let applied = self
            .db
            .read_snapshot(move |tx| Box::pin(list_applied(tx, engine)))
            .await?;
        self.compare(&applied)
    }

    /// What `apply` would run; writes nothing.
    pub async fn dry_run(&self) -> Result<Vec<&'static str>, MigrateError> {
        let status = self.status().await?;
        let pending = status
            .into_iter()
            .filter(|(_, state)| *state == MigrationState::Pending);
        Ok(pending.map(|(name, _)| name).collect())
    }

    /// Runs what is pending and names what this call ran; a repeat does nothing.
    pub async fn apply(&self, now_ms: i64) -> Result<Vec<&'static str>, MigrateError> {
        let mut ran = Vec::new();
        for name in self.dry_run().await? {
            let migrator = self.clone();
            let migrated = self.db.write(move |tx| {
                let migrator = migrator.clone();
                Box::pin(async move { migrator.apply_one(tx, name, now_ms).await })
            });
            if migrated.await? == Turn::Ours {
                ran.push(name);
            }
        }
        Ok(ran)
    }

    /// Looks again under the lock: another server may have run it meanwhile.
    async fn apply_one(&self, tx: &mut Tx, name: &'static str, now_ms: i64) -> Result<Turn, MigrateError> {
        let engine = self.db.engine();
        if engine == Engine::Postgres {
            tx.script("TAKE_TURNS", TAKE_TURNS).await?;
        }
        tx.script("MAKE_TABLE", MAKE_TABLE).await?;
        let status = self.compare(&list_applied(tx, engine).await?)?;
        if !status.contains(&(name, MigrationState::Pending)) {
            return Ok(Turn::Others);
        }
        let known = self.migrations.iter().find(|known| known.file == name);
        let migration = known.expect("the name comes from this list");
        let failed = |source| MigrateError::Failed {
            name: name.to_owned(),
            source,
        };
        tx.script(name, migration.text(engine)).await.map_err(failed)?;
        let number = migration.number();
        let checksum = migration.checksum(engine);
        tx.execute_one(&INSERT_APPLIED, params![number, name, checksum, now_ms])
            .await?;
        Ok(Turn::Ours)
    }

    fn compare(&self, applied: &BTreeMap<i64, Applied>) -> Result<Vec<(&'static str, MigrationState)>, MigrateError> {
        let newest = applied.keys().next_back().copied();
        if let Some((_, unknown)) = applied
            .iter()
            .find(|(number, _)| !self.migrations.iter().any(|known| known.number() == **number))
        {
            let name = unknown.name.clone();
            return Err(MigrateError::Newer { name });
        }
        let engine = self.db.engine();
        let state = |migration: &Migration| {
            let name = migration.file.to_owned();
            match applied.get(&migration.number()) {
                Some(run) if run.name != name || run.checksum != migration.checksum(engine) => {
                    Err(MigrateError::Changed { name })
                }
                Some(run) => Ok((migration.file, MigrationState::Applied { at_ms: run.at_ms })),
                None if newest > Some(migration.number()) => Err(MigrateError::LeftOut { name }),
                None => Ok((migration.file, MigrationState::Pending)),
            }
        };
        self.migrations.iter().map(state).collect()
    }
}

/// Who ran a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Ours,
    Others,
}

async fn list_applied(tx: &mut Tx, engine: Engine) -> Result<BTreeMap<i64, Applied>, DbError> {
    let table_exists = match engine {
        Engine::Sqlite => &TABLE_EXISTS_SQLITE,
        Engine::Postgres => &TABLE_EXISTS_POSTGRES,
    };
    if !tx.query_one(table_exists, params![]).await?.flag(0)? {
        return Ok(BTreeMap::new());
    }
    let rows = tx.query(&LIST_APPLIED, params![]).await?;
    rows.into_iter()
        .map(|mut row| {
            let applied = Applied {
                name: row.take_text(1)?,
                checksum: row.take_text(2)?,
                at_ms: row.int(3)?,
            };
            Ok((row.int(0)?, applied))
        })
        .collect()
}
