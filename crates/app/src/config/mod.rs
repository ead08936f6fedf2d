//! What the operator may set: one small struct per concern, one table of keys ([`KEYS`]) that feeds reading, `config show`,
//! `config check` and the documentation.
//!
//! A value comes from, later over earlier: the default, the file, the environment, the command line. An unknown key is an
//! error, so that a misspelt one cannot be silently without effect.

mod docs;
mod keys;
mod load;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use onescan_domain::codes::CodeWindows;
use onescan_domain::merchants::GuardLimits;
use onescan_platforms::batch::QueueLimits;
use onescan_platforms::codes::{CodeSettings, RecordIdKind};
use onescan_platforms::env::Secret;
use onescan_platforms::payments::PaymentSettings;
use onescan_platforms::processing::ProcessingSettings;
use onescan_platforms::ride_codes::RideCodeSettings;
use onescan_platforms::rides::RideSettings;
use onescan_platforms::services::ServiceSettings;
use onescan_store::config::{DbConfig, PostgresConfig};
use onescan_store::documents::{BucketConfig, PlainHttp};
use onescan_web::wire::client::Limits;
use onescan_web::wire::decider::{Allowed, Reach};

pub use docs::markdown;
pub(crate) use keys::secret_bytes;
pub use keys::{KEYS, Key, Secrecy};
pub use load::{ConfigError, Loaded, Origin, Sources, load};

/// Everything that can be set. Checked: whoever holds one may use every value.
#[derive(Debug, Clone)]
pub struct Config {
    /// Database file, secret and whatever else the program writes.
    pub data_folder: PathBuf,
    /// `None`: the one in the data folder's `secret.key`.
    pub secret: Option<Secret>,
    pub server: ServerConfig,
    pub database: DatabaseConfig,
    pub platforms: PlatformsConfig,
    pub codes: CodesConfig,
    pub processing: ProcessingConfig,
    pub ride_codes: RideCodesConfig,
    pub rides: RidesConfig,
    pub payments: PaymentsConfig,
    pub queues: QueuesConfig,
    pub people: PeopleConfig,
    pub documents: DocumentsConfig,
    pub mail: MailConfig,
    pub passwords: PasswordsConfig,
    pub log: LogConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_folder: PathBuf::from("onescan-data"),
            secret: None,
            server: ServerConfig::default(),
            database: DatabaseConfig::default(),
            platforms: PlatformsConfig::default(),
            codes: CodesConfig::default(),
            processing: ProcessingConfig::default(),
            ride_codes: RideCodesConfig::default(),
            rides: RidesConfig::default(),
            payments: PaymentsConfig::default(),
            queues: QueuesConfig::default(),
            people: PeopleConfig::default(),
            documents: DocumentsConfig::default(),
            mail: MailConfig::default(),
            passwords: PasswordsConfig::default(),
            log: LogConfig::default(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    /// Where people reach the server, without a slash at the end; `None`: at `listen`, without TLS.
    pub public_url: Option<String>,
    /// `None`: one on two cores and fewer, else one less than there are, at most four.
    pub threads: Option<usize>,
    pub drain_seconds: u64,
    /// IANA name, for pages that belong to nobody with a zone of their own.
    pub time_zone: String,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            threads: None,
            drain_seconds: 25,
            time_zone: "UTC".to_owned(),
        }
    }
}

impl ServerConfig {
    pub fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.threads.unwrap_or_else(|| match cores() {
            0..=2 => 1,
            more => (more - 1).min(4),
        })
    }

    /// Without a slash at the end.
    pub fn public_url(&self) -> String {
        let own = || format!("http://{}", self.listen);
        self.public_url.clone().unwrap_or_else(own)
    }
}

#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `None`: SQLite in the data folder.
    pub url: Option<DatabaseUrl>,
    /// How many buckets people and small institutions share; counts when the database is made. `None`: what suits the
    /// engine, see [`Self::shared_buckets`].
    pub shared_buckets: Option<u16>,
    /// PostgreSQL's connections.
    pub write_connections: usize,
    pub read_connections: usize,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        let postgres = PostgresConfig::new("");
        Self {
            url: None,
            shared_buckets: None,
            write_connections: postgres.write_connections,
            read_connections: postgres.read_connections,
        }
    }
}

