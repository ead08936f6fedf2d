//! Invoice profiles of a person's own code record: list, add, change, remove. Row S06.

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Redirect, Response};
use onescan_domain::codes::{CodeRecord, Scenario};
use onescan_domain::ids::ProfileId;
use onescan_domain::profiles::{DeliveryChannel, InvoiceProfile, ProfileFieldError, ProfileFields, TitleKind};
use onescan_domain::tax_ids::ElectronicAddressError;
use onescan_domain::tax_ids::credit_code::CreditCodeError;
use onescan_domain::tax_ids::lists::COUNTRIES;
use onescan_domain::tax_ids::vat_id::VatIdError;
use onescan_domain::text;
use onescan_platforms::error::PlatformError;
use onescan_platforms::profiles::{NewProfile, drafts};
use serde::Deserialize;

use super::error::{PageError, PageResult};
use super::page::Page;
use super::visit::PersonVisit;
use super::{html, html_with, text_problem};
use crate::AppState;

struct Listed {
    profile: InvoiceProfile,
    /// Names of the scenarios it is tied to.
    scenarios: Vec<String>,
}

#[derive(Template)]
#[template(path = "profiles.html")]
struct ProfilesPage<'a> {
    page: &'a Page,
    enabled: bool,
    profiles: Vec<Listed>,
}

pub async fn list(State(state): State<AppState>, visit: PersonVisit) -> PageResult {
    let record = state.services.codes.record_of_person(visit.person.id).await?;
    let mut profiles = Vec::new();
    if let Some(record) = &record {
        let scenarios = scenarios(&state, record).await?;
        for profile in state.services.profiles.list(record.bucket, &record.id).await? {
            let tied = scenarios
                .iter()
                .filter(|scenario| profile.scenarios.contains(&scenario.id));
            let names = tied.map(|scenario| scenario.name.clone()).collect();
            profiles.push(Listed {
                profile,
                scenarios: names,
            });
        }
    }
    html(&ProfilesPage {
        page: &visit.page,
        enabled: record.is_some(),
        profiles,
    })
}

async fn own_record(state: &AppState, visit: &PersonVisit) -> PageResult<CodeRecord> {
    let record = state.services.codes.record_of_person(visit.person.id).await?;
    record.ok_or(PageError::NotFound)
}

async fn scenarios(state: &AppState, record: &CodeRecord) -> PageResult<Vec<Scenario>> {
    Ok(state.services.codes.scenarios(record.bucket, &record.id).await?)
}

/// The form as it was typed.
#[derive(Debug, Clone, Default)]
struct Typed {
    kind: String,
    title: String,
    tax_number: String,
    vat_id: String,
    address: String,
    postcode: String,
    city: String,
    country: String,
    telephone: String,
    bank_name: String,
    bank_account: String,
    electronic_address: String,
    buyer_reference: String,
    email: String,
    scenarios: Vec<String>,
    preferred: bool,
}

