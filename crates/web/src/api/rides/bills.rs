//! Bills of a period: closed by the institution, invoiced by the provider. Row R09.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use onescan_domain::calendar::Date;
use onescan_domain::ids::{BillId, RideOrderId};
use onescan_domain::money::Money;
use onescan_domain::rides::bill::{Bill, BillPeriod, BillState, IssueWhen, PeriodKind};
use onescan_platforms::invoicing::Format;
use onescan_platforms::rides::bills::{
    BillMail, BillPreview, BillScope, BilledRide, CloseBill, CloseRefusal, CreditRefusal, IssueRefusal, SendRefusal,
    Side,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::{RideReader, RideView};
use crate::AppState;
use crate::api::endpoint::{Caller, Endpoint, get, post};
use crate::api::extract::{Json, Path, Query};
use crate::api::wire::{
    Amount, BillRef, CurrencyCode, Id, InstitutionRef, ListOf, MerchantRef, Moment, PageQuery, Sum, Wrong,
};
use crate::auth::{AsAdministrator, AsMerchant};
use crate::files::{CSV, attachment};
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let closing = closing().into_iter().chain(after_issue());
    closing.chain(reading()).chain(of_provider()).collect()
}

fn closing() -> [Endpoint; 3] {
    [
        post("/v1/institutions/{institution}/bill-previews", preview)
            .says("previewBill", "What a bill would hold if it were closed now")
            .about("Also of a period that is not over. Nothing is written.")
            .caller(Caller::Administrator)
            .takes::<CloseBody>()
            .answers::<PreviewView>(StatusCode::OK, "Sums, late rides and open refunds")
            .refuses(&[Code::InvalidFields]),
        post("/v1/institutions/{institution}/bills", close)
            .says("closeBill", "Make one bill of all rides of a period")
            .about(
                "The institution's part of every ride with the provider that began before the period's end and is in no bill yet; \
                 rides that become known later go into the next bill. Refunds before the close are not charged; later ones are \
                 credited in a later bill, or by a credit note where none follows. A repeat answers with the one bill of the period.",
            )
            .caller(Caller::Administrator)
            .takes::<CloseBody>()
            .answers::<BillView>(StatusCode::ACCEPTED, "Its rides are being gathered")
            .refuses(&[Code::InvalidFields, Code::WrongState]),
        post("/v1/institutions/{institution}/bills/{bill}/issue", issue)
            .says("issueBill", "Have a closed bill invoiced, or one whose invoice failed")
            .about("The provider's invoice interface makes one e-invoice with every ride on it. A repeat changes nothing.")
            .caller(Caller::Administrator)
            .answers::<BillView>(StatusCode::ACCEPTED, "It is being issued, or is issued")
            .refuses(&[Code::WrongState]),
    ]
}

fn after_issue() -> [Endpoint; 3] {
    [
        post("/v1/institutions/{institution}/bills/{bill}/credit-notes", credit)
            .says("creditBill", "Have refunds of an invoiced bill credited without waiting for a later bill")
            .about(
                "For a provider whose rides have ended. The credit note names the bill's invoice and holds every refund of its \
                 rides that no bill has credited yet; each is credited once. With a schedule this comes by itself at the end of a \
                 later period without rides.",
            )
            .caller(Caller::Administrator)
            .takes::<CreditBody>()
            .answers::<BillView>(StatusCode::ACCEPTED, "A bill with `corrects`; its refunds are being gathered")
            .refuses(&[Code::InvalidFields, Code::WrongState]),
        get("/v1/institutions/{institution}/bills/{bill}/credit-notes", credit_notes)
            .says("listBillCreditNotes", "Credit notes of a bill, the oldest first")
            .caller(Caller::Administrator)
            .answers::<ListOf<BillView>>(StatusCode::OK, "All of them"),
        post("/v1/institutions/{institution}/bills/{bill}/send", send)
            .says("sendBill", "Send the bill's document by e-mail again")
            .about("To the address that the institution's invoice profile of this bill names now.")
            .caller(Caller::Administrator)
            .answers::<MailView>(StatusCode::ACCEPTED, "It is on its way")
            .refuses(&[Code::WrongState]),
    ]
}

