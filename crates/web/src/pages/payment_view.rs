//! A payment as people read it: names instead of ids, a state in words, and every reason of a refusal.

use onescan_domain::codes::{CodeKind, CodeRecord, RecordHolder};
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::{Payment, PaymentRefusal, PaymentState};
use onescan_platforms::error::Result;
use onescan_platforms::services::Services;

use super::page::Page;
use crate::i18n::{Language, reasons as in_words};

/// How a state looks: the class of its badge or verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Bad,
    Wait,
    Plain,
}

impl Tone {
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Wait => "wait",
            Self::Plain => "",
        }
    }

    pub fn verdict(self) -> &'static str {
        match self {
            Self::Good => "paid",
            Self::Bad => "refused",
            Self::Wait | Self::Plain => "waiting",
        }
    }

    pub fn icon(self) -> &'static str {
        match self {
            Self::Good => "check",
            Self::Bad => "cross",
            Self::Wait | Self::Plain => "clock",
        }
    }
}

/// What the person's own pages tell of a payment.
#[derive(Debug, Clone)]
pub struct PaymentView {
    pub id: String,
    pub amount: Money,
    pub refunded: Option<Money>,
    pub merchant: String,
    pub order_number: String,
    pub subject: Option<String>,
    pub scenario: Option<String>,
    /// The institution, when it pays; else the person themselves.
    pub payer: Option<String>,
    pub state: &'static str,
    pub tone: Tone,
    pub reasons: Vec<String>,
    pub elsewhere: bool,
    pub at: i64,
}

impl PaymentView {
    pub async fn load(services: &Services, page: &Page, payment: &Payment) -> Result<Self> {
        let merchant = services.merchants.find(payment.merchant).await?;
        let record = services.codes.find_record(payment.id.bucket(), &payment.record).await?;
        let scenario = match (&record, payment.scenario) {
            (Some(record), Some(id)) => {
                let scenarios = services.codes.scenarios(record.bucket, &record.id).await?;
                scenarios.into_iter().find(|scenario| scenario.id == id)
            }
            (_, _) => None,
        };
        Ok(Self {
            id: payment.id.to_string(),
            amount: payment.amount,
            refunded: (payment.refunded_minor > 0).then(|| Money::new(payment.refunded_minor, payment.amount.currency)),
            merchant: merchant.map_or_else(|| page.t("merchant-unknown"), |merchant| merchant.name),
            order_number: payment.order_number.clone(),
            subject: payment.subject.clone(),
            scenario: scenario.map(|scenario| scenario.name),
            payer: payer(services, payment, record.as_ref()).await?,
            state: state_key(payment),
            tone: tone(&payment.state),
            reasons: reasons(page.language, payment, Told::All),
            elsewhere: matches!(payment.state, PaymentState::PaidElsewhere { .. }),
            at: payment.created_at,
        })
    }
}

async fn payer(services: &Services, payment: &Payment, record: Option<&CodeRecord>) -> Result<Option<String>> {
    if payment.kind == CodeKind::User {
        return Ok(None);
    }
    match record.map(|record| &record.holder) {
        Some(RecordHolder::Institution { institution, .. }) => {
            Ok(services.institutions.find(*institution).await?.map(|found| found.name))
        }
        Some(RecordHolder::Person { .. }) | None => Ok(None),
    }
}

/// Name of the text for a payment's state; a partly or wholly refunded one says so.
pub fn state_key(payment: &Payment) -> &'static str {
    match &payment.state {
        PaymentState::Paid { .. } if payment.refunded_minor >= payment.amount.minor => "state-refunded",
        PaymentState::Paid { .. } if payment.refunded_minor > 0 => "state-partly-refunded",
        PaymentState::Paid { .. } => "state-paid",
        PaymentState::Authorised { .. } => "state-authorised",
        PaymentState::PaidElsewhere { .. } => "state-paid-elsewhere",
        PaymentState::Refused { .. } => "state-refused",
        PaymentState::Voided { .. } => "state-voided",
        PaymentState::Expired { .. } => "state-expired",
        PaymentState::Reversed { .. } => "state-reversed",
    }
}

pub fn tone(state: &PaymentState) -> Tone {
    match state {
        PaymentState::Paid { .. } => Tone::Good,
        PaymentState::Refused { .. } => Tone::Bad,
        PaymentState::Authorised { .. } | PaymentState::PaidElsewhere { .. } => Tone::Wait,
        PaymentState::Voided { .. } | PaymentState::Expired { .. } | PaymentState::Reversed { .. } => Tone::Plain,
    }
}

/// How much of the payer's rules a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// To the person: every number.
    All,
    /// To the merchant: which rule, without the payer's limits.
    RuleOnly,
}

/// Why a payment was refused, one sentence a reason; empty for every other state. Row S12.
pub fn reasons(language: Language, payment: &Payment, told: Told) -> Vec<String> {
    match &payment.state {
        PaymentState::Refused { refusal, .. } => refusal_reasons(language, refusal, payment.amount.currency, told),
        _ => Vec::new(),
    }
}

/// Why an attempt in `currency` was refused, one sentence a reason.
pub fn refusal_reasons(language: Language, refusal: &PaymentRefusal, currency: Currency, told: Told) -> Vec<String> {
    match (refusal, told) {
        (PaymentRefusal::CurrencyMismatch { payer, asked }, _) => {
            let values = [("payer", payer.code()), ("asked", asked.code())];
            vec![language.text_with("refusal-currency", &values)]
        }
        (PaymentRefusal::ScenarioNotPermitted { .. }, Told::All) => vec![language.text("refusal-scenario")],
        (PaymentRefusal::ScenarioNotPermitted { .. }, Told::RuleOnly) => vec![language.text("refusal-scenario-till")],
        (PaymentRefusal::NoConsent { .. }, _) => vec![language.text("refusal-consent")],
        (PaymentRefusal::InsufficientFunds, Told::All) => vec![language.text("refusal-funds")],
        (PaymentRefusal::InsufficientFunds, Told::RuleOnly) => vec![language.text("refusal-funds-till")],
        (PaymentRefusal::LimitExceeded { trace }, told) => trace
            .iter()
            .filter(|reason| reason.failed())
            .map(|reason| match told {
                Told::All => in_words::sentence(language, reason, currency),
                Told::RuleOnly => language.text(&format!("dimension-{}", reason.dimension().name())),
            })
            .collect(),
    }
}
