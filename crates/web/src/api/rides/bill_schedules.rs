//! Which periods of an institution's rides are closed by themselves. Row R09.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::ids::MerchantId;
use onescan_domain::rides::bill::{GRACE_HOURS_MAX, PeriodKind};
use onescan_platforms::rides::bills::{BillSchedule, NewSchedule};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bills::issue_when;
use crate::AppState;
use crate::api::endpoint::{Caller, Endpoint, delete, get, put};
use crate::api::extract::{Json, Path};
use crate::api::wire::{Id, InstitutionRef, ListOf, MerchantRef, Moment, Wrong};
use crate::auth::AsAdministrator;
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/institutions/{institution}/bill-schedule", schedule)
            .says("getBillSchedule", "Which periods are closed by themselves")
            .caller(Caller::Administrator)
            .answers::<ScheduleView>(StatusCode::OK, "It"),
        put("/v1/institutions/{institution}/bill-schedule", put_schedule)
            .says("putBillSchedule", "Close every period from now on by itself")
            .about(
                "With each provider that has rides and no schedule of its own, soon after the period's end. Earlier periods stay to \
                 be closed by hand.",
            )
            .caller(Caller::Administrator)
            .takes::<ScheduleBody>()
            .answers::<ScheduleView>(StatusCode::OK, "It")
            .refuses(&[Code::InvalidFields]),
        delete("/v1/institutions/{institution}/bill-schedule", remove_schedule)
            .says("removeBillSchedule", "Close periods by hand only")
            .about("Providers with a schedule of their own keep it.")
            .caller(Caller::Administrator)
            .answers_empty("There is none"),
        get("/v1/institutions/{institution}/bill-schedules", list_schedules)
            .says("listBillSchedules", "The schedule of all providers, and those of single ones")
            .caller(Caller::Administrator)
            .answers::<ListOf<ScheduleView>>(StatusCode::OK, "That of all providers first"),
        get("/v1/institutions/{institution}/bill-schedules/{merchant}", provider_schedule)
            .says("getProviderBillSchedule", "The schedule of one provider")
            .caller(Caller::Administrator)
            .answers::<ScheduleView>(StatusCode::OK, "It"),
        put("/v1/institutions/{institution}/bill-schedules/{merchant}", put_provider_schedule)
            .says("putProviderBillSchedule", "Close one provider's periods otherwise than the others'")
            .about("With the period `own` they are closed by hand only.")
            .caller(Caller::Administrator)
            .takes::<ScheduleBody>()
            .answers::<ScheduleView>(StatusCode::OK, "It")
            .refuses(&[Code::InvalidFields]),
        delete("/v1/institutions/{institution}/bill-schedules/{merchant}", remove_provider_schedule)
            .says("removeProviderBillSchedule", "Close one provider's periods as the others'")
            .caller(Caller::Administrator)
            .answers_empty("It follows the schedule of all providers"),
    ]
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "NewBillSchedule", example = json!({"period": "month", "issue": "at_once", "grace_hours": 48}))]
struct ScheduleBody {
    /// `day`, `week` or `month`; of a single provider also `own`: by hand only.
    #[schema(value_type = String, example = "month")]
    period: String,
    /// `at_once` (when absent) or `by_hand`.
    #[schema(value_type = Option<String>, example = "at_once")]
    issue: Option<String>,
    /// How long after a period's end it is closed, so that rides told late are still in it; 0 when absent.
    #[schema(minimum = 0, maximum = 744)]
    grace_hours: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "BillSchedule")]
struct ScheduleView {
    /// Absent: of every provider that has no schedule of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "mer_01kb6x2x8s0g00000000000000")]
    provider: Option<MerchantRef>,
    /// `day`, `week`, `month`, or `own`: by hand only.
    #[schema(value_type = String, example = "month")]
    period: &'static str,
    /// `at_once` or `by_hand`.
    #[schema(value_type = String, example = "at_once")]
    issue: &'static str,
    grace_hours: i64,
    /// Periods that end later are closed by themselves.
    closed_until: Moment,
    /// When the next one is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Moment>,
    changed_at: Moment,
}

