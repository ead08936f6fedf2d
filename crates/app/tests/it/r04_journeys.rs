//! Rows R03, R04, R05: taps become rides, each ride one order at the feed's fare; late, repeated and reordered taps; corrections.

use onescan_domain::rides::tap::TapKind;
use onescan_gate::keys::Algorithm;
use serde_json::{Value, json};

use crate::gates::{StationGate, archive, import};
use crate::r04_ride_codes::Phone;
use crate::rides::{HOUR_MS, MINUTE_MS, Metro};
use crate::support::shown::items;
use crate::support::{TestApp, on_both};

/// The company that pays for the metro, its member's phone, and a gate at each end of the line.
struct Line {
    metro: Metro,
    phone: Phone,
    lake: StationGate,
    fair: StationGate,
}

impl Line {
    async fn open(app: &TestApp) -> Self {
        let metro = Metro::open(app, json!({})).await;
        import(app, &metro, "autumn", archive()).await.ok(201);
        app.top_up(metro.cast.member.person.account, 10_000).await;
        metro.agree(app, 5_000).await;
        Self {
            phone: Phone::enrol(app, &metro.cast.member.token, 50, Algorithm::Ed25519).await,
            lake: StationGate::open(app, &metro, "lake", TapKind::Entry, 60).await,
            fair: StationGate::open(app, &metro, "fair", TapKind::Exit, 61).await,
            metro,
        }
    }

    /// What the provider sees, newest first.
    async fn rides(&self, app: &TestApp) -> Vec<Value> {
        let path = self.metro.provider_path("tap-rides");
        items(
            &app.get(&path)
                .bearer(&self.metro.cast.merchant.key)
                .send()
                .await
                .ok(200),
        )
        .clone()
    }

    async fn orders(&self, app: &TestApp) -> Vec<Value> {
        items(&self.metro.my(app, "rides").await).clone()
    }

    async fn under_way(&self, app: &TestApp) -> Vec<Value> {
        items(&self.metro.my(app, "rides-under-way").await).clone()
    }
}

