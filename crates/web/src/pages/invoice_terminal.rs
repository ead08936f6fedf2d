//! The invoice terminal: the same code scanned again, with its four answers. Row S17. Source: S \[91\]-\[94\], figure 6.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::HeaderMap;
use onescan_domain::codes::CodeText;
use onescan_domain::ids::PaymentId;
use onescan_domain::invoicing::{Invoice, InvoiceOrigin, InvoiceState};
use onescan_domain::payments::Payment;
use onescan_domain::profiles::{DeliveryChannel, InvoiceProfile};
use onescan_domain::text;
use onescan_platforms::access::TerminalActor;
use onescan_platforms::env::hex;
use onescan_platforms::merchants::tax::InvoicingMode;
use onescan_platforms::payments::AssertPaid;
use onescan_platforms::processing::delivery::{Delivered, InvoiceRefusal, SecondScan};
use onescan_platforms::processing::issuing::ApplyRefusal;
use onescan_platforms::processing::payment::ScanRefusal;
use serde::Deserialize;

use super::error::{PageError, PageResult, wants_part};
use super::html;
use super::page::Page;
use super::scan_text::{Reminder, code_refused, locked, mistyped, not_paid};
use super::till::parse_amount;
use super::visit::InvoiceVisit;
use crate::AppState;

/// What the second scan came to.
enum Answer {
    Ready,
    Refused(Reminder),
    /// Not paid yet; a terminal that may can say that it was paid elsewhere.
    Unpaid {
        digits: String,
        key: String,
        problem: Option<Reminder>,
    },
    /// Paid: the buyer's details.
    Profile {
        payment: Box<Payment>,
        profile: Box<InvoiceProfile>,
        issuer: Issuer,
    },
    NoProfile {
        payment: Box<Payment>,
        issuer: Issuer,
    },
    /// The buyer is choosing; scan again afterwards.
    Asking {
        payment: Box<Payment>,
        until: i64,
    },
    Later,
    Issued {
        payment: Box<Payment>,
        invoice: Box<Invoice>,
        profile: Option<Box<InvoiceProfile>>,
        problem: Option<String>,
    },
    /// The terminal's word was taken.
    MarkedPaid {
        payment: Box<Payment>,
    },
}

/// Who issues this merchant's invoices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Issuer {
    /// Its own system; its number can be entered.
    Merchant,
    /// This platform; the invoice can be applied for.
    Here,
}

impl Answer {
    /// What a terminal reads about an invoice that there is.
    fn issued_word(invoice: &Invoice) -> &'static str {
        match invoice.state {
            InvoiceState::Issued | InvoiceState::Credited => "invoice-issued",
            InvoiceState::Waiting | InvoiceState::Applied | InvoiceState::Issuing => "invoice-on-its-way",
            InvoiceState::Failed => "invoice-failed",
            InvoiceState::Withdrawn => "invoice-withdrawn",
        }
    }
}

#[derive(Template)]
#[template(path = "invoice_terminal.html")]
struct InvoicePage<'a> {
    page: &'a Page,
    actor: &'a TerminalActor,
    answer: Answer,
    search: &'a str,
}

#[derive(Template)]
#[template(path = "invoice_answer.html")]
struct AnswerPart<'a> {
    page: &'a Page,
    actor: &'a TerminalActor,
    answer: Answer,
}

fn answered(visit: &InvoiceVisit, headers: &HeaderMap, answer: Answer) -> PageResult {
    let (page, actor) = (&visit.page, visit.actor.as_ref());
    match wants_part(headers) {
        true => html(&AnswerPart { page, actor, answer }),
        false => html(&InvoicePage {
            page,
            actor,
            answer,
            search: "",
        }),
    }
}

pub async fn show(visit: InvoiceVisit) -> PageResult {
    html(&InvoicePage {
        page: &visit.page,
        actor: &visit.actor,
        answer: Answer::Ready,
        search: "",
    })
}

#[derive(Deserialize)]
pub struct Scan {
    code: String,
}

