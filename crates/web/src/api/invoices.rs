//! That a payment's invoice is issued, and the invoice terminal's second scan. Rows S13, S17, S20.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use onescan_domain::codes::CodeText;
use onescan_platforms::access::Actor;
use onescan_platforms::invoicing::Decimal;
use onescan_platforms::invoicing::draft::InvoiceLine;
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
            .says("issueInvoice", "Apply for the invoice, or tell that your system issued it")
            .about(
                "For a terminal or key of the merchant. Where the merchant's invoices are issued here (its tax set-up says so) and no \
                 number is given, this applies: the document follows a moment later. Else it tells that your own system issued it. \
                 At most one per payment: the same again changes nothing, a number can be added once.",
            )
            .caller(Caller::Anybody)
            .may_take::<NewInvoice>()
            .answers::<InvoiceView>(StatusCode::CREATED, "The payment's invoice")
            .refuses(&[
                Code::InvalidFields,
                Code::WrongState,
                Code::InvoiceIssued,
                Code::NoTaxSetup,
                Code::NoInvoiceDetails,
            ]),
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
    /// Your own system's invoice number, 1 to 64 characters, where it issued the invoice and you know it already.
    #[schema(max_length = 64)]
    number: Option<String>,
    /// What was bought, with tax, for an invoice that is issued here; comes to what was paid. Without any there is one line.
    #[schema(max_items = 1000)]
    #[serde(default)]
    lines: Vec<NewLine>,
}

/// A line of an invoice.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "NewInvoiceLine", example = json!({"name": "Apples", "quantity": "0.755", "unit": "KGM", "price": "3.29", "rate": "food"}))]
struct NewLine {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Decimal number, not 0; negative for what is taken back. 1 when absent.
    quantity: Option<String>,
    /// UN/ECE recommendation 20: `C62` one (when absent), `KGM`, `HUR`.
    #[schema(max_length = 3)]
    unit: Option<String>,
    /// Decimal number from 0, with tax, for one unit; may have more decimals than the currency.
    price: String,
    /// The article group in your tax set-up; the first one when absent.
    #[schema(max_length = 40)]
    rate: Option<String>,
}

/// At most this many lines.
const LINES_MAX: usize = 1_000;

fn read_lines(lines: &[NewLine], wrong: &mut Wrong) -> Vec<InvoiceLine> {
    if lines.len() > LINES_MAX {
        wrong.add("lines", format!("at most {LINES_MAX}"));
        return Vec::new();
    }
    let read = |(index, line): (usize, &NewLine)| {
        let quantity = line.quantity.as_deref().map_or(Some(Decimal::ONE), Decimal::parse);
        let quantity = quantity.filter(|quantity| !quantity.is_zero());
        let price = Decimal::parse(&line.price).filter(|price| !price.is_negative());
        if quantity.is_none() {
            wrong.add(format!("lines[{index}].quantity"), "not a decimal number other than 0");
        }
        if price.is_none() {
            wrong.add(format!("lines[{index}].price"), "not a decimal number from 0");
        }
        InvoiceLine {
            name: wrong.line("lines.name", &line.name, 200),
            quantity: quantity.unwrap_or(Decimal::ONE),
            unit: wrong
                .optional_line("lines.unit", line.unit.as_deref(), 3)
                .unwrap_or_else(|| "C62".to_owned()),
            price: price.unwrap_or(Decimal::ZERO),
            rate: wrong.optional_line("lines.rate", line.rate.as_deref(), 40),
        }
    };
    lines.iter().enumerate().map(read).collect()
}

async fn issue(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path(Id(id)): Path<PaymentRef>,
    JsonOrNothing(body): JsonOrNothing<NewInvoice>,
) -> Result<(StatusCode, Json<InvoiceView>), Problem> {
    let mut wrong = Wrong::default();
    let number = wrong.optional_line("number", body.number.as_deref(), 64);
    let lines = read_lines(&body.lines, &mut wrong);
    if number.is_some() && !lines.is_empty() {
        wrong.add(
            "lines",
            "your own system's invoice has its lines there; leave out the number to have it issued here",
        );
    }
    wrong.finish()?;
    let merchant = match &*actor {
        Actor::Terminal(terminal) => terminal.facts.merchant,
        Actor::Merchant { merchant, .. } => *merchant,
        Actor::Person(_) | Actor::Institution { .. } | Actor::Operator { .. } => {
            return Err(Problem::not_found("payment"));
        }
    };
    let payment = of_merchant(&state, merchant, id).await?;
    let invoice = state
        .services
        .processing
        .issue_invoice(&payment, number, &lines)
        .await??;
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
                Some(InvoiceView::from((**invoice).clone())),
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
