//! One invoice or credit note: its files, what belongs to it, where it went, and what can be done with it.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use onescan_domain::ids::DeliveryId;
use onescan_domain::invoicing::{Invoice, InvoiceKind, InvoiceOrigin, InvoiceState, RedLetterMove, RedLetterState};
use onescan_domain::money::{Currency, Money};
use onescan_platforms::invoicing::{Attempt, Channel, Delivery, DeliveryState, Format, RedLetterRefusal, SendRefusal};
use serde::Deserialize;

use super::{Desk, Eyes, day_of, state_badge};
use crate::pages::error::{PageError, PageResult};
use crate::pages::page::Page;
use crate::pages::{html, html_with};
use crate::{AppState, files};

/// What the path names; the institution in front of it is the desk's matter.
#[derive(Debug, Deserialize)]
pub struct At {
    invoice: String,
}

struct FileLink {
    name: &'static str,
    label: &'static str,
    /// `84 kB`
    size: String,
}

struct DeliveryView {
    id: DeliveryId,
    channel: &'static str,
    address: Option<String>,
    /// Key of its word, and tone.
    state: (&'static str, &'static str),
    next_at: Option<i64>,
    last: Option<Attempt>,
    /// All, the oldest first, where there was more than one.
    attempts: Vec<Attempt>,
    can_resend: bool,
}

/// A step of the red-letter form that is whoever looks' to take.
struct Step {
    name: &'static str,
    key: &'static str,
}

#[derive(Template)]
#[template(path = "invoice.html")]
struct DocumentPage<'a> {
    page: &'a Page,
    desk: &'a Desk,
    invoice: &'a Invoice,
    problem: Option<String>,
    /// Key of the state's word, and tone.
    state: (&'static str, &'static str),
    on: String,
    member: Option<String>,
    scenario: Option<String>,
    files: Vec<FileLink>,
    /// Its amounts are too fine for the XML of EN 16931.
    is_pdf_alone: bool,
    has_fapiao: bool,
    seller: String,
    original: Option<Invoice>,
    credits: Vec<Invoice>,
    deliveries: Vec<DeliveryView>,
    /// Code of the form, and until when it is open.
    red_letter: Option<(&'static str, i64)>,
    steps: Vec<Step>,
    address: String,
}

impl DocumentPage<'_> {
    fn is_credit(&self) -> bool {
        matches!(self.invoice.kind, InvoiceKind::CreditNote { .. })
    }

    fn is_ours(&self) -> bool {
        self.invoice.origin == InvoiceOrigin::Platform
    }

    fn can_apply(&self) -> bool {
        self.desk.is_merchant() && self.invoice.state == InvoiceState::Failed && !self.is_credit()
    }

    fn can_send(&self) -> bool {
        self.desk.is_person() && !self.files.is_empty()
    }

    fn credited(&self) -> Option<Money> {
        let minor = self.invoice.credited_minor;
        (minor > 0).then(|| Money::new(minor, self.invoice.amount.currency))
    }
}

pub async fn show(State(state): State<AppState>, desk: Desk, Path(at): Path<At>) -> PageResult {
    let invoice = desk.invoice(&state, &at.invoice).await?;
    html(&document_page(&state, &desk, &invoice, None).await?)
}

async fn document_page<'a>(
    state: &AppState,
    desk: &'a Desk,
    invoice: &'a Invoice,
    problem: Option<String>,
) -> PageResult<DocumentPage<'a>> {
    let services = &state.services;
    let now = services.env.now_ms();
    let (original, credits) = match invoice.kind {
        InvoiceKind::Invoice => (None, services.invoices.credits(invoice.payment).await?),
        InvoiceKind::CreditNote { original, .. } => (services.invoices.get(original).await?, Vec::new()),
    };
    let files = services.processing.files_of(invoice).await?;
    let files: Vec<FileLink> = files
        .into_iter()
        .map(|file| FileLink {
            name: file.format.ending(),
            label: label(file.format),
            size: format!("{} kB", file.bytes.div_ceil(1_000)),
        })
        .collect();
    let deliveries = services.invoices.deliveries(invoice.id).await?;
    let form = invoice.red_letter.map(|form| form.at(now));
    let (member, scenario) = names(state, desk, invoice).await?;
    Ok(DocumentPage {
        page: &desk.page,
        desk,
        invoice,
        problem,
        state: state_badge(invoice),
        on: day_of(&desk.page, invoice),
        seller: super::list::seller_name(state, &mut HashMap::new(), invoice).await?,
        member,
        scenario,
        is_pdf_alone: invoice.amount.currency.decimals() > 2 && files.len() == 1,
        has_fapiao: invoice.amount.currency == Currency::CNY && files.iter().any(|file| file.name == "cii.xml"),
        files,
        original,
        credits,
        deliveries: deliveries.into_iter().map(|one| delivery_view(desk, one)).collect(),
        red_letter: form.map(|form| (form.state.code(), form.until)),
        steps: form.map(|form| steps(desk, form.state)).unwrap_or_default(),
        address: match &desk.eyes {
            Eyes::Person(person) => person.email.clone().unwrap_or_default(),
            Eyes::Merchant(_) | Eyes::Institution(_) => String::new(),
        },
    })
}

