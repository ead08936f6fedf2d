//! The administrators' inbox of travel applications. Row R01.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use onescan_domain::ids::{ApplicationId, InstitutionId, PersonId};
use onescan_domain::institutions::{Member, MemberRole, MemberState};
use onescan_domain::rides::application::{ApplicationState, TravelType};
use onescan_platforms::payments::Page as ListPage;
use onescan_platforms::rides::{DecideRefusal, Ruling, Waiting};
use serde::Deserialize;

use super::error::{PageError, PageResult};
use super::page::Page;
use super::rides::rides_text;
use super::visit::PersonVisit;
use super::{html, html_with};
use crate::AppState;

#[derive(Template)]
#[template(path = "approvals.html")]
struct ApprovalsPage<'a> {
    page: &'a Page,
    problem: Option<String>,
    waiting: Vec<WaitingView>,
}

struct WaitingView {
    institution: InstitutionId,
    id: ApplicationId,
    member: String,
    name: String,
    purpose: String,
    valid_from: i64,
    valid_until: i64,
    rides: String,
    /// Label and value of the rest.
    facts: Vec<(String, String)>,
    /// Whom it was handed to; `None`: every administrator.
    delegated: Option<String>,
    /// Administrators it can be handed to.
    others: Vec<Member>,
}

async fn approvals_page<'a>(
    state: &AppState,
    visit: &'a PersonVisit,
    problem: Option<String>,
) -> PageResult<ApprovalsPage<'a>> {
    let services = &state.services;
    let mut waiting = Vec::new();
    for membership in services.people.memberships(visit.person.id).await? {
        let institution = membership.institution;
        if !services
            .institutions
            .is_administrator(visit.person.id, institution)
            .await?
        {
            continue;
        }
        let types = services.rides.types(institution).await?;
        let administrators = administrators(state, institution).await?;
        let page = ListPage {
            after: None,
            limit: 100,
        };
        for application in services
            .rides
            .applications_of(institution, Waiting::Only, &page)
            .await?
        {
            let member = services.institutions.member(application.member).await?;
            let kind = types.iter().find(|kind| kind.id == application.travel_type);
            waiting.push(WaitingView {
                institution,
                id: application.id,
                member: member.map_or_else(String::new, |member| member.name),
                name: kind.map_or_else(|| application.type_code.clone(), |kind| kind.name.clone()),
                rides: rides_text(&visit.page, &application),
                facts: facts(&visit.page, kind, &application),
                delegated: match &application.state {
                    ApplicationState::Waiting { delegated: Some(to) } => Some(name_of(&administrators, *to)),
                    _ => None,
                },
                others: administrators
                    .iter()
                    .filter(|other| ![visit.person.id, application.person].contains(&other.person))
                    .cloned()
                    .collect(),
                purpose: application.purpose,
                valid_from: application.valid_from,
                valid_until: application.valid_until,
            });
        }
    }
    Ok(ApprovalsPage {
        page: &visit.page,
        problem,
        waiting,
    })
}

/// Active administrators of the institution.
async fn administrators(state: &AppState, institution: InstitutionId) -> PageResult<Vec<Member>> {
    const AT_ONCE: u32 = 200;
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = state
            .services
            .institutions
            .members(institution, None, after, AT_ONCE)
            .await?;
        after = page
            .last()
            .filter(|_| page.len() == AT_ONCE as usize)
            .map(|last| last.id);
        let rules = |member: &Member| member.role == MemberRole::Administrator && member.state == MemberState::Active;
        found.extend(page.into_iter().filter(rules));
        if after.is_none() {
            return Ok(found);
        }
    }
}

fn name_of(members: &[Member], person: PersonId) -> String {
    let found = members.iter().find(|member| member.person == person);
    found.map_or_else(|| person.to_string(), |member| member.name.clone())
}

fn facts(
    page: &Page,
    kind: Option<&TravelType>,
    application: &onescan_domain::rides::application::TravelApplication,
) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    if !application.cities.is_empty() {
        facts.push((page.t("application-cities"), application.cities.join(", ")));
    }
    if let Some(centre) = &application.cost_centre {
        facts.push((page.t("application-cost-centre"), centre.clone()));
    }
    facts.extend(application.fields.iter().map(|(name, value)| {
        let field = kind.and_then(|kind| kind.form.iter().find(|field| field.name == *name));
        let label = field.map_or_else(|| name.clone(), |field| field.label.clone());
        (label, value.clone())
    }));
    facts
}

pub async fn show(State(state): State<AppState>, visit: PersonVisit) -> PageResult {
    html(&approvals_page(&state, &visit, None).await?)
}

#[derive(Debug, Deserialize)]
pub struct RulingForm {
    ruling: String,
    #[serde(default)]
    reason: String,
    /// With `delegate`: to whom.
    #[serde(default)]
    to: String,
}

pub async fn rule(
    State(state): State<AppState>,
    visit: PersonVisit,
    Path((institution, id)): Path<(String, String)>,
    Form(form): Form<RulingForm>,
) -> PageResult {
    let services = &state.services;
    let institution: InstitutionId = institution.parse().map_err(|_| PageError::NotFound)?;
    let id: ApplicationId = id.parse().map_err(|_| PageError::NotFound)?;
    if !services
        .institutions
        .is_administrator(visit.person.id, institution)
        .await?
    {
        return Err(PageError::NotFound);
    }
    let ruling = match form.ruling.as_str() {
        "approve" => Ruling::Approve,
        "delegate" => Ruling::Delegate {
            to: form.to.parse().map_err(|_| PageError::Unreadable)?,
        },
        _ => Ruling::Refuse { reason: form.reason },
    };
    let problem = match services
        .rides
        .decide(institution, id, Some(visit.person.id), ruling)
        .await?
    {
        Ok(_) => return Ok(Redirect::to("/approvals?done=saved").into_response()),
        Err(DecideRefusal::Unknown) => return Err(PageError::NotFound),
        Err(DecideRefusal::OwnApplication) => visit.page.t("approval-own"),
        Err(DecideRefusal::Text { .. }) => visit.page.t("refuse-reason-missing"),
        Err(DecideRefusal::NotAdministrator) => visit.page.t("delegate-wrong"),
        Err(DecideRefusal::State { .. } | DecideRefusal::InUse) => visit.page.t("application-closed"),
    };
    html_with(
        StatusCode::UNPROCESSABLE_ENTITY,
        &approvals_page(&state, &visit, Some(problem)).await?,
    )
}
