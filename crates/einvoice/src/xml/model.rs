//! Our invoice as the outside crate's model. The only place that builds it.

use en16931::invoice::{
    Code, Contact as ModelContact, CreditTransfer, Delivery, DirectDebit, DocumentAllowanceCharge, DocumentTotals,
    Item, ItemAttribute, LineAllowanceCharge, LineVat, Party as ModelParty, PaymentCard, PaymentInstructions,
    PaymentMeans, Period as ModelPeriod, PostalAddress, PrecedingInvoice, PriceDetails, SupportingDocument,
    VatBreakdown,
};
use en16931::{
    Attachment as ModelAttachment, Date as ModelDate, DocumentKind, DocumentReference, Identifier as ModelIdentifier,
    Invoice as Model, InvoiceAmount, InvoiceLine, InvoiceNote, Percentage, Quantity, UnitPriceAmount,
};
use rust_decimal::Decimal as ModelDecimal;

use super::{Profile, WriteError};
use crate::check::{Fault, Problem};
use crate::date::{Date, Period};
use crate::decimal::{Decimal, extended_minor};
use crate::invoice::{
    Adjustment, Attachment, Direction, Identifier, Invoice, Kind, Line, Party, Payment, Prices, Vat, VatCategory,
};
use crate::totals::{LineTotals, Totals, VatGroup};

const PEPPOL_PROCESS: &str = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0";

/// `invoice` has passed its check for `profile`, or is part of one that has; `totals` has a line for each of its lines.
pub(super) fn of(invoice: &Invoice, totals: &Totals, profile: Profile) -> Result<Model, WriteError> {
    let amounts = Amounts {
        decimals: invoice.currency.decimals(),
        profile,
    };
    // Built field by field: the outside type cannot be written as a literal here.
    let mut model = Model::default();
    header(invoice, profile, &mut model)?;
    model.seller = party(&invoice.seller);
    model.seller.identifiers = stand_in(&invoice.seller);
    model.buyer = party(&invoice.buyer);
    model.delivery = delivery(invoice)?;
    model.payment = invoice.payment.as_ref().map(payment);
    for (line, line_totals) in invoice.lines.iter().zip(&totals.lines) {
        model.lines.push(amounts.line(invoice, line, line_totals)?);
    }
    for (entry, net) in invoice.adjustments.iter().zip(&totals.adjustments) {
        let written = amounts.document_adjustment(&entry.adjustment, entry.vat, *net)?;
        match entry.adjustment.direction {
            Direction::Allowance => model.allowances.push(written),
            Direction::Charge => model.charges.push(written),
        }
    }
    for group in &totals.groups {
        model.vat_breakdown.push(amounts.breakdown(invoice, group)?);
    }
    model.totals = amounts.totals(invoice, totals)?;
    model.attachments = invoice.attachments.iter().map(attachment).collect::<Result<_, _>>()?;
    Ok(model)
}

pub(super) fn overflow() -> WriteError {
    refusal("lines", "BG-22", Fault::Overflow)
}

fn refusal(field: &str, term: &'static str, fault: Fault) -> WriteError {
    WriteError::Incomplete(vec![Problem {
        field: field.to_owned(),
        term,
        fault,
    }])
}

fn header(invoice: &Invoice, profile: Profile, model: &mut Model) -> Result<(), WriteError> {
    model.number = Some(invoice.number.clone());
    model.issue_date = Some(date(invoice.issued_on)?);
    model.due_date = invoice.due_on.map(date).transpose()?;
    model.currency = Some(Code::new(invoice.currency.code()));
    model.business_process = match profile {
        Profile::Core => None,
        Profile::XRechnung | Profile::Peppol => Some(PEPPOL_PROCESS.to_owned()),
    };
    model.specification_id = Some(
        match profile {
            Profile::Core => en16931::profiles::EN16931.specification_id,
            Profile::XRechnung => en16931::profiles::XRECHNUNG.specification_id,
            Profile::Peppol => en16931::profiles::PEPPOL_BIS_3.specification_id,
        }
        .to_owned(),
    );
    match &invoice.kind {
        Kind::Invoice => model.type_code = Some(Code::new("380")),
        Kind::CreditNote { original } => {
            model.kind = DocumentKind::CreditNote;
            model.type_code = Some(Code::new("381"));
            model.preceding_invoices = vec![PrecedingInvoice {
                reference: DocumentReference::new(&original.number),
                issue_date: original.issued_on.map(date).transpose()?,
            }];
        }
    }
    model.buyer_reference = invoice.buyer_reference.clone();
    model.purchase_order_reference = invoice.order_reference.as_ref().map(DocumentReference::new);
    model.payment_terms = invoice.payment_terms.clone();
    model.notes = invoice.notes.iter().map(InvoiceNote::new).collect();
    model.invoicing_period = invoice.period.map(period).transpose()?;
    Ok(())
}

