//! Alarms: what the owner of a code, or the operator, should see. Row S22.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::ids::EventId;
use onescan_domain::payments::batch::Alarm;
use serde::Serialize;
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, get};
use super::extract::{Json, Query};
use super::wire::{EventRef, Id, ListOf, Moment, PageQuery, PaymentRef, PersonRef, TerminalRef};
use crate::AppState;
use crate::auth::{AsOperator, AsPerson};
use crate::problem::Problem;

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/people/me/alarms", alarms)
            .says("listMyAlarms", "What you should know about your codes")
            .caller(Caller::Person)
            .query::<PageQuery>()
            .answers::<ListOf<AlarmView>>(StatusCode::OK, "Newest first")
            .tag("people"),
        get("/v1/alarms", all_alarms)
            .says("listAlarms", "What needs a look")
            .caller(Caller::Operator)
            .query::<PageQuery>()
            .answers::<ListOf<AlarmView>>(StatusCode::OK, "Newest first")
            .tag("operator"),
    ]
}

/// Something the owner of a code or the operator should see. Row S22.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Alarm")]
struct AlarmView {
    id: EventRef,
    /// `code_repeated`: a used code was shown again with another order. `terminal_locked`: a terminal sent too many invalid codes.
    #[schema(value_type = String, example = "code_repeated")]
    kind: &'static str,
    terminal: TerminalRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<PersonRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<PaymentRef>,
    created_at: Moment,
}

impl From<Alarm> for AlarmView {
    fn from(alarm: Alarm) -> Self {
        Self {
            id: Id(alarm.id),
            kind: alarm.kind.name(),
            terminal: Id(alarm.terminal),
            person: alarm.person.map(Id),
            payment: alarm.payment.map(Id),
            created_at: Moment(alarm.created_at),
        }
    }
}

fn alarm_page(found: Vec<Alarm>, limit: u32) -> Json<ListOf<AlarmView>> {
    let items = found.into_iter().map(AlarmView::from).collect();
    Json(ListOf::page(items, limit, |alarm| alarm.id.0.to_string()))
}

async fn alarms(
    person: AsPerson,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ListOf<AlarmView>>, Problem> {
    let page = query.page::<EventId>()?;
    let limit = page.limit;
    let services = &state.services;
    let buckets = services.processing.buckets_of(person.person).await?;
    let found = services.payments.alarms_of_person(person.person, buckets, page).await?;
    Ok(alarm_page(found, limit))
}

async fn all_alarms(
    _: AsOperator,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ListOf<AlarmView>>, Problem> {
    let page = query.page::<EventId>()?;
    let limit = page.limit;
    let found = state.services.payments.alarms(page).await?;
    Ok(alarm_page(found, limit))
}
