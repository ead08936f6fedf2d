//! A ride provider's set-up, for its back office: transit feeds, looked at before they count, and what taps cost. Row R04.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Form, Multipart, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use onescan_domain::ids::FeedId;
use onescan_domain::money::Money;
use onescan_domain::transit::{FeedError, Network};
use onescan_platforms::journeys::{FeedRefusal, RideFeed, RideSetup, SetupRefusal};
use serde::Deserialize;

use super::error::{PageError, PageResult};
use super::page::Page;
use super::visit::OfficeVisit;
use super::{html, html_with, text_problem};
use crate::AppState;

/// The archive, and the boundaries around it.
pub const FORM_BYTES_MAX: usize = crate::api::ARCHIVE_MAX + (64 << 10);
const MINUTE_MS: i64 = 60_000;
/// Names of what is new or gone that are shown.
const NAMED_MAX: usize = 20;

#[derive(Template)]
#[template(path = "gates_setup.html")]
struct SetupPage<'a> {
    page: &'a Page,
    currency: &'a str,
    form: SetupForm,
    problem: Option<String>,
    feeds: Vec<RideFeed>,
    /// What is wrong with the feed that was handed over.
    faults: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SetupForm {
    travel_type: String,
    city: String,
    single_fare: String,
    maximum_fare: String,
    journey_max_minutes: String,
    late_minutes: String,
}

impl SetupForm {
    fn of(setup: &RideSetup) -> Self {
        let decimal = |fare: Option<Money>| fare.map_or_else(String::new, |fare| fare.to_decimal());
        Self {
            travel_type: setup.travel_type.clone(),
            city: setup.city.clone(),
            single_fare: decimal(setup.single_fare),
            maximum_fare: decimal(setup.maximum_fare),
            journey_max_minutes: (setup.journey_max_ms / MINUTE_MS).to_string(),
            late_minutes: (setup.late_ms / MINUTE_MS).to_string(),
        }
    }

    fn read(&self, visit: &OfficeVisit) -> Result<RideSetup, String> {
        let merchant = &visit.office.merchant;
        let fare = |text: &str, key: &str| match text.trim() {
            "" => Ok(None),
            text => {
                let fare = Money::parse_decimal(text, merchant.currency);
                let fare = fare.ok().filter(|fare| fare.minor > 0);
                fare.map(Some).ok_or_else(|| wrong(&visit.page, key, "amount-wrong"))
            }
        };
        let minutes = |text: &str, key: &str| {
            let minutes = text.trim().parse::<i64>().ok();
            minutes.ok_or_else(|| wrong(&visit.page, key, "setup-minutes-wrong"))
        };
        Ok(RideSetup {
            travel_type: self.travel_type.clone(),
            city: self.city.clone(),
            single_fare: fare(&self.single_fare, "setup-single-fare")?,
            maximum_fare: fare(&self.maximum_fare, "setup-maximum-fare")?,
            journey_max_ms: minutes(&self.journey_max_minutes, "setup-journey-max")?.saturating_mul(MINUTE_MS),
            late_ms: minutes(&self.late_minutes, "setup-late")?.saturating_mul(MINUTE_MS),
            ..RideSetup::of(merchant.id)
        })
    }
}

/// Field and reason.
fn wrong(page: &Page, field: &str, reason: &str) -> String {
    format!("{}: {}", page.t(field), page.t(reason))
}

fn refusal_text(page: &Page, refusal: &SetupRefusal) -> String {
    let label = |field: &str| match field {
        "travel_type" => "setup-travel-type",
        "city" => "policy-city",
        "single_fare" => "setup-single-fare",
        "maximum_fare" => "setup-maximum-fare",
        "journey_max_minutes" => "setup-journey-max",
        _ => "setup-late",
    };
    match refusal {
        SetupRefusal::Text { field, error } => format!("{}: {}", page.t(label(field)), text_problem(page, error)),
        SetupRefusal::Fare { field } => wrong(page, label(field), "amount-wrong"),
        SetupRefusal::Minutes { field, min, max } => {
            let range = format!("{min}–{max}");
            format!(
                "{}: {}",
                page.t(label(field)),
                page.with("setup-minutes-range", "range", &range)
            )
        }
    }
}

