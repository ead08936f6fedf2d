//! The merchant's tax set-up: what stands on its invoices, entered, checked and previewed. Row S20.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect};
use onescan_domain::tax_ids::lists::COUNTRIES;
use onescan_platforms::invoicing::VatCategory;
use onescan_platforms::merchants::tax::{FieldProblem, InvoicingMode, TaxFault, TaxFields};

use super::error::PageResult;
use super::page::Page;
use super::profiles::{credit_code_problem, vat_id_problem};
use super::tax_form::{Problem, Typed};
use super::visit::OfficeVisit;
use super::{html, html_with};
use crate::AppState;

/// A logo of 256 KiB in Base64, and the texts.
pub const FORM_BYTES_MAX: usize = 1024 * 1024;

#[derive(Template)]
#[template(path = "tax_setup.html")]
struct TaxPage<'a> {
    page: &'a Page,
    typed: &'a Typed,
    problems: Vec<Problem>,
    /// Newest first: version, who entered it, when. Empty: nothing was entered yet.
    versions: Vec<(i64, String, i64)>,
}

impl TaxPage<'_> {
    fn problem(&self, field: &str) -> Option<&str> {
        let found = self.problems.iter().find(|problem| problem.field == field);
        found.map(|problem| problem.text.as_str())
    }

    fn rate_problem(&self, index: &usize, part: &str) -> Option<&str> {
        self.problem(&format!("rates[{index}]{part}"))
    }

    fn countries(&self) -> Vec<&'static str> {
        COUNTRIES.split(' ').collect()
    }

    fn categories(&self) -> &'static [VatCategory] {
        VatCategory::ALL
    }

    fn modes(&self) -> &'static [InvoicingMode] {
        InvoicingMode::ALL
    }
}

async fn tax_page<'a>(
    state: &AppState,
    visit: &'a OfficeVisit,
    typed: &'a Typed,
    problems: Vec<Problem>,
) -> PageResult<TaxPage<'a>> {
    let merchant = &visit.office.merchant;
    Ok(TaxPage {
        page: &visit.page,
        typed,
        problems,
        versions: state.services.taxes.versions(merchant.id).await?,
    })
}

pub async fn show(State(state): State<AppState>, visit: OfficeVisit) -> PageResult {
    let current = state.services.taxes.current(visit.office.merchant.id).await?;
    let fields = current.map_or_else(|| beginning(&visit), |setup| setup.fields);
    let typed = Typed::of(&fields);
    html(&tax_page(&state, &visit, &typed, Vec::new()).await?)
}

/// What a merchant begins with: its name, and the country that the page's language suggests.
fn beginning(visit: &OfficeVisit) -> TaxFields {
    let country = match visit.office.merchant.currency.code() {
        "CNY" => "CN",
        _ => "",
    };
    TaxFields {
        legal_name: visit.office.merchant.name.clone(),
        ..TaxFields::empty(country)
    }
}

/// Saves, shows the page of an invoice that never was, or adds an empty article group: as the button says.
pub async fn enter(
    State(state): State<AppState>,
    visit: OfficeVisit,
    Form(pairs): Form<Vec<(String, String)>>,
) -> PageResult {
    let (typed, button) = Typed::read(pairs);
    if button == "add" {
        let typed = typed.with_another_rate();
        return html(&tax_page(&state, &visit, &typed, Vec::new()).await?);
    }
    let (taxes, merchant) = (&state.services.taxes, &visit.office.merchant);
    let (fields, mut problems) = typed.fields(&visit.page);
    if !problems.is_empty() {
        // Every wrong field at once: also those that can be read.
        let read: Vec<String> = problems.iter().map(|problem| problem.field.clone()).collect();
        let others = told(&visit.page, &fields.check(merchant.currency)).into_iter();
        problems.extend(others.filter(|problem| !read.contains(&problem.field)));
        return refuse(&state, &visit, &typed, problems).await;
    }
    if button == "preview" {
        let today = state.services.processing.today();
        return match taxes.preview(fields, merchant.currency, today).await? {
            Ok(pdf) => {
                let headers = [
                    (CONTENT_TYPE, "application/pdf"),
                    (CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
                ];
                Ok((headers, pdf).into_response())
            }
            Err(wrong) => refuse(&state, &visit, &typed, told(&visit.page, &wrong)).await,
        };
    }
    match taxes.put(merchant, fields, &visit.office.key.to_string()).await? {
        Ok(_) => Ok(Redirect::to("/office/tax?done=saved").into_response()),
        Err(wrong) => refuse(&state, &visit, &typed, told(&visit.page, &wrong)).await,
    }
}

async fn refuse(state: &AppState, visit: &OfficeVisit, typed: &Typed, problems: Vec<Problem>) -> PageResult {
    let page = tax_page(state, visit, typed, problems).await?;
    html_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

fn told(page: &Page, wrong: &[FieldProblem]) -> Vec<Problem> {
    let told = wrong.iter().map(|(field, fault)| Problem {
        field: field.clone(),
        text: fault_text(page, fault),
    });
    told.collect()
}

fn fault_text(page: &Page, fault: &TaxFault) -> String {
    let key = match fault {
        TaxFault::VatId(error) => return vat_id_problem(page, error),
        TaxFault::CreditCode(error) => return credit_code_problem(page, error),
        TaxFault::Document { problem } => return page.with("tax-rule", "rule", problem),
        TaxFault::Missing => "text-empty",
        TaxFault::Country => "country-unknown",
        TaxFault::NoTaxId => "tax-id-missing",
        TaxFault::Iban => "iban-shape",
        TaxFault::Logo => "logo-shape",
        TaxFault::Prefix => "prefix-shape",
        TaxFault::PrefixesOverlap => "prefixes-overlap",
        TaxFault::Width => "width-shape",
        TaxFault::RateCount => "rates-count",
        TaxFault::RateName => "rate-name-shape",
        TaxFault::RateTwice => "rate-twice",
        TaxFault::Percent => "rate-percent-shape",
        TaxFault::NoReason => "rate-reason-missing",
    };
    page.t(key)
}