fn date(date: Date) -> Result<ModelDate, WriteError> {
    ModelDate::new(i32::from(date.year()), date.month(), date.day())
        .map_err(|_| refusal("issued_on", "BT-2", Fault::Malformed))
}

fn period(period: Period) -> Result<ModelPeriod, WriteError> {
    Ok(ModelPeriod {
        start: Some(date(period.first_on)?),
        end: Some(date(period.last_on)?),
    })
}

fn identifier(identifier: &Identifier) -> ModelIdentifier {
    match &identifier.scheme {
        Some(scheme) => ModelIdentifier::schemed(&identifier.value, scheme),
        None => ModelIdentifier::new(&identifier.value),
    }
}

fn party(party: &Party) -> ModelParty {
    ModelParty {
        name: Some(party.name.clone()),
        trading_name: party.trading_name.clone(),
        legal_registration: party.legal_id.as_ref().map(identifier),
        vat_identifier: party.vat_id.clone(),
        tax_registration: party.tax_number.clone(),
        electronic_address: party.electronic_address.as_ref().map(identifier),
        address: address(party),
        contact: ModelContact {
            name: party.contact.name.clone(),
            phone: party.contact.phone.clone(),
            email: party.contact.email.clone(),
        },
        ..ModelParty::default()
    }
}

/// A small business may have a tax number alone, and BR-CO-26 wants one of BT-29, BT-30, BT-31: the number stands in BT-29.
fn stand_in(seller: &Party) -> Vec<ModelIdentifier> {
    match (&seller.vat_id, &seller.legal_id, &seller.tax_number) {
        (None, None, Some(tax_number)) => vec![ModelIdentifier::new(tax_number)],
        _ => Vec::new(),
    }
}

fn address(party: &Party) -> PostalAddress {
    let address = &party.address;
    PostalAddress {
        line1: address.street.clone(),
        line2: address.addition.clone(),
        line3: None,
        city: address.city.clone(),
        post_code: address.postcode.clone(),
        subdivision: address.region.clone(),
        country: Some(Code::new(&address.country)),
    }
}

/// The address is written only where a rule asks for its country: supplies inside the Community (BR-IC-12).
fn delivery(invoice: &Invoice) -> Result<Option<Delivery>, WriteError> {
    let goes_abroad = invoice
        .lines
        .iter()
        .any(|line| line.vat.category == VatCategory::IntraCommunity);
    if invoice.delivered_on.is_none() && !goes_abroad {
        return Ok(None);
    }
    Ok(Some(Delivery {
        date: invoice.delivered_on.map(date).transpose()?,
        address: goes_abroad.then(|| address(&invoice.buyer)),
        ..Delivery::default()
    }))
}

fn payment(payment: &Payment) -> PaymentInstructions {
    let (code, means) = match payment {
        Payment::CreditTransfer { iban, bic, holder, .. } => {
            let transfer = CreditTransfer {
                account_identifier: Some(iban.clone()),
                account_name: holder.clone(),
                provider_identifier: bic.clone(),
            };
            ("58", Some(PaymentMeans::CreditTransfer(vec![transfer])))
        }
        Payment::Card { last_digits, holder } => {
            let card = PaymentCard {
                primary_account_number: Some(last_digits.clone()),
                holder_name: holder.clone(),
            };
            ("48", Some(PaymentMeans::Card(card)))
        }
        Payment::DirectDebit {
            mandate,
            creditor_id,
            debited_iban,
        } => {
            let debit = DirectDebit {
                mandate_reference: Some(mandate.clone()),
                creditor_identifier: Some(creditor_id.clone()),
                debited_account: Some(debited_iban.clone()),
            };
            ("59", Some(PaymentMeans::DirectDebit(debit)))
        }
        Payment::Cash => ("10", None),
        Payment::Online { .. } => ("68", None),
        Payment::Other { code, .. } => (code.as_str(), None),
    };
    PaymentInstructions {
        means_code: Some(Code::new(code)),
        means_text: match payment {
            Payment::Online { service } => Some(service.clone()),
            Payment::Other { text, .. } => text.clone(),
            Payment::CreditTransfer { .. } | Payment::Card { .. } | Payment::DirectDebit { .. } | Payment::Cash => None,
        },
        remittance_information: match payment {
            Payment::CreditTransfer { reference, .. } => reference.clone(),
            Payment::Card { .. }
            | Payment::DirectDebit { .. }
            | Payment::Cash
            | Payment::Online { .. }
            | Payment::Other { .. } => None,
        },
        means,
    }
}

