//! The service platform inside this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aes_siv::KeyInit;
use aes_siv::siv::Aes128Siv;
use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::calendar::WorkCalendar;
use onescan_domain::codes::{
    Categories, CodeFacts, CodeKind, CodeRecord, CodeRecordId, CodeText, CodeWindows, MemberAccess, RecordHolder,
    RecordState, Scenario,
};
use onescan_domain::ids::{CodeId, InstitutionId, MemberId, PersonId, ScenarioId};
use onescan_domain::payments::batch::{Permit, PermittedScenario};
use onescan_domain::policy::Policy;

use super::cipher::{CodeCipher, CodePlace, NUMBERS, SLOT_MS};
use super::{
    Access, Assigned, CodeKey, CodeStore, Codes, CreateRefusal, LoadedCode, LoadedScenario, NewCode, NewHolder,
    NewRecord, PermitRequest, Removed, ServiceCode, SharedPolicy,
};
use crate::batch::{Queue, QueueLimits};
use crate::env::{Env, hex, local_time};
use crate::error::{PlatformError, Result};

/// How a record's id is made. Row S02. Source: S \[24\], \[45\].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordIdKind {
    /// A deterministic encryption (AES-SIV) of the identity id, or of the institution's id.
    Encrypted,
    Random,
}

#[derive(Debug, Clone)]
pub struct CodeSettings {
    /// The two digits in front of every code, `0..100`.
    pub prefix: u8,
    pub windows: CodeWindows,
    pub record_id: RecordIdKind,
    pub queue: QueueLimits,
}

impl Default for CodeSettings {
    fn default() -> Self {
        Self {
            prefix: 28,
            windows: CodeWindows::default(),
            record_id: RecordIdKind::Encrypted,
            queue: QueueLimits {
                waiting_max: 4_096,
                batch_max: 256,
                lanes: 8,
            },
        }
    }
}

/// Numbers a batch anew this many times before it gives up on a place that another server keeps taking.
const TRIES_MAX: usize = 5;
/// Policies kept parsed; beyond that the memory is emptied and filled anew.
const POLICIES_MAX: usize = 10_000;

pub struct LocalCodes {
    env: Env,
    store: Arc<dyn CodeStore>,
    settings: CodeSettings,
    cipher: Arc<CodeCipher>,
    making: Queue<Request, ServiceCode>,
    policies: Mutex<HashMap<String, SharedPolicy>>,
}

/// A code that is to be made.
#[derive(Debug, Clone)]
struct Request {
    record: CodeRecord,
    access: Access,
}

