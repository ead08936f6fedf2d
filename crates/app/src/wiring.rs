//! Puts the house together: database, store, platforms, faces.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::Router;
use onescan_platforms::env::{Clock, Env, hex};
use onescan_platforms::services::{Ports, Services};
use onescan_store::Store;
use onescan_store::db::Db;
use onescan_store::documents::Documents;
use onescan_store::migrate::{MIGRATIONS, Migrator};
use onescan_web::wire::decider::HttpDecider;
use onescan_web::{AppState, DemoSheet, WebSettings};

use crate::config::{Config, DatabaseUrl, DocumentsPlace, Registration};
use crate::elsewhere;
use crate::elsewhere::{Places, Platform, Role};
use crate::env::{self, SystemClock};
use crate::mail::SmtpMailer;
use crate::observe::{self, Stopping};
use crate::tls::Others;

/// Whether opening may bring the schema forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrate {
    /// Whatever is pending runs first.
    Yes,
    /// As `Yes` on a database without a schema; elsewhere as `No`.
    IfNew,
    /// Pending migrations are an error.
    No,
}

/// Whether the server answers what only measurements ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bench {
    On,
    #[default]
    Off,
}

/// Everything behind the faces; cheap to clone.
#[derive(Debug, Clone)]
pub struct House {
    pub store: Arc<Store>,
    pub services: Arc<Services>,
    pub documents: Arc<Documents>,
    pub places: Places,
    /// What this server answers for, and so works for in the background.
    pub role: Role,
}

impl House {
    /// The platforms that live here over `store`, its documents and mail as `config` says, the others at their places. Must
    /// be called on a runtime: queues start on it.
    pub fn build(env: Env, store: Arc<Store>, config: &Config, places: Places) -> Result<Self> {
        let documents = Arc::new(open_documents(&config.documents_place())?);
        let mailer = SmtpMailer::new(&config.mail).context("e-mail cannot be set up")?;
        let tls = Others::new(config.rides.authorities.as_deref())?;
        let (reach, budget) = config.decider_settings();
        let deciders = HttpDecider::new(Arc::new(tls), reach, budget);
        let ports = Ports::of(store.clone(), documents.clone(), Arc::new(mailer), Arc::new(deciders));
        let settings = config.service_settings();
        let services = Arc::new(Services::build(env, ports, settings, places.contracts()));
        Ok(Self {
            store,
            services,
            documents,
            places,
            role: Role::Whole,
        })
    }

    /// Whether the platform lives here and this server is there for it.
    pub fn works_for(&self, platform: Platform) -> bool {
        let asked = match &self.role {
            Role::Whole => true,
            Role::Only(platforms) => platforms.contains(&platform),
        };
        asked && self.places.of_platform(platform).is_none()
    }

    /// Waits until everything accepted is written, and closes the database.
    pub async fn close(self) {
        self.store.db().close().await;
    }
}

/// Makes the data folder, opens the database, and builds the house on this machine's clock and randomness.
pub async fn open(config: &Config, migrate: Migrate, role: Role) -> Result<House> {
    let db = open_database(config).await?;
    bring_forward(&db, migrate).await?;
    let store = Arc::new(Store::new(db));
    let shared_buckets = store.shared_buckets(config.database.shared_buckets()).await?;
    let env = env::system(env::secret(config)?, shared_buckets);
    let places = Places::of(config, &hex(&env.bytes::<8>()), &role)?;
    let mut house = House::build(env, store, config, places)?;
    house.role = role;
    Ok(house)
}

/// The folder is made where it is missing; a bucket is not asked yet.
pub fn open_documents(place: &DocumentsPlace) -> Result<Documents> {
    match place {
        DocumentsPlace::Folder(folder) => {
            Documents::folder(folder).with_context(|| format!("the folder {place} cannot be made"))
        }
        DocumentsPlace::Bucket(bucket) => Documents::bucket(bucket).with_context(|| format!("{place} cannot be used")),
    }
}

/// Opens the database without looking at its schema.
pub async fn open_database(config: &Config) -> Result<Db> {
    let folder = &config.data_folder;
    std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let url = config.database_url();
    if let DatabaseUrl::Sqlite(path) = &url
        && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    }
    let opened = Db::open(&config.db_config()).await;
    opened.with_context(|| format!("the database {} cannot be opened", url.redacted()))
}

async fn bring_forward(db: &Db, migrate: Migrate) -> Result<()> {
    let migrator = Migrator::new(db, MIGRATIONS);
    let pending = migrator.dry_run().await?;
    let may = match migrate {
        Migrate::Yes => true,
        Migrate::IfNew => pending.len() == MIGRATIONS.len(),
        Migrate::No => false,
    };
    if !pending.is_empty() && !may {
        let pending = pending.join(", ");
        bail!("the database lacks the migrations {pending}; run `onescan migrate`");
    }
    for name in migrator.apply(SystemClock.now_ms()).await? {
        tracing::info!(migration.name = name, "migrated");
    }
    Ok(())
}

/// The faces over a house, as the configuration wants them.
pub fn router(config: &Config, house: &House, extras: Extras) -> Router {
    let stopping = extras.stopping.clone();
    let settings = web_settings(config, &house.places, extras);
    let services = house.services.clone();
    let faces = match &house.role {
        Role::Whole => onescan_web::router(AppState { services, settings }),
        Role::Only(platforms) => elsewhere::router(house, platforms),
    };
    observe::around(faces, house.clone(), stopping)
}

/// What a start may add to the faces.
#[derive(Debug, Clone, Default)]
pub struct Extras {
    pub demo: Option<Arc<DemoSheet>>,
    pub bench: Bench,
    pub stopping: Stopping,
}

fn web_settings(config: &Config, places: &Places, extras: Extras) -> WebSettings {
    WebSettings {
        secure_cookies: config.server.public_url().starts_with("https://"),
        time_zone: config.server.time_zone.clone(),
        demo: extras.demo,
        open_registration: config.people.open_registration == Registration::Open,
        bench: extras.bench == Bench::On,
        platforms: places.connections().cloned().collect(),
    }
}
