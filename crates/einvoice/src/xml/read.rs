//! Other people's invoices into our type: UBL, CII, and the XML inside a hybrid PDF.
//!
//! The input is hostile until proved otherwise. Size, nesting and what a PDF's streams inflate to are bounded, and document
//! type declarations (so every entity) are refused. What our type has no place for is named, never dropped without a word.

use en16931::invoice::{
    Code, DocumentAllowanceCharge, LineAllowanceCharge, LineVat, Party as ModelParty, PaymentInstructions,
    PaymentMeans, Period as ModelPeriod, SupportingDocument,
};
use en16931::validation::profile::{ProfileMarker, Validated};
use en16931::{
    Date as ModelDate, DocumentKind, En16931, Identifier as ModelIdentifier, Invoice as Model, InvoiceAmount,
    InvoiceLine, PeppolBis3, Percentage, XRechnung,
};
use en16931_formats::report::Kind as EntryKind;
use en16931_formats::zugferd;
use onescan_domain::money::Currency;
use rust_decimal::Decimal as ModelDecimal;

use super::{Breach, Profile, Syntax, breaches, guard};
use crate::date::{Date, Period};
use crate::decimal::Decimal;
use crate::invoice::{
    Address, Adjustment, Attachment, Contact, Direction, DocumentAdjustment, Exemption, Identifier, Invoice, Kind,
    Line, MediaType, Original, Party, Payment, Prices, Vat, VatCategory,
};
use crate::totals::Totals;

/// How much input is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of the file, XML or PDF.
    pub input_bytes_max: usize,
    /// Of one stream of a PDF after inflating; the XML is one of them.
    pub stream_bytes_max: usize,
}

impl Default for Limits {
    /// 16 MiB either way: some thousand lines with an attached list.
    fn default() -> Self {
        Self {
            input_bytes_max: 16 << 20,
            stream_bytes_max: 16 << 20,
        }
    }
}

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the file has {bytes} bytes, more than {bytes_max}")]
    TooLarge { bytes: usize, bytes_max: usize },
    /// No XML, no invoice, a document type declaration, a broken PDF, or one without an invoice.
    #[error("not a readable invoice: {0}")]
    Unreadable(String),
    /// An invoice that lacks what ours cannot be without, or says it in a way that ours cannot keep.
    #[error("the invoice lacks {}", .0.join(", "))]
    Unusable(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadInvoice {
    /// Always in net prices: neither syntax says what a till asked.
    pub invoice: Invoice,
    pub syntax: Syntax,
    /// \[BT-24\] As the document declares it.
    pub specification_id: Option<String>,
    /// The sums as they stand in the document, in minor units.
    pub stated: Stated,
    /// What the file holds and `invoice` does not.
    pub left_out: Vec<String>,
}

/// Sums of a document as its author wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    pub lines: Vec<i64>,
    pub net: i64,
    pub vat: i64,
    pub gross: i64,
    pub due: i64,
}

impl ReadInvoice {
    /// The profile that the document declares; `None` for one that is not ours.
    pub fn profile(&self) -> Option<Profile> {
        let declared = self.specification_id.as_deref()?;
        let known = [
            (en16931::profiles::EN16931.specification_id, Profile::Core),
            (en16931::profiles::XRECHNUNG.specification_id, Profile::XRechnung),
            (en16931::profiles::PEPPOL_BIS_3.specification_id, Profile::Peppol),
        ];
        known
            .into_iter()
            .find(|(id, _)| *id == declared)
            .map(|(_, profile)| profile)
    }

