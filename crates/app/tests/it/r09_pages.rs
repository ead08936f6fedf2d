//! Row R09 on pages: the administrator previews, closes, has invoiced and credited; the provider's back office sees its bills.

use serde_json::json;

use crate::r09_bills::{Riders, day, midnight, work};
use crate::rides::HOUR_MS;
use crate::support::builders::PASSWORD;
use crate::support::{TestApp, on_both};

/// A browser that is signed in.
struct Tab {
    cookies: String,
    base: String,
}

impl Tab {
    async fn administrator(app: &TestApp, riders: &Riders) -> Self {
        let form = [("login", "han.meimei"), ("password", PASSWORD)];
        let answer = app.post("/sign-in").form(&form).send().await;
        Self {
            cookies: answer.expect(303).cookies(),
            base: format!("/travel/{}/bills", riders.metro.cast.institution.institution.id),
        }
    }

    async fn provider(app: &TestApp, riders: &Riders) -> Self {
        let form = [
            ("key", riders.metro.cast.merchant.key.as_str()),
            ("next", "/office/bills"),
        ];
        let answer = app.post("/office/sign-in").form(&form).send().await;
        Self {
            cookies: answer.expect(303).cookies(),
            base: "/office/bills".to_owned(),
        }
    }

    async fn page(&self, app: &TestApp, rest: &str) -> String {
        let path = format!("{}{rest}", self.base);
        app.get(&path).cookie(&self.cookies).send().await.expect(200).text()
    }

    /// Sends a form; the place it leads to, or the page that says why not.
    async fn send(&self, app: &TestApp, rest: &str, form: &[(&str, &str)], status: u16) -> String {
        let path = format!("{}{rest}", self.base);
        let answer = app.post(&path).cookie(&self.cookies).form(form).send().await;
        answer.expect(status);
        match status {
            303 => answer
                .header("location")
                .unwrap()
                .trim_start_matches(&self.base)
                .to_owned(),
            _ => answer.text(),
        }
    }
}

fn has(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part} is missing: {page}");
    }
}

