//! What the program takes from the machine: time, randomness, and its secret.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use onescan_platforms::env::{Clock, Entropy, Env, IdOrder, Secret, hex};

use crate::config::{Config, secret_bytes};

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the program reads the time"
    )]
    fn now_ms(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The system's random source, read some kilobytes at a time: a call to the system per id would be most of its cost.
pub struct SystemEntropy(Mutex<Pool>);

struct Pool {
    bytes: [u8; POOL_BYTES],
    used: usize,
}

const POOL_BYTES: usize = 4_096;

impl std::fmt::Debug for SystemEntropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SystemEntropy")
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self(Mutex::new(Pool {
            bytes: [0; POOL_BYTES],
            used: POOL_BYTES,
        }))
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() > POOL_BYTES {
            return draw(bytes);
        }
        if pool.used + bytes.len() > POOL_BYTES {
            draw(&mut pool.bytes);
            pool.used = 0;
        }
        let from = pool.used;
        pool.used += bytes.len();
        let taken = &mut pool.bytes[from..from + bytes.len()];
        bytes.copy_from_slice(taken);
        // What was handed out is not kept.
        taken.fill(0);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the program draws random bytes"
)]
fn draw(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system has a random source");
}

/// The environment of the use cases on this machine.
pub fn system(secret: Secret, shared_buckets: u16) -> Env {
    Env {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy::default()),
        secret,
        ids: IdOrder::default(),
        shared_buckets,
    }
}

/// Where the secret lies that the program made itself.
pub fn secret_path(config: &Config) -> PathBuf {
    config.data_folder.join("secret.key")
}

/// The configured secret, else the data folder's, which is made when there is none yet.
pub fn secret(config: &Config) -> Result<Secret> {
    if let Some(secret) = &config.secret {
        return Ok(secret.clone());
    }
    let path = secret_path(config);
    match read_secret(&path)? {
        Some(secret) => Ok(secret),
        None => make_secret(&path),
    }
}

/// `None` when there is no such file.
pub fn read_secret(path: &Path) -> Result<Option<Secret>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    match secret_bytes(&text) {
        Some(bytes) => Ok(Some(Secret::new(bytes))),
        None => bail!("{} does not hold 64 hexadecimal digits", path.display()),
    }
}

/// Whether anybody but the owner may read the file.
pub fn others_may_read(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// Writes beside the place and links it there, so that nobody ever reads half a secret and two starts agree on one.
fn make_secret(path: &Path) -> Result<Secret> {
    let mut bytes = [0; 32];
    draw(&mut bytes);
    let mut mark = [0; 8];
    draw(&mut mark);
    let draft = path.with_extension(hex(&mark));
    let written = write_private(&draft, &format!("{}\n", hex(&bytes)));
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    // Nobody needs the draft any more, whatever came of it.
    let _ = fs::remove_file(&draft);
    match linked {
        Ok(()) => Ok(Secret::new(bytes)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let kept = read_secret(path)?;
            kept.with_context(|| format!("{} went away", path.display()))
        }
        Err(error) => Err(error).with_context(|| format!("{} cannot be written", path.display())),
    }
}

/// Makes a file that only its owner may read, and waits until the disk has it.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_are_handed_out_twice() {
        let entropy = SystemEntropy::default();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1_000 {
            let mut bytes = [0; 24];
            entropy.fill(&mut bytes);
            assert!(seen.insert(bytes));
        }
        let mut many = vec![0; POOL_BYTES + 1];
        entropy.fill(&mut many);
        assert!(many.iter().any(|byte| *byte != 0));
    }

    #[test]
    fn the_secret_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data_folder: folder.path().to_owned(),
            ..Config::default()
        };
        let first = secret(&config).unwrap().derive("x");
        assert_eq!(secret(&config).unwrap().derive("x"), first);
        let path = secret_path(&config);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::write(&path, "not a secret").unwrap();
        assert!(secret(&config).is_err());
    }
}
