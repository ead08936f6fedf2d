//! People, sign-in names and consents. A person's rows lie in the bucket of the person's id; a sign-in name lies
//! where its own hash leads, so the two may differ.

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::identity::{IdentityId, IdentityKind};
use onescan_domain::ids::{AccountId, ConsentId, InstitutionId, MemberId, PersonId};
use onescan_domain::payments::ledger::AccountKind;
use onescan_platforms::error::Result;
use onescan_platforms::payments::NewAccount;
use onescan_platforms::people::{Consent, ConsentPurpose, Membership, PeopleStore, Person};

use crate::decode::{currency, id, parsed, wrong};
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::tx::{Call, Tx};
use crate::{Store, accounts, params, statements};

macro_rules! person_columns {
    () => {
        "id, login, name, identity_kind, identity_number, email, language, currency, time_zone, account_id, \
         created_at"
    };
}

statements! {
    INSERT_LOGIN = "insert into logins (bucket, login, person_id, password_hash)
        values (:bucket, :login::text, :person::text, :password_hash::text)";
    INSERT = "insert into people (bucket, id, login, name, identity_kind, identity_number, email, language, currency,
            time_zone, account_id, created_at)
        values (:bucket, :id::text, :login::text, :name::text, :identity_kind::text, :identity_number::text,
            :email::text, :language::text, :currency::text, :time_zone::text, :account::text, :created_at)";
    FIND = concat!("select ", person_columns!(), " from people where bucket = :bucket and id = :id::text");
    FIND_BY_LOGIN = "select person_id, password_hash from logins where bucket = :bucket and login = :login::text";
    FIND_BY_IDENTITY = concat!(
        "select ", person_columns!(), " from people
            where bucket = :bucket and identity_kind = :identity_kind::text
            and identity_number = :identity_number::text"
    );
    LIST_ALL_BUCKETS = concat!(
        "select ", person_columns!(), " from people
            where id > :after::text order by id limit :limit"
    );
    UPDATE = "update people set name = :name::text, email = :email::text, language = :language::text,
            time_zone = :time_zone::text
        where bucket = :bucket and id = :id::text";
    UPDATE_PASSWORD = "update logins set password_hash = :password_hash::text
        where bucket = :bucket and login = :login::text and person_id = :person::text";
    INSERT_CONSENT = "insert into consents (bucket, id, person_id, purpose, fields, given_at, withdrawn_at)
        values (:bucket, :id::text, :person::text, :purpose::text, :fields::text, :given_at, :withdrawn_at)";
    LIST_CONSENTS = "select id, person_id, purpose, fields, given_at, withdrawn_at from consents
        where bucket = :bucket and person_id = :person::text order by id";
    WITHDRAW_CONSENT = "update consents set withdrawn_at = coalesce(withdrawn_at, :at)
        where bucket = :bucket and id = :id::text and person_id = :person::text";
    LIST_MEMBERSHIPS = "select institution_id, member_id from memberships
        where bucket = :bucket and person_id = :person::text order by institution_id";
}

#[async_trait]
impl PeopleStore for Store {
    async fn insert(&self, person: &Person, login_bucket: Bucket, password_hash: &str) -> Result<()> {
        let person_id = person.id.stored();
        let login = params![login_bucket.number(), &person.login, person_id, password_hash];
        let input = (person.clone(), login);
        let inserting = self
            .db
            .write_with(input, |tx, (person, login)| Box::pin(insert(tx, person, login)));
        Ok(inserting.await?)
    }

    async fn find(&self, id: PersonId) -> Result<Option<Person>> {
        let found = self.db.query_opt(&FIND, params![id.bucket().number(), id.stored()]);
        Ok(found.await?.map(person).transpose()?)
    }

    async fn find_by_login(&self, bucket: Bucket, login: &str) -> Result<Option<(PersonId, String)>> {
        let found = self.db.query_opt(&FIND_BY_LOGIN, params![bucket.number(), login]);
        Ok(found.await?.map(sign_in).transpose()?)
    }

    async fn find_by_identity(&self, bucket: Bucket, identity: &IdentityId) -> Result<Option<Person>> {
        let key = params![bucket.number(), identity.kind().name(), identity.number()];
        let found = self.db.query_opt(&FIND_BY_IDENTITY, key);
        Ok(found.await?.map(person).transpose()?)
    }

    async fn update(&self, person: &Person) -> Result<()> {
        let row = params![
            &person.name,
            person.email.as_deref(),
            &person.language,
            &person.time_zone,
            person.id.bucket().number(),
            person.id.stored()
        ];
        Ok(self.change_one(&UPDATE, row).await?)
    }