    /// Where the stated sums contradict the lines or each other, in words; empty when they agree.
    ///
    /// The tax may be off by one minor unit for each rate: taken out of gross prices it is rounded otherwise than when it is
    /// put on net ones.
    pub fn differences(&self) -> Vec<String> {
        let Ok(totals) = Totals::of(&self.invoice) else {
            return vec!["the amounts are larger than can be kept".to_owned()];
        };
        let stated = &self.stated;
        let of_lines = self.invoice.lines.iter().zip(&stated.lines).zip(&totals.lines);
        let of_lines =
            of_lines.map(|((line, stated), ours)| (format!("line {} (BT-131)", line.id), *stated, ours.net, 0));
        let rates = totals.groups.len().try_into().unwrap_or(i64::MAX);
        let gross = stated.net.saturating_add(stated.vat);
        let due = stated.gross.saturating_sub(self.invoice.prepaid_minor);
        let of_document = [
            ("net total (BT-109)", stated.net, totals.net, 0),
            ("tax (BT-110)", stated.vat, totals.vat, rates),
            ("total (BT-112)", stated.gross, gross, 0),
            ("amount due (BT-115)", stated.due, due, 0),
        ];
        let of_document = of_document.map(|(name, stated, ours, slack)| (name.to_owned(), stated, ours, slack));
        of_lines
            .chain(of_document)
            .filter(|(_, stated, ours, slack)| stated.abs_diff(*ours) > slack.unsigned_abs())
            .map(|(name, stated, ours, _)| format!("{name}: {stated} stated, {ours} reckoned"))
            .collect()
    }
}

/// Reads UBL, CII or a hybrid PDF; which one, its first bytes tell.
///
/// Refuses in this order: `TooLarge`, `Unreadable`, `Unusable`. Elements nested deeper than 64 and every document type
/// declaration are `Unreadable`; so are more than 200,000 elements, and elements that stand again and again where one is
/// allowed.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<ReadInvoice, ReadError> {
    ours(&outside(bytes, limits)?)
}

/// Reads like [`read`], and names the rules that the document breaks: those of the profile that it declares, of EN 16931
/// itself where it declares another one.
pub fn judge(bytes: &[u8], limits: &Limits) -> Result<(ReadInvoice, Vec<Breach>), ReadError> {
    let read = outside(bytes, limits)?;
    let invoice = ours(&read)?;
    let model = read.invoice;
    let breaches = match invoice.profile() {
        Some(Profile::XRechnung) => broken::<XRechnung>(model),
        Some(Profile::Peppol) => broken::<PeppolBis3>(model),
        Some(Profile::Core) | None => broken::<En16931>(model),
    };
    Ok((invoice, breaches))
}

fn broken<P: ProfileMarker>(model: Model) -> Vec<Breach> {
    Validated::<P>::new(model)
        .err()
        .map_or_else(Vec::new, |rejected| breaches(&rejected))
}

fn outside(bytes: &[u8], limits: &Limits) -> Result<en16931_formats::Read, ReadError> {
    if bytes.len() > limits.input_bytes_max {
        return Err(ReadError::TooLarge {
            bytes: bytes.len(),
            bytes_max: limits.input_bytes_max,
        });
    }
    if bytes.starts_with(b"%PDF") {
        let outside = zugferd::Limits::new()
            .with_max_stream_bytes(limits.stream_bytes_max)
            .with_max_total_bytes(limits.stream_bytes_max.saturating_mul(2));
        let extracted = zugferd::extract(bytes, &outside).map_err(|error| ReadError::Unreadable(error.to_string()))?;
        parsed(&extracted.xml)
    } else {
        parsed(bytes)
    }
}

fn ours(read: &en16931_formats::Read) -> Result<ReadInvoice, ReadError> {
    let mut reader = Reader::of(&read.invoice)?;
    let invoice = reader.invoice(&read.invoice);
    let stated = reader.stated(&read.invoice);
    let unread = read.entries.iter().filter(|entry| entry.kind != EntryKind::Derived);
    reader
        .left_out
        .extend(unread.map(|entry| format!("{}: {}", entry.path, entry.message)));
    if !reader.lacking.is_empty() {
        return Err(ReadError::Unusable(reader.lacking));
    }
    Ok(ReadInvoice {
        invoice,
        syntax: match read.syntax {
            en16931_formats::Syntax::Ubl => Syntax::Ubl,
            _ => Syntax::Cii,
        },
        specification_id: read.invoice.specification_id.clone(),
        stated,
        left_out: reader.left_out,
    })
}

