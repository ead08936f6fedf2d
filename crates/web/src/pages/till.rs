//! The cashier's page: an amount and a code become a verdict. Rows S12-S16, S19.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::HeaderMap;
use onescan_domain::codes::CodeText;
use onescan_domain::ids::PaymentId;
use onescan_domain::money::{Money, MoneyError};
use onescan_domain::payments::{PayError, Payment, PaymentState};
use onescan_domain::profiles::{DeliveryChannel, InvoiceProfile};
use onescan_domain::text;
use onescan_platforms::access::TerminalActor;
use onescan_platforms::env::{Env, hex};
use onescan_platforms::payments::{CaptureMode, Page as ListPage, PayRequest, Sale, SalesFilter, SalesTotal};
use onescan_platforms::processing::delivery::Delivered;
use onescan_platforms::processing::payment::ProfileDelivery;
use serde::Deserialize;

use super::error::{PageError, PageResult, wants_part};
use super::page::Page;
use super::payment_view::{Told, reasons, state_key, tone};
use super::scan_text::{Reminder, mistyped, not_paid};
use super::visit::TillVisit;
use super::{html, unchanged};
use crate::{AppState, i18n};

/// What stands in the form: kept for the next attempt, or fresh for the next buyer.
struct TillForm {
    amount: String,
    subject: String,
    order_number: String,
    /// One per screen: however often it is sent, it pays once.
    key: String,
}

impl TillForm {
    fn fresh(env: &Env, now: i64, page: &Page) -> Self {
        Self {
            amount: String::new(),
            subject: String::new(),
            order_number: order_number(env, now, page),
            key: hex(&env.bytes::<16>()),
        }
    }
}

/// `261123-150405-3f9a`: local date and clock, and four hexadecimal digits against two tills at once.
fn order_number(env: &Env, now: i64, page: &Page) -> String {
    let instant = jiff::Timestamp::from_millisecond(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let local = instant.to_zoned(page.zone.clone());
    format!("{}-{}", local.strftime("%y%m%d-%H%M%S"), hex(&env.bytes::<2>()))
}

/// What a charge came to.
enum Verdict {
    /// Nothing was charged yet.
    Ready,
    Done(Box<Done>),
    /// Nothing was paid and the code is not used up by this.
    NotPaid {
        reminder: Reminder,
        receipt: Option<PaymentId>,
        asks_code: bool,
    },
}

struct Done {
    payment: Payment,
    tone: super::payment_view::Tone,
    state: &'static str,
    reasons: Vec<String>,
    profile: Buyer,
}

/// What the till knows of the buyer's details.
enum Buyer {
    /// Nothing is asked, because nothing was paid.
    NoMatter,
    None,
    Profile(Box<InvoiceProfile>),
    Asking {
        until: i64,
    },
    Later,
}

impl From<Delivered> for Buyer {
    fn from(delivered: Delivered) -> Self {
        match delivered {
            Delivered::None => Self::None,
            Delivered::Profile(profile) => Self::Profile(profile),
            Delivered::Asking { until } => Self::Asking { until },
            Delivered::Later => Self::Later,
        }
    }
}

#[derive(Template)]
#[template(path = "till.html")]
struct TillPage<'a> {
    page: &'a Page,
    actor: &'a TerminalActor,
    form: TillForm,
    verdict: Verdict,
}

#[derive(Template)]
#[template(path = "till_verdict.html")]
struct VerdictPart<'a> {
    page: &'a Page,
    form: TillForm,
    verdict: Verdict,
}

pub async fn show(State(state): State<AppState>, visit: TillVisit) -> PageResult {
    let env = &state.services.env;
    let form = TillForm::fresh(env, env.now_ms(), &visit.page);
    html(&TillPage {
        page: &visit.page,
        actor: &visit.actor,
        form,
        verdict: Verdict::Ready,
    })
}

#[derive(Deserialize)]
pub struct Charge {
    amount: String,
    code: String,
    #[serde(default)]
    subject: String,
    order_number: String,
    key: String,
}

