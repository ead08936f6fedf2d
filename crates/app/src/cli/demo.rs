//! `onescan demo`.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use tokio::net::TcpListener;

use super::output::{Format, pad, print, print_json, width};
use super::{Desk, Finding};
use crate::config::{Config, LogConfig, Origin};
use crate::demo::sheet::{Sheet, SheetRole};
use crate::demo::{self, Content, story};
use crate::logging;
use crate::server::{self, Door, Ending};
use crate::wiring::{self, Bench, Extras};

const AFTER_HELP: &str = "\
Examples:
  onescan demo                 everything at once; open the address it prints
  onescan demo --story         play one purchase over HTTP, step by step, and end
  onescan demo --json | head   who signs in how, for programs
  onescan demo --reset         throw the old demo away and begin again

It needs no network and no other program. Everything lies in one folder (`--data`, else `demo`
in the data folder); a second start goes on where the first one ended. The other commands look
into it with `--data`: onescan --data onescan-data/demo verify";

/// Run the server with invented data, and say who signs in how.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Demo {
    /// Port on 127.0.0.1; without it 8080, or the next one that is free
    #[arg(long)]
    port: Option<u16>,
    /// Begin with nothing but a key for the operator
    #[arg(long)]
    empty: bool,
    /// Throw away what an earlier demo left in the folder
    #[arg(long)]
    reset: bool,
    /// Play a purchase over HTTP in the terminal, on a demo that is gone afterwards; status 1 when a step is not as told
    #[arg(long, conflicts_with_all = ["empty", "reset", "port"])]
    story: bool,
}

/// Ports tried after the first.
const PORTS: u16 = 100;
const PORT: u16 = 8080;

impl Demo {
    pub(super) async fn run(self, desk: &Desk) -> Result<Finding> {
        let mut config = self.configuration(desk)?;
        // The story plays on a demo of its own, so that it comes out the same every time.
        let stage = if self.story {
            Some(tempfile::tempdir().context("no temporary folder can be made")?)
        } else {
            None
        };
        if let Some(stage) = &stage {
            config.data_folder = stage.path().to_owned();
        }
        logging::start(&LogConfig {
            filter: "warn".to_owned(),
            ..config.log.clone()
        });
        if self.reset {
            demo::reset(&config.data_folder)?;
        }
        let listener = listen(if self.story { Some(0) } else { self.port }).await?;
        config.server.listen = listener.local_addr()?;
        let content = if self.empty { Content::Empty } else { Content::Invented };
        let demo = demo::open(&config, content).await?;
        let stopping = crate::observe::Stopping::default();
        let extras = Extras {
            demo: Some(Arc::new(demo.sheet.for_pages())),
            bench: Bench::Off,
            stopping: stopping.clone(),
        };
        let router = wiring::router(&config, &demo.house, extras);
        let ending = Ending {
            stopping,
            drain: Duration::from_secs(config.server.drain_seconds),
        };
        if self.story {
            let address = config.server.listen;
            let serving = tokio::spawn(server::serve(Door::Plain(listener), router, demo.house.clone(), ending));
            let told = story::play(address, &demo.sheet).await;
            serving.abort();
            demo.house.close().await;
            return Ok(if told? { Finding::Well } else { Finding::Wrong });
        }
        match desk.output.format() {
            Format::Text => print(&welcome(&config, &demo.sheet, demo.fresh))?,
            Format::Json => print_json(&as_json(&config, &demo.sheet, demo.fresh))?,
        }
        server::serve(Door::Plain(listener), router, demo.house, ending).await?;
        Ok(Finding::Well)
    }

    fn configuration(&self, desk: &Desk) -> Result<Config> {
        let base = desk.config();
        let key = crate::config::Key::find("data_folder").context("the data folder is a key")?;
        // A folder that was named for this run is taken as it is.
        let folder = match desk.loaded.origin(key) {
            Origin::CommandLine(_) => base.data_folder.clone(),
            Origin::Default | Origin::File(_) | Origin::Environment(_) => base.data_folder.join("demo"),
        };
        let folder: PathBuf = std::path::absolute(folder).context("the working folder is gone")?;
        let mut config = demo::configuration(base, folder);
        config.server.public_url = None;
        Ok(config)
    }
}

