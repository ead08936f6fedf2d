//! Row S21: what a user is told when a platform elsewhere is slow, down, of another version, or answers too late.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use onescan_app::elsewhere::{self, Places, Platform};
use onescan_app::wiring::{self, Extras, House};
use onescan_web::wire::client::{Connection, Limits};
use serde_json::json;
use tokio::net::TcpListener;

use crate::steps::{cny, payment_id};
use crate::support::{TestApp, on_both};

/// What a platform does with the calls that come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Does the first that many calls of this name, and answers them after the caller's limit.
    LateFor { call: &'static str, times: usize },
    /// Answers this call late, and within the caller's limit.
    Slow { call: &'static str },
    /// Answers nothing that is in its contract.
    OtherVersion,
}

/// What came to a platform: paths, with the trace each named.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

const LIMITS: Limits = Limits {
    connect: Duration::from_millis(500),
    call: Duration::from_millis(300),
    patience: Duration::from_millis(1_500),
};

fn house(app: &TestApp, places: Places) -> House {
    House::build(app.services.env.clone(), app.store.clone(), &app.config, places).unwrap()
}

fn mannered(router: Router, manner: Manner, asked: Asked) -> Router {
    let count = Arc::new(AtomicUsize::new(0));
    router.layer(from_fn(move |request: Request, next: Next| {
        let (count, asked) = (count.clone(), asked.clone());
        async move {
            let path = request.uri().path().to_owned();
            let trace = request
                .headers()
                .get("traceparent")
                .map(|trace| trace.to_str().unwrap().to_owned());
            asked.lock().unwrap().push((path.clone(), trace));
            match manner {
                Manner::LateFor { call, times }
                    if path.ends_with(call) && count.fetch_add(1, Ordering::SeqCst) < times =>
                {
                    let answer = next.run(request).await;
                    tokio::time::sleep(LIMITS.call * 2).await;
                    answer
                }
                Manner::Slow { call } if path.ends_with(call) => {
                    tokio::time::sleep(LIMITS.call / 3).await;
                    next.run(request).await
                }
                Manner::OtherVersion if path.starts_with("/wire/v1") => not_there(),
                Manner::LateFor { .. } | Manner::Slow { .. } | Manner::OtherVersion => next.run(request).await,
            }
        }
    }))
}

fn not_there() -> Response {
    axum::http::StatusCode::NOT_FOUND.into_response()
}

/// The app with one platform elsewhere; whoever listens there behaves as `manner` says.
async fn apart(app: &TestApp, platform: Platform, manner: Manner) -> (TestApp, Asked) {
    let asked = Asked::default();
    let service = elsewhere::router(&house(app, Places::default()), &[platform]);
    let router = mannered(service, manner, asked.clone());
    (with(app, platform, &served(router).await), asked)
}

/// Serves these routes on a port of the loopback until the test's runtime ends.
async fn served(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// The app with one platform at an address.
fn with(app: &TestApp, platform: Platform, address: &str) -> TestApp {
    let mut places = Places::default();
    places.add(platform, connection(platform, address));
    let house = house(app, places);
    let mut app = app.clone();
    app.router = wiring::router(&app.config, &house, Extras::default());
    app.services = house.services;
    app
}

fn connection(platform: Platform, address: &str) -> Connection {
    Connection::new(platform.contract(), address, None, LIMITS, "test").unwrap()
}

/// An address at which nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

on_both! {
    async fn s21_an_answer_after_the_limit_is_found_by_asking_again(app: TestApp) {
        let cast = app.cast().await;
        let (apart, asked) = apart(&app, Platform::Payments, Manner::LateFor { call: "/pay", times: 1 }).await;
        let digits = app.own_digits(&cast.person).await;
        let call = apart.paying(&cast.merchant.cashier_key, &digits, 1_000, "A-1").header("traceparent", PARENT);
        let paid = call.send().await.ok(201);
        assert_eq!(paid["payment"]["state"], "paid");

        let asked = asked.lock().unwrap().clone();
        let pays: Vec<_> = asked.iter().filter(|(path, _)| path.ends_with("/pay")).collect();
        assert_eq!(pays.len(), 2, "asked again once: {asked:?}");
        assert!(pays.iter().all(|(_, trace)| trace.as_deref() == Some(PARENT)), "the trace goes through: {asked:?}");
        assert_eq!(app.posted(&cast.person.token, cast.person.person.account).await, 99_000, "paid once");
    }

    async fn s21_an_unknown_outcome_is_no_failure_and_a_repeat_settles_it(app: TestApp) {
        let cast = app.cast().await;
        let (apart, _) = apart(&app, Platform::Payments, Manner::LateFor { call: "/pay", times: 100 }).await;
        let digits = app.own_digits(&cast.person).await;
        let till = &cast.merchant.cashier_key;
        let problem = apart.paying(till, &digits, 1_000, "A-1").send().await;
        assert_eq!(problem.json()["code"], "outcome-unknown", "{}", problem.text());
        assert_eq!(problem.json()["retryable"], true);

        // The till asks again with the same key, and the other side is well again.
        let again = app.paying(till, &digits, 1_000, "A-1").send().await;
        let paid = again.json();
        assert_eq!(paid["payment"]["state"], "paid", "{paid}");
        let found = app.list_of(till, "/v1/payments?order_number=A-1").await;
        assert_eq!(found.len(), 1);
        assert_eq!(app.posted(&cast.person.token, cast.person.person.account).await, 99_000, "paid once");
    }

    async fn s21_payments_down_take_only_paying_with_them(app: TestApp) {
        let cast = app.cast().await;
        let apart = with(&app, Platform::Payments, &nobody().await);
        let digits = apart.own_digits(&cast.person).await;
        let refused = apart.paying(&cast.merchant.cashier_key, &digits, 1_000, "A-1").send().await;
        refused.problem(503, "unavailable");
        assert!(app.list_of(&cast.merchant.cashier_key, "/v1/payments?order_number=A-1").await.is_empty());
        // Nothing was done, so the same code pays once they are there again.
        app.paid(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await;
    }

    async fn s21_profiles_down_leave_payments_and_the_details_follow(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let apart = with(&app, Platform::Profiles, &nobody().await);
        let till = &cast.merchant.cashier_key;
        let digits = apart.own_digits(&cast.person).await;
        let paid = apart.paid(till, &digits, 1_000, "A-1").await;
        assert_eq!(paid["payment"]["state"], "paid");
        assert_eq!(paid["profile"], json!({"status": "later"}));

        let fetched = app.fetch_profile(till, &payment_id(&paid)).await.ok(200);
        assert_eq!(fetched["profile"]["title"], "Li Lei Trading");
    }

    async fn s21_codes_down_make_no_codes_and_say_so(app: TestApp) {
        let cast = app.cast().await;
        let apart = with(&app, Platform::Codes, &nobody().await);
        let asked = json!({"kind": "user", "device": "phone"});
        let refused = apart.post("/v1/service-codes").bearer(&cast.person.token).json(&asked).send().await;
        let problem = refused.problem(503, "unavailable");
        assert_eq!(problem["detail"], "not done: codes is not available");
        apart.posted(&cast.person.token, cast.person.person.account).await;
    }

    async fn s21_another_version_is_named_and_nothing_is_done(app: TestApp) {
        let cast = app.cast().await;
        let (apart, _) = apart(&app, Platform::Payments, Manner::OtherVersion).await;
        let digits = apart.own_digits(&cast.person).await;
        let body = json!({"code": digits, "amount": cny(1_000), "order_number": "A-1"});
        apart.paying_with(&cast.merchant.cashier_key, &body, "A-1").send().await.problem(503, "unavailable");

        // A server that has only codes does not offer payments.
        let service = elsewhere::router(&house(&app, Places::default()), &[Platform::Codes]);
        let address = served(service).await;
        let said = connection(Platform::Payments, &address).greet().await.unwrap_err();
        assert!(said.ends_with("does not offer payments"), "{said}");
        assert_eq!(connection(Platform::Codes, &address).greet().await.unwrap(), "1.0");
    }

    async fn s21_the_operator_sees_where_platforms_live_and_how_they_are(app: TestApp) {
        let (apart, _) = apart(&app, Platform::Payments, Manner::LateFor { call: "/pay", times: 0 }).await;
        let operator = app.operator_key().await;
        let list = apart.list_of(&operator, "/v1/platforms").await;
        let names: Vec<_> = list.iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["codes", "profiles", "payments", "invoicing"]);
        assert_eq!((list[0]["place"].as_str(), list[0]["state"].as_str()), (Some("local"), Some("up")));
        let payments = &list[2];
        assert_eq!((payments["state"].as_str(), payments["version"].as_str()), (Some("up"), Some("1.0")), "{payments}");
        assert!(payments["place"].as_str().unwrap().starts_with("http://127.0.0.1:"));
        assert!(payments["latency_us"].as_u64().unwrap() > 0);

        let gone = with(&app, Platform::Payments, &nobody().await);
        let list = gone.list_of(&operator, "/v1/platforms").await;
        assert_eq!(list[2]["state"], "down");
        assert!(list[2]["trouble"].as_str().unwrap().starts_with("no connection to"), "{}", list[2]);
        let refused = gone.get("/v1/platforms").bearer(&app.cast().await.person.token).send().await;
        refused.problem(403, "wrong-role");
    }

    async fn s21_the_operator_s_page_shows_each_platform(app: TestApp) {
        let (apart, _) = apart(&app, Platform::Payments, Manner::LateFor { call: "/pay", times: 0 }).await;
        let locked = apart.get("/operator").send().await;
        assert_eq!(locked.expect(303).header("location"), Some("/operator/sign-in?next=/operator"));
        let cast = app.cast().await;
        for foreign in ["nonsense", &cast.merchant.cashier_key, &cast.merchant.key] {
            let refused = apart.post("/operator/sign-in").form(&[("key", foreign)]).send().await;
            assert!(refused.expect(401).text().contains("role=\"alert\""), "{}", refused.text());
        }
        let key = app.operator_key().await;
        let opened = apart.post("/operator/sign-in").form(&[("key", key.as_str())]).send().await;
        assert_eq!(opened.expect(303).header("location"), Some("/operator"));
        let cookies = opened.cookies();
        let page = apart.get("/operator").cookie(&cookies).send().await.expect(200).text();
        assert!(page.contains("in this process") && page.contains("http://127.0.0.1:"), "{page}");
        assert!(!page.contains("No answer") && page.contains("Last answer took"), "{page}");

        let gone = with(&app, Platform::Payments, &nobody().await);
        let down = gone.get("/operator").cookie(&cookies).header("accept-language", "zh").send().await;
        let down = down.expect(200).text();
        assert!(down.contains("无响应") && down.contains("no connection to"), "{down}");

        // A key that is revoked ends the session it opened; the pages of people do not take it.
        gone.get("/account").cookie(&cookies).send().await.expect(303);
        let id = key.split_once('.').unwrap().0.parse().unwrap();
        assert!(app.services.access.revoke_key(id).await.unwrap());
        gone.get("/operator").cookie(&cookies).send().await.expect(303);
    }

    async fn s21_processing_makes_the_codes_itself_while_money_is_elsewhere(app: TestApp) {
        let cast = app.cast().await;
        // Codes live elsewhere too, as far as payments are concerned: they ask there before they pay.
        let codes = Asked::default();
        let makers = mannered(
            elsewhere::router(&house(&app, Places::default()), &[Platform::Codes]),
            Manner::Slow { call: "/permit" },
            codes.clone(),
        );
        let mut places = Places::default();
        places.add(Platform::Codes, connection(Platform::Codes, &served(makers).await));
        let payments = Asked::default();
        let payers = mannered(
            elsewhere::router(&house(&app, places), &[Platform::Payments]),
            Manner::Slow { call: "/pay" },
            payments.clone(),
        );
        let processing = with(&app, Platform::Payments, &served(payers).await);

        let digits = processing.own_digits(&cast.person).await;
        assert_eq!(digits.len(), 18);
        let asked = |of: &Asked, call: &str| of.lock().unwrap().iter().filter(|(path, _)| path.ends_with(call)).count();
        assert_eq!(codes.lock().unwrap().len(), 0, "made here, nobody was asked");
        assert_eq!(asked(&payments, "/pay"), 0);

        let paid = processing.paid(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await;
        assert_eq!(paid["payment"]["state"], "paid");
        assert_eq!((asked(&payments, "/pay"), asked(&codes, "/permit")), (1, 1));
        assert_eq!(asked(&codes, "/create"), 0, "{codes:?}");
    }

    async fn s21_a_slow_platform_is_waited_for_and_answers_in_time(app: TestApp) {
        let cast = app.cast().await;
        let (apart, asked) = apart(&app, Platform::Payments, Manner::Slow { call: "/pay" }).await;
        let digits = app.own_digits(&cast.person).await;
        let paid = apart.paying(&cast.merchant.cashier_key, &digits, 1_000, "A-1").send().await.ok(201);
        assert_eq!(paid["payment"]["state"], "paid");
        let pays = asked.lock().unwrap().iter().filter(|(path, _)| path.ends_with("/pay")).count();
        assert_eq!(pays, 1, "slow within the limit is not asked again");
    }
}
