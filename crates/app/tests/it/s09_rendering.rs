//! Row S09: a code is rendered as QR, as barcode and as sound; receivers that are not ours read the very digits.
//! Source: S \[19\], \[68\]-\[70\].

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::decoders::{BARCODE, Decoders, QR};
use crate::support::shown::{Shown, text};
use crate::support::{TestApp, on_both};

const ALL: [&str; 5] = ["barcode.png", "barcode.svg", "qr.png", "qr.svg", "sound.wav"];

fn bytes(shown: &Shown, name: &str) -> Vec<u8> {
    BASE64_STANDARD
        .decode(text(&shown.whole["renderings"][name], "/base64"))
        .unwrap()
}

fn drawing<'s>(shown: &'s Shown, name: &str) -> &'s str {
    text(&shown.whole["renderings"][name], "/text")
}

fn check(shown: &Shown) {
    let types = |name: &str| shown.whole["renderings"][name]["media_type"].clone();
    let expected = ["image/png", "image/svg+xml", "image/png", "image/svg+xml", "audio/wav"];
    assert_eq!(ALL.map(types), expected.map(Value::from));
    let decoders = Decoders::new();
    assert_eq!(decoders.read_png(QR, &bytes(shown, "qr.png")), shown.digits);
    assert_eq!(decoders.read_svg(QR, drawing(shown, "qr.svg")), shown.digits);
    assert_eq!(decoders.read_png(BARCODE, &bytes(shown, "barcode.png")), shown.digits);
    assert_eq!(decoders.read_svg(BARCODE, drawing(shown, "barcode.svg")), shown.digits);
    assert_eq!(decoders.hear(&bytes(shown, "sound.wav")), shown.digits);
    // What is read aloud instead of a picture is not the digits.
    for name in ["qr.svg", "barcode.svg"] {
        assert!(!drawing(shown, name).contains(&shown.digits), "{name}");
    }
}

on_both! {
    async fn s09_a_user_code_is_read_in_every_form(app: TestApp) {
        let person = app.person("li.lei").await;
        let asked = json!({"kind": "user", "device": "phone", "render": ALL});
        let call = app.post("/v1/service-codes").bearer(&person.token).json(&asked);
        check(&Shown::of(call.send().await.ok(201)));
    }

    async fn s09_an_institution_code_is_read_in_every_form_and_pays(app: TestApp) {
        let cast = app.cast().await;
        let institution = cast.institution.institution.id.to_string();
        let asked = json!({"kind": "institution", "institution": institution, "device": "phone", "render": ALL});
        let call = app.post("/v1/service-codes").bearer(&cast.member.token).json(&asked);
        let shown = Shown::of(call.send().await.ok(201));
        check(&shown);
        let read = Decoders::new().read_png(QR, &bytes(&shown, "qr.png"));
        app.paid(&cast.merchant.cashier_key, &read, 1_000, "A-1").await;
    }

    async fn s09_only_what_was_asked_for_is_rendered(app: TestApp) {
        let person = app.person("li.lei").await;
        let shown = app.show_user_code(&person.token, "phone").await;
        assert_eq!(shown.whole.get("renderings"), None);
        let asked = json!({"kind": "user", "device": "phone", "render": ["qr.svg", "qr.svg"]});
        let call = app.post("/v1/service-codes").bearer(&person.token).json(&asked);
        let shown = Shown::of(call.send().await.ok(201));
        assert_eq!(shown.whole["renderings"].as_object().unwrap().len(), 1);

        let asked = json!({"kind": "user", "device": "phone", "render": ["qr.svg", "qr.gif"]});
        let call = app.post("/v1/service-codes").bearer(&person.token).json(&asked);
        let problem = app.changes_nothing(call).await.problem(422, "invalid-fields");
        assert_eq!(problem["field"], "render[1]");
    }
}
