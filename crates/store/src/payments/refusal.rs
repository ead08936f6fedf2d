//! A refusal as text: a word for the kind, then what the kind knows.
//!
//! `currency CNY EUR`, `scenario 5812`, `funds`, or `limit` and one line per reason with tabs between dimension,
//! operator, what was seen, what is allowed, verdict, and what was left.

use std::fmt::Write as _;

use onescan_domain::codes::parse_category;
use onescan_domain::money::Currency;
use onescan_domain::payments::PaymentRefusal;
use onescan_domain::policy::{DIMENSIONS, Operator, Reason};

const OPERATORS: [Operator; 4] = [Operator::AtMost, Operator::AtLeast, Operator::In, Operator::NotIn];

pub(super) fn write(refusal: &PaymentRefusal) -> String {
    match refusal {
        PaymentRefusal::CurrencyMismatch { payer, asked } => format!("currency {payer} {asked}"),
        PaymentRefusal::ScenarioNotPermitted { category } => format!("scenario {category:04}"),
        PaymentRefusal::LimitExceeded { trace } => trace.iter().fold("limit".to_owned(), write_reason),
        PaymentRefusal::InsufficientFunds => "funds".to_owned(),
    }
}

fn write_reason(mut text: String, reason: &Reason) -> String {
    let left = reason.left.map(|left| left.to_string()).unwrap_or_default();
    let written = write!(
        text,
        "\n{}\t{}\t{}\t{}\t{}\t{left}",
        reason.dimension.name(),
        reason.operator.sign(),
        escape(&reason.seen),
        escape(&reason.allowed),
        if reason.holds { "holds" } else { "fails" },
    );
    written.expect("writing to a String cannot fail");
    text
}

/// `None` for a text that [`write`] does not make.
pub(super) fn read(text: &str) -> Option<PaymentRefusal> {
    let mut lines = text.split('\n');
    let mut words = lines.next()?.split(' ');
    Some(match words.next()? {
        "currency" => PaymentRefusal::CurrencyMismatch {
            payer: Currency::parse(words.next()?)?,
            asked: Currency::parse(words.next()?)?,
        },
        "scenario" => PaymentRefusal::ScenarioNotPermitted {
            category: parse_category(words.next()?)?,
        },
        "limit" => PaymentRefusal::LimitExceeded {
            trace: lines.map(read_reason).collect::<Option<_>>()?,
        },
        "funds" => PaymentRefusal::InsufficientFunds,
        _ => return None,
    })
}

fn read_reason(line: &str) -> Option<Reason> {
    let parts: Vec<&str> = line.split('\t').collect();
    let &[dimension, operator, seen, allowed, verdict, left] = parts.as_slice() else {
        return None;
    };
    Some(Reason {
        dimension: DIMENSIONS.iter().find(|row| row.name == dimension)?.dimension,
        operator: OPERATORS.into_iter().find(|known| known.sign() == operator)?,
        seen: unescape(seen)?,
        allowed: unescape(allowed)?,
        holds: verdict == "holds",
        left: match left {
            "" => None,
            left => Some(left.parse().ok()?),
        },
    })
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n")
}

fn unescape(text: &str) -> Option<String> {
    let mut letters = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => match letters.next()? {
                't' => '\t',
                'n' => '\n',
                '\\' => '\\',
                _ => return None,
            },
            letter => letter,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use onescan_domain::calendar::LocalTime;
    use onescan_domain::policy::{Policy, PolicyInput, Usage};
    use proptest::prelude::*;

    use super::*;

    fn check(refusal: PaymentRefusal, expected: &str) {
        assert_eq!(write(&refusal), expected);
        assert_eq!(read(expected), Some(refusal));
    }

    #[test]
    fn refusals_are_texts() {
        let currencies = PaymentRefusal::CurrencyMismatch {
            payer: Currency::CNY,
            asked: Currency::EUR,
        };
        check(currencies, "currency CNY EUR");
        check(PaymentRefusal::ScenarioNotPermitted { category: 742 }, "scenario 0742");
        check(PaymentRefusal::InsufficientFunds, "funds");
        check(PaymentRefusal::LimitExceeded { trace: Vec::new() }, "limit");
        for foreign in [
            "",
            "limits",
            "currency CNY",
            "scenario 12",
            "limit\n",
            "limit\namount\t<=\t1\t2\tholds",
        ] {
            assert_eq!(read(foreign), None, "{foreign:?}");
        }
    }

    #[test]
    fn a_decision_over_every_dimension_is_read_back_equal() {
        let policy = "amount <= 1\namount_day <= 2\namount_month >= 3\ncount_day <= 4\ncount_month <= 5\n\
                      weekday in mon-fri\nclock not in 06:00-22:00\ncategory in 5811-5814,5411\n\
                      merchant in mer_1\ncity not in Paris,東\t京\\";
        let policy = Policy::parse(policy).unwrap();
        assert_eq!(policy.conditions.len(), DIMENSIONS.len());
        let trace = policy
            .decide(&PolicyInput {
                amount_minor: 3_000,
                currency: Currency::EUR,
                used: Usage::default(),
                local: LocalTime {
                    day: 20_000,
                    month: 657,
                    weekday: 5,
                    minute: 600,
                },
                category: 5812,
                merchant: "mer_2",
                city: "Utsunomiya",
            })
            .trace;
        let refusal = PaymentRefusal::LimitExceeded { trace };
        assert_eq!(read(&write(&refusal)), Some(refusal));
    }

    fn reason() -> impl Strategy<Value = Reason> {
        let text = "[a-z\\\\\t\n 東,]{0,12}";
        let parts = (
            0..DIMENSIONS.len(),
            0..OPERATORS.len(),
            text,
            text,
            any::<bool>(),
            any::<Option<i64>>(),
        );
        parts.prop_map(|(dimension, operator, seen, allowed, holds, left)| Reason {
            dimension: DIMENSIONS[dimension].dimension,
            operator: OPERATORS[operator],
            seen,
            allowed,
            holds,
            left,
        })
    }

    proptest! {
        #[test]
        fn every_trace_is_read_back_equal(trace in prop::collection::vec(reason(), 0..5)) {
            let refusal = PaymentRefusal::LimitExceeded { trace };
            prop_assert_eq!(read(&write(&refusal)), Some(refusal));
        }
    }
}
