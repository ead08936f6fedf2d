//! Consultations and ride orders: asked before, told afterwards, paid once. Rows R05-R08, R10, R11.

use std::sync::Arc;

use onescan_domain::bucket::Bucket;
use onescan_domain::calendar::WorkCalendar;
use onescan_domain::ids::{AccountId, ConsultationId, MemberId, MerchantId, PaymentId, PersonId, RawId, RideOrderId};
use onescan_domain::institutions::{Institution, Member, MemberState};
use onescan_domain::merchants::Merchant;
use onescan_domain::money::Money;
use onescan_domain::payments::ride::{
    Candidate, Consent, InstitutionSide, PersonalSide, RideFacts, RideOutcome, RidePay, RidePlace,
};
use onescan_domain::payments::{ChangeRefusal, Payment, PaymentState};
use onescan_domain::policy::{Dimension, Policy};
use onescan_domain::rides::application::{
    ApplicationState, FormAfterRefund, FormLock, FormRefusal, InstitutionPayment, Release, TravelApplication,
};
use onescan_domain::rides::decision::RideDecision;
use onescan_domain::rides::order::{Attempt, Consulted, RideDetails, RideOrder, RidePoint, RideResult, RideState};
use onescan_domain::transit::Network;

use super::applications::{TRIES, history};
use super::{Consultation, FundingSource, FundingStep, RideConflict, Rides, Versioned, Written};
use crate::env::{fingerprint, local_time};
use crate::error::{PlatformError, Result};
use crate::payments::{Change, ChangeRequest, Idempotency, Page};

/// "Will an institution pay for this person?" Row R05. Source: R claim 8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsultRequest {
    pub person: PersonId,
    pub travel_type: String,
    /// When the ride starts.
    pub start_at: i64,
    /// Empty: not told.
    pub city: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsultAnswer {
    pub consultation: Consultation,
    /// Until when the form's ride is kept for this consultation; `None` where nothing is kept.
    pub kept_until: Option<i64>,
}

/// A ride as its provider asks to be paid for it. The number is the idempotency key, for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRide {
    pub number: String,
    pub person: PersonId,
    pub travel_type: String,
    /// At least 1 minor unit.
    pub amount: Money,
    pub details: RideDetails,
    /// `None`: consulted in the same call.
    pub consultation: Option<ConsultationId>,
}

/// An order with whether it was told before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub order: RideOrder,
    pub repeated: bool,
}

/// Why a ride is not taken, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RideRefusal {
    #[error("there is no such person")]
    UnknownPerson,
    #[error("the ride ends before it starts")]
    Times,
    #[error("the number names another ride")]
    Conflict { order: RideOrderId },
    #[error("there is no such consultation of this person")]
    UnknownConsultation,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefundRefusal {
    #[error("there is no such ride")]
    Unknown,
    #[error("the ride is {state}")]
    State { state: &'static str },
    #[error("only {left} can still be given back")]
    TooMuch { left: Money },
    #[error("the amount is in another currency than the ride")]
    Currency,
    #[error("the refund number stands for another refund of this ride")]
    NumberConflict,
}

/// Of the rides that end at one time with one form one is recorded at each try, so this many can.
const RECORD_TRIES: u32 = 64;

/// The ride that a form is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'r> {
    pub person: PersonId,
    /// `None`: any.
    pub travel_type: Option<&'r str>,
    pub start_at: i64,
    pub city: &'r str,
}

/// The part of a ride that rules look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct RideSeen<'r> {
    pub provider: MerchantId,
    pub travel_type: &'r str,
    pub details: &'r RideDetails,
}

impl<'r> RideSeen<'r> {
    pub fn of(order: &'r RideOrder) -> Self {
        Self {
            provider: order.provider,
            travel_type: &order.travel_type,
            details: &order.details,
        }
    }
}

impl Rides {
    /// Answers from the person's forms and keeps the answer; a form for so many rides keeps one for this consultation.
    pub async fn consult(
        &self,
        provider: MerchantId,
        request: ConsultRequest,
    ) -> Result<Result<ConsultAnswer, RideRefusal>> {
        self.consult_as(provider, request, |bucket| self.env.id(bucket)).await
    }

