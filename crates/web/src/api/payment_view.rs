//! A payment and what belongs to it, as different readers may see it.
//!
//! **Invariant:** a merchant sees nothing that tells one person from another over several payments: no person, record,
//! member, account, scenario or profile id.

use onescan_domain::invoicing::Invoice;
use onescan_domain::payments::{Payment, PaymentState, Refund};
use onescan_domain::profiles::{DeliveryChannel, InvoiceProfile};
use onescan_platforms::processing::delivery::{Delivered, Information};
use serde::Serialize;
use utoipa::ToSchema;

use super::wire::{
    AccountRef, Amount, CodeRef, Id, InvoiceRef, MemberRef, MerchantRef, Moment, PaymentRef, PersonRef, RefundRef,
    ScenarioRef, StoreRef, TerminalRef,
};
use crate::problem::{Problem, ProblemReason};

/// Whose eyes a payment is shown to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Merchant,
    /// The person, their institution, or the operator.
    Payer,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Payment")]
pub struct PaymentView<'a> {
    pub id: PaymentRef,
    /// `authorised`, `paid`, `paid_elsewhere`, `refused`, `voided`, `expired` or `reversed`.
    #[schema(value_type = String, example = "paid")]
    pub state: &'static str,
    /// `user`: the person pays; `institution`: the institution pays through the person.
    #[schema(value_type = String, example = "user")]
    pub kind: &'static str,
    pub amount: Amount,
    /// Sum of its refunds in minor units.
    pub refunded_minor: i64,
    /// The merchant's own number for the sale.
    pub order_number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<&'a str>,
    /// The access whose code was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeRef>,
    pub merchant: MerchantRef,
    pub store: StoreRef,
    pub terminal: TerminalRef,
    pub created_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Moment>,
    /// Until when held money may be captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Moment>,
    /// Paid elsewhere: how, and under which reference, as the merchant asserts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub means: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payer: Option<PayerView>,
}

/// Who paid, for the payer's own side.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Payer")]
pub struct PayerView {
    pub person: PersonRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberRef>,
    pub account: AccountRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<ScenarioRef>,
}

/// Why a payment was refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Refusal")]
pub struct RefusalView {
    #[schema(value_type = String, example = "limit-exceeded")]
    pub code: &'static str,
    pub detail: String,
    pub reasons: Vec<ProblemReason>,
}

impl<'a> PaymentView<'a> {
    pub fn of(payment: &'a Payment, reader: Reader) -> Self {
        let (means, reference, held_until) = match &payment.state {
            PaymentState::PaidElsewhere { means, reference, .. } => (Some(means.as_str()), reference.as_deref(), None),
            PaymentState::Authorised { until, .. } => (None, None, Some(Moment(*until))),
            PaymentState::Paid { .. }
            | PaymentState::Refused { .. }
            | PaymentState::Voided { .. }
            | PaymentState::Expired { .. }
            | PaymentState::Reversed { .. } => (None, None, None),
        };
        let payer = (reader == Reader::Payer).then(|| PayerView {
            person: Id(payment.person),
            member: payment.member.map(Id),
            account: Id(payment.account),
            scenario: payment.scenario.map(Id),
        });
        Self {
            id: Id(payment.id),
            state: payment.state.name(),
            kind: payment.kind.name(),
            amount: payment.amount.into(),
            refunded_minor: payment.refunded_minor,
            order_number: &payment.order_number,
            subject: payment.subject.as_deref(),
            code: payment.code.map(Id),
            merchant: Id(payment.merchant),
            store: Id(payment.store),
            terminal: Id(payment.terminal),
            created_at: Moment(payment.created_at),
            paid_at: payment.paid_at().map(Moment),
            held_until,
            means,
            reference,
            refusal: RefusalView::of(payment),
            payer,
        }
    }
}

impl RefusalView {
    fn of(payment: &Payment) -> Option<Self> {
        let PaymentState::Refused { refusal, .. } = &payment.state else {
            return None;
        };
        let problem = Problem::from(refusal);
        Some(Self {
            code: problem.code().name(),
            detail: problem.detail().to_owned(),
            reasons: problem.into_reasons(),
        })
    }
}

