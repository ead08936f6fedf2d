//! `onescan doctor`: is this machine fit, and are the data sound?

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use onescan_platforms::env::Clock;
use onescan_platforms::payments::PaymentStore;
use onescan_store::Store;
use onescan_store::db::{Db, Engine};
use onescan_store::migrate::{MIGRATIONS, Migrator};

use super::output::Record;
use super::{Desk, Finding};
use crate::config::{Config, DatabaseUrl, DocumentsPlace};
use crate::elsewhere::{Places, Role};
use crate::env::{self, SystemClock};
use crate::mail::SmtpMailer;
use crate::wiring;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Ok,
    /// It works, and could be better.
    Warn,
    Fail,
}

/// One look: what was looked at, what was seen, and what to do where it is not well.
struct Look {
    what: &'static str,
    health: Health,
    seen: String,
    remedy: Option<String>,
}

impl Look {
    fn ok(what: &'static str, seen: impl Into<String>) -> Self {
        Self {
            what,
            health: Health::Ok,
            seen: seen.into(),
            remedy: None,
        }
    }

    fn warn(what: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what,
            health: Health::Warn,
            seen: seen.into(),
            remedy: Some(remedy.into()),
        }
    }

    fn fail(what: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what,
            health: Health::Fail,
            seen: seen.into(),
            remedy: Some(remedy.into()),
        }
    }

    fn record(self) -> Record {
        let health = match self.health {
            Health::Ok => "ok",
            Health::Warn => "warn",
            Health::Fail => "FAIL",
        };
        Record::new()
            .with("check", self.what)
            .with("health", health)
            .with("seen", self.seen)
            .with("what_to_do", self.remedy)
    }
}

pub(super) async fn run(desk: &Desk) -> Result<Finding> {
    let config = desk.config();
    crate::logging::start(&crate::config::LogConfig {
        filter: "error".to_owned(),
        ..config.log.clone()
    });
    let mut looks = vec![clock(), data_folder(config)];
    if config.data_folder.is_dir() {
        looks.push(disk_space(&config.data_folder));
        looks.push(flushes(&config.data_folder));
    }
    looks.push(secret(config));
    looks.push(port(config));
    looks.push(documents(config).await);
    looks.push(mail(config).await);
    looks.extend(platforms(config).await);
    looks.extend(database(config).await);
    let failed = looks.iter().any(|look| look.health == Health::Fail);
    desk.output
        .list(looks.into_iter().map(Look::record).collect(), "nothing was looked at")?;
    Ok(if failed { Finding::Wrong } else { Finding::Well })
}

async fn documents(config: &Config) -> Look {
    let place = config.documents_place();
    let remedy = match &place {
        DocumentsPlace::Folder(folder) if !folder.exists() => {
            return Look::warn(
                "documents",
                format!("{place} is not there yet"),
                "`onescan serve` makes it",
            );
        }
        DocumentsPlace::Folder(_) => "let the program write the folder, or set `documents.folder`",
        DocumentsPlace::Bucket(_) => {
            "look at `documents.bucket`, `documents.endpoint`, `documents.region`, `documents.key_id` and `documents.secret`"
        }
    };
    let store = match wiring::open_documents(&place) {
        Ok(store) => store,
        Err(error) => return Look::fail("documents", format!("{error:#}"), remedy),
    };
    match store.check().await {
        Ok(()) => Look::ok("documents", format!("{place} can be written and read")),
        Err(error) => Look::fail("documents", format!("{place}: {error}"), remedy),
    }
}

async fn mail(config: &Config) -> Look {
    let remedy = "look at `mail.server`, `mail.security`, `mail.user` and `mail.password`";
    let mailer = match SmtpMailer::new(&config.mail) {
        Ok(mailer) => mailer,
        Err(error) => return Look::fail("mail", error.to_string(), remedy),
    };
    match mailer.check().await {
        None => Look::warn(
            "mail",
            "no server is configured",
            "set `mail.server`, so that invoices leave by e-mail",
        ),
        Some(Ok(())) => Look::ok(
            "mail",
            format!("{} answers", config.mail.server.as_deref().unwrap_or_default()),
        ),
        Some(Err(error)) => Look::fail("mail", error, remedy),
    }
}

