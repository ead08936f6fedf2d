//! What can be done to a payment afterwards: refund, capture, void, reverse.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use onescan_domain::ids::PaymentId;
use onescan_platforms::env::fingerprint;
use onescan_platforms::payments::{Change, ChangeRequest, Changed, Idempotency};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, get, post};
use super::extract::{IdempotencyKey, Json, JsonOrNothing, Path};
use super::payment_view::{PaymentView, Reader, RefundView};
use super::payments::{of_merchant, readable, replay_header};
use super::wire::{Amount, Id, ListOf, PaymentRef, Wrong};
use crate::AppState;
use crate::auth::{AsAnybody, AsSeller};
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let change = |endpoint: Endpoint| endpoint.caller(Caller::Seller).idempotent();
    let all = [
        change(post("/v1/payments/{payment}/refunds", refund))
            .says("refund", "Give money back")
            .about("To the account that paid; all or a part, as often as something is left.")
            .takes::<NewRefund>()
            .answers::<RefundedView>(StatusCode::CREATED, "The refund and the payment as it is now")
            .refuses(&[
                Code::InvalidFields,
                Code::RefundNumberConflict,
                Code::WrongState,
                Code::AmountTooLarge,
                Code::CurrencyMismatch,
            ]),
        get("/v1/payments/{payment}/refunds", refunds)
            .says("listRefunds", "What was given back")
            .caller(Caller::Anybody)
            .answers::<ListOf<RefundView>>(StatusCode::OK, "All refunds of the payment"),
        change(post("/v1/payments/{payment}/reversals", reverse))
            .says("reverse", "Undo a payment as a whole")
            .about("As after a lost answer. Frees the order number. Only while nothing was refunded.")
            .answers::<PaymentView<'static>>(StatusCode::CREATED, "The payment, reversed")
            .refuses(&[Code::WrongState]),
        change(post("/v1/payments/{payment}/captures", capture))
            .says("capture", "Take held money")
            .about("All of it, or `amount`; the rest is released.")
            .may_take::<NewCapture>()
            .answers::<PaymentView<'static>>(StatusCode::CREATED, "The payment, paid")
            .refuses(&[
                Code::InvalidFields,
                Code::WrongState,
                Code::AmountTooLarge,
                Code::CurrencyMismatch,
            ]),
        change(post("/v1/payments/{payment}/voids", void))
            .says("void", "Release held money")
            .answers::<PaymentView<'static>>(StatusCode::CREATED, "The payment, voided")
            .refuses(&[Code::WrongState]),
    ];
    all.into_iter().map(|endpoint| endpoint.tag("changes")).collect()
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"number": "R-1", "amount": {"amount_minor": 250, "currency": "EUR"}, "reason": "returned"}))]
struct NewRefund {
    /// Your own number for the refund, 1 to 64 characters; names one refund of this payment for ever.
    #[schema(min_length = 1, max_length = 64)]
    number: String,
    amount: Amount,
    /// 1 to 200 characters.
    #[schema(max_length = 200)]
    reason: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Refunded")]
struct RefundedView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<RefundView>,
    payment: PaymentView<'a>,
}

async fn refund(
    seller: AsSeller,
    key: IdempotencyKey,
    State(state): State<AppState>,
    Path(Id(payment)): Path<PaymentRef>,
    Json(body): Json<NewRefund>,
) -> Result<Response, Problem> {
    let mut wrong = Wrong::default();
    let number = wrong.line("number", &body.number, 64);
    let amount = wrong.positive("amount", body.amount);
    let reason = wrong.optional_line("reason", body.reason.as_deref(), 200);
    wrong.finish()?;
    let change = Change::Refund { number, amount, reason };
    let changed = run(&state, &seller, key, payment, change).await?;
    let view = RefundedView {
        refund: changed.refund.map(RefundView::from),
        payment: PaymentView::of(&changed.payment, Reader::Merchant),
    };
    Ok((StatusCode::CREATED, replay_header(changed.replayed), Json(view)).into_response())
}

async fn refunds(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path(Id(id)): Path<PaymentRef>,
) -> Result<Json<ListOf<RefundView>>, Problem> {
    let (payment, _) = readable(&state, &actor, id).await?;
    let refunds = state.services.payments.refunds(payment.id).await?;
    Ok(Json(ListOf::whole(refunds.into_iter().map(RefundView::from).collect())))
}

async fn reverse(
    seller: AsSeller,
    key: IdempotencyKey,
    State(state): State<AppState>,
    Path(Id(payment)): Path<PaymentRef>,
) -> Result<Response, Problem> {
    changed_answer(run(&state, &seller, key, payment, Change::Reverse).await?)
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCapture {
    /// Absent: all that is held.
    amount: Option<Amount>,
}

async fn capture(
    seller: AsSeller,
    key: IdempotencyKey,
    State(state): State<AppState>,
    Path(Id(id)): Path<PaymentRef>,
    JsonOrNothing(body): JsonOrNothing<NewCapture>,
) -> Result<Response, Problem> {
    let amount = match body.amount {
        Some(amount) => {
            let mut wrong = Wrong::default();
            let amount = wrong.positive("amount", amount);
            wrong.finish()?;
            amount
        }
        None => of_merchant(&state, seller.merchant(), id).await?.amount,
    };
    changed_answer(run(&state, &seller, key, id, Change::Capture { amount }).await?)
}

async fn void(
    seller: AsSeller,
    key: IdempotencyKey,
    State(state): State<AppState>,
    Path(Id(payment)): Path<PaymentRef>,
) -> Result<Response, Problem> {
    changed_answer(run(&state, &seller, key, payment, Change::Void).await?)
}

fn changed_answer(changed: Changed) -> Result<Response, Problem> {
    let view = Json(PaymentView::of(&changed.payment, Reader::Merchant));
    Ok((StatusCode::CREATED, replay_header(changed.replayed), view).into_response())
}

async fn run(
    state: &AppState,
    seller: &AsSeller,
    key: IdempotencyKey,
    payment: PaymentId,
    change: Change,
) -> Result<Changed, Problem> {
    let idempotency = Idempotency {
        caller: seller.caller(),
        key: key.0,
        fingerprint: fingerprint_of(payment, &change),
    };
    let request = ChangeRequest {
        payment,
        merchant: seller.merchant(),
        idempotency,
        change,
    };
    Ok(state.services.payments.change(request).await??)
}

fn fingerprint_of(payment: PaymentId, change: &Change) -> String {
    let payment = payment.to_string();
    let payment = payment.as_bytes();
    match change {
        Change::Refund { number, amount, reason } => fingerprint(&[
            b"refund",
            payment,
            number.as_bytes(),
            &amount.minor.to_be_bytes(),
            amount.currency.code().as_bytes(),
            reason.as_deref().unwrap_or_default().as_bytes(),
        ]),
        Change::Reverse => fingerprint(&[b"reverse", payment]),
        Change::Capture { amount } => fingerprint(&[
            b"capture",
            payment,
            &amount.minor.to_be_bytes(),
            amount.currency.code().as_bytes(),
        ]),
        Change::Void => fingerprint(&[b"void", payment]),
    }
}
