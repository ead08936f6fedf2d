//! What an institution was invoiced: by month, member and scenario.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use askama::Template;
use axum::extract::{Query, State};
use onescan_domain::ids::{MemberId, ScenarioId};
use onescan_domain::money::{Currency, Money};
use onescan_platforms::invoicing::{InvoiceScope, InvoiceTotal};
use serde::Deserialize;

use super::list::{Choice, member_name};
use super::{Desk, Tab};
use crate::AppState;
use crate::files::{Table, TableForm};
use crate::pages::error::{PageError, PageResult, url_escape};
use crate::pages::html;
use crate::pages::page::Page;

/// What the sums are over; a query names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Month,
    Member,
    Scenario,
    /// One row per month, member and scenario.
    Each,
}

impl By {
    const ALL: [Self; 4] = [Self::Month, Self::Member, Self::Scenario, Self::Each];

    fn name(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Member => "member",
            Self::Scenario => "scenario",
            Self::Each => "each",
        }
    }

    fn keeps_month(self) -> bool {
        matches!(self, Self::Month | Self::Each)
    }

    fn keeps_member(self) -> bool {
        matches!(self, Self::Member | Self::Each)
    }

    fn keeps_scenario(self) -> bool {
        matches!(self, Self::Scenario | Self::Each)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    by: String,
    /// `2026-11`; empty for all.
    month: String,
}

impl Wanted {
    fn by(&self) -> By {
        let named = By::ALL.into_iter().find(|by| by.name() == self.by);
        named.unwrap_or(By::Month)
    }
}

/// A sum with the names of what it is over.
#[derive(Debug, Clone)]
struct Line {
    month: String,
    member: String,
    scenario: String,
    currency: Currency,
    invoices: i64,
    invoiced_minor: i64,
    credited_minor: i64,
    /// Query of the list behind it.
    query: String,
}

impl Line {
    fn invoiced(&self) -> Money {
        Money::new(self.invoiced_minor, self.currency)
    }

    fn credited(&self) -> Money {
        Money::new(self.credited_minor, self.currency)
    }

    fn left(&self) -> Money {
        Money::new(self.invoiced_minor - self.credited_minor, self.currency)
    }
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
    sums: Vec<Line>,
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
        sums: summed(&within, |_| (String::new(), None, None))
            .into_iter()
            .map(nameless)
            .collect(),
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

type Over = (String, Option<MemberId>, Option<ScenarioId>);

/// Sums over what `over` keeps apart, per currency; the newest month first.
fn summed(totals: &[InvoiceTotal], over: impl Fn(&InvoiceTotal) -> Over) -> Vec<InvoiceTotal> {
    let mut sums = BTreeMap::new();
    for total in totals {
        let (month, member, scenario) = over(total);
        let key = (Reverse(month.clone()), member, scenario, total.currency);
        let sum = sums.entry(key).or_insert_with(|| InvoiceTotal {
            month,
            member,
            scenario,
            currency: total.currency,
            invoices: 0,
            invoiced_minor: 0,
            credited_minor: 0,
        });
        sum.invoices += total.invoices;
        sum.invoiced_minor += total.invoiced_minor;
        sum.credited_minor += total.credited_minor;
    }
    sums.into_values().collect()
}

fn nameless(total: InvoiceTotal) -> Line {
    Line {
        month: total.month,
        member: String::new(),
        scenario: String::new(),
        currency: total.currency,
        invoices: total.invoices,
        invoiced_minor: total.invoiced_minor,
        credited_minor: total.credited_minor,
        query: String::new(),
    }
}

async fn lines(state: &AppState, desk: &Desk, wanted: &Wanted, totals: &[InvoiceTotal]) -> PageResult<Vec<Line>> {
    let by = wanted.by();
    let sums = summed(totals, |total| {
        (
            if by.keeps_month() {
                total.month.clone()
            } else {
                String::new()
            },
            total.member.filter(|_| by.keeps_member()),
            total.scenario.filter(|_| by.keeps_scenario()),
        )
    });
    let scenarios = match &desk.scope {
        Some(InvoiceScope::Record(bucket, record)) => state.services.codes.scenarios(*bucket, record).await?,
        Some(InvoiceScope::Merchant(_) | InvoiceScope::Person(..)) | None => Vec::new(),
    };
    let mut names = HashMap::new();
    let mut lines = Vec::with_capacity(sums.len());
    for sum in sums {
        let member = match sum.member {
            Some(member) => member_name(state, &mut names, member).await?,
            None => String::new(),
        };
        let scenario = scenarios.iter().find(|one| Some(one.id) == sum.scenario);
        let month = Some(&sum.month)
            .filter(|month| !month.is_empty())
            .unwrap_or(&wanted.month);
        let query = query_of(month, &sum);
        lines.push(Line {
            member,
            scenario: scenario.map(|one| one.name.clone()).unwrap_or_default(),
            query,
            ..nameless(sum)
        });
    }
    Ok(lines)
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
    let each = Wanted {
        by: By::Each.name().to_owned(),
        month: wanted.month.clone(),
    };
    let rows = lines(state, desk, &each, &all).await?.into_iter().map(|line| {
        vec![
            line.month.clone(),
            line.member.clone(),
            line.scenario.clone(),
            line.currency.code().to_owned(),
            line.invoices.to_string(),
            line.invoiced().to_decimal(),
            line.credited().to_decimal(),
        ]
    });
    let table = Table {
        name: "invoice-totals",
        columns: &[
            "month", "member", "scenario", "currency", "invoices", "invoiced", "credited",
        ],
        numbers: 4..7,
        rows: rows.collect(),
    };
    Ok(table.answer(form)?)
}
