//! Paying with a scanned code, and asking what became of it. Rows S12-S16, S19.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use onescan_domain::codes::CodeText;
use onescan_domain::ids::{MerchantId, PaymentId};
use onescan_domain::payments::batch::{PayOutcome, Replayed};
use onescan_domain::payments::{Payment, PaymentState};
use onescan_platforms::access::Actor;
use onescan_platforms::payments::{CaptureMode, PayRequest, TerminalFacts};
use onescan_platforms::processing::delivery::{Delivered, Information};
use onescan_platforms::processing::payment::ProfileDelivery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::endpoint::{Caller, Endpoint, get, post};
use super::extract::{IdempotencyKey, Json, Path, Query};
use super::payment_view::{DeliveredView, PaymentView, Reader};
use super::wire::{Amount, Id, ListOf, PaymentRef, Wrong};
use crate::AppState;
use crate::auth::{AsAnybody, AsPayingCashier, AsTerminal, administers};
use crate::problem::{Code, Problem, REPLAYED};

pub fn endpoints() -> Vec<Endpoint> {
    let paying = [
        post("/v1/payments", pay)
            .says("pay", "Pay with a scanned code")
            .about(
                "One durable write; answered after it. The code is used up by the first attempt, also a refused one. Send the \
                 same request again after a lost answer.",
            )
            .caller(Caller::Cashier)
            .takes::<NewPayment>()
            .idempotent()
            .answers::<PaidView>(StatusCode::CREATED, "Paid, or held when `capture` is `later`")
            .refuses(CODE_PROBLEMS)
            .refuses(&[
                Code::OrderNumberConflict,
                Code::CurrencyMismatch,
                Code::ScenarioNotPermitted,
                Code::LimitExceeded,
                Code::InsufficientFunds,
                Code::InvalidFields,
            ]),
        get("/v1/payments", find_by_order)
            .says("findPaymentByOrder", "The payment behind an order number")
            .about("What a till asks after a lost answer.")
            .caller(Caller::Terminal)
            .query::<OrderQuery>()
            .answers::<ListOf<PaymentView<'static>>>(StatusCode::OK, "One payment, or none"),
        get("/v1/payments/{payment}", show)
            .says("getPayment", "A payment")
            .about("The merchant, the person, an administrator of the paying institution, and the operator see it.")
            .caller(Caller::Anybody)
            .answers::<PaymentView<'static>>(StatusCode::OK, "The payment; `payer` is shown to the payer's side only"),
        get("/v1/payments/{payment}/invoice-profile", invoice_profile)
            .says("getPaymentInvoiceProfile", "The buyer's details for the invoice")
            .about("Fetched quietly after the result. With `wait_ms` the answer waits while the buyer is choosing.")
            .caller(Caller::Terminal)
            .query::<WaitQuery>()
            .answers::<DeliveredView<'static>>(StatusCode::OK, "As it stands now"),
    ];
    paying.into_iter().map(|endpoint| endpoint.tag("payments")).collect()
}

/// What a scanned code can be refused for.
pub const CODE_PROBLEMS: &[Code] = &[
    Code::CodeMistyped,
    Code::CodeUnknown,
    Code::RecordInactive,
    Code::NotTied,
    Code::CodeUsed,
    Code::CodeExpired,
    Code::CodeInvalid,
    Code::TerminalLocked,
];

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "code": "281234567890123456", "amount": {"amount_minor": 1250, "currency": "EUR"}, "order_number": "2026-11-23/0017"
}))]
pub struct NewPayment {
    /// The 18 digits that were scanned.
    #[schema(min_length = 18)]
    pub code: String,
    pub amount: Amount,
    /// Your own number for the sale, 1 to 64 characters; names one payment for ever.
    #[schema(min_length = 1, max_length = 64)]
    pub order_number: String,
    /// What is bought, 1 to 200 characters.
    #[schema(max_length = 200)]
    pub subject: Option<String>,
    #[serde(default)]
    pub capture: Capture,
    #[serde(default)]
    pub profile: ProfileWish,
}

/// `now`: the money moves at once. `later`: it is held until captured or voided.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    #[default]
    Now,
    Later,
}

/// `with_result`: the buyer's invoice details come with the answer. `later`: the result first; they are fetched afterwards.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProfileWish {
    #[default]
    WithResult,
    Later,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Paid")]
pub struct PaidView<'a> {
    pub payment: PaymentView<'a>,
    pub profile: DeliveredView<'a>,
}

async fn pay(
    till: AsPayingCashier,
    key: IdempotencyKey,
    State(state): State<AppState>,
    Json(body): Json<NewPayment>,
) -> Result<Response, Problem> {
    let delivery = match body.profile {
        ProfileWish::WithResult => ProfileDelivery::WithResult,
        ProfileWish::Later => ProfileDelivery::Later,
    };
    let till = till.into_actor();
    let request = body.read(till.facts, key.0)?;
    let services = &state.services;
    let paid = services.processing.pay(request, delivery).await?;
    let paid = paid.map_err(|error| Problem::of_pay(error, till.trust, services.env.now_ms()))?;
    answer(&paid.outcome, paid.profile.as_ref())
}

