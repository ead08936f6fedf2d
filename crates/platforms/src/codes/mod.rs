//! The service platform: code records, and the codes made for single accesses.
//!
//! **Invariant:** a code row never changes after it is made. Whether it was used is a fact of payments.

pub mod cipher;
mod local;

use std::sync::Arc;

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::calendar::WorkCalendar;
use onescan_domain::codes::{
    CodeFacts, CodeKind, CodeRecord, CodeRecordId, CodeText, MemberAccess, RecordState, Scenario,
};
use onescan_domain::identity::IdentityId;
use onescan_domain::ids::{AccountId, CodeId, InstitutionId, MemberId, PersonId, ScenarioId};
use onescan_domain::money::Currency;
use onescan_domain::payments::batch::Permit;
use onescan_domain::policy::Policy;

pub use local::{CodeSettings, LocalCodes, RecordIdKind};

use crate::error::Result;

/// Who opened the code page, from where, when: what makes a code that of one access. Rows S01, S08. Source: S \[60\]-\[66\].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub person: PersonId,
    /// For an institution code: through which membership.
    pub member: Option<MemberId>,
    /// The browser or app, by an id it keeps itself; 1 to 128 characters.
    pub device: String,
    pub address: String,
    /// Where, when the device told; 1 to 100 characters.
    pub location: Option<String>,
}

/// A code as it is shown, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCode {
    pub id: CodeId,
    pub kind: CodeKind,
    pub text: CodeText,
    pub created_at: i64,
    /// When the page renews it.
    pub shown_until: i64,
    /// When it can no longer be paid with; half-open.
    pub pay_until: i64,
}

/// Whom a new record enrols and what paying needs. Row S02. Source: S \[25\].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    pub holder: NewHolder,
    pub account: AccountId,
    pub currency: Currency,
    pub time_zone: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewHolder {
    Person {
        person: PersonId,
        identity: IdentityId,
    },
    Institution {
        institution: InstitutionId,
        members: MemberAccess,
    },
}

/// Asks whether a payment of this merchant category may go on with this code.
#[derive(Debug, Clone)]
pub struct PermitRequest {
    pub text: CodeText,
    pub category: u16,
    pub at: i64,
}

/// Why no code was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateRefusal {
    #[error("code payment is not enabled")]
    NoRecord,
    #[error("code payment is paused or closed")]
    RecordInactive,
    #[error("the member may not show this institution's code")]
    NotTied,
}

/// The contract of the service platform. Calls on the pay path take batches.
#[async_trait]
pub trait Codes: Send + Sync {
    /// Makes the record of a person or an institution, or returns the one that is there already (a holder has one).
    async fn create_record(&self, new: NewRecord) -> Result<CodeRecord>;

    async fn find_record(&self, bucket: Bucket, id: &CodeRecordId) -> Result<Option<CodeRecord>>;

    async fn record_of_person(&self, person: PersonId) -> Result<Option<CodeRecord>>;

    /// The institution's own record; the caller walks up the tree.
    async fn record_of_institution(&self, institution: InstitutionId) -> Result<Option<CodeRecord>>;

    /// Pauses, resumes or closes. Closing is for ever: a closed record stays closed.
    async fn set_record_state(&self, bucket: Bucket, id: &CodeRecordId, state: RecordState) -> Result<()>;

    async fn set_member_access(&self, bucket: Bucket, id: &CodeRecordId, members: MemberAccess) -> Result<()>;

    /// Ties a member to the record, or unties it. Repeating changes nothing.
    async fn set_assigned(&self, bucket: Bucket, id: &CodeRecordId, member: MemberId, assigned: Assigned)
    -> Result<()>;

    async fn assigned_members(&self, bucket: Bucket, id: &CodeRecordId) -> Result<Vec<MemberId>>;

    /// Adds a scenario, or replaces the one with the same id.
    async fn put_scenario(&self, bucket: Bucket, scenario: Scenario) -> Result<()>;

    async fn remove_scenario(&self, bucket: Bucket, record: &CodeRecordId, id: ScenarioId) -> Result<Removed>;

    async fn scenarios(&self, bucket: Bucket, record: &CodeRecordId) -> Result<Vec<Scenario>>;

    /// Days off and make-up workdays that hold for the institution: its own, or those of the nearest one above it.
    async fn calendar(&self, institution: InstitutionId) -> Result<WorkCalendar>;

