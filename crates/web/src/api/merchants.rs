//! Merchants, their stores, terminals, keys and sales.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::ids::{MerchantId, PaymentId, TerminalId};
use onescan_domain::merchants::{Merchant, Store, Terminal, TerminalRole, TerminalTrust};
use onescan_platforms::access::KeyHolder;
use onescan_platforms::merchants::{NewMerchant, NewStore, NewTerminal};
use onescan_platforms::payments::{Page, Sale, SalesFilter, SalesTotal};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::endpoint::{Caller, Endpoint, delete, get, post};
use super::extract::{Json, Path, Query};
use super::keys::{self, KeyView, NewKey, NewKeyView};
use super::wire::{
    AccountRef, Amount, CurrencyCode, Id, KeyRef, ListOf, MerchantRef, Moment, PageQuery, PaymentRef, StoreRef,
    TerminalRef,
};
use crate::AppState;
use crate::auth::{AsMerchant, AsMerchantReader, AsOperator, AsTerminal};
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let all = [
        post("/v1/merchants", create)
            .says("createMerchant", "Make a merchant")
            .caller(Caller::Operator)
            .takes::<NewMerchantBody>()
            .answers::<MerchantView>(StatusCode::CREATED, "The merchant, with an empty account")
            .refuses(&[Code::InvalidFields]),
        get("/v1/merchants", list)
            .says("listMerchants", "All merchants")
            .caller(Caller::Operator)
            .query::<PageQuery>()
            .answers::<ListOf<MerchantView>>(StatusCode::OK, "The oldest first"),
        get("/v1/merchants/{merchant}", show)
            .says("getMerchant", "A merchant")
            .caller(Caller::MerchantReader)
            .answers::<MerchantView>(StatusCode::OK, "The merchant"),
        post("/v1/merchants/{merchant}/stores", add_store)
            .says("addStore", "Add a store")
            .caller(Caller::Merchant)
            .takes::<NewStoreBody>()
            .answers::<StoreView>(StatusCode::CREATED, "The store")
            .refuses(&[Code::InvalidFields]),
        get("/v1/merchants/{merchant}/stores", stores)
            .says("listStores", "Stores")
            .caller(Caller::MerchantReader)
            .answers::<ListOf<StoreView>>(StatusCode::OK, "All of them"),
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
    let all = all.into_iter().chain(terminal_endpoints()).chain(key_endpoints());
    all.map(|endpoint| endpoint.tag("merchants")).collect()
}

fn terminal_endpoints() -> [Endpoint; 6] {
    [
        get("/v1/terminals/current", current)
            .says("getCurrentTerminal", "Which terminal you are")
            .caller(Caller::Terminal)
            .answers::<CurrentTerminal>(StatusCode::OK, "You"),
        post("/v1/merchants/{merchant}/terminals", add_terminal)
            .says("addTerminal", "Add a terminal with its first key")
            .caller(Caller::Merchant)
            .takes::<NewTerminalBody>()
            .answers::<NewTerminalView>(StatusCode::CREATED, "The terminal; the key's secret is shown once")
            .refuses(&[Code::InvalidFields]),
        get("/v1/merchants/{merchant}/terminals", terminals)
            .says("listTerminals", "Terminals")
            .caller(Caller::MerchantReader)
            .answers::<ListOf<TerminalView>>(StatusCode::OK, "All of them"),
        get("/v1/merchants/{merchant}/terminals/{terminal}/keys", terminal_keys)
            .says("listTerminalKeys", "A terminal's keys")
            .caller(Caller::Merchant)
            .answers::<ListOf<KeyView>>(StatusCode::OK, "Revoked ones too"),
        post("/v1/merchants/{merchant}/terminals/{terminal}/keys", issue_terminal_key)
            .says("issueTerminalKey", "Make another key for a terminal")
            .caller(Caller::Merchant)
            .takes::<NewKey>()
            .answers::<NewKeyView>(StatusCode::CREATED, "The key; its secret is shown once")
            .refuses(&[Code::InvalidFields]),
        delete(
            "/v1/merchants/{merchant}/terminals/{terminal}/keys/{key}",
            revoke_terminal_key,
        )
        .says("revokeTerminalKey", "Revoke a terminal's key")
        .caller(Caller::Merchant)
        .answers_empty("Worth nothing from now on"),
    ]
}

