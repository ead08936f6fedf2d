//! Bills of a period: each paid ride in exactly one, one e-invoice with every ride on it.

use serde_json::{Value, json};

use crate::rides::{DAY_MS, HOUR_MS, MINUTE_MS, Metro, moment};
use crate::s20_issuing::german_setup;
use crate::steps::cny;
use crate::support::http::Answer;
use crate::support::machine::START_MS;
use crate::support::{TestApp, on_both};

/// A company that rides, with a standing form.
pub struct Riders {
    pub metro: Metro,
}

impl Riders {
    pub async fn open(app: &TestApp) -> Self {
        let metro = Metro::open(app, json!({})).await;
        let mut standing = metro.application(None);
        standing["valid_from"] = moment(START_MS - 400 * DAY_MS).into();
        standing["valid_until"] = moment(START_MS + 400 * DAY_MS).into();
        metro.applying(app, &standing).send().await.expect(201);
        Self { metro }
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/v1/institutions/{}/{rest}", self.metro.cast.institution.institution.id)
    }

    /// A ride that began at an instant; its institution pays.
    pub async fn ride(&self, app: &TestApp, number: &str, minor: i64, at_ms: i64) -> Value {
        let mut ride = self.metro.ride(app, number, minor);
        ride["start"]["at"] = moment(at_ms).into();
        ride["end"]["at"] = moment(at_ms + 20 * MINUTE_MS).into();
        let told = self.metro.telling(app, &ride).send().await.ok(201);
        assert_eq!(told["state"], "paid_by_institution", "{told}");
        told
    }

    /// Dates as the API writes them; the second one is not included.
    pub fn own(&self, first_on: &str, until_on: &str) -> Value {
        json!({ "provider": self.metro.cast.merchant.merchant.id.to_string(), "period": "own", "issue": "by_hand",
            "first_on": first_on, "until_on": until_on })
    }

    pub async fn post(&self, app: &TestApp, rest: &str, body: &Value) -> Answer {
        let token = &self.metro.cast.institution.key;
        app.post(&self.path(rest)).bearer(token).json(body).send().await
    }

    pub async fn get(&self, app: &TestApp, rest: &str) -> Value {
        let token = &self.metro.cast.institution.key;
        app.get(&self.path(rest)).bearer(token).send().await.ok(200)
    }

    /// Closes and gathers; the bill.
    pub async fn close(&self, app: &TestApp, body: &Value) -> Value {
        let begun = self.post(app, "bills", body).await.ok(202);
        work(app).await;
        self.get(app, &format!("bills/{}", begun["id"].as_str().unwrap())).await
    }

    pub async fn numbers(&self, app: &TestApp, bill: &Value, what: &str) -> Vec<(String, i64)> {
        let list = self
            .get(app, &format!("bills/{}/{what}", bill["id"].as_str().unwrap()))
            .await;
        let items = list["items"].as_array().unwrap().iter();
        let read = |item: &Value| {
            let number = item["ride"]["number"].as_str().unwrap().to_owned();
            (number, item["amount"]["amount_minor"].as_i64().unwrap())
        };
        items.map(read).collect()
    }

    pub async fn enter_sides(&self, app: &TestApp) {
        let cast = &self.metro.cast;
        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        app.profile(&cast.institution.record, "Example Technology", &[]).await;
    }

    pub async fn issue(&self, app: &TestApp, bill: &Value) -> Value {
        let path = format!("bills/{}", bill["id"].as_str().unwrap());
        self.post(app, &format!("{path}/issue"), &json!({})).await.ok(202);
        work(app).await;
        self.get(app, &path).await
    }
}

pub async fn work(app: &TestApp) {
    while app.services.bills.work().await.unwrap() > 0 {}
}

impl Riders {
    /// A bill with these rides (number and minor units) that ended at the usual midnight, with its invoice.
    pub async fn invoiced(&self, app: &TestApp, rides: &[(&str, i64)]) -> (Value, Vec<Value>) {
        let (start, date) = midnight(app);
        let mut told = Vec::new();
        for (number, minor) in rides {
            told.push(self.ride(app, number, *minor, start - HOUR_MS).await);
        }
        let closed = self.close(app, &self.own(&day(date, -1), &day(date, 0))).await;
        let issued = self.issue(app, &closed).await;
        assert_eq!(issued["state"], "issued", "{issued}");
        (issued, told)
    }

