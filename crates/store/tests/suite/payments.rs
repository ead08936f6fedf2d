//! Payments, alone and at once, and what happens to them afterwards.

use onescan_domain::ids::{CodeId, PaymentId};
use onescan_domain::merchants::GuardLimits;
use onescan_domain::payments::PaymentState;
use onescan_domain::payments::batch::{PayCommand, UsageKey};
use onescan_platforms::payments::{AssertCommand, Change, Page, PaymentStore, SalesFilter};
use onescan_store::Store;
use onescan_store::db::Db;

use crate::shop::{
    HOME, MARKET, NOW, account, apply, balance, breaches, change, clearing, command, eur, hold, key, merchant,
    merchant_account, open, pay, person, refund, settle, verdict,
};
use crate::support::{bucket, cases, id};

#[tokio::test]
async fn a_payment_moves_money_once_and_is_found_again() {
    for case in cases().await {
        let store = &case.store;
        open(&case).await;
        let paid = pay(store, command(1, 50, 2_000, "A")).await.unwrap().payment;
        assert_eq!(balance(store, account(1)).await, "8000/0");
        assert_eq!(balance(store, clearing(HOME)).await, "2000/0");
        assert_eq!(store.find(paid.id).await.unwrap().as_ref(), Some(&paid));
        let code = id(CodeId::new, HOME, 50);
        let unknown = id(CodeId::new, HOME, 51);
        let found = store.find_by_codes(vec![unknown, code]).await.unwrap();
        assert_eq!(found, [None, Some(paid.clone())]);
        assert_eq!(
            store.find_by_order(merchant(), "A").await.unwrap().as_ref(),
            Some(&paid)
        );
        assert_eq!(store.find_by_order(merchant(), "B").await.unwrap(), None);
        let page = Page::default();
        let listed = store.list_of_person(person(1), bucket(HOME), &page).await.unwrap();
        assert_eq!(listed, std::slice::from_ref(&paid));
        let transfers = store.list_transfers(account(1), &page).await.unwrap();
        let names: Vec<_> = transfers.iter().map(|transfer| transfer.kind.name()).collect();
        assert_eq!(names, ["payment", "top_up"]);
        let next = Page {
            after: Some(transfers[0].id.stored()),
            limit: 1,
        };
        assert_eq!(store.list_transfers(account(1), &next).await.unwrap(), transfers[1..]);
        assert_eq!(breaches(store).await, [""; 0]);
    }
}

#[tokio::test]
async fn every_answer_of_a_batch_is_that_of_one_after_the_other() {
    for case in cases().await {
        let store = &case.store;
        open(&case).await;
        pay(store, command(2, 40, 1_000, "before")).await.unwrap();
        let revoked = PayCommand {
            key: key(7),
            ..command(1, 56, 100, "H")
        };
        let unknown = PayCommand {
            permit: None,
            ..command(1, 0, 100, "U")
        };
        let batch = vec![
            command(1, 50, 2_000, "A"),
            command(1, 50, 2_000, "A"),
            command(1, 50, 2_000, "B"),
            command(1, 51, 3_500, "C"),
            command(1, 52, 2_500, "C"),
            command(1, 53, 600, "D"),
            command(2, 54, 600, "before"),
            command(2, 41, 500, "E"),
            revoked,
            unknown,
        ];
        let answers = store.pay(batch.clone(), GuardLimits::default()).await.unwrap();
        let verdicts: Vec<String> = answers.iter().map(verdict).collect();
        let limit = "refused: the payment breaks a rule of the payer's scenario";
        let expected = [
            "paid",
            "paid again",
            "used",
            limit,
            "the idempotency key was used for another request",
            limit,
            "the idempotency key was used for another request",
            "paid",
            "the terminal's key was revoked",
            "there is no such code",
        ];
        assert_eq!(verdicts[..5], expected[..5]);
        assert_eq!(verdicts[6..], expected[6..]);
        // A repeat of the whole batch changes nothing.
        let balances = (balance(store, account(1)).await, balance(store, account(2)).await);
        let again = batch.into_iter().map(redrawn).collect();
        let again = store.pay(again, GuardLimits::default()).await.unwrap();
        assert!(verdict(&again[0]) == "paid again" && verdict(&again[3]).starts_with("refused again"));
        assert_eq!(
            (balance(store, account(1)).await, balance(store, account(2)).await),
            balances
        );
        assert_eq!(store.list_alarms(&Page::default()).await.unwrap().len(), 2);
        let listed = store
            .list_of_person(person(1), bucket(HOME), &Page::default())
            .await
            .unwrap();
        assert!(
            listed
                .iter()
                .any(|payment| matches!(payment.state, PaymentState::Refused { .. }))
        );
        assert_eq!(breaches(store).await, [""; 0]);
    }
}

