//! `onescan merchant`.

use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};
use onescan_domain::ids::{KeyId, MerchantId, StoreId};
use onescan_domain::merchants::{Merchant, TerminalRole, TerminalTrust};
use onescan_platforms::access::KeyHolder;
use onescan_platforms::merchants::{NewMerchant, NewStore, NewTerminal};
use onescan_platforms::services::Services;

use super::output::Record;
use super::{Desk, Finding, PAGE, account_record, all_pages, currency, instant, key_record};

/// Merchants, their stores and terminals.
#[derive(Debug, Subcommand)]
pub enum MerchantCommand {
    /// Make a merchant
    ///
    /// Example: onescan merchant create "Corner Canteen" --category 5812 --currency EUR
    Create {
        name: String,
        /// Merchant category, the four digits of ISO 18245
        #[arg(long)]
        category: String,
        /// ISO 4217, three capital letters
        #[arg(long, value_parser = currency)]
        currency: onescan_domain::money::Currency,
    },
    /// List all merchants
    List,
    /// Show one, with its money, stores and terminals
    Show { id: MerchantId },
    /// Add a store
    ///
    /// Example: onescan merchant store mer_… "Main street" --city Berlin
    Store {
        merchant: MerchantId,
        name: String,
        #[arg(long)]
        city: String,
        /// Where it differs from the merchant's
        #[arg(long)]
        category: Option<String>,
    },
    /// Add a terminal with its key, which is shown once
    ///
    /// Example: onescan merchant terminal mer_… "Till 1" --store sto_… --role cashier
    Terminal {
        merchant: MerchantId,
        name: String,
        #[arg(long, value_name = "ID")]
        store: StoreId,
        #[arg(long, value_enum)]
        role: Role,
        /// Tell it nothing about why a code failed
        #[arg(long)]
        limited: bool,
        /// Let it mark a code as paid elsewhere, in cash for example
        #[arg(long)]
        may_assert_paid: bool,
    },
    /// Make a key for the merchant's back office; it is shown once
    BackOffice {
        merchant: MerchantId,
        /// What the key is for
        #[arg(long, default_value = "back office")]
        name: String,
    },
    /// Work on keys
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Role {
    /// Takes payments
    Cashier,
    /// Scans the code again for the invoice
    Invoice,
    /// Reads ride codes; see `onescan gate`
    Gate,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key worthless, at once
    Revoke { key: KeyId },
}

impl MerchantCommand {
    pub(super) async fn run(self, desk: &Desk) -> Result<Finding> {
        let house = desk.house().await?;
        let services = &house.services;
        match self {
            Self::Create {
                name,
                category,
                currency,
            } => {
                let new = NewMerchant {
                    name,
                    category,
                    currency,
                };
                desk.output.record(record(&services.merchants.create(new).await??))?;
            }
            Self::List => list(desk, services).await?,
            Self::Show { id } => show(desk, services, id).await?,
            Self::Store {
                merchant,
                name,
                city,
                category,
            } => add_store(desk, services, merchant, NewStore { name, category, city }).await?,
            Self::Terminal {
                merchant,
                name,
                store,
                role,
                limited,
                may_assert_paid,
            } => {
                let trust = if limited {
                    TerminalTrust::Limited
                } else {
                    TerminalTrust::Full
                };
                let new = NewTerminal {
                    store,
                    name,
                    role: role.into(),
                    trust,
                    may_assert_paid,
                };
                add_terminal(desk, services, merchant, new).await?;
            }
            Self::BackOffice { merchant, name } => {
                find(services, merchant).await?;
                let key = services.access.issue_key(KeyHolder::Merchant(merchant), &name).await?;
                desk.output.record(key_record(&key))?;
            }
            Self::Key(KeyCommand::Revoke { key }) => {
                let known = services.access.revoke_key(key).await?;
                known.then_some(()).with_context(|| format!("there is no key {key}"))?;
                desk.output
                    .record(Record::new().with("key", key.to_string()).with("revoked", true))?;
            }
        }
        house.close().await;
        Ok(Finding::Well)
    }
}

impl From<Role> for TerminalRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Cashier => Self::Cashier,
            Role::Invoice => Self::Invoice,
            Role::Gate => Self::Gate,
        }
    }
}

async fn add_store(desk: &Desk, services: &Services, merchant: MerchantId, new: NewStore) -> Result<()> {
    let store = services.merchants.add_store(merchant, new).await??;
    let shown = Record::new()
        .with("id", store.id.to_string())
        .with("name", store.name)
        .with("city", store.city)
        .with("category", store.category.map(|category| format!("{category:04}")));
    desk.output.record(shown)
}

async fn add_terminal(desk: &Desk, services: &Services, merchant: MerchantId, new: NewTerminal) -> Result<()> {
    let (terminal, key) = services.merchants.add_terminal(merchant, new).await??;
    let shown = key_record(&key)
        .with("terminal", terminal.id.to_string())
        .with("role", terminal.role.name());
    desk.output.record(shown)
}

fn record(merchant: &Merchant) -> Record {
    Record::new()
        .with("id", merchant.id.to_string())
        .with("name", merchant.name.as_str())
        .with("category", format!("{:04}", merchant.category))
        .with("currency", merchant.currency.code())
        .with("created_at", instant(merchant.created_at))
}

async fn find(services: &Services, id: MerchantId) -> Result<Merchant> {
    let found = services.merchants.find(id).await?;
    found.with_context(|| format!("there is no merchant {id}"))
}

async fn list(desk: &Desk, services: &Services) -> Result<()> {
    let all = all_pages(
        |merchant: &Merchant| merchant.id,
        |after| services.merchants.list(after, PAGE),
    )
    .await?;
    let empty = "no merchants yet; make one with `onescan merchant create`";
    desk.output.list(all.iter().map(record).collect(), empty)
}

async fn show(desk: &Desk, services: &Services, id: MerchantId) -> Result<()> {
    let merchant = find(services, id).await?;
    let stores = services.merchants.stores(id).await?;
    let terminals = services.merchants.terminals(id).await?;
    let shown = account_record(services, record(&merchant), merchant.account)
        .await?
        .with(
            "stores",
            stores
                .iter()
                .map(|store| format!("{} {}", store.id, store.name))
                .collect::<Vec<_>>(),
        )
        .with(
            "terminals",
            terminals
                .iter()
                .map(|terminal| format!("{} {} ({})", terminal.id, terminal.name, terminal.role.name()))
                .collect::<Vec<_>>(),
        );
    desk.output.record(shown)
}
