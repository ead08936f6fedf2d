//! An institution's code record, who may show it, and its scenarios. Rows S07, S11.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::codes::{CodeRecord, MemberAccess, RecordHolder};
use onescan_domain::ids::{InstitutionId, MemberId};
use onescan_domain::institutions::Member;
use onescan_platforms::codes::{Assigned, ServiceCode};
use onescan_platforms::error::PlatformError;
use onescan_platforms::processing::request::{AccessInfo, WantedCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::code_records::{CodeRecordView, WantedState, set_state};
use super::endpoint::{Caller, Endpoint, delete, get, patch, post, put};
use super::extract::{ClientAddress, Json, JsonOrNothing, Path};
use super::scenarios::{self, ScenarioFields, ScenarioView};
use super::service_codes::{ServiceCodeView, read_forms};
use super::wire::{Id, InstitutionRef, ListOf, MemberRef, ScenarioRef, Wrong};
use crate::AppState;
use crate::auth::AsAdministrator;
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let all = record_endpoints().into_iter().chain(scenario_endpoints());
    all.map(|endpoint| endpoint.tag("institutions")).collect()
}

fn record_endpoints() -> [Endpoint; 6] {
    [
        post("/v1/institutions/{institution}/code-record", enable)
            .says("enableInstitution", "Enable code payment for an institution")
            .about(
                "Every member through the institution, or members tied one by one. `initial_code_for` answers with a first code \
                 of that member to hand out. Again: the same record, with `members` as asked.",
            )
            .caller(Caller::Administrator)
            .may_take::<EnablingInstitution>()
            .answers::<EnabledInstitution>(StatusCode::CREATED, "Enabled")
            .refuses(&[Code::InvalidFields, Code::RecordInactive, Code::NotTied, Code::NotEnabled]),
        get("/v1/institutions/{institution}/code-record", show)
            .says("getInstitutionRecord", "The institution's code record")
            .caller(Caller::Administrator)
            .answers::<CodeRecordView>(StatusCode::OK, "The record"),
        patch("/v1/institutions/{institution}/code-record", change)
            .says("changeInstitutionRecord", "Pause, resume, close; who may show it")
            .caller(Caller::Administrator)
            .takes::<InstitutionRecordChange>()
            .answers::<CodeRecordView>(StatusCode::OK, "The record, changed")
            .refuses(&[Code::WrongState]),
        get("/v1/institutions/{institution}/code-record/members", assigned)
            .says("listAssignedMembers", "Members tied one by one")
            .caller(Caller::Administrator)
            .answers::<ListOf<AssignedMember>>(StatusCode::OK, "All of them"),
        put("/v1/institutions/{institution}/code-record/members/{member}", assign)
            .says("assignMember", "Tie a member to the code record")
            .caller(Caller::Administrator)
            .answers_empty("Tied; again changes nothing"),
        delete("/v1/institutions/{institution}/code-record/members/{member}", unassign)
            .says("unassignMember", "Untie a member from the code record")
            .caller(Caller::Administrator)
            .answers_empty("Untied; codes shown earlier are refused"),
    ]
}

