//! Row S20: the invoice platform issues a real document, once, and corrects it by credit notes.

use std::process::Command;

use onescan_domain::ids::{EventId, InvoiceId};
use onescan_domain::invoicing::InvoiceState;
use onescan_platforms::invoicing::{DocumentKey, Follow, InvoiceStore, IssuerStore, NewTask, Subject, Work};
use serde_json::{Value, json};

use crate::rides::Metro;
use crate::steps::cny;
use crate::support::builders::{Cast, MerchantCast};
use crate::support::shown::{items, text};
use crate::support::{TestApp, on_both};

/// A set-up of a seller in Germany; `mode` as in the API.
pub fn german_setup(mode: &str) -> Value {
    json!({
        "legal_name": "Nordlicht Gastro GmbH", "street": "Marktplatz 1", "city": "Köln", "postcode": "50667",
        "country": "DE", "vat_id": "DE123456789", "email": "rechnung@nordlicht.example", "phone": "+49 221 123456",
        "language": "de", "mode": mode,
        "numbering": {"prefix": "RE-", "credit_prefix": "GS-", "with_year": true, "width": 4},
        "rates": [
            {"name": "food", "category": "S", "percent": "7"},
            {"name": "drinks", "category": "S", "percent": "19"},
            {"name": "deposit", "category": "E", "percent": "0", "reason": "Not taxable"}
        ],
        "bank": {"iban": "DE02120300000000202051", "bic": "BYLADEM1001"}
    })
}

pub fn chinese_setup() -> Value {
    json!({
        "legal_name": "上海示例餐饮有限公司", "street": "示例路88号", "city": "上海市", "postcode": "200000", "country": "CN",
        "credit_code": "91310115MA1K000003", "language": "zh", "mode": "on_request",
        "numbering": {"prefix": "", "credit_prefix": "", "with_year": false, "width": 8},
        "rates": [{"name": "餐饮", "category": "S", "percent": "6"}],
        "bank": {"iban": "6222 0000 1111 2222", "name": "示例银行上海分行"}
    })
}

impl TestApp {
    pub async fn enter_setup(&self, merchant: &MerchantCast, setup: &Value) -> Value {
        let path = format!("/v1/merchants/{}/tax-setup", merchant.merchant.id);
        self.put(&path).bearer(&merchant.key).json(setup).send().await.ok(200)
    }

    /// Pays and returns the payment's id.
    pub async fn paid_order(&self, cast: &Cast, minor: i64, order: &str) -> String {
        let digits = self.digits_on(&cast.person.token, None, order).await;
        let paid = self
            .charge(&cast.merchant.cashier_key, &digits, minor, order)
            .await
            .ok(201);
        text(&paid, "/payment/id").to_owned()
    }

    pub async fn apply(&self, cast: &Cast, payment: &str, body: &Value) -> Value {
        let path = format!("/v1/payments/{payment}/invoice");
        self.post(&path)
            .bearer(&cast.merchant.key)
            .json(body)
            .send()
            .await
            .ok(201)
    }

    pub async fn invoice(&self, token: &str, id: &str) -> Value {
        self.get(&format!("/v1/invoices/{id}"))
            .bearer(token)
            .send()
            .await
            .ok(200)
    }

    pub async fn refund_of(&self, cast: &Cast, payment: &str, minor: i64, number: &str) {
        let body = json!({"number": number, "amount": cny(minor)});
        let path = format!("/v1/payments/{payment}/refunds");
        let call = self.post(&path).bearer(&cast.merchant.key).idempotency_key(number);
        call.json(&body).send().await.expect(201);
    }

    async fn invoices(&self, token: &str, query: &str) -> Vec<Value> {
        let list = self
            .get(&format!("/v1/invoices{query}"))
            .bearer(token)
            .send()
            .await
            .ok(200);
        items(&list).clone()
    }
}

