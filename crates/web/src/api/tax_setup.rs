//! A merchant's tax set-up: what stands on its invoices, and who issues them. Row S20.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use onescan_platforms::invoicing::{Decimal, Numbering, Vat, VatCategory, YearInNumber};
use onescan_platforms::merchants::tax::{
    BankAccount, FieldProblem, InvoicingMode, TaxFields, TaxRate, TaxSetup, language_tag, parse_language,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, get, post, put};
use super::extract::Json;
use super::wire::{ListOf, MerchantRef, Moment, Wrong};
use crate::AppState;
use crate::auth::{AsMerchant, AsMerchantReader};
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let all = [
        get("/v1/merchants/{merchant}/tax-setup", show)
            .says("getTaxSetup", "What stands on the merchant's invoices")
            .caller(Caller::MerchantReader)
            .answers::<TaxSetupView>(StatusCode::OK, "The newest version"),
        put("/v1/merchants/{merchant}/tax-setup", enter)
            .says("putTaxSetup", "Enter what stands on the merchant's invoices")
            .about(
                "Everything is checked now, so that issuing cannot fail later. Kept as a new version; documents that were applied \
                 for follow the version of that time. The same again changes nothing.",
            )
            .caller(Caller::Merchant)
            .takes::<TaxSetupBody>()
            .answers::<TaxSetupView>(StatusCode::OK, "The new version")
            .refuses(&[Code::InvalidFields]),
        get("/v1/merchants/{merchant}/tax-setup/versions", versions)
            .says("listTaxSetups", "Who changed the tax set-up, and when")
            .caller(Caller::Merchant)
            .answers::<ListOf<TaxVersionView>>(StatusCode::OK, "All versions, newest first"),
        post("/v1/merchants/{merchant}/tax-setup/preview", preview)
            .says("previewTaxSetup", "The page of an invoice that never was")
            .about("Nothing is kept; the fields are checked as if they were.")
            .caller(Caller::Merchant)
            .takes::<TaxSetupBody>()
            .answers_file("application/pdf", "The page")
            .refuses(&[Code::InvalidFields]),
    ];
    all.into_iter().map(|endpoint| endpoint.tag("merchants")).collect()
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "legal_name": "Nordlicht GmbH", "street": "Marktplatz 1", "city": "Köln", "postcode": "50667", "country": "DE",
    "vat_id": "DE123456789", "email": "rechnung@nordlicht.example", "phone": "+49 221 123456", "language": "de",
    "numbering": {"prefix": "RE-", "credit_prefix": "GS-", "with_year": true, "width": 6},
    "rates": [{"name": "food", "category": "S", "percent": "7"}], "mode": "on_request",
    "bank": {"iban": "DE02120300000000202051"}
}))]
pub struct TaxSetupBody {
    #[schema(min_length = 1, max_length = 200)]
    legal_name: String,
    #[schema(min_length = 1, max_length = 200)]
    street: String,
    #[schema(min_length = 1, max_length = 100)]
    city: String,
    #[schema(min_length = 1, max_length = 20)]
    postcode: String,
    /// ISO 3166-1, two capital letters.
    #[schema(pattern = "^[A-Z]{2}$")]
    country: String,
    /// With the country's letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20)]
    vat_id: Option<String>,
    /// The local tax number, where there is no VAT id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 30)]
    tax_number: Option<String>,
    /// The unified social credit code of a seller in China.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 18)]
    credit_code: Option<String>,
    /// Where buyers may ask; XRechnung and Peppol need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 254)]
    email: Option<String>,
    /// XRechnung needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    phone: Option<String>,
    numbering: NumberingBody,
    /// Of the pages: `en`, `de` or `zh`.
    #[schema(example = "de")]
    language: String,
    /// One per article group; the first is the default. Prices are the till's, with tax.
    #[schema(min_items = 1, max_items = 50)]
    rates: Vec<RateBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank: Option<BankBody>,
    /// `own`: your system issues and reports the number. `on_request`: issued here when a terminal applies. `automatic`:
    /// issued here after every payment whose buyer entered details.
    #[schema(example = "on_request")]
    mode: String,
    /// PNG of at most 256 KiB, in Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    logo: Option<String>,
}

