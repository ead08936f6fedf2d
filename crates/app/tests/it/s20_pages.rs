//! Row S20: invoices on pages, for the person, the merchant's back office and the institution's administrator.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use onescan_domain::ids::KeyId;
use onescan_domain::money::Currency;
use serde_json::{Value, json};

use crate::s20_issuing::{chinese_setup, german_setup, words_of};
use crate::support::builders::{Cast, PASSWORD};
use crate::support::decoders::root;
use crate::support::http::Answer;
use crate::support::shown::text;
use crate::support::{TestApp, on_both};

/// A browser that is signed in.
#[derive(Clone)]
struct Tab<'a> {
    app: &'a TestApp,
    cookies: String,
}

impl Tab<'_> {
    async fn get(&self, path: &str) -> Answer {
        self.app.get(path).cookie(&self.cookies).send().await
    }

    async fn shows(&self, path: &str) -> String {
        self.get(path).await.expect(200).text()
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.app.post(path).cookie(&self.cookies).form(form).send().await
    }

    /// Posts, follows the redirect, and returns the page behind it.
    async fn does(&self, path: &str, form: &[(&str, &str)]) -> String {
        let answer = self.post(path, form).await;
        let target = answer.expect(303).header("location").unwrap().to_owned();
        self.shows(&target).await
    }
}

impl TestApp {
    async fn person_tab(&self, login: &str) -> Tab<'_> {
        let form = [("login", login), ("password", PASSWORD)];
        let cookies = self.post("/sign-in").form(&form).send().await.expect(303).cookies();
        Tab { app: self, cookies }
    }

    async fn office_tab(&self, key: &str) -> Tab<'_> {
        let cookies = self
            .post("/office/sign-in")
            .form(&[("key", key)])
            .send()
            .await
            .expect(303)
            .cookies();
        Tab { app: self, cookies }
    }

    /// A payment with its invoice issued, and the invoice's id.
    async fn issued(&self, cast: &Cast, minor: i64, order: &str) -> (String, String) {
        let payment = self.paid_order(cast, minor, order).await;
        let applied = self.apply(cast, &payment, &json!({})).await;
        self.work_on_invoices().await;
        (payment, text(&applied, "/id").to_owned())
    }
}

#[track_caller]
fn has(page: &str, expected: &[&str]) {
    for words in expected {
        assert!(page.contains(words), "{words:?} is missing: {page}");
    }
}

#[track_caller]
fn lacks(page: &str, unexpected: &[&str]) {
    for words in unexpected {
        assert!(!page.contains(words), "{words:?} should not be there: {page}");
    }
}

/// The form of a set-up that is right.
const SETUP: &[(&str, &str)] = &[
    ("legal_name", "Nordlicht Gastro GmbH"),
    ("street", "Marktplatz 1"),
    ("postcode", "50667"),
    ("city", "Köln"),
    ("country", "DE"),
    ("vat_id", "DE123456789"),
    ("email", "rechnung@nordlicht.example"),
    ("rate_name", "food"),
    ("rate_category", "S"),
    ("rate_percent", "7"),
    ("rate_name", "course"),
    ("rate_category", "E"),
    ("rate_percent", ""),
    ("rate_reason", "Exempt by law"),
    ("rate_name", ""),
    ("rate_category", "S"),
    ("rate_percent", " "),
    ("numbering.prefix", "RE-"),
    ("numbering.credit_prefix", "GS-"),
    ("numbering.width", "4"),
    ("with_year", "on"),
    ("language", "de"),
    ("mode", "on_request"),
    ("bank.iban", "DE02120300000000202051"),
];

/// [`SETUP`] with other fields, sent by the button `button`.
fn setup<'a>(changes: &[(&'a str, &'a str)], button: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut fields: Vec<(&str, &str)> = SETUP.to_vec();
    for (name, value) in changes {
        match fields.iter_mut().find(|(known, _)| known == name) {
            Some(field) => field.1 = value,
            None => fields.push((name, value)),
        }
    }
    fields.push(("do", button));
    fields
}

/// A picture in Base64.
fn logo() -> String {
    BASE64_STANDARD.encode(std::fs::read(root().join("crates/web/assets/icon-192.png")).unwrap())
}

