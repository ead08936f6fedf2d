//! `onescan bill`: bills of rides, for the operator. Row R09.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use onescan_domain::calendar::Date;
use onescan_domain::ids::{BillId, InstitutionId, MerchantId};
use onescan_domain::institutions::Institution;
use onescan_domain::money::{Currency, Money};
use onescan_domain::rides::bill::{Bill, BillPeriod, BillState, IssueWhen, PeriodKind};
use onescan_platforms::invoicing::Format as Form;
use onescan_platforms::payments::Page;
use onescan_platforms::rides::bills::{BillPreview, BillScope, CloseBill, GATHERED_AT_ONCE};
use onescan_platforms::services::Services;

use super::output::Record;
use super::{Desk, Finding, PAGE, all_pages, currency, instant};

/// Bills of rides: what an institution paid a ride provider in a period, as one invoice.
#[derive(Debug, Subcommand)]
pub enum BillCommand {
    /// List bills, newest first
    ///
    /// Example: onescan bill list ins_01kb6x2x8s0g00000000000000
    List {
        /// Whose: an institution (ins_…), or a ride provider (mer_…)
        owner: Owner,
    },
    /// Show what waits for a bill; writes nothing
    ///
    /// Without a provider: every provider whose rides wait, in the period that runs now and in the one before.
    ///
    /// Example: onescan bill preview ins_… --provider mer_… --period month --on 2026-11-15
    Preview(Preview),
    /// Close a period: make one bill of its rides, and have it invoiced
    ///
    /// Waits until the bill is closed and invoiced, also when the server does the work. A repeat answers with the one bill of
    /// the period. Exit status 1: the invoice was not issued; `onescan bill issue` repeats it once the reason is mended.
    ///
    /// Example: onescan bill close ins_… --provider mer_… --period month --on 2026-11-15
    Close(Close),
    /// Show a bill
    Show {
        /// The bill (bil_…)
        bill: BillId,
    },
    /// Have a closed bill invoiced, or one whose invoice failed
    Issue {
        /// The bill (bil_…)
        bill: BillId,
    },
    /// Make a credit note for refunds of an invoiced bill that no later bill will take
    ///
    /// Each refund is credited once, by a later bill or by a credit note.
    Credit {
        /// The invoiced bill (bil_…)
        bill: BillId,
    },
    /// Write a bill's rides or its document into a file
    ///
    /// Example: onescan bill export bil_… --form csv --output november.csv
    Export(Export),
}

#[derive(Debug, Args)]
pub struct Preview {
    /// The institution (ins_…)
    institution: InstitutionId,
    /// One ride provider (mer_…); with a period
    #[arg(long, requires = "period")]
    provider: Option<MerchantId>,
    #[command(flatten)]
    when: When,
}

#[derive(Debug, Args)]
pub struct Close {
    /// The institution (ins_…)
    institution: InstitutionId,
    /// The ride provider (mer_…)
    #[arg(long)]
    provider: MerchantId,
    #[command(flatten)]
    when: When,
    /// Only close it; `onescan bill issue` has it invoiced
    #[arg(long)]
    by_hand: bool,
}

/// Which period.
#[derive(Debug, Args)]
struct When {
    /// The period
    #[arg(long)]
    period: Option<Kind>,
    /// A day in it, such as 2026-11-15; not with own dates
    #[arg(long, value_name = "DATE")]
    on: Option<String>,
    /// First day of own dates
    #[arg(long, value_name = "DATE")]
    first_on: Option<String>,
    /// The day after the last one of own dates
    #[arg(long, value_name = "DATE")]
    until_on: Option<String>,
    /// Rides in this currency only; the institution's when absent
    #[arg(long, value_parser = currency)]
    currency: Option<Currency>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Day,
    /// From Monday on
    Week,
    Month,
    /// `--first-on` to `--until-on`
    Own,
}

