//! Row S04: a user code is paid by the person, an institution code by the institution through the person.
//! Source: S claim 3, \[18\]-\[19\].

use serde_json::json;

use crate::support::shown::items;
use crate::support::{TestApp, on_both};

on_both! {
    async fn s04_a_user_code_charges_the_person(app: TestApp) {
        let cast = app.cast().await;
        let operator = app.operator_key().await;
        let shown = app.show_user_code(&cast.person.token, "phone").await;
        let paid = app.paid(&cast.merchant.cashier_key, &shown.digits, 1_250, "A-1").await;
        assert_eq!((&paid["payment"]["kind"], &paid["payment"]["state"]), (&json!("user"), &json!("paid")));

        assert_eq!(app.posted(&cast.person.token, cast.person.person.account).await, 98_750);
        assert_eq!(app.posted(&operator, cast.institution.institution.account).await, 1_000_000);
        app.settle().await;
        assert_eq!(app.posted(&cast.merchant.key, cast.merchant.merchant.account).await, 1_250);

        let own = app.get("/v1/people/me/payments").bearer(&cast.person.token).send().await.ok(200);
        let payer = &items(&own)[0]["payer"];
        assert_eq!(payer["person"], cast.person.person.id.to_string());
        assert_eq!(payer["account"], cast.person.person.account.to_string());
        assert_eq!(payer.get("member"), None);
    }

    async fn s04_an_institution_code_charges_the_institution_and_names_the_person(app: TestApp) {
        let cast = app.cast().await;
        let institution = &cast.institution.institution;
        let shown = app.show_institution_code(&cast.member, "phone").await;
        let paid = app.paid(&cast.merchant.cashier_key, &shown.digits, 4_000, "A-1").await;
        assert_eq!(paid["payment"]["kind"], "institution");
        // The merchant is not told who it was.
        assert_eq!(paid["payment"].get("payer"), None);

        assert_eq!(app.posted(&cast.institution.key, institution.account).await, 996_000);
        assert_eq!(app.account(cast.member.person.account).await.posted_minor, 0);

        // The institution sees who accessed, and so does the person; the merchant does not.
        let path = format!("/v1/payments/{}", paid["payment"]["id"].as_str().unwrap());
        for token in [&cast.institution.key, &cast.administrator.token, &cast.member.token] {
            let payment = app.get(&path).bearer(token).send().await.ok(200);
            assert_eq!(payment["payer"]["person"], cast.member.person.id.to_string());
            assert_eq!(payment["payer"]["member"], cast.member.member.id.to_string());
            assert_eq!(payment["payer"]["account"], institution.account.to_string());
        }
        for key in [&cast.merchant.cashier_key, &cast.merchant.key] {
            assert_eq!(app.get(&path).bearer(key).send().await.ok(200).get("payer"), None);
        }
    }

    async fn s04_one_person_has_both_codes_side_by_side(app: TestApp) {
        let cast = app.cast().await;
        let person = &cast.member.person;
        app.services.processing.enable(person, None, None).await.unwrap();
        app.top_up(person.account, 10_000).await;
        let own = app.show_user_code(&cast.member.token, "phone").await;
        let institutions = app.show_institution_code(&cast.member, "phone").await;
        // Either is good whatever becomes of the other.
        app.paid(&cast.merchant.cashier_key, &own.digits, 700, "A-1").await;
        app.paid(&cast.merchant.cashier_key, &institutions.digits, 800, "A-2").await;
        assert_eq!(app.account(person.account).await.posted_minor, 9_300);
        assert_eq!(app.account(cast.institution.institution.account).await.posted_minor, 999_200);

        let records = app.get("/v1/code-records").bearer(&cast.member.token).send().await.ok(200);
        let kinds: Vec<_> = items(&records).iter().map(|record| record["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["user", "institution"]);
        assert_eq!(items(&records)[1]["institution_name"], "Example Technology");
    }

    async fn s04_the_wanted_kind_must_be_told_apart(app: TestApp) {
        let cast = app.cast().await;
        let institution = cast.institution.institution.id.to_string();
        let cases = [
            json!({"kind": "institution", "device": "phone"}),
            json!({"kind": "user", "institution": institution, "device": "phone"}),
        ];
        for asked in cases {
            let call = app.post("/v1/service-codes").bearer(&cast.member.token).json(&asked);
            let answer = app.changes_nothing(call).await;
            assert_eq!(answer.problem(422, "invalid-fields")["field"], "institution");
        }
        // Whoever is no member is not told whether there is such an institution.
        let asked = json!({"kind": "institution", "institution": institution, "device": "phone"});
        let call = app.post("/v1/service-codes").bearer(&cast.person.token).json(&asked);
        let real = app.changes_nothing(call).await.problem(409, "not-tied");
        let asked = json!({"kind": "institution", "institution": "ins_01kb6x2x8s0g00000000000000", "device": "phone"});
        let call = app.post("/v1/service-codes").bearer(&cast.person.token).json(&asked);
        let invented = app.changes_nothing(call).await.problem(409, "not-tied");
        assert_eq!(real["detail"], invented["detail"]);
    }
}
