//! That a payment's invoice is issued, and the invoice terminal's second scan. Rows S13, S17, S20.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use onescan_domain::codes::CodeText;
use onescan_platforms::access::Actor;
use onescan_platforms::payments::AssertPaid;
use onescan_platforms::processing::delivery::SecondScan;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, get, post};
use super::extract::{IdempotencyKey, Json, JsonOrNothing, Path};
use super::payment_view::{DeliveredView, InvoiceView, PaymentView, Reader};
use super::payments::{CODE_PROBLEMS, PaidView, answer, of_merchant, readable};
use super::wire::{Amount, Id, PaymentRef, Wrong};
use crate::AppState;
use crate::auth::{AsAnybody, AsInvoiceTerminal};
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let all = [
        post("/v1/payments/{payment}/invoice", issue)
            .says("issueInvoice", "Tell that the invoice is issued")
            .about(
                "For a terminal or key of the merchant. From now on the code reads as invoice issued. At most one per payment: \
                 the same again changes nothing, a number can be added once.",
            )
            .caller(Caller::Anybody)
            .may_take::<NewInvoice>()
            .answers::<InvoiceView>(StatusCode::CREATED, "The payment's invoice")
            .refuses(&[Code::InvalidFields, Code::WrongState, Code::InvoiceIssued]),
        get("/v1/payments/{payment}/invoice", show)
            .says("getInvoice", "The invoice of a payment")
            .caller(Caller::Anybody)
            .answers::<InvoiceView>(StatusCode::OK, "The invoice"),
        post("/v1/invoice-scans", scan)
            .says("scanForInvoice", "Scan a code again for the invoice details")
            .about("Unpaid: says so. Paid: the details, and from then on the code reads as invoice issued. Issued: says so.")
            .caller(Caller::InvoiceTerminal)
            .takes::<NewInvoiceScan>()
            .answers::<InvoiceScanView<'static>>(StatusCode::OK, "Where the code stands")
            .refuses(CODE_PROBLEMS),
        post("/v1/invoice-scans/paid", assert_paid)
            .says("assertPaid", "Mark a code as paid elsewhere")
            .about(
                "For an invoice terminal with that right. No money is booked; the code can no longer be paid with; the person \
                 sees what was asserted.",
            )
            .caller(Caller::InvoiceTerminal)
            .takes::<PaidElsewhere>()
            .idempotent()
            .answers::<PaidView<'static>>(StatusCode::CREATED, "Marked; once `profile` is settled the code reads as invoice issued")
            .refuses(CODE_PROBLEMS)
            .refuses(&[Code::NotAllowed, Code::InvalidFields, Code::OrderNumberConflict]),
    ];
    all.into_iter().map(|endpoint| endpoint.tag("invoices")).collect()
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"number": "2026-000123"}))]
struct NewInvoice {
    /// Your invoice number, 1 to 64 characters, where you know it already.
    #[schema(max_length = 64)]
    number: Option<String>,
}

async fn issue(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path(Id(id)): Path<PaymentRef>,
    JsonOrNothing(body): JsonOrNothing<NewInvoice>,
) -> Result<(StatusCode, Json<InvoiceView>), Problem> {
    let mut wrong = Wrong::default();
    let number = wrong.optional_line("number", body.number.as_deref(), 64);
    wrong.finish()?;
    let merchant = match &*actor {
        Actor::Terminal(terminal) => terminal.facts.merchant,
        Actor::Merchant { merchant, .. } => *merchant,
        Actor::Person(_) | Actor::Institution { .. } | Actor::Operator { .. } => {
            return Err(Problem::not_found("payment"));
        }
    };
    let payment = of_merchant(&state, merchant, id).await?;
    let invoice = state.services.processing.issue_invoice(&payment, number).await??;
    Ok((StatusCode::CREATED, Json(invoice.into())))
}

