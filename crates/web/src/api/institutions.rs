//! Institutions: the tree, departments, keys. Row S07.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::bucket::Bucket;
use onescan_domain::ids::InstitutionId;
use onescan_domain::institutions::{Department, Institution};
use onescan_platforms::access::KeyHolder;
use onescan_platforms::institutions::NewInstitution;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, delete, get, post};
use super::extract::{Json, Path, Query};
use super::keys::{self, KeyView, NewKey, NewKeyView};
use super::wire::{AccountRef, CurrencyCode, DepartmentRef, Id, InstitutionRef, KeyRef, ListOf, Moment, PageQuery};
use crate::AppState;
use crate::auth::{AsAdministrator, AsOperator};
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let all = [
        post("/v1/institutions", create)
            .says("createInstitution", "Make an institution")
            .caller(Caller::Operator)
            .takes::<NewInstitutionBody>()
            .answers::<InstitutionView>(StatusCode::CREATED, "The institution, with an empty account")
            .refuses(&[Code::InvalidFields]),
        get("/v1/institutions", list)
            .says("listInstitutions", "All institutions")
            .caller(Caller::Operator)
            .query::<PageQuery>()
            .answers::<ListOf<InstitutionView>>(StatusCode::OK, "The oldest first"),
        get("/v1/institutions/{institution}", show)
            .says("getInstitution", "An institution")
            .caller(Caller::Administrator)
            .answers::<InstitutionView>(StatusCode::OK, "The institution"),
        get("/v1/institutions/{institution}/children", children)
            .says("listSubInstitutions", "The institutions directly below")
            .caller(Caller::Administrator)
            .answers::<ListOf<InstitutionView>>(StatusCode::OK, "All of them"),
        get("/v1/institutions/{institution}/departments", departments)
            .says("listDepartments", "Departments")
            .caller(Caller::Administrator)
            .answers::<ListOf<DepartmentView>>(StatusCode::OK, "All of them"),
        post("/v1/institutions/{institution}/departments", add_department)
            .says("addDepartment", "Add a department")
            .caller(Caller::Administrator)
            .takes::<NewDepartment>()
            .answers::<DepartmentView>(StatusCode::CREATED, "The department")
            .refuses(&[Code::InvalidFields, Code::Taken]),
    ];
    let all = all.into_iter().chain(key_endpoints());
    all.map(|endpoint| endpoint.tag("institutions")).collect()
}

fn key_endpoints() -> [Endpoint; 3] {
    [
        get("/v1/institutions/{institution}/keys", list_keys)
            .says("listInstitutionKeys", "Keys of the institution's programs")
            .caller(Caller::Administrator)
            .answers::<ListOf<KeyView>>(StatusCode::OK, "Revoked ones too"),
        post("/v1/institutions/{institution}/keys", issue_key)
            .says("issueInstitutionKey", "Make a key")
            .about("May do what an administrator may.")
            .caller(Caller::Administrator)
            .takes::<NewKey>()
            .answers::<NewKeyView>(StatusCode::CREATED, "The key; its secret is shown once")
            .refuses(&[Code::InvalidFields]),
        delete("/v1/institutions/{institution}/keys/{key}", revoke_key)
            .says("revokeInstitutionKey", "Revoke a key")
            .caller(Caller::Administrator)
            .answers_empty("Worth nothing from now on"),
    ]
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Nordlicht GmbH", "currency": "EUR", "time_zone": "Europe/Berlin"}))]
struct NewInstitutionBody {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    currency: CurrencyCode,
    /// IANA name; limits count days and months in it.
    time_zone: String,
    /// The institution above.
    parent: Option<InstitutionRef>,
    /// For a large institution: a place of its own in the store, 0 to 4095. A sub-institution shares its parent's.
    #[schema(minimum = 0, maximum = 4095)]
    bucket: Option<u16>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Institution")]
pub struct InstitutionView {
    id: InstitutionRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<InstitutionRef>,
    name: String,
    currency: CurrencyCode,
    time_zone: String,
    account: AccountRef,
    created_at: Moment,
}

impl From<Institution> for InstitutionView {
    fn from(institution: Institution) -> Self {
        Self {
            id: Id(institution.id),
            parent: institution.parent.map(Id),
            name: institution.name,
            currency: CurrencyCode(institution.currency),
            time_zone: institution.time_zone,
            account: Id(institution.account),
            created_at: Moment(institution.created_at),
        }
    }
}

async fn create(
    _: AsOperator,
    State(state): State<AppState>,
    Json(body): Json<NewInstitutionBody>,
) -> Result<(StatusCode, Json<InstitutionView>), Problem> {
    let bucket = body
        .bucket
        .map(|number| Bucket::new(number).ok_or_else(|| Problem::invalid("bucket", "use 0 to 4095")));
    let new = NewInstitution {
        parent: body.parent.map(|Id(id)| id),
        name: body.name,
        currency: body.currency.0,
        time_zone: body.time_zone,
        bucket: bucket.transpose()?,
    };
    let made = state.services.institutions.create(new).await??;
    Ok((StatusCode::CREATED, Json(made.into())))
}

async fn list(
    _: AsOperator,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ListOf<InstitutionView>>, Problem> {
    let (after, limit) = query.read::<InstitutionId>()?;
    let found = state.services.institutions.list(after, limit).await?;
    let items = found.into_iter().map(InstitutionView::from).collect();
    Ok(Json(ListOf::page(items, limit, |item| item.id.0.to_string())))
}

async fn show(administrator: AsAdministrator) -> Json<InstitutionView> {
    Json(administrator.institution().clone().into())
}

async fn children(
    administrator: AsAdministrator,
    State(state): State<AppState>,
) -> Result<Json<ListOf<InstitutionView>>, Problem> {
    let found = state.services.institutions.children(administrator.id()).await?;
    Ok(Json(ListOf::whole(
        found.into_iter().map(InstitutionView::from).collect(),
    )))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Department")]
struct DepartmentView {
    id: DepartmentRef,
    name: String,
}

impl From<Department> for DepartmentView {
    fn from(department: Department) -> Self {
        Self {
            id: Id(department.id),
            name: department.name,
        }
    }
}

async fn departments(
    administrator: AsAdministrator,
    State(state): State<AppState>,
) -> Result<Json<ListOf<DepartmentView>>, Problem> {
    let found = state.services.institutions.departments(administrator.id()).await?;
    Ok(Json(ListOf::whole(
        found.into_iter().map(DepartmentView::from).collect(),
    )))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewDepartment {
    #[schema(example = "R&D", min_length = 1, max_length = 100)]
    name: String,
}

async fn add_department(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Json(body): Json<NewDepartment>,
) -> Result<(StatusCode, Json<DepartmentView>), Problem> {
    let institutions = &state.services.institutions;
    let added = institutions.add_department(administrator.id(), &body.name).await??;
    Ok((StatusCode::CREATED, Json(added.into())))
}

async fn list_keys(
    administrator: AsAdministrator,
    State(state): State<AppState>,
) -> Result<Json<ListOf<KeyView>>, Problem> {
    keys::list(&state, KeyHolder::Institution(administrator.id())).await
}

async fn issue_key(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Json(body): Json<NewKey>,
) -> Result<(StatusCode, Json<NewKeyView>), Problem> {
    keys::issue(&state, KeyHolder::Institution(administrator.id()), &body).await
}

async fn revoke_key(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(key))): Path<(InstitutionRef, KeyRef)>,
) -> Result<StatusCode, Problem> {
    keys::revoke(&state, KeyHolder::Institution(administrator.id()), key).await
}
