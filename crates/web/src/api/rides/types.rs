//! Travel types of an institution: what may be applied for, what is asked, who approves. Row R01.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::rides::application::{
    Approval, AutoApproval, FieldKind, FormAfterRefund, FormField, Presence, TravelType,
};
use onescan_platforms::rides::{NewTravelType, TypeRefusal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AppState;
use crate::api::endpoint::{Caller, Endpoint, get, post, put};
use crate::api::extract::{Json, Path};
use crate::api::wire::{Id, InstitutionRef, ListOf, Moment, TravelTypeRef, Wrong};
use crate::auth::AsAdministrator;
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/v1/institutions/{institution}/travel-types", add)
            .says("addTravelType", "Add a kind of travel that the institution may pay for")
            .caller(Caller::Administrator)
            .takes::<TravelTypeFields>()
            .answers::<TravelTypeView>(StatusCode::CREATED, "The travel type")
            .refuses(&[Code::InvalidFields, Code::Taken]),
        get("/v1/institutions/{institution}/travel-types", list)
            .says("listTravelTypes", "Kinds of travel")
            .caller(Caller::Administrator)
            .answers::<ListOf<TravelTypeView>>(StatusCode::OK, "All of them, by code"),
        put("/v1/institutions/{institution}/travel-types/{travel_type}", replace)
            .says("replaceTravelType", "Change a kind of travel")
            .about("Applications made before keep what they say.")
            .caller(Caller::Administrator)
            .takes::<TravelTypeFields>()
            .answers::<TravelTypeView>(StatusCode::OK, "The travel type")
            .refuses(&[Code::InvalidFields, Code::Taken]),
    ]
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "code": "metro", "name": "Metro", "approval": {"by": "administrators", "automatic": {"rides_max": 2}},
    "form": [{"name": "customer", "label": "Customer to visit", "kind": "text", "required": true}]
}))]
pub struct TravelTypeFields {
    /// What a ride order says as its travel type: 1 to 40 small letters, digits, `-` and `_`; unique in the institution.
    #[schema(pattern = "^[a-z0-9_-]{1,40}$")]
    code: String,
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What an application has to tell besides purpose, validity, cities and number of rides.
    #[serde(default)]
    #[schema(max_items = 30)]
    form: Vec<FormFieldBody>,
    #[serde(default)]
    approval: ApprovalBody,
    /// Whether a whole refund gives a used form back while it is valid.
    #[serde(default)]
    refund_gives_back: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "FormField")]
pub struct FormFieldBody {
    #[schema(pattern = "^[a-z0-9_-]{1,40}$")]
    name: String,
    #[schema(min_length = 1, max_length = 100)]
    label: String,
    kind: FieldKindName,
    #[serde(default)]
    required: bool,
    /// For `choice`: 1 to 50 values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    choices: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FieldKindName {
    Text,
    Number,
    Date,
    Choice,
}

/// Who approves applications.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "Approval")]
pub struct ApprovalBody {
    by: ApprovedBy,
    /// With `administrators`: applications within all of this are approved without anybody looking.
    #[serde(skip_serializing_if = "Option::is_none")]
    automatic: Option<AutomaticBody>,
}

impl Default for ApprovalBody {
    fn default() -> Self {
        Self {
            by: ApprovedBy::Nobody,
            automatic: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ApprovedBy {
    Nobody,
    Administrators,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "AutomaticApproval")]
struct AutomaticBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    rides_max: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 2000)]
    days_max: Option<i64>,
    /// Empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cities: Vec<String>,
}

const DAY_MS: i64 = 86_400_000;

