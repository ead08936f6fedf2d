//! The institution's own system that decides about rides: where it is, its secret, and what it answered. Row R05.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use onescan_domain::rides::decision::{NoAnswer, Otherwise, RideDecision};
use onescan_platforms::rides::decider::{AddressFault, Decided, QuestionKind};
use serde::Deserialize;

use super::super::error::PageResult;
use super::super::page::Page;
use super::super::{html, html_with};
use super::AdministratorVisit;
use crate::AppState;
use crate::wire::decider::secret_text;

#[derive(Template)]
#[template(path = "travel_decider.html")]
struct DeciderPage<'a> {
    page: &'a Page,
    visit: &'a AdministratorVisit,
    form: DeciderForm,
    problem: Option<String>,
    /// `None`: nobody is asked.
    secret: Option<String>,
    answers: Vec<AnswerRow>,
}

struct AnswerRow {
    at: i64,
    kind: &'static str,
    id: String,
    tone: &'static str,
    text: String,
    /// What held instead.
    held: Option<&'static str>,
    took_ms: i64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct DeciderForm {
    /// `save`, `remove`, `renew` or `test`.
    #[serde(rename = "do")]
    action: String,
    url: String,
    otherwise: String,
}

const LISTED: u32 = 20;

fn answer_row(page: &Page, decided: Decided) -> AnswerRow {
    let (tone, text, held) = match &decided.decision {
        RideDecision::Approve => ("good", page.t("decision-approve"), None),
        RideDecision::Refuse { reason } => ("bad", page.with("decision-refuse", "reason", reason), None),
        RideDecision::NoAnswer { why } => {
            let held = match decided.otherwise {
                Otherwise::OwnPolicy => "decider-held-policy",
                Otherwise::Refuse => "decider-held-refuse",
            };
            ("wait", no_answer(page, *why), Some(held))
        }
    };
    AnswerRow {
        at: decided.at,
        kind: match decided.kind {
            QuestionKind::Consultation => "decider-consultation",
            QuestionKind::Payment => "decider-payment",
            QuestionKind::Test => "decider-test",
        },
        id: decided.subject,
        tone,
        text,
        held: held.filter(|_| decided.kind != QuestionKind::Test),
        took_ms: decided.took_ms,
    }
}

fn no_answer(page: &Page, why: NoAnswer) -> String {
    match why {
        NoAnswer::TooLate => page.t("decider-too-late"),
        NoAnswer::Unreachable => page.t("decider-unreachable"),
        NoAnswer::Status(status) => page.with("decider-status", "status", &status.to_string()),
        NoAnswer::Broken => page.t("decider-broken"),
        NoAnswer::Forbidden => page.t("decider-forbidden"),
        NoAnswer::Busy => page.t("decider-busy"),
    }
}

fn fault_key(fault: AddressFault) -> &'static str {
    match fault {
        AddressFault::Shape => "decider-url-shape",
        AddressFault::Credentials => "decider-url-credentials",
        AddressFault::Plain => "decider-url-plain",
        AddressFault::Private => "decider-url-private",
    }
}

async fn decider_page<'a>(
    state: &AppState,
    visit: &'a AdministratorVisit,
    again: Option<(DeciderForm, String)>,
) -> PageResult<DeciderPage<'a>> {
    let rides = &state.services.rides;
    let decider = rides.decider(visit.institution.id).await?;
    let known = || {
        let decider = decider.as_ref();
        DeciderForm {
            url: decider.map_or_else(String::new, |decider| decider.url.clone()),
            otherwise: decider
                .map_or("own_policy", |decider| decider.otherwise.name())
                .to_owned(),
            ..DeciderForm::default()
        }
    };
    let (form, problem) = match again {
        Some((form, problem)) => (form, Some(problem)),
        None => (known(), None),
    };
    let answers = rides.decisions(visit.institution.id, LISTED).await?;
    Ok(DeciderPage {
        page: &visit.page,
        visit,
        form,
        problem,
        secret: decider
            .as_ref()
            .map(|decider| secret_text(&rides.decider_secret(decider))),
        answers: answers
            .into_iter()
            .map(|decided| answer_row(&visit.page, decided))
            .collect(),
    })
}

pub async fn show(State(state): State<AppState>, visit: AdministratorVisit) -> PageResult {
    html(&decider_page(&state, &visit, None).await?)
}

pub async fn act(
    State(state): State<AppState>,
    visit: AdministratorVisit,
    Form(form): Form<DeciderForm>,
) -> PageResult {
    let (rides, institution) = (&state.services.rides, visit.institution.id);
    let done = match form.action.as_str() {
        "remove" => {
            rides.remove_decider(institution).await?;
            "removed"
        }
        "renew" => {
            rides.renew_decider_secret(institution).await?;
            "saved"
        }
        "test" => {
            rides.try_decider(institution).await?;
            "asked"
        }
        _ => {
            let otherwise = Otherwise::parse(&form.otherwise).unwrap_or_default();
            match rides.put_decider(institution, &form.url, otherwise).await? {
                Ok(_) => "saved",
                Err(fault) => {
                    let problem = visit.page.t(fault_key(fault));
                    let page = decider_page(&state, &visit, Some((form, problem))).await?;
                    return html_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
                }
            }
        }
    };
    Ok(Redirect::to(&format!("/travel/{institution}/decider?done={done}")).into_response())
}