fn attachment(attachment: &Attachment) -> Result<SupportingDocument, WriteError> {
    let content = ModelAttachment::new(
        attachment.content.clone(),
        attachment.media_type.name(),
        &attachment.file_name,
    )
    .map_err(|_| refusal("attachments", "BT-125", Fault::Missing))?;
    Ok(SupportingDocument {
        reference: DocumentReference::new(&attachment.id),
        description: attachment.description.clone(),
        uri: None,
        attachment: Some(content),
    })
}

fn vat(vat: Vat) -> LineVat {
    LineVat {
        category: Code::new(vat.category.code()),
        rate: percentage(vat),
    }
}

/// What lies outside the tax's scope has no rate, not even 0 (BR-O-05).
fn percentage(vat: Vat) -> Option<Percentage> {
    (vat.category != VatCategory::OutsideScope).then(|| Percentage::new(model_decimal(vat.percent)))
}

fn model_decimal(number: Decimal) -> ModelDecimal {
    ModelDecimal::new(number.mantissa(), u32::from(number.scale()))
}

/// Minor units of a currency as amounts with two decimals, the only ones the standard knows.
struct Amounts {
    decimals: u8,
    profile: Profile,
}

impl Amounts {
    fn amount(&self, minor: i64) -> Result<InvoiceAmount, WriteError> {
        let hundredths = match self.decimals {
            0 => minor.checked_mul(100).ok_or(Fault::Overflow),
            2 => Ok(minor),
            _ if minor % 10 == 0 => Ok(minor / 10),
            _ => Err(Fault::TooFine),
        };
        let hundredths = hundredths.map_err(|fault| refusal("lines", "BG-22", fault))?;
        Ok(InvoiceAmount::from_minor_units(hundredths))
    }

    fn line(&self, invoice: &Invoice, line: &Line, totals: &LineTotals) -> Result<InvoiceLine, WriteError> {
        let mut written = InvoiceLine::new(
            &line.id,
            &line.name,
            Quantity::new(model_decimal(line.quantity)),
            line.unit.as_str(),
            self.amount(totals.net)?,
            line.vat.category.code(),
            percentage(line.vat),
        );
        written.note = line.note.clone();
        written.object_identifier = line.object_id.as_ref().map(ModelIdentifier::new);
        written.period = line.period.map(period).transpose()?;
        written.price = self.price(invoice, line, totals);
        written.item = item(line);
        for (adjustment, net) in line.adjustments.iter().zip(&totals.adjustments) {
            let entry = LineAllowanceCharge {
                amount: self.amount(*net)?,
                base_amount: None,
                percentage: None,
                reason: Some(adjustment.reason.clone()),
                reason_code: None,
            };
            match adjustment.direction {
                Direction::Allowance => written.allowances.push(entry),
                Direction::Charge => written.charges.push(entry),
            }
        }
        Ok(written)
    }

    /// The price without tax: the invoice's own where it says the line exactly. Else, and from gross prices always, the net product per unit where a short decimal says it exactly, else the
    /// net product for the whole quantity as the base, which is always exact.
    fn price(&self, invoice: &Invoice, line: &Line, totals: &LineTotals) -> PriceDetails {
        let (price, base) = match invoice.prices {
            Prices::Net if self.is_shown(line.quantity, line.price, line.price_base, totals.product_net) => {
                (model_decimal(line.price), line.price_base)
            }
            Prices::Net | Prices::Gross => self.net_price(line.quantity, totals.product_net),
        };
        let has_base = base != Decimal::ONE;
        PriceDetails {
            net_price: UnitPriceAmount::new(price),
            base_quantity: has_base.then(|| Quantity::new(model_decimal(base))),
            base_quantity_code: has_base.then(|| Code::new(&line.unit)),
            ..PriceDetails::default()
        }
    }

