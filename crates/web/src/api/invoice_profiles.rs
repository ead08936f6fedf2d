//! Invoice profiles: the buyer's details, tied to a code record. Rows S06, S07, S18.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::codes::CodeRecord;
use onescan_domain::ids::ProfileId;
use onescan_domain::profiles::{DeliveryChannel, InvoiceProfile, ProfileFields, TitleKind};
use onescan_platforms::access::Actor;
use onescan_platforms::profiles::NewProfile;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::endpoint::{Caller, Endpoint, delete, get, post, put};
use super::extract::{Json, Path, Query};
use super::wire::{Id, ListOf, Moment, ProfileRef, ScenarioRef, Wrong};
use crate::AppState;
use crate::auth::{AsAnybody, held_record};
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let all = [
        get("/v1/invoice-profiles", list)
            .says("listInvoiceProfiles", "The details that can go on invoices")
            .caller(Caller::Anybody)
            .query::<RecordQuery>()
            .answers::<ListOf<ProfileView>>(StatusCode::OK, "All profiles of the record")
            .refuses(&[Code::NotEnabled]),
        post("/v1/invoice-profiles", create)
            .says("addInvoiceProfile", "Add invoice details")
            .about("Every wrong field is named at once.")
            .caller(Caller::Anybody)
            .takes::<NewProfileBody>()
            .answers::<ProfileView>(StatusCode::CREATED, "The profile, tied to the record")
            .refuses(&[Code::InvalidFields, Code::NotEnabled]),
        get("/v1/invoice-profiles/{profile}", show)
            .says("getInvoiceProfile", "Invoice details")
            .caller(Caller::Anybody)
            .answers::<ProfileView>(StatusCode::OK, "The profile"),
        put("/v1/invoice-profiles/{profile}", replace)
            .says("replaceInvoiceProfile", "Replace invoice details")
            .about("Invoices issued earlier keep what they say. `record` cannot change.")
            .caller(Caller::Anybody)
            .takes::<NewProfileBody>()
            .answers::<ProfileView>(StatusCode::OK, "The profile as it is now")
            .refuses(&[Code::InvalidFields]),
        delete("/v1/invoice-profiles/{profile}", remove)
            .says("removeInvoiceProfile", "Remove invoice details")
            .caller(Caller::Anybody)
            .answers_empty("Removed"),
    ];
    all.into_iter()
        .map(|endpoint| endpoint.tag("invoice-profiles"))
        .collect()
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RecordQuery {
    /// A code record's id; your own when absent.
    record: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "title_kind": "company", "title": "Nordlicht GmbH", "tax_number": "DE123456789", "email": "rechnung@nordlicht.example",
    "preferred": true
}))]
struct NewProfileBody {
    /// The code record it is tied to; your own when absent.
    record: Option<String>,
    title_kind: TitleKindName,
    /// The buyer's name as it goes on the invoice.
    #[schema(min_length = 1, max_length = 100)]
    title: String,
    /// The unified social credit code of a company in China, its check character included; elsewhere the number in the
    /// company's register. 5 to 20 letters and digits. A company needs this or `vat_id`, in China this.
    #[schema(max_length = 20)]
    tax_number: Option<String>,
    /// With the letters of its country; the shapes of the EU's are checked.
    #[schema(max_length = 20)]
    vat_id: Option<String>,
    /// Street and number; a Chinese title has its whole address here.
    #[schema(max_length = 200)]
    address: Option<String>,
    #[schema(max_length = 20)]
    postcode: Option<String>,
    #[schema(max_length = 100)]
    city: Option<String>,
    /// ISO 3166-1, two letters. Absent: what the numbers tell; an invoice by EN 16931 needs it.
    #[schema(max_length = 2)]
    country: Option<String>,
    #[schema(max_length = 40)]
    telephone: Option<String>,
    #[schema(max_length = 100)]
    bank_name: Option<String>,
    #[schema(max_length = 64)]
    bank_account: Option<String>,
    /// Where the buyer's machines receive invoices: a scheme of the EAS list, a colon and the number. Peppol needs it.
    #[schema(max_length = 100, example = "0204:991-01234-56")]
    electronic_address: Option<String>,
    /// What the buyer wants to see again, for example a Leitweg-ID. Peppol and XRechnung need it.
    #[schema(max_length = 100)]
    buyer_reference: Option<String>,
    /// Where finished invoices go; absent: to the inbox here.
    #[schema(max_length = 254)]
    email: Option<String>,
    /// The scenarios it is meant for; empty: any.
    #[serde(default)]
    #[schema(max_items = 100)]
    scenarios: Vec<ScenarioRef>,
    /// Taken when the person does not choose in time; the record's other profiles lose that mark.
    #[serde(default)]
    preferred: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TitleKindName {
    Personal,
    Company,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "InvoiceProfile")]
