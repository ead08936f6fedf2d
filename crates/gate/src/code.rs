//! The text of a ride code: `ORC1:` and the Base45 of a COSE_Sign1 that the device signed around the one that the issuer
//! signed. Decision 0013 has the layout and its bytes.
//!
//! ```text
//! COSE_Sign1 tagged, {1: device's algorithm}, [ entitlement, shown_at, counter ]
//!     entitlement = COSE_Sign1 untagged, {1: issuer's algorithm, 4: key id},
//!         [ issued_at, valid_s, device's key, rules, cap_minor, currency, scope, payer ]
//! ```
//!
//! Times in it are seconds since 1970. No name, no number of a person.

use coset::cbor::value::Value;
use onescan_domain::money::{Currency, Money};
use onescan_domain::rides::tap::Payer;
use sha2::{Digest, Sha256};

use crate::base45;
use crate::cose::{self, Message, Unreadable};
use crate::keys::{Algorithm, Fingerprint, KeyId, PublicKey, SigningKey, fingerprint};
use crate::refusal::Refusal;

/// Letters before the version.
const NAME: &str = "ORC";
pub const PREFIX: &str = "ORC1:";
/// Operators and networks one entitlement may name, so that the code stays within QR version 11 at level M.
pub const SCOPES_MAX: usize = 2;

/// An operator or a network by the first four bytes of the SHA-256 of its name (`mer_…`, or whatever a network is called).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope(pub [u8; 4]);

impl Scope {
    pub fn of(name: &str) -> Self {
        let digest = Sha256::digest(name.as_bytes());
        Self([digest[0], digest[1], digest[2], digest[3]])
    }
}

/// What an issuer permits a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entitlement {
    /// Seconds since 1970, from 0.
    pub issued_at_s: i64,
    pub valid_s: u32,
    /// As [`PublicKey::bytes`] has it.
    pub device: Vec<u8>,
    /// Of the rules it was issued under, for whoever settles.
    pub rules: [u8; 8],
    /// The most one ride may cost; minor units from 0 to 4,294,967,295.
    pub cap: Money,
    /// At most [`SCOPES_MAX`]; none: every operator that trusts the issuer.
    pub scopes: Vec<Scope>,
    pub payer: Payer,
}

impl Entitlement {
    pub fn ends_at_s(&self) -> i64 {
        self.issued_at_s.saturating_add(self.valid_s.into())
    }

    /// Signed by the issuer: what a device keeps and puts into every code.
    ///
    /// Panics for a negative or huge cap, a time before 1970 or too many scopes: the issuer checks them.
    pub fn sign(&self, issuer: &SigningKey) -> Vec<u8> {
        assert!(self.scopes.len() <= SCOPES_MAX, "the issuer names at most two scopes");
        let cap = u32::try_from(self.cap.minor).expect("the issuer caps a ride at 32 bits of minor units");
        let issued_at = u32::try_from(self.issued_at_s).expect("the issuer lives between 1970 and 2106");
        let scopes = self.scopes.iter().flat_map(|scope| scope.0).collect::<Vec<u8>>();
        let payload = Value::Array(vec![
            issued_at.into(),
            self.valid_s.into(),
            Value::Bytes(self.device.clone()),
            Value::Bytes(self.rules.to_vec()),
            cap.into(),
            self.cap.currency.to_string().into(),
            Value::Bytes(scopes),
            match self.payer {
                Payer::Person => 0.into(),
                Payer::Institution => 1.into(),
            },
        ]);
        let key_id = issuer.public().id();
        cose::untagged(cose::sign(cose::write(&payload), issuer, &key_id.0))
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let [issued_at, valid, device, rules, cap, currency, scopes, payer] = cose::array(cose::read(payload)?)?;
        let scopes = scopes.as_bytes()?.as_chunks::<4>();
        let complete = scopes.1.is_empty() && scopes.0.len() <= SCOPES_MAX;
        let currency = Currency::parse(currency.as_text()?)?;
        complete.then_some(())?;
        Some(Self {
            issued_at_s: cose::int::<u32>(&issued_at)?.into(),
            valid_s: cose::int(&valid)?,
            device: device.as_bytes()?.clone(),
            rules: cose::bytes(&rules)?,
            cap: Money::new(cose::int::<u32>(&cap)?.into(), currency),
            scopes: scopes.0.iter().copied().map(Scope).collect(),
            payer: match cose::int::<u8>(&payer)? {
                0 => Payer::Person,
                1 => Payer::Institution,
                _ => return None,
            },
        })
    }
}

