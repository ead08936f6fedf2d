//! Row S20: what the server issues, others accept: every file of every document goes through the official rules and schemas,
//! `qpdf`, the extraction of the `factur-x` package, and `pdftotext`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::s20_issuing::{chinese_setup, german_setup, words_of};
use crate::support::builders::Cast;
use crate::support::decoders::{python_path, root, run};
use crate::support::shown::{items, text};
use crate::support::{TestApp, on_both};

/// A seller below the threshold of the tax.
fn small_business() -> Value {
    let mut setup = german_setup("on_request");
    setup["vat_id"] = Value::Null;
    setup["tax_number"] = json!("215/5812/3456");
    setup["rates"] =
        json!([{"name": "all", "category": "E", "percent": "0", "reason": "Small business, no VAT is charged"}]);
    setup["numbering"]["prefix"] = json!("KU-");
    setup["numbering"]["credit_prefix"] = json!("KG-");
    setup
}

/// Lines of three rates that come to whole minor units, another mix for each number.
fn lines(number: i64) -> (Value, i64) {
    let mut all = Vec::new();
    let mut total = 0;
    for place in 0..3 + number % 5 {
        let (quantity, price) = (1 + (number * 3 + place) % 7, 99 + (number * 137 + place * 811) % 2_900);
        let rate = ["food", "drinks", "deposit"][usize::try_from((number + place) % 3).unwrap()];
        total += quantity * price;
        all.push(json!({
            "name": format!("Ware {place}: Größe & <Farbe> 茶 чай"),
            "quantity": quantity.to_string(),
            "price": format!("{}.{:02}", price / 100, price % 100),
            "rate": rate,
        }));
    }
    (json!({"lines": all}), total)
}

impl TestApp {
    /// Every file of every issued document of the merchant, in `folder`.
    async fn collect(&self, cast: &Cast, folder: &Path) -> Vec<PathBuf> {
        let list = self
            .get("/v1/invoices?limit=200")
            .bearer(&cast.merchant.key)
            .send()
            .await
            .ok(200);
        let mut files = Vec::new();
        for listed in items(&list) {
            assert!(matches!(text(listed, "/state"), "issued" | "credited"), "{listed}");
            let shown = self.invoice(&cast.merchant.key, text(listed, "/id")).await;
            for file in shown["files"].as_array().unwrap() {
                let name = text(file, "/name");
                let path = format!("/v1/invoices/{}/{name}", text(listed, "/id"));
                let answer = self.get(&path).bearer(&cast.merchant.key).send().await;
                let number = text(&shown, "/number");
                let kept = folder.join(format!("{number}.{}", name.replace("ubl.xml", "xml")));
                let bytes = &answer.expect(200).body;
                fs::write(&kept, bytes).unwrap();
                if name == "pdf" {
                    run(Command::new("qpdf").arg("--check").arg(&kept));
                    assert!(words_of(bytes).contains(number), "{number} is not on its page");
                }
                files.push(kept);
            }
        }
        files
    }
}

/// What others say is wrong with the files; nothing is said about good ones.
fn faults(files: &[PathBuf]) -> String {
    let mut command = Command::new(python_path());
    command
        .arg(root().join("crates/einvoice/tests/tools/validate.py"))
        .args(files);
    run(&mut command)
}

on_both! {
    async fn s20_what_is_issued_here_others_accept(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        app.top_up(cast.person.person.account, 1_000_000).await;
        let folder = tempfile::tempdir().unwrap();
        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        for number in 0..6 {
            let (lines, total) = lines(number);
            let payment = app.paid_order(&cast, total, &format!("A-{number}")).await;
            app.apply(&cast, &payment, &lines).await;
            if number % 3 == 1 {
                // Before the invoice: it only lowers it.
                app.refund_of(&cast, &payment, 1 + total / 3, &format!("E-{number}")).await;
            }
            app.work_on_invoices().await;
            if number % 2 == 0 {
                app.refund_of(&cast, &payment, 1 + total / 7, &format!("R-{number}")).await;
                app.refund_of(&cast, &payment, 1 + total / 5, &format!("S-{number}")).await;
            }
            app.work_on_invoices().await;
        }
        for (setup, order) in [(small_business(), "B-1"), (chinese_setup(), "C-1")] {
            app.enter_setup(&cast.merchant, &setup).await;
            let payment = app.paid_order(&cast, 1_234, order).await;
            app.apply(&cast, &payment, &json!({})).await;
            app.work_on_invoices().await;
        }
        let files = app.collect(&cast, folder.path()).await;
        let pdfs = files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "pdf")).count();
        assert_eq!(pdfs, 6 + 6 + 2, "invoices, credit notes, other sellers: {files:?}");
        assert!(files.len() >= 3 * pdfs, "{files:?}");
        assert_eq!(faults(&files), "");
    }
}
