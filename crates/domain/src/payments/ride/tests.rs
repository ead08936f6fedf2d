use super::*;
use crate::bucket::Bucket;
use crate::calendar::WorkCalendar;
use crate::ids::RawId;

const WALLET: u64 = 1;
const COMPANY: u64 = 2;
const BRANCH: u64 = 3;

fn raw(number: u64) -> RawId {
    RawId::from_parts(1, Bucket::new(5).unwrap(), u128::from(number))
}

fn account_id(number: u64) -> AccountId {
    AccountId::new(raw(number))
}

/// Accounts with these balances in CNY: the person's, the company's, the branch's.
fn books(wallet: i64, company: i64, branch: i64) -> RideBooks {
    let kinds = [
        (WALLET, AccountKind::Person, wallet),
        (COMPANY, AccountKind::Institution, company),
        (BRANCH, AccountKind::SubInstitution, branch),
    ];
    let account = |(number, kind, posted_minor)| Account {
        id: account_id(number),
        kind,
        owner: String::new(),
        name: String::new(),
        currency: Currency::CNY,
        posted_minor,
        held_minor: 0,
    };
    RideBooks {
        accounts: kinds
            .map(account)
            .into_iter()
            .map(|account| (account.id, account))
            .collect(),
        ..RideBooks::default()
    }
}

fn local(day: i32) -> LocalTime {
    LocalTime {
        day,
        month: day / 30,
        minute: 600,
    }
}

/// A ride of 500 that company and then branch may pay.
fn command(number: u64, policy: &str, consent: Consent) -> RideCommand {
    let ids = |offset| DrawnIds {
        payment: PaymentId::new(raw(number * 10 + offset)),
        transfer: TransferId::new(raw(number * 10 + offset)),
        event: EventId::new(raw(number * 10 + offset)),
    };
    let candidate = |account| Candidate {
        account: account_id(account),
        cap_minor: None,
    };
    RideCommand {
        pay: RidePay {
            order: RideOrderId::new(raw(number)),
            provider: MerchantId::new(raw(77)),
            number: format!("R-{number}"),
            person: PersonId::new(raw(78)),
            amount: Money::new(500, Currency::CNY),
            subject: None,
            institution: Some(InstitutionSide {
                institution: InstitutionId::new(raw(79)),
                member: MemberId::new(raw(80)),
                travel_type: TravelTypeId::new(raw(81)),
                policy: Arc::new(Policy::parse(policy).unwrap()),
                facts: RideFacts {
                    started: local(100),
                    ended: local(100),
                    category: 4111,
                    travel_type: "metro".to_owned(),
                    provider_name: "Metro".to_owned(),
                    line: (String::new(), String::new()),
                    start: RidePlace {
                        city: "Hangzhou".to_owned(),
                        ..RidePlace::default()
                    },
                    end: RidePlace::default(),
                    distance_m: None,
                    companions: None,
                    member: (String::new(), String::new()),
                    department: (String::new(), String::new()),
                    calendar: WorkCalendar::default(),
                    decision: None,
                },
                candidates: vec![candidate(COMPANY), candidate(BRANCH)],
            }),
            personal: PersonalSide {
                account: account_id(WALLET),
                currency: Currency::CNY,
                consent,
                local: local(100),
            },
        },
        at: 7,
        institution: ids(1),
        personal: ids(2),
    }
}

/// Who paid how much, and what is owed.
fn told(outcome: &RideOutcome) -> String {
    let attempt = |payment: &Option<Payment>| match payment {
        None => "-".to_owned(),
        Some(payment) => match &payment.state {
            PaymentState::Paid { .. } => payment.amount.minor.to_string(),
            PaymentState::Refused { refusal, .. } => match refusal {
                PaymentRefusal::CurrencyMismatch { .. } => "currency".to_owned(),
                PaymentRefusal::ScenarioNotPermitted { .. } => "scenario".to_owned(),
                PaymentRefusal::LimitExceeded { .. } => "limit".to_owned(),
                PaymentRefusal::NoConsent { .. } => "consent".to_owned(),
                PaymentRefusal::InsufficientFunds => "funds".to_owned(),
            },
            other => other.name().to_owned(),
        },
    };
    let (institution, personal) = (attempt(&outcome.institution), attempt(&outcome.personal));
    format!(
        "institution {institution}, person {personal}, owed {}",
        outcome.arrears_minor
    )
}

#[test]
fn the_first_who_can_pay_pays() {
    let check = |(wallet, company, branch), policy: &str, consent, expected: &str| {
        let mut books = books(wallet, company, branch);
        let outcome = books.pay(&command(1, policy, consent));
        assert_eq!(told(&outcome), expected);
        let moved: i64 = books.writes.balances.values().map(|change| change.posted_minor).sum();
        assert_eq!(moved, 0, "what one account loses another gets");
    };
    let consent = Consent::UpTo(1_000);
    check((900, 900, 0), "", consent, "institution 500, person -, owed 0");
    check((900, 499, 500), "", consent, "institution 500, person -, owed 0");
    check((900, 0, 0), "", consent, "institution funds, person 500, owed 0");
    check(
        (900, 900, 0),
        "amount <= 499",
        consent,
        "institution limit, person 500, owed 0",
    );
    check(
        (900, 900, 0),
        "amount <= 499",
        Consent::UpTo(499),
        "institution limit, person consent, owed 500",
    );
    check(
        (900, 900, 0),
        "amount <= 499",
        Consent::None,
        "institution limit, person consent, owed 500",
    );
    check(
        (499, 900, 0),
        "amount <= 499",
        consent,
        "institution limit, person funds, owed 500",
    );
}

#[test]
fn a_cap_splits_the_fare() {
    let mut books = books(900, 900, 0);
    let mut command = command(1, "", Consent::UpTo(200));
    command.pay.institution.as_mut().unwrap().candidates[0].cap_minor = Some(300);
    assert_eq!(told(&books.pay(&command)), "institution 300, person 200, owed 0");
}

#[test]
fn a_ride_without_institution_needs_no_consent() {
    let mut books = books(900, 900, 0);
    let mut command = command(1, "", Consent::NotNeeded);
    command.pay.institution = None;
    assert_eq!(told(&books.pay(&command)), "institution -, person 500, owed 0");
}

#[test]
fn rides_of_one_batch_share_balance_and_limits() {
    let mut books = books(2_000, 1_000, 0);
    let pays = |number| command(number, "count_day <= 2", Consent::UpTo(1_000));
    assert_eq!(told(&books.pay(&pays(1))), "institution 500, person -, owed 0");
    assert_eq!(told(&books.pay(&pays(2))), "institution 500, person -, owed 0");
    assert_eq!(told(&books.pay(&pays(3))), "institution limit, person 500, owed 0");
    assert_eq!(told(&books.pay(&pays(1))), "institution 500, person -, owed 0");
    assert_eq!(books.writes.claims.len(), 3, "a repeat writes nothing");
}

#[test]
fn a_policy_sees_what_the_order_tells_and_nothing_else() {
    let check = |policy: &str, expected: &str| {
        let mut books = books(900, 900, 0);
        assert_eq!(
            told(&books.pay(&command(1, policy, Consent::UpTo(900)))),
            expected,
            "{policy}"
        );
    };
    let (yes, no) = (
        "institution 500, person -, owed 0",
        "institution limit, person 500, owed 0",
    );
    check("travel_type in metro", yes);
    check("operator in Metro", yes);
    check("city in Hangzhou", yes);
    check("city in Suzhou", no);
    // What is not told is never permission.
    check("end_city not in Suzhou", no);
    check("distance <= 100000", no);
}