/// What a handler adds to the page.
#[derive(Default)]
struct Told {
    form: Option<SetupForm>,
    problem: Option<String>,
    faults: Vec<String>,
}

async fn setup_page<'a>(state: &AppState, visit: &'a OfficeVisit, told: Told) -> PageResult<SetupPage<'a>> {
    let (journeys, merchant) = (&state.services.journeys, &visit.office.merchant);
    let form = match told.form {
        Some(form) => form,
        None => SetupForm::of(&journeys.setup(merchant.id).await?),
    };
    Ok(SetupPage {
        page: &visit.page,
        currency: merchant.currency.code(),
        form,
        problem: told.problem,
        feeds: journeys.feeds.list(merchant.id).await?,
        faults: told.faults,
    })
}

async fn again(state: &AppState, visit: &OfficeVisit, told: Told) -> PageResult {
    html_with(StatusCode::UNPROCESSABLE_ENTITY, &setup_page(state, visit, told).await?)
}

pub async fn show(State(state): State<AppState>, visit: OfficeVisit) -> PageResult {
    html(&setup_page(&state, &visit, Told::default()).await?)
}

pub async fn put(State(state): State<AppState>, visit: OfficeVisit, Form(form): Form<SetupForm>) -> PageResult {
    let put = match form.read(&visit) {
        Ok(setup) => state.services.journeys.put_setup(setup).await?,
        Err(problem) => {
            let (form, problem) = (Some(form), Some(problem));
            return again(
                &state,
                &visit,
                Told {
                    form,
                    problem,
                    ..Told::default()
                },
            )
            .await;
        }
    };
    match put {
        Ok(_) => Ok(Redirect::to("/gates/setup?done=saved").into_response()),
        Err(refusal) => {
            let problem = Some(refusal_text(&visit.page, &refusal));
            let form = Some(form);
            again(
                &state,
                &visit,
                Told {
                    form,
                    problem,
                    ..Told::default()
                },
            )
            .await
        }
    }
}

/// A feed as a file of a form: name, then archive. It counts only when somebody puts it into use.
pub async fn import(State(state): State<AppState>, visit: OfficeVisit, mut form: Multipart) -> PageResult {
    let (mut name, mut archive) = (String::new(), Vec::new());
    while let Some(field) = form.next_field().await.map_err(|_| PageError::Unreadable)? {
        match field.name() {
            Some("name") => name = field.text().await.map_err(|_| PageError::Unreadable)?,
            Some("feed") => {
                let file = field
                    .file_name()
                    .unwrap_or_default()
                    .trim_end_matches(".zip")
                    .to_owned();
                archive = field.bytes().await.map_err(|_| PageError::Unreadable)?.to_vec();
                if name.trim().is_empty() {
                    name = file;
                }
            }
            Some(_) | None => {}
        }
    }
    let feeds = &state.services.journeys.feeds;
    match feeds.take_in(visit.office.merchant.id, &name, archive).await? {
        Ok(feed) => Ok(Redirect::to(&format!("/gates/setup/feeds/{}", feed.id)).into_response()),
        Err(refusal) => {
            let faults = faults(&visit.page, &refusal);
            again(
                &state,
                &visit,
                Told {
                    faults,
                    ..Told::default()
                },
            )
            .await
        }
    }
}

fn faults(page: &Page, refusal: &FeedRefusal) -> Vec<String> {
    match refusal {
        FeedRefusal::Name(error) => vec![format!("{}: {}", page.t("setup-feed-name"), text_problem(page, error))],
        FeedRefusal::Archive => vec![page.t("setup-feed-archive")],
        FeedRefusal::TooLarge { .. } | FeedRefusal::Text { .. } | FeedRefusal::Unknown | FeedRefusal::InUse => {
            vec![refusal.to_string()]
        }
        FeedRefusal::Feed(faults) => {
            let mut lines: Vec<String> = faults.all.iter().map(FeedError::to_string).collect();
            if faults.more > 0 {
                lines.push(page.with("setup-faults-more", "count", &faults.more.to_string()));
            }
            lines
        }
    }
}

