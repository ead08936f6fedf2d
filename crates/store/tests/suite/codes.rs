//! Code records, scenarios, and codes with their devices.

use onescan_domain::codes::{Categories, CodeRecord, CodeRecordId, MemberAccess, RecordHolder, RecordState, Scenario};
use onescan_domain::identity::{IdentityId, IdentityKind};
use onescan_domain::ids::{AccountId, CodeId, InstitutionId, MemberId, PersonId, ScenarioId};
use onescan_domain::money::Currency;
use onescan_domain::policy::Policy;
use onescan_platforms::codes::{Access, Assigned, CodeKey, CodeStore, LoadedCode, NewCode, Removed};
use onescan_store::db::Db;
use onescan_store::{Store, params, statements};

use crate::shop::{HOME, NOW, command, open, pay, person};
use crate::support::{Case, bucket, cases, id, taken};

statements! {
    INSERT_INSTITUTION = "insert into institutions (bucket, id, name, currency, time_zone, account_id, created_at)
        values (:bucket, :id::text, 'ACME', 'EUR', 'UTC', :account::text, :created_at)";
    INSERT_MEMBER = "insert into members (bucket, id, institution_id, person_id, name, search, role, state, created_at)
        values (:bucket, :id::text, :institution::text, :person::text, 'Li', 'li', 'employee', 'active', :created_at)";
    LEAVE = "update members set state = 'left' where bucket = :bucket and id = :id::text";
}

fn record_of_person() -> CodeRecord {
    CodeRecord {
        id: CodeRecordId::from_stored("record1"),
        bucket: bucket(HOME),
        holder: RecordHolder::Person {
            person: person(1),
            identity: IdentityId::new(IdentityKind::CrossBorderCredential, "E 123".replace(' ', "").as_str()).unwrap(),
        },
        account: id(AccountId::new, HOME, 1),
        currency: Currency::EUR,
        time_zone: "Europe/Berlin".to_owned(),
        state: RecordState::Active,
        created_at: NOW,
    }
}

fn institution() -> InstitutionId {
    id(InstitutionId::new, HOME, 30)
}

fn record_of_institution(members: MemberAccess) -> CodeRecord {
    CodeRecord {
        id: CodeRecordId::from_stored("record30"),
        holder: RecordHolder::Institution {
            institution: institution(),
            members,
        },
        ..record_of_person()
    }
}

fn scenario(number: i64, categories: &str) -> Scenario {
    Scenario {
        id: id(ScenarioId::new, HOME, number),
        record: CodeRecordId::from_stored("record1"),
        name: "meals".to_owned(),
        categories: Categories::parse(categories).unwrap(),
        policy: Policy::parse("amount <= 3000").unwrap(),
        created_at: NOW,
    }
}

fn code(number: i64, device: &str) -> NewCode {
    NewCode {
        key: CodeKey {
            bucket: bucket(HOME),
            slot: 100 + number,
            number,
        },
        id: id(CodeId::new, HOME, number),
        record: CodeRecordId::from_stored("record1"),
        access: Access {
            person: person(1),
            member: None,
            device: device.to_owned(),
            address: "192.0.2.1".to_owned(),
            location: Some("Berlin".to_owned()),
        },
        created_at: NOW + number,
        pay_until: NOW + number + 75_000,
    }
}

async fn load(store: &Store, codes: &[&NewCode]) -> Vec<Option<LoadedCode>> {
    let keys = codes.iter().map(|code| code.key.clone()).collect();
    store.load_codes(keys).await.unwrap()
}

/// Which of the codes were replaced by newer ones.
async fn replaced(store: &Store, codes: &[&NewCode]) -> Vec<bool> {
    let loaded = load(store, codes).await;
    loaded.into_iter().map(|code| code.unwrap().facts.replaced).collect()
}

#[tokio::test]
async fn a_record_is_read_back_and_a_holder_has_one() {
    for case in cases().await {
        let store = &case.store;
        let own = record_of_person();
        store.insert_record(&own).await.unwrap();
        assert_eq!(
            store.find_record(own.bucket, &own.id).await.unwrap().as_ref(),
            Some(&own)
        );
        assert_eq!(
            store.find_record_of_person(person(1)).await.unwrap().as_ref(),
            Some(&own)
        );
        assert_eq!(store.find_record_of_person(person(2)).await.unwrap(), None);
        let second = CodeRecord {
            id: CodeRecordId::from_stored("other"),
            ..own.clone()
        };
        assert_eq!(taken(store.insert_record(&second).await), "code_records_holder");
        let company = record_of_institution(MemberAccess::Assigned);
        store.insert_record(&company).await.unwrap();
        let through = MemberAccess::ThroughInstitution;
        store
            .update_member_access(company.bucket, &company.id, through)
            .await
            .unwrap();
        let found = store.find_record_of_institution(institution()).await.unwrap();
        assert_eq!(found, Some(record_of_institution(through)));
        for state in [
            RecordState::Paused,
            RecordState::Active,
            RecordState::Closed,
            RecordState::Active,
        ] {
            store.update_record_state(own.bucket, &own.id, state).await.unwrap();
        }
        let closed = store.find_record(own.bucket, &own.id).await.unwrap().unwrap();
        assert_eq!(closed.state, RecordState::Closed);
    }
}

