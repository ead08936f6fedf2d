//! The service platform's tables: code records, scenarios, codes, devices.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::calendar::WorkCalendar;
use onescan_domain::codes::{
    Categories, CodeFacts, CodeKind, CodeRecord, CodeRecordId, MemberAccess, RecordHolder, RecordState, Scenario,
};
use onescan_domain::identity::{IdentityId, IdentityKind};
use onescan_domain::ids::{AccountId, CodeId, InstitutionId, MemberId, PersonId, ScenarioId};
use onescan_domain::policy::Policy;
use onescan_platforms::codes::{Assigned, CodeKey, CodeStore, LoadedCode, LoadedScenario, NewCode, Removed};
use onescan_platforms::error::Result;
use onescan_platforms::institutions::InstitutionStore;

use crate::decode::{bucket, currency, id, opt_id, parsed, record_id};
use crate::error::DbError;
use crate::gather::Group;
use crate::ledger::write_all;
use crate::recall::{self, Memory};
use crate::sql::{Row, Value};
use crate::tx::{Call, Tx};
use crate::{Store, params, statements};

/// What [`record`] reads, in its order, behind a table's short name.
macro_rules! record_columns {
    ($table:literal) => {
        concat!(
            $table,
            ".bucket, ",
            $table,
            ".id, ",
            $table,
            ".kind, ",
            $table,
            ".holder_id, ",
            $table,
            ".identity_kind, ",
            $table,
            ".identity_number, ",
            $table,
            ".member_access, ",
            $table,
            ".account_id, ",
            $table,
            ".currency, ",
            $table,
            ".time_zone, ",
            $table,
            ".state, ",
            $table,
            ".created_at"
        )
    };
}

statements! {
    INSERT_RECORD =
        "insert into code_records (bucket, id, kind, holder_id, identity_kind, identity_number, member_access,
         account_id, currency, time_zone, state, created_at) values (:bucket, :id::text, :kind::text, :holder::text,
         :identity_kind::text, :identity_number::text, :member_access::text, :account::text, :currency::text,
         :time_zone::text, :state::text, :created_at)";
    RECORD = concat!(
        "select ", record_columns!("r"), " from code_records r where r.bucket = :bucket and r.id = :id::text"
    );
    RECORD_OF_HOLDER = concat!(
        "select ", record_columns!("r"), " from code_records r where r.bucket = :bucket and r.kind = :kind::text
         and r.holder_id = :holder::text"
    );
    UPDATE_STATE =
        "update code_records set state = :state::text where bucket = :bucket and id = :id::text and state <> 'closed'";
    UPDATE_MEMBER_ACCESS =
        "update code_records set member_access = :member_access::text where bucket = :bucket and id = :id::text
         and kind = 'institution'";
    ASSIGN =
        "insert into record_members (bucket, record_id, member_id) values (:bucket, :record::text, :member::text)
         on conflict (bucket, record_id, member_id) do nothing";
    UNASSIGN =
        "delete from record_members where bucket = :bucket and record_id = :record::text and member_id = :member::text";
    ASSIGNED =
        "select member_id from record_members where bucket = :bucket and record_id = :record::text order by member_id";
    PUT_SCENARIO =
        "insert into scenarios (bucket, record_id, id, name, categories, policy, created_at) values (:bucket,
         :record::text, :id::text, :name::text, :categories::text, :policy::text, :created_at)
         on conflict (bucket, record_id, id) do update set name = excluded.name, categories = excluded.categories,
         policy = excluded.policy";
    DELETE_SCENARIO =
        "delete from scenarios where bucket = :bucket and record_id = :record::text and id = :id::text";
    SCENARIOS =
        "select id, name, categories, policy, created_at from scenarios
         where bucket = :bucket and record_id = :record::text order by id";
    INSERT_CODE =
        "insert into codes (bucket, slot, number, id, record_id, person_id, member_id, device, address, location,
         created_at, pay_until) values (:bucket, :slot, :number, :id::text, :record::text, :person::text,
         :member::text, :device::text, :address::text, :location::text, :created_at, :pay_until)";
    /// Without a previous code in this batch, the latest before it becomes the previous.
    MOVE_DEVICE_ON =
        "insert into code_devices (bucket, record_id, person_id, device, latest_id, previous_id) values (:bucket,
         :record::text, :person::text, :device::text, :latest::text, :previous::text)
         on conflict (bucket, record_id, person_id, device) do update set
         previous_id = coalesce(excluded.previous_id, code_devices.latest_id), latest_id = excluded.latest_id";
    LOAD_CODE =
        "select c.record_id, c.id, c.person_id, c.member_id, c.created_at, c.pay_until, d.latest_id, d.previous_id
         from codes c
         left join code_devices d on d.bucket = c.bucket and d.record_id = c.record_id and d.person_id = c.person_id
             and d.device = c.device
         where c.bucket = :bucket and c.slot = :slot and c.number = :number";
    /// How a member is tied to a record: through the institution, and by name.
    TIE =
        "select m.state, a.member_id from members m
         left join record_members a on a.bucket = m.bucket and a.record_id = :record::text and a.member_id = m.id
         where m.bucket = :bucket and m.id = :member::text and m.person_id = :person::text";
    NEXT_BUCKET_ALL_BUCKETS = "select min(bucket) from codes where bucket > :after";
    PURGE =
        "delete from codes where bucket = :bucket and slot < :before and not exists
         (select 1 from payments p where p.bucket = codes.bucket and p.code_id = codes.id)";
}

