//! Row R04: transit feeds are taken in whole or refused by file, line and column; their stops and lines can be named.

use std::path::PathBuf;

use onescan_domain::money::Currency;
use onescan_platforms::journeys::pack;
use serde_json::{Value, json};

use crate::gates::{FILES, archive, import};
use crate::rides::Metro;
use crate::support::shown::items;
use crate::support::{TestApp, on_both};

async fn feeds(app: &TestApp, metro: &Metro) -> Vec<Value> {
    let call = app
        .get(&metro.provider_path("ride-feeds"))
        .bearer(&metro.cast.merchant.key);
    items(&call.send().await.ok(200)).clone()
}

/// The usual feed with one file changed.
fn with(name: &str, text: &str) -> Vec<u8> {
    pack(FILES.map(|(known, usual)| (known, if known == name { text } else { usual }))).unwrap()
}

on_both! {
    async fn r04_a_feed_is_taken_in_whole_or_refused_with_its_fault(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let refused = [
            (b"not a zip archive".to_vec(), "no zip archive"),
            (pack([("readme.txt", "hello")]).unwrap(), "agency.txt is missing"),
            (with("stops.txt", "stop_name\nLake\n"), "stops.txt has no column stop_id"),
            (with("stop_times.txt", "trip_id,stop_id,stop_sequence\nt1,sea,1\n"), "stop_times.txt line 2, stop_id: \"sea\" is not in stops.txt"),
            (with("fare_attributes.txt", "fare_id,price,currency_type\nshort,2.005,CNY\n"), "fare_attributes.txt line 2, price"),
        ];
        for (archive, fault) in refused {
            let problem = import(&app, &metro, "autumn", archive).await.problem(422, "invalid-fields");
            let told = problem["reasons"][0]["detail"].as_str().unwrap().to_owned();
            assert!(told.contains(fault), "{told}");
        }
        assert_eq!(feeds(&app, &metro).await, Vec::<Value>::new());

        let first = import(&app, &metro, "autumn", archive()).await.ok(201);
        assert_eq!((&first["active"], &first["stops"], &first["lines"]), (&json!(true), &json!(3), &json!(2)));
        assert_eq!(import(&app, &metro, "again", archive()).await.ok(201)["id"], first["id"]);
        let dearer = with("fare_attributes.txt", "fare_id,price,currency_type\nshort,3,CNY\nlong,5,CNY\nbus,2,CNY\n");
        let second = import(&app, &metro, "winter", dearer).await.ok(201);
        assert_eq!(second["active"], false);
        let path = |feed: &Value, rest: &str| metro.provider_path(&format!("ride-feeds/{}{rest}", feed["id"].as_str().unwrap()));
        let key = &metro.cast.merchant.key;
        app.delete(&path(&first, "")).bearer(key).send().await.problem(409, "wrong-state");
        let used = app.post(&path(&second, "/activation")).bearer(key).send().await.ok(200);
        assert_eq!(used["active"], true);
        app.delete(&path(&first, "")).bearer(key).send().await.expect(204);
        let left = feeds(&app, &metro).await;
        assert_eq!((left.len(), &left[0]["name"], &left[0]["active"]), (1, &json!("winter"), &json!(true)));
        // Somebody else's feed is not there.
        let other = app.merchant("Other", "4111").await;
        let foreign = format!("/v1/merchants/{}/ride-feeds/{}/activation", other.merchant.id, second["id"].as_str().unwrap());
        app.post(&foreign).bearer(&other.key).send().await.problem(404, "not-found");
    }

    async fn r04_stops_and_lines_can_be_named_in_policies(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        import(&app, &metro, "autumn", archive()).await.ok(201);
        let places = |search: &'static str| {
            app.get(&format!("/v1/transit-places?search={search}")).bearer(&metro.cast.administrator.token)
        };
        let found = places("west").send().await.ok(200);
        assert_eq!((&found["items"][0]["kind"], &found["items"][0]["id"]), (&json!("stop"), &json!("lake")));
        let found = places("m1").send().await.ok(200);
        assert_eq!((&found["items"][0]["kind"], &found["items"][0]["name"]), (&json!("line"), &json!("M1")));
        assert_eq!(items(&places("").send().await.ok(200)).len(), 5);
        assert!(items(&places("nowhere").send().await.ok(200)).is_empty());
    }

    async fn r04_a_setup_is_taken_or_told_what_is_wrong(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let path = metro.provider_path("ride-setup");
        let put = |body: Value| app.put(&path).bearer(&metro.cast.merchant.key).json(&body);
        let usual = app.get(&path).bearer(&metro.cast.merchant.key).send().await.ok(200);
        assert_eq!(usual, json!({"travel_type": "metro", "journey_max_minutes": 240, "late_minutes": 720}));
        let mut body = json!({
            "travel_type": "bus", "city": "杭州", "single_fare": {"amount_minor": 200, "currency": "CNY"},
            "maximum_fare": {"amount_minor": 900, "currency": "CNY"}, "journey_max_minutes": 90, "late_minutes": 0
        });
        assert_eq!(put(body.clone()).send().await.ok(200), body);
        assert_eq!(app.get(&path).bearer(&metro.cast.merchant.key).send().await.ok(200), body);
        body["journey_max_minutes"] = json!(0);
        let problem = put(body.clone()).send().await.problem(422, "invalid-fields");
        assert_eq!(problem["reasons"][0]["field"], "journey_max_minutes");
        body["journey_max_minutes"] = json!(90);
        body["single_fare"]["amount_minor"] = json!(0);
        let problem = put(body).send().await.problem(422, "invalid-fields");
        assert_eq!(problem["reasons"][0]["field"], "single_fare.amount_minor");
    }
}

/// A folder with feeds of real operators, beside the repository unless it is named.
fn real_feeds() -> Option<PathBuf> {
    let named = std::env::var_os("ONESCAN_TEST_GTFS").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/gtfs");
    let above = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data/gtfs");
    named.into_iter().chain([beside, above]).find(|folder| folder.is_dir())
}

on_both! {
    /// A light railway's own feed: fares in yen, which have no minor unit, zones per platform, a line without a name.
    async fn r04_a_real_feed_is_taken_in_and_prices_a_ride(app: TestApp) {
        let Some(folder) = real_feeds() else {
            println!("left out: no feeds of real operators beside the repository");
            return;
        };
        let folder = folder.join("haga-utsunomiya");
        let files = onescan_domain::transit::FILES.map(|name| (name, std::fs::read_to_string(folder.join(name)).unwrap()));
        let metro = Metro::open(&app, json!({})).await;
        let archive = pack(files.iter().map(|(name, text)| (*name, text.as_str()))).unwrap();
        let feed = import(&app, &metro, "haga", archive).await.ok(201);
        assert_eq!(feed["lines"], 1);
        let network = app.services.journeys.feeds.network(metro.cast.merchant.merchant.id).await.unwrap().unwrap();
        let quote = network.fare("1_01", "2_01").unwrap();
        assert_eq!((quote.price.minor, quote.price.currency), (150, Currency::parse("JPY").unwrap()));
        assert_eq!(network.maximum("1_01").unwrap().minor, 400);
        let stop = network.stop("1_01").unwrap();
        assert_eq!(stop.name, "宇都宮駅東口");
    }
}
