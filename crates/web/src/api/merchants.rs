//! Merchants, their stores and the keys of their back office.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::ids::MerchantId;
use onescan_domain::merchants::{Merchant, Store};
use onescan_platforms::access::KeyHolder;
use onescan_platforms::merchants::{NewMerchant, NewStore};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, delete, get, post};
use super::extract::{Json, Path, Query};
use super::keys::{self, KeyView, NewKey, NewKeyView};
use super::wire::{AccountRef, CurrencyCode, Id, KeyRef, ListOf, MerchantRef, Moment, PageQuery, StoreRef};
use crate::AppState;
use crate::auth::{AsMerchant, AsMerchantReader, AsOperator};
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
    ];
    let all = all.into_iter().chain(key_endpoints());
    all.map(|endpoint| endpoint.tag("merchants")).collect()
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
