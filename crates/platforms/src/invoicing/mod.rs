//! The invoice platform: issues the document of a payment or of a bill, and its credit notes.
//!
//! Two things stand here. [`Invoicing`] is the contract of whoever issues: small, without knowledge of codes, people or
//! ledgers, so that another issuer can stand behind a network connection (row S21). [`InvoiceBook`] keeps, on our side,
//! which payment has which invoice and how far it is; that a merchant's own system issued it is noted there too.
//!
//! **Invariant:** a document has one key for ever, made of what it is about. Whoever does not know how a call ended asks
//! [`Invoicing::status`] by that key, or makes the same call again; neither can make a second document.
//! **Invariant:** an issued document never changes. What was wrong in it is corrected by a credit note.
//!
//! Rows S20, S21, R09. Source: S \[86\], \[96\], \[122\]-\[123\].

pub mod bill;
mod book;
pub mod draft;
mod local;
mod ports;

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use onescan_domain::ids::{BillId, MerchantId, PaymentId, RefundId};
use onescan_domain::invoicing::Invoice;
use onescan_domain::money::Money;
use onescan_domain::payments::Payment;
use onescan_domain::profiles::{DeliveryChannel, InvoiceProfile};
use onescan_einvoice::invoice as document;
pub use onescan_einvoice::pdf::Language;

pub use book::{InvoiceBook, RedLetterRefusal, SendRefusal};
pub use local::{DocumentStore, IssuerStore, LocalInvoicing, StoredDocument, Taken, name_of};
/// Days, numbers and rates as documents have them; the store keeps them as text.
pub use onescan_einvoice::invoice::{Vat, VatCategory};
pub use onescan_einvoice::{Date, Decimal};
pub use ports::{
    Attempt, Channel, Delivery, DeliveryState, Follow, InvoiceFilter, InvoiceScope, InvoiceStore, InvoiceTotal,
    NewTask, Task, Work,
};

use crate::error::Result;

/// What an invoice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Payment(PaymentId),
    /// All rides of a period. Row R09.
    Bill(BillId),
}

/// Why a credit note is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CreditCause {
    Refund(RefundId),
    /// The payment was undone as a whole.
    Reversal,
    /// Rides of an invoiced bill were refunded. Row R09.
    CreditNote(BillId),
}

/// Which document: the idempotency key of [`Invoicing`], unique for ever within an issuer.
///
/// As text `invoice:pay_…`, `invoice:bil_…`, `credit:pay_…:ref_…`, `credit:pay_…:reversal` or `credit:bil_…:bil_…`; at most
/// 70 visible ASCII characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKey {
    Invoice(Subject),
    Credit { of: Subject, cause: CreditCause },
}

/// Text that is no [`DocumentKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the key of a document")]
pub struct KeyError;

/// A request for an invoice: everything the document says, so that the issuer needs to ask nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueRequest {
    pub subject: Subject,
    pub issuer: IssuerProfile,
    pub draft: Draft,
}

/// A request for a credit note to an invoice that the same issuer issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditRequest {
    pub of: Subject,
    pub cause: CreditCause,
    pub issuer: IssuerProfile,
    /// Its kind names the invoice by number and date \[BG-3\]; amounts are positive and go back to the buyer.
    pub draft: Draft,
}

/// How a seller's documents are numbered and look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerProfile {
    /// Numbers are gap-free within one.
    pub merchant: MerchantId,
    pub numbering: Numbering,
    pub language: Language,
    /// PNG, stands on the page.
    pub logo: Option<Vec<u8>>,
}

/// How a number is written: `RE-2026-000042`. An issuer with numbers of its own, as a tax authority's, ignores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbering {
    /// In front of the number, 0 to 12 letters, digits, `-` and `/`.
    pub prefix: String,
    /// Credit notes count in a series of their own when this differs from `prefix`.
    pub credit_prefix: String,
    pub year: YearInNumber,
    /// Digits of the running number, filled with zeros: 1 to 12. A larger number takes the digits it needs.
    pub width: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YearInNumber {
    /// Counts on for ever.
    Without,
    /// The year of issue stands in the number, and each year counts from 1.
    With,
}

