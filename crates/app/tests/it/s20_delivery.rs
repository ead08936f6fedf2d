//! Row S20: the document reaches the merchant, the person's inbox, and the person's mailbox by a real SMTP server.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use onescan_app::config::MailSecurity;
use onescan_domain::profiles::{DeliveryChannel, ProfileFields, TitleKind};
use onescan_platforms::profiles::NewProfile;
use serde_json::{Value, json};

use crate::s20_issuing::german_setup;
use crate::support::builders::{Cast, PASSWORD};
use crate::support::decoders::{python_path, root, run};
use crate::support::shown::{items, text};
use crate::support::{TestApp, on_both};

/// The server ends with its input, so also when a test fails.
pub struct MailServer {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl MailServer {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(python_path());
        command
            .arg(root().join("crates/app/tests/tools/mail_server.py"))
            .arg(folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("the mail server does not start: {line}"));
        Self { child, folder, port }
    }

    /// From now on it answers so instead of taking a message.
    pub fn refuse(&self, answer: &str) {
        std::fs::write(self.folder.path().join("refuse"), answer).unwrap();
    }

    pub fn take_again(&self) {
        std::fs::remove_file(self.folder.path().join("refuse")).unwrap();
    }

    pub fn taken(&self) -> usize {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files
            .filter(|file| file.as_ref().unwrap().path().extension().is_some())
            .count()
    }

