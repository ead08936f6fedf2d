//! Every ride of the institution's members that it was asked to pay: a list with who paid and why, and sums by stop. Rows R07,
//! R08.

use std::collections::{BTreeMap, HashMap};

use askama::Template;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use onescan_domain::ids::{MemberId, MerchantId};
use onescan_domain::money::{Currency, Money};
use onescan_domain::rides::order::{Attempt, RideOrder, RideState};
use onescan_platforms::payments::Page as ListPage;
use serde::Deserialize;

use super::super::error::PageResult;
use super::super::html;
use super::super::page::Page;
use super::super::rides::{outcome_of, why};
use super::AdministratorVisit;
use crate::AppState;

#[derive(Template)]
#[template(path = "travel_rides.html")]
struct RidesPage<'a> {
    page: &'a Page,
    visit: &'a AdministratorVisit,
    by_stop: bool,
    rides: Vec<RideRow>,
    stops: Vec<StopRow>,
    /// Id after which the next page begins.
    next: Option<String>,
    /// Whether older rides are not in the sums.
    cut: bool,
}

struct RideRow {
    member: String,
    provider: String,
    places: String,
    line: String,
    at: i64,
    amount: Money,
    by_institution: Money,
    by_person: Money,
    state: &'static str,
    tone: &'static str,
    why: Vec<String>,
}

/// Rides that begin at one stop, in one currency.
struct StopRow {
    stop: String,
    currency: Currency,
    rides: i64,
    by_institution_minor: i64,
    by_person_minor: i64,
    owed_minor: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RidesQuery {
    /// `stops`, else the list.
    view: String,
    after: Option<String>,
}

const LISTED: u32 = 50;
const SUMMED_MAX: usize = 5_000;

/// Names that rows need again and again.
#[derive(Default)]
struct Names {
    members: HashMap<MemberId, String>,
    providers: HashMap<MerchantId, String>,
}

impl Names {
    async fn member(&mut self, state: &AppState, order: &RideOrder) -> PageResult<String> {
        let Some((_, id)) = order.payer else {
            return Ok(String::new());
        };
        if let Some(known) = self.members.get(&id) {
            return Ok(known.clone());
        }
        let found = state.services.institutions.member(id).await?;
        let name = found.map_or_else(|| id.to_string(), |member| member.name);
        self.members.insert(id, name.clone());
        Ok(name)
    }

    async fn provider(&mut self, state: &AppState, id: MerchantId) -> PageResult<String> {
        if let Some(known) = self.providers.get(&id) {
            return Ok(known.clone());
        }
        let found = state.services.merchants.find(id).await?;
        let name = found.map_or_else(|| id.to_string(), |merchant| merchant.name);
        self.providers.insert(id, name.clone());
        Ok(name)
    }
}

/// What the institution and the person paid, and what is owed, in minor units.
fn shares(order: &RideOrder) -> (i64, i64, i64) {
    match &order.state {
        RideState::Paying => (0, 0, 0),
        RideState::Settled(result) => {
            let paid = |attempt: &Option<Attempt>| attempt.as_ref().map_or(0, Attempt::paid_minor);
            (paid(&result.institution), paid(&result.personal), result.arrears_minor)
        }
    }
}

async fn ride_row(state: &AppState, page: &Page, names: &mut Names, order: &RideOrder) -> PageResult<RideRow> {
    let places = [order.details.start.place.as_str(), order.details.end.place.as_str()];
    let places: Vec<&str> = places.into_iter().filter(|place| !place.is_empty()).collect();
    let (by_institution, by_person, _) = shares(order);
    let (name, tone) = outcome_of(order);
    Ok(RideRow {
        member: names.member(state, order).await?,
        provider: names.provider(state, order.provider).await?,
        places: places.join(" – "),
        line: order.details.line.clone(),
        at: order.details.start.at,
        amount: order.amount,
        by_institution: Money::new(by_institution, order.amount.currency),
        by_person: Money::new(by_person, order.amount.currency),
        state: match name {
            "ride-by-person" => "ride-by-member",
            "ride-owed" => "ride-member-owes",
            other => other,
        },
        tone,
        why: why(page, order),
    })
}

async fn page_of(
    state: &AppState,
    visit: &AdministratorVisit,
    after: Option<String>,
    limit: u32,
) -> PageResult<Vec<RideOrder>> {
    let page = ListPage { after, limit };
    let rides = &state.services.rides;
    Ok(rides.orders_of_institution(visit.institution.id, &page).await?)
}

/// Newest first, and whether older ones were left out.
async fn newest(state: &AppState, visit: &AdministratorVisit) -> PageResult<(Vec<RideOrder>, bool)> {
    const AT_ONCE: u32 = 200;
    let mut orders: Vec<RideOrder> = Vec::new();
    loop {
        let after = orders.last().map(|order| order.id.stored());
        let found = page_of(state, visit, after, AT_ONCE).await?;
        let last = found.len() < AT_ONCE as usize;
        orders.extend(found);
        if last || orders.len() >= SUMMED_MAX {
            return Ok((orders, !last));
        }
    }
}

fn by_stop(page: &Page, orders: &[RideOrder]) -> Vec<StopRow> {
    let mut sums: BTreeMap<(String, Currency), StopRow> = BTreeMap::new();
    for order in orders {
        let start = &order.details.start;
        let stop = [&start.place, &start.stop].into_iter().find(|name| !name.is_empty());
        let stop = stop.map_or_else(|| page.t("stop-unknown"), Clone::clone);
        let currency = order.amount.currency;
        let row = sums.entry((stop.clone(), currency)).or_insert(StopRow {
            stop,
            currency,
            rides: 0,
            by_institution_minor: 0,
            by_person_minor: 0,
            owed_minor: 0,
        });
        let (by_institution, by_person, owed) = shares(order);
        row.rides += 1;
        row.by_institution_minor += by_institution;
        row.by_person_minor += by_person;
        row.owed_minor += owed;
    }
    let mut rows: Vec<StopRow> = sums.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.rides));
    rows
}

