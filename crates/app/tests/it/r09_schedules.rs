//! Periods that close by themselves, for all providers of an institution and for one of them.

use serde_json::json;

use crate::r09_bills::{Riders, midnight, work};
use crate::rides::{DAY_MS, HOUR_MS};
use crate::support::{TestApp, on_both};

on_both! {
    async fn r09_one_providers_periods_differ_from_the_others(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        let token = &riders.metro.cast.institution.key;
        let provider = riders.metro.cast.merchant.merchant.id.to_string();
        let (all, own) = (riders.path("bill-schedule"), riders.path(&format!("bill-schedules/{provider}")));
        let put = async |path: &str, body| app.put(path).bearer(token).json(&body).send().await;
        put(&all, json!({ "period": "day", "issue": "by_hand" })).await.ok(200);
        // By hand only.
        let by_hand = put(&own, json!({ "period": "own" })).await.ok(200);
        assert_eq!((&by_hand["provider"], by_hand.get("due_at")), (&json!(provider), None));
        let listed = riders.get(app, "bill-schedules").await;
        let periods: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| &item["period"]).collect();
        assert_eq!(periods, ["day", "own"]);
        let (start, _) = midnight(app);
        riders.ride(app, "a", 100, start + HOUR_MS).await;
        app.clock.advance_ms(start + DAY_MS - app.now_ms());
        assert_eq!(app.services.bills.close_due().await.unwrap(), 0);
        // As the others': what waited is in the next bill.
        app.delete(&own).bearer(token).send().await.expect(204);
        app.delete(&own).bearer(token).send().await.problem(404, "not-found");
        app.clock.advance_ms(DAY_MS);
        assert_eq!(app.services.bills.close_due().await.unwrap(), 1);
        work(app).await;
        assert_eq!(riders.get(app, "bills").await["items"][0]["rides"], 1);
        // Later than the others.
        put(&own, json!({ "period": "day", "grace_hours": 5, "issue": "by_hand" })).await.ok(200);
        riders.ride(app, "b", 200, app.now_ms() + HOUR_MS).await;
        app.clock.advance_ms(DAY_MS);
        assert_eq!(app.services.bills.close_due().await.unwrap(), 0);
        app.clock.advance_ms(5 * HOUR_MS);
        assert_eq!(app.services.bills.close_due().await.unwrap(), 1);
    }

    async fn r09_a_schedule_is_found_when_it_is_due(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        let token = &riders.metro.cast.institution.key;
        let monthly = json!({ "period": "month", "grace_hours": 48 });
        let path = riders.path("bill-schedule");
        let put = app.put(&path).bearer(token).json(&monthly).send().await.ok(200);
        // The test's month is November; in Shanghai December begins eight hours before UTC's.
        assert_eq!((&put["closed_until"], &put["due_at"]), (&json!("2026-10-31T16:00:00.000Z"), &json!("2026-12-02T16:00:00.000Z")));
        let nobody = riders.path("bill-schedules/mer_00000000000000000000000000");
        app.put(&nobody).bearer(token).json(&monthly).send().await.problem(404, "not-found");
        let own = riders.path(&format!("bill-schedules/{}", riders.metro.cast.merchant.merchant.id));
        app.get(&own).bearer(token).send().await.problem(404, "not-found");
        let wrong = json!({ "period": "year", "grace_hours": -1 });
        app.put(&own).bearer(token).json(&wrong).send().await.problem(422, "invalid-fields");
    }
}
