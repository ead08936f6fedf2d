//! The choice among several invoice profiles, on the person's side. Row S19.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::profiles::ProfileChoice;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, get, post};
use super::extract::{Json, Path};
use super::wire::{ChoiceRef, Id, ListOf, Moment, PaymentRef, ProfileRef};
use crate::AppState;
use crate::auth::AsPerson;
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let both = [
        get("/v1/people/me/choices", choices)
            .says("listChoices", "Which invoice details? Questions you can still answer")
            .caller(Caller::Person)
            .answers::<ListOf<ChoiceView>>(StatusCode::OK, "Newest first"),
        post("/v1/people/me/choices/{choice}", choose)
            .says("choose", "Answer a question")
            .caller(Caller::Person)
            .takes::<Chosen>()
            .answers::<ChoiceView>(StatusCode::OK, "Taken; the same answer again changes nothing")
            .refuses(&[Code::InvalidFields, Code::ChoiceSettled]),
    ];
    both.into_iter().map(|endpoint| endpoint.tag("people")).collect()
}

/// Which of several profiles goes on a payment's invoice? Row S19.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Choice")]
struct ChoiceView {
    id: ChoiceRef,
    payment: PaymentRef,
    /// Until when you can choose; afterwards the first candidate is taken.
    until: Moment,
    candidates: Vec<CandidateView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen: Option<ProfileRef>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Candidate")]
struct CandidateView {
    profile: ProfileRef,
    title: String,
}

async fn choice_view(state: &AppState, choice: ProfileChoice) -> Result<ChoiceView, Problem> {
    let mut candidates = Vec::with_capacity(choice.candidates.len());
    for id in choice.candidates {
        let found = state.services.profiles.find(id).await?;
        let title = found.map(|profile| profile.fields.title).unwrap_or_default();
        candidates.push(CandidateView { profile: Id(id), title });
    }
    Ok(ChoiceView {
        id: Id(choice.id),
        payment: Id(choice.payment),
        until: Moment(choice.until),
        candidates,
        chosen: choice.chosen.map(Id),
    })
}

async fn choices(person: AsPerson, State(state): State<AppState>) -> Result<Json<ListOf<ChoiceView>>, Problem> {
    let mut items = Vec::new();
    for choice in state.services.processing.open_choices(person.person).await? {
        items.push(choice_view(&state, choice).await?);
    }
    Ok(Json(ListOf::whole(items)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Chosen {
    /// One of the question's candidates.
    profile: ProfileRef,
}

async fn choose(
    person: AsPerson,
    State(state): State<AppState>,
    Path(Id(id)): Path<ChoiceRef>,
    Json(body): Json<Chosen>,
) -> Result<Json<ChoiceView>, Problem> {
    let processing = &state.services.processing;
    let choice = processing.choose(person.person, id, body.profile.0).await??;
    choice_view(&state, choice).await.map(Json)
}