impl std::fmt::Debug for LocalCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalCodes")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl LocalCodes {
    /// Starts its queue on the current runtime.
    pub fn new(env: Env, store: Arc<dyn CodeStore>, settings: CodeSettings) -> Self {
        let cipher = CodeCipher::new(settings.prefix, &env.secret.derive("codes/digits"));
        let cipher = Arc::new(cipher);
        let maker = Maker {
            env: env.clone(),
            store: store.clone(),
            cipher: cipher.clone(),
            windows: settings.windows,
            numbering: Mutex::default(),
        };
        let maker = Arc::new(maker);
        let making = Queue::start(settings.queue, move |batch| {
            let maker = maker.clone();
            async move { maker.make(batch).await }
        });
        Self {
            env,
            store,
            settings,
            cipher,
            making,
            policies: Mutex::default(),
        }
    }

    fn record_id(&self, new: &NewRecord, bucket: Bucket) -> CodeRecordId {
        let canonical = match &new.holder {
            NewHolder::Person { identity, .. } => identity.canonical(),
            NewHolder::Institution { institution, .. } => institution.to_string(),
        };
        let text = match self.settings.record_id {
            RecordIdKind::Random => format!("rec_{}", self.env.id(bucket)),
            RecordIdKind::Encrypted => {
                let key = self.env.secret.derive("codes/record-id");
                let mut siv = Aes128Siv::new(&key.into());
                let sealed = siv.encrypt::<[&[u8]; 0], &[u8]>([], canonical.as_bytes());
                format!("rec_{}", hex(&sealed.expect("a short text is within AES-SIV's bounds")))
            }
        };
        CodeRecordId::from_stored(text)
    }

    fn policy(&self, text: &str) -> Result<SharedPolicy> {
        let mut policies = self.policies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = policies.get(text) {
            return Ok(known.clone());
        }
        let parsed = Arc::new(Policy::parse(text).map_err(PlatformError::internal)?);
        if policies.len() >= POLICIES_MAX {
            policies.clear();
        }
        policies.insert(text.to_owned(), parsed.clone());
        Ok(parsed)
    }

    async fn load(&self, texts: impl Iterator<Item = &CodeText>) -> Result<Vec<Option<LoadedCode>>> {
        let now_slot = self.env.now_ms() / SLOT_MS;
        let keys: Vec<Option<CodeKey>> = texts.map(|text| self.key_of(text, now_slot)).collect();
        let mut loaded = self
            .store
            .load_codes(keys.iter().flatten().cloned().collect())
            .await?
            .into_iter();
        Ok(keys
            .iter()
            .map(|key| key.as_ref().and_then(|_| loaded.next().flatten()))
            .collect())
    }

    fn key_of(&self, text: &CodeText, now_slot: i64) -> Option<CodeKey> {
        self.cipher.decrypt(text, now_slot).map(CodeKey::from)
    }

    async fn permit_of(&self, loaded: LoadedCode, request: &PermitRequest) -> Result<Permit> {
        let mut scenario = self.scenario_for(&loaded.scenarios, request.category)?;
        let LoadedCode { facts, .. } = loaded;
        // Read only where a rule asks for it: most do not.
        if let Some(scenario) = &mut scenario
            && scenario.policy.reads_calendar()
            && let RecordHolder::Institution { institution, .. } = facts.record.holder
        {
            let day = local_time(request.at, &facts.record.time_zone).day;
            scenario.calendar = self.store.calendar_of(institution).await?.about(&[day]);
        }
        let refusal = facts
            .verify(onescan_domain::codes::CodeStatus::Unpaid, request.at)
            .err();
        Ok(Permit {
            code: facts.code,
            kind: facts.record.kind(),
            account: facts.record.account,
            currency: facts.record.currency,
            time_zone: facts.record.time_zone,
            record: facts.record.id,
            person: facts.person,
            member: facts.member,
            scenario,
            refusal,
        })
    }

    /// The narrowest scenario with the payment's category, as [`onescan_domain::codes::scenario_for`] chooses.
    fn scenario_for(&self, scenarios: &[LoadedScenario], category: u16) -> Result<Option<PermittedScenario>> {
        let mut fitting = Vec::new();
        for scenario in scenarios {
            let categories = Categories::parse(&scenario.categories).map_err(PlatformError::internal)?;
            if categories.contains(category) {
                fitting.push((categories.breadth(), scenario.id, scenario));
            }
        }
        let narrowest = fitting.into_iter().min_by_key(|(breadth, id, _)| (*breadth, *id));
        narrowest
            .map(|(_, id, scenario)| {
                Ok(PermittedScenario {
                    id,
                    name: scenario.name.clone(),
                    policy: self.policy(&scenario.policy)?,
                    calendar: WorkCalendar::default(),
                })
            })
            .transpose()
    }
}

impl From<CodePlace> for CodeKey {
    fn from(place: CodePlace) -> Self {
        let number = i64::try_from(place.number).expect("numbers are below NUMBERS");
        Self {
            bucket: place.bucket,
            slot: place.slot,
            number,
        }
    }
}

/// What the queue's workers need.
struct Maker {
    env: Env,
    store: Arc<dyn CodeStore>,
    cipher: Arc<CodeCipher>,
    windows: CodeWindows,
    numbering: Mutex<Numbering>,
}

/// Codes of a slot and bucket are numbered one after the other, so that their rows lie together, from a random number on,
/// so that servers do not meet.
#[derive(Debug, Default)]
struct Numbering {
    slot: i64,
    next: HashMap<Bucket, u64>,
}

impl Maker {
    async fn make(&self, batch: Vec<Request>) -> Result<Vec<ServiceCode>> {
        for _ in 0..TRIES_MAX {
            let drawn: Vec<(ServiceCode, NewCode)> = batch.iter().map(|request| self.draw(request)).collect();
            let (shown, rows): (Vec<_>, Vec<_>) = drawn.into_iter().unzip();
            match self.store.insert_codes(rows).await {
                Err(error) if error.is_taken("codes_pkey") => self.numbering().next.clear(),
                done => return done.map(|()| shown),
            }
        }
        Err(PlatformError::Busy)
    }

    fn draw(&self, Request { record, access }: &Request) -> (ServiceCode, NewCode) {
        let now = self.env.now_ms();
        let bucket = record.bucket;
        let place = self.new_place(bucket, now / SLOT_MS);
        let text = self.cipher.encrypt(place);
        let id = CodeId::new(self.env.id(bucket));
        let shown_until = now + self.windows.shown_ms;
        let pay_until = shown_until + self.windows.grace_ms;
        let row = NewCode {
            key: place.into(),
            id,
            record: record.id.clone(),
            access: access.clone(),
            created_at: now,
            pay_until,
        };
        (
            ServiceCode {
                id,
                kind: record.kind(),
                text,
                created_at: now,
                shown_until,
                pay_until,
            },
            row,
        )
    }

