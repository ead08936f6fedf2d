//! Every key there is, in the order in which lists show them.

use std::path::PathBuf;

use onescan_platforms::codes::RecordIdKind;
use onescan_platforms::env::{Secret, is_time_zone};
use onescan_store::documents::PlainHttp;

use super::{Config, DatabaseUrl, LogFormat, MailSecurity, Place, PlainLoopback, PrivateAddresses, Registration};

/// One key: what it is called, what it may be, and how it is read and shown.
#[derive(Debug)]
pub struct Key {
    /// As in the file, with its table in front: `server.listen`.
    pub name: &'static str,
    /// What a value looks like, for people.
    pub kind: &'static str,
    pub help: &'static str,
    pub secrecy: Secrecy,
    /// The error says what a value looks like; the caller knows the key and the text.
    pub(super) set: fn(&mut Config, &str) -> Option<()>,
    /// Never a secret.
    pub(super) get: fn(&Config) -> String,
}

/// Whether a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    Open,
    /// Never shown whole; can also be read from a file that an environment variable names.
    Secret,
}

impl Key {
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The known key that looks most like `name`.
    pub fn nearest(name: &str) -> &'static Self {
        let likeness = |key: &&Self| (strsim::jaro_winkler(key.name, name) * 1_000_000.0) as u64;
        KEYS.iter().max_by_key(likeness).expect("there are keys")
    }

    /// The environment variable: `ONESCAN__SERVER__LISTEN`.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_uppercase().replace('.', "__"))
    }

    /// The value in `config`, for people: without secrets.
    pub fn shown(&self, config: &Config) -> String {
        (self.get)(config)
    }

    pub fn default_text(&self) -> String {
        self.shown(&Config::default())
    }
}

/// In front of every environment variable.
pub(super) const PREFIX: &str = "ONESCAN__";

const fn key(
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    set: fn(&mut Config, &str) -> Option<()>,
    get: fn(&Config) -> String,
) -> Key {
    let secrecy = Secrecy::Open;
    Key {
        name,
        kind,
        help,
        secrecy,
        set,
        get,
    }
}

const fn secret(key: Key) -> Key {
    Key {
        secrecy: Secrecy::Secret,
        ..key
    }
}

