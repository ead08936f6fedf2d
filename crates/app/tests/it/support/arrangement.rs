//! Where the platforms of a test live: all in one process, or behind real sockets of the loopback.
//!
//! The variable [`VARIABLE`] chooses, so that `cargo xtask test` runs the same acceptance tests in each arrangement.
//! Services share the test's database, clock and randomness; everything between them goes over the wire.

use std::sync::Arc;

use onescan_app::config::Config;
use onescan_app::elsewhere::{self, Places, Platform, Role};
use onescan_app::wiring::House;
use onescan_platforms::env::Env;
use onescan_store::Store;
use onescan_web::wire::client::{Connection, Limits};
use tokio::net::TcpListener;

/// Set by `cargo xtask test`.
pub const VARIABLE: &str = "ONESCAN_TEST_ARRANGEMENT";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrangement {
    /// All in one process.
    Together,
    /// Every platform elsewhere, each in a service of its own.
    Apart,
    /// Payments and invoicing elsewhere; the processing platform makes the codes itself.
    MoneyApart,
}

impl Arrangement {
    pub fn of_environment() -> Self {
        match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("together") => Self::Together,
            Ok("apart") => Self::Apart,
            Ok("money_apart") => Self::MoneyApart,
            Ok(other) => panic!("{VARIABLE} is {other}: use together, apart or money_apart"),
        }
    }

    fn elsewhere(self) -> &'static [Platform] {
        match self {
            Self::Together => &[],
            Self::Apart => &Platform::ALL,
            Self::MoneyApart => &[Platform::Payments, Platform::Invoicing],
        }
    }

    /// Starts the services and says where they are. A service knows those that were started before it, so that payments
    /// ask the codes service and not their own.
    pub async fn places(self, env: &Env, store: &Arc<Store>, config: &Config) -> Places {
        let mut places = Places::default();
        for platform in self.elsewhere() {
            let mut house = House::build(env.clone(), store.clone(), config, places.clone()).unwrap();
            house.role = Role::Only(vec![*platform]);
            let address = serve(&house, &[*platform]).await;
            places.add(*platform, connection(*platform, &address));
        }
        places
    }
}

pub fn connection(platform: Platform, address: &str) -> Connection {
    Connection::new(platform.contract(), address, None, Limits::default(), "test").unwrap()
}

/// Serves the platforms of a house on a port of the loopback until the test's runtime ends.
pub async fn serve(house: &House, platforms: &[Platform]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = elsewhere::router(house, platforms);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
