//! Invoice profiles, questions about them, and invoices.

use onescan_domain::codes::CodeRecordId;
use onescan_domain::ids::{ChoiceId, InvoiceId, MerchantId, PaymentId, PersonId, ProfileId, ScenarioId};
use onescan_domain::invoicing::{Invoice, InvoiceKind, InvoiceOrigin, InvoiceState};
use onescan_domain::money::{Currency, Money};
use onescan_domain::profiles::{DeliveryChannel, InvoiceProfile, ProfileChoice, ProfileFields, TitleKind};
use onescan_platforms::invoicing::InvoiceStore;
use onescan_platforms::profiles::{ProfileRequest, ProfileStore};

use crate::support::{bucket, cases, id, taken};

const HOME: u16 = 77;

fn record(name: &str) -> CodeRecordId {
    CodeRecordId::from_stored(name)
}

fn profile(number: i64, record_name: &str) -> InvoiceProfile {
    InvoiceProfile {
        id: id(ProfileId::new, HOME, number),
        record: record(record_name),
        fields: ProfileFields {
            ..ProfileFields::new(TitleKind::Personal, &format!("韩梅梅 {number}"))
        },
        scenarios: Vec::new(),
        preferred: false,
        created_at: 1_790_000_000_000 + number,
    }
}

fn full_profile(number: i64, record_name: &str) -> InvoiceProfile {
    let text = |text: &str| Some(text.to_owned());
    InvoiceProfile {
        fields: ProfileFields {
            tax_number: text("91310000MA1FL0000X"),
            address: text("上海市黄浦区 1 号"),
            telephone: text("021-1234"),
            bank_name: text("工商银行"),
            bank_account: text("6222 0000"),
            vat_id: text("DE123456789"),
            postcode: text("200000"),
            city: text("上海市"),
            country: text("CN"),
            electronic_address: text("0204:991-01234-56"),
            buyer_reference: text("04011000-12345-03"),
            channel: DeliveryChannel::Email("a@example.org".to_owned()),
            ..ProfileFields::new(TitleKind::Company, "上海某某有限公司")
        },
        scenarios: vec![id(ScenarioId::new, HOME, 2), id(ScenarioId::new, HOME, 1)],
        preferred: true,
        ..profile(number, record_name)
    }
}

fn choice(number: i64, person: i64) -> ProfileChoice {
    ProfileChoice {
        id: id(ChoiceId::new, HOME, number),
        payment: id(PaymentId::new, HOME, number),
        record: record("r1"),
        person: id(PersonId::new, 5, person),
        candidates: vec![id(ProfileId::new, HOME, 2), id(ProfileId::new, HOME, 1)],
        until: 1_000,
        chosen: None,
    }
}

fn request(payment: i64, record_name: &str) -> ProfileRequest {
    ProfileRequest {
        payment: id(PaymentId::new, HOME, payment),
        record: record(record_name),
        scenario: None,
        person: id(PersonId::new, 5, 1),
        choose_until: 1_000,
    }
}

#[tokio::test]
async fn profiles_come_back_as_they_were_entered() {
    for case in cases().await {
        let profiles: &dyn ProfileStore = &case.store;
        let all = [profile(1, "r1"), full_profile(2, "r1")];
        let elsewhere = profile(3, "r2");
        for one in all.iter().rev().chain([&elsewhere]) {
            profiles.insert(bucket(HOME), one).await.unwrap();
        }
        assert_eq!(profiles.list(bucket(HOME), &record("r1")).await.unwrap(), all);
        assert_eq!(profiles.list(bucket(HOME), &record("r2")).await.unwrap(), [elsewhere]);
        assert_eq!(profiles.list(bucket(1), &record("r1")).await.unwrap(), []);
        assert_eq!(profiles.find(all[1].id).await.unwrap().as_ref(), Some(&all[1]));
        assert_eq!(profiles.find(id(ProfileId::new, 1, 2)).await.unwrap(), None);
        assert_eq!(
            taken(profiles.insert(bucket(HOME), &profile(1, "r2")).await),
            "profiles_id"
        );
    }
}

