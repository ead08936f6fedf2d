//! The issuer of ride codes: devices, entitlements, the deny list, and what gates have seen. Rows R03, R04.
//!
//! A device makes its key itself; the server knows the public half and signs an entitlement of some hours around it. Gates
//! check codes without the server (crate `onescan-gate`) and tell later what they saw.
//!
//! **Invariant:** what a gate has accepted is stored as it was told, whatever is found out about it.
//! **Invariant:** an entitlement is not answered before the store knows until when it is good: a deny list can always reach it.

mod service;
mod taps;

use async_trait::async_trait;
use onescan_domain::ids::{ApplicationId, MerchantId, PersonId, RideDeviceId, TapId, TerminalId};
use onescan_domain::money::Money;
use onescan_domain::rides::application::FormRefusal;
use onescan_domain::rides::tap::{ClockFault, Payer, TapKind};
use onescan_domain::text::TextError;
use onescan_gate::journal::{Hash, RecordError};
use onescan_gate::keys::{Algorithm, Fingerprint, PublicKey};

pub use service::{Denials, PersonalGrants, PublishedKey, RideCodeSettings, RideCodes};
pub use taps::TapPage;

use crate::error::Result;
use crate::people::Person;

/// What shows a person's ride codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RideDevice {
    pub id: RideDeviceId,
    pub person: PersonId,
    pub name: String,
    pub algorithm: Algorithm,
    /// As [`PublicKey::bytes`] has it.
    pub public_key: Vec<u8>,
    pub fingerprint: Fingerprint,
    /// When its last entitlement ends.
    pub entitled_until: i64,
    pub created_at: i64,
    pub revoked_at: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRideDevice {
    pub name: String,
    pub algorithm: Algorithm,
    /// 32 bytes of Ed25519, or a point of P-256 in SEC 1 form.
    pub public_key: Vec<u8>,
}

/// Why a device was not taken, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnrolRefusal {
    #[error("name: {0}")]
    Name(TextError),
    #[error("public_key: not a public key of this algorithm")]
    Key,
    #[error("public_key: this key is in use; make a new one")]
    KeyTaken,
    #[error("there are {max} devices already: revoke one first")]
    TooMany { max: usize },
}

/// What a person may be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub payer: Payer,
    /// Of the rules behind it, for whoever settles; zeros for none.
    pub rules: [u8; 8],
    /// The most one ride may cost.
    pub cap: Money,
    /// When what it stands on ends, if that is before the entitlement would.
    pub until: Option<i64>,
    /// Names of operators (`mer_…`) and networks, at most two; none: every operator.
    pub scopes: Vec<String>,
    /// The form that stands for the next ride, or why none does.
    pub form: Result<ApplicationId, FormRefusal>,
}

/// Why a person gets no entitlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    #[error("rides are unpaid: settle them first")]
    Arrears,
}

/// Whether and how a person may ride now: asked at every renewal. [`crate::rides::FormGrants`] answers from applications and
/// arrears; [`PersonalGrants`] knows neither.
#[async_trait]
pub trait RideGrants: Send + Sync {
    async fn may_issue(&self, person: &Person) -> Result<Result<Grant, GrantRefusal>>;
}

/// An entitlement as its device keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Signed, as it goes into every code.
    pub entitlement: Vec<u8>,
    pub payer: Payer,
    pub cap: Money,
    /// As [`Grant::form`].
    pub form: Result<ApplicationId, FormRefusal>,
    pub ends_at: i64,
    /// When a device that is online should ask for the next.
    pub renew_at: i64,
}

/// Why no entitlement was issued, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueRefusal {
    #[error("there is no such device")]
    Unknown,
    #[error("the device was revoked")]
    Revoked,
    #[error(transparent)]
    Grant(#[from] GrantRefusal),
}

/// Why a device is on the deny list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenyReason {
    Revoked,
    Arrears,
}

impl DenyReason {
    pub fn name(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Arrears => "arrears",
        }
    }
}

/// The deny list as the store has it. Instants in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Denied {
    /// When anything changed last; 0: never.
    pub changed_at: i64,
    pub added: Vec<Fingerprint>,
    pub removed: Vec<Fingerprint>,
}

