//! A person's travel applications with their switch, rides with their outcomes, what is owed, and the standing consent.
//! Rows R01, R02, R08, R11.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil;
use jiff::tz::TimeZone;
use onescan_domain::ids::{ApplicationId, MerchantId, RideOrderId, TravelTypeId};
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::ride::SettleRefusal;
use onescan_domain::rides::application::{
    ApplicationState, FieldKind, FormField, FormRefusal, InstitutionPayment, Presence, RideAllowance,
    TravelApplication, TravelType,
};
use onescan_domain::rides::order::{Attempt, Consulted, RideOrder, RideState};
use onescan_platforms::payments::Page as ListPage;
use onescan_platforms::rides::{ApplicationRefusal, DecideRefusal, NewApplication};
use serde::Deserialize;

use super::error::{PageError, PageResult};
use super::page::Page;
use super::payment_view::{Told, refusal_reasons};
use super::visit::PersonVisit;
use super::{gates, html, html_with};
use crate::AppState;
use crate::api::follow_rides;

#[derive(Template)]
#[template(path = "rides.html")]
struct RidesPage<'a> {
    page: &'a Page,
    problem: Option<String>,
    owed: Vec<OwedView>,
    applications: Vec<ApplicationRow>,
    types: Vec<TravelType>,
    under_way: Vec<UnderWayView>,
    rides: Vec<OutcomeView>,
    currency: Currency,
    cap: String,
}

#[derive(Template)]
#[template(path = "ride_outcomes.html")]
struct OutcomesPart<'a> {
    page: &'a Page,
    under_way: Vec<UnderWayView>,
    rides: Vec<OutcomeView>,
}

/// A ride that has no order yet.
struct UnderWayView {
    provider: String,
    at: i64,
    place: String,
    state: &'static str,
}

struct OwedView {
    ride: RideOrderId,
    provider: String,
    amount: Money,
    since: i64,
}

struct ApplicationRow {
    id: ApplicationId,
    name: String,
    purpose: String,
    valid_from: i64,
    valid_until: i64,
    rides: String,
    state: &'static str,
    tone: &'static str,
    reason: Option<String>,
    /// Whether it can still be switched and withdrawn.
    open: bool,
    on: bool,
    switch_to: &'static str,
}

struct OutcomeView {
    provider: String,
    at: i64,
    places: String,
    amount: Money,
    state: &'static str,
    tone: &'static str,
    why: Vec<String>,
}

const LISTED: u32 = 20;

async fn rides_page<'a>(
    state: &AppState,
    visit: &'a PersonVisit,
    problem: Option<String>,
) -> PageResult<RidesPage<'a>> {
    let (rides, person) = (&state.services.rides, &visit.person);
    let types = rides.types_for(person.id).await?;
    let page = ListPage {
        after: None,
        limit: LISTED,
    };
    let applications = rides.applications(person.id, &page).await?;
    let applications = applications.iter().map(|one| application_row(&visit.page, one, &types));
    let mut owed = Vec::new();
    for one in rides.arrears(person.id).await? {
        owed.push(OwedView {
            ride: one.order,
            provider: provider_name(state, one.provider).await?,
            amount: one.amount,
            since: one.since,
        });
    }
    let consent = rides.consent(person.id).await?;
    Ok(RidesPage {
        page: &visit.page,
        problem,
        owed,
        applications: applications.collect(),
        types,
        under_way: under_way(state, visit).await?,
        rides: outcomes(state, visit).await?,
        currency: person.currency,
        cap: consent.map_or(String::new(), |consent| consent.cap.to_decimal()),
    })
}

async fn provider_name(state: &AppState, id: MerchantId) -> PageResult<String> {
    let found = state.services.merchants.find(id).await?;
    Ok(found.map_or_else(|| id.to_string(), |provider| provider.name))
}

pub(super) fn rides_text(page: &Page, application: &TravelApplication) -> String {
    match application.allowance {
        RideAllowance::Standing => page.t("application-standing"),
        RideAllowance::Rides(rides) => format!("{} / {rides}", application.rides_used),
    }
}

