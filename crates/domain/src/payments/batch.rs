//! The decision over a batch of payments: pure, in order, against rows that were loaded for the whole batch.
//!
//! The store loads [`Books`], calls [`Books::pay`] once per command, writes [`Writes`] and commits once. A refused command
//! costs the others nothing. Nothing here may be answered before that commit returned.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::ledger::{Account, AccountKind, BalanceChange, Phase, Transfer, TransferKind, house_account};
use super::{PayError, Payment, PaymentRefusal, PaymentState};
use crate::bucket::Bucket;
use crate::calendar::{LocalTime, WorkCalendar};
use crate::codes::{CodeKind, CodeRecordId, CodeRefusal};
use crate::ids::{
    AccountId, CodeId, EventId, KeyId, MemberId, MerchantId, PaymentId, PersonId, ScenarioId, StoreId, TerminalId,
    TransferId,
};
use crate::merchants::{GuardLimits, TerminalGuard};
use crate::money::{Currency, Money};
use crate::policy::{Counters, Dimension, Expressions, Named, Policy, PolicyInput};

/// What the codes platform says about a scanned code when payments asks again. Row S14. Source: S \[81\], \[96\].
#[derive(Debug, Clone)]
pub struct Permit {
    pub code: CodeId,
    pub record: CodeRecordId,
    pub kind: CodeKind,
    pub person: PersonId,
    pub member: Option<MemberId>,
    /// Who pays.
    pub account: AccountId,
    pub currency: Currency,
    /// IANA name; the limits' days and months are counted in it.
    pub time_zone: String,
    /// The scenario of this payment's merchant category, and no other.
    pub scenario: Option<PermittedScenario>,
    /// The first of record, user and period that fails; whether the code is used is for payments to say.
    pub refusal: Option<CodeRefusal>,
}

#[derive(Debug, Clone)]
pub struct PermittedScenario {
    pub id: ScenarioId,
    pub name: String,
    pub policy: Arc<Policy>,
    /// Days off of the institution that pays, as far as the policy and the payment's day are concerned.
    pub calendar: WorkCalendar,
}

/// Whether the money moves at once or is held first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    Now,
    /// Held until captured or voided; expires at `until`.
    Later {
        until: i64,
    },
}

/// One request to pay, parsed and authenticated. Ids are drawn before the batch so that deciding needs no randomness.
#[derive(Debug, Clone)]
pub struct PayCommand {
    /// In the payer's bucket.
    pub payment: PaymentId,
    pub transfer: TransferId,
    pub event: EventId,
    pub at: i64,
    pub local: LocalTime,
    pub key: KeyId,
    pub terminal: TerminalId,
    pub merchant: MerchantId,
    pub store: StoreId,
    pub category: u16,
    pub city: String,
    pub order_number: String,
    pub amount: Money,
    pub subject: Option<String>,
    pub capture: Capture,
    pub idempotency_key: String,
    /// Hash over everything above that the caller chose; the same request has the same one.
    pub fingerprint: String,
    /// `None`: no such code.
    pub permit: Option<Permit>,
}

/// A finished answer, new or repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayOutcome {
    pub payment: Payment,
    pub replayed: Replayed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    No,
    Yes,
}

/// What an idempotency key or an order number already stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub payment: PaymentId,
    pub fingerprint: String,
}

/// Whose spending in which scenario is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UsageKey {
    pub record: CodeRecordId,
    pub scenario: ScenarioId,
    pub person: PersonId,
    /// The account behind a person's own code, which keeps the counters beside its balance; `None`: an institution's code.
    pub own: Option<AccountId>,
}

/// What one [`UsageKey`] has spent.
pub type UsageRow = Counters;

/// What the work behind the payment has to do once the payment is durable; a row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// In the bucket of the payment.
    pub id: EventId,
    pub kind: EventKind,
    /// Stored id of what it is about: a payment or a refund.
    pub subject: String,
    pub created_at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    PaymentPaid,
    PaymentRefunded,
    PaymentReversed,
}

impl EventKind {
    pub const ALL: [Self; 3] = [Self::PaymentPaid, Self::PaymentRefunded, Self::PaymentReversed];

