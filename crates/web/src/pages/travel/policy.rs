//! The policy of one kind of travel: versions, an editor, a dry run, and a replay of the past. Row R06.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use jiff::civil;
use jiff::tz::TimeZone;
use onescan_domain::ids::TravelTypeId;
use onescan_domain::institutions::{Member, MemberState};
use onescan_domain::merchants::Merchant;
use onescan_domain::money::Money;
use onescan_domain::policy::{DIMENSIONS, FACTS, FactRow};
use onescan_domain::rides::application::TravelType;
use onescan_domain::rides::order::{RideDetails, RidePoint};
use onescan_platforms::rides::{Moved, PolicyRefusal, PolicyVersion, Replay, Trial};
use serde::Deserialize;

use super::super::error::{PageError, PageResult};
use super::super::page::Page;
use super::super::{html, html_with};
use super::AdministratorVisit;
use super::rules::{RuleLine, lines};
use crate::AppState;
use crate::i18n::{self, reasons};

#[derive(Template)]
#[template(path = "travel_policy.html")]
struct PolicyPage<'a> {
    page: &'a Page,
    visit: &'a AdministratorVisit,
    kind: TravelType,
    versions: Vec<VersionRow>,
    form: PolicyForm,
    problem: Option<String>,
    verdict: Option<Verdict>,
    replay: Option<Vec<String>>,
    members: Vec<Member>,
    providers: Vec<Merchant>,
    dimensions: Vec<DimensionHelp>,
    /// What an expression can name.
    facts: &'static [FactRow],
}

struct VersionRow {
    version: i64,
    from_at: i64,
    /// `current`, `later` or `past`.
    state: &'static str,
    lines: Vec<RuleLine>,
}

struct Verdict {
    allowed: bool,
    /// Whether it holds, and the sentence.
    trace: Vec<(bool, String)>,
}

struct DimensionHelp {
    name: String,
    example: &'static str,
}

/// The editor with what is tried; kept in the page after each touch.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PolicyForm {
    /// `try`, `replay` or `save`.
    #[serde(rename = "do")]
    action: String,
    rules: String,
    /// Local date and time; empty: at once.
    from: String,
    member: String,
    provider: String,
    amount: String,
    start: String,
    city: String,
    line: String,
    /// Id or name of a stop of the carrier's feed.
    from_stop: String,
    to_stop: String,
    /// Local dates, both included.
    since: String,
    until: String,
}

/// Merchant category codes of carriers, ISO 18245.
const CARRIERS: std::ops::RangeInclusive<u16> = 4000..=4799;
const LISTED: u32 = 200;
const DAY_MS: i64 = 86_400_000;
/// How far a replay looks back unless somebody says otherwise.
const REPLAY_MS: i64 = 90 * DAY_MS;

async fn kind_of(state: &AppState, visit: &AdministratorVisit, id: &str) -> PageResult<TravelType> {
    let id: TravelTypeId = id.parse().map_err(|_| PageError::NotFound)?;
    let found = state.services.rides.type_of(visit.institution.id, id).await?;
    found.ok_or(PageError::NotFound)
}

fn zone(visit: &AdministratorVisit) -> TimeZone {
    i18n::time_zone(&visit.institution.time_zone)
}

fn instant(text: &str, zone: &TimeZone) -> Option<i64> {
    let local: civil::DateTime = text.trim().parse().ok()?;
    Some(local.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond())
}

fn local(at: i64, zone: &TimeZone) -> civil::DateTime {
    let instant = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    instant.to_zoned(zone.clone()).datetime()
}

impl PolicyForm {
    fn fresh(state: &AppState, visit: &AdministratorVisit, rules: String) -> Self {
        let (now, zone) = (state.services.env.now_ms(), zone(visit));
        Self {
            rules,
            start: local(now, &zone).strftime("%Y-%m-%dT%H:%M").to_string(),
            since: local(now - REPLAY_MS, &zone).date().to_string(),
            until: local(now, &zone).date().to_string(),
            ..Self::default()
        }
    }
}