/// `RE-2026-000042`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "InvoiceNumbering")]
struct NumberingBody {
    /// 0 to 12 letters, digits, `-` and `/`.
    #[schema(max_length = 12)]
    prefix: String,
    /// Credit notes count by themselves when it differs from `prefix`.
    #[schema(max_length = 12)]
    credit_prefix: String,
    /// Whether the year stands in the number; then each year counts from 1.
    with_year: bool,
    /// Digits of the running number.
    #[schema(minimum = 1, maximum = 12)]
    width: u8,
}

/// The rate of an article group.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "TaxRate")]
struct RateBody {
    /// What tills name it by, unique.
    #[schema(min_length = 1, max_length = 40, example = "food")]
    name: String,
    /// `S` taxed, `Z` zero-rated, `E` exempt or small business, `AE` reverse charge, `K` within the European Community, `G`
    /// export, `O` outside the tax.
    #[schema(example = "S")]
    category: String,
    /// At most two decimals; `0` but for `S`.
    #[schema(example = "7")]
    percent: String,
    /// Why no tax is charged; needed for all but `S` and `Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    reason: Option<String>,
    /// A code of the VATEX list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 30)]
    reason_code: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "BankAccount")]
struct BankBody {
    /// An IBAN; for a seller in China the number of the account.
    #[schema(max_length = 42, example = "DE02120300000000202051")]
    iban: String,
    /// The bank's own name; the page in fapiao form shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 11)]
    bic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    holder: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "TaxSetup")]
struct TaxSetupView {
    merchant: MerchantRef,
    version: i64,
    entered_at: Moment,
    /// What was entered; may be sent back as it is.
    setup: TaxSetupBody,
}

/// A version of the tax set-up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "TaxSetupVersion")]
struct TaxVersionView {
    version: i64,
    /// The credential that entered it.
    entered_by: String,
    entered_at: Moment,
}

impl TaxSetupBody {
    /// Texts trimmed and bounded, names read; what the fields mean is checked by the use case.
    pub fn read(self) -> Result<TaxFields, Problem> {
        let mut wrong = Wrong::default();
        let mut rates = Vec::with_capacity(self.rates.len());
        for (index, rate) in self.rates.iter().enumerate() {
            let category = VatCategory::parse(&rate.category);
            let percent = Decimal::parse(&rate.percent).filter(|percent| !percent.is_negative());
            if category.is_none() {
                wrong.add(format!("rates[{index}].category"), "use S, Z, E, AE, K, G or O");
            }
            if percent.is_none() {
                wrong.add(format!("rates[{index}].percent"), "not a decimal number from 0");
            }
            rates.push(TaxRate {
                name: wrong.line("rates.name", &rate.name, 40),
                vat: Vat {
                    category: category.unwrap_or(VatCategory::Standard),
                    percent: percent.unwrap_or(Decimal::ZERO),
                },
                reason: wrong.optional_line("rates.reason", rate.reason.as_deref(), 200),
                reason_code: wrong.optional_line("rates.reason_code", rate.reason_code.as_deref(), 30),
            });
        }
        let language = parse_language(&self.language);
        if language.is_none() {
            wrong.add("language", "use en, de or zh");
        }
        let mode = InvoicingMode::parse(&self.mode);
        if mode.is_none() {
            wrong.add("mode", "use own, on_request or automatic");
        }
        let logo = self.logo.as_deref().map(|text| STANDARD.decode(text));
        let logo = logo.transpose().unwrap_or_else(|_| {
            wrong.add("logo", "not Base64");
            None
        });
        let bank = self.bank.as_ref().map(|bank| BankAccount {
            iban: wrong.line("bank.iban", &bank.iban, 42),
            name: wrong.optional_line("bank.name", bank.name.as_deref(), 100),
            bic: wrong.optional_line("bank.bic", bank.bic.as_deref(), 11),
            holder: wrong.optional_line("bank.holder", bank.holder.as_deref(), 100),
        });
        let fields = TaxFields {
            legal_name: wrong.line("legal_name", &self.legal_name, 200),
            street: wrong.line("street", &self.street, 200),
            city: wrong.line("city", &self.city, 100),
            postcode: wrong.line("postcode", &self.postcode, 20),
            country: self.country,
            vat_id: wrong.optional_line("vat_id", self.vat_id.as_deref(), 20),
            tax_number: wrong.optional_line("tax_number", self.tax_number.as_deref(), 30),
            credit_code: wrong.optional_line("credit_code", self.credit_code.as_deref(), 18),
            email: wrong.optional_line("email", self.email.as_deref(), 254),
            phone: wrong.optional_line("phone", self.phone.as_deref(), 40),
            numbering: Numbering {
                prefix: self.numbering.prefix,
                credit_prefix: self.numbering.credit_prefix,
                year: match self.numbering.with_year {
                    true => YearInNumber::With,
                    false => YearInNumber::Without,
                },
                width: self.numbering.width,
            },
            language: language.unwrap_or(onescan_platforms::invoicing::Language::English),
            rates,
            bank,
            mode: mode.unwrap_or_default(),
            logo,
        };
        wrong.finish()?;
        Ok(fields)
    }

