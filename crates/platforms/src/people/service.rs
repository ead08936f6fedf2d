//! Registering people and changing what they say of themselves.

use std::sync::Arc;

use onescan_domain::identity::{IdentityId, IdentityKind};
use onescan_domain::ids::{AccountId, ConsentId, PersonId};
use onescan_domain::money::Currency;
use onescan_domain::text::{self, TextError};

use super::{Consent, ConsentPurpose, Membership, PeopleStore, Person};
use crate::access::{PasswordRefusal, Passwords};
use crate::env::{Env, is_time_zone};
use crate::error::Result;

/// What registering needs.
#[derive(Debug, Clone)]
pub struct NewPerson {
    pub login: String,
    pub name: String,
    pub password: String,
    /// `None`: a user number is given out. Row S03.
    pub identity: Option<IdentityId>,
    pub email: Option<String>,
    pub language: String,
    pub currency: Currency,
    pub time_zone: String,
}

/// Why a person is not taken, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PersonRefusal {
    #[error("{field}: {error}")]
    Text { field: &'static str, error: TextError },
    #[error("login: use 3 to 100 letters, digits and . _ - @ +")]
    LoginShape,
    #[error("language: use zh or en")]
    Language,
    #[error("time_zone: not a known IANA name such as Asia/Shanghai")]
    TimeZone,
    #[error("password: {0}")]
    Password(#[from] PasswordRefusal),
    #[error("login: this name is taken")]
    LoginTaken,
    #[error("identity: this number is registered already")]
    IdentityTaken,
}

/// The people of this server.
#[derive(Clone)]
pub struct People {
    env: Env,
    store: Arc<dyn PeopleStore>,
    passwords: Passwords,
}

impl std::fmt::Debug for People {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("People").finish_non_exhaustive()
    }
}

impl People {
    pub fn new(env: Env, store: Arc<dyn PeopleStore>, passwords: Passwords) -> Self {
        Self { env, store, passwords }
    }