impl DatabaseConfig {
    /// SQLite has one writer and no shards, so one bucket keeps rows of one moment on one page. On PostgreSQL the
    /// operator's accounts are one per bucket, and several let writers pass each other.
    pub fn shared_buckets(&self) -> u16 {
        let suiting = match self.url {
            None | Some(DatabaseUrl::Sqlite(_)) => 1,
            Some(DatabaseUrl::Postgres(_)) => 8,
        };
        self.shared_buckets.unwrap_or(suiting)
    }
}

#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    /// An address or `key=value` pairs; may hold a password.
    Postgres(String),
}

impl DatabaseUrl {
    /// Reads `sqlite:PATH`, `postgres://…`, or libpq's `host=… dbname=…`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return (!path.is_empty()).then(|| Self::Sqlite(PathBuf::from(path)));
        }
        let address = text.starts_with("postgres://") || text.starts_with("postgresql://");
        let pairs = text.split_whitespace().next().is_some_and(|pair| pair.contains('='));
        (address || pairs).then(|| Self::Postgres(text.to_owned()))
    }

    /// For people to read: without the password.
    pub fn redacted(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(text) => redact_password(text),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

fn redact_password(text: &str) -> String {
    let pair = |pair: &str| match pair.split_once('=') {
        Some(("password", _)) => "password=…".to_owned(),
        Some(_) | None => pair.to_owned(),
    };
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.split_whitespace().map(pair).collect::<Vec<_>>().join(" ");
    };
    // Whatever stands before the last `@` of the authority is user and password; a query may hold a password too.
    let (address, query) = rest
        .split_once('?')
        .map_or((rest, None), |(address, query)| (address, Some(query)));
    let address = match address.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:…@{host}"),
            None => format!("{user}@{host}"),
        },
        None => address.to_owned(),
    };
    let query = query.map(|query| query.split('&').map(pair).collect::<Vec<_>>().join("&"));
    let query = query.map_or(String::new(), |query| format!("?{query}"));
    format!("{scheme}://{address}{query}")
}

/// Where the platforms live. Row S21.
#[derive(Debug, Clone)]
pub struct PlatformsConfig {
    pub codes: Place,
    pub profiles: Place,
    pub payments: Place,
    pub invoicing: Place,
    pub plain_loopback: PlainLoopback,
    /// `None`: `keys` in the data folder.
    pub keys_folder: Option<PathBuf>,
    /// For one answer of a platform elsewhere.
    pub call_ms: i64,
    /// For all tries of one call together.
    pub patience_ms: i64,
}

impl Default for PlatformsConfig {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            codes: Place::Here,
            profiles: Place::Here,
            payments: Place::Here,
            invoicing: Place::Here,
            plain_loopback: PlainLoopback::Refused,
            keys_folder: None,
            call_ms: limits.call.as_millis() as i64,
            patience_ms: limits.patience.as_millis() as i64,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this process.
    Here,
    /// `https://host:port`, or `http://` on the loopback; without a slash at the end.
    Elsewhere(String),
}

impl Place {
    /// Reads `local` or an address.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "local" {
            return Some(Self::Here);
        }
        keys::read_url(text).flatten().map(Self::Elsewhere)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here => "local",
            Self::Elsewhere(address) => address,
        })
    }
}

/// Whether platforms on this machine may be reached without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainLoopback {
    Allowed,
    Refused,
}

#[derive(Debug, Clone)]
pub struct CodesConfig {
    /// The two digits in front of every code.
    pub prefix: u8,
    pub shown_seconds: i64,
    pub grace_seconds: i64,
    pub invoice_hours: i64,
    pub record_id: RecordIdKind,
}

impl Default for CodesConfig {
    fn default() -> Self {
        let CodeSettings {
            prefix,
            windows,
            record_id,
            ..
        } = CodeSettings::default();
        Self {
            prefix,
            shown_seconds: windows.shown_ms / 1_000,
            grace_seconds: windows.grace_ms / 1_000,
            invoice_hours: windows.invoice_ms / 3_600_000,
            record_id,
        }
    }
}