/// Pays once per screen: the key in the form makes a second press the same request. Rows S12-S16.
pub async fn charge(
    State(state): State<AppState>,
    visit: TillVisit,
    headers: HeaderMap,
    Form(sent): Form<Charge>,
) -> PageResult {
    let page = &visit.page;
    let verdict = match pay_request(page, &visit.actor, &sent) {
        Err(reminder) => Verdict::NotPaid {
            reminder,
            receipt: None,
            asks_code: true,
        },
        Ok(request) => {
            let answer = state
                .services
                .processing
                .pay(request, ProfileDelivery::WithResult)
                .await?;
            match answer {
                Ok(paid) => done(page, paid.outcome.payment, paid.profile),
                Err(error) => refused(&state, page, &visit.actor, &error).await?,
            }
        }
    };
    let form = next_form(&state, page, &sent, &verdict);
    match wants_part(&headers) {
        true => html(&VerdictPart { page, form, verdict }),
        false => html(&TillPage {
            page,
            actor: &visit.actor,
            form,
            verdict,
        }),
    }
}

fn pay_request(page: &Page, actor: &TerminalActor, sent: &Charge) -> Result<PayRequest, Reminder> {
    let amount = parse_amount(page, actor, &sent.amount)?;
    let text = CodeText::parse(&sent.code).map_err(|error| mistyped(page, &error))?;
    let order_number = text::line(&sent.order_number, 64).map_err(|_| Reminder::of(page, "order-number-shape"))?;
    let subject = text::optional_line(Some(&sent.subject), 200).map_err(|_| Reminder::of(page, "subject-shape"))?;
    let is_key = (1..=255).contains(&sent.key.len()) && sent.key.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_key {
        return Err(Reminder::of(page, "form-sent-before"));
    }
    Ok(PayRequest {
        text,
        terminal: actor.facts.clone(),
        order_number,
        amount,
        subject,
        capture: CaptureMode::Now,
        idempotency_key: sent.key.clone(),
    })
}

pub fn parse_amount(page: &Page, actor: &TerminalActor, text: &str) -> Result<Money, Reminder> {
    let parsed = Money::parse_decimal(text, actor.currency);
    let positive = parsed.and_then(|money| Money::positive(money.minor, money.currency));
    positive.map_err(|error| match error {
        MoneyError::NotPositive => Reminder::of(page, "amount-zero"),
        MoneyError::Overflow => Reminder::of(page, "amount-large"),
        MoneyError::NotDecimal { .. } | MoneyError::CurrencyMismatch { .. } => Reminder::of(page, "amount-shape"),
    })
}

fn done(page: &Page, payment: Payment, profile: Option<Delivered>) -> Verdict {
    Verdict::Done(Box::new(Done {
        tone: tone(&payment.state),
        state: state_key(&payment),
        reasons: reasons(page.language, &payment, Told::RuleOnly),
        profile: profile.map_or(Buyer::NoMatter, Buyer::from),
        payment,
    }))
}

async fn refused(state: &AppState, page: &Page, actor: &TerminalActor, error: &PayError) -> PageResult<Verdict> {
    use onescan_domain::codes::CodeRefusal;
    let named = match error {
        PayError::OrderConflict { payment } | PayError::Code(CodeRefusal::Used { payment }) => Some(*payment),
        PayError::KeyRevoked | PayError::TerminalLocked { .. } | PayError::KeyConflict | PayError::Code(_) => None,
    };
    // Only this merchant's own payment is shown behind the reminder.
    let own = match named {
        Some(id) => {
            state
                .services
                .processing
                .payment_of_merchant(actor.facts.merchant, id)
                .await?
        }
        None => None,
    };
    let receipt = own.map(|payment| payment.id);
    Ok(Verdict::NotPaid {
        reminder: not_paid(page, actor, error),
        receipt,
        asks_code: true,
    })
}

