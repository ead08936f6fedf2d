//! The contract of the management platform.

use onescan_domain::codes::CodeRecordId;
use onescan_domain::ids::{ChoiceId, PaymentId, PersonId, ProfileId};
use onescan_domain::profiles::{DeliveryChannel, ProfileFields, TitleKind};
use onescan_platforms::env::hex;
use onescan_platforms::profiles::{ChooseRefusal, NewProfile, ProfileAnswer, ProfileRequest, Profiles};

use super::Trial;

pub(super) async fn run(trial: &mut Trial, profiles: &dyn Profiles) {
    let person = PersonId::new(trial.id());
    let bucket = person.bucket();
    let record = CodeRecordId::from_stored(format!("rec_{}", hex(&trial.bytes::<12>())));
    let asked = |trial: &Trial| ProfileRequest {
        payment: PaymentId::new(trial.id()),
        record: record.clone(),
        scenario: None,
        person,
        choose_until: trial.now() + 600_000,
    };
    let none = profiles.choose_for(vec![asked(trial)]).await;
    trial.answer("choose_for", "none, where nobody entered one", none, |answers| {
        *answers == [ProfileAnswer::None]
    });

    let made = profiles.create(bucket, &record, new("Ada Lovelace", false)).await;
    let Some(first) = trial.answer("create", "makes a profile of what was entered", made, |made| {
        made.fields == new("Ada Lovelace", false).fields && made.record == record
    }) else {
        return;
    };
    let found = profiles.find(first.id).await;
    trial.answer("find", "finds it", found, |found| found.as_ref() == Some(&first));
    let settled = profiles.choose_for(vec![asked(trial)]).await;
    trial.answer("choose_for", "the only one that fits is settled", settled, |answers| {
        *answers == [ProfileAnswer::Settled(Box::new(first.clone()))]
    });
    let updated = profiles.update(bucket, &record, first.id, new("Ada King", true)).await;
    trial.answer("update", "writes the fields", updated, |updated| {
        updated
            .as_ref()
            .is_some_and(|updated| updated.fields.title == "Ada King" && updated.preferred)
    });
    let unknown = profiles
        .update(bucket, &record, ProfileId::new(trial.id()), new("Nobody", false))
        .await;
    trial.answer(
        "update",
        "null for a profile that the record has not",
        unknown,
        Option::is_none,
    );

    let made = profiles.create(bucket, &record, new("Analytical Engines", false)).await;
    let Some(second) = trial.answer("create", "makes a second one", made, |_| true) else {
        return;
    };
    let listed = profiles.list(bucket, &record).await;
    trial.answer("list", "has both", listed, |listed| listed.len() == 2);

    let request = asked(trial);
    let question = profiles.choose_for(vec![request.clone()]).await;
    let question = trial.answer(
        "choose_for",
        "asks where several fit, the preferred one first",
        question,
        |answers| matches!(&answers[..], [ProfileAnswer::Asking(choice)] if choice.candidates == [first.id, second.id]),
    );
    if let Some([ProfileAnswer::Asking(choice)]) = question.as_deref() {
        let again = profiles.choose_for(vec![request.clone()]).await;
        trial.answer(
            "choose_for",
            "asks once: a repeat tells of the same question",
            again,
            |answers| matches!(&answers[..], [ProfileAnswer::Asking(again)] if again.id == choice.id),
        );
        let open = profiles.open_choices(person, vec![choice.id.bucket()]).await;
        trial.answer("open_choices", "has the question", open, |open| {
            open.iter().any(|open| open.id == choice.id)
        });
        let foreign = profiles.choose(person, choice.id, ProfileId::new(trial.id())).await;
        trial.answer("choose", "refuses what was not asked about", foreign, |answer| {
            *answer == Err(ChooseRefusal::NotACandidate)
        });
        for promise in ["takes the choice", "choosing the same again changes nothing"] {
            let chosen = profiles.choose(person, choice.id, second.id).await;
            trial.answer("choose", promise, chosen, |answer| {
                answer.as_ref().is_ok_and(|choice| choice.chosen == Some(second.id))
            });
        }
        let other = profiles.choose(person, choice.id, first.id).await;
        trial.answer("choose", "refuses another once one is chosen", other, |answer| {
            *answer == Err(ChooseRefusal::Settled)
        });
        let settled = profiles.choose_for(vec![request]).await;
        trial.answer(
            "choose_for",
            "the chosen one is settled",
            settled,
            |answers| matches!(&answers[..], [ProfileAnswer::Settled(profile)] if profile.id == second.id),
        );
    }
    let nothing = profiles.choose(person, ChoiceId::new(trial.id()), first.id).await;
    trial.answer("choose", "refuses a question that is not there", nothing, |answer| {
        *answer == Err(ChooseRefusal::Unknown)
    });

    let removed = profiles.remove(bucket, &record, first.id).await;
    trial.answer("remove", "says that it was there", removed, |removed| *removed);
    let listed = profiles.list(bucket, &record).await;
    trial.answer("list", "has it no more", listed, |listed| {
        listed.iter().all(|listed| listed.id != first.id)
    });
}

fn new(title: &str, preferred: bool) -> NewProfile {
    NewProfile {
        fields: ProfileFields {
            title_kind: TitleKind::Personal,
            title: title.to_owned(),
            tax_number: None,
            vat_id: None,
            address: None,
            postcode: None,
            city: None,
            country: None,
            telephone: None,
            bank_name: None,
            bank_account: None,
            electronic_address: None,
            buyer_reference: None,
            channel: DeliveryChannel::Email("ada@example.org".to_owned()),
        },
        scenarios: Vec::new(),
        preferred,
    }
}