/// The buyer's details for the invoice, as they stand now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "InvoiceProfileAnswer")]
pub struct DeliveredView<'a> {
    /// `settled`: `profile` is the one. `asking`: the buyer is choosing among several until `until`. `none`: the buyer
    /// entered none that fits. `later`: ask for it at /v1/payments/{payment}/invoice-profile. `issued`: `invoice` was issued,
    /// and `profile` is still there for a terminal that lost the answer which carried it.
    #[schema(value_type = String, example = "settled")]
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<TitleView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<InvoiceView>,
}

impl<'a> DeliveredView<'a> {
    pub const LATER: Self = Self {
        status: "later",
        profile: None,
        until: None,
        invoice: None,
    };

    pub fn of(delivered: &'a Delivered) -> Self {
        let (status, profile, until) = match delivered {
            Delivered::None => ("none", None, None),
            Delivered::Profile(profile) => ("settled", Some(TitleView::of(profile)), None),
            Delivered::Asking { until } => ("asking", None, Some(Moment(*until))),
            Delivered::Later => return Self::LATER,
        };
        Self {
            status,
            profile,
            until,
            invoice: None,
        }
    }

    pub fn of_information(information: &'a Information) -> Self {
        match information {
            Information::Details(delivered) => Self::of(delivered),
            Information::Issued { invoice, details } => Self {
                status: "issued",
                invoice: Some((**invoice).clone().into()),
                until: None,
                ..Self::of(details)
            },
        }
    }
}

/// What goes on the invoice.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "InvoiceTitle")]
pub struct TitleView<'a> {
    /// `personal` or `company`.
    #[schema(value_type = String, example = "company")]
    pub title_kind: &'static str,
    #[schema(example = "Nordlicht GmbH")]
    pub title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vat_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postcode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<&'a str>,
    /// ISO 3166-1, two letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telephone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_account: Option<&'a str>,
    /// Where the buyer's machines receive invoices: scheme and number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub electronic_address: Option<&'a str>,
    /// What the buyer wants to see again on the invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buyer_reference: Option<&'a str>,
    /// Where the finished invoice goes; absent: to the buyer's inbox here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
}

impl<'a> TitleView<'a> {
    pub fn of(profile: &'a InvoiceProfile) -> Self {
        let fields = &profile.fields;
        Self {
            title_kind: fields.title_kind.name(),
            title: &fields.title,
            tax_number: fields.tax_number.as_deref(),
            vat_id: fields.vat_id.as_deref(),
            address: fields.address.as_deref(),
            postcode: fields.postcode.as_deref(),
            city: fields.city.as_deref(),
            country: fields.country.as_deref(),
            telephone: fields.telephone.as_deref(),
            bank_name: fields.bank_name.as_deref(),
            bank_account: fields.bank_account.as_deref(),
            electronic_address: fields.electronic_address.as_deref(),
            buyer_reference: fields.buyer_reference.as_deref(),
            email: match &fields.channel {
                DeliveryChannel::Inbox => None,
                DeliveryChannel::Email(address) => Some(address),
            },
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Refund")]
pub struct RefundView {
    pub id: RefundRef,
    pub payment: PaymentRef,
    /// The merchant's own number for the refund.
    pub number: String,
    pub amount: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub created_at: Moment,
}

impl From<Refund> for RefundView {
    fn from(refund: Refund) -> Self {
        Self {
            id: Id(refund.id),
            payment: Id(refund.payment),
            number: refund.number,
            amount: refund.amount.into(),
            reason: refund.reason,
            created_at: Moment(refund.created_at),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Invoice")]
pub struct InvoiceView {
    pub id: InvoiceRef,
    pub payment: PaymentRef,
    /// `applied` and `issuing`: it is in the making. `issued`, `credited` as a whole, `failed`, `withdrawn`.
    #[schema(value_type = String, example = "issued")]
    pub state: &'static str,
    /// The invoice's number, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// When it was issued; while it is not, when it was applied for.
    pub issued_at: Moment,
}

impl From<Invoice> for InvoiceView {
    fn from(invoice: Invoice) -> Self {
        Self {
            id: Id(invoice.id),
            payment: Id(invoice.payment),
            state: invoice.state.name(),
            number: invoice.number,
            problem: invoice.problem,
            issued_at: Moment(invoice.issued_at),
        }
    }
}
