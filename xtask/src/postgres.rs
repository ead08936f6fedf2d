//! A private PostgreSQL: for one run of the tests, or left running for development.
//!
//! Its folder lies under /var/tmp, because PostgreSQL refuses to run as root and the user it then runs as
//! may not be allowed to read the workspace. It listens on 127.0.0.1 alone and trusts everyone there.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::shell;

/// What a commit waits for. `None` loses data when the machine stops, and is what throw-away data needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    Full,
    None,
}

/// The oldest release whose SQL we use.
const OLDEST_RELEASE: u32 = 15;

/// The user of Debian's package, taken when we are root.
const SERVER_USER: &str = "postgres";

const START_ATTEMPTS: u32 = 5;

/// Waits until the pipe from us closes, however we ended, then stops the server by the process id in its
/// folder and removes the folder. $1: programs of PostgreSQL, $2: the cluster's folder.
const GUARD: &str = r#"
trap '' HUP INT TERM
cat >/dev/null
"$1/pg_ctl" --pgdata "$2/data" --mode fast --silent stop >/dev/null 2>&1
rm -rf "$2"
"#;

/// A cluster on disk; it runs after `start` and until `stop`.
#[derive(Debug)]
struct Cluster {
    folder: PathBuf,
    port: u16,
}

/// A running cluster that ends with this value, and also when this process is killed.
#[derive(Debug)]
pub struct GuardedCluster {
    cluster: Cluster,
    guard: Child,
}

impl GuardedCluster {
    /// Makes an empty cluster and starts it. Costs about two seconds.
    pub fn start(durability: Durability) -> Result<Self> {
        let folder = make_folder()?;
        let guard = server_user_command(Path::new("sh"))?
            .args(["-c", GUARD, "sh"])
            .arg(find_programs()?)
            .arg(&folder)
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("could not start the guard of the test database")?;
        let mut guarded = Self {
            cluster: Cluster { folder, port: 0 },
            guard,
        };
        guarded.cluster.initialise(durability)?;
        guarded.cluster.start()?;
        eprintln!(
            "PostgreSQL for this run: {} in {}",
            guarded.url(),
            guarded.cluster.folder.display()
        );
        Ok(guarded)
    }

    /// Connection parameters as `tokio-postgres` and `libpq` read them.
    pub fn url(&self) -> String {
        self.cluster.url()
    }
}

impl Drop for GuardedCluster {
    /// Keeps the server's log, which a failed test may need, and waits until the server is gone.
    fn drop(&mut self) {
        let kept = shell::tools_folder().join("postgres.log");
        if let Err(error) = fs::copy(self.cluster.log(), &kept)
            && error.kind() != ErrorKind::NotFound
        {
            eprintln!("could not keep the log of PostgreSQL as {}: {error}", kept.display());
        }
        drop(self.guard.stdin.take());
        if let Err(error) = self.guard.wait() {
            eprintln!("could not wait for PostgreSQL to stop: {error}");
        }
    }
}

/// `cargo xtask db start`: prints the address on standard output. A cluster that is there keeps its data and its
/// durability; it is only started if it does not run.
pub fn start(durability: Durability) -> Result<()> {
    let mut cluster = match Cluster::of_developer()? {
        Some(cluster) => cluster,
        None => {
            let cluster = Cluster {
                folder: make_folder()?,
                port: 0,
            };
            cluster.initialise(durability)?;
            cluster
        }
    };
    if !cluster.is_running() {
        cluster.start()?;
        cluster.remember()?;
    }
    eprintln!(
        "PostgreSQL runs in {}; `cargo xtask db stop` ends it",
        cluster.folder.display()
    );
    println!("{}", cluster.url());
    Ok(())
}

/// `cargo xtask db stop`: nothing to stop is not an error.
pub fn stop() -> Result<()> {
    let Some(cluster) = Cluster::of_developer()? else {
        eprintln!("there is no PostgreSQL to stop");
        return Ok(());
    };
    if cluster.is_running() {
        cluster.control(&["stop", "--wait", "--mode", "fast"])?;
    }
    fs::remove_dir_all(&cluster.folder).with_context(|| format!("could not remove {}", cluster.folder.display()))?;
    fs::remove_file(note())?;
    eprintln!("stopped, and {} removed", cluster.folder.display());
    Ok(())
}

/// `cargo xtask db url`.
pub fn print_url() -> Result<()> {
    match Cluster::of_developer()?.filter(Cluster::is_running) {
        Some(cluster) => println!("{}", cluster.url()),
        None => bail!("no PostgreSQL runs; start one with `cargo xtask db start`"),
    }
    Ok(())
}