fn scenario_endpoints() -> [Endpoint; 4] {
    [
        get("/v1/institutions/{institution}/scenarios", list_scenarios)
            .says("listInstitutionScenarios", "What the institution allows")
            .caller(Caller::Administrator)
            .answers::<ListOf<ScenarioView>>(StatusCode::OK, "All scenarios of its code record"),
        post("/v1/institutions/{institution}/scenarios", add_scenario)
            .says("addInstitutionScenario", "Add a scenario")
            .caller(Caller::Administrator)
            .takes::<ScenarioFields>()
            .answers::<ScenarioView>(StatusCode::CREATED, "The scenario")
            .refuses(&[Code::InvalidFields]),
        put("/v1/institutions/{institution}/scenarios/{scenario}", replace_scenario)
            .says("replaceInstitutionScenario", "Replace a scenario")
            .caller(Caller::Administrator)
            .takes::<ScenarioFields>()
            .answers::<ScenarioView>(StatusCode::OK, "The scenario as it is now")
            .refuses(&[Code::InvalidFields]),
        delete("/v1/institutions/{institution}/scenarios/{scenario}", remove_scenario)
            .says("removeInstitutionScenario", "Remove a scenario")
            .caller(Caller::Administrator)
            .answers_empty("Removed; payments keep naming it"),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MembersName {
    /// Every active member of the institution and of those below it.
    ThroughInstitution,
    /// Only members tied one by one.
    Assigned,
}

impl From<MembersName> for MemberAccess {
    fn from(name: MembersName) -> Self {
        match name {
            MembersName::ThroughInstitution => Self::ThroughInstitution,
            MembersName::Assigned => Self::Assigned,
        }
    }
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"members": "assigned"}))]
struct EnablingInstitution {
    /// Absent: as it is; `through_institution` for a new record.
    members: Option<MembersName>,
    /// A member to whom a first code is handed out; tied to the record when members are assigned.
    initial_code_for: Option<MemberRef>,
    /// Forms of that code as in POST /v1/service-codes.
    #[serde(default)]
    #[schema(max_items = 5)]
    render: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct EnabledInstitution {
    record: CodeRecordView,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<ServiceCodeView>,
}

async fn enable(
    administrator: AsAdministrator,
    address: ClientAddress,
    State(state): State<AppState>,
    JsonOrNothing(body): JsonOrNothing<EnablingInstitution>,
) -> Result<(StatusCode, Json<EnabledInstitution>), Problem> {
    let mut wrong = Wrong::default();
    let forms = read_forms(&mut wrong, &body.render);
    wrong.finish()?;
    let member = match body.initial_code_for {
        Some(Id(id)) => Some(member_below(&state, administrator.id(), id).await?),
        None => None,
    };
    let services = &state.services;
    let members = body.members.map(MemberAccess::from);
    let first = members.unwrap_or(MemberAccess::ThroughInstitution);
    let processing = &services.processing;
    let record = processing
        .enable_institution(administrator.institution(), first)
        .await?;
    if let Some(members) = members {
        services
            .codes
            .set_member_access(record.bucket, &record.id, members)
            .await?;
    }
    let record = own_record(&state, administrator.id()).await?;
    let code = match member {
        Some(member) => Some(initial_code(&state, &record, &member, address).await?),
        None => None,
    };
    let code = code.map(|code| ServiceCodeView::of(&code, &forms)).transpose()?;
    let view = EnabledInstitution {
        record: (&record).into(),
        code,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// A first code to hand out to a member; its device is the one that hands it out.
async fn initial_code(
    state: &AppState,
    record: &CodeRecord,
    member: &Member,
    ClientAddress(address): ClientAddress,
) -> Result<ServiceCode, Problem> {
    let services = &state.services;
    let is_assigned = |holder: &RecordHolder| {
        matches!(
            holder,
            RecordHolder::Institution {
                members: MemberAccess::Assigned,
                ..
            }
        )
    };
    if is_assigned(&record.holder) {
        let tie = services
            .codes
            .set_assigned(record.bucket, &record.id, member.id, Assigned::Yes);
        tie.await?;
    }
    let info = AccessInfo {
        device: "handed-out".to_owned(),
        address,
        location: None,
    };
    let wanted = WantedCode::Institution(member.institution);
    Ok(services.processing.show_code(member.person, wanted, info).await??)
}

pub async fn own_record(state: &AppState, institution: InstitutionId) -> Result<CodeRecord, Problem> {
    let record = state.services.codes.record_of_institution(institution).await?;
    record.ok_or_else(|| Problem::not_found("code record of this institution"))
}

async fn show(administrator: AsAdministrator, State(state): State<AppState>) -> Result<Json<CodeRecordView>, Problem> {
    let record = own_record(&state, administrator.id()).await?;
    Ok(Json((&record).into()))
}

/// What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"members": "through_institution"}))]
struct InstitutionRecordChange {
    state: Option<WantedState>,
    members: Option<MembersName>,
}

async fn change(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Json(body): Json<InstitutionRecordChange>,
) -> Result<Json<CodeRecordView>, Problem> {
    let record = own_record(&state, administrator.id()).await?;
    if let Some(wanted) = body.state {
        set_state(&state, &record, wanted.into()).await?;
    }
    if let Some(members) = body.members {
        let codes = &state.services.codes;
        codes
            .set_member_access(record.bucket, &record.id, members.into())
            .await?;
    }
    let record = own_record(&state, administrator.id()).await?;
    Ok(Json((&record).into()))
}

/// A member who may show the code when members are assigned.
#[derive(Debug, Serialize, ToSchema)]
struct AssignedMember {
    member: MemberRef,
}

async fn assigned(
    administrator: AsAdministrator,
    State(state): State<AppState>,
) -> Result<Json<ListOf<AssignedMember>>, Problem> {
    let record = own_record(&state, administrator.id()).await?;
    let members = state.services.codes.assigned_members(record.bucket, &record.id).await?;
    let items = members.into_iter().map(|member| AssignedMember { member: Id(member) });
    Ok(Json(ListOf::whole(items.collect())))
}

async fn set_assigned(
    state: &AppState,
    institution: InstitutionId,
    member: MemberId,
    assigned: Assigned,
) -> Result<StatusCode, Problem> {
    let member = member_below(state, institution, member).await?;
    let record = own_record(state, institution).await?;
    let codes = &state.services.codes;
    codes
        .set_assigned(record.bucket, &record.id, member.id, assigned)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn assign(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(member))): Path<(InstitutionRef, MemberRef)>,
) -> Result<StatusCode, Problem> {
    set_assigned(&state, administrator.id(), member, Assigned::Yes).await
}

async fn unassign(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(member))): Path<(InstitutionRef, MemberRef)>,
) -> Result<StatusCode, Problem> {
    set_assigned(&state, administrator.id(), member, Assigned::No).await
}

