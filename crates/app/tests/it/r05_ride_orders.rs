//! Rows R05-R07: consultation, orders in any order, policies with every failed dimension, funding.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::rides::{MINUTE_MS, Metro, moment};
use crate::steps::cny;
use crate::support::http::{Answer, Call};
use crate::support::machine::START_MS;
use crate::support::{TestApp, on_both};

async fn at_once(calls: Vec<Call>) -> Vec<Answer> {
    let mut sent = JoinSet::new();
    for call in calls {
        sent.spawn(call.send());
    }
    sent.join_all().await
}

fn in_state(answers: &[Answer], state: &str) -> usize {
    answers.iter().filter(|answer| answer.json()["state"] == state).count()
}

on_both! {
    async fn r05_consulted_first_then_paid_with_the_order(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let none = metro.consult(&app).await;
        assert_eq!((&none["answer"], &none["why"]), (&json!("personal"), &json!("no_form")));
        metro.apply(&app, Some(1)).await;
        let yes = metro.consult(&app).await;
        assert_eq!(yes["answer"], "institution");
        // The form's one ride is kept: a second gate sees that it is in use.
        let second = metro.consult(&app).await;
        assert_eq!((&second["answer"], &second["why"]), (&json!("personal"), &json!("in_use")));
        let mut ride = metro.ride(&app, "R-1", 500);
        ride["consultation"] = yes["consultation"].clone();
        let paid = metro.telling(&app, &ride).send().await.ok(201);
        assert_eq!(paid["state"], "paid_by_institution");
        assert_eq!(paid["institution"], Value::Null, "the provider does not learn whose form it is");
        assert_eq!(metro.balances(&app).await, (999_500, 0));
        app.settle().await;
        assert_eq!(app.account(metro.cast.merchant.merchant.account).await.posted_minor, 500);
    }

    async fn r05_a_ride_told_twice_is_paid_once_and_a_contradiction_is_kept(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        metro.apply(&app, None).await;
        let ride = metro.ride(&app, "R-1", 500);
        let first = metro.telling(&app, &ride).send().await.ok(201);
        let again = metro.telling(&app, &ride).send().await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.ok(201), first);
        let mut other = ride.clone();
        other["amount"] = cny(700);
        metro.telling(&app, &other).send().await.problem(409, "ride-number-conflict");
        assert_eq!(metro.balances(&app).await, (999_500, 0));
        let path = metro.provider_path("ride-conflicts");
        let kept = app.get(&path).bearer(&metro.cast.merchant.key).send().await.ok(200);
        assert_eq!(kept["items"][0]["ride"], first["id"]);
        assert!(kept["items"][0]["said"].as_str().unwrap().contains("700 CNY"), "{kept}");
        let path = metro.provider_path("rides?search=R-");
        let found = app.get(&path).bearer(&metro.cast.merchant.key).send().await.ok(200);
        assert_eq!(found["items"], json!([first]));
        // Another provider does not see it.
        let other = app.merchant("Other line", "4111").await;
        let path = format!("/v1/merchants/{}/rides/{}", other.merchant.id, first["id"].as_str().unwrap());
        app.get(&path).bearer(&other.key).send().await.problem(404, "not-found");
    }

    async fn r05_the_same_ride_told_by_many_at_once_is_paid_once(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        metro.apply(&app, Some(1)).await;
        let ride = metro.ride(&app, "R-1", 500);
        let answers = at_once((0..10).map(|_| metro.telling(&app, &ride)).collect()).await;
        let first = answers[0].ok(201);
        answers.iter().for_each(|answer| assert_eq!(answer.ok(201)["id"], first["id"]));
        assert_eq!(metro.balances(&app).await, (999_500, 0));
    }

    async fn r02_two_rides_at_once_share_no_one_ride_form(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        app.top_up(metro.cast.member.person.account, 100_000).await;
        let form = metro.apply(&app, Some(2)).await;
        let rides = (0..8).map(|number| metro.telling(&app, &metro.ride(&app, &format!("R-{number}"), 100)));
        let answers = at_once(rides.collect()).await;
        // While one ride holds the form the others are the person's; two rides at most are the institution's.
        let by_institution = in_state(&answers, "paid_by_institution");
        assert!((1..=2).contains(&by_institution), "{by_institution}");
        assert_eq!(by_institution + in_state(&answers, "paid_by_person"), 8);
        let form = metro.form(&app, &form).await["application"]["rides_used"].clone();
        assert_eq!(form, json!(by_institution));
    }

    async fn r06_limits_hold_when_rides_come_at_once(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        app.top_up(metro.cast.member.person.account, 100_000).await;
        metro.agree(&app, 1_000).await;
        metro.policy(&app, &["count_day <= 3", "amount_month <= 1000"]).await;
        metro.apply(&app, None).await;
        let rides = (0..12).map(|number| metro.telling(&app, &metro.ride(&app, &format!("R-{number}"), 300)));
        let answers = at_once(rides.collect()).await;
        assert_eq!(in_state(&answers, "paid_by_institution"), 3);
        assert_eq!(in_state(&answers, "paid_by_person"), 9);
        assert_eq!(metro.balances(&app).await, (999_100, 97_300));
    }

    async fn r06_every_failed_dimension_is_named(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        metro.apply(&app, None).await;
        metro.policy(&app, &["amount <= 400", "city in 上海", "weekday in mon-sun"]).await;
        let told = metro.tell(&app, "R-1", 500).await;
        let attempt = &told["institution_attempt"];
        assert_eq!(attempt["refusal"], "limit-exceeded");
        assert_eq!(attempt["reasons"], json!([{ "dimension": "amount" }, { "dimension": "city" }]));
        let mine = metro.my(&app, "rides").await;
        let reasons = &mine["items"][0]["institution_attempt"]["reasons"];
        assert_eq!((&reasons[0]["seen"], &reasons[0]["allowed"]), (&json!("500"), &json!("400")));
        assert_eq!((&reasons[1]["seen"], &reasons[1]["allowed"]), (&json!("杭州"), &json!("上海")));
    }

    async fn r06_policies_begin_when_they_say_and_can_be_tried_and_replayed(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        app.top_up(metro.cast.member.person.account, 100_000).await;
        metro.agree(&app, 10_000).await;
        metro.apply(&app, None).await;
        let token = &metro.cast.administrator.token;
        let policies = format!("{}/policies", metro.type_path());
        metro.policy(&app, &["amount <= 1000"]).await;
        let later = START_MS + 60 * MINUTE_MS;
        let body = json!({ "rules": ["amount <= 100"], "from_at": moment(later) });
        assert_eq!(app.post(&policies).bearer(token).json(&body).send().await.ok(201)["version"], 2);
        let body = json!({ "rules": ["amount ~ 100"] });
        let problem = app.post(&policies).bearer(token).json(&body).send().await.problem(422, "invalid-fields");
        assert_eq!(problem["reasons"][0]["field"], "rules[0]");
        assert_eq!(metro.tell(&app, "R-1", 500).await["state"], "paid_by_institution");
        assert_eq!(metro.tell(&app, "R-2", 2_000).await["state"], "paid_by_person");

        let trials = format!("{}/trials", metro.type_path());
        let (person, provider) = (metro.cast.member.person.id, metro.cast.merchant.merchant.id);
        let trial = |at: i64| {
            let body = json!({
                "person": person.to_string(), "provider": provider.to_string(), "amount": cny(500), "start_at": moment(at)
            });
            app.post(&trials).bearer(token).json(&body)
        };
        assert_eq!(trial(START_MS + MINUTE_MS).send().await.ok(200)["allowed"], true);
        let refused = trial(later).send().await.ok(200);
        assert_eq!(refused["allowed"], false);
        assert_eq!(refused["trace"][0]["dimension"], "amount");

        let body = json!({
            "rules": ["amount <= 5000", "count_day <= 1"], "from": moment(START_MS), "until": moment(later)
        });
        let path = format!("{}/replays", metro.type_path());
        let replay = app.post(&path).bearer(token).json(&body).send().await.ok(200);
        assert_eq!(replay["rides"], 2);
        assert_eq!(replay["to_institution"]["rides"], 0, "{replay}");
        let body = json!({ "rules": ["amount >= 1000"], "from": moment(START_MS), "until": moment(later) });
        let replay = app.post(&path).bearer(token).json(&body).send().await.ok(200);
        assert_eq!(replay["to_personal"], json!({ "rides": 1, "amount": cny(500) }));
        assert_eq!(replay["to_institution"], json!({ "rides": 1, "amount": cny(2_000) }));
    }

    async fn r07_the_first_account_that_can_pay_is_taken_and_may_pay_a_part(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        app.top_up(metro.cast.member.person.account, 1_000).await;
        metro.agree(&app, 1_000).await;
        metro.apply(&app, None).await;
        let institutions = &app.services.institutions;
        let own = institutions.open_member_account(metro.cast.member.member.id).await.unwrap().unwrap();
        app.top_up(own, 600).await;
        // Without a rule: the dedicated account first, then the institution's.
        metro.tell(&app, "R-1", 500).await;
        assert_eq!(app.account(own).await.posted_minor, 100);
        metro.tell(&app, "R-2", 500).await;
        assert_eq!(metro.balances(&app).await, (999_500, 1_000));

        let path = format!("/v1/institutions/{}/ride-funding", metro.cast.institution.institution.id);
        let token = &metro.cast.administrator.token;
        let body = json!({ "steps": [{ "source": "other" }] });
        app.put(&path).bearer(token).json(&body).send().await.problem(422, "invalid-fields");
        let body = json!({ "steps": [{ "source": "institution", "cap_minor": 300 }] });
        assert_eq!(app.put(&path).bearer(token).json(&body).send().await.ok(200), body);
        let split = metro.tell(&app, "R-3", 500).await;
        assert_eq!(split["state"], "split");
        assert_eq!(split["institution_attempt"]["amount"], cny(300));
        assert_eq!(split["personal_attempt"]["amount"], cny(200));
        assert_eq!(metro.balances(&app).await, (999_200, 800));
    }
}
