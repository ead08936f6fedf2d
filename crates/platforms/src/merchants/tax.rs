//! A merchant's tax set-up: what stands on its invoices, and who issues them. Versions are kept; a document follows the one
//! that was newest when it was applied for.
//!
//! **Invariant:** what [`TaxFields::check`] lets through cannot make issuing fail for the seller's part. Row S20.

use std::sync::Arc;

use async_trait::async_trait;
use onescan_domain::ids::MerchantId;
use onescan_domain::merchants::Merchant;
use onescan_domain::money::{Currency, Money};
use onescan_domain::tax_ids::credit_code::{self, CreditCodeError};
use onescan_domain::tax_ids::lists;
use onescan_domain::tax_ids::vat_id::{self, VatIdError};
use onescan_einvoice::invoice as document;
use onescan_einvoice::invoice::{Exemption, Vat};
use onescan_einvoice::pdf::{self, Language, PageOptions};
use onescan_einvoice::titles::title_qr::Title;
use onescan_einvoice::{Date, Profile};

use crate::env::Env;
use crate::error::{PlatformError, Result};
use crate::invoicing::draft::{self, Sample};
use crate::invoicing::{Numbering, YearInNumber};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxSetup {
    pub merchant: MerchantId,
    /// From 1.
    pub version: i64,
    pub fields: TaxFields,
    /// The credential that entered it.
    pub entered_by: String,
    pub entered_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxFields {
    pub legal_name: String,
    pub street: String,
    pub city: String,
    pub postcode: String,
    /// ISO 3166-1, two capital letters.
    pub country: String,
    pub vat_id: Option<String>,
    /// The local tax number.
    pub tax_number: Option<String>,
    /// The unified social credit code of a seller in China.
    pub credit_code: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub numbering: Numbering,
    pub language: Language,
    /// One per article group; the first is the default. Prices are those of the till, with tax.
    pub rates: Vec<TaxRate>,
    pub bank: Option<BankAccount>,
    pub mode: InvoicingMode,
    /// PNG of at most 256 KiB.
    pub logo: Option<Vec<u8>>,
}

/// The rate of an article group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxRate {
    /// What tills name it by: `food`, 1 to 40 characters, unique.
    pub name: String,
    pub vat: Vat,
    /// Why no tax is charged, where none is: exempt, small business, reverse charge.
    pub reason: Option<String>,
    /// A code of the VATEX list.
    pub reason_code: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankAccount {
    /// An IBAN; in China, which has none, the number of the account.
    pub iban: String,
    /// The bank's own name; a page in fapiao form shows it.
    pub name: Option<String>,
    pub bic: Option<String>,
    pub holder: Option<String>,
}

impl BankAccount {
    /// The bank, by its name where it was entered.
    fn bank(&self) -> String {
        self.name.clone().or_else(|| self.bic.clone()).unwrap_or_default()
    }
}

/// How a merchant's invoices come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvoicingMode {
    /// Its own system issues them and reports the number. Row S17.
    #[default]
    Own,
    /// Issued here when a terminal or its till software applies.
    OnRequest,
    /// Issued here after every payment whose buyer entered details.
    Automatic,
}

impl InvoicingMode {
    pub const ALL: &[Self] = &[Self::Own, Self::OnRequest, Self::Automatic];

    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::OnRequest => "on_request",
            Self::Automatic => "automatic",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mode| mode.name() == name)
    }
}

const LOGO_MAX: usize = 256 * 1024;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A field's name, `rates[1].reason`, and what is wrong with it.
pub type FieldProblem = (String, TaxFault);

