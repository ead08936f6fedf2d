//! Where the platforms live: in this process, or behind the address that the configuration names. Row S21.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use clap::ValueEnum;
use onescan_domain::bucket::Bucket;
use onescan_domain::ids::{MerchantId, RawId};
use onescan_platforms::services::Elsewhere;
use onescan_web::wire;
use onescan_web::wire::client::{Connection, Limits, Secure};
use onescan_web::wire::codes::RemoteCodes;
use onescan_web::wire::contract::Contract;
use onescan_web::wire::invoicing::RemoteInvoicing;
use onescan_web::wire::payments::RemotePayments;
use onescan_web::wire::profiles::RemoteProfiles;
use onescan_web::wire::server::Offered;

use crate::config::{Config, Place, PlainLoopback, PlatformsConfig};
use crate::tls::{Calls, Keys};
use crate::wiring::House;

/// A platform that may live elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Platform {
    Codes,
    Profiles,
    Payments,
    Invoicing,
}

impl Platform {
    pub const ALL: [Self; 4] = [Self::Codes, Self::Profiles, Self::Payments, Self::Invoicing];

    pub fn contract(self) -> &'static Contract {
        match self {
            Self::Codes => &wire::codes::CODES,
            Self::Profiles => &wire::profiles::PROFILES,
            Self::Payments => &wire::payments::PAYMENTS,
            Self::Invoicing => &wire::invoicing::INVOICING,
        }
    }

    fn place(self, config: &PlatformsConfig) -> &Place {
        match self {
            Self::Codes => &config.codes,
            Self::Profiles => &config.profiles,
            Self::Payments => &config.payments,
            Self::Invoicing => &config.invoicing,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.contract().name)
    }
}

/// What a server is there for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// All faces.
    Whole,
    /// These platforms, for other servers.
    Only(Vec<Platform>),
}

impl Role {
    /// As which service it calls others. Payments ask codes, and no other platform asks anybody.
    pub fn caller(&self) -> &'static str {
        match self {
            Self::Whole => "processing",
            Self::Only(platforms) => match platforms[..] {
                [only] => only.contract().name,
                _ => Platform::Payments.contract().name,
            },
        }
    }

    /// A server is for others what it is for itself: what lives elsewhere is asked for there.
    fn check(&self, platform: Platform, address: &str) -> Result<()> {
        match self {
            Self::Only(platforms) if platforms.contains(&platform) => bail!(
                "`--only {platform}`, but `platforms.{platform}` says that it lives at {address}; set it to \"local\""
            ),
            Self::Only(_) | Self::Whole => Ok(()),
        }
    }
}

/// The ways to the platforms that live elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Places(Vec<(Platform, Arc<Connection>)>);

impl Places {
    /// As the configuration says; nobody is asked yet. `run`: sets the keys of this run apart from those of others.
    pub fn of(config: &Config, run: &str, role: &Role) -> Result<Self> {
        let folder = config.keys_folder();
        let config = &config.platforms;
        let mut keys = None;
        let limits = Limits {
            call: Duration::from_millis(config.call_ms as u64),
            patience: Duration::from_millis(config.patience_ms as u64),
            ..Limits::default()
        };
        let mut places = Self::default();
        for platform in Platform::ALL {
            let Place::Elsewhere(address) = platform.place(config) else {
                continue;
            };
            role.check(platform, address)?;
            let secure = match address.strip_prefix("http://") {
                Some(host) => {
                    check_plain(platform, host, config.plain_loopback)?;
                    None
                }
                None => {
                    let keys = match &keys {
                        Some(keys) => Arc::clone(keys),
                        None => keys
                            .insert(Arc::new(Keys::open(&folder, role.caller(), Vec::new())?))
                            .clone(),
                    };
                    let service = platform.contract().name;
                    Some(Arc::new(Calls { keys, service }) as Arc<dyn Secure>)
                }
            };
            let Some(connection) = Connection::new(platform.contract(), address, secure, limits, run) else {
                bail!("`platforms.{platform}`: {address} is no address of a server");
            };
            places.add(platform, connection);
        }
        Ok(places)
    }

