//! From (bucket, time slot, number) to fifteen digits and back, so that every server finds a code's bucket and rows
//! without a look-up, and an outsider sees noise.
//!
//! FF1 format-preserving encryption (NIST SP 800-38G) with AES-256 over fifteen decimal digits. The key's number stands in
//! front of the digits, so that keys can be changed while older codes still live.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes256, Block};
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
pub const NUMBERS: u64 = BODIES / BUCKETS as u64 / SLOTS as u64;

/// What fifteen digits carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodePlace {
    pub bucket: Bucket,
    /// Time slots since 1970.
    pub slot: i64,
    /// `0..NUMBERS`. Neighbours have nothing in common once they are digits.
    pub number: u64,
}

pub struct CodeCipher {
    prefix: u8,
    ff1: Ff1,
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
            ff1: Ff1::new(key),
        }
    }

    pub fn encrypt(&self, place: CodePlace) -> CodeText {
        let slot = place.slot.rem_euclid(SLOTS) as u64;
        let slots = u64::from(place.bucket.number()) * SLOTS as u64 + slot;
        let body = self.ff1.encrypt(slots * NUMBERS + place.number % NUMBERS);
        CodeText::from_parts(self.prefix, body)
    }

    /// `None` when the digits were never made with this key: a foreign prefix or a number outside the places. `now_slot` tells
    /// which round of slots is meant.
    pub fn decrypt(&self, code: &CodeText, now_slot: i64) -> Option<CodePlace> {
        if code.prefix() != self.prefix {
            return None;
        }
        let place = self.ff1.decrypt(code.body());
        let (rest, number) = (place / NUMBERS, place % NUMBERS);
        let bucket = u16::try_from(rest / SLOTS as u64).ok().and_then(Bucket::new)?;
        let latest = now_slot + SLOTS_AHEAD;
        let slot = latest - (latest - (rest % SLOTS as u64) as i64).rem_euclid(SLOTS);
        Some(CodePlace { bucket, slot, number })
    }
}

/// FF1 for exactly fifteen decimal digits without a tweak: every number fits a machine word, so that a code costs ten
/// blocks of AES and no memory. Names as in the standard, section 5.1.
struct Ff1 {
    aes: Aes256,
    /// The first block of every round's input, P, already encrypted.
    first: Block,
}

const ROUNDS: u8 = 10;
/// 10^u and 10^v: the digits are cut into seven and eight.
const HALVES: [u64; 2] = [10_000_000, 100_000_000];
/// Version, method, addition, radix (3 bytes), rounds, u, length (4 bytes), length of the tweak (4 bytes).
const P: [u8; 16] = [1, 2, 1, 0, 0, 10, ROUNDS, 7, 0, 0, 0, 15, 0, 0, 0, 0];

impl Ff1 {
    fn new(key: &[u8; 32]) -> Self {
        let aes = Aes256::new(key.into());
        let mut first = Block::from(P);
        aes.encrypt_block(&mut first);
        Self { aes, first }
    }

    fn encrypt(&self, number: u64) -> u64 {
        let (mut a, mut b) = (number / HALVES[1], number % HALVES[1]);
        for round in 0..ROUNDS {
            let modulus = HALVES[usize::from(round % 2)];
            (a, b) = (b, (a + self.pad(round, b) % modulus) % modulus);
        }
        a * HALVES[1] + b
    }

    fn decrypt(&self, number: u64) -> u64 {
        let (mut a, mut b) = (number / HALVES[1], number % HALVES[1]);
        for round in (0..ROUNDS).rev() {
            let modulus = HALVES[usize::from(round % 2)];
            (b, a) = (a, (b + modulus - self.pad(round, a) % modulus) % modulus);
        }
        a * HALVES[1] + b
    }

    /// The eight bytes S of a round. `half`: below 10^8, so that it fits four bytes of Q.
    fn pad(&self, round: u8, half: u64) -> u64 {
        let mut block = self.first;
        block[11] ^= round;
        for (byte, half) in block[12..].iter_mut().zip((half as u32).to_be_bytes()) {
            *byte ^= half;
        }
        self.aes.encrypt_block(&mut block);
        block[..8].iter().fold(0, |pad, byte| pad << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use fpe::ff1::{FF1, FlexibleNumeralString};

    use super::*;

    #[test]
    fn s08_digits_lead_back_to_their_place_within_two_days() {
        let cipher = CodeCipher::new(28, &[7; 32]);
        for number in 0..200u64 {
            let place = CodePlace {
                bucket: Bucket::new((number * 61 % 4096) as u16).unwrap(),
                slot: 897_000_000 + number as i64 * 311,
                number: number * 12_007 % NUMBERS,
            };
            let code = cipher.encrypt(place);
            for later in [-10, 0, 40, 80_000] {
                assert_eq!(cipher.decrypt(&code, place.slot + later), Some(place));
            }
        }
    }

    /// Codes of older servers must be read, so the digits are those of the standard, here from another's hand.
    #[test]
    fn s08_digits_are_those_of_the_standard() {
        let (ours, theirs) = (Ff1::new(&[7; 32]), FF1::<Aes256>::new(&[7; 32], 10).unwrap());
        let mut number = 1;
        for _ in 0..500 {
            number = (number * 6_364_136_223_846_793_005_u128 + 1_442_695_040_888_963_407) % u128::from(BODIES);
            let text = format!("{number:015}");
            let digits: Vec<u16> = text.bytes().map(|digit| u16::from(digit - b'0')).collect();
            let sealed: Vec<u16> = theirs
                .encrypt(&[], &FlexibleNumeralString::from(digits))
                .unwrap()
                .into();
            let sealed = sealed.iter().fold(0, |sum, digit| sum * 10 + u64::from(*digit));
            assert_eq!(ours.encrypt(number as u64), sealed);
            assert_eq!(ours.decrypt(sealed), number as u64);
        }
    }

    #[test]
    fn s08_another_key_or_prefix_finds_nothing_of_it() {
        let place = CodePlace {
            bucket: Bucket::new(5).unwrap(),
            slot: 897_000_000,
            number: 9,
        };
        let code = CodeCipher::new(28, &[7; 32]).encrypt(place);
        assert_eq!(CodeCipher::new(27, &[7; 32]).decrypt(&code, place.slot), None);
        assert_ne!(CodeCipher::new(28, &[8; 32]).decrypt(&code, place.slot), Some(place));
    }

    #[test]
    fn s22_neighbouring_codes_do_not_look_alike() {
        let cipher = CodeCipher::new(28, &[7; 32]);
        let at = |number| {
            cipher.encrypt(CodePlace {
                bucket: Bucket::new(5).unwrap(),
                slot: 897_000_000,
                number,
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
