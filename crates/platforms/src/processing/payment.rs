//! Payment processing: a terminal scans, the code is verified, the money moves.
//!
//! Borders. Scanning writes nothing but the terminal's count of invalid codes, and alarms. Paying is one transaction of the payment
//! platform: claim of the code, payment, counters, transfer, idempotency row, outbox row. Before its commit nothing has
//! happened and every refusal is final for this code only; **after its commit nothing is undone because money may have
//! moved**: profile, merchant's side and invoice follow, and what fails among them is asked for again.

use onescan_domain::calendar::WorkCalendar;
use onescan_domain::codes::{
    CodeFacts, CodeKind, CodeRecord, CodeRefusal, CodeStatus, CodeText, RecordHolder, Scenario, scenario_for,
};
use onescan_domain::ids::{CodeId, EventId, PaymentId};
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::batch::{Alarm, AlarmKind, PayOutcome, UsageKey};
use onescan_domain::payments::{PayError, Payment, PaymentState};
use onescan_domain::policy::{Decision, PolicyInput, Usage};

use super::Processing;
use super::delivery::Delivered;
use crate::env::local_time;
use crate::error::{PlatformError, Result};
use crate::expressions::cel;
use crate::payments::{PayRequest, TerminalFacts};

/// What a terminal learns from a good scan: the scenario of this payment and no other. Row S11. Source: S \[72\]-\[74\].
#[derive(Debug, Clone)]
pub struct Scanned {
    /// Stands for this access only; says nothing about the person.
    pub code: CodeId,
    pub kind: CodeKind,
    pub pay_until: i64,
    pub scenario: Option<ScannedScenario>,
    /// The verdict about the stated amount. `None` when none was stated.
    pub verdict: Option<Verdict>,
}

#[derive(Debug, Clone)]
pub struct ScannedScenario {
    pub name: String,
    /// The most this payment may be, in minor units; told only once an amount is stated. `None`: no limit.
    pub permitted_minor: Option<i64>,
}

/// Row S12. Source: S \[75\].
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The payment may go on.
    Permitted,
    /// The person can pay through another channel.
    NoScenario,
    /// The payer's money is of another currency.
    OtherCurrency {
        payer: Currency,
        asked: Currency,
    },
    Barred(Decision),
}

/// A payment that is only thought of.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Whose counters count.
    pub person: onescan_domain::ids::PersonId,
    pub amount: Money,
    pub category: u16,
    /// `None`: one that no rule names.
    pub merchant: Option<onescan_domain::ids::MerchantId>,
    pub city: String,
    pub at: i64,
}

/// Why a scan ends, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanRefusal {
    #[error("the terminal is stopped after too many invalid codes")]
    TerminalLocked { until: i64 },
    #[error(transparent)]
    Code(#[from] CodeRefusal),
}

/// A finished payment with what the terminal gets beside it. Rows S15, S16.
#[derive(Debug, Clone)]
pub struct Paid {
    pub outcome: PayOutcome,
    /// `None` when the terminal wants to fetch it later, or the payment did not succeed.
    pub profile: Option<Delivered>,
}

/// Whether the answer to a payment carries the profile or the terminal fetches it quietly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileDelivery {
    /// One answer. Row S15.
    WithResult,
    /// Result first. Row S16.
    Later,
}

impl Processing {
    /// Verifies a scanned code in the order record, user, status, period, and tells the scenario of this payment.
    /// `amount`: tells whether it is permitted, with every reason. Rows S10-S12. Source: S \[71\]-\[77\], claim 12.
    pub async fn scan(
        &self,
        terminal: &TerminalFacts,
        text: &CodeText,
        amount: Option<Money>,
    ) -> Result<Result<Scanned, ScanRefusal>> {
        let parts = &self.parts;
        let now = parts.env.now_ms();
        let guard = parts.merchants.guard(terminal.terminal).await?;
        if guard.locked(now) {
            return Ok(Err(ScanRefusal::TerminalLocked {
                until: guard.locked_until,
            }));
        }
        let Some(facts) = parts.codes.look_up(vec![text.clone()]).await?.pop().flatten() else {
            self.note_unknown(terminal).await?;
            return Ok(Err(CodeRefusal::Unknown.into()));
        };
        let status = self.status(facts.code).await?;
        if let Err(refusal) = facts.verify(status, now) {
            if let CodeRefusal::Used { payment } = refusal {
                self.note_repeat(terminal, &facts, payment).await?;
            }
            return Ok(Err(refusal.into()));
        }
        let scenarios = parts.codes.scenarios(facts.record.bucket, &facts.record.id).await?;
        let scenario = scenario_for(&scenarios, terminal.category);
        let used = match scenario {
            Some(scenario) => self.used(&facts, scenario, now).await?,
            None => Usage::default(),
        };
        let calendar = self.calendar_for(&facts.record, scenario).await?;
        let verdict = amount.map(|amount| verdict(&facts, scenario, terminal, amount, used, now, &calendar));
        let comparable = amount.filter(|amount| amount.currency == facts.record.currency);
        let told = |scenario: &Scenario| ScannedScenario {
            name: scenario.name.clone(),
            permitted_minor: comparable.and_then(|_| scenario.policy.permitted_minor(used)),
        };
        let (code, kind, pay_until) = (facts.code, facts.record.kind(), facts.pay_until);
        Ok(Ok(Scanned {
            code,
            kind,
            pay_until,
            scenario: scenario.map(told),
            verdict,
        }))
    }