on_both! {
    async fn r04_an_entry_and_an_exit_become_one_order_that_the_institution_pays(app: TestApp) {
        let mut line = Line::open(&app).await;
        let form = line.metro.apply(&app, Some(1)).await;
        line.phone.renew(&app).await;
        let started = app.now_ms();
        line.lake.pass(&app, line.phone.show(&app, 1)).await;
        let open = line.under_way(&app).await;
        assert_eq!((&open[0]["state"], &open[0]["start"]["station"]), (&json!("open"), &json!("lake")));
        assert_eq!(line.orders(&app).await.len(), 0);
        // The form's one ride is held from the entry on: a second ride at once cannot have it.
        let held = line.phone.renew(&app).await;
        assert_eq!((&held["payer"], &held["why"]), (&json!("person"), &json!("in_use")));
        assert_eq!(line.metro.consult(&app).await["why"], "in_use");

        app.clock.advance_ms(20 * MINUTE_MS);
        line.fair.pass(&app, line.phone.show(&app, 2)).await;
        let rides = line.rides(&app).await;
        assert_eq!((&rides[0]["state"], &rides[0]["journey"]), (&json!("ordered"), &json!("complete")));
        assert_eq!((&rides[0]["fare"]["amount_minor"], &rides[0]["line"]), (&json!(450), &json!("M1")));
        let orders = line.orders(&app).await;
        assert_eq!(orders.len(), 1);
        assert_eq!((&orders[0]["id"], &orders[0]["number"]), (&rides[0]["ride"], &rides[0]["number"]));
        assert_eq!(orders[0]["state"], "paid_by_institution");
        assert_eq!((&orders[0]["start"]["place"], &orders[0]["start"]["stop"]), (&json!("West Lake"), &json!("lake")));
        assert_eq!(orders[0]["start"]["at"], crate::rides::moment(started));
        assert_eq!(orders[0]["end"]["place"], "Fair Grounds");
        assert_eq!(line.under_way(&app).await, Vec::<Value>::new());
        assert_eq!(line.metro.state(&app, &form).await, "used");
        assert_eq!(line.metro.balances(&app).await, (1_000_000 - 450, 10_000));
    }

    async fn r04_what_is_handed_over_again_or_in_another_order_changes_nothing(app: TestApp) {
        let mut line = Line::open(&app).await;
        line.metro.apply(&app, None).await;
        let (mut entries, mut exits) = (Vec::new(), Vec::new());
        for ride in 0..3 {
            entries.push(line.lake.tap(&app, line.phone.show(&app, ride * 2 + 1)));
            app.clock.advance_ms(20 * MINUTE_MS);
            exits.push(line.fair.tap(&app, line.phone.show(&app, ride * 2 + 2)));
            app.clock.advance_ms(20 * MINUTE_MS);
        }
        // The exit gate is online, the entry gate is not; then it hands over backwards, twice.
        for exit in &exits {
            line.fair.upload(&app, std::slice::from_ref(exit)).await;
            app.work_on_taps().await;
        }
        let waiting = line.rides(&app).await;
        assert!(waiting.iter().all(|ride| ride["state"] == "waiting"), "{waiting:?}");
        for entry in entries.iter().rev().chain(&entries) {
            line.lake.upload(&app, std::slice::from_ref(entry)).await;
            app.work_on_taps().await;
        }
        let rides = line.rides(&app).await;
        assert_eq!(rides.len(), 3);
        assert!(rides.iter().all(|ride| ride["state"] == "ordered" && ride["journey"] == "complete"), "{rides:?}");
        assert_eq!(line.orders(&app).await.len(), 3);
        assert_eq!(line.metro.balances(&app).await.0, 1_000_000 - 3 * 450);
        let again = app.restarted(|_| {}).await;
        again.work_on_taps().await;
        assert_eq!(line.orders(&app).await.len(), 3);
    }

    async fn r04_a_ride_without_its_exit_costs_the_maximum_and_a_late_exit_gives_back(app: TestApp) {
        let mut line = Line::open(&app).await;
        let mut tower = StationGate::open(&app, &line.metro, "tower", TapKind::Exit, 62).await;
        let setup = json!({"travel_type": "metro", "journey_max_minutes": 60, "late_minutes": 120});
        let path = line.metro.provider_path("ride-setup");
        app.put(&path).bearer(&line.metro.cast.merchant.key).json(&setup).send().await.ok(200);
        line.lake.pass(&app, line.phone.show(&app, 1)).await;
        app.clock.advance_ms(10 * MINUTE_MS);
        let late = tower.tap(&app, line.phone.show(&app, 2));
        app.clock.advance_ms(HOUR_MS);
        app.work_on_taps().await;
        let ride = &line.rides(&app).await[0];
        assert_eq!((&ride["journey"], &ride["state"]), (&json!("no_exit"), &json!("waiting")));
        app.clock.advance_ms(HOUR_MS);
        app.work_on_taps().await;
        let order = &line.orders(&app).await[0];
        assert_eq!((&order["amount"]["amount_minor"], &order["state"]), (&json!(450), &json!("paid_by_person")));
        assert_eq!(order["end"]["place"], "—");
        assert_eq!(line.metro.balances(&app).await.1, 10_000 - 450);
        // The gate at the tower was offline all day: the ride was a short one.
        tower.upload(&app, &[late]).await;
        app.work_on_taps().await;
        let ride = &line.rides(&app).await[0];
        assert_eq!((&ride["journey"], &ride["state"], &ride["fare"]["amount_minor"]), (&json!("complete"), &json!("ordered"), &json!(100)));
        let orders = line.orders(&app).await;
        assert_eq!((orders.len(), &orders[0]["refunded_minor"]), (1, &json!(350)));
        assert_eq!(line.metro.balances(&app).await.1, 10_000 - 100);
    }

    async fn r08_a_late_tap_lowers_what_is_owed_and_frees_the_next_ride_code(app: TestApp) {
        let mut line = Line::open(&app).await;
        let token = line.metro.cast.member.token.clone();
        app.delete("/v1/people/me/ride-consent").bearer(&token).send().await.expect(204);
        line.metro.apply(&app, None).await;
        line.metro.policy(&app, &["amount <= 50"]).await;
        let mut tower = StationGate::open(&app, &line.metro, "tower", TapKind::Exit, 62).await;
        let mut back = StationGate::open(&app, &line.metro, "lake", TapKind::Exit, 63).await;
        let setup = json!({"travel_type": "metro", "journey_max_minutes": 60, "late_minutes": 60});
        let path = line.metro.provider_path("ride-setup");
        app.put(&path).bearer(&line.metro.cast.merchant.key).json(&setup).send().await.ok(200);
        line.lake.pass(&app, line.phone.show(&app, 1)).await;
        app.clock.advance_ms(10 * MINUTE_MS);
        let late = tower.tap(&app, line.phone.show(&app, 2));
        app.clock.advance_ms(2 * HOUR_MS);
        app.work_on_taps().await;
        let order = &line.orders(&app).await[0];
        assert_eq!((&order["state"], &order["arrears_minor"]), (&json!("arrears"), &json!(450)));
        tower.upload(&app, &[late]).await;
        app.work_on_taps().await;
        let order = &line.orders(&app).await[0];
        assert_eq!((&order["arrears_minor"], &order["refunded_minor"]), (&json!(100), &json!(350)), "{order}");
        assert_eq!(line.metro.my(&app, "arrears").await["items"][0]["amount"]["amount_minor"], 100);
        assert_eq!(line.rides(&app).await[0]["problem"], Value::Null);
        // What is left is paid, and no more.
        let path = format!("/v1/people/me/arrears/{}/payment", order["id"].as_str().unwrap());
        app.post(&path).bearer(&token).send().await.ok(200);
        assert_eq!(line.metro.balances(&app).await.1, 10_000 - 100);
        let order = &line.orders(&app).await[0];
        assert_eq!((&order["arrears_minor"], &order["refunded_minor"]), (&json!(0), &json!(350)), "{order}");

        // A ride that is told dearer than it was owed: the debt is dropped, and one of the whole fare stands in its place.
        app.clock.advance_ms(HOUR_MS);
        let entry = line.lake.tap(&app, line.phone.show(&app, 3));
        app.clock.advance_ms(5 * MINUTE_MS);
        let out = line.fair.tap(&app, line.phone.show(&app, 4));
        app.clock.advance_ms(5 * MINUTE_MS);
        let again = line.lake.tap(&app, line.phone.show(&app, 5));
        app.clock.advance_ms(5 * MINUTE_MS);
        let home = back.tap(&app, line.phone.show(&app, 6));
        line.lake.upload(&app, &[entry]).await;
        back.upload(&app, &[home]).await;
        app.work_on_taps().await;
        let owed = async || -> i64 {
            let arrears = line.metro.my(&app, "arrears").await;
            items(&arrears).iter().map(|debt| debt["amount"]["amount_minor"].as_i64().unwrap()).sum()
        };
        assert_eq!(owed().await, 100, "from the lake to the lake");
        line.fair.upload(&app, &[out]).await;
        line.lake.upload(&app, &[again]).await;
        app.work_on_taps().await;
        assert_eq!(owed().await, 450 + 100, "to the fair, and a short one");
        let renew = || app.post(&line.phone.entitlements()).bearer(&token);
        renew().send().await.problem(422, "in-arrears");
        // Rides that are given back whole leave no debt, and the next code is free at once.
        let rides = line.rides(&app).await;
        assert!(rides.iter().all(|ride| ride["problem"] == Value::Null), "{rides:?}");
    }

    async fn r04_taps_in_between_part_a_ride_and_each_part_has_one_order(app: TestApp) {
        let mut line = Line::open(&app).await;
        let mut back = StationGate::open(&app, &line.metro, "fair", TapKind::Entry, 62).await;
        let mut home = StationGate::open(&app, &line.metro, "lake", TapKind::Exit, 63).await;
        let entry = line.lake.tap(&app, line.phone.show(&app, 1));
        app.clock.advance_ms(20 * MINUTE_MS);
        let out = line.fair.tap(&app, line.phone.show(&app, 2));
        app.clock.advance_ms(20 * MINUTE_MS);
        let again = back.tap(&app, line.phone.show(&app, 3));
        app.clock.advance_ms(20 * MINUTE_MS);
        let last = home.tap(&app, line.phone.show(&app, 4));
        // Only the first and the last are known: as if somebody had left where they came in.
        line.lake.upload(&app, &[entry]).await;
        home.upload(&app, &[last]).await;
        app.work_on_taps().await;
        let orders = line.orders(&app).await;
        assert_eq!((orders.len(), &orders[0]["amount"]["amount_minor"]), (1, &json!(100)));
        line.fair.upload(&app, &[out]).await;
        back.upload(&app, &[again]).await;
        app.work_on_taps().await;
        let rides = line.rides(&app).await;
        assert_eq!(rides.len(), 2);
        assert!(rides.iter().all(|ride| ride["state"] == "ordered" && ride["journey"] == "complete"), "{rides:?}");
        // The order that was too cheap is given back; its ride has another of the same number with a count.
        let first = rides[1]["number"].as_str().unwrap();
        assert_eq!(first, format!("{}-2", orders[0]["number"].as_str().unwrap()));
        let orders = line.orders(&app).await;
        let kept = |order: &Value| order["amount"]["amount_minor"].as_i64().unwrap() - order["refunded_minor"].as_i64().unwrap_or(0);
        let mut kept: Vec<i64> = orders.iter().map(kept).collect();
        kept.sort_unstable();
        assert_eq!(kept, [0, 450, 450], "{orders:?}");
        assert_eq!(line.metro.balances(&app).await.1, 10_000 - 450 - 450);
    }

    async fn r04_a_tap_that_named_an_order_and_was_parted_from_it_has_an_order_of_its_own(app: TestApp) {
        let mut line = Line::open(&app).await;
        let mut tower = StationGate::open(&app, &line.metro, "tower", TapKind::Exit, 62).await;
        let setup = json!({"travel_type": "metro", "journey_max_minutes": 60, "late_minutes": 30});
        let path = line.metro.provider_path("ride-setup");
        app.put(&path).bearer(&line.metro.cast.merchant.key).json(&setup).send().await.ok(200);
        let entry = line.lake.tap(&app, line.phone.show(&app, 1));
        app.clock.advance_ms(10 * MINUTE_MS);
        let out = tower.tap(&app, line.phone.show(&app, 2));
        app.clock.advance_ms(10 * MINUTE_MS);
        // The last exit is known alone, long enough to cost the maximum: its order is named after it.
        line.fair.pass(&app, line.phone.show(&app, 3)).await;
        app.clock.advance_ms(HOUR_MS);
        app.work_on_taps().await;
        assert_eq!(line.orders(&app).await.len(), 1);
        // Then the entry: one ride, the same order.
        line.lake.upload(&app, &[entry]).await;
        app.work_on_taps().await;
        assert_eq!((line.rides(&app).await.len(), line.orders(&app).await.len()), (1, 1));
        // Then the exit in between, which parts them again.
        tower.upload(&app, &[out]).await;
        app.work_on_taps().await;
        app.clock.advance_ms(HOUR_MS);
        app.work_on_taps().await;
        let rides = line.rides(&app).await;
        assert!(rides.iter().all(|ride| ride["state"] == "ordered"), "{rides:?}");
        let named: std::collections::BTreeSet<&str> = rides.iter().map(|ride| ride["ride"].as_str().unwrap()).collect();
        assert_eq!((rides.len(), named.len()), (2, 2), "an order each: {rides:?}");
        assert_eq!(line.orders(&app).await.len(), 2);
    }

    async fn r04_one_tap_on_a_bus_is_a_ride_and_a_feed_that_comes_later_prices_it(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        app.top_up(metro.cast.member.person.account, 10_000).await;
        let phone = Phone::enrol(&app, &metro.cast.member.token, 50, Algorithm::Ed25519).await;
        let mut bus = StationGate::open(&app, &metro, "B7", TapKind::Single, 60).await;
        bus.pass(&app, phone.show(&app, 1)).await;
        let path = metro.provider_path("tap-rides?state=unpriced");
        let unpriced = app.get(&path).bearer(&metro.cast.merchant.key).send().await.ok(200);
        assert_eq!((&unpriced["items"][0]["problem"], &unpriced["items"][0]["journey"]), (&json!("no-fare"), &json!("single")));
        import(&app, &metro, "autumn", archive()).await.ok(201);
        app.work_on_taps().await;
        let orders = metro.my(&app, "rides").await;
        assert_eq!((items(&orders).len(), &orders["items"][0]["amount"]["amount_minor"]), (1, &json!(100)));
        assert_eq!((&orders["items"][0]["start"]["place"], &orders["items"][0]["line"]), (&json!("Bus 7"), &json!("Bus 7")));
        // The same passage tried twice is one ride; a later one with a code of its own is another.
        app.clock.advance_ms(10_000);
        bus.pass(&app, phone.show(&app, 2)).await;
        app.clock.advance_ms(HOUR_MS);
        bus.pass(&app, phone.show(&app, 3)).await;
        assert_eq!(items(&metro.my(&app, "rides").await).len(), 2);
        let wrong = metro.provider_path("tap-rides?state=lost");
        app.get(&wrong).bearer(&metro.cast.merchant.key).send().await.problem(422, "invalid-fields");
    }

    async fn r04_a_gates_wrong_clock_swaps_nothing(app: TestApp) {
        let mut line = Line::open(&app).await;
        line.lake.ahead_ms = 40_000;
        line.lake.pass(&app, line.phone.show(&app, 1)).await;
        app.clock.advance_ms(20_000);
        line.fair.pass(&app, line.phone.show(&app, 2)).await;
        let ride = &line.rides(&app).await[0];
        assert_eq!((&ride["journey"], &ride["state"]), (&json!("complete"), &json!("ordered")), "{ride}");
        assert_eq!(line.orders(&app).await.len(), 1);
    }

    async fn r05_a_failed_rule_turns_a_tapped_ride_to_the_person_and_a_debt_blocks_the_next_code(app: TestApp) {
        let mut line = Line::open(&app).await;
        line.metro.apply(&app, None).await;
        line.metro.policy(&app, &["start_stop in tower"]).await;
        line.lake.pass(&app, line.phone.show(&app, 1)).await;
        app.clock.advance_ms(20 * MINUTE_MS);
        line.fair.pass(&app, line.phone.show(&app, 2)).await;
        let orders = line.orders(&app).await;
        assert_eq!(orders[0]["state"], "paid_by_person", "{orders:?}");
        // Without a consent the same ride is owed, and the ride code is refused until it is paid.
        let call = app.delete("/v1/people/me/ride-consent").bearer(&line.metro.cast.member.token);
        call.send().await.expect(204);
        app.clock.advance_ms(HOUR_MS);
        line.lake.pass(&app, line.phone.show(&app, 3)).await;
        app.clock.advance_ms(20 * MINUTE_MS);
        line.fair.pass(&app, line.phone.show(&app, 4)).await;
        assert_eq!(line.orders(&app).await[0]["state"], "arrears");
        let renew = app.post(&line.phone.entitlements()).bearer(&line.metro.cast.member.token);
        renew.send().await.problem(422, "in-arrears");
    }

    async fn r04_pages_show_the_provider_its_gates_and_the_person_what_is_under_way(app: TestApp) {
        let mut line = Line::open(&app).await;
        let sign_in = |path: &'static str, fields: Vec<(&'static str, String)>| {
            let app = app.clone();
            async move {
                let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let answer = app.post(path).form(&fields).send().await;
                answer.expect(303);
                answer.cookies()
            }
        };
        let gate = sign_in("/till/sign-in", vec![("key", line.lake.key.clone())]).await;
        let empty = app.get("/gates").cookie(&gate).send().await.expect(200).text();
        assert!(empty.contains("No rides yet") && empty.contains("feed “autumn”"), "{empty}");
        let password = crate::support::builders::PASSWORD.to_owned();
        let member = sign_in("/sign-in", vec![("login", "wang.fang".to_owned()), ("password", password)]).await;
        line.lake.pass(&app, line.phone.show(&app, 1)).await;
        let mine = app.get("/rides").cookie(&member).send().await.expect(200).text();
        assert!(mine.contains("Under way") && mine.contains("West Lake"), "{mine}");
        app.clock.advance_ms(20 * MINUTE_MS);
        line.fair.pass(&app, line.phone.show(&app, 2)).await;
        let page = app.get("/gates").cookie(&gate).send().await.expect(200).text();
        for shown in ["West Lake – Fair Grounds", "entry and exit", "Ordered", "Paid", "lake entry", "Let through", "No device is denied"] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        let mine = app.get("/rides").cookie(&member).send().await.expect(200).text();
        assert!(!mine.contains("Under way"), "{mine}");
        // A till is no gate, and a person is nobody here.
        let till = sign_in("/till/sign-in", vec![("key", line.metro.cast.merchant.cashier_key.clone())]).await;
        app.get("/gates").cookie(&till).send().await.expect(403);
        app.get("/gates").cookie(&member).send().await.expect(303);
    }
}