#[tokio::test]
async fn scenarios_and_assigned_members_are_kept_per_record() {
    for case in cases().await {
        let store = &case.store;
        let (home, record) = (bucket(HOME), CodeRecordId::from_stored("record1"));
        store.put_scenario(home, &scenario(1, "5811-5814")).await.unwrap();
        store.put_scenario(home, &scenario(2, "")).await.unwrap();
        store.put_scenario(home, &scenario(1, "5411")).await.unwrap();
        let listed = store.list_scenarios(home, &record).await.unwrap();
        assert_eq!(listed, [scenario(1, "5411"), scenario(2, "")]);
        let gone = id(ScenarioId::new, HOME, 1);
        assert_eq!(store.delete_scenario(home, &record, gone).await.unwrap(), Removed::Yes);
        assert_eq!(
            store.delete_scenario(home, &record, gone).await.unwrap(),
            Removed::NotThere
        );
        let member = id(MemberId::new, HOME, 5);
        for assigned in [Assigned::Yes, Assigned::Yes] {
            store.set_assigned(home, &record, member, assigned).await.unwrap();
        }
        assert_eq!(store.list_assigned(home, &record).await.unwrap(), [member]);
        store.set_assigned(home, &record, member, Assigned::No).await.unwrap();
        assert_eq!(store.list_assigned(home, &record).await.unwrap(), []);
    }
}

#[tokio::test]
async fn only_a_devices_latest_two_codes_stand() {
    for case in cases().await {
        let store = &case.store;
        store.insert_record(&record_of_person()).await.unwrap();
        store.put_scenario(bucket(HOME), &scenario(1, "5812")).await.unwrap();
        let codes: Vec<NewCode> = (1..=7).map(|number| code(number, "phone")).collect();
        let other = code(9, "watch");
        store.insert_codes(vec![codes[0].clone()]).await.unwrap();
        store.insert_codes(vec![codes[1].clone(), other.clone()]).await.unwrap();
        assert_eq!(
            replaced(store, &[&codes[0], &codes[1], &other]).await,
            [false, false, false]
        );
        store.insert_codes(vec![codes[2].clone()]).await.unwrap();
        assert_eq!(
            replaced(store, &[&codes[0], &codes[1], &codes[2]]).await,
            [true, false, false]
        );
        store.insert_codes(codes[3..6].to_vec()).await.unwrap();
        let four = [&codes[2], &codes[3], &codes[4], &codes[5]];
        assert_eq!(replaced(store, &four).await, [true, true, false, false]);

        let loaded = load(store, &[&codes[6], &codes[5]]).await;
        assert!(loaded[0].is_none(), "this one was not made");
        let facts = &loaded[1].as_ref().unwrap().facts;
        assert_eq!((facts.code, facts.person, facts.member), (codes[5].id, person(1), None));
        assert_eq!(
            (facts.created_at, facts.pay_until),
            (codes[5].created_at, codes[5].pay_until)
        );
        assert_eq!((&facts.record, facts.tied), (&record_of_person(), true));
        let scenarios = &loaded[1].as_ref().unwrap().scenarios;
        assert_eq!(
            (scenarios[0].categories.as_str(), scenarios[0].policy.as_str()),
            ("5812", "amount <= 3000\n")
        );
    }
}

async fn make_member(case: &Case, member: MemberId, of: PersonId) {
    let made: Result<(), onescan_store::error::DbError> = case
        .database
        .db
        .write(move |tx| {
            Box::pin(async move {
                let account = id(AccountId::new, HOME, 30).stored();
                tx.execute_one(&INSERT_INSTITUTION, params![HOME, institution().stored(), account, NOW])
                    .await?;
                let row = params![HOME, member.stored(), institution().stored(), of.stored(), NOW];
                tx.execute_one(&INSERT_MEMBER, row).await
            })
        })
        .await;
    made.unwrap();
}