    /// [`Self::consult`] under a key of the caller's: a repeat finds the consultation that was made.
    pub async fn consult_once(
        &self,
        provider: MerchantId,
        request: ConsultRequest,
        key: RawId,
    ) -> Result<Result<Consultation, RideRefusal>> {
        let id = |bucket| RawId::from_parts(key.at_ms(), bucket, key.number());
        for bucket in self.buckets(request.person).await? {
            let known = self.store.find_consultation(ConsultationId::new(id(bucket))).await?;
            if let Some(known) = known.filter(|known| known.person == request.person) {
                return Ok(Ok(known));
            }
        }
        let answer = self.consult_as(provider, request, id).await?;
        Ok(answer.map(|answer| answer.consultation))
    }

    async fn consult_as(
        &self,
        provider: MerchantId,
        request: ConsultRequest,
        id: impl Fn(Bucket) -> RawId + Send + Sync,
    ) -> Result<Result<ConsultAnswer, RideRefusal>> {
        if self.people.find(request.person).await?.is_none() {
            return Ok(Err(RideRefusal::UnknownPerson));
        }
        for _ in 0..TRIES {
            let now = self.env.now_ms();
            let found = self.form_for(&request, "").await?;
            let bucket = found
                .as_ref()
                .map_or(request.person.bucket(), |form| form.value.id.bucket());
            let id = ConsultationId::new(id(bucket));
            let found = match found {
                Ok(form) => match self.decided_before(&form, &request, provider, id).await? {
                    None | Some(RideDecision::Approve) => Ok(form),
                    Some(_) => Err(FormRefusal::RefusedByInstitution),
                },
                Err(why) => Err(why),
            };
            let until = now + self.settings.consulted_ms;
            let locked = found.as_ref().ok().and_then(|form| lock(form, id.stored(), until));
            let consultation = Consultation {
                id,
                provider,
                person: request.person,
                travel_type: request.travel_type.clone(),
                application: found.as_ref().ok().map(|form| form.value.id),
                why: found.as_ref().err().copied(),
                at: now,
            };
            if self.store.insert_consultation(&consultation, locked.as_ref()).await? == Written::Yes {
                let kept_until = locked.map(|_| until);
                return Ok(Ok(ConsultAnswer {
                    consultation,
                    kept_until,
                }));
            }
        }
        Err(PlatformError::Busy)
    }

    /// The form that stands for the ride, else the refusal nearest to one.
    async fn form_for(
        &self,
        request: &ConsultRequest,
        holder: &str,
    ) -> Result<Result<Versioned<TravelApplication>, FormRefusal>> {
        let asked = Asked {
            person: request.person,
            travel_type: Some(&request.travel_type),
            start_at: request.start_at,
            city: &request.city,
        };
        self.form(asked, holder).await
    }

    /// [`Self::form_for`], of any travel type where none is asked for.
    pub(super) async fn form(
        &self,
        asked: Asked<'_>,
        holder: &str,
    ) -> Result<Result<Versioned<TravelApplication>, FormRefusal>> {
        let now = self.env.now_ms();
        let mut nearest = FormRefusal::NoForm;
        let page = Page {
            after: None,
            limit: 200,
        };
        for bucket in self.buckets(asked.person).await? {
            for form in self.store.list_applications(bucket, asked.person, &page).await? {
                if asked.travel_type.is_some_and(|code| form.value.type_code != code) {
                    continue;
                }
                match form.value.covers(asked.start_at, asked.city, holder, now) {
                    Ok(()) => {
                        let member = self.institutions.member(form.value.member).await?;
                        if member.is_some_and(|member| member.state == MemberState::Active) {
                            return Ok(Ok(form));
                        }
                    }
                    Err(refusal) => nearest = nearest_of(nearest, refusal),
                }
            }
        }
        Ok(Err(nearest))
    }

