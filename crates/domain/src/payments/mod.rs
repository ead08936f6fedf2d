//! Money that moves: accounts and transfers ([`ledger`]), payments and refunds, and the decision over a whole batch
//! ([`batch`]).
//!
//! **Invariant:** a transfer is one debit account, one credit account and one positive amount, so imbalance cannot be
//! written. Balances follow from transfers. A code names at most one payment, for ever.

pub mod batch;
pub mod ledger;
pub mod ride;

use crate::codes::{CodeKind, CodeRecordId, CodeRefusal, CodeStatus};
use crate::ids::{
    AccountId, CodeId, MemberId, MerchantId, PaymentId, PersonId, RefundId, ScenarioId, StoreId, TerminalId, TransferId,
};
use crate::money::{Currency, Money};
use crate::policy::Reason;

/// One attempt to pay. Its row is never deleted; `refunded_minor` and the state's moves are all that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub id: PaymentId,
    pub code: Option<CodeId>,
    pub record: CodeRecordId,
    pub kind: CodeKind,
    pub person: PersonId,
    pub member: Option<MemberId>,
    /// Who pays.
    pub account: AccountId,
    pub merchant: MerchantId,
    pub store: StoreId,
    pub terminal: TerminalId,
    /// The merchant's own number for the sale, 1 to 64 characters.
    pub order_number: String,
    pub scenario: Option<ScenarioId>,
    pub amount: Money,
    /// What was bought, as the merchant puts it.
    pub subject: Option<String>,
    pub state: PaymentState,
    /// Sum of its refunds; `0..=amount`.
    pub refunded_minor: i64,
    /// Local day and month in which it counts against limits.
    pub local_day: i32,
    pub local_month: i32,
    pub created_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentState {
    /// The money is held until it is captured, voided, or `until` has passed.
    Authorised {
        hold: TransferId,
        until: i64,
    },
    Paid {
        at: i64,
        transfer: TransferId,
    },
    /// The merchant asserts that it was paid outside, in cash say; no money is booked. Row S17, trap 2.
    PaidElsewhere {
        at: i64,
        means: String,
        reference: Option<String>,
    },
    Refused {
        at: i64,
        refusal: PaymentRefusal,
    },
    Voided {
        at: i64,
    },
    Expired {
        at: i64,
    },
    /// Undone as a whole: the money is back and the order number is free again.
    Reversed {
        at: i64,
        transfer: TransferId,
    },
}

impl PaymentState {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Authorised { .. } => "authorised",
            Self::Paid { .. } => "paid",
            Self::PaidElsewhere { .. } => "paid_elsewhere",
            Self::Refused { .. } => "refused",
            Self::Voided { .. } => "voided",
            Self::Expired { .. } => "expired",
            Self::Reversed { .. } => "reversed",
        }
    }
}

impl Payment {
    /// Whether it pays for a ride: those have no code, and the provider's number stands for store and terminal.
    pub fn is_ride(&self) -> bool {
        self.code.is_none() && self.terminal.raw() == self.merchant.raw()
    }

    /// Where the code stands that this payment claimed. `invoiced`: whether an invoice names the payment. Row S13.
    pub fn code_status(&self, invoiced: bool) -> CodeStatus {
        let payment = self.id;
        match self.state {
            PaymentState::Paid { .. } | PaymentState::PaidElsewhere { .. } if invoiced => {
                CodeStatus::InvoiceIssued { payment }
            }
            PaymentState::Paid { .. } | PaymentState::PaidElsewhere { .. } => CodeStatus::Paid { payment },
            PaymentState::Authorised { .. }
            | PaymentState::Refused { .. }
            | PaymentState::Voided { .. }
            | PaymentState::Expired { .. }
            | PaymentState::Reversed { .. } => CodeStatus::Spent { payment },
        }
    }

    /// When it was paid; `None` while it is not, or no longer.
    pub fn paid_at(&self) -> Option<i64> {
        match self.state {
            PaymentState::Paid { at, .. } | PaymentState::PaidElsewhere { at, .. } => Some(at),
            PaymentState::Authorised { .. }
            | PaymentState::Refused { .. }
            | PaymentState::Voided { .. }
            | PaymentState::Expired { .. }
            | PaymentState::Reversed { .. } => None,
        }
    }

    /// What can still be refunded: only money that moved here. At least 0.
    pub fn refundable_minor(&self) -> i64 {
        match self.state {
            PaymentState::Paid { .. } => self.amount.minor - self.refunded_minor,
            PaymentState::Authorised { .. }
            | PaymentState::PaidElsewhere { .. }
            | PaymentState::Refused { .. }
            | PaymentState::Voided { .. }
            | PaymentState::Expired { .. }
            | PaymentState::Reversed { .. } => 0,
        }
    }
}

/// Why a payment was refused after its code was claimed, in the order of the checks. The code stays dead. Rows S12, S14.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaymentRefusal {
    #[error("the payer's money is {payer}, the merchant asked for {asked}")]
    CurrencyMismatch { payer: Currency, asked: Currency },
    #[error("no scenario of the payer permits merchant category {category:04}")]
    ScenarioNotPermitted { category: u16 },
    #[error("the payment breaks a rule of the payer's scenario")]
    LimitExceeded { trace: Vec<Reason> },
    #[error("the person has not agreed to pay this much where the institution does not")]
    NoConsent {
        /// What they agreed to; `None`: to nothing.
        cap: Option<Money>,
    },
    #[error("the payer's account holds too little")]
    InsufficientFunds,
}

/// Money that went back. Row: DESIGN section 5; refunds return to the account that paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    pub id: RefundId,
    pub payment: PaymentId,
    /// The merchant's own number for the refund; unique per payment.
    pub number: String,
    pub amount: Money,
    pub reason: Option<String>,
    pub transfer: TransferId,
    pub created_at: i64,
}

/// Why an attempt to pay leaves no trace or names an earlier payment, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayError {
    #[error("the terminal's key was revoked")]
    KeyRevoked,
    #[error("the terminal is stopped after too many invalid codes")]
    TerminalLocked { until: i64 },
    #[error("the idempotency key was used for another request")]
    KeyConflict,
    #[error("the order number names another payment")]
    OrderConflict { payment: PaymentId },
    #[error(transparent)]
    Code(#[from] CodeRefusal),
}

/// Why a refund, reversal, capture or void is refused, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefusal {
    #[error("the idempotency key was used for another request")]
    KeyConflict,
    #[error("there is no such payment")]
    Unknown,
    #[error("the refund number names another refund of this payment")]
    NumberConflict,
    #[error("the payment is {state}")]
    State { state: &'static str },
    #[error("only {left} can still be moved")]
    TooMuch { left: Money },
    #[error("the amount is in {asked}, the payment in {payment}")]
    CurrencyMismatch { payment: Currency, asked: Currency },
}
