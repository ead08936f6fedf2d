//! What use cases take from outside: time, randomness, secrets, and where new tenants live.

use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use jiff::tz::TimeZone;
use onescan_domain::bucket::Bucket;
use onescan_domain::calendar::{Date, LocalTime};
use onescan_domain::ids::RawId;
use sha2::{Digest, Sha256};

/// Milliseconds since 1970. The program has one; tests turn their own.
pub trait Clock: Send + Sync {
    fn now_ms(&self) -> i64;
}

/// Unpredictable bytes, of a quality fit for keys.
pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

/// The server's master secret; every key is derived from it under a name of its own.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl Secret {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key for one purpose. `purpose` is part of the stored data's meaning: never change one in use.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        mac(&self.0, &[purpose.as_bytes()])
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Numbers the ids of one millisecond, so that lists show them in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub struct IdOrder(Arc<Mutex<(i64, u32)>>);

impl IdOrder {
    /// How many ids of this millisecond were made before, where they followed each other.
    fn next(&self, now_ms: i64) -> u32 {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = if last.0 == now_ms { last.1 } else { 0 };
        *last = (now_ms, made.wrapping_add(1));
        made
    }
}

/// Of the 68 bits of an id that tell those of a millisecond apart, the lowest are random; the others count.
const RANDOM_BITS: u32 = 48;

/// Everything of the above in one handle; cheap to clone.
#[derive(Clone)]
pub struct Env {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub secret: Secret,
    pub ids: IdOrder,
    /// How many buckets people and small institutions share; `1..=4096`, fixed when the database is made.
    pub shared_buckets: u16,
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env")
            .field("shared_buckets", &self.shared_buckets)
            .finish_non_exhaustive()
    }
}

impl Env {
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// A fresh id in `bucket`, wrapped in the caller's kind: `PaymentId::new(env.id(bucket))`.
    pub fn id(&self, bucket: Bucket) -> RawId {
        let now = self.now_ms();
        let random = u128::from(u64::from_be_bytes(self.bytes())) & ((1 << RANDOM_BITS) - 1);
        RawId::from_parts(now, bucket, u128::from(self.ids.next(now)) << RANDOM_BITS | random)
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// The shared bucket a text leads to: the same text always to the same one.
    pub fn bucket_of(&self, text: &str) -> Bucket {
        let hash = Sha256::digest(text.as_bytes());
        let first = hash[..8].try_into().expect("a digest has 32 bytes");
        Bucket::of_hash(u64::from_be_bytes(first), self.shared_buckets)
    }

    /// A shared bucket drawn at random, for whoever has no text of their own.
    pub fn any_bucket(&self) -> Bucket {
        Bucket::of_hash(u64::from_be_bytes(self.bytes()), self.shared_buckets)
    }
}

/// HMAC-SHA-256 over the parts, each preceded by its length, so that no two lists of parts meet.
pub fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Lower case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let mut text = String::with_capacity(bytes.len() * 2);
    text.extend(digits.map(|digit| char::from(DIGITS[usize::from(digit)])));
    text
}

/// SHA-256 over the parts as in [`mac`], as hexadecimal: the fingerprint of a request.
pub fn fingerprint(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

/// SHA-256 of bytes, as hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Milliseconds since 1970 as an instant; 1970 itself where no calendar reaches.
pub fn instant(at_ms: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// `at_ms` as seen on a clock in `zone` (IANA name); UTC when the name is not known to this program.
pub fn local_time(at_ms: i64, zone: &str) -> LocalTime {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let local = instant(at_ms).to_zoned(zone);
    let epoch = jiff::civil::date(1970, 1, 1);
    let days = local.date().since(epoch).map_or(0, |span| span.get_days());
    LocalTime {
        day: days,
        month: (i32::from(local.year()) - 1970) * 12 + i32::from(local.month()) - 1,
        minute: local.hour() as u16 * 60 + local.minute() as u16,
    }
}

/// The first instant of a day in `zone` (IANA name); UTC when the name is not known to this program. Where the clocks are
/// put forward at midnight, the first instant there is.
pub fn midnight(date: Date, zone: &str) -> i64 {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let first = jiff::civil::date(date.year() as i16, date.month() as i8, date.day() as i8).to_zoned(zone);
    first.map_or(0, |first| first.timestamp().as_millisecond())
}

/// Whether `zone` is an IANA time zone name this program knows.
pub fn is_time_zone(zone: &str) -> bool {
    TimeZone::get(zone).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_counts_in_the_zone() {
        // 2026-11-22 17:30 UTC is a Sunday; in Shanghai it is Monday 01:30.
        let at = 1_795_368_600_000;
        let utc = local_time(at, "UTC");
        let shanghai = local_time(at, "Asia/Shanghai");
        assert_eq!((utc.weekday(), utc.minute), (7, 17 * 60 + 30));
        assert_eq!((shanghai.weekday(), shanghai.minute), (1, 90));
        assert_eq!(shanghai.day, utc.day + 1);
        assert_eq!(shanghai.month, 56 * 12 + 10);
    }
}
