//! Invoice profiles that nobody types: read from a title QR or an invoice, and written as a title QR. Rows S06, S20.

use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use onescan_domain::profiles::ProfileFields;
use onescan_platforms::error::PlatformError;
use onescan_platforms::profiles::drafts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, get, post};
use super::extract::{File, Json, Path};
use super::invoice_profiles::{ProfileFieldsView, held_profile};
use super::wire::{Id, ProfileRef};
use crate::AppState;
use crate::auth::AsAnybody;
use crate::problem::{Code, Problem, ProblemReason};

pub fn endpoints() -> Vec<Endpoint> {
    let all = [
        post("/v1/invoice-profile-drafts/title-code", read_title)
            .says("readTitleCode", "Read the tax administration's title QR")
            .about("Nothing is kept. Put the answer into a new profile when its owner agrees.")
            .caller(Caller::Anybody)
            .takes::<TitleText>()
            .answers::<DraftView>(StatusCode::OK, "What the code says")
            .refuses(&[Code::InvalidFields]),
        post("/v1/invoice-profile-drafts/invoice", read_invoice)
            .says("readInvoiceBuyer", "Read the buyer of an invoice")
            .about("UBL, CII, or a PDF with either inside, at most 4 MiB. Nothing is kept.")
            .caller(Caller::Anybody)
            .takes_file()
            .answers::<DraftView>(StatusCode::OK, "The buyer as invoice details")
            .refuses(&[Code::InvalidFields]),
        get("/v1/invoice-profiles/{profile}/title-code", title_code)
            .says("getTitleCode", "Invoice details as the tax administration's title QR")
            .caller(Caller::Anybody)
            .answers::<TitleCodeView>(StatusCode::OK, "Its text and pictures")
            .refuses(&[Code::InvalidFields]),
    ];
    all.into_iter()
        .map(|endpoint| endpoint.tag("invoice-profiles"))
        .collect()
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TitleText {
    /// What a scanner reads: from `$01` to `$`.
    #[schema(min_length = 1, max_length = 5000)]
    text: String,
}

/// Details as they were read, and what is wrong with them.
#[derive(Serialize, ToSchema)]
#[schema(title = "InvoiceProfileDraft")]
struct DraftView {
    #[serde(flatten)]
    fields: ProfileFieldsView,
    /// Empty when a profile with these details would be taken.
    wrong: Vec<ProblemReason>,
}

impl From<ProfileFields> for DraftView {
    fn from(fields: ProfileFields) -> Self {
        let wrong = fields.check().into_iter();
        Self {
            wrong: wrong.map(|(field, error)| ProblemReason::field(field, error)).collect(),
            fields: fields.into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(title = "TitleCode")]
struct TitleCodeView {
    text: String,
    /// A picture, as it is.
    svg: String,
    /// The same as PNG, in base64.
    png_base64: String,
}

async fn read_title(_: AsAnybody, Json(body): Json<TitleText>) -> Result<Json<DraftView>, Problem> {
    let fields = drafts::from_title_code(&body.text);
    let fields = fields.map_err(|error| Problem::invalid("text", error.to_string()))?;
    Ok(Json(fields.into()))
}

async fn read_invoice(_: AsAnybody, File(bytes): File) -> Result<Json<DraftView>, Problem> {
    let read = tokio::task::spawn_blocking(move || drafts::from_invoice(&bytes)).await;
    let fields = read.map_err(PlatformError::internal)?;
    let fields = fields.map_err(|error| Problem::invalid("invoice", error.to_string()))?;
    Ok(Json(fields.into()))
}

async fn title_code(
    actor: AsAnybody,
    State(state): State<AppState>,
    Path(Id(id)): Path<ProfileRef>,
) -> Result<Json<TitleCodeView>, Problem> {
    let (_, profile) = held_profile(&state, &actor, id).await?;
    let code = drafts::title_code(&profile.fields, "Title QR");
    let code = code.map_err(|error| Problem::invalid("profile", error.to_string()))?;
    Ok(Json(TitleCodeView {
        png_base64: BASE64_STANDARD.encode(&code.png),
        text: code.text,
        svg: code.svg,
    }))
}