/// The same request once more: its ids are drawn anew.
fn redrawn(command: PayCommand) -> PayCommand {
    let fresh = hold(1, 0, 1, "");
    PayCommand {
        payment: fresh.payment,
        transfer: fresh.transfer,
        event: fresh.event,
        ..command
    }
}

#[tokio::test]
async fn of_two_tills_with_one_code_exactly_one_wins() {
    for case in cases().await {
        open(&case).await;
        let stores = two_servers(&case.store, &case.database.config).await;
        for round in 0..8 {
            let attempts = (0..6).map(|till| {
                let store = stores[till % 2].clone();
                let one = command(1, 100 + round, 10, &format!("{round}-{till}"));
                tokio::spawn(async move { verdict(&pay(&store, one).await) })
            });
            let mut verdicts = Vec::new();
            for attempt in attempts.collect::<Vec<_>>() {
                verdicts.push(attempt.await.unwrap());
            }
            verdicts.sort();
            assert_eq!(verdicts, ["paid", "used", "used", "used", "used", "used"]);
        }
        assert_eq!(balance(&case.store, account(1)).await, "9920/0");
        assert_eq!(breaches(&case.store).await, [""; 0]);
    }
}

/// Another handle on the same PostgreSQL database; SQLite belongs to one program, so both are the same there.
async fn two_servers(store: &Store, config: &onescan_store::config::DbConfig) -> [Store; 2] {
    match config {
        onescan_store::config::DbConfig::Sqlite(_) => [store.clone(), store.clone()],
        onescan_store::config::DbConfig::Postgres(_) => [store.clone(), Store::new(Db::open(config).await.unwrap())],
    }
}

#[tokio::test]
async fn two_people_and_one_order_number_give_one_payment() {
    for case in cases().await {
        open(&case).await;
        let stores = two_servers(&case.store, &case.database.config).await;
        for round in 0..8 {
            let attempts = [1, 2].map(|person| {
                let store = stores[person as usize - 1].clone();
                let mut one = command(person, 100 * person + round, 10, &format!("order-{round}"));
                one.idempotency_key = format!("{person}-{round}");
                tokio::spawn(async move { verdict(&pay(&store, one).await) })
            });
            let mut verdicts = Vec::new();
            for attempt in attempts {
                verdicts.push(attempt.await.unwrap());
            }
            verdicts.sort();
            assert_eq!(
                verdicts,
                ["paid", "the order number names another payment"]
                    .map(str::to_owned)
                    .as_slice()
            );
        }
        assert_eq!(breaches(&case.store).await, [""; 0]);
    }
}

#[tokio::test]
async fn limits_hold_when_many_pay_at_once() {
    for case in cases().await {
        open(&case).await;
        let stores = two_servers(&case.store, &case.database.config).await;
        let attempts = (0..12).map(|number| {
            let store = stores[number % 2].clone();
            let one = command(1, 200 + number as i64, 1_000, &format!("L{number}"));
            tokio::spawn(async move { verdict(&pay(&store, one).await) })
        });
        let mut paid = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            paid += i32::from(attempt.await.unwrap() == "paid");
        }
        assert_eq!(paid, 5, "5,000 a day allow five payments of 1,000");
        assert_eq!(balance(&case.store, account(1)).await, "5000/0");
        let usage = UsageKey {
            record: onescan_domain::codes::CodeRecordId::from_stored("record1"),
            scenario: id(onescan_domain::ids::ScenarioId::new, HOME, 1),
            person: person(1),
            own: Some(account(1)),
        };
        let rows = case.store.load_usage(vec![usage], bucket(HOME)).await.unwrap();
        let used = rows[0].unwrap().used;
        assert_eq!((used.day_minor, used.day_count), (5_000, 5));
        assert_eq!(breaches(&case.store).await, [""; 0]);
    }
}

