//! People: registering, what they say of themselves, what they agreed to, what they paid. Rows S03, S05.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use onescan_domain::identity::{IdentityId, IdentityKind};
use onescan_domain::ids::PaymentId;
use onescan_platforms::people::{Consent, NewPerson, Person};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::accounts::{AccountView, NewTopUp, TransferView, top_up};
use super::endpoint::{Caller, Endpoint, delete, get, patch, post};
use super::extract::{IdempotencyKey, Json, Path, Query};
use super::payment_view::{PaymentView, Reader};
use super::wire::{AccountRef, ConsentRef, CurrencyCode, Id, ListOf, Moment, PageQuery, PersonRef, Wrong};
use crate::AppState;
use crate::auth::{AsOperator, AsPerson, Perhaps};
use crate::problem::{Code, Problem, of_identity};

pub fn endpoints() -> Vec<Endpoint> {
    let own = own_endpoints().into_iter().map(|endpoint| endpoint.tag("people"));
    let operator = [
        get("/v1/people", find)
            .says("findPerson", "Find a person by sign-in name")
            .caller(Caller::Operator)
            .query::<LoginQuery>()
            .answers::<ListOf<PersonView>>(StatusCode::OK, "One person, or none"),
        post("/v1/people/{person}/top-ups", top_up_person)
            .says("topUpPerson", "Top up a person's account")
            .caller(Caller::Operator)
            .takes::<NewTopUp>()
            .idempotent()
            .answers::<TransferView>(StatusCode::CREATED, "The transfer from the operator's bank")
            .refuses(&[Code::InvalidFields, Code::CurrencyMismatch]),
    ];
    own.chain(operator.into_iter().map(|endpoint| endpoint.tag("operator")))
        .collect()
}

fn own_endpoints() -> Vec<Endpoint> {
    vec![
        post("/v1/people", register)
            .says("registerPerson", "Register a person")
            .caller(Caller::NobodyOrOperator)
            .takes::<Registration>()
            .answers::<PersonView>(StatusCode::CREATED, "The person, with an empty account of their own")
            .refuses(&[Code::RegistrationClosed, Code::InvalidFields, Code::Taken]),
        get("/v1/people/me", me)
            .says("getMe", "Who you are")
            .caller(Caller::Person)
            .answers::<PersonView>(StatusCode::OK, "You"),
        patch("/v1/people/me", change)
            .says("changeMe", "Change what you say of yourself")
            .caller(Caller::Person)
            .takes::<PersonChange>()
            .answers::<PersonView>(StatusCode::OK, "You, changed")
            .refuses(&[Code::InvalidFields]),
        get("/v1/people/me/consents", consents)
            .says("listConsents", "What you agreed to")
            .caller(Caller::Person)
            .answers::<ListOf<ConsentView>>(StatusCode::OK, "Withdrawn ones too"),
        delete("/v1/people/me/consents/{consent}", withdraw)
            .says("withdrawConsent", "Withdraw a consent")
            .about("It stays listed with the time it was withdrawn.")
            .caller(Caller::Person)
            .answers_empty("Withdrawn"),
        get("/v1/people/me/payments", payments)
            .says("listMyPayments", "What you paid")
            .caller(Caller::Person)
            .query::<PageQuery>()
            .answers::<ListOf<PaymentView<'static>>>(StatusCode::OK, "Newest first"),
        get("/v1/people/me/account", account)
            .says("getMyAccount", "Your own account")
            .caller(Caller::Person)
            .answers::<AccountView>(StatusCode::OK, "The account"),
    ]
}

/// An identity id: the number a code record is made from. Row S03.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// `user_number`, `credential` or `cross_border_credential`.
    #[schema(
        example = "cross_border_credential",
        pattern = "^(user_number|credential|cross_border_credential)$"
    )]
    pub kind: String,
    /// 1 to 64 letters, digits, `-`, `.`, `/`.
    #[schema(example = "C01X00T47", min_length = 1, max_length = 64)]
    pub number: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"login": "mei", "name": "韩梅梅", "password": "correct horse battery", "currency": "EUR"}))]
