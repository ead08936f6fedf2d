//! What the book of invoices needs from the store, and the values that pass between them.

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::codes::CodeRecordId;
use onescan_domain::ids::{
    DeliveryId, EventId, InvoiceId, MemberId, MerchantId, PaymentId, PersonId, RawId, RefundId, ScenarioId,
};
use onescan_domain::invoicing::{Invoice, InvoiceState};
use onescan_domain::money::Currency;

use super::draft::InvoiceLine;
use crate::error::Result;
use crate::payments::Page;

/// A piece of work that a commit left behind; done at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub id: EventId,
    pub work: Work,
    /// Counted when it is taken: 1 at the first.
    pub attempts: i64,
    pub created_at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// The merchant's setting applies for a payment's invoice.
    Apply(PaymentId),
    Issue(InvoiceId),
    /// A refund or (`None`) the reversal may need a credit note.
    Credit(PaymentId, Option<RefundId>),
    Deliver(DeliveryId),
    /// A red-letter form may have expired.
    RedLetter(InvoiceId),
}

impl Work {
    pub fn name(self) -> &'static str {
        match self {
            Self::Apply(_) => "apply",
            Self::Issue(_) => "issue",
            Self::Credit(..) => "credit",
            Self::Deliver(_) => "deliver",
            Self::RedLetter(_) => "red_letter",
        }
    }

    /// In whose bucket it lies.
    pub fn subject(self) -> RawId {
        match self {
            Self::Apply(payment) | Self::Credit(payment, _) => payment.raw(),
            Self::Issue(invoice) | Self::RedLetter(invoice) => invoice.raw(),
            Self::Deliver(delivery) => delivery.raw(),
        }
    }

    pub fn cause(self) -> Option<RefundId> {
        match self {
            Self::Credit(_, refund) => refund,
            Self::Apply(_) | Self::Issue(_) | Self::Deliver(_) | Self::RedLetter(_) => None,
        }
    }

    pub fn of(name: &str, subject: RawId, cause: Option<RefundId>) -> Option<Self> {
        Some(match name {
            "apply" => Self::Apply(PaymentId::new(subject)),
            "issue" => Self::Issue(InvoiceId::new(subject)),
            "credit" => Self::Credit(PaymentId::new(subject), cause),
            "deliver" => Self::Deliver(DeliveryId::new(subject)),
            "red_letter" => Self::RedLetter(InvoiceId::new(subject)),
            _ => return None,
        })
    }
}

/// A new task; one like it that is not done yet stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    pub id: EventId,
    pub work: Work,
    pub at: i64,
}

/// A document on its way to one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub invoice: InvoiceId,
    pub channel: Channel,
    pub state: DeliveryState,
    pub created_at: i64,
    pub delivered_at: Option<i64>,
    /// When it is tried next; `None` when it is not.
    pub next_at: Option<i64>,
    /// The oldest first.
    pub attempts: Vec<Attempt>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// The person's pages here.
    Inbox,
    /// The merchant's list.
    Merchant,
    Email(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    Waiting,
    Delivered,
    /// Given up; can be sent again by hand.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub at: i64,
    /// `None`: it arrived.
    pub problem: Option<String>,
}

impl Channel {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Merchant => "merchant",
            Self::Email(_) => "email",
        }
    }
}

impl DeliveryState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Waiting, Self::Delivered, Self::Failed]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// Whose invoices a list shows; only a credential tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvoiceScope {
    Merchant(MerchantId),
    /// In every bucket in which the person has payments.
    Person(PersonId, Vec<Bucket>),
    /// Those paid under an institution's record.
    Record(Bucket, CodeRecordId),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InvoiceFilter {
    pub state: Option<InvoiceState>,
    /// `invoice` or `credit_note`.
    pub kind: Option<String>,
    /// Issued from then on; milliseconds.
    pub from: Option<i64>,
    /// Issued before.
    pub until: Option<i64>,
    /// Part of number, order number, seller or buyer, whatever the case.
    pub search: Option<String>,
    pub person: Option<PersonId>,
    pub scenario: Option<ScenarioId>,
}