/// UTF-8, or UTF-16 with its mark; anything else the parser refuses.
fn parsed(xml: &[u8]) -> Result<en16931_formats::Read, ReadError> {
    let text = match encoding_rs::Encoding::for_bom(xml) {
        Some((encoding, _)) => encoding.decode_with_bom_removal(xml).0,
        None => String::from_utf8_lossy(xml),
    };
    guard::check(&text).map_err(|what| ReadError::Unreadable(what.to_owned()))?;
    en16931_formats::read(xml).map_err(|error| ReadError::Unreadable(error.to_string()))
}

/// Collects what is missing while it goes on, so that all of it is named.
struct Reader {
    currency: Currency,
    lacking: Vec<String>,
    left_out: Vec<String>,
}

/// Stands for a date that is missing; never seen, for the reading fails then.
fn no_date() -> Date {
    Date::new(1, 1, 1).expect("1 January of year 1 exists")
}

impl Reader {
    /// Without a known currency no amount can be read.
    fn of(model: &Model) -> Result<Self, ReadError> {
        let currency = model.currency.as_ref().and_then(|code| Currency::parse(code.as_str()));
        Ok(Self {
            currency: currency.ok_or_else(|| ReadError::Unusable(vec!["a known currency (BT-5)".to_owned()]))?,
            lacking: Vec::new(),
            left_out: Vec::new(),
        })
    }

    fn lack(&mut self, what: impl Into<String>) {
        self.lacking.push(what.into());
    }

    fn needed(&mut self, text: Option<&String>, what: &str) -> String {
        text.cloned().unwrap_or_else(|| {
            self.lack(what);
            String::new()
        })
    }

    fn invoice(&mut self, model: &Model) -> Invoice {
        self.name_unkept_groups(model);
        let delivery = model.delivery.as_ref();
        Invoice {
            kind: self.kind(model),
            number: self.needed(model.number.as_ref(), "a number (BT-1)"),
            issued_on: self.date(model.issue_date).unwrap_or_else(|| {
                self.lack("a date of issue (BT-2)");
                no_date()
            }),
            delivered_on: delivery.and_then(|delivery| self.date(delivery.date)),
            due_on: self.date(model.due_date),
            period: self.period(model.invoicing_period.as_ref()),
            currency: self.currency,
            prices: Prices::Net,
            seller: self.party(&model.seller, "the seller's name (BT-27)"),
            buyer: self.party(&model.buyer, "the buyer's name (BT-44)"),
            buyer_reference: model.buyer_reference.clone(),
            order_reference: model.purchase_order_reference.as_ref().map(|id| id.as_str().to_owned()),
            lines: model.lines.iter().map(|line| self.line(line)).collect(),
            adjustments: self.document_adjustments(model),
            exemptions: self.exemptions(model),
            prepaid_minor: model.totals.paid.map_or(0, |amount| self.minor(amount, "BT-113")),
            payment: model.payment.as_ref().map(|payment| self.payment(payment)),
            payment_terms: model.payment_terms.clone(),
            notes: model.notes.iter().filter_map(|note| note.note.clone()).collect(),
            attachments: model
                .attachments
                .iter()
                .filter_map(|document| self.attachment(document))
                .collect(),
        }
    }

