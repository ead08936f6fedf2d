//! Row S23: the four modules of the apparatus, one after the other, by what they offer to the rest of the program.
//! Source: S claims 16-18, \[139\].

use onescan_domain::codes::CodeText;
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::PaymentState;
use onescan_platforms::payments::{CaptureMode, PayRequest};
use onescan_platforms::processing::delivery::{Delivered, SecondScan};
use onescan_platforms::processing::payment::{Paid, ProfileDelivery, Scanned, Verdict, succeeded};
use onescan_platforms::processing::render::{Form, render};
use onescan_platforms::processing::request::{AccessInfo, WantedCode};

use crate::support::decoders::{Decoders, QR};
use crate::support::{TestApp, on_both};

on_both! {
    async fn s23_request_render_payment_delivery(app: TestApp) {
        let cast = app.cast().await;
        let title = app.profile(&cast.institution.record, "Example Technology", &[]).await;
        let processing = &app.services.processing;

        // Request generation: an access becomes a code.
        let info = AccessInfo {
            device: "phone".to_owned(),
            address: "192.0.2.7".to_owned(),
            location: None,
        };
        let wanted = WantedCode::Institution(cast.institution.institution.id);
        let shown = processing.show_code(cast.member.person.id, wanted, info).await.unwrap().unwrap();

        // Code rendering.
        let picture = render(&shown.text, Form::QrPng, "Payment code").unwrap();
        let read = CodeText::parse(&Decoders::new().read_png(QR, &picture)).unwrap();
        assert_eq!(read, shown.text);

        // Payment processing: a till scans, and is paid.
        let till = app.terminal_facts(&cast.merchant.cashier_key).await;
        let amount = Money::new(4_200, Currency::CNY);
        let Scanned { code, verdict, .. } = processing.scan(&till, &read, Some(amount)).await.unwrap().unwrap();
        assert_eq!(code, shown.id);
        assert!(matches!(verdict, Some(Verdict::Permitted)), "{verdict:?}");
        let request = PayRequest {
            text: read.clone(),
            terminal: till,
            order_number: "A-1".to_owned(),
            amount,
            subject: None,
            capture: CaptureMode::Now,
            idempotency_key: "A-1".to_owned(),
        };
        let paid = processing.pay(request, ProfileDelivery::WithResult).await.unwrap().unwrap();
        let Paid { outcome, profile } = paid;
        assert!(succeeded(&outcome.payment), "{outcome:?}");
        assert!(matches!(outcome.payment.state, PaymentState::Paid { .. }));

        // Information delivery: the profile with the result, and to the invoice terminal.
        assert_eq!(profile, Some(Delivered::Profile(Box::new(title.clone()))));
        let terminal = app.terminal_facts(&cast.merchant.invoice_key).await;
        let second = processing.second_scan(&terminal, &read).await.unwrap().unwrap();
        let SecondScan::Profile { payment, profile } = second else {
            panic!("{second:?}");
        };
        assert_eq!((payment.id, profile), (outcome.payment.id, Delivered::Profile(Box::new(title))));
    }
}
