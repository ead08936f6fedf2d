use super::*;
use crate::bucket::Bucket;
use crate::calendar::LocalTime;
use crate::ids::RawId;
use crate::money::Currency;
use crate::policy::Named;

fn account(number: u128) -> AccountId {
    AccountId::new(RawId::from_parts(1, Bucket::new(1).unwrap(), number))
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn source(source: FundingSource, number: u128, available: i64) -> SourceAccount {
    SourceAccount {
        source,
        account: account(number),
        available: eur(available),
    }
}

fn person(available: i64, cap_minor: Option<i64>) -> Option<PersonalAccount> {
    Some(PersonalAccount {
        account: account(9),
        available: eur(available),
        consent: Some(StandingConsent { cap_minor }),
    })
}

/// A ride of 10.00 EUR by somebody in Sales.
fn fund(rule: &str, accounts: &[SourceAccount], personal: Option<PersonalAccount>) -> FundingOutcome {
    let local = LocalTime {
        day: 20_000,
        month: 657,
        minute: 600,
    };
    let mut input = PolicyInput::new(eur(1_000), local);
    input.member.department = Named::word("Sales");
    let question = FundingQuestion {
        fare: eur(1_000),
        input,
        accounts,
        personal,
    };
    FundingRule::parse(rule).unwrap().fund(&question)
}

fn text(outcome: &FundingOutcome) -> String {
    let failures = outcome.attempts.iter().map(|attempt| match &attempt.failure {
        FundingFailure::Conditions(decision) => {
            let failed = decision.failed().map(|reason| reason.dimension().name());
            format!(
                "{} conditions {}; ",
                attempt.source,
                failed.collect::<Vec<_>>().join(" ")
            )
        }
        failure => format!("{} {failure:?}; ", attempt.source),
    });
    let end = match &outcome.funded {
        Funded::Institution {
            source,
            institution,
            personal,
        } => {
            let rest = personal.map_or(0, |part| part.amount_minor);
            assert_eq!(institution.amount_minor + rest, 1_000, "parts sum to the fare");
            format!("{source} {} person {rest}", institution.amount_minor)
        }
        Funded::Personal(part) => format!("person {}", part.amount_minor),
        Funded::Arrears { amount_minor, failure } => format!("arrears {amount_minor} {failure:?}"),
    };
    failures.collect::<String>() + &end
}

#[test]
fn the_first_candidate_that_can_pays_and_the_others_say_why_not() {
    let accounts = [
        source(FundingSource::Dedicated, 1, 999),
        source(FundingSource::Institution, 2, 5_000),
    ];
    for (rule, expected) in [
        ("from institution", "institution 1000 person 0"),
        (
            "from dedicated\nfrom institution",
            "dedicated Insufficient { wanted_minor: 1000, available_minor: 999 }; institution 1000 person 0",
        ),
        (
            "from ins_00000000000000000000000001\nfrom institution\n  department in IT",
            "ins_00000000000000000000000001 NoAccount; institution conditions department; person 1000",
        ),
        (
            "from institution\n  share 80\n  rest person",
            "institution 800 person 200",
        ),
        (
            "from institution\n  share 80\n  cap 500\n  rest person\n  share <= 50",
            "institution 500 person 500",
        ),
        (
            "from institution\n  cap 500",
            "institution RestNotAllowed { payable_minor: 500 }; person 1000",
        ),
        ("", "person 1000"),
    ] {
        assert_eq!(text(&fund(rule, &accounts, person(1_000, None))), expected, "{rule}");
    }
}

#[test]
fn the_person_pays_only_with_consent_up_to_its_cap_and_else_it_is_arrears() {
    let silent = person(5_000, None).map(|known| PersonalAccount { consent: None, ..known });
    for (personal, expected) in [
        (None, "arrears 1000 NoAccount"),
        (silent, "arrears 1000 NoConsent"),
        (
            person(5_000, Some(999)),
            "arrears 1000 AboveConsent { wanted_minor: 1000, cap_minor: 999 }",
        ),
        (
            person(999, None),
            "arrears 1000 Insufficient { wanted_minor: 1000, available_minor: 999 }",
        ),
        (person(1_000, Some(1_000)), "person 1000"),
    ] {
        assert_eq!(
            text(&fund("from institution", &[], personal)),
            format!("institution NoAccount; {expected}")
        );
    }
    // A part of the institution needs the person's part.
    let accounts = [source(FundingSource::Institution, 2, 5_000)];
    assert_eq!(
        text(&fund(
            "from institution\n share 60\n rest person",
            &accounts,
            person(5_000, Some(399))
        )),
        "institution PersonalPart(AboveConsent { wanted_minor: 400, cap_minor: 399 }); \
         arrears 1000 AboveConsent { wanted_minor: 1000, cap_minor: 399 }"
    );
}

#[test]
fn a_rule_reads_what_it_writes_and_names_wrong_lines() {
    let rule = "from dedicated\nfrom institution\n  share 80\n  cap 3000\n  rest person\n  any of\n    department in Sales\n    \
                share <= 50\nfrom ins_00000000000000000000000001\n";
    assert_eq!(FundingRule::parse(rule).unwrap().to_string(), rule);
    let message = |text: &str| FundingRule::parse(text).unwrap_err().to_string();
    for (text, start) in [
        ("cap 5", "line 1: begin with `from institution`"),
        ("\nfrom bank", "line 2: \"bank\" is not a source"),
        (
            "from institution\n share 0",
            "line 2: \"0\" is not a whole number of percent",
        ),
        (
            "from institution\n cap 0",
            "line 2: \"0\" is not a whole number of minor units",
        ),
        ("from institution\n rest me", "line 2: \"me\" is not `person` or `none`"),
        (
            "from institution\n cap 5\n cap 6",
            "line 3: this source has `cap` already",
        ),
        (
            "from institution\n colour in red",
            "line 2, column 2: \"colour\" is not a dimension",
        ),
    ] {
        assert!(message(text).starts_with(start), "{text}: {}", message(text));
    }
    let long = "from dedicated\n".repeat(CANDIDATES_MAX + 1);
    assert_eq!(message(&long), "line 21: a rule has at most 20 sources");
}
