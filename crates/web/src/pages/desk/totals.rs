//! What an institution was invoiced: by month, member and scenario.

use askama::Template;
use axum::extract::{Query, State};
use onescan_platforms::invoicing::{InvoiceScope, InvoiceTotal};
use serde::Deserialize;

use super::list::Choice;
use super::{Desk, Tab};
use crate::AppState;
use crate::files::TableForm;
use crate::invoice_totals::{self, By, NamedTotal, summed, whole};
use crate::pages::error::{PageError, PageResult, url_escape};
use crate::pages::html;
use crate::pages::page::Page;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    by: String,
    /// `2026-11`; empty for all.
    month: String,
}

impl Wanted {
    fn by(&self) -> By {
        By::parse(&self.by).unwrap_or(By::Month)
    }
}

/// A sum, and the query of the list behind it.
struct Line {
    sum: NamedTotal,
    query: String,
}

#[derive(Template)]
#[template(path = "invoice_totals.html")]
struct TotalsPage<'a> {
    page: &'a Page,
    desk: &'a Desk,
    tabs: Vec<Tab>,
    by: By,
    month: &'a str,
    months: Vec<Choice>,
    lines: Vec<Line>,
    /// One per currency.
    sums: Vec<NamedTotal>,
}

pub async fn show(State(state): State<AppState>, desk: Desk, Query(wanted): Query<Wanted>) -> PageResult {
    let all = totals(&state, &desk).await?;
    let mut months: Vec<String> = all.iter().map(|total| total.month.clone()).collect();
    months.dedup();
    let months = months.into_iter().map(|month| Choice {
        text: month.clone(),
        chosen: month == wanted.month,
        value: month,
    });
    let months = months.collect();
    let within: Vec<InvoiceTotal> = all
        .into_iter()
        .filter(|total| wanted.month.is_empty() || total.month == wanted.month)
        .collect();
    html(&TotalsPage {
        page: &desk.page,
        desk: &desk,
        tabs: desk.tabs("totals"),
        by: wanted.by(),
        month: &wanted.month,
        months,
        sums: whole(&within).into_iter().map(NamedTotal::nameless).collect(),
        lines: lines(&state, &desk, &wanted, &within).await?,
    })
}

async fn totals(state: &AppState, desk: &Desk) -> PageResult<Vec<InvoiceTotal>> {
    match &desk.scope {
        Some(InvoiceScope::Record(bucket, record)) => Ok(state.services.invoices.totals(*bucket, record).await?),
        Some(InvoiceScope::Merchant(_) | InvoiceScope::Person(..)) => Err(PageError::NotFound),
        None => Ok(Vec::new()),
    }
}

async fn lines(state: &AppState, desk: &Desk, wanted: &Wanted, totals: &[InvoiceTotal]) -> PageResult<Vec<Line>> {
    let sums = named(state, desk, summed(totals, wanted.by())).await?;
    let line = |sum: NamedTotal| {
        let month = Some(&sum.total.month).filter(|month| !month.is_empty());
        let query = query_of(month.unwrap_or(&wanted.month), &sum.total);
        Line { sum, query }
    };
    Ok(sums.into_iter().map(line).collect())
}

async fn named(state: &AppState, desk: &Desk, sums: Vec<InvoiceTotal>) -> PageResult<Vec<NamedTotal>> {
    match &desk.scope {
        Some(InvoiceScope::Record(bucket, record)) => Ok(invoice_totals::named(state, *bucket, record, sums).await?),
        Some(InvoiceScope::Merchant(_) | InvoiceScope::Person(..)) | None => {
            Ok(sums.into_iter().map(NamedTotal::nameless).collect())
        }
    }
}

/// Of the list with what a sum is over.
fn query_of(month: &str, sum: &InvoiceTotal) -> String {
    let mut pairs = Vec::new();
    if let Ok(first) = format!("{month}-01").parse::<jiff::civil::Date>() {
        pairs.push(format!("from={first}"));
        pairs.push(format!("until={}", first.last_of_month()));
    }
    pairs.extend(sum.member.map(|id| format!("member={}", url_escape(&id.to_string()))));
    pairs.extend(
        sum.scenario
            .map(|id| format!("scenario={}", url_escape(&id.to_string()))),
    );
    pairs.join("&")
}

pub async fn csv(State(state): State<AppState>, desk: Desk, Query(wanted): Query<Wanted>) -> PageResult {
    export(&state, &desk, &wanted, TableForm::Csv).await
}

pub async fn xlsx(State(state): State<AppState>, desk: Desk, Query(wanted): Query<Wanted>) -> PageResult {
    export(&state, &desk, &wanted, TableForm::Excel).await
}

/// Always one row per month, member, scenario and currency: a spreadsheet sums as it likes.
async fn export(state: &AppState, desk: &Desk, wanted: &Wanted, form: TableForm) -> PageResult {
    let mut all = totals(state, desk).await?;
    all.retain(|total| wanted.month.is_empty() || total.month == wanted.month);
    let named = named(state, desk, summed(&all, By::Each)).await?;
    Ok(invoice_totals::table(&named).answer(form)?)
}
