//! A ride provider's system: consultations, ride orders, refunds, conflicts. Rows R04, R05.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use onescan_domain::ids::RideOrderId;
use onescan_domain::rides::order::{RideDetails, RidePoint};
use onescan_platforms::payments::{Idempotency, Page};
use onescan_platforms::rides::{ConsultAnswer, ConsultRequest, NewRide, RefundRefusal, RideConflict, RideRefusal};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::view::{RidePointBody, RideReader, RideView};
use crate::AppState;
use crate::api::endpoint::{Caller, Endpoint, get, post};
use crate::api::extract::{Json, Path, Query};
use crate::api::payments::replay_header;
use crate::api::wire::{
    Amount, ConsultationRef, Id, ListOf, MerchantRef, Moment, PageQuery, PersonRef, RideRef, Wrong,
};
use crate::auth::{AsAdministrator, AsMerchant};
use crate::problem::{Code, Problem, ProblemReason};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/v1/merchants/{merchant}/ride-consultations", consult)
            .says("consultRide", "Will an institution pay for this person's ride?")
            .about("Asked at entry. A form for so many rides keeps one for this consultation until `kept_until`.")
            .caller(Caller::Merchant)
            .takes::<NewConsultation>()
            .answers::<ConsultationView>(StatusCode::CREATED, "Institution or personal, and why")
            .refuses(&[Code::InvalidFields]),
        post("/v1/merchants/{merchant}/rides", take)
            .says("payRide", "Ask to be paid for a ride")
            .about(
                "Without `consultation` it is consulted in the same call. The number names one ride for ever: the same again is \
                 answered the same; other content is refused and kept as a conflict. A ride that is taken always ends paid by \
                 the institution, the person, both, or owed by the person.",
            )
            .caller(Caller::Merchant)
            .takes::<NewRideBody>()
            .answers::<RideView>(StatusCode::CREATED, "Who paid, and why")
            .refuses(&[Code::InvalidFields, Code::RideNumberConflict]),
        get("/v1/merchants/{merchant}/rides", list)
            .says("listRides", "Rides, newest first, or those whose number begins so")
            .caller(Caller::Merchant)
            .query::<RidesQuery>()
            .answers::<ListOf<RideView>>(StatusCode::OK, "A page"),
        get("/v1/merchants/{merchant}/rides/{ride}", show)
            .says("getRide", "A ride")
            .caller(Caller::Merchant)
            .answers::<RideView>(StatusCode::OK, "As it stands now"),
        post("/v1/merchants/{merchant}/rides/{ride}/refunds", refund)
            .says("refundRide", "Give money back to who paid")
            .about("First what the person paid, then what the institution paid. The number makes a repeat safe.")
            .caller(Caller::Merchant)
            .takes::<NewRideRefund>()
            .answers::<RideView>(StatusCode::OK, "The ride")
            .refuses(&[
                Code::InvalidFields,
                Code::WrongState,
                Code::AmountTooLarge,
                Code::CurrencyMismatch,
                Code::RefundNumberConflict,
            ]),
        get("/v1/merchants/{merchant}/ride-conflicts", conflicts)
            .says("listRideConflicts", "Orders that contradicted an earlier one of the same number")
            .caller(Caller::Merchant)
            .answers::<ListOf<ConflictView>>(StatusCode::OK, "By number; at most 200"),
        get("/v1/institutions/{institution}/rides", of_institution)
            .says("listInstitutionRides", "Rides the institution was asked to pay")
            .caller(Caller::Administrator)
            .query::<PageQuery>()
            .answers::<ListOf<RideView>>(StatusCode::OK, "Newest first"),
    ]
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "person": "per_01kb6x2x8s0g00000000000000", "travel_type": "metro", "start_at": "2026-11-25T08:00:00Z", "city": "Hangzhou"
}))]
struct NewConsultation {
    person: PersonRef,
    #[schema(min_length = 1, max_length = 40)]
    travel_type: String,
    /// Now when absent.
    start_at: Option<Moment>,
    #[schema(max_length = 64)]
    city: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Consultation")]
struct ConsultationView {
    consultation: ConsultationRef,
    /// `institution` or `personal`.
    #[schema(value_type = String, example = "institution")]
    answer: &'static str,
    /// Why personal: `no_form`, `not_approved`, `not_yet_valid`, `expired`, `used_up`, `switched_off`, `other_city`,
    /// `in_use` or `refused_by_institution`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "no_form")]
    why: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_until: Option<Moment>,
}

impl From<ConsultAnswer> for ConsultationView {
    fn from(answer: ConsultAnswer) -> Self {
        let consultation = answer.consultation;
        Self {
            consultation: Id(consultation.id),
            answer: match consultation.application {
                Some(_) => "institution",
                None => "personal",
            },
            why: consultation.why.map(|why| why.name()),
            kept_until: answer.kept_until.map(Moment),
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "number": "2026-11-25/0042", "person": "per_01kb6x2x8s0g00000000000000", "amount": {"amount_minor": 500, "currency": "CNY"},
    "start": {"at": "2026-11-25T08:00:00Z", "place": "West Lake", "city": "Hangzhou"},
    "end": {"at": "2026-11-25T08:20:00Z", "place": "East Station"}, "extension": {"travel_type": "metro"}
}))]
struct NewRideBody {
    /// Your own number for the ride, 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    number: String,
    person: PersonRef,
    amount: Amount,
    start: RidePointBody,
    end: RidePointBody,
    #[schema(max_length = 64)]
    line: Option<String>,
    #[schema(minimum = 0)]
    distance_m: Option<i64>,
    /// Others who rode with the person.
    #[schema(minimum = 0, maximum = 100)]
    companions: Option<i64>,
    consultation: Option<ConsultationRef>,
    extension: RideExtension,
}

