//! A bill's document reaches the institution's mailbox by a real SMTP server. Rows R09, S20.

use onescan_domain::profiles::{DeliveryChannel, ProfileFields, TitleKind};
use onescan_platforms::profiles::NewProfile;
use serde_json::json;

use crate::r09_bills::Riders;
use crate::s20_delivery::MailServer;
use crate::s20_issuing::german_setup;
use crate::support::{TestApp, on_both};

on_both! {
    async fn r09_a_bill_is_mailed_to_the_institutions_channel(app: TestApp) {
        let server = MailServer::start();
        let app = &app.mailing(&server).await;
        let riders = Riders::open(app).await;
        let cast = &riders.metro.cast;
        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        let record = &cast.institution.record;
        let new = NewProfile {
            fields: ProfileFields {
                tax_number: Some("91330106MA2CFLDG4R".to_owned()),
                channel: DeliveryChannel::Email("invoices@technology.example".to_owned()),
                ..ProfileFields::new(TitleKind::Company, "Example Technology")
            },
            scenarios: Vec::new(),
            preferred: true,
        };
        app.services.profiles.create(record.bucket, &record.id, new).await.unwrap();
        let (bill, told) = riders.invoiced(app, &[("a", 1_000)]).await;
        assert_eq!(bill["mail"]["state"], "waiting", "{bill}");
        assert_eq!(app.services.bills.deliver().await.unwrap(), 1);
        assert_eq!(app.services.bills.deliver().await.unwrap(), 0);
        let mail = server.read(1);
        assert_eq!(mail["to"], "invoices@technology.example");
        assert_eq!(mail["subject"], "Nordlicht Gastro GmbH: Rechnung RE-2026-0001");
        assert_eq!((&mail["file"], &mail["type"]), (&json!("RE-2026-0001.pdf"), &json!("application/pdf")));
        assert_eq!(mail["xml_name"], "factur-x.xml");
        let path = format!("bills/{}", bill["id"].as_str().unwrap());
        assert_eq!(riders.get(app, &path).await["mail"]["state"], "delivered");

        // Refused now, tried again later, and sent once more by hand.
        server.refuse("451 later");
        let sent = riders.post(app, &format!("{path}/send"), &json!({})).await.ok(202);
        assert_eq!((&sent["state"], &sent["attempts"]), (&json!("waiting"), &json!(0)));
        assert_eq!(app.services.bills.deliver().await.unwrap(), 1);
        let waiting = riders.get(app, &path).await;
        assert_eq!(waiting["mail"]["state"], "waiting", "{waiting}");
        assert!(waiting["mail"]["problem"].as_str().unwrap().contains("451"), "{waiting}");
        server.take_again();
        app.clock.advance_ms(3_600_000);
        assert_eq!(app.services.bills.deliver().await.unwrap(), 1);
        assert_eq!(riders.get(app, &path).await["mail"]["state"], "delivered");

        // The credit note goes the same way.
        riders.metro.refund(app, &told[0], "r", 400).await.expect(200);
        let made = riders.post(app, &format!("{path}/credit-notes"), &json!({})).await.ok(202);
        crate::r09_bills::work(app).await;
        assert_eq!(app.services.bills.deliver().await.unwrap(), 1);
        assert_eq!(server.read(3)["subject"], "Nordlicht Gastro GmbH: Gutschrift GS-2026-0001");
        let note = riders.get(app, &format!("bills/{}", made["id"].as_str().unwrap())).await;
        assert_eq!(note["mail"]["state"], "delivered");
    }

    async fn r09_what_cannot_be_sent_says_why(app: TestApp) {
        let app = &app;
        let riders = Riders::open(app).await;
        riders.enter_sides(app).await;
        let (bill, _) = riders.invoiced(app, &[("a", 1_000)]).await;
        assert_eq!(bill.get("mail"), None);
        let path = format!("bills/{}/send", bill["id"].as_str().unwrap());
        let refused = riders.post(app, &path, &json!({})).await.problem(409, "wrong-state");
        assert_eq!(refused["detail"], "the invoice profile of the bill names no e-mail address");
        riders.post(app, "bills/bil_00000000000000000000000000/send", &json!({})).await.problem(404, "not-found");
    }
}
