//! Algorithms and keys. Ed25519 by default; P-256 for devices whose browser lacks it.

use ed25519_dalek::{Signer as _, Verifier as _};
use p256::ecdsa;
use sha2::{Digest, Sha256};

/// What signatures are made with, by its id in the header of a COSE message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// COSE -8, EdDSA with Ed25519.
    Ed25519,
    /// COSE -7, ES256: ECDSA with P-256 and SHA-256.
    P256,
}

/// SM2 with SM3 has no number in the COSE registry: this one is ours, of the range for private use. Reading it is refused
/// with an error of its own until the profile is built.
pub const SM2_ID: i64 = -65_794;

impl Algorithm {
    pub const ALL: [Self; 2] = [Self::Ed25519, Self::P256];

    pub fn cose_id(self) -> i64 {
        match self {
            Self::Ed25519 => -8,
            Self::P256 => -7,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::P256 => "p256",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// Names an issuer's key in a code: the first four bytes of the SHA-256 of its public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

/// Names a device or a gate's journal: the first eight bytes of the SHA-256 of its public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 8]);

impl Fingerprint {
    /// Sixteen hexadecimal digits in lower case.
    pub fn hex(self) -> String {
        hex(&self.0)
    }

    pub fn parse(text: &str) -> Option<Self> {
        unhex(text)?.try_into().ok().map(Self)
    }

    pub fn number(self) -> u64 {
        u64::from_be_bytes(self.0)
    }
}

impl KeyId {
    /// Eight hexadecimal digits in lower case.
    pub fn hex(self) -> String {
        hex(&self.0)
    }

    pub fn parse(text: &str) -> Option<Self> {
        unhex(text)?.try_into().ok().map(Self)
    }
}

/// Lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let value = |digit: u8| char::from(digit).to_digit(16);
    digits
        .chunks(2)
        .map(|pair| match *pair {
            [high, low] => Some((value(high)? << 4 | value(low)?) as u8),
            _ => None,
        })
        .collect()
}

/// A key that signatures are checked with, ready for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(Box<ecdsa::VerifyingKey>),
}

impl PublicKey {
    /// 32 bytes of Ed25519, or a point of P-256 in SEC 1 form, compressed or not. `None`: no key of that algorithm.
    pub fn read(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::Ed25519 => {
                let key = ed25519_dalek::VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
                Some(Self::Ed25519(key))
            }
            Algorithm::P256 => {
                let key = ecdsa::VerifyingKey::from_sec1_bytes(bytes).ok()?;
                Some(Self::P256(Box::new(key)))
            }
        }
    }

    /// Keys under which one signature holds for many messages: an issuer takes none of them.
    pub fn is_weak(&self) -> bool {
        match self {
            Self::Ed25519(key) => key.is_weak(),
            Self::P256(_) => false,
        }
    }

    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::Ed25519,
            Self::P256(_) => Algorithm::P256,
        }
    }

    /// 32 bytes of Ed25519, or 33 of P-256: the length tells the algorithm.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.as_bytes().to_vec(),
            Self::P256(key) => key.to_sec1_point(true).as_bytes().to_vec(),
        }
    }

    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::P256(key) => {
                ecdsa::Signature::from_slice(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
        }
    }

    pub fn id(&self) -> KeyId {
        KeyId(head(&self.bytes()))
    }

    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.bytes())
    }
}

/// Of a public key as [`PublicKey::bytes`] has it.
pub fn fingerprint(key: &[u8]) -> Fingerprint {
    Fingerprint(head(key))
}

fn head<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let digest = Sha256::digest(bytes);
    digest[..N].try_into().expect("a digest has 32 bytes")
}

/// A key that signs.
#[derive(Clone)]
pub enum SigningKey {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    P256(Box<ecdsa::SigningKey>),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public().id()).finish()
    }
}

impl SigningKey {
    /// Every 32 bytes are a key of Ed25519; nearly all are one of P-256, the others `None`.
    pub fn of_seed(algorithm: Algorithm, seed: &[u8; 32]) -> Option<Self> {
        match algorithm {
            Algorithm::Ed25519 => Some(Self::ed25519(seed)),
            Algorithm::P256 => {
                let key = ecdsa::SigningKey::from_slice(seed).ok()?;
                Some(Self::P256(Box::new(key)))
            }
        }
    }

    pub fn ed25519(seed: &[u8; 32]) -> Self {
        Self::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed)))
    }

    pub fn public(&self) -> PublicKey {
        match self {
            Self::Ed25519(key) => PublicKey::Ed25519(key.verifying_key()),
            Self::P256(key) => PublicKey::P256(Box::new(*key.verifying_key())),
        }
    }

    /// 64 bytes. The same message gives the same signature.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Self::P256(key) => {
                let signature: ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
        }
    }
}