pub async fn scan(
    State(state): State<AppState>,
    visit: InvoiceVisit,
    headers: HeaderMap,
    Form(sent): Form<Scan>,
) -> PageResult {
    let page = &visit.page;
    let answer = match CodeText::parse(&sent.code) {
        Err(error) => Answer::Refused(mistyped(page, &error)),
        Ok(text) => match state.services.processing.second_scan(&visit.actor.facts, &text).await? {
            Err(ScanRefusal::TerminalLocked { until }) => Answer::Refused(locked(page, until)),
            Err(ScanRefusal::Code(refusal)) => Answer::Refused(code_refused(page, &visit.actor, refusal)),
            Ok(SecondScan::Unpaid) => unpaid(&state, &text, None),
            Ok(SecondScan::Profile { payment, profile }) => paid_answer(&state, payment, profile).await?,
            Ok(SecondScan::Issued { payment, invoice }) => issued(&state, payment, *invoice, None).await?,
        },
    };
    answered(&visit, &headers, answer)
}

fn unpaid(state: &AppState, text: &CodeText, problem: Option<Reminder>) -> Answer {
    let key = hex(&state.services.env.bytes::<16>());
    Answer::Unpaid {
        digits: text.as_str().to_owned(),
        key,
        problem,
    }
}

/// The invoice where there is one (a scan applies for it by itself, where this platform issues), else the buyer's details.
async fn paid_answer(state: &AppState, payment: Payment, profile: Delivered) -> PageResult<Answer> {
    let processing = &state.services.processing;
    if let Some(invoice) = processing.invoice_of(&payment).await?
        && invoice.origin == InvoiceOrigin::Platform
    {
        return issued(state, payment, invoice, None).await;
    }
    let issuer = match processing.invoicing_mode(payment.merchant).await? {
        InvoicingMode::Own => Issuer::Merchant,
        InvoicingMode::OnRequest | InvoicingMode::Automatic => Issuer::Here,
    };
    let payment = Box::new(payment);
    Ok(match profile {
        Delivered::Profile(profile) => Answer::Profile {
            payment,
            profile,
            issuer,
        },
        Delivered::None => Answer::NoProfile { payment, issuer },
        Delivered::Asking { until } => Answer::Asking { payment, until },
        Delivered::Later => Answer::Later,
    })
}

async fn issued(state: &AppState, payment: Payment, invoice: Invoice, problem: Option<String>) -> PageResult<Answer> {
    let profile = match invoice.profile {
        Some(id) => state.services.profiles.find(id).await?.map(Box::new),
        None => None,
    };
    Ok(Answer::Issued {
        payment: Box::new(payment),
        invoice: Box::new(invoice),
        profile,
        problem,
    })
}

#[derive(Deserialize)]
pub struct PaidElsewhere {
    code: String,
    amount: String,
    means: String,
    #[serde(default)]
    reference: String,
    key: String,
}

/// The terminal's word that the sale was paid elsewhere. Only a terminal that was given that right is heard.
/// Row S17, trap 2.
pub async fn paid(
    State(state): State<AppState>,
    visit: InvoiceVisit,
    headers: HeaderMap,
    Form(sent): Form<PaidElsewhere>,
) -> PageResult {
    if !visit.actor.terminal.may_assert_paid {
        return Err(PageError::NotFound);
    }
    let page = &visit.page;
    let text = match CodeText::parse(&sent.code) {
        Ok(text) => text,
        Err(error) => return answered(&visit, &headers, Answer::Refused(mistyped(page, &error))),
    };
    let answer = match assertion(page, &visit.actor, text.clone(), &sent) {
        Err(problem) => unpaid(&state, &text, Some(problem)),
        Ok(request) => match state.services.processing.assert_paid(request).await? {
            Ok(outcome) => Answer::MarkedPaid {
                payment: Box::new(outcome.payment),
            },
            Err(error) => Answer::Refused(not_paid(page, &visit.actor, &error)),
        },
    };
    answered(&visit, &headers, answer)
}

fn assertion(page: &Page, actor: &TerminalActor, text: CodeText, sent: &PaidElsewhere) -> Result<AssertPaid, Reminder> {
    let amount = parse_amount(page, actor, &sent.amount)?;
    let means = text::line(&sent.means, 40).map_err(|_| Reminder::of(page, "means-shape"))?;
    let reference = text::optional_line(Some(&sent.reference), 64);
    let reference = reference.map_err(|_| Reminder::of(page, "subject-shape"))?;
    let is_key = (1..=255).contains(&sent.key.len()) && sent.key.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_key {
        return Err(Reminder::of(page, "form-sent-before"));
    }
    let (terminal, idempotency_key) = (actor.facts.clone(), sent.key.clone());
    Ok(AssertPaid {
        text,
        terminal,
        amount,
        means,
        reference,
        idempotency_key,
    })
}

