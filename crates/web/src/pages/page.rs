//! What every template knows: language, scheme, who is looking, and where.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{Uri, header};
use axum_extra::extract::CookieJar;
use jiff::tz::TimeZone;
use onescan_domain::ids::KeyId;
use onescan_domain::merchants::Merchant;
use onescan_domain::money::{Currency, Money};
use onescan_domain::profiles::TitleKind;
use onescan_platforms::access::TerminalActor;
use onescan_platforms::people::Person;

use crate::i18n::Language;
use crate::{DemoSheet, WebSettings, assets};

pub const LANGUAGE_COOKIE: &str = "onescan_language";
pub const THEME_COOKIE: &str = "onescan_theme";

/// Light or dark, or as the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }

    /// For `data-theme`; nothing follows the system.
    pub fn attribute(self) -> Option<&'static str> {
        (self != Self::System).then(|| self.name())
    }

    /// What the switch goes to. The script goes to the opposite of what is seen.
    pub fn next(self) -> Self {
        match self {
            Self::System | Self::Light => Self::Dark,
            Self::Dark => Self::Light,
        }
    }
}

/// Who is looking at the page.
#[derive(Debug, Clone, Default)]
pub enum Viewer {
    #[default]
    Nobody,
    Person(Arc<Person>),
    Terminal(Arc<TerminalActor>),
    /// Who runs the server.
    Operator,
    Office(Arc<Office>),
}

/// A merchant's back office, signed in with a key of the merchant.
#[derive(Debug, Clone)]
pub struct Office {
    pub key: KeyId,
    pub merchant: Merchant,
}

/// One entry of the navigation.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    pub path: &'static str,
    pub icon: &'static str,
    pub key: &'static str,
}

const fn door(path: &'static str, icon: &'static str, key: &'static str) -> Door {
    Door { path, icon, key }
}

const PERSON_DOORS: &[Door] = &[
    door("/code", "code", "nav-code"),
    door("/ride", "ride", "nav-ride"),
    door("/rides", "clock", "nav-rides"),
    door("/payments", "list", "nav-payments"),
    door("/profiles", "title", "nav-profiles"),
    door("/privacy", "lock", "nav-privacy"),
    door("/account", "person", "nav-account"),
];
const CASHIER_DOORS: &[Door] = &[
    door("/till", "till", "nav-till"),
    door("/till/sales", "list", "nav-sales"),
];
const GATE_DOORS: &[Door] = &[door("/gates", "ride", "nav-gates")];
const OPERATOR_DOORS: &[Door] = &[door("/operator", "list", "nav-operator")];
const OFFICE_DOORS: &[Door] = &[
    door("/office/invoices", "list", "invoices"),
    door("/office/bills", "ride", "bills"),
    door("/office/tax", "title", "nav-tax"),
    door("/gates/setup", "ride", "setup"),
];
const INVOICE_DOORS: &[Door] = &[door("/invoice-terminal", "scan", "nav-invoice")];

#[derive(Debug, Clone)]
pub struct Page {
    pub language: Language,
    pub theme: Theme,
    pub viewer: Viewer,
    pub demo: Option<Arc<DemoSheet>>,
    /// Whether anybody may register.
    pub registration: bool,
    /// Path and query of this page, to come back to.
    pub here: String,
    /// Said once at the bottom, after something was done.
    pub notice: Option<String>,
    pub zone: TimeZone,
}

impl Page {
    /// The page as its request alone tells; nobody is looking yet.
    pub fn new(parts: &Parts, settings: &WebSettings) -> Self {
        let Parts { headers, uri, .. } = parts;
        let jar = CookieJar::from_headers(headers);
        let cookie = |name: &str| jar.get(name).map(|cookie| cookie.value().to_owned());
        let language = cookie(LANGUAGE_COOKIE).and_then(|name| Language::parse(&name));
        let accepted = || {
            let header = headers
                .get(header::ACCEPT_LANGUAGE)
                .and_then(|value| value.to_str().ok());
            Language::negotiate(header.unwrap_or_default())
        };
        let language = language.unwrap_or_else(accepted);
        Self {
            language,
            theme: cookie(THEME_COOKIE)
                .and_then(|name| Theme::parse(&name))
                .unwrap_or_default(),
            viewer: Viewer::Nobody,
            demo: settings.demo.clone(),
            registration: settings.open_registration,
            here: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            notice: notice(uri, language),
            zone: TimeZone::UTC,
        }
    }

