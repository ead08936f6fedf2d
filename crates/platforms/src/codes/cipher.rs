//! From (bucket, time slot, random number) to fifteen digits and back, so that every server finds a code's bucket and rows
//! without a look-up, and an outsider sees noise.
//!
//! FF1 format-preserving encryption (NIST SP 800-38G) with AES-256 over fifteen decimal digits. The key's number stands in
//! front of the digits, so that keys can be changed while older codes still live.

use aes::Aes256;
use fpe::ff1::{FF1, FlexibleNumeralString};
use onescan_domain::bucket::{BUCKETS, Bucket};
use onescan_domain::codes::CodeText;

/// Length of a time slot.
pub const SLOT_MS: i64 = 2_000;
/// Slots until their numbers come round again: 55 hours. A code must not be asked for longer than that.
pub const SLOTS: i64 = 100_000;
/// Slots a code may seem to come from the future, for servers whose clocks differ.
const SLOTS_AHEAD: i64 = 15;
const BODIES: u64 = 1_000_000_000_000_000;
/// Codes that can be told apart in one bucket and slot.
pub const RANDOMS: u64 = BODIES / BUCKETS as u64 / SLOTS as u64;

/// What fifteen digits carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodePlace {
    pub bucket: Bucket,
    /// Time slots since 1970.
    pub slot: i64,
    /// `0..RANDOMS`.
    pub random: u64,
}

pub struct CodeCipher {
    prefix: u8,
    ff1: FF1<Aes256>,
}

impl std::fmt::Debug for CodeCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodeCipher")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl CodeCipher {
    /// `prefix`: the two digits in front, `0..100`.
    pub fn new(prefix: u8, key: &[u8; 32]) -> Self {
        Self {
            prefix,
            ff1: FF1::new(key, 10).expect("ten is a radix of FF1"),
        }
    }

    pub fn encrypt(&self, place: CodePlace) -> CodeText {
        let slot = place.slot.rem_euclid(SLOTS) as u64;
        let number = (u64::from(place.bucket.number()) * SLOTS as u64 + slot) * RANDOMS + place.random % RANDOMS;
        CodeText::from_parts(self.prefix, self.permute(number, Direction::Encrypt))
    }

    /// `None` when the digits were never made with this key: a foreign prefix or a number outside the places. `now_slot` tells
    /// which round of slots is meant.
    pub fn decrypt(&self, code: &CodeText, now_slot: i64) -> Option<CodePlace> {
        if code.prefix() != self.prefix {
            return None;
        }
        let number = self.permute(code.body(), Direction::Decrypt);
        let (rest, random) = (number / RANDOMS, number % RANDOMS);
        let bucket = u16::try_from(rest / SLOTS as u64).ok().and_then(Bucket::new)?;
        let latest = now_slot + SLOTS_AHEAD;
        let slot = latest - (latest - (rest % SLOTS as u64) as i64).rem_euclid(SLOTS);
        Some(CodePlace { bucket, slot, random })
    }

    fn permute(&self, number: u64, direction: Direction) -> u64 {
        let mut rest = number;
        let mut digits = vec![0u16; 15];
        for digit in digits.iter_mut().rev() {
            *digit = (rest % 10) as u16;
            rest /= 10;
        }
        let digits = FlexibleNumeralString::from(digits);
        let permuted = match direction {
            Direction::Encrypt => self.ff1.encrypt(&[], &digits),
            Direction::Decrypt => self.ff1.decrypt(&[], &digits),
        };
        let permuted: Vec<u16> = permuted.expect("fifteen digits are within FF1's bounds").into();
        permuted.iter().fold(0, |number, digit| number * 10 + u64::from(*digit))
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Encrypt,
    Decrypt,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s08_digits_lead_back_to_their_place_within_two_days() {
        let cipher = CodeCipher::new(28, &[7; 32]);
        for number in 0..200u64 {
            let place = CodePlace {
                bucket: Bucket::new((number * 61 % 4096) as u16).unwrap(),
                slot: 897_000_000 + number as i64 * 311,
                random: number * 12_007 % RANDOMS,
            };
            let code = cipher.encrypt(place);
            for later in [-10, 0, 40, 80_000] {
                assert_eq!(cipher.decrypt(&code, place.slot + later), Some(place));
            }
        }
    }

    #[test]
    fn s08_another_key_or_prefix_finds_nothing_of_it() {
        let place = CodePlace {
            bucket: Bucket::new(5).unwrap(),
            slot: 897_000_000,
            random: 9,
        };
        let code = CodeCipher::new(28, &[7; 32]).encrypt(place);
        assert_eq!(CodeCipher::new(27, &[7; 32]).decrypt(&code, place.slot), None);
        assert_ne!(CodeCipher::new(28, &[8; 32]).decrypt(&code, place.slot), Some(place));
    }

    #[test]
    fn s22_neighbouring_codes_do_not_look_alike() {
        let cipher = CodeCipher::new(28, &[7; 32]);
        let at = |random| {
            cipher.encrypt(CodePlace {
                bucket: Bucket::new(5).unwrap(),
                slot: 897_000_000,
                random,
            })
        };
        let (one, two) = (at(1), at(2));
        let same = one.as_str()[2..]
            .bytes()
            .zip(two.as_str()[2..].bytes())
            .filter(|(a, b)| a == b)
            .count();
        assert!(same < 8, "{same} of 16 digits agree");
    }
}