/// A paid screen is ready for the next buyer; a refused one keeps amount and order number for another code, under a new
/// key. An order number that is taken is replaced.
fn next_form(state: &AppState, page: &Page, sent: &Charge, verdict: &Verdict) -> TillForm {
    let env = &state.services.env;
    let fresh = TillForm::fresh(env, env.now_ms(), page);
    let is_paid = match verdict {
        Verdict::Done(done) => !matches!(done.payment.state, PaymentState::Refused { .. }),
        Verdict::NotPaid { receipt, .. } => receipt.is_some(),
        Verdict::Ready => false,
    };
    if is_paid && matches!(verdict, Verdict::Done(_)) {
        return fresh;
    }
    TillForm {
        amount: sent.amount.clone(),
        subject: sent.subject.clone(),
        order_number: if is_paid {
            fresh.order_number
        } else {
            sent.order_number.clone()
        },
        key: fresh.key,
    }
}

#[derive(Template)]
#[template(path = "till_buyer.html")]
struct BuyerPart<'a> {
    page: &'a Page,
    buyer: Buyer,
    payment: &'a str,
}

#[derive(Debug, Deserialize)]
pub struct Shown {
    shown: Option<String>,
}

/// The buyer's details fetched quietly after the result: nothing new while the buyer is choosing. Rows S16, S19.
pub async fn profile(
    State(state): State<AppState>,
    visit: TillVisit,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
) -> PageResult {
    let payment = own_payment(&state, &visit, &id).await?;
    let buyer = Buyer::from(state.services.processing.profile_of(&payment).await?);
    match (&buyer, shown.shown.as_deref()) {
        (Buyer::Asking { .. }, Some("asking")) | (Buyer::Later, Some("later")) => Ok(unchanged()),
        (_, _) => html(&BuyerPart {
            page: &visit.page,
            buyer,
            payment: &id,
        }),
    }
}

/// A payment of this terminal's merchant; another's reads as absent.
pub async fn own_payment(state: &AppState, visit: &TillVisit, id: &str) -> PageResult<Payment> {
    let id: PaymentId = id.parse().map_err(|_| PageError::NotFound)?;
    let found = state
        .services
        .processing
        .payment_of_merchant(visit.actor.facts.merchant, id)
        .await?;
    found.ok_or(PageError::NotFound)
}

#[derive(Template)]
#[template(path = "sales.html")]
struct SalesPage<'a> {
    page: &'a Page,
    sales: Vec<Sale>,
    totals: Vec<SalesTotal>,
    search: &'a str,
    date: String,
}

#[derive(Debug, Deserialize)]
pub struct Search {
    search: Option<String>,
}

/// Today's sales of the merchant, with the day's total. The list follows the payments by a moment.
pub async fn sales(State(state): State<AppState>, visit: TillVisit, Query(query): Query<Search>) -> PageResult {
    let page = &visit.page;
    let now = state.services.env.now_ms();
    let (from, until) = i18n::day_bounds(now, &page.zone);
    let filter = SalesFilter {
        merchant: visit.actor.facts.merchant,
        terminal: None,
        from,
        until,
    };
    let totals = state.services.payments.sales_total(filter.clone()).await?;
    let all = state
        .services
        .payments
        .sales(
            filter,
            ListPage {
                after: None,
                limit: 200,
            },
        )
        .await?;
    let search = query.search.as_deref().map(str::trim).unwrap_or_default();
    let sales = all.into_iter().filter(|sale| matches_search(sale, search)).collect();
    html(&SalesPage {
        page,
        sales,
        totals,
        search,
        date: page.language.date(now, &page.zone),
    })
}

/// By order number, payment number or amount.
fn matches_search(sale: &Sale, search: &str) -> bool {
    let wanted = search.to_lowercase();
    let amount = sale.amount.to_decimal();
    wanted.is_empty()
        || sale.order_number.to_lowercase().contains(&wanted)
        || sale.payment.to_string().contains(&wanted)
        || amount.starts_with(&wanted.replace(',', "."))
}
