//! Who asks: credentials in, extractors out that only authentication can make.
//!
//! **Invariant:** the tenant comes from the credential. What belongs to another tenant is answered as absent, never as
//! forbidden.

use std::ops::Deref;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use onescan_domain::codes::CodeRecord;
use onescan_domain::ids::{InstitutionId, MerchantId, PersonId};
use onescan_domain::institutions::Institution;
use onescan_domain::merchants::{Merchant, TerminalRole};
use onescan_platforms::access::{Actor, Freshness, PersonActor, TerminalActor};
use onescan_platforms::services::Services;

use crate::AppState;
use crate::problem::{Code, Problem};

/// The credential in `Authorization: Bearer …`; `None` when there is none.
fn bearer(parts: &Parts) -> Option<&str> {
    let text = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

async fn actor(parts: &Parts, state: &AppState, freshness: Freshness) -> Result<Actor, Problem> {
    let Some(token) = bearer(parts) else {
        return Err(Problem::new(
            Code::Unauthenticated,
            "send the header Authorization: Bearer and a key or session token",
        ));
    };
    let found = state.services.access.authenticate(token, freshness).await?;
    found.map_err(|refusal| Problem::of_access(refusal, state.services.env.now_ms()))
}

fn wrong_role(wanted: &'static str) -> Problem {
    Problem::new(Code::WrongRole, format!("this needs the credential of {wanted}"))
}

/// Whoever asks, as the caller of a changing request; keys of different callers do not meet.
pub fn caller(actor: &Actor) -> String {
    match actor {
        Actor::Person(person) => person.person.to_string(),
        Actor::Terminal(terminal) => terminal.facts.key.to_string(),
        Actor::Institution { key, .. } | Actor::Merchant { key, .. } | Actor::Operator { key: Some(key) } => {
            key.to_string()
        }
        Actor::Operator { key: None } => "operator".to_owned(),
    }
}

/// Any valid credential; the handler decides what it may see.
#[derive(Debug)]
pub struct AsAnybody(Actor);

impl Deref for AsAnybody {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.0
    }
}

impl FromRequestParts<AppState> for AsAnybody {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        actor(parts, state, Freshness::Checked).await.map(Self)
    }
}

/// A valid credential, or none at all. A wrong one is still refused.
#[derive(Debug)]
pub struct Perhaps(Option<Actor>);

impl Perhaps {
    pub fn is_operator(&self) -> bool {
        matches!(self.0, Some(Actor::Operator { .. }))
    }
}

impl FromRequestParts<AppState> for Perhaps {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        match parts.headers.contains_key(AUTHORIZATION) {
            true => actor(parts, state, Freshness::Checked)
                .await
                .map(|actor| Self(Some(actor))),
            false => Ok(Self(None)),
        }
    }
}

/// A signed-in person.
#[derive(Debug)]
pub struct AsPerson(PersonActor);

impl Deref for AsPerson {
    type Target = PersonActor;

    fn deref(&self) -> &PersonActor {
        &self.0
    }
}

impl FromRequestParts<AppState> for AsPerson {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        match actor(parts, state, Freshness::Checked).await? {
            Actor::Person(person) => Ok(Self(person)),
            Actor::Terminal(_) | Actor::Institution { .. } | Actor::Merchant { .. } | Actor::Operator { .. } => {
                Err(wrong_role("a person (a session token)"))
            }
        }
    }
}

async fn terminal(parts: &Parts, state: &AppState, freshness: Freshness) -> Result<TerminalActor, Problem> {
    match actor(parts, state, freshness).await? {
        Actor::Terminal(terminal) => Ok(terminal),
        Actor::Person(_) | Actor::Institution { .. } | Actor::Merchant { .. } | Actor::Operator { .. } => {
            Err(wrong_role("a terminal"))
        }
    }
}

fn in_role(terminal: TerminalActor, role: TerminalRole) -> Result<TerminalActor, Problem> {
    match (terminal.terminal.role == role, role) {
        (true, _) => Ok(terminal),
        (false, TerminalRole::Cashier) => Err(wrong_role("a cashier terminal")),
        (false, TerminalRole::Invoice) => Err(wrong_role("an invoice terminal")),
        (false, TerminalRole::Gate) => Err(wrong_role("a gate")),
    }
}