/// A code taken apart. Nothing in it is believed before the signatures are checked.
#[derive(Debug)]
pub struct RideCode {
    pub entitlement: Entitlement,
    pub issuer_key: KeyId,
    pub shown_at_s: i64,
    pub counter: u64,
    issued: Message,
    shown: Message,
}

impl RideCode {
    /// Refuses, in this order: not a ride code, another version, SM2, another algorithm.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let rest = text.strip_prefix(NAME).ok_or(Refusal::NotARideCode)?;
        let (version, body) = rest.split_once(':').ok_or(Refusal::NotARideCode)?;
        if version != "1" {
            let is_version = !version.is_empty() && version.bytes().all(|digit| digit.is_ascii_digit());
            return Err(if is_version {
                Refusal::UnsupportedVersion
            } else {
                Refusal::NotARideCode
            });
        }
        let bytes = base45::decode(body).ok_or(Refusal::NotARideCode)?;
        let shown = Message::of_tagged(&bytes).map_err(refusal)?;
        let (inner, shown_at, counter) = parts(&shown).ok_or(Refusal::NotARideCode)?;
        let issued = Message::of_value(inner).map_err(refusal)?;
        let entitlement = Entitlement::read(issued.payload()).ok_or(Refusal::NotARideCode)?;
        let key_id = <[u8; 4]>::try_from(issued.key_id()).map_err(|_| Refusal::NotARideCode)?;
        Ok(Self {
            entitlement,
            issuer_key: KeyId(key_id),
            shown_at_s: shown_at.into(),
            counter: counter.into(),
            issued,
            shown,
        })
    }

    pub fn issuer_algorithm(&self) -> Algorithm {
        self.issued.algorithm
    }

    pub fn is_issued_by(&self, issuer: &PublicKey) -> bool {
        self.issued.holds(issuer)
    }

    /// Whether the device whose key the entitlement names signed time and counter.
    pub fn is_shown_by_its_device(&self) -> bool {
        let device = PublicKey::read(self.shown.algorithm, &self.entitlement.device);
        device.is_some_and(|device| self.shown.holds(&device))
    }

    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.entitlement.device)
    }
}

fn parts(shown: &Message) -> Option<(Value, u32, u32)> {
    let [inner, shown_at, counter] = cose::array(cose::read(shown.payload())?)?;
    Some((inner, cose::int(&shown_at)?, cose::int(&counter)?))
}

fn refusal(unreadable: Unreadable) -> Refusal {
    match unreadable {
        Unreadable::Shape => Refusal::NotARideCode,
        Unreadable::Algorithm(id) => Refusal::UnsupportedAlgorithm { id },
        Unreadable::Sm2 => Refusal::Sm2NotSupported,
    }
}

/// The text a device shows. `entitlement`: as the issuer signed it. `shown_at_s`: seconds since 1970.
///
/// Panics when `entitlement` is no CBOR: it is what an issuer made.
pub fn show(entitlement: &[u8], shown_at_s: u32, counter: u32, device: &SigningKey) -> String {
    let inner = cose::read(entitlement).expect("an entitlement is what an issuer signed");
    let payload = cose::write(&Value::Array(vec![inner, shown_at_s.into(), counter.into()]));
    let bytes = cose::tagged(cose::sign(payload, device, b""));
    format!("{PREFIX}{}", base45::encode(&bytes))
}
