//! Moves of money, the merchants' side, and the audit that finds what was tampered with.

use onescan_domain::ids::{AccountId, TransferId};
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::ledger::{AccountKind, Transfer, TransferKind, house_account};
use onescan_platforms::payments::{Change, NewAccount, Page, PaymentStore};
use onescan_store::statement::Statement;
use onescan_store::{params, statements};

use crate::shop::{
    HOME, MARKET, NOW, account, apply, asked, balance, breaches, change, clearing, command, eur, hold,
    merchant_account, open, pay, refund, settle, top_up,
};
use crate::support::{Case, bucket, cases, id, taken};

#[tokio::test]
async fn money_moves_once_between_accounts_of_one_bucket() {
    for case in cases().await {
        let store = &case.store;
        open(&case).await;
        let allot = |minor: i64| Transfer {
            kind: TransferKind::Allotment,
            debit: account(1),
            ..top_up(2, minor)
        };
        let first = allot(400);
        let moved = store
            .move_money(first.clone(), asked("admin", "k1"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(moved, first);
        let again = store
            .move_money(allot(400), asked("admin", "k1"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(again, first, "a repeat answers with the first transfer");
        assert_eq!(
            (balance(store, account(1)).await, balance(store, account(2)).await),
            ("9600/0".into(), "10400/0".into())
        );
        let say = async |transfer: Transfer, key: &str| {
            let moved = store.move_money(transfer, asked("admin", key)).await.unwrap();
            moved.unwrap_err().to_string()
        };
        let mut other = asked("admin", "k1");
        other.fingerprint = "other".to_owned();
        let conflict = store.move_money(allot(1), other).await.unwrap().unwrap_err();
        assert_eq!(conflict.to_string(), "the idempotency key was used for another request");
        let unknown = Transfer {
            credit: account(77),
            ..allot(1)
        };
        assert_eq!(say(unknown, "k2").await, "there is no such account");
        let apart = Transfer {
            credit: merchant_account(),
            ..allot(1)
        };
        assert_eq!(say(apart, "k3").await, "the accounts lie in different institutions");
        let foreign = Transfer {
            amount: Money::new(1, Currency::CNY),
            ..allot(1)
        };
        assert_eq!(
            say(foreign, "k4").await,
            "the account is kept in EUR, the amount in CNY"
        );
        assert_eq!(
            say(allot(9_601), "k5").await,
            "the account holds too little: 96.00 EUR can be moved"
        );
        let bank = house_account(AccountKind::Bank, bucket(HOME), Currency::EUR);
        assert_eq!(balance(store, bank).await, "-20000/0");
        let of_bank = store.list_transfers(bank, &Page::default()).await.unwrap();
        assert_eq!(of_bank.len(), 2);
        assert_eq!(
            store.list_transfers(account(2), &Page::default()).await.unwrap().len(),
            2
        );
        assert_eq!(breaches(store).await, [""; 0]);
    }
}

#[tokio::test]
async fn an_account_is_opened_once() {
    for case in cases().await {
        open(&case).await;
        let again = NewAccount {
            id: account(1),
            kind: AccountKind::Person,
            owner: String::new(),
            name: String::new(),
            currency: Currency::EUR,
        };
        assert_eq!(taken(case.store.insert_account(&again, NOW).await), "accounts_pkey");
        assert_eq!(balance(&case.store, id(AccountId::new, HOME, 99)).await, "none");
    }
}

#[tokio::test]
async fn nobody_spends_the_same_money_twice_at_once() {
    for case in cases().await {
        open(&case).await;
        let attempts = (0..8).map(|number| {
            let store = case.store.clone();
            let wanted = Transfer {
                kind: TransferKind::Allotment,
                debit: account(1),
                ..top_up(2, 3_000)
            };
            let key = asked("admin", &format!("k{number}"));
            tokio::spawn(async move { store.move_money(wanted, key).await.unwrap().is_ok() })
        });
        let mut moved = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            moved += i32::from(attempt.await.unwrap());
        }
        assert_eq!(moved, 3);
        assert_eq!(balance(&case.store, account(1)).await, "1000/0");
        assert_eq!(breaches(&case.store).await, [""; 0]);
    }
}

statements! {
    REPEAT_EVENTS = "insert into outbox (bucket, id, kind, subject_id, attempts, next_at, created_at)
        select :bucket, t.id, 'payment_paid', t.payment_id, 0, 0, t.created_at from transfers t
        where t.bucket = :bucket and t.kind = 'payment'";
}

#[tokio::test]
async fn the_merchants_side_is_posted_once_whatever_is_repeated() {
    for case in cases().await {
        let store = &case.store;
        open(&case).await;
        for code in 0..25 {
            pay(store, command(1 + code % 2, 50 + code, 100, &format!("A{code}")))
                .await
                .unwrap();
        }
        assert_eq!(store.outbox_state(NOW + 5_000).await.unwrap(), (25, 5_000));
        assert_eq!(breaches(store).await, [""; 0], "what the outbox owes explains clearing");
        assert_eq!(settle(store).await, 25);
        assert_eq!(balance(store, merchant_account()).await, "2500/0");
        tamper(&case, &REPEAT_EVENTS, params![HOME]).await;
        assert_eq!(settle(store).await, 25);
        assert_eq!(balance(store, merchant_account()).await, "2500/0");
        assert_eq!(balance(store, clearing(HOME)).await, "2500/0");
        assert_eq!(balance(store, clearing(MARKET)).await, "-2500/0");
        assert_eq!(store.outbox_state(NOW).await.unwrap(), (0, 0));
        assert_eq!(breaches(store).await, [""; 0]);
    }
}

#[tokio::test]
async fn several_workers_share_the_merchants_side() {
    for case in cases().await {
        let store = &case.store;
        open(&case).await;
        for code in 0..30 {
            pay(store, command(1 + code % 2, 50 + code, 100, &format!("A{code}")))
                .await
                .unwrap();
        }
        let workers = (0..3).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { settle(&store).await })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
        settle(store).await;
        assert_eq!(balance(store, merchant_account()).await, "3000/0");
        assert_eq!(breaches(store).await, [""; 0]);
    }
}

async fn tamper(case: &Case, statement: &'static Statement, parameters: Vec<onescan_store::sql::Value>) {
    let tampered: Result<u64, onescan_store::error::DbError> = case
        .database
        .db
        .write_with(parameters, move |tx, parameters| {
            Box::pin(tx.execute(statement, parameters.clone()))
        })
        .await;
    assert!(tampered.unwrap() > 0, "{} changes something", statement.name());
}

mod tampering {
    onescan_store::statements! {
        pub BALANCE = "update accounts set posted_minor = posted_minor + 1 where bucket = :bucket and kind = 'person'";
        pub HELD = "update accounts set held_minor = held_minor + 1 where bucket = :bucket and kind = 'person'";
        pub PAYMENT = "update payments set amount_minor = amount_minor + 1 where bucket = :bucket and state = 'paid'";
        pub REFUND = "update payments set refunded_minor = refunded_minor + 1
            where bucket = :bucket and state = 'paid' and refunded_minor > 0";
        pub RESOLVED = "update payments set state = 'voided', hold_until = null
            where bucket = :bucket and state = 'authorised'";
        pub UNPAID = "update payments set state = 'voided' where bucket = :bucket and state = 'paid'";
        pub COUNTER = "update accounts set counters = replace(counters, ' ', ' -') where bucket = :bucket";
        pub SALE = "delete from sales where bucket = :bucket";
        pub SALE_REFUND = "update sales set refunded_minor = refunded_minor + 1 where bucket = :bucket";
        pub CURRENCY = "update transfers set currency = 'CNY' where bucket = :bucket and kind = 'top_up'";
        pub REFUNDS = "update refunds set amount_minor = amount_minor - 1 where bucket = :bucket";
    }
}

#[tokio::test]
async fn the_audit_names_what_was_tampered_with() {
    let cases_of_tampering: [(&'static Statement, u16, &[&str]); 11] = [
        (&tampering::BALANCE, HOME, &["balances", "double_entry"]),
        (&tampering::HELD, HOME, &["holds"]),
        (&tampering::PAYMENT, HOME, &["paid"]),
        (&tampering::REFUND, HOME, &["refunds"]),
        (&tampering::RESOLVED, HOME, &["open_holds"]),
        (&tampering::UNPAID, HOME, &["unpaid"]),
        (&tampering::COUNTER, HOME, &["counters"]),
        (&tampering::SALE, MARKET, &["sales"]),
        (&tampering::SALE_REFUND, MARKET, &["sale_transfers"]),
        (&tampering::CURRENCY, HOME, &["transfer_accounts"]),
        (&tampering::REFUNDS, HOME, &["refunds", "refund_transfers"]),
    ];
    for (statement, in_bucket, expected) in cases_of_tampering {
        for case in cases().await {
            let store = &case.store;
            open(&case).await;
            let paid = pay(store, command(1, 50, 1_000, "A")).await.unwrap().payment.id;
            pay(store, hold(1, 51, 500, "B")).await.unwrap();
            apply(store, change(paid, "r", refund("R", 300))).await.unwrap();
            let undone = pay(store, command(2, 52, 700, "C")).await.unwrap().payment.id;
            apply(store, change(undone, "u", Change::Reverse)).await.unwrap();
            settle(store).await;
            assert_eq!(breaches(store).await, [""; 0]);
            tamper(&case, statement, params![in_bucket]).await;
            let found = breaches(store).await;
            assert_eq!(found, expected, "after {}", statement.name());
        }
    }
}

#[tokio::test]
async fn a_transfer_id_is_used_once() {
    for case in cases().await {
        open(&case).await;
        let transfer = top_up(1, 5);
        let again = Transfer {
            amount: eur(6),
            id: TransferId::new(transfer.id.raw()),
            ..top_up(1, 6)
        };
        case.store.move_money(transfer, asked("a", "1")).await.unwrap().unwrap();
        assert_eq!(
            taken(case.store.move_money(again, asked("a", "2")).await),
            "transfers_pkey"
        );
        assert_eq!(balance(&case.store, account(1)).await, "10005/0");
    }
}
