//! Signing in and out.

use axum::extract::State;
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, StatusCode};
use onescan_platforms::access::SessionHolder;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, delete, get, post};
use super::extract::Json;
use super::wire::{Id, ListOf, Moment, SessionRef};
use crate::AppState;
use crate::auth::AsPerson;
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let all = [
        post("/v1/sessions", sign_in)
            .says("signIn", "Sign in")
            .about("The token stands for the person for twelve hours. Five wrong passwords make the name wait five minutes.")
            .caller(Caller::Nobody)
            .takes::<Credentials>()
            .answers::<SignedIn>(StatusCode::CREATED, "A session")
            .refuses(&[Code::SignInFailed, Code::TooManyAttempts]),
        get("/v1/sessions", list)
            .says("listSessions", "Where you are signed in")
            .caller(Caller::Person)
            .answers::<ListOf<SessionView>>(StatusCode::OK, "All of your sessions"),
        delete("/v1/sessions/current", sign_out)
            .says("signOut", "Sign out")
            .caller(Caller::Person)
            .answers_empty("The token is worth nothing from now on"),
    ];
    all.into_iter().map(|endpoint| endpoint.tag("sessions")).collect()
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"login": "mei", "password": "correct horse battery"}))]
struct Credentials {
    login: String,
    password: String,
}

#[derive(Serialize, ToSchema)]
struct SignedIn {
    /// For `Authorization: Bearer …`; shown once.
    token: String,
    expires_at: Moment,
}

async fn sign_in(
    headers: HeaderMap,
    State(state): State<AppState>,
    Json(body): Json<Credentials>,
) -> Result<(StatusCode, Json<SignedIn>), Problem> {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let services = &state.services;
    let session = services
        .access
        .sign_in(&body.login, &body.password, agent.unwrap_or_default())
        .await?
        .map_err(|refusal| Problem::of_access(refusal, services.env.now_ms()))?;
    let signed_in = SignedIn {
        expires_at: Moment(session.session.expires_at),
        token: session.text,
    };
    Ok((StatusCode::CREATED, Json(signed_in)))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Session")]
struct SessionView {
    id: SessionRef,
    /// What the browser or program calls itself.
    agent: String,
    created_at: Moment,
    expires_at: Moment,
    /// Whether it is the one that asks.
    current: bool,
}

async fn list(person: AsPerson, State(state): State<AppState>) -> Result<Json<ListOf<SessionView>>, Problem> {
    let sessions = state.services.access.sessions(person.person).await?;
    let own = sessions
        .into_iter()
        .filter(|session| matches!(session.holder, SessionHolder::Person(_)));
    let items = own.map(|session| SessionView {
        id: Id(session.id),
        current: session.id == person.session,
        agent: session.agent,
        created_at: Moment(session.created_at),
        expires_at: Moment(session.expires_at),
    });
    Ok(Json(ListOf::whole(items.collect())))
}

async fn sign_out(person: AsPerson, State(state): State<AppState>) -> Result<StatusCode, Problem> {
    state.services.access.sign_out(person.session).await?;
    Ok(StatusCode::NO_CONTENT)
}