    /// The way to a service that is only tested. On the loopback it goes without TLS.
    pub fn trial(config: &Config, contract: &'static Contract, address: &str) -> Result<Connection> {
        let secure = match address.strip_prefix("http://") {
            Some(host) => {
                ensure!(is_loopback(host), "http:// is for 127.0.0.1 and ::1 alone");
                None
            }
            None => {
                let keys = Arc::new(Keys::open(&config.keys_folder(), Role::Whole.caller(), Vec::new())?);
                let service = contract.name;
                Some(Arc::new(Calls { keys, service }) as Arc<dyn Secure>)
            }
        };
        let limits = Limits {
            patience: Duration::from_millis(config.platforms.call_ms as u64),
            ..Limits::default()
        };
        let connection = Connection::new(contract, address, secure, limits, "contract-test");
        connection.with_context(|| format!("{address} is no address of a server"))
    }

    pub fn add(&mut self, platform: Platform, connection: Connection) {
        self.0.push((platform, Arc::new(connection)));
    }

    /// `None`: it lives here.
    pub fn of_platform(&self, platform: Platform) -> Option<&Arc<Connection>> {
        self.0
            .iter()
            .find(|(known, _)| *known == platform)
            .map(|(_, connection)| connection)
    }

    pub fn connections(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.0.iter().map(|(_, connection)| connection)
    }

    /// The contracts of what lives elsewhere.
    pub fn contracts(&self) -> Elsewhere {
        let of = |platform| self.of_platform(platform).cloned();
        Elsewhere {
            codes: of(Platform::Codes).map(|way| Arc::new(RemoteCodes(way)) as _),
            profiles: of(Platform::Profiles).map(|way| Arc::new(RemoteProfiles(way)) as _),
            payments: of(Platform::Payments).map(|way| Arc::new(RemotePayments(way)) as _),
            invoicing: of(Platform::Invoicing).map(|way| Arc::new(RemoteInvoicing(way)) as _),
        }
    }

    /// Asks every service elsewhere for its version, all at once, and writes into the log what is not well. A service that
    /// is down is no reason not to start: it takes only its own functions with it.
    pub async fn greet(&self) {
        for (platform, connection) in &self.0 {
            let (name, address) = (connection.contract().name, connection.address());
            match connection.greet().await {
                Ok(version) => tracing::info!(
                    platform.name = name,
                    platform.address = address,
                    platform.version = version,
                    "a platform lives elsewhere"
                ),
                Err(why) => {
                    tracing::warn!(platform.name = %platform, platform.address = address, why, "a platform elsewhere does not answer as it should")
                }
            }
        }
    }
}

fn check_plain(platform: Platform, host: &str, plain: PlainLoopback) -> Result<()> {
    ensure!(
        is_loopback(host) && plain == PlainLoopback::Allowed,
        "`platforms.{platform}`: http://{host} is without TLS; that goes on 127.0.0.1 and ::1 alone, and only with \
         `platforms.allow_plain_loopback = true`"
    );
    Ok(())
}

/// `host`: with its port.
fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    address.is_ok_and(|address| address.is_loopback())
}

/// The routes of a server that is these platforms for others.
pub fn router(house: &House, platforms: &[Platform]) -> Router {
    let services = &house.services;
    let has = |platform| platforms.contains(&platform);
    let offered = Offered {
        codes: has(Platform::Codes).then(|| services.codes.clone()),
        profiles: has(Platform::Profiles).then(|| services.profiles.clone()),
        payments: has(Platform::Payments).then(|| services.payments.clone()),
        invoicing: has(Platform::Invoicing).then(|| services.invoicing.clone()),
    };
    let ready = house.clone();
    wire::server::router(offered)
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(move || is_ready(ready.clone())))
        .route("/metrics", get(|| async { "" }))
}

async fn is_ready(house: House) -> (StatusCode, &'static str) {
    let nobody = MerchantId::new(RawId::from_parts(0, Bucket::of_hash(0, 1), 0));
    match house.services.merchants.find(nobody).await {
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
