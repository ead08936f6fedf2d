//! An institution's accounts, money between them, and what was paid with its code.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use onescan_domain::ids::{AccountId, InstitutionId, MemberId, PaymentId};
use onescan_domain::payments::ledger::{AccountKind, TransferKind};
use serde::Deserialize;
use utoipa::ToSchema;

use super::accounts::{AccountView, Moving, TransferView};
use super::endpoint::{Caller, Endpoint, get, post};
use super::extract::{IdempotencyKey, Json, Query};
use super::institution_codes::{is_above, own_record};
use super::payment_view::{PaymentView, Reader};
use super::wire::{AccountRef, Amount, Id, ListOf, PageQuery};
use crate::AppState;
use crate::auth::AsAdministrator;
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let all = [
        get("/v1/institutions/{institution}/accounts", accounts)
            .says("listInstitutionAccounts", "The institution's accounts")
            .about("Its own, those directly below, then the dedicated ones of members, page by page.")
            .caller(Caller::Administrator)
            .query::<PageQuery>()
            .answers::<ListOf<AccountView>>(StatusCode::OK, "A page"),
        post("/v1/institutions/{institution}/accounts/top-ups", top_up)
            .says("topUpInstitution", "Top up an institution's account")
            .about("For the operator.")
            .caller(Caller::Administrator)
            .takes::<InstitutionTopUp>()
            .idempotent()
            .answers::<TransferView>(StatusCode::CREATED, "The transfer from the operator's bank")
            .refuses(&[Code::NotAllowed, Code::InvalidFields, Code::CurrencyMismatch]),
        post("/v1/institutions/{institution}/accounts/allotments", allot)
            .says("allot", "Move money between accounts of the institution")
            .about("Own, below it, or dedicated to a member.")
            .caller(Caller::Administrator)
            .takes::<NewAllotment>()
            .idempotent()
            .answers::<TransferView>(StatusCode::CREATED, "The transfer")
            .refuses(&[Code::InvalidFields, Code::CurrencyMismatch, Code::InsufficientFunds]),
        get("/v1/institutions/{institution}/payments", payments)
            .says("listInstitutionPayments", "What was paid with the institution's code")
            .caller(Caller::Administrator)
            .query::<PageQuery>()
            .answers::<ListOf<PaymentView<'static>>>(StatusCode::OK, "Newest first"),
    ];
    all.into_iter().map(|endpoint| endpoint.tag("institutions")).collect()
}

async fn accounts(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ListOf<AccountView>>, Problem> {
    let (after, limit) = query.read::<MemberId>()?;
    let institutions = &state.services.institutions;
    let mut ids = Vec::new();
    if after.is_none() {
        ids.push(administrator.institution().account);
        let below = institutions.children(administrator.id()).await?;
        ids.extend(below.into_iter().map(|child| child.account));
    }
    let members = institutions.members(administrator.id(), None, after, limit).await?;
    ids.extend(members.iter().filter_map(|member| member.account));
    let full = members.len() >= limit as usize;
    let next = members.last().filter(|_| full).map(|member| member.id.to_string());
    let mut items = Vec::with_capacity(ids.len());
    for id in ids {
        let account = state.services.payments.account(id).await?;
        items.extend(account.map(AccountView::from));
    }
    Ok(Json(ListOf { items, next }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"amount": {"amount_minor": 1000000, "currency": "EUR"}}))]
struct InstitutionTopUp {
    amount: Amount,
    /// The institution's own when absent.
    account: Option<AccountRef>,
}

async fn top_up(
    administrator: AsAdministrator,
    key: IdempotencyKey,
    State(state): State<AppState>,
    Json(body): Json<InstitutionTopUp>,
) -> Result<Response, Problem> {
    if !administrator.is_operator() {
        return Err(Problem::new(Code::NotAllowed, "only the operator tops up accounts"));
    }
    let moving = Moving {
        kind: TransferKind::TopUp,
        debit: None,
        credit: account_below(&state, &administrator, body.account).await?,
        amount: body.amount,
    };
    moving.run(&state, administrator.caller(), key).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAllotment {
    /// The institution's own when absent.
    from: Option<AccountRef>,
    to: AccountRef,
    amount: Amount,
}

async fn allot(
    administrator: AsAdministrator,
    key: IdempotencyKey,
    State(state): State<AppState>,
    Json(body): Json<NewAllotment>,
) -> Result<Response, Problem> {
    let debit = account_below(&state, &administrator, body.from).await?;
    let credit = account_below(&state, &administrator, Some(body.to)).await?;
    if debit == credit {
        return Err(Problem::invalid("to", "is the account the money comes from"));
    }
    let moving = Moving {
        kind: TransferKind::Allotment,
        debit: Some(debit),
        credit,
        amount: body.amount,
    };
    moving.run(&state, administrator.caller(), key).await
}

/// The named account when it belongs to the institution, one below it, or a member of either; the institution's own when
/// none is named.
async fn account_below(
    state: &AppState,
    administrator: &AsAdministrator,
    named: Option<AccountRef>,
) -> Result<AccountId, Problem> {
    let own = administrator.institution().account;
    let Some(Id(id)) = named.filter(|Id(id)| *id != own) else {
        return Ok(own);
    };
    let absent = || Problem::not_found("account");
    let account = state.services.payments.account(id).await?.ok_or_else(absent)?;
    let institution = match account.kind {
        AccountKind::Institution | AccountKind::SubInstitution => InstitutionId::from_stored(&account.owner).ok(),
        AccountKind::Member => match MemberId::from_stored(&account.owner) {
            Ok(member) => {
                let member = state.services.institutions.member(member).await?;
                member.map(|member| member.institution)
            }
            Err(_) => None,
        },
        AccountKind::Person
        | AccountKind::Merchant
        | AccountKind::Clearing
        | AccountKind::Bank
        | AccountKind::Suspense => None,
    };
    let institution = institution.ok_or_else(absent)?;
    match is_above(state, administrator.id(), institution).await? {
        true => Ok(id),
        false => Err(absent()),
    }
}

async fn payments(
    administrator: AsAdministrator,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let page = query.page::<PaymentId>()?;
    let limit = page.limit;
    let record = own_record(&state, administrator.id()).await?;
    let payments = &state.services.payments;
    let found = payments.payments_of_record(record.bucket, &record.id, page).await?;
    let items = found.iter().map(|payment| PaymentView::of(payment, Reader::Payer));
    let list = ListOf::page(items.collect(), limit, |payment| payment.id.0.to_string());
    Ok(Json(list).into_response())
}