struct ProfileView {
    id: ProfileRef,
    record: String,
    #[serde(flatten)]
    fields: ProfileFieldsView,
    scenarios: Vec<ScenarioRef>,
    preferred: bool,
    created_at: Moment,
}

/// The details themselves.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "InvoiceProfileFields")]
pub struct ProfileFieldsView {
    #[schema(value_type = String, example = "company")]
    title_kind: &'static str,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vat_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postcode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    telephone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    electronic_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

impl From<ProfileFields> for ProfileFieldsView {
    fn from(fields: ProfileFields) -> Self {
        Self {
            title_kind: fields.title_kind.name(),
            title: fields.title,
            tax_number: fields.tax_number,
            vat_id: fields.vat_id,
            address: fields.address,
            postcode: fields.postcode,
            city: fields.city,
            country: fields.country,
            telephone: fields.telephone,
            bank_name: fields.bank_name,
            bank_account: fields.bank_account,
            electronic_address: fields.electronic_address,
            buyer_reference: fields.buyer_reference,
            email: match fields.channel {
                DeliveryChannel::Inbox => None,
                DeliveryChannel::Email(address) => Some(address),
            },
        }
    }
}

impl From<InvoiceProfile> for ProfileView {
    fn from(profile: InvoiceProfile) -> Self {
        Self {
            id: Id(profile.id),
            record: profile.record.as_str().to_owned(),
            fields: profile.fields.into(),
            scenarios: profile.scenarios.into_iter().map(Id).collect(),
            preferred: profile.preferred,
            created_at: Moment(profile.created_at),
        }
    }
}

const SCENARIOS_MAX: usize = 100;

impl NewProfileBody {
    /// Names every wrong field at once. `record`: whose scenarios may be named.
    async fn read(self, state: &AppState, record: &CodeRecord) -> Result<NewProfile, Problem> {
        let mut wrong = Wrong::default();
        let mut optional = |field, value: &Option<String>, max| wrong.optional_line(field, value.as_deref(), max);
        let tax_number = optional("tax_number", &self.tax_number, 20);
        let vat_id = optional("vat_id", &self.vat_id, 20);
        let address = optional("address", &self.address, 200);
        let postcode = optional("postcode", &self.postcode, 20);
        let city = optional("city", &self.city, 100);
        let country = optional("country", &self.country, 2);
        let telephone = optional("telephone", &self.telephone, 40);
        let bank_name = optional("bank_name", &self.bank_name, 100);
        let bank_account = optional("bank_account", &self.bank_account, 64);
        let electronic_address = optional("electronic_address", &self.electronic_address, 100);
        let buyer_reference = optional("buyer_reference", &self.buyer_reference, 100);
        let email = optional("email", &self.email, 254);
        let fields = ProfileFields {
            title_kind: match self.title_kind {
                TitleKindName::Personal => TitleKind::Personal,
                TitleKindName::Company => TitleKind::Company,
            },
            title: wrong.line("title", &self.title, 100),
            tax_number,
            vat_id,
            address,
            postcode,
            city,
            country,
            telephone,
            bank_name,
            bank_account,
            electronic_address,
            buyer_reference,
            channel: email.map_or(DeliveryChannel::Inbox, DeliveryChannel::Email),
        }
        .tidied();
        for (field, error) in fields.check() {
            wrong.add(field, error);
        }
        if self.scenarios.len() > SCENARIOS_MAX {
            wrong.add("scenarios", format!("at most {SCENARIOS_MAX}"));
        }
        let known = state.services.codes.scenarios(record.bucket, &record.id).await?;
        for (place, Id(id)) in self.scenarios.iter().enumerate() {
            if !known.iter().any(|scenario| scenario.id == *id) {
                wrong.add(format!("scenarios[{place}]"), "the record has no such scenario");
            }
        }
        wrong.finish()?;
        Ok(NewProfile {
            fields,
            scenarios: self.scenarios.into_iter().map(|Id(id)| id).collect(),
            preferred: self.preferred,
        })
    }
}

/// The record that is named, or the person's own.
async fn record_of(state: &AppState, actor: &Actor, named: Option<&str>) -> Result<CodeRecord, Problem> {
    let absent = || Problem::not_found("code record");
    match (named, actor) {
        (Some(id), _) => held_record(&state.services, actor, id).await?.ok_or_else(absent),
        (None, Actor::Person(person)) => {
            let own = state.services.codes.record_of_person(person.person).await?;
            own.ok_or_else(|| Problem::new(Code::NotEnabled, "code payment is not enabled"))
        }
        (None, Actor::Terminal(_) | Actor::Institution { .. } | Actor::Merchant { .. } | Actor::Operator { .. }) => {
            Err(Problem::invalid("record", "name the code record"))
        }
    }
}

/// A profile whose record the actor holds.
pub async fn held_profile(
    state: &AppState,
    actor: &Actor,
    id: ProfileId,
) -> Result<(CodeRecord, InvoiceProfile), Problem> {
    let absent = || Problem::not_found("invoice profile");
    let profile = state.services.profiles.find(id).await?.ok_or_else(absent)?;
    let record = held_record(&state.services, actor, profile.record.as_str()).await?;
    let record = record.ok_or_else(absent)?;
    // `find` still knows a removed one; the list does not.
    let listed = state.services.profiles.list(record.bucket, &record.id).await?;
    match listed.iter().any(|profile| profile.id == id) {
        true => Ok((record, profile)),
        false => Err(absent()),
    }
}

async fn list(
    actor: AsAnybody,
    State(state): State<AppState>,
    Query(query): Query<RecordQuery>,
) -> Result<Json<ListOf<ProfileView>>, Problem> {
    let record = record_of(&state, &actor, query.record.as_deref()).await?;
    let profiles = state.services.profiles.list(record.bucket, &record.id).await?;
    Ok(Json(ListOf::whole(
        profiles.into_iter().map(ProfileView::from).collect(),
    )))
}

async fn create(
    actor: AsAnybody,
    State(state): State<AppState>,
    Json(body): Json<NewProfileBody>,
) -> Result<(StatusCode, Json<ProfileView>), Problem> {
    let record = record_of(&state, &actor, body.record.as_deref()).await?;
    let new = body.read(&state, &record).await?;
    let profile = state.services.profiles.create(record.bucket, &record.id, new).await?;
    Ok((StatusCode::CREATED, Json(profile.into())))
}

async fn show(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path(Id(id)): Path<ProfileRef>,
) -> Result<Json<ProfileView>, Problem> {
    let (_, profile) = held_profile(&state, &actor, id).await?;
    Ok(Json(profile.into()))
}

async fn replace(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path(Id(id)): Path<ProfileRef>,
    Json(body): Json<NewProfileBody>,
) -> Result<Json<ProfileView>, Problem> {
    let (record, profile) = held_profile(&state, &actor, id).await?;
    if body.record.as_deref().is_some_and(|named| named != record.id.as_str()) {
        return Err(Problem::invalid("record", "a profile stays with its record"));
    }
    let new = body.read(&state, &record).await?;
    let updated = state
        .services
        .profiles
        .update(record.bucket, &record.id, id, new)
        .await?;
    let updated = updated.ok_or_else(|| Problem::not_found("invoice profile"))?;
    let created_at = profile.created_at;
    Ok(Json(InvoiceProfile { created_at, ..updated }.into()))
}

async fn remove(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path(Id(id)): Path<ProfileRef>,
) -> Result<StatusCode, Problem> {
    let (record, _) = held_profile(&state, &actor, id).await?;
    match state.services.profiles.remove(record.bucket, &record.id, id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("invoice profile")),
    }
}