    /// Counts a code that does not exist; the operator is told when that stops the terminal. Row S22.
    pub(super) async fn note_unknown(&self, terminal: &TerminalFacts) -> Result<()> {
        let env = &self.parts.env;
        let guard = self.parts.merchants.note_invalid(terminal.terminal).await?;
        if !guard.locked(env.now_ms()) {
            return Ok(());
        }
        let alarm = Alarm {
            id: EventId::new(env.id(terminal.terminal.bucket())),
            kind: AlarmKind::TerminalLocked,
            person: None,
            terminal: terminal.terminal,
            payment: None,
            created_at: env.now_ms(),
        };
        self.parts.payments.raise(alarm).await
    }

    /// Tells the person that a used code was shown again. A till that scans twice what it was paid with is no alarm. Row S22.
    async fn note_repeat(&self, terminal: &TerminalFacts, facts: &CodeFacts, payment: PaymentId) -> Result<()> {
        let parts = &self.parts;
        let used_at = parts.payments.find(payment).await?.map(|payment| payment.terminal);
        if used_at == Some(terminal.terminal) {
            return Ok(());
        }
        let alarm = Alarm {
            id: EventId::new(parts.env.id(facts.person.bucket())),
            kind: AlarmKind::CodeRepeated,
            person: Some(facts.person),
            terminal: terminal.terminal,
            payment: Some(payment),
            created_at: parts.env.now_ms(),
        };
        parts.payments.raise(alarm).await
    }

    /// Where a code stands, read from the payment and the invoice that name it. Row S13.
    pub async fn status(&self, code: CodeId) -> Result<CodeStatus> {
        let found = self.parts.payments.find_by_codes(vec![code]).await?.pop().flatten();
        let Some(payment) = found else {
            return Ok(CodeStatus::Unpaid);
        };
        let invoice = self.parts.invoices.find(vec![payment.id]).await?.pop().flatten();
        Ok(payment.code_status(invoice.is_some_and(|invoice| invoice.state.is_issued())))
    }

    async fn used(&self, facts: &CodeFacts, scenario: &Scenario, now: i64) -> Result<Usage> {
        let key = UsageKey {
            record: facts.record.id.clone(),
            scenario: scenario.id,
            person: facts.person,
            own: facts.record.kind().own_account(facts.record.account),
        };
        let row = self
            .parts
            .payments
            .usage(vec![key], facts.record.bucket)
            .await?
            .pop()
            .unwrap_or_default();
        Ok(row.at(local_time(now, &facts.record.time_zone)).used)
    }

    /// Pays with a scanned code; answered after the commit. Refuses in the order of [`PayError`]; a payment that breaks a
    /// rule is an outcome in the state refused. A caller that goes away does not undo it.
    /// Rows S12-S16. Source: S \[78\]-\[90\].
    pub async fn pay(&self, request: PayRequest, delivery: ProfileDelivery) -> Result<Result<Paid, PayError>> {
        let outcome = match self.paying.ask(request).await? {
            Ok(outcome) => outcome,
            Err(error) => return Ok(Err(error)),
        };
        let wanted = delivery == ProfileDelivery::WithResult && outcome.payment.paid_at().is_some();
        let profile = if wanted {
            Some(self.deliver_after(&outcome.payment).await)
        } else {
            None
        };
        Ok(Ok(Paid { outcome, profile }))
    }

    /// The profile beside a payment that is done: whatever goes wrong here, the payment stands and the terminal asks again.
    async fn deliver_after(&self, payment: &Payment) -> Delivered {
        self.profile_of(payment).await.unwrap_or_else(|error| {
            tracing::warn!(payment.id = %payment.id, error = %error, "the profile follows later");
            Delivered::Later
        })
    }

