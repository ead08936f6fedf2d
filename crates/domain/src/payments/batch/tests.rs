use super::*;
use crate::ids::RawId;

fn raw(number: i64) -> RawId {
    RawId::from_parts(number, Bucket::new(3).unwrap(), number as u128)
}

fn local() -> LocalTime {
    LocalTime {
        day: 20_000,
        month: 657,
        minute: 600,
    }
}

fn permit(code: i64) -> Permit {
    Permit {
        code: CodeId::new(raw(code)),
        record: CodeRecordId::from_stored("record"),
        kind: CodeKind::User,
        person: PersonId::new(raw(1)),
        member: None,
        account: AccountId::new(raw(2)),
        currency: Currency::EUR,
        time_zone: "UTC".to_owned(),
        scenario: Some(PermittedScenario {
            id: ScenarioId::new(raw(3)),
            name: "meals".to_owned(),
            policy: Arc::new(Policy::parse("amount <= 3000\namount_day <= 5000").unwrap()),
            calendar: WorkCalendar::default(),
        }),
        refusal: None,
    }
}

/// A payment of `minor` with code `code` under order and key `number`.
fn command(number: i64, code: i64, minor: i64) -> PayCommand {
    PayCommand {
        payment: PaymentId::new(raw(100 + number)),
        transfer: TransferId::new(raw(200 + number)),
        event: EventId::new(raw(300 + number)),
        at: 1_000,
        local: local(),
        key: KeyId::new(raw(4)),
        terminal: TerminalId::new(raw(5)),
        merchant: MerchantId::new(raw(6)),
        store: StoreId::new(raw(7)),
        category: 5812,
        city: "Berlin".to_owned(),
        order_number: format!("order-{number}"),
        amount: Money::new(minor, Currency::EUR),
        subject: None,
        capture: Capture::Now,
        idempotency_key: format!("key-{number}"),
        fingerprint: format!("{code}/{minor}"),
        permit: Some(permit(code)),
    }
}

fn books(balance: i64) -> Books {
    let account = Account {
        id: AccountId::new(raw(2)),
        kind: AccountKind::Person,
        owner: String::new(),
        name: String::new(),
        currency: Currency::EUR,
        posted_minor: balance,
        held_minor: 0,
    };
    Books {
        active_keys: HashSet::from([KeyId::new(raw(4))]),
        accounts: HashMap::from([(account.id, account)]),
        ..Books::default()
    }
}

