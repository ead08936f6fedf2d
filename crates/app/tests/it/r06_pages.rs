//! Rows R01, R06-R08 on the administrator's pages: kinds of travel, policies tried, replayed and scheduled, days off, funding,
//! delegation, and every ride with who paid.

use serde_json::json;

use crate::rides::{DAY_MS, Metro, moment};
use crate::support::builders::PASSWORD;
use crate::support::machine::START_MS;
use crate::support::{TestApp, on_both};

async fn cookies(app: &TestApp, login: &str) -> String {
    let form = [("login", login), ("password", PASSWORD)];
    let answer = app.post("/sign-in").form(&form).send().await;
    answer.expect(303);
    answer.cookies()
}

/// The administrator's browser at the usual company.
struct Boss {
    cookies: String,
    path: String,
}

impl Boss {
    async fn open(app: &TestApp, metro: &Metro) -> Self {
        Self {
            cookies: cookies(app, "han.meimei").await,
            path: format!("/travel/{}", metro.cast.institution.institution.id),
        }
    }

    async fn page(&self, app: &TestApp, rest: &str) -> String {
        let path = format!("{}{rest}", self.path);
        app.get(&path).cookie(&self.cookies).send().await.expect(200).text()
    }

    async fn send(&self, app: &TestApp, rest: &str, form: &[(&str, &str)], status: u16) -> String {
        let path = format!("{}{rest}", self.path);
        let answer = app.post(&path).cookie(&self.cookies).form(form).send().await;
        answer.expect(status);
        answer.text()
    }
}

