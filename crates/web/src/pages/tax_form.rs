//! The form of the tax set-up: as it was typed, and what that says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use onescan_domain::text;
use onescan_platforms::invoicing::{Decimal, Language, Numbering, Vat, VatCategory, YearInNumber};
use onescan_platforms::merchants::tax::{BankAccount, InvoicingMode, TaxFields, TaxRate, language_tag, parse_language};

use super::page::Page;
use super::text_problem;

/// A field's name and the sentence that stands below it.
pub struct Problem {
    pub field: String,
    pub text: String,
}

#[derive(Debug, Clone, Default)]
pub struct Typed {
    pub legal_name: String,
    pub street: String,
    pub postcode: String,
    pub city: String,
    pub country: String,
    pub vat_id: String,
    pub tax_number: String,
    pub credit_code: String,
    pub email: String,
    pub phone: String,
    pub iban: String,
    pub bank_name: String,
    pub bic: String,
    pub holder: String,
    pub prefix: String,
    pub credit_prefix: String,
    pub with_year: bool,
    pub width: String,
    pub language: String,
    pub mode: String,
    /// PNG in Base64; empty for none.
    pub logo: String,
    pub rates: Vec<TypedRate>,
}

#[derive(Debug, Clone, Default)]
pub struct TypedRate {
    pub name: String,
    pub category: String,
    pub percent: String,
    pub reason: String,
    pub reason_code: String,
}

impl TypedRate {
    /// A row that nobody filled in.
    fn is_blank(&self) -> bool {
        [&self.name, &self.percent, &self.reason, &self.reason_code]
            .iter()
            .all(|text| text.trim().is_empty())
    }
}

impl Typed {
    /// The form, and the button it was sent with. Rows of article groups come in order; each begins with its name.
    pub fn read(pairs: Vec<(String, String)>) -> (Self, String) {
        let mut typed = Self::default();
        let mut button = String::new();
        let mut keeps_logo = true;
        for (name, value) in pairs {
            if let Some(part) = name.strip_prefix("rate_") {
                typed.read_rate(part, value);
                continue;
            }
            match name.as_str() {
                "do" => button = value,
                "with_year" => typed.with_year = true,
                "no_logo" => keeps_logo = false,
                _ => {
                    if let Some(field) = typed.field(&name) {
                        *field = value;
                    }
                }
            }
        }
        typed.rates.retain(|rate| !rate.is_blank());
        if !keeps_logo {
            typed.logo.clear();
        }
        (typed, button)
    }

    fn field(&mut self, name: &str) -> Option<&mut String> {
        Some(match name {
            "legal_name" => &mut self.legal_name,
            "street" => &mut self.street,
            "postcode" => &mut self.postcode,
            "city" => &mut self.city,
            "country" => &mut self.country,
            "vat_id" => &mut self.vat_id,
            "tax_number" => &mut self.tax_number,
            "credit_code" => &mut self.credit_code,
            "email" => &mut self.email,
            "phone" => &mut self.phone,
            "bank.iban" => &mut self.iban,
            "bank.name" => &mut self.bank_name,
            "bank.bic" => &mut self.bic,
            "bank.holder" => &mut self.holder,
            "numbering.prefix" => &mut self.prefix,
            "numbering.credit_prefix" => &mut self.credit_prefix,
            "numbering.width" => &mut self.width,
            "language" => &mut self.language,
            "mode" => &mut self.mode,
            "logo" => &mut self.logo,
            _ => return None,
        })
    }

    fn read_rate(&mut self, part: &str, value: String) {
        if part == "name" {
            self.rates.push(TypedRate {
                name: value,
                ..TypedRate::default()
            });
            return;
        }
        let Some(rate) = self.rates.last_mut() else {
            return;
        };
        match part {
            "category" => rate.category = value,
            "percent" => rate.percent = value,
            "reason" => rate.reason = value,
            "reason_code" => rate.reason_code = value,
            _ => {}
        }
    }

    pub fn of(fields: &TaxFields) -> Self {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let bank = fields.bank.as_ref();
        let rate = |rate: &TaxRate| TypedRate {
            name: rate.name.clone(),
            category: rate.vat.category.code().to_owned(),
            percent: rate.vat.percent.to_string(),
            reason: text(&rate.reason),
            reason_code: text(&rate.reason_code),
        };
        Self {
            legal_name: fields.legal_name.clone(),
            street: fields.street.clone(),
            postcode: fields.postcode.clone(),
            city: fields.city.clone(),
            country: fields.country.clone(),
            vat_id: text(&fields.vat_id),
            tax_number: text(&fields.tax_number),
            credit_code: text(&fields.credit_code),
            email: text(&fields.email),
            phone: text(&fields.phone),
            iban: bank.map(|bank| bank.iban.clone()).unwrap_or_default(),
            bank_name: bank.and_then(|bank| bank.name.clone()).unwrap_or_default(),
            bic: bank.and_then(|bank| bank.bic.clone()).unwrap_or_default(),
            holder: bank.and_then(|bank| bank.holder.clone()).unwrap_or_default(),
            prefix: fields.numbering.prefix.clone(),
            credit_prefix: fields.numbering.credit_prefix.clone(),
            with_year: fields.numbering.year == YearInNumber::With,
            width: fields.numbering.width.to_string(),
            language: language_tag(fields.language).to_owned(),
            mode: fields.mode.name().to_owned(),
            logo: fields
                .logo
                .as_ref()
                .map(|logo| STANDARD.encode(logo))
                .unwrap_or_default(),
            rates: fields.rates.iter().map(rate).collect(),
        }
        .with_a_rate()
    }