async fn listen(port: Option<u16>) -> Result<TcpListener> {
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if let Some(port) = port {
        return server::bind(address(port)).await;
    }
    for port in PORT..PORT + PORTS {
        match TcpListener::bind(address(port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error).context("cannot listen on 127.0.0.1"),
        }
    }
    bail!(
        "no port from {PORT} to {} is free; choose one with --port",
        PORT + PORTS - 1
    )
}

fn as_json(config: &Config, sheet: &Sheet, fresh: bool) -> serde_json::Value {
    let address = config.server.public_url();
    json!({
        "address": address,
        "api_docs": format!("{address}/docs"),
        "data_folder": config.data_folder.display().to_string(),
        "fresh": fresh,
        "people": sheet.people.iter().map(|person| json!({
            "name": person.name,
            "login": person.login,
            "password": person.password,
            "what": person.what,
            "sign_in": format!("{address}/sign-in"),
        })).collect::<Vec<_>>(),
        "terminals": sheet.tills.iter().map(|till| json!({
            "name": till.name,
            "merchant": till.merchant,
            "role": till.role,
            "key": till.key,
            "sign_in": format!("{address}/till/sign-in"),
        })).collect::<Vec<_>>(),
        "programs": sheet.programs.iter().map(|program| json!({
            "name": program.name,
            "kind": program.kind,
            "id": program.id,
            "key": program.key,
        })).collect::<Vec<_>>(),
    })
}

/// What the terminal shows: a box with address and faces, then the keys, each on a line of its own so that it can be
/// marked and copied.
fn welcome(config: &Config, sheet: &Sheet, fresh: bool) -> String {
    let address = config.server.public_url();
    let mut lines = vec![format!("Onescan demo at {address}"), String::new()];
    let people: Vec<_> = sheet.people.iter().filter(|person| person.prominent).collect();
    if !people.is_empty() {
        lines.push(format!(
            "Person        {address}/sign-in   password of all: {}",
            people[0].password
        ));
        for person in people {
            lines.push(format!(
                "  {}  {}  {}",
                pad(&person.login, 12),
                pad(&person.name, 12),
                person.what
            ));
        }
    }
    let tills: Vec<_> = sheet.tills.iter().filter(|till| till.prominent).collect();
    if !tills.is_empty() {
        lines.push(format!(
            "Till          {address}/till/sign-in   with a key from below, or one touch on the start page"
        ));
    }
    lines.push(format!("API           {address}/docs"));
    lines.push(String::new());
    let data = config.data_folder.display();
    lines.push(match fresh {
        true => format!("Data          {data} (new)"),
        false => format!("Data          {data} (kept from the last start)"),
    });
    lines.push("Stop with Ctrl-C. Begin again with: onescan demo --reset".to_owned());
    let mut text = boxed(&lines);
    for till in tills {
        let role = match till.role {
            SheetRole::Cashier => "Cashier",
            SheetRole::Invoice => "Invoice terminal",
            SheetRole::Gate => "Gate",
        };
        write!(
            text,
            "{} {} ({})\n  {}\n",
            pad(role, 16),
            till.merchant,
            till.name,
            till.key
        )
        .expect("a String takes text");
    }
    for program in sheet.programs.iter().filter(|program| program.prominent) {
        let kind = match program.kind.as_str() {
            "institution" => "Institution",
            "operator" => "Operator",
            _ => "Merchant",
        };
        write!(
            text,
            "{} {} {}\n  {}\n",
            pad(kind, 16),
            program.name,
            program.id,
            program.key
        )
        .expect("a String takes text");
    }
    text
}

fn boxed(lines: &[String]) -> String {
    let wide = lines.iter().map(|line| width(line)).max().unwrap_or(0);
    let edge = "─".repeat(wide + 2);
    let inner: String = lines.iter().map(|line| format!("│ {} │\n", pad(line, wide))).collect();
    format!("╭{edge}╮\n{inner}╰{edge}╯\n")
}
