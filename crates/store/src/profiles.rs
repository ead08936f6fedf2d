//! Invoice profiles and the questions which of them to take. A profile lies in its record's bucket, a question in its
//! payment's; for one payment the two are the same.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::codes::CodeRecordId;
use onescan_domain::ids::{ChoiceId, PaymentId, PersonId, ProfileId, RawId, ScenarioId};
use onescan_domain::profiles::{DeliveryChannel, InvoiceProfile, ProfileChoice, ProfileFields, TitleKind};
use onescan_platforms::error::Result;
use onescan_platforms::profiles::{ProfileRequest, ProfileStore};

use crate::decode::{id, opt_id, parsed, record_id};
use crate::error::DbError;
use crate::recall::{self, Memory};
use crate::sql::{Row, Value};
use crate::tx::{Call, Tx};
use crate::{Store, params, statements};

macro_rules! profile_columns {
    () => {
        "record_id, id, title_kind, title, tax_number, address, telephone, bank_name, bank_account, email, vat_id, \
         postcode, city, country, electronic_address, buyer_reference, scenarios, preferred, created_at"
    };
}

macro_rules! choice_columns {
    () => {
        "id, payment_id, record_id, person_id, candidates, until_at, chosen_id"
    };
}

statements! {
    INSERT = "insert into profiles (bucket, record_id, id, title_kind, title, tax_number, address, telephone, bank_name,
            bank_account, email, vat_id, postcode, city, country, electronic_address, buyer_reference, scenarios,
            preferred, created_at, removed_at)
        values (:bucket, :record::text, :id::text, :title_kind::text, :title::text, :tax_number::text, :address::text,
            :telephone::text, :bank_name::text, :bank_account::text, :email::text, :vat_id::text, :postcode::text,
            :city::text, :country::text, :electronic_address::text, :buyer_reference::text, :scenarios::text,
            :preferred, :created_at, null)";
    UPDATE = "update profiles set title_kind = :title_kind::text, title = :title::text,
            tax_number = :tax_number::text, address = :address::text, telephone = :telephone::text,
            bank_name = :bank_name::text, bank_account = :bank_account::text, email = :email::text,
            vat_id = :vat_id::text, postcode = :postcode::text, city = :city::text, country = :country::text,
            electronic_address = :electronic_address::text, buyer_reference = :buyer_reference::text,
            scenarios = :scenarios::text, preferred = :preferred
        where bucket = :bucket and record_id = :record::text and id = :id::text and removed_at is null";
    UNMARK_OTHERS = "update profiles set preferred = 0
        where bucket = :bucket and record_id = :record::text and preferred = 1 and id <> :id::text";
    REMOVE = "update profiles set removed_at = :at
        where bucket = :bucket and record_id = :record::text and id = :id::text and removed_at is null";
    FIND = concat!("select ", profile_columns!(), " from profiles where bucket = :bucket and id = :id::text");
    LIST = concat!(
        "select ", profile_columns!(), " from profiles
            where bucket = :bucket and record_id = :record::text and removed_at is null order by id"
    );
    INSERT_CHOICE = "insert into profile_choices
            (bucket, id, payment_id, record_id, person_id, candidates, until_at, chosen_id)
        values (:bucket, :id::text, :payment::text, :record::text, :person::text, :candidates::text, :until,
            :chosen::text)
        on conflict do nothing";
    FIND_CHOICE = concat!(
        "select ", choice_columns!(), " from profile_choices
            where bucket = :bucket and id = :id::text"
    );
    FIND_CHOICE_OF_PAYMENT = concat!(
        "select ", choice_columns!(), " from profile_choices
            where bucket = :bucket and payment_id = :payment::text"
    );
    LIST_OPEN_CHOICES = concat!(
        "select ", choice_columns!(), " from profile_choices
            where bucket = :bucket and person_id = :person::text and until_at > :now
            and chosen_id is null order by id desc"
    );
    SETTLE_CHOICE = "update profile_choices set chosen_id = :profile::text
        where bucket = :bucket and id = :id::text and chosen_id is null";
}

#[async_trait]
impl ProfileStore for Store {
    async fn insert(&self, bucket: Bucket, profile: &InvoiceProfile) -> Result<()> {
        let input = (bucket, profile.clone());
        let inserting = self.db.write_with(input, |tx, (bucket, profile)| {
            Box::pin(async move {
                tx.execute_one(&INSERT, profile_values(*bucket, profile)).await?;
                unmark_others(tx, *bucket, profile).await
            })
        });
        Ok(inserting.await?)
    }

    async fn update(&self, bucket: Bucket, profile: &InvoiceProfile) -> Result<bool> {
        let input = (bucket, profile.clone());
        let updating = self.db.write_with(input, |tx, (bucket, profile)| {
            Box::pin(async move {
                if tx.execute(&UPDATE, changed_values(*bucket, profile)).await? == 0 {
                    return Ok(false);
                }
                unmark_others(tx, *bucket, profile).await?;
                Ok::<_, DbError>(true)
            })
        });
        Ok(updating.await?)
    }