/// What devices show at gates.
#[derive(Debug, Clone)]
pub struct RideCodesConfig {
    pub entitlement_hours: i64,
    pub key_days: i64,
    /// In whole units of the person's currency.
    pub personal_cap: i64,
}

impl Default for RideCodesConfig {
    fn default() -> Self {
        let default = RideCodeSettings::default();
        Self {
            entitlement_hours: default.entitlement_ms / 3_600_000,
            key_days: default.key_ms / 86_400_000,
            personal_cap: default.personal_cap,
        }
    }
}

/// How institutions' own systems are asked about rides.
#[derive(Debug, Clone)]
pub struct RidesConfig {
    /// For name, connection, question and answer together.
    pub decider_ms: i64,
    pub plain_loopback: PlainLoopback,
    pub private_addresses: PrivateAddresses,
    /// Authorities beside those of the machine.
    pub authorities: Option<PathBuf>,
}

impl Default for RidesConfig {
    fn default() -> Self {
        Self {
            decider_ms: 600,
            plain_loopback: PlainLoopback::Refused,
            private_addresses: PrivateAddresses::Refused,
            authorities: None,
        }
    }
}

/// Whether addresses that institutions enter may lie inside this network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivateAddresses {
    Allowed,
    Refused,
}

#[derive(Debug, Clone)]
pub struct ProcessingConfig {
    pub choose_seconds: i64,
}

impl Default for ProcessingConfig {
    fn default() -> Self {
        Self {
            choose_seconds: ProcessingSettings::default().choose_ms / 1_000,
        }
    }
}

#[derive(Debug, Clone)]
pub struct PaymentsConfig {
    pub hold_days: i64,
    pub invalid_streak_max: i64,
    pub invalid_hour_max: i64,
    pub lock_minutes: i64,
}

impl Default for PaymentsConfig {
    fn default() -> Self {
        let PaymentSettings { guard, hold_ms, .. } = PaymentSettings::default();
        Self {
            hold_days: hold_ms / 86_400_000,
            invalid_streak_max: guard.streak_max,
            invalid_hour_max: guard.hour_max,
            lock_minutes: guard.lock_ms / 60_000,
        }
    }
}

#[derive(Debug, Clone)]
pub struct QueuesConfig {
    pub payments_waiting_max: usize,
    pub payments_batch_max: usize,
    pub codes_waiting_max: usize,
    pub codes_batch_max: usize,
}

impl Default for QueuesConfig {
    fn default() -> Self {
        let payments = ProcessingSettings::default().pay_queue;
        let codes = CodeSettings::default().queue;
        Self {
            payments_waiting_max: payments.waiting_max,
            payments_batch_max: payments.batch_max,
            codes_waiting_max: codes.waiting_max,
            codes_batch_max: codes.batch_max,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct PeopleConfig {
    pub open_registration: Registration,
}

/// Who may register people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Registration {
    /// Anybody, on the sign-up page.
    #[default]
    Open,
    /// Institutions by import, and the operator.
    Closed,
}

/// Where issued documents lie. Checked when it is read: with `bucket` go `key_id` and `secret`, and never `folder`.
#[derive(Clone)]
pub struct DocumentsConfig {
    /// `None`: `documents` in the data folder, without a `bucket`.
    pub folder: Option<PathBuf>,
    pub bucket: Option<String>,
    /// `https://host:port` without a slash at the end; `None`: AWS in `region`.
    pub endpoint: Option<String>,
    pub region: String,
    pub key_id: Option<String>,
    pub secret: Option<String>,
    pub plain_http: PlainHttp,
}

impl Default for DocumentsConfig {
    fn default() -> Self {
        Self {
            folder: None,
            bucket: None,
            endpoint: None,
            region: "us-east-1".to_owned(),
            key_id: None,
            secret: None,
            plain_http: PlainHttp::Refused,
        }
    }
}

impl fmt::Debug for DocumentsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentsConfig")
            .field("folder", &self.folder)
            .field("bucket", &self.bucket)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl DocumentsConfig {
    /// What does not go together: the key that is wrong, and why. The first one only.
    fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        let is_plain = self
            .endpoint
            .as_ref()
            .is_some_and(|endpoint| endpoint.starts_with("http://"));
        match (&self.bucket, &self.folder) {
            (None, _) if self.endpoint.is_some() || self.key_id.is_some() || self.secret.is_some() => {
                Some(("documents.bucket", "must be set where its endpoint or key is"))
            }
            (None, _) => None,
            (Some(_), Some(_)) => Some(("documents.folder", "must be unset: documents go to `documents.bucket`")),
            (Some(_), None) if self.key_id.is_none() => {
                Some(("documents.key_id", "must be set, for `documents.bucket`"))
            }
            (Some(_), None) if self.secret.is_none() => {
                Some(("documents.secret", "must be set, for `documents.bucket`"))
            }
            (Some(_), None) if is_plain && self.plain_http == PlainHttp::Refused => Some((
                "documents.endpoint",
                "must begin with https://, unless `documents.allow_plain_http` is true",
            )),
            (Some(_), None) => None,
        }
    }
}

/// Where issued documents lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentsPlace {
    Folder(PathBuf),
    Bucket(BucketConfig),
}