    /// A form shows one row at least.
    fn with_a_rate(self) -> Self {
        match self.rates.is_empty() {
            true => self.with_another_rate(),
            false => self,
        }
    }

    pub fn with_another_rate(mut self) -> Self {
        self.rates.push(TypedRate {
            category: VatCategory::Standard.code().to_owned(),
            ..TypedRate::default()
        });
        self
    }

    /// Texts trimmed and bounded, names and numbers read, and what cannot be read; what they mean is checked by the use case.
    pub fn fields(&self, page: &Page) -> (TaxFields, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut line = |field: &str, value: &str, max: usize| {
            text::optional_line(Some(value), max).unwrap_or_else(|error| {
                problems.push(Problem {
                    field: field.to_owned(),
                    text: text_problem(page, &error),
                });
                None
            })
        };
        let rates: Vec<TaxRate> = self
            .rates
            .iter()
            .enumerate()
            .map(|(index, rate)| TaxRate {
                name: line(&format!("rates[{index}].name"), &rate.name, 40).unwrap_or_default(),
                vat: Vat {
                    category: VatCategory::parse(&rate.category).unwrap_or(VatCategory::Standard),
                    percent: percent(&rate.percent).unwrap_or(Decimal::ZERO),
                },
                reason: line(&format!("rates[{index}].reason"), &rate.reason, 200),
                reason_code: line(&format!("rates[{index}].reason_code"), &rate.reason_code, 30),
            })
            .collect();
        let fields = TaxFields {
            legal_name: line("legal_name", &self.legal_name, 200).unwrap_or_default(),
            street: line("street", &self.street, 200).unwrap_or_default(),
            city: line("city", &self.city, 100).unwrap_or_default(),
            postcode: line("postcode", &self.postcode, 20).unwrap_or_default(),
            country: self.country.clone(),
            vat_id: line("vat_id", &self.vat_id, 20),
            tax_number: line("tax_number", &self.tax_number, 30),
            credit_code: line("credit_code", &self.credit_code.to_uppercase(), 18),
            email: line("email", &self.email, 254),
            phone: line("phone", &self.phone, 40),
            bank: line("bank.iban", &self.iban, 42).map(|iban| BankAccount {
                iban,
                name: line("bank.name", &self.bank_name, 100),
                bic: line("bank.bic", &self.bic, 11),
                holder: line("bank.holder", &self.holder, 100),
            }),
            numbering: Numbering {
                prefix: self.prefix.trim().to_owned(),
                credit_prefix: self.credit_prefix.trim().to_owned(),
                year: match self.with_year {
                    true => YearInNumber::With,
                    false => YearInNumber::Without,
                },
                // No number reads as 0, which is refused.
                width: self.width.trim().parse().unwrap_or(0),
            },
            language: parse_language(&self.language).unwrap_or(Language::English),
            mode: InvoicingMode::parse(&self.mode).unwrap_or_default(),
            logo: None,
            rates,
        };
        let logo = self.logo(page, &mut problems);
        self.check_percents(page, &mut problems);
        (TaxFields { logo, ..fields }, problems)
    }

    fn logo(&self, page: &Page, problems: &mut Vec<Problem>) -> Option<Vec<u8>> {
        if self.logo.is_empty() {
            return None;
        }
        let read = STANDARD.decode(&self.logo).ok();
        if read.is_none() {
            problems.push(Problem {
                field: "logo".to_owned(),
                text: page.t("logo-shape"),
            });
        }
        read
    }

    fn check_percents(&self, page: &Page, problems: &mut Vec<Problem>) {
        for (index, rate) in self.rates.iter().enumerate() {
            if percent(&rate.percent).is_none() {
                problems.push(Problem {
                    field: format!("rates[{index}].percent"),
                    text: page.t("rate-percent-shape"),
                });
            }
        }
    }
}

/// `7`, `5.5`, `5,5`, `19 %`; nothing is 0.
fn percent(text: &str) -> Option<Decimal> {
    let text = text.trim().trim_end_matches('%').trim().replace(',', ".");
    match text.is_empty() {
        true => Some(Decimal::ZERO),
        false => Decimal::parse(&text).filter(|percent| !percent.is_negative()),
    }
}
