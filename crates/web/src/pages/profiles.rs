//! Invoice profiles of a person's own code record: list, add, change, remove. Row S06.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use onescan_domain::codes::{CodeRecord, Scenario};
use onescan_domain::ids::ProfileId;
use onescan_domain::profiles::{DeliveryChannel, InvoiceProfile, ProfileFieldError, ProfileFields, TitleKind};
use onescan_domain::text;
use onescan_platforms::profiles::NewProfile;
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
    address: String,
    telephone: String,
    bank_name: String,
    bank_account: String,
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
                "address" => typed.address = value,
                "telephone" => typed.telephone = value,
                "bank_name" => typed.bank_name = value,
                "bank_account" => typed.bank_account = value,
                "email" => typed.email = value,
                "scenario" => typed.scenarios.push(value),
                "preferred" => typed.preferred = true,
                _ => {}
            }
        }
        typed
    }

    fn of(profile: &InvoiceProfile) -> Self {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let fields = &profile.fields;
        Self {
            kind: fields.title_kind.name().to_owned(),
            title: fields.title.clone(),
            tax_number: text(&fields.tax_number),
            address: text(&fields.address),
            telephone: text(&fields.telephone),
            bank_name: text(&fields.bank_name),
            bank_account: text(&fields.bank_account),
            email: match &fields.channel {
                DeliveryChannel::Inbox => String::new(),
                DeliveryChannel::Email(address) => address.clone(),
            },
            scenarios: profile.scenarios.iter().map(ToString::to_string).collect(),
            preferred: profile.preferred,
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
            address: optional("address", &self.address, 200),
            telephone: optional("telephone", &self.telephone, 40),
            bank_name: optional("bank_name", &self.bank_name, 100),
            bank_account: optional("bank_account", &self.bank_account, 40),
            channel: optional("email", &self.email, 254).map_or(DeliveryChannel::Inbox, DeliveryChannel::Email),
        };
        if title.is_none() && problems.is_empty() {
            problems.push(Problem {
                field: "title",
                text: page.t("text-empty"),
            });
        }
        problems.extend(fields.check().into_iter().map(|(field, error)| Problem {
            field,
            text: field_problem(page, error),
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

fn field_problem(page: &Page, error: ProfileFieldError) -> String {
    page.t(match error {
        ProfileFieldError::TaxNumberMissing => "tax-number-missing",
        ProfileFieldError::TaxNumberShape => "tax-number-shape",
        ProfileFieldError::EmailShape => "email-shape",
    })
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