#[tokio::test]
async fn one_profile_of_a_record_is_preferred() {
    for case in cases().await {
        let profiles: &dyn ProfileStore = &case.store;
        let preferred = |number, record_name| InvoiceProfile {
            preferred: true,
            ..profile(number, record_name)
        };
        let marked = |record_name: &'static str| async move {
            let listed = profiles.list(bucket(HOME), &record(record_name)).await.unwrap();
            let marked = listed.iter().filter(|profile| profile.preferred);
            marked
                .map(|profile| profile.id.raw().at_ms() - 1_000)
                .collect::<Vec<_>>()
        };
        profiles.insert(bucket(HOME), &preferred(1, "r1")).await.unwrap();
        profiles.insert(bucket(HOME), &preferred(9, "r2")).await.unwrap();
        profiles.insert(bucket(HOME), &preferred(2, "r1")).await.unwrap();
        profiles.insert(bucket(HOME), &profile(3, "r1")).await.unwrap();
        assert_eq!(marked("r1").await, [2]);
        assert!(profiles.update(bucket(HOME), &preferred(3, "r1")).await.unwrap());
        assert_eq!(marked("r1").await, [3]);
        assert!(profiles.update(bucket(HOME), &profile(3, "r1")).await.unwrap());
        assert_eq!(marked("r1").await, [0; 0]);
        assert_eq!(marked("r2").await, [9]);
    }
}

#[tokio::test]
async fn a_change_reaches_its_own_profile_only() {
    for case in cases().await {
        let profiles: &dyn ProfileStore = &case.store;
        profiles.insert(bucket(HOME), &profile(1, "r1")).await.unwrap();
        profiles.insert(bucket(HOME), &full_profile(2, "r1")).await.unwrap();
        let changed = full_profile(1, "r1");
        assert!(profiles.update(bucket(HOME), &changed).await.unwrap());
        assert!(profiles.update(bucket(HOME), &changed).await.unwrap());
        assert_eq!(profiles.find(changed.id).await.unwrap(), Some(changed));

        // Unknown, in another bucket, of another record: nobody loses the mark for it.
        assert!(!profiles.update(bucket(HOME), &full_profile(9, "r1")).await.unwrap());
        assert!(!profiles.update(bucket(1), &full_profile(2, "r1")).await.unwrap());
        assert!(!profiles.update(bucket(HOME), &full_profile(2, "r2")).await.unwrap());
        assert!(
            profiles
                .find(id(ProfileId::new, HOME, 1))
                .await
                .unwrap()
                .unwrap()
                .preferred
        );
    }
}

#[tokio::test]
async fn a_removed_profile_is_known_by_its_id_only() {
    for case in cases().await {
        let profiles: &dyn ProfileStore = &case.store;
        let (kept, removed) = (profile(1, "r1"), profile(2, "r1"));
        profiles.insert(bucket(HOME), &kept).await.unwrap();
        profiles.insert(bucket(HOME), &removed).await.unwrap();
        for (in_bucket, of, expected) in [
            (1, "r1", false),
            (HOME, "r2", false),
            (HOME, "r1", true),
            (HOME, "r1", false),
        ] {
            let was_there = profiles
                .remove(bucket(in_bucket), &record(of), removed.id, 50)
                .await
                .unwrap();
            assert_eq!(was_there, expected, "{in_bucket} {of}");
        }
        assert_eq!(
            profiles.list(bucket(HOME), &record("r1")).await.unwrap(),
            std::slice::from_ref(&kept)
        );
        let loaded = profiles.load(&[request(1, "r1")]).await.unwrap();
        assert_eq!(loaded, [(vec![kept], None)]);
        assert_eq!(profiles.find(removed.id).await.unwrap().as_ref(), Some(&removed));
        assert!(!profiles.update(bucket(HOME), &removed).await.unwrap());
    }
}

