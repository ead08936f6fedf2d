//! Invoices on pages: one list and one page of a document, for the person whose they are, for the merchant's back office,
//! and for the administrator of an institution. Rows S20, S13. Source: S \[86\], \[123\].
//!
//! **Invariant:** whose invoices are seen comes from the session and the path below it; a document that is not among them
//! reads as absent.

mod document;
mod list;
mod totals;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::routing::{get, post};
use onescan_domain::ids::{InstitutionId, InvoiceId};
use onescan_domain::institutions::Institution;
use onescan_domain::invoicing::{Invoice, InvoiceState};
use onescan_platforms::invoicing::InvoiceScope;
use onescan_platforms::people::Person;

use super::error::{PageError, PageResult};
use super::institutions::administered;
use super::page::{Office, Page};
use super::visit::{OfficeVisit, PersonVisit};
use crate::AppState;

/// Who looks.
#[derive(Debug, Clone)]
enum Eyes {
    Person(Arc<Person>),
    Merchant(Arc<Office>),
    Institution(Box<Institution>),
}

/// A visit to the invoices below one path.
#[derive(Debug, Clone)]
pub struct Desk {
    page: Page,
    eyes: Eyes,
    /// `None`: an institution without a code record, of which nothing can be invoiced.
    scope: Option<InvoiceScope>,
    /// The path of the list.
    base: String,
}

/// One of the segments above a list.
struct Tab {
    path: String,
    key: &'static str,
    current: bool,
}

/// Below `base`, with the same handlers for each pair of eyes.
fn routes(base: &str) -> Router<AppState> {
    let at = |rest: &str| format!("{base}{rest}");
    Router::new()
        .route(base, get(list::show))
        .route(&at("/list.csv"), get(list::csv))
        .route(&at("/list.xlsx"), get(list::xlsx))
        .route(&at("/{invoice}"), get(document::show))
        .route(&at("/{invoice}/file/{name}"), get(document::file))
        .route(&at("/{invoice}/send"), post(document::send))
        .route(&at("/{invoice}/resend/{delivery}"), post(document::resend))
        .route(&at("/{invoice}/red-letter"), post(document::move_form))
        .route(&at("/{invoice}/apply"), post(document::apply))
}

pub fn router() -> Router<AppState> {
    Router::new()
        .merge(routes("/payments/invoices"))
        .merge(routes("/office/invoices"))
        .merge(routes("/institutions/{institution}/invoices"))
        .route("/institutions/{institution}/invoices/totals", get(totals::show))
        .route("/institutions/{institution}/invoices/totals.csv", get(totals::csv))
        .route("/institutions/{institution}/invoices/totals.xlsx", get(totals::xlsx))
}

impl FromRequestParts<AppState> for Desk {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, PageError> {
        let path = parts.uri.path().to_owned();
        if path.starts_with("/office/") {
            let OfficeVisit { page, office } = OfficeVisit::from_request_parts(parts, state).await?;
            return Ok(Self {
                page,
                scope: Some(InvoiceScope::Merchant(office.merchant.id)),
                eyes: Eyes::Merchant(office),
                base: "/office/invoices".to_owned(),
            });
        }
        let PersonVisit { page, person, .. } = PersonVisit::from_request_parts(parts, state).await?;
        match path.strip_prefix("/institutions/") {
            Some(rest) => {
                let id = rest.split('/').next().unwrap_or_default();
                Self::of_institution(state, page, &person, id).await
            }
            None => {
                let buckets = state.services.processing.buckets_of(person.id).await?;
                Ok(Self {
                    page,
                    scope: Some(InvoiceScope::Person(person.id, buckets)),
                    eyes: Eyes::Person(person),
                    base: "/payments/invoices".to_owned(),
                })
            }
        }
    }
}

impl Desk {
    async fn of_institution(state: &AppState, page: Page, person: &Person, id: &str) -> PageResult<Self> {
        let id: InstitutionId = id.parse().map_err(|_| PageError::NotFound)?;
        let institution = administered(state, person.id, id).await?;
        let record = state.services.codes.record_of_institution(id).await?;
        Ok(Self {
            page,
            scope: record.map(|record| InvoiceScope::Record(record.bucket, record.id)),
            base: format!("/institutions/{id}/invoices"),
            eyes: Eyes::Institution(Box::new(institution)),
        })
    }

    fn is_merchant(&self) -> bool {
        matches!(self.eyes, Eyes::Merchant(_))
    }

    fn is_person(&self) -> bool {
        matches!(self.eyes, Eyes::Person(_))
    }

    fn is_institution(&self) -> bool {
        matches!(self.eyes, Eyes::Institution(_))
    }

    fn sees(&self, invoice: &Invoice) -> bool {
        match (&self.eyes, &self.scope) {
            (Eyes::Person(person), _) => invoice.person == person.id,
            (Eyes::Merchant(office), _) => invoice.merchant == office.merchant.id,
            (Eyes::Institution(_), Some(InvoiceScope::Record(bucket, record))) => {
                invoice.id.bucket() == *bucket && invoice.record == *record
            }
            (Eyes::Institution(_), _) => false,
        }
    }

    /// The invoice of the path, when it is among those of the desk.
    async fn invoice(&self, state: &AppState, id: &str) -> PageResult<Invoice> {
        let id: InvoiceId = id.parse().map_err(|_| PageError::NotFound)?;
        let found = state.services.invoices.get(id).await?;
        found.filter(|invoice| self.sees(invoice)).ok_or(PageError::NotFound)
    }

    fn title(&self) -> String {
        match &self.eyes {
            Eyes::Institution(institution) => self.page.with("invoices-of", "name", &institution.name),
            Eyes::Person(_) | Eyes::Merchant(_) => self.page.t("invoices"),
        }
    }

    fn tabs(&self, current: &str) -> Vec<Tab> {
        let tabs: &[(&str, String, &'static str)] = match &self.eyes {
            Eyes::Person(_) => &[
                ("payments", "/payments".to_owned(), "nav-payments"),
                ("invoices", self.base.clone(), "invoices"),
            ],
            Eyes::Merchant(_) => &[],
            Eyes::Institution(_) => &[
                ("invoices", self.base.clone(), "invoices"),
                ("totals", format!("{}/totals", self.base), "invoice-totals"),
            ],
        };
        let tab = |(name, path, key): &(&str, String, &'static str)| Tab {
            path: path.clone(),
            key,
            current: *name == current,
        };
        tabs.iter().map(tab).collect()
    }
}

/// The key of the state's word, and the tone of its badge.
fn state_badge(invoice: &Invoice) -> (&'static str, &'static str) {
    match invoice.state {
        InvoiceState::Waiting => ("invoice-state-waiting", "wait"),
        InvoiceState::Applied => ("invoice-state-applied", "wait"),
        InvoiceState::Issuing => ("invoice-state-issuing", "wait"),
        InvoiceState::Issued => ("invoice-state-issued", "good"),
        InvoiceState::Credited => ("invoice-state-credited", ""),
        InvoiceState::Failed => ("invoice-state-failed", "bad"),
        InvoiceState::Withdrawn => ("invoice-state-withdrawn", ""),
    }
}

/// The day on the document, or on which it was applied for.
fn day_of(page: &Page, invoice: &Invoice) -> String {
    match (&invoice.issued_on, invoice.state.is_issued()) {
        (Some(day), true) => page.language.day(day),
        (_, _) => page.language.date(invoice.applied_at, &page.zone),
    }
}
