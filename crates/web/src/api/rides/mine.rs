//! A person's rides: outcomes as they come, the standing consent, what is owed. Rows R08, R11.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use onescan_domain::ids::{PersonId, RideOrderId};
use onescan_domain::payments::ride::{Arrears, SettleRefusal};
use onescan_domain::rides::order::RideOrder;
use onescan_platforms::payments::Page;
use onescan_platforms::rides::RideConsent;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::{RideReader, RideView};
use crate::AppState;
use crate::api::endpoint::{Caller, Endpoint, delete, get, post, put};
use crate::api::extract::{Json, Path, Query};
use crate::api::wire::{Amount, Id, ListOf, MerchantRef, Moment, PageQuery, PaymentRef, RideRef, Wrong};
use crate::auth::AsPerson;
use crate::problem::{Code, Problem, ProblemReason};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/people/me/rides", rides)
            .says("listMyRides", "Your rides, who paid each, and why")
            .caller(Caller::Person)
            .query::<PageQuery>()
            .answers::<ListOf<RideView>>(StatusCode::OK, "Newest first"),
        get("/v1/people/me/ride-events", events)
            .says("followMyRides", "Outcomes of your rides as they come")
            .about(
                "Server-sent events named `ride`, whose data is a Ride; the first one is the newest there is. Open it again \
                 when it ends.",
            )
            .caller(Caller::Person)
            .answers_file("text/event-stream", "Events for as long as you listen"),
        get("/v1/people/me/ride-consent", consent)
            .says("getMyRideConsent", "Whether you pay yourself what the institution does not")
            .caller(Caller::Person)
            .answers::<RideConsentView>(StatusCode::OK, "The consent in force, or none"),
        put("/v1/people/me/ride-consent", give_consent)
            .says("giveRideConsent", "Agree to pay yourself what the institution does not, up to a limit for one ride")
            .caller(Caller::Person)
            .takes::<NewRideConsent>()
            .answers::<RideConsentView>(StatusCode::OK, "The consent in force")
            .refuses(&[Code::InvalidFields]),
        delete("/v1/people/me/ride-consent", withdraw_consent)
            .says("withdrawRideConsent", "Withdraw it")
            .about("From now on such rides are owed, and have to be paid by hand.")
            .caller(Caller::Person)
            .answers_empty("Withdrawn"),
        get("/v1/people/me/arrears", arrears)
            .says("listMyArrears", "Rides you still owe")
            .about("While there are any, no new ride code is given.")
            .caller(Caller::Person)
            .answers::<ListOf<ArrearsView>>(StatusCode::OK, "The oldest first"),
        post("/v1/people/me/arrears/{ride}/payment", settle)
            .says("payMyArrears", "Pay what you owe for a ride from your own account")
            .about("A repeat answers the same and pays nothing twice.")
            .caller(Caller::Person)
            .answers::<ArrearsView>(StatusCode::OK, "Paid")
            .refuses(&[Code::CurrencyMismatch, Code::InsufficientFunds]),
    ]
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRideConsent {
    /// At most this for one ride.
    cap: Amount,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RideConsent")]
struct RideConsentView {
    given: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cap: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    given_at: Option<Moment>,
}

impl From<Option<RideConsent>> for RideConsentView {
    fn from(consent: Option<RideConsent>) -> Self {
        Self {
            given: consent.is_some(),
            cap: consent.as_ref().map(|consent| consent.cap.into()),
            given_at: consent.map(|consent| Moment(consent.given_at)),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Arrears")]
struct ArrearsView {
    ride: RideRef,
    provider: MerchantRef,
    amount: Amount,
    since: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_at: Option<Moment>,
    /// The attempt that left it open, or the payment that settled it.
    payment: PaymentRef,
}

impl From<Arrears> for ArrearsView {
    fn from(owed: Arrears) -> Self {
        Self {
            ride: Id(owed.order),
            provider: Id(owed.provider),
            amount: owed.amount.into(),
            since: Moment(owed.since),
            settled_at: owed.settled_at.map(Moment),
            payment: Id(owed.payment),
        }
    }
}

impl From<SettleRefusal> for Problem {
    fn from(refusal: SettleRefusal) -> Self {
        match &refusal {
            SettleRefusal::NothingOwed => Self::not_found("ride that is owed"),
            SettleRefusal::CurrencyMismatch { .. } => Self::new(Code::CurrencyMismatch, refusal.to_string()),
            SettleRefusal::InsufficientFunds { available, .. } => {
                Self::new(Code::InsufficientFunds, "the account holds too little").reasons(vec![ProblemReason {
                    field: Some("amount".into()),
                    left: Some(available.minor),
                    ..ProblemReason::default()
                }])
            }
        }
    }
}

async fn rides(
    person: AsPerson,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ListOf<RideView>>, Problem> {
    let page = query.page::<RideOrderId>()?;
    let found = state.services.rides.orders_of_person(person.person, &page).await?;
    let views = found
        .iter()
        .map(|order| RideView::of(order, RideReader::Payer))
        .collect();
    Ok(Json(ListOf::page(views, page.limit, |view: &RideView| {
        view.id.0.to_string()
    })))
}

/// How long an outcome may lie before it is seen here; several servers share one database, so the rows are asked.
const LOOK_EVERY: Duration = Duration::from_millis(400);

async fn events(person: AsPerson, State(state): State<AppState>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    follow_rides(state, person.person)
}

/// The outcomes of a person's rides as server-sent events. Row R11.
pub fn follow_rides(state: AppState, person: PersonId) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let follow = Follow {
        state,
        person,
        seen: None,
        waiting: Vec::new(),
    };
    let stream = futures_util::stream::unfold(follow, |mut follow| async move {
        let event = follow.next().await?;
        Some((Ok(event), follow))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

/// One open stream: told up to the change `seen`.
struct Follow {
    state: AppState,
    person: PersonId,
    seen: Option<i64>,
    waiting: Vec<RideOrder>,
}

impl Follow {
    /// Waits for the next outcome; `None` ends the stream when the database does not answer.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(order) = self.waiting.pop() {
                let view = RideView::of(&order, RideReader::Payer);
                return Event::default().event("ride").json_data(view).ok();
            }
            let page = Page { after: None, limit: 20 };
            let rides = self
                .state
                .services
                .rides
                .orders_of_person(self.person, &page)
                .await
                .ok()?;
            let newest = rides.iter().map(|order| order.changed_at).max().unwrap_or(0);
            match self.seen {
                None => self.waiting.extend(rides.into_iter().take(1)),
                Some(seen) => self
                    .waiting
                    .extend(rides.into_iter().filter(|order| order.changed_at > seen)),
            }
            self.seen = Some(newest.max(self.seen.unwrap_or(0)));
            if self.waiting.is_empty() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}

async fn consent(person: AsPerson, State(state): State<AppState>) -> Result<Json<RideConsentView>, Problem> {
    Ok(Json(state.services.rides.consent(person.person).await?.into()))
}

async fn give_consent(
    person: AsPerson,
    State(state): State<AppState>,
    Json(body): Json<NewRideConsent>,
) -> Result<Json<RideConsentView>, Problem> {
    let mut wrong = Wrong::default();
    let cap = wrong.positive("cap", body.cap);
    wrong.finish()?;
    let given = state.services.rides.give_consent(person.person, cap).await?;
    Ok(Json(Some(given).into()))
}

async fn withdraw_consent(person: AsPerson, State(state): State<AppState>) -> Result<StatusCode, Problem> {
    state.services.rides.withdraw_consent(person.person).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn arrears(person: AsPerson, State(state): State<AppState>) -> Result<Json<ListOf<ArrearsView>>, Problem> {
    let owed = state.services.rides.arrears(person.person).await?;
    Ok(Json(ListOf::whole(owed.into_iter().map(ArrearsView::from).collect())))
}

async fn settle(
    person: AsPerson,
    State(state): State<AppState>,
    Path(Id(id)): Path<RideRef>,
) -> Result<Json<ArrearsView>, Problem> {
    let settled = state.services.rides.settle(person.person, id).await??;
    Ok(Json(settled.into()))
}