/// The document without what the issuer decides: its number is empty, its date of issue is the wanted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Seller, buyer, lines (those of rides with times and places), prices with or without tax, rates, currency, what was
    /// paid and how, period, attachments. Complete: it passes `check` of EN 16931's core but for the number.
    pub document: document::Invoice,
    /// Where the issuer may send the document itself; one that does not leaves it to us.
    pub channels: Vec<DeliveryChannel>,
}

/// Where a document stands with its issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is known under this key: no call arrived. Only [`Invoicing::status`] answers so; the call may be made.
    Unknown,
    /// Taken; the document follows. Ask again, not before `ask_at` (milliseconds since 1970).
    Accepted {
        ask_at: i64,
    },
    Issued(IssuedDocument),
    /// The issuer will not make it as asked. Nothing was issued; a corrected request may use the same key.
    Refused(Refused),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedDocument {
    pub number: String,
    pub issued_on: Date,
    /// Milliseconds since 1970.
    pub issued_at: i64,
    /// With tax, as the document says.
    pub gross: Money,
    /// What [`Invoicing::fetch`] has, in the order in which lists show them; at least one.
    pub files: Vec<FileFacts>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    pub format: Format,
    /// Lower case hexadecimal.
    pub sha256: String,
    pub bytes: u64,
}

/// Forms of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Factur-X / ZUGFeRD hybrid; plain pages where the standard has no XML for the document, and pages of sums with the
    /// attached lists inside where it has more than a thousand lines.
    Pdf,
    /// UBL 2.1 of EN 16931's core.
    Ubl,
    /// UN/CEFACT CII of EN 16931's core.
    Cii,
    /// XRechnung in UBL, where the document fits; up to 10,000 lines.
    XRechnung,
    /// Peppol BIS Billing 3, where the document fits; up to 10,000 lines.
    Peppol,
}

/// Why an issuer does not issue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Refused {
    /// What to correct, by its business term or the name of the field; empty when it is about the whole.
    pub field: String,
    /// For people.
    pub reason: String,
}

/// The contract of the invoice platform. Row S21.
///
/// An error of the call itself says nothing about the document: after `UnknownOutcome` ask `status`.
#[async_trait]
pub trait Invoicing: Send + Sync {
    /// Issues an invoice under the key [`DocumentKey::Invoice`] of its subject. A repeat with the same content answers where
    /// that document stands, whatever became of the first call; with other content it is `Refused` once the first is
    /// accepted or issued. Never answers `Unknown`.
    async fn issue(&self, request: IssueRequest) -> Result<Standing>;
    /// Issues a credit note, as `issue` does. `Refused` also when more would be credited than the invoice says, or when that
    /// invoice is not this issuer's.
    async fn credit(&self, request: CreditRequest) -> Result<Standing>;
    /// Where a document stands; never starts anything.
    async fn status(&self, issuer: MerchantId, key: DocumentKey) -> Result<Standing>;
    /// The bytes of an issued document, the same for ever; `None` when there is no such document or no such form of it.
    async fn fetch(&self, issuer: MerchantId, key: DocumentKey, format: Format) -> Result<Option<Vec<u8>>>;
}

impl IssueRequest {
    pub fn key(&self) -> DocumentKey {
        DocumentKey::Invoice(self.subject)
    }
}

impl CreditRequest {
    pub fn key(&self) -> DocumentKey {
        DocumentKey::Credit {
            of: self.of,
            cause: self.cause,
        }
    }
}

impl Format {
    pub const ALL: &[Self] = &[Self::Pdf, Self::Ubl, Self::Cii, Self::XRechnung, Self::Peppol];

    /// The ending of a file's name, and of its address: `invoice.pdf`, `/v1/invoices/inv_….ubl.xml`.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Ubl => "ubl.xml",
            Self::Cii => "cii.xml",
            Self::XRechnung => "xrechnung.xml",
            Self::Peppol => "peppol.xml",
        }
    }

    pub fn parse(ending: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.ending() == ending)
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Ubl | Self::Cii | Self::XRechnung | Self::Peppol => "application/xml",
        }
    }
}

