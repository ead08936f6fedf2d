//! Accounts and transfers: double entry with integers.

use crate::bucket::Bucket;
use crate::ids::{AccountId, PaymentId, RawId, TransferId};
use crate::money::{Currency, Money};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountKind {
    Person,
    Institution,
    SubInstitution,
    /// A member's dedicated account at the institution.
    Member,
    Merchant,
    /// Stands for the other side of what crosses buckets; one per bucket and currency. All of them sum to zero.
    Clearing,
    /// The operator's bank; one per bucket and currency. Its balance is minus what was topped up.
    Bank,
    /// What cannot be explained yet; one per bucket and currency.
    Suspense,
}

impl AccountKind {
    pub const ALL: [Self; 8] = [
        Self::Person,
        Self::Institution,
        Self::SubInstitution,
        Self::Member,
        Self::Merchant,
        Self::Clearing,
        Self::Bank,
        Self::Suspense,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Institution => "institution",
            Self::SubInstitution => "sub_institution",
            Self::Member => "member",
            Self::Merchant => "merchant",
            Self::Clearing => "clearing",
            Self::Bank => "bank",
            Self::Suspense => "suspense",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the account may never have less than 0 available.
    pub fn limited(self) -> bool {
        match self {
            Self::Person | Self::Institution | Self::SubInstitution | Self::Member => true,
            Self::Merchant | Self::Clearing | Self::Bank | Self::Suspense => false,
        }
    }
}

/// An account with its cached balance: credits minus debits of all its posted transfers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub kind: AccountKind,
    /// Stored id of the person, institution, member or merchant; empty for the operator's own.
    pub owner: String,
    pub name: String,
    pub currency: Currency,
    pub posted_minor: i64,
    /// Sum of pending debits; at least 0.
    pub held_minor: i64,
}

impl Account {
    pub fn available_minor(&self) -> i64 {
        self.posted_minor - self.held_minor
    }

    pub fn can_pay(&self, amount_minor: i64) -> bool {
        !self.kind.limited() || self.available_minor() >= amount_minor
    }
}

/// The account of `kind` that every bucket has once per currency: its id follows from the three, so nobody has to look it
/// up. `kind`: clearing, bank or suspense.
pub fn house_account(kind: AccountKind, bucket: Bucket, currency: Currency) -> AccountId {
    let kind_number = match kind {
        AccountKind::Clearing => 1u128,
        AccountKind::Bank => 2,
        AccountKind::Suspense => 3,
        AccountKind::Person
        | AccountKind::Institution
        | AccountKind::SubInstitution
        | AccountKind::Member
        | AccountKind::Merchant => unreachable!("only the operator's own accounts have fixed ids"),
    };
    let letters = currency
        .code()
        .bytes()
        .fold(0u128, |number, letter| number << 8 | u128::from(letter));
    AccountId::new(RawId::from_parts(0, bucket, kind_number << 24 | letters))
}

/// What a transfer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransferKind {
    TopUp,
    /// Between accounts of one institution tree.
    Allotment,
    Payment,
    Refund,
    Reversal,
    /// The merchant's side of a payment, in the merchant's bucket.
    MerchantPayment,
    MerchantRefund,
    /// An operator's correction; names the transfer it corrects.
    Correction,
}

impl TransferKind {
    pub const ALL: [Self; 8] = [
        Self::TopUp,
        Self::Allotment,
        Self::Payment,
        Self::Refund,
        Self::Reversal,
        Self::MerchantPayment,
        Self::MerchantRefund,
        Self::Correction,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::TopUp => "top_up",
            Self::Allotment => "allotment",
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::Reversal => "reversal",
            Self::MerchantPayment => "merchant_payment",
            Self::MerchantRefund => "merchant_refund",
            Self::Correction => "correction",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How a transfer counts. A pending one is resolved by exactly one later transfer that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    Posted,
    /// Held on the debit account until resolved. `until`: when it expires.
    Pending {
        until: i64,
    },
    /// Posts the pending transfer; its amount may be smaller, the rest is released.
    Posts {
        pending: TransferId,
    },
    /// Releases the pending transfer; moves nothing.
    Voids {
        pending: TransferId,
    },
    /// Releases it because its time is over; moves nothing.
    Expires {
        pending: TransferId,
    },
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Pending { .. } => "pending",
            Self::Posts { .. } => "posts",
            Self::Voids { .. } => "voids",
            Self::Expires { .. } => "expires",
        }
    }

    /// Whether the amount has moved from debit to credit by this row.
    pub fn moves(self) -> bool {
        matches!(self, Self::Posted | Self::Posts { .. })
    }
}

/// Money from one account to another; never changed, never deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    pub id: TransferId,
    pub debit: AccountId,
    pub credit: AccountId,
    /// At least 1 minor unit.
    pub amount: Money,
    pub kind: TransferKind,
    pub phase: Phase,
    pub payment: Option<PaymentId>,
    /// The transfer this one undoes or corrects.
    pub corrects: Option<TransferId>,
    pub created_at: i64,
}

/// What a batch changes on one account's cached balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BalanceChange {
    pub posted_minor: i64,
    pub held_minor: i64,
}
