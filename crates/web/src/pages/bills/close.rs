//! Closing a period: what the bill would hold, and the confirmation.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use onescan_domain::calendar::Date;
use onescan_domain::money::{Currency, Money};
use onescan_domain::rides::bill::{BillPeriod, IssueWhen, PeriodKind};
use onescan_platforms::rides::bills::{BillPreview, CloseBill, CloseRefusal};
use serde::Deserialize;

use super::list::Names;
use super::{BillDesk, period_of};
use crate::AppState;
use crate::pages::error::PageResult;
use crate::pages::page::Page;
use crate::pages::{html, html_with};

/// The form, as it was sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    provider: String,
    period: String,
    /// A day in the period.
    on: String,
    /// Of an own period.
    first_on: String,
    /// Its last day.
    last_on: String,
    currency: String,
    issue: String,
}

#[derive(Template)]
#[template(path = "bill_close.html")]
struct ClosePage<'a> {
    page: &'a Page,
    desk: &'a BillDesk,
    asked: &'a Asked,
    problem: Option<String>,
    /// Id and name of those whose rides wait.
    providers: Vec<(String, String)>,
    shown: Option<Shown>,
}

struct Shown {
    period: String,
    rides: i64,
    late_rides: i64,
    charged: Money,
    open_credits: Money,
    /// What of them this bill takes.
    credited: Money,
    total: Money,
    /// Whether the period is over, so that it may be closed.
    is_over: bool,
    until_at: i64,
}

impl ClosePage<'_> {
    /// What stands for an empty field.
    fn currency(&self) -> &str {
        match self.desk.institution() {
            Ok(institution) => institution.currency.code(),
            Err(_) => "",
        }
    }
}

impl Asked {
    /// The key of the text that says what is wrong.
    fn read(&self, otherwise: Currency) -> Result<CloseBill, &'static str> {
        let provider = self.provider.parse().map_err(|_| "bill-provider-unknown")?;
        let kind = PeriodKind::parse(&self.period).ok_or("bill-period-wrong")?;
        let date = |text: &str| Date::parse(text).ok_or("bill-date-wrong");
        let period = match kind {
            PeriodKind::Own => {
                let (first, last) = (date(&self.first_on)?, date(&self.last_on)?);
                let until = Date::of_days(last.days() + 1).ok_or("bill-date-wrong")?;
                BillPeriod::own(first, until).ok_or("bill-dates-order")?
            }
            PeriodKind::Day | PeriodKind::Week | PeriodKind::Month => {
                BillPeriod::containing(kind, date(&self.on)?).ok_or("bill-date-wrong")?
            }
        };
        let currency = match self.currency.as_str() {
            "" => otherwise,
            code => Currency::parse(code).ok_or("bill-currency-wrong")?,
        };
        Ok(CloseBill {
            provider,
            period,
            currency,
            issue: IssueWhen::parse(&self.issue).unwrap_or(IssueWhen::AtOnce),
        })
    }
}

pub async fn show(State(state): State<AppState>, desk: BillDesk, Query(asked): Query<Asked>) -> PageResult {
    let institution = desk.institution()?;
    if asked.provider.is_empty() {
        return html(&close_page(&state, &desk, &asked, None, None).await?);
    }
    match asked.read(institution.currency) {
        Ok(close) => {
            let preview = state.services.bills.preview(institution, &close).await?;
            let shown = Some(shown(&state, &desk, preview));
            html(&close_page(&state, &desk, &asked, None, shown).await?)
        }
        Err(key) => again(&state, &desk, &asked, desk.page.t(key)).await,
    }
}

pub async fn close(State(state): State<AppState>, desk: BillDesk, Form(asked): Form<Asked>) -> PageResult {
    let institution = desk.institution()?;
    let close = match asked.read(institution.currency) {
        Ok(close) => close,
        Err(key) => return again(&state, &desk, &asked, desk.page.t(key)).await,
    };
    match state.services.bills.close(institution, &close).await? {
        Ok(bill) => Ok(Redirect::to(&format!("{}/{}", desk.base, bill.id)).into_response()),
        Err(refusal) => {
            let page = &desk.page;
            let problem = match refusal {
                CloseRefusal::UnknownProvider => page.t("bill-provider-unknown"),
                CloseRefusal::NotOver { until } => page.with("bill-not-over", "time", &page.date_time(&until)),
                CloseRefusal::Empty => page.t("bill-empty"),
            };
            again(&state, &desk, &asked, problem).await
        }
    }
}

async fn again(state: &AppState, desk: &BillDesk, asked: &Asked, problem: String) -> PageResult {
    html_with(
        StatusCode::UNPROCESSABLE_ENTITY,
        &close_page(state, desk, asked, Some(problem), None).await?,
    )
}

async fn close_page<'a>(
    state: &AppState,
    desk: &'a BillDesk,
    asked: &'a Asked,
    problem: Option<String>,
    shown: Option<Shown>,
) -> PageResult<ClosePage<'a>> {
    let mut names = Names::default();
    for running in state.services.bills.running(desk.institution()?).await? {
        names.of(state, running.provider).await?;
    }
    Ok(ClosePage {
        page: &desk.page,
        desk,
        asked,
        problem,
        providers: names.known(),
        shown,
    })
}

fn shown(state: &AppState, desk: &BillDesk, preview: BillPreview) -> Shown {
    let money = |minor| Money::new(minor, preview.currency);
    let credited = preview.open_credits_minor.min(preview.charged_minor);
    Shown {
        period: period_of(&desk.page, preview.period),
        rides: preview.rides,
        late_rides: preview.late_rides,
        charged: money(preview.charged_minor),
        open_credits: money(preview.open_credits_minor),
        credited: money(-credited),
        total: money(preview.charged_minor - credited),
        is_over: preview.until_at <= state.services.env.now_ms(),
        until_at: preview.until_at,
    }
}
