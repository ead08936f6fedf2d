//! `onescan top-up`.

use anyhow::{Context, Result, bail};
use clap::Args;
use onescan_domain::ids::{AccountId, InstitutionId, MemberId, MerchantId};
use onescan_domain::money::Money;
use onescan_domain::payments::ledger::TransferKind;
use onescan_platforms::env::{fingerprint, hex};
use onescan_platforms::payments::{Idempotency, MoveRequest};
use onescan_platforms::services::Services;

use super::output::Record;
use super::{Desk, Finding, person};

const AFTER_HELP: &str = "\
Examples:
  onescan top-up ins_… 5000.00                    an institution
  onescan top-up li.lei 50                        a person, by sign-in name or id
  onescan top-up mem_… 200                        a member's dedicated account
  onescan top-up ins_… 5000 --key bank-4711       once only, however often it is run

The amount is in the account's currency. The money comes from the operator's bank account in the ledger.";

/// Put money on an account.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct TopUp {
    /// Institution (ins_…), member (mem_…), or person (sign-in name or per_…)
    owner: String,
    /// Decimal, such as 12.50
    amount: String,
    /// Idempotency key, such as the bank's reference: the same key moves the money once
    #[arg(long)]
    key: Option<String>,
}

impl TopUp {
    pub(super) async fn run(self, desk: &Desk) -> Result<Finding> {
        let house = desk.house().await?;
        let services = &house.services;
        let id = account_of(services, &self.owner).await?;
        let account = services
            .payments
            .account(id)
            .await?
            .context("the account is not there")?;
        let amount = Money::parse_decimal(&self.amount, account.currency)?;
        let amount = Money::positive(amount.minor, amount.currency)?;
        let key = self.key.unwrap_or_else(|| hex(&services.env.bytes::<16>()));
        if key.is_empty() || key.len() > 255 || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            bail!("--key: use 1 to 255 visible ASCII characters");
        }
        let asked = fingerprint(&[id.stored().as_bytes(), &amount.minor.to_be_bytes()]);
        let request = MoveRequest {
            kind: TransferKind::TopUp,
            debit: None,
            credit: id,
            amount,
            idempotency: Idempotency {
                caller: "command line".to_owned(),
                key,
                fingerprint: asked,
            },
        };
        let transfer = services.payments.move_money(request).await??;
        let account = services
            .payments
            .account(id)
            .await?
            .context("the account is not there")?;
        let shown = Record::new()
            .with("transfer", transfer.id.to_string())
            .with("account", id.to_string())
            .with("amount", transfer.amount.to_string())
            .with(
                "available",
                Money::new(account.available_minor(), account.currency).to_string(),
            );
        house.close().await;
        desk.output.record(shown)?;
        Ok(Finding::Well)
    }
}

async fn account_of(services: &Services, owner: &str) -> Result<AccountId> {
    if let Ok(id) = owner.parse::<InstitutionId>() {
        let found = services.institutions.find(id).await?;
        return Ok(found.with_context(|| format!("there is no institution {id}"))?.account);
    }
    if let Ok(id) = owner.parse::<MemberId>() {
        let found = services
            .institutions
            .member(id)
            .await?
            .with_context(|| format!("there is no member {id}"))?;
        return found
            .account
            .with_context(|| format!("{id} has no account of their own"));
    }
    if owner.parse::<MerchantId>().is_ok() {
        bail!("merchants are paid, not topped up");
    }
    Ok(person::find(services, owner).await?.account)
}