    pub fn name(self) -> &'static str {
        match self {
            Self::PaymentPaid => "payment_paid",
            Self::PaymentRefunded => "payment_refunded",
            Self::PaymentReversed => "payment_reversed",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Something the owner or the operator should see. Row S22.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Taken from the command's event id; lies in the bucket of the person or of the terminal.
    pub id: EventId,
    pub kind: AlarmKind,
    pub person: Option<PersonId>,
    pub terminal: TerminalId,
    pub payment: Option<PaymentId>,
    pub created_at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmKind {
    /// A used code was shown again with another order.
    CodeRepeated,
    /// A terminal was stopped after too many invalid codes.
    TerminalLocked,
}

impl AlarmKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::CodeRepeated => "code_repeated",
            Self::TerminalLocked => "terminal_locked",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::CodeRepeated, Self::TerminalLocked]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// The rows a batch reads, all of them; what is absent here does not exist.
#[derive(Debug, Default)]
pub struct Books {
    pub active_keys: HashSet<KeyId>,
    pub guards: HashMap<TerminalId, TerminalGuard>,
    pub guard_limits: GuardLimits,
    pub answered: HashMap<(KeyId, String), Claim>,
    pub orders: HashMap<(MerchantId, String), Claim>,
    pub by_code: HashMap<CodeId, PaymentId>,
    /// Every payment that a claim or a code above names.
    pub payments: HashMap<PaymentId, Payment>,
    /// The payers' accounts.
    pub accounts: HashMap<AccountId, Account>,
    pub usage: HashMap<UsageKey, UsageRow>,
    /// Judges the expressions of policies; without it they are unknown.
    pub expressions: Option<&'static dyn Expressions>,
    pub writes: Writes,
}

/// The rows a batch writes.
#[derive(Debug, Default)]
pub struct Writes {
    pub payments: Vec<Payment>,
    pub transfers: Vec<Transfer>,
    pub balances: HashMap<AccountId, BalanceChange>,
    pub usage: HashSet<UsageKey>,
    pub answered: Vec<((KeyId, String), Claim)>,
    pub orders: Vec<((MerchantId, String), Claim)>,
    pub guards: HashSet<TerminalId>,
    pub events: Vec<Event>,
    pub alarms: Vec<Alarm>,
}

impl Books {
    /// Decides one command and keeps what it writes.
    ///
    /// Refuses in this order: key revoked, terminal locked, key conflict, order conflict, code unknown, record inactive,
    /// user not tied, code used, code expired. From there on the code is claimed: what follows ends in a payment row, paid,
    /// authorised or refused. A repeat (same key, same order, or same code with the same order and amount) returns the first
    /// answer, also after the code's time.
    ///
    /// Rows S10, S12, S14, S22. Source: S \[73\]-\[82\].
    pub fn pay(&mut self, command: &PayCommand) -> Result<PayOutcome, PayError> {
        self.check_terminal(command)?;
        if let Some(earlier) = self.repeated(command)? {
            return Ok(PayOutcome {
                payment: earlier,
                replayed: Replayed::Yes,
            });
        }
        let permit = self
            .check_code(command)
            .inspect_err(|refusal| self.note_invalid(command, *refusal))?;
        // From here on the command leaves a row: nothing below may fail.
        self.note_valid(command);
        let state = match self.judge(command, permit) {
            Ok(()) => self.move_money(command, permit),
            Err(refusal) => PaymentState::Refused {
                at: command.at,
                refusal,
            },
        };
        let payment = command.payment_row(permit, state);
        self.claim(command, &payment);
        Ok(PayOutcome {
            payment,
            replayed: Replayed::No,
        })
    }

    fn check_terminal(&self, command: &PayCommand) -> Result<(), PayError> {
        if !self.active_keys.contains(&command.key) {
            return Err(PayError::KeyRevoked);
        }
        let guard = self.guards.get(&command.terminal).copied().unwrap_or_default();
        match guard.locked(command.at) {
            true => Err(PayError::TerminalLocked {
                until: guard.locked_until,
            }),
            false => Ok(()),
        }
    }

    /// The first answer of a request that was made before.
    fn repeated(&self, command: &PayCommand) -> Result<Option<Payment>, PayError> {
        if let Some(claim) = self.answered.get(&command.answer_key()) {
            return match claim.fingerprint == command.fingerprint {
                true => Ok(self.payments.get(&claim.payment).cloned()),
                false => Err(PayError::KeyConflict),
            };
        }
        if let Some(claim) = self.orders.get(&command.order_key()) {
            return match claim.fingerprint == command.fingerprint {
                true => Ok(self.payments.get(&claim.payment).cloned()),
                false => Err(PayError::OrderConflict { payment: claim.payment }),
            };
        }
        let by_code = command
            .permit
            .as_ref()
            .and_then(|permit| self.by_code.get(&permit.code));
        let same_sale = |payment: &&Payment| {
            let order = payment.merchant == command.merchant && payment.order_number == command.order_number;
            order && payment.amount == command.amount
        };
        Ok(by_code
            .and_then(|payment| self.payments.get(payment))
            .filter(same_sale)
            .cloned())
    }