on_both! {
    async fn s20_a_back_office_signs_in_with_the_merchants_key(app: TestApp) {
        let cast = app.cast().await;
        let closed = app.get("/office/invoices").send().await;
        assert_eq!(closed.expect(303).header("location"), Some("/office/sign-in?next=/office/invoices"));
        let form = |key: &str| [("key", key.to_owned()), ("next", "/office/tax".to_owned())];
        let sign_in = async |key: &str| {
            let form = form(key);
            let pairs: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            app.post("/office/sign-in").form(&pairs).send().await
        };
        has(&sign_in("key_wrong").await.expect(401).text(), &["not the key"]);
        sign_in(&cast.institution.key).await.expect(401);
        let opened = sign_in(&cast.merchant.key).await;
        assert_eq!(opened.expect(303).header("location"), Some("/office/tax"));
        let office = Tab { app: &app, cookies: opened.cookies() };
        has(&office.shows("/office/invoices").await, &["Corner Canteen", "No invoice yet"]);
        let led = office.get("/till/open").await;
        assert_eq!(led.expect(303).header("location"), Some("/office/invoices"));
        let till = office.get("/till").await;
        assert_eq!(till.expect(303).header("location"), Some("/till/sign-in?next=/till"));
        office.get("/payments/invoices").await.expect(303);
        let person = app.person_tab("li.lei").await;
        person.get("/office/invoices").await.expect(303);
        person.get("/office/tax").await.expect(303);

        let key: KeyId = cast.merchant.key.split('.').next().unwrap().parse().unwrap();
        assert!(app.services.access.revoke_key(key).await.unwrap());
        office.get("/office/invoices").await.expect(303);
    }

    async fn s20_a_tax_set_up_is_entered_previewed_and_corrected_on_its_page(app: TestApp) {
        let cast = app.cast().await;
        let office = app.office_tab(&cast.merchant.key).await;
        has(&office.shows("/office/tax").await, &["Nothing was entered yet", "value=\"Corner Canteen\""]);
        let wrong = [
            ("vat_id", "DE12"), ("bank.iban", "DE02120300000000202052"), ("rate_reason", ""), ("city", ""),
            ("numbering.width", "many"), ("numbering.credit_prefix", "RE-9"),
        ];
        let refused = office.post("/office/tax", &setup(&wrong, "save")).await;
        has(&refused.expect(422).text(), &[
            "does not look like a VAT id of DE", "This is no IBAN", "Say why no tax is charged", "Please fill this in",
            "Use 1 to 12 digits", "Make both prefixes equal", "value=\"DE12\"", "problem-rate-1.reason",
        ]);
        has(&office.post("/office/tax", &setup(&[("rate_percent", "seven"), ("city", "")], "save")).await.expect(422).text(), &["A rate is a number", "problem-city"]);
        has(&office.shows("/office/tax").await, &["Nothing was entered yet"]);

        let more = office.post("/office/tax", &setup(&[], "add")).await.expect(200).text();
        assert_eq!(more.matches("name=\"rate_name\"").count(), 3, "two that are filled in, and another");
        let preview = office.post("/office/tax", &setup(&[], "preview")).await;
        assert_eq!(preview.expect(200).header("content-type"), Some("application/pdf"));
        has(&words_of(&preview.body), &["Nordlicht Gastro GmbH", "Rechnung"]);
        has(&office.shows("/office/tax").await, &["Nothing was entered yet"]);

        let logo = logo();
        let saved = office.does("/office/tax", &setup(&[("logo", &logo), ("rate_percent", "7,0 %")], "save")).await;
        has(&saved, &["Saved", "value=\"Marktplatz 1\"", "Exempt by law", "Version 1", &logo]);
        let kept = app.services.taxes.current(cast.merchant.merchant.id).await.unwrap().unwrap();
        assert_eq!((kept.fields.rates.len(), kept.fields.logo.is_some()), (2, true));
        assert_eq!(kept.entered_by, cast.merchant.key.split('.').next().unwrap());
        office.does("/office/tax", &setup(&[("logo", &logo), ("no_logo", "on")], "save")).await;
        let kept = app.services.taxes.current(cast.merchant.merchant.id).await.unwrap().unwrap();
        assert_eq!((kept.version, kept.fields.logo), (2, None));
        has(&office.post("/office/tax", &setup(&[("logo", "R0lGODlh")], "save")).await.expect(422).text(), &["The logo must be a PNG"]);

        let chinese = Tab { app: &app, cookies: format!("{}; onescan_language=zh", office.cookies) };
        has(&chinese.post("/office/tax", &setup(&wrong, "save")).await.expect(422).text(), &["这不是 IBAN", "请使用 1 至 12 位"]);
    }

    async fn s20_the_back_office_finds_opens_and_exports_its_invoices(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "=Li Lei Trading", &[]).await;
        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        let (payment, id) = app.issued(&cast, 1_190, "A-1").await;
        app.issued(&cast, 700, "B-2").await;
        app.refund_of(&cast, &payment, 300, "R-1").await;
        app.work_on_invoices().await;
        let office = app.office_tab(&cast.merchant.key).await;
        let list = office.shows("/office/invoices").await;
        has(&list, &["RE-2026-0001", "RE-2026-0002", "GS-2026-0001", "=Li Lei Trading", "CN¥11.90", "−CN¥3.00"]);
        let found = office.shows("/office/invoices?search=b-2").await;
        has(&found, &["RE-2026-0002"]);
        lacks(&found, &["RE-2026-0001", "GS-2026-0001"]);
        lacks(&office.shows("/office/invoices?kind=credit_note").await, &["RE-2026-0002"]);
        has(&office.shows("/office/invoices?state=failed").await, &["No invoice fits"]);
        has(&office.shows("/office/invoices?until=2001-01-01").await, &["No invoice fits"]);
        has(&office.shows("/office/invoices?from=yesterday").await, &["A date looks like"]);
        office.get("/office/invoices/list.csv?from=yesterday").await.expect(400);

        let shown = office.shows(&format!("/office/invoices/{id}")).await;
        has(&shown, &["RE-2026-0001", "GS-2026-0001", "CN¥3.00 of it was credited", "Where it went", "The merchant&#39;s list", "UBL", "CII", "PDF"]);
        lacks(&shown, &["Send it to an e-mail address", &cast.person.person.id.to_string()]);
        let pdf = office.get(&format!("/office/invoices/{id}/file/pdf")).await;
        assert_eq!(pdf.expect(200).header("content-disposition"), Some("inline; filename=\"RE-2026-0001.pdf\""));
        has(&words_of(&pdf.body), &["RE-2026-0001"]);
        has(&office.shows(&format!("/office/invoices/{id}/file/ubl.xml")).await, &["<cbc:ID>RE-2026-0001</cbc:ID>"]);
        office.get(&format!("/office/invoices/{id}/file/xrechnung.xml")).await.expect(404);
        office.get(&format!("/office/invoices/{id}/file/../x")).await.expect(404);
        office.post(&format!("/office/invoices/{id}/send"), &[("address", "me@example.org")]).await.expect(404);

        let csv = office.get("/office/invoices/list.csv?search=trading").await;
        assert_eq!(csv.expect(200).header("content-disposition"), Some("attachment; filename=\"invoices.csv\""));
        assert_eq!(csv.text().matches("'=Li Lei Trading").count(), 3, "{}", csv.text());
        assert!(office.get("/office/invoices/list.xlsx").await.expect(200).body.starts_with(b"PK"));

        let stranger = app.merchant("Tailor", "5651").await;
        let stranger = app.office_tab(&stranger.key).await;
        stranger.get(&format!("/office/invoices/{id}")).await.expect(404);
        stranger.get(&format!("/office/invoices/{id}/file/pdf")).await.expect(404);
        has(&stranger.shows("/office/invoices").await, &["No invoice yet"]);
    }

    async fn s20_a_person_reads_their_invoices_and_nobody_elses(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        let person = app.person_tab("li.lei").await;
        has(&person.shows("/payments/invoices").await, &["Your invoices will stand here"]);
        let (payment, id) = app.issued(&cast, 1_190, "A-1").await;
        has(&person.shows("/payments/invoices").await, &["Nordlicht Gastro GmbH", "RE-2026-0001"]);
        has(&person.shows(&format!("/payments/{payment}")).await, &[&format!("/payments/invoices/{id}")]);
        let shown = person.shows(&format!("/payments/invoices/{id}")).await;
        has(&shown, &["Li Lei Trading", "91330106MA2CFLDG4R", "Send it to an e-mail address", "li.lei@example.org"]);
        let pdf = person.get(&format!("/payments/invoices/{id}/file/pdf")).await;
        has(&words_of(&pdf.expect(200).body), &["Li Lei Trading"]);
        assert!(person.get("/payments/invoices/list.xlsx").await.expect(200).body.starts_with(b"PK"));
        let send = format!("/payments/invoices/{id}/send");
        has(&person.post(&send, &[("address", "nobody")]).await.expect(422).text(), &["name@example.org"]);
        person.post(&format!("/payments/invoices/{id}/apply"), &[]).await.expect(404);

        let other = app.person_tab("wang.fang").await;
        other.get(&format!("/payments/invoices/{id}")).await.expect(404);
        other.get(&format!("/payments/invoices/{id}/file/pdf")).await.expect(404);
        other.post(&send, &[("address", "me@example.org")]).await.expect(404);
        let key = app.apply(&cast, &app.paid_order(&cast, 5, "A-2").await, &json!({"number": "X-1"})).await;
        let reported = person.shows(&format!("/payments/invoices/{}", text(&key, "/id"))).await;
        has(&reported, &["X-1", "The merchant&#39;s own system issued this invoice"]);
        lacks(&reported, &["Send it to an e-mail address"]);
    }

    async fn s20_a_chinese_document_has_a_page_in_fapiao_form_and_its_red_letter_steps(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "杭州示例贸易有限公司", &[]).await;
        app.enter_setup(&cast.merchant, &chinese_setup()).await;
        let (payment, id) = app.issued(&cast, 1_060, "A-1").await;
        let person = app.person_tab("li.lei").await;
        let office = app.office_tab(&cast.merchant.key).await;
        let form = person.get(&format!("/payments/invoices/{id}/file/fapiao.pdf")).await;
        let words: String = words_of(&form.expect(200).body).split_whitespace().collect();
        has(&words, &["壹拾圆陆角", "杭州示例贸易有限公司", "91330106MA2CFLDG4R", "91310115MA1K000003", "非税务机关开具"]);
        has(&words, &["开户行及账号：示例银行上海分行6222000011112222"]);

        app.refund_of(&cast, &payment, 530, "R-1").await;
        app.work_on_invoices().await;
        let list = office.shows("/office/invoices?kind=credit_note").await;
        let credit = list.split("/office/invoices/inv_").nth(1).unwrap().split('"').next().unwrap();
        let credit = format!("inv_{credit}");
        let step = |side: &str| format!("{side}/{credit}/red-letter");
        has(&office.shows(&format!("/office/invoices/{credit}")).await, &["Take it back", "The seller entered the form", &id]);
        lacks(&office.shows(&format!("/office/invoices/{credit}")).await, &["value=\"confirm\""]);
        office.post(&step("/office/invoices"), &[("step", "confirm")]).await.expect(404);
        person.post(&step("/payments/invoices"), &[("step", "withdraw")]).await.expect(404);
        has(&office.does(&step("/office/invoices"), &[("step", "withdraw")]).await, &["The seller took it back", "Enter it again"]);
        has(&person.post(&step("/payments/invoices"), &[("step", "confirm")]).await.expect(422).text(), &["moved on meanwhile"]);
        office.does(&step("/office/invoices"), &[("step", "enter_again")]).await;
        has(&person.does(&step("/payments/invoices"), &[("step", "confirm")]).await, &["The buyer confirmed it"]);
        app.work_on_invoices().await;
        has(&person.shows(&format!("/payments/invoices/{credit}")).await, &["00000002", "Issued"]);
    }

    async fn s20_an_administrator_sees_what_the_institution_was_invoiced(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        app.profile(&cast.institution.record, "Example Technology", &[]).await;
        app.enter_setup(&cast.merchant, &german_setup("automatic")).await;
        app.paid_order(&cast, 700, "A-1").await;
        let mut payments = Vec::new();
        for (member, order) in [(&cast.member, "B-1"), (&cast.administrator, "B-2")] {
            let digits = app.member_digits(member).await;
            let paid = app.charge(&cast.merchant.cashier_key, &digits, 900, order).await.ok(201);
            payments.push(text(&paid, "/payment/id").to_owned());
        }
        app.work_on_invoices().await;
        app.refund_of(&cast, &payments[0], 100, "R-1").await;
        app.work_on_invoices().await;

        let base = format!("/institutions/{}/invoices", cast.institution.institution.id);
        let boss = app.person_tab("han.meimei").await;
        let door = boss.get("/institutions").await;
        assert_eq!(door.expect(303).header("location"), Some(base.as_str()));
        has(&boss.shows("/account").await, &[&base, "Example Technology"]);
        let list = boss.shows(&base).await;
        has(&list, &["B-1", "B-2", "wang.fang", "han.meimei", "Meals"]);
        lacks(&list, &["A-1"]);
        let of_member = boss.shows(&format!("{base}?member={}", cast.member.member.id)).await;
        has(&of_member, &["B-1"]);
        lacks(&of_member, &["B-2"]);
        lacks(&boss.shows(&format!("{base}?from=2026-12-01")).await, &["B-1"]);

        let by_month = boss.shows(&format!("{base}/totals")).await;
        has(&by_month, &["2026-11", "CN¥18.00", "CN¥1.00", "CN¥17.00", "2 invoices", "from=2026-11-01&#38;until=2026-11-30"]);
        let by_member = boss.shows(&format!("{base}/totals?by=member")).await;
        has(&by_member, &["wang.fang", "han.meimei", "CN¥9.00"]);
        has(&boss.shows(&format!("{base}/totals?by=scenario&month=2026-11")).await, &["Meals", "CN¥18.00"]);
        let csv = boss.get(&format!("{base}/totals.csv")).await.expect(200).text();
        has(&csv, &["2026-11,wang.fang,Meals,CNY,1,9.00,1.00", "2026-11,han.meimei,Meals,CNY,1,9.00,0.00"]);
        assert!(boss.get(&format!("{base}/totals.xlsx")).await.expect(200).body.starts_with(b"PK"));
        let ask = async |rest: &str| {
            let path = format!("/v1{base}/totals{rest}");
            app.get(&path).bearer(&cast.administrator.token).send().await
        };
        let months = ask("?by=month").await.ok(200);
        let month = &months["items"][0];
        assert_eq!(months["items"].as_array().unwrap().len(), 1, "{months}");
        assert_eq!((&month["month"], &month["invoiced_minor"], &month["credited_minor"]), (&json!("2026-11"), &json!(1_800), &json!(100)));
        assert_eq!((&month["member"], &month["scenario"]), (&Value::Null, &Value::Null));
        let members = ask("?by=member&month=2026-11").await.ok(200);
        assert_eq!(members["items"].as_array().unwrap().len(), 2, "{members}");
        assert_eq!(members["items"][0]["month"], Value::Null);
        assert_eq!(ask("?month=2026-10").await.ok(200)["items"], json!([]));
        assert_eq!(ask(".csv").await.expect(200).text(), csv, "the page and the API have one table");
        has(&ask(".csv?by=scenario").await.expect(200).text(), &[",,Meals,CNY,2,18.00,1.00"]);
        assert!(ask(".xlsx").await.expect(200).body.starts_with(b"PK"));
        for wrong in ["?by=year", ".csv?month=2026-13", ".xlsx?month=november"] {
            ask(wrong).await.problem(422, "invalid-fields");
        }

        let employee = app.person_tab("wang.fang").await;
        for path in [base.clone(), format!("{base}/totals"), format!("{base}/totals.csv"), format!("{base}/list.csv")] {
            employee.get(&path).await.expect(404);
        }
        let id = list.split(&format!("{base}/inv_")).nth(1).unwrap().split('"').next().unwrap();
        let document = format!("{base}/inv_{id}");
        has(&boss.shows(&document).await, &["Meals", "RE-2026-"]);
        boss.get(&format!("{document}/file/pdf")).await.expect(200);
        let mine = app.issued(&cast, 100, "A-9").await.1;
        boss.get(&format!("{base}/{mine}")).await.expect(404);
    }

    async fn s20_an_invoice_terminal_shows_and_applies_for_what_is_issued_here(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let payment = app.paid_order(&cast, 1_000, "A-1").await;
        let key = [("key", cast.merchant.invoice_key.as_str())];
        let cookies = app.post("/till/sign-in").form(&key).send().await.expect(303).cookies();
        let terminal = Tab { app: &app, cookies };
        let search = async |order: &str| terminal.shows(&format!("/invoice-terminal/search?search={order}")).await;
        has(&search("A-1").await, &["Number of your invoice", "Li Lei Trading"]);

        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        let offered = search("A-1").await;
        has(&offered, &["Issue the invoice", "Li Lei Trading"]);
        lacks(&offered, &["Number of your invoice"]);
        let issue = format!("/invoice-terminal/payments/{payment}/issue");
        has(&terminal.post(&issue, &[]).await.expect(200).text(), &["The invoice is being issued", "Look again"]);
        app.settle().await;
        let applied = app.get(&format!("/v1/payments/{payment}/invoice")).bearer(&cast.merchant.key).send().await.ok(200);
        app.fail_invoice(text(&applied, "/id")).await;
        has(&search("A-1").await, &["could not be issued", "the issuer said no", "Issue the invoice"]);
        has(&terminal.post(&issue, &[]).await.expect(200).text(), &["The invoice is being issued"]);
        app.work_on_invoices().await;
        let issued = search("A-1").await;
        has(&issued, &["The invoice is issued already", "RE-2026-0001"]);
        lacks(&issued, &["Number of your invoice", "Issue the invoice"]);
        let whole = app.paid_order(&cast, 500, "A-2").await;
        app.refund_of(&cast, &whole, 500, "R-2").await;
        let refused = terminal.post(&format!("/invoice-terminal/payments/{whole}/issue"), &[]).await;
        has(&refused.expect(200).text(), &["No invoice was applied for", "Everything was refunded"]);
        let stranger = app.merchant("Tailor", "5651").await;
        let key = [("key", stranger.invoice_key.as_str())];
        let cookies = app.post("/till/sign-in").form(&key).send().await.expect(303).cookies();
        Tab { app: &app, cookies }.post(&issue, &[]).await.expect(404);
    }

    async fn s20_amounts_with_three_decimals_are_a_pdf_alone_and_say_so(app: TestApp) {
        let mut cast = app.cast().await;
        let dinar = Currency::parse("KWD").unwrap();
        cast.person = app.person_in("salma", dinar).await;
        cast.merchant = app.merchant_in("Souq", "5812", dinar).await;
        app.top_up(cast.person.person.account, 100_000).await;
        app.profile(&cast.person.record, "Salma Trading", &[]).await;
        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        let digits = app.digits_on(&cast.person.token, None, "A-1").await;
        let body = json!({"code": digits, "amount": {"amount_minor": 1_251, "currency": "KWD"}, "order_number": "A-1"});
        let paid = app.paying_with(&cast.merchant.cashier_key, &body, "A-1").send().await.ok(201);
        let applied = app.apply(&cast, text(&paid, "/payment/id"), &json!({})).await;
        app.work_on_invoices().await;
        let id = text(&applied, "/id");
        let issued = app.invoice(&cast.merchant.key, id).await;
        assert_eq!(issued["state"], "issued", "{issued}");
        let names: Vec<&str> = issued["files"].as_array().unwrap().iter().map(|file| text(file, "/name")).collect();
        assert_eq!(names, ["pdf"]);
        let fetch = async |form: &str| app.get(&format!("/v1/invoices/{id}/{form}")).bearer(&cast.merchant.key).send().await;
        has(&words_of(&fetch("pdf").await.expect(200).body), &["1,251", "KWD", "Salma Trading"]);
        for form in ["ubl.xml", "cii.xml", "xrechnung.xml", "peppol.xml"] {
            let problem = fetch(form).await.problem(404, "not-found");
            has(text(&problem, "/detail"), &["PDF alone", "three decimals"]);
        }
        let person = app.person_tab("salma").await;
        has(&person.shows(&format!("/payments/invoices/{id}")).await, &["a PDF alone"]);
    }

    async fn s20_an_invoice_that_failed_is_applied_for_again(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        let payment = app.paid_order(&cast, 1_000, "A-1").await;
        let lines = json!({"lines": [{"name": "Soup", "price": "6"}, {"name": "Water", "price": "4", "rate": "drinks"}]});
        let applied = app.apply(&cast, &payment, &lines).await;
        app.settle().await;
        let id = text(&applied, "/id");
        app.fail_invoice(id).await;
        let office = app.office_tab(&cast.merchant.key).await;
        has(&office.shows(&format!("/office/invoices/{id}")).await, &["Failed", "the issuer said no", "Apply again"]);
        has(&office.does(&format!("/office/invoices/{id}/apply"), &[]).await, &["Applied for"]);
        app.work_on_invoices().await;
        let pdf = office.get(&format!("/office/invoices/{id}/file/pdf")).await;
        has(&words_of(&pdf.expect(200).body), &["Soup", "Water", "RE-2026-0001"]);
        office.post(&format!("/office/invoices/{id}/apply"), &[]).await.expect(404);
    }
}

impl TestApp {
    /// As a platform that refuses leaves it.
    async fn fail_invoice(&self, id: &str) {
        use onescan_domain::invoicing::InvoiceState;
        use onescan_platforms::invoicing::{Follow, InvoiceStore};
        let mut failed = self.store.find_invoice(id.parse().unwrap()).await.unwrap().unwrap();
        let from = failed.state;
        failed.state = InvoiceState::Failed;
        failed.problem = Some("the issuer said no".to_owned());
        assert!(self.store.advance(&failed, from, Follow::default()).await.unwrap());
    }
}