    fn name_unkept_groups(&mut self, model: &Model) {
        let delivery = model.delivery.as_ref();
        let unkept = [
            ("payee (BG-10)", model.payee.is_some()),
            ("tax representative (BG-11)", model.tax_representative.is_some()),
            (
                "place of delivery (BG-15)",
                delivery.is_some_and(|delivery| delivery.address.is_some()),
            ),
            ("rounding amount (BT-114)", model.totals.rounding.is_some()),
            (
                "tax in accounting currency (BT-111)",
                model.totals.vat_total_accounting.is_some(),
            ),
            ("contract (BT-12)", model.contract_reference.is_some()),
            ("project (BT-11)", model.project_reference.is_some()),
            ("object of the invoice (BT-18)", model.object_identifier.is_some()),
            ("accounting reference (BT-19)", model.accounting_reference.is_some()),
            ("seller's identifiers (BT-29)", has_more_identifiers(&model.seller)),
            ("buyer's identifiers (BT-46)", has_more_identifiers(&model.buyer)),
        ];
        let names = unkept.into_iter().filter(|(_, is_there)| *is_there);
        self.left_out.extend(names.map(|(name, _)| name.to_owned()));
    }

    fn kind(&mut self, model: &Model) -> Kind {
        let is_credit = model.kind == DocumentKind::CreditNote
            || model.type_code.as_ref().is_some_and(|code| code.as_str() == "381");
        if model.preceding_invoices.len() > 1 {
            self.left_out.push("further preceding invoices (BG-3)".to_owned());
        }
        let original = model.preceding_invoices.first();
        match (is_credit, original) {
            (true, Some(original)) => Kind::CreditNote {
                original: Original {
                    number: original.reference.as_str().to_owned(),
                    issued_on: self.date(original.issue_date),
                },
            },
            (true, None) => {
                self.lack("the invoice that is credited (BT-25)");
                Kind::Invoice
            }
            (false, Some(_)) => {
                self.left_out.push("preceding invoice (BG-3)".to_owned());
                Kind::Invoice
            }
            (false, None) => Kind::Invoice,
        }
    }

    fn date(&mut self, date: Option<ModelDate>) -> Option<Date> {
        let date = date?;
        Date::new(u16::try_from(date.year()).ok()?, date.month(), date.day())
    }

    /// Ours has both ends; a period with one is that one day.
    fn period(&mut self, period: Option<&ModelPeriod>) -> Option<Period> {
        let period = period?;
        let first_on = self.date(period.start.or(period.end))?;
        let last_on = self.date(period.end.or(period.start))?;
        if period.start.is_none() || period.end.is_none() {
            self.left_out.push("the open end of a period (BG-14, BG-26)".to_owned());
        }
        Some(Period { first_on, last_on })
    }

    fn party(&mut self, party: &ModelParty, name: &str) -> Party {
        let address = &party.address;
        if address.line3.is_some() {
            self.left_out
                .push("third line of an address (BT-162, BT-163)".to_owned());
        }
        Party {
            name: self.needed(party.name.as_ref(), name),
            trading_name: party.trading_name.clone(),
            address: Address {
                street: address.line1.clone(),
                addition: address.line2.clone(),
                city: address.city.clone(),
                postcode: address.post_code.clone(),
                region: address.subdivision.clone(),
                country: address.country.as_ref().map_or("", Code::as_str).to_owned(),
            },
            vat_id: party.vat_identifier.clone(),
            tax_number: party.tax_registration.clone(),
            legal_id: party.legal_registration.as_ref().map(identifier),
            electronic_address: party.electronic_address.as_ref().map(identifier),
            contact: Contact {
                name: party.contact.name.clone(),
                phone: party.contact.phone.clone(),
                email: party.contact.email.clone(),
            },
        }
    }

    fn minor(&mut self, amount: InvoiceAmount, term: &str) -> i64 {
        let hundredths = amount.to_minor_units();
        let minor = match self.currency.decimals() {
            0 if hundredths % 100 == 0 => Some(hundredths / 100),
            0 => None,
            2 => Some(hundredths),
            _ => hundredths.checked_mul(10),
        };
        minor.unwrap_or_else(|| {
            self.lack(format!("an amount in whole {} ({term})", self.currency));
            0
        })
    }