fn reading() -> [Endpoint; 8] {
    [
        get("/v1/institutions/{institution}/bills", list)
            .says("listBills", "Bills, newest first")
            .caller(Caller::Administrator)
            .query::<PageQuery>()
            .answers::<ListOf<BillView>>(StatusCode::OK, "A page"),
        get("/v1/institutions/{institution}/bills/{bill}", show)
            .says("getBill", "A bill, with its progress")
            .caller(Caller::Administrator)
            .answers::<BillView>(StatusCode::OK, "As it stands now"),
        get("/v1/institutions/{institution}/bills/{bill}/rides", rides)
            .says("listBilledRides", "Rides of a bill")
            .caller(Caller::Administrator)
            .query::<PageQuery>()
            .answers::<ListOf<BilledView>>(StatusCode::OK, "By id"),
        get("/v1/institutions/{institution}/bills/{bill}/credits", credits)
            .says("listBillCredits", "Rides of earlier bills that this one gives something back for")
            .caller(Caller::Administrator)
            .query::<PageQuery>()
            .answers::<ListOf<BilledView>>(StatusCode::OK, "By id"),
        get("/v1/institutions/{institution}/bills/{bill}/rides.csv", csv)
            .says("exportBill", "All rides of a bill as CSV")
            .about("The list that is attached to the invoice; what is given back is negative. Times are the institution's.")
            .caller(Caller::Administrator)
            .answers_file("text/csv", "The list"),
        get("/v1/institutions/{institution}/bills/{bill}/pdf", pdf)
            .says("getBillPdf", "The bill's invoice as PDF")
            .caller(Caller::Administrator)
            .answers_file("application/pdf", "The same bytes for ever"),
        get("/v1/institutions/{institution}/bills/{bill}/ubl.xml", ubl)
            .says("getBillUbl", "The bill's invoice as UBL 2.1")
            .caller(Caller::Administrator)
            .answers_file("application/xml", "The same bytes for ever"),
        get("/v1/institutions/{institution}/bills/{bill}/cii.xml", cii)
            .says("getBillCii", "The bill's invoice as UN/CEFACT CII")
            .caller(Caller::Administrator)
            .answers_file("application/xml", "The same bytes for ever"),
    ]
}

fn of_provider() -> [Endpoint; 6] {
    [
        get("/v1/merchants/{merchant}/bills", list_of_provider)
            .says("listProviderBills", "Bills of your rides, newest first")
            .caller(Caller::Merchant)
            .query::<PageQuery>()
            .answers::<ListOf<BillView>>(StatusCode::OK, "A page"),
        get("/v1/merchants/{merchant}/bills/{bill}", show_to_provider)
            .says("getProviderBill", "A bill of your rides")
            .caller(Caller::Merchant)
            .answers::<BillView>(StatusCode::OK, "As it stands now"),
        get("/v1/merchants/{merchant}/bills/{bill}/rides.csv", csv_of_provider)
            .says("exportProviderBill", "All rides of a bill as CSV")
            .about("The list that is attached to the invoice; what is given back is negative. Times are the institution's.")
            .caller(Caller::Merchant)
            .answers_file("text/csv", "The list"),
        get("/v1/merchants/{merchant}/bills/{bill}/pdf", pdf_of_provider)
            .says("getProviderBillPdf", "The bill's invoice as PDF")
            .caller(Caller::Merchant)
            .answers_file("application/pdf", "The same bytes for ever"),
        get("/v1/merchants/{merchant}/bills/{bill}/ubl.xml", ubl_of_provider)
            .says("getProviderBillUbl", "The bill's invoice as UBL 2.1")
            .caller(Caller::Merchant)
            .answers_file("application/xml", "The same bytes for ever"),
        get("/v1/merchants/{merchant}/bills/{bill}/cii.xml", cii_of_provider)
            .says("getProviderBillCii", "The bill's invoice as UN/CEFACT CII")
            .caller(Caller::Merchant)
            .answers_file("application/xml", "The same bytes for ever"),
    ]
}

