//! How the program ends: what is under way finishes, and its tools are told.

use std::io::Read;
use std::net::TcpStream;

use onescan_app::http_client::{Ask, Client};
use onescan_app::observe::Stopping;
use onescan_app::wiring::{self, Extras};
use serde_json::{Value, json};

use crate::support::http::Call;
use crate::support::program::Program;
use crate::support::{TestApp, on_both};

on_both! {
    async fn a_stopping_server_is_alive_but_not_ready(app: TestApp) {
        let stopping = Stopping::default();
        let extras = Extras { stopping: stopping.clone(), ..Extras::default() };
        let house = app.house();
        let router = wiring::router(&app.config, &house, extras);
        let get = |path| Call::new(router.clone(), "GET".parse().unwrap(), path).send();
        get("/readyz").await.expect(200);
        stopping.begin();
        let problem = get("/readyz").await.problem(503, "unavailable");
        assert_eq!(problem["detail"], "the server is stopping");
        get("/healthz").await.expect(200);
    }

    async fn figures_of_faces_and_database_stand_together(app: TestApp) {
        app.cast().await;
        app.get("/v1/dimensions").send().await.expect(200);
        let figures = app.get("/metrics").send().await;
        figures.expect(200);
        let text = figures.text();
        let figure = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
            line.unwrap_or_else(|| panic!("no {name}: {text}")).parse::<f64>().unwrap()
        };
        assert!(figure("onescan_database_commits_total") > 10.0);
        assert_eq!(figure("onescan_outbox_rows"), 0.0);
        assert_eq!(figure("onescan_payments_waiting"), 0.0);
        assert!(text.contains("onescan_http_requests_total{path=\"/v1/dimensions\",class=\"2xx\"} 1\n"), "{text}");
    }
}

fn ask(method: &str, path: &str, bearer: Option<&str>, body: Option<Value>) -> Ask {
    Ask {
        method: method.parse().unwrap(),
        path: path.to_owned(),
        bearer: bearer.map(str::to_owned),
        idempotency_key: Some("stopping-1".to_owned()),
        body,
    }
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_end() {
    let program = Program::new();
    let server = program.start(&["demo", "--port", "0"]);
    let till = server.said["terminals"][0]["key"].as_str().unwrap().to_owned();
    let mut client = Client::connect(server.address).await.unwrap();
    // 李雷 has two profiles, so that a till that waits for the chosen one waits.
    let credentials = json!({"login": "li.lei", "password": server.said["people"][0]["password"]});
    let told = client
        .ask(&ask("POST", "/v1/sessions", None, Some(credentials)))
        .await
        .unwrap();
    let token = told.body["token"].as_str().unwrap().to_owned();
    let wanted = json!({"kind": "user", "device": "phone"});
    let code = client
        .ask(&ask("POST", "/v1/service-codes", Some(&token), Some(wanted)))
        .await
        .unwrap();
    let sale = json!({
        "code": code.body["digits"], "order_number": "A-1", "amount": {"amount_minor": 100, "currency": "CNY"},
    });
    let paid = client
        .ask(&ask("POST", "/v1/payments", Some(&till), Some(sale)))
        .await
        .unwrap();
    assert_eq!(paid.body["profile"]["status"], "asking", "{}", paid.body);

    let payment = paid.body["payment"]["id"].as_str().unwrap();
    let path = format!("/v1/payments/{payment}/invoice-profile?wait_ms=2000");
    let waiting = ask("GET", &path, Some(&till), None);
    let address = server.address;
    let (answer, status) = tokio::join!(client.ask(&waiting), async {
        // One more answer on another connection: by then the waiting request has arrived.
        let mut other = Client::connect(address).await.unwrap();
        other.ask(&ask("GET", "/healthz", None, None)).await.unwrap();
        tokio::task::spawn_blocking(move || server.stop()).await.unwrap()
    });
    let answer = answer.unwrap();
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("asking")));
    assert_eq!(status, 0);
    let gone = TcpStream::connect(address).and_then(|mut stream| stream.read(&mut [0; 1]));
    assert!(
        gone.is_err() || gone.is_ok_and(|count| count == 0),
        "nobody listens any more"
    );
}