    /// Makes a code for one access to `record`. A new code of the same device ends the one before the last.
    /// Refuses in the order of [`CreateRefusal`]. Rows S01, S08, S22.
    async fn create(&self, record: CodeRecord, access: Access) -> Result<Result<ServiceCode, CreateRefusal>>;

    /// What is known about scanned codes; `None` for one that does not exist. Reads only.
    async fn look_up(&self, codes: Vec<CodeText>) -> Result<Vec<Option<CodeFacts>>>;

    /// [`Self::look_up`] with the scenario of the payment, for payments to decide on. Reads only. Row S14.
    async fn permit(&self, requests: Vec<PermitRequest>) -> Result<Vec<Option<Permit>>>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assigned {
    Yes,
    No,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    Yes,
    NotThere,
}

/// Leads to a code's row: rows lie in the order in which a server made them, within their bucket. The digits are this key,
/// encrypted; they are not stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CodeKey {
    pub bucket: Bucket,
    /// The time slot in which it was made, counted from 1970.
    pub slot: i64,
    /// Tells the codes of a slot apart.
    pub number: i64,
}

/// A code to be written.
#[derive(Debug, Clone)]
pub struct NewCode {
    pub key: CodeKey,
    pub id: CodeId,
    pub record: CodeRecordId,
    pub access: Access,
    pub created_at: i64,
    pub pay_until: i64,
}

/// A code's row with everything its verification reads.
#[derive(Debug, Clone)]
pub struct LoadedCode {
    pub facts: CodeFacts,
    /// All scenarios of the record.
    pub scenarios: Arc<[LoadedScenario]>,
}

/// A scenario as the pay path reads it: the policy's text, parsed once by the caller and kept.
#[derive(Debug, Clone)]
pub struct LoadedScenario {
    pub id: ScenarioId,
    pub name: String,
    pub categories: String,
    pub policy: String,
}

/// What the in-process service platform needs from the store.
#[async_trait]
pub trait CodeStore: Send + Sync {
    /// `Taken { code_records_holder }` when the holder has a record.
    async fn insert_record(&self, record: &CodeRecord) -> Result<()>;
    async fn find_record(&self, bucket: Bucket, id: &CodeRecordId) -> Result<Option<CodeRecord>>;
    async fn find_record_of_person(&self, person: PersonId) -> Result<Option<CodeRecord>>;
    async fn find_record_of_institution(&self, institution: InstitutionId) -> Result<Option<CodeRecord>>;
    /// Leaves a closed record as it is.
    async fn update_record_state(&self, bucket: Bucket, id: &CodeRecordId, state: RecordState) -> Result<()>;
    async fn update_member_access(&self, bucket: Bucket, id: &CodeRecordId, members: MemberAccess) -> Result<()>;
    async fn set_assigned(&self, bucket: Bucket, id: &CodeRecordId, member: MemberId, assigned: Assigned)
    -> Result<()>;
    async fn list_assigned(&self, bucket: Bucket, id: &CodeRecordId) -> Result<Vec<MemberId>>;
    async fn put_scenario(&self, bucket: Bucket, scenario: &Scenario) -> Result<()>;
    async fn delete_scenario(&self, bucket: Bucket, record: &CodeRecordId, id: ScenarioId) -> Result<Removed>;
    async fn list_scenarios(&self, bucket: Bucket, record: &CodeRecordId) -> Result<Vec<Scenario>>;
    /// Writes all codes and moves their devices' latest two on, in one commit. A device is (bucket, record, person, device).
    async fn insert_codes(&self, codes: Vec<NewCode>) -> Result<()>;
    /// One entry per key, in order. `facts.tied`: user code: the record's person is the code's; institution code: the member
    /// is active and, where the record asks for it, assigned. `facts.replaced`: the code is not among its device's latest two.
    async fn load_codes(&self, keys: Vec<CodeKey>) -> Result<Vec<Option<LoadedCode>>>;
    /// Days off that hold for the institution: its own, or those of the nearest one above it that entered any.
    async fn calendar_of(&self, institution: InstitutionId) -> Result<WorkCalendar>;
    /// Deletes codes made before `slot` of every bucket that no payment names; returns how many.
    async fn purge_codes(&self, before_slot: i64) -> Result<u64>;
}

/// A policy parsed once and shared.
pub type SharedPolicy = Arc<Policy>;
