use super::*;
use crate::calendar::{CHINA_2026, Date, LocalTime, WorkCalendar};
use crate::geo::GeoPoint;
use crate::money::{Currency, Money};

fn local(date: &str, minute: u16) -> LocalTime {
    let day = Date::parse(date).unwrap().days();
    LocalTime {
        day,
        month: 682,
        minute,
    }
}

/// Friday the 9th of October 2026, 23:30; the ride ends at 00:10.
fn input() -> PolicyInput<'static> {
    PolicyInput {
        used: Usage {
            day_minor: 4_000,
            day_count: 2,
            week_minor: 9_000,
            week_count: 5,
            month_minor: 40_000,
            month_count: 9,
            quarter_minor: 41_000,
            quarter_count: 10,
            year_minor: 90_000,
            year_count: 30,
        },
        category: Some(5812),
        merchant: "mer_1",
        city: "Utsunomiya",
        ride: RideFacts {
            travel_type: "metro",
            fare_minor: Some(3_600),
            ended: Some(local("2026-10-10", 10)),
            line: Named {
                id: "L1",
                name: "Harbour Line",
            },
            operator: Named::word("prv_1"),
            start: Place {
                stop: Named {
                    id: "7_01",
                    name: "Harbour",
                },
                zone: "A",
                city: "Haga",
                point: GeoPoint::parse("36.5594", "139.8996"),
            },
            end: Place::default(),
            distance_m: Some(7_400),
            companions: Some(2),
            decision: "approve",
        },
        member: MemberFacts {
            member: Named {
                id: "mem_1",
                name: "E-7",
            },
            department: Named {
                id: "dep_1",
                name: "Sales",
            },
            labels: Some(&["driver", "intern"]),
            rank: "manager",
        },
        ..PolicyInput::new(Money::new(3_000, Currency::EUR), local("2026-10-09", 23 * 60 + 30))
    }
}

fn line(reason: &Reason) -> String {
    let dimension = reason.dimension();
    let seen = reason.seen.as_ref().map_or("?".to_owned(), |seen| seen.text(dimension));
    let left = reason.left.map(|left| format!(", left {left}")).unwrap_or_default();
    let not = if reason.negated { "not " } else { "" };
    let excused = if reason.excused { ", excused" } else { "" };
    format!(
        "{not}{seen} {} {}: {}{excused}{left}",
        reason.operator().sign(),
        reason.condition.allowed().text(dimension),
        reason.verdict.name()
    )
}

fn decide(text: &str, input: &PolicyInput<'_>) -> Decision {
    let policy = Policy::parse(text).unwrap();
    let decision = policy.decide(input);
    assert_eq!(policy.allows(input), decision.allowed(), "{text}");
    assert_eq!(decision.failed().next().is_none(), decision.allowed(), "{text}");
    decision
}

/// Policy text in, the first line of the trace out.
fn check(policy: &str, expected: &str) {
    assert_eq!(line(&decide(policy, &input()).trace[0]), expected, "{policy}");
}