    /// A place that this server has not numbered before. One of another server's is found out by the store.
    fn new_place(&self, bucket: Bucket, slot: i64) -> CodePlace {
        let mut numbering = self.numbering();
        if numbering.slot != slot {
            *numbering = Numbering {
                slot,
                next: HashMap::new(),
            };
        }
        let start = || u64::from_be_bytes(self.env.bytes());
        let next = numbering.next.entry(bucket).or_insert_with(start);
        let number = *next % NUMBERS;
        *next = number + 1;
        CodePlace { bucket, slot, number }
    }

    fn numbering(&self) -> MutexGuard<'_, Numbering> {
        self.numbering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Codes for LocalCodes {
    async fn create_record(&self, new: NewRecord) -> Result<CodeRecord> {
        let bucket = match &new.holder {
            NewHolder::Person { person, .. } => person.bucket(),
            NewHolder::Institution { institution, .. } => institution.bucket(),
        };
        let record = CodeRecord {
            id: self.record_id(&new, bucket),
            bucket,
            holder: match new.holder.clone() {
                NewHolder::Person { person, identity } => RecordHolder::Person { person, identity },
                NewHolder::Institution { institution, members } => RecordHolder::Institution { institution, members },
            },
            account: new.account,
            currency: new.currency,
            time_zone: new.time_zone,
            state: RecordState::Active,
            created_at: self.env.now_ms(),
        };
        match self.store.insert_record(&record).await {
            Ok(()) => Ok(record),
            Err(error) if error.is_taken("code_records_holder") || error.is_taken("code_records_pkey") => {
                let found = match new.holder {
                    NewHolder::Person { person, .. } => self.store.find_record_of_person(person).await?,
                    NewHolder::Institution { institution, .. } => {
                        self.store.find_record_of_institution(institution).await?
                    }
                };
                found.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn find_record(&self, bucket: Bucket, id: &CodeRecordId) -> Result<Option<CodeRecord>> {
        self.store.find_record(bucket, id).await
    }

    async fn record_of_person(&self, person: PersonId) -> Result<Option<CodeRecord>> {
        self.store.find_record_of_person(person).await
    }

    async fn record_of_institution(&self, institution: InstitutionId) -> Result<Option<CodeRecord>> {
        self.store.find_record_of_institution(institution).await
    }

    async fn set_record_state(&self, bucket: Bucket, id: &CodeRecordId, state: RecordState) -> Result<()> {
        self.store.update_record_state(bucket, id, state).await
    }

    async fn set_member_access(&self, bucket: Bucket, id: &CodeRecordId, members: MemberAccess) -> Result<()> {
        self.store.update_member_access(bucket, id, members).await
    }

    async fn set_assigned(
        &self,
        bucket: Bucket,
        id: &CodeRecordId,
        member: MemberId,
        assigned: Assigned,
    ) -> Result<()> {
        self.store.set_assigned(bucket, id, member, assigned).await
    }

    async fn assigned_members(&self, bucket: Bucket, id: &CodeRecordId) -> Result<Vec<MemberId>> {
        self.store.list_assigned(bucket, id).await
    }

    async fn put_scenario(&self, bucket: Bucket, scenario: Scenario) -> Result<()> {
        self.store.put_scenario(bucket, &scenario).await
    }

    async fn remove_scenario(&self, bucket: Bucket, record: &CodeRecordId, id: ScenarioId) -> Result<Removed> {
        self.store.delete_scenario(bucket, record, id).await
    }

    async fn scenarios(&self, bucket: Bucket, record: &CodeRecordId) -> Result<Vec<Scenario>> {
        self.store.list_scenarios(bucket, record).await
    }

    async fn calendar(&self, institution: InstitutionId) -> Result<WorkCalendar> {
        self.store.calendar_of(institution).await
    }

    async fn create(&self, record: CodeRecord, access: Access) -> Result<Result<ServiceCode, CreateRefusal>> {
        if record.state != RecordState::Active {
            return Ok(Err(CreateRefusal::RecordInactive));
        }
        match (record.kind(), access.member) {
            (CodeKind::Institution, None) => return Ok(Err(CreateRefusal::NotTied)),
            (CodeKind::Institution, Some(_)) | (CodeKind::User, _) => {}
        }
        self.making.ask(Request { record, access }).await.map(Ok)
    }

    async fn look_up(&self, codes: Vec<CodeText>) -> Result<Vec<Option<CodeFacts>>> {
        let loaded = self.load(codes.iter()).await?;
        Ok(loaded.into_iter().map(|code| code.map(|code| code.facts)).collect())
    }

    async fn permit(&self, requests: Vec<PermitRequest>) -> Result<Vec<Option<Permit>>> {
        let loaded = self.load(requests.iter().map(|request| &request.text)).await?;
        let mut permits = Vec::with_capacity(requests.len());
        for (code, request) in loaded.into_iter().zip(&requests) {
            permits.push(match code {
                Some(code) => Some(self.permit_of(code, request).await?),
                None => None,
            });
        }
        Ok(permits)
    }
}
