//! Row R06: what policies can look at beside what an order says: expressions, and what a provider's feed knows of stops.

use serde_json::{Value, json};

use crate::gates::{FILES, import};
use crate::rides::{DAY_MS, Metro, moment};
use crate::steps::cny;
use crate::support::machine::START_MS;
use crate::support::{TestApp, on_both};

/// The usual feed with positions, and fares by the zones that are passed.
fn feed() -> Vec<u8> {
    let files = FILES.map(|(name, usual)| match name {
        "stops.txt" => (
            name,
            "stop_id,stop_name,stop_lat,stop_lon,zone_id\nlake,West Lake,30.250000,120.140000,A\ntower,Tower,30.260000,120.140000,A\nfair,Fair Grounds,30.270000,120.160000,B\n",
        ),
        "fare_rules.txt" => (
            name,
            "fare_id,route_id,contains_id\nshort,,A\nlong,,A\nlong,,B\nbus,B7,\n",
        ),
        name => (name, usual),
    });
    onescan_platforms::journeys::pack(files).unwrap()
}

async fn trial(app: &TestApp, metro: &Metro, rule: &str, more: Value) -> Value {
    let mut body = json!({
        "person": metro.cast.member.person.id.to_string(), "provider": metro.cast.merchant.merchant.id.to_string(),
        "amount": cny(500), "rules": rule.lines().collect::<Vec<_>>()
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let path = format!("{}/trials", metro.type_path());
    let call = app.post(&path).bearer(&metro.cast.administrator.token).json(&body);
    call.send().await.ok(200)
}

on_both! {
    async fn r06_an_expression_judges_a_ride_and_says_what_it_saw(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        app.top_up(metro.cast.member.person.account, 10_000).await;
        metro.agree(&app, 10_000).await;
        metro.apply(&app, None).await;
        metro.policy(&app, &["expression holds amount <= 300 || (city == \"杭州\" && companions >= 1)"]).await;
        assert_eq!(metro.tell(&app, "R-1", 300).await["state"], "paid_by_institution");
        // How many ride along is not told, and the outcome depends on it.
        assert_eq!(metro.tell(&app, "R-2", 500).await["state"], "paid_by_person");
        let mine = metro.my(&app, "rides").await;
        let reason = &mine["items"][0]["institution_attempt"]["reasons"][0];
        assert_eq!(reason["seen"], "fault: missing; amount = 500, city = \"杭州\", companions = ?");
        assert_eq!(reason["allowed"], "amount <= 300 || (city == \"杭州\" && companions >= 1)");
        let mut ride = metro.ride(&app, "R-3", 500);
        ride["companions"] = json!(2);
        assert_eq!(metro.telling(&app, &ride).send().await.ok(201)["state"], "paid_by_institution");
    }

    async fn r06_an_expression_that_cannot_be_used_is_refused_with_its_place(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let path = format!("{}/policies", metro.type_path());
        for (rule, told) in [
            ("expression holds amuont <= 5", "line 2, column 18: the expression cannot be used: there is no fact \"amuont\""),
            ("expression holds amount <=", "line 2, column"),
            ("expression holds labels.exists(x, x == \"a\")", "\"exists\" cannot be called"),
            ("expression holds amount + 1", "it does not end in true or false"),
        ] {
            let body = json!({ "rules": ["amount <= 5000", rule] });
            let answer = app.post(&path).bearer(&metro.cast.administrator.token).json(&body).send().await;
            let problem = answer.problem(422, "invalid-fields");
            assert_eq!(problem["reasons"][0]["field"], "rules[1]");
            let detail = problem["reasons"][0]["detail"].as_str().unwrap();
            assert!(detail.contains(told), "{detail}");
        }
        // A scenario of tills takes them too, and payments are judged by them.
        let cast = &metro.cast;
        let record = &cast.institution.record;
        app.services.codes.remove_scenario(record.bucket, &record.id, cast.meals.id).await.unwrap();
        app.scenario(record, "Meals", "5811-5814", "expression holds amount <= 2000 && category == 5812\n").await;
        let digits = app.member_digits(&cast.member).await;
        app.charge(&cast.merchant.cashier_key, &digits, 2_001, "T-1").await.problem(422, "limit-exceeded");
        let digits = app.member_digits(&cast.member).await;
        app.charge(&cast.merchant.cashier_key, &digits, 2_000, "T-2").await.ok(201);
        let dimensions = app.get("/v1/dimensions").send().await.ok(200);
        let dimensions = dimensions["items"].as_array().unwrap();
        let expression = dimensions.iter().find(|row| row["name"] == "expression").unwrap();
        let facts = expression["facts"].as_array().unwrap();
        assert!(facts.iter().any(|fact| fact["name"] == "distance" && fact["kind"] == "int"), "{facts:?}");
    }

    async fn r06_a_feed_makes_zones_places_and_distances_of_a_ride_known(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let to_fair = json!({ "start_stop": "lake", "end_stop": "Fair Grounds", "line": "M1" });
        let rule = "start_zone in A\nend_zone in B\ndistance >= 3000\ndistance <= 3600\nstart_area in circle(30.25 120.14 50)";
        let before = trial(&app, &metro, rule, to_fair.clone()).await;
        assert_eq!(before["allowed"], false, "without a feed nothing is known: {before}");
        import(&app, &metro, "autumn", feed()).await.ok(201);
        let after = trial(&app, &metro, rule, to_fair).await;
        assert_eq!(after["allowed"], true, "{after}");
        let seen: Vec<&Value> = after["trace"].as_array().unwrap().iter().map(|line| &line["seen"]).collect();
        assert_eq!(seen[..3], [&json!("A"), &json!("B"), &json!("3331")]);
        let short = trial(&app, &metro, "distance <= 1200", json!({ "start_stop": "lake", "end_stop": "tower" })).await;
        assert_eq!(short["allowed"], true, "{short}");
        let nowhere = trial(&app, &metro, "distance <= 99999", json!({ "start_stop": "lake", "end_stop": "Moon" })).await;
        assert_eq!(nowhere["trace"][0]["seen"], Value::Null, "{nowhere}");

        // An order of the provider that names stops is judged by the same facts.
        app.top_up(metro.cast.member.person.account, 10_000).await;
        metro.agree(&app, 10_000).await;
        metro.apply(&app, None).await;
        metro.policy(&app, &["distance <= 2000", "end_area not in circle(30.27 120.16 500)"]).await;
        let ride = |number: &str, to: &str| {
            let mut ride = metro.ride(&app, number, 500);
            ride["start"]["stop"] = json!("lake");
            ride["end"]["stop"] = json!(to);
            ride
        };
        let near = metro.telling(&app, &ride("R-1", "tower")).send().await.ok(201);
        assert_eq!(near["state"], "paid_by_institution");
        let far = metro.telling(&app, &ride("R-2", "fair")).send().await.ok(201);
        assert_eq!(far["state"], "paid_by_person");
        let dimensions = json!([{ "dimension": "distance" }, { "dimension": "end_area" }]);
        assert_eq!(far["institution_attempt"]["reasons"], dimensions);
        // Fares by the zones that are passed.
        let network = app.services.journeys.feeds.network(metro.cast.merchant.merchant.id).await.unwrap().unwrap();
        let fare = |from, to| network.fare(from, to).map(|quote| quote.price.minor);
        assert_eq!((fare("lake", "tower"), fare("lake", "fair")), (Some(100), Some(450)));
    }

    async fn r06_every_fault_of_a_feed_is_told_at_once(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let files = FILES.map(|(name, usual)| match name {
            "stops.txt" => (name, usual.replacen("lake,West Lake,A", "lake,West Lake,A\nlake,Twice,A", 1)),
            "stop_times.txt" => (name, usual.replacen("t1,tower,2", "t1,sea,2", 1).replacen("t2,lake,1", "t2,lake,one", 1)),
            "fare_attributes.txt" => (name, usual.replacen("4.50", "cheap", 1)),
            name => (name, usual.to_owned()),
        });
        let archive = onescan_platforms::journeys::pack(files.iter().map(|(name, text)| (*name, text.as_str()))).unwrap();
        let problem = import(&app, &metro, "autumn", archive).await.problem(422, "invalid-fields");
        let fields: Vec<&str> =
            problem["reasons"].as_array().unwrap().iter().map(|reason| reason["field"].as_str().unwrap()).collect();
        assert_eq!(
            fields,
            ["stops.txt[3]", "stop_times.txt[3].stop_id", "stop_times.txt[5].stop_sequence", "fare_attributes.txt[3].price"]
        );
    }

    async fn r06_days_off_count_for_payments_at_tills_as_for_rides(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let cast = &metro.cast;
        let record = &cast.institution.record;
        app.services.codes.remove_scenario(record.bucket, &record.id, cast.meals.id).await.unwrap();
        app.scenario(record, "Meals", "5811-5814", "day_kind in workday\n").await;
        let pay = async |order: &str| {
            let digits = app.member_digits(&cast.member).await;
            let scan = app.scan(&cast.merchant.cashier_key, &digits, Some(100)).await.ok(200);
            let paid = app.charge(&cast.merchant.cashier_key, &digits, 100, order).await;
            let verdict = if paid.status == 201 { "permitted" } else { "barred" };
            assert_eq!(scan["verdict"], verdict, "scan and payment agree");
            paid.status
        };
        assert_eq!(pay("T-1").await, 201, "a plain workday");
        let today = jiff::Timestamp::from_millisecond(app.now_ms()).unwrap();
        let today = today.to_zoned(jiff::tz::TimeZone::get("Asia/Shanghai").unwrap()).date();
        let path = format!("/v1/institutions/{}/work-calendar", cast.institution.institution.id);
        let body = json!({ "days": [format!("{today},holiday,Founding day")] });
        app.put(&path).bearer(&cast.administrator.token).json(&body).send().await.ok(200);
        assert_eq!(pay("T-2").await, 422);
        // What a till would see is told the same way by a dry run.
        let body = json!({ "days": [] });
        app.put(&path).bearer(&cast.administrator.token).json(&body).send().await.ok(200);
        assert_eq!(pay("T-3").await, 201);
    }

    async fn r07_the_institution_sees_its_rides_that_turned_to_the_person(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        app.top_up(metro.cast.member.person.account, 10_000).await;
        metro.agree(&app, 10_000).await;
        metro.apply(&app, None).await;
        metro.policy(&app, &["amount <= 400"]).await;
        metro.tell(&app, "R-1", 300).await;
        metro.tell(&app, "R-2", 500).await;
        let path = format!("/v1/institutions/{}/rides", metro.cast.institution.institution.id);
        let list = app.get(&path).bearer(&metro.cast.administrator.token).send().await.ok(200);
        let states: Vec<(&Value, &Value)> =
            list["items"].as_array().unwrap().iter().map(|ride| (&ride["number"], &ride["state"])).collect();
        assert_eq!(states, [
            (&json!("R-2"), &json!("paid_by_person")),
            (&json!("R-1"), &json!("paid_by_institution")),
        ]);
        // What the person rides without a form of the institution is none of its business.
        let mut own = metro.ride(&app, "R-3", 100);
        own["start"]["at"] = moment(START_MS + 2 * DAY_MS).into();
        own["end"]["at"] = moment(START_MS + 2 * DAY_MS).into();
        assert_eq!(metro.telling(&app, &own).send().await.ok(201)["state"], "paid_by_person");
        let list = app.get(&path).bearer(&metro.cast.administrator.token).send().await.ok(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 2);
    }
}