    fn decimal(&mut self, number: ModelDecimal, term: &str) -> Decimal {
        let rounded = number.round_dp(u32::from(Decimal::SCALE_MAX));
        if rounded != number {
            self.left_out
                .push(format!("decimals beyond {} ({term})", Decimal::SCALE_MAX));
        }
        Decimal::parse(&rounded.to_string()).unwrap_or_else(|| {
            self.lack(format!("a number of at most 18 digits ({term})"));
            Decimal::ONE
        })
    }

    fn vat(&mut self, vat: &LineVat) -> Vat {
        let percent = vat.rate.map_or(ModelDecimal::ZERO, Percentage::into_decimal);
        let category = VatCategory::parse(vat.category.as_str()).unwrap_or_else(|| {
            self.lack(format!(
                "a category of tax that we know instead of {} (BT-151)",
                vat.category
            ));
            VatCategory::Standard
        });
        Vat {
            category,
            percent: self.decimal(percent, "BT-152"),
        }
    }

    fn line(&mut self, line: &InvoiceLine) -> Line {
        let item = &line.item;
        let has_more = item.seller_identifier.is_some()
            || item.buyer_identifier.is_some()
            || item.standard_identifier.is_some()
            || !item.classification_identifiers.is_empty()
            || line.price.gross_price.is_some();
        if has_more {
            self.left_out
                .push(format!("identifiers or price details of line {}", line.id));
        }
        let price_base = line
            .price
            .base_quantity
            .map_or(Decimal::ONE, |base| self.decimal(base.into_decimal(), "BT-149"));
        Line {
            id: line.id.clone(),
            name: self.needed(item.name.as_ref(), "the name of a line (BT-153)"),
            description: item.description.clone(),
            note: line.note.clone(),
            quantity: self.decimal(line.quantity.into_decimal(), "BT-129"),
            unit: line.unit_code.as_str().to_owned(),
            price: self.decimal(line.price.net_price.into_decimal(), "BT-146"),
            price_base,
            vat: self.vat(&line.vat),
            adjustments: self.line_adjustments(line),
            object_id: line.object_identifier.as_ref().map(|id| id.content().to_owned()),
            period: self.period(line.period.as_ref()),
            attributes: item
                .attributes
                .iter()
                .filter_map(|attribute| Some((attribute.name.clone()?, attribute.value.clone()?)))
                .collect(),
        }
    }

    fn line_adjustments(&mut self, line: &InvoiceLine) -> Vec<Adjustment> {
        let mut read = |entries: &[LineAllowanceCharge], direction| -> Vec<Adjustment> {
            let entry = |entry: &LineAllowanceCharge| {
                let reason = reason(entry.reason.as_ref(), entry.reason_code.as_ref());
                self.adjustment(entry.amount, direction, reason)
            };
            entries.iter().map(entry).collect()
        };
        let mut all = read(&line.allowances, Direction::Allowance);
        all.extend(read(&line.charges, Direction::Charge));
        all
    }

    fn document_adjustments(&mut self, model: &Model) -> Vec<DocumentAdjustment> {
        let mut read = |entries: &[DocumentAllowanceCharge], direction| -> Vec<DocumentAdjustment> {
            let entry = |entry: &DocumentAllowanceCharge| {
                let reason = reason(entry.reason.as_ref(), entry.reason_code.as_ref());
                DocumentAdjustment {
                    adjustment: self.adjustment(entry.amount, direction, reason),
                    vat: self.vat(&entry.vat),
                }
            };
            entries.iter().map(entry).collect()
        };
        let mut all = read(&model.allowances, Direction::Allowance);
        all.extend(read(&model.charges, Direction::Charge));
        all
    }

    fn adjustment(&mut self, amount: InvoiceAmount, direction: Direction, reason: String) -> Adjustment {
        Adjustment {
            direction,
            amount_minor: self.minor(amount, "BG-20, BG-27"),
            reason,
        }
    }