    async fn update_password(
        &self,
        id: PersonId,
        login: &str,
        login_bucket: Bucket,
        password_hash: &str,
    ) -> Result<()> {
        let row = params![password_hash, login_bucket.number(), login, id.stored()];
        Ok(self.change_one(&UPDATE_PASSWORD, row).await?)
    }

    async fn insert_consent(&self, consent: &Consent) -> Result<()> {
        let row = params![
            consent.person.bucket().number(),
            consent.id.stored(),
            consent.person.stored(),
            consent.purpose.name(),
            consent.fields.join("\n"),
            consent.given_at,
            consent.withdrawn_at
        ];
        Ok(self.change_one(&INSERT_CONSENT, row).await?)
    }

    async fn list_consents(&self, person: PersonId) -> Result<Vec<Consent>> {
        let key = params![person.bucket().number(), person.stored()];
        let rows = self.db.query(&LIST_CONSENTS, key).await?;
        Ok(rows.iter().map(consent).collect::<Result<_, _>>()?)
    }

    async fn withdraw_consent(&self, person: PersonId, id: ConsentId, at: i64) -> Result<bool> {
        let row = params![at, person.bucket().number(), id.stored(), person.stored()];
        Ok(self.change(&WITHDRAW_CONSENT, row).await? == 1)
    }

    async fn list_memberships(&self, person: PersonId) -> Result<Vec<Membership>> {
        let key = params![person.bucket().number(), person.stored()];
        let rows = self.db.query(&LIST_MEMBERSHIPS, key).await?;
        Ok(rows.iter().map(membership).collect::<Result<_, _>>()?)
    }

    async fn list(&self, after: Option<PersonId>, limit: u32) -> Result<Vec<Person>> {
        let page = params![after.map(PersonId::stored).unwrap_or_default(), limit];
        let rows = self.list_long(&LIST_ALL_BUCKETS, page).await?;
        Ok(rows.into_iter().map(person).collect::<Result<_, _>>()?)
    }
}

/// The sign-in name first: of two taken constraints it is the one that is told.
async fn insert(tx: &mut Tx, person: &Person, login: &[Value]) -> Result<(), DbError> {
    let account = NewAccount {
        id: person.account,
        kind: AccountKind::Person,
        owner: person.id.stored(),
        name: person.name.clone(),
        currency: person.currency,
    };
    let row = params![
        person.id.bucket().number(),
        person.id.stored(),
        &person.login,
        &person.name,
        person.identity.kind().name(),
        person.identity.number(),
        person.email.as_deref(),
        &person.language,
        person.currency.code(),
        &person.time_zone,
        person.account.stored(),
        person.created_at
    ];
    tx.execute_all(vec![
        Call::one(&INSERT_LOGIN, login.to_vec()),
        Call::one(&INSERT, row),
        accounts::open(&account, person.created_at),
    ])
    .await
    .map(drop)
}

fn person(mut row: Row) -> Result<Person, DbError> {
    let kind = parsed(&row, 3, "identity kind", IdentityKind::parse)?;
    let identity = IdentityId::new(kind, row.text(4)?).map_err(|_| wrong(4, "identity number"))?;
    Ok(Person {
        id: id(&row, 0, PersonId::new)?,
        login: row.take_text(1)?,
        name: row.take_text(2)?,
        identity,
        email: row.take_opt_text(5)?,
        language: row.take_text(6)?,
        currency: currency(&row, 7)?,
        time_zone: row.take_text(8)?,
        account: id(&row, 9, AccountId::new)?,
        created_at: row.int(10)?,
    })
}

fn sign_in(mut row: Row) -> Result<(PersonId, String), DbError> {
    Ok((id(&row, 0, PersonId::new)?, row.take_text(1)?))
}

fn consent(row: &Row) -> Result<Consent, DbError> {
    Ok(Consent {
        id: id(row, 0, ConsentId::new)?,
        person: id(row, 1, PersonId::new)?,
        purpose: parsed(row, 2, "purpose", ConsentPurpose::parse)?,
        fields: row.text(3)?.lines().map(str::to_owned).collect(),
        given_at: row.int(4)?,
        withdrawn_at: row.opt_int(5)?,
    })
}

fn membership(row: &Row) -> Result<Membership, DbError> {
    Ok(Membership {
        institution: id(row, 0, InstitutionId::new)?,
        member: id(row, 1, MemberId::new)?,
    })
}
