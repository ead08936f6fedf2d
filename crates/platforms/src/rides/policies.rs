//! Travel policies: versions that begin at an instant, tried before a ride and replayed over past ones. Row R06.

use std::collections::HashMap;

use onescan_domain::calendar::{CalendarError, WorkCalendar};
use onescan_domain::ids::{InstitutionId, MerchantId, PersonId, TravelTypeId};
use onescan_domain::money::Money;
use onescan_domain::payments::PaymentRefusal;
use onescan_domain::payments::ride::RideUsageKey;
use onescan_domain::policy::{Counters, Decision, Policy, PolicyError};
use onescan_domain::rides::application::TravelType;
use onescan_domain::rides::order::{RideDetails, RideOrder, RideState};

use super::orders::RideSeen;
use super::{FundingSource, FundingStep, PolicyVersion, Rides};
use crate::error::Result;
use crate::expressions::cel;
use crate::payments::Page;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyRefusal {
    #[error("there is no such travel type")]
    UnknownType,
    #[error(transparent)]
    Rules(#[from] PolicyError),
    #[error("a version begins now or later, and not before the newest one")]
    FromAt,
    #[error("another version was made at the same time: look at it first")]
    Taken,
    #[error("only institutions of the same tree can fund")]
    OtherTree,
    #[error("1 to 20 steps, each cap at least 1")]
    Steps,
}

/// A ride that is only thought of.
#[derive(Debug, Clone)]
pub struct Trial {
    pub person: PersonId,
    pub provider: MerchantId,
    pub amount: Money,
    pub details: RideDetails,
    /// Else the version in force when the ride starts.
    pub rules: Option<String>,
}

/// What a change of rules would have moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Rides that were looked at.
    pub rides: i64,
    /// The institution paid and would not have.
    pub to_personal: Moved,
    /// A rule failed and would not have.
    pub to_institution: Moved,
    /// Whether older rides were left out because there are too many.
    pub cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    pub rides: i64,
    pub minor: i64,
}

/// Rides that a replay looks at.
const REPLAY_MAX: usize = 20_000;

impl Rides {
    /// Adds a version; `from_at`: `None` for at once. Rides that started before keep the version of their time.
    pub async fn put_policy(
        &self,
        institution: InstitutionId,
        travel_type: TravelTypeId,
        rules: &str,
        from_at: Option<i64>,
    ) -> Result<Result<PolicyVersion, PolicyRefusal>> {
        if self.type_of(institution, travel_type).await?.is_none() {
            return Ok(Err(PolicyRefusal::UnknownType));
        }
        let rules = match Policy::parse_new(rules, cel()) {
            Ok(policy) => policy.to_string(),
            Err(error) => return Ok(Err(error.into())),
        };
        let now = self.env.now_ms();
        let newest = self.store.list_policies(travel_type).await?.into_iter().next();
        let from_at = from_at.unwrap_or(now);
        if from_at < now || newest.as_ref().is_some_and(|newest| from_at < newest.from_at) {
            return Ok(Err(PolicyRefusal::FromAt));
        }
        let policy = PolicyVersion {
            travel_type,
            version: newest.map_or(0, |newest| newest.version) + 1,
            rules,
            from_at,
            created_at: now,
        };
        match self.store.insert_policy(&policy).await {
            Ok(()) => Ok(Ok(policy)),
            Err(error) if error.is_taken("travel_policies_pkey") => Ok(Err(PolicyRefusal::Taken)),
            Err(error) => Err(error),
        }
    }

    /// The newest version first; those that begin later are among them.
    pub async fn policies(&self, travel_type: TravelTypeId) -> Result<Vec<PolicyVersion>> {
        self.store.list_policies(travel_type).await
    }

    /// The version in force at `at`.
    pub async fn policy_at(&self, travel_type: TravelTypeId, at: i64) -> Result<Option<PolicyVersion>> {
        let versions = self.store.list_policies(travel_type).await?;
        Ok(versions.into_iter().find(|version| version.from_at <= at))
    }

    /// Sets where the institution's money for rides comes from, in order. Row R07.
    pub async fn put_funding(
        &self,
        institution: InstitutionId,
        steps: Vec<FundingStep>,
    ) -> Result<Result<Vec<FundingStep>, PolicyRefusal>> {
        let capped = |step: &FundingStep| step.cap_minor.is_none_or(|cap| cap > 0);
        if !(1..=20).contains(&steps.len()) || !steps.iter().all(capped) {
            return Ok(Err(PolicyRefusal::Steps));
        }
        let root = self.institutions.lineage(institution).await?.pop().map(|root| root.id);
        for step in &steps {
            if let FundingSource::Of(id) = step.source
                && self.institutions.lineage(id).await?.pop().map(|root| root.id) != root
            {
                return Ok(Err(PolicyRefusal::OtherTree));
            }
        }
        self.store.put_funding(institution, &steps, self.env.now_ms()).await?;
        Ok(Ok(steps))
    }

    /// Days off and make-up workdays: the institution's own, or those of the nearest one above it that entered any.
    pub async fn calendar(&self, institution: InstitutionId) -> Result<WorkCalendar> {
        for level in self.institutions.lineage(institution).await? {
            if let Some(calendar) = self.store.find_calendar(level.id).await? {
                return Ok(calendar);
            }
        }
        Ok(WorkCalendar::default())
    }

