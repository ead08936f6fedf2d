//! Row S19: where several profiles fit, the person is asked on their own page and the chosen one goes to the terminal.

use onescan_domain::profiles::InvoiceProfile;
use serde_json::{Value, json};

use crate::steps::payment_id;
use crate::support::builders::Cast;
use crate::support::http::Answer;
use crate::support::shown::text;
use crate::support::{TestApp, on_both};

/// The time a person has.
const CHOOSE_MS: i64 = 60_000;

struct Asked {
    cast: Cast,
    home: InvoiceProfile,
    work: InvoiceProfile,
    payment: String,
    digits: String,
}

/// A person with two profiles paid; the first they entered is the default.
async fn asked(app: &TestApp) -> Asked {
    let cast = app.cast().await;
    let home = app.profile(&cast.person.record, "Home", &[]).await;
    let work = app.profile(&cast.person.record, "Work", &[]).await;
    let digits = app.own_digits(&cast.person).await;
    let paid = app
        .charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1")
        .await
        .ok(201);
    assert_eq!(
        paid["payment"]["state"], "paid",
        "the question does not hold up the payment"
    );
    assert_eq!(
        paid["profile"],
        json!({"status": "asking", "until": "2026-11-23T09:01:00.000Z"})
    );
    let payment = payment_id(&paid);
    Asked {
        cast,
        home,
        work,
        payment,
        digits,
    }
}

impl Asked {
    async fn question(&self, app: &TestApp) -> Value {
        let open = app.questions(&self.cast.person.token).await;
        let [question] = &open[..] else {
            panic!("one question: {open:?}")
        };
        question.clone()
    }

    async fn choose(&self, app: &TestApp, question: &Value, profile: &InvoiceProfile) -> Answer {
        answer(
            app,
            &self.cast.person.token,
            text(question, "/id"),
            &profile.id.to_string(),
        )
        .await
    }

    async fn at_till(&self, app: &TestApp) -> Value {
        app.fetch_profile(&self.cast.merchant.cashier_key, &self.payment)
            .await
            .ok(200)
    }
}

async fn answer(app: &TestApp, token: &str, question: &str, profile: &str) -> Answer {
    let path = format!("/v1/people/me/choices/{question}");
    app.post(&path)
        .bearer(token)
        .json(&json!({"profile": profile}))
        .send()
        .await
}

