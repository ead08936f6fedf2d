//! Ride orders: one ride to be paid, as its provider tells it, and what became of it. Rows R04-R08.

use super::application::FormRefusal;
use crate::ids::{
    ApplicationId, ConsultationId, InstitutionId, MemberId, MerchantId, PaymentId, PersonId, RideOrderId,
};
use crate::money::Money;
use crate::payments::PaymentRefusal;

/// Where and when a ride starts or ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RidePoint {
    /// Milliseconds since 1970.
    pub at: i64,
    /// As it stands on a bill.
    pub place: String,
    /// Station, by the provider's id; empty: not told.
    pub stop: String,
    pub city: String,
}

/// What the provider tells of a ride. Claims, as field trap 11 says: rules that rely on them rely on the provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RideDetails {
    pub start: RidePoint,
    pub end: RidePoint,
    /// Empty: not told.
    pub line: String,
    pub distance_m: Option<i64>,
    pub companions: Option<i64>,
}

/// Who is asked to pay first, as decided before the ride or with it. Row R05.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consulted {
    Institution { application: ApplicationId },
    Personal { why: FormRefusal },
}

/// One ride to be paid. Its provider's number is unique for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RideOrder {
    /// In the bucket of the institution that is asked, else of the person.
    pub id: RideOrderId,
    pub provider: MerchantId,
    /// The provider's own number, 1 to 64 characters.
    pub number: String,
    pub person: PersonId,
    /// From the order's extension field. Source: R claim 8.
    pub travel_type: String,
    pub amount: Money,
    pub details: RideDetails,
    pub consultation: Option<ConsultationId>,
    pub consulted: Consulted,
    /// Whose form it is.
    pub payer: Option<(InstitutionId, MemberId)>,
    pub state: RideState,
    /// Sum of its refunds.
    pub refunded_minor: i64,
    /// Of these, what went back to the institution.
    pub institution_refunded_minor: i64,
    pub created_at: i64,
    /// Of its last change.
    pub changed_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RideState {
    /// Payments has been or will be asked; until it answers nobody knows. Asked again by recovery.
    Paying,
    Settled(RideResult),
}

/// What payments decided in one transaction. Amounts in minor units of the order's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RideResult {
    /// The institution's attempt, where it was asked.
    pub institution: Option<Attempt>,
    /// The person's payment, where there was something left to pay.
    pub personal: Option<Attempt>,
    /// Still owed by the person.
    pub arrears_minor: i64,
    /// The policy version that judged, with its number.
    pub policy_version: Option<i64>,
}

/// One attempt to pay a ride or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub payment: PaymentId,
    pub amount_minor: i64,
    /// `None`: it was paid.
    pub refusal: Option<PaymentRefusal>,
}

impl Attempt {
    pub fn paid_minor(&self) -> i64 {
        match self.refusal {
            None => self.amount_minor,
            Some(_) => 0,
        }
    }
}

/// Who paid a ride.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaidBy {
    Institution,
    Person,
    /// The institution a part, the person the rest.
    Split,
    /// Not paid, or not all of it: the person owes it.
    Arrears,
}

impl PaidBy {
    pub fn name(self) -> &'static str {
        match self {
            Self::Institution => "institution",
            Self::Person => "person",
            Self::Split => "split",
            Self::Arrears => "arrears",
        }
    }
}

impl RideResult {
    /// The part of the fare that nobody paid or owes any more, because the ride turned out to cost less.
    pub fn waived_minor(&self, amount_minor: i64) -> i64 {
        let paid = |attempt: &Option<Attempt>| attempt.as_ref().map_or(0, Attempt::paid_minor);
        amount_minor - paid(&self.institution) - paid(&self.personal) - self.arrears_minor
    }

    pub fn paid_by(&self) -> PaidBy {
        let paid = |attempt: &Option<Attempt>| attempt.as_ref().map_or(0, Attempt::paid_minor) > 0;
        match (self.arrears_minor > 0, paid(&self.institution), paid(&self.personal)) {
            (true, _, _) => PaidBy::Arrears,
            (false, true, false) => PaidBy::Institution,
            (false, true, true) => PaidBy::Split,
            (false, false, _) => PaidBy::Person,
        }
    }
}

impl RideState {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Paying => "paying",
            Self::Settled(result) => match result.paid_by() {
                PaidBy::Institution => "paid_by_institution",
                PaidBy::Person => "paid_by_person",
                PaidBy::Split => "split",
                PaidBy::Arrears => "arrears",
            },
        }
    }
}