    pub fn t(&self, key: &str) -> String {
        self.language.text(key)
    }

    pub fn with(&self, key: &str, place: &'static str, value: &str) -> String {
        self.language.text_with(key, &[(place, value)])
    }

    pub fn counted(&self, key: &str, count: &i64) -> String {
        self.language.text_counted(key, *count)
    }

    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    pub fn asset_folder(&self) -> String {
        assets::folder()
    }

    pub fn icon(&self, name: &str) -> String {
        format!("{}#{name}", assets::address("icons.svg"))
    }

    pub fn money(&self, money: &Money) -> String {
        self.language.money(*money)
    }

    pub fn minor(&self, minor: &i64, currency: &Currency) -> String {
        self.language.money(Money::new(*minor, *currency))
    }

    pub fn date_time(&self, at_ms: &i64) -> String {
        self.language.date_time(*at_ms, &self.zone)
    }

    pub fn clock(&self, at_ms: &i64) -> String {
        self.language.clock(*at_ms, &self.zone)
    }

    /// A field of the person's information, as consents name it.
    pub fn consent_field(&self, field: &str) -> String {
        self.t(&format!("consent-field-{field}"))
    }

    pub fn title_kind(&self, kind: &TitleKind) -> String {
        match kind {
            TitleKind::Personal => self.t("title-personal"),
            TitleKind::Company => self.t("title-company"),
        }
    }

    /// Whether a phone has the navigation under the thumb; tills keep it above.
    pub fn has_bottom_nav(&self) -> bool {
        matches!(self.viewer, Viewer::Person(_) | Viewer::Office(_))
    }

    pub fn viewer_name(&self) -> Option<String> {
        match &self.viewer {
            Viewer::Nobody => None,
            Viewer::Person(person) => Some(person.name.clone()),
            Viewer::Terminal(actor) => Some(format!("{} · {}", actor.merchant_name, actor.terminal.name)),
            Viewer::Operator => Some(self.t("operator")),
            Viewer::Office(office) => Some(office.merchant.name.clone()),
        }
    }

    pub fn doors(&self) -> &'static [Door] {
        use onescan_domain::merchants::TerminalRole;
        match &self.viewer {
            Viewer::Nobody => &[],
            Viewer::Person(_) => PERSON_DOORS,
            Viewer::Operator => OPERATOR_DOORS,
            Viewer::Office(_) => OFFICE_DOORS,
            Viewer::Terminal(actor) => match actor.terminal.role {
                TerminalRole::Cashier => CASHIER_DOORS,
                TerminalRole::Invoice => INVOICE_DOORS,
                TerminalRole::Gate => GATE_DOORS,
            },
        }
    }

    /// Whether the page is the one behind `path` or lies below it.
    pub fn stands_at(&self, path: &str) -> bool {
        let here = self.here.split('?').next().unwrap_or_default();
        let below = here.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        here == path || (below && path != "/till")
    }

    pub fn other_languages(&self) -> Vec<Language> {
        Language::ALL
            .into_iter()
            .filter(|language| *language != self.language)
            .collect()
    }
}

/// The text behind `?done=…`: only names of texts that begin with `done-`.
fn notice(uri: &Uri, language: Language) -> Option<String> {
    let query = uri.query()?;
    let name = query.split('&').find_map(|pair| pair.strip_prefix("done="))?;
    let key = format!("done-{name}");
    language.knows(&key).then(|| language.text(&key))
}
