//! Rows R01, R02, R08, R11 on the pages: apply, switch, see the outcome, pay what is owed, decide as administrator.

use serde_json::json;

use crate::rides::Metro;
use crate::support::builders::PASSWORD;
use crate::support::{TestApp, on_both};

async fn cookies(app: &TestApp, login: &str) -> String {
    let form = [("login", login), ("password", PASSWORD)];
    let answer = app.post("/sign-in").form(&form).send().await;
    answer.expect(303);
    answer.cookies()
}

on_both! {
    async fn r01_pages_take_an_application_and_an_administrator_decides(app: TestApp) {
        let form = json!([{ "name": "customer", "label": "Customer", "kind": "text", "required": true }]);
        let metro = Metro::open(&app, json!({ "form": form, "approval": { "by": "administrators" } })).await;
        let member = cookies(&app, "wang.fang").await;
        let page = |path: &str, cookies: &str| app.get(path).cookie(cookies);
        let empty = page("/rides", &member).send().await;
        assert!(empty.text().contains("Nothing applied for yet"), "{}", empty.text());
        let asked = page(&format!("/rides/new?type={}", metro.kind), &member).send().await;
        assert!(asked.text().contains("name=\"field_customer\""), "{}", asked.text());

        let mut fields = vec![
            ("type", metro.kind.as_str()),
            ("purpose", "Trade fair"),
            ("from", "2026-11-23"),
            ("until", "2026-11-23"),
            ("rides", "1"),
        ];
        let refused = app.post("/rides/new").cookie(&member).form(&fields).send().await;
        assert!(refused.expect(422).text().contains("Customer: "), "{}", refused.text());
        fields.push(("field_customer", "ACME"));
        app.post("/rides/new").cookie(&member).form(&fields).send().await.expect(303);
        let waiting = page("/rides", &member).send().await.expect(200).text();
        assert!(waiting.contains("Waits for approval"), "{waiting}");

        let boss = cookies(&app, "han.meimei").await;
        let inbox = page("/approvals", &boss).send().await.expect(200).text();
        assert!(inbox.contains("Trade fair") && inbox.contains("ACME"), "{inbox}");
        let action = inbox.split("action=\"").find_map(|rest| {
            let path = rest.split('"').next()?;
            path.starts_with("/approvals/").then(|| path.to_owned())
        });
        let action = action.unwrap();
        app.post(&action).cookie(&member).form(&[("ruling", "approve")]).send().await.expect(404);
        app.post(&action).cookie(&boss).form(&[("ruling", "approve")]).send().await.expect(303);
        assert!(page("/approvals", &boss).send().await.text().contains("Nothing waits for you"));
        assert_eq!(metro.tell(&app, "R-1", 500).await["state"], "paid_by_institution");
        let outcomes = page("/rides/outcomes", &member).send().await.expect(200).text();
        assert!(outcomes.contains("Paid by the institution"), "{outcomes}");
    }

    async fn r08_the_page_says_why_and_takes_what_is_owed(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        metro.policy(&app, &["amount <= 400"]).await;
        metro.apply(&app, None).await;
        metro.tell(&app, "R-1", 500).await;
        let member = cookies(&app, "wang.fang").await;
        let owed = app.get("/rides").cookie(&member).send().await.expect(200).text();
        for said in ["You owe for rides", "Corner Canteen", "West Lake – East Station", "4.00"] {
            assert!(owed.contains(said), "{said}: {owed}");
        }
        let action = owed.split("action=\"").find_map(|rest| {
            let path = rest.split('"').next()?;
            path.ends_with("/pay").then(|| path.to_owned())
        });
        let pay = || app.post(action.as_deref().unwrap()).cookie(&member).form(&[]);
        assert!(pay().send().await.expect(422).text().contains("too little money"));
        app.top_up(metro.cast.member.person.account, 500).await;
        pay().send().await.expect(303);
        let paid = app.get("/rides").cookie(&member).send().await.expect(200).text();
        assert!(!paid.contains("You owe for rides"), "{paid}");
        let consent = |cap: &str| app.post("/rides/consent").cookie(&member).form(&[("cap", cap)]);
        consent("five").send().await.expect(422);
        consent("12.50").send().await.expect(303);
        assert_eq!(metro.my(&app, "ride-consent").await["cap"]["amount_minor"], 1_250);
        consent("").send().await.expect(303);
        assert_eq!(metro.my(&app, "ride-consent").await["given"], false);
    }
}