/// Which rides, and what becomes of the bill.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "NewBill", example = json!({
    "provider": "mer_01kb6x2x8s0g00000000000000", "period": "month", "on": "2026-10-15", "issue": "at_once"
}))]
struct CloseBody {
    provider: MerchantRef,
    /// `day`, `week` (from Monday on) or `month` around `on`, or `own` with `first_on` and `until_on`.
    #[schema(value_type = String, example = "month")]
    period: String,
    /// A date in the period: `2026-10-15`.
    #[schema(example = "2026-10-15")]
    on: Option<String>,
    /// The first day of an own period.
    #[schema(example = "2026-10-01")]
    first_on: Option<String>,
    /// The day after its last one.
    #[schema(example = "2026-10-16")]
    until_on: Option<String>,
    /// Of the rides; the institution's when absent.
    currency: Option<CurrencyCode>,
    /// `at_once` (when absent): the invoice follows by itself. `by_hand`: `issueBill` begins it.
    #[schema(value_type = Option<String>, example = "at_once")]
    issue: Option<String>,
}

impl CloseBody {
    fn read(&self, administrator: &AsAdministrator) -> Result<CloseBill, Problem> {
        let mut wrong = Wrong::default();
        let period = self.period(&mut wrong);
        let issue = issue_when(&mut wrong, self.issue.as_deref());
        wrong.finish()?;
        Ok(CloseBill {
            provider: self.provider.0,
            period: period.ok_or_else(|| Problem::invalid("period", "is not in the calendar"))?,
            currency: self
                .currency
                .map_or(administrator.institution().currency, |code| code.0),
            issue,
        })
    }

    fn period(&self, wrong: &mut Wrong) -> Option<BillPeriod> {
        let Some(kind) = PeriodKind::parse(&self.period) else {
            wrong.add("period", "use day, week, month or own");
            return None;
        };
        let (unused, wanted) = match kind {
            PeriodKind::Own => (
                vec![("on", &self.on)],
                [("first_on", &self.first_on), ("until_on", &self.until_on)],
            ),
            PeriodKind::Day | PeriodKind::Week | PeriodKind::Month => {
                let unused = vec![("first_on", &self.first_on), ("until_on", &self.until_on)];
                (unused, [("on", &self.on), ("on", &self.on)])
            }
        };
        for (field, _) in unused.into_iter().filter(|(_, text)| text.is_some()) {
            wrong.add(field, format!("does not go with the period {}", kind.name()));
        }
        let [first, last] = wanted;
        let first_on = date(wrong, first.0, first.1.as_deref())?;
        if kind != PeriodKind::Own {
            return BillPeriod::containing(kind, first_on);
        }
        let period = BillPeriod::own(first_on, date(wrong, last.0, last.1.as_deref())?);
        if period.is_none() {
            wrong.add("until_on", "must be after first_on");
        }
        period
    }
}

fn date(wrong: &mut Wrong, field: &'static str, text: Option<&str>) -> Option<Date> {
    let date = text.and_then(Date::parse);
    if date.is_none() {
        wrong.add(field, "enter a date such as 2026-10-15");
    }
    date
}

pub(super) fn issue_when(wrong: &mut Wrong, text: Option<&str>) -> IssueWhen {
    let when = text.map_or(Some(IssueWhen::AtOnce), IssueWhen::parse);
    when.unwrap_or_else(|| {
        wrong.add("issue", "use at_once or by_hand");
        IssueWhen::ByHand
    })
}

/// What a bill would hold now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "BillPreview")]
struct PreviewView {
    #[schema(example = "2026-10-01")]
    first_on: String,
    /// The day after the last one.
    #[schema(example = "2026-11-01")]
    until_on: String,
    from: Moment,
    until: Moment,
    /// With late ones.
    rides: i64,
    /// Began before the period.
    late_rides: i64,
    /// Without what was refunded.
    charged: Sum,
    /// Refunds of rides in earlier bills; a bill takes no more of them than it charges.
    open_credits: Sum,
}

impl From<BillPreview> for PreviewView {
    fn from(preview: BillPreview) -> Self {
        let amount = |minor| Money::new(minor, preview.currency).into();
        Self {
            first_on: preview.period.first_on().to_string(),
            until_on: preview.period.until_on().to_string(),
            from: Moment(preview.from_at),
            until: Moment(preview.until_at),
            rides: preview.rides,
            late_rides: preview.late_rides,
            charged: amount(preview.charged_minor),
            open_credits: amount(preview.open_credits_minor),
        }
    }
}

