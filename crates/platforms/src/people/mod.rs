//! People: who they are, what they agreed to, and where their money is.

mod service;

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::identity::IdentityId;
use onescan_domain::ids::{AccountId, ConsentId, InstitutionId, MemberId, PersonId};
use onescan_domain::money::Currency;

pub use service::{NewPerson, People, PersonRefusal, normal_login};

use crate::error::Result;

/// A person with an account here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    /// What they sign in with; unique, lower case, 3 to 100 characters.
    pub login: String,
    pub name: String,
    pub identity: IdentityId,
    pub email: Option<String>,
    /// `zh` or `en`.
    pub language: String,
    pub currency: Currency,
    pub time_zone: String,
    pub account: AccountId,
    pub created_at: i64,
}

/// What a consent is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentPurpose {
    /// Reading the person's information to make the code record. Row S05. Source: S \[42\].
    CodeRecord,
}

impl ConsentPurpose {
    pub fn name(self) -> &'static str {
        match self {
            Self::CodeRecord => "code_record",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        (name == "code_record").then_some(Self::CodeRecord)
    }
}

/// That a person agreed, to what, when; kept after it is withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    pub id: ConsentId,
    pub person: PersonId,
    pub purpose: ConsentPurpose,
    /// Names of the fields that may be read.
    pub fields: Vec<String>,
    pub given_at: i64,
    pub withdrawn_at: Option<i64>,
}

/// A person's place in an institution, as the person's side knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub institution: InstitutionId,
    pub member: MemberId,
}

#[async_trait]
pub trait PeopleStore: Send + Sync {
    /// Writes the person, the sign-in name and the personal account in one commit.
    /// `login_bucket`: that of the name. `Taken { logins_pkey }` when the name is in use, else
    /// `Taken { people_identity }` when the identity id is.
    async fn insert(&self, person: &Person, login_bucket: Bucket, password_hash: &str) -> Result<()>;
    async fn find(&self, id: PersonId) -> Result<Option<Person>>;
    /// The person and the password's hash behind a sign-in name. `bucket`: that of the name.
    async fn find_by_login(&self, bucket: Bucket, login: &str) -> Result<Option<(PersonId, String)>>;
    async fn find_by_identity(&self, bucket: Bucket, identity: &IdentityId) -> Result<Option<Person>>;
    /// Writes name, e-mail address, language and time zone; the rest of a person never changes.
    async fn update(&self, person: &Person) -> Result<()>;
    async fn update_password(&self, id: PersonId, login: &str, login_bucket: Bucket, password_hash: &str)
    -> Result<()>;
    async fn insert_consent(&self, consent: &Consent) -> Result<()>;
    async fn list_consents(&self, person: PersonId) -> Result<Vec<Consent>>;
    /// Sets the time where it is not set; returns whether there was such a consent.
    async fn withdraw_consent(&self, person: PersonId, id: ConsentId, at: i64) -> Result<bool>;
    async fn list_memberships(&self, person: PersonId) -> Result<Vec<Membership>>;
    /// Of all buckets, the oldest first. `after`: the last id of the page before.
    async fn list(&self, after: Option<PersonId>, limit: u32) -> Result<Vec<Person>>;
}
