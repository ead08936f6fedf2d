//! The program without a socket, on a database of its own.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use onescan_app::config::{Config, PlainLoopback};
use onescan_app::elsewhere::{Places, Role};
use onescan_app::wiring::{self, Extras, House};
use onescan_platforms::env::{Clock, Entropy, Env, IdOrder, Secret};
use onescan_platforms::payments::{InvariantReport, PaymentStore};
use onescan_platforms::services::Services;
use onescan_store::Store;
use onescan_store::config::DbConfig;
use onescan_store::documents::Documents;
use onescan_store::migrate::{MIGRATIONS, Migrator};
use onescan_store::testing::{POSTGRES_URL, TestDatabase};

use super::arrangement::Arrangement;
use super::http::Call;
use super::machine::{FakeClock, SeededEntropy};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Router, services, store and clock of one test. A handle; clones share everything.
#[derive(Debug, Clone)]
pub struct TestApp {
    pub engine: Engine,
    pub config: Config,
    pub router: Router,
    pub services: Arc<Services>,
    pub store: Arc<Store>,
    pub documents: Arc<Documents>,
    pub clock: Arc<FakeClock>,
    entropy: Arc<SeededEntropy>,
    /// Removes the data when the last clone is gone.
    database: Arc<TestDatabase>,
    /// Issued documents lie here.
    folder: Arc<tempfile::TempDir>,
}

/// Two shared buckets, so that payer and merchant often lie in different ones and sometimes in the same.
const SHARED_BUCKETS: u16 = 2;

/// Runs one test on a fresh database of `engine`, then [`TestApp::finish`].
pub async fn run<F, Fut>(engine: Engine, test: F)
where
    F: FnOnce(TestApp) -> Fut,
    Fut: Future<Output = ()>,
{
    let Some(app) = TestApp::start(engine).await else {
        println!("left out: needs PostgreSQL; run it with `cargo xtask test`");
        return;
    };
    test(app.clone()).await;
    app.finish().await;
}

impl TestApp {
    /// `None` when it should be PostgreSQL and there is none (a failure where `CI` is set).
    pub async fn start(engine: Engine) -> Option<Self> {
        let database = match (engine, std::env::var(POSTGRES_URL)) {
            (Engine::Sqlite, _) => TestDatabase::sqlite().await.unwrap(),
            (Engine::Postgres, Ok(url)) => TestDatabase::postgres(&url).await.unwrap(),
            (Engine::Postgres, Err(_)) => {
                let ci = std::env::var_os("CI").is_some();
                assert!(!ci, "{POSTGRES_URL} must be set in continuous integration");
                return None;
            }
        };
        let clock = Arc::new(FakeClock::default());
        Migrator::new(&database.db, MIGRATIONS)
            .apply(clock.now_ms())
            .await
            .unwrap();
        let mut config = Config::default();
        // The cheapest Argon2 there is: what it protects here is nothing.
        config.passwords.memory_kib = 8;
        config.passwords.passes = 1;
        // Institutions' own systems of tests are on this machine.
        config.rides.plain_loopback = PlainLoopback::Allowed;
        let folder = tempfile::tempdir().unwrap();
        config.data_folder = folder.path().to_owned();
        let store = Arc::new(Store::new(database.db.clone()));
        store.shared_buckets(SHARED_BUCKETS).await.unwrap();
        let entropy = Arc::new(SeededEntropy::new(7));
        let database = Arc::new(database);
        Some(Self::build(engine, config, store, clock, entropy, database, Arc::new(folder)).await)
    }

    async fn build(
        engine: Engine,
        config: Config,
        store: Arc<Store>,
        clock: Arc<FakeClock>,
        entropy: Arc<SeededEntropy>,
        database: Arc<TestDatabase>,
        folder: Arc<tempfile::TempDir>,
    ) -> Self {
        let env = Env {
            clock: clock.clone() as Arc<dyn Clock>,
            entropy: entropy.clone() as Arc<dyn Entropy>,
            secret: config.secret.clone().unwrap_or_else(|| Secret::new([7; 32])),
            ids: IdOrder::default(),
            shared_buckets: SHARED_BUCKETS,
        };
        let places = Arrangement::of_environment().places(&env, &store, &config).await;
        let house = House::build(env, store, &config, places).unwrap();
        Self {
            engine,
            router: wiring::router(&config, &house, Extras::default()),
            services: house.services,
            store: house.store,
            documents: house.documents,
            clock,
            entropy,
            database,
            folder,
            config,
        }
    }

    /// The program as after a restart: nothing in memory is left, the database and the clock go on. `change`: starts with
    /// another configuration.
    pub async fn restarted(&self, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = self.config.clone();
        change(&mut config);
        let (clock, entropy, database) = (self.clock.clone(), self.entropy.clone(), self.database.clone());
        let folder = self.folder.clone();
        Self::build(
            self.engine,
            config,
            self.store.clone(),
            clock,
            entropy,
            database,
            folder,
        )
        .await
    }

    /// What stands behind the faces.
    pub fn house(&self) -> House {
        House {
            store: self.store.clone(),
            services: self.services.clone(),
            documents: self.documents.clone(),
            places: Places::default(),
            role: Role::Whole,
        }
    }

    /// Where the database is, for tests that open it a second time.
    pub fn database(&self) -> &DbConfig {
        &self.database.config
    }

    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    pub fn patch(&self, path: &str) -> Call {
        self.call(Method::PATCH, path)
    }

    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(self.router.clone(), method, path)
    }

    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Posts the merchants' side of everything paid so far, as the background does a moment after a payment.
    pub async fn settle(&self) {
        while self.store.post_merchant_side(self.now_ms(), 256).await.unwrap() > 0 {}
    }

    /// Does the invoice work that is due, as the background does.
    pub async fn work_on_invoices(&self) {
        self.settle().await;
        while self.services.processing.work_on_invoices().await.unwrap() > 0 {}
    }

    /// Matches the taps that are due and makes their orders, as the background does.
    pub async fn work_on_taps(&self) {
        while self.services.journeys.work(512).await.unwrap() > 0 {}
    }

    /// Every invariant that is broken, in words.
    pub async fn breaches(&self) -> Vec<String> {
        let broken = |report: InvariantReport| {
            let name = report.name;
            report
                .breaches
                .into_iter()
                .map(move |breach| format!("{name}: {breach}"))
        };
        self.store.audit().await.unwrap().into_iter().flat_map(broken).collect()
    }

    /// Posts what is left in the outbox; fails where something stays in it or an invariant is broken.
    pub async fn finish(&self) {
        self.settle().await;
        let (left, _) = self.store.outbox_state(self.now_ms()).await.unwrap();
        assert_eq!(left, 0, "background work is left undone");
        let breaches = self.breaches().await;
        assert!(breaches.is_empty(), "{breaches:#?}");
    }
}
