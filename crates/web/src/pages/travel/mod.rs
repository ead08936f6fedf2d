//! The administrator's pages of rides: kinds of travel with their policies, where the money comes from, days off, and every
//! ride with who paid. Rows R01, R06-R08.

mod decider;
mod kind;
mod policy;
mod rides;
mod rules;

use askama::Template;
use axum::Router;
use axum::extract::{Form, FromRequestParts, RawPathParams, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use onescan_domain::ids::InstitutionId;
use onescan_domain::institutions::Institution;
use onescan_domain::money::Money;
use onescan_domain::rides::application::{Approval, TravelType};
use onescan_platforms::rides::{FundingSource, FundingStep, PolicyRefusal};
use serde::Deserialize;

use super::error::{PageError, PageResult};
use super::institutions::all_administered;
use super::page::Page;
use super::visit::PersonVisit;
use super::{html, html_with};
use crate::AppState;

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/travel", get(show_all))
        .route("/travel/{institution}", get(show))
        .route("/travel/{institution}/types", get(kind::show_new).post(kind::add))
        .route(
            "/travel/{institution}/types/{type}/edit",
            get(kind::show).post(kind::change),
        )
        .route(
            "/travel/{institution}/types/{type}",
            get(policy::show).post(policy::act),
        )
        .route("/travel/{institution}/funding", post(put_funding))
        .route("/travel/{institution}/calendar", post(put_calendar))
        .route("/travel/{institution}/decider", get(decider::show).post(decider::act))
        .route("/travel/{institution}/rides", get(rides::show))
        .route("/travel/{institution}/rides.csv", get(rides::csv))
}

/// An administrator at one institution of theirs; for anybody else there is no such page.
#[derive(Debug, Clone)]
pub struct AdministratorVisit {
    pub page: Page,
    pub institution: Institution,
}

impl FromRequestParts<AppState> for AdministratorVisit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, PageError> {
        let visit = PersonVisit::from_request_parts(parts, state).await?;
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| PageError::NotFound)?;
        let named = params.iter().find(|(name, _)| *name == "institution");
        let id: InstitutionId = named
            .and_then(|(_, text)| text.parse().ok())
            .ok_or(PageError::NotFound)?;
        let institutions = &state.services.institutions;
        let found = institutions.find(id).await?.ok_or(PageError::NotFound)?;
        match institutions.is_administrator(visit.person.id, id).await? {
            true => Ok(Self {
                page: visit.page,
                institution: found,
            }),
            false => Err(PageError::NotFound),
        }
    }
}

#[derive(Template)]
#[template(path = "travel_all.html")]
struct AllPage<'a> {
    page: &'a Page,
    institutions: Vec<Institution>,
}

async fn show_all(State(state): State<AppState>, visit: PersonVisit) -> PageResult {
    let institutions = all_administered(&state, visit.person.id).await?;
    match institutions.as_slice() {
        [only] => Ok(Redirect::to(&format!("/travel/{}", only.id)).into_response()),
        _ => html(&AllPage {
            page: &visit.page,
            institutions,
        }),
    }
}

#[derive(Template)]
#[template(path = "travel.html")]
struct TravelPage<'a> {
    page: &'a Page,
    institution: &'a Institution,
    problem: Option<String>,
    kinds: Vec<KindRow>,
    steps: Vec<StepRow>,
    /// Rows behind these are shown when somebody asks for more.
    steps_shown: usize,
    /// Whether a system of the institution's own is asked.
    decider: bool,
    /// Choices of a step: value and text.
    sources: Vec<(String, String)>,
    calendar: String,
    holidays: i64,
    workdays: i64,
}

struct KindRow {
    kind: TravelType,
    approval: &'static str,
    /// Of the version in force; `None`: none, everything is paid.
    version: Option<i64>,
    /// When the next version begins.
    next_at: Option<i64>,
}

struct StepRow {
    source: String,
    cap: String,
}

/// Rows of the form, those that are empty included; as many as a rule may have.
const STEPS: usize = 20;
/// Rows that are shown without being asked for.
const STEPS_SHOWN: usize = 4;

async fn kind_rows(state: &AppState, institution: InstitutionId) -> PageResult<Vec<KindRow>> {
    let rides = &state.services.rides;
    let now = state.services.env.now_ms();
    let mut rows = Vec::new();
    for kind in rides.types(institution).await? {
        let versions = rides.policies(kind.id).await?;
        let current = versions.iter().find(|version| version.from_at <= now);
        rows.push(KindRow {
            approval: match &kind.approval {
                Approval::NotNeeded => "travel-approval-none",
                Approval::Administrators { automatic: None } => "travel-approval-administrators",
                Approval::Administrators { automatic: Some(_) } => "travel-approval-automatic",
            },
            version: current.map(|version| version.version),
            next_at: versions
                .iter()
                .map(|version| version.from_at)
                .filter(|at| *at > now)
                .min(),
            kind,
        });
    }
    Ok(rows)
}

