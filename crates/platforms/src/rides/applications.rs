//! Travel types, and applications from being made to being released. Rows R01, R02, R10.

use onescan_domain::ids::{ApplicationId, InstitutionId, PersonId, TravelTypeId};
use onescan_domain::institutions::MemberState;
use onescan_domain::rides::application::{
    ApplicationState, Approval, Approver, FieldFault, FormAfterRefund, FormField, InstitutionPayment, Release,
    RideAllowance, TravelApplication, TravelType, read_fields,
};
use onescan_domain::text::{self, TextError};

use super::{HistoryLine, Rides, Versioned, Waiting, Written};
use crate::error::{PlatformError, Result};
use crate::payments::Page;

/// How often a conditional write is based on a fresh reading before it is given up as busy.
pub(super) const TRIES: u32 = 8;

#[derive(Debug, Clone)]
pub struct NewTravelType {
    pub code: String,
    pub name: String,
    pub form: Vec<FormField>,
    pub approval: Approval,
    pub refund: FormAfterRefund,
}

/// Why a travel type is not taken, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeRefusal {
    #[error("{field}: {error}")]
    Text { field: &'static str, error: TextError },
    #[error("code: use 1 to 40 small letters, digits, - and _")]
    Code,
    #[error("form: {name:?} is no name of a field, or stands there twice")]
    FieldName { name: String },
    #[error("the institution has a travel type of this code")]
    CodeTaken,
    #[error("there is no such travel type")]
    Unknown,
}

#[derive(Debug, Clone)]
pub struct NewApplication {
    pub travel_type: TravelTypeId,
    pub purpose: String,
    pub cost_centre: Option<String>,
    pub cities: Vec<String>,
    pub fields: Vec<(String, String)>,
    pub allowance: RideAllowance,
    pub valid_from: i64,
    pub valid_until: i64,
    pub switch: InstitutionPayment,
}

/// Why an application is not taken, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplicationRefusal {
    #[error("there is no such travel type in an institution of yours")]
    UnknownType,
    /// Everything that is wrong with what was entered.
    #[error("some fields cannot be taken")]
    Fields { faults: Vec<FieldFault> },
}

/// What an administrator says to an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    Approve,
    Refuse {
        reason: String,
    },
    /// To one administrator, who alone sees it as theirs from then on; others may still decide.
    Delegate {
        to: PersonId,
    },
}