/// What is wrong with a field of the tax set-up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaxFault {
    #[error("is missing")]
    Missing,
    #[error("is no country's two letters by ISO 3166-1")]
    Country,
    #[error(transparent)]
    VatId(#[from] VatIdError),
    #[error(transparent)]
    CreditCode(#[from] CreditCodeError),
    #[error("one of VAT id, tax number and credit code is needed")]
    NoTaxId,
    #[error("is not an IBAN: letters or check digits do not fit")]
    Iban,
    #[error("must be a PNG of at most 256 KiB")]
    Logo,
    #[error("has 0 to 12 letters, digits, - and /")]
    Prefix,
    #[error("must equal the other prefix, or neither may begin with the other")]
    PrefixesOverlap,
    #[error("must be 1 to 12")]
    Width,
    #[error("there must be 1 to 50")]
    RateCount,
    #[error("has 1 to 40 characters")]
    RateName,
    #[error("stands there twice")]
    RateTwice,
    #[error("is at most 100 with two decimals")]
    Percent,
    #[error("say why no tax is charged")]
    NoReason,
    /// A rule of the standard refuses a document with this rate.
    #[error("{problem}")]
    Document { problem: String },
}

impl TaxFields {
    /// Every wrong field at once; empty: issuing cannot fail for the seller's part.
    pub fn check(&self, currency: Currency) -> Vec<FieldProblem> {
        let mut wrong = Vec::new();
        let mut say = |field: &str, fault: TaxFault| wrong.push((field.to_owned(), fault));
        for (field, text) in [
            ("legal_name", &self.legal_name),
            ("street", &self.street),
            ("city", &self.city),
            ("postcode", &self.postcode),
        ] {
            if text.trim().is_empty() {
                say(field, TaxFault::Missing);
            }
        }
        if !lists::contains(lists::COUNTRIES, &self.country) {
            say("country", TaxFault::Country);
        }
        if let Some(id) = &self.vat_id
            && let Err(error) = vat_id::check(id)
        {
            say("vat_id", error.into());
        }
        if let Some(code) = &self.credit_code
            && let Err(error) = credit_code::check(code)
        {
            say("credit_code", error.into());
        }
        if self.vat_id.is_none() && self.tax_number.is_none() && self.credit_code.is_none() {
            say("vat_id", TaxFault::NoTaxId);
        }
        if let Some(bank) = &self.bank
            && !is_iban(&bank.iban)
            && !(self.country == "CN" && is_chinese_account(&bank.iban))
        {
            say("bank.iban", TaxFault::Iban);
        }
        if let Some(logo) = &self.logo
            && (!logo.starts_with(PNG) || logo.len() > LOGO_MAX)
        {
            say("logo", TaxFault::Logo);
        }
        wrong.extend(self.check_numbering());
        wrong.extend(self.check_rates());
        if wrong.is_empty() {
            wrong.extend(self.check_documents(currency));
        }
        wrong
    }

    fn check_numbering(&self) -> Vec<FieldProblem> {
        let Numbering {
            prefix,
            credit_prefix,
            width,
            ..
        } = &self.numbering;
        let mut wrong = Vec::new();
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'/');
        for (field, text) in [("numbering.prefix", prefix), ("numbering.credit_prefix", credit_prefix)] {
            if text.len() > 12 || !text.bytes().all(is_letter) {
                wrong.push((field.to_owned(), TaxFault::Prefix));
            }
        }
        if prefix != credit_prefix && (prefix.starts_with(credit_prefix) || credit_prefix.starts_with(prefix)) {
            wrong.push(("numbering.credit_prefix".to_owned(), TaxFault::PrefixesOverlap));
        }
        if !(1..=12).contains(width) {
            wrong.push(("numbering.width".to_owned(), TaxFault::Width));
        }
        wrong
    }

    fn check_rates(&self) -> Vec<FieldProblem> {
        let mut wrong = Vec::new();
        if self.rates.is_empty() || self.rates.len() > 50 {
            wrong.push(("rates".to_owned(), TaxFault::RateCount));
        }
        for (index, rate) in self.rates.iter().enumerate() {
            let mut say = |part: &str, fault: TaxFault| wrong.push((format!("rates[{index}].{part}"), fault));
            if rate.name.trim().is_empty() || rate.name.chars().count() > 40 {
                say("name", TaxFault::RateName);
            }
            if self.rates[..index].iter().any(|other| other.name == rate.name) {
                say("name", TaxFault::RateTwice);
            }
            if rate.vat.percent > onescan_einvoice::Decimal::whole(100) || rate.vat.percent.scale() > 2 {
                say("percent", TaxFault::Percent);
            }
            if rate.vat.category.needs_reason() && rate.reason.is_none() {
                say("reason", TaxFault::NoReason);
            }
        }
        wrong
    }

    /// A sample with each rate must pass the rules of the standard.
    fn check_documents(&self, currency: Currency) -> Vec<FieldProblem> {
        let mut wrong = Vec::new();
        for (index, rate) in self.rates.iter().enumerate() {
            let sample = Sample {
                amount: Money::new(10_000, currency),
                rate: &rate.name,
                on: Date::new(2026, 1, 31).expect("a day of the calendar"),
            };
            let document = draft::sample(self, &sample);
            for problem in document.check(Profile::Core) {
                if problem.fault != onescan_einvoice::Fault::TooFine && !problem.field.starts_with("buyer") {
                    let problem = problem.to_string();
                    wrong.push((format!("rates[{index}]"), TaxFault::Document { problem }));
                }
            }
        }
        wrong
    }

    /// The rate of an article group; the default for `None`. `None` for a name that is not there.
    pub fn rate(&self, name: Option<&str>) -> Option<&TaxRate> {
        match name {
            Some(name) => self.rates.iter().find(|rate| rate.name == name),
            None => self.rates.first(),
        }
    }

    /// Why no tax is charged, for the categories in `used`.
    pub fn exemptions(&self, used: &[Vat]) -> Vec<Exemption> {
        let mut exemptions: Vec<Exemption> = Vec::new();
        for rate in &self.rates {
            let category = rate.vat.category;
            let is_used = used.iter().any(|vat| vat.category == category);
            let is_new = exemptions.iter().all(|exemption| exemption.category != category);
            if let Some(reason) = &rate.reason
                && category.needs_reason()
                && is_used
                && is_new
            {
                exemptions.push(Exemption {
                    category,
                    reason: reason.clone(),
                    code: rate.reason_code.clone(),
                });
            }
        }
        exemptions
    }

    /// The seller's title on a page in fapiao form.
    pub fn title(&self) -> Title {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Title {
            name: self.legal_name.clone(),
            tax_id: text(&self.credit_code.clone().or_else(|| self.tax_number.clone())),
            address: format!("{}{}", self.city, self.street),
            phone: text(&self.phone),
            bank: self.bank.as_ref().map(BankAccount::bank).unwrap_or_default(),
            account: self.bank.as_ref().map(|bank| bank.iban.clone()).unwrap_or_default(),
        }
    }

    pub fn party(&self) -> document::Party {
        let identifier = |scheme: Option<&str>, value: &String| document::Identifier {
            scheme: scheme.map(str::to_owned),
            value: value.clone(),
        };
        document::Party {
            name: self.legal_name.clone(),
            trading_name: None,
            address: document::Address {
                street: Some(self.street.clone()),
                addition: None,
                city: Some(self.city.clone()),
                postcode: Some(self.postcode.clone()),
                region: None,
                country: self.country.clone(),
            },
            vat_id: self.vat_id.as_ref().and_then(|id| vat_id::check(id).ok()),
            // The standard asks a seller without VAT id for a tax number; in China that is the credit code.
            tax_number: self.tax_number.clone().or_else(|| self.credit_code.clone()),
            legal_id: self.credit_code.as_ref().map(|code| identifier(None, code)),
            electronic_address: self.email.as_ref().map(|email| identifier(Some("EM"), email)),
            contact: document::Contact {
                name: Some(self.legal_name.clone()),
                phone: self.phone.clone(),
                email: self.email.clone(),
            },
        }
    }

    /// What a merchant begins with: nothing entered yet.
    pub fn empty(country: &str) -> Self {
        Self {
            legal_name: String::new(),
            street: String::new(),
            city: String::new(),
            postcode: String::new(),
            country: country.to_owned(),
            vat_id: None,
            tax_number: None,
            credit_code: None,
            email: None,
            phone: None,
            numbering: Numbering {
                prefix: "RE-".to_owned(),
                credit_prefix: "CN-".to_owned(),
                year: YearInNumber::With,
                width: 6,
            },
            language: Language::English,
            rates: Vec::new(),
            bank: None,
            mode: InvoicingMode::Own,
            logo: None,
        }
    }
}

