//! The receipt of a sale, for screen and paper, and refunds from it.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use onescan_domain::invoicing::Invoice;
use onescan_domain::money::Money;
use onescan_domain::payments::{ChangeRefusal, Payment, Refund};
use onescan_domain::profiles::{DeliveryChannel, InvoiceProfile};
use onescan_domain::text;
use onescan_platforms::access::TerminalActor;
use onescan_platforms::env::{fingerprint, hex};
use onescan_platforms::error::PlatformError;
use onescan_platforms::payments::{Change, ChangeRequest, Idempotency, Page as ListPage, SalesFilter};
use onescan_platforms::processing::delivery::Delivered;
use onescan_symbols::qr;
use serde::Deserialize;

use super::error::PageResult;
use super::page::Page;
use super::payment_view::{Told, Tone, reasons, state_key, tone};
use super::till::{own_payment, parse_amount};
use super::visit::TillVisit;
use super::{html, html_with};
use crate::{AppState, i18n};

/// The widths of paper that receipts are printed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paper {
    Roll58,
    Roll80,
    A4,
}

impl Paper {
    const ALL: [Self; 3] = [Self::Roll58, Self::Roll80, Self::A4];

    fn name(self) -> &'static str {
        match self {
            Self::Roll58 => "58",
            Self::Roll80 => "80",
            Self::A4 => "a4",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Roll58 => "58 mm",
            Self::Roll80 => "80 mm",
            Self::A4 => "A4",
        }
    }
}

#[derive(Template)]
#[template(path = "receipt.html")]
struct ReceiptPage<'a> {
    page: &'a Page,
    actor: &'a TerminalActor,
    store: String,
    payment: Payment,
    state: &'static str,
    tone: Tone,
    reasons: Vec<String>,
    refunds: Vec<Refund>,
    profile: Option<Box<InvoiceProfile>>,
    invoice: Option<Invoice>,
    refundable: Money,
    refund_key: String,
    problem: Option<String>,
    qr: String,
    paper: Paper,
}

#[derive(Debug, Deserialize)]
pub struct Wanted {
    paper: Option<String>,
}

pub async fn show(
    State(state): State<AppState>,
    visit: TillVisit,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> PageResult {
    let mut receipt = receipt(&state, &visit, &id).await?;
    let paper = Paper::ALL
        .into_iter()
        .find(|paper| wanted.paper.as_deref() == Some(paper.name()));
    receipt.paper = paper.unwrap_or(Paper::Roll80);
    html(&receipt)
}

async fn receipt<'a>(state: &AppState, visit: &'a TillVisit, id: &str) -> PageResult<ReceiptPage<'a>> {
    let services = &state.services;
    let page = &visit.page;
    let payment = own_payment(state, visit, id).await?;
    let store = services.merchants.find_store(payment.store).await?;
    let profile = match services.processing.profile_of(&payment).await? {
        Delivered::Profile(profile) => Some(profile),
        Delivered::None | Delivered::Asking { .. } | Delivered::Later => None,
    };
    let title = page.t("receipt-qr");
    let qr = qr::svg(&payment.id.to_string(), &qr::SvgOptions { title: &title });
    Ok(ReceiptPage {
        page,
        actor: &visit.actor,
        store: store.map(|store| store.name).unwrap_or_default(),
        state: state_key(&payment),
        tone: tone(&payment.state),
        reasons: reasons(page.language, &payment, Told::RuleOnly),
        refunds: services.payments.refunds(payment.id).await?,
        profile,
        invoice: services.processing.invoice_of(&payment).await?,
        refundable: Money::new(payment.refundable_minor(), payment.amount.currency),
        refund_key: hex(&services.env.bytes::<16>()),
        problem: None,
        qr: qr.map_err(PlatformError::internal)?,
        paper: Paper::Roll80,
        payment,
    })
}

/// The terminal's newest sale of today.
pub async fn last(State(state): State<AppState>, visit: TillVisit) -> PageResult {
    let (from, until) = i18n::day_bounds(state.services.env.now_ms(), &visit.page.zone);
    let facts = &visit.actor.facts;
    let filter = SalesFilter {
        merchant: facts.merchant,
        terminal: Some(facts.terminal),
        from,
        until,
    };
    let newest = state
        .services
        .payments
        .sales(filter, ListPage { after: None, limit: 1 })
        .await?;
    let target = newest.first().map_or_else(
        || "/till/sales".to_owned(),
        |sale| format!("/till/payments/{}", sale.payment),
    );
    Ok(Redirect::to(&target).into_response())
}

#[derive(Deserialize)]
pub struct RefundForm {
    amount: String,
    #[serde(default)]
    reason: String,
    key: String,
}

/// Gives money back to the account that paid; a repeat of the same form gives it back once.
pub async fn refund(
    State(state): State<AppState>,
    visit: TillVisit,
    Path(id): Path<String>,
    Form(form): Form<RefundForm>,
) -> PageResult {
    let payment = own_payment(&state, &visit, &id).await?;
    let problem = match change_request(&visit, &payment, &form) {
        Err(problem) => problem,
        Ok(request) => match state.services.payments.change(request).await? {
            Ok(_) => return Ok(Redirect::to(&format!("/till/payments/{id}?done=refunded")).into_response()),
            Err(refusal) => refund_problem(&visit.page, &refusal),
        },
    };
    let mut receipt = receipt(&state, &visit, &id).await?;
    receipt.problem = Some(problem);
    html_with(StatusCode::UNPROCESSABLE_ENTITY, &receipt)
}

fn change_request(visit: &TillVisit, payment: &Payment, form: &RefundForm) -> Result<ChangeRequest, String> {
    let page = &visit.page;
    let amount = parse_amount(page, &visit.actor, &form.amount).map_err(|reminder| reminder.title)?;
    let reason = text::optional_line(Some(&form.reason), 200).map_err(|_| page.t("subject-shape"))?;
    let is_key = form.key.len() == 32 && form.key.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_key {
        return Err(page.t("form-sent-before"));
    }
    let amount_text = amount.to_string();
    let parts = [payment.id.to_string(), amount_text, reason.clone().unwrap_or_default()];
    let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    Ok(ChangeRequest {
        payment: payment.id,
        merchant: visit.actor.facts.merchant,
        idempotency: Idempotency {
            caller: visit.actor.facts.key.to_string(),
            key: form.key.clone(),
            fingerprint: fingerprint(&parts),
        },
        change: Change::Refund {
            number: format!("R{}", &form.key[..12]),
            amount,
            reason,
        },
    })
}

fn refund_problem(page: &Page, refusal: &ChangeRefusal) -> String {
    match refusal {
        ChangeRefusal::KeyConflict | ChangeRefusal::NumberConflict => page.t("form-sent-before"),
        ChangeRefusal::Unknown => page.t("error-not-found"),
        ChangeRefusal::State { .. } => page.t("refund-state"),
        ChangeRefusal::TooMuch { left } => page.with("refund-too-much", "left", &page.money(left)),
        ChangeRefusal::CurrencyMismatch { payment, .. } => page.with("refund-currency", "currency", payment.code()),
    }
}