async fn show(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path(Id(id)): Path<PaymentRef>,
) -> Result<Json<InvoiceView>, Problem> {
    let (payment, _) = readable(&state, &actor, id).await?;
    let invoice = state.services.processing.invoice_of(&payment).await?;
    let invoice = invoice.ok_or_else(|| Problem::not_found("invoice"))?;
    Ok(Json(invoice.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "281234567890123456"}))]
struct NewInvoiceScan {
    /// The 18 digits that were scanned.
    #[schema(min_length = 18)]
    code: String,
}

/// Where a code stands for the invoice. Row S17.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "InvoiceScan")]
struct InvoiceScanView<'a> {
    /// `unpaid`, `paid` (with the buyer's details) or `invoice_issued`.
    #[schema(value_type = String, example = "paid")]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<PaymentView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<DeliveredView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice: Option<InvoiceView>,
}

impl<'a> From<&'a SecondScan> for InvoiceScanView<'a> {
    fn from(scanned: &'a SecondScan) -> Self {
        let (status, payment, profile, invoice) = match scanned {
            SecondScan::Unpaid => ("unpaid", None, None, None),
            SecondScan::Profile { payment, profile } => ("paid", Some(payment), Some(DeliveredView::of(profile)), None),
            SecondScan::Issued { payment, invoice } => (
                "invoice_issued",
                Some(payment),
                None,
                Some(InvoiceView::from(invoice.clone())),
            ),
        };
        Self {
            status,
            payment: payment.map(|payment| PaymentView::of(payment, Reader::Merchant)),
            profile,
            invoice,
        }
    }
}

async fn scan(
    terminal: AsInvoiceTerminal,
    State(state): State<AppState>,
    Json(body): Json<NewInvoiceScan>,
) -> Result<Response, Problem> {
    let text = CodeText::parse(&body.code)?;
    let services = &state.services;
    let scanned = services.processing.second_scan(&terminal.facts, &text).await?;
    let scanned = scanned.map_err(|refusal| Problem::of_scan(refusal, terminal.trust, services.env.now_ms()))?;
    Ok(Json(InvoiceScanView::from(&scanned)).into_response())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "code": "281234567890123456", "amount": {"amount_minor": 1250, "currency": "EUR"}, "means": "cash", "reference": "till 3"
}))]
struct PaidElsewhere {
    /// The 18 digits that were scanned.
    #[schema(min_length = 18)]
    code: String,
    amount: Amount,
    /// How it was paid: `cash`, `card`, …; 1 to 40 characters.
    #[schema(min_length = 1, max_length = 40)]
    means: String,
    /// 1 to 64 characters.
    #[schema(max_length = 64)]
    reference: Option<String>,
}

async fn assert_paid(
    terminal: AsInvoiceTerminal,
    key: IdempotencyKey,
    State(state): State<AppState>,
    Json(body): Json<PaidElsewhere>,
) -> Result<Response, Problem> {
    let terminal = terminal.into_actor();
    if !terminal.terminal.may_assert_paid {
        return Err(Problem::new(
            Code::NotAllowed,
            "this terminal may not mark codes as paid elsewhere",
        ));
    }
    let mut wrong = Wrong::default();
    let amount = wrong.positive("amount", body.amount);
    let means = wrong.line("means", &body.means, 40);
    let reference = wrong.optional_line("reference", body.reference.as_deref(), 64);
    wrong.finish()?;
    let request = AssertPaid {
        text: CodeText::parse(&body.code)?,
        terminal: terminal.facts,
        amount,
        means,
        reference,
        idempotency_key: key.0,
    };
    let processing = &state.services.processing;
    let outcome = processing.assert_paid(request).await?;
    let now = state.services.env.now_ms();
    let outcome = outcome.map_err(|error| Problem::of_pay(error, terminal.trust, now))?;
    let profile = processing.hand_over_asserted(&outcome.payment).await;
    answer(&outcome, Some(&profile))
}
