//! What a merchant sold, and its sums.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::ids::{MerchantId, PaymentId};
use onescan_platforms::payments::{Page, Sale, SalesFilter, SalesTotal};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::endpoint::{Caller, Endpoint, get};
use super::extract::{Json, Query};
use super::wire::{Amount, CurrencyCode, Id, ListOf, Moment, PageQuery, PaymentRef, StoreRef, TerminalRef};
use crate::AppState;
use crate::auth::AsMerchantReader;
use crate::problem::Problem;

pub fn endpoints() -> Vec<Endpoint> {
    let both = [
        get("/v1/merchants/{merchant}/sales", sales)
            .says("listSales", "What was sold")
            .about("A moment after the payment. Newest first.")
            .caller(Caller::MerchantReader)
            .query::<SalesQuery>()
            .answers::<ListOf<SaleView>>(StatusCode::OK, "A page"),
        get("/v1/merchants/{merchant}/sales/total", total)
            .says("totalSales", "Sums over sales")
            .about("One per currency. Refunds count when their sale was paid in the window.")
            .caller(Caller::MerchantReader)
            .query::<WindowQuery>()
            .answers::<ListOf<SalesTotalView>>(StatusCode::OK, "The sums"),
    ];
    both.into_iter().map(|endpoint| endpoint.tag("merchants")).collect()
}

/// Which sales: paid from `from` on and before `until`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WindowQuery {
    /// Included; the beginning when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Moment>,
    /// Not included; the end when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Moment>,
    /// One terminal's only.
    #[param(value_type = Option<String>)]
    terminal: Option<TerminalRef>,
}

/// A page of them.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SalesQuery {
    /// Included; the beginning when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Moment>,
    /// Not included; the end when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Moment>,
    /// One terminal's only.
    #[param(value_type = Option<String>)]
    terminal: Option<TerminalRef>,
    /// The last payment of the page before, as `next` told it.
    #[param(pattern = "^pay_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    after: Option<String>,
    /// How many at most; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

impl WindowQuery {
    fn filter(&self, merchant: MerchantId) -> SalesFilter {
        SalesFilter {
            merchant,
            terminal: self.terminal.map(|Id(terminal)| terminal),
            from: self.from.map_or(0, |from| from.0),
            until: self.until.map_or(i64::MAX, |until| until.0),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Sale")]
struct SaleView {
    payment: PaymentRef,
    store: StoreRef,
    terminal: TerminalRef,
    order_number: String,
    amount: Amount,
    refunded_minor: i64,
    paid_at: Moment,
    /// Whether it was undone as a whole.
    reversed: bool,
}

impl From<Sale> for SaleView {
    fn from(sale: Sale) -> Self {
        Self {
            payment: Id(sale.payment),
            store: Id(sale.store),
            terminal: Id(sale.terminal),
            order_number: sale.order_number,
            amount: sale.amount.into(),
            refunded_minor: sale.refunded_minor,
            paid_at: Moment(sale.paid_at),
            reversed: sale.reversed,
        }
    }
}

/// Sums over sales in one currency.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "SalesTotal")]
struct SalesTotalView {
    currency: CurrencyCode,
    count: i64,
    amount_minor: i64,
    refunded_minor: i64,
}

impl From<SalesTotal> for SalesTotalView {
    fn from(total: SalesTotal) -> Self {
        Self {
            currency: CurrencyCode(total.currency),
            count: total.count,
            amount_minor: total.amount_minor,
            refunded_minor: total.refunded_minor,
        }
    }
}

async fn sales(
    merchant: AsMerchantReader,
    State(state): State<AppState>,
    Query(query): Query<SalesQuery>,
) -> Result<Json<ListOf<SaleView>>, Problem> {
    let (from, until, terminal) = (query.from, query.until, query.terminal);
    let asked = PageQuery {
        after: query.after,
        limit: query.limit,
    };
    let page: Page = asked.page::<PaymentId>()?;
    let limit = page.limit;
    let filter = WindowQuery { from, until, terminal }.filter(merchant.id);
    let found = state.services.payments.sales(filter, page).await?;
    let items = found.into_iter().map(SaleView::from).collect();
    Ok(Json(ListOf::page(items, limit, |sale| sale.payment.0.to_string())))
}

async fn total(
    merchant: AsMerchantReader,
    State(state): State<AppState>,
    Query(query): Query<WindowQuery>,
) -> Result<Json<ListOf<SalesTotalView>>, Problem> {
    let totals = state.services.payments.sales_total(query.filter(merchant.id)).await?;
    Ok(Json(ListOf::whole(
        totals.into_iter().map(SalesTotalView::from).collect(),
    )))
}
