//! `onescan import`.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::Subcommand;
use onescan_domain::ids::InstitutionId;
use onescan_platforms::institutions::{ImportLine, ImportReport};

use super::output::Record;
use super::{Desk, Finding};

const AFTER_HELP: &str = "\
The file is CSV in UTF-8 with a header line; comma, semicolon or tab; with or without byte order
mark; LF or CRLF.

  column            must  what it is
  name              yes   full name
  login             yes   sign-in name, 3 to 100 letters, digits and . _ - @ +
  identity_kind     no    user_number, credential (default) or cross_border_credential
  identity_number   no    number of that credential
  email             no    where invoices go
  employee_number   no    the institution's own number, unique there
  department        no    made when it does not exist
  role              no    employee (default) or administrator

The Chinese headers 姓名, 登录名, 证件类型, 证件号码, 邮箱, 工号, 部门, 角色 are understood too.

Good lines go in, bad ones are listed with their number and reason; status 1 when there are any.
Whoever is registered already becomes a member; anybody else is registered with a first password,
which is printed once. Running a file again changes nothing.

Example:
  onescan import members --institution ins_… staff.csv --json > report.json";

/// Take data in from files.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Members of an institution, from a CSV file
    #[command(after_help = AFTER_HELP)]
    Members {
        /// Whose members they become
        #[arg(long, value_name = "ID")]
        institution: InstitutionId,
        file: PathBuf,
    },
}

impl Import {
    pub(super) async fn run(self, desk: &Desk) -> Result<Finding> {
        let Self::Members { institution, file } = self;
        let text = std::fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let house = desk.house().await?;
        let services = &house.services;
        services
            .institutions
            .find(institution)
            .await?
            .with_context(|| format!("there is no institution {institution}"))?;
        let report = services
            .institutions
            .import_members(&services.people, institution, &text)
            .await?;
        let report = report.map_err(|problem| anyhow!("{}: {problem}", file.display()))?;
        house.close().await;
        print(desk, &report)?;
        Ok(if report.refused() == 0 {
            Finding::Well
        } else {
            Finding::Wrong
        })
    }
}

fn print(desk: &Desk, report: &ImportReport) -> Result<()> {
    desk.output.list(
        report.lines.iter().map(record).collect(),
        "the file has no lines below its header",
    )?;
    desk.output
        .say(&format!("{} taken in, {} refused", report.taken(), report.refused()))
}

fn record(line: &ImportLine) -> Record {
    let (outcome, reason, login, first_password, member) = match &line.outcome {
        Ok(taken) => {
            let member = taken.member.to_string();
            (
                "taken in",
                None,
                Some(taken.login.clone()),
                taken.first_password.clone(),
                Some(member),
            )
        }
        Err(problem) => ("refused", Some(problem.to_string()), None, None, None),
    };
    Record::new()
        .with("line", line.line)
        .with("name", line.name.as_str())
        .with("outcome", outcome)
        .with("login", login)
        .with("first_password", first_password)
        .with("member", member)
        .with("reason", reason)
}