#[tokio::test]
async fn refunds_add_up_to_the_payment_and_no_further() {
    for case in cases().await {
        let store = &case.store;
        open(&case).await;
        let paid = pay(store, command(1, 50, 2_000, "A")).await.unwrap().payment.id;
        let first = change(paid, "r1", refund("R1", 1_500));
        let done = apply(store, first.clone()).await.unwrap();
        assert_eq!((done.payment.refunded_minor, done.replayed), (1_500, false));
        let again = apply(store, first).await.unwrap();
        assert_eq!((again.refund, again.replayed), (done.refund.clone(), true));
        let same_number = apply(store, change(paid, "r2", refund("R1", 1_500))).await.unwrap();
        assert_eq!((same_number.refund, same_number.replayed), (done.refund, true));
        let say = async |key: &str, what: Change| apply(store, change(paid, key, what)).await.unwrap_err().to_string();
        assert_eq!(
            say("r3", refund("R1", 400)).await,
            "the refund number names another refund of this payment"
        );
        assert_eq!(
            say("r1", refund("R9", 1)).await,
            "the idempotency key was used for another request"
        );
        assert_eq!(say("r4", refund("R4", 501)).await, "only 5.00 EUR can still be moved");
        assert_eq!(say("r5", Change::Reverse).await, "the payment is refunded");
        assert_eq!(say("r6", Change::Void).await, "the payment is paid");
        let mut foreign = change(paid, "r7", refund("R7", 1));
        foreign.request.merchant = id(onescan_domain::ids::MerchantId::new, MARKET, 2);
        assert_eq!(
            apply(store, foreign).await.unwrap_err().to_string(),
            "there is no such payment"
        );
        apply(store, change(paid, "r8", refund("R8", 500))).await.unwrap();
        assert_eq!(balance(store, account(1)).await, "10000/0");
        assert_eq!(store.list_refunds(paid).await.unwrap().len(), 2);
        settle(store).await;
        assert_eq!(balance(store, merchant_account()).await, "0/0");
        assert_eq!(breaches(store).await, [""; 0]);
    }
}