impl Typed {
    /// A form sends one pair for each checked scenario, which `serde` structs cannot hold.
    fn read(pairs: Vec<(String, String)>) -> Self {
        let mut typed = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "kind" => typed.kind = value,
                "title" => typed.title = value,
                "tax_number" => typed.tax_number = value,
                "vat_id" => typed.vat_id = value,
                "address" => typed.address = value,
                "postcode" => typed.postcode = value,
                "city" => typed.city = value,
                "country" => typed.country = value,
                "telephone" => typed.telephone = value,
                "bank_name" => typed.bank_name = value,
                "bank_account" => typed.bank_account = value,
                "electronic_address" => typed.electronic_address = value,
                "buyer_reference" => typed.buyer_reference = value,
                "email" => typed.email = value,
                "scenario" => typed.scenarios.push(value),
                "preferred" => typed.preferred = true,
                _ => {}
            }
        }
        typed
    }

    fn of(profile: &InvoiceProfile) -> Self {
        Self {
            scenarios: profile.scenarios.iter().map(ToString::to_string).collect(),
            preferred: profile.preferred,
            ..Self::of_fields(&profile.fields)
        }
    }

    fn of_fields(fields: &ProfileFields) -> Self {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Self {
            kind: fields.title_kind.name().to_owned(),
            title: fields.title.clone(),
            tax_number: text(&fields.tax_number),
            vat_id: text(&fields.vat_id),
            address: text(&fields.address),
            postcode: text(&fields.postcode),
            city: text(&fields.city),
            country: text(&fields.country),
            telephone: text(&fields.telephone),
            bank_name: text(&fields.bank_name),
            bank_account: text(&fields.bank_account),
            electronic_address: text(&fields.electronic_address),
            buyer_reference: text(&fields.buyer_reference),
            email: match &fields.channel {
                DeliveryChannel::Inbox => String::new(),
                DeliveryChannel::Email(address) => address.clone(),
            },
            ..Self::default()
        }
    }

    /// Every wrong field at once, with the sentence that stands below it.
    fn check(&self, page: &Page, known: &[Scenario]) -> Result<NewProfile, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut optional = |field: &'static str, value: &str, max: usize| {
            text::optional_line(Some(value), max).unwrap_or_else(|error| {
                problems.push(Problem {
                    field,
                    text: text_problem(page, &error),
                });
                None
            })
        };
        let title = optional("title", &self.title, 100);
        let fields = ProfileFields {
            title_kind: TitleKind::parse(&self.kind).unwrap_or(TitleKind::Personal),
            title: title.clone().unwrap_or_default(),
            tax_number: optional("tax_number", &self.tax_number.replace(' ', "").to_uppercase(), 20),
            vat_id: optional("vat_id", &self.vat_id, 30),
            address: optional("address", &self.address, 200),
            postcode: optional("postcode", &self.postcode, 20),
            city: optional("city", &self.city, 100),
            country: optional("country", &self.country, 2),
            telephone: optional("telephone", &self.telephone, 40),
            bank_name: optional("bank_name", &self.bank_name, 100),
            bank_account: optional("bank_account", &self.bank_account, 64),
            electronic_address: optional("electronic_address", &self.electronic_address, 100),
            buyer_reference: optional("buyer_reference", &self.buyer_reference, 100),
            channel: optional("email", &self.email, 254).map_or(DeliveryChannel::Inbox, DeliveryChannel::Email),
        }
        .tidied();
        if title.is_none() && problems.is_empty() {
            problems.push(Problem {
                field: "title",
                text: page.t("text-empty"),
            });
        }
        problems.extend(fields.check().into_iter().map(|(field, error)| Problem {
            field,
            text: field_problem(page, &error),
        }));
        let is_tied = |scenario: &&Scenario| self.scenarios.contains(&scenario.id.to_string());
        let scenarios = known.iter().filter(is_tied).map(|scenario| scenario.id).collect();
        match problems.is_empty() {
            true => Ok(NewProfile {
                fields,
                scenarios,
                preferred: self.preferred,
            }),
            false => Err(problems),
        }
    }
}

struct Problem {
    field: &'static str,
    text: String,
}

fn field_problem(page: &Page, error: &ProfileFieldError) -> String {
    match error {
        ProfileFieldError::TaxNumberMissing => page.t("tax-number-missing"),
        ProfileFieldError::TaxNumberShape => page.t("tax-number-shape"),
        ProfileFieldError::CreditCode(error) => credit_code_problem(page, error),
        ProfileFieldError::VatId(error) => vat_id_problem(page, error),
        ProfileFieldError::CountryUnknown => page.t("country-unknown"),
        ProfileFieldError::ElectronicAddress(error) => match error {
            ElectronicAddressError::NoScheme => page.t("electronic-address-scheme"),
            ElectronicAddressError::UnknownScheme { scheme } => {
                page.with("electronic-address-unknown", "scheme", scheme)
            }
            ElectronicAddressError::Value => page.t("electronic-address-value"),
        },
        ProfileFieldError::EmailShape => page.t("email-shape"),
    }
}

pub(super) fn credit_code_problem(page: &Page, error: &CreditCodeError) -> String {
    match error {
        CreditCodeError::Length { characters } => page.with("credit-code-length", "count", &characters.to_string()),
        CreditCodeError::Character { place } => page.with("credit-code-character", "place", &place.to_string()),
        CreditCodeError::Place => page.t("credit-code-place"),
        CreditCodeError::CheckCharacter { expected } => {
            page.with("credit-code-check", "expected", &expected.to_string())
        }
    }
}