    /// Takes a ride order, decides who is asked, and has it paid. Refuses in the order of [`RideRefusal`]; an order that is
    /// taken always ends paid or owed. The same number with the same content is answered the same; with other content the
    /// later one is kept as a conflict. Rows R05-R08. Source: R claims 1, 5-8.
    pub async fn take(&self, provider: &Merchant, ride: NewRide) -> Result<Result<Taken, RideRefusal>> {
        if self.people.find(ride.person).await?.is_none() {
            return Ok(Err(RideRefusal::UnknownPerson));
        }
        if ride.details.end.at < ride.details.start.at {
            return Ok(Err(RideRefusal::Times));
        }
        let asked = ride.fingerprint();
        for _ in 0..TRIES {
            if let Some((order, known)) = self.store.find_number(provider.id, &ride.number).await? {
                return self.repeated(provider.id, &ride, order, known == asked).await;
            }
            let found = match self.consulted(&ride).await? {
                Ok(found) => found,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let order = self.new_order(provider.id, &ride, &found);
            let until = self.env.now_ms() + self.settings.paying_ms;
            let locked = found
                .as_ref()
                .ok()
                .and_then(|form| lock(form, order.id.stored(), until));
            match self.store.insert_order(&order, &asked, locked.as_ref()).await {
                Ok(Written::Yes) => {
                    let order = self.pay(order).await?;
                    let repeated = false;
                    return Ok(Ok(Taken { order, repeated }));
                }
                Ok(Written::Moved) => {}
                Err(error) if error.is_taken("ride_numbers_pkey") => {}
                Err(error) => return Err(error),
            }
        }
        Err(PlatformError::Busy)
    }

    async fn repeated(
        &self,
        provider: MerchantId,
        ride: &NewRide,
        order: RideOrderId,
        same: bool,
    ) -> Result<Result<Taken, RideRefusal>> {
        if !same {
            let conflict = RideConflict {
                provider,
                number: ride.number.clone(),
                order,
                said: ride.words(),
                at: self.env.now_ms(),
            };
            self.store.insert_conflict(&conflict).await?;
            return Ok(Err(RideRefusal::Conflict { order }));
        }
        let found = self.store.find_order(order).await?;
        let found = found.ok_or_else(|| PlatformError::internal("a number names an order that is not there"))?;
        // An answer that was lost on the way is asked for again.
        let order = self.pay(found).await?;
        let repeated = true;
        Ok(Ok(Taken { order, repeated }))
    }

    /// The form that a ride takes: that of its consultation while it stands, else any.
    async fn consulted(
        &self,
        ride: &NewRide,
    ) -> Result<Result<Result<Versioned<TravelApplication>, FormRefusal>, RideRefusal>> {
        let request = ConsultRequest {
            person: ride.person,
            travel_type: ride.travel_type.clone(),
            start_at: ride.details.start.at,
            city: ride.details.start.city.clone(),
        };
        let Some(id) = ride.consultation else {
            return Ok(Ok(self.form_for(&request, "").await?));
        };
        let known = self.store.find_consultation(id).await?;
        let known = known.filter(|known| known.person == ride.person && known.travel_type == ride.travel_type);
        let Some(known) = known else {
            return Ok(Err(RideRefusal::UnknownConsultation));
        };
        let application = match (known.application, known.why) {
            // Its answer counts for the order too, which the form is needed for.
            (None, Some(FormRefusal::RefusedByInstitution)) => {
                return Ok(Ok(self.form_for(&request, &id.stored()).await?));
            }
            (None, why) => return Ok(Ok(Err(why.unwrap_or(FormRefusal::NoForm)))),
            (Some(application), _) => application,
        };
        if let Some(form) = self.store.find_application(application).await? {
            let now = self.env.now_ms();
            let (start_at, city) = (request.start_at, &request.city);
            if form.value.covers(start_at, city, &id.stored(), now).is_ok() {
                return Ok(Ok(Ok(form)));
            }
        }
        Ok(Ok(self.form_for(&request, &id.stored()).await?))
    }

    fn new_order(
        &self,
        provider: MerchantId,
        ride: &NewRide,
        found: &Result<Versioned<TravelApplication>, FormRefusal>,
    ) -> RideOrder {
        let (bucket, consulted, payer) = match found {
            Ok(form) => {
                let application = form.value.id;
                let payer = (form.value.institution, form.value.member);
                (
                    application.bucket(),
                    Consulted::Institution { application },
                    Some(payer),
                )
            }
            Err(why) => (ride.person.bucket(), Consulted::Personal { why: *why }, None),
        };
        let now = self.env.now_ms();
        RideOrder {
            id: RideOrderId::new(self.env.id(bucket)),
            provider,
            number: ride.number.clone(),
            person: ride.person,
            travel_type: ride.travel_type.clone(),
            amount: ride.amount,
            details: ride.details.clone(),
            consultation: ride.consultation,
            consulted,
            payer,
            state: RideState::Paying,
            refunded_minor: 0,
            institution_refunded_minor: 0,
            created_at: now,
            changed_at: now,
        }
    }

    /// Has an order paid and records what became of it; an order with a result is returned as it is. Safe to run twice and
    /// on several servers: payments decides an order once.
    async fn pay(&self, order: RideOrder) -> Result<RideOrder> {
        if matches!(order.state, RideState::Settled(_)) {
            return Ok(order);
        }
        let (ride, version) = self.asked_of_payments(&order).await?;
        let outcome = self.paying.ask(ride).await?;
        self.record(order, &outcome, version).await
    }

    async fn record(&self, mut order: RideOrder, outcome: &RideOutcome, version: Option<i64>) -> Result<RideOrder> {
        let now = self.env.now_ms();
        let result = result_of(outcome, version);
        if result.arrears_minor > 0 {
            // Before the result stands: what a stop interrupts here is asked again.
            self.block(order.person).await?;
        }
        let by_institution = result
            .institution
            .as_ref()
            .is_some_and(|attempt| attempt.refusal.is_none());
        order.state = RideState::Settled(result);
        order.changed_at = now;
        let Consulted::Institution { application } = order.consulted else {
            self.store.settle_order(&order, None, None).await?;
            return Ok(order);
        };
        for _ in 0..RECORD_TRIES {
            let form = self.store.find_application(application).await?;
            let holds = |form: &Versioned<TravelApplication>| {
                let lock = form.value.lock.as_ref();
                lock.is_some_and(|lock| lock.holder == order.id.stored())
            };
            // A ride that neither used nor held the form leaves it alone.
            let mut form = form.filter(|form| by_institution || holds(form));
            let line = form.as_mut().map(|form| {
                let what = use_form(&mut form.value, &order.id.stored(), by_institution, now);
                history(&form.value, now, "provider", what, Some(order.id.to_string()))
            });
            if self.store.settle_order(&order, form.as_ref(), line.as_ref()).await? == Written::Yes {
                return Ok(order);
            }
        }
        // The payment stands; recovery records it.
        Err(PlatformError::UnknownOutcome)
    }

    /// What payments is asked, with the version of the policy that judges.
    async fn asked_of_payments(&self, order: &RideOrder) -> Result<(RidePay, Option<i64>)> {
        let person = self.people.find(order.person).await?;
        let person = person.ok_or_else(|| PlatformError::internal("a ride order names a person that is not there"))?;
        let consent = match order.payer {
            None => Consent::NotNeeded,
            Some(_) => match self.consent(order.person).await? {
                Some(consent) if consent.cap.currency == order.amount.currency => Consent::UpTo(consent.cap.minor),
                Some(_) | None => Consent::None,
            },
        };
        let (institution, version) = match order.payer {
            None => (None, None),
            Some((_, member)) => self.institution_side(order, member).await?,
        };
        let from = [order.details.start.place.as_str(), order.details.end.place.as_str()];
        let places: Vec<&str> = from.into_iter().filter(|place| !place.is_empty()).collect();
        let ride = RidePay {
            order: order.id,
            provider: order.provider,
            number: order.number.clone(),
            person: order.person,
            amount: order.amount,
            subject: (!places.is_empty()).then(|| places.join(" – ")),
            institution,
            personal: PersonalSide {
                account: person.account,
                currency: person.currency,
                consent,
                local: local_time(order.details.start.at, &person.time_zone),
            },
        };
        Ok((ride, version))
    }

    async fn institution_side(
        &self,
        order: &RideOrder,
        member: MemberId,
    ) -> Result<(Option<InstitutionSide>, Option<i64>)> {
        let Consulted::Institution { application } = order.consulted else {
            return Ok((None, None));
        };
        let member = self.institutions.member(member).await?;
        let form = self.store.find_application(application).await?;
        let (Some(member), Some(form)) = (member, form) else {
            return Ok((None, None));
        };
        let Some(institution) = self.institutions.find(member.institution).await? else {
            return Ok((None, None));
        };
        let policy = self.policy_at(form.value.travel_type, order.details.start.at).await?;
        let rules = policy.as_ref().map_or("", |policy| policy.rules.as_str());
        let rules = Policy::parse(rules).map_err(PlatformError::internal)?;
        // Read only where a rule asks for it: most do not.
        let calendar = match rules.reads_calendar() {
            true => self.calendar(institution.id).await?,
            false => WorkCalendar::default(),
        };
        let seen = RideSeen::of(order);
        let mut facts = self
            .facts(&seen, &institution, &calendar, Some(&member), &rules)
            .await?;
        facts.decision = self.decided_on(order, member.id).await?;
        let side = InstitutionSide {
            facts,
            institution: institution.id,
            member: member.id,
            travel_type: form.value.travel_type,
            policy: Arc::new(rules),
            candidates: self.candidates(&institution, &member).await?,
        };
        Ok((Some(side), policy.map(|policy| policy.version)))
    }

    /// What the rule engine is told of a ride of this member. `None` as member: of somebody who is none.
    pub(super) async fn facts(
        &self,
        ride: &RideSeen<'_>,
        institution: &Institution,
        calendar: &WorkCalendar,
        member: Option<&Member>,
        rules: &Policy,
    ) -> Result<RideFacts> {
        let provider = self.merchants.find(ride.provider).await?;
        let department = match member.and_then(|member| member.department) {
            Some(id) => {
                let known = self.institutions.departments(institution.id).await?;
                let found = known.into_iter().find(|department| department.id == id);
                found.map(|department| (department.id.stored(), department.name))
            }
            None => None,
        };
        let number = |member: &Member| member.employee_number.clone().unwrap_or_default();
        let details = ride.details;
        // Asked only where a rule looks at what a network knows.
        let network = match PLACED.into_iter().any(|dimension| rules.reads(dimension)) {
            true => self.feeds.network(ride.provider).await?,
            false => None,
        };
        let network = network.as_deref();
        let distance_m = match details.distance_m {
            None if rules.reads(Dimension::Distance) || rules.reads(Dimension::Expression) => {
                network.and_then(|network| distance(network, details))
            }
            told => told,
        };
        let started = local_time(details.start.at, &institution.time_zone);
        let ended = local_time(details.end.at, &institution.time_zone);
        Ok(RideFacts {
            calendar: calendar.about(&[started.day, ended.day]),
            started,
            ended,
            category: provider.as_ref().map_or(0, |provider| provider.category),
            travel_type: ride.travel_type.to_owned(),
            provider_name: provider.map(|provider| provider.name).unwrap_or_default(),
            line: line(network, &details.line),
            start: place(network, &details.start),
            end: place(network, &details.end),
            distance_m,
            companions: details.companions.and_then(|others| u16::try_from(others).ok()),
            member: member.map_or_else(Default::default, |member| (member.id.stored(), number(member))),
            department: department.unwrap_or_default(),
            decision: None,
        })
    }

    /// The accounts that may fund a ride, in the order of the institution's rule; without one: the member's dedicated account,
    /// then the institution's. Row R07. Source: R claim 7.
    pub(super) async fn candidates(&self, institution: &Institution, member: &Member) -> Result<Vec<Candidate>> {
        let steps = self.funding(institution).await?;
        let mut candidates = Vec::new();
        for step in steps {
            let account: Option<AccountId> = match step.source {
                FundingSource::Member => member.account,
                FundingSource::Institution => Some(institution.account),
                FundingSource::Of(id) => self.institutions.find(id).await?.map(|other| other.account),
            };
            candidates.extend(account.map(|account| Candidate {
                account,
                cap_minor: step.cap_minor,
            }));
        }
        if candidates.is_empty() {
            candidates.push(Candidate {
                account: institution.account,
                cap_minor: Some(0),
            });
        }
        Ok(candidates)
    }

    /// The institution's rule, or that of the nearest one above it.
    pub async fn funding(&self, institution: &Institution) -> Result<Vec<FundingStep>> {
        for level in self.institutions.lineage(institution.id).await? {
            if let Some(steps) = self.store.find_funding(level.id).await? {
                return Ok(steps);
            }
        }
        let plain = |source| FundingStep {
            source,
            cap_minor: None,
        };
        Ok(vec![plain(FundingSource::Member), plain(FundingSource::Institution)])
    }

    pub async fn order(&self, id: RideOrderId) -> Result<Option<RideOrder>> {
        self.store.find_order(id).await
    }

    pub async fn orders_of_person(&self, person: PersonId, page: &Page) -> Result<Vec<RideOrder>> {
        let mut found = Vec::new();
        for bucket in self.buckets(person).await? {
            found.extend(self.store.list_orders_of_person(person, bucket, page).await?);
        }
        found.sort_by_key(|order| std::cmp::Reverse(order.id));
        found.truncate(page.limit as usize);
        Ok(found)
    }

    pub async fn orders_of_institution(
        &self,
        institution: onescan_domain::ids::InstitutionId,
        page: &Page,
    ) -> Result<Vec<RideOrder>> {
        self.store.list_orders_of_institution(institution, page).await
    }

    pub async fn orders_of_provider(&self, provider: MerchantId, search: &str, page: &Page) -> Result<Vec<RideOrder>> {
        self.store.list_orders_of_provider(provider, search, page).await
    }

    pub async fn conflicts(&self, provider: MerchantId, page: &Page) -> Result<Vec<RideConflict>> {
        self.store.list_conflicts(provider, page).await
    }

    /// Asks payments again about orders whose result was not recorded within `age_ms`; returns how many have one now.
    pub async fn recover(&self, age_ms: i64, limit: u32) -> Result<u64> {
        let mut done = 0;
        for order in self.store.list_unsettled(self.env.now_ms() - age_ms, limit).await? {
            self.pay(order).await?;
            done += 1;
        }
        Ok(done)
    }

    /// Gives money back to who paid: to the person first, then to the institution. A whole refund may give the form's ride
    /// back. `number`: the provider's, unique per ride. Field trap 7.
    pub async fn refund(
        &self,
        provider: MerchantId,
        id: RideOrderId,
        number: &str,
        amount: Money,
        idempotency: Idempotency,
    ) -> Result<Result<RideOrder, RefundRefusal>> {
        let found = self
            .store
            .find_order(id)
            .await?
            .filter(|order| order.provider == provider);
        let Some(mut order) = found else {
            return Ok(Err(RefundRefusal::Unknown));
        };
        if amount.currency != order.amount.currency {
            return Ok(Err(RefundRefusal::Currency));
        }
        let RideState::Settled(result) = &order.state else {
            return Ok(Err(RefundRefusal::State { state: "paying" }));
        };
        let attempts = [&result.personal, &result.institution];
        let attempts: Vec<Attempt> = attempts.into_iter().flatten().cloned().collect();
        let mut payments = Vec::new();
        for attempt in attempts.iter().filter(|attempt| attempt.refusal.is_none()) {
            payments.extend(self.payments.find(attempt.payment).await?);
        }
        let shares = match self.shares(&payments, number, amount.minor).await? {
            Ok(shares) => shares,
            Err(left) => {
                let left = Money::new(left, amount.currency);
                return Ok(Err(RefundRefusal::TooMuch { left }));
            }
        };
        for (payment, minor) in shares {
            let request = ChangeRequest {
                payment: payment.id,
                merchant: provider,
                idempotency: Idempotency {
                    key: format!("{}/{}", idempotency.key, payment.id),
                    ..idempotency.clone()
                },
                change: Change::Refund {
                    number: number.to_owned(),
                    amount: Money::new(minor, amount.currency),
                    reason: None,
                },
            };
            match self.payments.change(request).await? {
                Ok(_) => {}
                Err(ChangeRefusal::TooMuch { left }) => return Ok(Err(RefundRefusal::TooMuch { left })),
                Err(ChangeRefusal::State { state }) => return Ok(Err(RefundRefusal::State { state })),
                Err(ChangeRefusal::Unknown) => return Ok(Err(RefundRefusal::Unknown)),
                Err(ChangeRefusal::CurrencyMismatch { .. }) => return Ok(Err(RefundRefusal::Currency)),
                Err(ChangeRefusal::KeyConflict | ChangeRefusal::NumberConflict) => {
                    return Ok(Err(RefundRefusal::NumberConflict));
                }
            }
        }
        let before = order.refunded_minor;
        let by_institution = result.institution.as_ref().map(|attempt| attempt.payment);
        let waived = result.waived_minor(order.amount.minor);
        let (given_back, to_institution) = self.refunded(&payments, by_institution).await?;
        order.refunded_minor = given_back + waived;
        order.institution_refunded_minor = to_institution;
        order.changed_at = self.env.now_ms();
        self.store.update_order(&order).await?;
        if order.refunded_minor > before && order.refunded_minor == order.amount.minor {
            self.give_form_back(&order, FormAfterRefund::StaysUsed).await?;
        }
        Ok(Ok(order))
    }

    /// Which payment gives back how much; a number that was used before stands for the same shares. `Err`: what is left.
    async fn shares(
        &self,
        payments: &[Payment],
        number: &str,
        amount_minor: i64,
    ) -> Result<Result<Vec<(Payment, i64)>, i64>> {
        let mut earlier = Vec::new();
        for payment in payments {
            let refunds = self.payments.refunds(payment.id).await?;
            let known = refunds.into_iter().find(|refund| refund.number == number);
            earlier.extend(known.map(|refund| (payment.clone(), refund.amount.minor)));
        }
        let before: i64 = earlier.iter().map(|(_, minor)| minor).sum();
        let mut left_minor = amount_minor - before;
        if !earlier.is_empty() && left_minor <= 0 {
            return Ok(Ok(earlier));
        }
        let mut shares = earlier;
        for payment in payments {
            let minor = payment.refundable_minor().min(left_minor);
            let again = shares.iter().any(|(known, _)| known.id == payment.id);
            if minor > 0 && !again {
                shares.push((payment.clone(), minor));
                left_minor -= minor;
            }
        }
        match left_minor {
            0 => Ok(Ok(shares)),
            _ => Ok(Err(payments.iter().map(Payment::refundable_minor).sum())),
        }
    }

    /// What was given back in all, and of it to the institution.
    async fn refunded(&self, payments: &[Payment], by_institution: Option<PaymentId>) -> Result<(i64, i64)> {
        let (mut all, mut institution) = (0, 0);
        for payment in payments {
            let now = self.payments.find(payment.id).await?;
            let refunded = now.map_or(0, |payment| payment.refunded_minor);
            all += refunded;
            if Some(payment.id) == by_institution {
                institution += refunded;
            }
        }
        Ok((all, institution))
    }

    /// Gives the form its ride back whatever its travel type says: the order was given back because it stood for another ride.
    pub async fn free_form(&self, order: &RideOrder) -> Result<()> {
        self.give_form_back(order, FormAfterRefund::GivenBack).await
    }

    /// `at_least`: what holds where the travel type gives less back. A form of a type that does was given back with the refund.
    async fn give_form_back(&self, order: &RideOrder, at_least: FormAfterRefund) -> Result<()> {
        let Consulted::Institution { application } = order.consulted else {
            return Ok(());
        };
        let RideState::Settled(result) = &order.state else {
            return Ok(());
        };
        if result
            .institution
            .as_ref()
            .is_none_or(|attempt| attempt.refusal.is_some())
        {
            return Ok(());
        }
        let now = self.env.now_ms();
        for _ in 0..TRIES {
            let Some(mut form) = self.store.find_application(application).await? else {
                return Ok(());
            };
            let kind = self.store.find_type(form.value.travel_type).await?;
            let configured = kind.is_some_and(|kind| kind.refund == FormAfterRefund::GivenBack);
            // Where the type gives it back, the refund did.
            let asked = (at_least == FormAfterRefund::GivenBack) != configured;
            if !asked || now >= form.value.valid_until {
                return Ok(());
            }
            form.value.rides_used = (form.value.rides_used - 1).max(0);
            if let ApplicationState::Released { why: Release::Used, at } = form.value.state {
                let by = onescan_domain::rides::application::Approver::Nobody;
                form.value.state = ApplicationState::Approved { by, at };
                form.value.switch = InstitutionPayment::On;
            }
            let line = history(&form.value, now, "provider", "given_back", Some(order.id.to_string()));
            if self.store.update_application(&form, Some(&line)).await? == Written::Yes {
                return Ok(());
            }
        }
        Err(PlatformError::Busy)
    }
}

/// What a network can say more about than the order does.
const PLACED: [Dimension; 9] = [
    Dimension::StartStop,
    Dimension::EndStop,
    Dimension::StartZone,
    Dimension::EndZone,
    Dimension::StartArea,
    Dimension::EndArea,
    Dimension::Distance,
    Dimension::Line,
    Dimension::Expression,
];

/// As the provider told it, with what its network knows of the stop.
fn place(network: Option<&Network>, point: &RidePoint) -> RidePlace {
    let known = network.and_then(|network| network.at(station(point)));
    RidePlace {
        stop: known.map_or_else(|| point.stop.clone(), |known| known.id.to_owned()),
        name: match (point.place.as_str(), known) {
            ("", Some(known)) => known.name.to_owned(),
            (told, _) => told.to_owned(),
        },
        city: point.city.clone(),
        zone: known.map_or_else(String::new, |known| known.zone.to_owned()),
        point: known.and_then(|known| known.point),
    }
}

/// The stop by its id, or else the place by its name.
fn station(point: &RidePoint) -> &str {
    if point.stop.is_empty() {
        &point.place
    } else {
        &point.stop
    }
}

fn distance(network: &Network, details: &RideDetails) -> Option<i64> {
    let way = network.way(station(&details.start), station(&details.end), &details.line)?;
    Some(way.distance_m)
}

/// Id and name.
fn line(network: Option<&Network>, told: &str) -> (String, String) {
    let known = network.and_then(|network| network.line(told));
    known.map_or_else(
        || (told.to_owned(), String::new()),
        |known| (known.id.clone(), known.name.clone()),
    )
}

/// With the lock on its ride; `None` where a form needs none.
fn lock(form: &Versioned<TravelApplication>, holder: String, until: i64) -> Option<Versioned<TravelApplication>> {
    form.value.rides_left()?;
    let mut locked = form.clone();
    locked.value.lock = Some(FormLock { holder, until });
    Some(locked)
}

/// Takes the lock off and, when the institution paid, a ride; the last one releases the form and switches it off.
fn use_form(form: &mut TravelApplication, order: &str, by_institution: bool, now: i64) -> &'static str {
    if form.lock.as_ref().is_some_and(|lock| lock.holder == order) {
        form.lock = None;
    }
    if !by_institution {
        return "ride_not_paid";
    }
    form.rides_used += 1;
    if form.rides_left() == Some(0) {
        form.switch = InstitutionPayment::Off;
        form.state = ApplicationState::Released {
            why: Release::Used,
            at: now,
        };
    }
    "ride_paid"
}