/// ISO 13616: two letters, two check digits, up to 30 letters and digits, and the remainder 1 by 97. Spaces are no part of it.
/// Digits, at times in groups; banks there count differently.
fn is_chinese_account(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (8..=32).contains(&digits)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-'))
}

fn is_iban(text: &str) -> bool {
    let text: String = text.chars().filter(|letter| *letter != ' ').collect();
    let shape = (15..=34).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().take(2).all(|byte| byte.is_ascii_alphabetic())
        && text.bytes().skip(2).take(2).all(|byte| byte.is_ascii_digit());
    if !shape {
        return false;
    }
    let turned = text.bytes().skip(4).chain(text.bytes().take(4));
    let remainder = turned.fold(0_u32, |remainder, byte| {
        let digit = (byte as char).to_digit(36).unwrap_or_default();
        let shift = if digit > 9 { 100 } else { 10 };
        (remainder * shift + digit) % 97
    });
    remainder == 1
}

pub fn language_tag(language: Language) -> &'static str {
    match language {
        Language::English => "en",
        Language::German => "de",
        Language::Chinese => "zh",
    }
}

pub fn parse_language(tag: &str) -> Option<Language> {
    [Language::English, Language::German, Language::Chinese]
        .into_iter()
        .find(|language| language_tag(*language) == tag)
}