/// The folder that holds `initdb` and `pg_ctl`: the newest of Debian's, else what `pg_config` names.
pub fn find_programs() -> Result<PathBuf> {
    let newest_of_debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse::<u32>().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(release, programs)| *release >= OLDEST_RELEASE && programs.join("initdb").is_file())
        .max();
    if let Some((_, programs)) = newest_of_debian {
        return Ok(programs);
    }
    let programs = PathBuf::from(shell::output(Command::new("pg_config").arg("--bindir"))?);
    if !programs.join("initdb").is_file() {
        bail!("no PostgreSQL server of release {OLDEST_RELEASE} or newer; run `cargo xtask install`");
    }
    Ok(programs)
}

impl Cluster {
    /// The cluster of `db start`, unless its folder is gone.
    fn of_developer() -> Result<Option<Self>> {
        let Ok(text) = fs::read_to_string(note()) else {
            return Ok(None);
        };
        let Some((port, folder)) = text.trim_end().split_once(' ') else {
            return Ok(None);
        };
        let cluster = Self {
            folder: folder.into(),
            port: port.parse()?,
        };
        Ok(cluster.folder.exists().then_some(cluster))
    }

    /// The folder names a living process and the port answers; after a crash another program may have either.
    fn is_running(&self) -> bool {
        self.control(&["status"]).is_ok() && TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    fn remember(&self) -> Result<()> {
        fs::create_dir_all(shell::tools_folder())?;
        fs::write(note(), format!("{} {}\n", self.port, self.folder.display()))?;
        Ok(())
    }

    fn url(&self) -> String {
        format!("host=127.0.0.1 port={} user={SERVER_USER} dbname=postgres", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn initialise(&self, durability: Durability) -> Result<()> {
        let initdb = find_programs()?.join("initdb");
        shell::output(
            server_user_command(&initdb)?
                .args([
                    "--username",
                    SERVER_USER,
                    "--auth",
                    "trust",
                    "--encoding",
                    "UTF8",
                    "--locale",
                    "C",
                    "--no-sync",
                ])
                .arg("--pgdata")
                .arg(self.data()),
        )?;
        let settings = self.data().join("postgresql.conf");
        OpenOptions::new()
            .append(true)
            .open(&settings)
            .and_then(|mut file| file.write_all(settings_text(durability).as_bytes()))
            .with_context(|| format!("could not write {}", settings.display()))
    }

    /// Another program may take the free port before the server does; then the next one is tried.
    fn start(&mut self) -> Result<()> {
        let log = self.log();
        for _ in 0..START_ATTEMPTS {
            self.port = free_port()?;
            let port = format!("--port={}", self.port);
            let log = log.to_string_lossy();
            if self
                .control(&["start", "--wait", "--timeout", "60", "--log", &log, "--options", &port])
                .is_ok()
            {
                return Ok(());
            }
        }
        let said = fs::read_to_string(&log).unwrap_or_default();
        bail!("PostgreSQL did not start; its log:\n{said}")
    }

    fn control(&self, arguments: &[&str]) -> Result<()> {
        let status = server_user_command(&find_programs()?.join("pg_ctl"))?
            .args(arguments)
            .arg("--pgdata")
            .arg(self.data())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            bail!("`pg_ctl {}` failed ({status})", arguments.join(" "));
        }
        Ok(())
    }
}

/// Where `db start` notes port and folder.
fn note() -> PathBuf {
    shell::tools_folder().join("postgres")
}

/// A new folder that belongs to the user who runs the server.
fn make_folder() -> Result<PathBuf> {
    let mut mktemp = server_user_command(Path::new("mktemp"))?;
    let folder = shell::output(mktemp.args(["--directory", "/var/tmp/onescan-postgres.XXXXXX"]))?;
    Ok(folder.into())
}

/// PostgreSQL refuses to run as root.
fn server_user_command(program: &Path) -> Result<Command> {
    let mut command = if shell::is_root()? {
        let mut command = Command::new("runuser");
        command.args(["-u", SERVER_USER, "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    Ok(command)
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("could not find a free port")?;
    Ok(listener.local_addr()?.port())
}

fn settings_text(durability: Durability) -> String {
    let mut settings = String::from(
        "\n# Added for development and tests.\n\
         listen_addresses = '127.0.0.1'\n\
         unix_socket_directories = ''\n\
         max_connections = 200\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n",
    );
    if durability == Durability::None {
        settings.push_str("fsync = off\nfull_page_writes = off\nwal_level = minimal\nmax_wal_senders = 0\n");
    }
    settings
}