fn key_endpoints() -> [Endpoint; 3] {
    [
        get("/v1/merchants/{merchant}/keys", merchant_keys)
            .says("listMerchantKeys", "Keys of the merchant's back office")
            .caller(Caller::Merchant)
            .answers::<ListOf<KeyView>>(StatusCode::OK, "Revoked ones too"),
        post("/v1/merchants/{merchant}/keys", issue_merchant_key)
            .says("issueMerchantKey", "Make a key for the merchant's back office")
            .caller(Caller::Merchant)
            .takes::<NewKey>()
            .answers::<NewKeyView>(StatusCode::CREATED, "The key; its secret is shown once")
            .refuses(&[Code::InvalidFields]),
        delete("/v1/merchants/{merchant}/keys/{key}", revoke_merchant_key)
            .says("revokeMerchantKey", "Revoke a back office's key")
            .caller(Caller::Merchant)
            .answers_empty("Worth nothing from now on"),
    ]
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Café Mocha", "category": "5814", "currency": "EUR"}))]
struct NewMerchantBody {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// ISO 18245, four digits.
    #[schema(pattern = "^[0-9]{4}$")]
    category: String,
    currency: CurrencyCode,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Merchant")]
struct MerchantView {
    id: MerchantRef,
    name: String,
    /// ISO 18245, four digits.
    #[schema(example = "5814")]
    category: String,
    currency: CurrencyCode,
    account: AccountRef,
    created_at: Moment,
}

impl From<&Merchant> for MerchantView {
    fn from(merchant: &Merchant) -> Self {
        Self {
            id: Id(merchant.id),
            name: merchant.name.clone(),
            category: format!("{:04}", merchant.category),
            currency: CurrencyCode(merchant.currency),
            account: Id(merchant.account),
            created_at: Moment(merchant.created_at),
        }
    }
}

async fn create(
    _: AsOperator,
    State(state): State<AppState>,
    Json(body): Json<NewMerchantBody>,
) -> Result<(StatusCode, Json<MerchantView>), Problem> {
    let new = NewMerchant {
        name: body.name,
        category: body.category,
        currency: body.currency.0,
    };
    let made = state.services.merchants.create(new).await??;
    Ok((StatusCode::CREATED, Json((&made).into())))
}

async fn list(
    _: AsOperator,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ListOf<MerchantView>>, Problem> {
    let (after, limit) = query.read::<MerchantId>()?;
    let found = state.services.merchants.list(after, limit).await?;
    let items = found.iter().map(MerchantView::from).collect();
    Ok(Json(ListOf::page(items, limit, |item: &MerchantView| {
        item.id.0.to_string()
    })))
}

async fn show(merchant: AsMerchantReader) -> Json<MerchantView> {
    Json((&*merchant).into())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Station", "city": "Utsunomiya"}))]
struct NewStoreBody {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Where it differs from the merchant's.
    #[schema(pattern = "^[0-9]{4}$")]
    category: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    city: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Store")]
struct StoreView {
    id: StoreRef,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    city: String,
}

impl From<Store> for StoreView {
    fn from(store: Store) -> Self {
        Self {
            id: Id(store.id),
            name: store.name,
            category: store.category.map(|category| format!("{category:04}")),
            city: store.city,
        }
    }
}

async fn add_store(
    merchant: AsMerchant,
    State(state): State<AppState>,
    Json(body): Json<NewStoreBody>,
) -> Result<(StatusCode, Json<StoreView>), Problem> {
    let new = NewStore {
        name: body.name,
        category: body.category,
        city: body.city,
    };
    let added = state.services.merchants.add_store(merchant.id, new).await??;
    Ok((StatusCode::CREATED, Json(added.into())))
}

async fn stores(merchant: AsMerchantReader, State(state): State<AppState>) -> Result<Json<ListOf<StoreView>>, Problem> {
    let stores = state.services.merchants.stores(merchant.id).await?;
    Ok(Json(ListOf::whole(stores.into_iter().map(StoreView::from).collect())))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RoleName {
    /// Takes payments.
    Cashier,
    /// Scans the code again for the invoice details.
    Invoice,
}

/// How much a terminal is told when a code fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TrustName {
    /// Each failure has its own reminder.
    #[default]
    Full,
    /// Unknown, used and expired codes look alike.
    Limited,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTerminalBody {
    store: StoreRef,
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    role: RoleName,
    #[serde(default)]
    trust: TrustName,
    /// Whether it may mark a code as paid elsewhere.
    #[serde(default)]
    may_assert_paid: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Terminal")]
struct TerminalView {
    id: TerminalRef,
    merchant: MerchantRef,
    store: StoreRef,
    name: String,
    /// `cashier` or `invoice`.
    #[schema(value_type = String, example = "cashier")]
    role: &'static str,
    /// `full` or `limited`.
    #[schema(value_type = String, example = "full")]
    trust: &'static str,
    may_assert_paid: bool,
    created_at: Moment,
}

impl From<&Terminal> for TerminalView {
    fn from(terminal: &Terminal) -> Self {
        Self {
            id: Id(terminal.id),
            merchant: Id(terminal.merchant),
            store: Id(terminal.store),
            name: terminal.name.clone(),
            role: terminal.role.name(),
            trust: terminal.trust.name(),
            may_assert_paid: terminal.may_assert_paid,
            created_at: Moment(terminal.created_at),
        }
    }
}

/// A new terminal with its first key.
#[derive(Serialize, ToSchema)]
#[schema(title = "NewTerminal")]
struct NewTerminalView {
    terminal: TerminalView,
    key: NewKeyView,
}

async fn add_terminal(
    merchant: AsMerchant,
    State(state): State<AppState>,
    Json(body): Json<NewTerminalBody>,
) -> Result<(StatusCode, Json<NewTerminalView>), Problem> {
    let new = NewTerminal {
        store: body.store.0,
        name: body.name,
        role: match body.role {
            RoleName::Cashier => TerminalRole::Cashier,
            RoleName::Invoice => TerminalRole::Invoice,
        },
        trust: match body.trust {
            TrustName::Full => TerminalTrust::Full,
            TrustName::Limited => TerminalTrust::Limited,
        },
        may_assert_paid: body.may_assert_paid,
    };
    let (terminal, key) = state.services.merchants.add_terminal(merchant.id, new).await??;
    let view = NewTerminalView {
        terminal: (&terminal).into(),
        key: key.into(),
    };
    Ok((StatusCode::CREATED, Json(view)))
}

async fn terminals(
    merchant: AsMerchantReader,
    State(state): State<AppState>,
) -> Result<Json<ListOf<TerminalView>>, Problem> {
    let terminals = state.services.merchants.terminals(merchant.id).await?;
    Ok(Json(ListOf::whole(terminals.iter().map(TerminalView::from).collect())))
}

/// The terminal a key belongs to.
#[derive(Debug, Serialize, ToSchema)]
struct CurrentTerminal {
    terminal: TerminalView,
    merchant_name: String,
    /// ISO 18245; of the store, else of the merchant.
    category: String,
    city: String,
    currency: CurrencyCode,
}

async fn current(terminal: AsTerminal) -> Json<CurrentTerminal> {
    Json(CurrentTerminal {
        terminal: (&terminal.terminal).into(),
        merchant_name: terminal.merchant_name.clone(),
        category: format!("{:04}", terminal.facts.category),
        city: terminal.facts.city.clone(),
        currency: CurrencyCode(terminal.currency),
    })
}

/// The terminal of this merchant, as a holder of keys.
async fn key_holder(state: &AppState, merchant: MerchantId, id: TerminalId) -> Result<KeyHolder, Problem> {
    let found = state.services.merchants.find_terminal(id).await?;
    match found.filter(|terminal| terminal.merchant == merchant) {
        Some(terminal) => Ok(KeyHolder::Terminal(terminal.id)),
        None => Err(Problem::not_found("terminal")),
    }
}

async fn terminal_keys(
    merchant: AsMerchant,
    State(state): State<AppState>,
    Path((_, Id(terminal))): Path<(MerchantRef, TerminalRef)>,
) -> Result<Json<ListOf<KeyView>>, Problem> {
    let holder = key_holder(&state, merchant.id, terminal).await?;
    keys::list(&state, holder).await
}

async fn issue_terminal_key(
    merchant: AsMerchant,
    State(state): State<AppState>,
    Path((_, Id(terminal))): Path<(MerchantRef, TerminalRef)>,
    Json(body): Json<NewKey>,
) -> Result<(StatusCode, Json<NewKeyView>), Problem> {
    let holder = key_holder(&state, merchant.id, terminal).await?;
    keys::issue(&state, holder, &body).await
}

async fn revoke_terminal_key(
    merchant: AsMerchant,
    State(state): State<AppState>,
    Path((_, Id(terminal), Id(key))): Path<(MerchantRef, TerminalRef, KeyRef)>,
) -> Result<StatusCode, Problem> {
    let holder = key_holder(&state, merchant.id, terminal).await?;
    keys::revoke(&state, holder, key).await
}

async fn merchant_keys(merchant: AsMerchant, State(state): State<AppState>) -> Result<Json<ListOf<KeyView>>, Problem> {
    keys::list(&state, KeyHolder::Merchant(merchant.id)).await
}

async fn issue_merchant_key(
    merchant: AsMerchant,
    State(state): State<AppState>,
    Json(body): Json<NewKey>,
) -> Result<(StatusCode, Json<NewKeyView>), Problem> {
    keys::issue(&state, KeyHolder::Merchant(merchant.id), &body).await
}

async fn revoke_merchant_key(
    merchant: AsMerchant,
    State(state): State<AppState>,
    Path((_, Id(key))): Path<(MerchantRef, KeyRef)>,
) -> Result<StatusCode, Problem> {
    keys::revoke(&state, KeyHolder::Merchant(merchant.id), key).await
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