#[async_trait]
pub trait TaxStore: Send + Sync {
    /// Writes the next version and the merchant's mode in one commit; returns its number.
    async fn insert_tax_setup(&self, setup: &TaxSetup) -> Result<i64>;
    /// The newest, or the version asked for.
    async fn find_tax_setup(&self, merchant: MerchantId, version: Option<i64>) -> Result<Option<TaxSetup>>;
    /// Newest first: version, who entered it and when.
    async fn list_tax_setups(&self, merchant: MerchantId) -> Result<Vec<(i64, String, i64)>>;
}

/// Keeps the set-ups; cheap to clone.
#[derive(Clone)]
pub struct TaxSetups {
    env: Env,
    store: Arc<dyn TaxStore>,
}

impl std::fmt::Debug for TaxSetups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaxSetups").finish_non_exhaustive()
    }
}

impl TaxSetups {
    pub fn new(env: Env, store: Arc<dyn TaxStore>) -> Self {
        Self { env, store }
    }

    /// What counts for new invoices; `None`: the merchant entered nothing yet.
    pub async fn current(&self, merchant: MerchantId) -> Result<Option<TaxSetup>> {
        self.store.find_tax_setup(merchant, None).await
    }

    pub async fn version(&self, merchant: MerchantId, version: i64) -> Result<Option<TaxSetup>> {
        self.store.find_tax_setup(merchant, Some(version)).await
    }

    /// Newest first: version, who entered it and when.
    pub async fn versions(&self, merchant: MerchantId) -> Result<Vec<(i64, String, i64)>> {
        self.store.list_tax_setups(merchant).await
    }

    /// Checks the fields and keeps them as the next version; the same as the newest again changes nothing. `by`: the
    /// credential. Refuses with every wrong field.
    pub async fn put(
        &self,
        merchant: &Merchant,
        fields: TaxFields,
        by: &str,
    ) -> Result<Result<TaxSetup, Vec<FieldProblem>>> {
        let wrong = fields.check(merchant.currency);
        if !wrong.is_empty() {
            return Ok(Err(wrong));
        }
        if let Some(current) = self.current(merchant.id).await?
            && current.fields == fields
        {
            return Ok(Ok(current));
        }
        let mut setup = TaxSetup {
            merchant: merchant.id,
            version: 0,
            fields,
            entered_by: by.to_owned(),
            entered_at: self.env.now_ms(),
        };
        setup.version = self.store.insert_tax_setup(&setup).await?;
        Ok(Ok(setup))
    }