pub(super) fn vat_id_problem(page: &Page, error: &VatIdError) -> String {
    match error {
        VatIdError::NoCountry => page.t("vat-id-no-country"),
        VatIdError::UnknownCountry { country } => page.with("vat-id-unknown", "country", country),
        VatIdError::Shape { country, .. } => page.with("vat-id-shape", "country", country),
    }
}

struct ScenarioBox {
    id: String,
    name: String,
    checked: bool,
}

#[derive(Template)]
#[template(path = "profile_form.html")]
struct FormPage<'a> {
    page: &'a Page,
    /// Empty for a new one.
    id: &'a str,
    typed: &'a Typed,
    scenarios: Vec<ScenarioBox>,
    problems: Vec<Problem>,
}

impl FormPage<'_> {
    fn problem(&self, field: &str) -> Option<&str> {
        let found = self.problems.iter().find(|problem| problem.field == field);
        found.map(|problem| problem.text.as_str())
    }

    /// Whether the tax administration's QR can carry it as it is kept.
    fn has_title_code(&self) -> bool {
        !self.id.is_empty() && self.typed.country == "CN"
    }

    fn countries(&self) -> Vec<&'static str> {
        COUNTRIES.split(' ').collect()
    }

    /// Whether something stands, or is wrong, in the part that is closed at first.
    fn has_more(&self) -> bool {
        let typed = self.typed;
        let more = [
            ("address", &typed.address),
            ("postcode", &typed.postcode),
            ("city", &typed.city),
            ("telephone", &typed.telephone),
            ("bank_name", &typed.bank_name),
            ("bank_account", &typed.bank_account),
            ("electronic_address", &typed.electronic_address),
            ("buyer_reference", &typed.buyer_reference),
        ];
        more.into_iter()
            .any(|(field, value)| !value.is_empty() || self.problem(field).is_some())
    }

    fn action(&self) -> String {
        if self.id.is_empty() {
            "/profiles/new".to_owned()
        } else {
            format!("/profiles/{}", self.id)
        }
    }
}

fn form<'a>(page: &'a Page, id: &'a str, typed: &'a Typed, known: &[Scenario], problems: Vec<Problem>) -> FormPage<'a> {
    let boxes = known.iter().map(|scenario| {
        let id = scenario.id.to_string();
        ScenarioBox {
            checked: typed.scenarios.contains(&id),
            name: scenario.name.clone(),
            id,
        }
    });
    FormPage {
        page,
        id,
        typed,
        scenarios: boxes.collect(),
        problems,
    }
}

/// What the way to the form may fill in.
#[derive(Debug, Deserialize)]
pub struct Prefill {
    kind: Option<String>,
}

pub async fn show_new(
    State(state): State<AppState>,
    visit: PersonVisit,
    axum::extract::Query(prefill): axum::extract::Query<Prefill>,
) -> PageResult {
    let Some(record) = state.services.codes.record_of_person(visit.person.id).await? else {
        return Ok(Redirect::to("/profiles").into_response());
    };
    let known = scenarios(&state, &record).await?;
    let typed = Typed {
        kind: prefill.kind.unwrap_or_else(|| "personal".to_owned()),
        ..Typed::default()
    };
    html(&form(&visit.page, "", &typed, &known, Vec::new()))
}

#[derive(Debug, Deserialize)]
pub struct TitleText {
    text: String,
}

/// The form, filled from the tax administration's title QR as a scanner read it.
pub async fn read_title(State(state): State<AppState>, visit: PersonVisit, Form(typed): Form<TitleText>) -> PageResult {
    let record = own_record(&state, &visit).await?;
    let known = scenarios(&state, &record).await?;
    match drafts::from_title_code(&typed.text) {
        Ok(fields) => html(&filled(&visit.page, &Typed::of_fields(&fields), &known, &fields)),
        Err(_) => unread(&visit.page, &known, "title-code-unread"),
    }
}

/// The form, filled from the buyer of the invoice that is the request's body.
pub async fn read_invoice(State(state): State<AppState>, visit: PersonVisit, body: Bytes) -> PageResult {
    let record = own_record(&state, &visit).await?;
    let known = scenarios(&state, &record).await?;
    let read = tokio::task::spawn_blocking(move || drafts::from_invoice(&body)).await;
    match read.map_err(PlatformError::internal)? {
        Ok(fields) => html(&filled(&visit.page, &Typed::of_fields(&fields), &known, &fields)),
        Err(_) => unread(&visit.page, &known, "invoice-unread"),
    }
}