fn verdict(result: &Result<PayOutcome, PayError>) -> String {
    match result {
        Ok(outcome) => {
            let again = if outcome.replayed == Replayed::Yes {
                " again"
            } else {
                ""
            };
            match &outcome.payment.state {
                PaymentState::Refused { refusal, .. } => format!("refused{again}: {refusal}"),
                state => format!("{}{again}", state.name()),
            }
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn refusals_come_in_their_order() {
    type Change = fn(&mut PayCommand);
    let used = "the code was used already";
    let cases: &[(Change, &str)] = &[
        (|c| c.key = KeyId::new(raw(99)), "the terminal's key was revoked"),
        (
            |c| c.idempotency_key = "key-0".into(),
            "the idempotency key was used for another request",
        ),
        (
            |c| c.order_number = "order-0".into(),
            "the order number names another payment",
        ),
        (|c| c.permit = None, "there is no such code"),
        (
            |c| set(c, CodeRefusal::RecordInactive),
            "the person's code payment is paused or closed",
        ),
        (
            |c| set(c, CodeRefusal::NotTied),
            "the person no longer belongs to this code's holder",
        ),
        (|c| c.permit = Some(permit(50)), used),
        (|c| set_used_and_expired(c), used),
        (|c| set(c, CodeRefusal::Expired), "the code is no longer valid"),
        (
            |c| c.amount.currency = Currency::CNY,
            "refused: the payer's money is EUR, the merchant asked for CNY",
        ),
        (
            |c| no_scenario(c),
            "refused: no scenario of the payer permits merchant category 5812",
        ),
        (
            |c| c.amount.minor = 3_001,
            "refused: the payment breaks a rule of the payer's scenario",
        ),
        (
            |c| c.amount.minor = 2_500,
            "refused: the payer's account holds too little",
        ),
        (|_| {}, "paid"),
    ];
    for (change, expected) in cases {
        let mut books = books(3_000);
        books.pay(&command(0, 50, 1_000)).unwrap();
        let mut second = command(1, 51, 500);
        change(&mut second);
        assert_eq!(verdict(&books.pay(&second)), *expected);
    }
}

fn set(command: &mut PayCommand, refusal: CodeRefusal) {
    command.permit.as_mut().unwrap().refusal = Some(refusal);
}

fn set_used_and_expired(command: &mut PayCommand) {
    command.permit = Some(Permit {
        refusal: Some(CodeRefusal::Expired),
        ..permit(50)
    });
}

fn no_scenario(command: &mut PayCommand) {
    command.permit.as_mut().unwrap().scenario = None;
}

#[test]
fn a_repeat_gets_the_first_answer_even_after_the_codes_time() {
    let mut books = books(10_000);
    let first = command(0, 50, 1_000);
    let paid = books.pay(&first).unwrap().payment;
    let mut late = first.clone();
    set(&mut late, CodeRefusal::Expired);
    assert_eq!(verdict(&books.pay(&late)), "paid again");
    // Another key, same order; and no key known, same code and sale.
    let other_key = PayCommand {
        idempotency_key: "other".into(),
        ..late.clone()
    };
    assert_eq!(books.pay(&other_key).unwrap().payment, paid);
    books.orders.clear();
    books.answered.clear();
    assert_eq!(books.pay(&other_key).unwrap().payment, paid);
    assert_eq!(books.writes.payments.len(), 1);
}

#[test]
fn limits_count_within_the_batch_and_the_code_of_a_refused_payment_is_dead() {
    let mut books = books(100_000);
    assert_eq!(verdict(&books.pay(&command(0, 50, 3_000))), "paid");
    let refused = books.pay(&command(1, 51, 2_001)).unwrap().payment;
    let PaymentState::Refused {
        refusal: PaymentRefusal::LimitExceeded { trace },
        ..
    } = refused.state
    else {
        panic!()
    };
    let failed: Vec<_> = trace.iter().filter(|reason| reason.failed()).collect();
    assert_eq!(
        (failed.len(), failed[0].dimension().name(), failed[0].left),
        (1, "amount_day", Some(2_000))
    );
    // The order number is free again, the code is not.
    let retry = PayCommand {
        order_number: "order-1".into(),
        ..command(2, 52, 2_000)
    };
    assert_eq!(verdict(&books.pay(&retry)), "paid");
    assert_eq!(verdict(&books.pay(&command(3, 51, 10))), "the code was used already");
    assert_eq!(books.writes.alarms.len(), 1);
}

#[test]
fn balances_are_the_transfers() {
    let mut books = books(5_000);
    for number in 0..3 {
        books.pay(&command(number, 50 + number, 1_500)).unwrap();
    }
    let held = PayCommand {
        capture: Capture::Later { until: 9_000 },
        ..command(7, 60, 100)
    };
    assert_eq!(verdict(&books.pay(&held)), "authorised");
    let payer = &books.accounts[&AccountId::new(raw(2))];
    assert_eq!(
        (payer.posted_minor, payer.held_minor, payer.available_minor()),
        (500, 100, 400)
    );
    let sum: i64 = books.writes.balances.values().map(|change| change.posted_minor).sum();
    assert_eq!(sum, 0);
    assert_eq!(books.writes.events.len(), 3);
}

#[test]
fn five_unknown_codes_lock_the_terminal() {
    let mut books = books(5_000);
    for number in 0..5 {
        let unknown = PayCommand {
            permit: None,
            ..command(number, 50, 100)
        };
        assert_eq!(verdict(&books.pay(&unknown)), "there is no such code");
    }
    assert_eq!(
        verdict(&books.pay(&command(8, 51, 100))),
        "the terminal is stopped after too many invalid codes"
    );
    assert_eq!(
        books.writes.alarms.iter().map(|alarm| alarm.kind).collect::<Vec<_>>(),
        [AlarmKind::TerminalLocked]
    );
}

#[test]
fn counters_start_again_with_the_day_and_the_month() {
    let mut row = UsageRow {
        day: 20_000,
        month: 657,
        used: crate::policy::Usage::default(),
    };
    row.add(500);
    let next_day = row.at(LocalTime { day: 20_001, ..local() });
    assert_eq!(
        (
            next_day.used.day_minor,
            next_day.used.month_minor,
            next_day.used.month_count
        ),
        (0, 500, 1)
    );
    let mut behind = next_day.at(LocalTime { day: 20_000, ..local() });
    assert_eq!(behind, next_day);
    behind.give_back(20_000, 657, 500, 1);
    assert_eq!(
        (behind.used.day_minor, behind.used.month_minor, behind.used.month_count),
        (0, 0, 0)
    );
}