/// Why a change of an application is refused, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecideRefusal {
    #[error("there is no such application")]
    Unknown,
    #[error("{field}: {error}")]
    Text { field: &'static str, error: TextError },
    #[error("that person is no administrator of the institution")]
    NotAdministrator,
    #[error("the person who applied cannot approve")]
    OwnApplication,
    #[error("the application is {state}")]
    State { state: &'static str },
    #[error("a ride is under way with this form")]
    InUse,
}

/// The longest validity of a form: five years.
const VALIDITY_MS_MAX: i64 = 5 * 366 * 86_400_000;
const RIDES_MAX: i64 = 10_000;
const CITIES_MAX: usize = 50;

impl NewTravelType {
    fn read(self, id: TravelTypeId, institution: InstitutionId, created_at: i64) -> Result<TravelType, TypeRefusal> {
        let word = |text: &str| {
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
            (1..=40).contains(&text.len()) && text.bytes().all(fits)
        };
        if !word(&self.code) {
            return Err(TypeRefusal::Code);
        }
        let name = text::line(&self.name, 100).map_err(|error| TypeRefusal::Text { field: "name", error })?;
        for (index, field) in self.form.iter().enumerate() {
            let twice = self.form.iter().take(index).any(|other| other.name == field.name);
            if !word(&field.name) || twice {
                let name = field.name.clone();
                return Err(TypeRefusal::FieldName { name });
            }
            text::line(&field.label, 100).map_err(|error| TypeRefusal::Text { field: "form", error })?;
        }
        Ok(TravelType {
            id,
            institution,
            code: self.code,
            name,
            form: self.form,
            approval: self.approval,
            refund: self.refund,
            created_at,
        })
    }
}

impl Rides {
    pub async fn add_type(
        &self,
        institution: InstitutionId,
        new: NewTravelType,
    ) -> Result<Result<TravelType, TypeRefusal>> {
        let id = TravelTypeId::new(self.env.id(institution.bucket()));
        let kind = match new.read(id, institution, self.env.now_ms()) {
            Ok(kind) => kind,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match self.store.insert_type(&kind).await {
            Ok(()) => Ok(Ok(kind)),
            Err(error) if error.is_taken("travel_types_code") => Ok(Err(TypeRefusal::CodeTaken)),
            Err(error) => Err(error),
        }
    }

    /// Forms made before keep what they say.
    pub async fn change_type(
        &self,
        institution: InstitutionId,
        id: TravelTypeId,
        new: NewTravelType,
    ) -> Result<Result<TravelType, TypeRefusal>> {
        let Some(before) = self.type_of(institution, id).await? else {
            return Ok(Err(TypeRefusal::Unknown));
        };
        let kind = match new.read(id, institution, before.created_at) {
            Ok(kind) => kind,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match self.store.update_type(&kind).await {
            Ok(()) => Ok(Ok(kind)),
            Err(error) if error.is_taken("travel_types_code") => Ok(Err(TypeRefusal::CodeTaken)),
            Err(error) => Err(error),
        }
    }

    pub async fn types(&self, institution: InstitutionId) -> Result<Vec<TravelType>> {
        self.store.list_types(institution).await
    }

    pub async fn type_of(&self, institution: InstitutionId, id: TravelTypeId) -> Result<Option<TravelType>> {
        let found = self.store.find_type(id).await?;
        Ok(found.filter(|kind| kind.institution == institution))
    }

    /// What the person may apply for: the types of every institution they are an active member of.
    pub async fn types_for(&self, person: PersonId) -> Result<Vec<TravelType>> {
        let mut types = Vec::new();
        for membership in self.people.memberships(person).await? {
            let member = self.institutions.member(membership.member).await?;
            if member.is_some_and(|member| member.state == MemberState::Active) {
                types.extend(self.store.list_types(membership.institution).await?);
            }
        }
        Ok(types)
    }

    /// Makes the form, or an application that waits for approval. Rows R01, R02. Source: R claims 2, 3, 12.
    pub async fn apply(
        &self,
        person: PersonId,
        new: NewApplication,
    ) -> Result<Result<TravelApplication, ApplicationRefusal>> {
        let Some(kind) = self.store.find_type(new.travel_type).await? else {
            return Ok(Err(ApplicationRefusal::UnknownType));
        };
        let member = self.institutions.member_of_person(kind.institution, person).await?;
        let Some(member) = member.filter(|member| member.state == MemberState::Active) else {
            return Ok(Err(ApplicationRefusal::UnknownType));
        };
        let now = self.env.now_ms();
        let checked = match new.check(&kind, now) {
            Ok(checked) => checked,
            Err(faults) => return Ok(Err(ApplicationRefusal::Fields { faults })),
        };
        let state = checked.first_state(&kind, now);
        let application = TravelApplication {
            id: ApplicationId::new(self.env.id(kind.institution.bucket())),
            institution: kind.institution,
            member: member.id,
            person,
            travel_type: kind.id,
            type_code: kind.code,
            purpose: checked.purpose,
            cost_centre: checked.cost_centre,
            cities: checked.cities,
            fields: checked.fields,
            allowance: checked.allowance,
            valid_from: checked.valid_from,
            valid_until: checked.valid_until,
            switch: checked.switch,
            state,
            rides_used: 0,
            lock: None,
            created_at: now,
        };
        let what = application.state.name();
        let actor = match application.state {
            ApplicationState::Approved { by: Approver::Rule, .. } => "rule",
            _ => "person",
        };
        let line = history(&application, now, actor, what, None);
        self.store.insert_application(&application, &line).await?;
        Ok(Ok(application))
    }

    pub async fn application(&self, id: ApplicationId) -> Result<Option<TravelApplication>> {
        Ok(self.store.find_application(id).await?.map(|found| found.value))
    }

    pub async fn history(&self, id: ApplicationId) -> Result<Vec<HistoryLine>> {
        self.store.list_history(id).await
    }

    /// Of all the person's institutions, newest first.
    pub async fn applications(&self, person: PersonId, page: &Page) -> Result<Vec<TravelApplication>> {
        let mut found = Vec::new();
        for bucket in self.buckets(person).await? {
            let rows = self.store.list_applications(bucket, person, page).await?;
            found.extend(rows.into_iter().map(|row| row.value));
        }
        found.sort_by_key(|application| std::cmp::Reverse(application.id));
        found.truncate(page.limit as usize);
        Ok(found)
    }

    pub async fn applications_of(
        &self,
        institution: InstitutionId,
        waiting: Waiting,
        page: &Page,
    ) -> Result<Vec<TravelApplication>> {
        self.store.list_applications_of(institution, waiting, page).await
    }

    /// Approves, refuses or hands on. `by`: `None` for the institution's program.
    pub async fn decide(
        &self,
        institution: InstitutionId,
        id: ApplicationId,
        by: Option<PersonId>,
        ruling: Ruling,
    ) -> Result<Result<TravelApplication, DecideRefusal>> {
        let ruling = match ruling {
            Ruling::Refuse { reason } => match text::line(&reason, 500) {
                Ok(reason) => Ruling::Refuse { reason },
                Err(error) => {
                    let field = "reason";
                    return Ok(Err(DecideRefusal::Text { field, error }));
                }
            },
            Ruling::Delegate { to } if !self.institutions.is_administrator(to, institution).await? => {
                return Ok(Err(DecideRefusal::NotAdministrator));
            }
            ruling => ruling,
        };
        let now = self.env.now_ms();
        let actor = by.map_or("program".to_owned(), |person| person.to_string());
        let approver = by.map_or(Approver::Program, Approver::Person);
        self.change(id, |application| {
            if application.institution != institution {
                return Err(DecideRefusal::Unknown);
            }
            if by == Some(application.person) && ruling == Ruling::Approve {
                return Err(DecideRefusal::OwnApplication);
            }
            if !matches!(application.state, ApplicationState::Waiting { .. }) {
                let state = application.state.name();
                return Err(DecideRefusal::State { state });
            }
            let (state, what, note) = match &ruling {
                Ruling::Approve => (ApplicationState::Approved { by: approver, at: now }, "approved", None),
                Ruling::Refuse { reason } => {
                    let state = ApplicationState::Refused {
                        by: approver,
                        reason: reason.clone(),
                        at: now,
                    };
                    (state, "refused", Some(reason.clone()))
                }
                Ruling::Delegate { to } => {
                    let state = ApplicationState::Waiting { delegated: Some(*to) };
                    (state, "delegated", Some(to.to_string()))
                }
            };
            application.state = state;
            Ok(history(application, now, &actor, what, note))
        })
        .await
    }

    /// The person takes it back: while it waits, or the form while no ride holds it.
    pub async fn withdraw(
        &self,
        person: PersonId,
        id: ApplicationId,
    ) -> Result<Result<TravelApplication, DecideRefusal>> {
        let now = self.env.now_ms();
        self.change(id, |application| {
            own(application, person, now)?;
            application.state = ApplicationState::Withdrawn { at: now };
            Ok(history(application, now, "person", "withdrawn", None))
        })
        .await
    }

    /// The switch on the application page. Row R02.
    pub async fn switch(
        &self,
        person: PersonId,
        id: ApplicationId,
        to: InstitutionPayment,
    ) -> Result<Result<TravelApplication, DecideRefusal>> {
        let now = self.env.now_ms();
        self.change(id, |application| {
            own(application, person, now)?;
            application.switch = to;
            let what = match to {
                InstitutionPayment::On => "switched_on",
                InstitutionPayment::Off => "switched_off",
            };
            Ok(history(application, now, "person", what, None))
        })
        .await
    }

    /// Releases forms whose validity is over, at most `limit`; returns how many. Row R10. Source: R claim 10.
    pub async fn release_overdue(&self, limit: u32) -> Result<u64> {
        let now = self.env.now_ms();
        let mut released = 0;
        for mut found in self.store.list_overdue(now, limit).await? {
            found.value.state = ApplicationState::Released {
                why: Release::Expired,
                at: now,
            };
            let line = history(&found.value, now, "clock", "expired", None);
            if self.store.update_application(&found, Some(&line)).await? == Written::Yes {
                released += 1;
            }
        }
        Ok(released)
    }

    /// Where the person's forms and rides lie: their institutions' buckets and their own.
    pub(super) async fn buckets(&self, person: PersonId) -> Result<Vec<onescan_domain::bucket::Bucket>> {
        let memberships = self.people.memberships(person).await?;
        let mut buckets: Vec<_> = memberships
            .iter()
            .map(|membership| membership.institution.bucket())
            .chain([person.bucket()])
            .collect();
        buckets.sort_unstable_by_key(|bucket| bucket.number());
        buckets.dedup();
        Ok(buckets)
    }

    /// Reads, changes, and writes when nobody was faster; else reads again.
    async fn change(
        &self,
        id: ApplicationId,
        mut change: impl FnMut(&mut TravelApplication) -> Result<HistoryLine, DecideRefusal>,
    ) -> Result<Result<TravelApplication, DecideRefusal>> {
        for _ in 0..TRIES {
            let Some(mut found) = self.store.find_application(id).await? else {
                return Ok(Err(DecideRefusal::Unknown));
            };
            let line = match change(&mut found.value) {
                Ok(line) => line,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let Versioned { value, .. } = &found;
            match self.store.update_application(&found, Some(&line)).await? {
                Written::Yes => return Ok(Ok(value.clone())),
                Written::Moved => {}
            }
        }
        Err(PlatformError::Busy)
    }
}

/// The person's own, waiting or in force, and free.
fn own(application: &TravelApplication, person: PersonId, now: i64) -> Result<(), DecideRefusal> {
    if application.person != person {
        return Err(DecideRefusal::Unknown);
    }
    match application.state {
        ApplicationState::Waiting { .. } | ApplicationState::Approved { .. } => {}
        ApplicationState::Refused { .. } | ApplicationState::Withdrawn { .. } | ApplicationState::Released { .. } => {
            let state = application.state.name();
            return Err(DecideRefusal::State { state });
        }
    }
    match &application.lock {
        Some(lock) if now < lock.until => Err(DecideRefusal::InUse),
        Some(_) | None => Ok(()),
    }
}

pub(super) fn history(
    application: &TravelApplication,
    at: i64,
    actor: &str,
    what: &str,
    note: Option<String>,
) -> HistoryLine {
    HistoryLine {
        application: application.id,
        at,
        actor: actor.to_owned(),
        what: what.to_owned(),
        note,
    }
}

impl NewApplication {
    /// The same with trimmed texts, or every fault.
    fn check(self, kind: &TravelType, now: i64) -> Result<Self, Vec<FieldFault>> {
        let mut faults = Vec::new();
        let mut fault = |field: &str, problem: String| {
            let field = field.to_owned();
            faults.push(FieldFault { field, problem });
        };
        let purpose = text::line(&self.purpose, 200).unwrap_or_else(|error| {
            fault("purpose", error.to_string());
            String::new()
        });
        let cost_centre = text::optional_line(self.cost_centre.as_deref(), 64).unwrap_or_else(|error| {
            fault("cost_centre", error.to_string());
            None
        });
        if self.cities.len() > CITIES_MAX {
            fault("cities", format!("at most {CITIES_MAX}"));
        }
        let mut cities = Vec::new();
        for city in &self.cities {
            match text::line(city, 64) {
                Ok(city) => cities.push(city),
                Err(error) => fault("cities", error.to_string()),
            }
        }
        if let RideAllowance::Rides(rides) = self.allowance
            && !(1..=RIDES_MAX).contains(&rides)
        {
            fault("rides", format!("1 to {RIDES_MAX}, or standing"));
        }
        if self.valid_until <= self.valid_from {
            fault("valid_until", "must be after valid_from".to_owned());
        } else if self.valid_until <= now {
            fault("valid_until", "is over already".to_owned());
        } else if self.valid_until - self.valid_from > VALIDITY_MS_MAX {
            fault("valid_until", "at most five years after valid_from".to_owned());
        }
        let fields = match read_fields(&kind.form, &self.fields) {
            Ok(fields) => fields,
            Err(more) => {
                for wrong in more {
                    fault(&format!("fields.{}", wrong.field), wrong.problem);
                }
                Vec::new()
            }
        };
        match faults.is_empty() {
            true => Ok(Self {
                purpose,
                cost_centre,
                cities,
                fields,
                ..self
            }),
            false => Err(faults),
        }
    }

    fn first_state(&self, kind: &TravelType, now: i64) -> ApplicationState {
        let automatic = match &kind.approval {
            Approval::NotNeeded => {
                let by = Approver::Nobody;
                return ApplicationState::Approved { by, at: now };
            }
            Approval::Administrators { automatic } => automatic,
        };
        let validity_ms = self.valid_until - self.valid_from;
        let passes = automatic.as_ref();
        match passes.is_some_and(|rule| rule.allows(self.allowance, validity_ms, &self.cities)) {
            true => ApplicationState::Approved {
                by: Approver::Rule,
                at: now,
            },
            false => ApplicationState::Waiting { delegated: None },
        }
    }
}