    /// Would a payment be permitted? The trace of every dimension; nothing is written. `category`, `city`: as the merchant's.
    pub async fn dry_run(
        &self,
        record: &CodeRecord,
        terminal: &TerminalFacts,
        person: onescan_domain::ids::PersonId,
        amount: Money,
        at: i64,
    ) -> Result<Verdict> {
        let scenarios = self.parts.codes.scenarios(record.bucket, &record.id).await?;
        let scenario = scenario_for(&scenarios, terminal.category);
        let facts = CodeFacts {
            code: CodeId::new(self.parts.env.id(record.bucket)),
            record: record.clone(),
            person,
            member: None,
            tied: true,
            replaced: false,
            created_at: at,
            pay_until: at,
        };
        let used = match scenario {
            Some(scenario) => self.used(&facts, scenario, at).await?,
            None => Usage::default(),
        };
        let calendar = self.calendar_for(record, scenario).await?;
        Ok(verdict(&facts, scenario, terminal, amount, used, at, &calendar))
    }

    /// Days off of the institution that pays, where the scenario's policy looks at them.
    async fn calendar(&self, record: &CodeRecord, scenario: &Scenario) -> Result<WorkCalendar> {
        match record.holder {
            RecordHolder::Institution { institution, .. } if scenario.policy.reads_calendar() => {
                self.parts.codes.calendar(institution).await
            }
            RecordHolder::Institution { .. } | RecordHolder::Person { .. } => Ok(WorkCalendar::default()),
        }
    }

    async fn calendar_for(&self, record: &CodeRecord, scenario: Option<&Scenario>) -> Result<WorkCalendar> {
        match scenario {
            Some(scenario) => self.calendar(record, scenario).await,
            None => Ok(WorkCalendar::default()),
        }
    }

    /// [`Self::dry_run`] with the scenario that would apply and the trace also of what holds. `None`: no scenario permits the
    /// category. Nothing is written.
    pub async fn rehearse(&self, record: &CodeRecord, trial: &Trial) -> Result<Option<(Scenario, Decision)>> {
        let mut scenarios = self.parts.codes.scenarios(record.bucket, &record.id).await?;
        let found = scenario_for(&scenarios, trial.category).map(|scenario| scenario.id);
        scenarios.retain(|scenario| Some(scenario.id) == found);
        let Some(scenario) = scenarios.pop() else {
            return Ok(None);
        };
        let key = UsageKey {
            record: record.id.clone(),
            scenario: scenario.id,
            person: trial.person,
            own: record.kind().own_account(record.account),
        };
        let row = self
            .parts
            .payments
            .usage(vec![key], record.bucket)
            .await?
            .pop()
            .unwrap_or_default();
        let local = local_time(trial.at, &record.time_zone);
        let merchant = trial.merchant.map(|merchant| merchant.to_string()).unwrap_or_default();
        let calendar = self.calendar(record, &scenario).await?;
        let decision = scenario.policy.decide(&PolicyInput {
            calendar: &calendar,
            used: row.at(local).used,
            category: Some(trial.category),
            merchant: &merchant,
            city: &trial.city,
            expressions: Some(cel()),
            ..PolicyInput::new(trial.amount, local)
        });
        Ok(Some((scenario, decision)))
    }

    /// A payment of this merchant by its id. `None`: absent, or another merchant's.
    pub async fn payment_of_merchant(
        &self,
        merchant: onescan_domain::ids::MerchantId,
        id: PaymentId,
    ) -> Result<Option<Payment>> {
        Ok(self
            .parts
            .payments
            .find(id)
            .await?
            .filter(|payment| payment.merchant == merchant))
    }

    /// The payment behind the merchant's order number, as a till asks after a lost answer.
    pub async fn payment_of_order(
        &self,
        merchant: onescan_domain::ids::MerchantId,
        order_number: &str,
    ) -> Result<Option<Payment>> {
        self.parts.payments.find_by_order(merchant, order_number).await
    }
}

fn verdict(
    facts: &CodeFacts,
    scenario: Option<&Scenario>,
    terminal: &TerminalFacts,
    amount: Money,
    used: Usage,
    at: i64,
    calendar: &WorkCalendar,
) -> Verdict {
    let Some(scenario) = scenario else {
        return Verdict::NoScenario;
    };
    let payer = facts.record.currency;
    if amount.currency != payer {
        let asked = amount.currency;
        return Verdict::OtherCurrency { payer, asked };
    }
    let merchant = terminal.merchant.to_string();
    let input = PolicyInput {
        used,
        category: Some(terminal.category),
        merchant: &merchant,
        city: &terminal.city,
        calendar,
        expressions: Some(cel()),
        ..PolicyInput::new(amount, local_time(at, &facts.record.time_zone))
    };
    let decision = scenario.policy.decide(&input);
    if decision.allowed() {
        Verdict::Permitted
    } else {
        Verdict::Barred(decision)
    }
}

/// Whether a payment's money is with the merchant now or was.
pub fn succeeded(payment: &Payment) -> bool {
    matches!(
        payment.state,
        PaymentState::Paid { .. } | PaymentState::Authorised { .. } | PaymentState::PaidElsewhere { .. }
    )
}

/// A result whose cause lies outside the rules, for callers that have no other place for it.
pub type ProcessingError = PlatformError;
