//! One merchant with tills, and people with money and codes, for the tests of payments.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use onescan_domain::calendar::LocalTime;
use onescan_domain::codes::{CodeKind, CodeRecordId, CodeRefusal};
use onescan_domain::ids::{
    AccountId, CodeId, EventId, KeyId, MerchantId, PaymentId, PersonId, RefundId, ScenarioId, StoreId, TerminalId,
    TransferId,
};
use onescan_domain::merchants::GuardLimits;
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::batch::{Capture, PayCommand, PayOutcome, Permit, PermittedScenario, Replayed};
use onescan_domain::payments::ledger::{AccountKind, Phase, Transfer, TransferKind, house_account};
use onescan_domain::payments::{ChangeRefusal, PayError, PaymentState};
use onescan_domain::policy::Policy;
use onescan_platforms::payments::{
    Change, ChangeCommand, ChangeRequest, Changed, Idempotency, NewAccount, PaymentStore,
};
use onescan_store::{Store, params, statements};

use crate::support::{Case, bucket, id};

/// Buckets of the people and of the merchant.
pub const HOME: u16 = 3;
pub const MARKET: u16 = 9;
pub const NOW: i64 = 1_790_000_000_000;

statements! {
    INSERT_KEY = "insert into access_keys (bucket, id, kind, holder_id, name, secret_hash, created_at)
        values (:bucket, :id::text, 'terminal', :holder::text, 'till', '', :created_at)";
    INSERT_MERCHANT = "insert into merchants (bucket, id, name, category, currency, account_id, created_at)
        values (:bucket, :id::text, 'shop', 5812, 'EUR', :account::text, :created_at)";
}

/// Draws ids that rise.
static COUNT: AtomicI64 = AtomicI64::new(1_000_000);

fn draw() -> i64 {
    COUNT.fetch_add(1, Ordering::Relaxed)
}

pub fn merchant() -> MerchantId {
    id(MerchantId::new, MARKET, 1)
}

pub fn merchant_account() -> AccountId {
    id(AccountId::new, MARKET, 1)
}

pub fn key(till: i64) -> KeyId {
    id(KeyId::new, MARKET, 10 + till)
}

pub fn account(person: i64) -> AccountId {
    id(AccountId::new, HOME, person)
}

pub fn person(number: i64) -> PersonId {
    id(PersonId::new, HOME, number)
}

pub fn clearing(bucket_number: u16) -> AccountId {
    house_account(AccountKind::Clearing, bucket(bucket_number), Currency::EUR)
}

pub fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// Two tills and the merchant; persons 1 and 2 with 10,000 each.
pub async fn open(case: &Case) {
    let made: Result<(), onescan_store::error::DbError> = case
        .database
        .db
        .write(|tx| {
            Box::pin(async move {
                for till in [1, 2] {
                    let row = params![MARKET, key(till).stored(), "till", NOW];
                    tx.execute_one(&INSERT_KEY, row).await?;
                }
                let row = params![MARKET, merchant().stored(), merchant_account().stored(), NOW];
                tx.execute_one(&INSERT_MERCHANT, row).await
            })
        })
        .await;
    made.expect("the shop is made");
    let shop = NewAccount {
        id: merchant_account(),
        kind: AccountKind::Merchant,
        owner: merchant().stored(),
        name: "shop".to_owned(),
        currency: Currency::EUR,
    };
    case.store.insert_account(&shop, NOW).await.expect("the account is new");
    for number in [1, 2] {
        let own = NewAccount {
            id: account(number),
            kind: AccountKind::Person,
            owner: person(number).stored(),
            name: "own".to_owned(),
            currency: Currency::EUR,
        };
        case.store.insert_account(&own, NOW).await.expect("the account is new");
        let moved = case
            .store
            .move_money(top_up(number, 10_000), asked("operator", &format!("top-up-{number}")));
        moved.await.expect("the database answers").expect("money is moved");
    }
}

pub fn asked(caller: &str, key: &str) -> Idempotency {
    Idempotency {
        caller: caller.to_owned(),
        key: key.to_owned(),
        fingerprint: "asked".to_owned(),
    }
}

pub fn top_up(person: i64, minor: i64) -> Transfer {
    Transfer {
        id: id(TransferId::new, HOME, draw()),
        debit: house_account(AccountKind::Bank, bucket(HOME), Currency::EUR),
        credit: account(person),
        amount: eur(minor),
        kind: TransferKind::TopUp,
        phase: Phase::Posted,
        payment: None,
        corrects: None,
        created_at: NOW,
    }
}