/// What was read may be wrong; the form says so at once.
fn filled<'a>(page: &'a Page, typed: &'a Typed, known: &[Scenario], fields: &ProfileFields) -> FormPage<'a> {
    let wrong = fields.check().into_iter().map(|(field, error)| Problem {
        field,
        text: field_problem(page, &error),
    });
    form(page, "", typed, known, wrong.collect())
}

fn unread(page: &Page, known: &[Scenario], key: &str) -> PageResult {
    let typed = Typed {
        kind: "company".to_owned(),
        ..Typed::default()
    };
    let problem = Problem {
        field: "import",
        text: page.t(key),
    };
    refuse(&form(page, "", &typed, known, vec![problem]))
}

/// The title QR of a profile of one's own, as `qr.svg` or `qr.png`.
pub async fn title_code(
    State(state): State<AppState>,
    visit: PersonVisit,
    Path((id, name)): Path<(String, String)>,
) -> PageResult {
    let record = own_record(&state, &visit).await?;
    let profiles = state.services.profiles.list(record.bucket, &record.id).await?;
    let found = profiles.iter().find(|profile| profile.id.to_string() == id);
    let fields = &found.ok_or(PageError::NotFound)?.fields;
    let code = drafts::title_code(fields, &visit.page.t("title-code")).map_err(|_| PageError::NotFound)?;
    match name.as_str() {
        "qr.svg" => Ok(([(CONTENT_TYPE, "image/svg+xml")], code.svg).into_response()),
        "qr.png" => Ok(([(CONTENT_TYPE, "image/png")], code.png).into_response()),
        _ => Err(PageError::NotFound),
    }
}

pub async fn create(
    State(state): State<AppState>,
    visit: PersonVisit,
    Form(pairs): Form<Vec<(String, String)>>,
) -> PageResult {
    let record = own_record(&state, &visit).await?;
    let known = scenarios(&state, &record).await?;
    let typed = Typed::read(pairs);
    match typed.check(&visit.page, &known) {
        Ok(new) => {
            state.services.profiles.create(record.bucket, &record.id, new).await?;
            Ok(saved())
        }
        Err(problems) => refuse(&form(&visit.page, "", &typed, &known, problems)),
    }
}

fn saved() -> Response {
    Redirect::to("/profiles?done=profile-saved").into_response()
}

fn refuse(page: &FormPage<'_>) -> PageResult {
    html_with(StatusCode::UNPROCESSABLE_ENTITY, page)
}

pub async fn edit(State(state): State<AppState>, visit: PersonVisit, Path(id): Path<String>) -> PageResult {
    let record = own_record(&state, &visit).await?;
    let known = scenarios(&state, &record).await?;
    let profiles = state.services.profiles.list(record.bucket, &record.id).await?;
    let found = profiles.iter().find(|profile| profile.id.to_string() == id);
    let typed = Typed::of(found.ok_or(PageError::NotFound)?);
    html(&form(&visit.page, &id, &typed, &known, Vec::new()))
}

pub async fn update(
    State(state): State<AppState>,
    visit: PersonVisit,
    Path(id): Path<String>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> PageResult {
    let record = own_record(&state, &visit).await?;
    let known = scenarios(&state, &record).await?;
    let profile: ProfileId = id.parse().map_err(|_| PageError::NotFound)?;
    let typed = Typed::read(pairs);
    match typed.check(&visit.page, &known) {
        Ok(new) => {
            let updated = state
                .services
                .profiles
                .update(record.bucket, &record.id, profile, new)
                .await?;
            updated.map(|_| saved()).ok_or(PageError::NotFound)
        }
        Err(problems) => refuse(&form(&visit.page, &id, &typed, &known, problems)),
    }
}

pub async fn remove(State(state): State<AppState>, visit: PersonVisit, Path(id): Path<String>) -> PageResult {
    let record = own_record(&state, &visit).await?;
    let profile: ProfileId = id.parse().map_err(|_| PageError::NotFound)?;
    match state
        .services
        .profiles
        .remove(record.bucket, &record.id, profile)
        .await?
    {
        true => Ok(Redirect::to("/profiles?done=profile-removed").into_response()),
        false => Err(PageError::NotFound),
    }
}
