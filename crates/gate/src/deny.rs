//! The deny list: devices whose codes are refused, signed by the issuer, whole or as what changed since a version.

use coset::cbor::value::Value;

use crate::cose::{self, Message};
use crate::keys::{Fingerprint, KeyId, SigningKey};
use crate::verify::IssuerKeys;

/// Six bytes an entry, and an index over the first two of each: about six megabytes for a million.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenyList {
    version: u64,
    issued_at_s: i64,
    /// Where the entries of each prefix begin; one more than there are prefixes.
    starts: Box<[u32]>,
    rests: Box<[[u8; 6]]>,
}

/// What an issuer publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// `None`: the whole list.
    pub since: Option<u64>,
    pub version: u64,
    /// Seconds since 1970.
    pub issued_at_s: i64,
    /// Both sorted, without repeats.
    pub added: Vec<Fingerprint>,
    pub removed: Vec<Fingerprint>,
}

/// Why a document was not taken; the list stays as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DenyError {
    #[error("this is no deny list")]
    Unreadable,
    #[error("the key {} is not an issuer's", .0.hex())]
    UnknownKey(KeyId),
    #[error("the issuer did not sign this deny list")]
    Signature,
    #[error("older than the list that is here")]
    Older,
    #[error("changes since version {since}, but version {have} is here")]
    Gap { since: u64, have: u64 },
}

const PREFIXES: usize = 1 << 16;

impl Document {
    pub fn sign(&self, issuer: &SigningKey) -> Vec<u8> {
        let payload = Value::Array(vec![
            self.since.map_or(Value::Null, Value::from),
            self.version.into(),
            self.issued_at_s.into(),
            packed(&self.added),
            packed(&self.removed),
        ]);
        let key_id = issuer.public().id();
        cose::tagged(cose::sign(cose::write(&payload), issuer, &key_id.0))
    }

    /// Refuses in the order of the first three of [`DenyError`].
    pub fn open(bytes: &[u8], keys: &IssuerKeys) -> Result<Self, DenyError> {
        let message = Message::of_tagged(bytes).map_err(|_| DenyError::Unreadable)?;
        let id = message.key_id().try_into().map_err(|_| DenyError::Unreadable)?;
        let issuer = keys.find(KeyId(id)).ok_or(DenyError::UnknownKey(KeyId(id)))?;
        if !message.holds(&issuer.key) {
            return Err(DenyError::Signature);
        }
        Self::read(message.payload()).ok_or(DenyError::Unreadable)
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let [since, version, issued_at, added, removed] = cose::array(cose::read(payload)?)?;
        Some(Self {
            since: match since {
                Value::Null => None,
                since => Some(cose::int(&since)?),
            },
            version: cose::int(&version)?,
            issued_at_s: cose::int(&issued_at)?,
            added: unpacked(&added)?,
            removed: unpacked(&removed)?,
        })
    }
}

fn packed(devices: &[Fingerprint]) -> Value {
    Value::Bytes(devices.iter().flat_map(|device| device.0).collect())
}

fn unpacked(value: &Value) -> Option<Vec<Fingerprint>> {
    let (devices, rest) = value.as_bytes()?.as_chunks::<8>();
    let devices = devices.iter().copied().map(Fingerprint).collect::<Vec<_>>();
    (rest.is_empty() && devices.is_sorted_by(|a, b| a < b)).then_some(devices)
}

impl DenyList {
    /// A whole list, without its signature: from a document that was opened. `None` for changes.
    pub fn of(document: &Document) -> Option<Self> {
        document
            .since
            .is_none()
            .then(|| Self::build(document.version, document.issued_at_s, &document.added))
    }

    fn build(version: u64, issued_at_s: i64, devices: &[Fingerprint]) -> Self {
        let mut starts = vec![0u32; PREFIXES + 1];
        for device in devices {
            starts[prefix(*device) + 1] += 1;
        }
        for place in 0..PREFIXES {
            starts[place + 1] += starts[place];
        }
        Self {
            version,
            issued_at_s,
            starts: starts.into(),
            rests: devices.iter().copied().map(rest).collect(),
        }
    }

    /// The list after a document. Refuses [`DenyError::Older`] and [`DenyError::Gap`]; a version that is here already only
    /// makes the list younger.
    pub fn after(&self, document: &Document) -> Result<Self, DenyError> {
        if document.issued_at_s < self.issued_at_s || document.version < self.version {
            return Err(DenyError::Older);
        }
        let Some(since) = document.since else {
            return Ok(Self::build(document.version, document.issued_at_s, &document.added));
        };
        if since > self.version {
            return Err(DenyError::Gap {
                since,
                have: self.version,
            });
        }
        if document.added.is_empty() && document.removed.is_empty() {
            return Ok(Self {
                version: document.version,
                issued_at_s: document.issued_at_s,
                ..self.clone()
            });
        }
        let kept = self
            .devices()
            .filter(|device| document.removed.binary_search(device).is_err());
        let mut devices = kept.chain(document.added.iter().copied()).collect::<Vec<_>>();
        devices.sort_unstable();
        devices.dedup();
        Ok(Self::build(document.version, document.issued_at_s, &devices))
    }

    pub fn contains(&self, device: Fingerprint) -> bool {
        let prefix = prefix(device);
        let (from, until) = (self.starts[prefix] as usize, self.starts[prefix + 1] as usize);
        self.rests[from..until].binary_search(&rest(device)).is_ok()
    }

    pub fn devices(&self) -> impl Iterator<Item = Fingerprint> + '_ {
        (0..PREFIXES).flat_map(|prefix| {
            let (from, until) = (self.starts[prefix] as usize, self.starts[prefix + 1] as usize);
            self.rests[from..until].iter().map(move |rest| {
                let mut device = [0; 8];
                device[..2].copy_from_slice(&(prefix as u16).to_be_bytes());
                device[2..].copy_from_slice(rest);
                Fingerprint(device)
            })
        })
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn issued_at_s(&self) -> i64 {
        self.issued_at_s
    }

    pub fn len(&self) -> usize {
        self.rests.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rests.is_empty()
    }

    /// The whole list, to be kept without its signature by whoever has checked it, or signed again.
    pub fn document(&self) -> Document {
        Document {
            since: None,
            version: self.version,
            issued_at_s: self.issued_at_s,
            added: self.devices().collect(),
            removed: Vec::new(),
        }
    }
}

fn prefix(device: Fingerprint) -> usize {
    usize::from(u16::from_be_bytes([device.0[0], device.0[1]]))
}

fn rest(device: Fingerprint) -> [u8; 6] {
    let [_, _, rest @ ..] = device.0;
    rest
}