async fn version_rows(state: &AppState, visit: &AdministratorVisit, versions: Vec<PolicyVersion>) -> Vec<VersionRow> {
    let now = state.services.env.now_ms();
    let current = versions
        .iter()
        .find(|version| version.from_at <= now)
        .map(|version| version.version);
    let row = |version: PolicyVersion| VersionRow {
        version: version.version,
        from_at: version.from_at,
        state: match (Some(version.version) == current, version.from_at > now) {
            (true, _) => "current",
            (false, true) => "later",
            (false, false) => "past",
        },
        lines: lines(&visit.page, &version.rules, visit.institution.currency),
    };
    versions.into_iter().map(row).collect()
}

/// What a handler adds to the page.
#[derive(Default)]
struct Told {
    form: Option<PolicyForm>,
    problem: Option<String>,
    verdict: Option<Verdict>,
    replay: Option<Vec<String>>,
}

async fn policy_page<'a>(
    state: &AppState,
    visit: &'a AdministratorVisit,
    kind: TravelType,
    told: Told,
) -> PageResult<PolicyPage<'a>> {
    let services = &state.services;
    let versions = services.rides.policies(kind.id).await?;
    let newest = versions
        .first()
        .map_or_else(String::new, |version| version.rules.clone());
    let mut members = services
        .institutions
        .members(visit.institution.id, None, None, LISTED)
        .await?;
    members.retain(|member| member.state == MemberState::Active);
    let mut providers = services.merchants.list(None, LISTED).await?;
    providers.retain(|merchant| CARRIERS.contains(&merchant.category));
    let help = |row: &onescan_domain::policy::DimensionRow| DimensionHelp {
        name: visit.page.t(&format!("dimension-{}", row.name)),
        example: row.example,
    };
    Ok(PolicyPage {
        page: &visit.page,
        visit,
        kind,
        versions: version_rows(state, visit, versions).await,
        form: told.form.unwrap_or_else(|| PolicyForm::fresh(state, visit, newest)),
        problem: told.problem,
        verdict: told.verdict,
        replay: told.replay,
        members,
        providers,
        dimensions: DIMENSIONS.iter().map(help).collect(),
        facts: FACTS,
    })
}

pub async fn show(
    State(state): State<AppState>,
    visit: AdministratorVisit,
    Path((_, id)): Path<(String, String)>,
) -> PageResult {
    let kind = kind_of(&state, &visit, &id).await?;
    html(&policy_page(&state, &visit, kind, Told::default()).await?)
}

/// Tries, replays or saves what stands in the editor. Trying and replaying write nothing.
pub async fn act(
    State(state): State<AppState>,
    visit: AdministratorVisit,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<PolicyForm>,
) -> PageResult {
    let kind = kind_of(&state, &visit, &id).await?;
    let mut told = Told::default();
    let done = match form.action.as_str() {
        "save" => save(&state, &visit, &kind, &form).await?.map(|()| {
            let address = format!("/travel/{}/types/{}?done=saved", visit.institution.id, kind.id);
            Some(Redirect::to(&address).into_response())
        }),
        "replay" => replay(&state, &visit, &kind, &form).await?.map(|lines| {
            told.replay = Some(lines);
            None
        }),
        _ => try_ride(&state, &visit, &kind, &form).await?.map(|verdict| {
            told.verdict = Some(verdict);
            None
        }),
    };
    told.form = Some(form);
    match done {
        Ok(Some(redirect)) => Ok(redirect),
        Ok(None) => html(&policy_page(&state, &visit, kind, told).await?),
        Err(problem) => {
            told.problem = Some(problem);
            html_with(
                StatusCode::UNPROCESSABLE_ENTITY,
                &policy_page(&state, &visit, kind, told).await?,
            )
        }
    }
}

fn refusal_text(page: &Page, refusal: &PolicyRefusal) -> String {
    match refusal {
        PolicyRefusal::Rules(error) => format!("{}: {error}", page.t("policy-rules")),
        PolicyRefusal::FromAt => page.t("policy-from-wrong"),
        PolicyRefusal::Taken => page.t("policy-taken"),
        PolicyRefusal::UnknownType | PolicyRefusal::OtherTree | PolicyRefusal::Steps => refusal.to_string(),
    }
}

