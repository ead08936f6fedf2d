//! One kind of travel: its code and name, what an application must tell, and who approves. Row R01.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use onescan_domain::rides::application::{
    Approval, AutoApproval, FieldKind, FormAfterRefund, FormField, Presence, TravelType,
};
use onescan_platforms::rides::{NewTravelType, TypeRefusal};
use serde::Deserialize;

use super::super::error::{PageError, PageResult};
use super::super::page::Page;
use super::super::{html, html_with, text_problem};
use super::AdministratorVisit;
use crate::AppState;

#[derive(Template)]
#[template(path = "travel_kind.html")]
struct KindPage<'a> {
    page: &'a Page,
    visit: &'a AdministratorVisit,
    /// Where the form goes.
    action: String,
    form: KindForm,
    fields: Vec<FieldRow>,
    problem: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct KindForm {
    code: String,
    name: String,
    /// `none`, `administrators` or `automatic`.
    approval: String,
    rides_max: String,
    days_max: String,
    cities: String,
    /// Present: given back.
    refund: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct FieldRow {
    name: String,
    label: String,
    kind: String,
    required: bool,
    choices: String,
}

/// Rows of the form, those that are empty included.
const FIELDS: usize = 8;
const DAY_MS: i64 = 86_400_000;

fn words(text: &str) -> Vec<String> {
    let words = text.split([',', '，', '、']).map(str::trim);
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

impl KindForm {
    fn of(kind: &TravelType) -> (Self, Vec<FieldRow>) {
        let mut form = Self {
            code: kind.code.clone(),
            name: kind.name.clone(),
            approval: "none".to_owned(),
            refund: (kind.refund == FormAfterRefund::GivenBack).then(|| "on".to_owned()),
            ..Self::default()
        };
        if let Approval::Administrators { automatic } = &kind.approval {
            "administrators".clone_into(&mut form.approval);
            if let Some(rule) = automatic {
                let number = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
                "automatic".clone_into(&mut form.approval);
                form.rides_max = number(rule.rides_max);
                form.days_max = number(rule.validity_ms_max.map(|ms| ms / DAY_MS));
                form.cities = rule.cities.join(", ");
            }
        }
        let rows = kind.form.iter().map(|field| {
            let (kind, choices) = match &field.kind {
                FieldKind::Text => ("text", String::new()),
                FieldKind::Number => ("number", String::new()),
                FieldKind::Date => ("date", String::new()),
                FieldKind::Choice(choices) => ("choice", choices.join(", ")),
            };
            FieldRow {
                name: field.name.clone(),
                label: field.label.clone(),
                kind: kind.to_owned(),
                required: field.presence == Presence::Required,
                choices,
            }
        });
        let rows = rows.collect();
        (form, rows)
    }

    fn rows(&self) -> Vec<FieldRow> {
        let text = |part: &str, row: usize| self.rest.get(&format!("{part}_{row}")).cloned().unwrap_or_default();
        let row = |row| FieldRow {
            name: text("field_name", row).trim().to_owned(),
            label: text("field_label", row).trim().to_owned(),
            kind: text("field_kind", row),
            required: self.rest.contains_key(&format!("field_required_{row}")),
            choices: text("field_choices", row),
        };
        (0..FIELDS).map(row).collect()
    }

    /// `Err`: what is wrong, in the page's language.
    fn read(&self, page: &Page) -> Result<NewTravelType, String> {
        let number = |text: &str| match text.trim() {
            "" => Ok(None),
            text => {
                let number = text.parse::<i64>().ok().filter(|number| (1..=2_000).contains(number));
                number.map(Some).ok_or_else(|| page.t("travel-number-wrong"))
            }
        };
        let mut form = Vec::new();
        for row in self
            .rows()
            .into_iter()
            .filter(|row| !row.name.is_empty() || !row.label.is_empty())
        {
            let choices = words(&row.choices);
            form.push(FormField {
                kind: match row.kind.as_str() {
                    "number" => FieldKind::Number,
                    "date" => FieldKind::Date,
                    "choice" if choices.is_empty() => return Err(page.t("travel-choices-missing")),
                    "choice" => FieldKind::Choice(choices),
                    _ => FieldKind::Text,
                },
                name: row.name,
                label: row.label,
                presence: match row.required {
                    true => Presence::Required,
                    false => Presence::Optional,
                },
            });
        }
        let approval = match self.approval.as_str() {
            "administrators" => Approval::Administrators { automatic: None },
            "automatic" => Approval::Administrators {
                automatic: Some(AutoApproval {
                    rides_max: number(&self.rides_max)?,
                    validity_ms_max: number(&self.days_max)?.map(|days| days * DAY_MS),
                    cities: words(&self.cities),
                }),
            },
            _ => Approval::NotNeeded,
        };
        Ok(NewTravelType {
            code: self.code.trim().to_owned(),
            name: self.name.clone(),
            form,
            approval,
            refund: match self.refund {
                Some(_) => FormAfterRefund::GivenBack,
                None => FormAfterRefund::StaysUsed,
            },
        })
    }
}

fn refusal_text(page: &Page, refusal: &TypeRefusal) -> String {
    match refusal {
        TypeRefusal::Text { field, error } => {
            let label = if *field == "name" { "travel-name" } else { "travel-form" };
            format!("{}: {}", page.t(label), text_problem(page, error))
        }
        TypeRefusal::Code => page.t("travel-code-wrong"),
        TypeRefusal::FieldName { name } => page.with("travel-field-wrong", "name", name),
        TypeRefusal::CodeTaken => page.t("travel-code-taken"),
        TypeRefusal::Unknown => refusal.to_string(),
    }
}

fn kind_page<'a>(
    visit: &'a AdministratorVisit,
    action: String,
    form: KindForm,
    mut fields: Vec<FieldRow>,
    problem: Option<String>,
) -> KindPage<'a> {
    fields.resize_with(FIELDS.max(fields.len()), FieldRow::default);
    KindPage {
        page: &visit.page,
        visit,
        action,
        form,
        fields,
        problem,
    }
}