/// All rides of a period as one total, or a credit note for refunds of one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Bill")]
struct BillView {
    id: BillRef,
    /// Of a credit note: the bill whose invoice it names. It has no rides, and its total is negative.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "bil_01kb6x2x8s0g00000000000000")]
    corrects: Option<BillRef>,
    institution: InstitutionRef,
    provider: MerchantRef,
    /// `day`, `week`, `month` or `own`.
    #[schema(value_type = String, example = "month")]
    period: &'static str,
    #[schema(example = "2026-10-01")]
    first_on: String,
    /// The day after the last one.
    #[schema(example = "2026-11-01")]
    until_on: String,
    from: Moment,
    until: Moment,
    /// `closing` (rides are being gathered), `closed`, `issuing`, `issued`, or `failed` (see `problem`).
    #[schema(value_type = String, example = "issued")]
    state: &'static str,
    /// `at_once` or `by_hand`.
    #[schema(value_type = String, example = "at_once")]
    issue: &'static str,
    /// Rides gathered so far.
    rides: i64,
    /// Rides that waited when the close was asked for.
    expected_rides: i64,
    /// Rides of earlier bills that something is given back for.
    credits: i64,
    charged: Sum,
    credited: Sum,
    /// What is invoiced.
    total: Sum,
    /// Of the invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-02")]
    issued_on: Option<String>,
    /// Why the invoice was not issued. Nothing is lost: mend it and issue again.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    created_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<Moment>,
    changed_at: Moment,
    /// Refunds of its rides that wait for a later bill or a credit note; where one bill is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_credits: Option<Sum>,
    /// The document's way by e-mail; where one bill is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<MailView>,
}

/// The document on its way by e-mail.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "BillMail")]
struct MailView {
    #[schema(example = "invoices@example.com")]
    address: String,
    /// `waiting`, `delivered` (the next mail server has it) or `failed` (given up until it is sent again).
    #[schema(value_type = String, example = "delivered")]
    state: &'static str,
    attempts: i64,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<Moment>,
}

impl From<BillMail> for MailView {
    fn from(mail: BillMail) -> Self {
        Self {
            address: mail.address,
            state: mail.state.name(),
            attempts: mail.attempts,
            problem: mail.problem,
            next_at: mail.next_at.map(Moment),
            delivered_at: mail.delivered_at.map(Moment),
        }
    }
}

impl From<Bill> for BillView {
    fn from(bill: Bill) -> Self {
        let amount = |minor| Money::new(minor, bill.currency).into();
        let state = bill.state.name();
        let (number, issued_at, problem) = match bill.state {
            BillState::Issued { number, at } => (Some(number), Some(Moment(at)), None),
            BillState::Failed { problem } => (None, None, Some(problem)),
            BillState::Closing | BillState::Closed | BillState::Issuing => (None, None, None),
        };
        Self {
            id: Id(bill.id),
            corrects: bill.corrects.map(Id),
            institution: Id(bill.institution),
            provider: Id(bill.provider),
            period: bill.period.kind().name(),
            first_on: bill.period.first_on().to_string(),
            until_on: bill.period.until_on().to_string(),
            from: Moment(bill.from_at),
            until: Moment(bill.until_at),
            state,
            issue: bill.issue.name(),
            rides: bill.tally.rides,
            expected_rides: bill.tally.expected,
            credits: bill.tally.credits,
            charged: amount(bill.tally.charged_minor),
            credited: amount(bill.tally.credited_minor),
            total: amount(bill.tally.total_minor()),
            issued_on: bill
                .document
                .filter(|_| number.is_some())
                .map(|document| document.issued_on.to_string()),
            number,
            problem,
            created_at: Moment(bill.created_at),
            closed_at: bill.closed_at.map(Moment),
            issued_at,
            changed_at: Moment(bill.changed_at),
            open_credits: None,
            mail: None,
        }
    }
}

/// A ride as a bill has it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "BilledRide")]
struct BilledView {
    ride: RideView,
    /// What this bill charges, or gives back, for it.
    amount: Amount,
}

impl From<BilledRide> for BilledView {
    fn from(billed: BilledRide) -> Self {
        Self {
            amount: Money::new(billed.amount_minor, billed.order.amount.currency).into(),
            ride: RideView::of(&billed.order, RideReader::Payer),
        }
    }
}

