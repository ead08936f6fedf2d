//! Code records: enabling code payment, stopping it, its scenarios. Rows S02, S05, S07, S11, S22.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::codes::{CodeRecord, MemberAccess, RecordHolder, RecordState};
use onescan_platforms::processing::request::{CONSENT_FIELDS, MemberCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, delete, get, patch, post, put};
use super::extract::{ClientAddress, Json, JsonOrNothing, Path};
use super::scenarios::{self, ScenarioFields, ScenarioView};
use super::service_codes::{ServiceCodeView, read_access, read_forms};
use super::wire::{AccountRef, CurrencyCode, Id, InstitutionRef, ListOf, MemberRef, Moment, ScenarioRef, Wrong};
use crate::AppState;
use crate::auth::{AsPerson, AsRecordHolder};
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let all = [
        post("/v1/code-records", enable)
            .says("enableCodePayment", "Enable code payment for yourself")
            .about(
                "`consent_fields`: what you agree is read; what was read becomes your first invoice profile. Without it the \
                 record is made from your identity id alone. Enabling twice returns the same record.",
            )
            .caller(Caller::Person)
            .may_take::<Enabling>()
            .answers::<EnabledView>(StatusCode::CREATED, "Enabled, with an initial code when it was asked for")
            .refuses(&[Code::InvalidFields]),
        get("/v1/code-records", list)
            .says("listCodeRecords", "The codes you can show")
            .caller(Caller::Person)
            .answers::<ListOf<CodeRecordView>>(StatusCode::OK, "Your own record, and those of your institutions"),
        patch("/v1/code-records/{record}", change)
            .says("changeCodeRecord", "Pause, resume or close")
            .about("Codes made earlier are dead at once. Closing is for ever.")
            .caller(Caller::RecordHolder)
            .takes::<RecordChange>()
            .answers::<CodeRecordView>(StatusCode::OK, "The record, changed")
            .refuses(&[Code::WrongState]),
    ];
    let all = all.into_iter().chain(scenario_endpoints());
    all.map(|endpoint| endpoint.tag("code-records")).collect()
}

fn scenario_endpoints() -> [Endpoint; 4] {
    [
        get("/v1/code-records/{record}/scenarios", list_scenarios)
            .says("listScenarios", "What is allowed for which kind of spending")
            .caller(Caller::RecordHolder)
            .answers::<ListOf<ScenarioView>>(StatusCode::OK, "All scenarios of the record"),
        post("/v1/code-records/{record}/scenarios", add_scenario)
            .says("addScenario", "Add a scenario")
            .caller(Caller::RecordHolder)
            .takes::<ScenarioFields>()
            .answers::<ScenarioView>(StatusCode::CREATED, "The scenario")
            .refuses(&[Code::InvalidFields]),
        put("/v1/code-records/{record}/scenarios/{scenario}", replace_scenario)
            .says("replaceScenario", "Replace a scenario")
            .caller(Caller::RecordHolder)
            .takes::<ScenarioFields>()
            .answers::<ScenarioView>(StatusCode::OK, "The scenario as it is now")
            .refuses(&[Code::InvalidFields]),
        delete("/v1/code-records/{record}/scenarios/{scenario}", remove_scenario)
            .says("removeScenario", "Remove a scenario")
            .caller(Caller::RecordHolder)
            .answers_empty("Removed; payments keep naming it"),
    ]
}

/// The lasting enrolment of a person or an institution in code payment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "CodeRecord")]
pub struct CodeRecordView {
    pub id: String,
    /// `user` or `institution`.
    #[schema(value_type = String, example = "user")]
    pub kind: &'static str,
    /// `active`, `paused` or `closed`.
    #[schema(value_type = String, example = "active")]
    pub state: &'static str,
    pub account: AccountRef,
    pub currency: CurrencyCode,
    /// IANA name; days and months of limits are counted in it.
    pub time_zone: String,
    /// An institution's: `through_institution` or `assigned`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub members: Option<&'static str>,
    /// The institution through which you can show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub institution: Option<InstitutionRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub institution_name: Option<String>,
    /// Your membership.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberRef>,
    pub created_at: Moment,
}

impl From<&CodeRecord> for CodeRecordView {
    fn from(record: &CodeRecord) -> Self {
        let (members, institution) = match &record.holder {
            RecordHolder::Person { .. } => (None, None),
            RecordHolder::Institution { institution, members } => (Some(members_name(*members)), Some(*institution)),
        };
        Self {
            id: record.id.as_str().to_owned(),
            kind: record.kind().name(),
            state: record.state.name(),
            account: Id(record.account),
            currency: CurrencyCode(record.currency),
            time_zone: record.time_zone.clone(),
            members,
            institution: institution.map(Id),
            institution_name: None,
            member: None,
            created_at: Moment(record.created_at),
        }
    }
}

fn members_name(members: MemberAccess) -> &'static str {
    match members {
        MemberAccess::ThroughInstitution => "through_institution",
        MemberAccess::Assigned => "assigned",
    }
}