fn new_address(visit: &AdministratorVisit) -> String {
    format!("/travel/{}/types", visit.institution.id)
}

pub async fn show_new(visit: AdministratorVisit) -> PageResult {
    html(&kind_page(
        &visit,
        new_address(&visit),
        KindForm::default(),
        Vec::new(),
        None,
    ))
}

async fn kind_of(state: &AppState, visit: &AdministratorVisit, id: &str) -> PageResult<TravelType> {
    let id = id.parse().map_err(|_| PageError::NotFound)?;
    let found = state.services.rides.type_of(visit.institution.id, id).await?;
    found.ok_or(PageError::NotFound)
}

fn edit_address(visit: &AdministratorVisit, kind: &TravelType) -> String {
    format!("/travel/{}/types/{}/edit", visit.institution.id, kind.id)
}

pub async fn show(
    State(state): State<AppState>,
    visit: AdministratorVisit,
    Path((_, id)): Path<(String, String)>,
) -> PageResult {
    let kind = kind_of(&state, &visit, &id).await?;
    let (form, fields) = KindForm::of(&kind);
    html(&kind_page(&visit, edit_address(&visit, &kind), form, fields, None))
}

pub async fn add(State(state): State<AppState>, visit: AdministratorVisit, Form(form): Form<KindForm>) -> PageResult {
    let added = match form.read(&visit.page) {
        Ok(new) => state.services.rides.add_type(visit.institution.id, new).await?,
        Err(problem) => return again(&visit, new_address(&visit), form, problem),
    };
    match added {
        Ok(kind) => Ok(saved(&visit, &kind)),
        Err(refusal) => {
            let problem = refusal_text(&visit.page, &refusal);
            again(&visit, new_address(&visit), form, problem)
        }
    }
}

pub async fn change(
    State(state): State<AppState>,
    visit: AdministratorVisit,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<KindForm>,
) -> PageResult {
    let kind = kind_of(&state, &visit, &id).await?;
    let changed = match form.read(&visit.page) {
        Ok(new) => {
            state
                .services
                .rides
                .change_type(visit.institution.id, kind.id, new)
                .await?
        }
        Err(problem) => return again(&visit, edit_address(&visit, &kind), form, problem),
    };
    match changed {
        Ok(kind) => Ok(saved(&visit, &kind)),
        Err(refusal) => {
            let problem = refusal_text(&visit.page, &refusal);
            again(&visit, edit_address(&visit, &kind), form, problem)
        }
    }
}

fn saved(visit: &AdministratorVisit, kind: &TravelType) -> axum::response::Response {
    Redirect::to(&format!(
        "/travel/{}/types/{}?done=saved",
        visit.institution.id, kind.id
    ))
    .into_response()
}

fn again(visit: &AdministratorVisit, action: String, form: KindForm, problem: String) -> PageResult {
    let fields = form.rows();
    html_with(
        StatusCode::UNPROCESSABLE_ENTITY,
        &kind_page(visit, action, form, fields, Some(problem)),
    )
}
