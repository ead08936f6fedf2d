//! `onescan serve`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::output::Record;
use super::{Desk, Finding};
use crate::elsewhere::{Platform, Role};
use crate::logging;
use crate::server::{self, Door, Ending};
use crate::wiring::{self, Bench, Extras, Migrate};

const AFTER_HELP: &str = "\
Examples:
  onescan serve
  onescan serve --listen 0.0.0.0:8080 --data /var/lib/onescan
  onescan serve --only codes,payments --listen 127.0.0.1:8181
  ONESCAN__DATABASE__URL=postgres://onescan@db/onescan onescan serve --no-migrate

It makes the data folder, the secret and the database where they are missing.

SIGTERM or Ctrl-C: nothing new is accepted, requests under way finish (at most
`server.drain_seconds`), then it ends with status 0. A second signal ends it at once;
nothing that was answered is lost by that.";

/// Run the server.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Serve {
    /// Address and port, over `server.listen`
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Be these platforms for other servers, and nothing else: codes, profiles, payments, invoicing; several with commas
    #[arg(long, value_name = "PLATFORMS", value_delimiter = ',')]
    only: Vec<Platform>,
    /// Refuse to start while migrations are pending, instead of running them; for several servers on one database
    #[arg(long)]
    no_migrate: bool,
    /// Also answer POST /v1/echo, the empty handler that measurements compare with
    #[arg(long)]
    bench: bool,
}

impl Serve {
    pub(super) async fn run(self, desk: &Desk) -> Result<Finding> {
        let mut config = desk.config().clone();
        logging::start(&config.log);
        if let Some(listen) = self.listen {
            config.server.listen = listen;
        }
        let migrate = if self.no_migrate { Migrate::No } else { Migrate::Yes };
        let bench = if self.bench { Bench::On } else { Bench::Off };
        // The address first: a second server on the same port must not touch the database.
        let listener = server::bind(config.server.listen).await?;
        config.server.listen = listener.local_addr()?;
        let role = if self.only.is_empty() {
            Role::Whole
        } else {
            Role::Only(self.only)
        };
        let door = Door::open(listener, &config, &role)?;
        let house = wiring::open(&config, migrate, role).await?;
        house.places.greet().await;
        let extras = Extras {
            bench,
            ..Extras::default()
        };
        let stopping = extras.stopping.clone();
        let router = wiring::router(&config, &house, extras);
        let database = config.database_url().redacted();
        tracing::info!(server.address = %config.server.listen, server.database = database, "listening");
        let ready = Record::new()
            .with("address", format!("{}://{}", door.scheme(), config.server.listen))
            .with("public_url", config.server.public_url())
            .with("database", database);
        desk.output.record(ready)?;
        let drain = Duration::from_secs(config.server.drain_seconds);
        server::serve(door, router, house, Ending { stopping, drain }).await?;
        Ok(Finding::Well)
    }
}
