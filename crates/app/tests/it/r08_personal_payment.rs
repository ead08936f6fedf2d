//! Row R08: what the institution does not pay is the person's, with consent, or it is owed; refunds go back to who paid.

use serde_json::{Value, json};

use crate::rides::Metro;
use crate::support::{TestApp, on_both};

on_both! {
    async fn r08_falls_back_to_personal_within_the_consent(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        app.top_up(metro.cast.member.person.account, 1_000).await;
        metro.agree(&app, 600).await;
        metro.policy(&app, &["amount <= 400"]).await;
        let form = metro.apply(&app, Some(1)).await;
        let ride = metro.tell(&app, "R-1", 500).await;
        assert_eq!(ride["state"], "paid_by_person");
        assert_eq!(ride["institution_attempt"]["paid"], false);
        assert_eq!(metro.balances(&app).await, (1_000_000, 500));
        // Both attempts are payments; the institution's is closed with its reason.
        let payment = ride["institution_attempt"]["payment"].as_str().unwrap();
        let path = format!("/v1/payments/{payment}");
        let closed = app.get(&path).bearer(&metro.cast.member.token).send().await.ok(200);
        assert_eq!((&closed["state"], &closed["refusal"]["code"]), (&json!("refused"), &json!("limit-exceeded")));
        // The form was not used, so it is still there.
        assert_eq!(metro.state(&app, &form).await, "approved");
        assert_eq!(metro.tell(&app, "R-2", 400).await["state"], "paid_by_institution");
    }

    async fn r08_without_consent_it_is_owed_until_paid(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        app.top_up(metro.cast.member.person.account, 100).await;
        metro.policy(&app, &["amount <= 400"]).await;
        metro.apply(&app, None).await;
        let person = metro.cast.member.person.id;
        let ride = metro.tell(&app, "R-1", 500).await;
        assert_eq!((&ride["state"], &ride["arrears_minor"]), (&json!("arrears"), &json!(500)));
        assert_eq!(ride["personal_attempt"]["refusal"], "no-consent");
        assert!(app.services.rides.in_arrears(person).await.unwrap());
        let owed = metro.my(&app, "arrears").await;
        assert_eq!(owed["items"][0]["ride"], ride["id"]);

        let path = format!("/v1/people/me/arrears/{}/payment", ride["id"].as_str().unwrap());
        let pay = || app.post(&path).bearer(&metro.cast.member.token);
        let problem = pay().send().await.problem(422, "insufficient-funds");
        assert_eq!(problem["reasons"][0]["left"], 100);
        app.top_up(metro.cast.member.person.account, 500).await;
        let paid = pay().send().await.ok(200);
        assert_eq!(pay().send().await.ok(200), paid, "a repeat pays nothing");
        assert!(!app.services.rides.in_arrears(person).await.unwrap());
        assert_eq!(metro.balances(&app).await, (1_000_000, 100));
        let ride = &metro.my(&app, "rides").await["items"][0];
        assert_eq!((&ride["state"], &ride["arrears_minor"]), (&json!("paid_by_person"), &json!(0)));
        // Somebody else's debt is nobody else's business.
        let other = app.post(&path).bearer(&metro.cast.person.token).send().await;
        other.problem(404, "not-found");
    }

    async fn r08_an_empty_institution_and_an_empty_person_leave_arrears(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        metro.agree(&app, 5_000_000).await;
        metro.apply(&app, None).await;
        let ride = metro.tell(&app, "R-1", 1_000_001).await;
        assert_eq!(ride["institution_attempt"]["refusal"], "insufficient-funds");
        assert_eq!(ride["personal_attempt"]["refusal"], "insufficient-funds");
        assert_eq!(ride["state"], "arrears");
        assert_eq!(metro.balances(&app).await, (1_000_000, 0));
    }

    async fn r08_refunds_go_back_to_who_paid_and_give_the_form_back(app: TestApp) {
        let metro = Metro::open(&app, json!({ "refund_gives_back": true })).await;
        app.top_up(metro.cast.member.person.account, 1_000).await;
        metro.agree(&app, 1_000).await;
        let path = format!("/v1/institutions/{}/ride-funding", metro.cast.institution.institution.id);
        let steps = json!({ "steps": [{ "source": "institution", "cap_minor": 300 }] });
        app.put(&path).bearer(&metro.cast.administrator.token).json(&steps).send().await.ok(200);
        let form = metro.apply(&app, Some(1)).await;
        let ride = metro.tell(&app, "R-1", 500).await;
        assert_eq!((&ride["state"], metro.balances(&app).await), (&json!("split"), (999_700, 800)));
        assert_eq!(metro.state(&app, &form).await, "used");

        let part = metro.refund(&app, &ride, "back-1", 250).await.ok(200);
        assert_eq!(part["refunded_minor"], 250);
        assert_eq!(metro.balances(&app).await, (999_750, 1_000), "the person first, then the institution");
        metro.refund(&app, &ride, "back-1", 250).await.ok(200);
        assert_eq!(metro.balances(&app).await, (999_750, 1_000), "a repeat gives nothing");
        metro.refund(&app, &ride, "back-2", 300).await.problem(422, "amount-too-large");
        let whole = metro.refund(&app, &ride, "back-3", 250).await.ok(200);
        assert_eq!(whole["refunded_minor"], 500);
        assert_eq!(metro.balances(&app).await, (1_000_000, 1_000));
        assert_eq!(metro.state(&app, &form).await, "approved", "the ride is given back");
        assert_eq!(metro.tell(&app, "R-2", 300).await["state"], "paid_by_institution");
    }

    async fn r08_consent_can_be_withdrawn(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        assert_eq!(metro.my(&app, "ride-consent").await, json!({ "given": false }));
        metro.agree(&app, 500).await;
        assert_eq!(metro.my(&app, "ride-consent").await["given"], true);
        app.delete("/v1/people/me/ride-consent").bearer(&metro.cast.member.token).send().await.expect(204);
        assert_eq!(metro.my(&app, "ride-consent").await["given"], Value::Bool(false));
    }
}