/// What `pdftotext` reads on the pages.
pub fn words_of(pdf: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("document.pdf");
    std::fs::write(&path, pdf).unwrap();
    let output = Command::new("pdftotext")
        .arg("-layout")
        .arg(&path)
        .arg("-")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

on_both! {
    async fn s20_an_application_becomes_a_document(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        assert_eq!(app.enter_setup(&cast.merchant, &german_setup("on_request")).await["version"], 1);
        let payment = app.paid_order(&cast, 1_190, "A-1").await;
        let applied = app.apply(&cast, &payment, &json!({"lines": [
            {"name": "Soup", "quantity": "2", "price": "3.555"},
            {"name": "Water", "price": "4.79", "rate": "drinks"}
        ]})).await;
        assert_eq!(applied["state"], "applied");
        assert_eq!(app.apply(&cast, &payment, &json!({})).await["id"], applied["id"], "a repeat is the first application");

        app.work_on_invoices().await;
        let id = text(&applied, "/id");
        let issued = app.invoice(&cast.merchant.key, id).await;
        assert_eq!((&issued["state"], &issued["number"]), (&json!("issued"), &json!("RE-2026-0001")), "{issued}");
        assert_eq!(issued["amount"], cny(1_190));
        assert_eq!(issued["person"], Value::Null, "a merchant cannot tell persons apart");
        let files = issued["files"].as_array().unwrap();
        let names: Vec<&str> = files.iter().map(|file| text(file, "/name")).collect();
        assert_eq!(names, ["pdf", "ubl.xml", "cii.xml"]);

        let pdf = app.get(&format!("/v1/invoices/{id}/pdf")).bearer(&cast.person.token).send().await;
        assert_eq!(pdf.header("content-type"), Some("application/pdf"));
        let words = words_of(&pdf.expect(200).body);
        for word in ["RE-2026-0001", "Nordlicht Gastro GmbH", "Li Lei Trading", "Soup", "11,90"] {
            assert!(words.contains(word), "{word} is not in {words}");
        }
        let ubl = app.get(&format!("/v1/invoices/{id}/ubl.xml")).bearer(&cast.merchant.key).send().await;
        assert!(ubl.expect(200).text().contains("<cbc:ID>RE-2026-0001</cbc:ID>"), "{}", ubl.text());
        app.get(&format!("/v1/invoices/{id}/xrechnung.xml")).bearer(&cast.merchant.key).send().await.problem(404, "not-found");
        let stranger = app.merchant("Tailor", "5651").await;
        app.get(&format!("/v1/invoices/{id}/pdf")).bearer(&stranger.key).send().await.problem(404, "not-found");

        let seen = app.get(&format!("/v1/payments/{payment}/invoice")).bearer(&cast.person.token).send().await.ok(200);
        assert_eq!(seen["number"], "RE-2026-0001");
    }

    async fn s20_lines_come_to_what_was_paid(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let payment = app.paid_order(&cast, 1_000, "A-1").await;
        let path = format!("/v1/payments/{payment}/invoice");
        let send = async |body: Value| app.post(&path).bearer(&cast.merchant.key).json(&body).send().await;
        send(json!({"lines": [{"name": "Soup", "price": "10"}]})).await.problem(409, "no-tax-setup");
        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        send(json!({"lines": [{"name": "Soup", "price": "9.99"}]})).await.problem(422, "invalid-fields");
        send(json!({"lines": [{"name": "Soup", "price": "10", "rate": "shoes"}]})).await.problem(422, "invalid-fields");
        send(json!({"lines": [{"name": "Soup", "price": "ten"}]})).await.problem(422, "invalid-fields");
        app.work_on_invoices().await;
        assert_eq!(app.invoices(&cast.merchant.key, "").await, Vec::<Value>::new(), "nothing is half written");
    }

    async fn s20_numbers_have_no_gap_and_no_double_when_many_issue_at_once(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        for order in 0..6 {
            let payment = app.paid_order(&cast, 500, &format!("A-{order}")).await;
            app.apply(&cast, &payment, &json!({})).await;
        }
        app.settle().await;
        // Three servers, each with its own lock, race for the same series.
        let servers = [app.clone(), app.restarted(|_| {}).await, app.restarted(|_| {}).await];
        let [first, second, third] = &servers;
        tokio::join!(first.work_on_invoices(), second.work_on_invoices(), third.work_on_invoices());
        let mut numbers: Vec<String> = Vec::new();
        for invoice in app.invoices(&cast.merchant.key, "").await {
            assert_eq!(invoice["state"], "issued", "{invoice}");
            numbers.push(text(&invoice, "/number").to_owned());
        }
        numbers.sort();
        let expected: Vec<String> = (1..=6).map(|number| format!("RE-2026-{number:04}")).collect();
        assert_eq!(numbers, expected);
    }

    async fn s20_a_crash_between_the_steps_leaves_no_gap_and_no_double(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        let payment = app.paid_order(&cast, 500, "A-1").await;
        app.apply(&cast, &payment, &json!({})).await;
        app.settle().await;
        // Somebody takes the task and dies: the number is taken, the book does not know it yet.
        let lost = app.store.take_tasks(app.now_ms(), 60_000, 16).await.unwrap();
        assert_eq!(lost.len(), 1);
        app.work_on_invoices().await;
        assert_eq!(app.invoices(&cast.merchant.key, "?state=issued").await.len(), 0, "the lease holds");
        app.clock.advance_ms(60_000);
        let again = app.restarted(|_| {}).await;
        again.work_on_invoices().await;
        let issued = again.invoices(&cast.merchant.key, "?state=issued").await;
        assert_eq!(issued.len(), 1);
        // It dies after the issuer's commit, before its own: the same key finds the same document.
        let id: InvoiceId = text(&issued[0], "/id").parse().unwrap();
        let mut forgotten = again.store.find_invoice(id).await.unwrap().unwrap();
        (forgotten.state, forgotten.number) = (InvoiceState::Issuing, None);
        let task = NewTask { id: EventId::new(again.services.env.id(id.bucket())), work: Work::Issue(id), at: again.now_ms() };
        let follow = Follow { tasks: vec![task], ..Follow::default() };
        assert!(again.store.advance(&forgotten, InvoiceState::Issued, follow).await.unwrap());
        again.work_on_invoices().await;
        let completed = again.invoices(&cast.merchant.key, "?state=issued").await;
        assert_eq!(completed[0]["number"], issued[0]["number"]);
        let key = DocumentKey::Invoice(Subject::Payment(payment.parse().unwrap()));
        let document = again.store.find_document(cast.merchant.merchant.id, key).await.unwrap().unwrap();
        assert_eq!(document.running, 1);
        let second = again.paid_order(&cast, 500, "A-2").await;
        again.apply(&cast, &second, &json!({})).await;
        again.work_on_invoices().await;
        assert_eq!(again.invoices(&cast.merchant.key, "").await[0]["number"], "RE-2026-0002");
    }

    async fn s20_the_merchants_setting_issues_by_itself(app: TestApp) {
        let cast = app.cast().await;
        app.enter_setup(&cast.merchant, &german_setup("automatic")).await;
        app.paid_order(&cast, 700, "A-0").await;
        app.work_on_invoices().await;
        assert_eq!(app.invoices(&cast.person.token, "").await.len(), 0, "without details there is no invoice");
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        app.paid_order(&cast, 700, "A-1").await;
        app.work_on_invoices().await;
        let mine = app.invoices(&cast.person.token, "").await;
        assert_eq!(mine.len(), 1);
        assert_eq!((&mine[0]["state"], &mine[0]["order_number"]), (&json!("issued"), &json!("A-1")));
    }

    async fn s20_a_ride_is_in_the_payers_invoice_once(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let cast = &metro.cast;
        let own = app.services.processing.enable(&cast.member.person, None, None).await.unwrap();
        app.profile(&own.record, "Wang Fang", &[]).await;
        app.profile(&cast.institution.record, "Example Technology", &[]).await;
        app.enter_setup(&cast.merchant, &german_setup("automatic")).await;
        app.top_up(cast.member.person.account, 1_000).await;
        metro.agree(&app, 600).await;
        metro.policy(&app, &["amount <= 400"]).await;
        metro.apply(&app, Some(5)).await;
        let by_person = metro.tell(&app, "R-1", 500).await;
        let by_institution = metro.tell(&app, "R-2", 400).await;
        assert_eq!((&by_person["state"], &by_institution["state"]), (&json!("paid_by_person"), &json!("paid_by_institution")));
        app.work_on_invoices().await;

        let listed = app.invoices(&cast.merchant.key, "").await;
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!((&listed[0]["state"], &listed[0]["buyer_name"]), (&json!("issued"), &json!("Wang Fang")));
        assert_eq!((&listed[0]["payment"], &listed[0]["amount"]), (&by_person["personal_attempt"]["payment"], &cny(500)));
        assert_eq!(app.invoices(&cast.member.token, "").await.len(), 1, "the person has it too");

        let payment = text(&by_institution, "/institution_attempt/payment").to_owned();
        let apply = app.post(&format!("/v1/payments/{payment}/invoice")).bearer(&cast.merchant.key).json(&json!({}));
        let problem = apply.send().await.problem(409, "wrong-state");
        assert!(text(&problem, "/detail").contains("bill of its period"), "{problem}");
    }

    async fn s20_a_second_scan_applies_where_invoices_are_issued_here(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        let code = app.show_user_code(&cast.person.token, "phone").await;
        app.charge(&cast.merchant.cashier_key, &code.digits, 800, "A-1").await.expect(201);
        assert_eq!(app.second_scan(&cast.merchant.invoice_key, &code.digits).await.ok(200)["status"], "paid");
        assert_eq!(app.code_status(&cast.person.token, &code.id).await, "paid", "issued only once it is issued");
        app.work_on_invoices().await;
        assert_eq!(app.code_status(&cast.person.token, &code.id).await, "invoice_issued");
        let again = app.second_scan(&cast.merchant.invoice_key, &code.digits).await.ok(200);
        assert_eq!((&again["status"], &again["invoice"]["number"]), (&json!("invoice_issued"), &json!("RE-2026-0001")));
    }

    async fn s20_a_refund_before_lowers_and_one_after_is_credited(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        let payment = app.paid_order(&cast, 2_000, "A-1").await;
        let lines = json!({"lines": [
            {"name": "Soup", "price": "10.00"}, {"name": "Water", "price": "7.01", "rate": "drinks"},
            {"name": "Bottle", "price": "2.99", "rate": "deposit"}
        ]});
        app.apply(&cast, &payment, &lines).await;
        // Between application and issuing.
        app.refund_of(&cast, &payment, 333, "R-1").await;
        app.work_on_invoices().await;
        let invoice = app.invoices(&cast.merchant.key, "?kind=invoice").await.remove(0);
        assert_eq!((&invoice["state"], &invoice["amount"]), (&json!("issued"), &cny(1_667)), "{invoice}");
        app.refund_of(&cast, &payment, 667, "R-2").await;
        app.work_on_invoices().await;
        app.clock.advance_ms(5_000);
        app.refund_of(&cast, &payment, 1_000, "R-3").await;
        app.work_on_invoices().await;
        let credits = app.invoices(&cast.merchant.key, "?kind=credit_note").await;
        let seen: Vec<(&Value, &Value)> = credits.iter().map(|credit| (&credit["number"], &credit["amount"]["amount_minor"])).collect();
        assert_eq!(seen, [(&json!("GS-2026-0002"), &json!(1_000)), (&json!("GS-2026-0001"), &json!(667))], "{credits:?}");
        let invoice = app.invoice(&cast.merchant.key, text(&invoice, "/id")).await;
        assert_eq!((&invoice["state"], &invoice["credited_minor"]), (&json!("credited"), &json!(1_667)));
        let first = text(&credits[1], "/id");
        let cii = app.get(&format!("/v1/invoices/{first}/cii.xml")).bearer(&cast.person.token).send().await;
        let cii = cii.expect(200).text();
        assert!(cii.contains("381") && cii.contains("RE-2026-0001"), "{cii}");
        let words = words_of(&app.get(&format!("/v1/invoices/{first}/pdf")).bearer(&cast.person.token).send().await.expect(200).body);
        assert!(words.contains("GS-2026-0001") && words.contains("6,67"), "{words}");
    }

    async fn s20_everything_refunded_leaves_nothing_to_invoice(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        let payment = app.paid_order(&cast, 2_000, "A-1").await;
        app.apply(&cast, &payment, &json!({})).await;
        app.refund_of(&cast, &payment, 2_000, "R-1").await;
        app.work_on_invoices().await;
        assert_eq!(app.invoices(&cast.merchant.key, "").await[0]["state"], "withdrawn");
        assert_eq!(app.invoices(&cast.merchant.key, "").await.len(), 1, "and no credit note");
        let second = app.paid_order(&cast, 900, "A-2").await;
        app.apply(&cast, &second, &json!({})).await;
        app.work_on_invoices().await;
        assert_eq!(app.invoices(&cast.merchant.key, "").await[0]["number"], "RE-2026-0001", "no number was lost");
    }

    async fn s20_a_chinese_companys_credit_note_waits_for_its_confirmation(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "杭州示例贸易有限公司", &[]).await;
        app.enter_setup(&cast.merchant, &chinese_setup()).await;
        let payment = app.paid_order(&cast, 1_060, "A-1").await;
        app.apply(&cast, &payment, &json!({})).await;
        app.work_on_invoices().await;
        app.refund_of(&cast, &payment, 530, "R-1").await;
        app.work_on_invoices().await;
        let credit = app.invoices(&cast.person.token, "?kind=credit_note").await.remove(0);
        assert_eq!((&credit["state"], &credit["red_letter"]["state"]), (&json!("waiting"), &json!("02")), "{credit}");
        let path = format!("/v1/invoices/{}/red-letter", text(&credit, "/id"));
        let step = async |token: &str, step: &str| app.post(&path).bearer(token).json(&json!({"step": step})).send().await;
        step(&cast.merchant.key, "confirm").await.problem(403, "not-allowed");
        app.clock.advance_ms(72 * 3_600_000);
        app.work_on_invoices().await;
        let expired = app.invoice(&cast.merchant.key, text(&credit, "/id")).await;
        assert_eq!((&expired["state"], &expired["red_letter"]["state"]), (&json!("failed"), &json!("07")));
        let person = app.sign_in("li.lei").await;
        step(&person, "confirm").await.problem(409, "wrong-state");
        assert_eq!(step(&cast.merchant.key, "enter_again").await.ok(200)["state"], "waiting");
        assert_eq!(step(&person, "confirm").await.ok(200)["red_letter"]["state"], "04");
        app.work_on_invoices().await;
        let issued = app.invoice(&cast.merchant.key, text(&credit, "/id")).await;
        assert_eq!((&issued["state"], &issued["number"]), (&json!("issued"), &json!("00000002")), "{issued}");
    }

    async fn s20_a_setup_is_checked_when_it_is_entered(app: TestApp) {
        let cast = app.cast().await;
        let path = format!("/v1/merchants/{}/tax-setup", cast.merchant.merchant.id);
        app.get(&path).bearer(&cast.merchant.key).send().await.problem(404, "not-found");
        let mut wrong = german_setup("automatic");
        wrong["vat_id"] = json!("DE12");
        wrong["bank"]["iban"] = json!("DE02120300000000202052");
        wrong["rates"][2]["reason"] = Value::Null;
        let refused = app.put(&path).bearer(&cast.merchant.key).json(&wrong).send().await.problem(422, "invalid-fields");
        let fields: Vec<&str> = refused["reasons"].as_array().unwrap().iter().map(|reason| text(reason, "/field")).collect();
        assert_eq!(fields, ["vat_id", "bank.iban", "rates[2].reason"]);
        app.get(&path).bearer(&cast.merchant.key).send().await.problem(404, "not-found");
        app.put(&path).bearer(&cast.merchant.cashier_key).json(&german_setup("own")).send().await.problem(404, "not-found");
        let entered = app.enter_setup(&cast.merchant, &german_setup("own")).await;
        assert_eq!(app.enter_setup(&cast.merchant, &german_setup("own")).await["version"], entered["version"]);
        assert_eq!(app.enter_setup(&cast.merchant, &german_setup("automatic")).await["version"], 2);
        let kept = app.get(&path).bearer(&cast.merchant.key).send().await.ok(200);
        assert_eq!((&kept["version"], &kept["setup"]), (&json!(2), &german_setup("automatic")));
        let preview = app.post(&format!("{path}/preview")).bearer(&cast.merchant.key).json(&german_setup("own")).send().await;
        assert!(words_of(&preview.expect(200).body).contains("Nordlicht Gastro GmbH"));
        let versions = app.get(&format!("{path}/versions")).bearer(&cast.merchant.key).send().await.ok(200);
        assert_eq!(items(&versions).len(), 2);
    }

    async fn s20_lists_are_searched_filtered_and_exported(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "=Li Lei, \"Trading\"", &[]).await;
        app.profile(&cast.institution.record, "Example Technology", &[]).await;
        app.enter_setup(&cast.merchant, &german_setup("automatic")).await;
        app.paid_order(&cast, 700, "A-1").await;
        let digits = app.member_digits(&cast.member).await;
        app.charge(&cast.merchant.cashier_key, &digits, 900, "B-2").await.expect(201);
        app.work_on_invoices().await;
        assert_eq!(app.invoices(&cast.merchant.key, "").await.len(), 2);
        assert_eq!(app.invoices(&cast.merchant.key, "?search=lei").await.len(), 1);
        assert_eq!(app.invoices(&cast.merchant.key, "?search=b-2").await.len(), 1);
        assert_eq!(app.invoices(&cast.merchant.key, "?state=failed").await.len(), 0);
        assert_eq!(app.invoices(&cast.person.token, "").await.len(), 1);
        assert_eq!(app.invoices(&cast.member.token, "").await.len(), 1);
        let ours = app.invoices(&cast.institution.key, "").await;
        assert_eq!((ours.len(), &ours[0]["order_number"]), (1, &json!("B-2")));
        let path = format!("/v1/institutions/{}/invoices/totals", cast.institution.institution.id);
        let totals = app.get(&path).bearer(&cast.administrator.token).send().await.ok(200);
        let total = &items(&totals)[0];
        assert_eq!((&total["month"], &total["invoiced_minor"], &total["invoices"]), (&json!("2026-11"), &json!(900), &json!(1)));
        assert_eq!(total["member"], cast.member.member.id.to_string());

        let csv = app.get("/v1/invoices.csv").bearer(&cast.merchant.key).send().await;
        let csv = csv.expect(200).text();
        assert!(csv.starts_with('\u{feff}'), "{csv}");
        assert!(csv.contains("\"'=Li Lei, \"\"Trading\"\"\""), "{csv}");
        let workbook = app.get("/v1/invoices.xlsx").bearer(&cast.merchant.key).send().await;
        assert!(workbook.expect(200).body.starts_with(b"PK"));
    }
}
