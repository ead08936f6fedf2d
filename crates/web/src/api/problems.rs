//! What the `type` of a problem leads to: its explanation.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::endpoint::{Endpoint, get};
use super::extract::{Json, Path};
use super::wire::ListOf;
use crate::problem::{CODES, CodeRow, Problem, Repeat};

pub fn endpoints() -> Vec<Endpoint> {
    let both = [
        get("/problems", list)
            .says("listProblems", "Every kind of problem")
            .answers::<ListOf<ProblemKind>>(StatusCode::OK, "All of them, by status"),
        get("/problems/{problem}", show)
            .says("getProblem", "What a kind of problem means")
            .answers::<ProblemKind>(StatusCode::OK, "What it means and what to do"),
    ];
    both.into_iter().map(|endpoint| endpoint.tag("server")).collect()
}

/// One kind of problem.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemKind {
    /// As in `code` of a problem.
    #[schema(value_type = String, example = "limit-exceeded")]
    pub code: &'static str,
    pub status: u16,
    #[schema(value_type = String)]
    pub title: &'static str,
    /// What it means and what to do.
    #[schema(value_type = String)]
    pub about: &'static str,
    pub retryable: bool,
}

impl From<&CodeRow> for ProblemKind {
    fn from(row: &CodeRow) -> Self {
        Self {
            code: row.name,
            status: row.status.as_u16(),
            title: row.title,
            about: row.about,
            retryable: row.repeat == Repeat::Worthwhile,
        }
    }
}

async fn list() -> Json<ListOf<ProblemKind>> {
    Json(ListOf::whole(CODES.iter().map(ProblemKind::from).collect()))
}

async fn show(Path(name): Path<String>) -> Result<Json<ProblemKind>, Problem> {
    let row = CODES.iter().find(|row| row.name == name);
    row.map(|row| Json(row.into()))
        .ok_or_else(|| Problem::not_found("kind of problem"))
}