#[tokio::test]
async fn refunds_at_once_do_not_exceed_the_payment() {
    for case in cases().await {
        open(&case).await;
        let stores = two_servers(&case.store, &case.database.config).await;
        let paid = pay(&case.store, command(1, 50, 1_000, "A")).await.unwrap().payment.id;
        let attempts = (0..8).map(|number| {
            let store = stores[number % 2].clone();
            let one = change(paid, &format!("k{number}"), refund(&format!("N{number}"), 300));
            tokio::spawn(async move { apply(&store, one).await.is_ok() })
        });
        let mut refunded = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            refunded += i32::from(attempt.await.unwrap());
        }
        assert_eq!(refunded, 3);
        assert_eq!(balance(&case.store, account(1)).await, "9900/0");
        assert_eq!(breaches(&case.store).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_reversal_gives_back_money_limits_and_order_number() {
    for case in cases().await {
        let store = &case.store;
        open(&case).await;
        let paid = pay(store, command(1, 50, 3_000, "A")).await.unwrap().payment.id;
        settle(store).await;
        assert_eq!(balance(store, merchant_account()).await, "3000/0");
        let reverse = change(paid, "undo", Change::Reverse);
        let changed = apply(store, reverse.clone()).await.unwrap();
        assert_eq!(changed.payment.state.name(), "reversed");
        assert!(apply(store, reverse).await.unwrap().replayed);
        assert_eq!(balance(store, account(1)).await, "10000/0");
        let mut again = command(1, 51, 3_000, "A");
        again.idempotency_key = "second".to_owned();
        again.fingerprint = "second".to_owned();
        assert_eq!(verdict(&pay(store, again).await), "paid");
        assert_eq!(verdict(&pay(store, command(1, 50, 1, "B")).await), "used");
        settle(store).await;
        assert_eq!(balance(store, merchant_account()).await, "3000/0");
        assert_eq!(breaches(store).await, [""; 0]);
    }
}

#[tokio::test]
async fn held_money_is_captured_in_part_voided_or_expires() {
    for case in cases().await {
        let store = &case.store;
        open(&case).await;
        let held = pay(store, hold(1, 50, 2_000, "A")).await.unwrap().payment.id;
        let voided = pay(store, hold(1, 51, 1_000, "B")).await.unwrap().payment.id;
        let expiring = pay(store, hold(1, 52, 500, "C")).await.unwrap().payment.id;
        let undone = pay(store, hold(1, 53, 250, "D")).await.unwrap().payment.id;
        assert_eq!(balance(store, account(1)).await, "10000/3750");
        let too_much = apply(store, change(held, "c0", Change::Capture { amount: eur(2_001) })).await;
        assert_eq!(too_much.unwrap_err().to_string(), "only 20.00 EUR can still be moved");
        let captured = apply(store, change(held, "c1", Change::Capture { amount: eur(1_200) }))
            .await
            .unwrap();
        assert_eq!(
            (captured.payment.state.name(), captured.payment.amount),
            ("paid", eur(1_200))
        );
        apply(store, change(voided, "c2", Change::Void)).await.unwrap();
        apply(store, change(undone, "c3", Change::Reverse)).await.unwrap();
        assert_eq!(store.expire_holds(NOW + 59_999, 100).await.unwrap(), 0);
        assert_eq!(store.expire_holds(NOW + 60_000, 100).await.unwrap(), 1);
        assert_eq!(store.expire_holds(NOW + 60_000, 100).await.unwrap(), 0);
        let late = apply(store, change(expiring, "c4", Change::Capture { amount: eur(1) })).await;
        assert_eq!(late.unwrap_err().to_string(), "the payment is expired");
        assert_eq!(balance(store, account(1)).await, "8800/0");
        assert_eq!(settle(store).await, 1);
        assert_eq!(balance(store, merchant_account()).await, "1200/0");
        let kinds = store.list_transfers(account(1), &Page::default()).await.unwrap();
        assert_eq!(kinds.len(), 9, "four holds, their ends, the top-up");
        assert_eq!(breaches(store).await, [""; 0]);
    }
}

#[tokio::test]
async fn an_asserted_payment_kills_the_code_without_moving_money() {
    for case in cases().await {
        let store = &case.store;
        open(&case).await;
        let mut paid = pay(store, command(1, 50, 10, "A")).await.unwrap().payment;
        let used = assertion(&mut paid.clone(), 50, "first");
        assert_eq!(verdict(&store.assert_paid(used).await.unwrap()), "used");
        let asserted = assertion(&mut paid, 60, "second");
        assert_eq!(
            verdict(&store.assert_paid(asserted.clone()).await.unwrap()),
            "paid_elsewhere"
        );
        assert_eq!(
            verdict(&store.assert_paid(asserted.clone()).await.unwrap()),
            "paid_elsewhere again"
        );
        let mut other = asserted.clone();
        other.fingerprint = "other".to_owned();
        let conflict = store.assert_paid(other).await.unwrap();
        assert_eq!(verdict(&conflict), "the idempotency key was used for another request");
        let mut revoked = asserted;
        revoked.key = key(9);
        assert_eq!(
            verdict(&store.assert_paid(revoked).await.unwrap()),
            "the terminal's key was revoked"
        );
        assert_eq!(verdict(&pay(store, command(1, 60, 10, "B")).await), "used");
        assert_eq!(balance(store, account(1)).await, "9990/0");
        assert_eq!(breaches(store).await, [""; 0]);
    }
}

/// `payment`: made into one that was paid in cash, with code `code`.
fn assertion(payment: &mut onescan_domain::payments::Payment, code: i64, name: &str) -> AssertCommand {
    payment.id = id(PaymentId::new, HOME, 7_000_000 + code);
    payment.code = Some(id(CodeId::new, HOME, code));
    payment.state = PaymentState::PaidElsewhere {
        at: NOW,
        means: "cash".to_owned(),
        reference: None,
    };
    AssertCommand {
        payment: payment.clone(),
        key: key(1),
        idempotency_key: name.to_owned(),
        fingerprint: name.to_owned(),
    }
}

#[tokio::test]
async fn a_guessing_terminal_is_locked() {
    for case in cases().await {
        let store = &case.store;
        open(&case).await;
        for number in 0..5 {
            let unknown = PayCommand {
                permit: None,
                ..command(1, 0, 10, &format!("G{number}"))
            };
            assert_eq!(verdict(&pay(store, unknown).await), "there is no such code");
        }
        let locked = pay(store, command(1, 50, 10, "A")).await;
        assert_eq!(verdict(&locked), "the terminal is stopped after too many invalid codes");
        let alarms = store.list_alarms(&Page::default()).await.unwrap();
        assert_eq!(alarms.len(), 1);
        assert_eq!(
            store
                .list_alarms_of_person(person(1), bucket(HOME), &Page::default())
                .await
                .unwrap(),
            []
        );
    }
}

#[tokio::test]
async fn sales_are_listed_and_summed() {
    for case in cases().await {
        let store = &case.store;
        open(&case).await;
        let mut ids = Vec::new();
        for (code, minor) in [(50, 1_000), (51, 500), (52, 250)] {
            ids.push(
                pay(store, command(1, code, minor, &format!("S{code}")))
                    .await
                    .unwrap()
                    .payment
                    .id,
            );
        }
        apply(store, change(ids[0], "k1", refund("R1", 400))).await.unwrap();
        apply(store, change(ids[2], "k2", Change::Reverse)).await.unwrap();
        assert_eq!(settle(store).await, 5);
        let filter = SalesFilter {
            merchant: merchant(),
            terminal: None,
            from: NOW,
            until: NOW + 1,
        };
        let sales = store.list_sales(&filter, &Page::default()).await.unwrap();
        let listed: Vec<_> = sales
            .iter()
            .map(|sale| (sale.amount.minor, sale.refunded_minor, sale.reversed))
            .collect();
        assert_eq!(listed, [(250, 0, true), (500, 0, false), (1_000, 400, false)]);
        let totals = store.sum_sales(&filter).await.unwrap();
        assert_eq!(
            (totals[0].count, totals[0].amount_minor, totals[0].refunded_minor),
            (2, 1_500, 400)
        );
        let other_till = SalesFilter {
            terminal: Some(id(onescan_domain::ids::TerminalId::new, MARKET, 2)),
            ..filter
        };
        assert_eq!(store.list_sales(&other_till, &Page::default()).await.unwrap(), []);
        assert_eq!(breaches(store).await, [""; 0]);
    }
}
