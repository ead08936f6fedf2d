//! The contract of the payment platform, as far as it can be told without a code platform behind it.

use onescan_domain::codes::CodeText;
use onescan_domain::ids::{AccountId, CodeId, KeyId, MerchantId, PaymentId, PersonId, StoreId, TerminalId};
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::ChangeRefusal;
use onescan_domain::payments::ledger::{AccountKind, TransferKind};
use onescan_platforms::env::hex;
use onescan_platforms::payments::{
    CaptureMode, Change, ChangeRequest, Idempotency, MoveRefusal, MoveRequest, NewAccount, Page, PayRequest, Payments,
    SalesFilter, TerminalFacts,
};

use super::Trial;

pub(super) async fn run(trial: &mut Trial, payments: &dyn Payments) {
    accounts(trial, payments).await;
    let nobody = PaymentId::new(trial.id());
    let found = payments.find(nobody).await;
    trial.answer("find", "null for a payment that is not there", found, Option::is_none);
    let found = payments
        .find_by_codes(vec![CodeId::new(trial.id()), CodeId::new(trial.id())])
        .await;
    trial.answer("find_by_codes", "answers each code in order", found, |found| {
        *found == [None, None]
    });
    let merchant = MerchantId::new(trial.id());
    let found = payments.find_by_order(merchant, "contract-test").await;
    trial.answer(
        "find_by_order",
        "null for an order that is not there",
        found,
        Option::is_none,
    );
    let refunds = payments.refunds(nobody).await;
    trial.answer(
        "refunds",
        "empty for a payment that is not there",
        refunds,
        Vec::is_empty,
    );

    let requests = vec![pay(trial, merchant, "1"), pay(trial, merchant, "2")];
    let paid = payments.pay(requests).await;
    trial.answer(
        "pay",
        "answers each request in order, and refuses a code that was never made",
        paid,
        |answers| answers.len() == 2 && answers.iter().all(Result::is_err),
    );
    let found = payments.find_by_order(merchant, "contract-test-1").await;
    trial.answer("pay", "a refusal leaves no payment", found, Option::is_none);
    let change = ChangeRequest {
        payment: nobody,
        merchant,
        idempotency: key(trial, "reverse"),
        change: Change::Reverse,
    };
    let changed = payments.change(change).await;
    trial.answer("change", "refuses a payment that is not there", changed, |answer| {
        *answer == Err(ChangeRefusal::Unknown)
    });

    let person = PersonId::new(trial.id());
    let listed = payments
        .payments_of_person(person, vec![person.bucket()], Page::default())
        .await;
    trial.answer("payments_of_person", "empty for a stranger", listed, Vec::is_empty);
    let alarms = payments
        .alarms_of_person(person, vec![person.bucket()], Page::default())
        .await;
    trial.answer("alarms_of_person", "empty for a stranger", alarms, Vec::is_empty);
    let filter = SalesFilter {
        merchant,
        terminal: None,
        from: 0,
        until: trial.now(),
    };
    let sales = payments.sales(filter.clone(), Page::default()).await;
    trial.answer("sales", "empty for a stranger", sales, Vec::is_empty);
    let total = payments.sales_total(filter).await;
    trial.answer("sales_total", "nothing for a stranger", total, |total| {
        total.iter().all(|total| total.count == 0)
    });
}

async fn accounts(trial: &mut Trial, payments: &dyn Payments) {
    let new = NewAccount {
        id: AccountId::new(trial.id()),
        kind: AccountKind::Person,
        owner: PersonId::new(trial.id()).stored(),
        name: "Contract test".to_owned(),
        currency: Currency::EUR,
    };
    let nothing = payments.account(new.id).await;
    trial.answer(
        "account",
        "null for an account that is not there",
        nothing,
        Option::is_none,
    );
    for promise in [
        "opens an empty account",
        "a repeat answers with the account that is there",
    ] {
        let opened = payments.open_account(new.clone()).await;
        trial.answer("open_account", promise, opened, |account| {
            account.id == new.id && account.posted_minor == 0
        });
    }
    let request = MoveRequest {
        kind: TransferKind::TopUp,
        debit: None,
        credit: new.id,
        amount: Money::new(1_250, Currency::EUR),
        idempotency: key(trial, "1250"),
    };
    let mut moves = Vec::new();
    for (promise, replayed) in [("moves money", false), ("a repeat says so", true)] {
        let moved = payments.move_money_once(request.clone()).await;
        let moved = trial.answer("move_money_once", promise, moved, |moved| {
            moved.as_ref().is_ok_and(|moved| moved.replayed == replayed)
        });
        moves.extend(moved.and_then(Result::ok).map(|moved| moved.transfer.id));
    }
    trial.check(
        "move_money_once",
        "a repeat answers with the first transfer",
        moves.len() == 2 && moves[0] == moves[1],
        &moves,
    );
    let account = payments.account(new.id).await;
    trial.answer("account", "holds the money once", account, |account| {
        account.as_ref().is_some_and(|account| account.posted_minor == 1_250)
    });
    let transfers = payments.transfers(new.id, Page::default()).await;
    trial.answer("transfers", "has the movement once", transfers, |transfers| {
        transfers.len() == 1
    });
    let mut other = request.clone();
    other.amount.minor = 1;
    other.idempotency.fingerprint = "another".to_owned();
    let conflict = payments.move_money_once(other).await;
    trial.answer(
        "move_money_once",
        "refuses the same key with other content",
        conflict,
        |answer| *answer == Err(MoveRefusal::KeyConflict),
    );
    let mut unknown = request;
    unknown.credit = AccountId::new(trial.id());
    unknown.idempotency = key(trial, "unknown");
    let refused = payments.move_money_once(unknown).await;
    trial.answer(
        "move_money_once",
        "refuses an account that is not there",
        refused,
        |answer| *answer == Err(MoveRefusal::Unknown),
    );
}

fn key(trial: &Trial, fingerprint: &str) -> Idempotency {
    Idempotency {
        caller: KeyId::new(trial.id()).stored(),
        key: hex(&trial.bytes::<8>()),
        fingerprint: fingerprint.to_owned(),
    }
}

fn pay(trial: &Trial, merchant: MerchantId, number: &str) -> PayRequest {
    PayRequest {
        text: CodeText::from_parts(99, u64::from_be_bytes(trial.bytes()) % 1_000_000_000_000_000),
        terminal: TerminalFacts {
            key: KeyId::new(trial.id()),
            terminal: TerminalId::new(trial.id()),
            merchant,
            store: StoreId::new(trial.id()),
            category: 5812,
            city: "Berlin".to_owned(),
        },
        order_number: format!("contract-test-{number}"),
        amount: Money::new(100, Currency::EUR),
        subject: None,
        capture: CaptureMode::Now,
        idempotency_key: hex(&trial.bytes::<8>()),
    }
}