fn application_row(page: &Page, application: &TravelApplication, types: &[TravelType]) -> ApplicationRow {
    let kind = types.iter().find(|kind| kind.id == application.travel_type);
    let (state, tone) = match application.state.name() {
        "waiting" => ("application-waiting", "wait"),
        "approved" => ("application-approved", "good"),
        "refused" => ("application-refused", "bad"),
        "withdrawn" => ("application-withdrawn", ""),
        "used" => ("application-used", ""),
        _ => ("application-expired", ""),
    };
    let on = application.switch == InstitutionPayment::On;
    ApplicationRow {
        id: application.id,
        name: kind.map_or_else(|| application.type_code.clone(), |kind| kind.name.clone()),
        purpose: application.purpose.clone(),
        valid_from: application.valid_from,
        valid_until: application.valid_until,
        rides: rides_text(page, application),
        state,
        tone,
        reason: match &application.state {
            ApplicationState::Refused { reason, .. } => Some(reason.clone()),
            ApplicationState::Waiting { .. }
            | ApplicationState::Approved { .. }
            | ApplicationState::Withdrawn { .. }
            | ApplicationState::Released { .. } => None,
        },
        open: matches!(
            application.state,
            ApplicationState::Waiting { .. } | ApplicationState::Approved { .. }
        ),
        on,
        switch_to: if on { "off" } else { "on" },
    }
}

async fn under_way(state: &AppState, visit: &PersonVisit) -> PageResult<Vec<UnderWayView>> {
    let journeys = &state.services.journeys;
    let mut views = Vec::new();
    for ride in journeys.under_way(visit.person.id).await? {
        let Some(seen) = ride.ride.start.as_ref().or(ride.ride.end.as_ref()) else {
            continue;
        };
        let network = journeys.feeds.network(ride.ride.provider).await?;
        let place = network
            .as_ref()
            .map(|network| network.place(&seen.station).0.to_owned());
        views.push(UnderWayView {
            provider: provider_name(state, ride.ride.provider).await?,
            at: seen.at,
            place: place.unwrap_or_else(|| seen.station.clone()),
            state: gates::state_key(ride.state),
        });
    }
    Ok(views)
}

async fn outcomes(state: &AppState, visit: &PersonVisit) -> PageResult<Vec<OutcomeView>> {
    let page = ListPage {
        after: None,
        limit: LISTED,
    };
    let mut views = Vec::new();
    for order in state.services.rides.orders_of_person(visit.person.id, &page).await? {
        let places = [order.details.start.place.as_str(), order.details.end.place.as_str()];
        let places = places.into_iter().filter(|place| !place.is_empty());
        let (name, tone) = outcome_of(&order);
        views.push(OutcomeView {
            provider: provider_name(state, order.provider).await?,
            at: order.details.start.at,
            places: places.collect::<Vec<_>>().join(" – "),
            amount: order.amount,
            state: name,
            tone,
            why: why(&visit.page, &order),
        });
    }
    Ok(views)
}

/// The text that says who paid, and its tone.
pub(super) fn outcome_of(order: &RideOrder) -> (&'static str, &'static str) {
    match order.state.name() {
        "paying" => ("ride-paying", "wait"),
        "paid_by_institution" => ("ride-by-institution", "good"),
        "paid_by_person" => ("ride-by-person", "good"),
        "split" => ("ride-split", "good"),
        _ => ("ride-owed", "bad"),
    }
}

/// Why the institution did not pay, or the person owes: every failed dimension.
pub(super) fn why(page: &Page, order: &RideOrder) -> Vec<String> {
    let mut lines = Vec::new();
    if let Consulted::Personal { why } = &order.consulted {
        lines.push(page.t(&form_key(*why)));
    }
    if let RideState::Settled(result) = &order.state {
        let attempts: [&Option<Attempt>; 2] = [&result.institution, &result.personal];
        for refusal in attempts
            .into_iter()
            .flatten()
            .filter_map(|attempt| attempt.refusal.as_ref())
        {
            lines.extend(refusal_reasons(
                page.language,
                refusal,
                order.amount.currency,
                Told::All,
            ));
        }
    }
    lines
}

pub async fn show(State(state): State<AppState>, visit: PersonVisit) -> PageResult {
    html(&rides_page(&state, &visit, None).await?)
}

pub async fn list(State(state): State<AppState>, visit: PersonVisit) -> PageResult {
    html(&OutcomesPart {
        page: &visit.page,
        under_way: under_way(&state, &visit).await?,
        rides: outcomes(&state, &visit).await?,
    })
}

/// Outcomes as they come. Row R11.
pub async fn events(State(state): State<AppState>, visit: PersonVisit) -> Response {
    follow_rides(state, visit.person.id).into_response()
}

