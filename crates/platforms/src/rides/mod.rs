//! The rides platform: travel types and applications, policies, consultations, ride orders, and what is told about them.
//!
//! It decides who is asked; money moves in [`crate::payments::Payments::pay_rides`], one durable write per ride.
//!
//! **Invariant:** no transaction spans the two platforms. A ride order is written as *paying* first; payments decides it once
//! by its id; then the result is recorded and the form released. What a stop interrupts, recovery asks again.
//! **Invariant:** a form is changed only from the version that was read, so that two rides cannot both take its last one.

mod applications;
pub mod bills;
mod debts;
pub mod decider;
mod grants;
mod orders;
mod policies;

use std::sync::Arc;

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::calendar::WorkCalendar;
use onescan_domain::ids::{
    ApplicationId, ConsultationId, InstitutionId, MerchantId, PersonId, RideOrderId, TravelTypeId,
};
use onescan_domain::money::Money;
use onescan_domain::payments::ride::{RideOutcome, RidePay};
use onescan_domain::rides::application::{FormRefusal, TravelApplication, TravelType};
use onescan_domain::rides::order::RideOrder;

use decider::{AskDecider, Decided, Decider};

pub use applications::{ApplicationRefusal, DecideRefusal, NewApplication, NewTravelType, Ruling, TypeRefusal};
pub use grants::FormGrants;
pub use orders::{ConsultAnswer, ConsultRequest, NewRide, RefundRefusal, RideRefusal, Taken};
pub use policies::{Moved, PolicyRefusal, Replay, Trial};

use crate::batch::{Queue, QueueLimits};
use crate::env::Env;
use crate::error::Result;
use crate::institutions::Institutions;
use crate::journeys::Feeds;
use crate::merchants::Merchants;
use crate::payments::{Page, Payments};
use crate::people::People;
use crate::ride_codes::Denials;

/// A policy of one travel type from an instant on. Never changed; a new version takes its place. Row R06.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    pub travel_type: TravelTypeId,
    /// 1, 2, 3, …
    pub version: i64,
    /// As the rule engine reads it; empty allows everything.
    pub rules: String,
    /// For rides that start at or after it; may lie ahead.
    pub from_at: i64,
    pub created_at: i64,
}

/// Where an institution's money for rides comes from; in order. Row R07.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FundingStep {
    pub source: FundingSource,
    /// What it pays at most of one ride, minor units; the rest falls to the person.
    pub cap_minor: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FundingSource {
    /// The member's dedicated account; passed over where there is none.
    Member,
    /// The institution whose member rides.
    Institution,
    /// Another institution of the same tree.
    Of(InstitutionId),
}

/// That a person agreed to pay from their own account what the institution does not. Field trap 9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RideConsent {
    pub person: PersonId,
    /// Of one ride.
    pub cap: Money,
    pub given_at: i64,
    pub withdrawn_at: Option<i64>,
}

/// An answer to a provider's question, kept. Row R05.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consultation {
    pub id: ConsultationId,
    pub provider: MerchantId,
    pub person: PersonId,
    pub travel_type: String,
    /// Else `why`.
    pub application: Option<ApplicationId>,
    pub why: Option<FormRefusal>,
    pub at: i64,
}

/// One step in the life of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryLine {
    pub application: ApplicationId,
    pub at: i64,
    /// Who, in words the pages know: `person`, `rule`, `provider`, `clock`, or an administrator's person id.
    pub actor: String,
    /// The state it came to, or `switched_on`, `switched_off`, `delegated`, `ride_paid`, `given_back`.
    pub what: String,
    pub note: Option<String>,
}

/// An order that said otherwise than the one of the same number before. Kept for both sides to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RideConflict {
    pub provider: MerchantId,
    pub number: String,
    pub order: RideOrderId,
    /// What the later one said, in words.
    pub said: String,
    pub at: i64,
}