/// What is kept in memory of code records, in their bucket.
#[derive(Debug, Default)]
pub(crate) struct Records {
    records: Memory<RecordKey, KnownRecord>,
    ties: Memory<TieKey, Tie>,
}

type RecordKey = (Bucket, CodeRecordId);
type TieKey = (Bucket, CodeRecordId, MemberId, PersonId);

#[derive(Debug)]
struct KnownRecord {
    record: CodeRecord,
    scenarios: Arc<[LoadedScenario]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tie {
    active: bool,
    assigned: bool,
}

fn member_access(name: &str) -> Option<MemberAccess> {
    match name {
        "through_institution" => Some(MemberAccess::ThroughInstitution),
        "assigned" => Some(MemberAccess::Assigned),
        _ => None,
    }
}

fn member_access_name(access: MemberAccess) -> &'static str {
    match access {
        MemberAccess::ThroughInstitution => "through_institution",
        MemberAccess::Assigned => "assigned",
    }
}

/// `row` begins with [`record_columns`].
fn record(row: &mut Row) -> Result<CodeRecord, DbError> {
    let holder = match parsed(row, 2, "kind of code", CodeKind::parse)? {
        CodeKind::User => {
            let kind = parsed(row, 4, "kind of identity", IdentityKind::parse)?;
            RecordHolder::Person {
                person: id(row, 3, PersonId::new)?,
                identity: parsed(row, 5, "identity number", |number| IdentityId::new(kind, number).ok())?,
            }
        }
        CodeKind::Institution => RecordHolder::Institution {
            institution: id(row, 3, InstitutionId::new)?,
            members: parsed(row, 6, "access of members", member_access)?,
        },
    };
    Ok(CodeRecord {
        id: record_id(row, 1)?,
        bucket: bucket(row, 0)?,
        holder,
        account: id(row, 7, AccountId::new)?,
        currency: currency(row, 8)?,
        time_zone: row.take_text(9)?,
        state: parsed(row, 10, "state of a record", RecordState::parse)?,
        created_at: row.int(11)?,
    })
}

fn record_parameters(record: &CodeRecord) -> Vec<Value> {
    let (holder, identity, members) = match &record.holder {
        RecordHolder::Person { person, identity } => (person.stored(), Some(identity), None),
        RecordHolder::Institution { institution, members } => (institution.stored(), None, Some(*members)),
    };
    params![
        record.bucket.number(),
        record.id.as_str(),
        record.kind().name(),
        holder,
        identity.map(|identity| identity.kind().name()),
        identity.map(IdentityId::number),
        members.map(member_access_name),
        record.account.stored(),
        record.currency.code(),
        record.time_zone.as_str(),
        record.state.name(),
        record.created_at,
    ]
}

fn scenario(record: &CodeRecordId, mut row: Row) -> Result<Scenario, DbError> {
    Ok(Scenario {
        id: id(&row, 0, ScenarioId::new)?,
        record: record.clone(),
        name: row.take_text(1)?,
        categories: parsed(&row, 2, "categories", |text| Categories::parse(text).ok())?,
        policy: parsed(&row, 3, "policy", |text| Policy::parse(text).ok())?,
        created_at: row.int(4)?,
    })
}

fn loaded_scenario(mut row: Row) -> Result<LoadedScenario, DbError> {
    Ok(LoadedScenario {
        id: id(&row, 0, ScenarioId::new)?,
        name: row.take_text(1)?,
        categories: row.take_text(2)?,
        policy: row.take_text(3)?,
    })
}

