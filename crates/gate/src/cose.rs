//! COSE_Sign1 as ride codes, deny lists and journals use it: algorithm and key id protected, nothing unprotected.

use coset::cbor::value::Value;
use coset::{
    Algorithm as Label, CborSerializable, CoseSign1, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable, iana,
};

use crate::keys::{Algorithm, PublicKey, SM2_ID, SigningKey};

/// Why a message says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    Shape,
    Algorithm(i64),
    Sm2,
}

/// A message taken apart; its signature is not checked yet.
#[derive(Debug)]
pub struct Message {
    sign1: CoseSign1,
    pub algorithm: Algorithm,
}

impl Message {
    pub fn of_tagged(bytes: &[u8]) -> Result<Self, Unreadable> {
        Self::of(CoseSign1::from_tagged_slice(bytes).map_err(|_| Unreadable::Shape)?)
    }

    pub fn of_value(value: Value) -> Result<Self, Unreadable> {
        let sign1 = coset::AsCborValue::from_cbor_value(value).map_err(|_| Unreadable::Shape)?;
        Self::of(sign1)
    }

    fn of(sign1: CoseSign1) -> Result<Self, Unreadable> {
        let header = &sign1.protected.header;
        if !sign1.unprotected.is_empty() || !header.crit.is_empty() || sign1.payload.is_none() {
            return Err(Unreadable::Shape);
        }
        let algorithm = match &header.alg {
            Some(Label::Assigned(iana::Algorithm::EdDSA)) => Algorithm::Ed25519,
            Some(Label::Assigned(iana::Algorithm::ES256)) => Algorithm::P256,
            Some(Label::PrivateUse(SM2_ID)) => return Err(Unreadable::Sm2),
            Some(Label::PrivateUse(id)) => return Err(Unreadable::Algorithm(*id)),
            Some(Label::Assigned(other)) => return Err(Unreadable::Algorithm(iana::EnumI64::to_i64(other))),
            Some(Label::Text(_)) | None => return Err(Unreadable::Shape),
        };
        Ok(Self { sign1, algorithm })
    }

    pub fn key_id(&self) -> &[u8] {
        &self.sign1.protected.header.key_id
    }

    pub fn payload(&self) -> &[u8] {
        self.sign1.payload.as_deref().unwrap_or_default()
    }

    pub fn holds(&self, key: &PublicKey) -> bool {
        key.algorithm() == self.algorithm && key.verify(&self.sign1.tbs_data(b""), &self.sign1.signature)
    }
}

/// `key_id`: empty for none.
pub fn sign(payload: Vec<u8>, key: &SigningKey, key_id: &[u8]) -> CoseSign1 {
    let algorithm = match key.public().algorithm() {
        Algorithm::Ed25519 => iana::Algorithm::EdDSA,
        Algorithm::P256 => iana::Algorithm::ES256,
    };
    let mut header = HeaderBuilder::new().algorithm(algorithm);
    if !key_id.is_empty() {
        header = header.key_id(key_id.to_vec());
    }
    CoseSign1Builder::new()
        .protected(header.build())
        .payload(payload)
        .create_signature(b"", |text| key.sign(text))
        .build()
}

pub fn tagged(message: CoseSign1) -> Vec<u8> {
    message.to_tagged_vec().expect("what was built here can be written")
}

pub fn untagged(message: CoseSign1) -> Vec<u8> {
    message.to_vec().expect("what was built here can be written")
}

/// One CBOR value and nothing behind it.
pub fn read(bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    let value = coset::cbor::de::from_reader(&mut rest).ok()?;
    rest.is_empty().then_some(value)
}

pub fn write(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    coset::cbor::ser::into_writer(value, &mut bytes).expect("writing to memory cannot fail");
    bytes
}

/// An array of exactly this many values.
pub fn array<const N: usize>(value: Value) -> Option<[Value; N]> {
    value.into_array().ok()?.try_into().ok()
}

pub fn int<T: TryFrom<i128>>(value: &Value) -> Option<T> {
    let number: i128 = value.as_integer()?.into();
    T::try_from(number).ok()
}

pub fn bytes<const N: usize>(value: &Value) -> Option<[u8; N]> {
    value.as_bytes()?.as_slice().try_into().ok()
}