/// What becomes of the credit note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "NewBillCreditNote", example = json!({"issue": "at_once"}))]
struct CreditBody {
    /// `at_once` (when absent) or `by_hand`.
    #[schema(value_type = Option<String>, example = "at_once")]
    issue: Option<String>,
}

impl From<CreditRefusal> for Problem {
    fn from(refusal: CreditRefusal) -> Self {
        match refusal {
            CreditRefusal::Unknown => Self::not_found("bill"),
            CreditRefusal::State { .. } | CreditRefusal::Nothing => Self::new(Code::WrongState, refusal.to_string()),
        }
    }
}

impl From<SendRefusal> for Problem {
    fn from(refusal: SendRefusal) -> Self {
        match refusal {
            SendRefusal::Unknown => Self::not_found("bill"),
            SendRefusal::State { .. } | SendRefusal::NoAddress => Self::new(Code::WrongState, refusal.to_string()),
        }
    }
}

impl From<CloseRefusal> for Problem {
    fn from(refusal: CloseRefusal) -> Self {
        match refusal {
            CloseRefusal::UnknownProvider => Self::invalid("provider", "there is no such provider"),
            CloseRefusal::NotOver { .. } => Self::invalid("period", refusal.to_string()),
            CloseRefusal::Empty => Self::new(Code::WrongState, refusal.to_string()),
        }
    }
}

impl From<IssueRefusal> for Problem {
    fn from(refusal: IssueRefusal) -> Self {
        match refusal {
            IssueRefusal::Unknown => Self::not_found("bill"),
            IssueRefusal::State { .. } | IssueRefusal::NothingDue => Self::new(Code::WrongState, refusal.to_string()),
        }
    }
}

async fn preview(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Json(body): Json<CloseBody>,
) -> Result<Json<PreviewView>, Problem> {
    let close = body.read(&administrator)?;
    let preview = state
        .services
        .bills
        .preview(administrator.institution(), &close)
        .await?;
    Ok(Json(preview.into()))
}

async fn close(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Json(body): Json<CloseBody>,
) -> Result<(StatusCode, Json<BillView>), Problem> {
    let close = body.read(&administrator)?;
    let bill = state
        .services
        .bills
        .close(administrator.institution(), &close)
        .await??;
    Ok((StatusCode::ACCEPTED, Json(bill.into())))
}

async fn issue(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, BillRef)>,
) -> Result<(StatusCode, Json<BillView>), Problem> {
    let bill = state.services.bills.issue(administrator.id(), id).await??;
    Ok((StatusCode::ACCEPTED, Json(bill.into())))
}

async fn credit(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, BillRef)>,
    Json(body): Json<CreditBody>,
) -> Result<(StatusCode, Json<BillView>), Problem> {
    let mut wrong = Wrong::default();
    let issue = issue_when(&mut wrong, body.issue.as_deref());
    wrong.finish()?;
    let note = state.services.bills.credit(administrator.id(), id, issue).await??;
    Ok((StatusCode::ACCEPTED, Json(note.into())))
}

async fn credit_notes(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, BillRef)>,
) -> Result<Json<ListOf<BillView>>, Problem> {
    let bill = of(&administrator, &state, id).await?;
    let notes = state.services.bills.credit_notes(bill.id).await?;
    Ok(Json(ListOf::whole(notes.into_iter().map(BillView::from).collect())))
}

async fn send(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, BillRef)>,
) -> Result<(StatusCode, Json<MailView>), Problem> {
    let mail = state.services.bills.send(administrator.id(), id).await??;
    Ok((StatusCode::ACCEPTED, Json(mail.into())))
}