pub async fn show(
    State(state): State<AppState>,
    visit: AdministratorVisit,
    Query(query): Query<RidesQuery>,
) -> PageResult {
    let mut template = RidesPage {
        page: &visit.page,
        visit: &visit,
        by_stop: query.view == "stops",
        rides: Vec::new(),
        stops: Vec::new(),
        next: None,
        cut: false,
    };
    if template.by_stop {
        let (orders, cut) = newest(&state, &visit).await?;
        template.stops = by_stop(&visit.page, &orders);
        template.cut = cut;
    } else {
        let orders = page_of(&state, &visit, query.after, LISTED).await?;
        let mut names = Names::default();
        for order in &orders {
            template
                .rides
                .push(ride_row(&state, &visit.page, &mut names, order).await?);
        }
        let full = orders.len() == LISTED as usize;
        template.next = orders.last().filter(|_| full).map(|order| order.id.stored());
    }
    html(&template)
}

/// A cell of CSV; a formula of a spreadsheet is disarmed.
fn cell(text: &str) -> String {
    let armed = text.starts_with(['=', '+', '-', '@', '\t']);
    let text = if armed { format!("'{text}") } else { text.to_owned() };
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// The newest rides as a table, the same columns in every language.
pub async fn csv(State(state): State<AppState>, visit: AdministratorVisit) -> PageResult {
    let (orders, _) = newest(&state, &visit).await?;
    let mut names = Names::default();
    let mut text = String::from(
        "\u{feff}number,start,member,provider,from,to,line,travel_type,currency,amount,institution,person,owed,state\r\n",
    );
    for order in &orders {
        let currency = order.amount.currency;
        let (by_institution, by_person, owed) = shares(order);
        let decimal = |minor| Money::new(minor, currency).to_decimal();
        let start = jiff::Timestamp::from_millisecond(order.details.start.at).unwrap_or_default();
        let cells = [
            cell(&order.number),
            cell(
                &start
                    .to_zoned(crate::i18n::time_zone(&visit.institution.time_zone))
                    .strftime("%Y-%m-%d %H:%M")
                    .to_string(),
            ),
            cell(&names.member(&state, order).await?),
            cell(&names.provider(&state, order.provider).await?),
            cell(&order.details.start.place),
            cell(&order.details.end.place),
            cell(&order.details.line),
            cell(&order.travel_type),
            currency.code().to_owned(),
            decimal(order.amount.minor),
            decimal(by_institution),
            decimal(by_person),
            decimal(owed),
            order.state.name().to_owned(),
        ];
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"rides.csv\""),
    ];
    Ok((headers, text).into_response())
}
