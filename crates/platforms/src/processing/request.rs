//! Request generation: enabling code payment, and turning each access of a code page into a code of its own.

use onescan_domain::bucket::Bucket;
use onescan_domain::codes::{Categories, CodeKind, CodeRecord, MemberAccess, Scenario};
use onescan_domain::ids::{InstitutionId, MemberId, PersonId, ScenarioId};
use onescan_domain::institutions::{Institution, Member, MemberState};
use onescan_domain::policy::Policy;
use onescan_domain::profiles::{DeliveryChannel, ProfileFields, TitleKind};

use super::Processing;
use crate::codes::{Access, CreateRefusal, NewHolder, NewRecord, ServiceCode};
use crate::error::{PlatformError, Result};
use crate::people::{ConsentPurpose, Person};
use crate::profiles::NewProfile;

/// From where a code page was opened. Row S01.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessInfo {
    pub device: String,
    pub address: String,
    pub location: Option<String>,
}

/// Which code a person wants to see. Row S04.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedCode {
    User,
    Institution(InstitutionId),
}

impl WantedCode {
    pub fn kind(self) -> CodeKind {
        match self {
            Self::User => CodeKind::User,
            Self::Institution(_) => CodeKind::Institution,
        }
    }
}

/// The fields of a person's information that enabling may read with their consent. Row S05.
pub const CONSENT_FIELDS: [&str; 2] = ["name", "email"];

/// What enabling came to. Row S05: the result alone, or at once an initial code.
#[derive(Debug, Clone)]
pub struct Enabled {
    pub record: CodeRecord,
    pub code: Option<ServiceCode>,
}

/// A membership through which the person may show an institution's code.
#[derive(Debug, Clone)]
pub struct MemberCode {
    pub institution: Institution,
    pub member: Member,
    /// The record of the institution or of the nearest one above it that has one. Row S07. Source: S \[65\].
    pub record: CodeRecord,
}

impl Processing {
    /// Makes the person's code record.
    ///
    /// `consent`: the fields of [`CONSENT_FIELDS`] the person lets be read; what was read becomes their first invoice
    /// profile, and the consent is kept. Without it the record is made from the identity id alone. Enabling twice returns
    /// the same record. `initial`: show a first code at once.
    ///
    /// Rows S02, S05. Source: S \[41\]-\[45\], claim 4.
    pub async fn enable(
        &self,
        person: &Person,
        consent: Option<Vec<String>>,
        initial: Option<AccessInfo>,
    ) -> Result<Enabled> {
        let parts = &self.parts;
        let known = parts.codes.record_of_person(person.id).await?;
        let holder = NewHolder::Person {
            person: person.id,
            identity: person.identity.clone(),
        };
        let (account, currency, time_zone) = (person.account, person.currency, person.time_zone.clone());
        let record = parts
            .codes
            .create_record(NewRecord {
                holder,
                account,
                currency,
                time_zone,
            })
            .await?;
        if known.is_none() {
            self.add_first_scenario(&record).await?;
        }
        if let Some(fields) = consent {
            parts
                .people
                .consent(person.id, ConsentPurpose::CodeRecord, fields.clone())
                .await?;
            if known.is_none() && fields.iter().any(|field| field == "name") {
                self.add_first_profile(person, &record, &fields).await?;
            }
        }
        let code = match initial {
            Some(info) => self.create(record.clone(), person.id, None, info).await?.ok(),
            None => None,
        };
        Ok(Enabled { record, code })
    }

    async fn add_first_scenario(&self, record: &CodeRecord) -> Result<()> {
        let scenario = Scenario {
            id: ScenarioId::new(self.parts.env.id(record.bucket)),
            record: record.id.clone(),
            name: "Everyday".to_owned(),
            categories: Categories::default(),
            policy: Policy::parse(&self.settings.first_policy).map_err(PlatformError::internal)?,
            created_at: self.parts.env.now_ms(),
        };
        self.parts.codes.put_scenario(record.bucket, scenario).await
    }

    async fn add_first_profile(&self, person: &Person, record: &CodeRecord, fields: &[String]) -> Result<()> {
        let email = person
            .email
            .clone()
            .filter(|_| fields.iter().any(|field| field == "email"));
        let fields = ProfileFields {
            channel: email.map_or(DeliveryChannel::Inbox, DeliveryChannel::Email),
            ..ProfileFields::new(TitleKind::Personal, &person.name)
        };
        let new = NewProfile {
            fields,
            scenarios: Vec::new(),
            preferred: true,
        };
        self.parts
            .profiles
            .create(record.bucket, &record.id, new)
            .await
            .map(drop)
    }