/// Member and scenario, for an institution's eyes.
async fn names(state: &AppState, desk: &Desk, invoice: &Invoice) -> PageResult<(Option<String>, Option<String>)> {
    if desk.is_merchant() {
        return Ok((None, None));
    }
    let member = match invoice.member.filter(|_| desk.is_institution()) {
        Some(member) => state.services.institutions.member(member).await?,
        None => None,
    };
    let bucket = invoice.id.bucket();
    let scenarios = state.services.codes.scenarios(bucket, &invoice.record).await?;
    let scenario = scenarios.into_iter().find(|one| Some(one.id) == invoice.scenario);
    Ok((member.map(|member| member.name), scenario.map(|scenario| scenario.name)))
}

fn label(format: Format) -> &'static str {
    match format {
        Format::Pdf => "PDF (Factur-X)",
        Format::Ubl => "UBL",
        Format::Cii => "CII",
        Format::XRechnung => "XRechnung",
        Format::Peppol => "Peppol",
    }
}

fn delivery_view(desk: &Desk, delivery: Delivery) -> DeliveryView {
    let (channel, address) = match delivery.channel {
        Channel::Inbox => ("delivery-inbox", None),
        Channel::Merchant => ("delivery-merchant", None),
        // A merchant learns that it went to the buyer's address, not which.
        Channel::Email(address) => ("delivery-email", Some(address).filter(|_| !desk.is_merchant())),
    };
    DeliveryView {
        id: delivery.id,
        can_resend: channel == "delivery-email" && !desk.is_institution(),
        channel,
        address,
        state: match delivery.state {
            DeliveryState::Waiting => ("delivery-waiting", "wait"),
            DeliveryState::Delivered => ("delivery-delivered", "good"),
            DeliveryState::Failed => ("delivery-failed", "bad"),
        },
        next_at: delivery.next_at,
        last: delivery.attempts.last().cloned(),
        attempts: Some(delivery.attempts)
            .filter(|attempts| attempts.len() > 1)
            .unwrap_or_default(),
    }
}

fn steps(desk: &Desk, form: RedLetterState) -> Vec<Step> {
    let step = |name, key| Step { name, key };
    match (&desk.eyes, form) {
        (Eyes::Person(_), RedLetterState::AwaitsBuyer) => vec![
            step("confirm", "red-letter-confirm"),
            step("refuse", "red-letter-refuse"),
        ],
        (Eyes::Merchant(_), RedLetterState::AwaitsBuyer) => vec![step("withdraw", "red-letter-withdraw")],
        (Eyes::Merchant(_), RedLetterState::Refused | RedLetterState::Expired | RedLetterState::Withdrawn) => {
            vec![step("enter_again", "red-letter-enter-again")]
        }
        (_, _) => Vec::new(),
    }
}

#[derive(Debug, Deserialize)]
pub struct FileAt {
    invoice: String,
    name: String,
}

/// The bytes of one form, `pdf` or `ubl.xml`, or the page in fapiao form.
pub async fn file(State(state): State<AppState>, desk: Desk, Path(at): Path<FileAt>) -> PageResult {
    let invoice = desk.invoice(&state, &at.invoice).await?;
    let processing = &state.services.processing;
    if at.name == "fapiao.pdf" {
        let form = processing.fapiao_form(&invoice).await?.ok_or(PageError::NotFound)?;
        return Ok(files::fapiao(&invoice, form));
    }
    let format = Format::parse(&at.name).ok_or(PageError::NotFound)?;
    let bytes = processing.file_of(&invoice, format).await?;
    Ok(files::document(&invoice, format, bytes.ok_or(PageError::NotFound)?))
}

