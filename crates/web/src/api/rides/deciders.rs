//! Institutions whose own system decides about rides, behind a web hook. Row R05.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::rides::decision::{Otherwise, RideDecision};
use onescan_platforms::rides::Rides;
use onescan_platforms::rides::decider::{AddressFault, Decided, Decider};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AppState;
use crate::api::endpoint::{Caller, Endpoint, delete, get, post, put};
use crate::api::extract::Json;
use crate::api::wire::{Id, InstitutionRef, ListOf, Moment};
use crate::auth::AsAdministrator;
use crate::problem::{Code, Problem};
use crate::wire::decider::secret_text;

const LISTED: u32 = 100;

pub fn endpoints() -> Vec<Endpoint> {
    const DECIDER: &str = "/v1/institutions/{institution}/ride-decider";
    vec![
        get(DECIDER, show)
            .says("getRideDecider", "The system of your own that decides about rides")
            .caller(Caller::Administrator)
            .answers::<DeciderView>(StatusCode::OK, "With the secret that signs the questions"),
        put(DECIDER, replace)
            .says("replaceRideDecider", "Have a system of your own decide about rides")
            .about(
                "It is asked at each consultation and at the payment of each ride order, by a POST that is signed as Standard \
                 Webhooks say: `webhook-id` (the order or consultation; a repeat has the same one), `webhook-timestamp`, \
                 `webhook-signature`. It answers 200 with `{\"decision\": \"approve\"}` or `{\"decision\": \"refuse\", \
                 \"reason\": \"…\"}` within the time budget (600 ms unless the operator says otherwise). An approval permits no \
                 more than policy and funding do. The reason, 1 to 200 characters, is shown to the person. Where no such answer \
                 comes in time, `otherwise` holds. Institutions below that have no system of their own follow.",
            )
            .caller(Caller::Administrator)
            .takes::<DeciderFields>()
            .answers::<DeciderView>(StatusCode::OK, "As it is now")
            .refuses(&[Code::InvalidFields]),
        delete(DECIDER, remove)
            .says("deleteRideDecider", "Let the policy decide alone again")
            .caller(Caller::Administrator)
            .answers_empty("Nobody is asked any more"),
        post("/v1/institutions/{institution}/ride-decider/secret", renew)
            .says("renewRideDeciderSecret", "Take a new secret")
            .about("For a day questions are signed with the last one too, so that your system can change over.")
            .caller(Caller::Administrator)
            .answers::<DeciderView>(StatusCode::OK, "With the new secret"),
        post("/v1/institutions/{institution}/ride-decider/test", test)
            .says("testRideDecider", "Ask your system about a ride that is none")
            .about("A question of the type `ride.test`; nothing follows from the answer.")
            .caller(Caller::Administrator)
            .answers::<AnswerView>(StatusCode::OK, "What came, and how long it took"),
        get("/v1/institutions/{institution}/ride-decider/answers", answers)
            .says("listRideDeciderAnswers", "What your system answered")
            .caller(Caller::Administrator)
            .answers::<ListOf<AnswerView>>(StatusCode::OK, "The newest first; at most 100"),
    ]
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"url": "https://example.com/rides", "otherwise": "own_policy"}))]
struct DeciderFields {
    /// https. Addresses of private networks only where the operator allows them; redirections are not followed.
    #[schema(min_length = 1, max_length = 500)]
    url: String,
    #[serde(default)]
    otherwise: OtherwiseName,
}

/// What holds where no answer comes in time. `own_policy`: policy and funding alone. `refuse`: the ride is the person's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OtherwiseName {
    #[default]
    OwnPolicy,
    Refuse,
}

