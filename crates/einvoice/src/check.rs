//! Every missing or wrong field of an invoice, all at once, before anything is written.
//!
//! What is found here is named in our words, so that a form can point at the field. The rule engine behind [`crate::xml`]
//! and foreign validators in the tests judge the same documents again.
//!
//! Row S20. Source: EN 16931-1; XRechnung BR-DE rules; Peppol BIS Billing 3.0.

use std::collections::BTreeSet;
use std::fmt;

use crate::invoice::{Adjustment, Direction, Identifier, Invoice, Kind, Line, Party, Payment, Vat, VatCategory};
use crate::totals::Totals;
use crate::xml::Profile;

/// One thing that is wrong: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field in our type: `seller.address.city`, `lines[2].quantity`.
    pub field: String,
    /// Business term of EN 16931, for example `BT-37`.
    pub term: &'static str,
    pub fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Needed and empty.
    Missing,
    /// Not of the shape that the field has.
    Malformed,
    /// Contains a control character, which no XML can carry.
    ControlCharacter,
    Negative,
    Zero,
    /// The same twice where one is allowed.
    Repeated,
    /// The last day lies before the first.
    EndsBeforeStart,
    /// A rate where the category has none, or none where it has one.
    RateOfCategory,
    /// A category that may not stand beside the others, or beside a VAT id.
    CategoryMix,
    /// A credit note has no such field.
    NotOnCreditNote,
    /// Finer than two decimals: XML invoices of EN 16931 cannot carry it (currencies of three decimals).
    TooFine,
    /// The amounts are larger than can be kept.
    Overflow,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}) {}", self.field, self.term, self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Missing => "is missing",
            Self::Malformed => "is malformed",
            Self::ControlCharacter => "contains a control character",
            Self::Negative => "is negative",
            Self::Zero => "is zero",
            Self::Repeated => "stands there twice",
            Self::EndsBeforeStart => "ends before it starts",
            Self::RateOfCategory => "has a rate that its category does not allow",
            Self::CategoryMix => "has a category that may not stand beside the others",
            Self::NotOnCreditNote => "has no place on a credit note",
            Self::TooFine => "is finer than two decimals",
            Self::Overflow => "is larger than can be kept",
        })
    }
}

impl Invoice {
    /// Empty when the invoice can be written under `profile`. Order: document, seller, buyer, lines, adjustments,
    /// exemptions, payment, attachments, amounts.
    pub fn check(&self, profile: Profile) -> Vec<Problem> {
        let mut check = Check {
            invoice: self,
            profile,
            problems: Vec::new(),
        };
        check.document();
        check.seller();
        check.buyer();
        check.lines();
        check.adjustments();
        check.categories();
        check.payment();
        check.attachments();
        check.amounts();
        check.problems
    }
}