/// Whether `institution` is `below` itself or one above it.
pub async fn is_above(
    state: &AppState,
    institution: InstitutionId,
    below: InstitutionId,
) -> Result<bool, PlatformError> {
    let lineage = state.services.institutions.lineage(below).await?;
    Ok(lineage.iter().any(|level| level.id == institution))
}

/// A member of the institution or of one below it.
async fn member_below(state: &AppState, institution: InstitutionId, id: MemberId) -> Result<Member, Problem> {
    let absent = || Problem::not_found("member");
    let member = state.services.institutions.member(id).await?.ok_or_else(absent)?;
    match is_above(state, institution, member.institution).await? {
        true => Ok(member),
        false => Err(absent()),
    }
}

async fn list_scenarios(
    administrator: AsAdministrator,
    State(state): State<AppState>,
) -> Result<Json<ListOf<ScenarioView>>, Problem> {
    let record = own_record(&state, administrator.id()).await?;
    scenarios::list(&state, &record).await.map(Json)
}

async fn add_scenario(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Json(body): Json<ScenarioFields>,
) -> Result<(StatusCode, Json<ScenarioView>), Problem> {
    let record = own_record(&state, administrator.id()).await?;
    let added = scenarios::add(&state, &record, body).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

async fn replace_scenario(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, ScenarioRef)>,
    Json(body): Json<ScenarioFields>,
) -> Result<Json<ScenarioView>, Problem> {
    let record = own_record(&state, administrator.id()).await?;
    scenarios::replace(&state, &record, id, body).await.map(Json)
}

async fn remove_scenario(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, ScenarioRef)>,
) -> Result<StatusCode, Problem> {
    let record = own_record(&state, administrator.id()).await?;
    scenarios::remove(&state, &record, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