fn code_parameters(code: &NewCode) -> Vec<Value> {
    let access = &code.access;
    params![
        code.key.bucket.number(),
        code.key.slot,
        code.key.number,
        code.id.stored(),
        code.record.as_str(),
        access.person.stored(),
        access.member.map(MemberId::stored),
        access.device.as_str(),
        access.address.as_str(),
        access.location.as_deref(),
        code.created_at,
        code.pay_until,
    ]
}

/// One parameter set of [`MOVE_DEVICE_ON`] per device, in the order of their keys: its last code of the batch, and the
/// one before that.
fn device_parameters(codes: &[NewCode]) -> Vec<Vec<Value>> {
    let mut devices: BTreeMap<_, (CodeId, Option<CodeId>)> = BTreeMap::new();
    for code in codes {
        let device = (
            code.key.bucket,
            &code.record,
            code.access.person,
            code.access.device.as_str(),
        );
        devices
            .entry(device)
            .and_modify(|(latest, previous)| *previous = Some(std::mem::replace(latest, code.id)))
            .or_insert((code.id, None));
    }
    let parameters = devices
        .into_iter()
        .map(|((bucket, record, person, device), (latest, previous))| {
            params![
                bucket.number(),
                record.as_str(),
                person.stored(),
                device,
                latest.stored(),
                previous.map(CodeId::stored)
            ]
        });
    parameters.collect()
}

async fn insert(tx: &mut Tx, codes: &[NewCode]) -> Result<Vec<()>, DbError> {
    let writes = vec![
        Call::each(&INSERT_CODE, codes.iter().map(code_parameters).collect()),
        Call::each(&MOVE_DEVICE_ON, device_parameters(codes)),
    ];
    write_all(tx, writes).await?;
    Ok(vec![(); codes.len()])
}

/// One round trip while the records are known; a second one for those that are not.
async fn load(tx: &mut Tx, known: &Records, keys: &[CodeKey]) -> Result<Vec<Option<LoadedCode>>, DbError> {
    let sets = keys
        .iter()
        .map(|key| params![key.bucket.number(), key.slot, key.number]);
    let calls = vec![recall::version_call(), Call::each(&LOAD_CODE, sets.collect())];
    let mut found = tx.query_all(calls).await?.into_iter();
    let version = recall::version(&found.next().unwrap_or_default())?;
    let rows = found.next().unwrap_or_default().into_iter().zip(keys);
    let rows = rows.map(|(mut rows, key)| rows.pop().map(|row| code_row(row, key.bucket)).transpose());
    let rows: Vec<Option<CodeRow>> = rows.collect::<Result<_, _>>()?;
    let (records, ties) = recall_records(tx, known, version, rows.iter().flatten()).await?;
    let loaded = rows.into_iter().map(|row| {
        let row = row?;
        let tie = row.tie_key().and_then(|key| ties.get(&key)).copied();
        Some(row.with(records.get(&row.record)?, tie.unwrap_or_default()))
    });
    Ok(loaded.collect())
}

/// A code's own row and its device's.
struct CodeRow {
    record: RecordKey,
    code: CodeId,
    person: PersonId,
    member: Option<MemberId>,
    created_at: i64,
    pay_until: i64,
    latest_two: [Option<CodeId>; 2],
}

/// `row`: [`LOAD_CODE`].
fn code_row(mut row: Row, bucket: Bucket) -> Result<CodeRow, DbError> {
    Ok(CodeRow {
        record: (bucket, record_id(&mut row, 0)?),
        code: id(&row, 1, CodeId::new)?,
        person: id(&row, 2, PersonId::new)?,
        member: opt_id(&row, 3, MemberId::new)?,
        created_at: row.int(4)?,
        pay_until: row.int(5)?,
        latest_two: [opt_id(&row, 6, CodeId::new)?, opt_id(&row, 7, CodeId::new)?],
    })
}

impl CodeRow {
    fn tie_key(&self) -> Option<TieKey> {
        let (bucket, record) = &self.record;
        Some((*bucket, record.clone(), self.member?, self.person))
    }

