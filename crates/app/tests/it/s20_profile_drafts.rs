//! Row S20: invoice details out of a title QR or another's invoice, and back into a title QR that others can scan.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use onescan_einvoice::titles::title_qr::{self, Title};
use onescan_einvoice::xml::{self, Profile, Syntax};
use serde_json::{Value, json};

use crate::invoice_show;
use crate::support::builders::PASSWORD;
use crate::support::decoders::{Decoders, QR};
use crate::support::shown::text;
use crate::support::{TestApp, on_both};

pub fn title() -> Title {
    Title {
        name: "上海示例科技有限公司".to_owned(),
        tax_id: "91310115MA1K000003".to_owned(),
        address: "上海市示例路88号".to_owned(),
        phone: "021-12345678".to_owned(),
        bank: "示例银行".to_owned(),
        account: "6222000011112222".to_owned(),
    }
}

fn as_profile() -> Value {
    json!({
        "title_kind": "company", "title": "上海示例科技有限公司", "tax_number": "91310115MA1K000003",
        "address": "上海市示例路88号", "telephone": "021-12345678", "bank_name": "示例银行",
        "bank_account": "6222000011112222", "country": "CN"
    })
}

on_both! {
    async fn s20_a_title_code_becomes_a_profile_and_comes_back_as_a_code_that_others_read(app: TestApp) {
        let person = app.person("li.lei").await;
        let written = title_qr::write(&title()).unwrap();
        let call = app.post("/v1/invoice-profile-drafts/title-code").bearer(&person.token);
        let draft = call.json(&json!({"text": written})).send().await.ok(200);
        let mut expected = as_profile();
        expected["wrong"] = json!([]);
        assert_eq!(draft, expected);

        let call = app.post("/v1/invoice-profiles").bearer(&person.token).json(&as_profile());
        let profile = call.send().await.ok(201);
        let path = format!("/v1/invoice-profiles/{}/title-code", text(&profile, "/id"));
        let code = app.get(&path).bearer(&person.token).send().await.ok(200);
        assert_eq!(text(&code, "/text"), written);
        let png = BASE64_STANDARD.decode(text(&code, "/png_base64")).unwrap();
        assert_eq!(Decoders::new().read_png(QR, &png), written);
        assert_eq!(title_qr::read(&written), Ok(title()));
    }

    async fn s20_the_buyer_of_an_invoice_becomes_a_profile(app: TestApp) {
        let person = app.person("li.lei").await;
        let path = "/v1/invoice-profile-drafts/invoice";
        for syntax in [Syntax::Ubl, Syntax::Cii] {
            let written = xml::write(&invoice_show::invoice(), syntax, Profile::Peppol).unwrap();
            let call = app.post(path).bearer(&person.token).body("application/xml", written);
            let draft = call.send().await.ok(200);
            let expected = json!({
                "title_kind": "company", "title": "上海示例 S.à r.l.", "vat_id": "FR12345678901", "city": "Köln",
                "postcode": "50667", "country": "FR", "electronic_address": "9957:FR12345678901",
                "buyer_reference": "K-7", "wrong": []
            });
            assert_eq!(draft, expected);
        }
        let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><Invoice>&a;</Invoice>"#;
        let call = app.post(path).bearer(&person.token).body("application/octet-stream", bomb);
        assert_eq!(call.send().await.problem(422, "invalid-fields")["field"], "invoice");
        let call = app.post(path).bearer(&person.token).body("text/plain", "x");
        call.send().await.problem(415, "unsupported-media-type");
    }

    async fn s20_the_form_is_filled_from_a_title_code(app: TestApp) {
        app.person("li.lei").await;
        let written = title_qr::write(&title()).unwrap();
        let signing_in = [("login", "li.lei"), ("password", PASSWORD)];
        let cookies = app.post("/sign-in").form(&signing_in).send().await.cookies();
        let call = app.post("/profiles/read-title").cookie(&cookies).form(&[("text", &written)]);
        let page = call.send().await;
        page.expect(200);
        for expected in ["上海示例科技有限公司", "91310115MA1K000003", "6222000011112222"] {
            assert!(page.text().contains(expected), "{expected}: {}", page.text());
        }
        let call = app.post("/profiles/read-title").cookie(&cookies).form(&[("text", "$01AA$")]);
        call.send().await.expect(422);
    }

    async fn s20_what_is_no_title_code_or_invoice_is_refused(app: TestApp) {
        let person = app.person("li.lei").await;
        for wrong in ["", "280000000000000000", "$01AAAA$", "$01$"] {
            let call = app.post("/v1/invoice-profile-drafts/title-code").bearer(&person.token);
            let problem = call.json(&json!({"text": wrong})).send().await.problem(422, "invalid-fields");
            assert_eq!(problem["field"], "text", "{wrong}");
        }
        let call = app.post("/v1/invoice-profile-drafts/title-code").json(&json!({"text": "$01$"}));
        call.send().await.problem(401, "unauthenticated");
    }
}
