//! Identifiers: 128 bits, ordered by time, with the bucket inside, so that an id alone leads to its rows.
//!
//! Layout from the top: 48 bits of milliseconds since 1970, 12 bits of bucket, 68 random bits. As text: 26 letters of
//! Crockford's base 32 in lower case, with a prefix that names the kind (`pay_01j…`). The database holds the 26 letters.

use std::fmt;
use std::str::FromStr;

use crate::bucket::Bucket;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const NO_DIGIT: u8 = 0xff;
/// What each byte stands for, in either case of letters.
const DIGITS: [u8; 256] = digits();
const RANDOM_BITS: u32 = 68;
/// Letters in the text form of an id, without prefix.
pub const ID_LETTERS: usize = 26;

const fn digits() -> [u8; 256] {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        digits[ALPHABET[value] as usize] = value as u8;
        digits[ALPHABET[value].to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    digits
}

/// The number inside every id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawId(u128);

/// Text that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ and 26 letters or digits")]
pub struct IdError {
    pub prefix: &'static str,
}

impl RawId {
    /// `at_ms`: milliseconds since 1970, cut to 48 bits. `random`: its lowest 68 bits are used.
    pub fn from_parts(at_ms: i64, bucket: Bucket, random: u128) -> Self {
        let time = u128::from(at_ms.max(0) as u64 & 0xffff_ffff_ffff);
        let random = random & ((1 << RANDOM_BITS) - 1);
        Self(time << 80 | u128::from(bucket.number()) << RANDOM_BITS | random)
    }

    pub fn bucket(self) -> Bucket {
        Bucket::new((self.0 >> RANDOM_BITS) as u16 & 0x0fff).expect("twelve bits are below 4096")
    }

    /// Milliseconds since 1970 at which the id was made.
    pub fn at_ms(self) -> i64 {
        (self.0 >> 80) as i64
    }

    /// Reads the 26 letters; upper case is accepted.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != ID_LETTERS {
            return None;
        }
        let digit = |letter: &u8| {
            Some(DIGITS[usize::from(*letter)])
                .filter(|digit| *digit != NO_DIGIT)
                .map(u64::from)
        };
        let fold = |letters: &[u8]| {
            letters
                .iter()
                .try_fold(0u64, |value, letter| Some(value << 5 | digit(letter)?))
        };
        // 26 letters carry 130 bits; the first may use only three of its five. Two halves fit a machine word each.
        let (first, rest) = text.as_bytes().split_at(2);
        let (high, low) = rest.split_at(12);
        let top = fold(first).filter(|top| *top < 1 << 8)?;
        Some(Self(
            u128::from(top) << 120 | u128::from(fold(high)?) << 60 | u128::from(fold(low)?),
        ))
    }

    pub fn number(self) -> u128 {
        self.0
    }
}

impl RawId {
    fn letters(self) -> [u8; ID_LETTERS] {
        let mut letters = [0u8; ID_LETTERS];
        let mut parts = [(self.0 >> 120) as u64, (self.0 >> 60) as u64, self.0 as u64];
        for (position, letter) in letters.iter_mut().enumerate().rev() {
            let part = &mut parts[(position + 10) / 12];
            *letter = ALPHABET[(*part & 31) as usize];
            *part >>= 5;
        }
        letters
    }

    /// The 26 letters, without the detour over a formatter: a payment has some thirty of them.
    fn stored(self) -> String {
        String::from_utf8(self.letters().to_vec()).expect("the alphabet is ASCII")
    }
}

impl fmt::Display for RawId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.letters()).expect("the alphabet is ASCII"))
    }
}

impl fmt::Debug for RawId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(RawId);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            pub fn new(raw: RawId) -> Self {
                Self(raw)
            }

            pub fn raw(self) -> RawId {
                self.0
            }

            pub fn bucket(self) -> Bucket {
                self.0.bucket()
            }

            /// The 26 letters as the database holds them, without the prefix.
            pub fn stored(self) -> String {
                self.0.stored()
            }

            /// Reads what [`Self::stored`] wrote.
            pub fn from_stored(text: &str) -> Result<Self, IdError> {
                RawId::parse(text).map(Self).ok_or(IdError { prefix: $prefix })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = IdError { prefix: $prefix };
                let letters = text.strip_prefix(concat!($prefix, "_")).ok_or(error.clone())?;
                RawId::parse(letters).map(Self).ok_or(error)
            }
        }
    )*};
}

ids! {
    PersonId = "per";
    ConsentId = "cns";
    InstitutionId = "ins";
    DepartmentId = "dep";
    MemberId = "mem";
    MerchantId = "mer";
    StoreId = "sto";
    TerminalId = "ter";
    /// A key of a terminal or a program; the secret behind it is stored only as a hash.
    KeyId = "key";
    SessionId = "ses";
    /// One service code, that of one access. Never printed in a code.
    CodeId = "cod";
    ScenarioId = "scn";
    ProfileId = "prf";
    AccountId = "acc";
    TransferId = "trf";
    PaymentId = "pay";
    RefundId = "ref";
    ChoiceId = "cho";
    /// An invoice or a credit note.
    InvoiceId = "inv";
    /// All rides of a period, invoiced once. Row R09.
    BillId = "bil";
    /// One document on its way to one receiver.
    DeliveryId = "dlv";
    EventId = "evt";
    /// A browser or phone that shows ride codes.
    RideDeviceId = "rdv";
    /// One record of a gate's journal.
    TapId = "tap";
    TravelTypeId = "tvt";
    /// A travel application, and the form made from it.
    ApplicationId = "app";
    ConsultationId = "cst";
    RideOrderId = "rid";
    /// A transit feed of a ride provider.
    FeedId = "fed";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_to_its_bucket_and_time() {
        let bucket = Bucket::new(4095).unwrap();
        let id = PaymentId::new(RawId::from_parts(1_790_000_000_123, bucket, u128::MAX));
        assert_eq!(id.bucket(), bucket);
        assert_eq!(id.raw().at_ms(), 1_790_000_000_123);
        assert_eq!(id.to_string().parse::<PaymentId>().unwrap(), id);
        assert_eq!(PaymentId::from_stored(&id.stored()).unwrap(), id);
    }

    #[test]
    fn later_ids_sort_after_earlier_ones_in_a_bucket() {
        let bucket = Bucket::new(7).unwrap();
        let early = RawId::from_parts(1_000, bucket, u128::MAX);
        let late = RawId::from_parts(1_001, bucket, 0);
        assert!(early.to_string() < late.to_string());
    }

    #[test]
    fn foreign_text_is_not_an_id() {
        for text in [
            "",
            "pay_",
            "acc_00000000000000000000000000",
            "pay_0000000000000000000000000u",
            "pay_z0000000000000000000000000",
        ] {
            assert!(text.parse::<PaymentId>().is_err(), "{text}");
        }
    }
}