#[test]
fn every_dimension_says_what_it_saw() {
    check("amount <= 3000", "3000 <= 3000: holds, left 3000");
    check("amount <= 2999", "3000 <= 2999: fails, left 2999");
    check("amount >= 5000", "3000 >= 5000: fails");
    check("amount_day <= 6000", "7000 <= 6000: fails, left 2000");
    check("amount_week <= 12000", "12000 <= 12000: holds, left 3000");
    check("amount_month <= 50000", "43000 <= 50000: holds, left 10000");
    check("amount_quarter <= 43999", "44000 <= 43999: fails, left 2999");
    check("amount_year <= 93000", "93000 <= 93000: holds, left 3000");
    check("share <= 83", "84 <= 83: fails");
    check("share <= 84", "84 <= 84: holds");
    check("count_day <= 2", "3 <= 2: fails, left 0");
    check("count_week <= 6", "6 <= 6: holds, left 1");
    check("count_month <= 10", "10 <= 10: holds, left 1");
    check("count_quarter <= 10", "11 <= 10: fails, left 0");
    check("count_year <= 40", "31 <= 40: holds, left 10");
    check("valid in 2026-10-01..", "2026-10-09 in 2026-10-01..: holds");
    check(
        "valid in 2026-01-01..2026-10-08",
        "2026-10-09 in 2026-01-01..2026-10-08: fails",
    );
    check("weekday in mon-fri", "fri in mon-fri: holds");
    check("weekday not in fri,sat", "fri not in fri,sat: fails");
    check("day_kind in workday", "workday in workday: holds");
    check("clock in 22:00-02:00", "23:30 in 22:00-02:00: holds");
    check("clock in 06:00-22:00", "23:30 in 06:00-22:00: fails");
    check("clock_end in 22:00-00:09", "00:10 in 22:00-00:09: fails");
    check("travel_type in bus,METRO", "metro in bus,METRO: holds");
    check("line in l1", "Harbour Line in l1: holds");
    check("line not in Harbour Line", "Harbour Line not in Harbour Line: fails");
    check("operator in prv_1", "prv_1 in prv_1: holds");
    check("start_stop in harbour", "Harbour in harbour: holds");
    check("end_stop in Harbour", "? in Harbour: unknown");
    check("end_stop not in Harbour", "? not in Harbour: unknown");
    check("start_zone in A,B", "A in A,B: holds");
    check("end_zone in A", "? in A: unknown");
    check(
        "start_area in circle(36.559491 139.899640 800)",
        "36.559400 139.899600 in circle(36.559491 139.899640 800): holds",
    );
    check(
        "end_area not in circle(0 0 1)",
        "? not in circle(0.000000 0.000000 1): unknown",
    );
    check("city in utsunomiya,Tokyo", "Utsunomiya in utsunomiya,Tokyo: holds");
    check("end_city in Haga", "? in Haga: unknown");
    check("distance <= 7000", "7400 <= 7000: fails");
    check("companions >= 1", "2 >= 1: holds");
    check("category in 5811-5814,5411", "5812 in 5811-5814,5411: holds");
    check("merchant not in mer_2", "mer_1 not in mer_2: holds");
    check("brand in X", "? in X: unknown");
    check("member in e-7", "E-7 in e-7: holds");
    check("department in dep_1", "Sales in dep_1: holds");
    check("label not in intern", "driver,intern not in intern: fails");
    check("rank in director,manager", "manager in director,manager: holds");
    check("expression holds amount < 5", "fault: absent holds amount < 5: unknown");
}

#[test]
fn the_table_is_in_the_order_of_the_dimensions_and_its_examples_parse() {
    for (place, row) in DIMENSIONS.iter().enumerate() {
        assert_eq!(row.dimension as usize, place, "{}", row.name);
        let policy = Policy::parse(row.example).unwrap();
        assert!(policy.reads(row.dimension), "{}", row.name);
        assert_eq!(Policy::parse(&policy.to_string()), Ok(policy.clone()), "{}", row.name);
        let decision = policy.decide(&input());
        let [reason] = decision.trace.as_slice() else {
            panic!("{}: one condition, one line", row.name)
        };
        if let Some(seen) = &reason.seen {
            assert_eq!(
                Seen::parse(row.dimension, &seen.text(row.dimension)).as_ref(),
                Some(seen)
            );
        }
    }
}

#[test]
fn make_up_workdays_count_by_the_calendar_that_is_passed() {
    let calendar = WorkCalendar::parse(CHINA_2026).unwrap();
    let mut saturday = input();
    saturday.local = local("2026-10-10", 600);
    let kind = |input: &PolicyInput<'_>| line(&decide("day_kind in workday", input).trace[0]);
    assert_eq!(kind(&saturday), "weekend in workday: fails");
    saturday.calendar = &calendar;
    assert_eq!(kind(&saturday), "workday in workday: holds");
}