#[derive(Debug, Args)]
pub struct Export {
    /// The bill (bil_…)
    bill: BillId,
    /// What of it
    #[arg(long, default_value = "csv")]
    form: ExportForm,
    /// The file; standard output when absent
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExportForm {
    /// Every ride, a line each
    Csv,
    Pdf,
    /// UBL 2.1
    Ubl,
    /// UN/CEFACT CII
    Cii,
}

/// An institution or a provider.
#[derive(Debug, Clone, Copy)]
pub struct Owner(BillScope);

impl FromStr for Owner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let institution = text.parse().map(BillScope::Institution);
        let scope = institution.or_else(|_| text.parse().map(BillScope::Provider));
        scope
            .map(Self)
            .map_err(|_| "use the id of an institution (ins_…) or of a ride provider (mer_…)".to_owned())
    }
}

impl BillCommand {
    pub(super) async fn run(self, desk: &Desk) -> Result<Finding> {
        let house = desk.house().await?;
        let services = &house.services;
        let finding = match self {
            Self::List { owner } => list(desk, services, owner.0).await,
            Self::Preview(preview) => preview.run(desk, services).await,
            Self::Close(close) => close.run(desk, services).await,
            Self::Show { bill } => show(desk, &find(services, bill).await?),
            Self::Issue { bill } => {
                let bill = find(services, bill).await?;
                let issued = services.bills.issue(bill.institution, bill.id).await??;
                settled(desk, services, issued.id).await
            }
            Self::Credit { bill } => {
                let bill = find(services, bill).await?;
                let bills = &services.bills;
                let note = bills.credit(bill.institution, bill.id, IssueWhen::AtOnce).await??;
                settled(desk, services, note.id).await
            }
            Self::Export(export) => export.run(services).await,
        };
        house.close().await;
        finding
    }
}

async fn find(services: &Services, id: BillId) -> Result<Bill> {
    let found = services.bills.find(id).await?;
    found.with_context(|| format!("there is no bill {id}"))
}

async fn institution(services: &Services, id: InstitutionId) -> Result<Institution> {
    let found = services.institutions.find(id).await?;
    found.with_context(|| format!("there is no institution {id}"))
}

async fn list(desk: &Desk, services: &Services, scope: BillScope) -> Result<Finding> {
    let page = |after: Option<BillId>| {
        let page = Page {
            after: after.map(BillId::stored),
            limit: PAGE,
        };
        async move { services.bills.list(scope, &page).await }
    };
    let bills = all_pages(|bill: &Bill| bill.id, page).await?;
    let records = bills.iter().map(record).collect();
    desk.output.list(records, "no bills")?;
    Ok(Finding::Well)
}

fn show(desk: &Desk, bill: &Bill) -> Result<Finding> {
    let moment = |at: Option<i64>| at.map(instant);
    let (problem, issued_at) = match &bill.state {
        BillState::Failed { problem } => (Some(problem.clone()), None),
        BillState::Issued { at, .. } => (None, Some(*at)),
        BillState::Closing | BillState::Closed | BillState::Issuing => (None, None),
    };
    let failed = problem.is_some();
    let record = record(bill)
        .with("institution", bill.institution.to_string())
        .with("expected_rides", bill.tally.expected)
        .with(
            "charged",
            Money::new(bill.tally.charged_minor, bill.currency).to_string(),
        )
        .with(
            "credited",
            Money::new(bill.tally.credited_minor, bill.currency).to_string(),
        )
        .with("corrects", bill.corrects.map(|id| id.to_string()))
        .with("problem", problem)
        .with("closed_at", moment(bill.closed_at))
        .with("issued_at", moment(issued_at));
    desk.output.record(record)?;
    Ok(if failed { Finding::Wrong } else { Finding::Well })
}

fn record(bill: &Bill) -> Record {
    let number = match &bill.state {
        BillState::Issued { number, .. } => Some(number.clone()),
        BillState::Closing | BillState::Closed | BillState::Issuing | BillState::Failed { .. } => None,
    };
    Record::new()
        .with("bill", bill.id.to_string())
        .with("provider", bill.provider.to_string())
        .with("first_on", bill.period.first_on().to_string())
        .with("until_on", bill.period.until_on().to_string())
        .with("state", bill.state.name())
        .with("rides", bill.tally.rides)
        .with("total", bill.total().to_string())
        .with("number", number)
}

fn preview_record(provider: MerchantId, preview: &BillPreview) -> Record {
    let money = |minor| Money::new(minor, preview.currency).to_string();
    Record::new()
        .with("provider", provider.to_string())
        .with("first_on", preview.period.first_on().to_string())
        .with("until_on", preview.period.until_on().to_string())
        .with("rides", preview.rides)
        .with("late_rides", preview.late_rides)
        .with("charged", money(preview.charged_minor))
        .with("open_credits", money(preview.open_credits_minor))
}

