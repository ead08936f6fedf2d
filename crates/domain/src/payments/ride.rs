//! The decision over a batch of ride payments: the institution's attempt and, where a rule or its money fails, the person's,
//! in one transaction. Pure, in order, against rows that were loaded for the whole batch.
//!
//! **Invariant:** an order is decided once. A repeat returns what stands, whatever it says now.
//! **Invariant:** limits are counters moved in the same transaction, so that rides at one time cannot overspend them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::batch::{Event, EventKind};
use super::ledger::{Account, AccountKind, BalanceChange, Phase, Transfer, TransferKind, house_account};
use super::{Payment, PaymentRefusal, PaymentState};
use crate::calendar::{LocalTime, WorkCalendar};
use crate::codes::{CodeKind, CodeRecordId};
use crate::geo::GeoPoint;
use crate::ids::{
    AccountId, EventId, InstitutionId, MemberId, MerchantId, PaymentId, PersonId, RideOrderId, StoreId, TerminalId,
    TransferId, TravelTypeId,
};
use crate::money::{Currency, Money};
use crate::policy::{self, Counters, Expressions, MemberFacts, Named, Place, Policy, PolicyInput, Reason, Usage};
use crate::rides::decision::RideDecision;

/// One ride to be paid, parsed, consulted and authenticated.
#[derive(Debug, Clone)]
pub struct RidePay {
    /// Names the payment for ever.
    pub order: RideOrderId,
    pub provider: MerchantId,
    /// The provider's number; stands on the payments.
    pub number: String,
    pub person: PersonId,
    /// At least 1 minor unit.
    pub amount: Money,
    pub subject: Option<String>,
    /// `None`: the person pays, as consulted.
    pub institution: Option<InstitutionSide>,
    pub personal: PersonalSide,
}

/// The institution that is asked first.
#[derive(Debug, Clone)]
pub struct InstitutionSide {
    pub institution: InstitutionId,
    pub member: MemberId,
    pub travel_type: TravelTypeId,
    pub policy: Arc<Policy>,
    pub facts: RideFacts,
    /// Ordered; the first that can pay what it may is taken. Not empty. Row R07.
    pub candidates: Vec<Candidate>,
}

/// What the policy judges besides amount and counters. An empty text is one that the order does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RideFacts {
    /// When the ride started and ended, in the institution's time zone.
    pub started: LocalTime,
    pub ended: LocalTime,
    pub category: u16,
    pub travel_type: String,
    pub provider_name: String,
    /// Id and name.
    pub line: (String, String),
    pub start: RidePlace,
    pub end: RidePlace,
    pub distance_m: Option<i64>,
    pub companions: Option<u16>,
    /// Stored id and employee number.
    pub member: (String, String),
    /// Stored id and name.
    pub department: (String, String),
    /// Of the institution, as far as the days of this ride are concerned.
    pub calendar: WorkCalendar,
    /// Of the institution's own system, where it was asked and the answer counts. Holds beside the policy.
    pub decision: Option<RideDecision>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RidePlace {
    /// Station, by the provider's id.
    pub stop: String,
    pub name: String,
    pub city: String,
    /// Fare zone.
    pub zone: String,
    pub point: Option<GeoPoint>,
}

/// An account that may fund the ride.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub account: AccountId,
    /// What it pays at most of one ride; the rest is the person's. `None`: all of it.
    pub cap_minor: Option<i64>,
}

/// The person's own money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalSide {
    pub account: AccountId,
    pub currency: Currency,
    /// Whether and up to what the person agreed to pay what the institution does not. Field trap 9.
    pub consent: Consent,
    /// The person's own calendar, for the payment's row.
    pub local: LocalTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Nothing may be taken when the institution does not pay.
    None,
    /// At most so many minor units of one ride.
    UpTo(i64),
    /// The ride was the person's own from the start.
    NotNeeded,
}

/// [`RidePay`] with the ids it may need, drawn before, so that deciding needs no randomness.
#[derive(Debug, Clone)]
pub struct RideCommand {
    pub pay: RidePay,
    pub at: i64,
    pub institution: DrawnIds,
    pub personal: DrawnIds,
}