#[test]
fn blocks_join_conditions_and_excuse_branches_that_do_not_matter() {
    let lines = |text: &str| {
        let decision = decide(text, &input());
        (decision.verdict, decision.trace.iter().map(line).collect::<Vec<_>>())
    };
    let (verdict, trace) = lines("any of\n  city in Paris\n  all of\n    line in L1\n    rank in manager\n");
    assert_eq!(verdict, Verdict::Holds);
    assert_eq!(trace[0], "Utsunomiya in Paris: fails, excused");
    let (verdict, trace) = lines("any of\n  city in Paris\n  end_city in Paris\n");
    assert_eq!(verdict, Verdict::Unknown);
    assert_eq!(trace, ["Utsunomiya in Paris: fails", "? in Paris: unknown"]);
    let (verdict, trace) = lines("not\n  city in Utsunomiya\n  rank in director\n");
    assert_eq!(verdict, Verdict::Holds);
    assert_eq!(
        trace,
        [
            "not Utsunomiya in Utsunomiya: holds, excused",
            "not manager in director: fails"
        ]
    );
    let (verdict, trace) = lines("not\n  city in Utsunomiya\n");
    assert_eq!(verdict, Verdict::Fails);
    assert_eq!(trace, ["not Utsunomiya in Utsunomiya: holds"]);
    // What is unknown stays unknown under `not`.
    assert_eq!(lines("not\n  end_city in Paris\n").0, Verdict::Unknown);
    assert_eq!(lines("").0, Verdict::Holds);
}

#[test]
fn wrong_lines_are_named() {
    let message = |text: &str| Policy::parse(text).unwrap_err().to_string();
    let shape = "expected `dimension operator value`, such as `amount <= 5000`";
    assert_eq!(message("amount"), format!("line 1, column 1: {shape}"));
    assert_eq!(message("amount = 5"), format!("line 1, column 8: {shape}"));
    let unknown = message("\n ammount <= 3");
    assert!(
        unknown.starts_with(
            "line 2, column 2: \"ammount\" is not a dimension (did you mean \"amount\"?); known are amount, "
        ),
        "{unknown}"
    );
    assert_eq!(
        message("weekday <= 3"),
        "line 1, column 9: `<=` does not go with weekday, which takes in and not in"
    );
    let value = message("clock in 06:00-07:00,25:00-26:00");
    assert!(
        value.starts_with("line 1, column 22: \"25:00-26:00\" is not a value of clock"),
        "{value}"
    );
    for (text, start) in [
        ("amount <= -1", "line 1, column 11: \"-1\" is not a value"),
        ("share <= 101", "line 1, column 10: \"101\""),
        ("city in Paris,,Rome", "line 1, column 9: \"Paris,,Rome\""),
        ("valid in 2026-13-01..", "line 1, column 10: \"2026-13-01..\""),
        (
            "any of\namount <= 1",
            "line 1, column 1: nothing is indented under `any of`",
        ),
        (
            "amount <= 1\n  not",
            "line 2, column 3: nothing is indented under `not`",
        ),
    ] {
        assert!(message(text).starts_with(start), "{text}: {}", message(text));
    }
    let deep: String = (0..=DEPTH_MAX).map(|depth| format!("{:depth$}not\n", "")).collect();
    assert_eq!(
        message(&deep),
        "line 9, column 9: at most 8 blocks stand inside each other"
    );
    let long = "amount <= 1\n".repeat(CONDITIONS_MAX + 1);
    assert_eq!(
        message(&long),
        "line 201, column 1: a policy has at most 200 conditions"
    );
}

#[test]
fn a_policy_reads_what_it_writes() {
    let flat = "amount <= 5000\nclock in 06:00-22:00,23:00-23:00\nweekday in mon-fri\ncity not in Paris,東京\n";
    let nested = "amount <= 5000\nany of\n  city in Haga\n  all of\n    line in M1\n    not\n      clock in 06:00-22:00\nrank in a\n";
    for text in [flat, nested] {
        assert_eq!(Policy::parse(text).unwrap().to_string(), text);
    }
    // Indentation without a block means nothing, as before there were blocks.
    let odd = Policy::parse("  amount <= 1\n\n\tcity in Haga").unwrap();
    assert_eq!(odd.to_string(), "amount <= 1\ncity in Haga\n");
}

#[test]
fn the_smallest_bound_is_permitted() {
    let permitted = |text: &str| Policy::parse(text).unwrap().permitted_minor(input().used);
    assert_eq!(
        permitted("amount <= 5000\namount_day <= 6000\namount_month <= 100000"),
        Some(2_000)
    );
    assert_eq!(permitted("amount_year <= 90001\namount_week <= 9500"), Some(1));
    assert_eq!(permitted(""), None);
    assert_eq!(permitted("any of\n amount <= 100\n amount <= 700"), Some(700));
    assert_eq!(permitted("any of\n amount <= 100\n city in Haga"), None);
    assert_eq!(
        permitted("amount <= 900\nany of\n amount <= 100\n city in Haga"),
        Some(900)
    );
}

