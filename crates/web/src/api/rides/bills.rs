//! Bills of a period: closed by the institution, invoiced by the provider. Row R09.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use onescan_domain::calendar::Date;
use onescan_domain::ids::{BillId, RideOrderId};
use onescan_domain::money::Money;
use onescan_domain::rides::bill::{Bill, BillPeriod, BillState, GRACE_HOURS_MAX, IssueWhen, PeriodKind};
use onescan_platforms::invoicing::Format;
use onescan_platforms::rides::bills::{
    BillPreview, BillSchedule, BillScope, BilledRide, CloseBill, CloseRefusal, IssueRefusal, Side,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::{RideReader, RideView};
use crate::AppState;
use crate::api::endpoint::{Caller, Endpoint, delete, get, post, put};
use crate::api::extract::{Json, Path, Query};
use crate::api::wire::{
    Amount, BillRef, CurrencyCode, Id, InstitutionRef, ListOf, MerchantRef, Moment, PageQuery, Sum, Wrong,
};
use crate::auth::{AsAdministrator, AsMerchant};
use crate::files::attachment;
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    closing().into_iter().chain(reading()).chain(of_provider()).collect()
}

fn closing() -> [Endpoint; 6] {
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
                 credited in a later bill. A repeat answers with the one bill of the period.",
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
        get("/v1/institutions/{institution}/bill-schedule", schedule)
            .says("getBillSchedule", "Which periods are closed by themselves")
            .caller(Caller::Administrator)
            .answers::<ScheduleView>(StatusCode::OK, "It"),
        put("/v1/institutions/{institution}/bill-schedule", put_schedule)
            .says("putBillSchedule", "Close every period from now on by itself")
            .about("With each provider that has rides, soon after the period's end. Earlier periods stay to be closed by hand.")
            .caller(Caller::Administrator)
            .takes::<ScheduleBody>()
            .answers::<ScheduleView>(StatusCode::OK, "It")
            .refuses(&[Code::InvalidFields]),
        delete("/v1/institutions/{institution}/bill-schedule", remove_schedule)
            .says("removeBillSchedule", "Close periods by hand only")
            .caller(Caller::Administrator)
            .answers_empty("There is none"),
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

fn of_provider() -> [Endpoint; 2] {
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

fn issue_when(wrong: &mut Wrong, text: Option<&str>) -> IssueWhen {
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

/// All rides of a period as one total.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Bill")]
struct BillView {
    id: BillRef,
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

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "NewBillSchedule", example = json!({"period": "month", "issue": "at_once", "grace_hours": 48}))]
struct ScheduleBody {
    /// `day`, `week` or `month`.
    #[schema(value_type = String, example = "month")]
    period: String,
    /// `at_once` (when absent) or `by_hand`.
    #[schema(value_type = Option<String>, example = "at_once")]
    issue: Option<String>,
    /// How long after a period's end it is closed, so that rides told late are still in it; 0 when absent.
    #[schema(minimum = 0, maximum = 744)]
    grace_hours: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "BillSchedule")]
struct ScheduleView {
    /// `day`, `week` or `month`.
    #[schema(value_type = String, example = "month")]
    period: &'static str,
    /// `at_once` or `by_hand`.
    #[schema(value_type = String, example = "at_once")]
    issue: &'static str,
    grace_hours: i64,
    /// Periods that end later are closed by themselves.
    closed_until: Moment,
    changed_at: Moment,
}

impl From<BillSchedule> for ScheduleView {
    fn from(schedule: BillSchedule) -> Self {
        Self {
            period: schedule.period.name(),
            issue: schedule.issue.name(),
            grace_hours: schedule.grace_hours,
            closed_until: Moment(schedule.closed_until),
            changed_at: Moment(schedule.changed_at),
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

async fn schedule(
    administrator: AsAdministrator,
    State(state): State<AppState>,
) -> Result<Json<ScheduleView>, Problem> {
    let found = state.services.bills.schedule(administrator.id()).await?;
    let schedule = found.ok_or_else(|| Problem::not_found("bill schedule"))?;
    Ok(Json(schedule.into()))
}

async fn put_schedule(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Json(body): Json<ScheduleBody>,
) -> Result<Json<ScheduleView>, Problem> {
    let mut wrong = Wrong::default();
    let period = PeriodKind::parse(&body.period).filter(|kind| *kind != PeriodKind::Own);
    if period.is_none() {
        wrong.add("period", "use day, week or month");
    }
    let issue = issue_when(&mut wrong, body.issue.as_deref());
    let grace = body.grace_hours.unwrap_or(0);
    if !(0..=GRACE_HOURS_MAX).contains(&grace) {
        wrong.add("grace_hours", format!("use 0 to {GRACE_HOURS_MAX}"));
    }
    wrong.finish()?;
    let period = period.unwrap_or(PeriodKind::Month);
    let bills = &state.services.bills;
    let schedule = bills
        .put_schedule(administrator.institution(), period, issue, grace)
        .await?;
    Ok(Json(schedule.into()))
}

async fn remove_schedule(administrator: AsAdministrator, State(state): State<AppState>) -> Result<StatusCode, Problem> {
    match state.services.bills.remove_schedule(administrator.id()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("bill schedule")),
    }
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
    Ok(Json(of(&administrator, &state, id).await?.into()))
}

async fn show_to_provider(
    provider: AsMerchant,
    State(state): State<AppState>,
    Path((_, Id(id))): Path<(MerchantRef, BillRef)>,
) -> Result<Json<BillView>, Problem> {
    let found = state.services.bills.of_provider(provider.id, id).await?;
    Ok(Json(found.ok_or_else(|| Problem::not_found("bill"))?.into()))
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
    let bill = of(&administrator, &state, id).await?;
    let list = state.services.bills.list_as_csv(&bill).await?;
    Ok(attachment(
        "text/csv; charset=utf-8",
        &format!("{id}.csv"),
        list.into_bytes(),
    ))
}

macro_rules! forms {
    ($($name:ident = $format:ident;)*) => {$(
        async fn $name(
            administrator: AsAdministrator,
            State(state): State<AppState>,
            Path((_, Id(id))): Path<(InstitutionRef, BillRef)>,
        ) -> Result<Response, Problem> {
            let bill = of(&administrator, &state, id).await?;
            let format = Format::$format;
            let bytes = state.services.bills.document(&bill, format).await?;
            let bytes = bytes.ok_or_else(|| Problem::not_found("document"))?;
            Ok(attachment(format.media_type(), &format!("{id}.{}", format.ending()), bytes))
        }
    )*};
}

forms! {
    pdf = Pdf;
    ubl = Ubl;
    cii = Cii;
}