struct Check<'a> {
    invoice: &'a Invoice,
    profile: Profile,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn report(&mut self, field: impl Into<String>, term: &'static str, fault: Fault) {
        self.problems.push(Problem {
            field: field.into(),
            term,
            fault,
        });
    }

    fn text(&mut self, field: &str, term: &'static str, text: &str) {
        if text.trim().is_empty() {
            self.report(field, term, Fault::Missing);
        } else if !is_writable(text) {
            self.report(field, term, Fault::ControlCharacter);
        }
    }

    /// Absent is fine, empty is not.
    fn optional(&mut self, field: &str, term: &'static str, text: Option<&String>) {
        if let Some(text) = text {
            self.text(field, term, text);
        }
    }

    fn needed(&mut self, field: &str, term: &'static str, text: Option<&String>) {
        self.text(field, term, text.map_or("", |text| text));
    }

    fn document(&mut self) {
        let invoice = self.invoice;
        self.text("number", "BT-1", &invoice.number);
        if let Kind::CreditNote { original } = &invoice.kind {
            self.text("kind.original.number", "BT-25", &original.number);
            if invoice.due_on.is_some() {
                self.report("due_on", "BT-9", Fault::NotOnCreditNote);
            }
        }
        if let Some(period) = invoice.period
            && period.last_on < period.first_on
        {
            self.report("period", "BG-14", Fault::EndsBeforeStart);
        }
        let reference = invoice.buyer_reference.as_ref();
        match self.profile {
            Profile::XRechnung => self.needed("buyer_reference", "BT-10", reference),
            Profile::Peppol if invoice.order_reference.is_none() => self.needed("buyer_reference", "BT-10", reference),
            Profile::Core | Profile::Peppol => self.optional("buyer_reference", "BT-10", reference),
        }
        self.optional("order_reference", "BT-13", invoice.order_reference.as_ref());
        self.optional("payment_terms", "BT-20", invoice.payment_terms.as_ref());
        for (index, note) in invoice.notes.iter().enumerate() {
            self.text(&format!("notes[{index}]"), "BT-22", note);
        }
        if self.profile == Profile::Peppol && invoice.notes.len() > 1 {
            self.report("notes", "BT-22", Fault::Repeated);
        }
    }

    fn seller(&mut self) {
        let seller = &self.invoice.seller;
        self.party("seller", seller, &SELLER_TERMS);
        self.optional("seller.tax_number", "BT-32", seller.tax_number.as_ref());
        let is_known = seller.vat_id.is_some() || seller.tax_number.is_some() || seller.legal_id.is_some();
        if !is_known {
            self.report("seller.vat_id", "BT-31", Fault::Missing);
        }
        if self.profile == Profile::XRechnung {
            self.needed("seller.contact.name", "BT-41", seller.contact.name.as_ref());
            self.needed("seller.contact.phone", "BT-42", seller.contact.phone.as_ref());
            self.needed("seller.contact.email", "BT-43", seller.contact.email.as_ref());
        }
    }

    fn buyer(&mut self) {
        let buyer = &self.invoice.buyer;
        self.party("buyer", buyer, &BUYER_TERMS);
        if buyer.tax_number.is_some() {
            // The buyer has no such term; the number would be lost without a word.
            self.report("buyer.tax_number", "BG-7", Fault::Malformed);
        }
    }

    fn party(&mut self, field: &str, party: &Party, terms: &PartyTerms) {
        self.text(&format!("{field}.name"), terms.name, &party.name);
        self.optional(
            &format!("{field}.trading_name"),
            terms.trading_name,
            party.trading_name.as_ref(),
        );
        let address = &party.address;
        let is_country = address.country.len() == 2 && address.country.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_country {
            let fault = if address.country.is_empty() {
                Fault::Missing
            } else {
                Fault::Malformed
            };
            self.report(format!("{field}.address.country"), terms.country, fault);
        }
        let for_city = match self.profile {
            Profile::XRechnung => Self::needed,
            Profile::Core | Profile::Peppol => Self::optional,
        };
        for_city(
            self,
            &format!("{field}.address.city"),
            terms.city,
            address.city.as_ref(),
        );
        for_city(
            self,
            &format!("{field}.address.postcode"),
            terms.postcode,
            address.postcode.as_ref(),
        );
        for (name, text) in [
            ("street", &address.street),
            ("addition", &address.addition),
            ("region", &address.region),
        ] {
            self.optional(&format!("{field}.address.{name}"), terms.address, text.as_ref());
        }
        if let Some(vat_id) = &party.vat_id
            && !starts_with_country(vat_id)
        {
            self.report(format!("{field}.vat_id"), terms.vat_id, Fault::Malformed);
        }
        self.optional(
            &format!("{field}.legal_id"),
            terms.legal_id,
            party.legal_id.as_ref().map(|id| &id.value),
        );
        self.electronic_address(field, party, terms);
        let contact = &party.contact;
        for (name, text) in [
            ("name", &contact.name),
            ("phone", &contact.phone),
            ("email", &contact.email),
        ] {
            if self.profile != Profile::XRechnung || field == "buyer" {
                self.optional(&format!("{field}.contact.{name}"), terms.contact, text.as_ref());
            }
        }
    }

    fn electronic_address(&mut self, field: &str, party: &Party, terms: &PartyTerms) {
        let name = format!("{field}.electronic_address");
        match &party.electronic_address {
            Some(address) => {
                self.text(&name, terms.electronic_address, &address.value);
                if address.scheme.as_ref().is_none_or(|scheme| scheme.trim().is_empty()) {
                    self.report(format!("{name}.scheme"), terms.electronic_address, Fault::Missing);
                } else if self.profile == Profile::Peppol && !is_in_peppol(address) {
                    self.report(format!("{name}.scheme"), terms.electronic_address, Fault::Malformed);
                }
            }
            None if self.profile != Profile::Core => self.report(name, terms.electronic_address, Fault::Missing),
            None => {}
        }
    }

    fn lines(&mut self) {
        if self.invoice.lines.is_empty() {
            self.report("lines", "BG-25", Fault::Missing);
        }
        let mut ids = BTreeSet::new();
        for (index, line) in self.invoice.lines.iter().enumerate() {
            let field = format!("lines[{index}]");
            self.line(&field, line);
            if !ids.insert(line.id.as_str()) {
                self.report(format!("{field}.id"), "BT-126", Fault::Repeated);
            }
        }
    }

    fn line(&mut self, field: &str, line: &Line) {
        self.text(&format!("{field}.id"), "BT-126", &line.id);
        self.text(&format!("{field}.name"), "BT-153", &line.name);
        self.text(&format!("{field}.unit"), "BT-130", &line.unit);
        self.optional(&format!("{field}.description"), "BT-154", line.description.as_ref());
        self.optional(&format!("{field}.note"), "BT-127", line.note.as_ref());
        self.optional(&format!("{field}.object_id"), "BT-128", line.object_id.as_ref());
        if line.quantity.is_zero() {
            self.report(format!("{field}.quantity"), "BT-129", Fault::Zero);
        }
        if line.price.is_negative() {
            self.report(format!("{field}.price"), "BT-146", Fault::Negative);
        }
        if !line.price_base.is_positive() {
            let fault = if line.price_base.is_zero() {
                Fault::Zero
            } else {
                Fault::Negative
            };
            self.report(format!("{field}.price_base"), "BT-149", fault);
        }
        if let Some(period) = line.period
            && period.last_on < period.first_on
        {
            self.report(format!("{field}.period"), "BG-26", Fault::EndsBeforeStart);
        }
        for (index, (name, value)) in line.attributes.iter().enumerate() {
            self.text(&format!("{field}.attributes[{index}].name"), "BT-160", name);
            self.text(&format!("{field}.attributes[{index}].value"), "BT-161", value);
        }
        for (index, adjustment) in line.adjustments.iter().enumerate() {
            self.adjustment(
                &format!("{field}.adjustments[{index}]"),
                adjustment,
                ["BT-136", "BT-141"],
            );
        }
        self.rate(&format!("{field}.vat"), "BT-152", line.vat);
    }

    fn adjustments(&mut self) {
        for (index, entry) in self.invoice.adjustments.iter().enumerate() {
            let field = format!("adjustments[{index}]");
            self.adjustment(&field, &entry.adjustment, ["BT-92", "BT-99"]);
            self.rate(&format!("{field}.vat"), "BT-96", entry.vat);
        }
    }

    /// `terms`: of the amount, for an allowance and for a charge.
    fn adjustment(&mut self, field: &str, adjustment: &Adjustment, terms: [&'static str; 2]) {
        let term = match adjustment.direction {
            Direction::Allowance => terms[0],
            Direction::Charge => terms[1],
        };
        if adjustment.amount_minor < 0 {
            self.report(format!("{field}.amount_minor"), term, Fault::Negative);
        }
        self.text(&format!("{field}.reason"), term, &adjustment.reason);
    }

    fn rate(&mut self, field: &str, term: &'static str, vat: Vat) {
        let is_right = match vat.category {
            VatCategory::Standard => vat.percent.is_positive(),
            VatCategory::ZeroRated
            | VatCategory::Exempt
            | VatCategory::ReverseCharge
            | VatCategory::IntraCommunity
            | VatCategory::Export
            | VatCategory::OutsideScope => vat.percent.is_zero(),
        };
        if !is_right {
            self.report(field, term, Fault::RateOfCategory);
        }
    }

    fn categories(&mut self) {
        let invoice = self.invoice;
        let of_lines = invoice.lines.iter().map(|line| line.vat.category);
        let of_adjustments = invoice.adjustments.iter().map(|entry| entry.vat.category);
        let used: BTreeSet<VatCategory> = of_lines.chain(of_adjustments).collect();
        let mut explained = BTreeSet::new();
        for (index, exemption) in invoice.exemptions.iter().enumerate() {
            let field = format!("exemptions[{index}]");
            self.text(&format!("{field}.reason"), "BT-120", &exemption.reason);
            if !explained.insert(exemption.category) {
                self.report(field, "BT-120", Fault::Repeated);
            } else if !exemption.category.needs_reason() {
                self.report(field, "BT-120", Fault::CategoryMix);
            }
        }
        for category in used.iter().filter(|category| category.needs_reason()) {
            if !explained.contains(category) {
                self.report(format!("exemptions.{}", category.code()), "BT-120", Fault::Missing);
            }
        }
        self.category_needs(&used);
    }

    /// What single categories ask of the parties and of each other.
    fn category_needs(&mut self, used: &BTreeSet<VatCategory>) {
        let invoice = self.invoice;
        let has_vat_id = invoice.seller.vat_id.is_some() || invoice.buyer.vat_id.is_some();
        let is_taxable = used.iter().any(|category| *category != VatCategory::OutsideScope);
        if used.contains(&VatCategory::OutsideScope) && (is_taxable || has_vat_id) {
            self.report("lines", "BT-151", Fault::CategoryMix);
        }
        let is_registered = invoice.seller.vat_id.is_some() || invoice.seller.tax_number.is_some();
        if is_taxable && !is_registered {
            self.report("seller.tax_number", "BT-32", Fault::Missing);
        }
        let is_abroad = used.contains(&VatCategory::IntraCommunity);
        if (is_abroad || used.contains(&VatCategory::Export)) && invoice.seller.vat_id.is_none() {
            self.report("seller.vat_id", "BT-31", Fault::Missing);
        }
        let buyer_is_unknown = invoice.buyer.vat_id.is_none();
        let needs_legal = used.contains(&VatCategory::ReverseCharge) && invoice.buyer.legal_id.is_none();
        if buyer_is_unknown && (is_abroad || needs_legal) {
            self.report("buyer.vat_id", "BT-48", Fault::Missing);
        }
        if is_abroad && invoice.delivered_on.is_none() && invoice.period.is_none() {
            self.report("delivered_on", "BT-72", Fault::Missing);
        }
        if is_abroad {
            // The country of delivery (BT-80) is the buyer's; `party` has checked it.
            self.needed("buyer.address.city", "BT-77", invoice.buyer.address.city.as_ref());
        }
    }

    fn payment(&mut self) {
        let profile = self.profile;
        match &self.invoice.payment {
            Some(Payment::CreditTransfer {
                iban,
                bic,
                holder,
                reference,
            }) => {
                self.text("payment.iban", "BT-84", iban);
                self.optional("payment.bic", "BT-86", bic.as_ref());
                self.optional("payment.holder", "BT-85", holder.as_ref());
                self.optional("payment.reference", "BT-83", reference.as_ref());
            }
            Some(Payment::Card { last_digits, holder }) => {
                let is_short =
                    (1..=4).contains(&last_digits.len()) && last_digits.bytes().all(|byte| byte.is_ascii_digit());
                if !is_short {
                    self.report("payment.last_digits", "BT-87", Fault::Malformed);
                }
                self.optional("payment.holder", "BT-88", holder.as_ref());
            }
            Some(Payment::DirectDebit {
                mandate,
                creditor_id,
                debited_iban,
            }) => {
                self.text("payment.mandate", "BT-89", mandate);
                self.text("payment.creditor_id", "BT-90", creditor_id);
                self.text("payment.debited_iban", "BT-91", debited_iban);
            }
            Some(Payment::Cash) => {}
            Some(Payment::Online { service }) => self.text("payment.service", "BT-82", service),
            Some(Payment::Other { code, .. }) => self.text("payment.code", "BT-81", code),
            None if profile == Profile::XRechnung => self.report("payment", "BG-16", Fault::Missing),
            None => {}
        }
    }

    fn attachments(&mut self) {
        let mut names = BTreeSet::new();
        for (index, attachment) in self.invoice.attachments.iter().enumerate() {
            let field = format!("attachments[{index}]");
            self.text(&format!("{field}.id"), "BT-122", &attachment.id);
            self.text(&format!("{field}.file_name"), "BT-125", &attachment.file_name);
            self.optional(
                &format!("{field}.description"),
                "BT-123",
                attachment.description.as_ref(),
            );
            if attachment.content.is_empty() {
                self.report(format!("{field}.content"), "BT-125", Fault::Missing);
            }
            if !names.insert(attachment.file_name.to_lowercase()) {
                self.report(format!("{field}.file_name"), "BT-125", Fault::Repeated);
            }
        }
    }

    fn amounts(&mut self) {
        if self.invoice.prepaid_minor < 0 {
            self.report("prepaid_minor", "BT-113", Fault::Negative);
        }
        let Ok(totals) = Totals::of(self.invoice) else {
            self.report("lines", "BG-22", Fault::Overflow);
            return;
        };
        if totals.gross < 0 {
            self.report("lines", "BT-112", Fault::Negative);
        }
        if self.invoice.currency.decimals() == 3 {
            self.fine_amounts(&totals);
        }
        let is_open = totals.due > 0 && self.invoice.kind == Kind::Invoice;
        if is_open && self.invoice.due_on.is_none() && self.invoice.payment_terms.is_none() {
            self.report("due_on", "BT-9", Fault::Missing);
        }
    }

    /// Thousandths of a dinar are legal money and have no place in the XML (BR-DEC rules).
    fn fine_amounts(&mut self, totals: &Totals) {
        let is_fine = |amount: &i64| amount % 10 != 0;
        for (index, line) in totals.lines.iter().enumerate() {
            if is_fine(&line.net) || line.adjustments.iter().any(is_fine) {
                self.report(format!("lines[{index}]"), "BT-131", Fault::TooFine);
            }
        }
        let sums = [totals.allowances, totals.charges, totals.vat, totals.prepaid];
        let of_groups = totals.groups.iter().map(|group| group.tax);
        if sums
            .into_iter()
            .chain(of_groups)
            .chain(totals.adjustments.iter().copied())
            .any(|amount| is_fine(&amount))
        {
            self.report("lines", "BG-22", Fault::TooFine);
        }
    }
}