#[tokio::test]
async fn a_batch_is_loaded_in_the_order_it_was_asked() {
    for case in cases().await {
        let profiles: &dyn ProfileStore = &case.store;
        let first = [profile(1, "r1"), profile(2, "r1")];
        let second = profile(3, "r2");
        for one in first.iter().chain([&second]) {
            profiles.insert(bucket(HOME), one).await.unwrap();
        }
        let asked = choice(12, 1);
        profiles.insert_choice(&asked).await.unwrap();
        let in_another_bucket = ProfileRequest {
            payment: id(PaymentId::new, 1, 12),
            ..request(0, "r1")
        };
        let requests = [
            request(11, "r1"),
            request(13, "r2"),
            in_another_bucket,
            request(14, "unknown"),
            request(12, "r1"),
            request(12, "r1"),
        ];
        let expected = [
            (first.to_vec(), None),
            (vec![second], None),
            (Vec::new(), None),
            (Vec::new(), None),
            (first.to_vec(), Some(asked.clone())),
            (first.to_vec(), Some(asked)),
        ];
        assert_eq!(profiles.load(&requests).await.unwrap(), expected);
        assert_eq!(profiles.load(&[]).await.unwrap(), []);
    }
}

#[tokio::test]
async fn the_first_question_of_a_payment_stays() {
    for case in cases().await {
        let profiles: &dyn ProfileStore = &case.store;
        let first = choice(1, 1);
        let later = ProfileChoice {
            id: id(ChoiceId::new, HOME, 9),
            candidates: vec![id(ProfileId::new, HOME, 7), id(ProfileId::new, HOME, 8)],
            ..first.clone()
        };
        for one in [&first, &later, &first] {
            profiles.insert_choice(one).await.unwrap();
        }
        assert_eq!(profiles.find_choice(first.id).await.unwrap().as_ref(), Some(&first));
        assert_eq!(profiles.find_choice(later.id).await.unwrap(), None);
        assert_eq!(profiles.find_choice(id(ChoiceId::new, 1, 1)).await.unwrap(), None);
        let loaded = profiles.load(&[request(1, "r1")]).await.unwrap();
        assert_eq!(loaded, [(Vec::new(), Some(first))]);
    }
}

#[tokio::test]
async fn the_first_answer_settles_a_question() {
    for case in cases().await {
        let profiles: &dyn ProfileStore = &case.store;
        let asked = choice(1, 1);
        profiles.insert_choice(&asked).await.unwrap();
        let settled = ProfileChoice {
            chosen: Some(id(ProfileId::new, HOME, 1)),
            ..asked.clone()
        };
        for number in [1, 1, 2] {
            let answer = profiles.settle_choice(asked.id, id(ProfileId::new, HOME, number)).await;
            assert_eq!(answer.unwrap().as_ref(), Some(&settled));
        }
        assert_eq!(profiles.find_choice(asked.id).await.unwrap(), Some(settled));
        let unknown = profiles
            .settle_choice(id(ChoiceId::new, HOME, 9), id(ProfileId::new, HOME, 1))
            .await;
        assert_eq!(unknown.unwrap(), None);
    }
}

#[tokio::test]
async fn open_questions_are_listed_newest_first() {
    for case in cases().await {
        let profiles: &dyn ProfileStore = &case.store;
        let open = [choice(1, 1), choice(2, 1)];
        let settled = choice(3, 1);
        let over = ProfileChoice {
            until: 500,
            ..choice(4, 1)
        };
        for one in open.iter().chain([&settled, &over, &choice(5, 2)]) {
            profiles.insert_choice(one).await.unwrap();
        }
        profiles.settle_choice(settled.id, settled.candidates[0]).await.unwrap();
        let person = id(PersonId::new, 5, 1);
        let [first, second] = open;
        let listed = profiles.list_open_choices(person, bucket(HOME), 500).await.unwrap();
        assert_eq!(listed, [second, first]);
        assert_eq!(
            profiles.list_open_choices(person, bucket(HOME), 1_000).await.unwrap(),
            []
        );
        assert_eq!(profiles.list_open_choices(person, bucket(1), 500).await.unwrap(), []);
    }
}