    fn check_code<'c>(&self, command: &'c PayCommand) -> Result<&'c Permit, CodeRefusal> {
        let permit = command.permit.as_ref().ok_or(CodeRefusal::Unknown)?;
        match permit.refusal {
            None | Some(CodeRefusal::Expired | CodeRefusal::Used { .. }) => {}
            Some(refusal @ (CodeRefusal::Unknown | CodeRefusal::RecordInactive | CodeRefusal::NotTied)) => {
                return Err(refusal);
            }
        }
        if let Some(payment) = self.by_code.get(&permit.code) {
            return Err(CodeRefusal::Used { payment: *payment });
        }
        permit.refusal.map_or(Ok(permit), Err)
    }

    fn judge(&self, command: &PayCommand, permit: &Permit) -> Result<(), PaymentRefusal> {
        if permit.currency != command.amount.currency {
            return Err(PaymentRefusal::CurrencyMismatch {
                payer: permit.currency,
                asked: command.amount.currency,
            });
        }
        let scenario = permit.scenario.as_ref();
        let scenario = scenario.ok_or(PaymentRefusal::ScenarioNotPermitted {
            category: command.category,
        })?;
        let policy = &scenario.policy;
        let id = |wanted: bool, write: &dyn Fn() -> String| if wanted { write() } else { String::new() };
        let merchant = id(policy.reads(Dimension::Merchant), &|| command.merchant.to_string());
        let member = id(policy.reads(Dimension::Member), &|| {
            permit.member.map(|member| member.to_string()).unwrap_or_default()
        });
        let mut input = PolicyInput {
            used: self.usage_at(&permit.usage_key(scenario), command.local).used,
            category: Some(command.category),
            merchant: &merchant,
            city: &command.city,
            calendar: &scenario.calendar,
            expressions: self.expressions,
            ..PolicyInput::new(command.amount, command.local)
        };
        input.member.member = Named::word(&member);
        if !policy.allows(&input) {
            return Err(PaymentRefusal::LimitExceeded {
                trace: policy.decide(&input).trace,
            });
        }
        let account = self.accounts.get(&permit.account);
        let funded = account.is_some_and(|account| account.can_pay(command.amount.minor));
        if funded {
            Ok(())
        } else {
            Err(PaymentRefusal::InsufficientFunds)
        }
    }

    fn move_money(&mut self, command: &PayCommand, permit: &Permit) -> PaymentState {
        let (phase, state) = match command.capture {
            Capture::Now => (
                Phase::Posted,
                PaymentState::Paid {
                    at: command.at,
                    transfer: command.transfer,
                },
            ),
            Capture::Later { until } => (
                Phase::Pending { until },
                PaymentState::Authorised {
                    hold: command.transfer,
                    until,
                },
            ),
        };
        let transfer = Transfer {
            id: command.transfer,
            debit: permit.account,
            credit: house_account(AccountKind::Clearing, command.payment.bucket(), command.amount.currency),
            amount: command.amount,
            kind: TransferKind::Payment,
            phase,
            payment: Some(command.payment),
            corrects: None,
            created_at: command.at,
        };
        self.book(transfer);
        if let Some(scenario) = &permit.scenario {
            let key = permit.usage_key(scenario);
            let mut row = self.usage_at(&key, command.local);
            row.add(command.amount.minor);
            self.usage.insert(key.clone(), row);
            self.writes.usage.insert(key);
        }
        state
    }

    /// Applies a posted or pending transfer to the balances and keeps it for writing.
    fn book(&mut self, transfer: Transfer) {
        let (posted, held) = if transfer.phase.moves() {
            (transfer.amount.minor, 0)
        } else {
            (0, transfer.amount.minor)
        };
        let change = |id: AccountId, posted: i64, held: i64, books: &mut Self| {
            let change = books.writes.balances.entry(id).or_default();
            change.posted_minor += posted;
            change.held_minor += held;
            if let Some(account) = books.accounts.get_mut(&id) {
                account.posted_minor += posted;
                account.held_minor += held;
            }
        };
        change(transfer.debit, -posted, held, self);
        if posted != 0 {
            change(transfer.credit, posted, 0, self);
        }
        self.writes.transfers.push(transfer);
    }

    fn usage_at(&self, key: &UsageKey, local: LocalTime) -> UsageRow {
        self.usage
            .get(key)
            .copied()
            .unwrap_or(UsageRow::starting(local))
            .at(local)
    }

    /// Keeps the payment under its code, key and order, for the rest of this batch and for writing.
    fn claim(&mut self, command: &PayCommand, payment: &Payment) {
        let claim = Claim {
            payment: payment.id,
            fingerprint: command.fingerprint.clone(),
        };
        self.answered.insert(command.answer_key(), claim.clone());
        self.writes.answered.push((command.answer_key(), claim.clone()));
        // A refused attempt leaves the order number free for another code.
        if !matches!(payment.state, PaymentState::Refused { .. }) {
            self.orders.insert(command.order_key(), claim.clone());
            self.writes.orders.push((command.order_key(), claim));
        }
        if matches!(payment.state, PaymentState::Paid { .. }) {
            let subject = payment.id.stored();
            self.writes.events.push(Event {
                id: command.event,
                kind: EventKind::PaymentPaid,
                subject,
                created_at: command.at,
            });
        }
        if let Some(code) = payment.code {
            self.by_code.insert(code, payment.id);
        }
        self.payments.insert(payment.id, payment.clone());
        self.writes.payments.push(payment.clone());
    }

    fn note_valid(&mut self, command: &PayCommand) {
        if let Some(guard) = self.guards.get_mut(&command.terminal)
            && guard.streak > 0
        {
            *guard = guard.after_valid();
            self.writes.guards.insert(command.terminal);
        }
    }

    fn note_invalid(&mut self, command: &PayCommand, refusal: CodeRefusal) {
        let mut alarm = |kind, person, payment| {
            let terminal = command.terminal;
            self.writes.alarms.push(Alarm {
                id: command.event,
                kind,
                person,
                terminal,
                payment,
                created_at: command.at,
            });
        };
        match refusal {
            CodeRefusal::Unknown => {
                let guard = self.guards.entry(command.terminal).or_default();
                *guard = guard.after_invalid(command.at, self.guard_limits);
                self.writes.guards.insert(command.terminal);
                if guard.locked(command.at) {
                    alarm(AlarmKind::TerminalLocked, None, None);
                }
            }
            CodeRefusal::Used { payment } => {
                let person = command.permit.as_ref().map(|permit| permit.person);
                alarm(AlarmKind::CodeRepeated, person, Some(payment));
            }
            CodeRefusal::RecordInactive | CodeRefusal::NotTied | CodeRefusal::Expired => {}
        }
    }
}