fn nearest_of(one: FormRefusal, other: FormRefusal) -> FormRefusal {
    let place = |refusal| FormRefusal::ALL.iter().position(|known| *known == refusal);
    if place(other) > place(one) { other } else { one }
}

pub(super) fn attempt_of(payment: &Payment) -> Attempt {
    Attempt {
        payment: payment.id,
        amount_minor: payment.amount.minor,
        refusal: match &payment.state {
            PaymentState::Refused { refusal, .. } => Some(refusal.clone()),
            PaymentState::Authorised { .. }
            | PaymentState::Paid { .. }
            | PaymentState::PaidElsewhere { .. }
            | PaymentState::Voided { .. }
            | PaymentState::Expired { .. }
            | PaymentState::Reversed { .. } => None,
        },
    }
}

fn result_of(outcome: &RideOutcome, policy_version: Option<i64>) -> RideResult {
    RideResult {
        institution: outcome.institution.as_ref().map(attempt_of),
        personal: outcome.personal.as_ref().map(attempt_of),
        arrears_minor: outcome.arrears_minor,
        policy_version,
    }
}

impl NewRide {
    /// Over everything the provider said but the consultation, which a repeat may leave out.
    fn fingerprint(&self) -> String {
        fingerprint(&[self.words().as_bytes(), self.person.stored().as_bytes()])
    }

    /// What the order says, one line; the person is not in it.
    fn words(&self) -> String {
        let RideDetails {
            start,
            end,
            line,
            distance_m,
            companions,
        } = &self.details;
        format!(
            "{} {} {}; {} {:?} {:?} {:?} – {} {:?} {:?} {:?}; line {line:?}, distance {distance_m:?}, companions {companions:?}",
            self.travel_type,
            self.amount.minor,
            self.amount.currency,
            start.at,
            start.place,
            start.stop,
            start.city,
            end.at,
            end.place,
            end.stop,
            end.city,
        )
    }
}
