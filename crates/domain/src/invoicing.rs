//! Invoices as the payment sees them: applied for once, issued once, corrected by credit notes only.

use crate::codes::CodeRecordId;
use crate::ids::{InvoiceId, MemberId, MerchantId, PaymentId, PersonId, ProfileId, RefundId, ScenarioId};
use crate::money::Money;
use crate::profiles::ProfileFields;

/// A payment's invoice, or a credit note to it; lies in the payment's bucket. Rows S13, S17, S20. Source: S \[77\], \[86\].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    pub id: InvoiceId,
    pub kind: InvoiceKind,
    pub origin: InvoiceOrigin,
    pub state: InvoiceState,
    pub payment: PaymentId,
    pub merchant: MerchantId,
    pub person: PersonId,
    pub record: CodeRecordId,
    pub member: Option<MemberId>,
    pub scenario: Option<ScenarioId>,
    pub order_number: String,
    pub subject: Option<String>,
    pub profile: Option<ProfileId>,
    /// What the profile said when the invoice was applied for.
    pub buyer: Option<ProfileFields>,
    /// As the merchant's tax set-up had it; empty on one that the merchant's own system reported.
    pub seller_name: String,
    /// Which version of the merchant's tax set-up it follows; 0: none.
    pub setup_version: i64,
    /// Tag of the language of its page and of the message that carries it.
    pub language: String,
    /// With tax. While applied for: what was paid; refunds before issuing lower it.
    pub amount: Money,
    /// Sum of its issued credit notes.
    pub credited_minor: i64,
    /// Refunds that were made before, so that the amount is without them.
    pub refunds_before: Vec<RefundId>,
    pub number: Option<String>,
    /// The date on the document, `2026-11-23`; settled before issuing begins.
    pub issued_on: Option<String>,
    /// When it was issued; while it is not, when it was applied for.
    pub issued_at: i64,
    pub applied_at: i64,
    /// How often issuing was tried.
    pub attempts: i64,
    /// Why it failed or waits, for people.
    pub problem: Option<String>,
    pub red_letter: Option<RedLetter>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvoiceKind {
    Invoice,
    CreditNote {
        original: InvoiceId,
        /// `None`: the payment was undone as a whole.
        refund: Option<RefundId>,
    },
}

/// Whose system issues it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvoiceOrigin {
    /// The merchant's own, which told us. Row S17.
    Reported,
    /// The invoice platform. Row S20.
    Platform,
}

/// `applied → issuing → issued → credited`; a credit note may begin as `waiting`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvoiceState {
    /// A credit note that needs the buyer's confirmation first.
    Waiting,
    Applied,
    /// Its content is settled; from now on the issuer is asked until it answers.
    Issuing,
    Issued,
    /// All of it was credited.
    Credited,
    /// The issuer or a rule said no; may be applied for again.
    Failed,
    /// Nothing is left to invoice, or the seller took the credit note back.
    Withdrawn,
}

impl InvoiceState {
    pub const ALL: &[Self] = &[
        Self::Waiting,
        Self::Applied,
        Self::Issuing,
        Self::Issued,
        Self::Credited,
        Self::Failed,
        Self::Withdrawn,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Applied => "applied",
            Self::Issuing => "issuing",
            Self::Issued => "issued",
            Self::Credited => "credited",
            Self::Failed => "failed",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.name() == name)
    }

    /// Whether the document exists.
    pub fn is_issued(self) -> bool {
        matches!(self, Self::Issued | Self::Credited)
    }
}

impl InvoiceKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::CreditNote { .. } => "credit_note",
        }
    }
}

impl InvoiceOrigin {
    pub fn name(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Platform => "platform",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Reported, Self::Platform]
            .into_iter()
            .find(|origin| origin.name() == name)
    }
}

/// The confirmation form before a Chinese credit note (red-letter invoice). Source: FIELD section 5.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedLetter {
    pub state: RedLetterState,
    /// When an open form expires.
    pub until: i64,
}

