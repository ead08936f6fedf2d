//! Passwords: Argon2id, a few at a time so that sign-ins cannot starve payments.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::env::Env;
use crate::error::{PlatformError, Result};

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefusal {
    #[error("use at least 8 characters")]
    TooShort,
    #[error("use at most 128 characters")]
    TooLong,
    #[error("it must not be your sign-in name")]
    SameAsLogin,
    #[error("this one is among the first that others would try")]
    Common,
}

/// Passwords of eight characters and more that head every list of guesses.
const COMMON: &[&str] = &[
    "12345678",
    "123456789",
    "1234567890",
    "password",
    "password1",
    "qwertyui",
    "qwerty123",
    "11111111",
    "00000000",
    "88888888",
    "66666666",
    "iloveyou",
    "1q2w3e4r",
    "asdfghjkl",
    "woaini1314",
    "5201314520",
    "a1234567",
    "abc12345",
];

#[derive(Clone)]
pub struct Passwords {
    env: Env,
    work: Argon2<'static>,
    running: Arc<Semaphore>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

impl Passwords {
    /// `memory_kib`, `passes`: Argon2id's cost; 19,456 and 2 is the least that production should use.
    pub fn new(env: Env, memory_kib: u32, passes: u32) -> Self {
        let params = Params::new(memory_kib, passes, 1, None).expect("the configuration checks Argon2's bounds");
        let work = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Self {
            env,
            work,
            running: Arc::new(Semaphore::new(2)),
        }
    }

    /// The hash to store, as a PHC string.
    pub async fn hash(&self, password: &str, login: &str) -> Result<Result<String, PasswordRefusal>> {
        if let Err(refusal) = check(password, login) {
            return Ok(Err(refusal));
        }
        let salt: [u8; 16] = self.env.bytes();
        let (work, password) = (self.work.clone(), password.to_owned());
        let hashed = self.run(move || {
            work.hash_password_with_salt(password.as_bytes(), &salt)
                .map(|hash| hash.to_string())
        });
        hashed.await?.map(Ok).map_err(PlatformError::internal)
    }

    /// Whether `password` belongs to `stored`. Without a stored hash it takes as long and says no.
    pub async fn verify(&self, password: &str, stored: Option<String>) -> Result<bool> {
        let (work, password) = (self.work.clone(), password.to_owned());
        let verified = self.run(move || match stored.as_deref().map(PasswordHash::new) {
            Some(Ok(hash)) => work.verify_password(password.as_bytes(), &hash).is_ok(),
            Some(Err(_)) | None => {
                // The time spent must not tell whether the name exists.
                drop(work.hash_password_with_salt(password.as_bytes(), b"no such sign-in!"));
                false
            }
        });
        verified.await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let _running = self.running.acquire().await.map_err(PlatformError::internal)?;
        tokio::task::spawn_blocking(work).await.map_err(PlatformError::internal)
    }
}

fn check(password: &str, login: &str) -> Result<(), PasswordRefusal> {
    match password.chars().count() {
        0..8 => Err(PasswordRefusal::TooShort),
        8..=128 if password.to_lowercase() == login => Err(PasswordRefusal::SameAsLogin),
        8..=128 if COMMON.contains(&password.to_lowercase().as_str()) => Err(PasswordRefusal::Common),
        8..=128 => Ok(()),
        129.. => Err(PasswordRefusal::TooLong),
    }
}
