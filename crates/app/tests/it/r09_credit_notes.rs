//! Refunds of invoiced rides that no later bill takes: credit notes by hand and by schedule, each refund credited once.

use serde_json::{Value, json};

use crate::r09_bills::{Riders, day, midnight, work};
use crate::rides::{DAY_MS, HOUR_MS};
use crate::steps::cny;
use crate::support::http::Answer;
use crate::support::{TestApp, on_both};

impl Riders {
    async fn credit(&self, app: &TestApp, bill: &Value) -> Answer {
        let path = format!("bills/{}/credit-notes", bill["id"].as_str().unwrap());
        self.post(app, &path, &json!({})).await
    }

    async fn bill(&self, app: &TestApp, id: &Value) -> Value {
        work(app).await;
        self.get(app, &format!("bills/{}", id.as_str().unwrap())).await
    }
}

on_both! {
    async fn r09_a_credit_note_gives_back_what_no_later_bill_takes(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        riders.enter_sides(app).await;
        let (first, told) = riders.invoiced(app, &[("a", 1_000), ("b", 700)]).await;
        riders.credit(app, &first).await.problem(409, "wrong-state");
        riders.metro.refund(app, &told[1], "r1", 200).await.expect(200);
        let shown = riders.bill(app, &first["id"]).await;
        assert_eq!(shown["open_credits"], cny(200), "{shown}");

        let made = riders.credit(app, &first).await.ok(202);
        assert_eq!((&made["corrects"], &made["rides"], &made["total"]), (&first["id"], &json!(0), &cny(-200)));
        let note = riders.bill(app, &made["id"]).await;
        assert_eq!((&note["state"], &note["total"]), (&json!("issued"), &cny(-200)), "{note}");
        assert!(note["number"].as_str().unwrap().starts_with("GS-"), "{note}");
        let ubl = riders.file(app, &note, "ubl.xml").await;
        let number = first["number"].as_str().unwrap();
        for part in [
            "<CreditNote ",
            &format!("<cbc:ID>{number}</cbc:ID>"),
            "<cbc:TaxInclusiveAmount currencyID=\"CNY\">2.00</cbc:TaxInclusiveAmount>",
            "<cbc:Name>PickupDateTime</cbc:Name>",
        ] {
            assert!(ubl.contains(part), "{part} is missing: {ubl}");
        }
        let csv = riders.file(app, &note, "rides.csv").await;
        assert!(csv.lines().count() == 2 && csv.contains("b,") && csv.trim_end().ends_with(",-2.00"), "{csv}");
        let notes = riders.get(app, &format!("bills/{}/credit-notes", first["id"].as_str().unwrap())).await;
        assert_eq!(notes["items"].as_array().unwrap().len(), 1);

        // What is credited is credited: neither again, nor by the next bill.
        riders.credit(app, &first).await.problem(409, "wrong-state");
        let (start, date) = midnight(app);
        riders.ride(app, "c", 900, start + HOUR_MS).await;
        riders.metro.refund(app, &told[0], "r2", 300).await.expect(200);
        app.clock.advance_ms(DAY_MS);
        let next = riders.close(app, &riders.own(&day(date, 0), &day(date, 1))).await;
        assert_eq!((&next["credited"], &next["total"]), (&cny(300), &cny(600)));
        riders.credit(app, &first).await.problem(409, "wrong-state");
        assert_eq!(app.breaches().await, Vec::<String>::new());
    }

    async fn r09_only_an_invoice_is_corrected(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        let (start, date) = midnight(app);
        let told = riders.ride(app, "a", 500, start - HOUR_MS).await;
        let closed = riders.close(app, &riders.own(&day(date, -1), &day(date, 0))).await;
        riders.metro.refund(app, &told, "r", 100).await.expect(200);
        let refused = riders.credit(app, &closed).await.problem(409, "wrong-state");
        assert_eq!(refused["detail"], "the bill is closed: a credit note names the invoice of an issued one");
        let path = "bills/bil_00000000000000000000000000/credit-notes";
        riders.post(app, path, &json!({})).await.problem(404, "not-found");
        let path = format!("bills/{}/credit-notes", closed["id"].as_str().unwrap());
        riders.post(app, &path, &json!({"issue": "soon"})).await.problem(422, "invalid-fields");
    }

    async fn r09_two_who_ask_at_once_get_one_credit_note(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        riders.enter_sides(app).await;
        let (first, told) = riders.invoiced(app, &[("a", 1_000)]).await;
        riders.metro.refund(app, &told[0], "r", 1_000).await.expect(200);
        let (one, other) = tokio::join!(riders.credit(app, &first), riders.credit(app, &first));
        let (one, other) = (one.ok(202), other.ok(202));
        assert_eq!(one["id"], other["id"]);
        let note = riders.bill(app, &one["id"]).await;
        assert_eq!((&note["credits"], &note["total"]), (&json!(1), &cny(-1_000)));
        assert_eq!(app.breaches().await, Vec::<String>::new());
    }

    async fn r09_a_period_without_rides_brings_the_credit_note(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        riders.enter_sides(app).await;
        let (first, told) = riders.invoiced(app, &[("a", 1_000), ("b", 800)]).await;
        let token = &riders.metro.cast.institution.key;
        let daily = json!({ "period": "day" });
        app.put(&riders.path("bill-schedule")).bearer(token).json(&daily).send().await.ok(200);
        let (start, _) = midnight(app);
        // A day with a ride: its bill takes the refund.
        riders.metro.refund(app, &told[0], "r1", 100).await.expect(200);
        riders.ride(app, "c", 500, start + HOUR_MS).await;
        app.clock.advance_ms(start + DAY_MS - app.now_ms());
        assert_eq!(app.services.bills.close_due().await.unwrap(), 1);
        work(app).await;
        let list = riders.get(app, "bills").await;
        assert_eq!((&list["items"][0]["credited"], &list["items"][0]["state"]), (&cny(100), &json!("issued")));
        // A day without one.
        riders.metro.refund(app, &told[1], "r2", 300).await.expect(200);
        app.clock.advance_ms(DAY_MS);
        assert_eq!(app.services.bills.close_due().await.unwrap(), 1);
        work(app).await;
        let list = riders.get(app, "bills").await;
        let note = &list["items"][0];
        assert_eq!((&note["corrects"], &note["state"], &note["total"]), (&first["id"], &json!("issued"), &cny(-300)));
        app.clock.advance_ms(DAY_MS);
        assert_eq!(app.services.bills.close_due().await.unwrap(), 0);
        assert_eq!(app.breaches().await, Vec::<String>::new());
    }
}
