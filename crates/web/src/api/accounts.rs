//! Accounts and what moved on them.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use onescan_domain::ids::{AccountId, IdError, InstitutionId, MemberId, MerchantId, PersonId, TransferId};
use onescan_domain::payments::ledger::{Account, AccountKind, Transfer, TransferKind};
use onescan_platforms::access::Actor;
use onescan_platforms::env::fingerprint;
use onescan_platforms::error::PlatformError;
use onescan_platforms::payments::{Idempotency, MoveRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, get};
use super::extract::{IdempotencyKey, Json, Path, Query};
use super::payments::replay_header;
use super::wire::{AccountRef, Amount, CurrencyCode, Id, ListOf, Moment, PageQuery, PaymentRef, TransferRef, Wrong};
use crate::AppState;
use crate::auth::{AsAnybody, administers};
use crate::problem::Problem;

pub fn endpoints() -> Vec<Endpoint> {
    let both = [
        get("/v1/accounts/{account}", show)
            .says("getAccount", "An account with its balance")
            .caller(Caller::Anybody)
            .answers::<AccountView>(StatusCode::OK, "The account"),
        get("/v1/accounts/{account}/transfers", transfers)
            .says("listTransfers", "What moved on an account")
            .about("Newest first. The balance is the sum of credits minus debits of all rows that moved.")
            .caller(Caller::Anybody)
            .query::<PageQuery>()
            .answers::<ListOf<TransferView>>(StatusCode::OK, "A page of transfers"),
    ];
    both.into_iter().map(|endpoint| endpoint.tag("institutions")).collect()
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Account")]
pub struct AccountView {
    pub id: AccountRef,
    /// `person`, `institution`, `sub_institution`, `member`, `merchant`, or one of the operator's own.
    #[schema(value_type = String, example = "institution")]
    pub kind: &'static str,
    pub name: String,
    pub currency: CurrencyCode,
    /// Credits minus debits, in minor units.
    pub posted_minor: i64,
    /// Held for payments that are not captured yet.
    pub held_minor: i64,
    /// What can be spent now.
    pub available_minor: i64,
}

impl From<Account> for AccountView {
    fn from(account: Account) -> Self {
        Self {
            id: Id(account.id),
            kind: account.kind.name(),
            available_minor: account.available_minor(),
            name: account.name,
            currency: CurrencyCode(account.currency),
            posted_minor: account.posted_minor,
            held_minor: account.held_minor,
        }
    }
}

/// Money from one account to another; never changed, never deleted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Transfer")]
pub struct TransferView {
    pub id: TransferRef,
    pub debit: AccountRef,
    pub credit: AccountRef,
    pub amount: Amount,
    /// `top_up`, `allotment`, `payment`, `refund`, `reversal`, `merchant_payment`, `merchant_refund` or `correction`.
    #[schema(value_type = String, example = "top_up")]
    pub kind: &'static str,
    /// `posted`, `pending`, or what resolves a pending one: `posts`, `voids`, `expires`.
    #[schema(value_type = String, example = "posted")]
    pub phase: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentRef>,
    /// The transfer this one undoes or corrects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrects: Option<TransferRef>,
    pub created_at: Moment,
}

impl From<Transfer> for TransferView {
    fn from(transfer: Transfer) -> Self {
        Self {
            id: Id(transfer.id),
            debit: Id(transfer.debit),
            credit: Id(transfer.credit),
            amount: transfer.amount.into(),
            kind: transfer.kind.name(),
            phase: transfer.phase.name(),
            payment: transfer.payment.map(Id),
            corrects: transfer.corrects.map(Id),
            created_at: Moment(transfer.created_at),
        }
    }
}

async fn show(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path(Id(id)): Path<AccountRef>,
) -> Result<Json<AccountView>, Problem> {
    readable(&state, &actor, id).await.map(|account| Json(account.into()))
}

async fn transfers(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path(Id(id)): Path<AccountRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ListOf<TransferView>>, Problem> {
    let page = query.page::<TransferId>()?;
    let limit = page.limit;
    readable(&state, &actor, id).await?;
    let found = state.services.payments.transfers(id, page).await?;
    let items = found.into_iter().map(TransferView::from).collect();
    Ok(Json(ListOf::page(items, limit, |transfer| transfer.id.0.to_string())))
}

/// The account, when it is the actor's or of an institution the actor administers; else not found.
async fn readable(state: &AppState, actor: &Actor, id: AccountId) -> Result<Account, Problem> {
    let absent = || Problem::not_found("account");
    let account = state.services.payments.account(id).await?.ok_or_else(absent)?;
    match may_read(state, actor, &account).await? {
        true => Ok(account),
        false => Err(absent()),
    }
}

async fn may_read(state: &AppState, actor: &Actor, account: &Account) -> Result<bool, PlatformError> {
    if matches!(actor, Actor::Operator { .. }) {
        return Ok(true);
    }
    let owner = &account.owner;
    let wrong = |error: IdError| PlatformError::internal(error);
    match account.kind {
        AccountKind::Person => {
            let owner = PersonId::from_stored(owner).map_err(wrong)?;
            Ok(matches!(actor, Actor::Person(person) if person.person == owner))
        }
        AccountKind::Institution | AccountKind::SubInstitution => {
            let owner = InstitutionId::from_stored(owner).map_err(wrong)?;
            administers(&state.services, actor, owner).await
        }
        AccountKind::Member => {
            let owner = MemberId::from_stored(owner).map_err(wrong)?;
            let Some(member) = state.services.institutions.member(owner).await? else {
                return Ok(false);
            };
            let own = matches!(actor, Actor::Person(person) if person.person == member.person);
            Ok(own || administers(&state.services, actor, member.institution).await?)
        }
        AccountKind::Merchant => {
            let owner = MerchantId::from_stored(owner).map_err(wrong)?;
            Ok(matches!(actor, Actor::Merchant { merchant, .. } if *merchant == owner))
        }
        AccountKind::Clearing | AccountKind::Bank | AccountKind::Suspense => Ok(false),
    }
}

/// Money from the operator's bank to an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"amount": {"amount_minor": 50000, "currency": "EUR"}}))]
pub struct NewTopUp {
    pub amount: Amount,
}

/// Tops up `credit` on behalf of the operator.
pub async fn top_up(
    state: &AppState,
    caller: String,
    key: IdempotencyKey,
    credit: AccountId,
    amount: Amount,
) -> Result<Response, Problem> {
    let moving = Moving {
        kind: TransferKind::TopUp,
        debit: None,
        credit,
        amount,
    };
    moving.run(state, caller, key).await
}

/// Money that is to move by an operator's or administrator's word.
#[derive(Debug)]
pub struct Moving {
    pub kind: TransferKind,
    /// `None`: the operator's bank.
    pub debit: Option<AccountId>,
    pub credit: AccountId,
    pub amount: Amount,
}

impl Moving {
    /// 201 with the transfer, also for a repeat.
    pub async fn run(self, state: &AppState, caller: String, key: IdempotencyKey) -> Result<Response, Problem> {
        let mut wrong = Wrong::default();
        let amount = wrong.positive("amount", self.amount);
        wrong.finish()?;
        let debit = self.debit.map(|account| account.to_string()).unwrap_or_default();
        let asked = fingerprint(&[
            self.kind.name().as_bytes(),
            debit.as_bytes(),
            self.credit.to_string().as_bytes(),
            &amount.minor.to_be_bytes(),
            amount.currency.code().as_bytes(),
        ]);
        let request = MoveRequest {
            kind: self.kind,
            debit: self.debit,
            credit: self.credit,
            amount,
            idempotency: Idempotency {
                caller,
                key: key.0,
                fingerprint: asked,
            },
        };
        let moved = state.services.payments.move_money_once(request).await??;
        let view = Json(TransferView::from(moved.transfer));
        Ok((StatusCode::CREATED, replay_header(moved.replayed), view).into_response())
    }
}