    async fn remove(&self, bucket: Bucket, record: &CodeRecordId, id: ProfileId, at: i64) -> Result<bool> {
        let row = params![at, bucket.number(), record.as_str(), id.stored()];
        Ok(self.change(&REMOVE, row).await? == 1)
    }

    async fn find(&self, id: ProfileId) -> Result<Option<InvoiceProfile>> {
        let found = self.db.query_opt(&FIND, params![id.bucket().number(), id.stored()]);
        Ok(found.await?.map(profile).transpose()?)
    }

    async fn list(&self, bucket: Bucket, record: &CodeRecordId) -> Result<Vec<InvoiceProfile>> {
        let key = params![bucket.number(), record.as_str()];
        Ok(profiles(self.db.query(&LIST, key).await?)?)
    }

    /// One round trip for the whole batch while the records' profiles are known; a second one for those that are not.
    async fn load(&self, requests: &[ProfileRequest]) -> Result<Vec<(Vec<InvoiceProfile>, Option<ProfileChoice>)>> {
        let input = (&*self.profiles, requests);
        let reading = self
            .db
            .read_with(&input, |tx, (known, requests)| Box::pin(load(tx, known, requests)));
        Ok(reading.await?)
    }

    async fn insert_choice(&self, choice: &ProfileChoice) -> Result<()> {
        let row = params![
            choice.payment.bucket().number(),
            choice.id.stored(),
            choice.payment.stored(),
            choice.record.as_str(),
            choice.person.stored(),
            joined(choice.candidates.iter().map(|id| id.stored())),
            choice.until,
            choice.chosen.map(ProfileId::stored)
        ];
        Ok(self.change(&INSERT_CHOICE, row).await.map(drop)?)
    }

    async fn find_choice(&self, id: ChoiceId) -> Result<Option<ProfileChoice>> {
        let found = self
            .db
            .query_opt(&FIND_CHOICE, params![id.bucket().number(), id.stored()]);
        Ok(found.await?.map(choice).transpose()?)
    }

    async fn list_open_choices(&self, person: PersonId, bucket: Bucket, now: i64) -> Result<Vec<ProfileChoice>> {
        let key = params![bucket.number(), person.stored(), now];
        let rows = self.db.query(&LIST_OPEN_CHOICES, key).await?;
        Ok(rows.into_iter().map(choice).collect::<Result<_, _>>()?)
    }

    async fn settle_choice(&self, id: ChoiceId, profile: ProfileId) -> Result<Option<ProfileChoice>> {
        let settling = self.db.write(move |tx| {
            let bucket = id.bucket().number();
            let settle = params![profile.stored(), bucket, id.stored()];
            let find = params![bucket, id.stored()];
            Box::pin(async move {
                tx.execute(&SETTLE_CHOICE, settle).await?;
                tx.query_opt(&FIND_CHOICE, find).await?.map(choice).transpose()
            })
        });
        Ok(settling.await?)
    }
}

async fn unmark_others(tx: &mut Tx, bucket: Bucket, profile: &InvoiceProfile) -> Result<(), DbError> {
    if profile.preferred {
        let row = params![bucket.number(), profile.record.as_str(), profile.id.stored()];
        tx.execute(&UNMARK_OTHERS, row).await?;
    }
    Ok(())
}

/// The profiles of code records that are kept in memory.
pub(crate) type OfRecords = Memory<RecordKey, Vec<InvoiceProfile>>;

type RecordKey = (Bucket, CodeRecordId);
type Loaded = Vec<(Vec<InvoiceProfile>, Option<ProfileChoice>)>;

async fn load(tx: &mut Tx, known: &OfRecords, requests: &[ProfileRequest]) -> Result<Loaded, DbError> {
    let payments = requests.iter().map(|request| request.payment);
    let payments = payments.map(|payment| params![payment.bucket().number(), payment.stored()]);
    let calls = vec![
        recall::version_call(),
        Call::each(&FIND_CHOICE_OF_PAYMENT, payments.collect()),
    ];
    let mut found = tx.query_all(calls).await?.into_iter();
    let version = recall::version(&found.next().unwrap_or_default())?;
    let choices = found.next().unwrap_or_default();
    let key = |request: &ProfileRequest| (request.payment.bucket(), request.record.clone());
    let of_records = recall_profiles(tx, known, version, requests.iter().map(key).collect()).await?;
    let loaded = requests.iter().zip(choices).map(|(request, mut rows)| {
        let profiles = of_records.get(&key(request)).map(|profiles| profiles.to_vec());
        Ok((profiles.unwrap_or_default(), rows.pop().map(choice).transpose()?))
    });
    loaded.collect()
}