macro_rules! terminals {
    ($($(#[$doc:meta])* $name:ident($parts:ident, $state:ident) = $made:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(TerminalActor);

        impl $name {
            pub fn into_actor(self) -> TerminalActor {
                self.0
            }
        }

        impl Deref for $name {
            type Target = TerminalActor;

            fn deref(&self) -> &TerminalActor {
                &self.0
            }
        }

        impl FromRequestParts<AppState> for $name {
            type Rejection = Problem;

            async fn from_request_parts($parts: &mut Parts, $state: &AppState) -> Result<Self, Problem> {
                $made.map(Self)
            }
        }
    )*};
}

terminals! {
    /// A merchant's terminal of any role.
    AsTerminal(parts, state) = terminal(parts, state, Freshness::Checked).await;
    /// A cashier terminal.
    AsCashier(parts, state) = in_role(terminal(parts, state, Freshness::Checked).await?, TerminalRole::Cashier);
    /// A cashier terminal that pays: its facts may be some seconds old, because the batch checks the key again.
    AsPayingCashier(parts, state) =
        in_role(terminal(parts, state, Freshness::BatchChecks).await?, TerminalRole::Cashier);
    /// An invoice terminal.
    AsInvoiceTerminal(parts, state) = in_role(terminal(parts, state, Freshness::Checked).await?, TerminalRole::Invoice);
    /// A gate of a ride provider.
    AsGate(parts, state) = in_role(terminal(parts, state, Freshness::Checked).await?, TerminalRole::Gate);
}

/// Who runs the server.
#[derive(Debug)]
pub struct AsOperator(Actor);

impl AsOperator {
    pub fn caller(&self) -> String {
        caller(&self.0)
    }
}

impl FromRequestParts<AppState> for AsOperator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        match actor(parts, state, Freshness::Checked).await? {
            actor @ Actor::Operator { .. } => Ok(Self(actor)),
            Actor::Person(_) | Actor::Terminal(_) | Actor::Institution { .. } | Actor::Merchant { .. } => {
                Err(wrong_role("the operator"))
            }
        }
    }
}

/// Whether the actor may do what an administrator of the institution may: the operator, a key of it or of one above it, or
/// an active administrator of it or of one above it.
pub async fn administers(
    services: &Services,
    actor: &Actor,
    institution: InstitutionId,
) -> Result<bool, onescan_platforms::error::PlatformError> {
    match actor {
        Actor::Operator { .. } => Ok(true),
        Actor::Person(person) => services.institutions.is_administrator(person.person, institution).await,
        Actor::Institution { institution: own, .. } => {
            let lineage = services.institutions.lineage(institution).await?;
            Ok(lineage.iter().any(|level| level.id == *own))
        }
        Actor::Terminal(_) | Actor::Merchant { .. } => Ok(false),
    }
}

/// Whoever may administer the institution that `{institution}` in the path names.
#[derive(Debug)]
pub struct AsAdministrator {
    actor: Actor,
    institution: Institution,
}

impl AsAdministrator {
    pub fn institution(&self) -> &Institution {
        &self.institution
    }

    pub fn id(&self) -> InstitutionId {
        self.institution.id
    }

    pub fn caller(&self) -> String {
        caller(&self.actor)
    }

    pub fn is_operator(&self) -> bool {
        matches!(self.actor, Actor::Operator { .. })
    }

    /// The administrator as a person; `None` for a program.
    pub fn person(&self) -> Option<PersonId> {
        match &self.actor {
            Actor::Person(person) => Some(person.person),
            Actor::Terminal(_) | Actor::Institution { .. } | Actor::Merchant { .. } | Actor::Operator { .. } => None,
        }
    }
}

impl FromRequestParts<AppState> for AsAdministrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let actor = actor(parts, state, Freshness::Checked).await?;
        let absent = || Problem::not_found("institution");
        let id: InstitutionId = path_id(parts, state, "institution").await.ok_or_else(absent)?;
        let institution = state.services.institutions.find(id).await?.ok_or_else(absent)?;
        match administers(&state.services, &actor, id).await? {
            true => Ok(Self { actor, institution }),
            false => Err(absent()),
        }
    }
}

/// Whoever may act for the merchant that `{merchant}` in the path names: the operator or a key of the merchant.
#[derive(Debug)]
pub struct AsMerchant(Merchant, String);

impl AsMerchant {
    /// The credential, for the record of who changed what.
    pub fn caller(&self) -> &str {
        &self.1
    }
}

/// [`AsMerchant`], or a terminal of the merchant: may read.
#[derive(Debug)]
pub struct AsMerchantReader(Merchant);

impl Deref for AsMerchant {
    type Target = Merchant;

    fn deref(&self) -> &Merchant {
        &self.0
    }
}

impl Deref for AsMerchantReader {
    type Target = Merchant;

    fn deref(&self) -> &Merchant {
        &self.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Reading,
    Changing,
}

async fn merchant(parts: &mut Parts, state: &AppState, wanted: Wanted) -> Result<(Merchant, String), Problem> {
    let actor = actor(parts, state, Freshness::Checked).await?;
    let absent = || Problem::not_found("merchant");
    let id: MerchantId = path_id(parts, state, "merchant").await.ok_or_else(absent)?;
    let may = match &actor {
        Actor::Operator { .. } => true,
        Actor::Merchant { merchant, .. } => *merchant == id,
        Actor::Terminal(terminal) => terminal.facts.merchant == id && wanted == Wanted::Reading,
        Actor::Person(_) | Actor::Institution { .. } => false,
    };
    if !may {
        return Err(absent());
    }
    let merchant = state.services.merchants.find(id).await?.ok_or_else(absent)?;
    Ok((merchant, caller(&actor)))
}

impl FromRequestParts<AppState> for AsMerchant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let (merchant, caller) = merchant(parts, state, Wanted::Changing).await?;
        Ok(Self(merchant, caller))
    }
}

