//! Signing in and registering, for people and for tills.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use onescan_domain::identity::{IdentityId, IdentityKind};
use onescan_domain::money::Currency;
use onescan_platforms::access::{AccessRefusal, PasswordRefusal};
use onescan_platforms::people::{NewPerson, PersonRefusal};
use serde::Deserialize;

use super::error::{PageError, PageResult};
use super::page::{LANGUAGE_COOKIE, Page};
use super::start::leave;
use super::visit::{Visit, lasting_cookie, session_cookie};
use super::{html, html_with, safe_next};
use crate::{AppState, i18n};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    page: &'a Page,
    login: &'a str,
    next: &'a str,
    problem: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Next {
    pub next: Option<String>,
}

pub async fn show(visit: Visit, Query(query): Query<Next>) -> PageResult {
    let next = safe_next(query.next.as_deref(), "/code");
    html(&SignInPage {
        page: &visit.page,
        login: "",
        next,
        problem: None,
    })
}

#[derive(Debug, Deserialize)]
pub struct SignIn {
    login: String,
    password: String,
    next: Option<String>,
}

pub async fn sign_in(
    State(state): State<AppState>,
    visit: Visit,
    jar: CookieJar,
    Form(form): Form<SignIn>,
) -> PageResult {
    let next = safe_next(form.next.as_deref(), "/code");
    match state
        .services
        .access
        .sign_in(&form.login, &form.password, &visit.agent)
        .await?
    {
        Ok(token) => {
            leave(&state, &visit).await?;
            let person = state.services.people.find_by_login(&form.login).await?;
            let jar = jar.add(session_cookie(&state.settings, token.text));
            let jar = match person {
                Some(person) => jar.add(lasting_cookie(&state.settings, LANGUAGE_COOKIE, person.language)),
                None => jar,
            };
            Ok((jar, Redirect::to(next)).into_response())
        }
        Err(refusal) => {
            let problem = Some(access_problem(&visit.page, refusal));
            let page = SignInPage {
                page: &visit.page,
                login: &form.login,
                next,
                problem,
            };
            html_with(StatusCode::UNAUTHORIZED, &page)
        }
    }
}

pub fn access_problem(page: &Page, refusal: AccessRefusal) -> String {
    match refusal {
        AccessRefusal::Wrong => page.t("sign-in-wrong"),
        AccessRefusal::TooMany { until } => page.with("sign-in-too-many", "clock", &page.clock(&until)),
        AccessRefusal::Credential => page.t("till-key-wrong"),
    }
}

/// What registering asks for; kept in the page when something is wrong.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SignUp {
    name: String,
    login: String,
    password: String,
    email: String,
    identity_kind: String,
    identity_number: String,
    currency: String,
    time_zone: String,
}

#[derive(Template)]
#[template(path = "sign_up.html")]
struct SignUpPage<'a> {
    page: &'a Page,
    form: &'a SignUp,
    problem: Option<String>,
    currencies: &'static [&'static str],
    zones: &'static [&'static str],
}

const CURRENCIES: &[&str] = &["CNY", "EUR", "USD", "GBP", "JPY", "HKD", "SGD", "CHF"];
/// Suggestions; any IANA name may be typed, and the browser fills in its own.
pub const ZONES: &[&str] = &[
    "Asia/Shanghai",
    "Asia/Hong_Kong",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Paris",
    "Europe/Vienna",
    "America/New_York",
    "UTC",
];

fn sign_up_page<'a>(page: &'a Page, form: &'a SignUp, problem: Option<String>) -> SignUpPage<'a> {
    SignUpPage {
        page,
        form,
        problem,
        currencies: CURRENCIES,
        zones: ZONES,
    }
}

pub async fn show_sign_up(visit: Visit) -> PageResult {
    if !visit.page.registration {
        return Err(PageError::NotFound);
    }
    let is_chinese = visit.page.language == i18n::Language::Chinese;
    let (currency, zone) = if is_chinese {
        ("CNY", "Asia/Shanghai")
    } else {
        ("EUR", "UTC")
    };
    let form = SignUp {
        currency: currency.to_owned(),
        time_zone: zone.to_owned(),
        ..SignUp::default()
    };
    html(&sign_up_page(&visit.page, &form, None))
}

pub async fn sign_up(
    State(state): State<AppState>,
    visit: Visit,
    jar: CookieJar,
    Form(form): Form<SignUp>,
) -> PageResult {
    let page = &visit.page;
    if !page.registration {
        return Err(PageError::NotFound);
    }
    let new = match new_person(page, &form) {
        Ok(new) => new,
        Err(problem) => return refuse_sign_up(page, &form, problem),
    };
    match state.services.people.register(new).await? {
        Err(refusal) => refuse_sign_up(page, &form, person_problem(page, &refusal)),
        Ok(person) => {
            let opened = state
                .services
                .access
                .sign_in(&person.login, &form.password, &visit.agent)
                .await?;
            match opened {
                Ok(token) => {
                    let jar = jar.add(session_cookie(&state.settings, token.text));
                    Ok((jar, Redirect::to("/code")).into_response())
                }
                Err(_) => Ok(Redirect::to("/sign-in").into_response()),
            }
        }
    }
}

fn refuse_sign_up(page: &Page, form: &SignUp, problem: String) -> PageResult<Response> {
    html_with(
        StatusCode::UNPROCESSABLE_ENTITY,
        &sign_up_page(page, form, Some(problem)),
    )
}