    /// The bytes of a bill's file as text.
    pub async fn file(&self, app: &TestApp, bill: &Value, name: &str) -> String {
        let path = self.path(&format!("bills/{}/{name}", bill["id"].as_str().unwrap()));
        let answer = app.get(&path).bearer(&self.metro.cast.institution.key).send().await;
        answer.expect(200);
        String::from_utf8_lossy(&answer.body).into_owned()
    }
}

/// Midnight in Shanghai at the start of the test's first whole day, and that day's name; the usual company is there.
pub fn midnight(app: &TestApp) -> (i64, jiff::civil::Date) {
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let now = jiff::Timestamp::from_millisecond(app.now_ms())
        .unwrap()
        .to_zoned(zone.clone());
    let date = now.date();
    (date.to_zoned(zone).unwrap().timestamp().as_millisecond(), date)
}

pub fn day(date: jiff::civil::Date, later: i64) -> String {
    date.checked_add(jiff::Span::new().days(later)).unwrap().to_string()
}

on_both! {
    async fn r09_every_paid_ride_is_in_exactly_one_bill(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        let (start, date) = midnight(app);
        // The last millisecond before the period's end in the institution's zone, and the first after it.
        riders.ride(app, "last", 300, start - 1).await;
        riders.ride(app, "first", 500, start).await;
        let yesterday = riders.own(&day(date, -1), &day(date, 0));
        let today = riders.own(&day(date, 0), &day(date, 1));
        let preview = riders.post(app, "bill-previews", &today).await.ok(200);
        assert_eq!((&preview["rides"], &preview["late_rides"]), (&json!(2), &json!(1)));
        riders.post(app, "bills", &today).await.problem(422, "invalid-fields");

        let bill = riders.close(app, &yesterday).await;
        assert_eq!((&bill["state"], &bill["rides"], &bill["total"]), (&json!("closed"), &json!(1), &cny(300)));
        assert_eq!(riders.numbers(app, &bill, "rides").await, [("last".to_owned(), 300)]);
        // Known after the close.
        riders.ride(app, "late", 700, start - HOUR_MS).await;
        app.clock.advance_ms(DAY_MS);
        let next = riders.close(app, &today).await;
        let mut numbers = riders.numbers(app, &next, "rides").await;
        numbers.sort();
        assert_eq!(numbers, [("first".to_owned(), 500), ("late".to_owned(), 700)]);
        // The same again is the same bill, and nothing else is left.
        let again = riders.post(app, "bills", &yesterday).await.ok(202);
        assert_eq!(again["id"], bill["id"]);
        let whole = riders.own(&day(date, -1), &day(date, 1));
        riders.post(app, "bills", &whole).await.problem(409, "wrong-state");
    }

    async fn r09_refunds_are_netted_or_credited(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        let (start, date) = midnight(app);
        let before = riders.ride(app, "before", 1_000, start - HOUR_MS).await;
        let after = riders.ride(app, "after", 900, start - HOUR_MS).await;
        riders.metro.refund(app, &before, "r1", 400).await.expect(200);
        let first = riders.close(app, &riders.own(&day(date, -1), &day(date, 0))).await;
        assert_eq!((&first["charged"], &first["total"]), (&cny(1_500), &cny(1_500)));

        riders.metro.refund(app, &before, "r2", 100).await.expect(200);
        riders.metro.refund(app, &after, "r3", 900).await.expect(200);
        riders.ride(app, "next", 600, start + HOUR_MS).await;
        app.clock.advance_ms(DAY_MS);
        let second = riders.close(app, &riders.own(&day(date, 0), &day(date, 1))).await;
        // No bill is negative: what does not fit waits.
        assert_eq!((&second["charged"], &second["credited"], &second["total"]), (&cny(600), &cny(600), &cny(0)));
        assert_eq!(second["credits"], 2);
        riders.ride(app, "third", 2_000, start + DAY_MS).await;
        app.clock.advance_ms(DAY_MS);
        let third = riders.close(app, &riders.own(&day(date, 1), &day(date, 2))).await;
        assert_eq!((&third["credited"], &third["total"]), (&cny(400), &cny(1_600)));
        assert_eq!(riders.numbers(app, &third, "credits").await, [("after".to_owned(), 400)]);
        let nothing = format!("bills/{}/issue", second["id"].as_str().unwrap());
        riders.post(app, &nothing, &json!({})).await.problem(409, "wrong-state");
    }

    async fn r09_a_stop_in_the_middle_loses_nothing(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        let (start, date) = midnight(app);
        for number in 0..7 {
            riders.ride(app, &format!("n{number}"), 100, start - HOUR_MS).await;
        }
        let begun = riders.post(app, "bills", &riders.own(&day(date, -1), &day(date, 0))).await.ok(202);
        assert_eq!((&begun["state"], &begun["expected_rides"]), (&json!("closing"), &json!(7)));
        let id = begun["id"].as_str().unwrap();
        let half = app.services.bills.gather(id.parse().unwrap(), 3).await.unwrap();
        assert_eq!((half.tally.rides, half.state.name()), (3, "closing"));
        let app = &app.restarted(|_| {}).await;
        work(app).await;
        let bill = riders.get(app, &format!("bills/{id}")).await;
        assert_eq!((&bill["state"], &bill["rides"], &bill["total"]), (&json!("closed"), &json!(7), &cny(700)));
        assert_eq!(riders.numbers(app, &bill, "rides").await.len(), 7);
    }

    async fn r09_two_closers_at_once_make_one_bill(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        let (start, date) = midnight(app);
        for number in 0..5 {
            riders.ride(app, &format!("n{number}"), 100, start - HOUR_MS).await;
        }
        let body = riders.own(&day(date, -1), &day(date, 0));
        let (one, other) = tokio::join!(riders.post(app, "bills", &body), riders.post(app, "bills", &body));
        let (one, other) = (one.ok(202), other.ok(202));
        assert_eq!(one["id"], other["id"]);
        let id = one["id"].as_str().unwrap().parse().unwrap();
        let bills = &app.services.bills;
        let (a, b, c) = tokio::join!(bills.gather(id, 2), bills.gather(id, 2), bills.work());
        a.unwrap();
        b.unwrap();
        c.unwrap();
        work(app).await;
        let list = riders.get(app, "bills").await;
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        assert_eq!((&list["items"][0]["rides"], &list["items"][0]["total"]), (&json!(5), &cny(500)));
    }

    async fn r09_bills_that_overlap_share_no_ride_and_no_credit(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        let (start, date) = midnight(app);
        let told = riders.ride(app, "old", 900, start - 3 * DAY_MS).await;
        riders.close(app, &riders.own(&day(date, -4), &day(date, -2))).await;
        riders.metro.refund(app, &told, "back", 300).await.expect(200);
        for number in 0..12 {
            riders.ride(app, &format!("n{number}"), 100, start - HOUR_MS).await;
        }
        let mut ids = Vec::new();
        for first in [-1, -2, -3] {
            let begun = riders.post(app, "bills", &riders.own(&day(date, first), &day(date, 0))).await.ok(202);
            ids.push(begun["id"].as_str().unwrap().parse().unwrap());
        }
        let mut gathering = tokio::task::JoinSet::new();
        for id in ids {
            let bills = app.services.bills.clone();
            gathering.spawn(async move { while bills.gather(id, 2).await.unwrap().state.name() == "closing" {} });
        }
        gathering.join_all().await;
        let list = riders.get(app, "bills").await;
        let sum = |what: &str| -> i64 { list["items"].as_array().unwrap().iter().map(|bill| bill[what].as_i64().unwrap()).sum() };
        assert_eq!(sum("rides"), 13, "{list}");
        let credited = list["items"].as_array().unwrap().iter();
        let credited: i64 = credited.map(|bill| bill["credited"]["amount_minor"].as_i64().unwrap()).sum();
        assert_eq!(credited, 300, "{list}");
        assert_eq!(app.breaches().await, Vec::<String>::new());
    }

    async fn r09_a_failed_issue_loses_nothing_and_is_repeated(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        let (start, date) = midnight(app);
        riders.ride(app, "a", 1_234, start - HOUR_MS).await;
        let mut body = riders.own(&day(date, -1), &day(date, 0));
        body["issue"] = "at_once".into();
        let failed = riders.close(app, &body).await;
        assert_eq!(failed["state"], "failed");
        assert_eq!(failed["problem"], "the provider has not entered its tax set-up yet");
        assert_eq!((&failed["rides"], &failed["total"]), (&json!(1), &cny(1_234)));
        riders.enter_sides(app).await;
        let issued = riders.issue(app, &failed).await;
        assert_eq!(issued["state"], "issued", "{issued}");
        // Once more changes nothing.
        assert_eq!(riders.issue(app, &issued).await, issued);
        let seen = app
            .get(&riders.metro.provider_path("bills"))
            .bearer(&riders.metro.cast.merchant.key)
            .send()
            .await
            .ok(200);
        assert_eq!(seen["items"][0]["number"], issued["number"]);
    }

    async fn r09_one_invoice_names_every_ride(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        riders.enter_sides(app).await;
        let (start, date) = midnight(app);
        riders.ride(app, "a", 1_000, start - HOUR_MS).await;
        let back = riders.ride(app, "b", 700, start - 2 * HOUR_MS).await;
        let first = riders.close(app, &riders.own(&day(date, -1), &day(date, 0))).await;
        riders.metro.refund(app, &back, "r", 200).await.expect(200);
        riders.ride(app, "c", 900, start + HOUR_MS).await;
        app.clock.advance_ms(DAY_MS);
        let second = riders.close(app, &riders.own(&day(date, 0), &day(date, 1))).await;
        let first = riders.issue(app, &first).await;
        let second = riders.issue(app, &second).await;
        assert_eq!((&first["state"], &second["state"]), (&json!("issued"), &json!("issued")), "{second}");
        let token = &riders.metro.cast.institution.key;
        let file = async |bill: &Value, name: &str| {
            let path = riders.path(&format!("bills/{}/{name}", bill["id"].as_str().unwrap()));
            let answer = app.get(&path).bearer(token).send().await;
            answer.expect(200);
            answer.text()
        };
        let csv = file(&second, "rides.csv").await;
        let rows: Vec<&str> = csv.lines().collect();
        assert_eq!(rows.len(), 3);
        assert!(rows[1].starts_with(&format!("c,{}T01:00+08:00,West Lake,", day(date, 0))), "{}", rows[1]);
        assert!(rows[2].starts_with("b,") && rows[2].ends_with(",-2.00"), "{}", rows[2]);
        assert!(file(&first, "rides.csv").await.contains("b,"));
        // One line a ride, each with start and end; the refund takes its part back.
        let ubl = file(&second, "ubl.xml").await;
        assert_eq!(ubl.matches("<cac:InvoiceLine>").count(), 2, "{ubl}");
        for name in ["PickupDateTime", "PickupPlace", "DropoffDateTime", "DropoffPlace"] {
            assert_eq!(ubl.matches(&format!("<cbc:Name>{name}</cbc:Name>")).count(), 2, "{name}");
        }
        for part in [
            "Example Technology",
            second["id"].as_str().unwrap(),
            "<cbc:TaxInclusiveAmount currencyID=\"CNY\">7.00</cbc:TaxInclusiveAmount>",
            "filename=\"rides.csv\"",
        ] {
            assert!(ubl.contains(part), "{part} is missing: {ubl}");
        }
        let pdf = app.get(&riders.path(&format!("bills/{}/pdf", second["id"].as_str().unwrap())));
        assert!(pdf.bearer(token).send().await.body.starts_with(b"%PDF"));
    }

    async fn r09_periods_close_by_themselves(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        let token = &riders.metro.cast.institution.key;
        let (start, date) = midnight(app);
        let path = riders.path("bill-schedule");
        app.get(&path).bearer(token).send().await.problem(404, "not-found");
        let own = json!({ "period": "own" });
        app.put(&path).bearer(token).json(&own).send().await.problem(422, "invalid-fields");
        let long = json!({ "period": "day", "grace_hours": 745 });
        app.put(&path).bearer(token).json(&long).send().await.problem(422, "invalid-fields");
        let daily = json!({ "period": "day", "issue": "by_hand", "grace_hours": 2 });
        app.put(&path).bearer(token).json(&daily).send().await.ok(200);
        riders.ride(app, "a", 100, start + HOUR_MS).await;
        assert_eq!(app.services.bills.close_due().await.unwrap(), 0);
        app.clock.advance_ms(start + DAY_MS + 2 * HOUR_MS - app.now_ms() - 1);
        // Told after the period's end, within the grace.
        riders.ride(app, "late", 200, start + 2 * HOUR_MS).await;
        assert_eq!(app.services.bills.close_due().await.unwrap(), 0);
        app.clock.advance_ms(1);
        assert_eq!(app.services.bills.close_due().await.unwrap(), 1);
        assert_eq!(app.services.bills.close_due().await.unwrap(), 0);
        work(app).await;
        let bills = riders.get(app, "bills").await;
        let bill = &bills["items"][0];
        assert_eq!((&bill["state"], &bill["first_on"], &bill["rides"]), (&json!("closed"), &json!(day(date, 0)), &json!(2)));
        app.delete(&path).bearer(token).send().await.expect(204);
        app.delete(&path).bearer(token).send().await.problem(404, "not-found");
    }
}