pub const KEYS: &[Key] = &[
    key(
        "data_folder",
        "path",
        "Where the program keeps its database, its secret and its documents. Made when it is missing.",
        |config, text| put(&mut config.data_folder, (!text.is_empty()).then(|| PathBuf::from(text))),
        |config| config.data_folder.display().to_string(),
    ),
    secret(key(
        "secret",
        "64 hexadecimal digits",
        "The master secret: codes, record ids and stored hashes depend on it. Unset: `secret.key` in the data folder, \
         made at the first start. Servers that share a database share it too.",
        |config, text| put(&mut config.secret, read_secret(text).map(Some)),
        |config| config.secret.as_ref().map_or("", |_| "…").to_owned(),
    )),
    key(
        "server.listen",
        "address and port",
        "Where the server listens. Behind a proxy with TLS keep it on the loopback.",
        |config, text| put(&mut config.server.listen, text.parse().ok()),
        |config| config.server.listen.to_string(),
    ),
    key(
        "server.public_url",
        "http:// or https:// address",
        "Where browsers reach the server; with https the cookies are bound to it. Unset: `server.listen` over http.",
        |config, text| put(&mut config.server.public_url, read_url(text)),
        |config| config.server.public_url.clone().unwrap_or_default(),
    ),
    key(
        "server.threads",
        "`auto`, or a whole number from 1 to 64",
        "Threads that serve HTTP. `auto`: one on two cores, else one less than there are, at most four.",
        |config, text| match text {
            "auto" => put(&mut config.server.threads, Some(None)),
            text => put(
                &mut config.server.threads,
                number(text, 1, 64).map(|count| Some(count as usize)),
            ),
        },
        |config| {
            config
                .server
                .threads
                .map_or("auto".to_owned(), |count| count.to_string())
        },
    ),
    key(
        "server.drain_seconds",
        "whole number from 0 to 300",
        "How long requests under way may go on after the signal to stop.",
        |config, text| {
            put(
                &mut config.server.drain_seconds,
                number(text, 0, 300).map(|seconds| seconds as u64),
            )
        },
        |config| config.server.drain_seconds.to_string(),
    ),
    key(
        "server.time_zone",
        "IANA time zone",
        "The zone of pages that belong to nobody with a zone of their own, such as the till's day.",
        |config, text| {
            put(
                &mut config.server.time_zone,
                is_time_zone(text).then(|| text.to_owned()),
            )
        },
        |config| config.server.time_zone.clone(),
    ),
    secret(key(
        "database.url",
        "`sqlite:PATH`, `postgres://…`, or `host=… dbname=…`",
        "Where the database is. Unset: SQLite, `onescan.db` in the data folder.",
        |config, text| put(&mut config.database.url, DatabaseUrl::parse(text).map(Some)),
        |config| {
            config
                .database
                .url
                .as_ref()
                .map_or(String::new(), DatabaseUrl::redacted)
        },
    )),
    key(
        "database.shared_buckets",
        "whole number from 1 to 4096",
        "Buckets that people and small institutions share. Fixed when the database is made; later changes have no effect. \
         Unset: 1 on SQLite, 8 on PostgreSQL.",
        |config, text| {
            put(
                &mut config.database.shared_buckets,
                number(text, 1, 4096).map(|count| Some(count as u16)),
            )
        },
        |config| {
            let set = config.database.shared_buckets;
            set.map_or(String::new(), |count| count.to_string())
        },
    ),
    key(
        "database.write_connections",
        "whole number from 1 to 100",
        "PostgreSQL: connections that write, each one transaction at a time.",
        |config, text| {
            put(
                &mut config.database.write_connections,
                number(text, 1, 100).map(|count| count as usize),
            )
        },
        |config| config.database.write_connections.to_string(),
    ),
    key(
        "database.read_connections",
        "whole number from 1 to 100",
        "PostgreSQL: connections that read.",
        |config, text| {
            put(
                &mut config.database.read_connections,
                number(text, 1, 100).map(|count| count as usize),
            )
        },
        |config| config.database.read_connections.to_string(),
    ),
    key(
        "platforms.codes",
        "`local`, or an https:// address",
        "Where codes are made and looked up: in this process, or by the service at this address.",
        |config, text| put(&mut config.platforms.codes, Place::parse(text)),
        |config| config.platforms.codes.to_string(),
    ),
    key(
        "platforms.profiles",
        "`local`, or an https:// address",
        "Where invoice profiles are kept.",
        |config, text| put(&mut config.platforms.profiles, Place::parse(text)),
        |config| config.platforms.profiles.to_string(),
    ),
    key(
        "platforms.payments",
        "`local`, or an https:// address",
        "Where money moves. A payment service asks the codes service of its own configuration.",
        |config, text| put(&mut config.platforms.payments, Place::parse(text)),
        |config| config.platforms.payments.to_string(),
    ),
    key(
        "platforms.invoicing",
        "`local`, or an https:// address",
        "Who issues invoices and credit notes.",
        |config, text| put(&mut config.platforms.invoicing, Place::parse(text)),
        |config| config.platforms.invoicing.to_string(),
    ),
    key(
        "platforms.allow_plain_loopback",
        "`true` or `false`",
        "Whether services may talk without TLS, as long as both are on this machine (127.0.0.1, ::1).",
        |config, text| put(&mut config.platforms.plain_loopback, read_plain_loopback(text)),
        |config| (config.platforms.plain_loopback == PlainLoopback::Allowed).to_string(),
    ),
    key(
        "platforms.keys_folder",
        "path",
        "Where `onescan keys` keeps the keys with which services prove themselves to each other. Unset: `keys` in the data folder.",
        |config, text| {
            put(
                &mut config.platforms.keys_folder,
                (!text.is_empty()).then(|| Some(PathBuf::from(text))),
            )
        },
        |config| {
            let folder = config.platforms.keys_folder.as_ref();
            folder.map_or(String::new(), |folder| folder.display().to_string())
        },
    ),
    key(
        "platforms.call_ms",
        "whole number from 100 to 20000",
        "Milliseconds that one answer of a service elsewhere may take.",
        |config, text| put(&mut config.platforms.call_ms, number(text, 100, 20_000)),
        |config| config.platforms.call_ms.to_string(),
    ),
    key(
        "platforms.patience_ms",
        "whole number from 100 to 25000",
        "Milliseconds for all tries of one call together. A change whose outcome is unknown is asked for again until then; after that its caller is told to ask again.",
        |config, text| put(&mut config.platforms.patience_ms, number(text, 100, 25_000)),
        |config| config.platforms.patience_ms.to_string(),
    ),
    key(
        "codes.prefix",
        "whole number from 10 to 99",
        "The two digits in front of every code, by which tills tell it from others. Codes with another prefix are unknown.",
        |config, text| {
            put(
                &mut config.codes.prefix,
                number(text, 10, 99).map(|prefix| prefix as u8),
            )
        },
        |config| config.codes.prefix.to_string(),
    ),
    key(
        "codes.shown_seconds",
        "whole number from 10 to 600",
        "How long a page shows a code before it takes a new one.",
        |config, text| put(&mut config.codes.shown_seconds, number(text, 10, 600)),
        |config| config.codes.shown_seconds.to_string(),
    ),
    key(
        "codes.grace_seconds",
        "whole number from 0 to 120",
        "How much longer than shown a code can be paid with, for a scan under way.",
        |config, text| put(&mut config.codes.grace_seconds, number(text, 0, 120)),
        |config| config.codes.grace_seconds.to_string(),
    ),
    key(
        "codes.invoice_hours",
        "whole number from 1 to 48",
        "How long after the payment its code answers an invoice terminal.",
        |config, text| put(&mut config.codes.invoice_hours, number(text, 1, 48)),
        |config| config.codes.invoice_hours.to_string(),
    ),
    key(
        "codes.record_id",
        "`encrypted` or `random`",
        "How the id of a code record is made: an encryption of the identity id, or drawn at random. Counts for new records.",
        |config, text| put(&mut config.codes.record_id, read_record_id(text)),
        |config| record_id_name(config.codes.record_id).to_owned(),
    ),
    key(
        "processing.choose_seconds",
        "whole number from 5 to 3600",
        "How long a person may choose among several invoice profiles before the preferred one is taken.",
        |config, text| put(&mut config.processing.choose_seconds, number(text, 5, 3_600)),
        |config| config.processing.choose_seconds.to_string(),
    ),
    key(
        "ride_codes.entitlement_hours",
        "whole number from 1 to 168",
        "How long a phone shows ride codes without having reached the server.",
        |config, text| put(&mut config.ride_codes.entitlement_hours, number(text, 1, 168)),
        |config| config.ride_codes.entitlement_hours.to_string(),
    ),
    key(
        "ride_codes.key_days",
        "whole number from 7 to 366",
        "How long one key signs ride codes; gates know the next one as long before. Do not change it on a server in use.",
        |config, text| put(&mut config.ride_codes.key_days, number(text, 7, 366)),
        |config| config.ride_codes.key_days.to_string(),
    ),
    key(
        "ride_codes.personal_cap",
        "whole number from 1 to 10000",
        "The most one ride without an application may cost, in whole units of the person's currency.",
        |config, text| put(&mut config.ride_codes.personal_cap, number(text, 1, 10_000)),
        |config| config.ride_codes.personal_cap.to_string(),
    ),
    key(
        "rides.decider_ms",
        "whole number from 100 to 5000",
        "Milliseconds that an institution's own system may take to decide about a ride; after that the institution's default holds.",
        |config, text| put(&mut config.rides.decider_ms, number(text, 100, 5_000)),
        |config| config.rides.decider_ms.to_string(),
    ),
    key(
        "rides.decider_plain_loopback",
        "`true` or `false`",
        "Whether institutions may have a system on this machine that is asked without TLS (127.0.0.1, ::1).",
        |config, text| put(&mut config.rides.plain_loopback, read_plain_loopback(text)),
        |config| (config.rides.plain_loopback == PlainLoopback::Allowed).to_string(),
    ),
    key(
        "rides.decider_private_addresses",
        "`true` or `false`",
        "Whether institutions may have a system at an address of a private network. Whoever administers one could then reach what only this server reaches.",
        |config, text| put(&mut config.rides.private_addresses, read_private_addresses(text)),
        |config| (config.rides.private_addresses == PrivateAddresses::Allowed).to_string(),
    ),
    key(
        "rides.decider_authorities",
        "path",
        "Certificates of authorities (PEM) that may vouch for institutions' systems, beside those the machine trusts.",
        |config, text| {
            put(
                &mut config.rides.authorities,
                (!text.is_empty()).then(|| Some(PathBuf::from(text))),
            )
        },
        |config| {
            let path = config.rides.authorities.as_ref();
            path.map_or(String::new(), |path| path.display().to_string())
        },
    ),
    key(
        "payments.hold_days",
        "whole number from 1 to 30",
        "How long money is held for a merchant that captures later.",
        |config, text| put(&mut config.payments.hold_days, number(text, 1, 30)),
        |config| config.payments.hold_days.to_string(),
    ),
    key(
        "payments.invalid_streak_max",
        "whole number from 1 to 1000",
        "Unknown codes in a row that stop a terminal.",
        |config, text| put(&mut config.payments.invalid_streak_max, number(text, 1, 1_000)),
        |config| config.payments.invalid_streak_max.to_string(),
    ),
    key(
        "payments.invalid_hour_max",
        "whole number from 1 to 10000",
        "Unknown codes in an hour that stop a terminal.",
        |config, text| put(&mut config.payments.invalid_hour_max, number(text, 1, 10_000)),
        |config| config.payments.invalid_hour_max.to_string(),
    ),
    key(
        "payments.lock_minutes",
        "whole number from 1 to 1440",
        "How long a stopped terminal stays stopped.",
        |config, text| put(&mut config.payments.lock_minutes, number(text, 1, 1_440)),
        |config| config.payments.lock_minutes.to_string(),
    ),
    key(
        "queues.payments_waiting_max",
        "whole number from 1 to 100000",
        "Payments that may wait; one more is answered 503 with Retry-After.",
        |config, text| {
            put(
                &mut config.queues.payments_waiting_max,
                number(text, 1, 100_000).map(|count| count as usize),
            )
        },
        |config| config.queues.payments_waiting_max.to_string(),
    ),
    key(
        "queues.payments_batch_max",
        "whole number from 1 to 1000",
        "Payments that share one commit.",
        |config, text| {
            put(
                &mut config.queues.payments_batch_max,
                number(text, 1, 1_000).map(|count| count as usize),
            )
        },
        |config| config.queues.payments_batch_max.to_string(),
    ),
    key(
        "queues.codes_waiting_max",
        "whole number from 1 to 100000",
        "Codes that may wait to be made; one more is answered 503 with Retry-After.",
        |config, text| {
            put(
                &mut config.queues.codes_waiting_max,
                number(text, 1, 100_000).map(|count| count as usize),
            )
        },
        |config| config.queues.codes_waiting_max.to_string(),
    ),
    key(
        "queues.codes_batch_max",
        "whole number from 1 to 1000",
        "Codes that share one commit.",
        |config, text| {
            put(
                &mut config.queues.codes_batch_max,
                number(text, 1, 1_000).map(|count| count as usize),
            )
        },
        |config| config.queues.codes_batch_max.to_string(),
    ),
    key(
        "people.open_registration",
        "`true` or `false`",
        "Whether anybody may register on the sign-up page. `false`: institutions and the operator register people.",
        |config, text| put(&mut config.people.open_registration, read_registration(text)),
        |config| (config.people.open_registration == Registration::Open).to_string(),
    ),
    key(
        "documents.folder",
        "path",
        "Where issued invoices are kept, each under its own hash. Unset: `documents` in the data folder. Servers that share a \
         database share it too; where they share no folder, set `documents.bucket` instead.",
        |config, text| {
            put(
                &mut config.documents.folder,
                (!text.is_empty()).then(|| Some(PathBuf::from(text))),
            )
        },
        |config| path_or_nothing(config.documents.folder.as_ref()),
    ),
    key(
        "documents.bucket",
        "3 to 63 small letters, digits, hyphens and dots",
        "The bucket of an S3-compatible store in which issued invoices are kept instead of a folder; with `documents.key_id` and \
         `documents.secret`. It must exist, and its key be allowed to write and read objects; none is ever changed or deleted.",
        |config, text| put(&mut config.documents.bucket, read_bucket(text)),
        |config| config.documents.bucket.clone().unwrap_or_default(),
    ),
    key(
        "documents.endpoint",
        "address with https:// (or http://, where allowed), without a path",
        "Where the S3-compatible store answers. Unset: AWS, in `documents.region`.",
        |config, text| put(&mut config.documents.endpoint, read_url(text)),
        |config| config.documents.endpoint.clone().unwrap_or_default(),
    ),
    key(
        "documents.region",
        "small letters, digits and hyphens",
        "The region that requests to the bucket are signed for. Many stores other than AWS take any.",
        |config, text| put(&mut config.documents.region, read_region(text)),
        |config| config.documents.region.clone(),
    ),
    key(
        "documents.key_id",
        "text without spaces",
        "The id of the key to the bucket.",
        |config, text| put(&mut config.documents.key_id, read_word(text)),
        |config| config.documents.key_id.clone().unwrap_or_default(),
    ),
    secret(key(
        "documents.secret",
        "text without spaces",
        "The key to the bucket.",
        |config, text| put(&mut config.documents.secret, read_word(text)),
        |config| config.documents.secret.as_ref().map_or("", |_| "…").to_owned(),
    )),
    key(
        "documents.allow_plain_http",
        "`true` or `false`",
        "Whether documents may travel to `documents.endpoint` without TLS. Only for a store on this machine or in a network of its own.",
        |config, text| put(&mut config.documents.plain_http, read_plain_http(text)),
        |config| (config.documents.plain_http == PlainHttp::Allowed).to_string(),
    ),
    key(
        "mail.server",
        "host and port",
        "The SMTP server through which invoices leave. Unset: no e-mail leaves; what should leave waits.",
        |config, text| put(&mut config.mail.server, read_server(text)),
        |config| config.mail.server.clone().unwrap_or_default(),
    ),
    key(
        "mail.security",
        "`none`, `starttls` or `tls`",
        "How the way to the mail server is protected. `none` only for a server on this machine.",
        |config, text| put(&mut config.mail.security, read_security(text)),
        |config| security_name(config.mail.security).to_owned(),
    ),
    key(
        "mail.user",
        "text",
        "The name with which the mail server is used; with `mail.password`.",
        |config, text| put(&mut config.mail.user, (!text.is_empty()).then(|| Some(text.to_owned()))),
        |config| config.mail.user.clone().unwrap_or_default(),
    ),
    secret(key(
        "mail.password",
        "text",
        "The password for `mail.user`.",
        |config, text| {
            put(
                &mut config.mail.password,
                (!text.is_empty()).then(|| Some(text.to_owned())),
            )
        },
        |config| config.mail.password.as_ref().map_or("", |_| "…").to_owned(),
    )),
    key(
        "mail.from",
        "e-mail address, with or without a name",
        "From whom invoices come.",
        |config, text| put(&mut config.mail.from, read_mailbox(text)),
        |config| config.mail.from.clone(),
    ),
    key(
        "passwords.memory_kib",
        "whole number from 8 to 1048576",
        "Memory that checking a password takes (Argon2id). 19456 is the least for production.",
        |config, text| {
            put(
                &mut config.passwords.memory_kib,
                number(text, 8, 1_048_576).map(|memory| memory as u32),
            )
        },
        |config| config.passwords.memory_kib.to_string(),
    ),
    key(
        "passwords.passes",
        "whole number from 1 to 20",
        "Passes that checking a password takes (Argon2id).",
        |config, text| {
            put(
                &mut config.passwords.passes,
                number(text, 1, 20).map(|passes| passes as u32),
            )
        },
        |config| config.passwords.passes.to_string(),
    ),
    key(
        "log.format",
        "`text` or `json`",
        "How log lines on standard error look.",
        |config, text| put(&mut config.log.format, read_log_format(text)),
        |config| log_format_name(config.log.format).to_owned(),
    ),
    key(
        "log.filter",
        "level, or `target=level` pairs with commas",
        "What is logged: `error`, `warn`, `info`, `debug` or `trace`, for all or for a part.",
        |config, text| put(&mut config.log.filter, read_filter(text)),
        |config| config.log.filter.clone(),
    ),
];