    fn with(&self, known: &KnownRecord, tie: Tie) -> LoadedCode {
        let tied = match &known.record.holder {
            RecordHolder::Person { person, .. } => *person == self.person,
            RecordHolder::Institution { members, .. } => match members {
                MemberAccess::ThroughInstitution => tie.active,
                MemberAccess::Assigned => tie.active && tie.assigned,
            },
        };
        let facts = CodeFacts {
            code: self.code,
            record: known.record.clone(),
            person: self.person,
            member: self.member,
            tied,
            replaced: !self.latest_two.contains(&Some(self.code)),
            created_at: self.created_at,
            pay_until: self.pay_until,
        };
        LoadedCode {
            facts,
            scenarios: Arc::clone(&known.scenarios),
        }
    }
}

type Recalled = (HashMap<RecordKey, Arc<KnownRecord>>, HashMap<TieKey, Tie>);

/// The records and ties of these codes, from memory or else from the database. A member who is not there is not tied.
async fn recall_records(
    tx: &mut Tx,
    known: &Records,
    version: i64,
    rows: impl Iterator<Item = &CodeRow>,
) -> Result<Recalled, DbError> {
    let (mut records, mut ties) = (HashMap::new(), HashMap::new());
    let (mut unknown, mut untold) = (BTreeSet::new(), BTreeSet::new());
    for row in rows {
        match known.records.find(version, &row.record) {
            Some(found) => drop(records.insert(row.record.clone(), found)),
            None => drop(unknown.insert(row.record.clone())),
        }
        let Some(key) = row.tie_key() else { continue };
        match known.ties.find(version, &key) {
            Some(found) => drop(ties.insert(key, *found)),
            None => drop(untold.insert(key)),
        }
    }
    if unknown.is_empty() && untold.is_empty() {
        return Ok((records, ties));
    }
    let of_record = || {
        let keys = unknown.iter().map(|(bucket, id)| params![bucket.number(), id.as_str()]);
        keys.collect::<Vec<_>>()
    };
    let of_member = untold.iter().map(|(bucket, record, member, person)| {
        params![record.as_str(), bucket.number(), member.stored(), person.stored()]
    });
    let calls = vec![
        Call::each(&RECORD, of_record()),
        Call::each(&SCENARIOS, of_record()),
        Call::each(&TIE, of_member.collect()),
    ];
    let mut found = tx.query_all(calls).await?.into_iter();
    let mut next = || found.next().unwrap_or_default().into_iter();
    for ((key, mut row), rows) in unknown.into_iter().zip(next()).zip(next()) {
        let Some(mut row) = row.pop() else { continue };
        let scenarios = rows.into_iter().map(loaded_scenario).collect::<Result<_, _>>()?;
        let found = Arc::new(KnownRecord {
            record: record(&mut row)?,
            scenarios,
        });
        known.records.keep(version, key.clone(), &found);
        records.insert(key, found);
    }
    for (key, mut rows) in untold.into_iter().zip(next()) {
        let tie = rows.pop().map_or(Ok(Tie::default()), |row| tie(&row))?;
        known.ties.keep(version, key.clone(), &Arc::new(tie));
        ties.insert(key, tie);
    }
    Ok((records, ties))
}

/// `row`: [`TIE`].
fn tie(row: &Row) -> Result<Tie, DbError> {
    Ok(Tie {
        active: row.text(0)? == "active",
        assigned: row.opt_text(1)?.is_some(),
    })
}

impl Store {
    async fn find_record_of(&self, bucket: Bucket, kind: CodeKind, holder: String) -> Result<Option<CodeRecord>> {
        let parameters = params![bucket.number(), kind.name(), holder];
        let row = self.db.query_opt(&RECORD_OF_HOLDER, parameters).await?;
        Ok(row.map(|mut row| record(&mut row)).transpose()?)
    }
}

#[async_trait]
impl CodeStore for Store {
    async fn insert_record(&self, record: &CodeRecord) -> Result<()> {
        Ok(self.change_one(&INSERT_RECORD, record_parameters(record)).await?)
    }

    async fn find_record(&self, bucket: Bucket, id: &CodeRecordId) -> Result<Option<CodeRecord>> {
        let row = self
            .db
            .query_opt(&RECORD, params![bucket.number(), id.as_str()])
            .await?;
        Ok(row.map(|mut row| record(&mut row)).transpose()?)
    }

    async fn find_record_of_person(&self, person: PersonId) -> Result<Option<CodeRecord>> {
        self.find_record_of(person.bucket(), CodeKind::User, person.stored())
            .await
    }