/// In the bucket of the account's owner.
#[derive(Debug, Clone, Copy)]
pub struct DrawnIds {
    pub payment: PaymentId,
    pub transfer: TransferId,
    pub event: EventId,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RideOutcome {
    pub order: RideOrderId,
    pub institution: Option<Payment>,
    pub personal: Option<Payment>,
    /// Still owed; at least 0.
    pub arrears_minor: i64,
}

/// The row that claims an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RideClaim {
    pub order: RideOrderId,
    pub person: PersonId,
    pub institution_payment: Option<PaymentId>,
    pub personal_payment: Option<PaymentId>,
    pub arrears_minor: i64,
    pub at: i64,
}

/// What a person owes for a ride; lies in the person's bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrears {
    pub order: RideOrderId,
    pub person: PersonId,
    /// The refused attempt that left it open.
    pub payment: PaymentId,
    pub provider: MerchantId,
    pub amount: Money,
    pub since: i64,
    pub settled_at: Option<i64>,
}

/// Why arrears are not settled, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettleRefusal {
    #[error("nothing is owed for this ride")]
    NothingOwed,
    #[error("the account is kept in {account}, the ride was in {asked}")]
    CurrencyMismatch { account: Currency, asked: Currency },
    #[error("the account holds too little: {available} of {needed}")]
    InsufficientFunds { available: Money, needed: Money },
}

/// Whose rides of which kind are counted; in the institution's bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RideUsageKey {
    pub travel_type: TravelTypeId,
    pub person: PersonId,
}

/// The rows a batch reads, all of them; what is absent here does not exist.
#[derive(Debug, Default)]
pub struct RideBooks {
    pub decided: HashMap<RideOrderId, RideOutcome>,
    pub accounts: HashMap<AccountId, Account>,
    pub usage: HashMap<RideUsageKey, Counters>,
    /// Judges the expressions of policies; without it they are unknown.
    pub expressions: Option<&'static dyn Expressions>,
    pub writes: RideWrites,
}

/// The rows a batch writes.
#[derive(Debug, Default)]
pub struct RideWrites {
    pub claims: Vec<RideClaim>,
    pub payments: Vec<Payment>,
    pub transfers: Vec<Transfer>,
    pub balances: BTreeMap<AccountId, BalanceChange>,
    pub usage: BTreeSet<RideUsageKey>,
    pub events: Vec<Event>,
    pub arrears: Vec<Arrears>,
}

impl RideFacts {
    /// The one place that knows how a ride looks to the rule engine; also serves dry runs and replays. `provider`: its id.
    pub fn input<'a>(
        &'a self,
        amount: Money,
        used: Usage,
        provider: &'a str,
        expressions: Option<&'a dyn Expressions>,
    ) -> PolicyInput<'a> {
        PolicyInput {
            expressions,
            used,
            category: Some(self.category),
            merchant: provider,
            ride: policy::RideFacts {
                travel_type: &self.travel_type,
                fare_minor: Some(amount.minor),
                ended: Some(self.ended),
                line: named(&self.line),
                operator: Named {
                    id: provider,
                    name: &self.provider_name,
                },
                start: self.start.input(),
                end: self.end.input(),
                distance_m: self.distance_m,
                companions: self.companions,
                decision: self.decision.as_ref().map_or("", RideDecision::word),
            },
            member: MemberFacts {
                member: named(&self.member),
                department: named(&self.department),
                ..MemberFacts::default()
            },
            calendar: &self.calendar,
            ..PolicyInput::new(amount, self.started)
        }
    }
}

impl RidePlace {
    fn input(&self) -> Place<'_> {
        Place {
            stop: Named {
                id: &self.stop,
                name: &self.name,
            },
            zone: &self.zone,
            city: &self.city,
            point: self.point,
        }
    }
}

fn named((id, name): &(String, String)) -> Named<'_> {
    Named { id, name }
}

impl InstitutionSide {
    pub fn usage_key(&self, person: PersonId) -> RideUsageKey {
        RideUsageKey {
            travel_type: self.travel_type,
            person,
        }
    }
}