fn new_person(page: &Page, form: &SignUp) -> Result<NewPerson, String> {
    let identity = match IdentityKind::parse(&form.identity_kind) {
        None | Some(IdentityKind::UserNumber) => None,
        Some(kind) => Some(IdentityId::new(kind, &form.identity_number).map_err(|_| page.t("identity-shape"))?),
    };
    Ok(NewPerson {
        login: form.login.clone(),
        name: form.name.clone(),
        password: form.password.clone(),
        identity,
        email: Some(form.email.clone()),
        language: page.language.name().to_owned(),
        currency: Currency::parse(&form.currency).ok_or_else(|| page.t("currency-unknown"))?,
        time_zone: form.time_zone.trim().to_owned(),
    })
}

/// What is wrong with a person's own words, and what would be right.
pub fn person_problem(page: &Page, refusal: &PersonRefusal) -> String {
    match refusal {
        PersonRefusal::Text { field, error } => {
            format!("{}: {}", page.t(field), super::text_problem(page, error))
        }
        PersonRefusal::LoginShape => page.t("login-shape"),
        PersonRefusal::Language => page.t("language-unknown"),
        PersonRefusal::TimeZone => page.t("time-zone-unknown"),
        PersonRefusal::Password(refusal) => password_problem(page, *refusal),
        PersonRefusal::LoginTaken => page.t("login-taken"),
        PersonRefusal::IdentityTaken => page.t("identity-taken"),
    }
}

pub fn password_problem(page: &Page, refusal: PasswordRefusal) -> String {
    page.t(match refusal {
        PasswordRefusal::TooShort => "password-short",
        PasswordRefusal::TooLong => "password-long",
        PasswordRefusal::SameAsLogin => "password-same",
        PasswordRefusal::Common => "password-common",
    })
}

#[derive(Template)]
#[template(path = "till_sign_in.html")]
struct KeySignInPage<'a> {
    page: &'a Page,
    door: KeyDoor,
    next: &'a str,
    problem: Option<String>,
}

/// Whose key is asked for; each door takes both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyDoor {
    Till,
    Office,
}

impl KeyDoor {
    fn path(self) -> &'static str {
        match self {
            Self::Till => "/till/sign-in",
            Self::Office => "/office/sign-in",
        }
    }

    /// The key of the title; that of the advice ends in `-how`.
    fn title(self) -> &'static str {
        match self {
            Self::Till => "till-sign-in",
            Self::Office => "office-sign-in",
        }
    }
}

pub async fn show_till(visit: Visit) -> PageResult {
    html(&KeySignInPage {
        page: &visit.page,
        door: KeyDoor::Till,
        next: "",
        problem: None,
    })
}

pub async fn show_office(visit: Visit, Query(query): Query<Next>) -> PageResult {
    html(&KeySignInPage {
        page: &visit.page,
        door: KeyDoor::Office,
        next: safe_next(query.next.as_deref(), ""),
        problem: None,
    })
}

#[derive(Deserialize)]
pub struct KeySignIn {
    key: String,
    #[serde(default)]
    next: String,
}

pub async fn sign_in_till(
    State(state): State<AppState>,
    visit: Visit,
    jar: CookieJar,
    Form(form): Form<KeySignIn>,
) -> PageResult {
    sign_in_by_key(&state, &visit, jar, &form, KeyDoor::Till).await
}

pub async fn sign_in_office(
    State(state): State<AppState>,
    visit: Visit,
    jar: CookieJar,
    Form(form): Form<KeySignIn>,
) -> PageResult {
    sign_in_by_key(&state, &visit, jar, &form, KeyDoor::Office).await
}

/// Opens a session bound to the key: revoking the key ends it.
async fn sign_in_by_key(
    state: &AppState,
    visit: &Visit,
    jar: CookieJar,
    form: &KeySignIn,
    door: KeyDoor,
) -> PageResult {
    let next = safe_next(Some(&form.next), "");
    let opened = state
        .services
        .access
        .sign_in_by_key(form.key.trim(), &visit.agent)
        .await?;
    match opened {
        Ok(token) => {
            leave(state, visit).await?;
            let jar = jar.add(session_cookie(&state.settings, token.text));
            let target = match next.starts_with("/office/") {
                true => next,
                false => "/till/open",
            };
            Ok((jar, Redirect::to(target)).into_response())
        }
        Err(refusal) => {
            let problem = match (door, refusal) {
                (KeyDoor::Office, AccessRefusal::Credential) => visit.page.t("office-key-wrong"),
                (_, refusal) => access_problem(&visit.page, refusal),
            };
            let problem = Some(problem);
            html_with(
                StatusCode::UNAUTHORIZED,
                &KeySignInPage {
                    page: &visit.page,
                    door,
                    next,
                    problem,
                },
            )
        }
    }
}

/// Leads a signed-in terminal to the page of its role, and a back office to its invoices.
pub async fn open_till(visit: Visit) -> Redirect {
    match &visit.page.viewer {
        super::page::Viewer::Terminal(actor) => Redirect::to(super::start::till_door(actor.terminal.role)),
        super::page::Viewer::Operator => Redirect::to("/operator"),
        super::page::Viewer::Office(_) => Redirect::to("/office/invoices"),
        super::page::Viewer::Person(_) | super::page::Viewer::Nobody => Redirect::to("/till/sign-in"),
    }
}