fn back(desk: &Desk, invoice: &Invoice, done: &str) -> PageResult {
    Ok(Redirect::to(&format!("{}/{}?done={done}", desk.base, invoice.id)).into_response())
}

async fn refused(state: &AppState, desk: &Desk, invoice: &Invoice, problem: String) -> PageResult {
    let page = document_page(state, desk, invoice, Some(problem)).await?;
    html_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

#[derive(Debug, Deserialize)]
pub struct SendForm {
    address: String,
}

/// Sends the person's own document to an address they type.
pub async fn send(
    State(state): State<AppState>,
    desk: Desk,
    Path(at): Path<At>,
    Form(form): Form<SendForm>,
) -> PageResult {
    let invoice = desk.invoice(&state, &at.invoice).await?;
    if !desk.is_person() {
        return Err(PageError::NotFound);
    }
    match state.services.invoices.send_to(&invoice, &form.address).await? {
        Ok(_) => back(&desk, &invoice, "sent"),
        Err(refusal) => {
            let key = match refusal {
                SendRefusal::Address => "email-shape",
                SendRefusal::NotIssued => "send-not-issued",
                SendRefusal::TooMany => "send-too-many",
            };
            refused(&state, &desk, &invoice, desk.page.t(key)).await
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct DeliveryAt {
    invoice: String,
    delivery: String,
}

/// Once more, now.
pub async fn resend(State(state): State<AppState>, desk: Desk, Path(at): Path<DeliveryAt>) -> PageResult {
    let invoice = desk.invoice(&state, &at.invoice).await?;
    let delivery: DeliveryId = at.delivery.parse().map_err(|_| PageError::NotFound)?;
    if desk.is_institution() {
        return Err(PageError::NotFound);
    }
    let due = state.services.invoices.resend(invoice.id, delivery).await?;
    due.ok_or(PageError::NotFound)?;
    back(&desk, &invoice, "sent")
}

#[derive(Debug, Deserialize)]
pub struct StepForm {
    step: String,
}

/// A step of the red-letter form, by the side whose step it is. Source: FIELD section 5.3.
pub async fn move_form(
    State(state): State<AppState>,
    desk: Desk,
    Path(at): Path<At>,
    Form(form): Form<StepForm>,
) -> PageResult {
    let invoice = desk.invoice(&state, &at.invoice).await?;
    let step = match (&desk.eyes, form.step.as_str()) {
        (Eyes::Person(_), "confirm") => RedLetterMove::Confirm,
        (Eyes::Person(_), "refuse") => RedLetterMove::Refuse,
        (Eyes::Merchant(_), "withdraw") => RedLetterMove::Withdraw,
        (Eyes::Merchant(_), "enter_again") => RedLetterMove::EnterAgain,
        (_, _) => return Err(PageError::NotFound),
    };
    match state.services.invoices.move_red_letter(invoice.id, step).await? {
        Ok(_) => back(&desk, &invoice, "form-moved"),
        Err(RedLetterRefusal::Unknown) => Err(PageError::NotFound),
        Err(RedLetterRefusal::State { .. }) => {
            let problem = desk.page.t("red-letter-state");
            refused(&state, &desk, &invoice, problem).await
        }
    }
}

/// The merchant applies again for an invoice that failed.
pub async fn apply(State(state): State<AppState>, desk: Desk, Path(at): Path<At>) -> PageResult {
    let invoice = desk.invoice(&state, &at.invoice).await?;
    let may = desk.is_merchant() && invoice.state == InvoiceState::Failed && invoice.kind == InvoiceKind::Invoice;
    if !may {
        return Err(PageError::NotFound);
    }
    match state.services.processing.apply_again(&invoice).await? {
        Ok(_) => back(&desk, &invoice, "applied-again"),
        Err(refusal) => {
            let problem = desk.page.with("apply-refused", "why", &refusal.to_string());
            refused(&state, &desk, &invoice, problem).await
        }
    }
}
