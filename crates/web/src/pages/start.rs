//! The start page, the demo's doors, and what a browser keeps: language and scheme.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use onescan_domain::merchants::TerminalRole;
use serde::Deserialize;

use super::error::{PageError, PageResult};
use super::page::{LANGUAGE_COOKIE, Page, THEME_COOKIE, Theme, Viewer};
use super::visit::{Visit, ended_session, lasting_cookie, session_cookie};
use super::{html, safe_next};
use crate::AppState;
use crate::i18n::Language;

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage<'a> {
    page: &'a Page,
}

pub async fn start(visit: Visit) -> PageResult {
    html(&StartPage { page: &visit.page })
}

#[derive(Debug, Deserialize)]
pub struct Preferences {
    language: Option<String>,
    theme: Option<String>,
    next: Option<String>,
}

/// Keeps the switched language or scheme in a cookie; the language also with the person.
pub async fn prefer(
    State(state): State<AppState>,
    visit: Visit,
    jar: CookieJar,
    Form(form): Form<Preferences>,
) -> PageResult {
    let mut jar = jar;
    if let Some(language) = form.language.as_deref().and_then(Language::parse) {
        jar = jar.add(lasting_cookie(
            &state.settings,
            LANGUAGE_COOKIE,
            language.name().to_owned(),
        ));
        if let Viewer::Person(person) = &visit.page.viewer {
            let mut person = person.as_ref().clone();
            person.language = language.name().to_owned();
            // A refusal can only be about other fields, which stay as they are.
            let _ = state.services.people.change(person).await?;
        }
    }
    if let Some(theme) = form.theme.as_deref().and_then(Theme::parse) {
        jar = jar.add(lasting_cookie(&state.settings, THEME_COOKIE, theme.name().to_owned()));
    }
    Ok(match form.next.as_deref() {
        Some(next) => (jar, Redirect::to(safe_next(Some(next), "/"))).into_response(),
        // A script switched the page itself.
        None => (jar, StatusCode::NO_CONTENT).into_response(),
    })
}

#[derive(Debug, Deserialize)]
pub struct DemoSignIn {
    /// A name of the sheet, or `person 0`, `till 2`, `office 1`: names of tills need not be unique.
    account: String,
}

/// One touch into a demo account: a person, a till, a back office. There is no such door unless the server shows a demo.
pub async fn demo_sign_in(
    State(state): State<AppState>,
    visit: Visit,
    jar: CookieJar,
    Form(form): Form<DemoSignIn>,
) -> PageResult {
    let sheet = state.settings.demo.clone().ok_or(PageError::NotFound)?;
    let access = &state.services.access;
    let place = |kind: &str| form.account.strip_prefix(kind)?.trim().parse::<usize>().ok();
    let named = |name: &String| *name == form.account;
    let person = place("person").and_then(|place| sheet.people.get(place));
    let person = person.or_else(|| sheet.people.iter().find(|person| named(&person.name)));
    let till = place("till").and_then(|place| sheet.tills.get(place));
    let till = till.or_else(|| sheet.tills.iter().find(|till| named(&till.name)));
    let office = place("office").and_then(|place| sheet.offices.get(place));
    let (token, door) = match (person, till, office) {
        (Some(person), _, _) => (
            access.sign_in(&person.login, &person.password, &visit.agent).await?,
            "/code",
        ),
        (None, None, Some(office)) => (
            access.sign_in_by_key(&office.key, &visit.agent).await?,
            "/office/invoices",
        ),
        (None, Some(till), _) => (
            access.sign_in_by_key(&till.key, &visit.agent).await?,
            till_door(till.role),
        ),
        (None, None, None) => return Err(PageError::NotFound),
    };
    leave(&state, &visit).await?;
    match token {
        Ok(token) => Ok((jar.add(session_cookie(&state.settings, token.text)), Redirect::to(door)).into_response()),
        Err(_) => Err(PageError::NotFound),
    }
}

pub fn till_door(role: TerminalRole) -> &'static str {
    match role {
        TerminalRole::Cashier => "/till",
        TerminalRole::Invoice => "/invoice-terminal",
        TerminalRole::Gate => "/gates",
    }
}

pub async fn sign_out(State(state): State<AppState>, visit: Visit, jar: CookieJar) -> PageResult<Response> {
    leave(&state, &visit).await?;
    Ok((
        jar.add(ended_session(&state.settings)),
        Redirect::to("/?done=signed-out"),
    )
        .into_response())
}

/// Ends the session the browser came with, so that switching roles leaves none behind.
pub async fn leave(state: &AppState, visit: &Visit) -> PageResult<()> {
    if let Some(session) = visit.session {
        state.services.access.sign_out(session).await?;
    }
    Ok(())
}
