//! Travel applications: the person's side and the administrators' inbox. Rows R01, R02, R10.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::rides::application::{
    ApplicationState, Approver, InstitutionPayment, RideAllowance, TravelApplication,
};
use onescan_platforms::rides::{ApplicationRefusal, DecideRefusal, HistoryLine, NewApplication, Ruling, Waiting};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

use super::types::TravelTypeView;
use crate::AppState;
use crate::api::endpoint::{Caller, Endpoint, get, post, put};
use crate::api::extract::{Json, Path, Query};
use crate::api::wire::{
    ApplicationRef, Id, InstitutionRef, ListOf, MemberRef, Moment, PageQuery, PersonRef, TravelTypeRef, Wrong,
};
use crate::auth::{AsAdministrator, AsPerson};
use crate::problem::{Code, Problem, ProblemReason};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/people/me/travel-types", my_types)
            .says("listMyTravelTypes", "What you may apply for, and what each asks")
            .caller(Caller::Person)
            .answers::<ListOf<TravelTypeView>>(StatusCode::OK, "Of every institution you are a member of"),
        post("/v1/people/me/travel-applications", apply)
            .says("applyForTravel", "Apply for travel")
            .about("Where no approval is needed, or the rule for automatic approval holds, it is a form at once.")
            .caller(Caller::Person)
            .takes::<NewApplicationBody>()
            .answers::<ApplicationView>(StatusCode::CREATED, "The application")
            .refuses(&[Code::InvalidFields]),
        get("/v1/people/me/travel-applications", mine)
            .says("listMyTravelApplications", "Your applications and forms")
            .caller(Caller::Person)
            .query::<PageQuery>()
            .answers::<ListOf<ApplicationView>>(StatusCode::OK, "Newest first"),
        get("/v1/people/me/travel-applications/{application}", my_one)
            .says("getMyTravelApplication", "One of them, with its history")
            .caller(Caller::Person)
            .answers::<ApplicationWithHistory>(StatusCode::OK, "The application"),
        put(
            "/v1/people/me/travel-applications/{application}/institution-payment",
            switch,
        )
        .says("switchInstitutionPayment", "Switch institution payment on or off")
        .about("While it is off, rides are yours to pay. It goes off by itself with the form's last ride.")
        .caller(Caller::Person)
        .takes::<SwitchBody>()
        .answers::<ApplicationView>(StatusCode::OK, "The application")
        .refuses(&[Code::WrongState]),
        post("/v1/people/me/travel-applications/{application}/withdrawal", withdraw)
            .says("withdrawTravelApplication", "Take an application back")
            .caller(Caller::Person)
            .answers::<ApplicationView>(StatusCode::OK, "The application")
            .refuses(&[Code::WrongState]),
        get("/v1/institutions/{institution}/travel-applications", inbox)
            .says(
                "listTravelApplications",
                "Applications, or those that wait for approval",
            )
            .caller(Caller::Administrator)
            .query::<InboxQuery>()
            .answers::<ListOf<ApplicationView>>(StatusCode::OK, "Newest first"),
        get("/v1/institutions/{institution}/travel-applications/{application}", one)
            .says("getTravelApplication", "One of them, with its history")
            .caller(Caller::Administrator)
            .answers::<ApplicationWithHistory>(StatusCode::OK, "The application"),
        post(
            "/v1/institutions/{institution}/travel-applications/{application}/rulings",
            rule,
        )
        .says(
            "ruleOnTravelApplication",
            "Approve, refuse, or hand to another administrator",
        )
        .caller(Caller::Administrator)
        .takes::<RulingBody>()
        .answers::<ApplicationView>(StatusCode::OK, "The application")
        .refuses(&[Code::InvalidFields, Code::WrongState, Code::NotAllowed]),
    ]
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "travel_type": "tvt_01kb6x2x8s0g00000000000000", "purpose": "Trade fair", "cities": ["Hangzhou"], "rides": 2,
    "valid_from": "2026-11-25T00:00:00Z", "valid_until": "2026-11-28T00:00:00Z", "fields": {"customer": "ACME"}
}))]
struct NewApplicationBody {
    travel_type: TravelTypeRef,
    #[schema(min_length = 1, max_length = 200)]
    purpose: String,
    #[schema(max_length = 64)]
    cost_centre: Option<String>,
    /// Where rides may start; empty: anywhere.
    #[serde(default)]
    #[schema(max_items = 50)]
    cities: Vec<String>,
    /// How many rides; absent: any number while it is valid.
    #[schema(minimum = 1, maximum = 10000)]
    rides: Option<i64>,
    valid_from: Moment,
    /// Not included.
    valid_until: Moment,
    #[serde(default = "on")]
    institution_payment: Switch,
    /// What the travel type's form asks for, by name.
    #[serde(default)]
    fields: BTreeMap<String, String>,
}