impl fmt::Display for DocumentsPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Bucket(bucket) => {
                let own = || format!("AWS in {}", bucket.region);
                let place = bucket.endpoint.clone().unwrap_or_else(own);
                write!(f, "the bucket {} at {place}", bucket.bucket)
            }
        }
    }
}

#[derive(Clone)]
pub struct MailConfig {
    /// Host and port; `None`: no e-mail leaves, and what should leave waits.
    pub server: Option<String>,
    pub security: MailSecurity,
    pub user: Option<String>,
    pub password: Option<String>,
    /// As it stands in the message: `Onescan <invoices@example.com>`.
    pub from: String,
}

impl fmt::Debug for MailConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailConfig")
            .field("server", &self.server)
            .field("security", &self.security)
            .finish_non_exhaustive()
    }
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            server: None,
            security: MailSecurity::StartTls,
            user: None,
            password: None,
            from: "Onescan <onescan@localhost>".to_owned(),
        }
    }
}

/// How the way to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// Not at all: for a server on this machine.
    None,
    StartTls,
    Tls,
}

#[derive(Debug, Clone)]
pub struct PasswordsConfig {
    /// Argon2id's memory.
    pub memory_kib: u32,
    pub passes: u32,
}

impl Default for PasswordsConfig {
    fn default() -> Self {
        let (memory_kib, passes) = ServiceSettings::default().password_cost;
        Self { memory_kib, passes }
    }
}

#[derive(Debug, Clone)]
pub struct LogConfig {
    pub format: LogFormat,
    /// As `tracing-subscriber` reads it: `info`, `warn,onescan_web=debug`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".to_owned(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl Config {
    /// Where the database is.
    pub fn database_url(&self) -> DatabaseUrl {
        let own = || DatabaseUrl::Sqlite(self.data_folder.join("onescan.db"));
        self.database.url.clone().unwrap_or_else(own)
    }

    /// Where issued documents lie.
    pub fn documents_place(&self) -> DocumentsPlace {
        let documents = &self.documents;
        match &documents.bucket {
            Some(bucket) => DocumentsPlace::Bucket(BucketConfig {
                bucket: bucket.clone(),
                endpoint: documents.endpoint.clone(),
                region: documents.region.clone(),
                key_id: documents.key_id.clone().unwrap_or_default(),
                secret: documents.secret.clone().unwrap_or_default(),
                plain_http: documents.plain_http,
            }),
            None => {
                let own = || self.data_folder.join("documents");
                DocumentsPlace::Folder(documents.folder.clone().unwrap_or_else(own))
            }
        }
    }

    /// Where the keys for services that live apart are.
    pub fn keys_folder(&self) -> PathBuf {
        let own = || self.data_folder.join("keys");
        self.platforms.keys_folder.clone().unwrap_or_else(own)
    }

    pub fn db_config(&self) -> DbConfig {
        match self.database_url() {
            DatabaseUrl::Sqlite(path) => DbConfig::sqlite(path),
            DatabaseUrl::Postgres(url) => {
                let mut config = PostgresConfig::new(url);
                config.write_connections = self.database.write_connections;
                config.read_connections = self.database.read_connections;
                DbConfig::Postgres(config)
            }
        }
    }

