//! Travel policies in versions, tried and replayed; where the money comes from. Rows R06, R07.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::calendar::WorkCalendar;
use onescan_domain::money::Money;
use onescan_domain::rides::application::TravelType;
use onescan_domain::rides::order::{RideDetails, RidePoint};
use onescan_platforms::rides::{FundingSource, FundingStep, Moved, PolicyRefusal, PolicyVersion, Replay, Trial};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AppState;
use crate::api::endpoint::{Caller, Endpoint, get, post, put};
use crate::api::extract::{Json, Path};
use crate::api::wire::{Amount, Id, InstitutionRef, ListOf, MerchantRef, Moment, PersonRef, Sum, TravelTypeRef, Wrong};
use crate::auth::AsAdministrator;
use crate::problem::{Code, Problem, ProblemReason, of_policy};

pub fn endpoints() -> Vec<Endpoint> {
    const POLICIES: &str = "/v1/institutions/{institution}/travel-types/{travel_type}/policies";
    vec![
        post(POLICIES, put_policy)
            .says(
                "addTravelPolicy",
                "Give a travel type new rules, from now on or from a later instant",
            )
            .about("A version is never changed. A ride is judged by the version in force when it starts.")
            .caller(Caller::Administrator)
            .takes::<NewPolicy>()
            .answers::<PolicyView>(StatusCode::CREATED, "The version")
            .refuses(&[Code::InvalidFields, Code::Taken]),
        get(POLICIES, policies)
            .says("listTravelPolicies", "Versions, those that begin later too")
            .caller(Caller::Administrator)
            .answers::<ListOf<PolicyView>>(StatusCode::OK, "The newest version first"),
        post(
            "/v1/institutions/{institution}/travel-types/{travel_type}/trials",
            try_ride,
        )
        .says("tryRide", "Would this ride be paid?")
        .about("Writes nothing. Counters count as they stand now.")
        .caller(Caller::Administrator)
        .takes::<NewTrial>()
        .answers::<DecisionView>(StatusCode::OK, "The verdict with every dimension")
        .refuses(&[Code::InvalidFields]),
        post(
            "/v1/institutions/{institution}/travel-types/{travel_type}/replays",
            replay,
        )
        .says("replayRides", "What would other rules have done to past rides?")
        .about("Rides that started within the window, in the order they were paid; counters begin at nothing.")
        .caller(Caller::Administrator)
        .takes::<NewReplay>()
        .answers::<ReplayView>(StatusCode::OK, "How many rides would have moved, and how much")
        .refuses(&[Code::InvalidFields]),
        get("/v1/institutions/{institution}/work-calendar", calendar)
            .says("getWorkCalendar", "Days off and make-up workdays")
            .about("The institution's own, or those of the nearest one above it that entered any.")
            .caller(Caller::Administrator)
            .answers::<CalendarBody>(StatusCode::OK, "In the order of their dates"),
        put("/v1/institutions/{institution}/work-calendar", put_calendar)
            .says("replaceWorkCalendar", "Set days off and make-up workdays")
            .about("Institutions below that enter none of their own follow. A ride is judged by the days as they stand when it is paid.")
            .caller(Caller::Administrator)
            .takes::<CalendarBody>()
            .answers::<CalendarBody>(StatusCode::OK, "As it is now")
            .refuses(&[Code::InvalidFields]),
        get("/v1/institutions/{institution}/ride-funding", funding)
            .says("getRideFunding", "Where the money for rides comes from")
            .caller(Caller::Administrator)
            .answers::<FundingBody>(StatusCode::OK, "In the order in which the accounts are tried"),
        put("/v1/institutions/{institution}/ride-funding", put_funding)
            .says("replaceRideFunding", "Set where the money for rides comes from")
            .about("Institutions below that set nothing of their own follow.")
            .caller(Caller::Administrator)
            .takes::<FundingBody>()
            .answers::<FundingBody>(StatusCode::OK, "As it is now")
            .refuses(&[Code::InvalidFields]),
    ]
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"rules": ["amount <= 5000", "weekday in mon-fri", "count_day <= 4"]}))]
struct NewPolicy {
    /// All must hold; `dimension operator value`. Empty: everything is paid.
    #[schema(max_items = 100)]
    rules: Vec<String>,
    /// Absent: at once.
    from_at: Option<Moment>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "TravelPolicy")]
struct PolicyView {
    travel_type: TravelTypeRef,
    version: i64,
    rules: Vec<String>,
    from_at: Moment,
    created_at: Moment,
}

