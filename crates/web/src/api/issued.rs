//! Invoices and credit notes: lists, documents, where they went. Whose they are comes from the credential. Row S20.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use onescan_domain::codes::CodeRecord;
use onescan_domain::ids::{InstitutionId, InvoiceId};
use onescan_domain::invoicing::{Invoice, InvoiceKind, InvoiceOrigin, InvoiceState, RedLetterMove};
use onescan_platforms::access::Actor;
use onescan_platforms::invoicing::{
    Attempt, Channel, Delivery, FileFacts, Format, InvoiceFilter, InvoiceScope, InvoiceTotal, RedLetterRefusal,
};
use onescan_platforms::payments::Page;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::endpoint::{Caller, Endpoint, get, post};
use super::extract::{Json, Path, Query};
use super::payment_view::Reader;
use super::wire::{
    Amount, CurrencyCode, DeliveryRef, Id, InvoiceRef, ListOf, MemberRef, MerchantRef, Moment, PageQuery, PaymentRef,
    PersonRef, RefundRef, ScenarioRef, Wrong,
};
use crate::AppState;
use crate::auth::{AsAdministrator, AsAnybody, AsMerchantReader, administers};
use crate::files::{self, Table, TableForm};
use crate::invoice_totals::{self, By};
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let all = [
        get("/v1/invoices", list)
            .says("listInvoices", "Invoices and credit notes")
            .about("Those of whose credential it is: the person, the merchant, or the institution. Newest first.")
            .caller(Caller::Anybody)
            .query::<InvoicesQuery>()
            .answers::<ListOf<IssuedView>>(StatusCode::OK, "A page")
            .refuses(&[Code::NotAllowed, Code::NotFound]),
        get("/v1/invoices.csv", export_csv)
            .says("exportInvoicesCsv", "Invoices as CSV")
            .about("At most 10,000 of them, newest first. UTF-8 with a byte order mark, so that spreadsheets read it.")
            .caller(Caller::Anybody)
            .query::<InvoicesQuery>()
            .answers_file("text/csv", "The list")
            .refuses(&[Code::NotAllowed, Code::NotFound]),
        get("/v1/invoices.xlsx", export_xlsx)
            .says("exportInvoicesExcel", "Invoices as an Excel workbook")
            .about("At most 10,000 of them, newest first.")
            .caller(Caller::Anybody)
            .query::<InvoicesQuery>()
            .answers_file(files::XLSX, "The list")
            .refuses(&[Code::NotAllowed, Code::NotFound]),
        get("/v1/invoices/{invoice}", show)
            .says("showInvoice", "An invoice or credit note")
            .caller(Caller::Anybody)
            .answers::<IssuedView>(StatusCode::OK, "It, with the forms of its document"),
        get("/v1/invoices/{invoice}/pdf", pdf)
            .says("getInvoicePdf", "The document as PDF, its data inside (Factur-X)")
            .caller(Caller::Anybody)
            .answers_file("application/pdf", "The same bytes for ever"),
        get("/v1/invoices/{invoice}/ubl.xml", ubl)
            .says("getInvoiceUbl", "The document as UBL 2.1")
            .about("Absent where amounts have three decimals (KWD): EN 16931 knows two, and the document is a PDF alone.")
            .caller(Caller::Anybody)
            .answers_file("application/xml", "The same bytes for ever"),
        get("/v1/invoices/{invoice}/cii.xml", cii)
            .says("getInvoiceCii", "The document as UN/CEFACT CII")
            .about("Absent where amounts have three decimals (KWD): EN 16931 knows two, and the document is a PDF alone.")
            .caller(Caller::Anybody)
            .answers_file("application/xml", "The same bytes for ever"),
        get("/v1/invoices/{invoice}/xrechnung.xml", xrechnung)
            .says("getInvoiceXRechnung", "The document as XRechnung, where it fits")
            .caller(Caller::Anybody)
            .answers_file("application/xml", "The same bytes for ever"),
        get("/v1/invoices/{invoice}/peppol.xml", peppol)
            .says("getInvoicePeppol", "The document for Peppol, where it fits")
            .caller(Caller::Anybody)
            .answers_file("application/xml", "The same bytes for ever"),
        get("/v1/invoices/{invoice}/deliveries", deliveries)
            .says("listDeliveries", "Where the document went, with every attempt")
            .caller(Caller::Anybody)
            .answers::<ListOf<DeliveryView>>(StatusCode::OK, "The oldest first"),
        post("/v1/invoices/{invoice}/deliveries/{delivery}/resend", resend)
            .says("resendInvoice", "Send the document once more")
            .about("Now, also where earlier attempts were given up or arrived.")
            .caller(Caller::Anybody)
            .answers::<DeliveryView>(StatusCode::ACCEPTED, "It is due"),
        post("/v1/invoices/{invoice}/red-letter", move_red_letter)
            .says("moveRedLetter", "Confirm, refuse, withdraw or renew the form of a Chinese credit note")
            .about(
                "The buyer (the person) confirms or refuses within 72 hours; the seller withdraws, or enters the form again after it \
                 was refused, expired or withdrawn. Once confirmed the credit note is issued.",
            )
            .caller(Caller::Anybody)
            .takes::<RedLetterBody>()
            .answers::<IssuedView>(StatusCode::OK, "The credit note as it then stands")
            .refuses(&[Code::InvalidFields, Code::WrongState, Code::NotAllowed]),
    ];
    let all = all.into_iter().chain(of_tenants());
    all.map(|endpoint| endpoint.tag("invoices")).collect()
}