/// A row with its version; only the version that was read can be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    pub value: T,
    pub version: i64,
}

/// Whether a conditional write found what it was based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Yes,
    /// Somebody else was faster: read again.
    Moved,
}

#[async_trait]
pub trait RideStore: Send + Sync {
    /// `Taken { travel_types_code }` when the institution has one of this code.
    async fn insert_type(&self, kind: &TravelType) -> Result<()>;
    async fn update_type(&self, kind: &TravelType) -> Result<()>;
    async fn find_type(&self, id: TravelTypeId) -> Result<Option<TravelType>>;
    async fn list_types(&self, institution: InstitutionId) -> Result<Vec<TravelType>>;
    /// `Taken { travel_policies_pkey }` when another write made this version.
    async fn insert_policy(&self, policy: &PolicyVersion) -> Result<()>;
    /// The newest version first.
    async fn list_policies(&self, travel_type: TravelTypeId) -> Result<Vec<PolicyVersion>>;
    async fn put_funding(&self, institution: InstitutionId, steps: &[FundingStep], at: i64) -> Result<()>;
    async fn find_funding(&self, institution: InstitutionId) -> Result<Option<Vec<FundingStep>>>;
    async fn put_calendar(&self, institution: InstitutionId, calendar: &WorkCalendar, at: i64) -> Result<()>;
    async fn find_calendar(&self, institution: InstitutionId) -> Result<Option<WorkCalendar>>;
    async fn put_decider(&self, decider: &Decider) -> Result<()>;
    async fn find_decider(&self, institution: InstitutionId) -> Result<Option<Decider>>;
    /// Whether there was one.
    async fn delete_decider(&self, institution: InstitutionId) -> Result<bool>;
    /// Keeps an answer and returns the one that stands for its subject, which may be an earlier one.
    async fn insert_decision(&self, decided: &Decided) -> Result<Decided>;
    async fn find_decision(&self, institution: InstitutionId, subject: &str) -> Result<Option<Decided>>;
    /// The newest first.
    async fn list_decisions(&self, institution: InstitutionId, limit: u32) -> Result<Vec<Decided>>;

    async fn insert_application(&self, application: &TravelApplication, line: &HistoryLine) -> Result<()>;
    async fn find_application(&self, id: ApplicationId) -> Result<Option<Versioned<TravelApplication>>>;
    /// Writes it and a line of history where its version is still that one.
    async fn update_application(
        &self,
        application: &Versioned<TravelApplication>,
        line: Option<&HistoryLine>,
    ) -> Result<Written>;
    async fn list_applications(
        &self,
        bucket: Bucket,
        person: PersonId,
        page: &Page,
    ) -> Result<Vec<Versioned<TravelApplication>>>;
    /// Those of the institution, newest first; `waiting_only`: those that wait for approval.
    async fn list_applications_of(
        &self,
        institution: InstitutionId,
        waiting_only: Waiting,
        page: &Page,
    ) -> Result<Vec<TravelApplication>>;
    async fn list_history(&self, application: ApplicationId) -> Result<Vec<HistoryLine>>;
    /// Approved or waiting ones whose validity is over, of all buckets.
    async fn list_overdue(&self, now: i64, limit: u32) -> Result<Vec<Versioned<TravelApplication>>>;

    /// Writes the consultation and, with it, the lock it puts on a form.
    async fn insert_consultation(
        &self,
        consultation: &Consultation,
        locked: Option<&Versioned<TravelApplication>>,
    ) -> Result<Written>;
    async fn find_consultation(&self, id: ConsultationId) -> Result<Option<Consultation>>;