/// Hours in which the other side must confirm.
pub const RED_LETTER_HOURS: i64 = 72;

/// By the code that the form carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedLetterState {
    /// 01: the buyer is a person, who books nothing.
    NotNeeded,
    /// 02: entered by the seller, the buyer confirms.
    AwaitsBuyer,
    /// 04
    Confirmed,
    /// 05: the buyer said no.
    Refused,
    /// 07: nobody answered in time.
    Expired,
    /// 08: the seller took it back.
    Withdrawn,
}

/// What happens to a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedLetterMove {
    Confirm,
    Refuse,
    Withdraw,
    /// A new form after one that was refused, expired or withdrawn.
    EnterAgain,
}

impl RedLetterState {
    pub const ALL: &[Self] = &[
        Self::NotNeeded,
        Self::AwaitsBuyer,
        Self::Confirmed,
        Self::Refused,
        Self::Expired,
        Self::Withdrawn,
    ];

    /// Two digits, as the form has it.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotNeeded => "01",
            Self::AwaitsBuyer => "02",
            Self::Confirmed => "04",
            Self::Refused => "05",
            Self::Expired => "07",
            Self::Withdrawn => "08",
        }
    }

    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.code() == code)
    }
}

impl RedLetter {
    /// The form of a new credit note. `buyer_books`: whether the buyer is a company, which may have booked the invoice.
    pub fn enter(buyer_books: bool, now: i64) -> Self {
        let state = match buyer_books {
            true => RedLetterState::AwaitsBuyer,
            false => RedLetterState::NotNeeded,
        };
        let until = now + RED_LETTER_HOURS * 3_600_000;
        Self { state, until }
    }

    /// As it stands at `now`: an open form expires.
    pub fn at(self, now: i64) -> Self {
        match self.state {
            RedLetterState::AwaitsBuyer if now >= self.until => Self {
                state: RedLetterState::Expired,
                ..self
            },
            _ => self,
        }
    }

    /// `None`: the form does not allow it as it stands at `now`.
    pub fn after(self, step: RedLetterMove, now: i64) -> Option<Self> {
        use RedLetterState::{AwaitsBuyer, Confirmed, Expired, Refused, Withdrawn};
        let state = match (self.at(now).state, step) {
            (AwaitsBuyer, RedLetterMove::Confirm) => Confirmed,
            (AwaitsBuyer, RedLetterMove::Refuse) => Refused,
            (AwaitsBuyer, RedLetterMove::Withdraw) => Withdrawn,
            (Refused | Expired | Withdrawn, RedLetterMove::EnterAgain) => return Some(Self::enter(true, now)),
            _ => return None,
        };
        Some(Self { state, ..self })
    }

    /// Whether the credit note may be issued.
    pub fn is_settled(self) -> bool {
        matches!(self.state, RedLetterState::NotNeeded | RedLetterState::Confirmed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s20_a_red_letter_form_runs_for_72_hours() {
        use RedLetterMove::{Confirm, EnterAgain, Refuse, Withdraw};
        let hours = |hours: i64| hours * 3_600_000;
        let check = |start: RedLetter, step, at, expected: Option<&str>| {
            let after = start.after(step, at).map(|form| form.state.code());
            assert_eq!(after, expected, "{start:?} {step:?}");
        };
        let open = RedLetter::enter(true, 0);
        check(open, Confirm, hours(71), Some("04"));
        check(open, Refuse, 1, Some("05"));
        check(open, Withdraw, 1, Some("08"));
        check(open, EnterAgain, 1, None);
        check(open, Confirm, hours(72), None);
        check(open, EnterAgain, hours(72), Some("02"));
        let private = RedLetter::enter(false, 0);
        assert!(private.is_settled());
        check(private, Confirm, 1, None);
        let confirmed = open.after(Confirm, 1).unwrap();
        assert!(confirmed.is_settled());
        check(confirmed, Withdraw, 2, None);
    }
}
