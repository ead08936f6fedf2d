//! What an institution was invoiced, summed: for its pages and for programs. Row S20.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use onescan_domain::bucket::Bucket;
use onescan_domain::codes::CodeRecordId;
use onescan_domain::ids::{MemberId, ScenarioId};
use onescan_domain::money::Money;
use onescan_platforms::error::Result;
use onescan_platforms::invoicing::InvoiceTotal;

use crate::AppState;
use crate::files::Table;

/// What the sums are over; a query names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Month,
    Member,
    Scenario,
    /// One row per month, member and scenario.
    Each,
}

impl By {
    pub const ALL: [Self; 4] = [Self::Month, Self::Member, Self::Scenario, Self::Each];

    pub fn name(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Member => "member",
            Self::Scenario => "scenario",
            Self::Each => "each",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == name)
    }

    pub fn keeps_month(self) -> bool {
        matches!(self, Self::Month | Self::Each)
    }

    pub fn keeps_member(self) -> bool {
        matches!(self, Self::Member | Self::Each)
    }

    pub fn keeps_scenario(self) -> bool {
        matches!(self, Self::Scenario | Self::Each)
    }
}

/// A sum with the names of what it is over.
#[derive(Debug, Clone)]
pub struct NamedTotal {
    pub total: InvoiceTotal,
    /// Empty where it is over several, or none.
    pub member: String,
    pub scenario: String,
}

impl NamedTotal {
    pub fn nameless(total: InvoiceTotal) -> Self {
        Self {
            total,
            member: String::new(),
            scenario: String::new(),
        }
    }

    pub fn invoiced(&self) -> Money {
        Money::new(self.total.invoiced_minor, self.total.currency)
    }

    pub fn credited(&self) -> Money {
        Money::new(self.total.credited_minor, self.total.currency)
    }

    pub fn left(&self) -> Money {
        let left = self.total.invoiced_minor - self.total.credited_minor;
        Money::new(left, self.total.currency)
    }
}

/// Sums over what `by` keeps apart, per currency; the newest month first. What is summed over is empty.
pub fn summed(totals: &[InvoiceTotal], by: By) -> Vec<InvoiceTotal> {
    sum_over(totals, |total| {
        let month = if by.keeps_month() {
            total.month.clone()
        } else {
            String::new()
        };
        let member = total.member.filter(|_| by.keeps_member());
        (month, member, total.scenario.filter(|_| by.keeps_scenario()))
    })
}

/// One sum per currency.
pub fn whole(totals: &[InvoiceTotal]) -> Vec<InvoiceTotal> {
    sum_over(totals, |_| (String::new(), None, None))
}

type Over = (String, Option<MemberId>, Option<ScenarioId>);

fn sum_over(totals: &[InvoiceTotal], over: impl Fn(&InvoiceTotal) -> Over) -> Vec<InvoiceTotal> {
    let mut sums = BTreeMap::new();
    for total in totals {
        let (month, member, scenario) = over(total);
        let key = (Reverse(month.clone()), member, scenario, total.currency);
        let sum = sums.entry(key).or_insert_with(|| InvoiceTotal {
            month,
            member,
            scenario,
            currency: total.currency,
            invoices: 0,
            invoiced_minor: 0,
            credited_minor: 0,
        });
        sum.invoices += total.invoices;
        sum.invoiced_minor += total.invoiced_minor;
        sum.credited_minor += total.credited_minor;
    }
    sums.into_values().collect()
}

/// The sums with the names of members and scenarios under an institution's record.
pub async fn named(
    state: &AppState,
    bucket: Bucket,
    record: &CodeRecordId,
    sums: Vec<InvoiceTotal>,
) -> Result<Vec<NamedTotal>> {
    let scenarios = state.services.codes.scenarios(bucket, record).await?;
    let mut members: HashMap<MemberId, String> = HashMap::new();
    for member in sums.iter().filter_map(|sum| sum.member) {
        if let Entry::Vacant(unknown) = members.entry(member) {
            let found = state.services.institutions.member(member).await?;
            unknown.insert(found.map(|found| found.name).unwrap_or_default());
        }
    }
    let named = sums.into_iter().map(|total| {
        let member = total.member.and_then(|member| members.get(&member)).cloned();
        let scenario = scenarios.iter().find(|scenario| Some(scenario.id) == total.scenario);
        NamedTotal {
            member: member.unwrap_or_default(),
            scenario: scenario.map(|scenario| scenario.name.clone()).unwrap_or_default(),
            total,
        }
    });
    Ok(named.collect())
}

/// As a spreadsheet has them.
pub fn table(totals: &[NamedTotal]) -> Table {
    let row = |named: &NamedTotal| {
        vec![
            named.total.month.clone(),
            named.member.clone(),
            named.scenario.clone(),
            named.total.currency.code().to_owned(),
            named.total.invoices.to_string(),
            named.invoiced().to_decimal(),
            named.credited().to_decimal(),
        ]
    };
    Table {
        name: "invoice-totals",
        columns: &[
            "month", "member", "scenario", "currency", "invoices", "invoiced", "credited",
        ],
        numbers: 4..7,
        rows: totals.iter().map(row).collect(),
    }
}