impl When {
    fn period(&self) -> Result<BillPeriod> {
        let date = |name: &str, text: &Option<String>| {
            let found = text.as_deref().and_then(Date::parse);
            found.with_context(|| format!("{name}: enter a date such as 2026-11-15"))
        };
        let kind = match self.period.context("--period: use day, week, month or own")? {
            Kind::Day => PeriodKind::Day,
            Kind::Week => PeriodKind::Week,
            Kind::Month => PeriodKind::Month,
            Kind::Own => {
                let first = date("--first-on", &self.first_on)?;
                let until = date("--until-on", &self.until_on)?;
                return BillPeriod::own(first, until).context("--until-on: must be after --first-on");
            }
        };
        let period = BillPeriod::containing(kind, date("--on", &self.on)?);
        period.context("--on: the day is beyond the calendar")
    }

    fn close(&self, institution: &Institution, provider: MerchantId, issue: IssueWhen) -> Result<CloseBill> {
        Ok(CloseBill {
            provider,
            period: self.period()?,
            currency: self.currency.unwrap_or(institution.currency),
            issue,
        })
    }
}

impl Preview {
    async fn run(self, desk: &Desk, services: &Services) -> Result<Finding> {
        let institution = institution(services, self.institution).await?;
        if let Some(provider) = self.provider {
            let close = self.when.close(&institution, provider, IssueWhen::AtOnce)?;
            let preview = services.bills.preview(&institution, &close).await?;
            desk.output.record(preview_record(provider, &preview))?;
            return Ok(Finding::Well);
        }
        let mut records = Vec::new();
        for running in services.bills.running(&institution).await? {
            let over = running.over.filter(|over| over.rides > 0);
            let previews = over.into_iter().chain([running.current]);
            records.extend(previews.map(|preview| preview_record(running.provider, &preview)));
        }
        desk.output.list(records, "no ride waits for a bill")?;
        Ok(Finding::Well)
    }
}

impl Close {
    async fn run(self, desk: &Desk, services: &Services) -> Result<Finding> {
        let institution = institution(services, self.institution).await?;
        let issue = match self.by_hand {
            true => IssueWhen::ByHand,
            false => IssueWhen::AtOnce,
        };
        let close = self.when.close(&institution, self.provider, issue)?;
        let begun = services.bills.close(&institution, &close).await??;
        settled(desk, services, begun.id).await
    }
}

/// Works on bills until this one stands still, and shows it. A server on the same data may do the work instead.
async fn settled(desk: &Desk, services: &Services, id: BillId) -> Result<Finding> {
    const PAUSE: Duration = Duration::from_millis(200);
    loop {
        let bill = find(services, id).await?;
        match bill.state {
            BillState::Closing => {
                let tally = services.bills.gather(id, GATHERED_AT_ONCE).await?.tally;
                eprintln!("{} of {} rides", tally.rides, tally.expected);
            }
            BillState::Issuing => {
                if services.bills.work().await? == 0 {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            BillState::Closed | BillState::Issued { .. } | BillState::Failed { .. } => return show(desk, &bill),
        }
    }
}

impl Export {
    async fn run(self, services: &Services) -> Result<Finding> {
        let bill = find(services, self.bill).await?;
        let form = match self.form {
            ExportForm::Csv => None,
            ExportForm::Pdf => Some(Form::Pdf),
            ExportForm::Ubl => Some(Form::Ubl),
            ExportForm::Cii => Some(Form::Cii),
        };
        let bytes = match form {
            None => services.bills.list_as_csv(&bill).await?.into_bytes(),
            Some(form) => match services.bills.document(&bill, form).await? {
                Some(bytes) => bytes,
                None => bail!("the bill is {}: only an issued one has a document", bill.state.name()),
            },
        };
        match self.output {
            Some(file) => {
                std::fs::write(&file, bytes).with_context(|| format!("{} cannot be written", file.display()))?;
            }
            None => super::output::print_bytes(&bytes)?,
        }
        Ok(Finding::Well)
    }
}