    async fn find_record_of_institution(&self, institution: InstitutionId) -> Result<Option<CodeRecord>> {
        let (bucket, holder) = (institution.bucket(), institution.stored());
        self.find_record_of(bucket, CodeKind::Institution, holder).await
    }

    async fn update_record_state(&self, bucket: Bucket, id: &CodeRecordId, state: RecordState) -> Result<()> {
        let parameters = params![state.name(), bucket.number(), id.as_str()];
        self.change(&UPDATE_STATE, parameters).await?;
        Ok(())
    }

    async fn update_member_access(&self, bucket: Bucket, id: &CodeRecordId, members: MemberAccess) -> Result<()> {
        let parameters = params![member_access_name(members), bucket.number(), id.as_str()];
        self.change(&UPDATE_MEMBER_ACCESS, parameters).await?;
        Ok(())
    }

    async fn set_assigned(
        &self,
        bucket: Bucket,
        id: &CodeRecordId,
        member: MemberId,
        assigned: Assigned,
    ) -> Result<()> {
        let statement = match assigned {
            Assigned::Yes => &ASSIGN,
            Assigned::No => &UNASSIGN,
        };
        let parameters = params![bucket.number(), id.as_str(), member.stored()];
        self.change(statement, parameters).await?;
        Ok(())
    }

    async fn list_assigned(&self, bucket: Bucket, id: &CodeRecordId) -> Result<Vec<MemberId>> {
        let rows = self.db.query(&ASSIGNED, params![bucket.number(), id.as_str()]).await?;
        let members = rows.iter().map(|row| crate::decode::id(row, 0, MemberId::new));
        Ok(members.collect::<Result<_, _>>()?)
    }

    async fn put_scenario(&self, bucket: Bucket, scenario: &Scenario) -> Result<()> {
        let parameters = params![
            bucket.number(),
            scenario.record.as_str(),
            scenario.id.stored(),
            scenario.name.as_str(),
            scenario.categories.to_string(),
            scenario.policy.to_string(),
            scenario.created_at,
        ];
        Ok(self.change_one(&PUT_SCENARIO, parameters).await?)
    }

    async fn delete_scenario(&self, bucket: Bucket, record: &CodeRecordId, id: ScenarioId) -> Result<Removed> {
        let parameters = params![bucket.number(), record.as_str(), id.stored()];
        Ok(match self.change(&DELETE_SCENARIO, parameters).await? {
            0 => Removed::NotThere,
            _ => Removed::Yes,
        })
    }

    async fn list_scenarios(&self, bucket: Bucket, record: &CodeRecordId) -> Result<Vec<Scenario>> {
        let parameters = params![bucket.number(), record.as_str()];
        let rows = self.db.query(&SCENARIOS, parameters).await?;
        let scenarios = rows.into_iter().map(|row| scenario(record, row));
        Ok(scenarios.collect::<Result<_, _>>()?)
    }

    async fn insert_codes(&self, codes: Vec<NewCode>) -> Result<()> {
        let lead = async |group: Arc<Group<_, _>>| {
            let inserting = self
                .db
                .write_with(group, |tx, group| Box::pin(insert(tx, group.items())));
            Ok(inserting.await?)
        };
        self.waiting.codes.join(codes, lead).await.map(drop)
    }

    async fn calendar_of(&self, institution: InstitutionId) -> Result<WorkCalendar> {
        let mut level = Some(institution);
        while let Some(id) = level {
            if let Some(calendar) = self.find_calendar_row(id).await? {
                return Ok(calendar);
            }
            level = InstitutionStore::find(self, id)
                .await?
                .and_then(|institution| institution.parent);
        }
        Ok(WorkCalendar::default())
    }

    async fn load_codes(&self, keys: Vec<CodeKey>) -> Result<Vec<Option<LoadedCode>>> {
        let input = (&*self.records, keys);
        let loading = self
            .db
            .read_with(&input, |tx, (known, keys)| Box::pin(load(tx, known, keys)));
        Ok(loading.await?)
    }

    /// One transaction per bucket, so that payments are not kept waiting.
    async fn purge_codes(&self, before_slot: i64) -> Result<u64> {
        let (mut after, mut purged) = (-1, 0);
        loop {
            let next = self.db.query_one(&NEXT_BUCKET_ALL_BUCKETS, params![after]).await?;
            let Some(bucket) = next.opt_int(0)? else {
                return Ok(purged);
            };
            purged += self.change(&PURGE, params![bucket, before_slot]).await?;
            after = bucket;
        }
    }
}