impl RideBooks {
    /// Decides one order and keeps what it writes. Nothing is refused: whatever happens ends in a row.
    ///
    /// The institution is asked first. Checks in this order: currency, policy with the answer of the institution's own system,
    /// funds of the candidates. What it does not pay
    /// is the person's: with consent from their account, else it is owed.
    ///
    /// Rows R06-R08. Source: R claims 5-7.
    pub fn pay(&mut self, command: &RideCommand) -> RideOutcome {
        if let Some(outcome) = self.decided.get(&command.pay.order) {
            return outcome.clone();
        }
        let institution = command.pay.institution.as_ref();
        let institution = institution.map(|side| self.pay_by_institution(command, side));
        let by_institution = institution.as_ref().map_or(0, paid_minor);
        let left_minor = command.pay.amount.minor - by_institution;
        let personal = (left_minor > 0).then(|| self.pay_by_person(command, left_minor));
        let arrears_minor = left_minor - personal.as_ref().map_or(0, paid_minor);
        let outcome = RideOutcome {
            order: command.pay.order,
            institution,
            personal,
            arrears_minor,
        };
        self.keep(command, &outcome);
        outcome
    }

    fn pay_by_institution(&mut self, command: &RideCommand, side: &InstitutionSide) -> Payment {
        let judged = self.judge(command, side);
        let (account, amount, state) = match judged {
            Ok((account, minor)) => {
                let amount = Money::new(minor, command.pay.amount.currency);
                let state = self.transfer(command, &command.institution, account, amount);
                let key = side.usage_key(command.pay.person);
                let mut usage = self.usage.get(&key).copied().unwrap_or_default().at(side.facts.started);
                usage.add(minor);
                self.usage.insert(key, usage);
                self.writes.usage.insert(key);
                (account, amount, state)
            }
            Err(refusal) => {
                let first = side.candidates.first().expect("an institution names an account");
                let state = PaymentState::Refused {
                    at: command.at,
                    refusal,
                };
                (first.account, command.pay.amount, state)
            }
        };
        let payer = Payer {
            kind: CodeKind::Institution,
            record: side.institution.stored(),
            member: Some(side.member),
            account,
            local: side.facts.started,
        };
        self.payment(command, command.institution.payment, payer, amount, state)
    }

    /// Which account pays how much.
    fn judge(&self, command: &RideCommand, side: &InstitutionSide) -> Result<(AccountId, i64), PaymentRefusal> {
        let amount = command.pay.amount;
        let known = side.candidates.iter().filter_map(|candidate| {
            let account = self.accounts.get(&candidate.account)?;
            Some((candidate, account))
        });
        let known: Vec<(&Candidate, &Account)> = known.collect();
        let kept = known.iter().map(|(_, account)| account.currency);
        let kept: Vec<Currency> = kept.collect();
        if let Some(payer) = kept.first().filter(|_| !kept.contains(&amount.currency)) {
            return Err(PaymentRefusal::CurrencyMismatch {
                payer: *payer,
                asked: amount.currency,
            });
        }
        let usage = self.usage.get(&side.usage_key(command.pay.person)).copied();
        let used = usage.unwrap_or_default().at(side.facts.started).used;
        let provider = command.pay.provider.to_string();
        let input = side.facts.input(amount, used, &provider, self.expressions);
        let decision = side.facts.decision.as_ref().map(RideDecision::reason);
        if !side.policy.allows(&input) || !decision.as_ref().is_none_or(Reason::satisfied) {
            let mut trace = side.policy.decide(&input).trace;
            trace.extend(decision);
            return Err(PaymentRefusal::LimitExceeded { trace });
        }
        let mut funded = known.iter().filter_map(|(candidate, account)| {
            let minor = candidate.cap_minor.map_or(amount.minor, |cap| cap.min(amount.minor));
            let pays = minor > 0 && account.currency == amount.currency && account.can_pay(minor);
            pays.then_some((candidate.account, minor))
        });
        funded.next().ok_or(PaymentRefusal::InsufficientFunds)
    }