    /// Writes order and number, and the lock it puts on a form. `Taken { ride_numbers_pkey }` when the provider's number is
    /// in use. `fingerprint`: over what the provider said.
    async fn insert_order(
        &self,
        order: &RideOrder,
        fingerprint: &str,
        locked: Option<&Versioned<TravelApplication>>,
    ) -> Result<Written>;
    async fn find_number(&self, provider: MerchantId, number: &str) -> Result<Option<(RideOrderId, String)>>;
    async fn find_order(&self, id: RideOrderId) -> Result<Option<RideOrder>>;
    /// Records the result of an order that was paying, and its form with a line of history, in one commit. `Yes` also when
    /// the result stood already; then nothing is written.
    async fn settle_order(
        &self,
        order: &RideOrder,
        form: Option<&Versioned<TravelApplication>>,
        line: Option<&HistoryLine>,
    ) -> Result<Written>;
    /// Result, refunds and instant of an order that has a result.
    async fn update_order(&self, order: &RideOrder) -> Result<()>;
    async fn list_orders_of_person(&self, person: PersonId, bucket: Bucket, page: &Page) -> Result<Vec<RideOrder>>;
    async fn list_orders_of_institution(&self, institution: InstitutionId, page: &Page) -> Result<Vec<RideOrder>>;
    /// `search`: the beginning of the provider's number.
    async fn list_orders_of_provider(&self, provider: MerchantId, search: &str, page: &Page) -> Result<Vec<RideOrder>>;
    /// Orders without a result that were made before, of all buckets.
    async fn list_unsettled(&self, before: i64, limit: u32) -> Result<Vec<RideOrder>>;
    async fn insert_conflict(&self, conflict: &RideConflict) -> Result<()>;
    async fn list_conflicts(&self, provider: MerchantId, page: &Page) -> Result<Vec<RideConflict>>;

    async fn put_consent(&self, consent: &RideConsent) -> Result<()>;
    async fn find_consent(&self, person: PersonId) -> Result<Option<RideConsent>>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    Only,
    All,
}

#[derive(Debug, Clone)]
pub struct RideSettings {
    /// How long a consultation holds a form's ride.
    pub consulted_ms: i64,
    /// How long an order that is being paid holds it; recovery is faster.
    pub paying_ms: i64,
    pub queue: QueueLimits,
}

impl Default for RideSettings {
    fn default() -> Self {
        Self {
            consulted_ms: 4 * 3_600_000,
            paying_ms: 24 * 3_600_000,
            queue: QueueLimits {
                waiting_max: 2_048,
                batch_max: 256,
                lanes: 8,
            },
        }
    }
}

/// The use cases of the rides platform; cheap to clone.
#[derive(Clone)]
pub struct Rides {
    env: Env,
    store: Arc<dyn RideStore>,
    payments: Arc<dyn Payments>,
    people: People,
    institutions: Institutions,
    merchants: Merchants,
    denials: Denials,
    deciders: Arc<dyn AskDecider>,
    feeds: Feeds,
    settings: RideSettings,
    paying: Queue<RidePay, RideOutcome>,
}

impl std::fmt::Debug for Rides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rides")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Who everybody is and who moves the money.
#[expect(missing_debug_implementations, reason = "handles behind traits have nothing to show")]
pub struct RideParts {
    pub payments: Arc<dyn Payments>,
    pub people: People,
    pub institutions: Institutions,
    pub merchants: Merchants,
    pub denials: Denials,
    pub deciders: Arc<dyn AskDecider>,
    /// What the networks of providers say of places that orders name.
    pub feeds: Feeds,
}

impl Rides {
    /// Starts its queue on the current runtime.
    pub fn new(env: Env, store: Arc<dyn RideStore>, parts: RideParts, settings: RideSettings) -> Self {
        let payments = parts.payments.clone();
        let paying = Queue::start(settings.queue, move |batch| {
            let payments = payments.clone();
            async move { payments.pay_rides(batch).await }
        });
        Self {
            env,
            store,
            payments: parts.payments,
            people: parts.people,
            institutions: parts.institutions,
            merchants: parts.merchants,
            denials: parts.denials,
            deciders: parts.deciders,
            feeds: parts.feeds,
            settings,
            paying,
        }
    }
}
