//! The management platform: invoice profiles, tied to code records, and the choice among them.

pub mod drafts;
mod local;

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::codes::CodeRecordId;
use onescan_domain::ids::{ChoiceId, PaymentId, PersonId, ProfileId, ScenarioId};
use onescan_domain::profiles::{InvoiceProfile, ProfileChoice, ProfileFields};

pub use local::LocalProfiles;

use crate::error::Result;

/// What a new profile needs. Row S06.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProfile {
    pub fields: ProfileFields,
    pub scenarios: Vec<ScenarioId>,
    /// Taken when the person does not choose in time; makes the record's other profiles not preferred.
    pub preferred: bool,
}

/// Asks which profile goes on a payment's invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileRequest {
    pub payment: PaymentId,
    pub record: CodeRecordId,
    pub scenario: Option<ScenarioId>,
    pub person: PersonId,
    /// When the person can no longer choose and the default is taken.
    pub choose_until: i64,
}

/// Which profile it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileAnswer {
    /// Nobody entered one that fits: the merchant asks the buyer as before.
    None,
    Settled(Box<InvoiceProfile>),
    /// Several fit; the person is asked on their own page. Row S19.
    Asking(ProfileChoice),
}

/// Why a choice is not taken, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChooseRefusal {
    #[error("there is no such question")]
    Unknown,
    #[error("this profile was not among those asked about")]
    NotACandidate,
    #[error("the time to choose is over, or another profile was chosen")]
    Settled,
}

/// The contract of the management platform.
#[async_trait]
pub trait Profiles: Send + Sync {
    async fn create(&self, bucket: Bucket, record: &CodeRecordId, new: NewProfile) -> Result<InvoiceProfile>;
    /// `None` when the record has no such profile. A profile on an earlier invoice keeps what it was there.
    async fn update(
        &self,
        bucket: Bucket,
        record: &CodeRecordId,
        id: ProfileId,
        new: NewProfile,
    ) -> Result<Option<InvoiceProfile>>;
    async fn remove(&self, bucket: Bucket, record: &CodeRecordId, id: ProfileId) -> Result<bool>;
    async fn list(&self, bucket: Bucket, record: &CodeRecordId) -> Result<Vec<InvoiceProfile>>;
    async fn find(&self, id: ProfileId) -> Result<Option<InvoiceProfile>>;

    /// The profile for each payment, in order. Where several fit, the first call asks the person and every later one tells
    /// how that stands; the answer never changes once settled. Rows S15, S18, S19.
    async fn choose_for(&self, requests: Vec<ProfileRequest>) -> Result<Vec<ProfileAnswer>>;

    /// Questions the person has not answered and still can, newest first, in the given buckets.
    async fn open_choices(&self, person: PersonId, buckets: Vec<Bucket>) -> Result<Vec<ProfileChoice>>;

    /// Takes the person's choice. Choosing the same again changes nothing. Refuses in the order of [`ChooseRefusal`].
    async fn choose(
        &self,
        person: PersonId,
        choice: ChoiceId,
        profile: ProfileId,
    ) -> Result<Result<ProfileChoice, ChooseRefusal>>;
}

/// What the in-process management platform needs from the store.
#[async_trait]
pub trait ProfileStore: Send + Sync {
    /// Writes the profile; a preferred one takes that mark from the others of its record in the same commit.
    async fn insert(&self, bucket: Bucket, profile: &InvoiceProfile) -> Result<()>;
    /// Writes fields, scenarios and the preferred mark, as `insert` does. Returns whether it was there.
    async fn update(&self, bucket: Bucket, profile: &InvoiceProfile) -> Result<bool>;
    /// Hides it from lists and choices; `find` still knows it, for questions that name it. Returns whether it was there.
    async fn remove(&self, bucket: Bucket, record: &CodeRecordId, id: ProfileId, at: i64) -> Result<bool>;
    async fn find(&self, id: ProfileId) -> Result<Option<InvoiceProfile>>;
    async fn list(&self, bucket: Bucket, record: &CodeRecordId) -> Result<Vec<InvoiceProfile>>;
    /// The profiles of several records and the choices of several payments, read together; entries in order.
    async fn load(&self, requests: &[ProfileRequest]) -> Result<Vec<(Vec<InvoiceProfile>, Option<ProfileChoice>)>>;
    /// Keeps the first question per payment (`choices_payment` is unique); a second insert changes nothing.
    async fn insert_choice(&self, choice: &ProfileChoice) -> Result<()>;
    async fn find_choice(&self, id: ChoiceId) -> Result<Option<ProfileChoice>>;
    async fn list_open_choices(&self, person: PersonId, bucket: Bucket, now: i64) -> Result<Vec<ProfileChoice>>;
    /// Sets `chosen` where it is not set; returns the row as it then is.
    async fn settle_choice(&self, id: ChoiceId, profile: ProfileId) -> Result<Option<ProfileChoice>>;
}
