//! The person's own account: balance, name, time zone, password.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use axum_extra::extract::CookieJar;
use onescan_domain::identity::IdentityKind;
use onescan_domain::institutions::Institution;
use onescan_domain::money::Money;
use onescan_platforms::access::AccessRefusal;
use onescan_platforms::people::Person;
use serde::Deserialize;

use super::error::PageResult;
use super::institutions::all_administered;
use super::page::Page;
use super::sign_in::{ZONES, password_problem, person_problem};
use super::visit::{PersonVisit, session_cookie};
use super::{html, html_with};
use crate::AppState;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    page: &'a Page,
    person: &'a Person,
    identity: &'static str,
    balance: Money,
    problem: Option<String>,
    password_problem: Option<String>,
    zones: &'static [&'static str],
    /// Those the person administers.
    institutions: Vec<Institution>,
}

async fn account_page<'a>(state: &AppState, page: &'a Page, person: &'a Person) -> PageResult<AccountPage<'a>> {
    let account = state.services.payments.account(person.account).await?;
    let balance = account.map_or(Money::new(0, person.currency), |account| {
        Money::new(account.available_minor(), account.currency)
    });
    let identity = match person.identity.kind() {
        IdentityKind::UserNumber => "number-user",
        IdentityKind::Credential => "number-card",
        IdentityKind::CrossBorderCredential => "number-passport",
    };
    Ok(AccountPage {
        page,
        person,
        identity,
        balance,
        problem: None,
        password_problem: None,
        zones: ZONES,
        institutions: all_administered(state, person.id).await?,
    })
}

pub async fn show(State(state): State<AppState>, visit: PersonVisit) -> PageResult {
    html(&account_page(&state, &visit.page, &visit.person).await?)
}

#[derive(Debug, Deserialize)]
pub struct Changes {
    name: String,
    email: String,
    time_zone: String,
}

pub async fn change(State(state): State<AppState>, visit: PersonVisit, Form(form): Form<Changes>) -> PageResult {
    let wanted = Person {
        name: form.name,
        email: Some(form.email),
        time_zone: form.time_zone.trim().to_owned(),
        ..visit.person.as_ref().clone()
    };
    match state.services.people.change(wanted.clone()).await? {
        Ok(_) => Ok(Redirect::to("/account?done=saved").into_response()),
        Err(refusal) => {
            let mut page = account_page(&state, &visit.page, &wanted).await?;
            page.problem = Some(person_problem(&visit.page, &refusal));
            html_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

#[derive(Deserialize)]
pub struct NewPassword {
    current: String,
    new: String,
}

/// Checks the old password by signing in anew: the new session takes the place of the one in use.
pub async fn change_password(
    State(state): State<AppState>,
    visit: PersonVisit,
    jar: CookieJar,
    Form(form): Form<NewPassword>,
) -> PageResult {
    let services = &state.services;
    let problem = match services
        .access
        .sign_in(&visit.person.login, &form.current, &visit.agent)
        .await?
    {
        Err(AccessRefusal::TooMany { until }) => {
            visit.page.with("sign-in-too-many", "clock", &visit.page.clock(&until))
        }
        Err(AccessRefusal::Wrong | AccessRefusal::Credential) => visit.page.t("password-current-wrong"),
        Ok(token) => match services.people.change_password(&visit.person, &form.new).await? {
            Ok(()) => {
                services.access.sign_out(visit.session).await?;
                let jar = jar.add(session_cookie(&state.settings, token.text));
                return Ok((jar, Redirect::to("/account?done=password-changed")).into_response());
            }
            Err(refusal) => {
                services.access.sign_out(token.session.id).await?;
                password_problem(&visit.page, refusal)
            }
        },
    };
    let mut page = account_page(&state, &visit.page, &visit.person).await?;
    page.password_problem = Some(problem);
    html_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}
