//! Who visits: sessions in cookies, and the extractors by which a page says whom it is for.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use onescan_domain::ids::SessionId;
use onescan_domain::merchants::TerminalRole;
use onescan_platforms::access::{Actor, Freshness, TerminalActor};
use onescan_platforms::env::hex;
use onescan_platforms::people::Person;

use super::error::PageError;
use super::page::{Office, Page, Viewer};
use crate::{AppState, WebSettings, i18n};

const DEVICE_COOKIE: &str = "onescan_device";

/// `__Host-` binds the cookie to this host; browsers take that prefix over TLS alone.
fn session_cookie_name(settings: &WebSettings) -> &'static str {
    match settings.secure_cookies {
        true => "__Host-onescan_session",
        false => "onescan_session",
    }
}

/// A cookie that scripts cannot read and other sites do not send.
pub fn cookie(settings: &WebSettings, name: &'static str, value: String) -> Cookie<'static> {
    let mut cookie = Cookie::new(name, value);
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Lax);
    cookie.set_secure(settings.secure_cookies);
    cookie
}

/// Like [`cookie`], kept for a year.
pub fn lasting_cookie(settings: &WebSettings, name: &'static str, value: String) -> Cookie<'static> {
    let mut cookie = cookie(settings, name, value);
    cookie.make_permanent();
    cookie
}

pub fn session_cookie(settings: &WebSettings, token: String) -> Cookie<'static> {
    cookie(settings, session_cookie_name(settings), token)
}

pub fn ended_session(settings: &WebSettings) -> Cookie<'static> {
    let mut cookie = session_cookie(settings, String::new());
    cookie.make_removal();
    cookie
}

/// Anybody: the page, and whoever is signed in.
#[derive(Debug, Clone)]
pub struct Visit {
    pub page: Page,
    pub session: Option<SessionId>,
    /// What the browser calls itself.
    pub agent: String,
}

impl FromRequestParts<AppState> for Visit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, PageError> {
        let mut page = Page::new(parts, &state.settings);
        let jar = CookieJar::from_headers(&parts.headers);
        let token = jar.get(session_cookie_name(&state.settings)).map(Cookie::value);
        let mut session = None;
        if let Some(token) = token {
            page.viewer = viewer(state, token).await?;
            session = token.split_once('.').and_then(|(id, _)| id.parse().ok());
        }
        match &page.viewer {
            Viewer::Nobody => session = None,
            Viewer::Person(person) => page.zone = i18n::time_zone(&person.time_zone),
            Viewer::Terminal(_) | Viewer::Office(_) | Viewer::Operator => {
                page.zone = i18n::time_zone(&state.settings.time_zone);
            }
        }
        let agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self {
            page,
            session,
            agent: agent.unwrap_or_default().to_owned(),
        })
    }
}

async fn viewer(state: &AppState, token: &str) -> Result<Viewer, PageError> {
    match state.services.access.authenticate(token, Freshness::Checked).await? {
        Ok(Actor::Person(actor)) => {
            let person = state.services.people.find(actor.person).await?;
            Ok(person.map_or(Viewer::Nobody, |person| Viewer::Person(Arc::new(person))))
        }
        Ok(Actor::Terminal(actor)) => Ok(Viewer::Terminal(Arc::new(actor))),
        Ok(Actor::Operator { .. }) => Ok(Viewer::Operator),
        Ok(Actor::Merchant { key, merchant }) => {
            let merchant = state.services.merchants.find(merchant).await?;
            let office = merchant.map(|merchant| Viewer::Office(Arc::new(Office { key, merchant })));
            Ok(office.unwrap_or(Viewer::Nobody))
        }
        Ok(Actor::Institution { .. }) | Err(_) => Ok(Viewer::Nobody),
    }
}

/// A signed-in person; anybody else is sent to the sign-in page.
#[derive(Debug, Clone)]
pub struct PersonVisit {
    pub page: Page,
    pub person: Arc<Person>,
    pub session: SessionId,
    pub agent: String,
}

impl FromRequestParts<AppState> for PersonVisit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, PageError> {
        let Visit { page, session, agent } = Visit::from_request_parts(parts, state).await?;
        match (page.viewer.clone(), session) {
            (Viewer::Person(person), Some(session)) => Ok(Self {
                page,
                person,
                session,
                agent,
            }),
            (_, _) => Err(PageError::SignIn {
                at: "/sign-in",
                next: place_to_return(parts),
            }),
        }
    }
}

