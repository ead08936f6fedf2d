//! The journal: what a gate saw, each record signed by the gate and naming the hash of the one before it.
//!
//! **Invariant:** an accepted passage is in the journal, on the disk, before the gate opens.

use coset::cbor::value::Value;
use onescan_domain::rides::tap::TapKind;
use sha2::{Digest, Sha256};

use crate::cose::{self, Message};
use crate::keys::{PublicKey, SigningKey};
use crate::refusal::Refusal;

pub type Hash = [u8; 32];

/// What the first record names as the one before it.
pub const BEGINNING: Hash = [0; 32];

/// The verdict of an accepted passage; others are the code of a [`Refusal`].
pub const ACCEPTED: &str = "accepted";

/// A record's bytes are refused above this many; a code has about 240 bytes.
pub const RECORD_MAX: usize = 2_048;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// From 1, without gaps.
    pub sequence: u64,
    pub previous: Hash,
    /// The gate as the server names it, `ter_…`.
    pub gate: String,
    pub kind: TapKind,
    pub station: String,
    /// Milliseconds since 1970 by the gate's clock.
    pub at: i64,
    /// [`ACCEPTED`], or one of [`Refusal::CODES`].
    pub verdict: String,
    pub incomplete: bool,
    /// As it was read, cut to 400 letters.
    pub code: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("this is no record of a journal")]
    Unreadable,
    #[error("the record is not signed by this gate's key")]
    Signature,
}

impl Record {
    pub fn is_accepted(&self) -> bool {
        self.verdict == ACCEPTED
    }

    pub fn sign(&self, gate: &SigningKey) -> Vec<u8> {
        let payload = Value::Array(vec![
            self.sequence.into(),
            Value::Bytes(self.previous.to_vec()),
            self.gate.as_str().into(),
            self.kind.name().into(),
            self.station.as_str().into(),
            self.at.into(),
            self.verdict.as_str().into(),
            self.incomplete.into(),
            self.code.as_str().into(),
        ]);
        let key_id = gate.public().fingerprint();
        cose::tagged(cose::sign(cose::write(&payload), gate, &key_id.0))
    }

    pub fn open(bytes: &[u8], gate: &PublicKey) -> Result<Self, RecordError> {
        if bytes.len() > RECORD_MAX {
            return Err(RecordError::Unreadable);
        }
        let message = Message::of_tagged(bytes).map_err(|_| RecordError::Unreadable)?;
        let record = Self::read(message.payload()).ok_or(RecordError::Unreadable)?;
        match message.holds(gate) {
            true => Ok(record),
            false => Err(RecordError::Signature),
        }
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let [sequence, previous, gate, kind, station, at, verdict, incomplete, code] =
            cose::array(cose::read(payload)?)?;
        let record = Self {
            sequence: cose::int(&sequence)?,
            previous: cose::bytes(&previous)?,
            gate: gate.into_text().ok()?,
            kind: TapKind::parse(kind.as_text()?)?,
            station: station.into_text().ok()?,
            at: cose::int(&at)?,
            verdict: verdict.into_text().ok()?,
            incomplete: incomplete.as_bool()?,
            code: code.into_text().ok()?,
        };
        let known = record.is_accepted() || Refusal::CODES.contains(&record.verdict.as_str());
        let bounded = (1..=i64::MAX as u64).contains(&record.sequence) && (0..1 << 48).contains(&record.at);
        (known && bounded).then_some(record)
    }
}

/// Of a record as it was signed.
pub fn hash(record: &[u8]) -> Hash {
    Sha256::digest(record).into()
}

/// Where a chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// 0: nothing yet.
    pub sequence: u64,
    pub hash: Hash,
}

impl Head {
    pub const START: Self = Self {
        sequence: 0,
        hash: BEGINNING,
    };

    pub fn after(self, record: &[u8]) -> Self {
        Self {
            sequence: self.sequence + 1,
            hash: hash(record),
        }
    }
}

/// One record as it lies in a file: its length in four bytes, and itself.
pub fn framed(record: &[u8]) -> Vec<u8> {
    let length = u32::try_from(record.len()).expect("records are short");
    let mut bytes = Vec::with_capacity(4 + record.len());
    bytes.extend(length.to_be_bytes());
    bytes.extend(record);
    bytes
}

/// What a file of framed records holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Recovered {
    pub records: Vec<(Vec<u8>, Record)>,
    pub head: Head,
    /// Bytes up to here are whole records of one chain.
    pub good: usize,
    pub tail: Tail,
}

/// What lies behind the last good record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    Clean,
    /// A record that was being written when the power went: it was never answered, and is cut off.
    Torn,
    /// More than one unfinished record explains: somebody changed the file, or another key wrote it. Nothing may be cut.
    Foreign,
}

/// Reads a file from its beginning, up to the first bytes that are not the next record of the chain under `key`.
pub fn recover(file: &[u8], key: &PublicKey) -> Recovered {
    let (mut records, mut head, mut good) = (Vec::new(), Head::START, 0);
    while let Some(bytes) = frame(&file[good..]) {
        let Ok(record) = Record::open(bytes, key) else { break };
        if record.sequence != head.sequence + 1 || record.previous != head.hash {
            break;
        }
        head = head.after(bytes);
        good += 4 + bytes.len();
        records.push((bytes.to_vec(), record));
    }
    let rest = &file[good..];
    let tail = match frame(rest) {
        None if rest.is_empty() => Tail::Clean,
        None if rest.len() < 4 + RECORD_MAX => Tail::Torn,
        // Whole by its length and still no record: a torn write whose length reached the disk before its content.
        Some(bytes) if rest.len() == 4 + bytes.len() && Record::open(bytes, key).is_err() => Tail::Torn,
        Some(_) | None => Tail::Foreign,
    };
    Recovered {
        records,
        head,
        good,
        tail,
    }
}

fn frame(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    rest.get(..length).filter(|_| length > 0)
}
