//! One bill or credit note: how far it is, its documents, what of it went elsewhere, and what can be done with it.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use onescan_domain::money::Money;
use onescan_domain::rides::bill::{Bill, BillState, IssueWhen};
use onescan_platforms::invoicing::{DeliveryState, Format};
use onescan_platforms::processing::delivery::documents::file_name;
use onescan_platforms::rides::bills::{BillMail, CloseBill, CreditRefusal, IssueRefusal, SendRefusal};
use serde::Deserialize;

use super::{BillDesk, period_of, state_badge};
use crate::AppState;
use crate::files::{CSV, attachment};
use crate::pages::error::{PageError, PageResult};
use crate::pages::page::Page;
use crate::pages::{html, html_with, unchanged};

/// What the path names; what stands in front of it is the desk's matter.
#[derive(Debug, Deserialize)]
pub struct At {
    bill: String,
}

struct FileLink {
    name: &'static str,
    label: &'static str,
    /// `84 kB`
    size: String,
}

struct MailRow {
    mail: BillMail,
    state: (&'static str, &'static str),
}

struct NoteRow {
    bill: Bill,
    state: (&'static str, &'static str),
    given_back: Money,
}

#[derive(Template)]
#[template(path = "bill.html")]
struct BillPage<'a> {
    page: &'a Page,
    desk: &'a BillDesk,
    bill: &'a Bill,
    problem: Option<String>,
    /// Key of the state's word, and tone.
    state: (&'static str, &'static str),
    other: String,
    period: String,
    number: Option<String>,
    issued_on: Option<String>,
    charged: Money,
    credited: Money,
    total: Money,
    files: Vec<FileLink>,
    mail: Option<MailRow>,
    notes: Vec<NoteRow>,
    /// Rides that became known after the close and began before the period's end: they go into the next bill.
    moved_rides: i64,
    moved: Money,
    /// Refunds of its rides that are credited nowhere yet.
    open_credits: Money,
}

impl BillPage<'_> {
    fn is_note(&self) -> bool {
        self.bill.corrects.is_some()
    }

    fn is_issued(&self) -> bool {
        matches!(self.bill.state, BillState::Issued { .. })
    }

    fn is_moving(&self) -> bool {
        is_moving(self.bill)
    }

    fn failure(&self) -> Option<&str> {
        match &self.bill.state {
            BillState::Failed { problem } => Some(problem),
            BillState::Closing | BillState::Closed | BillState::Issuing | BillState::Issued { .. } => None,
        }
    }

    fn can_issue(&self) -> bool {
        let waits = matches!(self.bill.state, BillState::Closed | BillState::Failed { .. });
        !self.desk.is_provider() && waits && self.total.minor != 0
    }

    fn can_credit(&self) -> bool {
        !self.desk.is_provider() && self.is_issued() && self.open_credits.minor > 0
    }
}

/// The part that is asked for again and again while the work goes on.
#[derive(Template)]
#[template(path = "bill_progress.html")]
struct ProgressPart<'a> {
    page: &'a Page,
    desk: &'a BillDesk,
    bill: &'a Bill,
}

fn is_moving(bill: &Bill) -> bool {
    matches!(bill.state, BillState::Closing | BillState::Issuing)
}

pub async fn show(State(state): State<AppState>, desk: BillDesk, Path(at): Path<At>) -> PageResult {
    let bill = desk.bill(&state, &at.bill).await?;
    html(&bill_page(&state, &desk, &bill, None).await?)
}

/// While the bill is being made the part, afterwards the whole page anew.
pub async fn progress(State(state): State<AppState>, desk: BillDesk, Path(at): Path<At>) -> PageResult {
    const REFRESH: HeaderName = HeaderName::from_static("hx-refresh");
    let bill = desk.bill(&state, &at.bill).await?;
    match is_moving(&bill) {
        true => html(&ProgressPart {
            page: &desk.page,
            desk: &desk,
            bill: &bill,
        }),
        false => Ok(([(REFRESH, HeaderValue::from_static("true"))], unchanged()).into_response()),
    }
}

async fn bill_page<'a>(
    state: &AppState,
    desk: &'a BillDesk,
    bill: &'a Bill,
    problem: Option<String>,
) -> PageResult<BillPage<'a>> {
    let bills = &state.services.bills;
    let money = |minor| Money::new(minor, bill.currency);
    let files = bills.forms(bill).await?.into_iter().map(|file| FileLink {
        name: file.format.ending(),
        label: label(file.format),
        size: format!("{} kB", file.bytes.div_ceil(1_000)),
    });
    let notes = bills.credit_notes(bill.id).await?.into_iter().map(|note| NoteRow {
        state: state_badge(&note),
        given_back: note.total(),
        bill: note,
    });
    let mail = bills.mail(bill.id).await?.map(|mail| MailRow {
        state: match mail.state {
            DeliveryState::Waiting => ("delivery-waiting", "wait"),
            DeliveryState::Delivered => ("delivery-delivered", "good"),
            DeliveryState::Failed => ("delivery-failed", "bad"),
        },
        mail,
    });
    let (moved_rides, moved_minor) = moved(state, desk, bill).await?;
    Ok(BillPage {
        page: &desk.page,
        desk,
        problem,
        state: state_badge(bill),
        other: desk.other(state, bill).await?,
        period: period_of(&desk.page, bill.period),
        number: match &bill.state {
            BillState::Issued { number, .. } => Some(number.clone()),
            BillState::Closing | BillState::Closed | BillState::Issuing | BillState::Failed { .. } => None,
        },
        issued_on: bill
            .document
            .filter(|_| matches!(bill.state, BillState::Issued { .. }))
            .map(|document| desk.page.language.day(&document.issued_on.to_string())),
        charged: money(bill.tally.charged_minor),
        credited: money(-bill.tally.credited_minor),
        total: bill.total(),
        files: files.collect(),
        mail,
        notes: notes.collect(),
        moved_rides,
        moved: money(moved_minor),
        open_credits: money(bills.open_credit(bill).await?),
        bill,
    })
}

