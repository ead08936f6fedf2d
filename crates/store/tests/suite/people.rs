use onescan_domain::identity::{IdentityId, IdentityKind};
use onescan_domain::ids::{AccountId, ConsentId, InstitutionId, MemberId, PersonId};
use onescan_domain::institutions::{Institution, Member, MemberRole, MemberState};
use onescan_domain::money::Currency;
use onescan_platforms::error::PlatformError;
use onescan_platforms::institutions::InstitutionStore;
use onescan_platforms::people::{Consent, ConsentPurpose, Membership, PeopleStore, Person};

use crate::support::{bucket, cases, empty_account, id, taken};

fn person(in_bucket: u16, number: i64) -> Person {
    Person {
        id: id(PersonId::new, in_bucket, number),
        login: format!("han.meimei{number}"),
        name: "韩梅梅".to_owned(),
        identity: IdentityId::new(IdentityKind::Credential, &format!("11010119900307{number:04}")).unwrap(),
        email: None,
        language: "zh".to_owned(),
        currency: Currency::CNY,
        time_zone: "Asia/Shanghai".to_owned(),
        account: id(AccountId::new, in_bucket, number),
        created_at: 1_790_000_000_000 + number,
    }
}

#[tokio::test]
async fn a_person_is_found_by_id_sign_in_name_and_identity() {
    for case in cases().await {
        let meimei = person(7, 1);
        let jürgen = Person {
            login: "jürgen@example".to_owned(),
            name: "Jürgen O'Brien \u{1F6B2}".to_owned(),
            email: Some("j@example.org".to_owned()),
            ..person(8, 2)
        };
        PeopleStore::insert(&case.store, &meimei, bucket(9), "hash 1")
            .await
            .unwrap();
        PeopleStore::insert(&case.store, &jürgen, bucket(9), "hash 2")
            .await
            .unwrap();

        let people: &dyn PeopleStore = &case.store;
        for (person, hash) in [(&meimei, "hash 1"), (&jürgen, "hash 2")] {
            assert_eq!(people.find(person.id).await.unwrap().as_ref(), Some(person));
            let signed_in = people.find_by_login(bucket(9), &person.login).await.unwrap();
            assert_eq!(signed_in, Some((person.id, hash.to_owned())));
            let found = people.find_by_identity(person.id.bucket(), &person.identity).await;
            assert_eq!(found.unwrap().as_ref(), Some(person));
        }
    }
}

#[tokio::test]
async fn an_empty_account_is_opened_with_the_person() {
    for case in cases().await {
        let known = person(7, 1);
        PeopleStore::insert(&case.store, &known, bucket(9), "hash")
            .await
            .unwrap();
        let account = empty_account(&case, known.account).await.unwrap();
        assert_eq!(account, ["person", &known.id.stored(), "韩梅梅", "CNY"]);

        let same_login = Person {
            login: known.login.clone(),
            ..person(8, 2)
        };
        PeopleStore::insert(&case.store, &same_login, bucket(9), "hash")
            .await
            .unwrap_err();
        assert_eq!(empty_account(&case, same_login.account).await, None);
    }
}