/// What rides beside the order. Source: R claim 8.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RideExtension {
    #[schema(min_length = 1, max_length = 40)]
    travel_type: String,
}

impl NewRideBody {
    fn read(self) -> Result<NewRide, Problem> {
        let mut wrong = Wrong::default();
        let number = wrong.line("number", &self.number, 64);
        let amount = wrong.positive("amount", self.amount);
        let travel_type = wrong.line("extension.travel_type", &self.extension.travel_type, 40);
        let line = wrong
            .optional_line("line", self.line.as_deref(), 64)
            .unwrap_or_default();
        if self.distance_m.is_some_and(|distance| distance < 0) {
            wrong.add("distance_m", "must be at least 0");
        }
        if self.companions.is_some_and(|others| !(0..=100).contains(&others)) {
            wrong.add("companions", "use 0 to 100");
        }
        let details = RideDetails {
            start: point(&mut wrong, ["start.place", "start.stop", "start.city"], &self.start),
            end: point(&mut wrong, ["end.place", "end.stop", "end.city"], &self.end),
            line,
            distance_m: self.distance_m,
            companions: self.companions,
        };
        wrong.finish()?;
        Ok(NewRide {
            number,
            person: self.person.0,
            travel_type,
            amount,
            details,
            consultation: self.consultation.map(|id| id.0),
        })
    }
}

fn point(wrong: &mut Wrong, [place, stop, city]: [&'static str; 3], body: &RidePointBody) -> RidePoint {
    let mut line = |field, text: &str, max| wrong.optional_line(field, Some(text), max).unwrap_or_default();
    RidePoint {
        at: body.at.0,
        place: line(place, &body.place, 100),
        stop: line(stop, &body.stop, 64),
        city: line(city, &body.city, 64),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"number": "back-1", "amount": {"amount_minor": 500, "currency": "CNY"}}))]