/// Which terms a party's fields are.
struct PartyTerms {
    name: &'static str,
    trading_name: &'static str,
    address: &'static str,
    city: &'static str,
    postcode: &'static str,
    country: &'static str,
    vat_id: &'static str,
    legal_id: &'static str,
    electronic_address: &'static str,
    contact: &'static str,
}

const SELLER_TERMS: PartyTerms = PartyTerms {
    name: "BT-27",
    trading_name: "BT-28",
    address: "BG-5",
    city: "BT-37",
    postcode: "BT-38",
    country: "BT-40",
    vat_id: "BT-31",
    legal_id: "BT-30",
    electronic_address: "BT-34",
    contact: "BG-6",
};

const BUYER_TERMS: PartyTerms = PartyTerms {
    name: "BT-44",
    trading_name: "BT-45",
    address: "BG-8",
    city: "BT-52",
    postcode: "BT-53",
    country: "BT-55",
    vat_id: "BT-48",
    legal_id: "BT-47",
    electronic_address: "BT-49",
    contact: "BG-9",
};

/// XML 1.0 has tab and line ends, and no other control character.
fn is_writable(text: &str) -> bool {
    text.chars().all(|letter| match letter {
        '\n' | '\t' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        _ => !letter.is_control(),
    })
}

/// The network carries to fewer schemes than the standard knows: not to e-mail addresses.
fn is_in_peppol(address: &Identifier) -> bool {
    let scheme = address.scheme.as_deref().unwrap_or_default();
    en16931::codes::generated::PEPPOL_EAS_SCHEMES.contains(&scheme)
}

fn starts_with_country(vat_id: &str) -> bool {
    let letters = vat_id.as_bytes();
    letters.len() > 2
        && letters[..2].iter().all(u8::is_ascii_uppercase)
        && letters[2..]
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'*'))
}
