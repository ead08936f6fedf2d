//! Bills of rides on pages: for the administrator of the institution that pays, and for the provider's back office. Row R09.
//!
//! **Invariant:** whose bills are seen comes from the session and the path below it; a bill that is not among them reads as
//! absent.

mod close;
mod document;
mod list;
mod schedule;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::routing::{get, post};
use onescan_domain::calendar::Date;
use onescan_domain::ids::BillId;
use onescan_domain::institutions::Institution;
use onescan_domain::rides::bill::{Bill, BillPeriod, BillState};
use onescan_platforms::rides::bills::BillScope;

use super::error::{PageError, PageResult};
use super::page::{Office, Page};
use super::travel::AdministratorVisit;
use super::visit::OfficeVisit;
use crate::AppState;

/// Who looks.
#[derive(Debug, Clone)]
enum Eyes {
    Institution(Box<Institution>),
    Provider(Arc<Office>),
}

/// A visit to the bills below one path.
#[derive(Debug, Clone)]
pub struct BillDesk {
    page: Page,
    eyes: Eyes,
    /// The path of the list.
    base: String,
}

/// What both may do, with the same handlers.
fn reading(base: &str) -> Router<AppState> {
    let at = |rest: &str| format!("{base}{rest}");
    Router::new()
        .route(base, get(list::show))
        .route(&at("/{bill}"), get(document::show))
        .route(&at("/{bill}/progress"), get(document::progress))
        .route(&at("/{bill}/rides.csv"), get(document::csv))
        .route(&at("/{bill}/file/{name}"), get(document::file))
}

pub fn router() -> Router<AppState> {
    let base = "/travel/{institution}/bills";
    let at = |rest: &str| format!("{base}{rest}");
    Router::new()
        .merge(reading(base))
        .merge(reading("/office/bills"))
        .route(&at("/close"), get(close::show).post(close::close))
        .route(&at("/schedule"), post(schedule::put))
        .route(&at("/{bill}/issue"), post(document::issue))
        .route(&at("/{bill}/credit"), post(document::credit))
        .route(&at("/{bill}/send"), post(document::send))
}

impl FromRequestParts<AppState> for BillDesk {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, PageError> {
        if parts.uri.path().starts_with("/office/") {
            let OfficeVisit { page, office } = OfficeVisit::from_request_parts(parts, state).await?;
            return Ok(Self {
                page,
                eyes: Eyes::Provider(office),
                base: "/office/bills".to_owned(),
            });
        }
        let AdministratorVisit { page, institution } = AdministratorVisit::from_request_parts(parts, state).await?;
        Ok(Self {
            page,
            base: format!("/travel/{}/bills", institution.id),
            eyes: Eyes::Institution(Box::new(institution)),
        })
    }
}

impl BillDesk {
    fn scope(&self) -> BillScope {
        match &self.eyes {
            Eyes::Institution(institution) => BillScope::Institution(institution.id),
            Eyes::Provider(office) => BillScope::Provider(office.merchant.id),
        }
    }

    /// Only the institution's path leads to what it alone may do.
    fn institution(&self) -> PageResult<&Institution> {
        match &self.eyes {
            Eyes::Institution(institution) => Ok(institution),
            Eyes::Provider(_) => Err(PageError::NotFound),
        }
    }

    fn is_provider(&self) -> bool {
        matches!(self.eyes, Eyes::Provider(_))
    }

    /// The institution's name above its pages.
    fn owner(&self) -> &str {
        match &self.eyes {
            Eyes::Institution(institution) => &institution.name,
            Eyes::Provider(office) => &office.merchant.name,
        }
    }

    /// The page above the list.
    fn above(&self) -> Option<String> {
        let institution = self.institution().ok()?;
        Some(format!("/travel/{}", institution.id))
    }

    /// The bill of the path, when it is among those of the desk.
    async fn bill(&self, state: &AppState, id: &str) -> PageResult<Bill> {
        let id: BillId = id.parse().map_err(|_| PageError::NotFound)?;
        let bills = &state.services.bills;
        let found = match &self.eyes {
            Eyes::Institution(institution) => bills.of_institution(institution.id, id).await?,
            Eyes::Provider(office) => bills.of_provider(office.merchant.id, id).await?,
        };
        found.ok_or(PageError::NotFound)
    }

    /// Who stands on the other side of the bill.
    async fn other(&self, state: &AppState, bill: &Bill) -> PageResult<String> {
        let name = match &self.eyes {
            Eyes::Institution(_) => {
                let found = state.services.merchants.find(bill.provider).await?;
                found.map(|merchant| merchant.name)
            }
            Eyes::Provider(_) => {
                let found = state.services.institutions.find(bill.institution).await?;
                found.map(|institution| institution.name)
            }
        };
        Ok(name.unwrap_or_default())
    }
}

/// The first and the last day, as the language writes them.
fn period_of(page: &Page, period: BillPeriod) -> String {
    let day = |date: Date| page.language.day(&date.to_string());
    let last = Date::of_days(period.until_on().days() - 1).unwrap_or(period.first_on());
    match last == period.first_on() {
        true => day(last),
        false => format!("{} – {}", day(period.first_on()), day(last)),
    }
}

/// Key of the state's word, and its tone.
fn state_badge(bill: &Bill) -> (&'static str, &'static str) {
    match bill.state {
        BillState::Closing => ("bill-state-closing", "wait"),
        BillState::Closed => ("bill-state-closed", ""),
        BillState::Issuing => ("bill-state-issuing", "wait"),
        BillState::Issued { .. } => ("bill-state-issued", "good"),
        BillState::Failed { .. } => ("bill-state-failed", "bad"),
    }
}