on_both! {
    async fn s19_the_person_is_asked_and_the_chosen_profile_reaches_the_till(app: TestApp) {
        let asked = asked(&app).await;
        assert_eq!(asked.at_till(&app).await["status"], "asking");

        let question = asked.question(&app).await;
        assert_eq!(question["payment"], asked.payment);
        assert_eq!(question["until"], "2026-11-23T09:01:00.000Z");
        let candidates = json!([
            {"profile": asked.home.id.to_string(), "title": "Home"},
            {"profile": asked.work.id.to_string(), "title": "Work"},
        ]);
        assert_eq!(question["candidates"], candidates);

        let chosen = asked.choose(&app, &question, &asked.work).await.ok(200);
        assert_eq!(chosen["chosen"], asked.work.id.to_string());
        let told = asked.at_till(&app).await;
        assert_eq!((&told["status"], &told["profile"]["title"]), (&json!("settled"), &json!("Work")));
        assert!(app.questions(&asked.cast.person.token).await.is_empty(), "it is answered");
    }

    async fn s19_the_waiting_till_is_answered_when_the_person_chose(app: TestApp) {
        let asked = asked(&app).await;
        let path = format!("/v1/payments/{}/invoice-profile?wait_ms=20000", asked.payment);
        let waiting = app.get(&path).bearer(&asked.cast.merchant.cashier_key).send();
        let choosing = async {
            let question = asked.question(&app).await;
            asked.choose(&app, &question, &asked.work).await.expect(200);
        };
        let (told, ()) = tokio::join!(waiting, choosing);
        assert_eq!(told.ok(200)["profile"]["title"], "Work");
    }

    async fn s19_after_the_time_limit_the_default_is_taken_and_stays(app: TestApp) {
        let asked = asked(&app).await;
        let question = asked.question(&app).await;
        app.clock.advance_ms(CHOOSE_MS - 1);
        assert_eq!(asked.at_till(&app).await["status"], "asking");
        app.clock.advance_ms(1);
        let told = asked.at_till(&app).await;
        assert_eq!((&told["status"], &told["profile"]["title"]), (&json!("settled"), &json!("Home")));
        assert!(app.questions(&asked.cast.person.token).await.is_empty());
        asked.choose(&app, &question, &asked.work).await.problem(409, "choice-settled");
        assert_eq!(asked.at_till(&app).await["profile"]["title"], "Home");
    }

    async fn s19_the_preferred_profile_is_the_default(app: TestApp) {
        let cast = app.cast().await;
        let record = &cast.person.record;
        app.profile(record, "Home", &[]).await;
        let work = app.profile(record, "Work", &[]).await;
        let preferred = onescan_platforms::profiles::NewProfile {
            fields: work.fields.clone(),
            scenarios: Vec::new(),
            preferred: true,
        };
        app.services.profiles.update(record.bucket, &record.id, work.id, preferred).await.unwrap().unwrap();
        let paid = app.charge(&cast.merchant.cashier_key, &app.own_digits(&cast.person).await, 1_000, "A-1").await;
        app.clock.advance_ms(CHOOSE_MS);
        let told = app.fetch_profile(&cast.merchant.cashier_key, &payment_id(&paid.ok(201))).await.ok(200);
        assert_eq!(told["profile"]["title"], "Work");
    }

    async fn s19_a_choice_is_made_once(app: TestApp) {
        let asked = asked(&app).await;
        let question = asked.question(&app).await;
        let first = asked.choose(&app, &question, &asked.work).await.ok(200);
        assert_eq!(asked.choose(&app, &question, &asked.work).await.ok(200), first, "the same again changes nothing");
        asked.choose(&app, &question, &asked.home).await.problem(409, "choice-settled");
        app.clock.advance_ms(CHOOSE_MS);
        assert_eq!(asked.choose(&app, &question, &asked.work).await.ok(200), first);
        assert_eq!(asked.at_till(&app).await["profile"]["title"], "Work");
    }

    async fn s19_only_the_person_asked_chooses_among_what_was_asked(app: TestApp) {
        let asked = asked(&app).await;
        let question = asked.question(&app).await;
        let id = text(&question, "/id");
        let token = &asked.cast.person.token;
        let home = asked.home.id.to_string();

        answer(&app, &asked.cast.member.token, id, &home).await.problem(404, "not-found");
        answer(&app, &asked.cast.merchant.cashier_key, id, &home).await.problem(403, "wrong-role");
        assert!(app.questions(&asked.cast.member.token).await.is_empty());

        // Entered after the question was asked, and another record's.
        let late = app.profile(&asked.cast.person.record, "Late", &[]).await;
        let foreign = app.profile(&asked.cast.institution.record, "Example Technology Ltd", &[]).await;
        for other in [late, foreign] {
            answer(&app, token, id, &other.id.to_string()).await.problem(422, "invalid-fields");
        }
        assert_eq!(asked.question(&app).await, question, "still open, still the same");
    }

    async fn s19_a_profile_removed_while_it_is_asked_about(app: TestApp) {
        let asked = asked(&app).await;
        let record = &asked.cast.person.record;
        assert!(app.services.profiles.remove(record.bucket, &record.id, asked.home.id).await.unwrap());
        let question = asked.question(&app).await;
        asked.choose(&app, &question, &asked.work).await.expect(200);
        assert_eq!(asked.at_till(&app).await["profile"]["title"], "Work");

        // The next payment asks nobody: one is left.
        let digits = app.own_digits(&asked.cast.person).await;
        let paid = app.charge(&asked.cast.merchant.cashier_key, &digits, 1_000, "A-2").await.ok(201);
        assert_eq!(paid["profile"]["profile"]["title"], "Work");
    }

    async fn s19_a_removed_default_is_still_known_to_the_question_that_names_it(app: TestApp) {
        let asked = asked(&app).await;
        let record = &asked.cast.person.record;
        app.services.profiles.remove(record.bucket, &record.id, asked.home.id).await.unwrap();
        app.clock.advance_ms(CHOOSE_MS);
        let told = asked.at_till(&app).await;
        assert_eq!(told["status"], "settled");
        assert_eq!(told["profile"]["title"], "Home", "what was promised when it was asked");
    }

    async fn s19_an_invoice_terminal_waits_for_the_choice_too(app: TestApp) {
        let asked = asked(&app).await;
        let terminal = &asked.cast.merchant.invoice_key;
        let scanned = app.second_scan(terminal, &asked.digits).await.ok(200);
        assert_eq!((&scanned["status"], &scanned["profile"]["status"]), (&json!("paid"), &json!("asking")));
        let question = asked.question(&app).await;
        asked.choose(&app, &question, &asked.work).await.expect(200);
        let scanned = app.second_scan(terminal, &asked.digits).await.ok(200);
        assert_eq!(scanned["status"], "paid", "not issued before the details were handed over");
        assert_eq!(scanned["profile"]["profile"]["title"], "Work");
        assert_eq!(app.second_scan(terminal, &asked.digits).await.ok(200)["status"], "invoice_issued");
    }

    async fn s19_a_member_is_asked_among_the_institutions_profiles(app: TestApp) {
        let cast = app.cast().await;
        let record = &cast.institution.record;
        app.profile(record, "Holding", &[cast.meals.id]).await;
        let branch = app.profile(record, "Branch", &[cast.meals.id]).await;
        app.profile(record, "For anything", &[]).await;
        let digits = app.member_digits(&cast.member).await;
        let paid = app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.ok(201);
        assert_eq!(paid["profile"]["status"], "asking");
        let open = app.questions(&cast.member.token).await;
        let titles: Vec<&Value> =
            open[0]["candidates"].as_array().unwrap().iter().map(|candidate| &candidate["title"]).collect();
        assert_eq!(titles, ["Holding", "Branch"], "those of the payment's scenario only");
        assert!(app.questions(&cast.administrator.token).await.is_empty(), "the one who paid is asked");
        answer(&app, &cast.member.token, text(&open[0], "/id"), &branch.id.to_string()).await.expect(200);
        let told = app.fetch_profile(&cast.merchant.cashier_key, &payment_id(&paid)).await.ok(200);
        assert_eq!(told["profile"]["title"], "Branch");
    }
}
