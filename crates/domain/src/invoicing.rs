//! Invoices as the payment sees them: applied for once, issued once.

use crate::ids::{InvoiceId, PaymentId, ProfileId};

/// That a payment's invoice is issued or in the making; at most one per payment. Rows S13, S17. Source: S \[77\].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    pub id: InvoiceId,
    pub payment: PaymentId,
    pub profile: Option<ProfileId>,
    /// The merchant's own invoice number, once told.
    pub number: Option<String>,
    pub issued_at: i64,
}