impl From<MemberCode> for CodeRecordView {
    fn from(code: MemberCode) -> Self {
        Self {
            institution: Some(Id(code.institution.id)),
            institution_name: Some(code.institution.name),
            member: Some(Id(code.member.id)),
            ..Self::from(&code.record)
        }
    }
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"consent_fields": ["name", "email"], "initial_code": true, "device": "phone-1"}))]
struct Enabling {
    /// `name`, `email`: what you agree is read. Absent: nothing is read.
    consent_fields: Option<Vec<String>>,
    /// Whether to show a first code at once.
    #[serde(default)]
    initial_code: bool,
    /// With `initial_code`: an id your app or browser keeps.
    #[schema(min_length = 1, max_length = 128)]
    device: Option<String>,
    #[schema(max_length = 100)]
    location: Option<String>,
    /// With `initial_code`: forms as in POST /v1/service-codes.
    #[serde(default)]
    #[schema(max_items = 5)]
    render: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(title = "Enabled")]
struct EnabledView {
    record: CodeRecordView,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<ServiceCodeView>,
}

async fn enable(
    person: AsPerson,
    address: ClientAddress,
    State(state): State<AppState>,
    JsonOrNothing(body): JsonOrNothing<Enabling>,
) -> Result<(StatusCode, Json<EnabledView>), Problem> {
    let mut wrong = Wrong::default();
    for (place, field) in body.consent_fields.iter().flatten().enumerate() {
        if !CONSENT_FIELDS.contains(&field.as_str()) {
            let known = CONSENT_FIELDS.join(" and ");
            wrong.add(format!("consent_fields[{place}]"), format!("only {known} are read"));
        }
    }
    let forms = read_forms(&mut wrong, &body.render);
    let device = body.device.as_deref().unwrap_or_default();
    let initial = match body.initial_code {
        true => Some(read_access(&mut wrong, device, body.location.as_deref(), address)),
        false => None,
    };
    wrong.finish()?;
    let services = &state.services;
    let known = services.people.find(person.person).await?;
    let known = known.ok_or_else(|| Problem::not_found("person"))?;
    let enabled = services.processing.enable(&known, body.consent_fields, initial).await?;
    let code = enabled
        .code
        .map(|code| ServiceCodeView::of(&code, &forms))
        .transpose()?;
    let view = EnabledView {
        record: (&enabled.record).into(),
        code,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

async fn list(person: AsPerson, State(state): State<AppState>) -> Result<Json<ListOf<CodeRecordView>>, Problem> {
    let services = &state.services;
    let own = services.codes.record_of_person(person.person).await?;
    let mut items: Vec<CodeRecordView> = own.iter().map(CodeRecordView::from).collect();
    let through = services.processing.member_codes(person.person).await?;
    items.extend(through.into_iter().map(CodeRecordView::from));
    Ok(Json(ListOf::whole(items)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordChange {
    pub state: WantedState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WantedState {
    Active,
    Paused,
    Closed,
}

impl From<WantedState> for RecordState {
    fn from(wanted: WantedState) -> Self {
        match wanted {
            WantedState::Active => Self::Active,
            WantedState::Paused => Self::Paused,
            WantedState::Closed => Self::Closed,
        }
    }
}

async fn change(
    holder: AsRecordHolder,
    State(state): State<AppState>,
    Json(body): Json<RecordChange>,
) -> Result<Json<CodeRecordView>, Problem> {
    set_state(&state, holder.record(), body.state.into()).await.map(Json)
}

/// A closed record stays closed, and says so.
pub async fn set_state(state: &AppState, record: &CodeRecord, wanted: RecordState) -> Result<CodeRecordView, Problem> {
    let codes = &state.services.codes;
    codes.set_record_state(record.bucket, &record.id, wanted).await?;
    let now = codes.find_record(record.bucket, &record.id).await?;
    let now = now.ok_or_else(|| Problem::not_found("code record"))?;
    if now.state != wanted {
        let detail = format!("the code record is {}", now.state.name());
        return Err(Problem::new(Code::WrongState, detail));
    }
    Ok((&now).into())
}

async fn list_scenarios(
    holder: AsRecordHolder,
    State(state): State<AppState>,
) -> Result<Json<ListOf<ScenarioView>>, Problem> {
    scenarios::list(&state, holder.record()).await.map(Json)
}

async fn add_scenario(
    holder: AsRecordHolder,
    State(state): State<AppState>,
    Json(body): Json<ScenarioFields>,
) -> Result<(StatusCode, Json<ScenarioView>), Problem> {
    let added = scenarios::add(&state, holder.record(), body).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

async fn replace_scenario(
    holder: AsRecordHolder,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(String, ScenarioRef)>,
    Json(body): Json<ScenarioFields>,
) -> Result<Json<ScenarioView>, Problem> {
    scenarios::replace(&state, holder.record(), id, body).await.map(Json)
}

async fn remove_scenario(
    holder: AsRecordHolder,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(String, ScenarioRef)>,
) -> Result<StatusCode, Problem> {
    scenarios::remove(&state, holder.record(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
