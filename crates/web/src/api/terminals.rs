//! Terminals and their keys.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::ids::{MerchantId, TerminalId};
use onescan_domain::merchants::{Terminal, TerminalRole, TerminalTrust};
use onescan_platforms::access::KeyHolder;
use onescan_platforms::merchants::NewTerminal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, delete, get, post};
use super::extract::{Json, Path};
use super::keys::{self, KeyView, NewKey, NewKeyView};
use super::wire::{CurrencyCode, Id, KeyRef, ListOf, MerchantRef, Moment, StoreRef, TerminalRef};
use crate::AppState;
use crate::auth::{AsMerchant, AsMerchantReader, AsTerminal};
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let all = [
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
    ];
    all.into_iter().map(|endpoint| endpoint.tag("merchants")).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TerminalRoleName {
    /// Takes payments.
    Cashier,
    /// Scans the code again for the invoice details.
    Invoice,
    /// Reads ride codes of a ride provider's passengers.
    Gate,
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
    role: TerminalRoleName,
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
    /// `cashier`, `invoice` or `gate`.
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
            TerminalRoleName::Cashier => TerminalRole::Cashier,
            TerminalRoleName::Invoice => TerminalRole::Invoice,
            TerminalRoleName::Gate => TerminalRole::Gate,
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