impl Numbering {
    /// The series a document counts in. `year`: that of its date of issue.
    pub fn series(&self, kind: &document::Kind, year: u16) -> String {
        let prefix = match kind {
            document::Kind::Invoice => &self.prefix,
            document::Kind::CreditNote { .. } => &self.credit_prefix,
        };
        match self.year {
            YearInNumber::Without => prefix.clone(),
            YearInNumber::With => format!("{prefix}{year}-"),
        }
    }

    /// `running`: 1 for the first of a series.
    pub fn number(&self, series: &str, running: i64) -> String {
        format!("{series}{running:0>width$}", width = usize::from(self.width))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payment(id) => id.fmt(f),
            Self::Bill(id) => id.fmt(f),
        }
    }
}

impl FromStr for Subject {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let payment = text.parse().map(Self::Payment);
        payment.or_else(|_| text.parse().map(Self::Bill)).map_err(|_| KeyError)
    }
}

impl fmt::Display for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invoice(subject) => write!(f, "invoice:{subject}"),
            Self::Credit { of, cause } => write!(f, "credit:{of}:{cause}"),
        }
    }
}

impl fmt::Display for CreditCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refund(refund) => refund.fmt(f),
            Self::Reversal => f.write_str("reversal"),
            Self::CreditNote(bill) => bill.fmt(f),
        }
    }
}

impl FromStr for CreditCause {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text == "reversal" {
            return Ok(Self::Reversal);
        }
        let refund = text.parse().map(Self::Refund);
        refund
            .or_else(|_| text.parse().map(Self::CreditNote))
            .map_err(|_| KeyError)
    }
}

impl FromStr for DocumentKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (kind, rest) = text.split_once(':').ok_or(KeyError)?;
        if kind == "invoice" {
            return rest.parse().map(Self::Invoice);
        }
        let (of, cause) = rest.split_once(':').filter(|_| kind == "credit").ok_or(KeyError)?;
        let (of, cause) = (of.parse()?, cause.parse()?);
        Ok(Self::Credit { of, cause })
    }
}

/// That the merchant's own system issued a payment's invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    pub payment: Payment,
    pub profile: Option<InvoiceProfile>,
    /// The merchant's invoice number, 1 to 64 characters, where it is known already.
    pub number: Option<String>,
}

/// A payment's invoice, and whether this call made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    pub invoice: Box<Invoice>,
    pub made: Made,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    Now,
    /// By an earlier call, or one at the same time.
    Before,
}

/// Why a report is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportRefusal {
    #[error("the payment has an invoice already")]
    Issued(Box<Invoice>),
}

#[cfg(test)]
mod tests {
    use onescan_domain::bucket::Bucket;
    use onescan_domain::ids::RawId;

    use super::*;

    #[test]
    fn s21_a_key_is_read_back() {
        let raw = RawId::from_parts(1_790_000_000_000, Bucket::new(7).unwrap(), 5);
        let of = Subject::Payment(PaymentId::new(raw));
        let keys = [
            DocumentKey::Invoice(of),
            DocumentKey::Invoice(Subject::Bill(BillId::new(raw))),
            DocumentKey::Credit {
                of,
                cause: CreditCause::Refund(RefundId::new(raw)),
            },
            DocumentKey::Credit {
                of,
                cause: CreditCause::Reversal,
            },
            DocumentKey::Credit {
                of: Subject::Bill(BillId::new(raw)),
                cause: CreditCause::CreditNote(BillId::new(raw)),
            },
        ];
        for key in keys {
            let text = key.to_string();
            assert_eq!(text.parse(), Ok(key));
            assert!(text.len() <= 70, "{text}");
        }
        for wrong in ["", "invoice:", "invoice:ref_1", "credit:pay_1", "credit:reversal"] {
            assert_eq!(wrong.parse::<DocumentKey>(), Err(KeyError), "{wrong}");
        }
    }

    #[test]
    fn s20_numbers_follow_prefix_year_and_width() {
        let numbering = Numbering {
            prefix: "RE-".to_owned(),
            credit_prefix: "GS-".to_owned(),
            year: YearInNumber::With,
            width: 6,
        };
        let series = numbering.series(&document::Kind::Invoice, 2026);
        assert_eq!(numbering.number(&series, 42), "RE-2026-000042");
        assert_eq!(numbering.number(&series, 1_234_567), "RE-2026-1234567");
    }
}