async fn list(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ListOf<BillView>>, Problem> {
    bills(&state, BillScope::Institution(administrator.id()), &query).await
}

async fn list_of_provider(
    provider: AsMerchant,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ListOf<BillView>>, Problem> {
    bills(&state, BillScope::Provider(provider.id), &query).await
}

async fn bills(state: &AppState, scope: BillScope, query: &PageQuery) -> Result<Json<ListOf<BillView>>, Problem> {
    let page = query.page::<BillId>()?;
    let found = state.services.bills.list(scope, &page).await?;
    let views = found.into_iter().map(BillView::from).collect();
    Ok(Json(ListOf::page(views, page.limit, |view: &BillView| {
        view.id.0.to_string()
    })))
}

async fn of(administrator: &AsAdministrator, state: &AppState, id: BillId) -> Result<Bill, Problem> {
    let found = state.services.bills.of_institution(administrator.id(), id).await?;
    found.ok_or_else(|| Problem::not_found("bill"))
}

async fn show(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, BillRef)>,
) -> Result<Json<BillView>, Problem> {
    let bill = of(&administrator, &state, id).await?;
    let bills = &state.services.bills;
    let open = Money::new(bills.open_credit(&bill).await?, bill.currency);
    let mail = bills.mail(bill.id).await?;
    Ok(Json(BillView {
        open_credits: Some(open.into()),
        mail: mail.map(MailView::from),
        ..BillView::from(bill)
    }))
}

async fn show_to_provider(
    provider: AsMerchant,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(MerchantRef, BillRef)>,
) -> Result<Json<BillView>, Problem> {
    Ok(Json(of_merchant(&provider, &state, id).await?.into()))
}

async fn of_merchant(provider: &AsMerchant, state: &AppState, id: BillId) -> Result<Bill, Problem> {
    let found = state.services.bills.of_provider(provider.id, id).await?;
    found.ok_or_else(|| Problem::not_found("bill"))
}

async fn rides(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, BillRef)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ListOf<BilledView>>, Problem> {
    let bill = of(&administrator, &state, id).await?;
    billed(&state, &bill, Side::Charge, &query).await
}

async fn credits(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, BillRef)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ListOf<BilledView>>, Problem> {
    let bill = of(&administrator, &state, id).await?;
    billed(&state, &bill, Side::Credit, &query).await
}

async fn billed(
    state: &AppState,
    bill: &Bill,
    side: Side,
    query: &PageQuery,
) -> Result<Json<ListOf<BilledView>>, Problem> {
    let page = query.page::<RideOrderId>()?;
    let found = state.services.bills.billed(bill.id, side, &page).await?;
    let views = found.into_iter().map(BilledView::from).collect();
    Ok(Json(ListOf::page(views, page.limit, |view: &BilledView| {
        view.ride.id.0.to_string()
    })))
}

async fn csv(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(InstitutionRef, BillRef)>,
) -> Result<Response, Problem> {
    list_of(&state, &of(&administrator, &state, id).await?).await
}

async fn csv_of_provider(
    provider: AsMerchant,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(MerchantRef, BillRef)>,
) -> Result<Response, Problem> {
    list_of(&state, &of_merchant(&provider, &state, id).await?).await
}

async fn list_of(state: &AppState, bill: &Bill) -> Result<Response, Problem> {
    let list = state.services.bills.list_as_csv(bill).await?;
    Ok(attachment(CSV, &format!("{}.csv", bill.id), list.into_bytes()))
}

async fn form_of(state: &AppState, bill: &Bill, format: Format) -> Result<Response, Problem> {
    let bytes = state.services.bills.document(bill, format).await?;
    let bytes = bytes.ok_or_else(|| Problem::not_found("document"))?;
    let name = format!("{}.{}", bill.id, format.ending());
    Ok(attachment(format.media_type(), &name, bytes))
}

macro_rules! forms {
    ($($name:ident, $of_provider:ident = $format:ident;)*) => {$(
        async fn $name(
            administrator: AsAdministrator,
            State(state): State<AppState>,
            Path((_, Id(id))): Path<(InstitutionRef, BillRef)>,
        ) -> Result<Response, Problem> {
            form_of(&state, &of(&administrator, &state, id).await?, Format::$format).await
        }

        async fn $of_provider(
            provider: AsMerchant,
            State(state): State<AppState>,
            Path((_, Id(id))): Path<(MerchantRef, BillRef)>,
        ) -> Result<Response, Problem> {
            form_of(&state, &of_merchant(&provider, &state, id).await?, Format::$format).await
        }
    )*};
}

forms! {
    pdf, pdf_of_provider = Pdf;
    ubl, ubl_of_provider = Ubl;
    cii, cii_of_provider = Cii;
}