    /// Registers a person with an empty account of their own. Refuses in the order of [`PersonRefusal`].
    pub async fn register(&self, new: NewPerson) -> Result<Result<Person, PersonRefusal>> {
        let person = match self.check(&new) {
            Ok(person) => person,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let hash = match self.passwords.hash(&new.password, &person.login).await? {
            Ok(hash) => hash,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        self.insert(person, &hash).await
    }

    /// [`Self::register`] with a password hash that was made before, for moving people in and for demo data.
    pub async fn register_hashed(&self, new: NewPerson, password_hash: &str) -> Result<Result<Person, PersonRefusal>> {
        match self.check(&new) {
            Ok(person) => self.insert(person, password_hash).await,
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    async fn insert(&self, person: Person, password_hash: &str) -> Result<Result<Person, PersonRefusal>> {
        let login_bucket = self.env.bucket_of(&person.login);
        match self.store.insert(&person, login_bucket, password_hash).await {
            Ok(()) => Ok(Ok(person)),
            Err(error) if error.is_taken("logins_pkey") => Ok(Err(PersonRefusal::LoginTaken)),
            Err(error) if error.is_taken("people_identity") => Ok(Err(PersonRefusal::IdentityTaken)),
            Err(error) => Err(error),
        }
    }

    fn check(&self, new: &NewPerson) -> Result<Person, PersonRefusal> {
        let line =
            |field, value: &str, max| text::line(value, max).map_err(|error| PersonRefusal::Text { field, error });
        let name = line("name", &new.name, 100)?;
        let email = text::optional_line(new.email.as_deref(), 254);
        let email = email.map_err(|error| PersonRefusal::Text { field: "email", error })?;
        let login = normal_login(&new.login).ok_or(PersonRefusal::LoginShape)?;
        if !matches!(new.language.as_str(), "zh" | "en") {
            return Err(PersonRefusal::Language);
        }
        if !is_time_zone(&new.time_zone) {
            return Err(PersonRefusal::TimeZone);
        }
        let identity = new.identity.clone().unwrap_or_else(|| self.user_number());
        let bucket = self.env.bucket_of(&identity.canonical());
        Ok(Person {
            id: PersonId::new(self.env.id(bucket)),
            login,
            name,
            identity,
            email,
            language: new.language.clone(),
            currency: new.currency,
            time_zone: new.time_zone.clone(),
            account: AccountId::new(self.env.id(bucket)),
            created_at: self.env.now_ms(),
        })
    }

    /// Twelve digits nobody has.
    fn user_number(&self) -> IdentityId {
        let number = u64::from_be_bytes(self.env.bytes()) % 1_000_000_000_000;
        IdentityId::new(IdentityKind::UserNumber, &format!("{number:012}"))
            .expect("twelve digits are an identity number")
    }

    pub async fn find(&self, id: PersonId) -> Result<Option<Person>> {
        self.store.find(id).await
    }

    pub async fn find_by_login(&self, login: &str) -> Result<Option<Person>> {
        let Some(login) = normal_login(login) else {
            return Ok(None);
        };
        match self.store.find_by_login(self.env.bucket_of(&login), &login).await? {
            Some((id, _)) => self.store.find(id).await,
            None => Ok(None),
        }
    }

    pub async fn find_by_identity(&self, identity: &IdentityId) -> Result<Option<Person>> {
        self.store
            .find_by_identity(self.env.bucket_of(&identity.canonical()), identity)
            .await
    }

    /// Changes name, e-mail, language and time zone; everything else stays.
    pub async fn change(&self, person: Person) -> Result<Result<Person, PersonRefusal>> {
        let checked = self.check(&NewPerson {
            login: person.login.clone(),
            name: person.name.clone(),
            password: String::new(),
            identity: Some(person.identity.clone()),
            email: person.email.clone(),
            language: person.language.clone(),
            currency: person.currency,
            time_zone: person.time_zone.clone(),
        });
        let Person { name, email, .. } = match checked {
            Ok(checked) => checked,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let changed = Person { name, email, ..person };
        self.store.update(&changed).await?;
        Ok(Ok(changed))
    }

    /// Replaces the password; the old one was checked by the caller.
    pub async fn change_password(&self, person: &Person, password: &str) -> Result<Result<(), PasswordRefusal>> {
        let hash = match self.passwords.hash(password, &person.login).await? {
            Ok(hash) => hash,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let bucket = self.env.bucket_of(&person.login);
        self.store
            .update_password(person.id, &person.login, bucket, &hash)
            .await
            .map(Ok)
    }

    /// Records that the person agreed that `fields` are read. Row S05. Source: S \[42\].
    pub async fn consent(&self, person: PersonId, purpose: ConsentPurpose, fields: Vec<String>) -> Result<Consent> {
        let id = ConsentId::new(self.env.id(person.bucket()));
        let consent = Consent {
            id,
            person,
            purpose,
            fields,
            given_at: self.env.now_ms(),
            withdrawn_at: None,
        };
        self.store.insert_consent(&consent).await?;
        Ok(consent)
    }

    pub async fn consents(&self, person: PersonId) -> Result<Vec<Consent>> {
        self.store.list_consents(person).await
    }

    /// Returns whether the person had given such a consent. Withdrawing twice keeps the first time.
    pub async fn withdraw(&self, person: PersonId, id: ConsentId) -> Result<bool> {
        self.store.withdraw_consent(person, id, self.env.now_ms()).await
    }

    pub async fn memberships(&self, person: PersonId) -> Result<Vec<Membership>> {
        self.store.list_memberships(person).await
    }

    pub async fn list(&self, after: Option<PersonId>, limit: u32) -> Result<Vec<Person>> {
        self.store.list(after, limit).await
    }
}

/// Lower case without surrounding spaces; `None` when it cannot be a sign-in name.
pub fn normal_login(login: &str) -> Option<String> {
    let login = login.trim().to_lowercase();
    let clean = login
        .chars()
        .all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-' | '@' | '+'));
    (clean && (3..=100).contains(&login.chars().count())).then_some(login)
}