async fn save(
    state: &AppState,
    visit: &AdministratorVisit,
    kind: &TravelType,
    form: &PolicyForm,
) -> PageResult<Result<(), String>> {
    let from_at = match form.from.trim() {
        "" => None,
        text => match instant(text, &zone(visit)) {
            Some(at) => Some(at),
            None => return Ok(Err(visit.page.t("policy-from-wrong"))),
        },
    };
    let rides = &state.services.rides;
    let saved = rides
        .put_policy(visit.institution.id, kind.id, &form.rules, from_at)
        .await?;
    Ok(saved.map(drop).map_err(|refusal| refusal_text(&visit.page, &refusal)))
}

async fn try_ride(
    state: &AppState,
    visit: &AdministratorVisit,
    kind: &TravelType,
    form: &PolicyForm,
) -> PageResult<Result<Verdict, String>> {
    let (page, currency) = (&visit.page, visit.institution.currency);
    let amount = Money::parse_decimal(form.amount.trim(), currency)
        .ok()
        .filter(|money| money.minor > 0);
    let (Some(amount), Some(at)) = (amount, instant(&form.start, &zone(visit))) else {
        return Ok(Err(page.t("policy-try-wrong")));
    };
    let (Ok(person), Ok(provider)) = (form.member.parse(), form.provider.parse()) else {
        return Ok(Err(page.t("policy-try-who")));
    };
    let point = |stop: &str| RidePoint {
        at,
        city: form.city.trim().to_owned(),
        place: stop.trim().to_owned(),
        ..RidePoint::default()
    };
    let trial = Trial {
        person,
        provider,
        amount,
        details: RideDetails {
            start: point(&form.from_stop),
            end: point(&form.to_stop),
            line: form.line.trim().to_owned(),
            ..RideDetails::default()
        },
        rules: Some(form.rules.clone()),
    };
    let decision = match state.services.rides.try_ride(kind, &trial).await? {
        Ok(decision) => decision,
        Err(refusal) => return Ok(Err(refusal_text(page, &refusal))),
    };
    let sentence = |reason| reasons::sentence(page.language, reason, currency);
    let trace = decision
        .trace
        .iter()
        .map(|reason| (reason.satisfied(), sentence(reason)));
    Ok(Ok(Verdict {
        allowed: decision.allowed(),
        trace: trace.collect(),
    }))
}

async fn replay(
    state: &AppState,
    visit: &AdministratorVisit,
    kind: &TravelType,
    form: &PolicyForm,
) -> PageResult<Result<Vec<String>, String>> {
    let zone = zone(visit);
    let midnight = |text: &str| instant(&format!("{}T00:00", text.trim()), &zone);
    let (Some(since), Some(until)) = (midnight(&form.since), midnight(&form.until)) else {
        return Ok(Err(visit.page.t("policy-window-wrong")));
    };
    let rides = &state.services.rides;
    Ok(match rides.replay(kind, &form.rules, since, until + DAY_MS).await? {
        Ok(replay) => Ok(replay_lines(visit, &replay)),
        Err(refusal) => Err(refusal_text(&visit.page, &refusal)),
    })
}

/// "Would have moved 37 rides, 412.50 EUR, to personal payment."
fn replay_lines(visit: &AdministratorVisit, replay: &Replay) -> Vec<String> {
    let page = &visit.page;
    let mut lines = vec![page.counted("replay-seen", &replay.rides)];
    let moved = [
        ("replay-to-personal", replay.to_personal),
        ("replay-to-institution", replay.to_institution),
    ];
    for (key, Moved { rides, minor }) in moved {
        let rides = page.counted("ride-count", &rides);
        let amount = page.minor(&minor, &visit.institution.currency);
        lines.push(
            page.language
                .text_with(key, &[("rides", rides.as_str()), ("amount", amount.as_str())]),
        );
    }
    if replay.cut {
        lines.push(page.t("replay-cut"));
    }
    lines
}