    /// Makes the institution's code record; members find it through their institution, or are assigned one by one.
    /// Row S07. Source: S \[53\]-\[57\], claim 7.
    pub async fn enable_institution(&self, institution: &Institution, members: MemberAccess) -> Result<CodeRecord> {
        let new = NewRecord {
            holder: NewHolder::Institution {
                institution: institution.id,
                members,
            },
            account: institution.account,
            currency: institution.currency,
            time_zone: institution.time_zone.clone(),
        };
        self.parts.codes.create_record(new).await
    }

    /// A code for this access alone. Refuses in the order of [`CreateRefusal`]. Rows S01, S04, S07, S08.
    pub async fn show_code(
        &self,
        person: PersonId,
        wanted: WantedCode,
        info: AccessInfo,
    ) -> Result<Result<ServiceCode, CreateRefusal>> {
        match wanted {
            WantedCode::User => match self.parts.codes.record_of_person(person).await? {
                Some(record) => self.create(record, person, None, info).await,
                None => Ok(Err(CreateRefusal::NoRecord)),
            },
            WantedCode::Institution(institution) => match self.member_code(person, institution).await? {
                Ok(found) => self.create(found.record, person, Some(found.member.id), info).await,
                Err(refusal) => Ok(Err(refusal)),
            },
        }
    }

    /// The record a member may show a code of, and through which membership. Source: S \[65\], claim 9.
    pub async fn member_code(
        &self,
        person: PersonId,
        institution: InstitutionId,
    ) -> Result<Result<MemberCode, CreateRefusal>> {
        let member = self.parts.institutions.member_of_person(institution, person).await?;
        let Some(member) = member.filter(|member| member.state == MemberState::Active) else {
            return Ok(Err(CreateRefusal::NotTied));
        };
        let lineage = self.parts.institutions.lineage(institution).await?;
        let mut record = None;
        for level in &lineage {
            record = self.parts.codes.record_of_institution(level.id).await?;
            if record.is_some() {
                break;
            }
        }
        let (Some(record), Some(institution)) = (record, lineage.into_iter().next()) else {
            return Ok(Err(CreateRefusal::NoRecord));
        };
        let assigned = match &record.holder {
            onescan_domain::codes::RecordHolder::Institution {
                members: MemberAccess::Assigned,
                ..
            } => self
                .parts
                .codes
                .assigned_members(record.bucket, &record.id)
                .await?
                .contains(&member.id),
            onescan_domain::codes::RecordHolder::Institution {
                members: MemberAccess::ThroughInstitution,
                ..
            }
            | onescan_domain::codes::RecordHolder::Person { .. } => true,
        };
        let found = MemberCode {
            institution,
            member,
            record,
        };
        Ok(if assigned {
            Ok(found)
        } else {
            Err(CreateRefusal::NotTied)
        })
    }

    /// The institution codes a person can show, for the tabs of their code page.
    pub async fn member_codes(&self, person: PersonId) -> Result<Vec<MemberCode>> {
        let mut codes = Vec::new();
        for membership in self.parts.people.memberships(person).await? {
            codes.extend(self.member_code(person, membership.institution).await?.ok());
        }
        Ok(codes)
    }

    /// Every bucket in which a person's payments, choices and alarms can lie: their own and their institutions'.
    pub async fn buckets_of(&self, person: PersonId) -> Result<Vec<Bucket>> {
        let memberships = self.parts.people.memberships(person).await?;
        let mut buckets: Vec<Bucket> = memberships
            .iter()
            .map(|membership| membership.institution.bucket())
            .collect();
        buckets.push(person.bucket());
        buckets.sort();
        buckets.dedup();
        Ok(buckets)
    }

    async fn create(
        &self,
        record: CodeRecord,
        person: PersonId,
        member: Option<MemberId>,
        info: AccessInfo,
    ) -> Result<Result<ServiceCode, CreateRefusal>> {
        let AccessInfo {
            device,
            address,
            location,
        } = info;
        self.parts
            .codes
            .create(
                record,
                Access {
                    person,
                    member,
                    device,
                    address,
                    location,
                },
            )
            .await
    }
}