    /// Whether quantity times price comes within a hundredth of the line's product. In a currency without decimals the line
    /// is rounded to whole units, and PEPPOL-EN16931-R120 allows two hundredths.
    fn is_shown(&self, quantity: Decimal, price: Decimal, base: Decimal, product: i64) -> bool {
        const HUNDREDTHS: u8 = 2;
        match self.decimals {
            0 => extended_minor(quantity, price, base, HUNDREDTHS)
                .zip(product.checked_mul(100))
                .is_some_and(|(exact, product)| exact.abs_diff(product) <= 1),
            decimals => extended_minor(quantity, price, base, decimals) == Some(product),
        }
    }

    fn net_price(&self, quantity: Decimal, product_net: i64) -> (ModelDecimal, Decimal) {
        const SHORT: u32 = 4;
        let product = ModelDecimal::new(product_net, u32::from(self.decimals));
        let unit = product
            .checked_div(model_decimal(quantity))
            .map(|price| price.round_dp(SHORT));
        let scaled = unit.and_then(|price| Decimal::parse(&price.to_string()));
        if let (Some(unit), Some(short)) = (unit, scaled)
            && self.is_shown(quantity, short, Decimal::ONE, product_net)
        {
            return (unit, Decimal::ONE);
        }
        (product.abs(), quantity.abs())
    }

    fn document_adjustment(
        &self,
        adjustment: &Adjustment,
        rate: Vat,
        net: i64,
    ) -> Result<DocumentAllowanceCharge, WriteError> {
        Ok(DocumentAllowanceCharge {
            amount: self.amount(net)?,
            base_amount: None,
            percentage: None,
            vat: vat(rate),
            reason: Some(adjustment.reason.clone()),
            reason_code: None,
        })
    }

    fn breakdown(&self, invoice: &Invoice, group: &VatGroup) -> Result<VatBreakdown, WriteError> {
        let exemption = invoice
            .exemptions
            .iter()
            .find(|exemption| exemption.category == group.vat.category);
        Ok(VatBreakdown {
            taxable_amount: self.amount(group.net)?,
            tax_amount: self.amount(group.tax)?,
            category: Code::new(group.vat.category.code()),
            rate: match self.profile {
                // BR-DE-14 wants a rate in every group, so 0 outside the tax's scope.
                Profile::XRechnung => Some(Percentage::new(model_decimal(group.vat.percent))),
                Profile::Core | Profile::Peppol => percentage(group.vat),
            },
            exemption_reason: exemption.map(|exemption| exemption.reason.clone()),
            exemption_reason_code: exemption.and_then(|exemption| exemption.code.as_ref()).map(Code::new),
        })
    }

    fn totals(&self, invoice: &Invoice, totals: &Totals) -> Result<DocumentTotals, WriteError> {
        let has = |direction| {
            invoice
                .adjustments
                .iter()
                .any(|entry| entry.adjustment.direction == direction)
        };
        let where_any = |is_there: bool, minor: i64| is_there.then(|| self.amount(minor)).transpose();
        Ok(DocumentTotals {
            line_total: self.amount(totals.lines_net)?,
            allowance_total: where_any(has(Direction::Allowance), totals.allowances)?,
            charge_total: where_any(has(Direction::Charge), totals.charges)?,
            taxable_total: self.amount(totals.net)?,
            vat_total: Some(self.amount(totals.vat)?),
            vat_total_accounting: None,
            gross_total: self.amount(totals.gross)?,
            paid: where_any(totals.prepaid != 0, totals.prepaid)?,
            rounding: None,
            due: self.amount(totals.due)?,
        })
    }
}

fn item(line: &Line) -> Item {
    Item {
        name: Some(line.name.clone()),
        description: line.description.clone(),
        attributes: line
            .attributes
            .iter()
            .map(|(name, value)| ItemAttribute {
                name: Some(name.clone()),
                value: Some(value.clone()),
            })
            .collect(),
        ..Item::default()
    }
}
