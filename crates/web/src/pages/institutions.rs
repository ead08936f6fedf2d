//! The institutions that a person administers: the way to their invoices and approvals.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect};
use onescan_domain::ids::{InstitutionId, PersonId};
use onescan_domain::institutions::Institution;

use super::error::{PageError, PageResult};
use super::html;
use super::page::Page;
use super::visit::PersonVisit;
use crate::AppState;

#[derive(Template)]
#[template(path = "institutions.html")]
struct InstitutionsPage<'a> {
    page: &'a Page,
    institutions: Vec<Institution>,
}

/// The only one at once, else the choice.
pub async fn show(State(state): State<AppState>, visit: PersonVisit) -> PageResult {
    let institutions = all_administered(&state, visit.person.id).await?;
    match institutions.as_slice() {
        [only] => Ok(Redirect::to(&format!("/institutions/{}/invoices", only.id)).into_response()),
        _ => html(&InstitutionsPage {
            page: &visit.page,
            institutions,
        }),
    }
}

/// The institution, when the person administers it or one above it; else it reads as absent.
pub async fn administered(state: &AppState, person: PersonId, id: InstitutionId) -> PageResult<Institution> {
    let institutions = &state.services.institutions;
    let institution = institutions.find(id).await?.ok_or(PageError::NotFound)?;
    match institutions.is_administrator(person, id).await? {
        true => Ok(institution),
        false => Err(PageError::NotFound),
    }
}

/// Those that the person administers, each followed by those below it.
pub async fn all_administered(state: &AppState, person: PersonId) -> PageResult<Vec<Institution>> {
    let institutions = &state.services.institutions;
    let mut found: Vec<Institution> = Vec::new();
    for membership in state.services.people.memberships(person).await? {
        if !institutions.is_administrator(person, membership.institution).await? {
            continue;
        }
        let mut open: Vec<Institution> = institutions.find(membership.institution).await?.into_iter().collect();
        while let Some(institution) = open.pop() {
            open.extend(institutions.children(institution.id).await?);
            if found.iter().all(|known| known.id != institution.id) {
                found.push(institution);
            }
        }
    }
    Ok(found)
}
