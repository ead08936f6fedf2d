//! The operator's pages: where each platform lives and how it is. Row S21.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use axum_extra::extract::CookieJar;
use serde::Deserialize;

use super::error::PageResult;
use super::page::Page;
use super::sign_in::{Next, access_problem};
use super::start::leave;
use super::visit::{OperatorVisit, Visit, session_cookie};
use super::{html, html_with, safe_next};
use crate::AppState;
use crate::wire::standing::{Health, Standing, standings};

#[derive(Template)]
#[template(path = "operator_sign_in.html")]
struct OperatorSignInPage<'a> {
    page: &'a Page,
    next: &'a str,
    problem: Option<String>,
}

pub async fn show_sign_in(visit: Visit, Query(query): Query<Next>) -> PageResult {
    html(&OperatorSignInPage {
        page: &visit.page,
        next: safe_next(query.next.as_deref(), "/operator"),
        problem: None,
    })
}

#[derive(Debug, Deserialize)]
pub struct OperatorSignIn {
    key: String,
    next: Option<String>,
}

/// Opens a session bound to the operator's key: revoking the key ends it.
pub async fn sign_in(
    State(state): State<AppState>,
    visit: Visit,
    jar: CookieJar,
    Form(form): Form<OperatorSignIn>,
) -> PageResult {
    let next = safe_next(form.next.as_deref(), "/operator");
    let access = &state.services.access;
    match access.sign_in_operator(form.key.trim(), &visit.agent).await? {
        Ok(token) => {
            leave(&state, &visit).await?;
            let jar = jar.add(session_cookie(&state.settings, token.text));
            Ok((jar, Redirect::to(next)).into_response())
        }
        Err(refusal) => {
            let page = OperatorSignInPage {
                page: &visit.page,
                next,
                problem: Some(access_problem(&visit.page, refusal)),
            };
            html_with(StatusCode::UNAUTHORIZED, &page)
        }
    }
}

#[derive(Template)]
#[template(path = "operator.html")]
struct OperatorPage<'a> {
    page: &'a Page,
    platforms: Vec<PlatformRow>,
    /// How many do not work.
    troubled: usize,
}

struct PlatformRow {
    standing: Standing,
    tone: &'static str,
    latency: String,
}

impl From<Standing> for PlatformRow {
    fn from(standing: Standing) -> Self {
        Self {
            tone: match standing.health {
                Health::Up => "good",
                Health::Down | Health::Unfit => "bad",
            },
            latency: standing.latency_us.map_or_else(|| "–".to_owned(), latency),
            standing,
        }
    }
}

fn latency(us: u64) -> String {
    format!("{}.{} ms", us / 1_000, us % 1_000 / 100)
}

pub async fn show(State(state): State<AppState>, visit: OperatorVisit) -> PageResult {
    let platforms: Vec<PlatformRow> = standings(&state.settings.platforms)
        .await
        .into_iter()
        .map(PlatformRow::from)
        .collect();
    let troubled = platforms.iter().filter(|row| row.standing.health != Health::Up).count();
    html(&OperatorPage {
        page: &visit.page,
        platforms,
        troubled,
    })
}