/// What waits for the next bill although it began before this one's end.
async fn moved(state: &AppState, desk: &BillDesk, bill: &Bill) -> PageResult<(i64, i64)> {
    let Ok(institution) = desk.institution() else {
        return Ok((0, 0));
    };
    if bill.corrects.is_some() || bill.state == BillState::Closing {
        return Ok((0, 0));
    }
    let same = CloseBill {
        provider: bill.provider,
        period: bill.period,
        currency: bill.currency,
        issue: bill.issue,
    };
    let left = state.services.bills.preview(institution, &same).await?;
    Ok((left.rides, left.charged_minor))
}

fn label(format: Format) -> &'static str {
    match format {
        Format::Pdf => "PDF",
        Format::Ubl => "UBL",
        Format::Cii => "CII",
        Format::XRechnung => "XRechnung",
        Format::Peppol => "Peppol",
    }
}

pub async fn csv(State(state): State<AppState>, desk: BillDesk, Path(at): Path<At>) -> PageResult {
    let bill = desk.bill(&state, &at.bill).await?;
    let list = state.services.bills.list_as_csv(&bill).await?;
    Ok(attachment(CSV, &format!("{}.csv", bill.id), list.into_bytes()))
}

#[derive(Debug, Deserialize)]
pub struct FileAt {
    bill: String,
    name: String,
}

/// The bytes of one form, `pdf` or `ubl.xml`, under the invoice's number.
pub async fn file(State(state): State<AppState>, desk: BillDesk, Path(at): Path<FileAt>) -> PageResult {
    let bill = desk.bill(&state, &at.bill).await?;
    let format = Format::parse(&at.name).ok_or(PageError::NotFound)?;
    let bytes = state.services.bills.document(&bill, format).await?;
    let bytes = bytes.ok_or(PageError::NotFound)?;
    let number = match &bill.state {
        BillState::Issued { number, .. } => number.clone(),
        BillState::Closing | BillState::Closed | BillState::Issuing | BillState::Failed { .. } => bill.id.to_string(),
    };
    let name = file_name(&number);
    let name = name.trim_end_matches("pdf");
    Ok(attachment(
        format.media_type(),
        &format!("{name}{}", format.ending()),
        bytes,
    ))
}

fn back(desk: &BillDesk, bill: &str) -> Response {
    Redirect::to(&format!("{}/{bill}", desk.base)).into_response()
}

async fn refused(state: &AppState, desk: &BillDesk, bill: &Bill, problem: String) -> PageResult {
    html_with(
        StatusCode::CONFLICT,
        &bill_page(state, desk, bill, Some(problem)).await?,
    )
}

pub async fn issue(State(state): State<AppState>, desk: BillDesk, Path(at): Path<At>) -> PageResult {
    let bill = desk.bill(&state, &at.bill).await?;
    match state.services.bills.issue(desk.institution()?.id, bill.id).await? {
        Ok(_) => Ok(back(&desk, &at.bill)),
        Err(IssueRefusal::Unknown) => Err(PageError::NotFound),
        Err(IssueRefusal::State { .. }) => refused(&state, &desk, &bill, desk.page.t("bill-not-yet")).await,
        Err(IssueRefusal::NothingDue) => refused(&state, &desk, &bill, desk.page.t("bill-nothing-due")).await,
    }
}

pub async fn credit(State(state): State<AppState>, desk: BillDesk, Path(at): Path<At>) -> PageResult {
    let bill = desk.bill(&state, &at.bill).await?;
    let institution = desk.institution()?.id;
    match state
        .services
        .bills
        .credit(institution, bill.id, IssueWhen::AtOnce)
        .await?
    {
        Ok(note) => Ok(back(&desk, &note.id.to_string())),
        Err(CreditRefusal::Unknown) => Err(PageError::NotFound),
        Err(CreditRefusal::State { .. }) => refused(&state, &desk, &bill, desk.page.t("bill-credit-not-issued")).await,
        Err(CreditRefusal::Nothing) => refused(&state, &desk, &bill, desk.page.t("bill-credit-nothing")).await,
    }
}

pub async fn send(State(state): State<AppState>, desk: BillDesk, Path(at): Path<At>) -> PageResult {
    let bill = desk.bill(&state, &at.bill).await?;
    match state.services.bills.send(desk.institution()?.id, bill.id).await? {
        Ok(_) => Ok(back(&desk, &at.bill)),
        Err(SendRefusal::Unknown) => Err(PageError::NotFound),
        Err(SendRefusal::State { .. }) => refused(&state, &desk, &bill, desk.page.t("bill-send-not-issued")).await,
        Err(SendRefusal::NoAddress) => refused(&state, &desk, &bill, desk.page.t("bill-send-no-address")).await,
    }
}