    /// The page of an invoice that never was, as PDF. The fields need not be kept yet;
    /// refuses with every wrong one.
    pub async fn preview(
        &self,
        fields: TaxFields,
        currency: Currency,
        on: Date,
    ) -> Result<std::result::Result<Vec<u8>, Vec<FieldProblem>>> {
        let wrong = fields.check(currency);
        let Some(rate) = fields.rates.first().filter(|_| wrong.is_empty()) else {
            return Ok(Err(wrong));
        };
        let sample = Sample {
            amount: Money::new(10_000, currency),
            rate: &rate.name,
            on,
        };
        let document = draft::sample(&fields, &sample);
        let options = PageOptions {
            language: fields.language,
            written_on: on,
        };
        let drawing = tokio::task::spawn_blocking(move || pdf::pages(&document, options));
        let drawn = drawing.await.map_err(PlatformError::internal)?;
        Ok(Ok(drawn.map_err(PlatformError::internal)?.pdf))
    }
}

#[cfg(test)]
mod tests {
    use onescan_einvoice::Decimal;
    use onescan_einvoice::invoice::VatCategory;

    use super::*;

    fn cafe() -> TaxFields {
        TaxFields {
            legal_name: "Nordlicht GmbH".to_owned(),
            street: "Marktplatz 1".to_owned(),
            city: "Köln".to_owned(),
            postcode: "50667".to_owned(),
            vat_id: Some("DE123456789".to_owned()),
            rates: vec![TaxRate {
                name: "food".to_owned(),
                vat: Vat::standard(Decimal::whole(7)),
                reason: None,
                reason_code: None,
            }],
            ..TaxFields::empty("DE")
        }
    }

    fn check(change: impl FnOnce(&mut TaxFields), expected: &str) {
        let mut fields = cafe();
        change(&mut fields);
        let wrong = fields.check(Currency::EUR);
        let names: Vec<String> = wrong.iter().map(|(field, _)| field.clone()).collect();
        assert_eq!(names.join(" "), expected, "{wrong:?}");
    }

    #[test]
    fn s20_a_setup_names_every_wrong_field() {
        check(|_| {}, "");
        check(|fields| fields.city.clear(), "city");
        check(|fields| fields.vat_id = None, "vat_id");
        check(|fields| fields.vat_id = Some("DE12".to_owned()), "vat_id");
        check(
            |fields| fields.credit_code = Some("91310115MA1K000004".to_owned()),
            "credit_code",
        );
        check(|fields| fields.rates.clear(), "rates");
        check(|fields| fields.rates[0].vat.percent = Decimal::ZERO, "rates[0]");
        check(
            |fields| fields.rates[0].vat = Vat::untaxed(VatCategory::Exempt),
            "rates[0].reason",
        );
        check(|fields| fields.country = "Deutschland".to_owned(), "country");
        check(|fields| fields.logo = Some(b"GIF89a".to_vec()), "logo");
        check(
            |fields| fields.numbering.credit_prefix = "RE-9".to_owned(),
            "numbering.credit_prefix",
        );
        check(|fields| fields.numbering.width = 0, "numbering.width");
    }

    #[test]
    fn s20_an_iban_has_its_check_digits() {
        for right in [
            "DE02120300000000202051",
            "GB29 NWBK 6016 1331 9268 19",
            "NO9386011117947",
        ] {
            assert!(is_iban(right), "{right}");
        }
        for wrong in [
            "DE02120300000000202052",
            "DE",
            "",
            "0002120300000000202051",
            "DE0212030000000020205ß",
        ] {
            assert!(!is_iban(wrong), "{wrong}");
        }
    }
}