/// Milliseconds at which this program cannot have been running yet: 2026-01-01.
const EARLIEST_MS: i64 = 1_767_225_600_000;

fn clock() -> Look {
    let now = SystemClock.now_ms();
    let seen = super::instant(now);
    if now < EARLIEST_MS {
        return Look::fail("clock", seen, "set the machine's clock, and let it follow time servers");
    }
    match std::fs::exists("/run/systemd/timesync/synchronized") {
        Ok(true) => Look::ok("clock", format!("{seen}, follows time servers")),
        Ok(false) | Err(_) => Look::ok("clock", format!("{seen}; whether it follows time servers is not known")),
    }
}

fn data_folder(config: &Config) -> Look {
    let folder = &config.data_folder;
    let shown = folder.display().to_string();
    if !folder.exists() {
        return Look::warn(
            "data folder",
            format!("{shown} is not there yet"),
            "`onescan serve` makes it",
        );
    }
    match probe(folder, b"x") {
        Ok(()) => Look::ok("data folder", shown),
        Err(error) => {
            let remedy = "let the user that runs the server write there, or set `data_folder`";
            Look::fail("data folder", format!("{shown}: {error}"), remedy)
        }
    }
}

const PROBE: &str = "doctor.probe";

/// Writes a file, waits until the disk has it, and removes it.
fn probe(folder: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let path = folder.join(PROBE);
    let mut file = std::fs::File::create(&path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::remove_file(&path)
}

const GIB: u64 = 1 << 30;

fn disk_space(folder: &Path) -> Look {
    let what = "disk space";
    match rustix::fs::statvfs(folder) {
        Ok(figures) => {
            let free = figures.f_bavail.saturating_mul(figures.f_frsize);
            let seen = format!("{:.1} GiB free", free as f64 / GIB as f64);
            let remedy = "make room: a full disk stops payments until there is some";
            match free {
                free if free < GIB / 4 => Look::fail(what, seen, remedy),
                free if free < 2 * GIB => Look::warn(what, seen, remedy),
                _ => Look::ok(what, seen),
            }
        }
        Err(error) => Look::warn(what, error.to_string(), "look with `df`"),
    }
}

const FLUSHING: Duration = Duration::from_millis(400);

/// How often a second the disk can be asked to keep 4 KiB: the bound of everything that is durable.
#[expect(clippy::disallowed_methods, reason = "measures, decides nothing")]
fn flushes(folder: &Path) -> Look {
    let what = "flushes";
    let path = folder.join(PROBE);
    let measured = || -> std::io::Result<f64> {
        let mut file = std::fs::File::create(&path)?;
        let begin = std::time::Instant::now();
        let mut count = 0;
        while begin.elapsed() < FLUSHING {
            file.write_all(&[0; 4_096])?;
            file.sync_data()?;
            count += 1;
        }
        Ok(f64::from(count) / begin.elapsed().as_secs_f64())
    };
    let rate = measured();
    // The next doctor writes it anew anyway.
    let _ = std::fs::remove_file(&path);
    match rate {
        Ok(rate) if rate < 100.0 => {
            let remedy = "payments wait for the disk: use one with a protected write cache, or a local one";
            Look::warn(what, format!("{rate:.0} a second"), remedy)
        }
        Ok(rate) => Look::ok(what, format!("{rate:.0} a second")),
        Err(error) => Look::fail(what, error.to_string(), "the disk does not take data"),
    }
}

fn secret(config: &Config) -> Look {
    let what = "secret";
    if config.secret.is_some() {
        return Look::ok(what, "configured");
    }
    let path = env::secret_path(config);
    let shown = path.display().to_string();
    match env::read_secret(&path) {
        Ok(None) => Look::warn(
            what,
            format!("{shown} is not there yet"),
            "`onescan serve` makes it; then back it up",
        ),
        Ok(Some(_)) if env::others_may_read(&path) => Look::fail(
            what,
            format!("{shown} can be read by others"),
            format!("chmod 600 {shown}"),
        ),
        Ok(Some(_)) => Look::ok(what, shown),
        Err(error) => Look::fail(
            what,
            error.to_string(),
            "put the file back from a backup; without it codes and keys are lost",
        ),
    }
}

fn port(config: &Config) -> Look {
    let address = config.server.listen;
    match std::net::TcpListener::bind(address) {
        Ok(_) => Look::ok("port", format!("{address} is free")),
        Err(error) => {
            let remedy = "well if the server runs there; else choose another `server.listen`";
            Look::warn("port", format!("{address}: {error}"), remedy)
        }
    }
}

/// Each platform that lives elsewhere: where, in which version, and how fast.
async fn platforms(config: &Config) -> Vec<Look> {
    let places = match Places::of(config, "doctor", &Role::Whole) {
        Ok(places) => places,
        Err(error) => {
            let remedy = "mend `[platforms]`, or make keys with `onescan keys make`";
            return vec![Look::fail("platforms", format!("{error:#}"), remedy)];
        }
    };
    let mut looks = Vec::new();
    for connection in places.connections() {
        let (what, address) = (connection.contract().name, connection.address());
        looks.push(match connection.greet().await {
            Ok(version) => {
                let latency_ms = connection.seen().latency_us as f64 / 1_000.0;
                Look::ok(what, format!("{address}, version {version}, {latency_ms:.1} ms"))
            }
            Err(why) => Look::fail(
                what,
                format!("{address}: {why}"),
                "start the service there; what needs it is refused until then",
            ),
        });
    }
    looks
}

async fn database(config: &Config) -> Vec<Look> {
    let url = config.database_url();
    let shown = url.redacted();
    if let DatabaseUrl::Sqlite(path) = &url
        && !path.exists()
    {
        let remedy = "`onescan serve` makes it";
        return vec![Look::warn("database", format!("{shown} is not there yet"), remedy)];
    }
    let db = match wiring::open_database(config).await {
        Ok(db) => db,
        Err(error) => {
            return vec![Look::fail(
                "database",
                format!("{error:#}"),
                "start it, and check `database.url`",
            )];
        }
    };
    let mut looks = vec![match engine_version(&db).await {
        Ok(version) => Look::ok("database", format!("{shown}, {version}")),
        Err(error) => Look::fail(
            "database",
            format!("{shown}: {error}"),
            "check `database.url` and the server's log",
        ),
    }];
    looks.extend(schema(&db).await);
    db.close().await;
    looks
}

async fn engine_version(db: &Db) -> Result<String> {
    let name = match db.engine() {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "PostgreSQL",
    };
    Ok(format!("{name} {}", db.version().await?))
}

/// The schema, and where it is right, the invariants of what lies in it.
async fn schema(db: &Db) -> Vec<Look> {
    let what = "schema";
    match Migrator::new(db, MIGRATIONS).dry_run().await {
        Ok(pending) if pending.is_empty() => {
            let store = Store::new(db.clone());
            vec![
                Look::ok(what, format!("{} migrations", MIGRATIONS.len())),
                invariants(&store).await,
                outbox(&store).await,
            ]
        }
        Ok(pending) => vec![Look::warn(
            what,
            format!("pending: {}", pending.join(", ")),
            "run `onescan migrate`",
        )],
        Err(error) => vec![Look::fail(
            what,
            error.to_string(),
            "use the program that last migrated this database, or a newer one",
        )],
    }
}

async fn invariants(store: &Store) -> Look {
    let what = "invariants";
    match store.audit().await {
        Ok(reports) => match reports.iter().filter(|report| !report.breaches.is_empty()).count() {
            0 => Look::ok(what, format!("{} hold", reports.len())),
            broken => Look::fail(
                what,
                format!("{broken} are broken"),
                "run `onescan verify` and keep a copy of the database",
            ),
        },
        Err(error) => Look::fail(what, error.to_string(), "run `onescan verify`"),
    }
}

const OLD_MS: i64 = 60_000;

async fn outbox(store: &Store) -> Look {
    let what = "outbox";
    match store.outbox_state(SystemClock.now_ms()).await {
        Ok((rows, oldest_ms)) if oldest_ms > OLD_MS => {
            let seen = format!("{rows} rows, the oldest waits {} s", oldest_ms / 1_000);
            Look::warn(what, seen, "start the server: it posts the merchants' side")
        }
        Ok((rows, _)) => Look::ok(what, format!("{rows} rows")),
        Err(error) => Look::fail(what, error.to_string(), "check the database"),
    }
}