#[derive(Template)]
#[template(path = "gates_feed.html")]
struct FeedPage<'a> {
    page: &'a Page,
    feed: RideFeed,
    lines: Vec<String>,
    /// Against the feed in use: names that are new and names that are gone.
    compared: Option<Compared>,
    query: FareQuery,
    /// What the ride that was asked for costs, by this feed and by the one in use.
    fares: Option<(Option<Money>, Option<Money>)>,
    stops: Vec<String>,
    problem: Option<String>,
}

struct Compared {
    name: String,
    new: Vec<String>,
    gone: Vec<String>,
    new_more: usize,
    gone_more: usize,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FareQuery {
    from: String,
    to: String,
}

impl Compared {
    fn of(name: &str, used: &Network, feed: &Network) -> Self {
        let names = |network: &Network| {
            let lines = network.lines.iter().map(|line| line.name.clone());
            let stops = network.stops.iter().map(|stop| stop.name.clone());
            lines.chain(stops).collect::<BTreeSet<String>>()
        };
        let (before, after) = (names(used), names(feed));
        let cut = |names: BTreeSet<String>| {
            let more = names.len().saturating_sub(NAMED_MAX);
            (names.into_iter().take(NAMED_MAX).collect(), more)
        };
        let (new, new_more) = cut(&after - &before);
        let (gone, gone_more) = cut(&before - &after);
        Self {
            name: name.to_owned(),
            new,
            gone,
            new_more,
            gone_more,
        }
    }
}

async fn feed_page<'a>(
    state: &AppState,
    visit: &'a OfficeVisit,
    id: &str,
    query: FareQuery,
    problem: Option<String>,
) -> PageResult<FeedPage<'a>> {
    let id: FeedId = id.parse().map_err(|_| PageError::NotFound)?;
    let feeds = &state.services.journeys.feeds;
    let provider = visit.office.merchant.id;
    let known = feeds.list(provider).await?;
    let used = known.iter().find(|feed| feed.active).cloned();
    let feed = known
        .into_iter()
        .find(|feed| feed.id == id)
        .ok_or(PageError::NotFound)?;
    let network = feeds.network_of(feed.id).await?.ok_or(PageError::NotFound)?;
    let used = match used.filter(|used| used.id != feed.id) {
        Some(used) => feeds.network_of(used.id).await?.map(|network| (used, network)),
        None => None,
    };
    let asked = !query.from.is_empty() && !query.to.is_empty();
    let fare = |network: &Network| network.fare(&query.from, &query.to).map(|quote| quote.price);
    let stops: BTreeSet<&str> = network.stops.iter().map(|stop| stop.name.as_str()).collect();
    Ok(FeedPage {
        page: &visit.page,
        lines: network.lines.iter().map(|line| line.name.clone()).collect(),
        compared: used.as_ref().map(|(used, old)| Compared::of(&used.name, old, &network)),
        fares: asked.then(|| (fare(&network), used.as_ref().and_then(|(_, old)| fare(old)))),
        stops: stops.into_iter().map(str::to_owned).collect(),
        feed,
        query,
        problem,
    })
}

pub async fn show_feed(
    State(state): State<AppState>,
    visit: OfficeVisit,
    Path(id): Path<String>,
    Query(query): Query<FareQuery>,
) -> PageResult {
    html(&feed_page(&state, &visit, &id, query, None).await?)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FeedForm {
    /// `use` or `delete`.
    #[serde(rename = "do")]
    action: String,
}

pub async fn act(
    State(state): State<AppState>,
    visit: OfficeVisit,
    Path(id): Path<String>,
    Form(form): Form<FeedForm>,
) -> PageResult {
    let feed: FeedId = id.parse().map_err(|_| PageError::NotFound)?;
    let (feeds, provider) = (&state.services.journeys.feeds, visit.office.merchant.id);
    let done = match form.action.as_str() {
        "delete" => feeds.delete(provider, feed).await?.map(|()| "removed"),
        _ => feeds.activate(provider, feed).await?.map(|_| "saved"),
    };
    match done {
        Ok(done) => Ok(Redirect::to(&format!("/gates/setup?done={done}")).into_response()),
        Err(FeedRefusal::InUse) => {
            let problem = Some(visit.page.t("setup-feed-in-use"));
            let page = feed_page(&state, &visit, &id, FareQuery::default(), problem).await?;
            html_with(StatusCode::CONFLICT, &page)
        }
        Err(_) => Err(PageError::NotFound),
    }
}
