//! The built program, run as a user runs it: in a folder of its own, without the variables of whoever tests.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder in which the program runs.
#[derive(Debug)]
pub struct Program {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// The first thing it printed.
    pub said: Value,
    pub address: SocketAddr,
}

impl Program {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    /// An environment variable of every run.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.variables.push((name, value.to_owned()));
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onescan"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ONESCAN") {
                command.env_remove(name);
            }
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// The JSON that a successful run prints.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ran.status, 0, "{arguments:?}: {ran:#?}");
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {ran:#?}"))
    }

    /// Starts a server and waits until it says that it is ready. `arguments` without `--json`.
    #[track_caller]
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_logging(arguments, Stdio::inherit())
    }

    /// [`Self::start`] with a place for its log.
    #[track_caller]
    pub fn start_logging(&self, arguments: &[&str], log: Stdio) -> Running {
        let mut command = self.command(&[arguments, &["--json"]].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut said = String::new();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines {
            said.push_str(&line.unwrap());
            if let Ok(said) = serde_json::from_str::<Value>(&said) {
                let address = said["address"].as_str().unwrap().split_once("://").unwrap().1;
                let address = address.parse().unwrap();
                return Running { child, said, address };
            }
        }
        let status = child.wait().unwrap();
        panic!("{arguments:?} ended with {status}: {said}");
    }
}

impl Ran {
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Running {
    /// As when power fails: SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop with SIGTERM; returns its exit status.
    pub fn stop(mut self) -> i32 {
        let told = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