async fn travel_page<'a>(
    state: &AppState,
    visit: &'a AdministratorVisit,
    problem: Option<String>,
    calendar: Option<String>,
) -> PageResult<TravelPage<'a>> {
    let rides = &state.services.rides;
    let institution = &visit.institution;
    let steps = rides.funding(institution).await?;
    let mut rows: Vec<StepRow> = steps
        .iter()
        .map(|step| StepRow {
            source: source_value(step.source),
            cap: step
                .cap_minor
                .map_or_else(String::new, |cap| Money::new(cap, institution.currency).to_decimal()),
        })
        .collect();
    let steps_shown = (rows.len() + 1).max(STEPS_SHOWN);
    while rows.len() < STEPS {
        rows.push(StepRow {
            source: String::new(),
            cap: String::new(),
        });
    }
    let known = rides.calendar(institution.id).await?;
    let count = |kind| known.days().iter().filter(|day| day.kind == kind).count() as i64;
    Ok(TravelPage {
        page: &visit.page,
        institution,
        problem,
        kinds: kind_rows(state, institution.id).await?,
        steps: rows,
        steps_shown,
        decider: rides.decider(institution.id).await?.is_some(),
        sources: sources(state, visit).await?,
        holidays: count(onescan_domain::calendar::DayKind::Holiday),
        workdays: count(onescan_domain::calendar::DayKind::Workday),
        calendar: calendar.unwrap_or_else(|| known.to_string()),
    })
}

fn source_value(source: FundingSource) -> String {
    match source {
        FundingSource::Member => "member".to_owned(),
        FundingSource::Institution => "institution".to_owned(),
        FundingSource::Of(id) => id.to_string(),
    }
}

/// The accounts that may be named: the two relative ones, then every institution above and below.
async fn sources(state: &AppState, visit: &AdministratorVisit) -> PageResult<Vec<(String, String)>> {
    let institutions = &state.services.institutions;
    let mut sources = vec![
        ("member".to_owned(), visit.page.t("funding-member")),
        ("institution".to_owned(), visit.page.t("funding-institution")),
    ];
    let lineage = institutions.lineage(visit.institution.id).await?;
    let below = institutions.children(visit.institution.id).await?;
    let others = lineage.into_iter().chain(below);
    sources.extend(others.map(|other| (other.id.to_string(), other.name)));
    Ok(sources)
}

async fn show(State(state): State<AppState>, visit: AdministratorVisit) -> PageResult {
    html(&travel_page(&state, &visit, None, None).await?)
}

fn done(visit: &AdministratorVisit) -> PageResult {
    Ok(Redirect::to(&format!("/travel/{}?done=saved", visit.institution.id)).into_response())
}

async fn again(state: &AppState, visit: &AdministratorVisit, problem: String, calendar: Option<String>) -> PageResult {
    html_with(
        StatusCode::UNPROCESSABLE_ENTITY,
        &travel_page(state, visit, Some(problem), calendar).await?,
    )
}

/// Rows in their order; those without a source are left out.
#[derive(Debug, Deserialize)]
struct FundingForm {
    #[serde(flatten)]
    fields: std::collections::BTreeMap<String, String>,
}

impl FundingForm {
    fn steps(&self, visit: &AdministratorVisit) -> Result<Vec<FundingStep>, String> {
        let field = |name: String| self.fields.get(&name).map_or("", |text| text.trim());
        let mut steps = Vec::new();
        for row in 0..STEPS {
            let source = match field(format!("source_{row}")) {
                "" => continue,
                "member" => FundingSource::Member,
                "institution" => FundingSource::Institution,
                other => FundingSource::Of(other.parse().map_err(|_| visit.page.t("funding-tree"))?),
            };
            let cap_minor = match field(format!("cap_{row}")) {
                "" => None,
                text => {
                    let cap = Money::parse_decimal(text, visit.institution.currency);
                    let cap = cap.ok().filter(|cap| cap.minor > 0);
                    Some(cap.ok_or_else(|| visit.page.t("amount-wrong"))?.minor)
                }
            };
            steps.push(FundingStep { source, cap_minor });
        }
        Ok(steps)
    }
}

async fn put_funding(
    State(state): State<AppState>,
    visit: AdministratorVisit,
    Form(form): Form<FundingForm>,
) -> PageResult {
    let steps = match form.steps(&visit) {
        Ok(steps) => steps,
        Err(problem) => return again(&state, &visit, problem, None).await,
    };
    match state.services.rides.put_funding(visit.institution.id, steps).await? {
        Ok(_) => done(&visit),
        Err(PolicyRefusal::OtherTree) => again(&state, &visit, visit.page.t("funding-tree"), None).await,
        Err(
            PolicyRefusal::Steps
            | PolicyRefusal::UnknownType
            | PolicyRefusal::Rules(_)
            | PolicyRefusal::FromAt
            | PolicyRefusal::Taken,
        ) => again(&state, &visit, visit.page.t("funding-steps"), None).await,
    }
}

#[derive(Debug, Deserialize)]
struct CalendarForm {
    days: String,
}

async fn put_calendar(
    State(state): State<AppState>,
    visit: AdministratorVisit,
    Form(form): Form<CalendarForm>,
) -> PageResult {
    match state
        .services
        .rides
        .put_calendar(visit.institution.id, &form.days)
        .await?
    {
        Ok(_) => done(&visit),
        Err(error) => again(&state, &visit, error.to_string(), Some(form.days)).await,
    }
}
