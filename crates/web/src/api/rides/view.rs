//! A ride order as its three readers may see it.
//!
//! **Invariant:** a provider learns who paid and which rule failed, never a limit, an account or the institution.

use onescan_domain::money::Money;
use onescan_domain::rides::order::{Attempt, Consulted, RideOrder, RidePoint, RideState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::wire::{
    Amount, ApplicationRef, Id, InstitutionRef, MerchantRef, Moment, PaymentRef, PersonRef, RideRef,
};
use crate::problem::{Problem, ProblemReason};

/// Whose eyes a ride is shown to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RideReader {
    Provider,
    /// The person, their institution, or the operator.
    Payer,
}

/// Where and when a ride starts or ends.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RidePointBody {
    pub at: Moment,
    /// As it stands on a bill.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 100)]
    pub place: String,
    /// Station, by your id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 64)]
    pub stop: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 64)]
    pub city: String,
}

impl From<&RidePoint> for RidePointBody {
    fn from(point: &RidePoint) -> Self {
        Self {
            at: Moment(point.at),
            place: point.place.clone(),
            stop: point.stop.clone(),
            city: point.city.clone(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Ride")]
pub struct RideView {
    pub id: RideRef,
    provider: MerchantRef,
    number: String,
    person: PersonRef,
    travel_type: String,
    amount: Amount,
    start: RidePointBody,
    end: RidePointBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distance_m: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    companions: Option<i64>,
    /// `paying`, `paid_by_institution`, `paid_by_person`, `split` or `arrears`.
    #[schema(value_type = String, example = "paid_by_institution")]
    state: &'static str,
    /// Why the institution was not asked: `no_form`, `not_approved`, `not_yet_valid`, `expired`, `used_up`, `switched_off`,
    /// `other_city`, `in_use` or `refused_by_institution`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "no_form")]
    not_asked: Option<&'static str>,
    /// The institution's attempt, where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    institution_attempt: Option<RideAttemptView>,
    /// The person's payment, where something was left to pay.
    #[serde(skip_serializing_if = "Option::is_none")]
    personal_attempt: Option<RideAttemptView>,
    /// Still owed by the person, in minor units.
    arrears_minor: i64,
    refunded_minor: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    institution: Option<InstitutionRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<ApplicationRef>,
    /// The version of the travel policy that judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_version: Option<i64>,
    created_at: Moment,
    changed_at: Moment,
}

/// One attempt to pay a ride or a part of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RideAttempt")]
pub struct RideAttemptView {
    payment: PaymentRef,
    amount: Amount,
    paid: bool,
    /// Absent when it was paid: `limit-exceeded`, `insufficient-funds`, `no-consent` or `currency-mismatch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "limit-exceeded")]
    refusal: Option<&'static str>,
    /// Every dimension that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<ProblemReason>,
}

impl RideAttemptView {
    fn of(attempt: &Attempt, order: &RideOrder, reader: RideReader) -> Self {
        let problem = attempt.refusal.as_ref().map(Problem::from);
        let refusal = problem.as_ref().map(|problem| problem.code().name());
        let reasons = problem.map(Problem::into_reasons).unwrap_or_default();
        let reasons = reasons.into_iter().map(|reason| match reader {
            RideReader::Payer => reason,
            RideReader::Provider => ProblemReason {
                dimension: reason.dimension,
                ..ProblemReason::default()
            },
        });
        Self {
            payment: Id(attempt.payment),
            amount: Money::new(attempt.amount_minor, order.amount.currency).into(),
            paid: attempt.refusal.is_none(),
            refusal,
            reasons: reasons.collect(),
        }
    }
}

impl RideView {
    pub fn of(order: &RideOrder, reader: RideReader) -> Self {
        let result = match &order.state {
            RideState::Paying => None,
            RideState::Settled(result) => Some(result),
        };
        let attempt = |attempt: Option<&Attempt>| attempt.map(|attempt| RideAttemptView::of(attempt, order, reader));
        let (application, not_asked) = match &order.consulted {
            Consulted::Institution { application } => (Some(*application), None),
            Consulted::Personal { why } => (None, Some(why.name())),
        };
        let payer = reader == RideReader::Payer;
        let line = &order.details.line;
        Self {
            id: Id(order.id),
            provider: Id(order.provider),
            number: order.number.clone(),
            person: Id(order.person),
            travel_type: order.travel_type.clone(),
            amount: order.amount.into(),
            start: (&order.details.start).into(),
            end: (&order.details.end).into(),
            line: (!line.is_empty()).then(|| line.clone()),
            distance_m: order.details.distance_m,
            companions: order.details.companions,
            state: order.state.name(),
            not_asked,
            institution_attempt: attempt(result.and_then(|result| result.institution.as_ref())),
            personal_attempt: attempt(result.and_then(|result| result.personal.as_ref())),
            arrears_minor: result.map_or(0, |result| result.arrears_minor),
            refunded_minor: order.refunded_minor,
            institution: order.payer.filter(|_| payer).map(|(institution, _)| Id(institution)),
            application: application.filter(|_| payer).map(Id),
            policy_version: result.and_then(|result| result.policy_version).filter(|_| payer),
            created_at: Moment(order.created_at),
            changed_at: Moment(order.changed_at),
        }
    }
}
