//! The contract of the invoice platform.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use onescan_domain::ids::MerchantId;
use onescan_domain::money::{Currency, Money};
use onescan_domain::profiles::DeliveryChannel;
use onescan_einvoice::decimal::Decimal;
use onescan_einvoice::invoice::{
    Address, Adjustment, Attachment, Contact, Direction, DocumentAdjustment, Exemption, Identifier, Invoice, Kind,
    Line, MediaType, Original, Party, Payment, Prices, Vat, VatCategory,
};
use onescan_einvoice::pdf::Language;
use onescan_einvoice::{Date, Period};
use onescan_platforms::invoicing::{
    CreditCause, CreditRequest, DocumentKey, Draft, FileFacts, Format, Invoicing, IssueRequest, IssuedDocument,
    IssuerProfile, Numbering, Refused, Standing, Subject, YearInNumber,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::contract::contract;
use super::form::{Schemas, Unreadable, Wire, Word, mirrored, named, object, tagged, texts, words};

contract! {
    /// The invoice platform: issues the document of a payment or of a bill, and its credit notes. It needs to know nothing
    /// of codes, people or ledgers: a request holds everything the document says. A document has one key for ever, made of
    /// what it is about; whoever does not know how a call ended asks `status` by that key, or makes the same call again.
    INVOICING: Invoicing at "invoicing" version "1.0";
    callers ["processing"], may also [];
    RemoteInvoicing, invoicing_routes;
    /// Issues an invoice under the key `invoice:` and its subject. A repeat with the same content answers where that
    /// document stands; with other content it is refused once the first is accepted or issued. Never answers `unknown`.
    same issue(request: IssueRequest) -> Standing;
    /// Issues a credit note under the key `credit:`, the subject, `:` and the cause. Refused when more would be credited
    /// than the invoice says, or when that invoice is not this issuer's.
    same credit(request: CreditRequest) -> Standing;
    /// Where a document stands; never starts anything.
    read status(issuer: MerchantId, key: DocumentKey) -> Standing;
    /// The bytes of an issued document in base64, the same for ever; null when there is no such document or no such form.
    read fetch(issuer: MerchantId, key: DocumentKey, format: Format) -> Option<Vec<u8>>;
}

words! {
    Language { English = "en", German = "de", Chinese = "zh" }
    YearInNumber { Without = "without", With = "with" }
    Format { Pdf = "pdf", Ubl = "ubl", Cii = "cii", XRechnung = "xrechnung", Peppol = "peppol" }
    /// What unit prices, allowances and charges mean: without tax, or with it.
    Prices { Net = "net", Gross = "gross" }
    /// Codes of UNTDID 5305.
    VatCategory {
        Standard = "S", ZeroRated = "Z", Exempt = "E", ReverseCharge = "AE", IntraCommunity = "K", Export = "G",
        OutsideScope = "O",
    }
    Direction { Allowance = "allowance", Charge = "charge" }
    MediaType { Csv = "text/csv", Pdf = "application/pdf", Png = "image/png", Jpeg = "image/jpeg" }
}

texts! {
    Subject: ToString::to_string, |text| text.parse().map_err(Unreadable::new),
        {"type": "string", "example": "pay_01kav4e5g0g0000000000000h7", "description": "The payment or the bill."};
    DocumentKey: ToString::to_string, |text| text.parse().map_err(Unreadable::new),
        {"type": "string", "maxLength": 70, "description": "`invoice:SUBJECT`, `credit:SUBJECT:ref_…`, `credit:SUBJECT:reversal` or `credit:SUBJECT:bil_…`"};
    CreditCause: ToString::to_string, |text| text.parse().map_err(Unreadable::new),
        {"type": "string", "description": "`reversal`, the refund's id, or that of the bill that is a credit note"};
    Date: ToString::to_string, |text| Date::parse(text).ok_or_else(|| Unreadable::new("must be a date such as 2026-11-25")),
        {"type": "string", "format": "date"};
    Decimal: ToString::to_string, |text| Decimal::parse(text).ok_or_else(|| Unreadable::new("must be a decimal such as 12.50")),
        {"type": "string", "pattern": "^-?[0-9]+([.][0-9]+)?$"};
    Vec<u8>: |bytes| BASE64.encode(bytes), |text| BASE64.decode(text).map_err(Unreadable::new),
        {"type": "string", "contentEncoding": "base64"};
}

tagged! {
    /// Where a document stands with its issuer. `accepted`: ask again, not before `ask_at`. `refused`: nothing was issued;
    /// a corrected request may use the same key.
    Standing as StandingForm {
        Unknown = "unknown",
        Accepted { ask_at: i64 } = "accepted",
        Issued(document: IssuedDocument) = "issued",
        Refused(refusal: Refused) = "refused",
    }
    Kind as KindForm {
        Invoice = "invoice",
        CreditNote { original: Original } = "credit_note",
    }
    /// How the rest is paid, or how it was.
    Payment as PaymentMeansForm {
        CreditTransfer { iban: String, bic: Option<String>, holder: Option<String>, reference: Option<String> } = "credit_transfer",
        Card { last_digits: String, holder: Option<String> } = "card",
        DirectDebit { mandate: String, creditor_id: String, debited_iban: String } = "direct_debit",
        Cash = "cash",
        Online { service: String } = "online",
        Other { code: String, text: Option<String> } = "other",
    }
}

mirrored! {
    IssueRequest as IssueRequestForm { subject: Subject, issuer: IssuerProfile, draft: Draft }
    CreditRequest as CreditRequestForm { of: Subject, cause: CreditCause, issuer: IssuerProfile, draft: Draft }
    /// How a seller's documents are numbered and look.
    IssuerProfile as IssuerProfileForm {
        /// Numbers are gap-free within one.
        merchant: MerchantId,
        numbering: Numbering,
        language: Language,
        /// PNG in base64.
        logo: Option<Vec<u8>>,
    }
    Draft as DraftForm {
        document: Invoice,
        /// Where the issuer may send the document itself.
        channels: Vec<DeliveryChannel>,
    }
    IssuedDocument as IssuedDocumentForm {
        number: String,
        issued_on: Date,
        issued_at: i64,
        /// With tax, as the document says.
        gross: Money,
        /// At least one.
        files: Vec<FileFacts>,
    }
    FileFacts as FileFactsForm { format: Format, sha256: String, bytes: u64 }
    /// Why an issuer does not issue.
    Refused as RefusedForm {
        /// What to correct; empty when it is about the whole.
        field: String,
        /// For people.
        reason: String,
    }
    /// The invoice with the terms of EN 16931; its number is empty until it is issued. Amounts are minor units of
    /// `currency`.
    Invoice as InvoiceForm {
        kind: Kind,
        number: String,
        issued_on: Date,
        delivered_on: Option<Date>,
        due_on: Option<Date>,
        period: Option<Period>,
        currency: Currency,
        prices: Prices,
        seller: Party,
        buyer: Party,
        buyer_reference: Option<String>,
        order_reference: Option<String>,
        lines: Vec<Line>,
        adjustments: Vec<DocumentAdjustment>,
        exemptions: Vec<Exemption>,
        prepaid_minor: i64,
        payment: Option<Payment>,
        payment_terms: Option<String>,
        notes: Vec<String>,
        attachments: Vec<Attachment>,
    }
    /// The invoice that is credited.
    Original as OriginalForm { number: String, issued_on: Option<Date> }
    Period as PeriodForm { first_on: Date, last_on: Date }
    Party as PartyForm {
        name: String,
        trading_name: Option<String>,
        address: Address,
        vat_id: Option<String>,
        tax_number: Option<String>,
        legal_id: Option<Identifier>,
        electronic_address: Option<Identifier>,
        contact: Contact,
    }
    Address as AddressForm {
        street: Option<String>,
        addition: Option<String>,
        city: Option<String>,
        postcode: Option<String>,
        region: Option<String>,
        country: String,
    }
    Contact as ContactForm { name: Option<String>, phone: Option<String>, email: Option<String> }
    Identifier as IdentifierForm { scheme: Option<String>, value: String }
    Line as LineForm {
        id: String,
        name: String,
        description: Option<String>,
        note: Option<String>,
        quantity: Decimal,
        unit: String,
        price: Decimal,
        price_base: Decimal,
        vat: Vat,
        adjustments: Vec<Adjustment>,
        object_id: Option<String>,
        period: Option<Period>,
        attributes: Vec<(String, String)>,
    }
    Vat as VatForm { category: VatCategory, percent: Decimal }
    Exemption as ExemptionForm { category: VatCategory, reason: String, code: Option<String> }
    Adjustment as AdjustmentForm { direction: Direction, amount_minor: i64, reason: String }
    DocumentAdjustment as DocumentAdjustmentForm { adjustment: Adjustment, vat: Vat }
    Attachment as AttachmentForm {
        id: String,
        description: Option<String>,
        file_name: String,
        media_type: MediaType,
        content: Vec<u8>,
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct NumberingForm {
    prefix: String,
    credit_prefix: String,
    year: Word,
    width: u8,
}

impl Wire for Numbering {
    type Form = NumberingForm;
    type Owned = Self;

    fn form(&self) -> NumberingForm {
        let Self {
            prefix,
            credit_prefix,
            year,
            width,
        } = self.clone();
        NumberingForm {
            prefix,
            credit_prefix,
            year: year.form(),
            width,
        }
    }

    fn read(form: NumberingForm) -> Result<Self, Unreadable> {
        let NumberingForm {
            prefix,
            credit_prefix,
            year,
            width,
        } = form;
        let year = YearInNumber::read(year).map_err(|wrong| wrong.within("year"))?;
        Ok(Self {
            prefix,
            credit_prefix,
            year,
            width,
        })
    }

    fn schema(schemas: &mut Schemas) -> Value {
        named(schemas, "Numbering", |schemas| {
            let about = "How a number is written. An issuer with numbers of its own, as a tax authority's, ignores it.";
            let text = || json!({ "type": "string" });
            let properties = vec![
                ("prefix", text(), String::new()),
                (
                    "credit_prefix",
                    text(),
                    "Credit notes count in a series of their own when it differs.".to_owned(),
                ),
                ("year", YearInNumber::schema(schemas), String::new()),
                (
                    "width",
                    json!({ "type": "integer", "minimum": 1, "maximum": 12 }),
                    String::new(),
                ),
            ];
            object(about, properties)
        })
    }
}
