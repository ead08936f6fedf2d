//! Where the workspace is, and how a command is run and timed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The workspace: the folder above this crate.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is a folder of the workspace")
}

/// What `install` and `db` keep between runs. Never committed; may be deleted at any time.
pub fn tools_folder() -> PathBuf {
    root().join("target/test-tools")
}

/// A cargo command in the workspace, run by the cargo that runs us.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// Prints the command, runs it with our own output, and fails unless it ended with 0.
pub fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", describe(command));
    let status = command
        .status()
        .with_context(|| format!("could not start `{}`", describe(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", describe(command));
    }
    Ok(())
}

/// Runs the command silently; what it said stands in the error when it fails.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not start `{}`", describe(command)))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!(
            "`{}` failed ({}):\n{}",
            describe(command),
            output.status,
            String::from_utf8_lossy(&said).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// The first file of this name on PATH.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// Whether this process may install packages and must give up its rights to run PostgreSQL.
pub fn is_root() -> Result<bool> {
    Ok(output(Command::new("id").arg("-u"))? == "0")
}

/// Set by continuous integration. The tests skip nothing then.
pub fn is_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The steps of a command with the time each took.
#[derive(Debug, Default)]
pub struct Steps {
    taken: Vec<(&'static str, Duration)>,
}

impl Steps {
    /// Runs one step and remembers its time, also when it fails.
    #[expect(clippy::disallowed_methods, reason = "a stopwatch for the developer")]
    pub fn run<T>(&mut self, name: &'static str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("── {name}");
        let started = Instant::now();
        let result = step();
        let elapsed = started.elapsed();
        eprintln!("── {name}: {:.1} s", elapsed.as_secs_f64());
        self.taken.push((name, elapsed));
        result.with_context(|| format!("the step `{name}` failed"))
    }

    /// One line per step and the sum.
    pub fn print_times(&self) {
        for (name, elapsed) in &self.taken {
            eprintln!("{name:>14} {:>8.1} s", elapsed.as_secs_f64());
        }
        let total: Duration = self.taken.iter().map(|(_, elapsed)| *elapsed).sum();
        eprintln!("{:>14} {:>8.1} s", "together", total.as_secs_f64());
    }
}