impl FromRequestParts<AppState> for AsMerchantReader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        merchant(parts, state, Wanted::Reading)
            .await
            .map(|(merchant, _)| Self(merchant))
    }
}

/// Who may change what a merchant sold: a cashier terminal, or a key of the merchant.
#[derive(Debug)]
pub struct AsSeller(Actor, MerchantId);

impl AsSeller {
    pub fn merchant(&self) -> MerchantId {
        self.1
    }

    pub fn caller(&self) -> String {
        caller(&self.0)
    }
}

impl FromRequestParts<AppState> for AsSeller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let actor = actor(parts, state, Freshness::Checked).await?;
        let merchant = match &actor {
            Actor::Terminal(terminal) => in_role(terminal.clone(), TerminalRole::Cashier)?.facts.merchant,
            Actor::Merchant { merchant, .. } => *merchant,
            Actor::Person(_) | Actor::Institution { .. } | Actor::Operator { .. } => {
                return Err(wrong_role("a cashier terminal or a merchant's key"));
            }
        };
        Ok(Self(actor, merchant))
    }
}

/// The person whose code record `{record}` in the path is, or whoever administers the institution it is of.
#[derive(Debug)]
pub struct AsRecordHolder {
    actor: Actor,
    record: CodeRecord,
}

impl AsRecordHolder {
    pub fn record(&self) -> &CodeRecord {
        &self.record
    }

    pub fn person(&self) -> Option<PersonId> {
        match &self.actor {
            Actor::Person(person) => Some(person.person),
            Actor::Terminal(_) | Actor::Institution { .. } | Actor::Merchant { .. } | Actor::Operator { .. } => None,
        }
    }
}

impl FromRequestParts<AppState> for AsRecordHolder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let actor = actor(parts, state, Freshness::Checked).await?;
        let absent = || Problem::not_found("code record");
        let id: String = path_id(parts, state, "record").await.ok_or_else(absent)?;
        let record = held_record(&state.services, &actor, &id).await?.ok_or_else(absent)?;
        Ok(Self { actor, record })
    }
}

/// The record of this id when the actor holds it: the person's own, or one of an institution the actor administers.
/// Looks at every institution in question: a few reads for each.
pub async fn held_record(
    services: &Services,
    actor: &Actor,
    id: &str,
) -> Result<Option<CodeRecord>, onescan_platforms::error::PlatformError> {
    let mut institutions = match actor {
        Actor::Person(person) => {
            let own = services.codes.record_of_person(person.person).await?;
            if let Some(own) = own.filter(|record| record.id.as_str() == id) {
                return Ok(Some(own));
            }
            administered(services, person.person).await?
        }
        Actor::Institution { institution, .. } => vec![*institution],
        Actor::Terminal(_) | Actor::Merchant { .. } | Actor::Operator { .. } => Vec::new(),
    };
    while let Some(institution) = institutions.pop() {
        let record = services.codes.record_of_institution(institution).await?;
        if let Some(record) = record.filter(|record| record.id.as_str() == id) {
            return Ok(Some(record));
        }
        let below = services.institutions.children(institution).await?;
        institutions.extend(below.into_iter().map(|child| child.id));
    }
    Ok(None)
}

/// The institutions a person is an active administrator of; those below them are not listed.
async fn administered(
    services: &Services,
    person: PersonId,
) -> Result<Vec<InstitutionId>, onescan_platforms::error::PlatformError> {
    let mut found = Vec::new();
    for membership in services.people.memberships(person).await? {
        if services
            .institutions
            .is_administrator(person, membership.institution)
            .await?
        {
            found.push(membership.institution);
        }
    }
    Ok(found)
}

async fn path_id<T: std::str::FromStr>(parts: &mut Parts, state: &AppState, name: &str) -> Option<T> {
    let params = RawPathParams::from_request_parts(parts, state).await.ok()?;
    let (_, text) = params.iter().find(|(known, _)| *known == name)?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn a_credential_is_read_from_its_header() {
        let token = |header: Option<&str>| {
            let mut request = Request::builder();
            if let Some(header) = header {
                request = request.header(AUTHORIZATION, header);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            bearer(&parts).map(str::to_owned)
        };
        assert_eq!(token(None), None);
        assert_eq!(token(Some("Bearer key_1.abc")).as_deref(), Some("key_1.abc"));
        assert_eq!(token(Some("bearer  key_1.abc ")).as_deref(), Some("key_1.abc"));
        assert_eq!(token(Some("Basic YTpi")), None);
        assert_eq!(token(Some("Bearer")), None);
        assert_eq!(token(Some("Bearer  ")), None);
    }
}