#[tokio::test]
async fn other_buckets_and_other_kinds_know_nobody() {
    for case in cases().await {
        let people: &dyn PeopleStore = &case.store;
        let known = person(7, 1);
        people.insert(&known, bucket(9), "hash").await.unwrap();

        assert_eq!(people.find(id(PersonId::new, 8, 1)).await.unwrap(), None);
        assert_eq!(people.find_by_login(bucket(7), &known.login).await.unwrap(), None);
        assert_eq!(people.find_by_login(bucket(9), "HAN.MEIMEI1").await.unwrap(), None);
        assert_eq!(people.find_by_identity(bucket(8), &known.identity).await.unwrap(), None);
        let passport = IdentityId::new(IdentityKind::CrossBorderCredential, known.identity.number()).unwrap();
        assert_eq!(people.find_by_identity(bucket(7), &passport).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_taken_name_or_identity_leaves_nothing_behind() {
    for case in cases().await {
        let people: &dyn PeopleStore = &case.store;
        let first = person(7, 1);
        people.insert(&first, bucket(9), "hash").await.unwrap();

        let same_login = Person {
            login: first.login.clone(),
            ..person(8, 2)
        };
        assert_eq!(taken(people.insert(&same_login, bucket(9), "x").await), "logins_pkey");
        let same_identity = Person {
            identity: first.identity.clone(),
            ..person(7, 3)
        };
        assert_eq!(
            taken(people.insert(&same_identity, bucket(9), "x").await),
            "people_identity"
        );
        let same_both = Person {
            identity: first.identity.clone(),
            login: first.login.clone(),
            ..person(7, 4)
        };
        assert_eq!(taken(people.insert(&same_both, bucket(9), "x").await), "logins_pkey");

        // The name of the refused one is free, and so are its account and its place in the list.
        assert_eq!(people.list(None, 10).await.unwrap(), [first]);
        assert_eq!(people.find_by_login(bucket(9), "han.meimei3").await.unwrap(), None);
        people.insert(&person(7, 3), bucket(9), "x").await.unwrap();
    }
}

#[tokio::test]
async fn a_change_keeps_who_the_person_is() {
    for case in cases().await {
        let people: &dyn PeopleStore = &case.store;
        let before = person(7, 1);
        people.insert(&before, bucket(9), "hash").await.unwrap();
        let changed = Person {
            name: "Han Meimei".to_owned(),
            email: Some("han@example.org".to_owned()),
            language: "en".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            login: "other".to_owned(),
            currency: Currency::EUR,
            created_at: 5,
            ..before.clone()
        };
        people.update(&changed).await.unwrap();
        people.update(&changed).await.unwrap();
        let kept = Person {
            login: before.login,
            currency: before.currency,
            created_at: before.created_at,
            ..changed
        };
        assert_eq!(people.find(before.id).await.unwrap(), Some(kept));
        let nobody = people.update(&person(8, 1)).await;
        assert!(matches!(nobody, Err(PlatformError::Internal(_))), "{nobody:?}");
    }
}

#[tokio::test]
async fn a_password_changes_for_its_own_person_only() {
    for case in cases().await {
        let people: &dyn PeopleStore = &case.store;
        let known = person(7, 1);
        people.insert(&known, bucket(9), "old").await.unwrap();
        people
            .update_password(known.id, &known.login, bucket(9), "new")
            .await
            .unwrap();
        let stranger = people
            .update_password(id(PersonId::new, 7, 2), &known.login, bucket(9), "stolen")
            .await;
        assert!(stranger.is_err());
        let signed_in = people.find_by_login(bucket(9), &known.login).await.unwrap();
        assert_eq!(signed_in, Some((known.id, "new".to_owned())));
    }
}

#[tokio::test]
async fn a_consent_is_withdrawn_once_and_kept() {
    for case in cases().await {
        let people: &dyn PeopleStore = &case.store;
        let known = person(7, 1);
        people.insert(&known, bucket(9), "hash").await.unwrap();
        let consent = |number: i64, fields: &[&str]| Consent {
            id: id(ConsentId::new, 7, number),
            person: known.id,
            purpose: ConsentPurpose::CodeRecord,
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
            given_at: 100,
            withdrawn_at: None,
        };
        let (first, second) = (consent(1, &["name", "证件 号码"]), consent(2, &[]));
        people.insert_consent(&second).await.unwrap();
        people.insert_consent(&first).await.unwrap();
        let listed = people.list_consents(known.id).await.unwrap();
        assert_eq!(listed, [first.clone(), second.clone()]);

        assert!(people.withdraw_consent(known.id, first.id, 200).await.unwrap());
        assert!(people.withdraw_consent(known.id, first.id, 300).await.unwrap());
        let stranger = id(PersonId::new, 7, 2);
        assert!(!people.withdraw_consent(stranger, second.id, 300).await.unwrap());
        let withdrawn = Consent {
            withdrawn_at: Some(200),
            ..first
        };
        assert_eq!(people.list_consents(known.id).await.unwrap(), [withdrawn, second]);
        assert_eq!(people.list_consents(stranger).await.unwrap(), []);
    }
}

#[tokio::test]
async fn the_list_of_all_buckets_goes_from_old_to_young() {
    for case in cases().await {
        let people: &dyn PeopleStore = &case.store;
        let all = [person(4095, 1), person(0, 2), person(7, 3)];
        for one in all.iter().rev() {
            people.insert(one, bucket(9), "hash").await.unwrap();
        }
        assert_eq!(people.list(None, 2).await.unwrap(), all[..2]);
        assert_eq!(people.list(Some(all[1].id), 2).await.unwrap(), all[2..]);
        assert_eq!(people.list(Some(all[2].id), 2).await.unwrap(), []);
    }
}

#[tokio::test]
async fn memberships_lie_with_the_person() {
    for case in cases().await {
        let mut expected = Vec::new();
        for number in 1..=2 {
            let institution = Institution {
                id: id(InstitutionId::new, 20, number),
                parent: None,
                name: format!("Company {number}"),
                currency: Currency::CNY,
                time_zone: "Asia/Shanghai".to_owned(),
                account: id(AccountId::new, 20, number),
                created_at: 1,
            };
            let member = Member {
                id: id(MemberId::new, 20, number),
                institution: institution.id,
                person: id(PersonId::new, 7, 1),
                name: "韩梅梅".to_owned(),
                employee_number: None,
                department: None,
                role: MemberRole::Employee,
                state: MemberState::Active,
                account: None,
                created_at: 1,
            };
            InstitutionStore::insert(&case.store, &institution).await.unwrap();
            case.store.insert_member(&member).await.unwrap();
            expected.push(Membership {
                institution: institution.id,
                member: member.id,
            });
        }
        let listed = case.store.list_memberships(id(PersonId::new, 7, 1)).await.unwrap();
        assert_eq!(listed, expected);
        assert_eq!(case.store.list_memberships(id(PersonId::new, 7, 2)).await.unwrap(), []);
    }
}
