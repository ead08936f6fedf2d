//! Row R11: the result is sent to the client, which shows it at once; and what a stop interrupted is completed.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::rides::Metro;
use crate::support::{TestApp, on_both};

/// The data of the next event that has some.
async fn next_event(body: &mut Body) -> Value {
    let mut text = String::new();
    loop {
        let frame = body.frame().await.expect("the stream goes on").unwrap();
        text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        if let Some(data) = text.lines().find_map(|line| line.strip_prefix("data: "))
            && text.ends_with("\n\n")
        {
            return serde_json::from_str(data).unwrap();
        }
    }
}

on_both! {
    async fn r11_the_person_is_told_who_paid_and_why(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        metro.policy(&app, &["amount <= 400"]).await;
        metro.apply(&app, None).await;
        metro.tell(&app, "R-1", 300).await;
        let request = Request::get("/v1/people/me/ride-events")
            .header("authorization", format!("Bearer {}", metro.cast.member.token))
            .body(Body::empty())
            .unwrap();
        let answer = app.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut stream = answer.into_body();
        let newest = next_event(&mut stream).await;
        assert_eq!((&newest["number"], &newest["state"]), (&json!("R-1"), &json!("paid_by_institution")));
        app.clock.advance_ms(1_000);
        metro.tell(&app, "R-2", 500).await;
        let told = next_event(&mut stream).await;
        assert_eq!((&told["number"], &told["state"]), (&json!("R-2"), &json!("arrears")));
        assert_eq!(told["institution_attempt"]["reasons"][0]["dimension"], "amount");
    }

    async fn r11_what_a_stop_interrupted_is_completed_once(app: TestApp) {
        let metro = Metro::open(&app, json!({})).await;
        let form = metro.apply(&app, Some(1)).await;
        let ride = metro.tell(&app, "R-1", 500).await;
        // As if the program had stopped after the payment and before its result was recorded.
        let undo = [
            "update ride_orders set state = 'paying', institution_payment_id = null, institution_minor = null",
            "update travel_applications set rides_used = 0, state = 'approved', state_by = 'nobody', switched_on = 1, version = version + 10",
        ];
        for text in undo {
            app.change_rows(text).await;
        }
        let mine = metro.my(&app, "rides").await;
        assert_eq!(mine["items"][0]["state"], "paying");
        app.clock.advance_ms(20_000);
        let again = app.restarted(|_| {}).await;
        assert_eq!(again.services.rides.recover(10_000, 10).await.unwrap(), 1);
        assert_eq!(again.services.rides.recover(10_000, 10).await.unwrap(), 0);
        let mine = metro.my(&app, "rides").await;
        assert_eq!(mine["items"][0]["state"], "paid_by_institution");
        assert_eq!(mine["items"][0]["institution_attempt"]["payment"], ride["institution_attempt"]["payment"]);
        assert_eq!(metro.state(&app, &form).await, "used");
        assert_eq!(metro.balances(&app).await, (999_500, 0));
    }
}