impl Permit {
    fn usage_key(&self, scenario: &PermittedScenario) -> UsageKey {
        UsageKey {
            record: self.record.clone(),
            scenario: scenario.id,
            person: self.person,
            own: self.kind.own_account(self.account),
        }
    }
}

impl PayCommand {
    fn answer_key(&self) -> (KeyId, String) {
        (self.key, self.idempotency_key.clone())
    }

    fn order_key(&self) -> (MerchantId, String) {
        (self.merchant, self.order_number.clone())
    }

    /// The bucket in which the payment's rows lie.
    pub fn bucket(&self) -> Bucket {
        self.payment.bucket()
    }

    /// The counters this command would touch.
    pub fn usage_key(&self) -> Option<UsageKey> {
        let permit = self.permit.as_ref()?;
        permit.scenario.as_ref().map(|scenario| permit.usage_key(scenario))
    }

    fn payment_row(&self, permit: &Permit, state: PaymentState) -> Payment {
        Payment {
            id: self.payment,
            code: Some(permit.code),
            record: permit.record.clone(),
            kind: permit.kind,
            person: permit.person,
            member: permit.member,
            account: permit.account,
            merchant: self.merchant,
            store: self.store,
            terminal: self.terminal,
            order_number: self.order_number.clone(),
            scenario: permit.scenario.as_ref().map(|scenario| scenario.id),
            amount: self.amount,
            subject: self.subject.clone(),
            state,
            refunded_minor: 0,
            local_day: self.local.day,
            local_month: self.local.month,
            created_at: self.at,
        }
    }
}

#[cfg(test)]
mod tests;
