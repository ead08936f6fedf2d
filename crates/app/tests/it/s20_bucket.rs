//! Row S20: documents lie in a bucket of an S3-compatible store; a real one, that checks signatures, on the loopback.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use onescan_app::config::DocumentsConfig;
use onescan_store::documents::PlainHttp;
use serde_json::{Value, json};

use crate::s20_issuing::german_setup;
use crate::support::decoders::{python_path, root};
use crate::support::program::Program;
use crate::support::shown::text;
use crate::support::{TestApp, on_both};

const BUCKET: &str = "onescan-invoices";

/// The server ends with its input, so also when a test fails.
struct Bucket {
    child: Child,
    answers: BufReader<ChildStdout>,
    endpoint: String,
    key_id: String,
    secret: String,
}

impl Bucket {
    fn start() -> Self {
        let mut command = Command::new(python_path());
        command
            .arg(root().join("crates/app/tests/tools/s3_server.py"))
            .arg(BUCKET);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let [port, key_id, secret] = words[..] else {
            panic!("the S3-compatible server does not start: {line}");
        };
        Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            key_id: key_id.to_owned(),
            secret: secret.to_owned(),
            child,
            answers,
        }
    }

    /// Closes its socket (`down`) or opens it again (`up`); what it keeps stays.
    fn go(&mut self, word: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{word}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), word);
    }

    fn config(&self) -> DocumentsConfig {
        DocumentsConfig {
            bucket: Some(BUCKET.to_owned()),
            endpoint: Some(self.endpoint.clone()),
            region: "eu-central-1".to_owned(),
            key_id: Some(self.key_id.clone()),
            secret: Some(self.secret.clone()),
            plain_http: PlainHttp::Allowed,
            ..DocumentsConfig::default()
        }
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

on_both! {
    async fn s20_documents_lie_in_a_bucket_and_wait_for_it(app: TestApp) {
        let mut bucket = Bucket::start();
        let app = app.restarted(|config| config.documents = bucket.config()).await;
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
        let first = app.paid_order(&cast, 1_190, "A-1").await;
        let applied = app.apply(&cast, &first, &json!({})).await;
        let first = text(&applied, "/id").to_owned();
        app.work_on_invoices().await;
        let issued = app.invoice(&cast.merchant.key, &first).await;
        assert_eq!(issued["state"], "issued", "{issued}");
        let fetch = async |id: &str, form: &str| {
            app.get(&format!("/v1/invoices/{id}/{form}")).bearer(&cast.merchant.key).send().await
        };
        let pdf = fetch(&first, "pdf").await.expect(200).body.clone();
        assert!(pdf.starts_with(b"%PDF-"));
        assert!(fetch(&first, "ubl.xml").await.expect(200).text().contains("RE-2026-0001"));

        bucket.go("down");
        fetch(&first, "pdf").await.problem(503, "unavailable");
        let payment = app.paid_order(&cast, 500, "A-2").await;
        let applied = app.apply(&cast, &payment, &json!({})).await;
        let second = text(&applied, "/id").to_owned();
        app.work_on_invoices().await;
        assert_eq!(app.invoice(&cast.merchant.key, &second).await["state"], "issuing", "it waits, and is not lost");

        bucket.go("up");
        app.clock.advance_ms(5_000);
        app.work_on_invoices().await;
        let issued = app.invoice(&cast.merchant.key, &second).await;
        assert_eq!((&issued["state"], &issued["number"]), (&json!("issued"), &json!("RE-2026-0002")), "no number is lost");
        fetch(&second, "cii.xml").await.expect(200);
        assert_eq!(fetch(&first, "pdf").await.expect(200).body, pdf);
        let report = app.store.audit_documents(&*app.documents).await.unwrap();
        assert!(report.breaches.is_empty(), "{:?}", report.breaches);
    }
}

#[test]
fn s20_the_doctor_writes_and_reads_the_bucket() {
    let mut bucket = Bucket::start();
    let mut program = Program::new();
    program.set("ONESCAN__DOCUMENTS__BUCKET", BUCKET);
    program.set("ONESCAN__DOCUMENTS__ENDPOINT", &bucket.endpoint);
    program.set("ONESCAN__DOCUMENTS__REGION", "eu-central-1");
    program.set("ONESCAN__DOCUMENTS__ALLOW_PLAIN_HTTP", "true");
    program.set("ONESCAN__DOCUMENTS__KEY_ID", &bucket.key_id);
    let secret = program.path().join("secret");
    std::fs::write(&secret, &bucket.secret).unwrap();
    program.set("ONESCAN__DOCUMENTS__SECRET_FILE", secret.to_str().unwrap());
    let look = || {
        let ran = program.run(&["doctor", "--json"]);
        let looks: Value = serde_json::from_str(&ran.stdout).unwrap();
        let found = looks
            .as_array()
            .unwrap()
            .iter()
            .find(|look| look["check"] == "documents");
        found.unwrap().clone()
    };
    let well = look();
    assert_eq!(well["health"], "ok", "{well}");
    assert_eq!(
        well["seen"],
        format!("the bucket {BUCKET} at {} can be written and read", bucket.endpoint)
    );

    std::fs::write(&secret, "wrong").unwrap();
    let refused = look();
    assert_eq!(refused["health"], "FAIL");
    assert!(text(&refused, "/seen").contains("SignatureDoesNotMatch"), "{refused}");
    assert!(text(&refused, "/what_to_do").contains("documents.secret"));

    bucket.go("down");
    let silent = look();
    assert!(text(&silent, "/seen").contains("refused"), "{silent}");
}