fn of_tenants() -> [Endpoint; 5] {
    [
        get("/v1/merchants/{merchant}/invoices", list_of_merchant)
            .says("listInvoicesOfMerchant", "A merchant's invoices")
            .caller(Caller::MerchantReader)
            .query::<InvoicesQuery>()
            .answers::<ListOf<IssuedView>>(StatusCode::OK, "A page, newest first"),
        get("/v1/institutions/{institution}/invoices", list_of_institution)
            .says("listInvoicesOfInstitution", "Invoices of what the institution paid")
            .caller(Caller::Administrator)
            .query::<InvoicesQuery>()
            .answers::<ListOf<IssuedView>>(StatusCode::OK, "A page, newest first"),
        get("/v1/institutions/{institution}/invoices/totals", totals)
            .says("totalInvoicesOfInstitution", "Sums by member, scenario and month")
            .about("What was invoiced, and what of it was credited. Sums stay apart by currency.")
            .caller(Caller::Administrator)
            .query::<TotalsQuery>()
            .answers::<ListOf<InvoiceTotalView>>(StatusCode::OK, "The newest month first")
            .refuses(&[Code::InvalidFields]),
        get("/v1/institutions/{institution}/invoices/totals.csv", totals_csv)
            .says("exportInvoiceTotalsCsv", "Sums by member, scenario and month as CSV")
            .about(
                "With the names of members and scenarios. UTF-8 with a byte order mark, so that spreadsheets read it.",
            )
            .caller(Caller::Administrator)
            .query::<TotalsQuery>()
            .answers_file("text/csv", "The list")
            .refuses(&[Code::InvalidFields]),
        get("/v1/institutions/{institution}/invoices/totals.xlsx", totals_xlsx)
            .says(
                "exportInvoiceTotalsExcel",
                "Sums by member, scenario and month as an Excel workbook",
            )
            .about("With the names of members and scenarios.")
            .caller(Caller::Administrator)
            .query::<TotalsQuery>()
            .answers_file(files::XLSX, "The list")
            .refuses(&[Code::InvalidFields]),
    ]
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InvoicesQuery {
    /// `waiting`, `applied`, `issuing`, `issued`, `credited`, `failed` or `withdrawn`.
    state: Option<String>,
    /// `invoice` or `credit_note`.
    kind: Option<String>,
    /// Issued from then on.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Moment>,
    /// Issued before.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Moment>,
    /// A part of number, order number, seller or buyer.
    #[param(max_length = 100)]
    search: Option<String>,
    /// One person's only.
    #[param(value_type = Option<String>)]
    person: Option<PersonRef>,
    /// One scenario's only.
    #[param(value_type = Option<String>)]
    scenario: Option<ScenarioRef>,
    /// The last id of the page before, as `next` told it.
    #[param(pattern = "^inv_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    after: Option<String>,
    /// How many at most; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

impl InvoicesQuery {
    fn read(&self) -> Result<(InvoiceFilter, Page), Problem> {
        let mut wrong = Wrong::default();
        let state = self.state.as_deref().map(InvoiceState::parse);
        if state == Some(None) {
            wrong.add(
                "state",
                "use waiting, applied, issuing, issued, credited, failed or withdrawn",
            );
        }
        if !matches!(self.kind.as_deref(), None | Some("invoice" | "credit_note")) {
            wrong.add("kind", "use invoice or credit_note");
        }
        let search = wrong.optional_line("search", self.search.as_deref(), 100);
        wrong.finish()?;
        let asked = PageQuery {
            after: self.after.clone(),
            limit: self.limit,
        };
        let filter = InvoiceFilter {
            state: state.flatten(),
            kind: self.kind.clone(),
            from: self.from.map(|from| from.0),
            until: self.until.map(|until| until.0),
            search,
            person: self.person.map(|Id(person)| person),
            scenario: self.scenario.map(|Id(scenario)| scenario),
        };
        Ok((filter, asked.page::<InvoiceId>()?))
    }
}

/// An invoice or credit note.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "IssuedInvoice")]
pub struct IssuedView {
    id: InvoiceRef,
    /// `invoice` or `credit_note`.
    #[schema(value_type = String, example = "invoice")]
    kind: &'static str,
    /// `reported`: by the merchant's own system, which keeps the document. `platform`: issued here.
    #[schema(value_type = String, example = "platform")]
    origin: &'static str,
    /// `waiting` for the buyer's confirmation, `applied` for, `issuing`, `issued`, `credited` as a whole, `failed` (see
    /// `problem`), `withdrawn`.
    #[schema(value_type = String, example = "issued")]
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    /// The date on the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-23")]
    issued_on: Option<String>,
    payment: PaymentRef,
    order_number: String,
    merchant: MerchantRef,
    seller_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_name: Option<String>,
    /// With tax.
    amount: Amount,
    /// Sum of its credit notes.
    credited_minor: i64,
    /// Of a credit note: the invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<InvoiceRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<RefundRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    red_letter: Option<RedLetterView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    applied_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<Moment>,
    /// Only for the payer's side.
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<PersonRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<MemberRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scenario: Option<ScenarioRef>,
    /// Forms of the document; lists leave them out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileView>,
}

/// The confirmation form of a Chinese credit note.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RedLetter")]
struct RedLetterView {
    /// `01` none needed, `02` waits for the buyer, `04` confirmed, `05` refused, `07` expired, `08` withdrawn.
    #[schema(value_type = String, example = "02")]
    state: &'static str,
    /// When an open form expires.
    until: Moment,
}

/// A form of a document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "InvoiceFile")]
struct FileView {
    /// Below the invoice's own address.
    #[schema(value_type = String, example = "ubl.xml")]
    name: &'static str,
    /// Hexadecimal.
    sha256: String,
    bytes: u64,
}

impl IssuedView {
    pub fn of(invoice: Invoice, reader: Reader, now: i64, files: Vec<FileFacts>) -> Self {
        let (credits, refund) = match invoice.kind {
            InvoiceKind::Invoice => (None, None),
            InvoiceKind::CreditNote { original, refund } => (Some(Id(original)), refund.map(Id)),
        };
        let payer = reader == Reader::Payer;
        Self {
            id: Id(invoice.id),
            kind: invoice.kind.name(),
            origin: invoice.origin.name(),
            state: invoice.state.name(),
            number: invoice.number,
            issued_on: invoice.issued_on.filter(|_| invoice.state.is_issued()),
            payment: Id(invoice.payment),
            order_number: invoice.order_number,
            merchant: Id(invoice.merchant),
            seller_name: invoice.seller_name,
            buyer_name: invoice.buyer.map(|buyer| buyer.title),
            amount: invoice.amount.into(),
            credited_minor: invoice.credited_minor,
            credits,
            refund,
            red_letter: invoice.red_letter.map(|form| RedLetterView {
                state: form.at(now).state.code(),
                until: Moment(form.until),
            }),
            problem: invoice.problem,
            applied_at: Moment(invoice.applied_at),
            issued_at: invoice.state.is_issued().then_some(Moment(invoice.issued_at)),
            person: payer.then_some(Id(invoice.person)),
            member: invoice.member.filter(|_| payer).map(Id),
            scenario: invoice.scenario.filter(|_| payer).map(Id),
            files: files
                .into_iter()
                .map(|file| FileView {
                    name: match file.format {
                        Format::Pdf => "pdf",
                        other => other.ending(),
                    },
                    sha256: file.sha256,
                    bytes: file.bytes,
                })
                .collect(),
        }
    }
}

/// Whose invoices a credential shows, and with whose eyes.
async fn scope_of(state: &AppState, actor: &Actor) -> Result<(InvoiceScope, Reader), Problem> {
    Ok(match actor {
        Actor::Person(person) => {
            let buckets = state.services.processing.buckets_of(person.person).await?;
            (InvoiceScope::Person(person.person, buckets), Reader::Payer)
        }
        Actor::Terminal(terminal) => (InvoiceScope::Merchant(terminal.facts.merchant), Reader::Merchant),
        Actor::Merchant { merchant, .. } => (InvoiceScope::Merchant(*merchant), Reader::Merchant),
        Actor::Institution { institution, .. } => (scope_of_institution(state, *institution).await?, Reader::Payer),
        Actor::Operator { .. } => {
            let detail = "ask for a merchant's or an institution's: /v1/merchants/{merchant}/invoices";
            return Err(Problem::new(Code::NotAllowed, detail));
        }
    })
}

async fn scope_of_institution(state: &AppState, institution: InstitutionId) -> Result<InvoiceScope, Problem> {
    let record = state.services.codes.record_of_institution(institution).await?;
    let record = record.ok_or_else(|| Problem::not_found("code record"))?;
    Ok(InvoiceScope::Record(record.bucket, record.id))
}

async fn page(
    state: &AppState,
    scope: &InvoiceScope,
    reader: Reader,
    query: &InvoicesQuery,
) -> Result<Json<ListOf<IssuedView>>, Problem> {
    let (mut filter, page) = query.read()?;
    if reader == Reader::Merchant {
        // A merchant must not tell one person from another.
        (filter.person, filter.scenario) = (None, None);
    }
    let found = state.services.invoices.list(scope, &filter, &page).await?;
    let now = state.services.env.now_ms();
    let items = found
        .into_iter()
        .map(|invoice| IssuedView::of(invoice, reader, now, Vec::new()));
    Ok(Json(ListOf::page(items.collect(), page.limit, |item: &IssuedView| {
        item.id.0.to_string()
    })))
}

async fn list(
    actor: AsAnybody,
    State(state): State<AppState>,
    Query(query): Query<InvoicesQuery>,
) -> Result<Json<ListOf<IssuedView>>, Problem> {
    let (scope, reader) = scope_of(&state, &actor).await?;
    page(&state, &scope, reader, &query).await
}

async fn list_of_merchant(
    merchant: AsMerchantReader,
    State(state): State<AppState>,
    Query(query): Query<InvoicesQuery>,
) -> Result<Json<ListOf<IssuedView>>, Problem> {
    page(&state, &InvoiceScope::Merchant(merchant.id), Reader::Merchant, &query).await
}

async fn list_of_institution(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Query(query): Query<InvoicesQuery>,
) -> Result<Json<ListOf<IssuedView>>, Problem> {
    let scope = scope_of_institution(&state, administrator.id()).await?;
    page(&state, &scope, Reader::Payer, &query).await
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TotalsQuery {
    /// `month`, `member`, `scenario`, or `each` (the default): one sum per month, member and scenario.
    by: Option<String>,
    /// One month's only, `2026-11`.
    #[param(pattern = "^[0-9]{4}-[0-9]{2}$")]
    month: Option<String>,
}

impl TotalsQuery {
    fn read(&self) -> Result<(By, Option<&str>), Problem> {
        let mut wrong = Wrong::default();
        let by = self.by.as_deref().map_or(Some(By::Each), By::parse);
        if by.is_none() {
            wrong.add("by", "use month, member, scenario or each");
        }
        let month = self.month.as_deref();
        if month.is_some_and(|month| format!("{month}-01").parse::<jiff::civil::Date>().is_err()) {
            wrong.add("month", "use a year and a month such as 2026-11");
        }
        wrong.finish()?;
        Ok((by.unwrap_or(By::Each), month))
    }
}

/// Sums of one month, member and scenario.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "InvoiceTotal")]
struct InvoiceTotalView {
    /// `2026-11`, by the dates on the documents; absent where it is summed over.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(value_type = Option<String>)]
    month: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<MemberRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scenario: Option<ScenarioRef>,
    currency: CurrencyCode,
    invoices: i64,
    invoiced_minor: i64,
    credited_minor: i64,
}

impl From<InvoiceTotal> for InvoiceTotalView {
    fn from(total: InvoiceTotal) -> Self {
        Self {
            month: total.month,
            member: total.member.map(Id),
            scenario: total.scenario.map(Id),
            currency: CurrencyCode(total.currency),
            invoices: total.invoices,
            invoiced_minor: total.invoiced_minor,
            credited_minor: total.credited_minor,
        }
    }
}

async fn sums(
    state: &AppState,
    administrator: &AsAdministrator,
    query: &TotalsQuery,
) -> Result<(CodeRecord, Vec<InvoiceTotal>), Problem> {
    let (by, month) = query.read()?;
    let record = state.services.codes.record_of_institution(administrator.id()).await?;
    let record = record.ok_or_else(|| Problem::not_found("code record"))?;
    let mut all = state.services.invoices.totals(record.bucket, &record.id).await?;
    all.retain(|total| month.is_none_or(|month| total.month == month));
    Ok((record, invoice_totals::summed(&all, by)))
}

async fn totals(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Query(query): Query<TotalsQuery>,
) -> Result<Json<ListOf<InvoiceTotalView>>, Problem> {
    let (_, sums) = sums(&state, &administrator, &query).await?;
    Ok(Json(ListOf::whole(
        sums.into_iter().map(InvoiceTotalView::from).collect(),
    )))
}

async fn totals_table(
    state: &AppState,
    administrator: &AsAdministrator,
    query: &TotalsQuery,
) -> Result<Table, Problem> {
    let (record, sums) = sums(state, administrator, query).await?;
    let named = invoice_totals::named(state, record.bucket, &record.id, sums).await?;
    Ok(invoice_totals::table(&named))
}

async fn totals_csv(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Query(query): Query<TotalsQuery>,
) -> Result<Response, Problem> {
    Ok(totals_table(&state, &administrator, &query)
        .await?
        .answer(TableForm::Csv)?)
}

async fn totals_xlsx(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Query(query): Query<TotalsQuery>,
) -> Result<Response, Problem> {
    Ok(totals_table(&state, &administrator, &query)
        .await?
        .answer(TableForm::Excel)?)
}

/// The invoice, when the caller may see it.
async fn readable(state: &AppState, actor: &Actor, id: InvoiceId) -> Result<(Invoice, Reader), Problem> {
    let absent = || Problem::not_found("invoice");
    let invoice = state.services.invoices.get(id).await?.ok_or_else(absent)?;
    let reader = match actor {
        Actor::Terminal(terminal) => (invoice.merchant == terminal.facts.merchant).then_some(Reader::Merchant),
        Actor::Merchant { merchant, .. } => (invoice.merchant == *merchant).then_some(Reader::Merchant),
        Actor::Operator { .. } => Some(Reader::Payer),
        Actor::Person(person) if invoice.person == person.person => Some(Reader::Payer),
        Actor::Person(_) | Actor::Institution { .. } => {
            let member = match invoice.member {
                Some(member) => state.services.institutions.member(member).await?,
                None => None,
            };
            let may = match member {
                Some(member) => administers(&state.services, actor, member.institution).await?,
                None => false,
            };
            may.then_some(Reader::Payer)
        }
    };
    reader.map(|reader| (invoice, reader)).ok_or_else(absent)
}

async fn show(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path(Id(id)): Path<InvoiceRef>,
) -> Result<Json<IssuedView>, Problem> {
    let (invoice, reader) = readable(&state, &actor, id).await?;
    let files = state.services.processing.files_of(&invoice).await?;
    Ok(Json(IssuedView::of(
        invoice,
        reader,
        state.services.env.now_ms(),
        files,
    )))
}

async fn file(state: &AppState, actor: &Actor, id: InvoiceId, format: Format) -> Result<Response, Problem> {
    let (invoice, _) = readable(state, actor, id).await?;
    let bytes = state.services.processing.file_of(&invoice, format).await?;
    let bytes = bytes.ok_or_else(|| Problem::new(Code::NotFound, why_absent(&invoice, format)))?;
    Ok(files::document(&invoice, format, bytes))
}

/// Why an invoice that the caller may see has no such form.
fn why_absent(invoice: &Invoice, format: Format) -> &'static str {
    if !invoice.state.is_issued() {
        return "the document is not issued yet";
    }
    if invoice.origin == InvoiceOrigin::Reported {
        return "the merchant's own system issued it and keeps the document";
    }
    let is_fine = invoice.amount.currency.decimals() > 2;
    match format {
        Format::Ubl | Format::Cii | Format::XRechnung | Format::Peppol if is_fine => {
            "the document is a PDF alone: its amounts have three decimals, and EN 16931 knows two"
        }
        Format::XRechnung => {
            "the document lacks what XRechnung asks for, such as the buyer's reference or electronic address"
        }
        Format::Peppol => {
            "the document lacks what Peppol asks for, such as the buyer's reference or electronic address"
        }
        Format::Pdf | Format::Ubl | Format::Cii => "there is no such document",
    }
}

macro_rules! forms {
    ($($name:ident = $format:ident;)*) => {$(
        async fn $name(
            actor: AsAnybody,
            State(state): State<AppState>,
            Path(Id(id)): Path<InvoiceRef>,
        ) -> Result<Response, Problem> {
            file(&state, &actor, id, Format::$format).await
        }
    )*};
}

forms! {
    pdf = Pdf;
    ubl = Ubl;
    cii = Cii;
    xrechnung = XRechnung;
    peppol = Peppol;
}

/// A document on its way to one receiver.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Delivery")]
struct DeliveryView {
    id: DeliveryRef,
    /// `inbox` (the person's pages), `merchant` (its list) or `email`.
    #[schema(value_type = String, example = "email")]
    channel: &'static str,
    /// Only for the payer's side.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// `waiting`, `delivered` or `failed`.
    #[schema(value_type = String, example = "delivered")]
    state: &'static str,
    created_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<Moment>,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<Moment>,
    /// The oldest first.
    attempts: Vec<AttemptView>,
}

/// One attempt.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "DeliveryAttempt")]
struct AttemptView {
    at: Moment,
    /// Absent: it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl DeliveryView {
    fn of(delivery: Delivery, reader: Reader) -> Self {
        let attempt = |attempt: Attempt| AttemptView {
            at: Moment(attempt.at),
            problem: attempt.problem,
        };
        Self {
            id: Id(delivery.id),
            channel: delivery.channel.name(),
            state: delivery.state.name(),
            created_at: Moment(delivery.created_at),
            delivered_at: delivery.delivered_at.map(Moment),
            next_at: delivery.next_at.map(Moment),
            attempts: delivery.attempts.into_iter().map(attempt).collect(),
            address: match delivery.channel {
                Channel::Email(address) if reader == Reader::Payer => Some(address),
                Channel::Email(_) | Channel::Inbox | Channel::Merchant => None,
            },
        }
    }
}

async fn deliveries(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path(Id(id)): Path<InvoiceRef>,
) -> Result<Json<ListOf<DeliveryView>>, Problem> {
    let (invoice, reader) = readable(&state, &actor, id).await?;
    let deliveries = state.services.invoices.deliveries(invoice.id).await?;
    let views = deliveries
        .into_iter()
        .map(|delivery| DeliveryView::of(delivery, reader));
    Ok(Json(ListOf::whole(views.collect())))
}

async fn resend(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path((Id(id), Id(delivery))): Path<(InvoiceRef, DeliveryRef)>,
) -> Result<(StatusCode, Json<DeliveryView>), Problem> {
    let (invoice, reader) = readable(&state, &actor, id).await?;
    let due = state.services.invoices.resend(invoice.id, delivery).await?;
    let due = due.ok_or_else(|| Problem::not_found("delivery"))?;
    Ok((StatusCode::ACCEPTED, Json(DeliveryView::of(due, reader))))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"step": "confirm"}))]
