use onescan_domain::ids::{AccountId, KeyId, MerchantId, StoreId, TerminalId};
use onescan_domain::merchants::{GuardLimits, Merchant, Store, Terminal, TerminalGuard, TerminalRole, TerminalTrust};
use onescan_domain::money::Currency;
use onescan_platforms::access::{AccessStore, Key, KeyHolder};
use onescan_platforms::error::PlatformError;
use onescan_platforms::merchants::MerchantStore;

use crate::support::{cases, empty_account, id};

const HOME: u16 = 40;

fn merchant(in_bucket: u16, number: i64) -> Merchant {
    Merchant {
        id: id(MerchantId::new, in_bucket, number),
        name: format!("兰州拉面 & Söhne {number}"),
        category: 5812,
        currency: Currency::CNY,
        account: id(AccountId::new, in_bucket, number),
        created_at: 1_790_000_000_000 + number,
    }
}

fn store(number: i64, merchant: MerchantId, category: Option<u16>) -> Store {
    Store {
        id: id(StoreId::new, merchant.bucket().number(), number),
        merchant,
        name: format!("店 {number}"),
        category,
        city: "上海".to_owned(),
    }
}

fn terminal(number: i64, store: &Store) -> Terminal {
    Terminal {
        id: id(TerminalId::new, store.id.bucket().number(), number),
        merchant: store.merchant,
        store: store.id,
        name: format!("Till {number}"),
        role: TerminalRole::Cashier,
        trust: TerminalTrust::Limited,
        may_assert_paid: false,
        created_at: 1_790_000_000_000 + number,
    }
}

#[tokio::test]
async fn merchants_are_found_and_listed_from_old_to_young() {
    for case in cases().await {
        let merchants: &dyn MerchantStore = &case.store;
        let all = [merchant(4095, 1), merchant(HOME, 2), merchant(0, 3)];
        for one in all.iter().rev() {
            merchants.insert(one).await.unwrap();
        }
        assert_eq!(merchants.find(all[1].id).await.unwrap().as_ref(), Some(&all[1]));
        assert_eq!(merchants.find(id(MerchantId::new, HOME, 1)).await.unwrap(), None);
        assert_eq!(merchants.list(None, 2).await.unwrap(), all[..2]);
        assert_eq!(merchants.list(Some(all[1].id), 2).await.unwrap(), all[2..]);
        let account = empty_account(&case, all[1].account).await.unwrap();
        assert_eq!(account, ["merchant", &all[1].id.stored(), &all[1].name, "CNY"]);
    }
}

#[tokio::test]
async fn stores_and_terminals_belong_to_their_merchant() {
    for case in cases().await {
        let merchants: &dyn MerchantStore = &case.store;
        let (ours, other) = (merchant(HOME, 1), merchant(HOME, 2));
        merchants.insert(&ours).await.unwrap();
        merchants.insert(&other).await.unwrap();
        let stores = [store(1, ours.id, None), store(2, ours.id, Some(4111))];
        let foreign = store(3, other.id, None);
        for one in stores.iter().rev().chain([&foreign]) {
            merchants.insert_store(one).await.unwrap();
        }
        assert_eq!(merchants.list_stores(ours.id).await.unwrap(), stores);
        assert_eq!(
            merchants.list_stores(other.id).await.unwrap(),
            std::slice::from_ref(&foreign)
        );
        assert_eq!(
            merchants.find_store(stores[1].id).await.unwrap().as_ref(),
            Some(&stores[1])
        );
        assert_eq!(merchants.find_store(id(StoreId::new, 41, 1)).await.unwrap(), None);

        let till = terminal(1, &stores[0]);
        let rescan = Terminal {
            role: TerminalRole::Invoice,
            trust: TerminalTrust::Full,
            may_assert_paid: true,
            ..terminal(2, &stores[1])
        };
        merchants.insert_terminal(&rescan).await.unwrap();
        merchants.insert_terminal(&till).await.unwrap();
        assert_eq!(
            merchants.list_terminals(ours.id).await.unwrap(),
            [till.clone(), rescan.clone()]
        );
        assert_eq!(merchants.list_terminals(other.id).await.unwrap(), []);
        assert_eq!(
            merchants.find_terminal(rescan.id).await.unwrap().as_ref(),
            Some(&rescan)
        );
        assert_eq!(merchants.find_terminal(id(TerminalId::new, 41, 2)).await.unwrap(), None);

        for (terminal, store) in [(till, &stores[0]), (rescan, &stores[1])] {
            let loaded = merchants.load_terminal(terminal.id).await.unwrap();
            assert_eq!(loaded, Some((terminal, ours.clone(), store.clone())));
        }
        assert_eq!(
            merchants.load_terminal(id(TerminalId::new, HOME, 9)).await.unwrap(),
            None
        );
    }
}

#[tokio::test]
async fn a_terminal_of_a_store_that_is_not_there_is_refused() {
    for case in cases().await {
        let merchants: &dyn MerchantStore = &case.store;
        let ours = merchant(HOME, 1);
        merchants.insert(&ours).await.unwrap();
        let stray = terminal(1, &store(1, ours.id, None));
        let refused = merchants.insert_terminal(&stray).await;
        assert!(matches!(refused, Err(PlatformError::Internal(_))), "{refused:?}");
        assert_eq!(merchants.find_terminal(stray.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_guard_starts_empty_and_counts_what_comes_at_once() {
    for case in cases().await {
        let merchants: &dyn MerchantStore = &case.store;
        let (till, other) = (id(TerminalId::new, HOME, 1), id(TerminalId::new, HOME, 2));
        assert_eq!(merchants.find_guard(till).await.unwrap(), TerminalGuard::default());
        let limits = GuardLimits::default();
        let (now, mut noting) = (1_790_000_000_000, tokio::task::JoinSet::new());
        for _ in 0..4 {
            let store = case.store.clone();
            noting.spawn(async move { store.note_invalid(till, now, limits).await.unwrap() });
        }
        noting.join_all().await;
        let four = merchants.find_guard(till).await.unwrap();
        assert_eq!((four.streak, four.hour_count, four.locked(now)), (4, 4, false));
        assert!(merchants.note_invalid(till, now, limits).await.unwrap().locked(now));
        assert_eq!(
            merchants.find_guard(till).await.unwrap().locked_until,
            now + limits.lock_ms
        );
        assert_eq!(merchants.find_guard(other).await.unwrap(), TerminalGuard::default());
    }
}

#[tokio::test]
async fn only_keys_in_force_of_this_terminal_are_listed() {
    for case in cases().await {
        let till = id(TerminalId::new, HOME, 1);
        let other = id(TerminalId::new, HOME, 2);
        for (number, terminal) in [(1, till), (2, till), (3, other), (4, till)] {
            let key = Key {
                id: id(KeyId::new, HOME, number),
                holder: KeyHolder::Terminal(terminal),
                name: "till".to_owned(),
                secret_hash: "hash".to_owned(),
                created_at: 1,
                revoked_at: None,
            };
            case.store.insert_key(&key).await.unwrap();
        }
        case.store.revoke_key(id(KeyId::new, HOME, 2), 5).await.unwrap();
        let listed = MerchantStore::list_keys(&case.store, till).await.unwrap();
        assert_eq!(listed, [id(KeyId::new, HOME, 1), id(KeyId::new, HOME, 4)]);
    }
}
