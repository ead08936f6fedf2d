//! The invoice as we know it. Names in brackets are the business terms (BT) and groups (BG) of EN 16931.
//!
//! Fields are public and may be wrong: [`Invoice::check`] names every fault at once, and nothing is written before it is
//! content. Amounts are minor units of [`Invoice::currency`].

use onescan_domain::money::Currency;

use crate::date::{Date, Period};
use crate::decimal::Decimal;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// \[BT-3\]
    pub kind: Kind,
    /// \[BT-1\] Gap-free per issuer; whoever issues takes it.
    pub number: String,
    /// \[BT-2\]
    pub issued_on: Date,
    /// \[BT-72\]
    pub delivered_on: Option<Date>,
    /// \[BT-9\] A credit note has none.
    pub due_on: Option<Date>,
    /// \[BG-14\]
    pub period: Option<Period>,
    /// \[BT-5\]
    pub currency: Currency,
    pub prices: Prices,
    /// \[BG-4\]
    pub seller: Party,
    /// \[BG-7\]
    pub buyer: Party,
    /// \[BT-10\] What the buyer asked to see again: Leitweg-ID, cost centre.
    pub buyer_reference: Option<String>,
    /// \[BT-13\]
    pub order_reference: Option<String>,
    /// \[BG-25\]
    pub lines: Vec<Line>,
    /// \[BG-20, BG-21\]
    pub adjustments: Vec<DocumentAdjustment>,
    /// Why no tax is charged, one for each exempt category in use.
    pub exemptions: Vec<Exemption>,
    /// \[BT-113\] Already paid, tax included; at least 0.
    pub prepaid_minor: i64,
    /// \[BG-16\]
    pub payment: Option<Payment>,
    /// \[BT-20\]
    pub payment_terms: Option<String>,
    /// \[BT-22\]
    pub notes: Vec<String>,
    /// \[BG-24\]
    pub attachments: Vec<Attachment>,
}

/// Amounts of a credit note are positive too: they go back to the buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Code 380.
    Invoice,
    /// Code 381. The original is named by number and date \[BG-3\].
    CreditNote { original: Original },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    pub number: String,
    pub issued_on: Option<Date>,
}

/// What unit prices, allowances and charges of an invoice mean. A till reckons in gross prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prices {
    /// Without tax; tax is added per rate.
    Net,
    /// With tax; tax is taken out per rate, so that the sum of the lines is what is paid.
    Gross,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Party {
    /// \[BT-27, BT-44\] The legal name.
    pub name: String,
    /// \[BT-28, BT-45\]
    pub trading_name: Option<String>,
    pub address: Address,
    /// \[BT-31, BT-48\] With the country's letters.
    pub vat_id: Option<String>,
    /// \[BT-32\] The seller's local tax number.
    pub tax_number: Option<String>,
    /// \[BT-30, BT-47\] Register number; a Chinese unified social credit code.
    pub legal_id: Option<Identifier>,
    /// \[BT-34, BT-49\] Scheme of the EAS list, for example `EM` for e-mail.
    pub electronic_address: Option<Identifier>,
    /// \[BG-6, BG-9\]
    pub contact: Contact,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    pub street: Option<String>,
    pub addition: Option<String>,
    pub city: Option<String>,
    pub postcode: Option<String>,
    pub region: Option<String>,
    /// ISO 3166-1, two letters.
    pub country: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    pub name: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier {
    pub scheme: Option<String>,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// \[BT-126\]
    pub id: String,
    /// \[BT-153\]
    pub name: String,
    /// \[BT-154\]
    pub description: Option<String>,
    /// \[BT-127\]
    pub note: Option<String>,
    /// \[BT-129\] Negative for what is taken back, never 0.
    pub quantity: Decimal,
    /// \[BT-130\] UN/ECE recommendation 20: `C62` one, `KGM`, `KMT`, `HUR`.
    pub unit: String,
    /// \[BT-146\] For [`Line::price_base`] units, at least 0.
    pub price: Decimal,
    /// \[BT-149\] Above 0; 1 for most.
    pub price_base: Decimal,
    /// \[BG-30\]
    pub vat: Vat,
    /// \[BG-27, BG-28\]
    pub adjustments: Vec<Adjustment>,
    /// \[BT-128\] What the line is about: the id of a ride.
    pub object_id: Option<String>,
    /// \[BG-26\]
    pub period: Option<Period>,
    /// \[BG-32\] Name and value.
    pub attributes: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vat {
    pub category: VatCategory,
    /// Above 0 for [`VatCategory::Standard`], else 0.
    pub percent: Decimal,
}

/// Codes of UNTDID 5305 that EN 16931 knows and that we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VatCategory {
    /// S: taxed, at the normal or a reduced rate.
    Standard,
    /// Z
    ZeroRated,
    /// E: exempt, also the small business.
    Exempt,
    /// AE: the buyer owes the tax.
    ReverseCharge,
    /// K: supply inside the European Community.
    IntraCommunity,
    /// G: export.
    Export,
    /// O: not subject to this tax at all; stands alone on a document.
    OutsideScope,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    pub category: VatCategory,
    /// \[BT-120\]
    pub reason: String,
    /// \[BT-121\] A code of the VATEX list.
    pub code: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Lowers the amount.
    Allowance,
    /// Raises it.
    Charge,
}

/// An allowance or charge on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    pub direction: Direction,
    /// At least 0, with or without tax like the prices.
    pub amount_minor: i64,
    pub reason: String,
}

