//! `onescan institution`.

use anyhow::{Context, Result};
use clap::Subcommand;
use onescan_domain::bucket::Bucket;
use onescan_domain::ids::InstitutionId;
use onescan_domain::institutions::{Institution, MemberRole};
use onescan_platforms::access::KeyHolder;
use onescan_platforms::institutions::{NewInstitution, NewMember};
use onescan_platforms::services::Services;

use super::output::Record;
use super::{Desk, Finding, PAGE, account_record, all_pages, currency, instant, key_record};

/// Institutions, their keys and administrators.
#[derive(Debug, Subcommand)]
pub enum InstitutionCommand {
    /// Make an institution, or one below another
    ///
    /// Example: onescan institution create "Nordlicht GmbH" --currency EUR --time-zone Europe/Berlin
    Create {
        name: String,
        /// ISO 4217, three capital letters
        #[arg(long, value_parser = currency)]
        currency: onescan_domain::money::Currency,
        /// IANA name; limits count their days and months in it
        #[arg(long, default_value = "UTC", value_name = "ZONE")]
        time_zone: String,
        /// The institution above it
        #[arg(long, value_name = "ID")]
        parent: Option<InstitutionId>,
        /// A bucket of its own, 0 to 4095, for a large institution
        #[arg(long, value_name = "NUMBER", conflicts_with = "parent")]
        bucket: Option<u16>,
    },
    /// List all institutions
    List,
    /// Show one, with its money, members and those below it
    Show { id: InstitutionId },
    /// Make a key for a program of the institution; it is shown once
    ///
    /// Such a program may do what an administrator may.
    Key {
        id: InstitutionId,
        /// What the key is for
        #[arg(long, default_value = "program")]
        name: String,
    },
    /// Let a registered person administer the institution and those below it
    ///
    /// Example: onescan institution administrator ins_… han.meimei
    Administrator {
        id: InstitutionId,
        /// Sign-in name of the person
        login: String,
    },
}

impl InstitutionCommand {
    pub(super) async fn run(self, desk: &Desk) -> Result<Finding> {
        let house = desk.house().await?;
        let services = &house.services;
        match self {
            Self::Create {
                name,
                currency,
                time_zone,
                parent,
                bucket,
            } => {
                let bucket = bucket
                    .map(|number| Bucket::new(number).context("--bucket: use 0 to 4095"))
                    .transpose()?;
                let new = NewInstitution {
                    parent,
                    name,
                    currency,
                    time_zone,
                    bucket,
                };
                desk.output.record(record(&services.institutions.create(new).await??))?;
            }
            Self::List => {
                let all = all_pages(
                    |institution: &Institution| institution.id,
                    |after| services.institutions.list(after, PAGE),
                )
                .await?;
                let empty = "no institutions yet; make one with `onescan institution create`";
                desk.output.list(all.iter().map(record).collect(), empty)?;
            }
            Self::Show { id } => show(desk, services, id).await?,
            Self::Key { id, name } => {
                find(services, id).await?;
                let secret = services.access.issue_key(KeyHolder::Institution(id), &name).await?;
                desk.output.record(key_record(&secret))?;
            }
            Self::Administrator { id, login } => administrator(desk, services, id, &login).await?,
        }
        house.close().await;
        Ok(Finding::Well)
    }
}

fn record(institution: &Institution) -> Record {
    Record::new()
        .with("id", institution.id.to_string())
        .with("name", institution.name.as_str())
        .with("currency", institution.currency.code())
        .with("time_zone", institution.time_zone.as_str())
        .with("parent", institution.parent.map(|parent| parent.to_string()))
        .with("created_at", instant(institution.created_at))
}

async fn find(services: &Services, id: InstitutionId) -> Result<Institution> {
    let found = services.institutions.find(id).await?;
    found.with_context(|| format!("there is no institution {id}"))
}

async fn show(desk: &Desk, services: &Services, id: InstitutionId) -> Result<()> {
    let institution = find(services, id).await?;
    let code_record = services.codes.record_of_institution(id).await?;
    let below = services.institutions.children(id).await?;
    let shown = account_record(services, record(&institution), institution.account)
        .await?
        .with("members", services.institutions.count_members(id).await?)
        .with("code_record", code_record.map(|record| record.state.name()))
        .with(
            "below",
            below
                .iter()
                .map(|child| format!("{} {}", child.id, child.name))
                .collect::<Vec<_>>(),
        );
    desk.output.record(shown)
}

async fn administrator(desk: &Desk, services: &Services, id: InstitutionId, login: &str) -> Result<()> {
    find(services, id).await?;
    let person = services.people.find_by_login(login).await?;
    let person =
        person.with_context(|| format!("nobody signs in as {login}; register them with `onescan person create`"))?;
    let member = match services.institutions.member_of_person(id, person.id).await? {
        Some(mut member) => {
            member.role = MemberRole::Administrator;
            member.state = onescan_domain::institutions::MemberState::Active;
            services.institutions.change_member(member).await??
        }
        None => {
            let new = NewMember {
                person: person.id,
                name: person.name.clone(),
                employee_number: None,
                department: None,
                role: MemberRole::Administrator,
            };
            services.institutions.add_member(id, new).await??
        }
    };
    let shown = Record::new()
        .with("member", member.id.to_string())
        .with("institution", id.to_string())
        .with("login", person.login)
        .with("role", member.role.name());
    desk.output.record(shown)
}