/// What was invoiced under a record in one month, for one member and scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceTotal {
    /// `2026-11`, by the date on the document.
    pub month: String,
    pub member: Option<MemberId>,
    pub scenario: Option<ScenarioId>,
    pub currency: Currency,
    pub invoices: i64,
    pub invoiced_minor: i64,
    pub credited_minor: i64,
}

/// What follows from a move of an invoice, in the same commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Follow {
    /// Their first attempts stand with them where they have one.
    pub deliveries: Vec<Delivery>,
    pub tasks: Vec<NewTask>,
    /// Adds the credit note's amount to its invoice.
    pub credited: Option<(InvoiceId, i64)>,
}

/// What the book needs from the store.
#[async_trait]
pub trait InvoiceStore: Send + Sync {
    /// Inserts unless the payment has an invoice (`invoices_payment`), or the refund its credit note (`invoices_refund`), and
    /// with it lines and tasks; returns the row as it then is.
    async fn insert_or_find(&self, invoice: &Invoice, lines: &[InvoiceLine], tasks: &[NewTask]) -> Result<Invoice>;
    /// Sets the number of a reported invoice where there is none.
    async fn set_number(&self, bucket: Bucket, payment: PaymentId, number: &str) -> Result<()>;
    /// The invoices of payments, in order; no credit notes.
    async fn find(&self, payments: Vec<PaymentId>) -> Result<Vec<Option<Invoice>>>;
    async fn find_invoice(&self, id: InvoiceId) -> Result<Option<Invoice>>;
    async fn list_lines(&self, id: InvoiceId) -> Result<Vec<InvoiceLine>>;
    /// The credit notes of a payment's invoice, the oldest first.
    async fn list_credits(&self, payment: PaymentId) -> Result<Vec<Invoice>>;
    /// Newest first.
    async fn list_invoices(&self, scope: &InvoiceScope, filter: &InvoiceFilter, page: &Page) -> Result<Vec<Invoice>>;
    /// What is issued here under an institution's record, newest month first.
    async fn sum_invoices(&self, bucket: Bucket, record: &CodeRecordId) -> Result<Vec<InvoiceTotal>>;
    /// Writes what may change of an invoice that stands in `from`, with what follows; `false` and nothing written when it does
    /// not stand there any more.
    async fn advance(&self, invoice: &Invoice, from: InvoiceState, follow: Follow) -> Result<bool>;
    /// Replaces an invoice that failed by a new application, lines too.
    async fn apply_again(&self, invoice: &Invoice, lines: &[InvoiceLine], tasks: &[NewTask]) -> Result<bool>;

    /// Takes what is due, at most `limit`, for `lease_ms`; nobody else gets it before.
    async fn take_tasks(&self, now: i64, lease_ms: i64, limit: u32) -> Result<Vec<Task>>;
    /// Removes it, unless somebody else took it meanwhile.
    async fn finish_task(&self, task: &Task) -> Result<()>;
    async fn defer_task(&self, task: &Task, next_at: i64) -> Result<()>;
    async fn add_task(&self, task: &NewTask) -> Result<()>;

    /// The oldest first, with their attempts.
    async fn list_deliveries(&self, invoice: InvoiceId) -> Result<Vec<Delivery>>;
    async fn find_delivery(&self, id: DeliveryId) -> Result<Option<Delivery>>;
    /// Keeps an attempt and where the delivery stands after it.
    async fn note_attempt(&self, delivery: &Delivery, attempt: &Attempt) -> Result<()>;
    /// Makes it due again, with its task.
    async fn resend(&self, delivery: &Delivery, task: &NewTask) -> Result<()>;
    /// A new delivery of an issued document, with its task.
    async fn add_delivery(&self, delivery: &Delivery, task: &NewTask) -> Result<()>;
}