async fn again(state: &AppState, visit: &PersonVisit, problem: String) -> PageResult {
    html_with(
        StatusCode::UNPROCESSABLE_ENTITY,
        &rides_page(state, visit, Some(problem)).await?,
    )
}

#[derive(Debug, Deserialize)]
pub struct SwitchForm {
    to: String,
}

pub async fn switch(
    State(state): State<AppState>,
    visit: PersonVisit,
    Path(id): Path<String>,
    Form(form): Form<SwitchForm>,
) -> PageResult {
    let id: ApplicationId = id.parse().map_err(|_| PageError::NotFound)?;
    let to = match form.to.as_str() {
        "on" => InstitutionPayment::On,
        _ => InstitutionPayment::Off,
    };
    let changed = state.services.rides.switch(visit.person.id, id, to).await?;
    decided(&state, &visit, changed.map(drop)).await
}

pub async fn withdraw(State(state): State<AppState>, visit: PersonVisit, Path(id): Path<String>) -> PageResult {
    let id: ApplicationId = id.parse().map_err(|_| PageError::NotFound)?;
    let changed = state.services.rides.withdraw(visit.person.id, id).await?;
    decided(&state, &visit, changed.map(drop)).await
}

async fn decided(state: &AppState, visit: &PersonVisit, changed: Result<(), DecideRefusal>) -> PageResult {
    match changed {
        Ok(()) => Ok(Redirect::to("/rides?done=saved").into_response()),
        Err(DecideRefusal::Unknown) => Err(PageError::NotFound),
        Err(DecideRefusal::InUse) => again(state, visit, visit.page.t("form-in-use")).await,
        Err(
            DecideRefusal::State { .. }
            | DecideRefusal::Text { .. }
            | DecideRefusal::NotAdministrator
            | DecideRefusal::OwnApplication,
        ) => again(state, visit, visit.page.t("application-closed")).await,
    }
}

pub async fn pay(State(state): State<AppState>, visit: PersonVisit, Path(id): Path<String>) -> PageResult {
    let id: RideOrderId = id.parse().map_err(|_| PageError::NotFound)?;
    match state.services.rides.settle(visit.person.id, id).await? {
        Ok(_) => Ok(Redirect::to("/rides?done=arrears-paid").into_response()),
        Err(SettleRefusal::NothingOwed) => Err(PageError::NotFound),
        Err(SettleRefusal::CurrencyMismatch { .. }) => again(&state, &visit, visit.page.t("arrears-currency")).await,
        Err(SettleRefusal::InsufficientFunds { .. }) => again(&state, &visit, visit.page.t("refusal-funds")).await,
    }
}

#[derive(Debug, Deserialize)]
pub struct ConsentForm {
    cap: String,
}

/// An empty limit withdraws.
pub async fn consent(State(state): State<AppState>, visit: PersonVisit, Form(form): Form<ConsentForm>) -> PageResult {
    let rides = &state.services.rides;
    let cap = form.cap.trim();
    if cap.is_empty() {
        rides.withdraw_consent(visit.person.id).await?;
        return Ok(Redirect::to("/rides?done=withdrawn").into_response());
    }
    match minor(cap, visit.person.currency) {
        Some(cap) => {
            rides.give_consent(visit.person.id, cap).await?;
            Ok(Redirect::to("/rides?done=saved").into_response())
        }
        None => again(&state, &visit, visit.page.t("amount-wrong")).await,
    }
}

/// At least 1 minor unit.
fn minor(text: &str, currency: Currency) -> Option<Money> {
    let money = Money::parse_decimal(text, currency).ok()?;
    (money.minor > 0 && money.minor <= crate::api::AMOUNT_MAX_MINOR).then_some(money)
}

#[derive(Template)]
#[template(path = "ride_application.html")]
struct ApplicationPage<'a> {
    page: &'a Page,
    kind: TravelType,
    given: Given,
    faults: Vec<String>,
}

/// What was entered; the institution's own fields are those that begin with `field_`.
#[derive(Debug, Default, Deserialize)]
pub struct Given {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    purpose: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    rides: String,
    #[serde(default)]
    cities: String,
    #[serde(default)]
    cost_centre: String,
    #[serde(flatten)]
    fields: BTreeMap<String, String>,
}

impl Given {
    fn field(&self, name: &str) -> &str {
        self.fields.get(&format!("field_{name}")).map_or("", String::as_str)
    }
}