    pub fn of(fields: TaxFields) -> Self {
        let rate = |rate: TaxRate| RateBody {
            name: rate.name,
            category: rate.vat.category.code().to_owned(),
            percent: rate.vat.percent.to_string(),
            reason: rate.reason,
            reason_code: rate.reason_code,
        };
        Self {
            legal_name: fields.legal_name,
            street: fields.street,
            city: fields.city,
            postcode: fields.postcode,
            country: fields.country,
            vat_id: fields.vat_id,
            tax_number: fields.tax_number,
            credit_code: fields.credit_code,
            email: fields.email,
            phone: fields.phone,
            numbering: NumberingBody {
                prefix: fields.numbering.prefix,
                credit_prefix: fields.numbering.credit_prefix,
                with_year: fields.numbering.year == YearInNumber::With,
                width: fields.numbering.width,
            },
            language: language_tag(fields.language).to_owned(),
            rates: fields.rates.into_iter().map(rate).collect(),
            bank: fields.bank.map(|bank| BankBody {
                iban: bank.iban,
                name: bank.name,
                bic: bank.bic,
                holder: bank.holder,
            }),
            mode: fields.mode.name().to_owned(),
            logo: fields.logo.map(|logo| STANDARD.encode(logo)),
        }
    }
}

impl From<TaxSetup> for TaxSetupView {
    fn from(setup: TaxSetup) -> Self {
        Self {
            merchant: super::wire::Id(setup.merchant),
            version: setup.version,
            entered_at: Moment(setup.entered_at),
            setup: TaxSetupBody::of(setup.fields),
        }
    }
}

fn wrong_fields(problems: Vec<FieldProblem>) -> Problem {
    let mut wrong = Wrong::default();
    for (field, problem) in &problems {
        wrong.add(field.clone(), problem);
    }
    wrong
        .finish()
        .err()
        .unwrap_or_else(|| Problem::invalid("legal_name", "is missing"))
}

async fn show(merchant: AsMerchantReader, State(state): State<AppState>) -> Result<Json<TaxSetupView>, Problem> {
    let setup = state.services.taxes.current(merchant.id).await?;
    Ok(Json(setup.ok_or_else(|| Problem::not_found("tax set-up"))?.into()))
}

async fn enter(
    merchant: AsMerchant,
    State(state): State<AppState>,
    Json(body): Json<TaxSetupBody>,
) -> Result<Json<TaxSetupView>, Problem> {
    let fields = body.read()?;
    let by = merchant.caller().to_owned();
    let setup = state.services.taxes.put(&merchant, fields, &by).await?;
    Ok(Json(setup.map_err(wrong_fields)?.into()))
}

async fn versions(
    merchant: AsMerchant,
    State(state): State<AppState>,
) -> Result<Json<ListOf<TaxVersionView>>, Problem> {
    let versions = state.services.taxes.versions(merchant.id).await?;
    let view = |(version, entered_by, entered_at)| TaxVersionView {
        version,
        entered_by,
        entered_at: Moment(entered_at),
    };
    Ok(Json(ListOf::whole(versions.into_iter().map(view).collect())))
}

async fn preview(
    merchant: AsMerchant,
    State(state): State<AppState>,
    Json(body): Json<TaxSetupBody>,
) -> Result<Response, Problem> {
    let fields = body.read()?;
    let today = state.services.processing.today();
    let drawn = state.services.taxes.preview(fields, merchant.currency, today).await?;
    let pdf = drawn.map_err(wrong_fields)?;
    Ok(([(CONTENT_TYPE, "application/pdf")], pdf).into_response())
}
