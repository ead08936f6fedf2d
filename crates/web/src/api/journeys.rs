//! From taps to orders, for ride providers: feeds, set-up, rides as the taps tell them; for people what is under way; for
//! whoever writes policies the stops and lines there are. Rows R04, R06.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use onescan_domain::ids::{MerchantId, TapId};
use onescan_domain::rides::matching::{Journey, RideEnd};
use onescan_domain::rides::tap::ClockFault;
use onescan_domain::transit::FeedError;
use onescan_platforms::journeys::{
    FeedRefusal, PlaceKind, RideFeed, RideSetup, SetupRefusal, TapRide, TapRideProblem, TapRideState, TransitPlace,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::endpoint::{Caller, Endpoint, delete, get, post, put};
use super::extract::{ARCHIVE_MAX, Archive, Json, Path, Query};
use super::wire::{
    Amount, ConsultationRef, FeedRef, Id, ListOf, MerchantRef, Moment, PageQuery, PersonRef, RideRef, TapRef,
    TerminalRef, Wrong,
};
use crate::AppState;
use crate::auth::{AsMerchant, AsMerchantReader, AsPerson};
use crate::problem::{Code, Problem, ProblemReason};

const PLACES_MAX: usize = 50;
const MINUTE_MS: i64 = 60_000;

pub fn endpoints() -> Vec<Endpoint> {
    let mut import = post("/v1/merchants/{merchant}/ride-feeds", import)
        .says("importRideFeed", "Hand over a transit feed (GTFS)")
        .about(
            "A zip archive of at most 32 MiB. All of it can be read, or nothing is kept and the refusal names every fault with file, \
             line and column. The first feed is put into use; the same files again answer the feed that is there.",
        )
        .caller(Caller::Merchant)
        .query::<NameQuery>()
        .takes_file()
        .answers::<FeedView>(StatusCode::CREATED, "The feed")
        .refuses(&[Code::InvalidFields]);
    import.handler = import.handler.layer(DefaultBodyLimit::max(ARCHIVE_MAX));
    let all = vec![
        import,
        get("/v1/merchants/{merchant}/ride-feeds", feeds)
            .says("listRideFeeds", "Transit feeds")
            .caller(Caller::MerchantReader)
            .answers::<ListOf<FeedView>>(StatusCode::OK, "The newest first"),
        post("/v1/merchants/{merchant}/ride-feeds/{feed}/activation", activate)
            .says("activateRideFeed", "Put a feed into use")
            .about("Fares and places of rides come from it from now on; rides without a fare are priced again.")
            .caller(Caller::Merchant)
            .answers::<FeedView>(StatusCode::OK, "In use"),
        delete("/v1/merchants/{merchant}/ride-feeds/{feed}", remove)
            .says("deleteRideFeed", "Delete a feed that is not in use")
            .caller(Caller::Merchant)
            .answers_empty("Gone; rides keep their fares")
            .refuses(&[Code::WrongState]),
        get("/v1/merchants/{merchant}/ride-setup", setup)
            .says("getRideSetup", "How taps are read and priced")
            .caller(Caller::MerchantReader)
            .answers::<SetupBody>(StatusCode::OK, "As set up, else the usual"),
        put("/v1/merchants/{merchant}/ride-setup", put_setup)
            .says("putRideSetup", "Set up how taps are read and priced")
            .about("Holds for rides that are priced from now on; rides without a fare are priced again.")
            .caller(Caller::Merchant)
            .takes::<SetupBody>()
            .answers::<SetupBody>(StatusCode::OK, "As set up")
            .refuses(&[Code::InvalidFields]),
        get("/v1/merchants/{merchant}/tap-rides", rides)
            .says("listTapRides", "Rides as the gates' taps tell them, with their orders")
            .about(
                "Newest first. Open and waiting ones have no order yet; `problem` says what stands in the way of one.",
            )
            .caller(Caller::MerchantReader)
            .query::<StateQuery>()
            .answers::<ListOf<TapRideView>>(StatusCode::OK, "A page"),
        get("/v1/people/me/rides-under-way", under_way)
            .says("listMyRidesUnderWay", "Rides of yours that are not billed yet")
            .caller(Caller::Person)
            .answers::<ListOf<TapRideView>>(StatusCode::OK, "The newest first"),
        get("/v1/transit-places", places)
            .says("listTransitPlaces", "Stops and lines that policies can name")
            .about("Of all feeds in use whose id or name begins with `search`; at most 50.")
            .caller(Caller::Person)
            .query::<SearchQuery>()
            .answers::<ListOf<PlaceView>>(StatusCode::OK, "Lines before stops, per provider"),
    ];
    all.into_iter().map(|endpoint| endpoint.tag("rides")).collect()
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct NameQuery {
    /// What you call it, 1 to 100 characters; `feed` when absent.
    #[param(max_length = 100)]
    name: Option<String>,
}

/// A transit feed of the provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RideFeed")]
struct FeedView {
    id: FeedRef,
    name: String,
    stops: i64,
    lines: i64,
    trips: i64,
    fares: i64,
    /// Fares and places come from it.
    active: bool,
    created_at: Moment,
}

impl From<RideFeed> for FeedView {
    fn from(feed: RideFeed) -> Self {
        Self {
            id: Id(feed.id),
            name: feed.name,
            stops: feed.stops,
            lines: feed.lines,
            trips: feed.trips,
            fares: feed.fares,
            active: feed.active,
            created_at: Moment(feed.created_at),
        }
    }
}

impl From<FeedRefusal> for Problem {
    fn from(refusal: FeedRefusal) -> Self {
        match &refusal {
            FeedRefusal::Name(error) => Self::invalid("name", error),
            FeedRefusal::Archive | FeedRefusal::TooLarge { .. } | FeedRefusal::Text { .. } => {
                Self::invalid("body", &refusal)
            }
            FeedRefusal::Feed(faults) => Self::invalid_all(faults.all.iter().map(of_fault).collect()),
            FeedRefusal::Unknown => Self::not_found("feed"),
            FeedRefusal::InUse => Self::new(Code::WrongState, refusal.to_string()),
        }
    }
}

/// `stops.txt[3].stop_lat`: file, line and column.
fn of_fault(fault: &FeedError) -> ProblemReason {
    let (file, line, column) = fault.place();
    let line = line.map_or_else(String::new, |line| format!("[{line}]"));
    let column = column.map_or_else(String::new, |column| format!(".{column}"));
    ProblemReason::field(format!("{file}{line}{column}"), fault)
}

async fn import(
    provider: AsMerchant,
    State(state): State<AppState>,
    Query(query): Query<NameQuery>,
    Archive(bytes): Archive,
) -> Result<(StatusCode, Json<FeedView>), Problem> {
    let name = query.name.as_deref().unwrap_or("feed");
    let feeds = &state.services.journeys.feeds;
    let feed = feeds.import(provider.id, name, bytes.to_vec()).await??;
    Ok((StatusCode::CREATED, Json(feed.into())))
}

async fn feeds(provider: AsMerchantReader, State(state): State<AppState>) -> Result<Json<ListOf<FeedView>>, Problem> {
    let feeds = state.services.journeys.feeds.list(provider.id).await?;
    Ok(Json(ListOf::whole(feeds.into_iter().map(FeedView::from).collect())))
}

async fn activate(
    provider: AsMerchant,
    State(state): State<AppState>,
    Path((_, Id(feed))): Path<(MerchantRef, FeedRef)>,
) -> Result<Json<FeedView>, Problem> {
    let feed = state.services.journeys.feeds.activate(provider.id, feed).await??;
    Ok(Json(feed.into()))
}

async fn remove(
    provider: AsMerchant,
    State(state): State<AppState>,
    Path((_, Id(feed))): Path<(MerchantRef, FeedRef)>,
) -> Result<StatusCode, Problem> {
    state.services.journeys.feeds.delete(provider.id, feed).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// How a provider's taps are read and priced.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "RideSetup")]
struct SetupBody {
    /// Code of the travel type that forms must have.
    #[schema(example = "metro", min_length = 1, max_length = 40)]
    travel_type: String,
    /// Of every ride.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    city: Option<String>,
    /// Of one tap, before the feed's; also of a ride that the feed has no fare for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    single_fare: Option<Amount>,
    /// Of an incomplete journey, before the feed's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maximum_fare: Option<Amount>,
    /// A journey that is open for longer has lost its exit.
    #[schema(minimum = 1, maximum = 1440)]
    journey_max_minutes: i64,
    /// An incomplete journey waits this long for its missing tap before it is billed.
    #[schema(minimum = 0, maximum = 10080)]
    late_minutes: i64,
}

impl From<RideSetup> for SetupBody {
    fn from(setup: RideSetup) -> Self {
        Self {
            travel_type: setup.travel_type,
            city: Some(setup.city).filter(|city| !city.is_empty()),
            single_fare: setup.single_fare.map(Amount::from),
            maximum_fare: setup.maximum_fare.map(Amount::from),
            journey_max_minutes: setup.journey_max_ms / MINUTE_MS,
            late_minutes: setup.late_ms / MINUTE_MS,
        }
    }
}

impl SetupBody {
    fn read(self, provider: MerchantId) -> Result<RideSetup, Problem> {
        let mut wrong = Wrong::default();
        let travel_type = wrong.line("travel_type", &self.travel_type, 40);
        let city = wrong.optional_line("city", self.city.as_deref(), 64);
        let single_fare = self.single_fare.map(|fare| wrong.positive("single_fare", fare));
        let maximum_fare = self.maximum_fare.map(|fare| wrong.positive("maximum_fare", fare));
        wrong.finish()?;
        Ok(RideSetup {
            travel_type,
            city: city.unwrap_or_default(),
            single_fare,
            maximum_fare,
            journey_max_ms: self.journey_max_minutes.saturating_mul(MINUTE_MS),
            late_ms: self.late_minutes.saturating_mul(MINUTE_MS),
            ..RideSetup::of(provider)
        })
    }
}

impl From<SetupRefusal> for Problem {
    fn from(refusal: SetupRefusal) -> Self {
        match &refusal {
            SetupRefusal::Text { field, error } => Self::invalid(*field, error),
            SetupRefusal::Fare { field } => Self::invalid(*field, "at least 1 minor unit"),
            SetupRefusal::Minutes { field, min, max } => Self::invalid(*field, format!("use {min} to {max}")),
        }
    }
}

async fn setup(provider: AsMerchantReader, State(state): State<AppState>) -> Result<Json<SetupBody>, Problem> {
    let setup = state.services.journeys.setup(provider.id).await?;
    Ok(Json(setup.into()))
}

async fn put_setup(
    provider: AsMerchant,
    State(state): State<AppState>,
    Json(body): Json<SetupBody>,
) -> Result<Json<SetupBody>, Problem> {
    let setup = body.read(provider.id)?;
    let setup = state.services.journeys.put_setup(setup).await??;
    Ok(Json(setup.into()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StateQuery {
    /// Only those: `open`, `waiting`, `due`, `ordered`, `free`, `unpriced`, `withdrawing` or `withdrawn`.
    #[param(example = "open")]
    state: Option<String>,
    /// The last id of the page before, as `next` told it.
    #[param(pattern = "^tap_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    after: Option<String>,
    /// How many at most; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// One end of a ride, as a gate saw it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "TapRideEnd")]
struct EndView {
    tap: TapRef,
    gate: TerminalRef,
    station: String,
    at: Moment,
    /// `ahead` or `back`: the gate's clock was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    clock_fault: Option<&'static str>,
}

impl From<RideEnd> for EndView {
    fn from(end: RideEnd) -> Self {
        Self {
            tap: Id(end.tap),
            gate: Id(end.gate),
            station: end.station,
            at: Moment(end.at),
            clock_fault: end.clock_fault.map(ClockFault::name),
        }
    }
}

/// A ride as its taps tell it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "TapRide")]
struct TapRideView {
    /// The tap it begins with as far as is known.
    id: TapRef,
    provider: MerchantRef,
    person: PersonRef,
    /// `open`, `complete`, `single`, `no_exit` or `no_entry`.
    #[schema(value_type = String, example = "complete")]
    journey: &'static str,
    /// `open`, `waiting` for a late tap, `due`, `ordered`, `free`, `unpriced`, `withdrawing` or `withdrawn`.
    #[schema(value_type = String, example = "ordered")]
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<EndView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<EndView>,
    /// Taps that only repeat another.
    repeats: Vec<TapRef>,
    /// One code was seen at two gates: somebody may have copied it.
    code_seen_twice: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fare: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<String>,
    /// The order's number; it stays when more taps come.
    number: String,
    /// The ride order.
    #[serde(skip_serializing_if = "Option::is_none")]
    ride: Option<RideRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consultation: Option<ConsultationRef>,
    /// The ride that its taps belong to now.
    #[serde(skip_serializing_if = "Option::is_none")]
    into: Option<TapRef>,
    /// `no-fare`, `unknown-person`, `underpaid` or `owed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    problem: Option<&'static str>,
    changed_at: Moment,
}

pub fn journey_name(journey: Journey) -> &'static str {
    match journey {
        Journey::Open => "open",
        Journey::Complete => "complete",
        Journey::Single => "single",
        Journey::NoExit => "no_exit",
        Journey::NoEntry => "no_entry",
    }
}

impl From<TapRide> for TapRideView {
    fn from(ride: TapRide) -> Self {
        let number = ride.order_number();
        Self {
            id: Id(ride.ride.key),
            provider: Id(ride.ride.provider),
            person: Id(ride.person),
            journey: journey_name(ride.ride.journey),
            state: ride.state.name(),
            start: ride.ride.start.map(EndView::from),
            end: ride.ride.end.map(EndView::from),
            repeats: ride.ride.repeats.into_iter().map(Id).collect(),
            code_seen_twice: ride.ride.code_seen_twice,
            fare: ride.fare.map(Amount::from),
            line: Some(ride.line).filter(|line| !line.is_empty()),
            number,
            ride: ride.order.map(Id),
            consultation: ride.consultation.map(Id),
            into: ride.into.map(Id),
            problem: ride.problem.map(TapRideProblem::name),
            changed_at: Moment(ride.changed_at),
        }
    }
}

async fn rides(
    provider: AsMerchantReader,
    State(state): State<AppState>,
    Query(query): Query<StateQuery>,
) -> Result<Json<ListOf<TapRideView>>, Problem> {
    let wanted = query.state.as_deref().map(TapRideState::parse);
    if wanted == Some(None) {
        let names = TapRideState::ALL.map(TapRideState::name).join(", ");
        return Err(Problem::invalid("state", format!("use one of {names}")));
    }
    let page = PageQuery {
        after: query.after,
        limit: query.limit,
    };
    let page = page.page::<TapId>()?;
    let journeys = &state.services.journeys;
    let rides = journeys.rides_of_provider(provider.id, wanted.flatten(), &page).await?;
    let items = rides.into_iter().map(TapRideView::from).collect();
    Ok(Json(ListOf::page(items, page.limit, |ride: &TapRideView| {
        ride.id.0.to_string()
    })))
}

async fn under_way(person: AsPerson, State(state): State<AppState>) -> Result<Json<ListOf<TapRideView>>, Problem> {
    let rides = state.services.journeys.under_way(person.person).await?;
    Ok(Json(ListOf::whole(rides.into_iter().map(TapRideView::from).collect())))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// The beginning of an id or a name.
    #[param(max_length = 64)]
    search: Option<String>,
}

/// A stop or a line.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "TransitPlace")]
struct PlaceView {
    provider: MerchantRef,
    /// `stop` or `line`.
    #[schema(value_type = String, example = "stop")]
    kind: &'static str,
    id: String,
    name: String,
}

impl From<TransitPlace> for PlaceView {
    fn from(place: TransitPlace) -> Self {
        Self {
            provider: Id(place.provider),
            kind: match place.kind {
                PlaceKind::Stop => "stop",
                PlaceKind::Line => "line",
            },
            id: place.id,
            name: place.name,
        }
    }
}

async fn places(
    _: AsPerson,
    State(state): State<AppState>,
    Query(query): Query<SearchQuery>,
) -> Result<Json<ListOf<PlaceView>>, Problem> {
    let search = query.search.unwrap_or_default();
    let places = state.services.journeys.feeds.places(&search, PLACES_MAX).await?;
    Ok(Json(ListOf::whole(places.into_iter().map(PlaceView::from).collect())))
}
