//! Row R05: an institution decides itself behind a web hook, within a time budget; after that its default holds.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use onescan_app::config::PlainLoopback;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::rides::{HOUR_MS, Metro};
use crate::support::builders::PASSWORD;
use crate::support::{TestApp, on_both};

#[expect(clippy::disallowed_methods, reason = "the time budget is one of real time")]
pub fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the time budget is one of real time")]
pub fn since(begun: Instant) -> Duration {
    begun.elapsed()
}

/// What the institution's system does with the next question.
#[derive(Debug, Clone)]
enum Does {
    Answers(Value),
    Text(&'static str),
    Status(u16),
    Redirects(String),
    /// After so long.
    Late(Duration),
    Floods,
}

#[derive(Debug, Clone)]
struct Question {
    headers: HeaderMap,
    body: String,
}

/// A system of the institution's own on the loopback.
#[derive(Debug, Clone)]
struct OwnSystem {
    url: String,
    does: Arc<Mutex<Does>>,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl OwnSystem {
    async fn start(does: Does) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let system = Self {
            url: format!("http://{}/rides?tenant=7", listener.local_addr().unwrap()),
            does: Arc::new(Mutex::new(does)),
            asked: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(system.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        system
    }

    fn now_does(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(State(system): State<OwnSystem>, headers: HeaderMap, body: String) -> Response {
    system.asked.lock().unwrap().push(Question { headers, body });
    let does = system.does.lock().unwrap().clone();
    match does {
        Does::Answers(value) => axum::Json(value).into_response(),
        Does::Text(text) => text.into_response(),
        Does::Status(status) => (StatusCode::from_u16(status).unwrap(), axum::Json(approve())).into_response(),
        Does::Redirects(to) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response(),
        Does::Late(pause) => {
            tokio::time::sleep(pause).await;
            axum::Json(approve()).into_response()
        }
        Does::Floods => "x".repeat(1 << 20).into_response(),
    }
}

fn approve() -> Value {
    json!({ "decision": "approve" })
}

fn refuse() -> Value {
    json!({ "decision": "refuse", "reason": "over the team's budget" })
}

/// The usual company with a standing form, a person with money and consent, and a system of its own.
struct Decided {
    metro: Metro,
    system: OwnSystem,
}

impl Decided {
    async fn open(app: &TestApp, does: Does, otherwise: &str) -> Self {
        let metro = Metro::open(app, json!({})).await;
        app.top_up(metro.cast.member.person.account, 100_000).await;
        metro.agree(app, 10_000).await;
        metro.apply(app, None).await;
        let system = OwnSystem::start(does).await;
        let decided = Self { metro, system };
        decided.set(app, otherwise).await;
        decided
    }

    fn path(&self, rest: &str) -> String {
        format!(
            "/v1/institutions/{}/ride-decider{rest}",
            self.metro.cast.institution.institution.id
        )
    }

    async fn set(&self, app: &TestApp, otherwise: &str) -> Value {
        let body = json!({ "url": self.system.url, "otherwise": otherwise });
        let call = app.put(&self.path("")).bearer(&self.metro.cast.administrator.token);
        call.json(&body).send().await.ok(200)
    }

    async fn answers(&self, app: &TestApp) -> Vec<Value> {
        let call = app
            .get(&self.path("/answers"))
            .bearer(&self.metro.cast.administrator.token);
        call.send().await.ok(200)["items"].as_array().unwrap().clone()
    }
}

/// Whether one of the signatures is that of `secret`, by the rules of Standard Webhooks.
fn signed_with(question: &Question, secret: &str) -> bool {
    let header = |name: &str| question.headers[name].to_str().unwrap();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let content = format!(
        "{}.{}.{}",
        header("webhook-id"),
        header("webhook-timestamp"),
        question.body
    );
    mac.update(content.as_bytes());
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    header("webhook-signature")
        .split(' ')
        .any(|signature| signature == expected)
}

on_both! {
    async fn r05_the_institutions_own_system_approves_and_is_asked_by_a_signed_question(app: TestApp) {
        let decided = Decided::open(&app, Does::Answers(approve()), "refuse").await;
        let metro = &decided.metro;
        let ride = metro.tell(&app, "R-1", 500).await;
        assert_eq!(ride["state"], "paid_by_institution");
        let asked = decided.system.asked();
        assert_eq!(asked.len(), 1);
        let shown = app.get(&decided.path("")).bearer(&metro.cast.administrator.token).send().await.ok(200);
        assert!(signed_with(&asked[0], shown["secret"].as_str().unwrap()));
        assert_eq!(asked[0].headers["webhook-id"].to_str().unwrap(), ride["id"].as_str().unwrap());
        let question: Value = serde_json::from_str(&asked[0].body).unwrap();
        assert_eq!(question["type"], "ride.payment");
        let data = &question["data"];
        assert_eq!((&data["id"], &data["number"]), (&ride["id"], &json!("R-1")));
        assert_eq!(data["amount"], json!({ "minor": 500, "currency": "CNY" }));
        assert_eq!((&data["start"]["city"], &data["travel_type"]), (&json!("杭州"), &json!("metro")));
        assert_eq!(data["person"], metro.cast.member.person.id.to_string());
        // What it approves is not more than the policy and the money permit.
        metro.policy(&app, &["amount <= 400"]).await;
        let dear = metro.tell(&app, "R-2", 500).await;
        assert_eq!(dear["state"], "paid_by_person");
        assert_eq!(dear["institution_attempt"]["reasons"], json!([{ "dimension": "amount" }]));
        let answers = decided.answers(&app).await;
        assert_eq!(answers.len(), 2);
        assert!(answers.iter().all(|answer| answer["decision"] == "approve" && answer["kind"] == "payment"));
    }

    async fn r05_its_refusal_turns_the_ride_to_the_person_with_its_reason(app: TestApp) {
        let decided = Decided::open(&app, Does::Answers(refuse()), "own_policy").await;
        let metro = &decided.metro;
        metro.policy(&app, &["amount <= 400"]).await;
        let ride = metro.tell(&app, "R-1", 500).await;
        assert_eq!(ride["state"], "paid_by_person");
        // The provider learns which rules failed, not what was said.
        let reasons = &ride["institution_attempt"]["reasons"];
        assert_eq!(reasons, &json!([{ "dimension": "amount" }, { "dimension": "decision" }]));
        let mine = metro.my(&app, "rides").await;
        let reasons = &mine["items"][0]["institution_attempt"]["reasons"];
        assert_eq!(reasons[1]["seen"], "refuse: over the team's budget");
        // On the person's page, in both languages.
        let form = [("login", "wang.fang"), ("password", PASSWORD)];
        let cookies = app.post("/sign-in").form(&form).send().await.cookies();
        for (language, said) in [
            ("en", "Own system: allowed are approved, this was refused: over the team&#39;s budget."),
            ("zh", "单位自有系统：允许 批准，本次为 拒绝：over the team&#39;s budget。"),
        ] {
            let cookies = format!("{cookies}; onescan_language={language}");
            let page = app.get("/rides").cookie(&cookies).send().await.expect(200).text();
            assert!(page.contains(said), "{page}");
        }
        assert_eq!(metro.balances(&app).await, (1_000_000, 99_500));
    }

    async fn r05_after_the_time_budget_the_default_holds(app: TestApp) {
        let decided = Decided::open(&app, Does::Late(Duration::from_secs(3)), "own_policy").await;
        let metro = &decided.metro;
        let begun = now();
        assert_eq!(metro.tell(&app, "R-1", 500).await["state"], "paid_by_institution");
        let took = since(begun);
        assert!((600..2_000).contains(&took.as_millis()), "{took:?}");
        decided.set(&app, "refuse").await;
        let refused = metro.tell(&app, "R-2", 500).await;
        assert_eq!(refused["state"], "paid_by_person");
        let mine = metro.my(&app, "rides").await;
        assert_eq!(mine["items"][0]["institution_attempt"]["reasons"][0]["seen"], "none: too_late");
        let answers = decided.answers(&app).await;
        assert_eq!(answers.len(), 2);
        for answer in &answers {
            assert_eq!((&answer["no_answer"], &answer["decision"]), (&json!("too_late"), &Value::Null));
            assert!((600..1_500).contains(&answer["took_ms"].as_i64().unwrap()), "{answer}");
        }
    }

    async fn r05_what_is_no_answer_counts_as_none(app: TestApp) {
        let elsewhere = OwnSystem::start(Does::Answers(approve())).await;
        let decided = Decided::open(&app, Does::Status(500), "refuse").await;
        let metro = &decided.metro;
        let cases = [
            (Does::Status(500), "status 500"),
            (Does::Status(204), "status 204"),
            (Does::Redirects(elsewhere.url.clone()), "status 307"),
            (Does::Text("approve"), "broken"),
            (Does::Answers(json!({ "decision": "yes" })), "broken"),
            (Does::Answers(json!({ "decision": "refuse" })), "broken"),
            (Does::Answers(json!({ "decision": "refuse", "reason": "x".repeat(201) })), "broken"),
            (Does::Floods, "broken"),
        ];
        for (number, (does, expected)) in cases.into_iter().enumerate() {
            decided.system.now_does(does);
            let ride = metro.tell(&app, &format!("R-{number}"), 100).await;
            assert_eq!(ride["state"], "paid_by_person", "{expected}");
            let answers = decided.answers(&app).await;
            let kept = answers.iter().find(|answer| answer["id"] == ride["id"]).unwrap();
            assert_eq!(kept["no_answer"], expected);
        }
        assert!(elsewhere.asked().is_empty(), "redirections are not followed");
        decided.set(&app, "own_policy").await;
        assert_eq!(metro.tell(&app, "R-own", 100).await["state"], "paid_by_institution");
    }

    async fn r05_a_system_that_is_down_stops_no_ride(app: TestApp) {
        let decided = Decided::open(&app, Does::Answers(approve()), "own_policy").await;
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = gone.local_addr().unwrap();
        drop(gone);
        let body = json!({ "url": format!("http://{address}/"), "otherwise": "own_policy" });
        let token = &decided.metro.cast.administrator.token;
        app.put(&decided.path("")).bearer(token).json(&body).send().await.ok(200);
        assert_eq!(decided.metro.tell(&app, "R-1", 500).await["state"], "paid_by_institution");
        assert_eq!(decided.answers(&app).await[0]["no_answer"], "unreachable");
        // Many rides at once, each with its own question, all answered.
        decided.set(&app, "own_policy").await;
        decided.system.now_does(Does::Late(Duration::from_secs(3)));
        let begun = now();
        let mut telling = tokio::task::JoinSet::new();
        for number in 0..20 {
            telling.spawn(decided.metro.telling(&app, &decided.metro.ride(&app, &format!("M-{number}"), 10)).send());
        }
        for answer in telling.join_all().await {
            assert_eq!(answer.ok(201)["state"], "paid_by_institution");
        }
        assert!(since(begun) < Duration::from_secs(5), "nobody waits for another's answer: {:?}", since(begun));
    }

    async fn r05_an_order_told_again_has_the_same_decision(app: TestApp) {
        let decided = Decided::open(&app, Does::Answers(refuse()), "own_policy").await;
        let metro = &decided.metro;
        let ride = metro.ride(&app, "R-1", 500);
        let first = metro.telling(&app, &ride).send().await.ok(201);
        assert_eq!(first["state"], "paid_by_person");
        decided.system.now_does(Does::Answers(approve()));
        assert_eq!(metro.telling(&app, &ride).send().await.ok(201), first);
        assert_eq!(decided.system.asked().len(), 1);
        // Told by many at once, one decision stands, whatever each was answered.
        let ride = metro.ride(&app, "R-2", 500);
        let mut telling = tokio::task::JoinSet::new();
        for _ in 0..6 {
            telling.spawn(metro.telling(&app, &ride).send());
        }
        let answers = telling.join_all().await;
        let states: Vec<Value> = answers.iter().map(|answer| answer.ok(201)["state"].clone()).collect();
        assert!(states.iter().all(|state| *state == "paid_by_institution"), "{states:?}");
        let kept = decided.answers(&app).await;
        assert_eq!(kept.len(), 2, "one row an order: {kept:?}");
    }

    async fn r05_a_refusal_before_the_ride_holds_for_its_order(app: TestApp) {
        let decided = Decided::open(&app, Does::Answers(refuse()), "own_policy").await;
        let metro = &decided.metro;
        let no = metro.consult(&app).await;
        assert_eq!((&no["answer"], &no["why"]), (&json!("personal"), &json!("refused_by_institution")));
        // It changes its mind, but the rider was told.
        decided.system.now_does(Does::Answers(approve()));
        let mut ride = metro.ride(&app, "R-1", 500);
        ride["consultation"] = no["consultation"].clone();
        let paid = metro.telling(&app, &ride).send().await.ok(201);
        assert_eq!(paid["state"], "paid_by_person");
        assert_eq!(paid["institution_attempt"]["reasons"], json!([{ "dimension": "decision" }]));
        let yes = metro.consult(&app).await;
        assert_eq!(yes["answer"], "institution");
        let mut ride = metro.ride(&app, "R-2", 500);
        ride["consultation"] = yes["consultation"].clone();
        assert_eq!(metro.telling(&app, &ride).send().await.ok(201)["state"], "paid_by_institution");
        let kinds: Vec<Value> = decided.answers(&app).await.iter().map(|answer| answer["kind"].clone()).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == "consultation").count(), 2);
        assert_eq!(kinds.iter().filter(|kind| **kind == "payment").count(), 1);
    }

    async fn r05_secrets_overlap_for_a_day_and_tests_are_told_apart(app: TestApp) {
        let decided = Decided::open(&app, Does::Answers(approve()), "own_policy").await;
        let token = &decided.metro.cast.administrator.token;
        let first = app.get(&decided.path("")).bearer(token).send().await.ok(200)["secret"].clone();
        let path = decided.path("/secret");
        let second = app.post(&path).bearer(token).send().await.ok(200)["secret"].clone();
        assert_ne!(first, second);
        let test = || app.post(&decided.path("/test")).bearer(token);
        let answer = test().send().await.ok(200);
        assert_eq!((&answer["kind"], &answer["decision"]), (&json!("test"), &json!("approve")));
        // Another person, who administers nothing, sees none of it.
        let other = decided.metro.cast.person.token.clone();
        app.get(&decided.path("")).bearer(&other).send().await.expect(404);
        app.clock.advance_ms(25 * HOUR_MS);
        // Sessions last half a day, keys longer.
        let token = &decided.metro.cast.institution.key;
        let test = || app.post(&decided.path("/test")).bearer(token);
        test().send().await.ok(200);
        let asked = decided.system.asked();
        let both = |question: &Question| {
            [&first, &second].map(|secret| signed_with(question, secret.as_str().unwrap()))
        };
        assert_eq!((both(&asked[0]), both(&asked[1])), ([true, true], [false, true]));
        app.delete(&decided.path("")).bearer(token).send().await.expect(204);
        test().send().await.problem(404, "not-found");
        app.delete(&decided.path("")).bearer(token).send().await.problem(404, "not-found");
        decided.metro.tell(&app, "R-1", 500).await;
        assert_eq!(decided.system.asked().len(), 2, "nobody is asked any more");
    }

    async fn r05_addresses_inside_the_network_are_refused_unless_allowed(app: TestApp) {
        let strict = app.restarted(|config| config.rides.plain_loopback = PlainLoopback::Refused).await;
        let metro = Metro::open(&strict, json!({})).await;
        let path = format!("/v1/institutions/{}/ride-decider", metro.cast.institution.institution.id);
        let put = |app: &TestApp, url: &str| {
            let body = json!({ "url": url });
            app.put(&path).bearer(&metro.cast.administrator.token).json(&body)
        };
        for url in [
            "http://example.com/", "http://127.0.0.1:9/", "https://127.0.0.1/", "https://169.254.169.254/",
            "https://10.0.0.7/", "https://[::1]/", "https://a:b@example.com/", "example.com", "",
        ] {
            let problem = put(&strict, url).send().await.problem(422, "invalid-fields");
            assert_eq!(problem["reasons"][0]["field"], "url", "{url}");
        }
        // An address that was allowed before is looked at again when it is asked.
        let system = OwnSystem::start(Does::Answers(approve())).await;
        put(&app, &system.url).send().await.ok(200);
        metro.apply(&strict, None).await;
        assert_eq!(metro.tell(&strict, "R-1", 500).await["state"], "paid_by_institution");
        assert!(system.asked().is_empty());
        let answers = strict.get(&format!("{path}/answers")).bearer(&metro.cast.administrator.token).send().await.ok(200);
        assert_eq!(answers["items"][0]["no_answer"], "forbidden");
    }

    async fn r05_it_is_set_up_and_tried_on_its_page(app: TestApp) {
        let decided = Decided::open(&app, Does::Answers(refuse()), "own_policy").await;
        let form = [("login", "han.meimei"), ("password", PASSWORD)];
        let cookies = app.post("/sign-in").form(&form).send().await.cookies();
        let path = format!("/travel/{}/decider", decided.metro.cast.institution.institution.id);
        let send = |form: &[(&str, &str)]| app.post(&path).cookie(&cookies).form(form);
        let page = || app.get(&path).cookie(&cookies);
        assert!(page().send().await.expect(200).text().contains(&decided.system.url));
        send(&[("do", "test")]).send().await.expect(303);
        let text = page().send().await.expect(200).text();
        assert!(text.contains("refused: over the team&#39;s budget") && text.contains(" ms"), "{text}");
        let wrong = send(&[("do", "save"), ("url", "http://10.0.0.1/"), ("otherwise", "refuse")]).send().await;
        assert!(wrong.expect(422).text().contains("Use https"));
        send(&[("do", "save"), ("url", "https://rides.example.com/hook"), ("otherwise", "refuse")]).send().await.expect(303);
        let text = page().send().await.expect(200).text();
        assert!(text.contains("https://rides.example.com/hook") && text.contains(r#"value="refuse" selected"#), "{text}");
        send(&[("do", "remove")]).send().await.expect(303);
        let travel = app.get(path.trim_end_matches("/decider")).cookie(&cookies).send().await.expect(200).text();
        assert!(travel.contains("Nobody is asked; your rules decide."), "{travel}");
    }
}