fn put<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

fn number(text: &str, least: i64, most: i64) -> Option<i64> {
    text.parse().ok().filter(|number| (least..=most).contains(number))
}

fn read_secret(text: &str) -> Option<Secret> {
    secret_bytes(text).map(Secret::new)
}

/// 64 hexadecimal digits.
pub(crate) fn secret_bytes(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[place * 2..place * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

pub(super) fn read_url(text: &str) -> Option<Option<String>> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let host = host.trim_end_matches('/');
    let clean = !host.is_empty() && !host.contains(['/', '?', '#']) && !host.contains(char::is_whitespace);
    clean.then(|| Some(text.trim_end_matches('/').to_owned()))
}

fn path_or_nothing(path: Option<&PathBuf>) -> String {
    path.map_or_else(String::new, |path| path.display().to_string())
}

fn read_bucket(text: &str) -> Option<Option<String>> {
    let may = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let is_bucket = (3..=63).contains(&text.len()) && text.bytes().all(may);
    is_bucket.then(|| Some(text.to_owned()))
}

fn read_region(text: &str) -> Option<String> {
    let may = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!text.is_empty() && text.bytes().all(may)).then(|| text.to_owned())
}

fn read_word(text: &str) -> Option<Option<String>> {
    let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_word.then(|| Some(text.to_owned()))
}

