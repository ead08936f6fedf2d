//! The same server with every platform in a process of its own, on the same data and the same processors (row S21).

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use super::machine::now;
use super::server::{START, pause};
use crate::shell;

/// Processes that are platforms for the server; they end with this value.
#[derive(Debug, Default)]
pub struct Services {
    children: Vec<Child>,
    /// What the server that uses them is told.
    pub variables: Vec<(String, String)>,
}

const PLATFORMS: [&str; 4] = ["codes", "profiles", "payments", "invoicing"];

impl Services {
    /// Starts one process a platform. `variables`: those of the server whose data they share.
    pub fn start(folder: &Path, variables: &[(String, String)]) -> Result<Self> {
        let mut services = Self::default();
        services.tell("ALLOW_PLAIN_LOOPBACK", "true");
        for platform in PLATFORMS {
            let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let log = std::fs::File::create(folder.join(format!("{platform}.log")))?;
            let mut command = Command::new(shell::root().join("target/release/onescan"));
            command.args([
                "serve",
                "--only",
                platform,
                "--listen",
                &address.to_string(),
                "--no-migrate",
            ]);
            command
                .envs(variables.iter().cloned())
                .envs(services.variables.iter().cloned());
            let child = command
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn();
            services
                .children
                .push(child.with_context(|| format!("could not start the service of {platform}"))?);
            services.wait(platform, address)?;
            services.tell(&platform.to_uppercase(), &format!("http://{address}"));
        }
        Ok(services)
    }

    fn tell(&mut self, key: &str, value: &str) {
        self.variables
            .push((format!("ONESCAN__PLATFORMS__{key}"), value.to_owned()));
    }

    fn wait(&mut self, platform: &str, address: SocketAddr) -> Result<()> {
        let started = now();
        while TcpStream::connect(address).is_err() {
            let child = self.children.last_mut().context("a service was just started")?;
            if let Some(status) = child.try_wait()? {
                bail!("the service of {platform} ended ({status}); see {platform}.log beside the data");
            }
            if now() - started > START {
                bail!("the service of {platform} does not listen");
            }
            pause();
        }
        Ok(())
    }

    pub fn processes(&self) -> impl Iterator<Item = u32> {
        self.children.iter().map(Child::id)
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself; then there is nothing to kill.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
