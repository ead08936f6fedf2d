use onescan_domain::ids::{InstitutionId, KeyId, MerchantId, PersonId, SessionId, TerminalId};
use onescan_platforms::access::{AccessStore, Key, KeyHolder, Session, SessionHolder};

use crate::support::{cases, id, taken};

fn key(in_bucket: u16, number: i64, holder: KeyHolder) -> Key {
    Key {
        id: id(KeyId::new, in_bucket, number),
        holder,
        name: format!("收银台 {number}"),
        secret_hash: format!("hash {number}"),
        created_at: 100 + number,
        revoked_at: None,
    }
}

fn session(number: i64, holder: SessionHolder, expires_at: i64) -> Session {
    Session {
        id: id(SessionId::new, 7, number),
        holder,
        secret_hash: format!("hash {number}"),
        agent: "Mozilla/5.0 (测试)".to_owned(),
        created_at: 100,
        expires_at,
    }
}

#[tokio::test]
async fn keys_come_back_with_their_holder() {
    for case in cases().await {
        let access: &dyn AccessStore = &case.store;
        let keys = [
            key(3, 1, KeyHolder::Terminal(id(TerminalId::new, 3, 1))),
            key(3, 2, KeyHolder::Institution(id(InstitutionId::new, 3, 1))),
            key(3, 3, KeyHolder::Merchant(id(MerchantId::new, 3, 1))),
            key(5, 4, KeyHolder::Operator),
        ];
        for one in &keys {
            access.insert_key(one).await.unwrap();
        }
        for one in &keys {
            assert_eq!(access.find_key(one.id).await.unwrap().as_ref(), Some(one));
            assert_eq!(access.list_keys(one.holder).await.unwrap(), std::slice::from_ref(one));
        }
        assert_eq!(access.find_key(id(KeyId::new, 4, 1)).await.unwrap(), None);
        let foreign = KeyHolder::Terminal(id(TerminalId::new, 4, 1));
        assert_eq!(access.list_keys(foreign).await.unwrap(), []);
        assert_eq!(taken(access.insert_key(&keys[0]).await), "access_keys_pkey");
    }
}

#[tokio::test]
async fn an_operators_keys_are_listed_from_every_bucket() {
    for case in cases().await {
        let access: &dyn AccessStore = &case.store;
        let keys = [key(4095, 1, KeyHolder::Operator), key(0, 2, KeyHolder::Operator)];
        for one in keys.iter().rev() {
            access.insert_key(one).await.unwrap();
        }
        assert_eq!(access.list_keys(KeyHolder::Operator).await.unwrap(), keys);
    }
}

#[tokio::test]
async fn a_key_is_revoked_once_and_stays_listed() {
    for case in cases().await {
        let access: &dyn AccessStore = &case.store;
        let holder = KeyHolder::Merchant(id(MerchantId::new, 3, 1));
        let (first, second) = (key(3, 1, holder), key(3, 2, holder));
        access.insert_key(&first).await.unwrap();
        access.insert_key(&second).await.unwrap();
        assert!(access.revoke_key(first.id, 500).await.unwrap());
        assert!(access.revoke_key(first.id, 600).await.unwrap());
        assert!(!access.revoke_key(id(KeyId::new, 3, 9), 600).await.unwrap());
        let revoked = Key {
            revoked_at: Some(500),
            ..first
        };
        assert_eq!(access.find_key(revoked.id).await.unwrap().as_ref(), Some(&revoked));
        assert_eq!(access.list_keys(holder).await.unwrap(), [revoked, second]);
    }
}

#[tokio::test]
async fn sessions_are_found_listed_and_deleted() {
    for case in cases().await {
        let access: &dyn AccessStore = &case.store;
        let person = id(PersonId::new, 7, 1);
        let till = SessionHolder::Terminal {
            key: id(KeyId::new, 7, 1),
            terminal: id(TerminalId::new, 7, 1),
        };
        let sessions = [
            session(1, SessionHolder::Person(person), 900),
            session(2, till, 900),
            session(3, SessionHolder::Person(person), 800),
            session(4, SessionHolder::Person(id(PersonId::new, 7, 2)), 900),
            session(
                5,
                SessionHolder::Merchant {
                    key: id(KeyId::new, 7, 2),
                },
                900,
            ),
        ];
        for one in sessions.iter().rev() {
            access.insert_session(one).await.unwrap();
        }
        for one in &sessions {
            assert_eq!(access.find_session(one.id).await.unwrap().as_ref(), Some(one));
        }
        assert_eq!(access.find_session(id(SessionId::new, 8, 1)).await.unwrap(), None);
        let [first, _, third, _, _] = sessions;
        let listed = access.list_sessions_of_person(person).await.unwrap();
        assert_eq!(listed, [first.clone(), third.clone()]);

        access.delete_session(first.id).await.unwrap();
        access.delete_session(first.id).await.unwrap();
        assert_eq!(access.find_session(first.id).await.unwrap(), None);
        assert_eq!(access.list_sessions_of_person(person).await.unwrap(), [third]);
    }
}

/// More of them than one commit takes.
#[tokio::test]
async fn ended_sessions_of_all_buckets_are_deleted() {
    for case in cases().await {
        let access: &dyn AccessStore = &case.store;
        let person = id(PersonId::new, 7, 1);
        for number in 1..=501 {
            let ended = Session {
                id: id(SessionId::new, (number % 50) as u16, number),
                ..session(number, SessionHolder::Person(person), 100 + number % 2)
            };
            access.insert_session(&ended).await.unwrap();
        }
        let lasting = session(2_000, SessionHolder::Person(person), 102);
        access.insert_session(&lasting).await.unwrap();
        assert_eq!(access.delete_expired_sessions(99).await.unwrap(), 0);
        assert_eq!(access.delete_expired_sessions(101).await.unwrap(), 501);
        assert_eq!(access.delete_expired_sessions(101).await.unwrap(), 0);
        assert_eq!(access.find_session(lasting.id).await.unwrap(), Some(lasting));
    }
}