fn read_plain_http(text: &str) -> Option<PlainHttp> {
    match text {
        "true" => Some(PlainHttp::Allowed),
        "false" => Some(PlainHttp::Refused),
        _ => None,
    }
}

fn read_server(text: &str) -> Option<Option<String>> {
    let (host, port) = text.rsplit_once(':')?;
    let clean = !host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok();
    clean.then(|| Some(text.to_owned()))
}

fn read_security(text: &str) -> Option<MailSecurity> {
    [MailSecurity::None, MailSecurity::StartTls, MailSecurity::Tls]
        .into_iter()
        .find(|security| security_name(*security) == text)
}

fn security_name(security: MailSecurity) -> &'static str {
    match security {
        MailSecurity::None => "none",
        MailSecurity::StartTls => "starttls",
        MailSecurity::Tls => "tls",
    }
}

fn read_mailbox(text: &str) -> Option<String> {
    text.parse::<lettre::message::Mailbox>().ok().map(|_| text.to_owned())
}

fn read_record_id(text: &str) -> Option<RecordIdKind> {
    [RecordIdKind::Encrypted, RecordIdKind::Random]
        .into_iter()
        .find(|kind| record_id_name(*kind) == text)
}

fn record_id_name(kind: RecordIdKind) -> &'static str {
    match kind {
        RecordIdKind::Encrypted => "encrypted",
        RecordIdKind::Random => "random",
    }
}

fn read_registration(text: &str) -> Option<Registration> {
    match text {
        "true" => Some(Registration::Open),
        "false" => Some(Registration::Closed),
        _ => None,
    }
}

fn read_plain_loopback(text: &str) -> Option<PlainLoopback> {
    match text {
        "true" => Some(PlainLoopback::Allowed),
        "false" => Some(PlainLoopback::Refused),
        _ => None,
    }
}

fn read_private_addresses(text: &str) -> Option<PrivateAddresses> {
    match text {
        "true" => Some(PrivateAddresses::Allowed),
        "false" => Some(PrivateAddresses::Refused),
        _ => None,
    }
}

fn read_log_format(text: &str) -> Option<LogFormat> {
    [LogFormat::Text, LogFormat::Json]
        .into_iter()
        .find(|format| log_format_name(*format) == text)
}

fn log_format_name(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    }
}

fn read_filter(text: &str) -> Option<String> {
    let filter = tracing_subscriber::EnvFilter::builder().parse(text);
    filter.ok().map(|_| text.to_owned())
}
