//! A payment as people read it: names instead of ids, a state in words, and every reason of a refusal.

use onescan_domain::codes::{CodeKind, CodeRecord, RecordHolder};
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::{Payment, PaymentRefusal, PaymentState};
use onescan_domain::policy::{Dimension, Operator, Reason, ValueKind};
use onescan_platforms::error::Result;
use onescan_platforms::services::Services;

use super::page::Page;
use crate::i18n::Language;

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
    let PaymentState::Refused { refusal, .. } = &payment.state else {
        return Vec::new();
    };
    match (refusal, told) {
        (PaymentRefusal::CurrencyMismatch { payer, asked }, _) => {
            let values = [("payer", payer.code()), ("asked", asked.code())];
            vec![language.text_with("refusal-currency", &values)]
        }
        (PaymentRefusal::ScenarioNotPermitted { .. }, Told::All) => vec![language.text("refusal-scenario")],
        (PaymentRefusal::ScenarioNotPermitted { .. }, Told::RuleOnly) => vec![language.text("refusal-scenario-till")],
        (PaymentRefusal::InsufficientFunds, Told::All) => vec![language.text("refusal-funds")],
        (PaymentRefusal::InsufficientFunds, Told::RuleOnly) => vec![language.text("refusal-funds-till")],
        (PaymentRefusal::LimitExceeded { trace }, told) => trace
            .iter()
            .filter(|reason| !reason.holds)
            .map(|reason| match told {
                Told::All => reason_text(language, reason, payment.amount.currency),
                Told::RuleOnly => language.text(&format!("dimension-{}", reason.dimension.name())),
            })
            .collect(),
    }
}

/// `Per day: at most €30.00 is allowed, this would make €45.00. €12.00 is left.`
fn reason_text(language: Language, reason: &Reason, currency: Currency) -> String {
    let kind = reason.dimension.row().kind;
    let write = |text: &str| match (kind, text.parse()) {
        (ValueKind::Amount, Ok(minor)) => language.money(Money::new(minor, currency)),
        (_, _) => text.to_owned(),
    };
    let name = language.text(&format!("dimension-{}", reason.dimension.name()));
    let (seen, allowed) = (write(&reason.seen), write(&reason.allowed));
    let values = [
        ("rule", name.as_str()),
        ("seen", seen.as_str()),
        ("allowed", allowed.as_str()),
    ];
    let sentence = match reason.operator {
        Operator::AtMost => language.text_with("reason-at-most", &values),
        Operator::AtLeast => language.text_with("reason-at-least", &values),
        Operator::In => language.text_with("reason-in", &values),
        Operator::NotIn => language.text_with("reason-not-in", &values),
    };
    // For a single payment the bound itself is what is left.
    match reason.left.filter(|_| reason.dimension != Dimension::Amount) {
        Some(left) => {
            let left = write(&left.to_string());
            format!(
                "{sentence} {}",
                language.text_with("reason-left", &[("left", left.as_str())])
            )
        }
        None => sentence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onescan_domain::calendar::LocalTime;
    use onescan_domain::policy::{DIMENSIONS, Policy, PolicyInput, Usage};

    fn trace(policy: &str) -> Vec<Reason> {
        let input = PolicyInput {
            amount_minor: 4_500,
            currency: Currency::EUR,
            used: Usage {
                day_minor: 1_800,
                day_count: 1,
                month_minor: 1_800,
                month_count: 1,
            },
            local: LocalTime {
                day: 0,
                month: 0,
                weekday: 6,
                minute: 23 * 60,
            },
            category: 5812,
            merchant: "mer_1",
            city: "Wien",
        };
        Policy::parse(policy).unwrap().decide(&input).trace
    }

    fn check(policy: &str, expected: &str) {
        let reason = trace(policy).remove(0);
        assert_eq!(reason_text(Language::English, &reason, Currency::EUR), expected);
    }

    #[test]
    fn reasons_name_the_rule_the_bound_and_what_is_left() {
        check(
            "amount_day <= 3000",
            "Per day: at most €30.00 is allowed, this would make €63.00. €12.00 is left.",
        );
        check(
            "amount <= 3000",
            "Per payment: at most €30.00 is allowed, this would make €45.00.",
        );
        check(
            "count_day <= 1",
            "Payments per day: at most 1 is allowed, this would make 2. 0 is left.",
        );
        check("weekday in mon-fri", "Weekday: allowed are mon-fri, this was sat.");
        check(
            "clock not in 22:00-06:00",
            "Time of day: 22:00-06:00 is excluded, this was 23:00.",
        );
    }

    #[test]
    fn every_dimension_has_a_name_in_both_languages() {
        for row in DIMENSIONS {
            for language in Language::ALL {
                assert!(
                    language.knows(&format!("dimension-{}", row.name)),
                    "{} {}",
                    row.name,
                    language.name()
                );
            }
        }
    }
}
