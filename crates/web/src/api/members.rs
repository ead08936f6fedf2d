//! Members of an institution, and their CSV import. Row S07.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::ids::{InstitutionId, MemberId};
use onescan_domain::institutions::{Member, MemberRole, MemberState};
use onescan_platforms::institutions::{ImportLine, NewMember};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::accounts::AccountView;
use super::endpoint::{Caller, Endpoint, get, patch, post};
use super::extract::{Csv, Json, Path, Query};
use super::wire::{
    AccountRef, DepartmentRef, Id, InstitutionRef, ListOf, MemberRef, Moment, PageQuery, PersonRef, Wrong,
};
use crate::AppState;
use crate::auth::AsAdministrator;
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let all = [
        get("/v1/institutions/{institution}/members", members)
            .says("listMembers", "Members")
            .caller(Caller::Administrator)
            .query::<MemberQuery>()
            .answers::<ListOf<MemberView>>(StatusCode::OK, "The oldest first"),
        post("/v1/institutions/{institution}/members", add_member)
            .says("addMember", "Take a person in")
            .caller(Caller::Administrator)
            .takes::<NewMemberBody>()
            .answers::<MemberView>(StatusCode::CREATED, "The member")
            .refuses(&[Code::InvalidFields, Code::Taken]),
        patch("/v1/institutions/{institution}/members/{member}", change_member)
            .says("changeMember", "Change a member")
            .about("Who left can show no code from now on.")
            .caller(Caller::Administrator)
            .takes::<MemberChange>()
            .answers::<MemberView>(StatusCode::OK, "The member, changed")
            .refuses(&[Code::InvalidFields, Code::Taken, Code::LastAdministrator]),
        post("/v1/institutions/{institution}/members/import", import)
            .says("importMembers", "Members from a CSV file")
            .about(
                "Columns name and login; also identity_kind, identity_number, email, employee_number, department, role. Comma, \
                 semicolon or tab. Good lines go in, bad ones are listed.",
            )
            .caller(Caller::Administrator)
            .takes_csv()
            .answers::<ImportView>(StatusCode::OK, "What became of each line")
            .refuses(&[Code::InvalidFields]),
        post("/v1/institutions/{institution}/members/{member}/account", open_account)
            .says("openMemberAccount", "Open a member's dedicated account")
            .about("Or the one there is.")
            .caller(Caller::Administrator)
            .answers::<AccountView>(StatusCode::CREATED, "The account"),
    ];
    all.into_iter().map(|endpoint| endpoint.tag("institutions")).collect()
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MemberQuery {
    /// A part of the name, the department's name or the employee number.
    #[param(max_length = 100)]
    search: Option<String>,
    /// The last id of the page before, as `next` told it.
    #[param(pattern = "^mem_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    after: Option<String>,
    /// How many at most; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// A person as part of an institution.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Member")]
struct MemberView {
    id: MemberRef,
    institution: InstitutionRef,
    person: PersonRef,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    employee_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    department: Option<DepartmentRef>,
    /// `employee` or `administrator`.
    #[schema(value_type = String, example = "employee")]
    role: &'static str,
    /// `active` or `left`.
    #[schema(value_type = String, example = "active")]
    state: &'static str,
    /// The dedicated account, where one was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountRef>,
    created_at: Moment,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self {
            id: Id(member.id),
            institution: Id(member.institution),
            person: Id(member.person),
            name: member.name,
            employee_number: member.employee_number,
            department: member.department.map(Id),
            role: member.role.name(),
            state: member.state.name(),
            account: member.account.map(Id),
            created_at: Moment(member.created_at),
        }
    }
}