    /// Replaces the institution's calendar, in the form that [`WorkCalendar`] describes; an empty text: no special days. Rides
    /// are judged by the calendar as it stands when they are paid.
    pub async fn put_calendar(
        &self,
        institution: InstitutionId,
        days: &str,
    ) -> Result<Result<WorkCalendar, CalendarError>> {
        let calendar = match WorkCalendar::parse(days) {
            Ok(calendar) => calendar,
            Err(error) => return Ok(Err(error)),
        };
        let now = self.env.now_ms();
        self.store.put_calendar(institution, &calendar, now).await?;
        Ok(Ok(calendar))
    }

    /// Judges a ride that was not made against rules and what is used now; writes nothing.
    pub async fn try_ride(&self, kind: &TravelType, trial: &Trial) -> Result<Result<Decision, PolicyRefusal>> {
        let rules = match &trial.rules {
            Some(rules) => rules.clone(),
            None => {
                let policy = self.policy_at(kind.id, trial.details.start.at).await?;
                policy.map(|policy| policy.rules).unwrap_or_default()
            }
        };
        let policy = match Policy::parse_new(&rules, cel()) {
            Ok(policy) => policy,
            Err(error) => return Ok(Err(error.into())),
        };
        let Some(institution) = self.institutions.find(kind.institution).await? else {
            return Ok(Err(PolicyRefusal::UnknownType));
        };
        let member = self.institutions.member_of_person(institution.id, trial.person).await?;
        let seen = RideSeen {
            provider: trial.provider,
            travel_type: &kind.code,
            details: &trial.details,
        };
        let calendar = self.calendar(institution.id).await?;
        let facts = self
            .facts(&seen, &institution, &calendar, member.as_ref(), &policy)
            .await?;
        let key = RideUsageKey {
            travel_type: kind.id,
            person: trial.person,
        };
        let used = self.payments.ride_usage(key).await?.at(facts.started).used;
        let provider = trial.provider.to_string();
        Ok(Ok(policy.decide(&facts.input(
            trial.amount,
            used,
            &provider,
            Some(cel()),
        ))))
    }

    /// Judges the rides of this type that started within `from..until` by other rules, in the order in which they were paid.
    /// Counters begin at nothing with the first of them. Cost: one read per 200 rides of the institution.
    pub async fn replay(
        &self,
        kind: &TravelType,
        rules: &str,
        from: i64,
        until: i64,
    ) -> Result<Result<Replay, PolicyRefusal>> {
        let policy = match Policy::parse_new(rules, cel()) {
            Ok(policy) => policy,
            Err(error) => return Ok(Err(error.into())),
        };
        let Some(institution) = self.institutions.find(kind.institution).await? else {
            return Ok(Err(PolicyRefusal::UnknownType));
        };
        let calendar = self.calendar(institution.id).await?;
        let (orders, cut) = self.past_rides(kind, from, until).await?;
        let mut replay = Replay {
            rides: 0,
            to_personal: Moved::default(),
            to_institution: Moved::default(),
            cut,
        };
        let mut usage: HashMap<PersonId, Counters> = HashMap::new();
        for order in orders.iter().rev() {
            let Some(was) = judged(order) else { continue };
            let member = match order.payer {
                Some((_, member)) => self.institutions.member(member).await?,
                None => None,
            };
            let seen = RideSeen::of(order);
            let facts = self
                .facts(&seen, &institution, &calendar, member.as_ref(), &policy)
                .await?;
            let used = usage.entry(order.person).or_default();
            *used = used.at(facts.started);
            let provider = order.provider.to_string();
            let would = policy.allows(&facts.input(order.amount, used.used, &provider, Some(cel())));
            if would {
                used.add(order.amount.minor);
            }
            replay.rides += 1;
            match (was, would) {
                (Was::Paid, false) => replay.to_personal.add(order.amount.minor),
                (Was::Broken, true) => replay.to_institution.add(order.amount.minor),
                (Was::Paid, true) | (Was::Broken, false) => {}
            }
        }
        Ok(Ok(replay))
    }

    /// Newest first, and whether there are more.
    async fn past_rides(&self, kind: &TravelType, from: i64, until: i64) -> Result<(Vec<RideOrder>, bool)> {
        let mut found = Vec::new();
        let mut page = Page {
            after: None,
            limit: 200,
        };
        loop {
            let orders = self.store.list_orders_of_institution(kind.institution, &page).await?;
            page.after = orders.last().map(|order| order.id.stored());
            let last = orders.len() < page.limit as usize;
            let within = |order: &RideOrder| (from..until).contains(&order.details.start.at);
            found.extend(
                orders
                    .into_iter()
                    .filter(|order| order.travel_type == kind.code && within(order)),
            );
            if last || found.len() >= REPLAY_MAX {
                return Ok((found, !last));
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Was {
    Paid,
    Broken,
}

/// Whether the rules let the institution pay; `None` where they did not decide.
fn judged(order: &RideOrder) -> Option<Was> {
    let RideState::Settled(result) = &order.state else {
        return None;
    };
    match &result.institution.as_ref()?.refusal {
        None => Some(Was::Paid),
        Some(PaymentRefusal::LimitExceeded { .. }) => Some(Was::Broken),
        Some(_) => None,
    }
}

impl Moved {
    fn add(&mut self, minor: i64) {
        self.rides += 1;
        self.minor += minor;
    }
}