struct RedLetterBody {
    /// `confirm` or `refuse` by the buyer; `withdraw` or `enter_again` by the seller.
    step: String,
}

async fn move_red_letter(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path(Id(id)): Path<InvoiceRef>,
    Json(body): Json<RedLetterBody>,
) -> Result<Json<IssuedView>, Problem> {
    let (step, whose) = match body.step.as_str() {
        "confirm" => (RedLetterMove::Confirm, Reader::Payer),
        "refuse" => (RedLetterMove::Refuse, Reader::Payer),
        "withdraw" => (RedLetterMove::Withdraw, Reader::Merchant),
        "enter_again" => (RedLetterMove::EnterAgain, Reader::Merchant),
        _ => return Err(Problem::invalid("step", "use confirm, refuse, withdraw or enter_again")),
    };
    let (invoice, reader) = readable(&state, &actor, id).await?;
    if reader != whose {
        return Err(Problem::new(Code::NotAllowed, "this step belongs to the other side"));
    }
    let moved = state.services.invoices.move_red_letter(invoice.id, step).await?;
    let moved = moved.map_err(|refusal| match refusal {
        RedLetterRefusal::Unknown => Problem::not_found("red-letter form"),
        RedLetterRefusal::State { .. } => Problem::new(Code::WrongState, refusal.to_string()),
    })?;
    Ok(Json(IssuedView::of(
        moved,
        reader,
        state.services.env.now_ms(),
        Vec::new(),
    )))
}

async fn whole_list(state: &AppState, actor: &Actor, query: &InvoicesQuery) -> Result<Table, Problem> {
    let (scope, reader) = scope_of(state, actor).await?;
    let (mut filter, _) = query.read()?;
    if reader == Reader::Merchant {
        (filter.person, filter.scenario) = (None, None);
    }
    let all = state
        .services
        .invoices
        .list_all(&scope, &filter, files::ROWS_MAX)
        .await?;
    Ok(Table::of_invoices(&all))
}

async fn export_csv(
    actor: AsAnybody,
    State(state): State<AppState>,
    Query(query): Query<InvoicesQuery>,
) -> Result<Response, Problem> {
    Ok(whole_list(&state, &actor, &query).await?.answer(TableForm::Csv)?)
}

async fn export_xlsx(
    actor: AsAnybody,
    State(state): State<AppState>,
    Query(query): Query<InvoicesQuery>,
) -> Result<Response, Problem> {
    Ok(whole_list(&state, &actor, &query).await?.answer(TableForm::Excel)?)
}