async fn members(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Query(query): Query<MemberQuery>,
) -> Result<Json<ListOf<MemberView>>, Problem> {
    let mut wrong = Wrong::default();
    let search = wrong.optional_line("search", query.search.as_deref(), 100);
    wrong.finish()?;
    let (after, limit) = PageQuery {
        after: query.after,
        limit: query.limit,
    }
    .read::<MemberId>()?;
    let institutions = &state.services.institutions;
    let found = institutions
        .members(administrator.id(), search.as_deref(), after, limit)
        .await?;
    let items = found.into_iter().map(MemberView::from).collect();
    Ok(Json(ListOf::page(items, limit, |member| member.id.0.to_string())))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MemberRoleName {
    #[default]
    Employee,
    Administrator,
}

impl From<MemberRoleName> for MemberRole {
    fn from(role: MemberRoleName) -> Self {
        match role {
            MemberRoleName::Employee => Self::Employee,
            MemberRoleName::Administrator => Self::Administrator,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MemberStateName {
    Active,
    Left,
}

impl From<MemberStateName> for MemberState {
    fn from(state: MemberStateName) -> Self {
        match state {
            MemberStateName::Active => Self::Active,
            MemberStateName::Left => Self::Left,
        }
    }
}

/// `login` or `person`, one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"login": "mei", "employee_number": "E-17"}))]
struct NewMemberBody {
    login: Option<String>,
    person: Option<PersonRef>,
    /// The name here; the person's when absent.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    #[schema(max_length = 64)]
    employee_number: Option<String>,
    department: Option<DepartmentRef>,
    #[serde(default)]
    role: MemberRoleName,
}

async fn add_member(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Json(body): Json<NewMemberBody>,
) -> Result<(StatusCode, Json<MemberView>), Problem> {
    let people = &state.services.people;
    let (field, person) = match (&body.login, body.person) {
        (Some(login), None) => ("login", people.find_by_login(login).await?),
        (None, Some(Id(person))) => ("person", people.find(person).await?),
        (Some(_), Some(_)) | (None, None) => {
            return Err(Problem::invalid("person", "name a login or a person, one of the two"));
        }
    };
    let person = person.ok_or_else(|| Problem::invalid(field, "there is no such person"))?;
    let new = NewMember {
        person: person.id,
        name: body.name.unwrap_or(person.name),
        employee_number: body.employee_number,
        department: body.department.map(|Id(id)| id),
        role: body.role.into(),
    };
    let added = state
        .services
        .institutions
        .add_member(administrator.id(), new)
        .await??;
    Ok((StatusCode::CREATED, Json(added.into())))
}

/// What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"state": "left"}))]
struct MemberChange {
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// An empty text removes it.
    #[schema(max_length = 64)]
    employee_number: Option<String>,
    /// `null` takes the member out of the department.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<DepartmentRef>)]
    department: Option<Option<DepartmentRef>>,
    role: Option<MemberRoleName>,
    state: Option<MemberStateName>,
}

/// Tells `null` from a field that is left out.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<DepartmentRef>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A member of exactly this institution.
async fn member_of(state: &AppState, institution: InstitutionId, id: MemberId) -> Result<Member, Problem> {
    let found = state.services.institutions.member(id).await?;
    let own = found.filter(|member| member.institution == institution);
    own.ok_or_else(|| Problem::not_found("member"))
}

async fn change_member(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, MemberRef)>,
    Json(body): Json<MemberChange>,
) -> Result<Json<MemberView>, Problem> {
    let known = member_of(&state, administrator.id(), id).await?;
    let mut wrong = Wrong::default();
    let name = body.name.as_deref().map(|name| wrong.line("name", name, 100));
    let number = body.employee_number.as_deref();
    let number = number.map(|number| wrong.optional_line("employee_number", Some(number), 64));
    wrong.finish()?;
    let department = body.department.map(|department| department.map(|Id(id)| id));
    let changed = Member {
        name: name.unwrap_or(known.name),
        employee_number: number.unwrap_or(known.employee_number),
        department: department.unwrap_or(known.department),
        role: body.role.map_or(known.role, MemberRole::from),
        state: body.state.map_or(known.state, MemberState::from),
        ..known
    };
    let changed = state.services.institutions.change_member(changed).await??;
    Ok(Json(changed.into()))
}

/// What became of a CSV file.
#[derive(Serialize, ToSchema)]
#[schema(title = "ImportReport")]
struct ImportView {
    taken: usize,
    refused: usize,
    lines: Vec<ImportLineView>,
}

#[derive(Serialize, ToSchema)]
#[schema(title = "ImportLine")]
struct ImportLineView {
    /// As an editor counts: the header is line 1.
    line: u64,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<MemberRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<String>,
    /// For a person registered by this line; shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_password: Option<String>,
    /// Why the line was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl From<ImportLine> for ImportLineView {
    fn from(ImportLine { line, name, outcome }: ImportLine) -> Self {
        let (taken, problem) = match outcome {
            Ok(taken) => (Some(taken), None),
            Err(problem) => (None, Some(problem.to_string())),
        };
        let member = taken.as_ref().map(|taken| Id(taken.member));
        let (login, first_password) = taken.map_or((None, None), |taken| (Some(taken.login), taken.first_password));
        Self {
            line,
            name,
            member,
            login,
            first_password,
            problem,
        }
    }
}

async fn import(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Csv(file): Csv,
) -> Result<Json<ImportView>, Problem> {
    let services = &state.services;
    let report = services
        .institutions
        .import_members(&services.people, administrator.id(), &file)
        .await??;
    Ok(Json(ImportView {
        taken: report.taken(),
        refused: report.refused(),
        lines: report.lines.into_iter().map(ImportLineView::from).collect(),
    }))
}

async fn open_account(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, MemberRef)>,
) -> Result<(StatusCode, Json<AccountView>), Problem> {
    let member = member_of(&state, administrator.id(), id).await?;
    let account = state.services.institutions.open_member_account(member.id).await??;
    let account = state.services.payments.account(account).await?;
    let account = account.ok_or_else(|| Problem::not_found("account"))?;
    Ok((StatusCode::CREATED, Json(account.into())))
}