/// A gate's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    pub gate: TerminalId,
    pub id: Fingerprint,
    pub key: PublicKey,
    /// The highest number that is here.
    pub head: i64,
    /// Fewer than `head`: some are still to come.
    pub records: i64,
    pub head_at: i64,
    pub created_at: i64,
}

/// One record of a journal with what was found out about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTap {
    pub id: TapId,
    pub provider: MerchantId,
    pub gate: TerminalId,
    pub journal: Fingerprint,
    pub sequence: i64,
    pub kind: TapKind,
    pub station: String,
    pub at: i64,
    pub received_at: i64,
    pub clock_fault: Option<ClockFault>,
    /// `accepted`, or a refusal's code.
    pub verdict: String,
    /// `None`: what was read is no ride code.
    pub fingerprint: Option<Fingerprint>,
    pub person: Option<PersonId>,
    pub device: Option<RideDeviceId>,
    pub counter: i64,
    pub payer: Payer,
    pub rule_digest: String,
    pub incomplete: bool,
    pub sound: bool,
    pub chain_broken: bool,
    pub previous: Hash,
    pub hash: Hash,
    pub record: Vec<u8>,
}

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uploaded {
    pub stored: usize,
    /// Were here already.
    pub repeated: usize,
    /// Could not be read or are not signed by the journal's key, by their place in the upload.
    pub wrong: Vec<(usize, RecordError)>,
    pub head: i64,
    /// How many below `head` are still to come.
    pub missing: i64,
}

/// Why nothing of an upload was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UploadRefusal {
    #[error("there is no such journal of this gate: announce its key first")]
    UnknownJournal,
}

#[async_trait]
pub trait RideCodeStore: Send + Sync {
    /// The device lies in its person's bucket; `print` is the bucket its fingerprint leads to. `Taken` by
    /// `ride_device_prints` when the key is known.
    async fn insert_device(&self, device: &RideDevice, print: onescan_domain::bucket::Bucket) -> Result<()>;
    async fn find_device(&self, id: RideDeviceId) -> Result<Option<RideDevice>>;
    /// Revoked ones too, the oldest first.
    async fn list_devices(&self, person: PersonId) -> Result<Vec<RideDevice>>;
    /// Moves the end of what the device was given; false when it is revoked meanwhile.
    async fn entitle(&self, id: RideDeviceId, until: i64) -> Result<bool>;
    /// Revokes and, while an entitlement may be about, denies it, in one commit. False: there was no such device in force.
    async fn revoke_device(&self, id: RideDeviceId, at: i64) -> Result<bool>;
    /// Denies every device of the person that may have an entitlement, until what it has ends.
    async fn deny_person(&self, person: PersonId, reason: DenyReason, at: i64) -> Result<()>;
    /// Takes back what [`Self::deny_person`] did for this reason.
    async fn allow_person(&self, person: PersonId, reason: DenyReason, at: i64) -> Result<()>;
    /// Of all buckets. `since`: only what changed after it; else what is denied now.
    async fn denied(&self, since: Option<i64>, now: i64) -> Result<Denied>;
    /// The devices and people behind fingerprints, in their order.
    async fn find_prints(
        &self,
        prints: &[(onescan_domain::bucket::Bucket, Fingerprint)],
    ) -> Result<Vec<Option<(RideDeviceId, PersonId)>>>;
    /// Keeps the first.
    async fn open_journal(&self, journal: &Journal) -> Result<Journal>;
    async fn find_journal(&self, gate: TerminalId, id: Fingerprint) -> Result<Option<Journal>>;
    /// Of all gates of the provider.
    async fn list_journals(&self, provider: MerchantId) -> Result<Vec<Journal>>;
    /// Stores what is not here yet, in one commit; sets `clock_fault` back and `chain_broken` by what is here. Returns how many
    /// were new, and the journal after it.
    async fn insert_taps(&self, journal: &Journal, taps: Vec<StoredTap>) -> Result<(usize, Journal)>;
    /// Of the provider, by arrival from `received_from` on.
    async fn list_taps(&self, provider: MerchantId, page: TapPage) -> Result<Vec<StoredTap>>;
}