    fn exemptions(&mut self, model: &Model) -> Vec<Exemption> {
        let mut exemptions = Vec::new();
        for group in model.vat_breakdown.iter().filter(|group| group.has_exemption_reason()) {
            let code = group
                .exemption_reason_code
                .as_ref()
                .map(|code| code.as_str().to_owned());
            let reason = group.exemption_reason.clone().or_else(|| code.clone());
            if let (Some(category), Some(reason)) = (VatCategory::parse(group.category.as_str()), reason) {
                exemptions.push(Exemption { category, reason, code });
            }
        }
        exemptions
    }

    fn payment(&mut self, payment: &PaymentInstructions) -> Payment {
        let other = || Payment::Other {
            code: payment.means_code.as_ref().map_or("", Code::as_str).to_owned(),
            text: payment.means_text.clone(),
        };
        match &payment.means {
            Some(PaymentMeans::CreditTransfer(transfers)) => {
                if transfers.len() > 1 {
                    self.left_out.push("further accounts (BG-17)".to_owned());
                }
                let Some(transfer) = transfers.first() else {
                    return other();
                };
                Payment::CreditTransfer {
                    iban: transfer.account_identifier.clone().unwrap_or_default(),
                    bic: transfer.provider_identifier.clone(),
                    holder: transfer.account_name.clone(),
                    reference: payment.remittance_information.clone(),
                }
            }
            Some(PaymentMeans::Card(card)) => Payment::Card {
                last_digits: card
                    .primary_account_number
                    .as_deref()
                    .map_or_else(String::new, last_digits),
                holder: card.holder_name.clone(),
            },
            Some(PaymentMeans::DirectDebit(debit)) => Payment::DirectDebit {
                mandate: debit.mandate_reference.clone().unwrap_or_default(),
                creditor_id: debit.creditor_identifier.clone().unwrap_or_default(),
                debited_iban: debit.debited_account.clone().unwrap_or_default(),
            },
            None => match (payment.means_code.as_ref().map(Code::as_str), &payment.means_text) {
                (Some("10"), None) => Payment::Cash,
                (Some("68"), Some(service)) => Payment::Online {
                    service: service.clone(),
                },
                _ => other(),
            },
        }
    }

    fn attachment(&mut self, document: &SupportingDocument) -> Option<Attachment> {
        let kept = document.attachment.as_ref().and_then(|content| {
            let media_type = MediaType::parse(content.mime_code())?;
            Some(Attachment {
                id: document.reference.as_str().to_owned(),
                description: document.description.clone(),
                file_name: content.filename().to_owned(),
                media_type,
                content: content.content().to_vec(),
            })
        });
        if kept.is_none() {
            self.left_out
                .push(format!("supporting document {} (BG-24)", document.reference.as_str()));
        }
        kept
    }

    fn stated(&mut self, model: &Model) -> Stated {
        let totals = &model.totals;
        Stated {
            lines: model
                .lines
                .iter()
                .map(|line| self.minor(line.net_amount, "BT-131"))
                .collect(),
            net: self.minor(totals.taxable_total, "BT-109"),
            vat: totals.vat_total.map_or(0, |vat| self.minor(vat, "BT-110")),
            gross: self.minor(totals.gross_total, "BT-112"),
            due: self.minor(totals.due, "BT-115"),
        }
    }
}

/// One that repeats the tax number says nothing more.
fn has_more_identifiers(party: &ModelParty) -> bool {
    let known = party.tax_registration.as_deref();
    party
        .identifiers
        .iter()
        .any(|identifier| Some(identifier.content()) != known)
}

fn identifier(identifier: &ModelIdentifier) -> Identifier {
    Identifier {
        scheme: identifier.scheme().map(str::to_owned),
        value: identifier.content().to_owned(),
    }
}

fn reason(text: Option<&String>, code: Option<&Code>) -> String {
    let code = || code.map(|code| code.as_str().to_owned());
    text.cloned().or_else(code).unwrap_or_default()
}

/// Others may write more of a card's number; ours keeps the last four digits.
fn last_digits(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    digits[digits.len().saturating_sub(4)..].iter().collect()
}