#[test]
fn long_lists_are_searched_as_short_ones_are_scanned() {
    let words: Vec<String> = (0..500).map(|number| format!("City{number}")).collect();
    let list = WordList::new(words.iter().map(String::as_str)).unwrap();
    assert!(words.iter().all(|word| list.has(&word.to_uppercase())));
    assert!(!list.has("City") && !list.has("City500") && !list.has(""));
}

#[test]
fn a_stricter_policy_moves_rides_to_the_person_and_says_by_which_dimension() {
    use super::replay::{PaidBy, PastRide, Tally, replay};
    let policy = Policy::parse("amount_day <= 7000\nclock in 06:00-22:00").unwrap();
    let ride = |who, minor, minute, paid_by| PastRide {
        who,
        input: PolicyInput::new(Money::new(minor, Currency::EUR), local("2026-10-09", minute)),
        paid_by,
    };
    let rides = vec![
        ride(1, 4_000, 600, PaidBy::Institution),
        ride(1, 3_500, 700, PaidBy::Institution),
        ride(1, 3_000, 800, PaidBy::Person),
        ride(2, 7_500, 1_400, PaidBy::Institution),
    ];
    let outcome = replay(|_| Some(&policy), rides);
    let sums = &outcome.currencies[&Currency::EUR];
    let tally = |count, amount_minor| Tally { count, amount_minor };
    assert_eq!(sums.seen, tally(4, 18_000));
    assert_eq!(sums.to_person, tally(2, 11_000));
    // The second ride was moved, so the third finds room.
    assert_eq!(sums.to_institution, tally(1, 3_000));
    assert_eq!(sums.barred_by[&Dimension::AmountDay], tally(2, 11_000));
    assert_eq!(sums.barred_by[&Dimension::Clock], tally(1, 7_500));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Any tree of the table's examples, three levels deep.
    fn rules() -> impl Strategy<Value = String> {
        let leaf = (0..DIMENSIONS.len()).prop_map(|place| vec![DIMENSIONS[place].example.to_owned()]);
        let tree = leaf.prop_recursive(3, 20, 4, |inner| {
            let block = prop::sample::select(vec!["all of", "any of", "not"]);
            (block, prop::collection::vec(inner, 1..4)).prop_map(|(block, lines)| {
                let indented = lines.into_iter().flatten().map(|line| format!("  {line}"));
                std::iter::once(block.to_owned()).chain(indented).collect()
            })
        });
        prop::collection::vec(tree, 0..5).prop_map(|trees| trees.concat().join("\n"))
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_and_both_forms_decide_alike(text in rules()) {
            let policy = Policy::parse(&text).unwrap();
            prop_assert_eq!(&Policy::parse(&policy.to_string()).unwrap(), &policy);
            let poor = PolicyInput::new(Money::new(3_000, Currency::EUR), input().local);
            for order in [input(), poor] {
                let decision = policy.decide(&order);
                prop_assert_eq!(policy.allows(&order), decision.allowed());
                prop_assert_eq!(decision.failed().next().is_none(), decision.allowed());
                prop_assert_eq!(decision.trace.len(), policy.conditions().len());
            }
        }

        #[test]
        fn a_policy_and_its_opposite_never_both_permit(text in rules()) {
            // Neither a policy nor its opposite permits on the strength of what is missing: never both.
            let policy = Policy::parse(&text).unwrap();
            let negated = Policy::parse(&format!("not\n{}", text.lines().map(|line| format!("  {line}\n")).collect::<String>()));
            let poor = PolicyInput::new(Money::new(3_000, Currency::EUR), input().local);
            if let Ok(negated) = negated {
                prop_assert!(!(policy.allows(&poor) && negated.allows(&poor)));
            }
        }

        #[test]
        fn no_text_makes_the_parser_fail_otherwise_than_by_an_error(text in "[a-z_ <>=\n0-9,:()-]{0,80}") {
            if let Ok(policy) = Policy::parse(&text) {
                prop_assert_eq!(Policy::parse(&policy.to_string()), Ok(policy));
            }
        }
    }
}
