//! Installs what the tests need and the machine lacks. Quick when nothing is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{postgres, shell};

/// How we see that the content of a Debian package is there, however it came.
enum Proof {
    Program(&'static str),
    File(&'static str),
    PostgresServer,
    /// A line of Python that fails without it.
    Python(&'static str),
}

const PACKAGES: &[(&str, Proof)] = &[
    ("postgresql", Proof::PostgresServer),
    ("zbar-tools", Proof::Program("zbarimg")),
    ("librsvg2-bin", Proof::Program("rsvg-convert")),
    ("chromium", Proof::Program("chromium")),
    ("chromium-driver", Proof::Program("chromedriver")),
    ("poppler-utils", Proof::Program("pdftotext")),
    ("qpdf", Proof::Program("qpdf")),
    (
        "fonts-wqy-microhei",
        Proof::File("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"),
    ),
    (
        "fonts-noto-core",
        Proof::File("/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf"),
    ),
    ("python3", Proof::Program("python3")),
    ("python3-venv", Proof::Python("import ensurepip, venv")),
    // The last two: some Python packages of the tests come as source.
    (
        "python3-dev",
        Proof::Python("import os, sysconfig; os.stat(sysconfig.get_path('include') + '/Python.h')"),
    ),
    ("g++", Proof::Program("c++")),
];

const ATTEMPTS: u32 = 3;

/// Installs Debian packages, the Python packages of `xtask/requirements.txt`, rustfmt, clippy and cargo-nextest.
///
/// Changes nothing where all is there. Debian packages need root and `apt-get`; without them the
/// error names the packages, so that they can be installed by hand.
pub fn install() -> Result<()> {
    install_debian_packages()?;
    install_python_packages()?;
    install_component("rustfmt", "fmt")?;
    install_component("clippy", "clippy")?;
    install_cargo_tool("cargo-nextest", "nextest")
}

/// The Python that has the packages of `xtask/requirements.txt`.
pub fn python() -> PathBuf {
    environment().join("bin/python")
}

fn environment() -> PathBuf {
    shell::tools_folder().join("venv")
}

fn is_present(proof: &Proof) -> bool {
    match proof {
        Proof::Program(name) => shell::find_program(name).is_some(),
        Proof::File(path) => Path::new(path).exists(),
        Proof::PostgresServer => postgres::find_programs().is_ok(),
        Proof::Python(line) => shell::output(Command::new("python3").args(["-c", line])).is_ok(),
    }
}

fn missing_packages() -> Vec<&'static str> {
    PACKAGES
        .iter()
        .filter(|(_, proof)| !is_present(proof))
        .map(|(name, _)| *name)
        .collect()
}

fn install_debian_packages() -> Result<()> {
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    install_with_apt(&missing)?;
    let still_missing = missing_packages();
    if !still_missing.is_empty() {
        bail!(
            "apt-get installed {}, yet their programs or files are not where the tests look for them",
            still_missing.join(" ")
        );
    }
    Ok(())
}

fn install_with_apt(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    if shell::find_program("apt-get").is_none() {
        bail!("the tests need the content of these Debian packages: {names}; without apt-get here, install it by hand");
    }
    if !shell::is_root()? {
        bail!("only root may install the Debian packages that the tests need; run: sudo apt-get install {names}");
    }
    retry(|| {
        shell::run(&mut apt_get(&["update"]))?;
        shell::run(apt_get(&["install", "--yes", "--no-install-recommends"]).args(packages))
    })
    .with_context(|| format!("could not install {names}; is there a network? Then run `cargo xtask install` again"))
}

/// Waits for another apt instead of failing, asks no question and says only what went wrong.
fn apt_get(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(["-o", "Acquire::Retries=3"])
        .args(["--quiet", "--quiet"])
        .stdout(Stdio::null())
        .args(arguments);
    command
}

/// The copy of `requirements.txt` inside the environment tells what it was made from: equal means
/// nothing to do, different means it is made anew, so that no package of an older list stays.
fn install_python_packages() -> Result<()> {
    let requirements = shell::root().join("xtask/requirements.txt");
    let wanted =
        fs::read_to_string(&requirements).with_context(|| format!("could not read {}", requirements.display()))?;
    let stamp = environment().join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == wanted)
        && shell::output(Command::new(python()).arg("--version")).is_ok()
    {
        return Ok(());
    }
    let mut make = Command::new("python3");
    shell::run(make.args(["-m", "venv", "--clear"]).arg(environment()))?;
    retry(|| {
        let mut pip = Command::new(python());
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        shell::run(pip.arg("--requirement").arg(&requirements))
    })
    .context("could not install the Python packages of xtask/requirements.txt; is there a network?")?;
    fs::write(&stamp, wanted).with_context(|| format!("could not write {}", stamp.display()))
}

/// A part of the toolchain that a minimal rustup leaves out, and the cargo command it brings.
fn install_component(component: &str, command: &str) -> Result<()> {
    if shell::output(&mut shell::cargo(&[command, "--version"])).is_ok() {
        return Ok(());
    }
    shell::run(Command::new("rustup").args(["component", "add", component]))
        .with_context(|| format!("this toolchain has no {component}; install it in the toolchain's own way"))
}

/// `package` brings the cargo command `command`; a version that is there stays.
pub fn install_cargo_tool(package: &str, command: &str) -> Result<()> {
    if shell::output(&mut shell::cargo(&[command, "--version"])).is_ok() {
        return Ok(());
    }
    retry(|| shell::run(&mut shell::cargo(&["install", package, "--locked"])))
        .with_context(|| format!("could not install {package}; is there a network?"))
}

/// Networks fail for a while: three attempts, with a pause that grows.
#[expect(clippy::disallowed_methods, reason = "there is no event to wait for")]
fn retry(action: impl Fn() -> Result<()>) -> Result<()> {
    for attempt in 1..ATTEMPTS {
        match action() {
            Ok(()) => return Ok(()),
            Err(error) => eprintln!("{error:#}; trying again"),
        }
        std::thread::sleep(Duration::from_secs(5 * u64::from(attempt)));
    }
    action()
}