#[tokio::test]
async fn a_members_code_is_tied_while_the_member_may_show_it() {
    for case in cases().await {
        let store = &case.store;
        let record = record_of_institution(MemberAccess::Assigned);
        store.insert_record(&record).await.unwrap();
        let member = id(MemberId::new, HOME, 5);
        let foreign = PersonId::new(id(|raw| raw, HOME + 1, 8));
        make_member(&case, member, foreign).await;
        let mut shown = code(1, "phone");
        shown.record = record.id.clone();
        shown.access.person = foreign;
        shown.access.member = Some(member);
        store.insert_codes(vec![shown.clone()]).await.unwrap();
        let tied = async || load(store, &[&shown]).await[0].as_ref().unwrap().facts.tied;
        assert!(!tied().await, "not assigned yet");
        store
            .set_assigned(record.bucket, &record.id, member, Assigned::Yes)
            .await
            .unwrap();
        assert!(tied().await);
        store
            .set_assigned(record.bucket, &record.id, member, Assigned::No)
            .await
            .unwrap();
        let through = MemberAccess::ThroughInstitution;
        store
            .update_member_access(record.bucket, &record.id, through)
            .await
            .unwrap();
        assert!(tied().await);
        let left: Result<(), onescan_store::error::DbError> = case
            .database
            .db
            .write(move |tx| Box::pin(tx.execute_one(&LEAVE, params![HOME, member.stored()])))
            .await;
        left.unwrap();
        assert!(!tied().await, "who left shows it no more");
    }
}

#[tokio::test]
async fn old_codes_go_unless_a_payment_names_them() {
    for case in cases().await {
        let store = &case.store;
        open(&case).await;
        store.insert_record(&record_of_person()).await.unwrap();
        let codes: Vec<NewCode> = (1..=3).map(|number| code(number, "phone")).collect();
        store.insert_codes(codes.clone()).await.unwrap();
        pay(store, command(1, 1, 100, "A")).await.unwrap();
        assert_eq!(store.purge_codes(103).await.unwrap(), 1);
        let left: Vec<bool> = load(store, &codes.iter().collect::<Vec<_>>())
            .await
            .iter()
            .map(Option::is_some)
            .collect();
        assert_eq!(left, [true, false, true]);
    }
}

/// Records, scenarios and ties are kept in memory; a change counts at once, whoever made it.
#[tokio::test]
async fn s22_a_change_by_one_server_is_seen_at_once_by_another_that_knew_better() {
    for case in cases().await {
        let store = &case.store;
        let other = Store::new(Db::open(&case.database.config).await.unwrap());
        let own = record_of_person();
        let shown = code(1, "phone");
        store.insert_record(&own).await.unwrap();
        store.put_scenario(own.bucket, &scenario(1, "5812")).await.unwrap();
        store.insert_codes(vec![shown.clone()]).await.unwrap();
        let look = async || load(store, &[&shown]).await.pop().unwrap().unwrap();

        assert_eq!(
            (look().await.facts.record.state, look().await.scenarios.len()),
            (RecordState::Active, 1)
        );
        other
            .update_record_state(own.bucket, &own.id, RecordState::Paused)
            .await
            .unwrap();
        assert_eq!(look().await.facts.record.state, RecordState::Paused);

        other.put_scenario(own.bucket, &scenario(2, "5411")).await.unwrap();
        assert_eq!(look().await.scenarios.len(), 2);
        other
            .delete_scenario(own.bucket, &own.id, id(ScenarioId::new, HOME, 1))
            .await
            .unwrap();
        assert_eq!(look().await.scenarios.len(), 1);

        let shared = record_of_institution(MemberAccess::Assigned);
        let member = id(MemberId::new, HOME, 40);
        let shown = NewCode {
            record: shared.id.clone(),
            access: Access {
                member: Some(member),
                ..shown.access.clone()
            },
            ..code(2, "phone")
        };
        let add = case.database.db.write(move |tx| {
            let (bucket, id) = (HOME, institution());
            let row = params![bucket, id.stored(), id.stored(), NOW];
            let member = params![bucket, member.stored(), id.stored(), person(1).stored(), NOW];
            Box::pin(async move {
                tx.execute_one(&INSERT_INSTITUTION, row).await?;
                tx.execute_one(&INSERT_MEMBER, member).await
            })
        });
        add.await.unwrap();
        store.insert_record(&shared).await.unwrap();
        store.insert_codes(vec![shown.clone()]).await.unwrap();
        let tied = async || load(store, &[&shown]).await.pop().unwrap().unwrap().facts.tied;
        assert!(!tied().await);
        other
            .set_assigned(shared.bucket, &shared.id, member, Assigned::Yes)
            .await
            .unwrap();
        assert!(tied().await);
        let leave = params![HOME, member.stored()];
        let leaving = other
            .db()
            .write_with(leave, |tx, leave| Box::pin(tx.execute_one(&LEAVE, leave.clone())));
        leaving.await.unwrap();
        assert!(!tied().await);
        other.db().close().await;
    }
}
