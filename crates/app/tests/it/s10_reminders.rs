//! Row S10: a scan is verified first, and each failure has its own reminder.

use std::collections::BTreeSet;

use onescan_domain::codes::{MemberAccess, RecordState};
use onescan_domain::institutions::{MemberRole, MemberState};
use onescan_platforms::codes::Assigned;

use crate::steps::unknown_digits;
use crate::support::builders::{Cast, MemberCast};
use crate::support::{TestApp, on_both};

/// Past the sixty seconds a code is shown and the fifteen a scan may take.
const PAY_WINDOW_MS: i64 = 75_000;

async fn leave(app: &TestApp, member: &MemberCast) {
    let mut left = member.member.clone();
    left.state = MemberState::Left;
    app.services.institutions.change_member(left).await.unwrap().unwrap();
}

/// Scanning and paying are refused for the same reason, and the attempt leaves nothing behind.
async fn check_refused(app: &TestApp, cast: &Cast, digits: &str, status: u16, code: &str) -> String {
    let till = &cast.merchant.cashier_key;
    let scanned = app.scan(till, digits, None).await.problem(status, code);
    let stated = app.scan(till, digits, Some(1_000)).await.problem(status, code);
    assert_eq!(scanned["title"], stated["title"]);
    let order = format!("refused-{digits}");
    let paid = app.charge(till, digits, 1_000, &order).await.problem(status, code);
    assert_eq!(scanned["detail"], paid["detail"]);
    let found = app.list_of(till, &format!("/v1/payments?order_number={order}")).await;
    assert!(found.is_empty(), "a refused code names no payment: {found:?}");
    scanned["title"].as_str().unwrap().to_owned()
}

on_both! {
    async fn s10_a_good_code_passes_every_check(app: TestApp) {
        let cast = app.cast().await;
        let digits = app.own_digits(&cast.person).await;
        let scan = app.scan(&cast.merchant.cashier_key, &digits, Some(1_000)).await.ok(200);
        assert_eq!(scan["kind"], "user");
        assert_eq!(scan["verdict"], "permitted");
        let digits = app.member_digits(&cast.member).await;
        let scan = app.scan(&cast.merchant.cashier_key, &digits, Some(1_000)).await.ok(200);
        assert_eq!(scan["kind"], "institution");
        app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.expect(201);
    }

    async fn s10_each_failure_has_its_own_reminder(app: TestApp) {
        let cast = app.cast().await;
        let mut titles = BTreeSet::new();

        titles.insert(check_refused(&app, &cast, &unknown_digits(1), 404, "code-unknown").await);

        let record = &cast.person.record;
        let digits = app.own_digits(&cast.person).await;
        for state in [RecordState::Paused, RecordState::Closed] {
            app.services.codes.set_record_state(record.bucket, &record.id, state).await.unwrap();
            titles.insert(check_refused(&app, &cast, &digits, 409, "record-inactive").await);
        }

        let digits = app.member_digits(&cast.member).await;
        leave(&app, &cast.member).await;
        titles.insert(check_refused(&app, &cast, &digits, 409, "not-tied").await);

        let digits = app.member_digits(&cast.administrator).await;
        app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.expect(201);
        titles.insert(check_refused(&app, &cast, &digits, 409, "code-used").await);

        let digits = app.member_digits(&cast.administrator).await;
        app.clock.advance_ms(PAY_WINDOW_MS);
        titles.insert(check_refused(&app, &cast, &digits, 410, "code-expired").await);

        assert_eq!(titles.len(), 5, "{titles:?}");
    }

    async fn s10_the_first_failure_in_the_order_record_user_status_period_is_told(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        for combination in 0..16_u8 {
            let [closed, left, used, expired] = [1, 2, 4, 8].map(|bit| combination & bit != 0);
            let institution = app.institution(&format!("Institution {combination}")).await;
            app.top_up(institution.institution.account, 10_000).await;
            app.scenario(&institution.record, "Anything", "", "").await;
            let member = app.member(&institution, &format!("member.{combination}"), MemberRole::Employee).await;
            let digits = app.member_digits(&member).await;
            if used {
                app.charge(till, &digits, 1_000, &format!("A-{combination}")).await.expect(201);
            }
            if closed {
                let record = &institution.record;
                app.services.codes.set_record_state(record.bucket, &record.id, RecordState::Closed).await.unwrap();
            }
            if left {
                leave(&app, &member).await;
            }
            if expired {
                app.clock.advance_ms(PAY_WINDOW_MS);
            }
            let expected = match (closed, left, used, expired) {
                (true, _, _, _) => (409, "record-inactive"),
                (false, true, _, _) => (409, "not-tied"),
                (false, false, true, _) => (409, "code-used"),
                (false, false, false, true) => (410, "code-expired"),
                (false, false, false, false) => {
                    app.scan(till, &digits, None).await.expect(200);
                    continue;
                }
            };
            check_refused(&app, &cast, &digits, expected.0, expected.1).await;
        }
    }

    async fn s10_a_code_is_good_until_the_last_millisecond_of_its_period(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let digits = app.own_digits(&cast.person).await;
        app.clock.advance_ms(PAY_WINDOW_MS - 1);
        app.scan(till, &digits, None).await.expect(200);
        let late = app.digits_on(&cast.person.token, None, "tablet").await;
        app.charge(till, &digits, 1_000, "A-1").await.expect(201);
        app.clock.advance_ms(PAY_WINDOW_MS);
        app.scan(till, &late, None).await.problem(410, "code-expired");
    }

    async fn s10_a_member_who_is_no_longer_assigned_is_not_tied(app: TestApp) {
        let cast = app.cast().await;
        let record = &cast.institution.record;
        let (codes, member) = (&app.services.codes, cast.member.member.id);
        codes.set_member_access(record.bucket, &record.id, MemberAccess::Assigned).await.unwrap();
        codes.set_assigned(record.bucket, &record.id, member, Assigned::Yes).await.unwrap();
        let digits = app.member_digits(&cast.member).await;
        app.scan(&cast.merchant.cashier_key, &digits, None).await.expect(200);
        codes.set_assigned(record.bucket, &record.id, member, Assigned::No).await.unwrap();
        check_refused(&app, &cast, &digits, 409, "not-tied").await;
    }

    async fn s10_a_paused_record_that_is_resumed_makes_codes_again(app: TestApp) {
        let cast = app.cast().await;
        let record = &cast.person.record;
        let before = app.own_digits(&cast.person).await;
        app.services.codes.set_record_state(record.bucket, &record.id, RecordState::Paused).await.unwrap();
        check_refused(&app, &cast, &before, 409, "record-inactive").await;
        app.services.codes.set_record_state(record.bucket, &record.id, RecordState::Active).await.unwrap();
        let digits = app.own_digits(&cast.person).await;
        app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.expect(201);
    }
}
