//! Rows R02, R03, R08: what a ride code promises follows from the person's forms and from what they owe.

use onescan_domain::rides::tap::Payer;
use onescan_gate::code::RideCode;
use onescan_gate::keys::{Algorithm, Fingerprint};
use onescan_platforms::ride_codes::RideCodeStore;
use serde_json::{Value, json};

use crate::r04_ride_codes::Phone;
use crate::rides::{Metro, moment};
use crate::support::machine::START_MS;
use crate::support::{TestApp, on_both};

async fn phone(app: &TestApp, metro: &Metro) -> Phone {
    Phone::enrol(app, &metro.cast.member.token, 50, Algorithm::Ed25519).await
}

async fn denied(app: &TestApp) -> Vec<Fingerprint> {
    app.store.denied(None, app.now_ms()).await.unwrap().added
}

on_both! {
    async fn r03_a_form_makes_the_institution_the_payer(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let mut phone = phone(&app, &metro).await;
        let before = phone.renew(&app).await;
        assert_eq!((&before["payer"], &before["why"]), (&json!("person"), &json!("no_form")));
        let body = json!({
            "travel_type": metro.kind, "purpose": "Trade fair", "rides": 1,
            "valid_from": moment(START_MS), "valid_until": moment(START_MS + 3_600_000)
        });
        let form = metro.applying(&app, &body).send().await.ok(201);
        let issued = phone.renew(&app).await;
        assert_eq!((&issued["payer"], &issued["application"]), (&json!("institution"), &form["id"]));
        assert_eq!(issued["ends_at"], form["valid_until"], "no longer than the form");
        let shown = RideCode::read(&phone.show(&app, 1)).unwrap().entitlement;
        assert_eq!(shown.payer, Payer::Institution);
        // The digest names the rules, and changes with them; a limit above what everybody may ride for raises the cap.
        metro.policy(&app, &["amount <= 20000"]).await;
        let issued = phone.renew(&app).await;
        let other = RideCode::read(&phone.show(&app, 2)).unwrap().entitlement;
        assert_ne!(other.rules, shown.rules);
        assert_eq!(issued["cap"]["amount_minor"], 20_000);
        // A lower one does not lower it: such a ride turns to the person instead.
        app.clock.advance_ms(1_000);
        metro.policy(&app, &["amount <= 300"]).await;
        assert_eq!(phone.renew(&app).await["cap"]["amount_minor"], 10_000);
    }

    async fn r02_a_form_that_is_off_in_use_or_over_leaves_it_to_the_person(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let mut phone = phone(&app, &metro).await;
        let form = metro.apply(&app, Some(1)).await;
        let switch = |to: &'static str| {
            let path = format!("/v1/people/me/travel-applications/{form}/institution-payment");
            app.put(&path).bearer(&metro.cast.member.token).json(&json!({"institution_payment": to}))
        };
        switch("off").send().await.ok(200);
        let off = phone.renew(&app).await;
        assert_eq!((&off["payer"], &off["why"]), (&json!("person"), &json!("switched_off")));
        switch("on").send().await.ok(200);
        // One ride holds it from its consultation on.
        assert_eq!(metro.consult(&app).await["answer"], "institution");
        let held = phone.renew(&app).await;
        assert_eq!((&held["payer"], &held["why"]), (&json!("person"), &json!("in_use")));
        app.clock.advance_ms(5 * 3_600_000);
        assert_eq!(phone.renew(&app).await["payer"], "institution");
        assert_eq!(metro.tell(&app, "R-1", 300).await["state"], "paid_by_institution");
        assert_eq!(phone.renew(&app).await["why"], "used_up");
    }

    async fn r08_arrears_stop_the_next_code_and_payment_frees_it_at_once(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        metro.policy(&app, &["amount <= 400"]).await;
        metro.apply(&app, None).await;
        let phone = phone(&app, &metro).await;
        let ride = metro.tell(&app, "R-1", 500).await;
        assert_eq!(ride["state"], "arrears");
        assert_eq!(denied(&app).await, [phone.key.public().fingerprint()], "gates learn it too");
        let renew = || app.post(&phone.entitlements()).bearer(&metro.cast.member.token);
        renew().send().await.problem(422, "in-arrears");
        app.top_up(metro.cast.member.person.account, 500).await;
        let path = format!("/v1/people/me/arrears/{}/payment", ride["id"].as_str().unwrap());
        app.post(&path).bearer(&metro.cast.member.token).send().await.ok(200);
        assert_eq!(denied(&app).await, []);
        assert_eq!(renew().send().await.ok(201)["payer"], "institution");
    }

    async fn r08_a_renewal_mends_what_a_stop_left_blocked(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let mut phone = phone(&app, &metro).await;
        let person = metro.cast.member.person.id;
        let denials = onescan_platforms::ride_codes::Denials::new(app.services.env.clone(), app.store.clone());
        denials.deny(person, onescan_platforms::ride_codes::DenyReason::Arrears).await.unwrap();
        assert_eq!(denied(&app).await.len(), 1);
        let issued: Value = phone.renew(&app).await;
        assert_eq!(issued["payer"], "person");
        assert_eq!(denied(&app).await, []);
    }
}