impl From<PolicyVersion> for PolicyView {
    fn from(policy: PolicyVersion) -> Self {
        Self {
            travel_type: Id(policy.travel_type),
            version: policy.version,
            rules: policy.rules.lines().map(str::to_owned).collect(),
            from_at: Moment(policy.from_at),
            created_at: Moment(policy.created_at),
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTrial {
    person: PersonRef,
    provider: MerchantRef,
    amount: Amount,
    /// Now when absent.
    start_at: Option<Moment>,
    #[schema(max_length = 64)]
    city: Option<String>,
    #[schema(max_length = 64)]
    end_city: Option<String>,
    /// Id or name of a stop; zone, position and distance come from the provider's feed.
    #[schema(max_length = 100)]
    start_stop: Option<String>,
    #[schema(max_length = 100)]
    end_stop: Option<String>,
    #[schema(max_length = 64)]
    line: Option<String>,
    #[schema(minimum = 0)]
    distance_m: Option<i64>,
    #[schema(minimum = 0, maximum = 100)]
    companions: Option<i64>,
    /// Rules that are not in force yet; absent: those in force then.
    rules: Option<Vec<String>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RideDecision")]
struct DecisionView {
    /// Whether the rules let the institution pay.
    allowed: bool,
    /// Every dimension: what was seen, what is allowed, and whether it holds.
    trace: Vec<TraceView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RideTrace")]
struct TraceView {
    holds: bool,
    #[serde(flatten)]
    reason: ProblemReason,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewReplay {
    #[schema(max_items = 100)]
    rules: Vec<String>,
    from: Moment,
    /// Not included.
    until: Moment,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RideReplay")]
struct ReplayView {
    /// Rides that rules had decided.
    rides: i64,
    /// The institution paid and would not have.
    to_personal: MovedView,
    /// A rule failed and would not have.
    to_institution: MovedView,
    /// Whether older rides were left out because there are too many.
    cut: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "MovedRides")]
struct MovedView {
    rides: i64,
    amount: Sum,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "RideFunding", example = json!({"steps": [{"source": "member"}, {"source": "institution", "cap_minor": 5000}]}))]
struct FundingBody {
    /// 1 to 20; the first that can pay is taken.
    #[schema(min_items = 1, max_items = 20)]
    steps: Vec<FundingStepBody>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "FundingStep")]
struct FundingStepBody {
    source: FundingSourceName,
    /// With `other`: an institution of the same tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    institution: Option<InstitutionRef>,
    /// What it pays at most of one ride, in minor units; the rest falls to the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    cap_minor: Option<i64>,
}

/// `member`: the member's dedicated account. `institution`: that of the member's institution. `other`: a named one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FundingSourceName {
    Member,
    Institution,
    Other,
}

impl FundingBody {
    fn of(steps: &[FundingStep]) -> Self {
        let steps = steps.iter().map(|step| {
            let (source, institution) = match step.source {
                FundingSource::Member => (FundingSourceName::Member, None),
                FundingSource::Institution => (FundingSourceName::Institution, None),
                FundingSource::Of(id) => (FundingSourceName::Other, Some(Id(id))),
            };
            FundingStepBody {
                source,
                institution,
                cap_minor: step.cap_minor,
            }
        });
        Self { steps: steps.collect() }
    }

    fn read(self) -> Result<Vec<FundingStep>, Problem> {
        let step = |(index, step): (usize, FundingStepBody)| {
            let source = match (step.source, step.institution) {
                (FundingSourceName::Member, None) => FundingSource::Member,
                (FundingSourceName::Institution, None) => FundingSource::Institution,
                (FundingSourceName::Other, Some(Id(id))) => FundingSource::Of(id),
                (_, _) => {
                    let field = format!("steps[{index}].institution");
                    return Err(Problem::invalid(field, "goes with the source other, and only with it"));
                }
            };
            let cap_minor = step.cap_minor;
            Ok(FundingStep { source, cap_minor })
        };
        self.steps.into_iter().enumerate().map(step).collect()
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "WorkCalendar", example = json!({"days": ["2026-10-01..2026-10-07,holiday,National Day", "2026-10-10,workday,National Day"]}))]
struct CalendarBody {
    /// `date,kind,name` or `date..date,kind,name`; kind: `holiday`, `workday` or `weekend`. At most 3,660 days.
    #[schema(max_items = 3660)]
    days: Vec<String>,
}

impl CalendarBody {
    fn of(calendar: &WorkCalendar) -> Self {
        Self {
            days: calendar.to_string().lines().map(str::to_owned).collect(),
        }
    }
}

async fn calendar(
    administrator: AsAdministrator,
    State(state): State<AppState>,
) -> Result<Json<CalendarBody>, Problem> {
    let calendar = state.services.rides.calendar(administrator.id()).await?;
    Ok(Json(CalendarBody::of(&calendar)))
}

async fn put_calendar(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Json(body): Json<CalendarBody>,
) -> Result<Json<CalendarBody>, Problem> {
    let days = body.days.join("\n");
    let kept = state.services.rides.put_calendar(administrator.id(), &days).await?;
    let kept = kept.map_err(|error| Problem::invalid("days", &error))?;
    Ok(Json(CalendarBody::of(&kept)))
}

impl From<PolicyRefusal> for Problem {
    fn from(refusal: PolicyRefusal) -> Self {
        match &refusal {
            PolicyRefusal::UnknownType => Self::not_found("travel type"),
            PolicyRefusal::Rules(error) => Self::invalid_all(vec![of_policy(error)]),
            PolicyRefusal::FromAt => Self::invalid("from_at", &refusal),
            PolicyRefusal::Taken => Self::new(Code::Taken, refusal.to_string()),
            PolicyRefusal::OtherTree | PolicyRefusal::Steps => Self::invalid("steps", &refusal),
        }
    }
}

async fn kind(
    state: &AppState,
    administrator: &AsAdministrator,
    id: onescan_domain::ids::TravelTypeId,
) -> Result<TravelType, Problem> {
    let found = state.services.rides.type_of(administrator.id(), id).await?;
    found.ok_or_else(|| Problem::not_found("travel type"))
}

async fn put_policy(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, TravelTypeRef)>,
    Json(body): Json<NewPolicy>,
) -> Result<(StatusCode, Json<PolicyView>), Problem> {
    let rules = rules(&body.rules)?;
    let from_at = body.from_at.map(|at| at.0);
    let made = state
        .services
        .rides
        .put_policy(administrator.id(), id, &rules, from_at)
        .await??;
    Ok((StatusCode::CREATED, Json(made.into())))
}

fn rules(lines: &[String]) -> Result<String, Problem> {
    match lines.len() {
        0..=100 => Ok(lines.join("\n")),
        _ => Err(Problem::invalid("rules", "at most 100")),
    }
}

async fn policies(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, TravelTypeRef)>,
) -> Result<Json<ListOf<PolicyView>>, Problem> {
    let kind = kind(&state, &administrator, id).await?;
    let versions = state.services.rides.policies(kind.id).await?;
    Ok(Json(ListOf::whole(
        versions.into_iter().map(PolicyView::from).collect(),
    )))
}

async fn try_ride(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, TravelTypeRef)>,
    Json(body): Json<NewTrial>,
) -> Result<Json<DecisionView>, Problem> {
    let kind = kind(&state, &administrator, id).await?;
    let mut wrong = Wrong::default();
    let amount = wrong.positive("amount", body.amount);
    let at = body.start_at.map_or_else(|| state.services.env.now_ms(), |at| at.0);
    let mut line = |field: &'static str, text: &Option<String>, max: usize| {
        let line = wrong.optional_line(field, text.as_deref(), max);
        line.unwrap_or_default()
    };
    let start = RidePoint {
        at,
        city: line("city", &body.city, 64),
        place: line("start_stop", &body.start_stop, 100),
        ..RidePoint::default()
    };
    let end = RidePoint {
        at,
        city: line("end_city", &body.end_city, 64),
        place: line("end_stop", &body.end_stop, 100),
        ..RidePoint::default()
    };
    let line = line("line", &body.line, 64);
    if body.distance_m.is_some_and(|distance| distance < 0) {
        wrong.add("distance_m", "must be at least 0");
    }
    if body.companions.is_some_and(|others| !(0..=100).contains(&others)) {
        wrong.add("companions", "use 0 to 100");
    }
    wrong.finish()?;
    let trial = Trial {
        person: body.person.0,
        provider: body.provider.0,
        amount,
        details: RideDetails {
            start,
            end,
            line,
            distance_m: body.distance_m,
            companions: body.companions,
        },
        rules: body.rules.as_deref().map(rules).transpose()?,
    };
    let decision = state.services.rides.try_ride(&kind, &trial).await??;
    let trace = decision.trace.iter().map(|reason| TraceView {
        holds: reason.satisfied(),
        reason: ProblemReason::from(reason),
    });
    Ok(Json(DecisionView {
        allowed: decision.allowed(),
        trace: trace.collect(),
    }))
}