fn invoice(number: i64, payment: i64) -> Invoice {
    Invoice {
        id: id(InvoiceId::new, HOME, number),
        kind: InvoiceKind::Invoice,
        origin: InvoiceOrigin::Reported,
        state: InvoiceState::Issued,
        payment: id(PaymentId::new, HOME, payment),
        merchant: id(MerchantId::new, HOME, 1),
        person: id(PersonId::new, HOME, 1),
        record: CodeRecordId::from_stored("r1"),
        member: None,
        scenario: None,
        order_number: "A-1".to_owned(),
        subject: None,
        profile: Some(id(ProfileId::new, HOME, 1)),
        buyer: None,
        seller_name: String::new(),
        setup_version: 0,
        language: "en".to_owned(),
        amount: Money::new(100, Currency::EUR),
        credited_minor: 0,
        refunds_before: Vec::new(),
        number: None,
        issued_on: None,
        issued_at: 1_790_000_000_000 + number,
        applied_at: 1_790_000_000_000 + number,
        attempts: 0,
        problem: None,
        red_letter: None,
    }
}

#[tokio::test]
async fn a_payment_has_one_invoice() {
    for case in cases().await {
        let invoices: &dyn InvoiceStore = &case.store;
        let first = invoice(1, 1);
        let plain = Invoice {
            profile: None,
            number: Some("发票 0001".to_owned()),
            ..invoice(2, 2)
        };
        for one in [&first, &plain] {
            assert_eq!(&invoices.insert_or_find(one, &[], &[]).await.unwrap(), one);
            assert_eq!(&invoices.insert_or_find(one, &[], &[]).await.unwrap(), one);
        }
        let second = Invoice {
            number: Some("9".to_owned()),
            ..invoice(3, 1)
        };
        assert_eq!(invoices.insert_or_find(&second, &[], &[]).await.unwrap(), first);

        let asked = [1, 9, 2, 1].map(|number| id(PaymentId::new, HOME, number));
        let elsewhere = id(PaymentId::new, 1, 1);
        let found = invoices.find([&asked[..], &[elsewhere]].concat()).await.unwrap();
        assert_eq!(found, [Some(first.clone()), None, Some(plain), Some(first), None]);
        assert_eq!(invoices.find(Vec::new()).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_number_is_set_once() {
    for case in cases().await {
        let invoices: &dyn InvoiceStore = &case.store;
        let issued = invoice(1, 1);
        invoices.insert_or_find(&issued, &[], &[]).await.unwrap();
        invoices.set_number(bucket(1), issued.payment, "0").await.unwrap();
        assert_eq!(
            invoices.find(vec![issued.payment]).await.unwrap(),
            [Some(issued.clone())]
        );
        for number in ["A1", "A2"] {
            invoices.set_number(bucket(HOME), issued.payment, number).await.unwrap();
        }
        let numbered = Invoice {
            number: Some("A1".to_owned()),
            ..issued
        };
        assert_eq!(invoices.find(vec![numbered.payment]).await.unwrap(), [Some(numbered)]);
    }
}

/// Two tills ask at once: one question, one invoice.
#[tokio::test]
async fn at_once_the_first_wins_for_both() {
    for case in cases().await {
        let (first, second) = (invoice(1, 1), invoice(2, 1));
        let (left, right) = tokio::join!(
            case.store.insert_or_find(&first, &[], &[]),
            case.store.insert_or_find(&second, &[], &[])
        );
        assert_eq!(left.unwrap(), right.unwrap());

        let other = ProfileChoice {
            id: id(ChoiceId::new, HOME, 2),
            ..choice(1, 1)
        };
        let asked = choice(1, 1);
        let (left, right) = tokio::join!(case.store.insert_choice(&asked), case.store.insert_choice(&other));
        left.and(right).unwrap();
        let loaded = case.store.load(&[request(1, "r1")]).await.unwrap();
        assert!(loaded[0].1.is_some());
        let found = [
            case.store.find_choice(asked.id).await,
            case.store.find_choice(other.id).await,
        ];
        assert_eq!(
            found.into_iter().filter(|found| matches!(found, Ok(Some(_)))).count(),
            1
        );
    }
}
