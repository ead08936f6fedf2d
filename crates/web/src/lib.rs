//! The faces of Onescan: pages for people and a JSON API for programs, over the same use cases.
//!
//! **Invariant:** nothing here knows the store; whatever is decided, is decided behind [`Services`].

pub mod api;
pub mod assets;
pub mod auth;
pub mod files;
pub mod i18n;
pub mod invoice_totals;
pub mod observe;
pub mod pages;
pub mod problem;
pub mod wire;

use std::sync::Arc;

use axum::Router;
use onescan_domain::merchants::TerminalRole;
use onescan_platforms::services::Services;

use crate::wire::client::Connection;

/// What handlers share; cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    pub services: Arc<Services>,
    pub settings: WebSettings,
}

/// What the operator may set about the faces.
#[derive(Debug, Clone)]
pub struct WebSettings {
    /// Cookies go over TLS only and carry the `__Host-` prefix. Off for plain http on this machine.
    pub secure_cookies: bool,
    /// IANA name; tills count their day in it.
    pub time_zone: String,
    /// Accounts that anybody may enter with one touch. `None` in production.
    pub demo: Option<Arc<DemoSheet>>,
    /// Whether anybody may register; else only the operator registers people.
    pub open_registration: bool,
    /// Adds an endpoint that does nothing but read and write JSON, as a measure for load tests.
    pub bench: bool,
    /// The ways to the platforms that live elsewhere.
    pub platforms: Vec<Arc<Connection>>,
}

impl Default for WebSettings {
    fn default() -> Self {
        Self {
            secure_cookies: true,
            time_zone: "UTC".to_owned(),
            demo: None,
            open_registration: true,
            bench: false,
            platforms: Vec::new(),
        }
    }
}

/// The people, tills and back offices of the demo.
#[derive(Debug, Clone, Default)]
pub struct DemoSheet {
    pub people: Vec<DemoPerson>,
    pub tills: Vec<DemoTill>,
    pub offices: Vec<DemoOffice>,
}

#[derive(Debug, Clone)]
pub struct DemoPerson {
    pub name: String,
    pub login: String,
    pub password: String,
    /// Who this is, in a few words.
    pub what: String,
}

/// A merchant's back office.
#[derive(Debug, Clone)]
pub struct DemoOffice {
    pub name: String,
    pub key: String,
}

#[derive(Debug, Clone)]
pub struct DemoTill {
    pub name: String,
    pub key: String,
    pub role: TerminalRole,
    pub what: String,
}

/// All faces behind one router.
pub fn router(state: AppState) -> Router {
    Router::new()
        .merge(api::router(&state))
        .merge(assets::router())
        .merge(pages::router(&state))
        .merge(pages::not_found(&state))
        .with_state(state)
}
