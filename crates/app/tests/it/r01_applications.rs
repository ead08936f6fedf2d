//! Rows R01, R02, R10: applications, approval, the switch, and release.

use serde_json::{Value, json};

use crate::rides::{DAY_MS, Metro};
use crate::support::{TestApp, on_both};

fn fields(problem: &Value) -> Vec<String> {
    let reasons = problem["reasons"].as_array().unwrap().iter();
    reasons
        .map(|reason| reason["field"].as_str().unwrap().to_owned())
        .collect()
}

on_both! {
    async fn r01_the_form_asks_what_the_institution_wants_to_know(app: TestApp) {
        let form = json!([
            { "name": "customer", "label": "Customer", "kind": "text", "required": true },
            { "name": "site", "label": "Site", "kind": "choice", "choices": ["north", "south"] },
        ]);
        let metro = Metro::open(&app, json!({ "form": form })).await;
        let shown = metro.my(&app, "travel-types").await;
        assert_eq!(shown["items"][0]["form"][0]["label"], "Customer");

        let mut body = metro.application(Some(0));
        body["fields"] = json!({ "site": "west", "colour": "red" });
        body["purpose"] = json!(" ");
        let problem = metro.applying(&app, &body).send().await.problem(422, "invalid-fields");
        assert_eq!(fields(&problem), ["purpose", "rides", "fields.colour", "fields.customer", "fields.site"]);
        assert_eq!(metro.my(&app, "travel-applications").await["items"], json!([]));

        let mut body = metro.application(Some(2));
        body["fields"] = json!({ "customer": "ACME", "site": "north" });
        let made = metro.applying(&app, &body).send().await.ok(201);
        assert_eq!(made["state"], "approved");
        assert_eq!(made["decided_by"], "nobody");
        assert_eq!(made["fields"], json!({ "customer": "ACME", "site": "north" }));

        // Somebody who is not a member sees no such type.
        let stranger = app.post("/v1/people/me/travel-applications").bearer(&metro.cast.person.token).json(&body);
        stranger.send().await.problem(422, "invalid-fields");
    }

    async fn r01_administrators_approve_refuse_and_delegate(app: TestApp) {
        let approval = json!({ "by": "administrators", "automatic": { "rides_max": 1 } });
        let metro = Metro::open(&app, json!({ "approval": approval })).await;
        let small = metro.apply(&app, Some(1)).await;
        assert_eq!(metro.form(&app, &small).await["application"]["decided_by"], "rule");
        let (first, second) = (metro.apply(&app, Some(5)).await, metro.apply(&app, None).await);

        let inbox = format!("/v1/institutions/{}/travel-applications", metro.cast.institution.institution.id);
        let token = &metro.cast.administrator.token;
        let waiting = app.get(&format!("{inbox}?waiting=true")).bearer(token).send().await.ok(200);
        assert_eq!(waiting["items"].as_array().unwrap().len(), 2);
        let rule = |id: &str, body: Value| app.post(&format!("{inbox}/{id}/rulings")).bearer(token).json(&body);

        rule(&first, json!({ "ruling": "refuse" })).send().await.problem(422, "invalid-fields");
        let stranger = metro.cast.member.person.id.to_string();
        let handed = rule(&first, json!({ "ruling": "delegate", "to": stranger })).send().await;
        handed.problem(422, "invalid-fields");
        let boss = metro.cast.administrator.person.id.to_string();
        let handed = rule(&first, json!({ "ruling": "delegate", "to": boss })).send().await.ok(200);
        assert_eq!(handed["delegated_to"], boss);
        let refused = rule(&first, json!({ "ruling": "refuse", "reason": "Take the shuttle" })).send().await.ok(200);
        assert_eq!((&refused["state"], &refused["reason"]), (&json!("refused"), &json!("Take the shuttle")));
        rule(&first, json!({ "ruling": "approve" })).send().await.problem(409, "wrong-state");
        rule(&second, json!({ "ruling": "approve" })).send().await.ok(200);

        let history = metro.form(&app, &first).await["history"].clone();
        let steps: Vec<&str> = history.as_array().unwrap().iter().map(|line| line["what"].as_str().unwrap()).collect();
        assert_eq!(steps, ["waiting", "delegated", "refused"]);
        // Employees have no inbox.
        app.get(&inbox).bearer(&metro.cast.member.token).send().await.problem(404, "not-found");
    }

    async fn r02_the_switch_decides_and_goes_off_by_itself(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        app.top_up(metro.cast.member.person.account, 1_000).await;
        let form = metro.apply(&app, Some(1)).await;
        let switch = format!("/v1/people/me/travel-applications/{form}/institution-payment");
        let set = |to: &str| {
            let body = json!({ "institution_payment": to });
            app.put(&switch).bearer(&metro.cast.member.token).json(&body)
        };
        set("off").send().await.ok(200);
        let ride = metro.tell(&app, "R-1", 400).await;
        assert_eq!((&ride["state"], &ride["not_asked"]), (&json!("paid_by_person"), &json!("switched_off")));
        set("on").send().await.ok(200);
        let ride = metro.tell(&app, "R-2", 400).await;
        assert_eq!(ride["state"], "paid_by_institution");
        let form = metro.form(&app, &form).await["application"].clone();
        assert_eq!((&form["state"], &form["institution_payment"]), (&json!("used"), &json!("off")));
        set("on").send().await.problem(409, "wrong-state");
        assert_eq!(metro.balances(&app).await, (999_600, 600));
    }

    async fn r10_a_form_is_released_when_its_validity_ends(app: TestApp) {
        let mut metro = Metro::open(&app, json!({})).await;
        let form = metro.apply(&app, None).await;
        // A ride within the validity that is told after its end is still the institution's.
        let late = metro.ride(&app, "R-1", 400);
        app.clock.advance_ms(DAY_MS);
        metro.cast.member.token = app.sign_in("wang.fang").await;
        assert_eq!(app.services.rides.release_overdue(10).await.unwrap(), 1);
        assert_eq!(metro.state(&app, &form).await, "expired");
        assert_eq!(metro.telling(&app, &late).send().await.ok(201)["state"], "paid_by_institution");
        let ride = metro.tell(&app, "R-2", 400).await;
        assert_eq!(ride["not_asked"], "expired");
        assert_eq!(app.services.rides.release_overdue(10).await.unwrap(), 0);
    }

    async fn r01_an_application_can_be_taken_back(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let form = metro.apply(&app, Some(1)).await;
        let path = format!("/v1/people/me/travel-applications/{form}/withdrawal");
        let back = || app.post(&path).bearer(&metro.cast.member.token);
        // While a ride holds it, it stays.
        metro.consult(&app).await;
        back().send().await.problem(409, "wrong-state");
        app.clock.advance_ms(5 * 3_600_000);
        assert_eq!(back().send().await.ok(200)["state"], "withdrawn");
        let ride = metro.tell(&app, "R-1", 100).await;
        assert_eq!(ride["not_asked"], "no_form");
    }
}
