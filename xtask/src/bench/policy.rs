//! `cargo xtask bench --policy`: how long one decision takes, with twenty dimensions and its trace, on one core.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use onescan_domain::calendar::{CHINA_2026, LocalTime, WorkCalendar};
use onescan_domain::geo::GeoPoint;
use onescan_domain::money::{Currency, Money};
use onescan_domain::policy::{MemberFacts, Named, Place, Policy, PolicyInput, RideFacts};
use onescan_platforms::expressions::cel;

/// Twenty dimensions, one condition each; all hold, so that nothing is cut short.
const POLICY: &str = "\
amount <= 5000
amount_day <= 20000
amount_month <= 200000
amount_year <= 1000000
count_day <= 8
count_month <= 90
share <= 100
valid in 2026-01-01..2026-12-31
weekday in mon-fri
day_kind in workday
clock in 06:00-23:00
travel_type in metro,bus,taxi
line in M1,M2,M3
start_stop in Harbour,Airport,Old Town
start_area in circle(36.559491 139.899640 2000)
city in Utsunomiya,Haga,Tokyo
distance <= 30000
department in Sales,Engineering
label not in intern
rank in director,manager,clerk
";

/// Two comparisons and a list.
const EXPRESSION: &str = "expression holds amount <= 1500 && city == \"Haga\" && \"driver\" in labels\n";
const EXPRESSION_GOAL: Duration = Duration::from_micros(1);

/// The goal for [`Policy::decide`] with the trace. Issue 4.
const GOAL: Duration = Duration::from_micros(2);
const ROUNDS: usize = 7;
const DECISIONS: u32 = 100_000;

/// Measures both forms of a decision and prints them. Fails when a decision is wrong; a goal that was missed is told.
pub fn bench() -> Result<()> {
    let policy = Policy::parse(POLICY)?;
    ensure!(policy.conditions().len() == 20, "twenty dimensions");
    let calendar = WorkCalendar::parse(CHINA_2026)?;
    let input = ride(&calendar).context("the ride starts on earth")?;
    let decision = policy.decide(&input);
    ensure!(decision.allowed() && policy.allows(&input), "the ride is allowed");
    ensure!(decision.trace.len() == 20, "every dimension is in the trace");
    let traced = median(|| drop(black_box(black_box(&policy).decide(black_box(&input)))));
    let plain = median(|| {
        black_box(black_box(&policy).allows(black_box(&input)));
    });
    let expression = Policy::parse_new(EXPRESSION, cel())?;
    let with = PolicyInput {
        expressions: Some(cel()),
        ..input
    };
    ensure!(expression.allows(&with), "the expression holds");
    let language = median(|| {
        black_box(black_box(&expression).allows(black_box(&with)));
    });
    let verdict = if traced <= GOAL { "met" } else { "MISSED" };
    println!("policy decision, 20 dimensions, with trace: {traced:?} (goal {GOAL:?}: {verdict})");
    println!("policy decision, 20 dimensions, yes or no:  {plain:?}");
    let verdict = if language <= EXPRESSION_GOAL { "met" } else { "MISSED" };
    println!("one expression, compiled before, yes or no: {language:?} (goal about {EXPRESSION_GOAL:?}: {verdict})");
    Ok(())
}

/// The time of one call: the median over rounds of many.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn median(mut call: impl FnMut()) -> Duration {
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..DECISIONS).for_each(|_| call());
            start.elapsed() / DECISIONS
        })
        .collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2]
}

/// Wednesday the 25th of November 2026, 08:15. `None`: the position is not one.
fn ride(calendar: &WorkCalendar) -> Option<PolicyInput<'_>> {
    let local = LocalTime {
        day: 20_782,
        month: 682,
        minute: 8 * 60 + 15,
    };
    let start = Place {
        stop: Named {
            id: "s1",
            name: "Old Town",
        },
        zone: "A",
        city: "Haga",
        point: Some(GeoPoint::new(36_559_000, 139_899_000)?),
    };
    Some(PolicyInput {
        calendar,
        ride: RideFacts {
            travel_type: "taxi",
            fare_minor: Some(1_250),
            line: Named {
                id: "M3",
                name: "Harbour Line",
            },
            start,
            distance_m: Some(7_400),
            ..RideFacts::default()
        },
        member: MemberFacts {
            department: Named {
                id: "dep_1",
                name: "Engineering",
            },
            labels: Some(&["driver"]),
            rank: "clerk",
            ..MemberFacts::default()
        },
        ..PolicyInput::new(Money::new(1_250, Currency::CNY), local)
    })
}