struct NewRideRefund {
    /// Your own number for the refund, unique for this ride.
    #[schema(min_length = 1, max_length = 64)]
    number: String,
    amount: Amount,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RidesQuery {
    /// The beginning of your numbers; then by number instead of newest first, one page.
    search: Option<String>,
    /// The last id of the page before, as `next` told it.
    #[param(pattern = "^[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    after: Option<String>,
    /// How many at most; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RideConflict")]
struct ConflictView {
    number: String,
    /// The ride that stands.
    ride: RideRef,
    /// What the later order said.
    said: String,
    at: Moment,
}

impl From<RideConflict> for ConflictView {
    fn from(conflict: RideConflict) -> Self {
        Self {
            number: conflict.number,
            ride: Id(conflict.order),
            said: conflict.said,
            at: Moment(conflict.at),
        }
    }
}

impl From<RideRefusal> for Problem {
    fn from(refusal: RideRefusal) -> Self {
        match &refusal {
            RideRefusal::UnknownPerson => Self::invalid("person", "there is no such person"),
            RideRefusal::Times => Self::invalid("end.at", "is before the start"),
            RideRefusal::Conflict { order } => {
                let reason = ProblemReason {
                    field: Some("number".into()),
                    seen: Some(order.to_string()),
                    ..ProblemReason::default()
                };
                Self::new(Code::RideNumberConflict, refusal.to_string()).reasons(vec![reason])
            }
            RideRefusal::UnknownConsultation => Self::invalid(
                "consultation",
                "there is no such consultation of this person and travel type",
            ),
        }
    }
}

impl From<RefundRefusal> for Problem {
    fn from(refusal: RefundRefusal) -> Self {
        match &refusal {
            RefundRefusal::Unknown => Self::not_found("ride"),
            RefundRefusal::State { .. } => Self::new(Code::WrongState, refusal.to_string()),
            RefundRefusal::TooMuch { left } => {
                let detail = format!("only {} {} can still be given back", left.minor, left.currency);
                Self::new(Code::AmountTooLarge, detail).reasons(vec![ProblemReason {
                    field: Some("amount".into()),
                    left: Some(left.minor),
                    ..ProblemReason::default()
                }])
            }
            RefundRefusal::Currency => Self::new(Code::CurrencyMismatch, refusal.to_string()).field("amount.currency"),
            RefundRefusal::NumberConflict => Self::new(Code::RefundNumberConflict, refusal.to_string()).field("number"),
        }
    }
}

async fn consult(
    provider: AsMerchant,
    State(state): State<AppState>,
    Json(body): Json<NewConsultation>,
) -> Result<(StatusCode, Json<ConsultationView>), Problem> {
    let mut wrong = Wrong::default();
    let travel_type = wrong.line("travel_type", &body.travel_type, 40);
    let city = wrong
        .optional_line("city", body.city.as_deref(), 64)
        .unwrap_or_default();
    wrong.finish()?;
    let request = ConsultRequest {
        person: body.person.0,
        travel_type,
        start_at: body.start_at.map_or_else(|| state.services.env.now_ms(), |at| at.0),
        city,
    };
    let answer = state.services.rides.consult(provider.id, request).await??;
    Ok((StatusCode::CREATED, Json(answer.into())))
}

async fn take(
    provider: AsMerchant,
    State(state): State<AppState>,
    Json(body): Json<NewRideBody>,
) -> Result<Response, Problem> {
    let taken = state.services.rides.take(&provider, body.read()?).await??;
    let view = RideView::of(&taken.order, RideReader::Provider);
    Ok((StatusCode::CREATED, replay_header(taken.repeated), Json(view)).into_response())
}

async fn list(
    provider: AsMerchant,
    State(state): State<AppState>,
    Query(query): Query<RidesQuery>,
) -> Result<Json<ListOf<RideView>>, Problem> {
    let mut wrong = Wrong::default();
    let search = wrong.optional_line("search", query.search.as_deref(), 64);
    wrong.finish()?;
    let page = PageQuery {
        after: query.after,
        limit: query.limit,
    };
    let page = page.page::<RideOrderId>()?;
    let rides = &state.services.rides;
    let found = rides
        .orders_of_provider(provider.id, search.as_deref().unwrap_or_default(), &page)
        .await?;
    let views: Vec<RideView> = found
        .iter()
        .map(|order| RideView::of(order, RideReader::Provider))
        .collect();
    Ok(Json(match search {
        Some(_) => ListOf::whole(views),
        None => ListOf::page(views, page.limit, |view| view.id.0.to_string()),
    }))
}

async fn show(
    provider: AsMerchant,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(MerchantRef, RideRef)>,
) -> Result<Json<RideView>, Problem> {
    let found = state
        .services
        .rides
        .order(id)
        .await?
        .filter(|order| order.provider == provider.id);
    let order = found.ok_or_else(|| Problem::not_found("ride"))?;
    Ok(Json(RideView::of(&order, RideReader::Provider)))
}

async fn refund(
    provider: AsMerchant,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(MerchantRef, RideRef)>,
    Json(body): Json<NewRideRefund>,
) -> Result<Json<RideView>, Problem> {
    let mut wrong = Wrong::default();
    let number = wrong.line("number", &body.number, 64);
    let amount = wrong.positive("amount", body.amount);
    wrong.finish()?;
    let idempotency = Idempotency {
        caller: provider.id.to_string(),
        key: format!("ride-refund/{id}/{number}"),
        fingerprint: amount.minor.to_string(),
    };
    let rides = &state.services.rides;
    let order = rides.refund(provider.id, id, &number, amount, idempotency).await??;
    Ok(Json(RideView::of(&order, RideReader::Provider)))
}

async fn conflicts(provider: AsMerchant, State(state): State<AppState>) -> Result<Json<ListOf<ConflictView>>, Problem> {
    let page = Page {
        after: None,
        limit: 200,
    };
    let found = state.services.rides.conflicts(provider.id, &page).await?;
    Ok(Json(ListOf::whole(found.into_iter().map(ConflictView::from).collect())))
}

async fn of_institution(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ListOf<RideView>>, Problem> {
    let page = query.page::<RideOrderId>()?;
    let found = state
        .services
        .rides
        .orders_of_institution(administrator.id(), &page)
        .await?;
    let views = found
        .iter()
        .map(|order| RideView::of(order, RideReader::Payer))
        .collect();
    Ok(Json(ListOf::page(views, page.limit, |view: &RideView| {
        view.id.0.to_string()
    })))
}