on_both! {
    async fn r09_an_administrator_closes_a_period_and_sees_its_invoice(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        let tab = Tab::administrator(app, &riders).await;
        has(&tab.page(app, "").await, &["No ride waits for a bill", "No bills yet"]);
        has(&tab.page(app, "/close").await, &["No ride waits for a bill"]);

        let (start, date) = midnight(app);
        let back = riders.ride(app, "a", 1_000, start - HOUR_MS).await;
        riders.ride(app, "b", 500, start + HOUR_MS).await;
        let provider = riders.metro.cast.merchant.merchant.id.to_string();
        let (yesterday, today) = (day(date, -1), day(date, 0));
        has(&tab.page(app, "").await, &["Corner Canteen", "2 rides", "CN¥15.00", "running"]);
        // The day that runs now is shown and cannot be closed.
        let of = |on: &str| format!("/close?provider={provider}&period=day&on={on}");
        has(&tab.page(app, &of(&today)).await, &["<dd>2</dd>", "Of them late", "The period is not over"]);
        has(&tab.page(app, &of(&yesterday)).await, &["CN¥10.00", "Close this period"]);
        let form = |on: &'static str| [("provider", provider.clone()), ("period", "day".to_owned()), ("on", on.to_owned())];
        let wrong = form("31.10.2026");
        let wrong: Vec<(&str, &str)> = wrong.iter().map(|(name, value)| (*name, value.as_str())).collect();
        has(&tab.send(app, "/close", &wrong, 422).await, &["Enter a date such as 2026-10-15"]);

        let close = [("provider", provider.as_str()), ("period", "day"), ("on", yesterday.as_str()), ("issue", "at_once")];
        let place = tab.send(app, "/close", &close, 303).await;
        has(&tab.page(app, &place).await, &["Being closed", "Rides are being gathered", "0 / 1 ride"]);
        has(&tab.page(app, &format!("{place}/progress")).await, &["0 / 1 ride"]);
        work(app).await;
        let refresh = app.get(&format!("{}{place}/progress", tab.base)).cookie(&tab.cookies).send().await;
        assert_eq!(refresh.expect(204).header("hx-refresh"), Some("true"));
        has(&tab.page(app, &place).await, &["Not issued", "the provider has not entered its tax set-up yet", "Issue again"]);
        riders.enter_sides(app).await;
        assert_eq!(tab.send(app, &format!("{place}/issue"), &[], 303).await, place);
        work(app).await;
        has(&tab.page(app, &place).await, &["Issued", "RE-2026-0001", "PDF", "UBL", "names no address"]);
        has(&tab.page(app, &format!("{place}/file/ubl.xml")).await, &["<cac:InvoiceLine>"]);
        has(&tab.page(app, &format!("{place}/rides.csv")).await, &["ride_id,", "a,"]);
        has(&tab.send(app, &format!("{place}/send"), &[], 409).await, &["names no e-mail address"]);
        // A ride told late, and a refund.
        riders.ride(app, "late", 300, start - 2 * HOUR_MS).await;
        riders.metro.refund(app, &back, "r", 400).await.expect(200);
        let page = tab.page(app, &place).await;
        has(&page, &["Goes into the next bill", "1 ride", "CN¥3.00", "CN¥4.00 of its rides was refunded later", "Make a credit note"]);
        let note = tab.send(app, &format!("{place}/credit"), &[], 303).await;
        work(app).await;
        has(&tab.page(app, &note).await, &["Credit note", "GS-2026-0001", "−CN¥4.00"]);
        has(&tab.send(app, &format!("{place}/credit"), &[], 409).await, &["No refund waits any more"]);
        has(&tab.page(app, "").await, &["RE-2026-0001", "GS-2026-0001", "running"]);
    }

    async fn r09_a_provider_sees_its_bills_and_nobody_elses(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        riders.enter_sides(app).await;
        let office = Tab::provider(app, &riders).await;
        has(&office.page(app, "").await, &["A bill comes when an institution closes a period"]);
        let (bill, _) = riders.invoiced(app, &[("a", 1_000)]).await;
        let place = format!("/{}", bill["id"].as_str().unwrap());
        has(&office.page(app, "").await, &["Example Technology", "RE-2026-0001", "Issued"]);
        let page = office.page(app, &place).await;
        has(&page, &["Example Technology", "RE-2026-0001", "PDF"]);
        assert!(!page.contains("/credit\"") && !page.contains("/issue\""), "{page}");
        has(&office.page(app, &format!("{place}/rides.csv")).await, &["a,"]);
        let api = app.get(&riders.metro.provider_path(&format!("bills{place}/ubl.xml")));
        has(&api.bearer(&riders.metro.cast.merchant.key).send().await.expect(200).text(), &["<cac:InvoiceLine>"]);
        for rest in [format!("{place}/issue"), format!("{place}/credit"), "/schedule".to_owned()] {
            let answer = app.post(&format!("/office/bills{rest}")).cookie(&office.cookies).form(&[]).send().await;
            assert!(matches!(answer.status.as_u16(), 404 | 405), "{rest}: {}", answer.status);
        }
        let other = "/office/bills/bil_00000000000000000000000000";
        app.get(other).cookie(&office.cookies).send().await.expect(404);
    }

    async fn r09_schedules_are_kept_on_the_page(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        let (start, _) = midnight(app);
        riders.ride(app, "a", 1_000, start - HOUR_MS).await;
        let tab = Tab::administrator(app, &riders).await;
        has(&tab.page(app, "").await, &["None: periods are closed by hand"]);
        let provider = riders.metro.cast.merchant.merchant.id.to_string();
        let all = [("provider", ""), ("period", "week"), ("issue", "by_hand"), ("grace_hours", "24")];
        tab.send(app, "/schedule", &all, 303).await;
        let own = [("provider", provider.as_str()), ("period", "own"), ("issue", "at_once"), ("grace_hours", "")];
        tab.send(app, "/schedule", &own, 303).await;
        has(&tab.page(app, "").await, &["Every provider", "Each week, from Monday", "By hand only"]);
        assert_eq!(riders.get(app, "bill-schedules").await["items"].as_array().unwrap().len(), 2);
        for (form, why) in [
            ([("provider", ""), ("period", "own"), ("grace_hours", "")], "Choose day, week or month."),
            ([("provider", ""), ("period", "day"), ("grace_hours", "745")], "Enter whole hours from 0 to 744."),
            ([("provider", "mer_00000000000000000000000000"), ("period", "day"), ("grace_hours", "1")], "Choose a ride provider"),
        ] {
            has(&tab.send(app, "/schedule", &form, 422).await, &[why]);
        }
        tab.send(app, "/schedule", &[("provider", ""), ("period", "")], 303).await;
        let left = riders.get(app, "bill-schedules").await;
        assert_eq!(left["items"][0]["provider"], json!(provider));
    }
}