impl NewPayment {
    fn read(self, terminal: TerminalFacts, idempotency_key: String) -> Result<PayRequest, Problem> {
        let mut wrong = Wrong::default();
        let amount = wrong.positive("amount", self.amount);
        let order_number = wrong.line("order_number", &self.order_number, 64);
        let subject = wrong.optional_line("subject", self.subject.as_deref(), 200);
        wrong.finish()?;
        Ok(PayRequest {
            text: CodeText::parse(&self.code)?,
            terminal,
            order_number,
            amount,
            subject,
            capture: match self.capture {
                Capture::Now => CaptureMode::Now,
                Capture::Later => CaptureMode::Later,
            },
            idempotency_key,
        })
    }
}

/// 201 with the payment, or the problem that a refused one is.
pub fn answer(outcome: &PayOutcome, profile: Option<&Delivered>) -> Result<Response, Problem> {
    let payment = &outcome.payment;
    let replayed = outcome.replayed == Replayed::Yes;
    if let PaymentState::Refused { refusal, .. } = &payment.state {
        return Err(Problem::from(refusal).payment(payment.id).replayed(replayed));
    }
    let view = PaidView {
        payment: PaymentView::of(payment, Reader::Merchant),
        profile: profile.map_or(DeliveredView::LATER, DeliveredView::of),
    };
    Ok((StatusCode::CREATED, replay_header(replayed), Json(view)).into_response())
}

/// Tells a repeated answer from a first one.
pub fn replay_header(replayed: bool) -> HeaderMap {
    let header = replayed.then(|| (REPLAYED.clone(), HeaderValue::from_static("true")));
    header.into_iter().collect()
}

/// The payment behind an order number of the terminal's merchant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrderQuery {
    /// Your own number for the sale.
    #[param(min_length = 1, max_length = 64)]
    pub order_number: String,
}

async fn find_by_order(
    terminal: AsTerminal,
    State(state): State<AppState>,
    Query(query): Query<OrderQuery>,
) -> Result<Response, Problem> {
    let mut wrong = Wrong::default();
    let order_number = wrong.line("order_number", &query.order_number, 64);
    wrong.finish()?;
    let merchant = terminal.facts.merchant;
    let found = state
        .services
        .processing
        .payment_of_order(merchant, &order_number)
        .await?;
    let items = found.iter().map(|payment| PaymentView::of(payment, Reader::Merchant));
    Ok(Json(ListOf::whole(items.collect())).into_response())
}

async fn show(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path(Id(id)): Path<PaymentRef>,
) -> Result<Response, Problem> {
    let (payment, reader) = readable(&state, &actor, id).await?;
    Ok(Json(PaymentView::of(&payment, reader)).into_response())
}

/// The payment and how much of it the actor may see; not found when nothing.
pub async fn readable(state: &AppState, actor: &Actor, id: PaymentId) -> Result<(Payment, Reader), Problem> {
    let absent = || Problem::not_found("payment");
    let payment = state.services.payments.find(id).await?.ok_or_else(absent)?;
    let reader = match actor {
        Actor::Terminal(terminal) => (payment.merchant == terminal.facts.merchant).then_some(Reader::Merchant),
        Actor::Merchant { merchant, .. } => (payment.merchant == *merchant).then_some(Reader::Merchant),
        Actor::Operator { .. } => Some(Reader::Payer),
        Actor::Person(person) if payment.person == person.person => Some(Reader::Payer),
        Actor::Person(_) | Actor::Institution { .. } => {
            let paying = match payment.member {
                Some(member) => state.services.institutions.member(member).await?,
                None => None,
            };
            let may = match paying {
                Some(member) => administers(&state.services, actor, member.institution).await?,
                None => false,
            };
            may.then_some(Reader::Payer)
        }
    };
    reader.map(|reader| (payment, reader)).ok_or_else(absent)
}

/// A payment of this merchant.
pub async fn of_merchant(state: &AppState, merchant: MerchantId, id: PaymentId) -> Result<Payment, Problem> {
    let found = state.services.processing.payment_of_merchant(merchant, id).await?;
    found.ok_or_else(|| Problem::not_found("payment"))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// How long to wait at most while the buyer is choosing.
    #[serde(default)]
    #[param(minimum = 0, maximum = 20000)]
    pub wait_ms: u64,
}

/// Longest wait that can be asked for.
const WAIT_MAX_MS: u64 = 20_000;
/// Between two looks at a choice that is not made yet.
const LOOK_AGAIN_MS: u64 = 200;

async fn invoice_profile(
    terminal: AsTerminal,
    State(state): State<AppState>,
    Path(Id(id)): Path<PaymentRef>,
    Query(query): Query<WaitQuery>,
) -> Result<Response, Problem> {
    if query.wait_ms > WAIT_MAX_MS {
        return Err(Problem::invalid("wait_ms", format!("use 0 to {WAIT_MAX_MS}")));
    }
    let payment = of_merchant(&state, terminal.facts.merchant, id).await?;
    let mut looks = query.wait_ms.div_ceil(LOOK_AGAIN_MS);
    loop {
        let information = state.services.processing.information(&payment).await?;
        if looks == 0 || !matches!(information, Information::Details(Delivered::Asking { .. })) {
            return Ok(Json(DeliveredView::of_information(&information)).into_response());
        }
        looks -= 1;
        tokio::time::sleep(Duration::from_millis(LOOK_AGAIN_MS)).await;
    }
}