async fn recall_profiles(
    tx: &mut Tx,
    known: &OfRecords,
    version: i64,
    keys: BTreeSet<RecordKey>,
) -> Result<HashMap<RecordKey, Arc<Vec<InvoiceProfile>>>, DbError> {
    let mut recalled = HashMap::new();
    let mut unknown = Vec::new();
    for key in keys {
        match known.find(version, &key) {
            Some(profiles) => drop(recalled.insert(key, profiles)),
            None => unknown.push(key),
        }
    }
    let sets = unknown.iter().map(|(bucket, id)| params![bucket.number(), id.as_str()]);
    let found = tx.query_each(&LIST, sets.collect()).await?;
    for (key, rows) in unknown.into_iter().zip(found) {
        let found = Arc::new(profiles(rows)?);
        known.keep(version, key.clone(), &found);
        recalled.insert(key, found);
    }
    Ok(recalled)
}

fn profile_values(bucket: Bucket, profile: &InvoiceProfile) -> Vec<Value> {
    let mut values = params![bucket.number(), profile.record.as_str(), profile.id.stored()];
    values.extend(field_values(profile));
    values.push(profile.created_at.into());
    values
}

fn changed_values(bucket: Bucket, profile: &InvoiceProfile) -> Vec<Value> {
    let mut values = field_values(profile);
    values.extend(params![bucket.number(), profile.record.as_str(), profile.id.stored()]);
    values
}

/// What a profile's owner may change, in the order in which both statements name it.
fn field_values(profile: &InvoiceProfile) -> Vec<Value> {
    let fields = &profile.fields;
    let email = match &fields.channel {
        DeliveryChannel::Inbox => None,
        DeliveryChannel::Email(address) => Some(address.as_str()),
    };
    params![
        fields.title_kind.name(),
        &fields.title,
        fields.tax_number.as_deref(),
        fields.address.as_deref(),
        fields.telephone.as_deref(),
        fields.bank_name.as_deref(),
        fields.bank_account.as_deref(),
        email,
        fields.vat_id.as_deref(),
        fields.postcode.as_deref(),
        fields.city.as_deref(),
        fields.country.as_deref(),
        fields.electronic_address.as_deref(),
        fields.buyer_reference.as_deref(),
        joined(profile.scenarios.iter().map(|id| id.stored())),
        profile.preferred
    ]
}

fn joined(ids: impl Iterator<Item = String>) -> String {
    ids.collect::<Vec<_>>().join(" ")
}

fn ids<T>(row: &Row, column: usize, new: fn(RawId) -> T) -> Result<Vec<T>, DbError> {
    parsed(row, column, "ids", |text| {
        text.split_whitespace().map(|id| RawId::parse(id).map(new)).collect()
    })
}

fn profiles(rows: Vec<Row>) -> Result<Vec<InvoiceProfile>, DbError> {
    rows.into_iter().map(profile).collect()
}

fn profile(mut row: Row) -> Result<InvoiceProfile, DbError> {
    Ok(InvoiceProfile {
        record: record_id(&mut row, 0)?,
        id: id(&row, 1, ProfileId::new)?,
        fields: fields(&mut row)?,
        scenarios: ids(&row, 16, ScenarioId::new)?,
        preferred: row.flag(17)?,
        created_at: row.int(18)?,
    })
}

fn fields(row: &mut Row) -> Result<ProfileFields, DbError> {
    Ok(ProfileFields {
        title_kind: parsed(row, 2, "title kind", TitleKind::parse)?,
        title: row.take_text(3)?,
        tax_number: row.take_opt_text(4)?,
        address: row.take_opt_text(5)?,
        telephone: row.take_opt_text(6)?,
        bank_name: row.take_opt_text(7)?,
        bank_account: row.take_opt_text(8)?,
        vat_id: row.take_opt_text(10)?,
        postcode: row.take_opt_text(11)?,
        city: row.take_opt_text(12)?,
        country: row.take_opt_text(13)?,
        electronic_address: row.take_opt_text(14)?,
        buyer_reference: row.take_opt_text(15)?,
        channel: row
            .take_opt_text(9)?
            .map_or(DeliveryChannel::Inbox, DeliveryChannel::Email),
    })
}

fn choice(mut row: Row) -> Result<ProfileChoice, DbError> {
    Ok(ProfileChoice {
        id: id(&row, 0, ChoiceId::new)?,
        payment: id(&row, 1, PaymentId::new)?,
        record: record_id(&mut row, 2)?,
        person: id(&row, 3, PersonId::new)?,
        candidates: ids(&row, 4, ProfileId::new)?,
        until: row.int(5)?,
        chosen: opt_id(&row, 6, ProfileId::new)?,
    })
}
