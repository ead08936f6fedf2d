//! The contract of the service platform.

use onescan_domain::bucket::Bucket;
use onescan_domain::codes::{Categories, CodeRefusal, CodeText, RecordState, Scenario};
use onescan_domain::identity::{IdentityId, IdentityKind};
use onescan_domain::ids::{AccountId, PersonId, ScenarioId};
use onescan_domain::money::Currency;
use onescan_domain::policy::Policy;
use onescan_platforms::codes::{Access, Codes, NewHolder, NewRecord, PermitRequest, Removed};
use onescan_platforms::env::hex;

use super::Trial;

pub(super) async fn run(trial: &mut Trial, codes: &dyn Codes) {
    let person = PersonId::new(trial.id());
    let number = hex(&trial.bytes::<8>());
    let Ok(identity) = IdentityId::new(IdentityKind::UserNumber, &number) else {
        return;
    };
    let new = NewRecord {
        holder: NewHolder::Person { person, identity },
        account: AccountId::new(trial.id()),
        currency: Currency::EUR,
        time_zone: "Europe/Berlin".to_owned(),
    };
    let nobody = codes.record_of_person(person).await;
    trial.answer("record_of_person", "null for whoever has none", nobody, Option::is_none);
    let made = codes.create_record(new.clone()).await;
    let Some(record) = trial.answer(
        "create_record",
        "makes an active record of what was asked",
        made,
        |record| {
            record.state == RecordState::Active && record.account == new.account && record.bucket == person.bucket()
        },
    ) else {
        return;
    };
    let again = codes.create_record(new).await;
    trial.answer(
        "create_record",
        "a repeat answers with the record that is there",
        again,
        |again| *again == record,
    );
    let found = codes.record_of_person(person).await;
    trial.answer("record_of_person", "finds it", found, |found| {
        found.as_ref() == Some(&record)
    });
    let found = codes.find_record(record.bucket, &record.id).await;
    trial.answer("find_record", "finds it", found, |found| {
        found.as_ref() == Some(&record)
    });

    let scenario = Scenario {
        id: ScenarioId::new(trial.id()),
        record: record.id.clone(),
        name: "Meals".to_owned(),
        categories: Categories::parse("5811-5814").unwrap_or_default(),
        policy: Policy::parse("amount <= 5000\n").unwrap_or_default(),
        created_at: trial.now(),
    };
    for promise in ["keeps a scenario", "a repeat changes nothing"] {
        let put = codes.put_scenario(record.bucket, scenario.clone()).await;
        trial.answer("put_scenario", promise, put, |()| true);
        let listed = codes.scenarios(record.bucket, &record.id).await;
        trial.answer("scenarios", "lists it once", listed, |listed| {
            listed.iter().filter(|listed| **listed == scenario).count() == 1
        });
    }

    let access = Access {
        person,
        member: None,
        device: "contract-test".to_owned(),
        address: "192.0.2.1".to_owned(),
        location: None,
    };
    let shown = codes.create(record.clone(), access).await;
    let shown = trial.answer(
        "create",
        "makes a code that can be paid with for a while",
        shown,
        |shown| {
            shown
                .as_ref()
                .is_ok_and(|code| code.created_at < code.shown_until && code.shown_until <= code.pay_until)
        },
    );
    if let Some(Ok(code)) = shown {
        seen(trial, codes, record.bucket, &code.text, &scenario).await;
        let paused = codes
            .set_record_state(record.bucket, &record.id, RecordState::Paused)
            .await;
        trial.answer("set_record_state", "pauses", paused, |()| true);
        let permits = codes.permit(vec![request(&code.text, trial.now())]).await;
        trial.answer("permit", "refuses codes of a paused record", permits, |permits| {
            let refusal = permits.first().and_then(|permit| permit.as_ref()?.refusal);
            refusal == Some(CodeRefusal::RecordInactive)
        });
    }
    let removed = codes.remove_scenario(record.bucket, &record.id, scenario.id).await;
    trial.answer("remove_scenario", "removes it", removed, |removed| {
        *removed == Removed::Yes
    });
    for state in [RecordState::Closed, RecordState::Active] {
        let set = codes.set_record_state(record.bucket, &record.id, state).await;
        trial.answer("set_record_state", "is answered", set, |()| true);
    }
    let closed = codes.find_record(record.bucket, &record.id).await;
    trial.answer("set_record_state", "closing is for ever", closed, |found| {
        found.as_ref().is_some_and(|record| record.state == RecordState::Closed)
    });
}

async fn seen(trial: &mut Trial, codes: &dyn Codes, bucket: Bucket, text: &CodeText, scenario: &Scenario) {
    // The body of the same code with another number: well formed, and never made.
    let invented = CodeText::from_parts(text.prefix(), (text.body() + 1) % 1_000_000_000_000_000);
    let looked = codes.look_up(vec![text.clone(), invented, text.clone()]).await;
    trial.answer(
        "look_up",
        "answers each code in order, null for one that was never made",
        looked,
        |facts| {
            let here = |place: usize| facts.get(place).is_some_and(Option::is_some);
            facts.len() == 3
                && here(0)
                && !here(1)
                && here(2)
                && facts[0]
                    .as_ref()
                    .is_some_and(|facts| facts.tied && facts.record.bucket == bucket)
        },
    );
    let permits = codes.permit(vec![request(text, trial.now())]).await;
    trial.answer(
        "permit",
        "tells the scenario of the payment's category",
        permits,
        |permits| {
            let permit = permits.first().and_then(Option::as_ref);
            permit.is_some_and(|permit| {
                permit.refusal.is_none() && permit.scenario.as_ref().is_some_and(|found| found.id == scenario.id)
            })
        },
    );
}

fn request(text: &CodeText, at: i64) -> PermitRequest {
    PermitRequest {
        text: text.clone(),
        category: 5812,
        at,
    }
}
