//! Keys of terminals, merchants and institutions: made, listed, revoked in one way.

use axum::http::StatusCode;
use onescan_domain::ids::KeyId;
use onescan_platforms::access::{Key, KeyHolder, KeySecret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::Json;
use super::wire::{Id, KeyRef, ListOf, Moment, Wrong};
use crate::AppState;
use crate::problem::Problem;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What it is for, 1 to 100 characters.
    #[schema(example = "canteen till", min_length = 1, max_length = 100)]
    name: String,
}

/// A key; the secret is not kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Key")]
pub struct KeyView {
    id: KeyRef,
    name: String,
    created_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Moment>,
}

impl From<Key> for KeyView {
    fn from(key: Key) -> Self {
        Self {
            id: Id(key.id),
            name: key.name,
            created_at: Moment(key.created_at),
            revoked_at: key.revoked_at.map(Moment),
        }
    }
}

/// A key with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(title = "NewKey")]
pub struct NewKeyView {
    pub key: KeyView,
    /// For `Authorization: Bearer …`.
    pub secret: String,
}

impl From<KeySecret> for NewKeyView {
    fn from(issued: KeySecret) -> Self {
        Self {
            key: issued.key.into(),
            secret: issued.text,
        }
    }
}

pub async fn list(state: &AppState, holder: KeyHolder) -> Result<Json<ListOf<KeyView>>, Problem> {
    let keys = state.services.access.keys(holder).await?;
    Ok(Json(ListOf::whole(keys.into_iter().map(KeyView::from).collect())))
}

pub async fn issue(
    state: &AppState,
    holder: KeyHolder,
    new: &NewKey,
) -> Result<(StatusCode, Json<NewKeyView>), Problem> {
    let mut wrong = Wrong::default();
    let name = wrong.line("name", &new.name, 100);
    wrong.finish()?;
    let issued = state.services.access.issue_key(holder, &name).await?;
    Ok((StatusCode::CREATED, Json(issued.into())))
}

/// Only a key of this holder; works at once.
pub async fn revoke(state: &AppState, holder: KeyHolder, id: KeyId) -> Result<StatusCode, Problem> {
    let access = &state.services.access;
    let key = access.find_key(id).await?.filter(|key| key.holder == holder);
    let Some(key) = key else {
        return Err(Problem::not_found("key"));
    };
    access.revoke_key(key.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