/// A payment of `minor` by `person` with code `code` under order number and key `name`.
pub fn command(person_number: i64, code: i64, minor: i64, name: &str) -> PayCommand {
    PayCommand {
        payment: id(PaymentId::new, HOME, draw()),
        transfer: id(TransferId::new, HOME, draw()),
        event: id(EventId::new, HOME, draw()),
        at: NOW,
        local: LocalTime {
            day: 20_000,
            month: 657,
            minute: 600,
        },
        key: key(1),
        terminal: id(TerminalId::new, MARKET, 1),
        merchant: merchant(),
        store: id(StoreId::new, MARKET, 1),
        category: 5812,
        city: "Berlin".to_owned(),
        order_number: name.to_owned(),
        amount: eur(minor),
        subject: None,
        capture: Capture::Now,
        idempotency_key: name.to_owned(),
        fingerprint: format!("{code}/{minor}/{name}"),
        permit: Some(Permit {
            code: id(CodeId::new, HOME, code),
            record: CodeRecordId::from_stored(format!("record{person_number}")),
            kind: CodeKind::User,
            person: person(person_number),
            member: None,
            account: account(person_number),
            currency: Currency::EUR,
            time_zone: "UTC".to_owned(),
            scenario: Some(PermittedScenario {
                id: id(ScenarioId::new, HOME, 1),
                name: "meals".to_owned(),
                policy: Arc::new(Policy::parse("amount <= 3000\namount_day <= 5000").unwrap()),
                calendar: onescan_domain::calendar::WorkCalendar::default(),
            }),
            refusal: None,
        }),
    }
}

/// As [`command`], but held for a minute.
pub fn hold(person_number: i64, code: i64, minor: i64, name: &str) -> PayCommand {
    PayCommand {
        capture: Capture::Later { until: NOW + 60_000 },
        ..command(person_number, code, minor, name)
    }
}

pub async fn pay(store: &Store, command: PayCommand) -> Result<PayOutcome, PayError> {
    let mut answers = store
        .pay(vec![command], GuardLimits::default())
        .await
        .expect("the database answers");
    answers.remove(0)
}

/// An answer in a word or two.
pub fn verdict(answer: &Result<PayOutcome, PayError>) -> String {
    match answer {
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
        Err(PayError::Code(CodeRefusal::Used { .. })) => "used".to_owned(),
        Err(error) => error.to_string(),
    }
}

pub fn change(payment: PaymentId, key: &str, change: Change) -> ChangeCommand {
    ChangeCommand {
        request: ChangeRequest {
            payment,
            merchant: merchant(),
            idempotency: Idempotency {
                caller: self::key(1).to_string(),
                key: key.to_owned(),
                fingerprint: format!("{change:?}"),
            },
            change,
        },
        at: NOW + 1_000,
        refund: id(RefundId::new, HOME, draw()),
        transfer: id(TransferId::new, HOME, draw()),
        event: id(EventId::new, HOME, draw()),
    }
}

pub async fn apply(store: &Store, command: ChangeCommand) -> Result<Changed, ChangeRefusal> {
    PaymentStore::change(store, command)
        .await
        .expect("the database answers")
}

pub fn refund(number: &str, minor: i64) -> Change {
    Change::Refund {
        number: number.to_owned(),
        amount: eur(minor),
        reason: None,
    }
}

/// `posted/held` of an account.
pub async fn balance(store: &Store, id: AccountId) -> String {
    match store.find_account(id).await.expect("the database answers") {
        Some(account) => format!("{}/{}", account.posted_minor, account.held_minor),
        None => "none".to_owned(),
    }
}

/// Posts the merchants' sides until nothing is left.
pub async fn settle(store: &Store) -> u64 {
    let mut done = 0;
    while let posted @ 1.. = store
        .post_merchant_side(NOW + 100_000, 10)
        .await
        .expect("the database answers")
    {
        done += posted;
    }
    done
}

/// The breaches of all invariants, by name.
pub async fn breaches(store: &Store) -> Vec<String> {
    let reports = store.audit().await.expect("the database answers");
    let broken = reports.iter().filter(|report| !report.breaches.is_empty());
    broken.map(|report| report.name.to_owned()).collect()
}
