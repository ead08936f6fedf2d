//! Which periods are closed by themselves: the institution's schedule, and those of single providers.

use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use onescan_domain::ids::{InstitutionId, MerchantId};
use onescan_domain::rides::bill::{GRACE_HOURS_MAX, IssueWhen, PeriodKind};
use onescan_platforms::rides::bills::NewSchedule;
use serde::Deserialize;

use super::BillDesk;
use super::list::{Names, bills_page};
use crate::AppState;
use crate::pages::error::PageResult;
use crate::pages::html_with;

pub struct ScheduleRow {
    /// Empty: of every provider without one of its own.
    pub provider: String,
    pub name: String,
    /// Key of the period's word.
    pub period: &'static str,
    /// Key of what becomes of the bill.
    pub issue: &'static str,
    pub due_at: Option<i64>,
}

pub async fn schedule_rows(
    state: &AppState,
    desk: &BillDesk,
    institution: InstitutionId,
    names: &mut Names,
) -> PageResult<Vec<ScheduleRow>> {
    let mut rows = Vec::new();
    for schedule in state.services.bills.schedules(institution).await? {
        let name = match schedule.provider {
            Some(provider) => names.of(state, provider).await?,
            None => desk.page.t("bill-schedule-all"),
        };
        rows.push(ScheduleRow {
            provider: schedule.provider.map(|id| id.to_string()).unwrap_or_default(),
            name,
            period: period_key(schedule.period),
            issue: issue_key(schedule.issue),
            due_at: schedule.due_at,
        });
    }
    Ok(rows)
}

fn period_key(kind: PeriodKind) -> &'static str {
    match kind {
        PeriodKind::Day => "bill-period-day",
        PeriodKind::Week => "bill-period-week",
        PeriodKind::Month => "bill-period-month",
        PeriodKind::Own => "bill-period-by-hand",
    }
}

fn issue_key(issue: IssueWhen) -> &'static str {
    match issue {
        IssueWhen::AtOnce => "bill-issue-at-once",
        IssueWhen::ByHand => "bill-issue-by-hand",
    }
}

#[derive(Debug, Deserialize)]
pub struct ScheduleForm {
    /// Empty: every provider without a schedule of its own.
    #[serde(default)]
    provider: String,
    /// Empty: the schedule is removed.
    #[serde(default)]
    period: String,
    #[serde(default)]
    issue: String,
    #[serde(default)]
    grace_hours: String,
}

impl ScheduleForm {
    /// What is wanted; the key of the text that says what is wrong.
    fn read(&self, provider: Option<MerchantId>) -> Result<NewSchedule, &'static str> {
        let period = PeriodKind::parse(&self.period).ok_or("bill-schedule-period-wrong")?;
        if period == PeriodKind::Own && provider.is_none() {
            return Err("bill-schedule-period-wrong");
        }
        let grace_hours = match self.grace_hours.trim() {
            "" => Ok(0),
            text => text.parse(),
        };
        let grace_hours = grace_hours.ok().filter(|hours| (0..=GRACE_HOURS_MAX).contains(hours));
        Ok(NewSchedule {
            provider,
            period,
            issue: IssueWhen::parse(&self.issue).unwrap_or(IssueWhen::AtOnce),
            grace_hours: grace_hours.ok_or("bill-grace-wrong")?,
        })
    }
}

pub async fn put(State(state): State<AppState>, desk: BillDesk, Form(form): Form<ScheduleForm>) -> PageResult {
    let institution = desk.institution()?;
    let bills = &state.services.bills;
    let provider: Option<MerchantId> = match form.provider.as_str() {
        "" => None,
        id => match id.parse().ok() {
            Some(id) if state.services.merchants.find(id).await?.is_some() => Some(id),
            _ => return again(&state, &desk, "bill-provider-unknown").await,
        },
    };
    if form.period.is_empty() {
        // Removed already is removed.
        let _ = bills.remove_schedule(institution.id, provider).await?;
        return done(&desk);
    }
    match form.read(provider) {
        Ok(new) => {
            bills.put_schedule(institution, new).await?;
            done(&desk)
        }
        Err(key) => again(&state, &desk, key).await,
    }
}

fn done(desk: &BillDesk) -> PageResult {
    Ok(Redirect::to(&format!("{}?done=saved", desk.base)).into_response())
}

async fn again(state: &AppState, desk: &BillDesk, key: &str) -> PageResult {
    let problem = desk.page.t(key);
    html_with(
        StatusCode::UNPROCESSABLE_ENTITY,
        &bills_page(state, desk, None, Some(problem)).await?,
    )
}
