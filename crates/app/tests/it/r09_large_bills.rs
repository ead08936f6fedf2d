//! Bills of more rides than anybody leafs through: sums on the pages, every ride in the XML and in the list.

use serde_json::json;

use crate::r09_bills::{Riders, day, midnight, work};
use crate::rides::HOUR_MS;
use crate::support::{TestApp, on_both};

/// More than the pages show and more than are written in one go.
const RIDES: i64 = 1_100;

on_both! {
    async fn r09_a_long_bill_has_every_ride_in_its_xml_and_sums_on_its_pages(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        riders.enter_sides(app).await;
        let (start, date) = midnight(app);
        let every_fourth = async |first: i64| {
            for number in (first..RIDES).step_by(4) {
                riders.ride(app, &format!("n{number:04}"), 101, start - HOUR_MS).await;
            }
        };
        tokio::join!(every_fourth(0), every_fourth(1), every_fourth(2), every_fourth(3));
        let mut body = riders.own(&day(date, -1), &day(date, 0));
        body["issue"] = "at_once".into();
        let bill = riders.close(app, &body).await;
        assert_eq!((&bill["state"], &bill["rides"]), (&json!("issued"), &json!(RIDES)), "{bill}");
        work(app).await;
        let ubl = riders.file(app, &bill, "ubl.xml").await;
        assert_eq!(ubl.matches("<cac:InvoiceLine>").count(), RIDES as usize);
        assert!(ubl.contains("<cbc:TaxInclusiveAmount currencyID=\"CNY\">1111.00</cbc:TaxInclusiveAmount>"));
        let cii = riders.file(app, &bill, "cii.xml").await;
        assert_eq!(cii.matches("<ram:IncludedSupplyChainTradeLineItem>").count(), RIDES as usize);
        let csv = riders.file(app, &bill, "rides.csv").await;
        assert_eq!(csv.lines().count(), RIDES as usize + 1);
        let path = riders.path(&format!("bills/{}/pdf", bill["id"].as_str().unwrap()));
        let pdf = app.get(&path).bearer(&riders.metro.cast.institution.key).send().await;
        assert!(pdf.body.starts_with(b"%PDF") && pdf.body.len() < 400_000, "{} bytes", pdf.body.len());
        let inside = |name: &[u8]| pdf.body.windows(name.len()).any(|window| window == name);
        assert!(inside(b"rides.csv") && !inside(b"factur-x.xml"));
        assert_eq!(app.breaches().await, Vec::<String>::new());
    }
}
