//! The harness itself: what it promises to the other tests.

use onescan_domain::payments::PaymentState;
use onescan_platforms::env::Clock;

use crate::support::machine::START_MS;
use crate::support::{TestApp, on_both};

on_both! {
    async fn a_payment_reaches_the_merchant_when_the_test_settles(app: TestApp) {
        let cast = app.cast().await;
        let code = app.institution_code(&cast.member).await;
        let outcome = app.pay(&cast.merchant.cashier_key, &code, 4_000, "A-1").await;
        assert!(matches!(outcome.payment.state, PaymentState::Paid { .. }), "{outcome:?}");
        assert_eq!(app.account(cast.institution.institution.account).await.posted_minor, 996_000);
        assert_eq!(app.account(cast.merchant.merchant.account).await.posted_minor, 0);
        app.settle().await;
        assert_eq!(app.account(cast.merchant.merchant.account).await.posted_minor, 4_000);
    }

    async fn a_restart_keeps_the_data_and_the_clock(app: TestApp) {
        let cast = app.cast().await;
        app.clock.advance_ms(1_000);
        let code = app.user_code(&cast.person).await;
        let again = app.restarted(|config| config.codes.shown_seconds = 30).await;
        assert_eq!(again.clock.now_ms(), START_MS + 1_000);
        let outcome = again.pay(&cast.merchant.cashier_key, &code, 2_000, "A-1").await;
        assert!(matches!(outcome.payment.state, PaymentState::Paid { .. }), "{outcome:?}");
    }
}