    pub fn read(&self, number: usize) -> Value {
        read_mail(&self.folder.path().join(format!("{number}.eml")))
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

fn read_mail(path: &Path) -> Value {
    let mut command = Command::new(python_path());
    command
        .arg(root().join("crates/app/tests/tools/read_mail.py"))
        .arg(path);
    serde_json::from_str(&run(&mut command)).unwrap()
}

impl TestApp {
    pub async fn mailing(&self, server: &MailServer) -> TestApp {
        let address = format!("127.0.0.1:{}", server.port);
        self.restarted(|config| {
            config.mail.server = Some(address);
            config.mail.security = MailSecurity::None;
            config.mail.from = "Onescan <invoices@onescan.example>".to_owned();
        })
        .await
    }

    async fn profile_by_mail(&self, cast: &Cast, address: &str) {
        let new = NewProfile {
            fields: ProfileFields {
                title_kind: TitleKind::Personal,
                title: "李雷".to_owned(),
                tax_number: None,
                vat_id: None,
                postcode: None,
                city: None,
                country: None,
                electronic_address: None,
                buyer_reference: None,
                address: None,
                telephone: None,
                bank_name: None,
                bank_account: None,
                channel: DeliveryChannel::Email(address.to_owned()),
            },
            scenarios: Vec::new(),
            preferred: true,
        };
        let record = &cast.person.record;
        self.services
            .profiles
            .create(record.bucket, &record.id, new)
            .await
            .unwrap();
    }

    /// The person's only invoice, with its deliveries.
    async fn delivered(&self, token: &str) -> (String, Vec<Value>) {
        let list = self.get("/v1/invoices").bearer(token).send().await.ok(200);
        let id = text(&items(&list)[0], "/id").to_owned();
        let deliveries = self
            .get(&format!("/v1/invoices/{id}/deliveries"))
            .bearer(token)
            .send()
            .await
            .ok(200);
        (id, items(&deliveries).clone())
    }
}

on_both! {
    async fn s20_a_document_is_mailed_in_the_persons_language(app: TestApp) {
        let server = MailServer::start();
        let app = app.mailing(&server).await;
        let cast = app.cast().await;
        app.profile_by_mail(&cast, "li.lei@example.org").await;
        app.enter_setup(&cast.merchant, &german_setup("automatic")).await;
        app.paid_order(&cast, 1_190, "A-1").await;
        app.work_on_invoices().await;
        assert_eq!(server.taken(), 1);
        let mail = server.read(1);
        assert_eq!(mail["subject"], "Nordlicht Gastro GmbH: invoice RE-2026-0001");
        assert_eq!(mail["to"], "li.lei@example.org");
        assert_eq!((&mail["file"], &mail["type"]), (&json!("RE-2026-0001.pdf"), &json!("application/pdf")));
        assert_eq!(mail["xml_name"], "factur-x.xml");
        assert!(text(&mail, "/xml").contains("李雷") && text(&mail, "/text").contains("11.90 CNY"), "{mail}");

        let (_, deliveries) = app.delivered(&cast.person.token).await;
        let seen: Vec<(&str, &str)> = deliveries.iter().map(|one| (text(one, "/channel"), text(one, "/state"))).collect();
        assert_eq!(seen, [("merchant", "delivered"), ("inbox", "delivered"), ("email", "delivered")]);
    }

    async fn s20_a_mail_that_is_not_taken_is_tried_again_and_shown(app: TestApp) {
        let server = MailServer::start();
        server.refuse("451 come later");
        let app = app.mailing(&server).await;
        let cast = app.cast().await;
        app.profile_by_mail(&cast, "li.lei@example.org").await;
        app.enter_setup(&cast.merchant, &german_setup("automatic")).await;
        app.paid_order(&cast, 500, "A-1").await;
        app.work_on_invoices().await;
        let (id, deliveries) = app.delivered(&cast.person.token).await;
        assert_eq!((&deliveries[2]["state"], &deliveries[2]["address"]), (&json!("waiting"), &json!("li.lei@example.org")));
        assert!(text(&deliveries[2], "/attempts/0/problem").contains("come later"), "{deliveries:?}");
        app.clock.advance_ms(1_000);
        app.work_on_invoices().await;
        app.clock.advance_ms(1_000);
        app.work_on_invoices().await;
        let attempts = |deliveries: &[Value]| deliveries[2]["attempts"].as_array().unwrap().len();
        assert_eq!(attempts(&app.delivered(&cast.person.token).await.1), 2, "the second pause is longer");
        server.take_again();
        app.clock.advance_ms(1_000);
        app.work_on_invoices().await;
        let (_, deliveries) = app.delivered(&cast.person.token).await;
        assert_eq!((&deliveries[2]["state"], attempts(&deliveries)), (&json!("delivered"), 3));
        assert_eq!(server.taken(), 1);

        let path = format!("/v1/invoices/{id}/deliveries/{}/resend", text(&deliveries[2], "/id"));
        let due = app.post(&path).bearer(&cast.merchant.key).send().await.ok(202);
        assert_eq!((&due["state"], &due["address"]), (&json!("waiting"), &Value::Null));
        app.work_on_invoices().await;
        assert_eq!(server.taken(), 2);
        assert_eq!(server.read(1)["message_id"], server.read(2)["message_id"]);
    }

    async fn s20_a_person_has_a_document_sent_to_an_address(app: TestApp) {
        let server = MailServer::start();
        let app = app.mailing(&server).await;
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        app.enter_setup(&cast.merchant, &german_setup("automatic")).await;
        app.paid_order(&cast, 500, "A-1").await;
        app.work_on_invoices().await;
        assert_eq!(server.taken(), 0, "the profile names the inbox alone");
        let (id, _) = app.delivered(&cast.person.token).await;
        let form = [("login", "li.lei"), ("password", PASSWORD)];
        let cookies = app.post("/sign-in").form(&form).send().await.cookies();
        let send = async |address: &str| {
            let path = format!("/payments/invoices/{id}/send");
            app.post(&path).cookie(&cookies).form(&[("address", address)]).send().await
        };
        send(" books@example.org ").await.expect(303);
        app.work_on_invoices().await;
        assert_eq!((server.taken(), &server.read(1)["to"]), (1, &json!("books@example.org")));
        send("books@example.org").await.expect(303);
        app.work_on_invoices().await;
        assert_eq!(server.taken(), 2);
        let (_, deliveries) = app.delivered(&cast.person.token).await;
        assert_eq!((deliveries.len(), deliveries[2]["attempts"].as_array().unwrap().len()), (3, 2), "one address, two attempts");
        let path = format!("/payments/invoices/{id}/resend/{}", text(&deliveries[2], "/id"));
        app.post(&path).cookie(&cookies).form(&[]).send().await.expect(303);
        app.work_on_invoices().await;
        assert_eq!(server.taken(), 3);
        for number in 2..=5 {
            send(&format!("books{number}@example.org")).await.expect(303);
        }
        assert!(send("books6@example.org").await.expect(422).text().contains("five addresses"));
        let shown = app.get(&format!("/payments/invoices/{id}")).cookie(&cookies).send().await;
        assert!(shown.expect(200).text().contains("books5@example.org"));
        app.work_on_invoices().await;
        assert_eq!(server.taken(), 7);
    }

    async fn s20_a_mail_that_is_refused_for_good_is_given_up(app: TestApp) {
        let server = MailServer::start();
        server.refuse("550 nobody of this name");
        let app = app.mailing(&server).await;
        let cast = app.cast().await;
        app.profile_by_mail(&cast, "nobody@example.org").await;
        app.enter_setup(&cast.merchant, &german_setup("automatic")).await;
        app.paid_order(&cast, 500, "A-1").await;
        app.work_on_invoices().await;
        let (_, deliveries) = app.delivered(&cast.person.token).await;
        assert_eq!((&deliveries[2]["state"], &deliveries[2]["next_at"]), (&json!("failed"), &Value::Null));
        assert_eq!(server.taken(), 0);
    }
}