impl TravelTypeFields {
    fn read(self) -> Result<NewTravelType, Problem> {
        let mut wrong = Wrong::default();
        if self.form.len() > 30 {
            wrong.add("form", "at most 30");
        }
        let form = self.form.into_iter().enumerate().map(|(index, field)| {
            let at = |part: &str| format!("form[{index}].{part}");
            let choices = field.choices.iter().enumerate();
            let choices: Vec<String> = choices
                .map(|(place, choice)| wrong.line(at(&format!("choices[{place}]")), choice, 100))
                .collect();
            match (field.kind, choices.len()) {
                (FieldKindName::Choice, 1..=50) => {}
                (FieldKindName::Choice, _) => wrong.add(at("choices"), "a choice has 1 to 50 values"),
                (_, 0) => {}
                (_, _) => wrong.add(at("choices"), "only a choice has values"),
            }
            FormField {
                name: field.name,
                label: wrong.line(at("label"), &field.label, 100),
                kind: match field.kind {
                    FieldKindName::Text => FieldKind::Text,
                    FieldKindName::Number => FieldKind::Number,
                    FieldKindName::Date => FieldKind::Date,
                    FieldKindName::Choice => FieldKind::Choice(choices),
                },
                presence: match field.required {
                    true => Presence::Required,
                    false => Presence::Optional,
                },
            }
        });
        let form = form.collect();
        let approval = match (self.approval.by, self.approval.automatic) {
            (ApprovedBy::Nobody, _) => Approval::NotNeeded,
            (ApprovedBy::Administrators, automatic) => Approval::Administrators {
                automatic: automatic.map(|rule| AutoApproval {
                    rides_max: rule.rides_max,
                    validity_ms_max: rule.days_max.map(|days| days.clamp(0, 2_000) * DAY_MS),
                    cities: rule
                        .cities
                        .iter()
                        .map(|city| wrong.line("approval.automatic.cities", city, 64))
                        .collect(),
                }),
            },
        };
        wrong.finish()?;
        Ok(NewTravelType {
            code: self.code,
            name: self.name,
            form,
            approval,
            refund: match self.refund_gives_back {
                true => FormAfterRefund::GivenBack,
                false => FormAfterRefund::StaysUsed,
            },
        })
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "TravelType")]
pub struct TravelTypeView {
    id: TravelTypeRef,
    institution: InstitutionRef,
    code: String,
    name: String,
    form: Vec<FormFieldBody>,
    approval: ApprovalBody,
    refund_gives_back: bool,
    created_at: Moment,
}

impl From<TravelType> for TravelTypeView {
    fn from(kind: TravelType) -> Self {
        let form = kind.form.into_iter().map(|field| {
            let (kind, choices) = match field.kind {
                FieldKind::Text => (FieldKindName::Text, Vec::new()),
                FieldKind::Number => (FieldKindName::Number, Vec::new()),
                FieldKind::Date => (FieldKindName::Date, Vec::new()),
                FieldKind::Choice(choices) => (FieldKindName::Choice, choices),
            };
            FormFieldBody {
                name: field.name,
                label: field.label,
                kind,
                required: field.presence == Presence::Required,
                choices,
            }
        });
        let approval = match kind.approval {
            Approval::NotNeeded => ApprovalBody::default(),
            Approval::Administrators { automatic } => ApprovalBody {
                by: ApprovedBy::Administrators,
                automatic: automatic.map(|rule| AutomaticBody {
                    rides_max: rule.rides_max,
                    days_max: rule.validity_ms_max.map(|ms| ms / DAY_MS),
                    cities: rule.cities,
                }),
            },
        };
        Self {
            id: Id(kind.id),
            institution: Id(kind.institution),
            code: kind.code,
            name: kind.name,
            form: form.collect(),
            approval,
            refund_gives_back: kind.refund == FormAfterRefund::GivenBack,
            created_at: Moment(kind.created_at),
        }
    }
}

impl From<TypeRefusal> for Problem {
    fn from(refusal: TypeRefusal) -> Self {
        match &refusal {
            TypeRefusal::Text { field, error } => Self::invalid(*field, error),
            TypeRefusal::Code => Self::invalid("code", "use 1 to 40 small letters, digits, - and _"),
            TypeRefusal::FieldName { .. } => Self::invalid("form", &refusal),
            TypeRefusal::CodeTaken => Self::new(Code::Taken, refusal.to_string()).field("code"),
            TypeRefusal::Unknown => Self::not_found("travel type"),
        }
    }
}

async fn add(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Json(body): Json<TravelTypeFields>,
) -> Result<(StatusCode, Json<TravelTypeView>), Problem> {
    let made = state
        .services
        .rides
        .add_type(administrator.id(), body.read()?)
        .await??;
    Ok((StatusCode::CREATED, Json(made.into())))
}

async fn list(
    administrator: AsAdministrator,
    State(state): State<AppState>,
) -> Result<Json<ListOf<TravelTypeView>>, Problem> {
    let types = state.services.rides.types(administrator.id()).await?;
    Ok(Json(ListOf::whole(
        types.into_iter().map(TravelTypeView::from).collect(),
    )))
}

async fn replace(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, TravelTypeRef)>,
    Json(body): Json<TravelTypeFields>,
) -> Result<Json<TravelTypeView>, Problem> {
    let changed = state
        .services
        .rides
        .change_type(administrator.id(), id, body.read()?)
        .await??;
    Ok(Json(changed.into()))
}