/// After signing in, a form that was sent too late is not sent again: its page is shown.
fn place_to_return(parts: &Parts) -> String {
    let is_read = parts.method.is_safe() && !super::error::wants_part(&parts.headers);
    match is_read {
        true => parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        false => format!("/{}", parts.uri.path().split('/').nth(1).unwrap_or_default()),
    }
}

/// A terminal's session, whatever its role.
async fn terminal(parts: &mut Parts, state: &AppState) -> Result<(Page, Arc<TerminalActor>), PageError> {
    let visit = Visit::from_request_parts(parts, state).await?;
    match visit.page.viewer.clone() {
        Viewer::Terminal(actor) => Ok((visit.page, actor)),
        Viewer::Nobody | Viewer::Person(_) | Viewer::Office(_) | Viewer::Operator => Err(PageError::SignIn {
            at: "/till/sign-in",
            next: place_to_return(parts),
        }),
    }
}

/// A cashier's terminal.
#[derive(Debug, Clone)]
pub struct TillVisit {
    pub page: Page,
    pub actor: Arc<TerminalActor>,
}

impl FromRequestParts<AppState> for TillVisit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, PageError> {
        let (page, actor) = terminal(parts, state).await?;
        match actor.terminal.role {
            TerminalRole::Cashier => Ok(Self { page, actor }),
            TerminalRole::Invoice | TerminalRole::Gate => Err(PageError::WrongRole),
        }
    }
}

/// An invoice terminal.
#[derive(Debug, Clone)]
pub struct InvoiceVisit {
    pub page: Page,
    pub actor: Arc<TerminalActor>,
}

impl FromRequestParts<AppState> for InvoiceVisit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, PageError> {
        let (page, actor) = terminal(parts, state).await?;
        match actor.terminal.role {
            TerminalRole::Invoice => Ok(Self { page, actor }),
            TerminalRole::Cashier | TerminalRole::Gate => Err(PageError::WrongRole),
        }
    }
}

/// A gate of a ride provider.
#[derive(Debug, Clone)]
pub struct GateVisit {
    pub page: Page,
    pub actor: Arc<TerminalActor>,
}

impl FromRequestParts<AppState> for GateVisit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, PageError> {
        let (page, actor) = terminal(parts, state).await?;
        match actor.terminal.role {
            TerminalRole::Gate => Ok(Self { page, actor }),
            TerminalRole::Cashier | TerminalRole::Invoice => Err(PageError::WrongRole),
        }
    }
}

/// Whoever runs the server; anybody else is sent to the operator's door.
#[derive(Debug, Clone)]
pub struct OperatorVisit {
    pub page: Page,
}

impl FromRequestParts<AppState> for OperatorVisit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, PageError> {
        let Visit { page, .. } = Visit::from_request_parts(parts, state).await?;
        match page.viewer {
            Viewer::Operator => Ok(Self { page }),
            Viewer::Nobody | Viewer::Person(_) | Viewer::Terminal(_) | Viewer::Office(_) => Err(PageError::SignIn {
                at: "/operator/sign-in",
                next: place_to_return(parts),
            }),
        }
    }
}

/// A merchant's back office.
#[derive(Debug, Clone)]
pub struct OfficeVisit {
    pub page: Page,
    pub office: Arc<Office>,
}

impl FromRequestParts<AppState> for OfficeVisit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, PageError> {
        let visit = Visit::from_request_parts(parts, state).await?;
        match visit.page.viewer.clone() {
            Viewer::Office(office) => Ok(Self {
                page: visit.page,
                office,
            }),
            Viewer::Nobody | Viewer::Person(_) | Viewer::Terminal(_) | Viewer::Operator => Err(PageError::SignIn {
                at: "/office/sign-in",
                next: place_to_return(parts),
            }),
        }
    }
}

/// The browser by the id it keeps, and where it calls from. Rows S01, S08.
#[derive(Debug, Clone)]
pub struct Device {
    pub id: String,
    pub address: String,
    /// To be set when the browser had no id yet.
    pub cookie: Option<Cookie<'static>>,
}

impl FromRequestParts<AppState> for Device {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Self::Rejection> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = address.map_or_else(|| "unknown".to_owned(), |info| info.0.ip().to_string());
        let jar = CookieJar::from_headers(&parts.headers);
        let known = jar.get(DEVICE_COOKIE).map(|cookie| cookie.value().to_owned());
        let known = known.filter(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        Ok(match known {
            Some(id) => Self {
                id,
                address,
                cookie: None,
            },
            None => {
                let id = hex(&state.services.env.bytes::<16>());
                let cookie = lasting_cookie(&state.settings, DEVICE_COOKIE, id.clone());
                Self {
                    id,
                    address,
                    cookie: Some(cookie),
                }
            }
        })
    }
}
