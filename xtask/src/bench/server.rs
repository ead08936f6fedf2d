//! A release server of the bench: started, asked for keys, killed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::apart::Services;
use super::machine::now;
use crate::shell;

/// How long a start may take, with all migrations.
pub const START: Duration = Duration::from_secs(60);

/// A server with its data; the process ends with this value.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    variables: Vec<(String, String)>,
    log: PathBuf,
    folder: PathBuf,
    services: Services,
    pub address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts it on a free port with fresh data in `folder`. `database`: SQLite in that folder when `None`.
    pub fn start(folder: &Path, database: Option<&str>) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let program = shell::root().join("target/release/onescan");
        let log = folder.join("server.log");
        let variables = variables(folder, database, address);
        let child = spawn(&program, &variables, &log)?;
        let mut server = Self {
            program,
            variables,
            log,
            folder: folder.to_owned(),
            services: Services::default(),
            address,
            child,
        };
        server.wait_until_it_answers()?;
        Ok(server)
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Ends it with SIGKILL, which no program can hear.
    pub fn kill(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same data and the same port.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        self.child = spawn(&self.program, &self.variables, &self.log)?;
        self.wait_until_it_answers()
    }

    /// Starts it again with every platform in a process of its own.
    pub fn restart_apart(&mut self) -> Result<()> {
        self.kill();
        self.services = Services::start(&self.folder, &self.variables)?;
        let variables = [self.variables.clone(), self.services.variables.clone()].concat();
        self.child = spawn(&self.program, &variables, &self.log)?;
        self.wait_until_it_answers()
    }

    /// Starts it again with all platforms in its own process.
    pub fn restart_together(&mut self) -> Result<()> {
        self.services = Services::default();
        self.restart()
    }

    /// The server and its services.
    pub fn processes(&self) -> Vec<u32> {
        self.services.processes().chain([self.process()]).collect()
    }

    /// Runs another command of the program on the server's data and reads the JSON it prints.
    pub fn command(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .arg("--json")
            .envs(self.variables.iter().cloned());
        let said = command.stderr(Stdio::inherit()).output()?;
        let text = String::from_utf8_lossy(&said.stdout);
        serde_json::from_str(&text)
            .with_context(|| format!("`onescan {}` ({}) said: {text}", arguments.join(" "), said.status))
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let started = now();
        while !self.answers() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended ({status}); its log:\n{}", self.log_text());
            }
            if now() - started > START {
                bail!("the server does not listen; its log:\n{}", self.log_text());
            }
            pause();
        }
        Ok(())
    }

    /// It listens before its database is brought forward, and answers afterwards.
    fn answers(&self) -> bool {
        let asked = TcpStream::connect(self.address).and_then(|mut stream| {
            stream.set_read_timeout(Some(START))?;
            stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
            stream.read_exact(&mut [0])
        });
        asked.is_ok()
    }

    fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(program: &Path, variables: &[(String, String)], log: &Path) -> Result<Child> {
    let file = File::options().create(true).append(true).open(log)?;
    Command::new(program)
        .args(["serve", "--bench"])
        .envs(variables.iter().cloned())
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("could not start {}", program.display()))
}

/// Codes are made before they are paid, so they live longer than a page shows them; passwords of people who exist for
/// the bench alone cost nothing. Everything else is as in production.
fn variables(folder: &Path, database: Option<&str>, address: SocketAddr) -> Vec<(String, String)> {
    let mut variables = vec![
        ("DATA_FOLDER", folder.display().to_string()),
        ("SERVER__LISTEN", address.to_string()),
        ("CODES__SHOWN_SECONDS", "600".to_owned()),
        ("CODES__GRACE_SECONDS", "120".to_owned()),
        ("PASSWORDS__MEMORY_KIB", "8".to_owned()),
        ("PASSWORDS__PASSES", "1".to_owned()),
        ("LOG__FILTER", "warn".to_owned()),
    ];
    if let Some(database) = database {
        variables.push(("DATABASE__URL", database.to_owned()));
    }
    variables
        .into_iter()
        .map(|(name, value)| (format!("ONESCAN__{name}"), value))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "the server tells nobody when it listens")]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}