async fn replay(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, TravelTypeRef)>,
    Json(body): Json<NewReplay>,
) -> Result<Json<ReplayView>, Problem> {
    let kind = kind(&state, &administrator, id).await?;
    let rules = rules(&body.rules)?;
    let replay = state
        .services
        .rides
        .replay(&kind, &rules, body.from.0, body.until.0)
        .await??;
    let Replay {
        rides,
        to_personal,
        to_institution,
        cut,
    } = replay;
    let currency = administrator.institution().currency;
    let view = |moved: Moved| MovedView {
        rides: moved.rides,
        amount: Money::new(moved.minor, currency).into(),
    };
    Ok(Json(ReplayView {
        rides,
        to_personal: view(to_personal),
        to_institution: view(to_institution),
        cut,
    }))
}

async fn funding(administrator: AsAdministrator, State(state): State<AppState>) -> Result<Json<FundingBody>, Problem> {
    let steps = state.services.rides.funding(administrator.institution()).await?;
    Ok(Json(FundingBody::of(&steps)))
}

async fn put_funding(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Json(body): Json<FundingBody>,
) -> Result<Json<FundingBody>, Problem> {
    let steps = body.read()?;
    let kept = state.services.rides.put_funding(administrator.id(), steps).await??;
    Ok(Json(FundingBody::of(&kept)))
}