on_both! {
    async fn r06_a_policy_is_tried_replayed_and_scheduled_on_its_page(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        metro.apply(&app, None).await;
        for (number, minor) in [("R-1", 300), ("R-2", 450), ("R-3", 600)] {
            assert_eq!(metro.tell(&app, number, minor).await["state"], "paid_by_institution");
        }
        let boss = Boss::open(&app, &metro).await;
        let kind = format!("/types/{}", metro.kind);
        assert!(boss.page(&app, &kind).await.contains("No version yet"), "an empty state");

        let day = moment(START_MS)[..10].to_owned();
        let start = format!("{day}T09:00");
        let (member, provider) = (
            metro.cast.member.person.id.to_string(),
            metro.cast.merchant.merchant.id.to_string(),
        );
        let form = |action: &'static str, rules: &'static str| {
            vec![
                ("do", action), ("rules", rules), ("since", day.as_str()), ("until", day.as_str()),
                ("member", member.as_str()), ("provider", provider.as_str()), ("amount", "4.50"), ("start", start.as_str()),
            ]
        };
        let replayed = boss.send(&app, &kind, &form("replay", "amount <= 400"), 200).await;
        assert!(replayed.contains("Would have moved 2 rides, CN¥10.50, to personal payment."), "{replayed}");
        assert!(replayed.contains("amount &#60;= 400") || replayed.contains("amount &lt;= 400"), "kept in the editor");
        let tried = boss.send(&app, &kind, &form("try", "amount <= 400"), 200).await;
        assert!(tried.contains("The institution does not pay"), "{tried}");
        assert!(tried.contains("at most CN¥4.00 is allowed"), "{tried}");
        let tried = boss.send(&app, &kind, &form("try", "amount <= 500"), 200).await;
        assert!(tried.contains("The institution pays"), "{tried}");
        let wrong = boss.send(&app, &kind, &form("save", "amuont <= 1"), 422).await;
        assert!(wrong.contains("line 1, column 1"), "{wrong}");
        assert!(boss.page(&app, &kind).await.contains("No version yet"), "trying and replaying write nothing");

        boss.send(&app, &kind, &form("save", "amount <= 500\nany of\n  weekday in mon-fri\n  count_day <= 1"), 303).await;
        let mut later = form("save", "amount <= 200");
        let begins = format!("{}T00:00", &moment(START_MS + 3 * DAY_MS)[..10]);
        later.push(("from", &begins));
        boss.send(&app, &kind, &later, 303).await;
        let page = boss.page(&app, &kind).await;
        for text in ["in force", "begins later", "Per payment: at most CN¥5.00", "At least one of these:", "data-depth=\"1\""] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(boss.page(&app, "").await.contains("Another version begins"), "told on the overview");
        assert_eq!(metro.tell(&app, "R-4", 450).await["state"], "paid_by_institution", "not in force yet");
    }

    async fn r06_days_off_are_entered_and_rules_go_by_them(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        metro.policy(&app, &["day_kind in workday"]).await;
        metro.apply(&app, None).await;
        let boss = Boss::open(&app, &metro).await;
        // The test begins on a Monday.
        assert_eq!(metro.tell(&app, "R-1", 500).await["state"], "paid_by_institution");
        let wrong = boss.send(&app, "/calendar", &[("days", "2026-13-01,holiday,x")], 422).await;
        assert!(wrong.contains("line 1") && wrong.contains("2026-13-01,holiday,x"), "{wrong}");
        let day = app.now_ms();
        let line = format!("{},holiday,Founders", &moment(day + 8 * 3_600_000)[..10]);
        boss.send(&app, "/calendar", &[("days", &line)], 303).await;
        assert!(boss.page(&app, "").await.contains("1 day off"), "counted");
        let ride = metro.tell(&app, "R-2", 500).await;
        assert_ne!(ride["state"], "paid_by_institution", "{ride}");
        let outcomes = boss.page(&app, "/rides").await;
        assert!(outcomes.contains("Kind of day: allowed are workday, this was holiday"), "{outcomes}");

        let path = format!("/v1/institutions/{}/work-calendar", metro.cast.institution.institution.id);
        let token = &metro.cast.administrator.token;
        assert_eq!(app.get(&path).bearer(token).send().await.ok(200), json!({"days": [line]}));
        let body = json!({"days": ["2026-10-10,worked,x"]});
        let refused = app.put(&path).bearer(token).json(&body).send().await;
        refused.problem(422, "invalid-fields");
        app.put(&path).bearer(token).json(&json!({"days": []})).send().await.ok(200);
        assert_eq!(metro.tell(&app, "R-3", 500).await["state"], "paid_by_institution");
        app.get(&path).bearer(&metro.cast.member.token).send().await.problem(404, "not-found");
    }

    async fn r07_funding_is_edited_and_rides_are_read_on_a_list_and_by_stop(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        metro.apply(&app, None).await;
        metro.agree(&app, 1_000).await;
        app.top_up(metro.cast.member.person.account, 1_000).await;
        let boss = Boss::open(&app, &metro).await;
        assert!(boss.page(&app, "/rides").await.contains("No rides yet"), "an empty state");
        let foreign = boss.send(&app, "/funding", &[("source_0", "institution"), ("cap_0", "0")], 422).await;
        assert!(foreign.contains("Enter an amount"), "{foreign}");
        boss.send(&app, "/funding", &[("source_0", "institution"), ("cap_0", "3.00")], 303).await;
        assert!(boss.page(&app, "").await.contains("value=\"3.00\""), "kept");
        assert_eq!(metro.tell(&app, "R-1", 500).await["state"], "split");

        let list = boss.page(&app, "/rides").await;
        assert!(list.contains("Shared") && list.contains("CN¥3.00 + CN¥2.00"), "{list}");
        let stops = boss.page(&app, "/rides?view=stops").await;
        assert!(stops.contains("West Lake") && stops.contains("CN¥3.00") && stops.contains("CN¥2.00"), "{stops}");
        let csv = boss.page(&app, "/rides.csv").await;
        assert_eq!(csv.lines().count(), 2, "{csv}");
        assert!(csv.contains("\"West Lake\",\"East Station\"") && csv.contains("CNY,5.00,3.00,2.00,0.00,split"), "{csv}");

        let member = cookies(&app, "wang.fang").await;
        app.get(&format!("{}/rides", boss.path)).cookie(&member).send().await.expect(404);
        assert!(!app.get("/account").cookie(&member).send().await.text().contains("/travel"));
        assert!(app.get("/account").cookie(&boss.cookies).send().await.text().contains("href=\"/travel\""));
    }

    async fn r01_kinds_of_travel_are_made_and_changed_on_a_page(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let boss = Boss::open(&app, &metro).await;
        let fields = [
            ("name", "Taxi"), ("code", "taxi"), ("approval", "automatic"), ("rides_max", "2"), ("cities", "杭州, 上海"),
            ("field_label_0", "Customer"), ("field_name_0", "customer"), ("field_kind_0", "choice"),
            ("field_choices_0", "ACME, Other"), ("field_required_0", "on"), ("refund", "on"),
        ];
        let mut wrong = fields.to_vec();
        wrong[1].1 = "Taxi!";
        assert!(boss.send(&app, "/types", &wrong, 422).await.contains("Code: use 1 to 40 small letters"));
        boss.send(&app, "/types", &fields, 303).await;
        assert!(boss.send(&app, "/types", &fields, 422).await.contains("Another kind of travel has this code"));
        let path = format!("/v1/institutions/{}/travel-types", metro.cast.institution.institution.id);
        let types = app.list_of(&metro.cast.administrator.token, &path).await;
        let taxi = types.iter().find(|kind| kind["code"] == "taxi").unwrap();
        assert_eq!(taxi["approval"]["automatic"], json!({"rides_max": 2, "cities": ["杭州", "上海"]}));
        assert_eq!(taxi["form"][0]["choices"], json!(["ACME", "Other"]));
        assert_eq!(taxi["refund_gives_back"], true);

        let edit = format!("/types/{}/edit", taxi["id"].as_str().unwrap());
        let page = boss.page(&app, &edit).await;
        assert!(page.contains("value=\"Customer\"") && page.contains("value=\"2\""), "{page}");
        boss.send(&app, &edit, &[("name", "Cab"), ("code", "taxi"), ("approval", "none")], 303).await;
        assert!(boss.page(&app, "").await.contains("Cab"), "changed");
    }
}