fn is_required(field: &FormField) -> bool {
    field.presence == Presence::Required
}

fn choices(field: &FormField) -> Option<&Vec<String>> {
    match &field.kind {
        FieldKind::Choice(choices) => Some(choices),
        FieldKind::Text | FieldKind::Number | FieldKind::Date => None,
    }
}

fn input_type(field: &FormField) -> &'static str {
    match field.kind {
        FieldKind::Date => "date",
        FieldKind::Number => "number",
        FieldKind::Text | FieldKind::Choice(_) => "text",
    }
}

async fn kind_of(state: &AppState, visit: &PersonVisit, id: &str) -> PageResult<TravelType> {
    let id: TravelTypeId = id.parse().map_err(|_| PageError::NotFound)?;
    let types = state.services.rides.types_for(visit.person.id).await?;
    types.into_iter().find(|kind| kind.id == id).ok_or(PageError::NotFound)
}

pub async fn show_new(State(state): State<AppState>, visit: PersonVisit, Query(given): Query<Given>) -> PageResult {
    let kind = kind_of(&state, &visit, &given.kind).await?;
    let today = jiff::Timestamp::from_millisecond(state.services.env.now_ms()).unwrap_or_default();
    let today = today.to_zoned(visit.page.zone.clone()).date().to_string();
    let given = Given {
        from: today.clone(),
        until: today,
        rides: "1".to_owned(),
        ..given
    };
    let faults = Vec::new();
    html(&ApplicationPage {
        page: &visit.page,
        kind,
        given,
        faults,
    })
}

pub async fn apply(State(state): State<AppState>, visit: PersonVisit, Form(given): Form<Given>) -> PageResult {
    let kind = kind_of(&state, &visit, &given.kind).await?;
    let new = new_application(&kind, &given, &visit.page.zone);
    let faults = match state.services.rides.apply(visit.person.id, new).await? {
        Ok(_) => return Ok(Redirect::to("/rides?done=applied").into_response()),
        Err(ApplicationRefusal::UnknownType) => return Err(PageError::NotFound),
        Err(ApplicationRefusal::Fields { faults }) => faults,
    };
    let named = faults.iter().map(|fault| {
        let name = fault.field.strip_prefix("fields.");
        let own = name.and_then(|name| kind.form.iter().find(|field| field.name == name));
        let label = match fault.field.as_str() {
            "purpose" => visit.page.t("application-purpose"),
            "cost_centre" => visit.page.t("application-cost-centre"),
            "cities" => visit.page.t("application-cities"),
            "rides" => visit.page.t("application-rides"),
            "valid_until" => visit.page.t("application-until"),
            field => own.map_or_else(|| field.to_owned(), |field| field.label.clone()),
        };
        format!("{label}: {}", fault.problem)
    });
    let faults = named.collect();
    let template = ApplicationPage {
        page: &visit.page,
        kind,
        given,
        faults,
    };
    html_with(StatusCode::UNPROCESSABLE_ENTITY, &template)
}

/// What cannot be read becomes something that the use case refuses with the field's name.
fn new_application(kind: &TravelType, given: &Given, zone: &TimeZone) -> NewApplication {
    let day = |text: &str, plus: i64| {
        let date: civil::Date = text.trim().parse().ok()?;
        let date = date.checked_add(jiff::Span::new().try_days(plus).ok()?).ok()?;
        Some(date.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond())
    };
    let fields = kind
        .form
        .iter()
        .map(|field| (field.name.clone(), given.field(&field.name).to_owned()));
    NewApplication {
        travel_type: kind.id,
        purpose: given.purpose.clone(),
        cost_centre: Some(given.cost_centre.clone()),
        cities: given
            .cities
            .split([',', '，', '、'])
            .map(str::trim)
            .filter(|city| !city.is_empty())
            .map(str::to_owned)
            .collect(),
        fields: fields.collect(),
        allowance: match given.rides.trim() {
            "" => RideAllowance::Standing,
            text => RideAllowance::Rides(text.parse().unwrap_or(0)),
        },
        valid_from: day(&given.from, 0).unwrap_or(i64::MAX),
        valid_until: day(&given.until, 1).unwrap_or(0),
        switch: InstitutionPayment::On,
    }
}

/// The text that says why a form does not stand for a ride.
pub fn form_key(why: FormRefusal) -> String {
    format!("form-{}", why.name().replace('_', "-"))
}