    /// What the platforms take of it.
    pub fn service_settings(&self) -> ServiceSettings {
        ServiceSettings {
            codes: self.code_settings(),
            payments: self.payment_settings(),
            processing: self.processing_settings(),
            ride_codes: RideCodeSettings {
                entitlement_ms: self.ride_codes.entitlement_hours * 3_600_000,
                key_ms: self.ride_codes.key_days * 86_400_000,
                personal_cap: self.ride_codes.personal_cap,
            },
            rides: self.ride_settings(),
            password_cost: (self.passwords.memory_kib, self.passwords.passes),
        }
    }

    fn code_settings(&self) -> CodeSettings {
        let default = CodeSettings::default();
        CodeSettings {
            prefix: self.codes.prefix,
            windows: CodeWindows {
                shown_ms: self.codes.shown_seconds * 1_000,
                grace_ms: self.codes.grace_seconds * 1_000,
                invoice_ms: self.invoice_ms(),
            },
            record_id: self.codes.record_id,
            queue: QueueLimits {
                waiting_max: self.queues.codes_waiting_max,
                batch_max: self.queues.codes_batch_max,
                ..default.queue
            },
        }
    }

    /// What institutions' own systems may be, and how long they may take.
    pub fn decider_settings(&self) -> (Reach, Duration) {
        let allowed = |yes| if yes { Allowed::Yes } else { Allowed::No };
        let reach = Reach {
            plain_loopback: allowed(self.rides.plain_loopback == PlainLoopback::Allowed),
            private: allowed(self.rides.private_addresses == PrivateAddresses::Allowed),
        };
        (reach, Duration::from_millis(self.rides.decider_ms.unsigned_abs()))
    }

    /// Rides wait as other payments do.
    fn ride_settings(&self) -> RideSettings {
        RideSettings {
            queue: self.processing_settings().pay_queue,
            ..RideSettings::default()
        }
    }

    fn payment_settings(&self) -> PaymentSettings {
        PaymentSettings {
            guard: GuardLimits {
                streak_max: self.payments.invalid_streak_max,
                hour_max: self.payments.invalid_hour_max,
                lock_ms: self.payments.lock_minutes * 60_000,
            },
            hold_ms: self.payments.hold_days * 86_400_000,
            time_zone: self.server.time_zone.clone(),
        }
    }

    fn processing_settings(&self) -> ProcessingSettings {
        let default = ProcessingSettings::default();
        ProcessingSettings {
            choose_ms: self.processing.choose_seconds * 1_000,
            invoice_ms: self.invoice_ms(),
            pay_queue: QueueLimits {
                waiting_max: self.queues.payments_waiting_max,
                batch_max: self.queues.payments_batch_max,
                ..default.pay_queue
            },
            first_policy: default.first_policy,
            time_zone: self.server.time_zone.clone(),
        }
    }

    fn invoice_ms(&self) -> i64 {
        self.codes.invoice_hours * 3_600_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_left_out_of_addresses() {
        let check = |text: &str, expected: &str| assert_eq!(DatabaseUrl::parse(text).unwrap().redacted(), expected);
        check("sqlite:/var/lib/onescan/x.db", "sqlite:/var/lib/onescan/x.db");
        check(
            "postgres://ada:s3cret@db:5432/onescan",
            "postgres://ada:…@db:5432/onescan",
        );
        check(
            "postgres://ada:s@cret@db/onescan?password=x&a=b",
            "postgres://ada:…@db/onescan?password=…&a=b",
        );
        check("postgresql://db/onescan", "postgresql://db/onescan");
        check(
            "host=db password=s3cret dbname=onescan",
            "host=db password=… dbname=onescan",
        );
        assert_eq!(DatabaseUrl::parse("onescan.db"), None);
        assert_eq!(DatabaseUrl::parse("sqlite:"), None);
        assert_eq!(DatabaseUrl::parse(""), None);
    }

    #[test]
    fn the_defaults_are_those_of_the_platforms() {
        let ours = Config::default().service_settings();
        let theirs = ServiceSettings::default();
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }
}