    fn pay_by_person(&mut self, command: &RideCommand, minor: i64) -> Payment {
        let side = &command.pay.personal;
        let amount = Money::new(minor, command.pay.amount.currency);
        let account = self.accounts.get(&side.account);
        let refusal = if side.currency != amount.currency {
            Some(PaymentRefusal::CurrencyMismatch {
                payer: side.currency,
                asked: amount.currency,
            })
        } else if !side.consent.covers(minor) {
            Some(PaymentRefusal::NoConsent {
                cap: match side.consent {
                    Consent::UpTo(cap) => Some(Money::new(cap, amount.currency)),
                    Consent::None | Consent::NotNeeded => None,
                },
            })
        } else if !account.is_some_and(|account| account.can_pay(minor)) {
            Some(PaymentRefusal::InsufficientFunds)
        } else {
            None
        };
        let state = match refusal {
            None => self.transfer(command, &command.personal, side.account, amount),
            Some(refusal) => PaymentState::Refused {
                at: command.at,
                refusal,
            },
        };
        let payer = Payer {
            kind: CodeKind::User,
            record: command.pay.person.stored(),
            member: None,
            account: side.account,
            local: side.local,
        };
        self.payment(command, command.personal.payment, payer, amount, state)
    }

    /// Moves the money from `account` to the clearing account of its bucket.
    fn transfer(&mut self, command: &RideCommand, ids: &DrawnIds, account: AccountId, amount: Money) -> PaymentState {
        let clearing = house_account(AccountKind::Clearing, account.bucket(), amount.currency);
        for (id, minor) in [(account, -amount.minor), (clearing, amount.minor)] {
            self.writes.balances.entry(id).or_default().posted_minor += minor;
            if let Some(account) = self.accounts.get_mut(&id) {
                account.posted_minor += minor;
            }
        }
        self.writes.transfers.push(Transfer {
            id: ids.transfer,
            debit: account,
            credit: clearing,
            amount,
            kind: TransferKind::Payment,
            phase: Phase::Posted,
            payment: Some(ids.payment),
            corrects: None,
            created_at: command.at,
        });
        self.writes.events.push(Event {
            id: ids.event,
            kind: EventKind::PaymentPaid,
            subject: ids.payment.stored(),
            created_at: command.at,
        });
        PaymentState::Paid {
            at: command.at,
            transfer: ids.transfer,
        }
    }

    fn payment(
        &mut self,
        command: &RideCommand,
        id: PaymentId,
        by: Payer,
        amount: Money,
        state: PaymentState,
    ) -> Payment {
        let pay = &command.pay;
        let provider = pay.provider.raw();
        let payment = Payment {
            id,
            code: None,
            record: CodeRecordId::from_stored(by.record),
            kind: by.kind,
            person: pay.person,
            member: by.member,
            account: by.account,
            merchant: pay.provider,
            // A ride has no till: it is sold by the provider as a whole, whose number stands for store and terminal.
            store: StoreId::new(provider),
            terminal: TerminalId::new(provider),
            order_number: pay.number.clone(),
            scenario: None,
            amount,
            subject: pay.subject.clone(),
            state,
            refunded_minor: 0,
            local_day: by.local.day,
            local_month: by.local.month,
            created_at: command.at,
        };
        self.writes.payments.push(payment.clone());
        payment
    }

    fn keep(&mut self, command: &RideCommand, outcome: &RideOutcome) {
        let pay = &command.pay;
        self.writes.claims.push(RideClaim {
            order: pay.order,
            person: pay.person,
            institution_payment: outcome.institution.as_ref().map(|payment| payment.id),
            personal_payment: outcome.personal.as_ref().map(|payment| payment.id),
            arrears_minor: outcome.arrears_minor,
            at: command.at,
        });
        if outcome.arrears_minor > 0 {
            self.writes.arrears.push(Arrears {
                order: pay.order,
                person: pay.person,
                payment: command.personal.payment,
                provider: pay.provider,
                amount: Money::new(outcome.arrears_minor, pay.amount.currency),
                since: command.at,
                settled_at: None,
            });
        }
        self.decided.insert(pay.order, outcome.clone());
    }
}

struct Payer {
    kind: CodeKind,
    record: String,
    member: Option<MemberId>,
    account: AccountId,
    local: LocalTime,
}

/// At least 0.
fn paid_minor(payment: &Payment) -> i64 {
    payment.paid_at().map_or(0, |_| payment.amount.minor)
}

impl Consent {
    pub fn covers(self, minor: i64) -> bool {
        match self {
            Self::None => false,
            Self::UpTo(cap) => minor <= cap,
            Self::NotNeeded => true,
        }
    }
}

#[cfg(test)]
mod tests;