impl From<BillSchedule> for ScheduleView {
    fn from(schedule: BillSchedule) -> Self {
        Self {
            provider: schedule.provider.map(Id),
            period: schedule.period.name(),
            issue: schedule.issue.name(),
            grace_hours: schedule.grace_hours,
            closed_until: Moment(schedule.closed_until),
            due_at: schedule.due_at.map(Moment),
            changed_at: Moment(schedule.changed_at),
        }
    }
}

impl ScheduleBody {
    fn read(&self, provider: Option<MerchantId>) -> Result<NewSchedule, Problem> {
        let mut wrong = Wrong::default();
        let period = PeriodKind::parse(&self.period).filter(|kind| *kind != PeriodKind::Own || provider.is_some());
        if period.is_none() {
            wrong.add(
                "period",
                match provider {
                    Some(_) => "use day, week, month or own",
                    None => "use day, week or month",
                },
            );
        }
        let issue = issue_when(&mut wrong, self.issue.as_deref());
        let grace_hours = self.grace_hours.unwrap_or(0);
        if !(0..=GRACE_HOURS_MAX).contains(&grace_hours) {
            wrong.add("grace_hours", format!("use 0 to {GRACE_HOURS_MAX}"));
        }
        wrong.finish()?;
        Ok(NewSchedule {
            provider,
            period: period.unwrap_or(PeriodKind::Month),
            issue,
            grace_hours,
        })
    }
}

async fn schedule(
    administrator: AsAdministrator,
    State(state): State<AppState>,
) -> Result<Json<ScheduleView>, Problem> {
    found_schedule(&administrator, &state, None).await
}

async fn provider_schedule(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(provider))): Path<(InstitutionRef, MerchantRef)>,
) -> Result<Json<ScheduleView>, Problem> {
    found_schedule(&administrator, &state, Some(provider)).await
}

async fn found_schedule(
    administrator: &AsAdministrator,
    state: &AppState,
    provider: Option<MerchantId>,
) -> Result<Json<ScheduleView>, Problem> {
    let found = state.services.bills.schedule(administrator.id(), provider).await?;
    let schedule = found.ok_or_else(|| Problem::not_found("bill schedule"))?;
    Ok(Json(schedule.into()))
}

async fn list_schedules(
    administrator: AsAdministrator,
    State(state): State<AppState>,
) -> Result<Json<ListOf<ScheduleView>>, Problem> {
    let all = state.services.bills.schedules(administrator.id()).await?;
    Ok(Json(ListOf::whole(all.into_iter().map(ScheduleView::from).collect())))
}

async fn put_schedule(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Json(body): Json<ScheduleBody>,
) -> Result<Json<ScheduleView>, Problem> {
    let new = body.read(None)?;
    let bills = &state.services.bills;
    Ok(Json(bills.put_schedule(administrator.institution(), new).await?.into()))
}

async fn put_provider_schedule(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(provider))): Path<(InstitutionRef, MerchantRef)>,
    Json(body): Json<ScheduleBody>,
) -> Result<Json<ScheduleView>, Problem> {
    let new = body.read(Some(provider))?;
    if state.services.merchants.find(provider).await?.is_none() {
        return Err(Problem::not_found("provider"));
    }
    let bills = &state.services.bills;
    Ok(Json(bills.put_schedule(administrator.institution(), new).await?.into()))
}

async fn remove_schedule(administrator: AsAdministrator, State(state): State<AppState>) -> Result<StatusCode, Problem> {
    removed_schedule(&administrator, &state, None).await
}

async fn remove_provider_schedule(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(provider))): Path<(InstitutionRef, MerchantRef)>,
) -> Result<StatusCode, Problem> {
    removed_schedule(&administrator, &state, Some(provider)).await
}

async fn removed_schedule(
    administrator: &AsAdministrator,
    state: &AppState,
    provider: Option<MerchantId>,
) -> Result<StatusCode, Problem> {
    match state
        .services
        .bills
        .remove_schedule(administrator.id(), provider)
        .await?
    {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("bill schedule")),
    }
}
