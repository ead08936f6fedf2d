//! The invoice platform as far as payment needs it: that an invoice for a payment exists, once.

mod local;

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::ids::{PaymentId, ProfileId};
use onescan_domain::invoicing::Invoice;

pub use local::LocalInvoicing;

use crate::error::Result;

/// That a payment's invoice is issued, as the terminal applies for it or the merchant's own system reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub payment: PaymentId,
    pub profile: Option<ProfileId>,
    /// The merchant's invoice number, 1 to 64 characters, where it is known already.
    pub number: Option<String>,
}

/// A payment's invoice, and whether this call made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    pub invoice: Invoice,
    pub made: Made,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    Now,
    /// By an earlier call, or one at the same time.
    Before,
}

/// Why an invoice is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueRefusal {
    #[error("the payment has an invoice already")]
    Issued(Invoice),
}

/// The contract of the invoice platform.
#[async_trait]
pub trait Invoicing: Send + Sync {
    /// Records the invoice of a payment; from now on the code reads as invoice issued. At most one per payment: a repeat
    /// returns the first and says so, a number is added to an invoice that had none, another number is refused. The profile stays
    /// that of the first call.
    async fn issue(&self, issue: Issue) -> Result<Result<Issued, IssueRefusal>>;
    /// The invoices of payments, in order.
    async fn find(&self, payments: Vec<PaymentId>) -> Result<Vec<Option<Invoice>>>;
}

/// What the in-process invoice platform needs from the store.
#[async_trait]
pub trait InvoiceStore: Send + Sync {
    /// Inserts unless the payment has one (`invoices_payment` is unique); returns the row as it then is.
    async fn insert_or_find(&self, invoice: &Invoice) -> Result<Invoice>;
    /// Sets the number where there is none.
    async fn set_number(&self, bucket: Bucket, payment: PaymentId, number: &str) -> Result<()>;
    async fn find(&self, payments: Vec<PaymentId>) -> Result<Vec<Option<Invoice>>>;
}
