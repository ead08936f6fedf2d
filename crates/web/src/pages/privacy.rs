//! What the person agreed to, where they are signed in, and what went wrong with their codes. Rows S05, S22.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect};
use onescan_domain::ids::{ConsentId, SessionId};
use onescan_domain::payments::batch::{Alarm, AlarmKind};
use onescan_platforms::access::Session;
use onescan_platforms::payments::Page as ListPage;
use onescan_platforms::people::Consent;

use super::error::{PageError, PageResult};
use super::html;
use super::page::Page;
use super::visit::PersonVisit;
use crate::AppState;

#[derive(Template)]
#[template(path = "privacy.html")]
struct PrivacyPage<'a> {
    page: &'a Page,
    consents: Vec<Consent>,
    sessions: Vec<Session>,
    own: SessionId,
    alarms: Vec<Alarm>,
}

pub async fn show(State(state): State<AppState>, visit: PersonVisit) -> PageResult {
    let services = &state.services;
    let person = visit.person.id;
    let buckets = services.processing.buckets_of(person).await?;
    let now = services.env.now_ms();
    let sessions = services.access.sessions(person).await?;
    let template = PrivacyPage {
        page: &visit.page,
        consents: services.people.consents(person).await?,
        sessions: sessions
            .into_iter()
            .filter(|session| now < session.expires_at)
            .collect(),
        own: visit.session,
        alarms: services
            .payments
            .alarms_of_person(person, buckets, ListPage::default())
            .await?,
    };
    html(&template)
}

pub async fn withdraw(State(state): State<AppState>, visit: PersonVisit, Path(id): Path<String>) -> PageResult {
    let id: ConsentId = id.parse().map_err(|_| PageError::NotFound)?;
    match state.services.people.withdraw(visit.person.id, id).await? {
        true => Ok(Redirect::to("/privacy?done=withdrawn").into_response()),
        false => Err(PageError::NotFound),
    }
}

/// Ends one of the person's own sessions; another's reads as absent.
pub async fn end_session(State(state): State<AppState>, visit: PersonVisit, Path(id): Path<String>) -> PageResult {
    let id: SessionId = id.parse().map_err(|_| PageError::NotFound)?;
    let own = state.services.access.sessions(visit.person.id).await?;
    if own.iter().all(|session| session.id != id) {
        return Err(PageError::NotFound);
    }
    state.services.access.sign_out(id).await?;
    Ok(Redirect::to("/privacy?done=session-ended").into_response())
}

fn alarm_key(kind: &AlarmKind) -> &'static str {
    match kind {
        AlarmKind::CodeRepeated => "alarm-code-repeated",
        AlarmKind::TerminalLocked => "alarm-terminal-locked",
    }
}

/// Parts of what browsers call themselves, the telling ones first: most also carry the names of others.
const BROWSERS: &[(&str, &str)] = &[
    ("MicroMessenger", "WeChat"),
    ("AlipayClient", "Alipay"),
    ("Edg/", "Edge"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];
const SYSTEMS: &[(&str, &str)] = &[
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// `Chrome, Linux` for people; what is not known is shown as it came.
fn agent_name(agent: &str) -> String {
    let find = |names: &[(&str, &'static str)]| {
        let found = names.iter().find(|(part, _)| agent.contains(part));
        found.map(|(_, name)| *name)
    };
    let names: Vec<&str> = [find(BROWSERS), find(SYSTEMS)].into_iter().flatten().collect();
    if names.is_empty() {
        agent.to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_for_people() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
        let wechat = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Mobile MicroMessenger/8.0";
        assert_eq!(agent_name(chrome), "Chrome, Linux");
        assert_eq!(agent_name(wechat), "WeChat, iPhone");
        assert_eq!(agent_name("till-bridge 3"), "till-bridge 3");
    }
}