fn on() -> Switch {
    Switch::On
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Switch {
    On,
    Off,
}

impl From<Switch> for InstitutionPayment {
    fn from(switch: Switch) -> Self {
        match switch {
            Switch::On => Self::On,
            Switch::Off => Self::Off,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SwitchBody {
    institution_payment: Switch,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ruling": "refuse", "reason": "Take the company's shuttle"}))]
struct RulingBody {
    ruling: RulingName,
    /// With `refuse`: 1 to 500 characters, shown to the person.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// With `delegate`: another administrator.
    to: Option<PersonRef>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RulingName {
    Approve,
    Refuse,
    Delegate,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct InboxQuery {
    /// Only those that wait for approval.
    #[serde(default)]
    waiting: bool,
    /// The last id of the page before, as `next` told it.
    #[param(pattern = "^[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    after: Option<String>,
    /// How many at most; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "TravelApplication")]
pub struct ApplicationView {
    id: ApplicationRef,
    institution: InstitutionRef,
    member: MemberRef,
    person: PersonRef,
    travel_type: TravelTypeRef,
    /// What a ride order says as its travel type.
    type_code: String,
    purpose: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_centre: Option<String>,
    cities: Vec<String>,
    fields: BTreeMap<String, String>,
    /// How many rides it is for; absent: standing.
    #[serde(skip_serializing_if = "Option::is_none")]
    rides: Option<i64>,
    rides_used: i64,
    valid_from: Moment,
    valid_until: Moment,
    institution_payment: Switch,
    /// `waiting`, `approved`, `refused`, `withdrawn`, `used` or `expired`.
    #[schema(value_type = String, example = "approved")]
    state: &'static str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// `nobody` (no approval needed), `rule`, `administrator` or `program`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "rule")]
    decided_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delegated_to: Option<PersonRef>,
    /// Until when a ride under way keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_use_until: Option<Moment>,
    created_at: Moment,
}

impl From<TravelApplication> for ApplicationView {
    fn from(application: TravelApplication) -> Self {
        let (decided, reason, delegated_to) = match &application.state {
            ApplicationState::Approved { by, .. } => (Some(*by), None, None),
            ApplicationState::Refused { by, reason, .. } => (Some(*by), Some(reason.clone()), None),
            ApplicationState::Waiting { delegated } => (None, None, delegated.map(Id)),
            ApplicationState::Withdrawn { .. } | ApplicationState::Released { .. } => (None, None, None),
        };
        Self {
            id: Id(application.id),
            institution: Id(application.institution),
            member: Id(application.member),
            person: Id(application.person),
            travel_type: Id(application.travel_type),
            rides: match application.allowance {
                RideAllowance::Rides(rides) => Some(rides),
                RideAllowance::Standing => None,
            },
            state: application.state.name(),
            type_code: application.type_code,
            purpose: application.purpose,
            cost_centre: application.cost_centre,
            cities: application.cities,
            fields: application.fields.into_iter().collect(),
            rides_used: application.rides_used,
            valid_from: Moment(application.valid_from),
            valid_until: Moment(application.valid_until),
            institution_payment: match application.switch {
                InstitutionPayment::On => Switch::On,
                InstitutionPayment::Off => Switch::Off,
            },
            reason,
            decided_by: decided.map(|by| match by {
                Approver::Nobody => "nobody",
                Approver::Rule => "rule",
                Approver::Person(_) => "administrator",
                Approver::Program => "program",
            }),
            delegated_to,
            in_use_until: application.lock.map(|lock| Moment(lock.until)),
            created_at: Moment(application.created_at),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct ApplicationWithHistory {
    application: ApplicationView,
    /// The oldest first.
    history: Vec<HistoryView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "ApplicationHistory")]
struct HistoryView {
    at: Moment,
    /// `person`, `rule`, `provider`, `clock`, `program`, or an administrator's person id.
    actor: String,
    /// The state it came to, or `switched_on`, `switched_off`, `delegated`, `ride_paid`, `ride_not_paid`, `given_back`.
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl From<HistoryLine> for HistoryView {
    fn from(line: HistoryLine) -> Self {
        Self {
            at: Moment(line.at),
            actor: line.actor,
            what: line.what,
            note: line.note,
        }
    }
}

impl From<ApplicationRefusal> for Problem {
    fn from(refusal: ApplicationRefusal) -> Self {
        match refusal {
            ApplicationRefusal::UnknownType => {
                Self::invalid("travel_type", "there is no such travel type in an institution of yours")
            }
            ApplicationRefusal::Fields { faults } => {
                let reasons = faults
                    .into_iter()
                    .map(|fault| ProblemReason::field(fault.field, fault.problem));
                Self::invalid_all(reasons.collect())
            }
        }
    }
}

impl From<DecideRefusal> for Problem {
    fn from(refusal: DecideRefusal) -> Self {
        match &refusal {
            DecideRefusal::Unknown => Self::not_found("application"),
            DecideRefusal::Text { field, error } => Self::invalid(*field, error),
            DecideRefusal::NotAdministrator => Self::invalid("to", &refusal),
            DecideRefusal::OwnApplication => Self::new(Code::NotAllowed, refusal.to_string()),
            DecideRefusal::State { .. } | DecideRefusal::InUse => Self::new(Code::WrongState, refusal.to_string()),
        }
    }
}

async fn my_types(person: AsPerson, State(state): State<AppState>) -> Result<Json<ListOf<TravelTypeView>>, Problem> {
    let types = state.services.rides.types_for(person.person).await?;
    Ok(Json(ListOf::whole(
        types.into_iter().map(TravelTypeView::from).collect(),
    )))
}

async fn apply(
    person: AsPerson,
    State(state): State<AppState>,
    Json(body): Json<NewApplicationBody>,
) -> Result<(StatusCode, Json<ApplicationView>), Problem> {
    let new = NewApplication {
        travel_type: body.travel_type.0,
        purpose: body.purpose,
        cost_centre: body.cost_centre,
        cities: body.cities,
        fields: body.fields.into_iter().collect(),
        allowance: body.rides.map_or(RideAllowance::Standing, RideAllowance::Rides),
        valid_from: body.valid_from.0,
        valid_until: body.valid_until.0,
        switch: body.institution_payment.into(),
    };
    let made = state.services.rides.apply(person.person, new).await??;
    Ok((StatusCode::CREATED, Json(made.into())))
}

async fn mine(
    person: AsPerson,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ListOf<ApplicationView>>, Problem> {
    let page = query.page::<onescan_domain::ids::ApplicationId>()?;
    let found = state.services.rides.applications(person.person, &page).await?;
    Ok(Json(list(found, page.limit)))
}

fn list(found: Vec<TravelApplication>, limit: u32) -> ListOf<ApplicationView> {
    let views = found.into_iter().map(ApplicationView::from).collect();
    ListOf::page(views, limit, |view: &ApplicationView| view.id.0.to_string())
}

async fn my_one(
    person: AsPerson,
    State(state): State<AppState>,
    Path(Id(id)): Path<ApplicationRef>,
) -> Result<Json<ApplicationWithHistory>, Problem> {
    let found = state.services.rides.application(id).await?;
    let found = found.filter(|application| application.person == person.person);
    with_history(&state, found).await
}

async fn one(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, ApplicationRef)>,
) -> Result<Json<ApplicationWithHistory>, Problem> {
    let found = state.services.rides.application(id).await?;
    let found = found.filter(|application| application.institution == administrator.id());
    with_history(&state, found).await
}

async fn with_history(
    state: &AppState,
    found: Option<TravelApplication>,
) -> Result<Json<ApplicationWithHistory>, Problem> {
    let application = found.ok_or_else(|| Problem::not_found("application"))?;
    let history = state.services.rides.history(application.id).await?;
    Ok(Json(ApplicationWithHistory {
        application: application.into(),
        history: history.into_iter().map(HistoryView::from).collect(),
    }))
}

async fn switch(
    person: AsPerson,
    State(state): State<AppState>,
    Path(Id(id)): Path<ApplicationRef>,
    Json(body): Json<SwitchBody>,
) -> Result<Json<ApplicationView>, Problem> {
    let to = body.institution_payment.into();
    let changed = state.services.rides.switch(person.person, id, to).await??;
    Ok(Json(changed.into()))
}

async fn withdraw(
    person: AsPerson,
    State(state): State<AppState>,
    Path(Id(id)): Path<ApplicationRef>,
) -> Result<Json<ApplicationView>, Problem> {
    let changed = state.services.rides.withdraw(person.person, id).await??;
    Ok(Json(changed.into()))
}

async fn inbox(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Query(query): Query<InboxQuery>,
) -> Result<Json<ListOf<ApplicationView>>, Problem> {
    let waiting = match query.waiting {
        true => Waiting::Only,
        false => Waiting::All,
    };
    let page = PageQuery {
        after: query.after,
        limit: query.limit,
    };
    let page = page.page::<onescan_domain::ids::ApplicationId>()?;
    let found = state
        .services
        .rides
        .applications_of(administrator.id(), waiting, &page)
        .await?;
    Ok(Json(list(found, page.limit)))
}

async fn rule(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, ApplicationRef)>,
    Json(body): Json<RulingBody>,
) -> Result<Json<ApplicationView>, Problem> {
    let mut wrong = Wrong::default();
    if body.reason.is_some() && body.ruling != RulingName::Refuse {
        wrong.add("reason", "only a refusal has one");
    }
    if body.to.is_some() && body.ruling != RulingName::Delegate {
        wrong.add("to", "only who delegates names somebody");
    }
    let ruling = match body.ruling {
        RulingName::Approve => Ruling::Approve,
        RulingName::Refuse => Ruling::Refuse {
            reason: wrong.line("reason", body.reason.as_deref().unwrap_or_default(), 500),
        },
        RulingName::Delegate => match body.to {
            Some(Id(to)) => Ruling::Delegate { to },
            None => return Err(Problem::invalid("to", "name the administrator to hand it to")),
        },
    };
    wrong.finish()?;
    let rides = &state.services.rides;
    let changed = rides
        .decide(administrator.id(), id, administrator.person(), ruling)
        .await??;
    Ok(Json(changed.into()))
}
