//! A ride provider's page, opened by any of its gates: gates, rides under way, orders, taps, deny list. Rows R04, R05.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use onescan_domain::ids::TerminalId;
use onescan_domain::money::Money;
use onescan_domain::rides::matching::{Journey, MatchedRide};
use onescan_domain::rides::order::RideOrder;
use onescan_domain::transit::Network;
use onescan_gate::journal::ACCEPTED;
use onescan_platforms::journeys::{TapRide, TapRideProblem, TapRideState};
use onescan_platforms::payments::Page as ListPage;
use onescan_platforms::ride_codes::{StoredTap, TapPage};

use super::error::PageResult;
use super::html;
use super::page::Page;
use super::visit::GateVisit;
use crate::AppState;

const LISTED: u32 = 30;
const TAPS_MS: i64 = 24 * 3_600_000;
const TAPS_READ: u32 = 500;

#[derive(Template)]
#[template(path = "gates.html")]
struct GatesPage<'a> {
    page: &'a Page,
    feed: Option<String>,
    gates: Vec<GateRow>,
    rides: Vec<RideRow>,
    orders: Vec<OrderRow>,
    taps: Vec<TapRow>,
    denied: Vec<String>,
}

struct GateRow {
    name: String,
    head: i64,
    head_at: Option<i64>,
    missing: i64,
}

struct RideRow {
    at: i64,
    places: String,
    journey: &'static str,
    state: &'static str,
    tone: &'static str,
    problem: Option<&'static str>,
    doubtful: bool,
    fare: Option<Money>,
}

struct OrderRow {
    number: String,
    at: i64,
    amount: Money,
    state: &'static str,
    tone: &'static str,
}

struct TapRow {
    at: i64,
    gate: String,
    kind: &'static str,
    station: String,
    accepted: bool,
    verdict: String,
    /// Clock, chain or signature were not as they should be.
    faulty: bool,
}

pub async fn show(State(state): State<AppState>, visit: GateVisit) -> PageResult {
    let services = &state.services;
    let provider = visit.actor.facts.merchant;
    let terminals = services.merchants.terminals(provider).await?;
    let names: HashMap<TerminalId, String> = terminals.into_iter().map(|one| (one.id, one.name)).collect();
    let name = |gate: TerminalId| names.get(&gate).cloned().unwrap_or_else(|| gate.to_string());
    let gates = services
        .ride_codes
        .journals(provider)
        .await?
        .into_iter()
        .map(|journal| GateRow {
            name: name(journal.gate),
            head: journal.head,
            head_at: (journal.head > 0).then_some(journal.head_at),
            missing: (journal.head - journal.records).max(0),
        });
    let listed = ListPage {
        after: None,
        limit: LISTED,
    };
    let journeys = &services.journeys;
    let network = journeys.feeds.network(provider).await?;
    let feeds = journeys.feeds.list(provider).await?;
    let rides = journeys.rides_of_provider(provider, None, &listed).await?;
    let orders = services.rides.orders_of_provider(provider, "", &listed).await?;
    let lately = TapPage {
        received_from: services.env.now_ms() - TAPS_MS,
        after: None,
        limit: TAPS_READ,
    };
    let taps = services.ride_codes.taps(provider, lately).await?;
    let taps = taps.into_iter().rev().take(LISTED as usize);
    let denied = services.ride_codes.denied().await?;
    html(&GatesPage {
        page: &visit.page,
        feed: feeds.into_iter().find(|feed| feed.active).map(|feed| feed.name),
        gates: gates.collect(),
        rides: rides.iter().map(|ride| ride_row(ride, network.as_deref())).collect(),
        orders: orders.iter().map(order_row).collect(),
        taps: taps.map(|tap| tap_row(tap, &name)).collect(),
        denied: denied.into_iter().map(|device| device.hex()).collect(),
    })
}

fn ride_row(ride: &TapRide, network: Option<&Network>) -> RideRow {
    RideRow {
        at: ride
            .ride
            .start
            .as_ref()
            .or(ride.ride.end.as_ref())
            .map_or(ride.created_at, |end| end.at),
        places: places(&ride.ride, network),
        journey: match ride.ride.journey {
            Journey::Open => "journey-open",
            Journey::Complete => "journey-complete",
            Journey::Single => "journey-single",
            Journey::NoExit => "journey-no-exit",
            Journey::NoEntry => "journey-no-entry",
        },
        state: state_key(ride.state),
        tone: match ride.state {
            TapRideState::Ordered | TapRideState::Free => "good",
            TapRideState::Unpriced => "bad",
            TapRideState::Open | TapRideState::Waiting | TapRideState::Due => "wait",
            TapRideState::Withdrawing | TapRideState::Withdrawn => "",
        },
        problem: ride.problem.map(|problem| match problem {
            TapRideProblem::NoFare => "tap-problem-no-fare",
            TapRideProblem::UnknownPerson => "tap-problem-unknown-person",
            TapRideProblem::Underpaid => "tap-problem-underpaid",
            TapRideProblem::Owed => "tap-problem-owed",
        }),
        doubtful: ride.ride.code_seen_twice || ride.ride.clock_doubtful(),
        fare: ride.fare,
    }
}

fn places(ride: &MatchedRide, network: Option<&Network>) -> String {
    let name =
        |station: &str| network.map_or_else(|| station.to_owned(), |network| network.place(station).0.to_owned());
    let ends = [&ride.start, &ride.end].map(|end| end.as_ref().map(|end| name(&end.station)));
    match (ride.journey, ends) {
        (Journey::Single | Journey::Open, [Some(place), _]) => place,
        (_, [start, end]) => {
            let unseen = || "—".to_owned();
            format!("{} – {}", start.unwrap_or_else(unseen), end.unwrap_or_else(unseen))
        }
    }
}

/// The text that says where a ride of taps stands.
pub fn state_key(state: TapRideState) -> &'static str {
    match state {
        TapRideState::Open => "tap-ride-open",
        TapRideState::Waiting => "tap-ride-waiting",
        TapRideState::Due => "tap-ride-due",
        TapRideState::Ordered => "tap-ride-ordered",
        TapRideState::Free => "tap-ride-free",
        TapRideState::Unpriced => "tap-ride-unpriced",
        TapRideState::Withdrawing | TapRideState::Withdrawn => "tap-ride-withdrawn",
    }
}

/// The text and tone of an order's outcome, for whoever carried the person.
fn order_row(order: &RideOrder) -> OrderRow {
    let (state, tone) = match order.state.name() {
        "paying" => ("ride-paying", "wait"),
        "arrears" => ("order-arrears", "bad"),
        _ => ("order-paid", "good"),
    };
    OrderRow {
        number: order.number.clone(),
        at: order.details.start.at,
        amount: Money::new(order.amount.minor - order.refunded_minor, order.amount.currency),
        state,
        tone,
    }
}

fn tap_row(tap: StoredTap, name: &impl Fn(TerminalId) -> String) -> TapRow {
    TapRow {
        at: tap.at,
        gate: name(tap.gate),
        kind: match tap.kind {
            onescan_domain::rides::tap::TapKind::Entry => "tap-entry",
            onescan_domain::rides::tap::TapKind::Exit => "tap-exit",
            onescan_domain::rides::tap::TapKind::Single => "tap-single",
        },
        accepted: tap.verdict == ACCEPTED,
        faulty: tap.clock_fault.is_some() || tap.chain_broken || (!tap.sound && tap.verdict == ACCEPTED),
        station: tap.station,
        verdict: tap.verdict,
    }
}