pub struct Registration {
    /// 3 to 100 letters, digits and `. _ - @ +`; unique.
    #[schema(min_length = 3, max_length = 100)]
    pub login: String,
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// 8 to 128 characters.
    #[schema(min_length = 8, max_length = 128)]
    pub password: String,
    /// Absent: a user number is given out.
    pub identity: Option<Identity>,
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// `en` or `zh`; `en` when absent.
    #[schema(pattern = "^(en|zh)$")]
    pub language: Option<String>,
    pub currency: CurrencyCode,
    /// IANA name; the server's when absent.
    pub time_zone: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Person")]
pub struct PersonView {
    pub id: PersonRef,
    pub login: String,
    pub name: String,
    #[schema(value_type = String, example = "credential")]
    pub identity_kind: &'static str,
    /// All but the last characters are hidden.
    pub identity_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    pub language: String,
    pub currency: CurrencyCode,
    pub time_zone: String,
    pub account: AccountRef,
    pub created_at: Moment,
}

impl From<Person> for PersonView {
    fn from(person: Person) -> Self {
        Self {
            id: Id(person.id),
            login: person.login,
            name: person.name,
            identity_kind: person.identity.kind().name(),
            identity_number: person.identity.masked(),
            email: person.email,
            language: person.language,
            currency: CurrencyCode(person.currency),
            time_zone: person.time_zone,
            account: Id(person.account),
            created_at: Moment(person.created_at),
        }
    }
}

async fn register(
    asking: Perhaps,
    State(state): State<AppState>,
    Json(body): Json<Registration>,
) -> Result<(StatusCode, Json<PersonView>), Problem> {
    if !state.settings.open_registration && !asking.is_operator() {
        return Err(Problem::new(
            Code::RegistrationClosed,
            "the operator registers people here",
        ));
    }
    let identity = body.identity.map(read_identity).transpose()?;
    let new = NewPerson {
        login: body.login,
        name: body.name,
        password: body.password,
        identity,
        email: body.email,
        language: body.language.unwrap_or_else(|| "en".to_owned()),
        currency: body.currency.0,
        time_zone: body.time_zone.unwrap_or_else(|| state.settings.time_zone.clone()),
    };
    let person = state.services.people.register(new).await??;
    Ok((StatusCode::CREATED, Json(person.into())))
}

fn read_identity(identity: Identity) -> Result<IdentityId, Problem> {
    let kind = IdentityKind::parse(&identity.kind);
    let kind = kind.ok_or_else(|| {
        Problem::invalid(
            "identity.kind",
            "use user_number, credential or cross_border_credential",
        )
    })?;
    IdentityId::new(kind, &identity.number).map_err(|error| Problem::invalid_all(vec![of_identity(&error)]))
}

async fn current(state: &AppState, person: &AsPerson) -> Result<Person, Problem> {
    let found = state.services.people.find(person.person).await?;
    found.ok_or_else(|| Problem::not_found("person"))
}

async fn me(person: AsPerson, State(state): State<AppState>) -> Result<Json<PersonView>, Problem> {
    current(&state, &person).await.map(|person| Json(person.into()))
}

/// What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"language": "zh"}))]
struct PersonChange {
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// An empty text removes it.
    #[schema(max_length = 254)]
    email: Option<String>,
    #[schema(pattern = "^(en|zh)$")]
    language: Option<String>,
    time_zone: Option<String>,
}

async fn change(
    person: AsPerson,
    State(state): State<AppState>,
    Json(body): Json<PersonChange>,
) -> Result<Json<PersonView>, Problem> {
    let known = current(&state, &person).await?;
    let changed = Person {
        name: body.name.unwrap_or(known.name),
        email: body.email.or(known.email),
        language: body.language.unwrap_or(known.language),
        time_zone: body.time_zone.unwrap_or(known.time_zone),
        ..known
    };
    let changed = state.services.people.change(changed).await??;
    Ok(Json(changed.into()))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Consent")]
struct ConsentView {
    id: ConsentRef,
    /// What it is for: `code_record`.
    #[schema(value_type = String, example = "code_record")]
    purpose: &'static str,
    /// What may be read.
    fields: Vec<String>,
    given_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn_at: Option<Moment>,
}

impl From<Consent> for ConsentView {
    fn from(consent: Consent) -> Self {
        Self {
            id: Id(consent.id),
            purpose: consent.purpose.name(),
            fields: consent.fields,
            given_at: Moment(consent.given_at),
            withdrawn_at: consent.withdrawn_at.map(Moment),
        }
    }
}

async fn consents(person: AsPerson, State(state): State<AppState>) -> Result<Json<ListOf<ConsentView>>, Problem> {
    let consents = state.services.people.consents(person.person).await?;
    Ok(Json(ListOf::whole(
        consents.into_iter().map(ConsentView::from).collect(),
    )))
}

async fn withdraw(
    person: AsPerson,
    State(state): State<AppState>,
    Path(Id(id)): Path<ConsentRef>,
) -> Result<StatusCode, Problem> {
    match state.services.people.withdraw(person.person, id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("consent")),
    }
}

async fn payments(
    person: AsPerson,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let page = query.page::<PaymentId>()?;
    let limit = page.limit;
    let services = &state.services;
    let buckets = services.processing.buckets_of(person.person).await?;
    let found = services
        .payments
        .payments_of_person(person.person, buckets, page)
        .await?;
    let items = found.iter().map(|payment| PaymentView::of(payment, Reader::Payer));
    let list = ListOf::page(items.collect(), limit, |payment| payment.id.0.to_string());
    Ok(Json(list).into_response())
}

async fn account(person: AsPerson, State(state): State<AppState>) -> Result<Json<AccountView>, Problem> {
    let person = current(&state, &person).await?;
    let account = state.services.payments.account(person.account).await?;
    let account = account.ok_or_else(|| Problem::not_found("account"))?;
    Ok(Json(account.into()))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LoginQuery {
    /// The sign-in name.
    #[param(min_length = 1, max_length = 100)]
    login: String,
}

async fn find(
    _: AsOperator,
    State(state): State<AppState>,
    Query(query): Query<LoginQuery>,
) -> Result<Json<ListOf<PersonView>>, Problem> {
    let mut wrong = Wrong::default();
    let login = wrong.line("login", &query.login, 100);
    wrong.finish()?;
    let found = state.services.people.find_by_login(&login).await?;
    Ok(Json(ListOf::whole(found.into_iter().map(PersonView::from).collect())))
}

async fn top_up_person(
    operator: AsOperator,
    key: IdempotencyKey,
    State(state): State<AppState>,
    Path(Id(id)): Path<PersonRef>,
    Json(body): Json<NewTopUp>,
) -> Result<Response, Problem> {
    let person = state.services.people.find(id).await?;
    let person = person.ok_or_else(|| Problem::not_found("person"))?;
    top_up(&state, operator.caller(), key, person.account, body.amount).await
}