impl From<Otherwise> for OtherwiseName {
    fn from(otherwise: Otherwise) -> Self {
        match otherwise {
            Otherwise::OwnPolicy => Self::OwnPolicy,
            Otherwise::Refuse => Self::Refuse,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RideDecider")]
struct DeciderView {
    institution: InstitutionRef,
    url: String,
    otherwise: OtherwiseName,
    /// `whsec_` and the secret in Base64, as Standard Webhooks write it.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=")]
    secret: String,
    /// Since when it counts.
    secret_at: Moment,
    changed_at: Moment,
}

impl DeciderView {
    fn of(rides: &Rides, decider: &Decider) -> Self {
        Self {
            institution: Id(decider.institution),
            url: decider.url.clone(),
            otherwise: decider.otherwise.into(),
            secret: secret_text(&rides.decider_secret(decider)),
            secret_at: Moment(decider.secret_at),
            changed_at: Moment(decider.changed_at),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RideDeciderAnswer")]
struct AnswerView {
    /// Of the ride order, consultation or test.
    id: String,
    /// `consultation`, `payment` or `test`.
    #[schema(value_type = String, example = "payment")]
    kind: &'static str,
    /// `approve` or `refuse`; absent: nothing that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "refuse")]
    decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Why nothing counts: `too_late`, `unreachable`, `status 500`, `broken`, `forbidden` or `busy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "too_late")]
    no_answer: Option<String>,
    /// What held where nothing was answered.
    otherwise: OtherwiseName,
    took_ms: i64,
    at: Moment,
}

impl From<Decided> for AnswerView {
    fn from(decided: Decided) -> Self {
        let (decision, reason, no_answer) = match decided.decision {
            RideDecision::Approve => (Some("approve"), None, None),
            RideDecision::Refuse { reason } => (Some("refuse"), Some(reason), None),
            RideDecision::NoAnswer { why } => (None, None, Some(why.text())),
        };
        Self {
            id: decided.subject,
            kind: decided.kind.name(),
            decision,
            reason,
            no_answer,
            otherwise: decided.otherwise.into(),
            took_ms: decided.took_ms,
            at: Moment(decided.at),
        }
    }
}

impl From<AddressFault> for Problem {
    fn from(fault: AddressFault) -> Self {
        Self::invalid("url", fault)
    }
}

fn none() -> Problem {
    Problem::not_found("system that decides")
}

async fn show(administrator: AsAdministrator, State(state): State<AppState>) -> Result<Json<DeciderView>, Problem> {
    let rides = &state.services.rides;
    let decider = rides.decider(administrator.id()).await?.ok_or_else(none)?;
    Ok(Json(DeciderView::of(rides, &decider)))
}

async fn replace(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Json(body): Json<DeciderFields>,
) -> Result<Json<DeciderView>, Problem> {
    let rides = &state.services.rides;
    let otherwise = match body.otherwise {
        OtherwiseName::OwnPolicy => Otherwise::OwnPolicy,
        OtherwiseName::Refuse => Otherwise::Refuse,
    };
    let decider = rides.put_decider(administrator.id(), &body.url, otherwise).await??;
    Ok(Json(DeciderView::of(rides, &decider)))
}

async fn remove(administrator: AsAdministrator, State(state): State<AppState>) -> Result<StatusCode, Problem> {
    match state.services.rides.remove_decider(administrator.id()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(none()),
    }
}

async fn renew(administrator: AsAdministrator, State(state): State<AppState>) -> Result<Json<DeciderView>, Problem> {
    let rides = &state.services.rides;
    let renewed = rides.renew_decider_secret(administrator.id()).await?;
    Ok(Json(DeciderView::of(rides, &renewed.ok_or_else(none)?)))
}

async fn test(administrator: AsAdministrator, State(state): State<AppState>) -> Result<Json<AnswerView>, Problem> {
    let answered = state.services.rides.try_decider(administrator.id()).await?;
    Ok(Json(answered.ok_or_else(none)?.into()))
}

async fn answers(
    administrator: AsAdministrator,
    State(state): State<AppState>,
) -> Result<Json<ListOf<AnswerView>>, Problem> {
    let found = state.services.rides.decisions(administrator.id(), LISTED).await?;
    Ok(Json(ListOf::whole(found.into_iter().map(AnswerView::from).collect())))
}