#[derive(Debug, Deserialize)]
pub struct Search {
    search: String,
}

/// By order number, or by the payment number that a receipt's QR code carries.
pub async fn search(State(state): State<AppState>, visit: InvoiceVisit, Query(query): Query<Search>) -> PageResult {
    let processing = &state.services.processing;
    let merchant = visit.actor.facts.merchant;
    let wanted = query.search.trim();
    let found = match wanted.parse::<PaymentId>() {
        Ok(id) => processing.payment_of_merchant(merchant, id).await?,
        Err(_) => processing.payment_of_order(merchant, wanted).await?,
    };
    let answer = match found.filter(|payment| payment.paid_at().is_some()) {
        None => Answer::Refused(Reminder::of(&visit.page, "search-none")),
        Some(payment) => match processing.invoice_of(&payment).await? {
            Some(invoice) => issued(&state, payment, invoice, None).await?,
            None => {
                let profile = processing.profile_of(&payment).await?;
                paid_answer(&state, payment, profile).await?
            }
        },
    };
    html(&InvoicePage {
        page: &visit.page,
        actor: &visit.actor,
        answer,
        search: wanted,
    })
}

/// Applies for the invoice that this platform issues; one that failed is applied for again with the lines it had. Row S20.
pub async fn issue(
    State(state): State<AppState>,
    visit: InvoiceVisit,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> PageResult {
    let id: PaymentId = id.parse().map_err(|_| PageError::NotFound)?;
    let processing = &state.services.processing;
    let payment = processing.payment_of_merchant(visit.actor.facts.merchant, id).await?;
    let payment = payment.ok_or(PageError::NotFound)?;
    let failed = processing.invoice_of(&payment).await?;
    let applied = match failed.filter(|invoice| invoice.state == InvoiceState::Failed) {
        Some(failed) => processing.apply_again(&failed).await?,
        None => processing.apply_for_invoice(&payment, &[]).await?,
    };
    let answer = match applied {
        Ok(invoice) => issued(&state, payment, invoice, None).await?,
        Err(refusal) => Answer::Refused(Reminder {
            title: visit.page.t("invoice-not-applied"),
            advice: why_not(&visit.page, &refusal),
        }),
    };
    answered(&visit, &headers, answer)
}

fn why_not(page: &Page, refusal: &ApplyRefusal) -> String {
    match refusal {
        ApplyRefusal::NotPaid { .. } => page.t("apply-not-paid"),
        ApplyRefusal::NoSetup => page.t("apply-no-setup"),
        ApplyRefusal::Billed => page.t("apply-billed"),
        ApplyRefusal::NothingLeft => page.t("apply-nothing-left"),
        ApplyRefusal::Asking { until } => page.with("invoice-asking-until", "clock", page.clock(until).as_str()),
        ApplyRefusal::NoBuyer => page.t("buyer-none"),
        ApplyRefusal::Lines(_) | ApplyRefusal::Content { .. } => {
            format!("{} ({refusal})", page.t("apply-content"))
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct Number {
    number: String,
}

/// The merchant's invoice number for a payment; from now on the code reads as invoice issued with it.
pub async fn number(
    State(state): State<AppState>,
    visit: InvoiceVisit,
    headers: HeaderMap,
    Path(id): Path<String>,
    Form(sent): Form<Number>,
) -> PageResult {
    let id: PaymentId = id.parse().map_err(|_| PageError::NotFound)?;
    let processing = &state.services.processing;
    let found = processing.payment_of_merchant(visit.actor.facts.merchant, id).await?;
    let payment = found.ok_or(PageError::NotFound)?;
    let page = &visit.page;
    let Ok(number) = text::line(&sent.number, 64) else {
        let answer = Answer::Refused(Reminder::of(page, "invoice-number-shape"));
        return answered(&visit, &headers, answer);
    };
    let answer = match processing.issue_invoice(&payment, Some(number), &[]).await? {
        Ok(invoice) => issued(&state, payment, invoice, None).await?,
        Err(InvoiceRefusal::Issued(onescan_platforms::invoicing::ReportRefusal::Issued(invoice))) => {
            issued(&state, payment, *invoice, Some(page.t("invoice-number-other"))).await?
        }
        // With a number nothing is applied for.
        Err(InvoiceRefusal::NotPaid { .. } | InvoiceRefusal::Apply(_)) => {
            Answer::Refused(Reminder::of(page, "search-none"))
        }
    };
    answered(&visit, &headers, answer)
}
