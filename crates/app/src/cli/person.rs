//! `onescan person`.

use anyhow::{Context, Result};
use clap::Subcommand;
use onescan_domain::ids::PersonId;
use onescan_domain::money::Currency;
use onescan_platforms::env::hex;
use onescan_platforms::people::{NewPerson, Person};
use onescan_platforms::services::Services;

use super::output::Record;
use super::{Desk, Finding, PAGE, account_record, all_pages, currency, instant};

/// People.
#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// Register a person with a first password, which is shown once
    ///
    /// Example: onescan person create "韩梅梅" han.meimei --currency CNY --language zh --time-zone Asia/Shanghai
    Create {
        name: String,
        login: String,
        /// ISO 4217, three capital letters: the currency of their own account
        #[arg(long, value_parser = currency)]
        currency: Currency,
        /// zh or en
        #[arg(long, default_value = "en")]
        language: String,
        /// IANA name
        #[arg(long, default_value = "UTC", value_name = "ZONE")]
        time_zone: String,
        #[arg(long)]
        email: Option<String>,
    },
    /// List all people
    List,
    /// Show one, with their money
    Show {
        /// Sign-in name or id
        who: String,
    },
}

impl PersonCommand {
    pub(super) async fn run(self, desk: &Desk) -> Result<Finding> {
        let house = desk.house().await?;
        let services = &house.services;
        match self {
            Self::Create {
                name,
                login,
                currency,
                language,
                time_zone,
                email,
            } => {
                let password = hex(&services.env.bytes::<8>());
                let new = NewPerson {
                    login,
                    name,
                    password: password.clone(),
                    identity: None,
                    email,
                    language,
                    currency,
                    time_zone,
                };
                let person = services.people.register(new).await??;
                desk.output.record(record(&person).with("first_password", password))?;
            }
            Self::List => list(desk, services).await?,
            Self::Show { who } => show(desk, services, &who).await?,
        }
        house.close().await;
        Ok(Finding::Well)
    }
}

/// Credential numbers are masked: a terminal's history keeps what it shows.
fn record(person: &Person) -> Record {
    Record::new()
        .with("id", person.id.to_string())
        .with("login", person.login.as_str())
        .with("name", person.name.as_str())
        .with(
            "identity",
            format!("{} {}", person.identity.kind().name(), person.identity.masked()),
        )
        .with("language", person.language.as_str())
        .with("time_zone", person.time_zone.as_str())
        .with("created_at", instant(person.created_at))
}

/// By sign-in name or id.
pub(super) async fn find(services: &Services, who: &str) -> Result<Person> {
    let found = match who.parse::<PersonId>() {
        Ok(id) => services.people.find(id).await?,
        Err(_) => services.people.find_by_login(who).await?,
    };
    found.with_context(|| format!("there is nobody with the sign-in name or id {who}"))
}

async fn list(desk: &Desk, services: &Services) -> Result<()> {
    let all = all_pages(|person: &Person| person.id, |after| services.people.list(after, PAGE)).await?;
    let empty = "nobody is registered yet; register people with `onescan person create` or `onescan import members`";
    desk.output.list(all.iter().map(record).collect(), empty)
}

async fn show(desk: &Desk, services: &Services, who: &str) -> Result<()> {
    let person = find(services, who).await?;
    let code_record = services.codes.record_of_person(person.id).await?;
    let member_of = services.people.memberships(person.id).await?;
    let shown = account_record(services, record(&person), person.account)
        .await?
        .with("code_record", code_record.map(|record| record.state.name()))
        .with(
            "member_of",
            member_of
                .iter()
                .map(|place| place.institution.to_string())
                .collect::<Vec<_>>(),
        );
    desk.output.record(shown)
}
