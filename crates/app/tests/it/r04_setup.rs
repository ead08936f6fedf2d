//! Row R04: a provider's back office sets up feeds and fares on its page, and looks at a feed before it counts.

use onescan_platforms::journeys::pack;
use serde_json::json;

use crate::gates::{FILES, archive, import};
use crate::rides::Metro;
use crate::support::http::Answer;
use crate::support::{TestApp, on_both};

const BOUNDARY: &str = "------------------------d74496d66958873e";

/// The back office's browser.
struct Office {
    cookies: String,
}

impl Office {
    async fn open(app: &TestApp, metro: &Metro) -> Self {
        let form = [("key", metro.cast.merchant.key.as_str())];
        let answer = app.post("/office/sign-in").form(&form).send().await;
        answer.expect(303);
        Self {
            cookies: answer.cookies(),
        }
    }

    async fn page(&self, app: &TestApp, path: &str) -> String {
        app.get(path).cookie(&self.cookies).send().await.expect(200).text()
    }

    async fn send(&self, app: &TestApp, path: &str, form: &[(&str, &str)]) -> Answer {
        app.post(path).cookie(&self.cookies).form(form).send().await
    }

    /// As a browser sends a file of a form.
    async fn upload(&self, app: &TestApp, name: &str, archive: &[u8]) -> Answer {
        let mut body = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n{name}\r\n--{BOUNDARY}\r\n\
             Content-Disposition: form-data; name=\"feed\"; filename=\"winter.zip\"\r\nContent-Type: application/zip\r\n\r\n"
        )
        .into_bytes();
        body.extend(archive);
        body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let call = app.post("/gates/setup/feeds").cookie(&self.cookies);
        call.body(&kind, body).send().await
    }
}

on_both! {
    async fn r04_a_feed_is_looked_at_on_the_page_before_it_counts(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let office = Office::open(&app, &metro).await;
        import(&app, &metro, "autumn", archive()).await.ok(201);
        let broken = pack(FILES.map(|(name, usual)| match name {
            "stop_times.txt" => (name, "trip_id,stop_id,stop_sequence\nt1,sea,1\nt9,lake,2\n"),
            name => (name, usual),
        }));
        let refused = office.upload(&app, "", &broken.unwrap()).await;
        let text = refused.expect(422).text();
        assert!(text.contains("stop_times.txt line 2, stop_id") && text.contains("stop_times.txt line 3, trip_id"), "{text}");
        let none = office.upload(&app, "", b"no archive").await;
        assert!(none.expect(422).text().contains("no zip archive"));

        let dearer = pack(FILES.map(|(name, usual)| match name {
            "fare_attributes.txt" => (name, "fare_id,price,currency_type\nshort,3,CNY\nlong,9,CNY\nbus,2,CNY\n"),
            "stops.txt" => (name, "stop_id,stop_name,zone_id\nlake,West Lake,A\ntower,Tower,A\nfair,New Fair,B\n"),
            name => (name, usual),
        }));
        let taken = office.upload(&app, "", &dearer.unwrap()).await;
        taken.expect(303);
        let path = taken.header("location").unwrap().to_owned();
        let text = office.page(&app, &format!("{path}?from=lake&to=fair")).await;
        for shown in ["winter", "New Fair", "Fair Grounds", "CN¥9.00", "CN¥4.50", "Put into use"] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        let network = async || {
            let feeds = &app.services.journeys.feeds;
            feeds.network(metro.cast.merchant.merchant.id).await.unwrap().unwrap()
        };
        assert_eq!(network().await.fare("lake", "fair").unwrap().price.minor, 450, "it does not count yet");
        office.send(&app, &path, &[("do", "use")]).await.expect(303);
        assert_eq!(network().await.fare("lake", "fair").unwrap().price.minor, 900);
        office.send(&app, &path, &[("do", "delete")]).await.expect(409);
        // Somebody else's feed is not there, and a gate is no back office.
        let other = app.merchant("Other", "4111").await;
        let form = [("key", other.key.as_str())];
        let cookies = app.post("/office/sign-in").form(&form).send().await.cookies();
        app.get(&path).cookie(&cookies).send().await.expect(404);
        app.get("/gates/setup").send().await.expect(303);
    }

    async fn r04_fares_and_windows_are_set_on_the_page(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let office = Office::open(&app, &metro).await;
        let form = |single: &'static str, minutes: &'static str| {
            vec![
                ("travel_type", "bus"), ("city", "杭州"), ("single_fare", single), ("maximum_fare", "9"),
                ("journey_max_minutes", minutes), ("late_minutes", "0"),
            ]
        };
        office.send(&app, "/gates/setup", &form("2.50", "90")).await.expect(303);
        let path = metro.provider_path("ride-setup");
        let setup = app.get(&path).bearer(&metro.cast.merchant.key).send().await.ok(200);
        assert_eq!(setup, json!({
            "travel_type": "bus", "city": "杭州", "single_fare": {"amount_minor": 250, "currency": "CNY"},
            "maximum_fare": {"amount_minor": 900, "currency": "CNY"}, "journey_max_minutes": 90, "late_minutes": 0
        }));
        for (single, minutes, told) in [
            ("free", "90", "Fare of one tap: "),
            ("2.50", "0", "Longest journey, minutes: use 1–1440"),
            ("2.50", "soon", "Longest journey, minutes: enter a whole number"),
        ] {
            let text = office.send(&app, "/gates/setup", &form(single, minutes)).await.expect(422).text();
            assert!(text.contains(told), "{text}");
        }
        let text = office.page(&app, "/gates/setup").await;
        assert!(text.contains(r#"value="2.50""#) && text.contains(r#"value="90""#), "{text}");
    }
}