/// An allowance or charge on the whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentAdjustment {
    pub adjustment: Adjustment,
    pub vat: Vat,
}

/// How the rest is paid, or how it was. \[BG-16\]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payment {
    /// Code 58.
    CreditTransfer {
        iban: String,
        bic: Option<String>,
        holder: Option<String>,
        /// \[BT-83\]
        reference: Option<String>,
    },
    /// Code 48. At most the last 4 digits of the number.
    Card {
        last_digits: String,
        holder: Option<String>,
    },
    /// Code 59.
    DirectDebit {
        mandate: String,
        creditor_id: String,
        debited_iban: String,
    },
    /// Code 10.
    Cash,
    /// Code 68: through a payment service, for example with a service code.
    Online { service: String },
    /// Any other code of UNTDID 4461, as read from another's document.
    Other { code: String, text: Option<String> },
}

/// A supporting document. \[BG-24\]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// \[BT-122\]
    pub id: String,
    /// \[BT-123\]
    pub description: Option<String>,
    pub file_name: String,
    pub media_type: MediaType,
    pub content: Vec<u8>,
}

/// What every receiver must accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    Csv,
    Pdf,
    Png,
    Jpeg,
}

impl Vat {
    /// Taxed at `percent`.
    pub fn standard(percent: Decimal) -> Self {
        Self {
            category: VatCategory::Standard,
            percent,
        }
    }

    /// Without tax, in a category other than [`VatCategory::Standard`].
    pub fn untaxed(category: VatCategory) -> Self {
        Self {
            category,
            percent: Decimal::ZERO,
        }
    }
}

impl VatCategory {
    pub const ALL: &[Self] = &[
        Self::Standard,
        Self::ZeroRated,
        Self::Exempt,
        Self::ReverseCharge,
        Self::IntraCommunity,
        Self::Export,
        Self::OutsideScope,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Self::Standard => "S",
            Self::ZeroRated => "Z",
            Self::Exempt => "E",
            Self::ReverseCharge => "AE",
            Self::IntraCommunity => "K",
            Self::Export => "G",
            Self::OutsideScope => "O",
        }
    }

    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|category| category.code() == code)
    }

    /// Whether the breakdown must say why there is no tax.
    pub fn needs_reason(self) -> bool {
        !matches!(self, Self::Standard | Self::ZeroRated)
    }
}

impl MediaType {
    pub const ALL: &[Self] = &[Self::Csv, Self::Pdf, Self::Png, Self::Jpeg];

    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Pdf => "application/pdf",
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|media_type| media_type.name() == name)
    }
}

impl Line {
    /// A line with the fields that every line needs; the rest is empty.
    pub fn new(id: &str, name: &str, quantity: Decimal, price: Decimal, vat: Vat) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            description: None,
            note: None,
            quantity,
            unit: "C62".to_owned(),
            price,
            price_base: Decimal::ONE,
            vat,
            adjustments: Vec::new(),
            object_id: None,
            period: None,
            attributes: Vec::new(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An invoice between two small parties, for reckoning.
    pub(crate) fn invoice_with(prices: Prices, currency: &str, lines: Vec<Line>) -> Invoice {
        let party = |name: &str| Party {
            name: name.to_owned(),
            address: Address {
                country: "DE".to_owned(),
                ..Address::default()
            },
            vat_id: Some("DE123456789".to_owned()),
            ..Party::default()
        };
        Invoice {
            kind: Kind::Invoice,
            number: "2026-1".to_owned(),
            issued_on: Date::new(2026, 11, 23).unwrap(),
            delivered_on: Date::new(2026, 11, 20),
            due_on: Date::new(2026, 12, 7),
            period: None,
            currency: Currency::parse(currency).unwrap(),
            prices,
            seller: party("Seller"),
            buyer: party("Buyer"),
            buyer_reference: None,
            order_reference: None,
            lines,
            adjustments: Vec::new(),
            exemptions: Vec::new(),
            prepaid_minor: 0,
            payment: None,
            payment_terms: None,
            notes: Vec::new(),
            attachments: Vec::new(),
        }
    }

    #[test]
    fn codes_and_names_are_read_back() {
        assert!(
            VatCategory::ALL
                .iter()
                .all(|category| VatCategory::parse(category.code()) == Some(*category))
        );
        assert!(
            MediaType::ALL
                .iter()
                .all(|media_type| MediaType::parse(media_type.name()) == Some(*media_type))
        );
        assert_eq!(VatCategory::parse("L"), None);
        assert_eq!(MediaType::parse("text/html"), None);
    }
}
